import Files

/// Which sectors of a block are here: the most significant bit is the first sector.
struct VHDBits {
    /// Empty when every bit is one.
    private(set) var bytes: [UInt8]
    private let size: Int

    init(full size: Int) { (bytes, self.size) = ([], size) }
    init(empty size: Int) { (bytes, self.size) = ([UInt8](repeating: 0, count: size), size) }
    init(_ bytes: [UInt8]) {
        size = bytes.count
        self.bytes = bytes.allSatisfy { $0 == 0xFF } ? [] : bytes
    }

    /// As in the file.
    var stored: [UInt8] { bytes.isEmpty ? [UInt8](repeating: 0xFF, count: size) : bytes }
    var memory: Int { bytes.count + 64 }

    subscript(sector: Int) -> Bool { bytes.isEmpty || bytes[sector >> 3] & (0x80 >> UInt8(sector & 7)) != 0 }

    /// Whether every sector of `range` has its bit as `value`.
    func all(_ range: Range<Int>, are value: Bool) -> Bool {
        if bytes.isEmpty { return value }
        var same = true
        scan(from: range.lowerBound, to: range.upperBound) { _, _, present in same = same && present == value }
        return same
    }

    mutating func set(_ range: Range<Int>, _ value: Bool) {
        if bytes.isEmpty {
            if value { return }
            bytes = stored
        }
        var sector = range.lowerBound
        while sector < range.upperBound {
            if sector & 7 == 0, sector + 8 <= range.upperBound {
                bytes[sector >> 3] = value ? 0xFF : 0
                sector += 8
            } else {
                let bit: UInt8 = 0x80 >> UInt8(sector & 7)
                if value { bytes[sector >> 3] |= bit } else { bytes[sector >> 3] &= ~bit }
                sector += 1
            }
        }
        if value, bytes.allSatisfy({ $0 == 0xFF }) { bytes = [] }
    }

    /// Calls `body` with each run of equal bits, ascending.
    func scan(from start: Int, to end: Int, _ body: (_ first: Int, _ last: Int, _ present: Bool) -> Void) {
        if bytes.isEmpty {
            if start < end { body(start, end, true) }
            return
        }
        var first = start
        while first < end {
            let present = self[first]
            let whole: UInt8 = present ? 0xFF : 0
            var last = first + 1
            while last < end {
                if last & 7 == 0, last + 8 <= end, bytes[last >> 3] == whole {
                    last += 8
                } else if self[last] == present {
                    last += 1
                } else {
                    break
                }
            }
            body(first, last, present)
            first = last
        }
    }
}

/// The sector bitmaps of a file that are in memory: any that changed and are not written yet, and some others.
struct VHDBitmaps {
    /// Of those that need not be kept, bytes.
    private static let most = 4 << 20
    /// Of one bitmap in the file, bytes.
    let size: Int
    private var known: [Int: VHDBits] = [:]
    private var memory = 0
    /// Blocks whose bitmaps the file lacks.
    private var dirty: Set<Int> = []
    private var writing: Set<Int> = []

    init(size: Int) { self.size = size }

    /// Whether it is time to write the changed ones.
    var isCrowded: Bool { dirty.count * (size + 64) > Self.most / 2 }

    mutating func bits(of block: Int, at offset: Int64, _ file: any StoreFile) throws(StorageFault) -> VHDBits {
        if let bits = known[block] { return bits }
        let bits = VHDBits(try file.bytes(size, at: offset))
        keep(bits, of: block)
        return bits
    }

    /// Takes the bitmap of a block; `changed` if the file has another one.
    mutating func put(_ bits: VHDBits, of block: Int, changed: Bool) {
        if changed { dirty.insert(block) }
        keep(bits, of: block)
    }

    /// The changed ones, as they are to be written. They stay in memory until `written`: the file has older ones.
    mutating func takeDirty() -> [(block: Int, bits: VHDBits)] {
        defer {
            writing.formUnion(dirty)
            dirty = []
        }
        return dirty.sorted().compactMap { block in known[block].map { (block, $0) } }
    }

    /// What was taken last is in the file now.
    mutating func written() { writing = [] }

    mutating func forget(from block: Int) {
        for key in known.keys.filter({ $0 >= block }) {
            memory -= known.removeValue(forKey: key)!.memory
            dirty.remove(key)
        }
    }

    private mutating func keep(_ bits: VHDBits, of block: Int) {
        if let old = known.updateValue(bits, forKey: block) { memory -= old.memory }
        memory += bits.memory
        guard memory > Self.most else { return }
        // Which ones go does not show anywhere but in time.
        for key in known.keys where key != block && !dirty.contains(key) && !writing.contains(key) {
            memory -= known.removeValue(forKey: key)!.memory
        }
    }
}
