import Files

/// The block allocation table and the sector bitmaps, read in pages as they are needed. Memory: `pageLimit` pages of 64 KiB, 8 MiB,
/// whatever the disk's size. Changed pages stay until they are written.
struct VHDXTables: Sendable {
    static let pageSize: Int64 = 64 << 10
    static let pageLimit = 128
    private static let unit = Int64(VHDXFormat.logSector)

    private struct Page: Sendable {
        var bytes: [UInt8]
        /// A bit for each 4 KiB that was changed.
        var dirty: UInt16 = 0
        var used: UInt64
    }

    let source: VHDXSource
    var geometry: VHDXGeometry
    /// Where the block allocation table is in the file.
    var batOffset: Int64
    private var pages: [Int64: Page] = [:]
    private var clock: UInt64 = 0
    /// How many 4 KiB sectors were changed and not written.
    private(set) var dirtySectors = 0

    init(source: VHDXSource, geometry: VHDXGeometry, batOffset: Int64) {
        (self.source, self.geometry, self.batOffset) = (source, geometry, batOffset)
    }

    // MARK: pages

    /// Makes sure that the page of a place in the file is in memory; its number.
    private mutating func load(_ offset: Int64) throws(StorageFault) -> Int64 {
        let number = offset / Self.pageSize
        clock += 1
        guard pages[number] == nil else {
            pages[number]!.used = clock
            return number
        }
        if pages.count >= Self.pageLimit { try evict() }
        pages[number] = Page(bytes: try source.bytes(Int(Self.pageSize), at: number * Self.pageSize), used: clock)
        return number
    }

    private mutating func evict() throws(StorageFault) {
        if let oldest = pages.filter({ $0.value.dirty == 0 }).min(by: { $0.value.used < $1.value.used })?.key {
            pages[oldest] = nil
            return
        }
        precondition(source.zerosBehindEnd, "a live file's changes are written before they fill the memory")
        try writeInPlace()
        try evict()
    }

    private mutating func change(_ number: Int64, _ range: Range<Int>, _ body: (inout [UInt8]) -> Void) {
        body(&pages[number]!.bytes)
        for sector in range.lowerBound / Int(Self.unit)...(range.upperBound - 1) / Int(Self.unit)
        where pages[number]!.dirty & (1 << sector) == 0 {
            pages[number]!.dirty |= 1 << sector
            dirtySectors += 1
        }
    }

    /// What was changed and not written, by place in the file.
    func changes() -> [(offset: Int64, bytes: [UInt8])] {
        var changes: [(offset: Int64, bytes: [UInt8])] = []
        for (number, page) in pages.filter({ $0.value.dirty != 0 }).sorted(by: { $0.key < $1.key }) {
            for sector in 0..<Int(Self.pageSize / Self.unit) where page.dirty & (1 << sector) != 0 {
                let start = sector * Int(Self.unit)
                changes.append(
                    (number * Self.pageSize + Int64(start), Array(page.bytes[start..<start + Int(Self.unit)])))
            }
        }
        return changes
    }

    mutating func markWritten() {
        for number in pages.keys { pages[number]!.dirty = 0 }
        dirtySectors = 0
    }

    /// For a file that nobody takes for an image yet.
    mutating func writeInPlace() throws(StorageFault) {
        for (offset, bytes) in changes() { try source.file.write(bytes, at: offset) }
        markWritten()
    }

    /// Forgets what is in memory of a range of the file, for changes made around the tables.
    mutating func forget(_ range: Range<Int64>) {
        pages = pages.filter { !($0.key * Self.pageSize..<($0.key + 1) * Self.pageSize).overlaps(range) }
        dirtySectors = pages.values.reduce(0) { $0 + $1.dirty.nonzeroBitCount }
    }

    // MARK: entries

    mutating func entry(_ index: Int64) throws(StorageFault) -> VHDXEntry {
        let offset = batOffset + index * 8
        let number = try load(offset)
        return VHDXEntry(raw: pages[number]!.bytes.little(at: Int(offset % Self.pageSize)))
    }

    mutating func setEntry(_ index: Int64, _ entry: VHDXEntry) throws(StorageFault) {
        let offset = batOffset + index * 8
        let at = Int(offset % Self.pageSize)
        change(try load(offset), at..<at + 8) { $0.putLittle(entry.raw, at: at) }
    }

    mutating func entry(ofBlock block: Int64) throws(StorageFault) -> VHDXEntry {
        try entry(geometry.index(ofBlock: block))
    }

    mutating func setEntry(ofBlock block: Int64, _ entry: VHDXEntry) throws(StorageFault) {
        try setEntry(geometry.index(ofBlock: block), entry)
    }

    // MARK: bits

    /// The page with a block's bits, and the first of them in it. A block has 64 KiB of bits at most, and they never cross a page.
    private mutating func bits(of block: Int64, _ bitmap: Int64) throws(StorageFault) -> (page: Int64, first: Int) {
        let offset = bitmap + geometry.bits(ofBlock: block)
        return (try load(offset), Int(offset % Self.pageSize) * 8)
    }

    /// Calls `body` for each run of sectors of a block that are all here or all with the parent; `range` counts sectors in the block.
    mutating func forEachRun(
        of block: Int64, bitmap: Int64, in range: Range<Int>, _ body: (Range<Int>, _ here: Bool) -> Void
    ) throws(StorageFault) {
        let (page, first) = try bits(of: block, bitmap)
        pages[page]!.bytes.withUnsafeBytes { bytes in
            var at = first + range.lowerBound
            while at < first + range.upperBound {
                let end = Self.runEnd(bytes, at, first + range.upperBound)
                body(at - first..<end - first, bytes[at >> 3] & (1 << (at & 7)) != 0)
                at = end
            }
        }
    }

    private static func runEnd(_ bytes: UnsafeRawBufferPointer, _ from: Int, _ to: Int) -> Int {
        let here = bytes[from >> 3] & (1 << (from & 7)) != 0
        var at = from
        while at < to {
            if at & 63 == 0, at + 64 <= to {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at >> 3, as: UInt64.self))
                let other = here ? ~word : word
                if other != 0 { return at + other.trailingZeroBitCount }
                at += 64
            } else if (bytes[at >> 3] & (1 << (at & 7)) != 0) != here {
                return at
            } else {
                at += 1
            }
        }
        return to
    }

    /// Marks sectors of a block as here, or clears them.
    mutating func setBits(
        of block: Int64, bitmap: Int64, _ range: Range<Int>, here: Bool = true
    ) throws(StorageFault) {
        guard !range.isEmpty else { return }
        let (page, first) = try bits(of: block, bitmap)
        let bits = first + range.lowerBound..<first + range.upperBound
        change(page, bits.lowerBound / 8..<(bits.upperBound + 7) / 8) { bytes in
            var at = bits.lowerBound
            while at < bits.upperBound {
                if at & 7 == 0, at + 8 <= bits.upperBound {
                    bytes[at >> 3] = here ? 0xFF : 0
                    at += 8
                } else {
                    let mask = UInt8(1) << (at & 7)
                    if here { bytes[at >> 3] |= mask } else { bytes[at >> 3] &= ~mask }
                    at += 1
                }
            }
        }
    }

    /// Whether every sector of `range` is here.
    mutating func allHere(of block: Int64, bitmap: Int64, _ range: Range<Int>) throws(StorageFault) -> Bool {
        let (page, first) = try bits(of: block, bitmap)
        return pages[page]!.bytes.withUnsafeBytes { bytes in
            let from = first + range.lowerBound
            return bytes[from >> 3] & (1 << (from & 7)) != 0
                && Self.runEnd(bytes, from, first + range.upperBound) == first + range.upperBound
        }
    }
}
