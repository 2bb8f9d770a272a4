import ArgumentParser
import DiskImages
import Files
import StoragePool
import Units

/// `dpmsim pool create`: an empty pool.
struct PoolCreate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make an empty pool in a new folder.")

    @OptionGroup var options: PoolOptions
    @Option(help: ArgumentHelp("Of a block, 16 KiB to 1 MiB: what is compared and stored as one.", valueName: "bytes"))
    var block: ByteCount = ByteCount(65_536)
    @Option(help: ArgumentHelp("Of a segment, the files that hold blocks; 1 GiB at most.", valueName: "bytes"))
    var segment: ByteCount = ByteCount(1 << 30)

    private struct Fact: Encodable {
        var pool: String, id: String, block: Int64, segment: Int64
    }

    func run() throws {
        try endingByFault(json: options.json) {
            let pool = try Pool.create(
                at: absolute(options.pool), on: HostFiles(),
                options: Pool.Options(blockSize: block.count, segmentSize: segment.count), guids: HostGUIDs(),
                time: WallClock.secondsSince1970)
            defer { try? pool.close() }
            try options.tell(
                Fact(pool: pool.path, id: pool.id.description, block: block.count, segment: segment.count),
                ["\(options.pool): a pool with blocks of \(block.count / 1024) KiB."])
        }
    }
}

/// `dpmsim pool add`: another volume.
struct PoolAdd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add a volume: a new folder, preferably on another disk.")

    @OptionGroup var options: PoolOptions
    @Argument(help: "The volume's folder, empty or new.", completion: .directory) var folder: String

    func run() throws {
        try options.write { pool in
            try pool.addVolume(absolute(folder), time: WallClock.secondsSince1970)
            try options.tell(["volume": absolute(folder)], ["\(folder) is a volume of \(options.pool)."])
        }
    }
}

/// `dpmsim pool protect`: the first backup of a datasource.
struct PoolProtect: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "protect",
        abstract: "Begin to protect a datasource: copy its disk images, one or several, into the pool.",
        discussion: """
            The copy is read back and compared before it counts, and is the first recovery point. The pool remembers where the images
            are. A disk is named by its image's file name, unless --disk-name names it.
            """)

    @OptionGroup var options: PoolOptions
    @Argument(help: "A name for the datasource.") var name: String
    @Argument(help: "Its disk images: raw, VHD or VHDX, checkpoints with their parents.", completion: .file())
    var images: [String]
    @OptionGroup var naming: DiskNaming
    @Option(help: ArgumentHelp("Compress by zstd, level 1 to 19, or -7 to -1 for speed.", valueName: "level"))
    var zstd: Int?
    @Flag(help: "Store blocks once that are equal among the datasources protected with --share.") var share = false
    @Flag(help: "Do not read the copy back.") var noVerify = false
    @Flag(help: "Track changes from now on: a track file is kept beside each image.") var tracked = false
    @OptionGroup var area: AreaOptions
    @Option(help: ArgumentHelp("Of the recovery point, for people.", valueName: "text")) var label = ""

    func run() throws {
        try options.write { pool in
            let clock = WallClock()
            let disks = try SourceDisks(
                images: images.enumerated().map { (try naming.name(of: $1, at: $0, of: images.count), $1) })
            defer { disks.close() }
            // What a program that was killed began is begun anew; it would be busy if that program still ran.
            if try pool.datasources().contains(where: { $0.name == name && $0.head == 0 }) { try pool.remove(name) }
            _ = try pool.add(
                name, compression: zstd, sharesBlocks: share, area: area.choice, time: WallClock.secondsSince1970)
            let facts: SynchronizationFacts
            var work: SourceWork
            do {
                try pool.setSources(of: name, disks.paths)
                work = SourceWork(pool: pool, name: name, disks: disks)
                try work.prepare(tracked ? .trackedAll : .everything)
                facts = try work.synchronize(.initialReplica, label: label, verifying: !noVerify)
            } catch {
                try? pool.remove(name)
                throw error
            }
            try work.finish()
            try BackupFact(name, facts, disks: work.disks.list.map(\.name), notes: work.notes, seconds: clock.seconds)
                .tell(options)
        }
    }
}

/// How disks are named.
struct DiskNaming: ParsableArguments {
    @Option(
        name: .customLong("disk-name"),
        help: ArgumentHelp("A disk's name, one for each image, in their order.", valueName: "name"))
    var names: [String] = []

    func name(of image: String, at index: Int, of count: Int) throws(StorageFault) -> String {
        if names.isEmpty { return fileName(image) }
        guard names.count == count else {
            throw .poolInput(
                "DISK-NAMES", "--disk-name", "there are \(names.count) names for \(count) images",
                "Name every image's disk, or none")
        }
        return names[index]
    }
}

/// The last part of a path.
func fileName(_ path: String) -> String { absolute(path).split(separator: "/").last.map(String.init) ?? path }
