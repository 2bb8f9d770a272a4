import DiskImages
import Files

/// A disk as it must have been at some moment, out of what its guest had written and what it had begun with: what really was read back is
/// held against it.
final class ExpectedDisk: BlockDevice {
    let name: String
    let size: Int64
    let sectorSize: Int
    private let content: BlockContent
    private let origin: DiskImage?
    /// Blocks that the guest wrote: which place they are to it, and the version there.
    private let written: [Int64: (place: Int, version: UInt64)]
    private let blocks: [Int64]
    private static let unit = Int64(BlockContent.size)

    init(_ held: DiskContent, disk index: Int) {
        let real = held.real
        (name, size) = ("\(real.disks[index].name) of \(real.name) as it was", real.disks[index].size)
        (content, origin) = (real.content, real.origins[index])
        sectorSize = real.disks[index].sectorSize
        var written: [Int64: (place: Int, version: UInt64)] = [:]
        for (place, location) in real.places.enumerated() where location.disk == index {
            let version = held.version(ofPlace: place)
            if version > 0 { written[location.block] = (place, version) }
        }
        self.written = written
        blocks = written.keys.sorted()
    }

    func allocatedRanges(in range: Range<Int64>) throws(StorageFault) -> [Range<Int64>] {
        try checkRead(Int(range.upperBound - range.lowerBound), at: range.lowerBound)
        var ranges = try origin?.allocatedRanges(in: range) ?? []
        for block in blocks {
            let part = (block * Self.unit..<(block + 1) * Self.unit).clamped(to: range)
            if !part.isEmpty { ranges.append(part) }
        }
        return ranges.sorted { $0.lowerBound < $1.lowerBound }.reduce(into: []) { joined, range in
            if let last = joined.last, range.lowerBound <= last.upperBound {
                joined[joined.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                joined.append(range)
            }
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try checkRead(buffer.count, at: offset)
        let whole = Buffer(count: BlockContent.size)
        var done = 0
        while done < buffer.count {
            let at = offset + Int64(done)
            let (block, inBlock) = (at / Self.unit, Int(at % Self.unit))
            let count = min(buffer.count - done, BlockContent.size - inBlock)
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
            if let (place, version) = written[block] {
                content.fill(whole[0..<BlockContent.size], block: Int64(place), version: version)
                part.copyMemory(from: UnsafeRawBufferPointer(whole[inBlock..<inBlock + count]))
            } else if let origin {
                try origin.read(into: part, at: at)
            } else {
                part.initializeMemory(as: UInt8.self, repeating: 0)
            }
            done += count
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) { throw refuseWrite() }
    func discard(_ range: Range<Int64>) throws(StorageFault) { throw refuseWrite() }
    func flush() throws(StorageFault) {}
}
