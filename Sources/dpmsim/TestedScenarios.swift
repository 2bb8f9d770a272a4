import Catalog
import Foundation
import Protection
import Scenario
import Simulation
import Synchronization
import Units

/// What one scenario's test came to.
struct ScenarioResult: Encodable, Sendable {
    struct Check: Encodable, Sendable {
        var place: String, expected: String, seen: String, note: String
        var held: Bool
        var at: String?
        var trace: [String]
    }
    var file: String
    var name = ""
    var seed: UInt64 = 0
    var traceHash = ""
    var checks: [Check] = []
    /// Why the file is no scenario; empty if it is one.
    var problems: [String] = []
    /// What broke while it ran; empty if nothing did.
    var faults: [String] = []
    var failed: Int { checks.count { !$0.held } }
    /// Events of its run, for progress.
    var events: UInt64 = 0

    private enum CodingKeys: String, CodingKey { case file, name, seed, traceHash, checks, problems, faults }
}

/// Finds scenarios that expect something, and runs them.
enum TestedScenarios {
    /// The scenarios under the paths, in the order of the paths and then of their names, each once.
    /// - Throws: `Complaint` if a path is not there, or nothing under the paths expects anything.
    static func files(under paths: [String]) throws(Complaint) -> [String] {
        var files: [String] = []
        for path in paths {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
                throw Complaint(object: path, cause: "it is not there", action: "Name a scenario or a folder")
            }
            guard isFolder.boolValue else {
                files.append(path)
                continue
            }
            let names = (try? FileManager.default.subpathsOfDirectory(atPath: path)) ?? []
            let folder = path.hasSuffix("/") ? String(path.dropLast()) : path
            files += names.filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") }.sorted().map { "\(folder)/\($0)" }
                .filter(expectsSomething)
        }
        var seen: Set<String> = []
        files = files.filter { seen.insert($0).inserted }
        guard !files.isEmpty else {
            throw Complaint(
                object: paths.joined(separator: ", "), cause: "no scenario there expects anything",
                action: "Write 'expect:' into a scenario; Scenarios/README.md shows how")
        }
        return files
    }

    private static func expectsSomething(_ path: String) -> Bool {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return false }
        return text.split(separator: "\n").contains { $0.hasPrefix("expect:") }
    }

    /// Runs them, several at once. The results stand in the order of the files and depend on nothing else.
    static func run(_ files: [String], seed: UInt64?, jobs: Int) -> [ScenarioResult] {
        let next = Mutex(0)
        let results = Mutex([ScenarioResult?](repeating: nil, count: files.count))
        let progress = Mutex((line: Progress(), done: 0, events: UInt64(0)))
        DispatchQueue.concurrentPerform(iterations: min(jobs, files.count)) { _ in
            while true {
                let n = next.withLock { n in
                    defer { n += 1 }
                    return n
                }
                guard n < files.count else { return }
                let result = run(files[n], seed: seed)
                progress.withLock { progress in
                    progress.done += 1
                    progress.events += result.events
                    progress.line.show(
                        share: Double(progress.done) / Double(files.count), place: "\(progress.done) of \(files.count)",
                        events: progress.events)
                }
                results.withLock { $0[n] = result }
            }
        }
        progress.withLock { $0.line.clear() }
        return results.withLock { $0.compactMap { $0 } }
    }

    private static func run(_ file: String, seed: UInt64?) -> ScenarioResult {
        var result = ScenarioResult(file: file)
        let read = ScenarioReader.read(path: file)
        guard read.problems.isEmpty, var setting = read.setting else {
            result.problems = read.problems.map(\.description)
            return result
        }
        guard !setting.expectations.isEmpty else {
            result.problems = ["\(file): expected expectations under the key expect, found none"]
            return result
        }
        if let seed { setting.seed = seed }
        let chronicle = Chronicle()
        let real: RealRun?
        do { real = try RealRun(setting, folder: nil) } catch {
            result.faults = ["real machines: \(error)"]
            return result
        }
        defer { real?.end() }
        var outcome = Run(setting: setting, ledger: chronicle, real: real?.plane).finish()
        (result.name, result.seed, result.traceHash) = (setting.name, setting.seed, outcome.traceHash)
        result.events = outcome.eventCount
        result.faults = outcome.audit.filter { !$0.holds }.map { "audit: \($0.name): \($0.left) against \($0.right)" }
        if case .stuck(let waiting) = outcome.end { result.faults += waiting.map { "stuck: \($0)" } }
        var verdict: RealRun.Verdict?
        do {
            verdict = try real?.verdict(outcome)
            outcome.pointChecks = verdict?.checks ?? []
        } catch { result.faults.append("real machines: \(error)") }
        result.checks = ExpectationJudge(setting, chronicle.story(outcome)).verdicts().map { verdict in
            ScenarioResult.Check(
                place: verdict.expectation.place, expected: verdict.expected, seen: verdict.seen,
                note: verdict.expectation.note, held: verdict.held, at: verdict.at.map(setting.clock.text),
                trace: verdict.trace)
        }
        if let verdict {
            result.faults += verdict.faults.map { "real machines: \($0)" }
            result.checks.append(
                ScenarioResult.Check(
                    place: file,
                    expected: "every recovery point of real machines is what their disks were, and is booked",
                    seen: verdict.summary, note: "", held: verdict.differences.isEmpty, at: nil,
                    trace: verdict.differences))
        }
        return result
    }
}
