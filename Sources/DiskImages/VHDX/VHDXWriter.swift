public import Files
import Synchronization

/// The VHDX format (disk-formats.md 1.2, MS-VHDX): recognising, making and dumping files. `VHDXLayer` reads and writes them.
public enum VHDX {
    /// Whether a file begins as a VHDX does.
    public static func isVHDX(_ first8Bytes: [UInt8]) -> Bool { first8Bytes == VHDXFormat.identifier }

    /// Begins a new image in an empty file that is open for writing. `VHDX-SIZE` for sizes that the format does not have.
    public static func create(
        _ image: NewImage, file: any StoreFile, guids: any GUIDSource
    ) throws(StorageFault) -> VHDXWriter {
        try VHDXWriter(image, file, guids)
    }
}

/// A VHDX file that is being made; it begins with its identifier last of all, so nobody takes an unfinished one for an image.
/// Memory: 8 MiB of tables, whatever the disk's size.
public final class VHDXWriter: ImageWriter {
    /// What children of the new image name.
    public let dataWriteGUID: GUID
    private let file: any StoreFile
    private let metadata: VHDXMetadata
    private let guids: any GUIDSource
    private let state: Mutex<State>
    private let finished = Atomic<Bool>(false)

    private static let logPlace = VHDXFormat.mebibyte
    private static let metadataPlace = 2 * VHDXFormat.mebibyte
    private static let batPlace = 3 * VHDXFormat.mebibyte

    private struct State: Sendable {
        var tables: VHDXTables
        /// Where the next block goes.
        var end: Int64
    }

    init(_ image: NewImage, _ file: any StoreFile, _ guids: any GUIDSource) throws(StorageFault) {
        func refused(_ problem: VHDXProblem) -> StorageFault {
            StorageFault(
                .badInput, "VHDX-SIZE", file.path, problem.text,
                action: "Choose sizes that a VHDX can have, and name its parent by its identifier")
        }
        var locator: VHDXLocator?
        if case .differencing(let reference) = image.kind {
            do { locator = try VHDXLocator(reference) } catch { throw refused(error) }
        }
        let usual = (locator == nil ? 32 : 2) * VHDXFormat.mebibyte
        let geometry = VHDXGeometry(
            size: image.size, blockSize: image.blockSize ?? usual, sectorSize: Int64(image.sectorSize),
            differencing: locator != nil)
        if let problem = geometry.problem() { throw refused(problem) }
        guard try file.size() == 0 else { throw refused(VHDXProblem("the file for a new image is not empty")) }
        metadata = VHDXMetadata(
            geometry: geometry, fixed: image.kind == .fixed, diskID: image.diskID ?? guids.next(), physicalSector: 4096,
            locator: locator)
        (self.file, self.guids, dataWriteGUID) = (file, guids, guids.next())
        var source = VHDXSource(file: file)
        source.zerosBehindEnd = true
        state = Mutex(
            State(
                tables: VHDXTables(source: source, geometry: geometry, batOffset: Self.batPlace),
                end: Self.batPlace + geometry.tableLength))
    }

    private var geometry: VHDXGeometry { metadata.geometry }
    private var firstBlock: Int64 { Self.batPlace + geometry.tableLength }

    /// Zero parts are not stored, but in a differencing image they count as written. Several threads may write at once, also into
    /// one block.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        let (count, sector) = (Int64(bytes.count), geometry.sectorSize)
        guard offset >= 0, offset <= geometry.size, count <= geometry.size - offset, offset % sector == 0,
            count % sector == 0, !finished.load(ordering: .acquiring)
        else {
            throw StorageFault(
                .badInput, "DISK-RANGE", file.path,
                "\(count) bytes at \(offset) are not whole sectors of an unfinished disk of \(geometry.size) bytes",
                action: "Write whole sectors inside the disk")
        }
        var at = offset
        while at < offset + count {
            let block = at / geometry.blockSize
            let part = at..<min(offset + count, (block + 1) * geometry.blockSize)
            try write(
                UnsafeRawBufferPointer(rebasing: bytes[Int(at - offset)..<Int(part.upperBound - offset)]), block, part)
            at = part.upperBound
        }
    }

    private func write(
        _ bytes: UnsafeRawBufferPointer, _ block: Int64, _ part: Range<Int64>
    ) throws(StorageFault) {
        let inBlock = part.lowerBound - block * geometry.blockSize
        // A file that grows is zeros where nothing was written.
        let isZero = bytes.isZero
        if metadata.fixed {
            if !isZero { try file.write(bytes, at: firstBlock + block * geometry.blockSize + inBlock) }
            return
        }
        let whole = part == geometry.range(ofBlock: block)
        if isZero, !geometry.differencing { return }
        let place = try state.withLock { (state) throws(StorageFault) -> Int64? in
            let entry = try state.tables.entry(ofBlock: block)
            if entry.state == .fullyPresent || entry.state == .partiallyPresent { return entry.offset }
            if isZero, whole {
                try state.tables.setEntry(ofBlock: block, VHDXEntry(.zero))
                return nil
            }
            let partial = self.geometry.differencing && !whole
            defer { state.end += self.geometry.blockSize }
            let entered = VHDXEntry(partial ? .partiallyPresent : .fullyPresent, at: state.end)
            try state.tables.setEntry(ofBlock: block, entered)
            return state.end
        }
        guard let place else { return }
        if !isZero { try file.write(bytes, at: place + inBlock) }
        if geometry.differencing, !whole { try mark(block, part) }
    }

    /// Sets the bits of sectors that are now here; a block with all of them needs none.
    private func mark(_ block: Int64, _ part: Range<Int64>) throws(StorageFault) {
        let (start, sector) = (block * geometry.blockSize, geometry.sectorSize)
        func sectors(_ range: Range<Int64>) -> Range<Int> {
            Int((range.lowerBound - start) / sector)..<Int((range.upperBound - start) / sector)
        }
        try state.withLock { (state) throws(StorageFault) in
            let index = self.geometry.index(ofBitmap: block / self.geometry.chunkRatio)
            var bitmap = try state.tables.entry(index)
            if bitmap.state != .fullyPresent {
                bitmap = VHDXEntry(.fullyPresent, at: state.end)
                try state.tables.setEntry(index, bitmap)
                state.end += VHDXFormat.mebibyte
            }
            try state.tables.setBits(of: block, bitmap: bitmap.offset, sectors(part))
            let all = sectors(self.geometry.range(ofBlock: block))
            if try state.tables.allHere(of: block, bitmap: bitmap.offset, all) {
                let entry = try state.tables.entry(ofBlock: block)
                try state.tables.setEntry(ofBlock: block, VHDXEntry(.fullyPresent, at: entry.offset))
            }
        }
    }

    /// Writes bitmaps, BAT, metadata, region tables and headers, flushes, writes the identifier, and flushes. The file stays open.
    public func finish() throws(StorageFault) {
        guard !finished.exchange(true, ordering: .acquiringAndReleasing) else { return }
        try state.withLock { (state) throws(StorageFault) in
            try state.tables.writeInPlace()
            if self.metadata.fixed {
                state.end = self.firstBlock + self.geometry.blocks * self.geometry.blockSize
                try self.writeFixedTable()
            }
            // Blocks are whole MiB in length and place, so the file ends with the last of them.
            if try self.file.size() < state.end { try self.file.truncate(to: state.end) }
        }
        try file.write(metadata.encoded(length: Int(VHDXFormat.mebibyte)), at: Self.metadataPlace)
        let regions = VHDXRegionTable(regions: [
            VHDXRegion(
                guid: VHDXFormat.batRegion, offset: UInt64(Self.batPlace), length: UInt32(geometry.tableLength),
                flags: 1),
            VHDXRegion(
                guid: VHDXFormat.metadataRegion, offset: UInt64(Self.metadataPlace),
                length: UInt32(VHDXFormat.mebibyte), flags: 1),
        ]).encoded()
        for place in VHDXFormat.regionTablePlaces { try file.write(regions, at: place) }
        let fileWriteGUID = guids.next()
        for (index, place) in VHDXFormat.headerPlaces.enumerated() {
            let header = VHDXHeader(
                sequence: UInt64(index + 1), fileWriteGUID: fileWriteGUID, dataWriteGUID: dataWriteGUID, logGUID: .zero,
                logOffset: UInt64(Self.logPlace), logLength: UInt32(VHDXFormat.mebibyte))
            try file.write(header.encoded(), at: place)
        }
        try file.flush()
        var identifier = [UInt8](repeating: 0, count: 64 << 10)
        identifier.put(VHDXFormat.identifier, at: 0)
        for (index, unit) in VHDXFormat.creator.utf16.enumerated() { identifier.putLittle(unit, at: 8 + 2 * index) }
        try file.write(identifier, at: 0)
        try file.flush()
    }

    /// All blocks of a fixed image, one behind the other.
    private func writeFixedTable() throws(StorageFault) {
        var index: Int64 = 0
        while index < geometry.entries {
            let end = min(geometry.entries, index + VHDXTables.pageSize / 8)
            var bytes = [UInt8](repeating: 0, count: Int(end - index) * 8)
            for number in index..<end {
                guard let block = geometry.block(ofIndex: number) else { continue }
                let entry = VHDXEntry(.fullyPresent, at: firstBlock + block * geometry.blockSize)
                bytes.putLittle(entry.raw, at: Int(number - index) * 8)
            }
            try file.write(bytes, at: Self.batPlace + index * 8)
            index = end
        }
    }

    /// Closes the unfinished file; whoever made it removes it.
    public func abandon() {
        finished.store(true, ordering: .releasing)
        file.close()
    }
}
