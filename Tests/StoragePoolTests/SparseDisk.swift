import DiskImages
import Files
import Glibc
import StoragePool

/// A machine's disk as a plain value: only pages that are not zero are there.
struct SparseDisk: Hashable, Sendable {
    static let page = 4096
    var size: Int64
    private(set) var pages: [Int64: [UInt8]] = [:]

    init(size: Int64) { self.size = size }

    /// Fills whole pages: with noise, or (`kind` 1) with text that compresses, or (2) with zeros.
    mutating func fill(_ range: Range<Int64>, seed: UInt64, kind: Int = 0) {
        var random = SplitMix(seed: seed)
        for number in range.lowerBound / 4096..<(range.upperBound + 4095) / 4096 where number * 4096 < size {
            switch kind {
            case 0: pages[number] = Self.words { random.next() }
            case 1:
                let word = random.next() & 0x0F0F_0F0F_0F0F_0F0F
                pages[number] = Self.words { word }
            default: pages[number] = nil
            }
        }
        trim()
    }

    private static func words(_ next: () -> UInt64) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: page) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            for place in 0..<page / 8 { raw.storeBytes(of: next(), toByteOffset: place * 8, as: UInt64.self) }
            count = page
        }
    }

    mutating func resize(to new: Int64) {
        size = new
        trim()
    }

    /// Nothing is beyond the end.
    private mutating func trim() {
        for number in pages.keys where (number + 1) * 4096 > size {
            let left = Int(size - number * 4096)
            if left <= 0 {
                pages[number] = nil
            } else {
                pages[number]!.replaceSubrange(left..., with: repeatElement(0, count: 4096 - left))
            }
        }
    }

    func device(_ name: String) -> any BlockDevice {
        let device = MemoryDevice(size: size, name: name)
        for (number, bytes) in pages {
            let count = Int(min(4096, size - number * 4096))
            bytes.withUnsafeBytes {
                try! device.write(UnsafeRawBufferPointer(rebasing: $0[..<count]), at: number * 4096)
            }
        }
        return device
    }

    /// Whether what was read at a page is what this disk holds there.
    private func agrees(_ read: UnsafeRawBufferPointer, page number: Int64) -> Bool {
        guard let bytes = pages[number] else { return read.isZero }
        return bytes.withUnsafeBytes { memcmp($0.baseAddress!, read.baseAddress!, read.count) == 0 }
    }

    /// Where a device holds something else; nil if nowhere. Both what is allocated and what should be is looked at.
    func difference(from device: any BlockDevice, _ buffer: Buffer) throws -> String? {
        guard device.size == size else { return "its size is \(device.size) instead of \(size)" }
        var last: Int64 = 0
        for range in try device.allocatedRanges(in: 0..<size) {
            if let page = pages.keys.first(where: { ($0 + 1) * 4096 > last && ($0 + 1) * 4096 <= range.lowerBound }) {
                if !pages[page]!.withUnsafeBytes({ $0.isZero }) { return "page \(page) is said to be zeros" }
            }
            last = range.upperBound
            var at = range.lowerBound
            while at < range.upperBound {
                let count = Int(min(range.upperBound - at, Int64(buffer.bytes.count)))
                try device.read(into: buffer[0..<count], at: at)
                var place = 0
                while place < count {
                    let part = min(4096, count - place)
                    let number = (at + Int64(place)) / 4096
                    if !agrees(UnsafeRawBufferPointer(buffer[place..<place + part]), page: number) {
                        return "page \(number) differs"
                    }
                    place += part
                }
                at += Int64(count)
            }
        }
        for number in pages.keys where number * 4096 >= last {
            if !pages[number]!.withUnsafeBytes({ $0.isZero }) { return "page \(number) is said to be zeros" }
        }
        return nil
    }
}
