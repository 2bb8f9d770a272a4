import DiskImages
import Files

/// A volume as it is once its journal is replayed. Nothing is copied: blocks that the journal has a newer copy of are read from there.
final class ReplayedDevice: BlockDevice {
    private let base: any BlockDevice
    private let replay: JournalReplay
    /// Numbers of the blocks that the journal has, ascending.
    private let numbers: [Int64]

    init(_ base: any BlockDevice, _ replay: JournalReplay) {
        (self.base, self.replay) = (base, replay)
        numbers = replay.blocks.keys.sorted()
    }

    var name: String { "\(base.name) with its journal" }
    var size: Int64 { base.size }
    var sectorSize: Int { base.sectorSize }

    /// Index of the first block in `numbers` that ends behind `offset`.
    private func index(at offset: Int64) -> Int {
        var (low, high) = (0, numbers.count)
        while low < high {
            let middle = (low + high) / 2
            if (numbers[middle] + 1) * replay.blockSize <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try checkRead(buffer.count, at: offset)
        let end = offset + Int64(buffer.count)
        var (at, next) = (offset, index(at: offset))
        while at < end {
            let start = next < numbers.count ? numbers[next] * replay.blockSize : Int64.max
            let part = at < start ? at..<min(end, start) : at..<min(end, start + replay.blockSize)
            let target = UnsafeMutableRawBufferPointer(
                rebasing: buffer[Int(part.lowerBound - offset)..<Int(part.upperBound - offset)])
            if at >= start, let copy = replay.blocks[numbers[next]] {
                try base.read(into: target, at: copy.place + at - start)
                if copy.isEscaped {
                    for (index, byte) in JournalReplay.mark.enumerated() {
                        let place = start + Int64(index) - at
                        if 0..<Int64(target.count) ~= place { target[Int(place)] = byte }
                    }
                }
                next += 1
            } else {
                try base.read(into: target, at: at)
            }
            at = part.upperBound
        }
    }

    func allocatedRanges(in range: Range<Int64>) throws(StorageFault) -> [Range<Int64>] {
        var ranges = try base.allocatedRanges(in: range)
        for number in numbers[index(at: range.lowerBound)...] {
            let block = number * replay.blockSize..<(number + 1) * replay.blockSize
            guard block.lowerBound < range.upperBound else { break }
            ranges.append(block.clamped(to: range))
        }
        ranges.sort { $0.lowerBound < $1.lowerBound }
        return ranges.reduce(into: []) { all, range in
            if let last = all.last, last.upperBound >= range.lowerBound {
                all[all.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                all.append(range)
            }
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) { throw refuseWrite() }
    func discard(_ range: Range<Int64>) throws(StorageFault) { throw refuseWrite() }
    func flush() throws(StorageFault) {}
}
