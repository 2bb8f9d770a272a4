import ArgumentParser
import Catalog
import Engine
import Files
import Foundation
import Protection
import Simulation
import Units

/// `dpmsim calibrate`: runs the real machines of a scenario once as files and once as numbers, and says how far apart they are.
struct CalibrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "calibrate",
        abstract: "Run a scenario's real machines as files and as numbers, and compare what came of both.",
        discussion: """
            Compares, over all machines whose data is real: bytes changed, sent and newly stored by disk backups, bytes freed by
            pruning, and what replicas and recovery points take at the end. Exit status 1 if one differs by more than --within.
            """)

    @Argument(help: "The scenario, a YAML file.", completion: .file(extensions: ["yaml", "yml"])) var file: String
    @Option(help: ArgumentHelp("Greatest difference that is good enough, per cent of the real figure.", valueName: "%"))
    var within = 3.0
    @Option(help: "Seed of all chance, instead of the scenario's.") var seed: UInt64?
    @Flag(help: "Print the figures as JSON.") var json = false

    func validate() throws {
        guard within >= 0 else { throw ValidationError("--within is a percentage of at least 0") }
    }

    func run() throws {
        var setting = try ScenarioInput(path: file).settingOrEnd()
        if let seed { setting.seed = seed }
        try endingByFault(json: false) {
            guard let real = try RealRun(setting, folder: nil) else {
                throw Complaint(
                    object: file, cause: "none of its machines is real, so there is nothing to compare",
                    action: "Say data: real for some of them")
            }
            defer { real.end() }
            let asFiles = Self.totals(setting, real.plane)
            try real.judge(try real.verdict(asFiles.outcome))
            let asNumbers = Self.totals(setting, nil)
            let rows = zip(asNumbers.figures, asFiles.figures).map {
                Row(quantity: $0.name, model: $0.value, real: $1.value)
            }
            if json { try JSONOutput.print(rows) } else { print(rows) }
            if rows.contains(where: { abs($0.difference) > within }) { throw Ending.expectationFailed }
        }
    }

    /// One quantity both ways, bytes.
    private struct Row: Encodable {
        var quantity: String
        var model: Int64
        var real: Int64
        /// Per cent of the real figure; infinite where only the model has something.
        var difference: Double {
            model == real ? 0 : real == 0 ? .infinity : (Double(model) - Double(real)) / Double(real) * 100
        }
        private enum Key: CodingKey { case quantity, model, real, difference }
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(quantity, forKey: .quantity)
            try container.encode(model, forKey: .model)
            try container.encode(real, forKey: .real)
            try container.encode(difference.isFinite ? difference : nil, forKey: .difference)
        }
    }

    private func print(_ rows: [Row]) {
        let out = Terminal.output
        func column(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        out.line(
            "Quantity".padding(toLength: 24, withPad: " ", startingAt: 0) + column("model", 14) + column("real", 14)
                + column("difference", 13))
        for row in rows {
            let share = row.difference.isFinite ? String(format: "%+.2f %%", row.difference) : "–"
            let line =
                row.quantity.padding(toLength: 24, withPad: " ", startingAt: 0) + column(Bytes(row.model).rounded, 14)
                + column(Bytes(row.real).rounded, 14) + column(share, 13)
            out.line(abs(row.difference) > within ? out.styled(line, .red) : line)
        }
    }

    private static func totals(
        _ setting: Setting, _ plane: RealPlane?
    ) -> (figures: [(name: String, value: Int64)], outcome: RunOutcome) {
        let isReal = setting.world.machines.map { $0.real != nil }
        let chronicle = Chronicle()
        let outcome = Run(setting: setting, ledger: chronicle, real: plane).finish()
        var (changed, sent, stored) = (Int64(0), Int64(0), Int64(0))
        chronicle.jobs.forEach { job in
            guard [.replicaCreation, .expressFull, .consistencyCheck].contains(job.kind), isReal[Int(job.machine)]
            else {
                return
            }
            changed += job.changed.count
            sent += job.sent.count
            stored += job.stored.count
        }
        var (replica, points) = (Int64(0), Int64(0))
        for record in outcome.replicas where isReal[Int(record.machine)] {
            replica += record.replica.count
            points += record.points.count
        }
        return (
            [
                ("changed", changed), ("sent", sent), ("stored", stored),
                ("freed", stored - replica - points), ("replicas at the end", replica),
                ("points at the end", points),
            ], outcome
        )
    }
}
