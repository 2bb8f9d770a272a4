public import Files
import Synchronization

/// A disk in memory, for tests and small things; blocks that were never written take none.
public final class MemoryDevice: BlockDevice {
    private static let block = 65_536
    public let name: String
    public let size: Int64
    public let sectorSize: Int
    private let blocks = Mutex<[Int64: [UInt8]]>([:])

    public init(size: Int64, sectorSize: Int = 512, name: String = "memory") {
        precondition(size >= 0 && size % Int64(sectorSize) == 0, "a disk has whole sectors")
        (self.size, self.sectorSize, self.name) = (size, sectorSize, name)
    }

    public func allocatedRanges(in range: Range<Int64>) throws(StorageFault) -> [Range<Int64>] {
        let length = Int64(Self.block)
        let present = blocks.withLock {
            $0.keys.filter { $0 * length < range.upperBound && ($0 + 1) * length > range.lowerBound }
        }
        return present.sorted().reduce(into: [Range<Int64>]()) { ranges, block in
            let part = (block * length..<min(size, (block + 1) * length)).clamped(to: range)
            if let last = ranges.last, last.upperBound == part.lowerBound {
                ranges[ranges.count - 1] = last.lowerBound..<part.upperBound
            } else if !part.isEmpty {
                ranges.append(part)
            }
        }
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try checkRead(buffer.count, at: offset)
        blocks.withLock { blocks in
            pieces(offset, buffer.count) { block, inBlock, at, count in
                let target = UnsafeMutableRawBufferPointer(rebasing: buffer[at..<at + count])
                if let bytes = blocks[block] {
                    bytes.withUnsafeBytes { target.copyMemory(from: .init(rebasing: $0[inBlock..<inBlock + count])) }
                } else {
                    target.initializeMemory(as: UInt8.self, repeating: 0)
                }
            }
        }
    }

    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try checkWrite(Int64(bytes.count), at: offset)
        blocks.withLock { blocks in
            pieces(offset, bytes.count) { block, inBlock, at, count in
                blocks[block, default: [UInt8](repeating: 0, count: Self.block)].withUnsafeMutableBytes {
                    UnsafeMutableRawBufferPointer(rebasing: $0[inBlock...])
                        .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[at..<at + count]))
                }
            }
        }
    }

    public func discard(_ range: Range<Int64>) throws(StorageFault) {
        try checkWrite(range.upperBound - range.lowerBound, at: range.lowerBound)
        blocks.withLock { blocks in
            pieces(range.lowerBound, range.count) { block, inBlock, _, count in
                if count == Self.block {
                    blocks[block] = nil
                } else if blocks[block] != nil {
                    blocks[block]!.replaceSubrange(
                        inBlock..<inBlock + count, with: repeatElement(0, count: count))
                }
            }
        }
    }

    public func flush() throws(StorageFault) {}

    /// Calls `body` with (block, offset in block, offset in the request, count) for each block of a range.
    private func pieces(_ offset: Int64, _ count: Int, _ body: (Int64, Int, Int, Int) -> Void) {
        var done = 0
        while done < count {
            let place = offset + Int64(done)
            let inBlock = Int(place % Int64(Self.block))
            let part = min(count - done, Self.block - inBlock)
            body(place / Int64(Self.block), inBlock, done, part)
            done += part
        }
    }
}
