import ArgumentParser
import DiskImages
import Files
import Foundation
import StoragePool
import Units

/// `dpmsim pool`: a storage pool and the datasources it protects.
struct PoolCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pool",
        abstract: "Protect disk images in a storage pool: back them up, list recovery points, restore, mend.",
        discussion: """
            A pool is a folder. A datasource is what is protected and recovered as one: a machine with all its disks. Every backup is
            whole or did not happen, also if the program is killed. Several programs may use a pool at once.
            Exit status: 0 done, 1 differences or damage were found, 2 bad input, 3 a fault, 64 wrong usage, 130 stopped by Control-C.
            """,
        subcommands: [
            PoolCreate.self, PoolAdd.self, PoolProtect.self, PoolBackup.self, PoolPoints.self, PoolDisks.self,
            PoolRestore.self, PoolCat.self, PoolNBD.self, PoolConsistencyCheck.self, PoolPrune.self, PoolRemove.self,
            PoolStat.self, PoolScrub.self, PoolCheck.self, PoolRepair.self, PoolDump.self, PoolAreas.self,
            PoolGrow.self, PoolShrink.self,
        ])
}

/// What every command on pools is told.
struct PoolOptions: ParsableArguments {
    @Argument(help: "The pool's folder.", completion: .directory) var pool: String
    @Flag(help: "Print the answer as JSON.") var json = false

    /// For commands that change the pool.
    func write(_ body: (Pool) throws -> Void) throws {
        try use({ () throws(StorageFault) in try Pool.open(absolute(pool), on: HostFiles()) }, body)
    }

    /// For commands that only look.
    func look(_ body: (Pool) throws -> Void) throws {
        try use({ () throws(StorageFault) in try Pool.open(absolute(pool), on: HostFiles(), writable: false) }, body)
    }

    /// For commands that read recovery points: they are held against pruning, unless the pool lies where nothing can be written.
    func read(_ body: (Pool) throws -> Void) throws {
        let path = absolute(pool)
        let isWritable = access(path, W_OK) == 0 || (errno != EROFS && errno != EACCES)
        try use({ () throws(StorageFault) in try Pool.open(path, on: HostFiles(), writable: isWritable) }, body)
    }

    private func use(_ open: () throws(StorageFault) -> Pool, _ body: (Pool) throws -> Void) throws {
        try endingByFault(json: json) {
            let pool = try open()
            defer { try? pool.close() }
            try body(pool)
        }
    }

    /// The answer: `fact` as JSON, or `lines`.
    func tell(_ fact: some Encodable, _ lines: [String]) throws {
        if json { try JSONOutput.print(fact) } else { lines.forEach { Terminal.output.line($0) } }
    }
}

/// Runs `body` and ends the program by what it throws.
func endingByFault(json: Bool, _ body: () throws -> Void) throws {
    do {
        try body()
    } catch let complaint as Complaint {
        complaint.print()
        throw complaint.status
    } catch let fault as StorageFault {
        if fault.id == "IMAGE-STOPPED" {
            Terminal.errors.line("Stopped.")
            throw Ending.interrupted
        }
        if json { try JSONOutput.print(["fault": StorageFaultFact(fault)]) }
        let complaint = Complaint(fault)
        complaint.print()
        throw complaint.status
    }
}

extension StorageFault {
    /// Something asked for that the pool's commands cannot do.
    static func poolInput(_ id: String, _ object: String, _ cause: String, _ action: String) -> StorageFault {
        StorageFault(.badInput, "POOL-" + id, object, cause, action: action)
    }
}

/// A recovery point as the command line names it.
enum PointChoice: ExpressibleByArgument {
    case number(Int64), newest, oldest, replica

    init?(argument: String) {
        switch argument {
        case "newest": self = .newest
        case "oldest": self = .oldest
        case "replica": self = .replica
        default:
            guard let number = Int64(argument), number > 0 else { return nil }
            self = .number(number)
        }
    }

    static let help: ArgumentHelp = "The recovery point: its number, newest, oldest, or replica."

    func number(in pool: Pool, of name: String) throws(StorageFault) -> Int64 {
        let points = try pool.recoveryPoints(of: name)
        let found: Int64? =
            switch self {
            case .number(let number): points.first { $0.number == number }?.number
            case .newest: points.last?.number
            case .oldest: points.first?.number
            case .replica: try pool.replica(of: name)?.number
            }
        if let found { return found }
        let known = points.map { "\($0.number)" }.joined(separator: ", ")
        let wanted: String =
            switch self {
            case .number(let number): "recovery point \(number) of \(name)"
            case .newest, .oldest: "recovery points of \(name)"
            case .replica: "the replica of \(name)"
            }
        throw StorageFault(
            .badInput, "POOL-NO-POINT", wanted,
            known.isEmpty ? "there is no recovery point" : "there is none; the recovery points are \(known)",
            action: known.isEmpty ? "Back the datasource up first" : "Choose one of those")
    }
}

/// A moment, seconds since 1970, as `--json` gives it: `2026-01-05T20:15:03Z`.
func timeText(_ time: Int64) -> String {
    let days = time / 86_400 - (time % 86_400 < 0 ? 1 : 0)
    let seconds = time - days * 86_400
    let two = { (number: Int64) in (number < 10 ? "0" : "") + "\(number)" }
    return "\(CivilDate(daysSince1970: Int(days)))T"
        + [seconds / 3600, seconds / 60 % 60, seconds % 60].map(two).joined(separator: ":") + "Z"
}

/// The same for people: `2026-01-05 20:15:03 UTC`.
func readableTime(_ text: String) -> String { text.replacing("T", with: " ").replacing("Z", with: " UTC") }

/// Columns of text, the first ones wide enough for what they hold; those in `right` end together.
func table(_ rows: [[String]], right: Set<Int> = []) -> [String] {
    let count = rows.map(\.count).max() ?? 0
    let widths = (0..<count).map { column in
        rows.map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
        let cells = row.enumerated().map { column, text in
            let room = String(repeating: " ", count: widths[column] - text.count)
            return right.contains(column) ? room + text : text + room
        }
        var line = cells.joined(separator: "  ")
        while line.last == " " { line.removeLast() }
        return line
    }
}
