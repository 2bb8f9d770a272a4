public import Files
import Synchronization

/// A VHDX file as one layer of a disk (disk-formats.md 1.2, MS-VHDX). Memory: 8 MiB of tables, the window and the data of a log that
/// is to be replayed (64 MiB at most, 1 MiB in files that programs write), whatever the disk's size.
public final class VHDXLayer: ImageLayer {
    public let path: String
    public let sectorSize: Int
    public let blockSize: Int64
    /// The disk's identity (SCSI page 83), which children keep.
    public let diskID: GUID
    /// Whether all blocks stay allocated (`LeaveBlocksAllocated`).
    public let isFixed: Bool
    /// How many entries of the log were replayed when the file was opened: in memory, or in the file if it is writable.
    public let replayedLogEntries: Int

    let file: any StoreFile
    let guids: any GUIDSource
    let writable: Bool
    let source: VHDXSource
    let physicalSector: Int64
    let closed = Atomic<Bool>(false)
    /// What readers need, held only while tables are looked at.
    let shared: Mutex<VHDXShared>
    /// What writers need, held for the whole of a change. Taken before `shared`.
    let session: Mutex<VHDXSession>

    /// Opens a file whose log may be dirty. A layer that is not writable never changes it: the log is replayed in memory. For a
    /// writable one it is replayed into the file first.
    public init(file: any StoreFile, writable: Bool, guids: any GUIDSource) throws(StorageFault) {
        var contents = try VHDXContents(file)
        var session = VHDXSession(slot: contents.slot, header: contents.header, log: contents.log)
        replayedLogEntries = contents.source.overlay?.entries ?? 0
        if writable {
            try session.checkSequence(file)
            try contents.replay(&session, guids)
        }
        let size = try contents.fileSize()
        session.end = VHDXFormat.roundedUp(size)
        (path, self.file, self.writable, self.guids) = (file.path, file, writable, guids)
        source = contents.source
        let metadata = contents.metadata
        (sectorSize, blockSize) = (Int(metadata.geometry.sectorSize), metadata.geometry.blockSize)
        (diskID, isFixed, physicalSector) = (metadata.diskID, metadata.fixed, metadata.physicalSector)
        var shared = VHDXShared(
            tables: VHDXTables(
                source: contents.source, geometry: metadata.geometry, batOffset: contents.bat.lowerBound),
            dataWriteGUID: session.header.dataWriteGUID, parent: contents.parent, fileSize: size,
            regions: [contents.log, contents.metadataRegion, contents.bat])
        if writable {
            try shared.checkForWriting(path)
            session.end = max(session.end, try shared.endOfLastBlock(path))
        }
        self.shared = Mutex(shared)
        self.session = Mutex(session)
    }

    public var format: ImageFormat { .vhdx }
    public var size: Int64 { shared.withLock { $0.tables.geometry.size } }
    /// What a child's `parent_linkage` must be. Changes with the first write after opening.
    public var dataWriteGUID: GUID { shared.withLock { $0.dataWriteGUID } }
    public var linkage: GUID? { dataWriteGUID }
    public var parent: ParentReference? { shared.withLock { $0.parent } }
    /// Bytes.
    public var logicalSectorSize: Int { sectorSize }
    /// Bytes.
    public var physicalSectorSize: Int { Int(physicalSector) }

    // MARK: reading

    /// Looks at one table entry for each block of `range`; the answer's size depends on how scattered the content is.
    public func runs(in range: Range<Int64>) throws(StorageFault) -> [LayerRun] {
        try checkOpen()
        return try shared.withLock { (shared) throws(StorageFault) -> [LayerRun] in
            try shared.checkInside(range, path)
            var runs: [LayerRun] = []
            var at = range.lowerBound
            while at < range.upperBound {
                let block = at / blockSize
                let part = (at..<range.upperBound).clamped(to: shared.tables.geometry.range(ofBlock: block))
                try shared.appendRuns(of: block, part, path, to: &runs)
                at = part.upperBound
            }
            return runs
        }
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, of run: LayerRun) throws(StorageFault) {
        try checkOpen()
        guard case .here(let offset) = run.place, buffer.count == run.range.count else {
            throw StorageFault(
                .badInput, "VHDX-RUN", path, "only a run that is in this file can be read, as a whole",
                action: "Ask for the runs first")
        }
        try source.read(into: buffer, at: offset)
    }

    func checkOpen() throws(StorageFault) {
        guard !closed.load(ordering: .acquiring) else {
            throw StorageFault(.badInput, "VHDX-CLOSED", path, "it was closed", action: "Open it again")
        }
    }
}

/// What readers and the writer of a layer share.
struct VHDXShared: Sendable {
    var tables: VHDXTables
    var dataWriteGUID: GUID
    var parent: ParentReference?
    /// Of the file after the replay of its log, bytes.
    var fileSize: Int64
    /// Log, metadata, BAT: no block may lie in them.
    var regions: [Range<Int64>]

    func checkInside(_ range: Range<Int64>, _ path: String) throws(StorageFault) {
        guard range.lowerBound >= 0, range.upperBound <= tables.geometry.size else {
            throw StorageFault(
                .badInput, "DISK-RANGE", path,
                "bytes \(range.lowerBound) to \(range.upperBound) do not lie inside the disk, which has \(tables.geometry.size) bytes",
                action: "Ask for a range inside the disk")
        }
    }

    /// Where a block's content is in the file, checked: behind the headers, in the file, in no region.
    func place(of entry: VHDXEntry, block: Int64, _ path: String) throws(StorageFault) -> Int64 {
        let content = tables.geometry.range(ofBlock: block)
        return try place(entry, content.upperBound - content.lowerBound, "block \(block)", path)
    }

    func place(_ entry: VHDXEntry, _ count: Int64, _ what: String, _ path: String) throws(StorageFault) -> Int64 {
        let offset = entry.offset
        guard offset >= VHDXFormat.mebibyte, offset <= fileSize, count <= fileSize - offset,
            !regions.contains(where: { $0.overlaps(offset..<offset + count) })
        else {
            throw StorageFault(
                .damaged, "VHDX-BAT", path,
                "\(what) is said to be at byte \(offset), where no block can be in a file of \(fileSize) bytes",
                action: "Restore the file from a copy")
        }
        return offset
    }

    /// Where the disk's last block would end if the file had all of it: what lies behind the disk's end may not be there.
    mutating func endOfLastBlock(_ path: String) throws(StorageFault) -> Int64 {
        let block = tables.geometry.blocks - 1
        let entry = try tables.entry(ofBlock: block)
        guard entry.state == .fullyPresent || entry.state == .partiallyPresent,
            let offset = try? place(of: entry, block: block, path)
        else { return 0 }
        return VHDXFormat.roundedUp(offset + tables.geometry.blockSize)
    }

    /// Where the bits of a partially present block's chunk are in the file, checked.
    mutating func bitmap(ofBlock block: Int64, _ path: String) throws(StorageFault) -> Int64 {
        let chunk = block / tables.geometry.chunkRatio
        let entry = try tables.entry(tables.geometry.index(ofBitmap: chunk))
        guard entry.state == .fullyPresent else {
            throw StorageFault(
                .damaged, "VHDX-BAT", path,
                "block \(block) is partially present, but its sector bitmap is not there (state \(entry.raw & 7))",
                action: "Restore the file from a copy")
        }
        return try place(entry, VHDXFormat.mebibyte, "the sector bitmap of block \(block)", path)
    }

    /// The state of a block; one that the format does not know, or does not allow here, is damage.
    mutating func checkedEntry(_ block: Int64, _ path: String) throws(StorageFault) -> VHDXEntry {
        let entry = try tables.entry(ofBlock: block)
        let partial = entry.state == .partiallyPresent && !tables.geometry.differencing
        guard entry.state != .reserved, !partial else {
            throw StorageFault(
                .damaged, "VHDX-BAT", path, "block \(block) has state \(entry.raw & 7), which has no meaning here",
                action: "Restore the file from a copy")
        }
        return entry
    }

    mutating func appendRuns(
        of block: Int64, _ part: Range<Int64>, _ path: String, to runs: inout [LayerRun]
    ) throws(StorageFault) {
        let entry = try checkedEntry(block, path)
        let geometry = tables.geometry
        let start = block * geometry.blockSize
        switch entry.state {
        case .notPresent: Self.append(part, geometry.differencing ? .parent : .zero, &runs)
        case .undefined, .zero, .unmapped, .oldUnmapped, .reserved: Self.append(part, .zero, &runs)
        case .fullyPresent:
            Self.append(part, .here(try place(of: entry, block: block, path) + part.lowerBound - start), &runs)
        case .partiallyPresent:
            let offset = try place(of: entry, block: block, path)
            let bitmap = try bitmap(ofBlock: block, path)
            let sector = geometry.sectorSize
            // Reads begin at any byte, bits stand for whole sectors.
            let sectors = Int((part.lowerBound - start) / sector)..<Int((part.upperBound - start + sector - 1) / sector)
            var found: [LayerRun] = []
            try tables.forEachRun(of: block, bitmap: bitmap, in: sectors) { bits, here in
                let range = (start + Int64(bits.lowerBound) * sector..<start + Int64(bits.upperBound) * sector)
                    .clamped(to: part)
                found.append(LayerRun(range, here ? .here(offset + range.lowerBound - start) : .parent))
            }
            for run in found { Self.append(run.range, run.place, &runs) }
        }
    }

    /// Adds a run, or makes the last one longer if they are one.
    private static func append(_ range: Range<Int64>, _ place: LayerRun.Place, _ runs: inout [LayerRun]) {
        if let last = runs.last {
            let joins =
                switch (last.place, place) {
                case (.zero, .zero), (.parent, .parent): true
                case (.here(let first), .here(let second)):
                    first + (last.range.upperBound - last.range.lowerBound) == second
                default: false
                }
            if joins {
                runs[runs.count - 1].range = last.range.lowerBound..<range.upperBound
                return
            }
        }
        runs.append(LayerRun(range, place))
    }
}
