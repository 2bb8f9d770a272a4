import Files

/// Checksums of a plain file's records, as the stream DPMC holds them: for each run of 2^k records XXH3 of their tags,
/// folded pair by pair when there are more than 65 536, so that they never take more than 512 KiB.
struct RecordChecks: Hashable, Sendable {
    private static let most = 1 << 16
    /// Records of one run: a power of two.
    private(set) var run: UInt64 = 1
    private(set) var sums: [UInt64] = []
    private(set) var records: UInt64 = 0
    /// Sums of complete parts of the run in the making: of one record, two, four...
    private var parts: [UInt64?] = []

    /// - Parameter tag: 16 bytes.
    mutating func add(_ tag: UnsafeRawBufferPointer) {
        records += 1
        push(XXH3.of(tag), level: 0)
        if sums.count > Self.most { fold() }
    }

    private mutating func push(_ sum: UInt64, level: Int) {
        if 1 << UInt64(level) == run {
            sums.append(sum)
            return
        }
        while parts.count <= level { parts.append(nil) }
        guard let left = parts[level] else {
            parts[level] = sum
            return
        }
        parts[level] = nil
        push(Self.joined(left, sum), level: level + 1)
    }

    private mutating func fold() {
        let level = Int(run.trailingZeroBitCount)
        run *= 2
        let old = sums
        sums = []
        while parts.count <= level { parts.append(nil) }
        for index in stride(from: 0, to: old.count - 1, by: 2) { sums.append(Self.joined(old[index], old[index + 1])) }
        if old.count % 2 == 1 { parts[level] = old[old.count - 1] }
    }

    private static func joined(_ left: UInt64, _ right: UInt64) -> UInt64 {
        var pair = (left.littleEndian, right.littleEndian)
        return withUnsafeBytes(of: &pair) { XXH3.of($0) }
    }

    /// The sums, the last of them of an incomplete run.
    var all: [UInt64] {
        var rest: UInt64?
        for part in parts {
            guard let part else { continue }
            rest = rest.map { Self.joined(part, $0) } ?? part
        }
        return sums + (rest.map { [$0] } ?? [])
    }

    /// Records u64, run u64, then the sums.
    var encoded: [UInt8] {
        let all = all
        var bytes = [UInt8](repeating: 0, count: 16 + 8 * all.count)
        bytes.putLittle(records, at: 0)
        bytes.putLittle(run, at: 8)
        for (index, sum) in all.enumerated() { bytes.putLittle(sum, at: 16 + 8 * index) }
        return bytes
    }

    static let largest = 16 + 8 * (most + 2)

    /// Which records, as far as can be told, are not those that `encoded` is of.
    func differences(from encoded: [UInt8]) -> [Range<Int64>] {
        let own = self.encoded
        guard own != encoded else { return [] }
        guard encoded.count == own.count, encoded[..<16].elementsEqual(own[..<16]) else {
            return [0..<Int64(records)]
        }
        let run = Int64(clamping: run)
        return (0..<(own.count - 16) / 8).compactMap { index in
            let place = 16 + 8 * index
            guard own.little(UInt64.self, at: place) != encoded.little(UInt64.self, at: place) else { return nil }
            return Int64(index) * run..<min(Int64(records), Int64(index + 1) * run)
        }
    }
}
