public import Files
import Glibc
import Protection

/// A tape cartridge in a file: records up to 1 MiB and filemarks in partitions, with one head. One thread at a time.
///
/// The file is locked as long as the cartridge is loaded. What was acknowledged by `flush`, `writeFilemarks(_:immediate: false)`
/// or `unload` survives a power cut; what was written since is gone then, as if it had not been. Every record and every structure
/// is verified when it is read. Memory: 2 MiB a partition at most, for index nodes.
public final class Cartridge: TapeMedium {
    public static let longestRecord = CartridgeLayout.longestRecord
    public let path: String
    public internal(set) var identity: CartridgeIdentity
    /// What opening it found damaged. The cartridge is as it was at the newest commit that is sound.
    public let findings: [CartridgeFinding]
    /// Whether its file cannot be written.
    public let isReadOnly: Bool

    let file: any StoreFile
    let seed: UInt32
    /// The newest label that is surely durable, and its slot.
    var label: CartridgeLabel
    var slot: Int
    var indexes: [CartridgeIndex]
    var nodes: [CartridgeNodes]
    var memory: CartridgeMemory
    public internal(set) var counters: CartridgeCounters
    public internal(set) var isWriteProtected: Bool
    /// Of records written from now on.
    var epoch: UInt32
    /// Objects of each partition that some label on the medium may speak of.
    var labelled: [Int64]
    /// What is on the tape differs from the label; only counters, attributes or the tab do.
    var isChanged = false
    var isTouched = false
    /// A flush failed, so that nothing written since the last good one may be relied on.
    var isUnsafe = false
    var isGone = false
    /// Whether the label that was read is surely durable: a killed program may have left it unflushed.
    var isSettled = false
    /// Whether what an interrupted program left behind the end has been cut off.
    var isTrimmed = false
    var at = TapePosition()
    /// The run the head stands in, if known.
    var run: CartridgeRun?
    /// Up to this many bytes a record goes together with its header, by one call.
    static let shortRecord = 16 << 10
    /// For headers and short records.
    let scratch = Buffer(count: CartridgeRecord.headerSize + Cartridge.shortRecord)
    /// For records longer than their reader's buffer.
    lazy var longScratch = Buffer(count: CartridgeRecord.headerSize + CartridgeLayout.longestRecord)

    /// Makes a cartridge file and loads it. A power cut leaves all of it or nothing.
    /// - Parameter time: Unix seconds.
    /// - Throws: `TAPE-DESIGN` for one that cannot be, `FILE-EXISTS`, `TAPE-BUSY`.
    public static func create(
        at path: String, on files: any FileSystem, _ design: CartridgeDesign, guids: any GUIDSource, time: Int64
    ) throws(StorageFault) -> Cartridge {
        if let problem = design.problem {
            throw .cartridge(.badInput, "DESIGN", path, problem, "Ask for a cartridge that can be")
        }
        guard try files.kind(of: path) == .none else { throw .host("make", path, EEXIST) }
        let temporary = path + ".new"
        let file = try files.open(temporary, .createOrOpen)
        do throws(StorageFault) {
            guard try file.lock(exclusive: true, wait: false) else { throw .cartridgeBusy(path) }
            try file.truncate(to: 0)
            let identity = CartridgeIdentity(
                guid: guids.next(), barcode: design.barcode, generation: design.generation, kind: design.kind,
                capacity: design.partitions.reduce(0, +), partitions: design.partitions, reserve: design.reserve,
                wraps: design.wraps, length: design.length,
                density: design.density, created: time)
            var counters = CartridgeCounters()
            if design.kind == .cleaning { counters.cleaningUsesLeft = Int64(design.cleaningUses) }
            try write(identity, CartridgeMemory(), counters, to: file)
            try file.flush()
            try files.rename(temporary, to: path)
            try files.syncFolder(folder(of: path))
        } catch {
            file.close()
            throw error
        }
        file.close()
        return try open(path, on: files)
    }

    /// Both labels of an empty cartridge, as after an unload.
    static func write(
        _ identity: CartridgeIdentity, _ memory: CartridgeMemory, _ counters: CartridgeCounters, to file: any StoreFile
    ) throws(StorageFault) {
        let memory = memory.encoded(seed: CartridgeRecord.seed(identity.guid))
        for slot in 0..<2 {
            var label = CartridgeLabel(
                identity: identity, generation: UInt64(slot + 1), epoch: 0,
                partitions: identity.partitions.indices.map { partition in
                    var said = CartridgeLabel.Partition()
                    said.tail.offset = CartridgeLayout.tail(slot, partition: partition)
                    return said
                })
            label.counters = counters
            label.attributes = CartridgePiece(
                offset: CartridgeLayout.attributes(slot), length: memory.count, crc: CRC32C.of(memory))
            try file.write(memory, at: label.attributes.offset)
            try file.write(label.encoded(), at: CartridgeLayout.label(slot))
        }
    }

    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Loads a cartridge; read-only if its file cannot be written. Reads a label, the index tails and the attributes only.
    /// - Parameter drive: who loads it; nil to look at it without leaving a trace in counters and attributes.
    /// - Throws: `TAPE-BUSY` if it is loaded elsewhere, `TAPE-FORMAT` if neither label is sound.
    public static func open(
        _ path: String, on files: any FileSystem, in drive: CartridgeDrive? = nil
    ) throws(StorageFault) -> Cartridge {
        var isReadOnly = false
        var file: any StoreFile
        do throws(StorageFault) {
            file = try files.open(path, .readWrite)
        } catch {
            guard error.kind == .permission || error.kind == .readOnly else { throw error }
            isReadOnly = true
            file = try files.open(path, .read)
        }
        do throws(StorageFault) {
            guard try file.lock(exclusive: true, wait: false) else { throw .cartridgeBusy(path) }
            let (commit, findings) = try CartridgeFile(file).newest()
            guard let commit else {
                let causes = findings.map { "\($0.object): \($0.cause)" }.joined(separator: "; ")
                throw .cartridgeFormat(path, "no label with all it points to is sound (\(causes))")
            }
            return Cartridge(path, file, commit, findings, isReadOnly: isReadOnly, drive)
        } catch {
            file.close()
            throw error
        }
    }

    private init(
        _ path: String, _ file: any StoreFile, _ commit: CartridgeFile.Commit, _ findings: [CartridgeFinding],
        isReadOnly: Bool, _ drive: CartridgeDrive?
    ) {
        (self.path, self.file, self.findings, self.isReadOnly) = (path, file, findings, isReadOnly)
        (label, slot, indexes, memory) = (commit.label, commit.slot, commit.indexes, commit.memory)
        identity = label.identity
        let seed = CartridgeRecord.seed(label.identity.guid)
        self.seed = seed
        nodes = commit.label.partitions.indices.map { CartridgeNodes(file, seed: seed, partition: $0) }
        counters = label.counters
        isWriteProtected = label.isWriteProtected
        epoch = label.epoch &+ 1
        labelled = label.partitions.map { $0.end.object }
        if let drive {
            (counters.bytesWrittenThisLoad, counters.bytesReadThisLoad) = (0, 0)
            counters.loads += 1
            memory.lastDrives = Array(([drive.bytes] + memory.lastDrives).prefix(CartridgeMemory.drives))
            isTouched = true
        }
    }

    deinit { file.close() }

    public var maximumRecord: Int { Self.longestRecord }

    /// Index nodes read from the file since it was loaded, for those who measure.
    public var nodeReads: Int { nodes.reduce(0) { $0 + $1.reads } }

    /// The end of data of a partition.
    public func end(of partition: Int) -> (objects: Int64, files: Int64, bytes: Int64) {
        let end = indexes[partition].end
        return (end.object, end.file, end.native)
    }

    /// Levels of a partition's index, at least 1.
    public func indexLevels(of partition: Int) -> Int { indexes[partition].levels.count }

    /// Where the next record goes in the file.
    var storedEnd: Int64 { indexes.reduce(CartridgeLayout.dataStart) { max($0, $1.storedEnd) } }

    func checkPresence() throws(StorageFault) {
        if isGone {
            throw .cartridge(.missing, "NO-MEDIUM", path, "the cartridge was unloaded", "Load it again")
        }
    }

    /// Refuses what a cleaning cartridge cannot do.
    func checkData() throws(StorageFault) {
        try checkPresence()
        if identity.kind == .cleaning {
            throw .cartridge(
                .badInput, "CLEANING", path, "a cleaning cartridge holds no data", "Load a data cartridge")
        }
    }

    func check(partition: Int) throws(StorageFault) {
        try checkData()
        guard indexes.indices ~= partition else {
            throw .cartridge(
                .badInput, "NO-PARTITION", path, "it has \(indexes.count) partitions, none with number \(partition)",
                "Choose one from 0 on")
        }
    }
}
