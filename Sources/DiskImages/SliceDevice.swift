public import Files

/// A part of a disk as a disk: a partition, a volume.
public final class SliceDevice: BlockDevice {
    public let base: any BlockDevice
    public let offset: Int64
    public let size: Int64
    public var sectorSize: Int { base.sectorSize }
    public let name: String

    /// `range` is whole sectors inside `base`, else `DISK-RANGE` or `DISK-SECTOR`.
    public init(_ base: any BlockDevice, _ range: Range<Int64>) throws(StorageFault) {
        try base.checkWrite(range.upperBound - range.lowerBound, at: range.lowerBound)
        self.base = base
        (offset, size) = (range.lowerBound, range.upperBound - range.lowerBound)
        name = "\(base.name) from byte \(range.lowerBound)"
    }

    public func allocatedRanges(in range: Range<Int64>) throws(StorageFault) -> [Range<Int64>] {
        try checkRead(Int(range.upperBound - range.lowerBound), at: range.lowerBound)
        return try base.allocatedRanges(in: range.lowerBound + offset..<range.upperBound + offset).map {
            $0.lowerBound - offset..<$0.upperBound - offset
        }
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try checkRead(buffer.count, at: offset)
        try base.read(into: buffer, at: self.offset + offset)
    }

    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try checkWrite(Int64(bytes.count), at: offset)
        try base.write(bytes, at: self.offset + offset)
    }

    public func discard(_ range: Range<Int64>) throws(StorageFault) {
        try checkWrite(range.upperBound - range.lowerBound, at: range.lowerBound)
        try base.discard(range.lowerBound + offset..<range.upperBound + offset)
    }

    public func flush() throws(StorageFault) { try base.flush() }
}
