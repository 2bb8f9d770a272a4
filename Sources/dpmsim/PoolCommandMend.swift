import ArgumentParser
import DiskImages
import Files
import StoragePool
import Units

/// A stored block that is not what was stored, as `--json` gives it.
private struct DamageFact: Encodable {
    var datasource: String, disk: String, start: Int64, length: Int64
    var points: [Int64]
    var isReplica: Bool

    init(_ damage: Damage) {
        (datasource, disk, points, isReplica) = (damage.datasource, damage.disk, damage.points, damage.isReplica)
        (start, length) = (damage.range.lowerBound, damage.range.upperBound - damage.range.lowerBound)
    }
}

/// Something else that is not as it should be, as `--json` gives it.
private struct FindingFact: Encodable {
    var object: String, cause: String, action: String
    init(_ finding: Finding) { (object, cause, action) = (finding.object, finding.cause, finding.action) }
}

/// The first of many lines, and how many more there are: JSON has all.
private func told(_ lines: [String]) -> [String] {
    let most = 100
    return lines.count <= most ? lines : lines.prefix(most) + ["and \(lines.count - most) more; --json tells all"]
}

/// A number of bytes a second: `100MB/s`, or plain bytes.
struct RateOption: ExpressibleByArgument {
    var bytesPerSecond: Int64
    init?(argument: String) {
        let bare = argument.hasSuffix("/s") ? String(argument.dropLast(2)) : argument
        guard let count = ByteCount(argument: bare)?.count, count > 0 else { return nil }
        bytesPerSecond = count
    }
}

/// `dpmsim pool scrub`: every stored block against its checksum.
struct PoolScrub: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scrub",
        abstract: "Read every stored block and compare it with its checksum; verify the map in both its copies.",
        discussion: """
            Backups and restores go on meanwhile. Control-C ends it at once, and --resume goes on from there. Exit status 1 if
            anything is damaged: repair mends it from the machines' disks.
            """)

    @OptionGroup var options: PoolOptions
    @Option(help: ArgumentHelp("Read no faster, such as 100MB/s.", valueName: "rate")) var rate: RateOption?
    @Flag(help: "Go on where the last one was cut off.") var resume = false

    private struct Fact: Encodable {
        var blocks: Int64, bytes: Int64, unreachable: Int64, mapPagesMended: Int, seconds: Double
        var damage: [DamageFact]
        var findings: [FindingFact]
    }

    func run() throws {
        var isSound = true
        try options.read { pool in
            let clock = WallClock()
            let progress = ByteProgress(listening: false)
            defer { progress.clear() }
            let (show, pace) = (progress.callback, rate.map { Pace(bytesPerSecond: $0.bytesPerSecond) })
            let facts = try pool.scrub(
                resume: resume, pace: pace.map { pace in { @Sendable (bytes: Int64) in pace.spend(bytes) } },
                progress: { _ = show($0, $1) })
            progress.clear()
            isSound = facts.damage.isEmpty && facts.findings.isEmpty && facts.unreachable == 0
            let time = SimDuration(roundingUp: clock.seconds).rounded
            var last = "\(facts.blocks) blocks, \(Bytes(facts.bytes).rounded) verified in \(time)"
            if facts.mapPagesMended > 0 { last += ", \(facts.mapPagesMended) pages of the map mended" }
            if facts.unreachable > 0 { last += ", \(Bytes(facts.unreachable).rounded) not reached" }
            last += facts.damage.isEmpty ? ", none damaged." : ", \(facts.damage.count) blocks damaged."
            try options.tell(
                Fact(
                    blocks: facts.blocks, bytes: facts.bytes, unreachable: facts.unreachable,
                    mapPagesMended: facts.mapPagesMended, seconds: clock.seconds,
                    damage: facts.damage.map(DamageFact.init), findings: facts.findings.map(FindingFact.init)),
                told(facts.findings.map(\.description)) + told(facts.damage.map(\.description)) + [last])
        }
        if !isSound { throw Ending.expectationFailed }
    }
}

/// `dpmsim pool check`: the pool's own structures.
struct PoolCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check every structure and reference of a pool against the others; blocks themselves are scrub's.",
        discussion: "Changes nothing. No backup may run meanwhile. Exit status 1 if anything is wrong.")

    @OptionGroup var options: PoolOptions

    func run() throws {
        var isSound = true
        try options.read { pool in
            let findings = try pool.check()
            isSound = findings.isEmpty
            let count = "\(findings.count) finding\(findings.count == 1 ? "" : "s")."
            try options.tell(
                findings.map(FindingFact.init),
                told(findings.map(\.description)) + [isSound ? "The pool is as it should be." : count])
        }
        if !isSound { throw Ending.expectationFailed }
    }
}

/// `dpmsim pool repair`: what can be mended.
struct PoolRepair: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: "Mend a pool: its structures, its map, and damaged blocks from disks that still hold the same.",
        discussion: """
            Everything is scrubbed first. Disks are read where the last backup read them, or where --source says; a block is taken from
            a disk only if it is, by its checksum, what was stored. Exit status 1 if something could not be mended.
            """)

    @OptionGroup var options: PoolOptions
    @Option(
        name: .customLong("source"),
        help: ArgumentHelp(
            "A datasource's disk images, in place of the remembered ones; repeated for several disks.",
            valueName: "name=image"))
    var sources: [String] = []

    private struct Fact: Encodable {
        var structures: [String], mapPages: Int
        var mended: [DamageFact], lost: [DamageFact]
        var findings: [FindingFact]
        var notes: [String]
    }

    func run() throws {
        var isSound = true
        try endingByFault(json: options.json) {
            try Pool.restoreMapCopy(at: absolute(options.pool), on: HostFiles())
        }
        try options.write { pool in
            var notes: [String] = []
            var open: [SourceDisks] = []
            defer { for disks in open { disks.close() } }
            var devices: [String: [DiskSource]] = [:]
            for (name, images) in try images(pool) {
                do throws(StorageFault) {
                    let disks = try SourceDisks(images: images)
                    open.append(disks)
                    devices[name] = disks.list.map { DiskSource(name: $0.name, device: $0.image) }
                } catch {
                    // A remembered image that is gone mends nothing; the rest is mended all the same.
                    guard !sources.contains(where: { $0.hasPrefix(name + "=") }) else { throw error }
                    notes.append("\(name) is not mended from its disks: \(error.cause) (\(error.object))")
                }
            }
            let progress = ByteProgress(listening: false)
            defer { progress.clear() }
            let show = progress.callback
            let facts = try pool.repair(sources: devices, progress: { _ = show($0, $1) })
            progress.clear()
            isSound = facts.lost.isEmpty && facts.findings.isEmpty
            if !options.json {
                for note in notes { Terminal.errors.line(Terminal.errors.styled("note:", .yellow) + " \(note).") }
            }
            let last =
                "\(facts.mended.count) blocks mended, \(facts.lost.count) lost, \(facts.structures.count) structures "
                + "and \(facts.mapPages) pages of the map written anew."
            try options.tell(
                Fact(
                    structures: facts.structures, mapPages: facts.mapPages, mended: facts.mended.map(DamageFact.init),
                    lost: facts.lost.map(DamageFact.init), findings: facts.findings.map(FindingFact.init), notes: notes),
                facts.structures.map { "\($0) is written anew." } + facts.mended.map { "mended: \($0.description)" }
                    + facts.lost.map { "lost: \($0.description)" } + facts.findings.map(\.description) + [last])
        }
        if !isSound { throw Ending.expectationFailed }
    }

    /// By datasource: the images named, else those remembered.
    private func images(_ pool: Pool) throws(StorageFault) -> [(name: String, images: [(name: String, path: String)])] {
        let datasources = try pool.datasources().map(\.name)
        var named: [String: [String]] = [:]
        for source in sources {
            guard let name = datasources.filter({ source.hasPrefix($0 + "=") }).max(by: { $0.count < $1.count }) else {
                throw .poolInput(
                    "SOURCE", "--source \(source)", "this is not name=image of a datasource here",
                    "Name one that the pool protects")
            }
            named[name, default: []].append(String(source.dropFirst(name.count + 1)))
        }
        return try datasources.map { (name) throws(StorageFault) in
            let remembered = try pool.sources(of: name)
            guard let images = named[name] else { return (name, remembered.map { ($0.disk, $0.path) }) }
            return (
                name,
                images.map { image in
                    let known = remembered.first { $0.path == absolute(image) }?.disk
                    let only = remembered.count == 1 && images.count == 1 ? remembered[0].disk : nil
                    return (known ?? only ?? fileName(image), image)
                }
            )
        }
    }
}
