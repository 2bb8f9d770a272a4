public import DiskImages
public import Files
import Synchronization

/// A disk as it was at a recovery point. Every block is verified before it is given back; what is damaged is an error, never data.
public final class RecoveryPointDevice: BlockDevice {
    public let name: String
    public let size: Int64
    public let sectorSize: Int

    private struct State {
        /// Leaves read lately, by number; nil for those that are all zeros.
        var leaves: [Int64: Leaf?] = [:]
        var order: [Int64] = []
        /// Readers nobody uses at the moment.
        var readers: [BlockReader] = []
    }

    private static let leafLimit = 256
    private static let readerLimit = 16
    private let parts: PoolParts
    private let datasource: String
    private let point: Int64
    private let disk: DiskFacts
    private let block: Int64
    private let lease: (any StoreFile)?
    private let state = Mutex(State())

    init(parts: PoolParts, datasource: String, point: Int64, disk: DiskFacts, lease: (any StoreFile)?) {
        (self.parts, self.datasource, self.point, self.disk, self.lease) = (parts, datasource, point, disk, lease)
        (block, size, sectorSize) = (parts.block, disk.size, disk.sectorSize)
        name = "disk \(disk.name) of \(datasource) at recovery point \(point)"
    }

    public func allocatedRanges(in range: Range<Int64>) throws(StorageFault) -> [Range<Int64>] {
        let range = range.clamped(to: 0..<size)
        guard !range.isEmpty else { return [] }
        let span = block * Int64(Leaf.count)
        let first = range.lowerBound / span
        let last = (range.upperBound - 1) / span
        var ranges: [Range<Int64>] = []
        var next = first
        while next <= last {
            let from = next
            // Only leaves that exist are looked at: a large empty disk has none.
            let numbers = try parts.map.read { db in
                try db.leafNumbers(disk: disk.id, from: from, below: last + 1, asOf: point, limit: 128)
            }
            guard let end = numbers.last else { break }
            for number in numbers {
                guard let leaf = try leaf(number) else { continue }
                for index in 0..<Leaf.count where !leaf[index].location.isNone {
                    let start = number * span + Int64(index) * block
                    let part = (start..<start + block).clamped(to: range)
                    if part.isEmpty { continue }
                    if let before = ranges.last, before.upperBound == part.lowerBound {
                        ranges[ranges.count - 1] = before.lowerBound..<part.upperBound
                    } else {
                        ranges.append(part)
                    }
                }
            }
            next = end + 1
        }
        return ranges
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try checkRead(buffer.count, at: offset)
        guard !buffer.isEmpty else { return }
        let reader = takeReader()
        defer { giveBack(reader) }
        let end = offset + Int64(buffer.count)
        var at = offset
        while at < end {
            let number = at / block
            if at % block == 0, end - at >= block {
                let wholes = (end - at) / block
                let inLeaf = Int64(Leaf.count) - number % Int64(Leaf.count)
                let count = min(wholes, inLeaf)
                let from = Int(at - offset)
                try read(
                    number, Int(count),
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer[from..<from + Int(count * block)]),
                    reader)
                at += count * block
            } else {
                let inBlock = Int(at % block)
                let count = min(Int(end - at), Int(block) - inBlock)
                let whole = Buffer(count: Int(block))
                try read(number, 1, into: whole.bytes, reader)
                let from = Int(at - offset)
                UnsafeMutableRawBufferPointer(rebasing: buffer[from..<from + count])
                    .copyMemory(from: UnsafeRawBufferPointer(whole[inBlock..<inBlock + count]))
                at += Int64(count)
            }
        }
    }

    /// Reads whole blocks of one leaf.
    private func read(
        _ number: Int64, _ count: Int, into target: UnsafeMutableRawBufferPointer, _ reader: BlockReader
    ) throws(StorageFault) {
        let first = Int(number % Int64(Leaf.count))
        guard let leaf = try leaf(number / Int64(Leaf.count)) else {
            target.initializeMemory(as: UInt8.self, repeating: 0)
            return
        }
        let entries = (first..<first + count).map { leaf[$0] }
        do throws(BadBlock) { try reader.read(entries, into: target) } catch {
            // Another program may have given the segment's number to a new file.
            parts.segments.forget(entries[error.index].location.segment)
            do throws(BadBlock) { try reader.read(entries, into: target) } catch {
                let start = (number + Int64(error.index)) * block
                throw damage(start..<min(start + block, size), error.fault)
            }
        }
    }

    private func damage(_ range: Range<Int64>, _ fault: StorageFault?) -> StorageFault {
        if let fault, fault.kind == .missing || fault.kind == .permission || fault.kind == .device { return fault }
        return .pool(
            .damaged, "DAMAGED", name,
            "bytes \(range.lowerBound) to \(range.upperBound) are damaged in the pool"
                + (fault.map { " (\($0.cause))" } ?? ""),
            "Run the pool's scrub, then its repair with the machine's disk, or choose another recovery point")
    }

    private func leaf(_ number: Int64) throws(StorageFault) -> Leaf? {
        if let found = state.withLock({ $0.leaves[number] }) { return found }
        let leaf = try parts.map.read { try $0.leaf(disk: disk.id, number: number, asOf: point)?.leaf }
        state.withLock { state in
            guard state.leaves[number] == nil else { return }
            state.leaves[number] = .some(leaf)
            state.order.append(number)
            if state.order.count > Self.leafLimit { state.leaves[state.order.removeFirst()] = nil }
        }
        return leaf
    }

    private func takeReader() -> BlockReader {
        state.withLock { $0.readers.popLast() } ?? BlockReader(segments: parts.segments, block: Int(block))
    }

    private func giveBack(_ reader: BlockReader) {
        state.withLock { if $0.readers.count < Self.readerLimit { $0.readers.append(reader) } }
    }

    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) { throw refuseWrite() }
    public func discard(_ range: Range<Int64>) throws(StorageFault) { throw refuseWrite() }
    public func flush() throws(StorageFault) {}
}
