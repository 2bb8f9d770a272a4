import Catalog
import Foundation
import Protection
import Reports
import Scenario
import Simulation
import Testing

private let folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Scenarios/learn")
private let lessons = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter {
    $0.hasSuffix(".yaml")
}.sorted()

@Suite("the lessons of Scenarios/learn") struct LearnScenarioTests {
    /// What a lesson prints is its result. Record again on purpose: `DPMSIM_RECORD=1 swift test --filter Learn`,
    /// then read the difference before it is kept.
    @Test("a lesson prints what is kept beside it", arguments: lessons)
    func lessonPrintsWhatIsExpected(name: String) throws {
        let file = folder.appendingPathComponent(name)
        let read = ScenarioReader.read(path: file.path)
        #expect(read.problems == [])
        let setting = try #require(read.setting)
        let chronicle = Chronicle()
        let run = Run(setting: setting, ledger: chronicle, checksInvariants: true)
        run.advance(until: run.horizon)
        let outcome = run.finish()
        #expect(outcome.audit.filter { !$0.holds } == [])
        let facts = RunFacts(
            setting: setting, chronicle: chronicle, outcome: outcome, version: "golden", arguments: ["run", name])
        let printed = Summary.text(facts)
        // The summary is the place of the trace hash; without it a lesson would say too little.
        #expect(printed.contains(outcome.traceHash))

        let kept = file.deletingPathExtension().appendingPathExtension("expected")
        if ProcessInfo.processInfo.environment["DPMSIM_RECORD"] == "1" {
            try printed.write(to: kept, atomically: true, encoding: .utf8)
        }
        let expected = try String(contentsOf: kept, encoding: .utf8)
        let difference = zip(lines(printed), lines(expected)).first { $0 != $1 }
        #expect(
            printed == expected,
            "first difference: printed '\(difference?.0 ?? "")', expected '\(difference?.1 ?? "")'")
    }

    @Test("there are eight lessons at least")
    func lessonsAreThere() { #expect(lessons.count >= 8) }

    private func lines(_ text: String) -> [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
}
