public import Files

/// A disk that nobody may write to through this.
public final class ReadOnlyDevice: BlockDevice {
    public let base: any BlockDevice
    public var name: String { base.name }
    public var size: Int64 { base.size }
    public var sectorSize: Int { base.sectorSize }

    public init(_ base: any BlockDevice) { self.base = base }

    public func allocatedRanges(in range: Range<Int64>) throws(StorageFault) -> [Range<Int64>] {
        try base.allocatedRanges(in: range)
    }
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try base.read(into: buffer, at: offset)
    }
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) { throw refuseWrite() }
    public func discard(_ range: Range<Int64>) throws(StorageFault) { throw refuseWrite() }
    public func flush() throws(StorageFault) {}
}
