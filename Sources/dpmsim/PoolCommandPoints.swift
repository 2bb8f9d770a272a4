import ArgumentParser
import DiskImages
import Files
import StoragePool
import Units

/// A recovery point, as lists give it.
private struct PointFact: Encodable {
    var number: Int64, time: String, kind: String
    /// Bytes: of blocks that are not zero, and the space they take, shared with other points or not.
    var occupied: Int64, stored: Int64
    var label: String

    init(_ point: RecoveryPoint) {
        (number, time, kind, label) = (point.number, timeText(point.time), point.kind.rawValue, point.label)
        (occupied, stored) = (point.occupied, point.stored)
    }

    var cells: [String] {
        ["\(number)", readableTime(time), kind, Bytes(occupied).rounded, Bytes(stored).rounded, label]
    }
    static let head = ["point", "time", "kind", "holds", "takes", "label"]
}

/// `dpmsim pool points`: what can be restored.
struct PoolPoints: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "points", abstract: "List the recovery points of a datasource, or of all.")

    @OptionGroup var options: PoolOptions
    @Argument(help: "The datasource; all if left out.") var name: String?

    private struct Fact: Encodable {
        var datasource: String
        /// The state that the next backup is compared with.
        var replica: Int64?
        var points: [PointFact]
    }

    func run() throws {
        try options.look { pool in
            let names = try name.map { [$0] } ?? pool.datasources().map(\.name)
            var facts: [Fact] = []
            for name in names {
                facts.append(
                    Fact(
                        datasource: name, replica: try pool.replica(of: name)?.number,
                        points: try pool.recoveryPoints(of: name).map(PointFact.init)))
            }
            if options.json { return try name == nil ? JSONOutput.print(facts) : JSONOutput.print(facts[0]) }
            let out = Terminal.output
            for fact in facts {
                if name == nil { out.line(out.styled(fact.datasource, .bold)) }
                if fact.points.isEmpty {
                    out.line("There is no recovery point.")
                    continue
                }
                let lines = table([PointFact.head] + fact.points.map(\.cells), right: [0, 3, 4])
                out.line(out.styled(lines[0], .bold))
                lines.dropFirst().forEach { out.line($0) }
            }
            if facts.isEmpty { out.line("The pool protects nothing.") }
        }
    }
}

/// `dpmsim pool disks`: the disks of a datasource.
struct PoolDisks: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disks",
        abstract: "List the disks of a datasource at a recovery point, and where they were read from.")

    @OptionGroup var options: PoolOptions
    @Argument(help: "The datasource.") var name: String
    @Option(help: PointChoice.help) var point = PointChoice.newest

    private struct Fact: Encodable {
        var name: String, size: Int64, sectorSize: Int
        /// Where later backups read it from, if the pool knows.
        var image: String?
    }

    func run() throws {
        try options.look { pool in
            let sources = try pool.sources(of: name)
            let facts = try pool.disks(of: name, at: try point.number(in: pool, of: name)).map { disk in
                Fact(
                    name: disk.name, size: disk.size, sectorSize: disk.sectorSize,
                    image: sources.first { $0.disk == disk.name }?.path)
            }
            try options.tell(
                facts,
                table(
                    facts.map { [$0.name, "\(Bytes($0.size))", "sectors of \($0.sectorSize)", $0.image ?? ""] },
                    right: [1]))
        }
    }
}

/// `dpmsim pool restore`: disks out of the pool.
struct PoolRestore: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Restore the disk of a recovery point into a new image file, or several disks into a folder.",
        discussion: """
            Every block is verified as it is read; if one is damaged, nothing is left of the new file. In a folder the files have the
            disks' names, and their formats unless --format says another.
            """)

    @OptionGroup var options: PoolOptions
    @Argument(help: "The datasource.") var name: String
    @Option(help: PointChoice.help) var point = PointChoice.newest
    @Option(
        name: .customLong("to"), help: ArgumentHelp("The new file, or a folder.", valueName: "path"),
        completion: .file())
    var target: String
    @Option(help: ArgumentHelp("Only this disk.", valueName: "disk")) var disk: String?
    @OptionGroup var new: NewImageOptions
    @Flag(help: "Replace files of these names, once the new ones are whole.") var force = false

    private struct Fact: Encodable {
        var disk: String, path: String, size: Int64, format: String
    }

    func run() throws {
        try options.read { pool in
            let clock = WallClock()
            let files = HostFiles()
            let number = try point.number(in: pool, of: name)
            let disks = try pool.disks(of: name, at: number).filter { disk == nil || $0.name == disk }
            if let disk, disks.isEmpty { _ = try pool.device(of: name, at: number, disk: disk) }
            let isFolder = try disks.count != 1 || target.hasSuffix("/") || files.kind(of: absolute(target)) == .folder
            var plan: [(disk: DiskFacts, image: NewImage, path: String)] = []
            for disk in disks {
                let path = isFolder ? absolute(target) + "/" + (try ownName(disk.name)) : absolute(target)
                plan.append((disk, try image(disk, path), path))
            }
            if !force {
                for part in plan where try files.kind(of: part.path) != .none { throw exists(part.path) }
            }
            let makesFolder = try isFolder && files.kind(of: absolute(target)) == .none
            if isFolder { try files.makeFolder(absolute(target)) }
            var facts: [Fact] = []
            var isDone = false
            defer {
                // All disks or none: what was replaced is lost, but what is new goes again.
                if !isDone, !force { for fact in facts { try? files.remove(fact.path) } }
                if !isDone, makesFolder { try? files.removeFolder(absolute(target)) }
            }
            for part in plan {
                let device = try pool.device(of: name, at: number, disk: part.disk.name)
                var conversion = ImageConversion(device, to: part.path, as: part.image)
                conversion.replaces = force
                try ByteProgress.during {
                    try conversion.run(on: files, guids: HostGUIDs(), created: WallClock.secondsSince2000, progress: $0)
                }
                facts.append(
                    Fact(
                        disk: part.disk.name, path: part.path, size: part.image.size,
                        format: part.image.format.rawValue))
            }
            isDone = true
            let folder = target.hasSuffix("/") ? target : target + "/"
            let time = SimDuration(roundingUp: clock.seconds).rounded
            try options.tell(
                facts,
                facts.map {
                    "\(isFolder ? folder + fileName($0.path) : target): \($0.format) of \(Bytes($0.size)), disk \($0.disk) at recovery point \(number)."
                }
                    + ["Restored in \(time)."])
        }
    }

    /// The file of a disk in a folder.
    private func ownName(_ disk: String) throws(StorageFault) -> String {
        guard disk != "..", disk != ".", !disk.contains("/") else {
            throw .poolInput(
                "DISK-FILE", "disk \(disk)", "a file cannot have this name", "Restore it alone, to a file you name")
        }
        guard let wanted = new.format else {
            return disk.hasSuffix(".avhdx") ? String(disk.dropLast(6)) + ".vhdx" : disk
        }
        let known = [".vhdx", ".avhdx", ".vhd", ".avhd", ".raw", ".img", ".bin"]
        let suffix = known.first { disk.lowercased().hasSuffix($0) } ?? ""
        return disk.dropLast(suffix.count) + "." + wanted.rawValue
    }

    private func image(_ disk: DiskFacts, _ path: String) throws(StorageFault) -> NewImage {
        var image = try new.image(at: path, size: disk.size, sectorSize: disk.sectorSize)
        // A VHD knows no other sectors.
        if image.format == .vhd, new.sectorSize == nil { image.sectorSize = 512 }
        let unit = Int64(image.sectorSize)
        image.size = (image.size + unit - 1) / unit * unit
        return image
    }

    private func exists(_ path: String) -> StorageFault {
        StorageFault(
            .badInput, "IMAGE-EXISTS", path, "there is a file of that name already",
            action: "Choose another name, or say --force")
    }
}
