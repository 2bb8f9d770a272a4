public import Files
import Synchronization

/// A disk over another that stays as it is: what is written goes to a device of its own. For replaying a journal over a recovery
/// point, or trying something out. What was written is forgotten with this object: the store alone does not say which parts count.
///
/// Memory: one bit for each 64 KiB, in pages of 2 GiB that something was written to.
public final class OverlayDevice: BlockDevice {
    /// Bytes copied at least when something is written.
    static let block: Int64 = 65_536

    public let base: any BlockDevice
    private let store: any BlockDevice
    public let name: String
    public var size: Int64 { base.size }
    public var sectorSize: Int { base.sectorSize }
    private let written = Mutex(BlockSet())
    private let writing = Mutex(())

    /// Keeps what is written in memory.
    public convenience init(_ base: any BlockDevice) {
        self.init(base, unchecked: MemoryDevice(size: base.size, sectorSize: base.sectorSize))
    }

    /// Keeps what is written in `store`, which must be at least as large as `base` and have sectors as small: `OVERLAY-STORE`.
    public convenience init(_ base: any BlockDevice, store: any BlockDevice) throws(StorageFault) {
        guard store.size >= base.size, base.sectorSize % store.sectorSize == 0 else {
            throw StorageFault(
                .badInput, "OVERLAY-STORE", store.name,
                "it cannot hold what is written to \(base.name), which has \(base.size) bytes in sectors of \(base.sectorSize)",
                action: "Use a store of that size")
        }
        self.init(base, unchecked: store)
    }

    private init(_ base: any BlockDevice, unchecked store: any BlockDevice) {
        (self.base, self.store) = (base, store)
        name = "\(base.name) with changes"
    }

    public func allocatedRanges(in range: Range<Int64>) throws(StorageFault) -> [Range<Int64>] {
        try checkRead(Int(range.upperBound - range.lowerBound), at: range.lowerBound)
        var ranges: [Range<Int64>] = []
        for (part, isWritten) in parts(of: range) {
            let found = try (isWritten ? store : base).allocatedRanges(in: part)
            for range in found { ranges.appendJoining(range) }
        }
        return ranges
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try checkRead(buffer.count, at: offset)
        for (part, isWritten) in parts(of: offset..<offset + Int64(buffer.count)) {
            let target = UnsafeMutableRawBufferPointer(
                rebasing: buffer[Int(part.lowerBound - offset)..<Int(part.upperBound - offset)])
            try (isWritten ? store : base).read(into: target, at: part.lowerBound)
        }
    }

    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try checkWrite(Int64(bytes.count), at: offset)
        try change(offset..<offset + Int64(bytes.count)) { (store) throws(StorageFault) in
            try store.write(bytes, at: offset)
        }
    }

    public func discard(_ range: Range<Int64>) throws(StorageFault) {
        try checkWrite(range.upperBound - range.lowerBound, at: range.lowerBound)
        try change(range) { (store) throws(StorageFault) in try store.discard(range) }
    }

    public func flush() throws(StorageFault) { try store.flush() }

    /// Brings the blocks that `range` covers only in part into the store first.
    private func change(
        _ range: Range<Int64>, _ body: (any BlockDevice) throws(StorageFault) -> Void
    ) throws(StorageFault) {
        guard !range.isEmpty else { return }
        let blocks = range.lowerBound / Self.block..<(range.upperBound - 1) / Self.block + 1
        try writing.withLock { (_) throws(StorageFault) in
            for block in Set([blocks.lowerBound, blocks.upperBound - 1]).sorted() {
                let whole = block * Self.block..<min(size, (block + 1) * Self.block)
                let isInside = range.lowerBound <= whole.lowerBound && whole.upperBound <= range.upperBound
                if isInside || written.withLock({ $0.contains(block) }) { continue }
                try store.write(try base.bytes(whole.count, at: whole.lowerBound), at: whole.lowerBound)
            }
            try body(store)
            written.withLock { $0.insert(blocks) }
        }
    }

    /// `range` cut where written blocks begin and end.
    private func parts(of range: Range<Int64>) -> [(Range<Int64>, isWritten: Bool)] {
        guard !range.isEmpty else { return [] }
        return written.withLock { written in
            var parts: [(Range<Int64>, isWritten: Bool)] = []
            var block = range.lowerBound / Self.block
            while block * Self.block < range.upperBound {
                let isWritten = written.contains(block)
                let part = (block * Self.block..<(block + 1) * Self.block).clamped(to: range)
                if let last = parts.last, last.isWritten == isWritten {
                    parts[parts.count - 1].0 = last.0.lowerBound..<part.upperBound
                } else {
                    parts.append((part, isWritten))
                }
                block += 1
            }
            return parts
        }
    }
}

/// Numbers of blocks, a bit each, kept in pages.
struct BlockSet: Sendable {
    private static let perPage: Int64 = 32_768
    private var pages: [Int64: [UInt64]] = [:]

    func contains(_ block: Int64) -> Bool {
        guard let page = pages[block / Self.perPage] else { return false }
        let bit = Int(block % Self.perPage)
        return page[bit / 64] >> UInt64(bit % 64) & 1 != 0
    }

    mutating func insert(_ blocks: Range<Int64>) {
        for block in blocks {
            let bit = Int(block % Self.perPage)
            pages[block / Self.perPage, default: [UInt64](repeating: 0, count: Int(Self.perPage) / 64)][bit / 64] |=
                1 << UInt64(bit % 64)
        }
    }
}
