import Files

extension VHDXShared {
    private static let entriesTogether: Int64 = 1 << 17

    /// Before a file is changed, every block of it must have a place of its own: a change of one would change the other, and a place
    /// behind the end would be given to a new block. Faults: `VHDX-OVERLAP`, `VHDX-BAT`.
    ///
    /// Reads the block allocation table once. Memory: 1 MiB of it, and a bit for each MiB of the file, 16 MiB at most.
    func checkForWriting(_ path: String) throws(StorageFault) {
        let geometry = tables.geometry
        var taken = VHDXPlaces(fileSize: fileSize)
        var first: Int64 = 0
        while first < geometry.entries {
            let count = min(Self.entriesTogether, geometry.entries - first)
            let bytes = try tables.source.bytes(Int(count) * 8, at: tables.batOffset + first * 8)
            try bytes.withBytes { (bytes) throws(StorageFault) in
                for index in 0..<count {
                    let raw = bytes.loadUnaligned(fromByteOffset: Int(index) * 8, as: UInt64.self)
                    let entry = VHDXEntry(raw: UInt64(littleEndian: raw))
                    guard entry.state == .fullyPresent || entry.state == .partiallyPresent else { continue }
                    let (what, range) = try content(of: entry, first + index, path)
                    guard let range else { continue }
                    guard taken.insert(range) else {
                        throw StorageFault(
                            .damaged, "VHDX-OVERLAP", path,
                            "\(what) lies at byte \(range.lowerBound), over another block",
                            action: "Restore the file from a copy; it can be read, but not written")
                    }
                }
            }
            first += count
        }
    }

    /// What an entry's number stands for and where that lies, checked; no range for an entry without meaning.
    private func content(
        of entry: VHDXEntry, _ index: Int64, _ path: String
    ) throws(StorageFault) -> (what: String, range: Range<Int64>?) {
        let geometry = tables.geometry
        guard let block = geometry.block(ofIndex: index) else {
            guard geometry.differencing, entry.state == .fullyPresent else { return ("", nil) }
            let what = "the sector bitmap of chunk \(index / (geometry.chunkRatio + 1))"
            let offset = try place(entry, VHDXFormat.mebibyte, what, path)
            return (what, offset..<offset + VHDXFormat.mebibyte)
        }
        guard block < geometry.blocks, geometry.differencing || entry.state == .fullyPresent else { return ("", nil) }
        let offset = try place(of: entry, block: block, path)
        let content = geometry.range(ofBlock: block)
        return ("block \(block)", offset..<offset + (content.upperBound - content.lowerBound))
    }
}

/// Which MiB of a file are taken; blocks begin at whole ones.
private struct VHDXPlaces {
    private var taken: [UInt64]

    init(fileSize: Int64) {
        taken = [UInt64](repeating: 0, count: Int(fileSize / VHDXFormat.mebibyte / 64) + 1)
    }

    /// False if part of the range, which lies inside the file, was taken before.
    mutating func insert(_ range: Range<Int64>) -> Bool {
        let unit = VHDXFormat.mebibyte
        for number in Int(range.lowerBound / unit)...Int((range.upperBound - 1) / unit) {
            let bit: UInt64 = 1 << UInt64(number % 64)
            guard taken[number / 64] & bit == 0 else { return false }
            taken[number / 64] |= bit
        }
        return true
    }
}
