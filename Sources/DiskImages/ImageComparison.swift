public import Files
import Glibc
import Synchronization

/// Whether two disks hold the same bytes, and where not. What neither has allocated is not read.
public struct ImageComparison: Sendable {
    public struct Result: Hashable, Sendable {
        /// Bytes in which the disks differ; beyond the end of the smaller one, bytes that are not zero.
        public var differingBytes: Int64 = 0
        /// Where, in whole sectors of 512 bytes, ascending; the first of them only.
        public var firstDifferences: [Range<Int64>] = []
        /// Whether both have the same size.
        public var sizesEqual: Bool
        /// Bytes looked at.
        public var compared: Int64 = 0
        /// The same bytes; one may be longer by zeros.
        public var isEqual: Bool { differingBytes == 0 }
    }

    public var left: any BlockDevice
    public var right: any BlockDevice
    /// Differences named at most.
    public var limit = 16
    public var workers = Workers.count(limit: 4)

    public init(_ left: any BlockDevice, _ right: any BlockDevice) { (self.left, self.right) = (left, right) }

    /// O(bytes allocated in either). Faults: those of the disks, and `IMAGE-STOPPED`.
    public func run(progress: ImageProgress? = nil) throws(StorageFault) -> Result {
        let end = max(left.size, right.size)
        let chunks = AllocatedChunks(
            of: [left, right], below: end, length: ImageConversion.chunk,
            unit: Int64(max(left.sectorSize, right.sectorSize)))
        let total = try chunks.total()
        let feed = ChunkFeed(chunks, total, progress, name: "\(left.name) and \(right.name)")
        let found = Mutex(Result(sizesEqual: left.size == right.size, compared: total))
        let (left, right, limit) = (left, right, limit)
        try Workers.run(workers) { (_, halt) throws(StorageFault) in
            let (one, two) = (Buffer(count: Int(ImageConversion.chunk)), Buffer(count: Int(ImageConversion.chunk)))
            while !halt.isRaised, let chunk = try feed.next() {
                try Self.fill(one, left, chunk)
                try Self.fill(two, right, chunk)
                if memcmp(one.bytes.baseAddress!, two.bytes.baseAddress!, chunk.count) != 0 {
                    let (bytes, places) = Self.differences(one, two, chunk)
                    found.withLock { result in
                        result.differingBytes += bytes
                        result.firstDifferences.merge(places, keeping: limit + 64)
                    }
                }
                try feed.done(chunk)
            }
        }
        return found.withLock { result in
            result.firstDifferences = Array(result.firstDifferences.prefix(limit))
            return result
        }
    }

    /// Reads a chunk; zeros follow the end of the disk.
    private static func fill(_ buffer: Buffer, _ device: any BlockDevice, _ chunk: Range<Int64>) throws(StorageFault) {
        let inside = chunk.clamped(to: 0..<device.size)
        let count = inside.isEmpty ? 0 : Int(inside.upperBound - chunk.lowerBound)
        if count > 0 { try device.read(into: buffer[0..<count], at: chunk.lowerBound) }
        buffer[count..<chunk.count].zero()
    }

    private static func differences(_ one: Buffer, _ two: Buffer, _ chunk: Range<Int64>) -> (Int64, [Range<Int64>]) {
        var (bytes, places) = (Int64(0), [Range<Int64>]())
        for start in stride(from: 0, to: chunk.count, by: 512) {
            let count = min(512, chunk.count - start)
            let (left, right) = (one.bytes.baseAddress! + start, two.bytes.baseAddress! + start)
            guard memcmp(left, right, count) != 0 else { continue }
            for index in 0..<count
            where left.load(fromByteOffset: index, as: UInt8.self)
                != right.load(fromByteOffset: index, as: UInt8.self)
            {
                bytes += 1
            }
            let place = chunk.lowerBound + Int64(start)
            places.appendJoining(place..<place + Int64(count))
        }
        return (bytes, places)
    }
}

extension [Range<Int64>] {
    /// Takes up `others`, joins what touches and keeps the first `most`.
    fileprivate mutating func merge(_ others: [Range<Int64>], keeping most: Int) {
        var merged: [Range<Int64>] = []
        for range in (self + others).sorted(by: { $0.lowerBound < $1.lowerBound }) { merged.appendJoining(range) }
        self = Array(merged.prefix(most))
    }
}
