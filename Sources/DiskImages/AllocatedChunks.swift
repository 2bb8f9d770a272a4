import Files

/// The parts of a disk worth reading, in order: of each piece of `length` bytes from its first to its last allocated byte, out
/// to whole units. Asks the disk for a GiB at a time, so that memory stays small whatever the disk's size.
struct AllocatedChunks {
    private static let stride: Int64 = 1 << 30
    private let devices: [any BlockDevice]
    private let length: Int64
    private let unit: Int64
    private let end: Int64
    private var position: Int64 = 0
    private var pending: ArraySlice<Range<Int64>> = []

    /// What any of `devices` has allocated below `end`. `length` is a divisor of a GiB and a multiple of `unit`.
    init(of devices: [any BlockDevice], below end: Int64, length: Int64, unit: Int64) {
        (self.devices, self.end, self.length, self.unit) = (devices, end, length, unit)
    }

    mutating func next() throws(StorageFault) -> Range<Int64>? {
        while pending.isEmpty {
            guard position < end else { return nil }
            let part = position..<min(end, position + Self.stride)
            var hulls: [Range<Int64>] = []
            for device in devices {
                let inside = part.clamped(to: 0..<device.size)
                guard !inside.isEmpty else { continue }
                add(try device.allocatedRanges(in: inside), to: &hulls)
            }
            if devices.count > 1 { hulls = joined(hulls) }
            pending = hulls[...]
            position = part.upperBound
        }
        return pending.popFirst()
    }

    /// How many bytes all chunks have together.
    func total() throws(StorageFault) -> Int64 {
        var (copy, total) = (self, Int64(0))
        while let chunk = try copy.next() { total += chunk.upperBound - chunk.lowerBound }
        return total
    }

    private func add(_ ranges: [Range<Int64>], to hulls: inout [Range<Int64>]) {
        let first = hulls.count
        for range in ranges {
            var start = range.lowerBound / unit * unit
            let stop = min(end, (range.upperBound + unit - 1) / unit * unit)
            while start < stop {
                let next = min(stop, (start / length + 1) * length)
                if hulls.count > first, hulls[hulls.count - 1].lowerBound / length == start / length {
                    hulls[hulls.count - 1] = hulls[hulls.count - 1].lowerBound..<next
                } else {
                    hulls.append(start..<next)
                }
                start = next
            }
        }
    }

    /// One hull a piece, of those of all devices.
    private func joined(_ hulls: [Range<Int64>]) -> [Range<Int64>] {
        var result: [Range<Int64>] = []
        for hull in hulls.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, last.lowerBound / length == hull.lowerBound / length {
                result[result.count - 1] = last.lowerBound..<max(last.upperBound, hull.upperBound)
            } else {
                result.append(hull)
            }
        }
        return result
    }
}
