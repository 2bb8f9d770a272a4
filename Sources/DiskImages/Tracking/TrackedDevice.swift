public import Files

/// A disk whose writes a `ChangeTracker` records before they happen. Everything else is the disk's beneath.
public final class TrackedDevice: BlockDevice {
    public let base: any BlockDevice
    public let tracker: ChangeTracker

    /// Nothing may write to `base` but through this device. Faults: `TRACK-SIZE` if the two are of different sizes.
    public init(_ base: any BlockDevice, _ tracker: ChangeTracker) throws(StorageFault) {
        guard base.size == tracker.size else {
            throw StorageFault(
                .badInput, "TRACK-SIZE", tracker.path,
                "the image has \(base.size) bytes, and its tracker was opened for \(tracker.size)",
                action: "Open the tracker for the size the image has")
        }
        (self.base, self.tracker) = (base, tracker)
    }

    public var name: String { base.name }
    public var size: Int64 { tracker.size }
    public var sectorSize: Int { base.sectorSize }

    public func allocatedRanges(in range: Range<Int64>) throws(StorageFault) -> [Range<Int64>] {
        try base.allocatedRanges(in: range)
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try base.read(into: buffer, at: offset)
    }

    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try checkWrite(Int64(bytes.count), at: offset)
        guard !bytes.isEmpty else { return }
        try tracker.begin(offset..<offset + Int64(bytes.count))
        defer { tracker.end() }
        try base.write(bytes, at: offset)
    }

    public func discard(_ range: Range<Int64>) throws(StorageFault) {
        try checkWrite(range.upperBound - range.lowerBound, at: range.lowerBound)
        guard !range.isEmpty else { return }
        try tracker.begin(range)
        defer { tracker.end() }
        try base.discard(range)
    }

    /// If it fails, no point is trusted any more: what had been written may be lost later without a sign.
    public func flush() throws(StorageFault) {
        do throws(StorageFault) { try base.flush() } catch {
            tracker.flushFailed()
            throw error
        }
    }

    /// `ChangeTracker.reference`, with everything written so far made durable first.
    public func reference() throws(StorageFault) -> TrackPoint {
        try tracker.reference { () throws(StorageFault) in try base.flush() }
    }
}
