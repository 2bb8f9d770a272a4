import ArgumentParser
import Catalog
import Engine
import Files
import Foundation
import Protection
import Reports
import Simulation
import Units

/// `dpmsim run`: lets a scenario's time pass and tells what came of it.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a scenario and print what a planner can act on.",
        discussion: """
            The same file, seed and version give the same run, event for event; the trace hash at the end proves it.
            """)

    @Argument(help: "The scenario, a YAML file.", completion: .file(extensions: ["yaml", "yml"])) var file: String
    @Option(help: "Seed of all chance, instead of the scenario's.") var seed: UInt64?
    @Option(
        help: ArgumentHelp(
            "End of the run: a duration from its start, such as '7 days', or a date, such as 2026-03-01.",
            valueName: "time"), transform: Until.init(argument:)) var until: Until?
    @Option(help: ArgumentHelp("Folder to write the report into.", valueName: "folder"), completion: .directory)
    var report: String?
    @Option(help: ArgumentHelp("SQLite file to keep what happened in.", valueName: "file"), completion: .file())
    var db: String?
    @Option(
        help: ArgumentHelp(
            "Empty folder for the disks and pools of real machines; left out: a temporary one that goes at the end.",
            valueName: "folder"), completion: .directory) var data: String?
    @Flag(help: "Print every figure of the report as JSON instead of the summary.") var json = false

    func run() throws {
        var setting = try ScenarioInput(path: file).settingOrEnd()
        if let seed { setting.seed = seed }
        do {
            if let until { setting.duration = try until.duration(from: setting.clock) }
            try run(setting)
        } catch let complaint as Complaint {
            complaint.print()
            throw complaint.status
        } catch let fault as ArchiveFault {
            throw broken(fault.object, fault.cause, fault.action)
        } catch let fault as ReportFault {
            throw broken(fault.object, fault.cause, fault.action)
        } catch let fault as StorageFault {
            let complaint = Complaint(fault)
            complaint.print()
            throw complaint.status
        }
    }

    private func broken(_ object: String, _ cause: String, _ action: String) -> ExitCode {
        let complaint = Complaint(object: object, cause: cause, action: action, isFault: true)
        complaint.print()
        return complaint.status
    }

    private func run(_ setting: Setting) throws {
        try announceRefusals(of: setting.world)
        let folder = report.map(ReportFolder.init(path:))
        try folder?.check()
        let chronicle = Chronicle(archive: try archive(for: setting))

        let real = try RealRun(setting, folder: data)
        defer { real?.end() }
        var outcome = try simulate(setting, into: chronicle, real: real?.plane)
        let verdict = try real?.verdict(outcome)
        outcome.pointChecks = verdict?.checks ?? []
        let facts = RunFacts(
            setting: setting, chronicle: chronicle, outcome: outcome, version: dpmsimVersion, arguments: arguments)
        if json {
            Terminal.output.line(ReportJSON.text(facts))
        } else {
            let out = Terminal.output
            out.write(Summary.text(facts, colours: out.isColoured, width: min(out.width ?? 100, 100)))
        }
        try folder?.replace { try HTMLReport.write(facts, to: $0) }
        if let folder, !json { Terminal.output.line("report: \(folder.path)/index.html") }
        try chronicle.finish(outcome)
        try judge(outcome)
        if let verdict { try real?.judge(verdict) }
        if facts.expectations.contains(where: { !$0.held }) { throw Ending.expectationFailed }
    }

    /// The archive that `--db` asks for.
    /// - Throws: `Complaint` if its file cannot be made there.
    private func archive(for setting: Setting) throws -> Archive? {
        guard let db else { return nil }
        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        do {
            return try Archive(
                path: db, setting: setting, version: dpmsimVersion, arguments: arguments, settingText: text)
        } catch let fault as ArchiveFault {
            throw Complaint(object: fault.object, cause: fault.cause, action: fault.action)
        }
    }

    /// Prints what of the world cannot be protected as asked.
    /// - Throws: the end of the program if nothing can be.
    private func announceRefusals(of world: World) throws {
        let terminal = Terminal.errors
        let coverage = Coverage(of: world)
        coverage.print(on: terminal, atMost: 20, rest: "dpmsim check \(file)")
        guard !coverage.isNothing else {
            terminal.line("None of the machines can be protected as asked; nothing was run.")
            throw Ending.badInput
        }
    }

    private func simulate(_ setting: Setting, into chronicle: Chronicle, real: RealPlane?) throws -> RunOutcome {
        Interrupt.listen()
        let run = Run(setting: setting, ledger: chronicle, real: real)
        var progress = Progress()
        let horizon = run.horizon.nanoseconds
        let steps: Int64 = 200
        for step in 1...steps {
            // Multiplied last, so that the last step ends at the horizon exactly.
            run.advance(until: SimTime(nanoseconds: step == steps ? horizon : horizon / steps * step))
            if Interrupt.isAsked {
                progress.clear()
                Terminal.errors.line("Stopped at \(setting.clock.text(run.now)); no report was written.")
                throw Ending.interrupted
            }
            progress.show(
                share: Double(step) / Double(steps), place: "\(setting.clock.date(of: run.now))", events: run.eventCount
            )
        }
        let outcome = run.finish()
        progress.clear()
        return outcome
    }

    /// A run that could not go on, or whose books do not balance, is a fault, and says so.
    private func judge(_ outcome: RunOutcome) throws {
        let terminal = Terminal.errors
        let broken = outcome.audit.filter { !$0.holds }
        for line in broken {
            terminal.line(terminal.styled("audit", .red) + " \(line.name): \(line.left) against \(line.right)")
        }
        if case .stuck(let waiting) = outcome.end {
            terminal.line(terminal.styled("stuck", .red) + " nothing was left to happen while jobs waited:")
            for job in waiting { terminal.line("  \(job)") }
            throw Ending.fault
        }
        if !broken.isEmpty { throw Ending.fault }
    }

    /// The command line that repeats this run.
    private var arguments: [String] {
        ["run", file] + (seed.map { ["--seed", "\($0)"] } ?? []) + (until.map { ["--until", $0.text] } ?? [])
    }
}

/// When a run ends, as `--until` says it.
struct Until {
    private enum Form { case duration(SimDuration), date(CivilDate) }
    private let form: Form
    let text: String

    init(argument: String) throws {
        text = argument
        if let duration = SimDuration(argument) {
            form = .duration(duration)
        } else if let date = CivilDate(argument) {
            form = .date(date)
        } else {
            throw ValidationError("expected \(SimDuration.expected), or \(CivilDate.expected); found '\(argument)'")
        }
    }

    /// The length of a run that begins at the clock's start.
    /// - Throws: `Complaint` if it would end before it begins.
    func duration(from clock: CivilClock) throws(Complaint) -> SimDuration {
        let duration =
            switch form {
            case .duration(let duration): duration
            case .date(let date): clock.time(of: date) - SimTime.start
            }
        guard duration > .zero else {
            throw Complaint(
                object: "--until \(text)", cause: "the run begins on \(clock.startDate) and would end before it began",
                action: "Name a later end")
        }
        return duration
    }
}
