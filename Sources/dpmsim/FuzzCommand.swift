import ArgumentParser
import Catalog
import Engine
import Files
import Foundation
import Protection
import Scenario
import Simulation
import Synchronization
import Units

/// `dpmsim fuzz`: random installations with real small disks and random trouble, each judged by what must always hold.
struct FuzzCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fuzz",
        abstract: "Make random installations fail in random ways, and look for what must never be.",
        discussion: """
            Each seed is an installation with real disks, its policies, workloads and failures. After every event the run's own
            invariants are proved; at the end every recovery point is compared bit for bit with what its disks were, every set on
            tape likewise, the books with the pool, and the pool is checked. What fails is made as small as it goes and written as a scenario. Exit status 1 if a
            seed failed.
            """)

    @Option(
        help: ArgumentHelp("The seeds, such as 1..2000, or one.", valueName: "A..B"), transform: Seeds.init(argument:))
    var seeds = Seeds(range: 1...100)
    @Option(help: ArgumentHelp("No new seed is begun after so many seconds.", valueName: "seconds")) var time: Double?
    @Option(help: ArgumentHelp("Folder for scenarios that failed.", valueName: "folder"), completion: .directory)
    var out = "."
    @Option(help: ArgumentHelp("Runs at once.", valueName: "number"))
    var jobs: Int = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Leave what failed as it is.") var noShrink = false
    @Option(
        help: ArgumentHelp(
            "Put a fault in, to see it found: \(PlantedBug.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "fault"), transform: Self.bug(argument:)) var plant: PlantedBug?
    @Flag(help: "Print the scenario of the first seed and end.") var show = false
    /// A run in a process of its own, so that a proof that fails ends that one alone.
    @Option(help: .hidden) var one: String?

    func validate() throws {
        guard (1...1_024).contains(jobs) else { throw ValidationError("--jobs is a number from 1 to 1024") }
        if let time, !(time > 0) { throw ValidationError("--time is a number of seconds above 0") }
    }

    private static func bug(argument: String) throws -> PlantedBug {
        guard let bug = PlantedBug(rawValue: argument) else {
            throw ValidationError("expected one of \(PlantedBug.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return bug
    }

    func run() throws {
        if let one {
            let (problems, count) = FuzzRun(planted: plant).problems(of: one)
            for problem in problems { Terminal.output.line(problem) }
            if problems.isEmpty { Terminal.output.line("\(count.points) \(count.sets)") }
            if !problems.isEmpty { throw Ending.expectationFailed }
            return
        }
        if show { return Terminal.output.write(FuzzScenario(seed: seeds.range.lowerBound).text) }
        do { try search() } catch let complaint as Complaint {
            complaint.print()
            throw complaint.status
        }
    }

    private func search() throws {
        let clock = WallClock()
        let state = Mutex(
            (
                next: seeds.range.lowerBound, done: 0, count: Compared(), failed: [(seed: UInt64, problem: String)](),
                line: Progress()
            ))
        let (range, limit) = (seeds.range, time)
        DispatchQueue.concurrentPerform(iterations: jobs) { _ in
            while true {
                let seed = state.withLock { state -> UInt64? in
                    guard state.next <= range.upperBound, state.next >= range.lowerBound,
                        limit.map({ clock.seconds < $0 }) ?? true
                    else { return nil }
                    defer { state.next += 1 }
                    return state.next
                }
                guard let seed else { return }
                let finding = child(FuzzScenario(seed: seed).text)
                state.withLock { state in
                    state.done += 1
                    switch finding {
                    case .sound(let count): state.count += count
                    case .broken(let problem): state.failed.append((seed, problem))
                    }
                    state.line.show(
                        share: Double(state.done) / Double(range.count),
                        place: "\(state.done) seeds, \(state.failed.count) failed",
                        events: 0)
                }
            }
        }
        let (done, count, failed) = state.withLock { state in
            state.line.clear()
            return (state.done, state.count, state.failed.sorted { $0.seed < $1.seed })
        }
        for (seed, problem) in failed { try report(seed, problem) }
        Terminal.output.line(
            "\(done) seeds, \(failed.count) failed; in the others \(count.points) recovery points and \(count.sets) "
                + "tape sets equal to the bit")
        if !failed.isEmpty { throw Ending.expectationFailed }
    }

    private func report(_ seed: UInt64, _ problem: String) throws {
        var scenario = FuzzScenario(seed: seed)
        var problem = problem
        if !noShrink { (scenario, problem) = shrunk(scenario, problem) }
        let path = "\(out)/fuzz-\(seed).yaml"
        do {
            try Data(("# " + problem.split(separator: "\n").joined(separator: "\n# ") + "\n" + scenario.text).utf8)
                .write(
                    to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw Complaint(
                object: path, cause: "it cannot be written (\(error.localizedDescription))",
                action: "Name a folder that can be written with --out")
        }
        let out = Terminal.output
        out.line("\(out.styled("seed \(seed)", .red)): \(problem.split(separator: "\n").first ?? "")")
        out.line(
            "  \(path): \(scenario.machines.count) machines, \(scenario.script.count) lines of script, \(scenario.days) days"
        )
    }

    /// Takes away whatever it fails without, in the same way.
    private func shrunk(_ scenario: FuzzScenario, _ problem: String) -> (FuzzScenario, String) {
        var (best, reason) = (scenario, problem)
        var tries = 120
        search: while tries > 0 {
            for candidate in best.smaller {
                tries -= 1
                if let found = child(candidate.text).problem, kind(found) == kind(problem) {
                    (best, reason) = (candidate, found)
                    continue search
                }
                if tries <= 0 { break search }
            }
            break
        }
        return (best, reason)
    }

    /// Which invariant broke: the first words of a problem.
    private func kind(_ problem: String) -> Substring { problem.prefix { $0 != ":" } }

    /// What came of a scenario's run.
    private enum Finding {
        case sound(Compared)
        case broken(String)
        var problem: String? { if case .broken(let problem) = self { problem } else { nil } }
    }

    private func child(_ text: String) -> Finding {
        let process = Process()
        process.executableURL = URL(
            fileURLWithPath: CommandLine.arguments[0].contains("/") ? CommandLine.arguments[0] : "/proc/self/exe")
        process.arguments = ["fuzz", "--one", text] + (plant.map { ["--plant", $0.rawValue] } ?? [])
        let (output, errors) = (Pipe(), Pipe())
        (process.standardOutput, process.standardError) = (output, errors)
        process.standardInput = FileHandle.nullDevice
        do { try process.run() } catch { return .broken("start: \(error.localizedDescription)") }
        let complaints = Mutex(Data())
        let reader = Thread { complaints.withLock { $0 = errors.fileHandleForReading.readDataToEndOfFile() } }
        reader.start()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        if process.terminationReason == .exit, process.terminationStatus == 0 {
            let numbers = said.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
            guard numbers.count == 2 else { return .broken("proof: it said \(said)") }
            return .sound(Compared(points: numbers[0], sets: numbers[1]))
        }
        if process.terminationReason == .exit, !said.isEmpty { return .broken(said) }
        let last = complaints.withLock { String(decoding: $0, as: UTF8.self) }.split(separator: "\n").first {
            $0.contains("atal error")
        }
        return .broken("proof: it ended with status \(process.terminationStatus): \(last ?? "without a word")")
    }
}

/// `A..B`, or one seed.
struct Seeds {
    var range: ClosedRange<UInt64>
    init(range: ClosedRange<UInt64>) { self.range = range }
    init(argument: String) throws {
        if let one = UInt64(argument), one < .max {
            range = one...one
            return
        }
        guard let dots = argument.firstRange(of: ".."), let first = UInt64(argument[..<dots.lowerBound]),
            let last = UInt64(argument[dots.upperBound...]), first <= last, last < .max
        else { throw ValidationError("expected seeds such as 1..2000, found '\(argument)'") }
        range = first...last
    }
}

/// What was held against what the disks were.
struct Compared {
    var points = 0
    var sets = 0
    static func += (left: inout Compared, right: Compared) {
        left.points += right.points
        left.sets += right.sets
    }
}

/// One run of a scenario's text on a disk in memory, judged by what must always hold.
struct FuzzRun {
    var planted: PlantedBug?

    /// The invariants that broke, the first one first; each `kind: what`.
    func problems(of text: String) -> (problems: [String], compared: Compared) {
        let read = ScenarioReader.read(path: "/fuzz.yaml", files: MemoryFiles(["/fuzz.yaml": text]))
        guard read.problems.isEmpty, let setting = read.setting else {
            return (read.problems.map { "scenario: \($0)" }, Compared())
        }
        do {
            let plane = try RealPlane(
                world: setting.world, seed: setting.seed, clock: setting.clock, folder: "/real", files: SimulatedDisk(),
                planted: planted)
            let outcome = Run(setting: setting, ledger: Chronicle(), real: plane, checksInvariants: true).finish()
            return try judge(outcome, plane, setting)
        } catch { return (["fault: \(error)"], Compared()) }
    }

    private func judge(
        _ outcome: RunOutcome, _ plane: RealPlane, _ setting: Setting
    ) throws(StorageFault) -> (problems: [String], compared: Compared) {
        var problems = plane.faults.map { "beneath: \($0.machine) at \(setting.clock.text($0.at)): \($0.cause)" }
        for line in outcome.audit where !line.holds {
            problems.append("audit: \(line.name): \(line.left) against \(line.right)")
        }
        if case .stuck(let waiting) = outcome.end { problems += waiting.map { "stuck: \($0)" } }
        try plane.finishDeleting()
        problems += try plane.undetectedRot().map { "rot: \($0)" }
        let verdicts = try plane.verify()
        for verdict in verdicts where !verdict.holds {
            problems.append("point: of \(verdict.machine) at \(setting.clock.text(verdict.at)): \(verdict.problems[0])")
        }
        for recovery in plane.recoveries where !recovery.holds {
            problems.append(
                "recovery: \(recovery.number) of \(recovery.machine) at \(setting.clock.text(recovery.at)): "
                    + recovery.problems[0])
        }
        for machine in plane.realMachines {
            let name = setting.world.machines[machine].name
            let record = outcome.replicas.first { $0.machine == machine.index }
            let (booked, held) = (record.map { $0.replica + $0.points } ?? .zero, try plane.held(machine))
            if booked != held { problems.append("books: \(name): \(booked) are booked, its pool holds \(held)") }
            let kept = outcome.points.filter { $0.machine == machine.index }.map(\.at)
            let found = verdicts.filter { $0.machine == name && $0.source == .disk }.map(\.at)
            if kept != found {
                problems.append("points: \(name): \(kept.count) are booked, its pool has \(found.count)")
            }
        }
        problems += try plane.check().map { "pool: \($0)" }
        let tapes = try plane.verifyTapes(outcome.tapeSets)
        problems += tapes.problems.map { "tape: \($0)" }
        return (problems, Compared(points: verdicts.count, sets: tapes.sets))
    }
}
