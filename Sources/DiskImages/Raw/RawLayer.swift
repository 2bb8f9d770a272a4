public import Files
import Synchronization

/// A disk as it is, byte for byte, in a file whose holes are zeros.
///
/// Nothing in such a file tells what it is: the caller must know. A file that is no whole number of sectors is read as if zeros
/// followed it up to the next sector, and is not opened for writing.
public final class RawLayer: ImageLayer {
    private struct Extent {
        /// Bytes of the disk: `stored` rounded up to whole sectors.
        var disk: Int64
        /// Bytes of the file.
        var stored: Int64
    }

    public let sectorSize: Int
    private let file: any StoreFile
    private let writable: Bool
    private let extent: Mutex<Extent>

    /// `sectorSize` is what a guest would see, 512 or 4096. Faults: `RAW-SECTOR` for another one, `RAW-SIZE` when a file of broken
    /// sectors is to be written.
    public init(file: any StoreFile, writable: Bool, sectorSize: Int = 512) throws(StorageFault) {
        try Raw.check(sectorSize: sectorSize, of: file.path)
        let stored = try file.size()
        let (whole, over) = stored.roundedUp(to: Int64(sectorSize))
        guard !over else { throw Raw.wrongSize(stored, sectorSize, file.path) }
        if writable, whole != stored { throw Raw.wrongSize(stored, sectorSize, file.path) }
        (self.file, self.writable, self.sectorSize) = (file, writable, sectorSize)
        extent = Mutex(Extent(disk: whole, stored: stored))
    }

    public var path: String { file.path }
    public var format: ImageFormat { .raw }
    public var size: Int64 { extent.withLock { $0.disk } }
    public var linkage: GUID? { nil }
    public var parent: ParentReference? { nil }

    /// All is here. Holes are for `DiskImage.allocatedRanges` to tell: asking the file system costs as much as reading a block.
    public func runs(in range: Range<Int64>) throws(StorageFault) -> [LayerRun] {
        try checkInside(range, of: extent.withLock { $0.disk })
        return range.isEmpty ? [] : [LayerRun(range, .here(range.lowerBound))]
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, of run: LayerRun) throws(StorageFault) {
        guard case .here(let offset) = run.place else { throw notHere(run) }
        let stored = extent.withLock { $0.stored }
        let there = Int(max(0, min(Int64(buffer.count), stored - offset)))
        try file.readFully(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<there]), at: offset)
        // The tail of a broken last sector.
        UnsafeMutableRawBufferPointer(rebasing: buffer[there...]).initializeMemory(as: UInt8.self, repeating: 0)
    }

    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        guard writable else { throw refuseWrite() }
        try checkWhole(offset, Int64(bytes.count), of: size)
        try file.write(bytes, at: offset)
    }

    /// The space is given back where the file system can.
    public func discard(_ range: Range<Int64>) throws(StorageFault) {
        guard writable else { throw refuseWrite() }
        try checkWhole(range.lowerBound, range.upperBound - range.lowerBound, of: size)
        try file.makeZero(range)
    }

    /// The file is cut, or grows by a hole. `RAW-SIZE` unless `size` is whole sectors.
    public func resize(to size: Int64) throws(StorageFault) {
        guard writable else { throw refuseWrite() }
        guard size > 0, size % Int64(sectorSize) == 0 else { throw Raw.wrongSize(size, sectorSize, path) }
        try file.truncate(to: size)
        extent.withLock { $0 = Extent(disk: size, stored: size) }
    }

    public func flush() throws(StorageFault) {
        if writable { try file.flush() }
    }

    public func close() throws(StorageFault) {
        defer { file.close() }
        try flush()
    }
}

extension RawLayer: SparseLayer {
    var sparseFile: (any StoreFile)? { file }
}

extension Raw {
    static func check(sectorSize: Int, of path: String) throws(StorageFault) {
        guard sectorSize == 512 || sectorSize == 4096 else {
            throw StorageFault(
                .badInput, "RAW-SECTOR", path, "a sector of \(sectorSize) bytes is neither 512 nor 4096 bytes",
                action: "Choose one of the two")
        }
    }

    static func wrongSize(_ size: Int64, _ sectorSize: Int, _ path: String) -> StorageFault {
        StorageFault(
            .badInput, "RAW-SIZE", path, "\(size) bytes are no disk of whole sectors of \(sectorSize) bytes",
            action: "Open it for reading only, or make it whole sectors long first")
    }
}
