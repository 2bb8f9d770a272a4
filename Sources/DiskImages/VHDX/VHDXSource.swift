import Files

/// What a replay of the log would have written, laid over a file that is not to be changed. Memory: the log's data sectors, at most
/// as much as the log (64 MiB), and its zero ranges (1 MiB).
struct VHDXOverlay: Sendable {
    private static let largestZeros = 65_536
    /// How many entries the log gave.
    let entries: Int
    /// Of the file after the replay, bytes.
    let fileSize: Int64
    private var sectors: [Int64: [UInt8]] = [:]
    /// Ascending and disjoint.
    private var zeros: [Range<Int64>] = []

    init(_ log: inout VHDXLogReader, _ active: [VHDXLogEntry], fileSize: Int64) throws(StorageFault) {
        entries = active.count
        var order = 0
        var written: [Int64: Int] = [:]
        var cleared: [(range: Range<Int64>, order: Int)] = []
        var contents: [Int64: [UInt8]] = [:]
        var end = fileSize
        let path = log.file.path
        for entry in active {
            end = max(end, Int64(clamping: entry.lastFileOffset))
            try log.forEachOperation(of: entry) { (operation) throws(StorageFault) in
                order += 1
                switch operation {
                case .data(let at, let bytes):
                    contents[at] = bytes
                    written[at] = order
                    end = max(end, at + Int64(bytes.count))
                case .zero(let range):
                    guard cleared.count < Self.largestZeros else {
                        throw StorageFault(
                            .damaged, "VHDX-LOG", path,
                            "its log clears more than \(Self.largestZeros) ranges, which no program writes",
                            action: "Restore the file from a copy")
                    }
                    cleared.append((range, order))
                }
            }
        }
        self.fileSize = end
        guard end <= VHDXFormat.largestFile else {
            throw StorageFault(
                .damaged, "VHDX-LOG", path, "its log makes the file \(end) bytes long, more than any disk needs",
                action: "Restore the file from a copy")
        }
        for (range, order) in cleared.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            _ = order
            if let last = zeros.last, last.upperBound >= range.lowerBound {
                zeros[zeros.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                zeros.append(range)
            }
        }
        for (at, bytes) in contents {
            // A later zero range takes the sector back.
            let stands =
                !isZeroed(at) || !cleared.contains { $0.order > written[at]! && $0.range.contains(at) }
            if stands { sectors[at] = bytes }
        }
    }

    /// The first zero range that ends behind a place.
    private func firstZero(behind offset: Int64) -> Int {
        var (low, high) = (0, zeros.count)
        while low < high {
            let middle = (low + high) / 2
            if zeros[middle].upperBound > offset { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private func isZeroed(_ offset: Int64) -> Bool {
        let index = firstZero(behind: offset)
        return index < zeros.count && zeros[index].contains(offset)
    }

    /// Lays the replay over what was read from the file.
    func lay(over buffer: UnsafeMutableRawBufferPointer, at offset: Int64) {
        let range = offset..<offset + Int64(buffer.count)
        var index = firstZero(behind: offset)
        while index < zeros.count, zeros[index].lowerBound < range.upperBound {
            let part = zeros[index].clamped(to: range)
            UnsafeMutableRawBufferPointer(
                rebasing: buffer[Int(part.lowerBound - offset)..<Int(part.upperBound - offset)]
            )
            .initializeMemory(as: UInt8.self, repeating: 0)
            index += 1
        }
        let unit = Int64(VHDXFormat.logSector)
        var at = offset / unit * unit
        while at < range.upperBound {
            if let sector = sectors[at] {
                let part = (at..<at + unit).clamped(to: range)
                UnsafeMutableRawBufferPointer(
                    rebasing: buffer[Int(part.lowerBound - offset)..<Int(part.upperBound - offset)]
                ).copyBytes(from: sector[Int(part.lowerBound - at)..<Int(part.upperBound - at)])
            }
            at += unit
        }
    }
}

/// A VHDX file as it is after the replay of its log, which may not have been done in the file.
struct VHDXSource: Sendable {
    let file: any StoreFile
    var overlay: VHDXOverlay?
    /// In a file that is being made, what was not written yet is zeros.
    var zerosBehindEnd = false

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        let count = try file.read(into: buffer, at: offset)
        if count < buffer.count {
            guard zerosBehindEnd || offset + Int64(buffer.count) <= overlay?.fileSize ?? 0 else {
                throw StorageFault(
                    .damaged, "VHDX-SHORT", file.path,
                    "the file ends at byte \(offset + Int64(count)), before what is to be read from it",
                    action: "Restore the file from a copy; it was cut off")
            }
            UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).initializeMemory(as: UInt8.self, repeating: 0)
        }
        overlay?.lay(over: buffer, at: offset)
    }

    func bytes(_ count: Int, at offset: Int64) throws(StorageFault) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withMutableBytes { (buffer) throws(StorageFault) in try read(into: buffer, at: offset) }
        return bytes
    }
}
