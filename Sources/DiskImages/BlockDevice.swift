public import Files

/// A disk: so many bytes, read anywhere, written by whole sectors. Images, recovery points, overlays, memory and devices that
/// fail on purpose are all one. Calls may come from several threads; overlapping writes are the caller's affair.
///
/// Every implementation passes the one contract test (`BlockDeviceContract` in the tests).
public protocol BlockDevice: AnyObject, Sendable {
    /// For messages: a path, or what it is.
    var name: String { get }
    /// Bytes; a multiple of `sectorSize`.
    var size: Int64 { get }
    /// Of a logical sector, bytes: 512 or 4096.
    var sectorSize: Int { get }
    /// Where `range` may hold other bytes than zeros: ascending, disjoint, not touching each other, inside `range`. What is not named
    /// reads as zeros. Ask for parts of a large disk (a GiB, say): the answer is held in memory.
    func allocatedRanges(in range: Range<Int64>) throws(StorageFault) -> [Range<Int64>]
    /// Fills `buffer` from `offset`, at any byte; the whole of it lies inside the disk, else the fault `DISK-RANGE`.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault)
    /// Whole sectors inside the disk, else `DISK-RANGE` or `DISK-SECTOR`; `DISK-READONLY` where nothing may be written.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault)
    /// Makes whole sectors read as zeros, giving their space back where that can be done.
    func discard(_ range: Range<Int64>) throws(StorageFault)
    /// Returns when everything written so far survives a power cut.
    func flush() throws(StorageFault)
}

extension BlockDevice {
    /// `count` bytes at `offset`.
    public func bytes(_ count: Int, at offset: Int64) throws(StorageFault) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withMutableBytes { (buffer) throws(StorageFault) in try read(into: buffer, at: offset) }
        return bytes
    }

    public func write(_ bytes: [UInt8], at offset: Int64) throws(StorageFault) {
        try bytes.withBytes { (buffer) throws(StorageFault) in try write(buffer, at: offset) }
    }

    /// The check every read begins with.
    public func checkRead(_ count: Int, at offset: Int64) throws(StorageFault) {
        guard offset >= 0, offset <= size, Int64(count) <= size - offset else {
            throw StorageFault(
                .badInput, "DISK-RANGE", name,
                "\(count) bytes at \(offset) do not lie inside the disk, which has \(size) bytes",
                action: "Ask for a range inside the disk")
        }
    }

    /// The check every write begins with.
    public func checkWrite(_ count: Int64, at offset: Int64) throws(StorageFault) {
        guard offset >= 0, offset <= size, count >= 0, count <= size - offset else {
            throw StorageFault(
                .badInput, "DISK-RANGE", name,
                "\(count) bytes at \(offset) do not lie inside the disk, which has \(size) bytes",
                action: "Write inside the disk, or make the disk larger first")
        }
        guard offset % Int64(sectorSize) == 0, count % Int64(sectorSize) == 0 else {
            throw StorageFault(
                .badInput, "DISK-SECTOR", name,
                "\(count) bytes at \(offset) are not whole sectors of \(sectorSize) bytes",
                action: "Write whole sectors")
        }
    }

    /// The answer of a device that nobody may write.
    public func refuseWrite() -> StorageFault {
        StorageFault(
            .readOnly, "DISK-READONLY", name, "it is open for reading only",
            action: "Write to a copy or to a checkpoint of it")
    }
}
