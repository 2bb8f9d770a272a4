import ArgumentParser
import Catalog
import Files
import Foundation
import Protection
import Reports
import Simulation
import Units

/// `dpmsim drill`: practises the recoveries a scenario asks for, and tells how long each takes and what is lost by it.
struct DrillCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drill", abstract: "Practise recoveries: how long they take, and what is lost.",
        discussion: """
            Each drill of the scenario (`drills:`) is played in a run of its own, with the failures of its script, until all its
            recoveries have ended. Disks that real machines get back are compared with what they held at the recovery point.
            Exit status 1 if a recovery failed, took longer than the drill allows, went back too far, or brought back something else.
            """)

    @Argument(help: "The scenario, a YAML file.", completion: .file(extensions: ["yaml", "yml"])) var file: String
    @Option(help: ArgumentHelp("Play only the drill of this name.", valueName: "name")) var only: String?
    @Option(help: "Seed of all chance, instead of the scenario's.") var seed: UInt64?
    @Flag(help: "Print what each recovery was told to do before it began.") var summary = false
    @Flag(help: "Print the results as JSON.") var json = false

    func run() throws {
        var setting = try ScenarioInput(path: file).settingOrEnd()
        if let seed { setting.seed = seed }
        try endingByFault(json: false) {
            let results = try drills(of: setting).map { try Self.play($0, in: setting) }
            if json { try JSONOutput.print(results) } else { print(results, setting.clock) }
            if results.contains(where: { !$0.held }) { throw Ending.expectationFailed }
        }
    }

    private func drills(of setting: Setting) throws(Complaint) -> [Drill] {
        guard !setting.drills.isEmpty else {
            throw Complaint(
                object: file, cause: "it has no drills", action: "Write 'drills:'; Scenarios/README.md shows how")
        }
        guard let only else { return setting.drills }
        let found = setting.drills.filter { $0.name == only }
        guard !found.isEmpty else {
            throw Complaint(
                object: "--only \(only)", cause: "no drill of the scenario has this name",
                action: "Name one of \(setting.drills.map(\.name).joined(separator: ", "))")
        }
        return found
    }

    // MARK: Playing

    struct Result: Encodable {
        struct Recovery: Encodable {
            var machine: String
            var from: String
            var tapes: [String]
            var point: String?
            var destination: String
            /// How old the recovery point was, and how long the recovery took, seconds.
            var age: Double?
            var waited: Double?
            var took: Double?
            var bytes: Int64
            /// 0 for none.
            var error: Int32
            var cause: String
            var hasCompleted: Bool
            var remarks: [String]
            var summary: [String]
        }
        var name: String
        var at: String
        var recoveries: [Recovery]
        /// From the request until the last machine was back, seconds; nil where one is not.
        var took: Double?
        var bytes: Int64
        var oldestPoint: Double?
        /// What was compared with what the disks had held; nil without real machines.
        var verification: String?
        /// Why it is not as it should be; empty if it is.
        var problems: [String]
        var held: Bool { problems.isEmpty }
    }

    private static func play(_ drill: Drill, in scenario: Setting) throws -> Result {
        let setting = drill.played(in: scenario)
        let first = Int32(scenario.script.count)
        let chronicle = Chronicle()
        let real = try RealRun(setting, folder: nil)
        defer { real?.end() }
        let run = Run(setting: setting, ledger: chronicle, real: real?.plane)
        var progress = Progress()
        var until = drill.at
        run.advance(until: until)
        // A run's own time stands still where nothing happens.
        while until < run.horizon, chronicle.recoveries.count(where: { $0.line >= first }) < drill.requests.count {
            until = until + .minutes(10)
            run.advance(until: until)
            progress.show(
                share: Double(run.now.nanoseconds) / Double(run.horizon.nanoseconds), place: drill.name,
                events: run.eventCount)
        }
        progress.clear()
        let records = chronicle.recoveries.filter { $0.line >= first }.sorted { $0.line < $1.line }
        let outcome = run.stop()
        let verdict = try real?.verdict(outcome)
        var result = Result(
            name: drill.name, at: setting.clock.text(drill.at), recoveries: records.map { recovery($0, setting) },
            took: nil, bytes: records.reduce(0) { $0 + $1.bytes.count },
            oldestPoint: records.compactMap { $0.age?.seconds }.max(), verification: verdict?.summary, problems: [])
        result.problems = problems(drill, records, setting) + (verdict?.differences ?? []) + (verdict?.faults ?? [])
        if records.count == drill.requests.count, records.allSatisfy({ $0.status == .completed }) {
            result.took = records.compactMap { $0.duration?.seconds }.max()
        }
        return result
    }

    private static func recovery(_ record: RecoveryRecord, _ setting: Setting) -> Result.Recovery {
        Result.Recovery(
            machine: setting.world.machines[Int(record.machine)].name, from: record.source.title, tapes: record.tapes,
            point: record.point == .never ? nil : setting.clock.text(record.point), destination: record.destination,
            age: record.age?.seconds, waited: record.began == .never ? nil : (record.began - record.asked).seconds,
            took: record.duration?.seconds, bytes: record.bytes.count, error: record.error, cause: record.cause,
            hasCompleted: record.status == .completed, remarks: record.remarks,
            summary: record.summary.map { "\($0.title): \($0.text)" })
    }

    private static func problems(_ drill: Drill, _ records: [RecoveryRecord], _ setting: Setting) -> [String] {
        func name(_ record: RecoveryRecord) -> String { setting.world.machines[Int(record.machine)].name }
        var problems = records.filter { $0.status != .completed }.map {
            "\(name($0)): failed with \($0.error): \($0.cause)"
        }
        let open = drill.requests.count - records.count
        if open > 0 {
            problems.append("\(open) of \(drill.requests.count) had not ended when the scenario did")
        }
        for record in records where record.status == .completed {
            if let goal = drill.goal, let duration = record.duration, duration > goal {
                problems.append("\(name(record)): took \(duration.rounded), allowed are \(goal.rounded)")
            }
            if let oldest = drill.oldestPoint, let age = record.age, age > oldest {
                problems.append("\(name(record)): goes back \(age.rounded), allowed are \(oldest.rounded)")
            }
        }
        return problems
    }

    // MARK: Telling

    private func print(_ results: [Result], _ clock: CivilClock) {
        let out = Terminal.output
        for result in results {
            out.line("\(result.name), \(result.at)")
            var table = TextTable([
                ("Machine", .left), ("From", .left), ("Point", .left), ("Age", .right), ("Waited", .right),
                ("Took", .right), ("Bytes", .right), ("Outcome", .left),
            ])
            for recovery in result.recoveries {
                func span(_ seconds: Double?) -> String {
                    seconds.map { $0 == 0 ? "0 s" : SimDuration(roundingUp: $0).rounded } ?? "–"
                }
                table.add([
                    recovery.machine,
                    recovery.from + (recovery.tapes.isEmpty ? "" : " " + recovery.tapes.joined(separator: " ")),
                    recovery.point ?? "–", span(recovery.age), span(recovery.waited), span(recovery.took),
                    Bytes(recovery.bytes).rounded, recovery.hasCompleted ? "done" : "failed (\(recovery.error))",
                ])
            }
            for line in table.lines(indent: 2) { out.line(line) }
            if summary {
                for recovery in result.recoveries {
                    for line in recovery.summary { out.line("    \(recovery.machine): \(line)") }
                }
            }
            if let took = result.took {
                out.line(
                    "  All back after \(SimDuration(roundingUp: took).rounded), \(Bytes(result.bytes).rounded)"
                        + (result.oldestPoint.map {
                            "; the oldest point was \(SimDuration(roundingUp: $0).rounded) old"
                        }
                            ?? "") + ".")
            }
            if let verification = result.verification { out.line("  \(verification)") }
            for problem in result.problems { out.line("  \(out.styled("not held", .red)) \(problem)") }
        }
    }
}
