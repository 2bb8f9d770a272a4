import DiskImages
import Files
import Synchronization

/// What the workers of a synchronization share.
final class WorkContext: Sendable {
    let block: Int
    let disks: [DiskWork]
    let appender: SegmentAppender
    let compression: Int?
    /// Nil where equal blocks are not shared.
    let sharing: Sharing?
    /// Locations found damaged: what lies there is stored anew even if it is equal.
    let damaged: Set<UInt64>
    let recordsDifferences: Bool

    init(
        block: Int, disks: [DiskWork], appender: SegmentAppender, compression: Int?, sharing: Sharing?,
        damaged: Set<UInt64>, recordsDifferences: Bool
    ) {
        (self.block, self.disks, self.appender, self.compression) = (block, disks, appender, compression)
        (self.sharing, self.damaged, self.recordsDifferences) = (sharing, damaged, recordsDifferences)
    }
}

/// What a worker found in one leaf.
struct LeafResult: Sendable {
    var disk: Int64
    var number: Int64
    /// Nil if nothing changed.
    var leaf: Leaf?
    /// The leaf before, for what is counted.
    var base: Leaf
    var read: Int64 = 0
    var changed: Int64 = 0
    var zeroed: Int64 = 0
    var stored: Int64 = 0
    var shared: Int64 = 0
    /// Differing blocks, coalesced, bytes of the disk.
    var differences: [Range<Int64>] = []
}

/// Reads blocks, leaves out what is equal or zero, compresses, stores. One a thread.
final class BlockWorker {
    private static let batchBytes = 1 << 19
    /// The least and most a worker takes of a segment at once. It grows, so that small synchronizations leave no gaps.
    private static let extents: ClosedRange<Int64> = 1 << 18...1 << 23

    private let context: WorkContext
    private let block: Int
    private let batch: Int
    private let input: Buffer
    private let output: Buffer
    private let compressor: Compressor?
    private var extent: SegmentAppender.Extent?
    private var extentSize = extents.lowerBound

    init(_ context: WorkContext) {
        self.context = context
        block = context.block
        // What is stored together must fit into one segment.
        batch = max(1, min(Self.batchBytes, Int(context.appender.segmentSize / 4)) / block)
        input = Buffer(count: batch * block)
        compressor = context.compression.map { Compressor(level: $0) }
        output = Buffer(count: compressor == nil ? 0 : batch * block + Compressor.bound(block))
    }

    /// Gives back what is left of the segment's part that was taken.
    func finish() { if let extent { context.appender.giveBack(extent) } }

    func process(_ work: LeafWork) throws(StorageFault) -> LeafResult {
        let base = work.base ?? .zero
        var leaf = base
        var result = LeafResult(disk: context.disks[work.disk].id, number: work.leaf, leaf: nil, base: base)
        let first = work.leaf * Int64(Leaf.count)
        for run in work.clear {
            for index in run where !base[index].location.isNone {
                leaf[index] = .zero
                noteChange(first + Int64(index), &result)
                result.zeroed += Int64(block)
            }
        }
        for run in work.read {
            var from = run.lowerBound
            while from < run.upperBound {
                let to = min(run.upperBound, from + batch)
                try transfer(from..<to, of: work, base: base, into: &leaf, &result)
                from = to
            }
        }
        if leaf != base { result.leaf = leaf }
        return result
    }

    private func noteChange(_ number: Int64, _ result: inout LeafResult) {
        result.changed += Int64(block)
        guard context.recordsDifferences else { return }
        let range = number * Int64(block)..<(number + 1) * Int64(block)
        if let last = result.differences.last, last.upperBound == range.lowerBound {
            result.differences[result.differences.count - 1] = last.lowerBound..<range.upperBound
        } else {
            result.differences.append(range)
        }
    }

    private func transfer(
        _ run: Range<Int>, of work: LeafWork, base: Leaf, into leaf: inout Leaf, _ result: inout LeafResult
    ) throws(StorageFault) {
        let first = work.leaf * Int64(Leaf.count)
        let count = try fill(run, of: work)
        result.read += Int64(count)
        // Blocks to be stored as they are, waiting to be written together.
        var waiting: Range<Int>?
        var packed = 0
        var packedBlocks: [(index: Int, sum: UInt64, place: Range<Int>)] = []
        var plain: [(index: Int, sum: UInt64)] = []
        for index in run {
            let at = (index - run.lowerBound) * block
            let bytes = UnsafeRawBufferPointer(input[at..<at + block])
            let old = base[index]
            if bytes.isZero {
                if !old.location.isNone {
                    leaf[index] = .zero
                    noteChange(first + Int64(index), &result)
                    result.zeroed += Int64(block)
                }
                continue
            }
            let sum = XXH3.of(bytes)
            let isDamaged =
                !context.damaged.isEmpty && context.damaged.contains(old.location.marked(shared: false).bits)
            if !old.location.isNone, old.contentSum == sum, !isDamaged { continue }
            noteChange(first + Int64(index), &result)
            if let sharing = context.sharing, let entry = try sharing.equal(to: bytes, sum: sum) {
                leaf[index] = entry
                result.shared += Int64(block)
                continue
            }
            if let compressor {
                let room = UnsafeMutableRawBufferPointer(rebasing: output.bytes[packed...])
                if let size = compressor.compress(bytes, into: room),
                    Self.span(size) < block
                {
                    let span = Int(Self.span(size))
                    UnsafeMutableRawBufferPointer(rebasing: room[size..<span]).initializeMemory(
                        as: UInt8.self, repeating: 0)
                    packedBlocks.append((index, sum, packed..<packed + size))
                    packed += span
                    continue
                }
            }
            if let last = waiting, last.upperBound == index {
                waiting = last.lowerBound..<index + 1
            } else {
                try store(waiting, of: run, plain, into: &leaf, &result)
                waiting = index..<index + 1
                plain.removeAll(keepingCapacity: true)
            }
            plain.append((index, sum))
        }
        try store(waiting, of: run, plain, into: &leaf, &result)
        guard !packedBlocks.isEmpty else { return }
        let (segment, offset) = try append(UnsafeRawBufferPointer(output[0..<packed]))
        for (index, sum, place) in packedBlocks {
            leaf[index] = BlockEntry(
                location: Location(
                    segment: segment, offset: offset + Int64(place.lowerBound), length: place.count, compressed: true,
                    shared: context.sharing != nil),
                contentSum: sum,
                storedSum: CRC32C.of(
                    UnsafeRawBufferPointer(output[place.lowerBound..<place.lowerBound + Int(Self.span(place.count))])))
        }
        result.stored += Int64(packed)
    }

    private static func span(_ size: Int) -> Int64 { (Int64(size) + Location.unit - 1) / Location.unit * Location.unit }

    /// Reads a run of blocks from the source; what lies beyond the disk's end is zeros. Returns the bytes read.
    private func fill(_ run: Range<Int>, of work: LeafWork) throws(StorageFault) -> Int {
        let disk = context.disks[work.disk]
        let offset = (work.leaf * Int64(Leaf.count) + Int64(run.lowerBound)) * Int64(block)
        let wanted = run.count * block
        let count = Int(min(Int64(wanted), max(0, disk.device.size - offset)))
        if count > 0 { try disk.device.read(into: input[0..<count], at: offset) }
        if count < wanted { input[count..<wanted].initializeMemory(as: UInt8.self, repeating: 0) }
        return count
    }

    /// Stores neighbouring blocks as they are.
    private func store(
        _ blocks: Range<Int>?, of run: Range<Int>, _ sums: [(index: Int, sum: UInt64)], into leaf: inout Leaf,
        _ result: inout LeafResult
    ) throws(StorageFault) {
        guard let blocks else { return }
        let from = (blocks.lowerBound - run.lowerBound) * block
        let bytes = blocks.count * block
        let (segment, offset) = try append(UnsafeRawBufferPointer(input[from..<from + bytes]))
        for (place, (index, sum)) in sums.enumerated() {
            leaf[index] = BlockEntry(
                location: Location(
                    segment: segment, offset: offset + Int64(place * block), length: block, compressed: false,
                    shared: context.sharing != nil),
                contentSum: sum, storedSum: 0)
        }
        result.stored += Int64(bytes)
    }

    /// Writes whole units behind what this worker has stored already.
    private func append(_ bytes: UnsafeRawBufferPointer) throws(StorageFault) -> (segment: Int64, offset: Int64) {
        let count = Int64(bytes.count)
        if extent == nil || extent!.end - extent!.next < count {
            if let extent { context.appender.giveBack(extent) }
            extent = try context.appender.extent(extentSize, least: count)
            extentSize = min(extentSize * 2, Self.extents.upperBound)
        }
        let offset = extent!.next
        try extent!.file.write(bytes, at: offset)
        extent!.next += count
        context.appender.stored(count, in: extent!.segment)
        // Early write-out keeps the flush at the end short; in large pieces, as each costs a call.
        if offset / Self.extents.upperBound != extent!.next / Self.extents.upperBound {
            let end = extent!.next / Self.extents.upperBound * Self.extents.upperBound
            extent!.file.writeSoon(max(0, end - Self.extents.upperBound)..<end)
        }
        return (extent!.segment, offset)
    }
}
