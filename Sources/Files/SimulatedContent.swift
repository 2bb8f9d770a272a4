/// The bytes of a simulated file: what a reader sees, and what has changed since the last flush. A value: a copy shares its pages
/// until one of the two changes them.
struct SimulatedContent: Sendable {
    static let pageSize = 4096
    static let sectorSize = 512
    private static let zeroPage = [UInt8](repeating: 0, count: pageSize)

    private(set) var size: Int64 = 0
    private var pages: [Int: [UInt8]] = [:]
    /// Pages that have space but were not written.
    private var reserved: Set<Int> = []
    private var durableReserved: Set<Int> = []
    /// The numbers of `pages` in order, nil if not known.
    private var order: [Int]?

    // Since the last flush.
    private var changes: [Change] = []
    private var sizes: [Int64] = []
    /// Each page changed since then, as it was.
    private var before: [Int: [UInt8]?] = [:]
    private var changesOfPage: [Int: [Int]] = [:]
    private var durableSize: Int64 = 0

    private enum Change {
        case write(Int64, [UInt8])
        case zero(Range<Int64>)

        var range: Range<Int64> {
            switch self {
            case .write(let offset, let bytes): offset..<offset + Int64(bytes.count)
            case .zero(let range): range
            }
        }
    }

    var pageCount: Int { pages.count + reserved.count }

    /// Pages that a write of `range` would have to find space for, in order.
    func newPages(in range: Range<Int64>) -> [Int] {
        Self.numbers(range).filter { pages[$0] == nil && !reserved.contains($0) }
    }

    private static func numbers(_ range: Range<Int64>) -> Range<Int> {
        range.isEmpty
            ? 0..<0 : Int(range.lowerBound) / pageSize..<(Int(range.upperBound) + pageSize - 1) / pageSize
    }

    private static func bytes(of page: Int) -> Range<Int64> {
        Int64(page * pageSize)..<Int64((page + 1) * pageSize)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) -> Int {
        let count = Int(min(Int64(buffer.count), max(0, size - offset)))
        var done = 0
        while done < count {
            let place = Int(offset) + done
            let (page, skip) = place.quotientAndRemainder(dividingBy: Self.pageSize)
            let part = min(Self.pageSize - skip, count - done)
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + part])
            if let bytes = pages[page] {
                bytes.withUnsafeBytes {
                    target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[skip..<skip + part]))
                }
            } else {
                target.initializeMemory(as: UInt8.self, repeating: 0)
            }
            done += part
        }
        return count
    }

    mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) {
        guard !bytes.isEmpty else { return }
        let range = offset..<offset + Int64(bytes.count)
        let number = changes.count
        changes.append(.write(offset, [UInt8](bytes)))
        for page in Self.numbers(range) {
            remember(page, change: number)
            put(bytes, of: range, into: page)
        }
        size = max(size, range.upperBound)
        sizes.append(size)
    }

    private mutating func remember(_ page: Int, change: Int) {
        if before[page] == nil { before.updateValue(pages[page], forKey: page) }
        changesOfPage[page, default: []].append(change)
    }

    private mutating func put(_ bytes: UnsafeRawBufferPointer, of range: Range<Int64>, into page: Int) {
        let own = Self.bytes(of: page)
        let part = own.clamped(to: range)
        let source = UnsafeRawBufferPointer(
            rebasing: bytes[Int(part.lowerBound - range.lowerBound)..<Int(part.upperBound - range.lowerBound)])
        if pages[page] == nil {
            order = nil
            reserved.remove(page)
        }
        if part == own {
            pages[page] = [UInt8](source)
        } else {
            pages[page, default: Self.zeroPage].withUnsafeMutableBytes { target in
                target.baseAddress!.advanced(by: Int(part.lowerBound - own.lowerBound))
                    .copyMemory(from: source.baseAddress!, byteCount: source.count)
            }
        }
    }

    mutating func resize(to new: Int64) {
        if new < size { zero(new..<Int64.max / 2) }
        size = new
        sizes.append(size)
    }

    mutating func punch(_ range: Range<Int64>) {
        zero(range)
        sizes.append(size)
    }

    private mutating func zero(_ range: Range<Int64>) {
        let numbers = Self.numbers(range)
        let number = changes.count
        changes.append(.zero(range))
        let affected =
            numbers.count < pages.count
            ? numbers.filter { pages[$0] != nil } : pages.keys.filter { numbers.contains($0) }.sorted()
        for page in affected {
            remember(page, change: number)
            Self.clear(range, in: page, of: &pages)
        }
        if !affected.isEmpty { order = nil }
        if !reserved.isEmpty {
            reserved = reserved.filter { page in
                let own = Self.bytes(of: page)
                return own.clamped(to: range) != own
            }
        }
    }

    private static func clear(_ range: Range<Int64>, in page: Int, of pages: inout [Int: [UInt8]]) {
        let own = bytes(of: page)
        let part = own.clamped(to: range)
        guard part != own else {
            pages[page] = nil
            return
        }
        let zeros = [UInt8](repeating: 0, count: part.count)
        pages[page]?.replaceSubrange(
            Int(part.lowerBound - own.lowerBound)..<Int(part.upperBound - own.lowerBound), with: zeros)
    }

    mutating func reserve(_ range: Range<Int64>) { reserved.formUnion(newPages(in: range)) }

    /// The first run of written pages at or after `offset`.
    mutating func dataRange(from offset: Int64) -> Range<Int64>? {
        guard offset < size else { return nil }
        let order = order ?? pages.keys.sorted()
        self.order = order
        let first = Int(offset) / Self.pageSize
        var (low, high) = (0, order.count)
        while low < high {
            let middle = (low + high) / 2
            if order[middle] < first { low = middle + 1 } else { high = middle }
        }
        guard low < order.count else { return nil }
        var last = low
        while last + 1 < order.count, order[last + 1] == order[last] + 1 { last += 1 }
        let start = max(offset, Int64(order[low] * Self.pageSize))
        return start < size ? start..<min(size, Int64((order[last] + 1) * Self.pageSize)) : nil
    }

    /// All that was written is durable.
    mutating func settle() {
        changes.removeAll(keepingCapacity: true)
        sizes.removeAll(keepingCapacity: true)
        before.removeAll(keepingCapacity: true)
        changesOfPage.removeAll(keepingCapacity: true)
        durableSize = size
        durableReserved = reserved
    }

    /// What was written since the last flush is gone; a size that was changed stays, as yet not durable.
    mutating func dropUnflushed() {
        let (now, durable) = (size, durableSize)
        restore()
        resizeSilently(to: now)
        reserved.subtract(pages.keys)
        settle()
        durableSize = durable
        if now != durable { sizes = [now] }
    }

    private mutating func restore() {
        for (page, old) in before { pages[page] = old }
        order = nil
        size = durableSize
    }

    private mutating func resizeSilently(to new: Int64) {
        // Also what was put behind the end before: on a medium nothing is there.
        for page in pages.keys.filter({ Self.bytes(of: $0).upperBound > new }) {
            Self.clear(new..<Int64.max / 2, in: page, of: &pages)
        }
        order = nil
        size = new
    }

    /// What a power cut leaves: nothing of what was not flushed; or of each sector some version since the flush, and some of
    /// the sizes there were.
    mutating func cut(keeping fate: SimulatedFate, _ chance: inout SplitMix) {
        switch fate {
        case .kept: break
        case .lost: restore()
        case .torn:
            let chosen = ([durableSize] + sizes).randomElement(using: &chance) ?? durableSize
            var torn: [(Int, [UInt8])] = []
            for page in changesOfPage.keys.sorted() { torn.append((page, tornPage(page, &chance))) }
            restore()
            for (page, bytes) in torn { pages[page] = bytes.withUnsafeBytes { $0.isZero } ? nil : bytes }
            resizeSilently(to: chosen)
        }
        if fate != .kept { reserved = durableReserved.subtracting(pages.keys) }
        settle()
    }

    private func tornPage(_ page: Int, _ chance: inout SplitMix) -> [UInt8] {
        var bytes = (before[page] ?? nil) ?? Self.zeroPage
        let start = Int64(page * Self.pageSize)
        let own = (changesOfPage[page] ?? []).map { changes[$0] }
        for sector in 0..<Self.pageSize / Self.sectorSize {
            let lower = start + Int64(sector * Self.sectorSize)
            let range = lower..<lower + Int64(Self.sectorSize)
            let touching = own.filter { $0.range.overlaps(range) }
            // A cache holds the sector with all that was written before, so any version may be on the medium, but no mixture.
            for change in touching.prefix(Int.random(in: 0...touching.count, using: &chance)) {
                let part = change.range.clamped(to: range)
                let target = Int(part.lowerBound - start)..<Int(part.upperBound - start)
                switch change {
                case .write(let offset, let new):
                    bytes.replaceSubrange(
                        target, with: new[Int(part.lowerBound - offset)..<Int(part.upperBound - offset)])
                case .zero: bytes.replaceSubrange(target, with: repeatElement(0, count: target.count))
                }
            }
        }
        return bytes
    }

    /// Changes a byte on the medium and in the cache alike. False beyond the end.
    mutating func flip(_ byte: Int64, mask: UInt8) -> Bool {
        guard byte < size else { return false }
        let (page, skip) = Int(byte).quotientAndRemainder(dividingBy: Self.pageSize)
        if pages[page] == nil { order = nil }
        pages[page, default: Self.zeroPage][skip] ^= mask
        if let old = before[page] {
            var bytes = old ?? Self.zeroPage
            bytes[skip] ^= mask
            before.updateValue(bytes, forKey: page)
        }
        return true
    }
}

/// What becomes of what was not flushed.
enum SimulatedFate { case kept, lost, torn }

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
