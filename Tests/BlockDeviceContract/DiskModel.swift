import DiskImages
import Files
import Glibc

/// What a disk should hold, in plain arrays: the first bytes and the last ones of a large disk.
struct DiskModel {
    /// Parts of the disk that are known, one or two.
    let windows: [Range<Int64>]
    private var parts: [[UInt8]]

    init(of device: any BlockDevice, window: Int64, content: [UInt8]) {
        let size = device.size
        let whole = window / Int64(device.sectorSize) * Int64(device.sectorSize)
        windows = size <= 2 * whole ? [0..<size] : [0..<whole, size - whole..<size]
        parts = windows.map { window in
            var part = [UInt8](repeating: 0, count: window.count)
            let known = window.clamped(to: 0..<Int64(content.count))
            if !known.isEmpty {
                part.replaceSubrange(
                    Int(known.lowerBound - window.lowerBound)..<Int(known.upperBound - window.lowerBound),
                    with: content[Int(known.lowerBound)..<Int(known.upperBound)])
            }
            return part
        }
    }

    private func part(at offset: Int64) -> Int { windows.count > 1 && offset >= windows[1].lowerBound ? 1 : 0 }

    mutating func put(_ bytes: [UInt8], at offset: Int64) {
        let part = part(at: offset)
        let from = Int(offset - windows[part].lowerBound)
        parts[part].replaceSubrange(from..<from + bytes.count, with: bytes)
    }

    func bytes(_ range: Range<Int64>) -> [UInt8] {
        let part = part(at: range.lowerBound)
        let from = Int(range.lowerBound - windows[part].lowerBound)
        return Array(parts[part][from..<from + range.count])
    }

    func isZero(_ range: Range<Int64>) -> Bool { bytes(range).withUnsafeBytes { $0.isZero } }

    func firstDifference(from bytes: [UInt8], at offset: Int64) -> Int64? {
        let own = self.bytes(offset..<offset + Int64(bytes.count))
        guard !isEqual(own, bytes) else { return nil }
        return zip(own, bytes).enumerated().first { $0.element.0 != $0.element.1 }.map { offset + Int64($0.offset) }
    }

    func around(_ range: Range<Int64>, by margin: Int64) -> Range<Int64> {
        (max(0, range.lowerBound - margin)..<range.upperBound + margin).clamped(to: windows[part(at: range.lowerBound)])
    }

    /// Whole sectors inside a window, and bytes for them: often few, often at a round place, sometimes zeros.
    func randomChange(_ random: inout ContractRandom, sector: Int) -> (Range<Int64>, [UInt8]) {
        let window = windows[random.below(windows.count)]
        let sectors = window.count / sector
        let longest = [1, 8, 128, 2048][random.below(4)]
        let count = 1 + random.below(min(longest, sectors))
        var first = random.below(sectors - count + 1)
        if random.below(3) == 0 { first = first / 128 * 128 }
        let start = window.lowerBound + Int64(first * sector)
        let bytes =
            random.below(6) == 0 ? [UInt8](repeating: 0, count: count * sector) : random.bytes(count * sector)
        return (start..<start + Int64(count * sector), bytes)
    }
}

/// By the C library: tests are built without optimization, where Swift compares arrays byte by byte.
func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count
        && left.withUnsafeBytes { left in
            right.withUnsafeBytes { left.isEmpty || memcmp(left.baseAddress!, $0.baseAddress!, left.count) == 0 }
        }
}

/// SplitMix64: the same numbers from the same seed, anywhere.
public struct ContractRandom: Sendable {
    private var state: UInt64
    public init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    public mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// Bytes that no other call gives: every 512 of them begin with a number of their own, the rest repeats.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let pattern = (0..<63).map { _ in next() }
        bytes.withUnsafeMutableBytes { buffer in
            for start in stride(from: 0, to: count, by: 512) {
                let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[start..<min(start + 512, count)])
                withUnsafeBytes(of: next()) { piece.copyMemory(from: .init(rebasing: $0.prefix(piece.count))) }
                guard piece.count > 8 else { continue }
                pattern.withUnsafeBytes {
                    UnsafeMutableRawBufferPointer(rebasing: piece[8...])
                        .copyMemory(from: .init(rebasing: $0.prefix(piece.count - 8)))
                }
            }
        }
        return bytes
    }
}
