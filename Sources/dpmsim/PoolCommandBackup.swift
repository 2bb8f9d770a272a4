import ArgumentParser
import DiskImages
import Files
import StoragePool
import Units

/// What a backup or a consistency check did.
struct BackupFact: Encodable {
    private struct Difference: Encodable {
        var disk: String, start: Int64, length: Int64
    }
    var datasource: String
    /// The state it made, or the one before if nothing changed and no recovery point was asked for.
    var point: Int64
    var disks: [String]
    /// Bytes; `stored` is space.
    var read: Int64, changed: Int64, zeroed: Int64, stored: Int64, shared: Int64, verified: Int64
    private var differences: [Difference]?
    private var differencesAreCut: Bool?
    var notes: [String]
    var seconds: Double

    init(
        _ name: String, _ facts: SynchronizationFacts, disks: [String], notes: [String], seconds: Double,
        differences: Bool = false
    ) {
        (datasource, point, self.disks) = (name, facts.point, disks)
        (read, changed, zeroed) = (facts.read, facts.changed, facts.zeroed)
        (stored, shared, verified) = (facts.stored, facts.shared, facts.verified)
        (self.notes, self.seconds) = (notes, seconds)
        guard differences else { return }
        self.differences = facts.differences.map {
            Difference(
                disk: $0.disk, start: $0.range.lowerBound, length: $0.range.upperBound - $0.range.lowerBound)
        }
        differencesAreCut = facts.differencesAreCut
    }

    private var sums: [String] {
        var parts = ["\(Bytes(read).rounded) read", "\(Bytes(changed).rounded) changed"]
        if zeroed > 0 { parts[1] += " (\(Bytes(zeroed).rounded) of it to zeros)" }
        parts.append("\(Bytes(stored).rounded) stored")
        if shared > 0 { parts.append("\(Bytes(shared).rounded) shared") }
        if verified > 0 { parts.append("\(Bytes(verified).rounded) read back") }
        return parts
    }

    /// - Parameter what: what was made.
    func tell(_ options: PoolOptions, as what: String = "recovery point") throws {
        if !options.json {
            for note in notes { Terminal.errors.line(Terminal.errors.styled("note:", .yellow) + " \(note).") }
        }
        var lines = (differences ?? []).map {
            "\($0.disk): the replica differed in bytes \($0.start) to \($0.start + $0.length), and is mended"
        }
        if differencesAreCut == true { lines.append("There are more differences than these.") }
        let time = SimDuration(roundingUp: seconds).rounded
        lines.append("\(datasource): \(what) \(point): \(sums.joined(separator: ", ")), in \(time).")
        try options.tell(self, lines)
    }
}

/// Which images a backup reads.
struct SourceOptions: ParsableArguments {
    @Argument(
        help:
            "Its disk images; those of the last time if left out. A datasource of one disk takes any image as that disk.",
        completion: .file())
    var images: [String] = []
    @OptionGroup var naming: DiskNaming
    @Option(help: ArgumentHelp("A disk that is not there any more; later points are without it.", valueName: "disk"))
    var without: [String] = []

    /// Each disk's name with its image. All disks of the replica are among them, but those said to be gone.
    func resolved(_ pool: Pool, _ name: String) throws(StorageFault) -> [(name: String, path: String)] {
        let remembered = try pool.sources(of: name)
        var known: [String] = []
        if let replica = try pool.replica(of: name) { known = try pool.disks(of: name, at: replica.number).map(\.name) }
        for disk in without where !known.contains(disk) {
            throw .poolInput(
                "DISK", "disk \(disk)", "\(name) has no disk of this name",
                "Name one of \(known.joined(separator: ", "))")
        }
        var found: [(name: String, path: String)] = []
        if images.isEmpty {
            found = remembered.filter { !without.contains($0.disk) }.map { ($0.disk, $0.path) }
        } else {
            for (index, image) in images.enumerated() {
                let path = absolute(image)
                let before = remembered.first { $0.path == path }?.disk
                if naming.names.isEmpty, let before {
                    found.append((before, path))
                } else if naming.names.isEmpty, images.count == 1, known.count - without.count == 1 {
                    found.append((known.first { !without.contains($0) } ?? fileName(image), path))
                } else {
                    found.append((try naming.name(of: image, at: index, of: images.count), path))
                }
            }
        }
        guard !found.isEmpty else {
            throw .poolInput(
                "SOURCES", "datasource \(name)", "the pool does not know where its disk images are", "Name the images")
        }
        if let missing = known.first(where: { disk in !without.contains(disk) && !found.contains { $0.name == disk } })
        {
            throw .poolInput(
                "DISK-MISSING", "disk \(missing) of \(name)",
                "no image is named for it, and the others would go on without it",
                "Name all images, or say --without \(missing)")
        }
        return found
    }

    /// Opens the images, remembers where they are, and runs `body`; if that fails, what was remembered is as before.
    func use(_ pool: Pool, _ name: String, _ body: (SourceDisks) throws -> Void) throws {
        let before = try pool.sources(of: name)
        let disks = try SourceDisks(images: try resolved(pool, name))
        defer { disks.close() }
        let isOther = disks.paths.sorted { $0.disk < $1.disk } != before
        if isOther { try pool.setSources(of: name, disks.paths) }
        do { try body(disks) } catch {
            if isOther { try? pool.setSources(of: name, before) }
            throw error
        }
    }
}

/// `dpmsim pool backup`: another recovery point.
struct PoolBackup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Back a datasource up again: a recovery point of what its disk images hold now.",
        discussion: """
            Left alone, it copies what the track files beside the images say has changed, and compares the whole image where there is
            none. Lists of changes must be complete: what they leave out is not looked at.
            """)

    @OptionGroup var options: PoolOptions
    @Argument(help: "The datasource.") var name: String
    @OptionGroup var sources: SourceOptions
    @Option(
        help: ArgumentHelp(
            "Lines of \"offset length\", or \"disk offset length\", in bytes: what may have changed since the last backup.",
            valueName: "file"), completion: .file())
    var changes: String?
    @Flag(help: "Compare the whole images with the replica's checksums.") var scan = false
    @Flag(help: "Use track files, and make those that are missing.") var tracked = false
    @Flag(help: "Nothing has changed since the last backup.") var noChanges = false
    @Option(help: ArgumentHelp("Of the recovery point, for people.", valueName: "text")) var label = ""
    @Flag(help: "Only bring the replica up to date, without a recovery point.") var noPoint = false

    func validate() throws {
        if [changes != nil, scan, tracked, noChanges].count(where: { $0 }) > 1 {
            throw ValidationError("choose one of --changes, --scan, --tracked and --no-changes")
        }
        if noPoint, !label.isEmpty {
            throw ValidationError("--label is of a recovery point, and --no-point makes none")
        }
    }

    func run() throws {
        try options.write { pool in
            let clock = WallClock()
            try sources.use(pool, name) { disks in
                let before = try pool.replica(of: name)?.number
                var work = SourceWork(pool: pool, name: name, disks: disks)
                try work.prepare(try choice(pool, disks))
                let facts = try work.synchronize(.expressFull, recoveryPoint: !noPoint, label: label)
                try work.finish()
                let what = noPoint ? facts.point == before ? "unchanged at" : "replica at" : "recovery point"
                try BackupFact(
                    name, facts, disks: disks.list.map(\.name), notes: work.notes, seconds: clock.seconds
                ).tell(options, as: what)
            }
        }
    }

    private func choice(_ pool: Pool, _ disks: SourceDisks) throws(StorageFault) -> SourceWork.Choice {
        if scan { return .everything }
        if tracked { return .tracked }
        guard changes != nil || noChanges else { return .usual }
        var ranges = try changes.map { (file) throws(StorageFault) in try ChangesFile(file).ranges(disks) } ?? [:]
        // What a disk grew by is new, whatever the list says.
        if let replica = try pool.replica(of: name) {
            for disk in try pool.disks(of: name, at: replica.number) {
                guard let now = disks.list.first(where: { $0.name == disk.name })?.image.size, now > disk.size else {
                    continue
                }
                ranges[disk.name, default: []].append(disk.size..<now)
            }
        }
        return .ranges(ranges)
    }
}

/// A file of changed ranges.
private struct ChangesFile {
    let path: String
    init(_ path: String) { self.path = path }

    /// By disk. Lines are refused that name no disk, no range, or one that is not inside its disk.
    func ranges(_ disks: SourceDisks) throws(StorageFault) -> [String: [Range<Int64>]] {
        let file = try HostFiles().open(absolute(path), .read)
        defer { file.close() }
        let size = try file.size()
        // A list this long names every 4 KiB of more than 10 TB; scanning is quicker.
        guard size <= 1 << 36 else { throw fault(0, "it is longer than 64 GiB") }
        let text = String(decoding: try file.bytes(Int(size), at: 0), as: UTF8.self)
        var found: [String: [Range<Int64>]] = [:]
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            guard words.count >= 2, let offset = Int64(words[words.count - 2]),
                let length = Int64(words[words.count - 1])
            else { throw fault(index + 1, "this is not \"offset length\" or \"disk offset length\"") }
            let named = words.dropLast(2).joined(separator: " ")
            guard !named.isEmpty || disks.list.count == 1 else {
                throw fault(index + 1, "there are \(disks.list.count) disks, and the line does not say which")
            }
            guard let disk = named.isEmpty ? disks.list[0] : disks.list.first(where: { $0.name == named }) else {
                throw fault(index + 1, "there is no disk \(named)")
            }
            guard offset >= 0, length >= 0, offset <= disk.image.size, length <= disk.image.size - offset else {
                throw fault(
                    index + 1, "\(length) bytes at \(offset) are not inside \(disk.name), which has \(disk.image.size)")
            }
            if length > 0 { found[disk.name, default: []].append(offset..<offset + length) }
        }
        return found
    }

    private func fault(_ line: Int, _ cause: String) -> StorageFault {
        .poolInput("CHANGES", line > 0 ? "\(path):\(line)" : path, cause, "Correct the list, or back up with --scan")
    }
}

/// `dpmsim pool consistency-check`: the replica against the disks.
struct PoolConsistencyCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "consistency-check",
        abstract: "Compare the replica with the disk images as wholes, and mend what differs.",
        discussion: "Exit status 1 if something differed: changes since the last backup do, too.")

    @OptionGroup var options: PoolOptions
    @Argument(help: "The datasource.") var name: String
    @OptionGroup var sources: SourceOptions
    @Flag(help: "Keep the result as a recovery point.") var point = false
    @Option(help: ArgumentHelp("Of the recovery point, for people.", valueName: "text")) var label = ""

    func validate() throws {
        if !point, !label.isEmpty { throw ValidationError("--label is of a recovery point, which --point makes") }
    }

    func run() throws {
        var differed = false
        try options.write { pool in
            let clock = WallClock()
            try sources.use(pool, name) { disks in
                var work = SourceWork(pool: pool, name: name, disks: disks)
                try work.prepare(.everything)
                let facts = try work.synchronize(.consistencyCheck, recoveryPoint: point, label: label)
                try work.finish()
                differed = !facts.differences.isEmpty
                try BackupFact(
                    name, facts, disks: disks.list.map(\.name), notes: work.notes, seconds: clock.seconds,
                    differences: true
                ).tell(options, as: point ? "recovery point" : "replica at")
            }
        }
        if differed { throw Ending.expectationFailed }
    }
}
