import DiskImages
import Files
import Testing

/// Files put together and damaged byte by byte, after disk-formats.md 1.2.
@Suite("VHDX structures")
struct VHDXFormatTests {
    static let mebibyte: Int64 = 1 << 20
    static let (header1, header2): (Int64, Int64) = (64 << 10, 128 << 10)
    static let (table1, table2): (Int64, Int64) = (192 << 10, 256 << 10)
    static let (log, metadata, bat): (Int64, Int64, Int64) = (1 << 20, 2 << 20, 3 << 20)
    static let logGUID = GUID("0BADCAFE-0000-4000-8000-000000000001")!

    /// Changes a structure and puts its checksum right.
    static func edit(
        _ pages: inout VHDXPages, _ at: Int64, _ count: Int, seal: Bool = true, _ body: (inout [UInt8]) -> Void
    ) {
        var bytes = read(pages, at, count)
        body(&bytes)
        if seal { bytes.putLittle(CRC32C.of(bytes, zeroing: 4), at: 4) }
        put(&pages, bytes, at)
    }

    static func read(_ pages: VHDXPages, _ at: Int64, _ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        _ = bytes.withUnsafeMutableBytes { pages.read(into: $0, at: at) }
        return bytes
    }

    static func put(_ pages: inout VHDXPages, _ bytes: [UInt8], _ at: Int64) {
        bytes.withUnsafeBytes { pages.write($0, at: at) }
    }

    static func open(_ pages: VHDXPages, writable: Bool = false) throws(StorageFault) -> VHDXLayer {
        try VHDXLayer(file: VHDXMemoryFile(pages), writable: writable, guids: SequentialGUIDs(seed: 1))
    }

    /// The id of the fault that opening gives, nil if it opens.
    static func refusal(_ pages: VHDXPages) -> String? {
        do {
            _ = try open(pages)
            return nil
        } catch { return error.id }
    }

    // MARK: headers and regions

    @Test("one good header is enough, two bad ones are not, and two that differ at one sequence are refused")
    func headers() throws {
        let image = try vhdxImage(size: 4 << 20)
        for bad in [Self.header1, Self.header2] {
            var pages = image
            Self.edit(&pages, bad, 4096, seal: false) { $0[100] ^= 1 }
            #expect(Self.refusal(pages) == nil)
            Self.edit(&pages, Self.header1 + Self.header2 - bad, 4096) { $0[66] = 2 }
            #expect(Self.refusal(pages) == "VHDX-HEADER")
        }
        var pages = image
        Self.edit(&pages, Self.header1, 4096) {
            $0.putLittle(UInt64(9), at: 8)
            $0.put(Self.logGUID.bytes, at: 32)
        }
        #expect(try Self.open(pages).dataWriteGUID == Self.logGUID)
        Self.edit(&pages, Self.header2, 4096) { $0.putLittle(UInt64(9), at: 8) }
        #expect(Self.refusal(pages) == "VHDX-HEADER")
        Self.put(&pages, Self.read(pages, Self.header1, 4096), Self.header2)
        #expect(Self.refusal(pages) == nil)
        Self.put(&pages, Array("vhdxfilf".utf8), 0)
        #expect(Self.refusal(pages) == "VHDX-IDENT")
    }

    @Test("the second region table serves when the first is bad; a region that is required and unknown is refused")
    func regions() throws {
        var pages = try vhdxImage(size: 4 << 20)
        let image = pages
        Self.edit(&pages, Self.table1, 65_536, seal: false) { $0[40] ^= 0xFF }
        #expect(Self.refusal(pages) == nil)
        #expect(VHDX.dump(VHDXMemoryFile(pages)).filter { !$0.problems.isEmpty }.map(\.name) == ["region table 1"])
        Self.edit(&pages, Self.table2, 65_536, seal: false) { $0[0] ^= 0xFF }
        #expect(Self.refusal(pages) == "VHDX-REGION")

        for (flags, expected) in [(UInt32(1), "VHDX-REGION"), (0, nil)] {
            pages = image
            Self.edit(&pages, Self.table1, 65_536) {
                $0.putLittle(UInt32(3), at: 8)
                $0.put(Self.logGUID.bytes, at: 80)
                $0.putLittle(flags, at: 108)
            }
            #expect(Self.refusal(pages) == expected)
        }
    }

    @Test(
        "regions that overlap, lie in the headers or behind the end are refused",
        arguments: [
            (16 + 16, Int64(2 << 20)), (32, 0), (32, 1 << 20), (32, 1 << 40), (32, -1 << 20), (48 + 16, 3 << 20),
        ])
    func places(_ field: Int, _ value: Int64) throws {
        var pages = try vhdxImage(size: 4 << 20)
        for table in [Self.table1, Self.table2] {
            Self.edit(&pages, table, 65_536) { $0.putLittle(value, at: field) }
        }
        #expect(Self.refusal(pages) == "VHDX-REGION")
    }

    @Test("a metadata item that is required and unknown is refused, another is passed over")
    func items() throws {
        for (flags, expected) in [(UInt32(4), "VHDX-METADATA"), (0, nil)] {
            var pages = try vhdxImage(size: 4 << 20)
            Self.edit(&pages, Self.metadata, 65_536, seal: false) {
                $0.putLittle(UInt16(6), at: 10)
                $0.put(Self.logGUID.bytes, at: 32 + 160)
                $0.putLittle(flags, at: 32 + 160 + 24)
            }
            #expect(Self.refusal(pages) == expected)
        }
    }

    @Test(
        "sizes that no disk has are refused",
        arguments: [
            (65_536, UInt64(3 << 20)), (65_536, 512 << 10), (65_536, 512 << 20), (65_544, 0), (65_544, 513),
            (65_544, 65 << 40), (65_544, .max), (65_544, 1 << 38), (65_568, 1024), (65_568, 0), (65_576, 7),
        ])
    func sizes(_ offset: Int, _ value: UInt64) throws {
        var pages = try vhdxImage(size: 4 << 20)
        let isNarrow = offset != 65_544
        Self.edit(&pages, Self.metadata, 131_072, seal: false) {
            if isNarrow { $0.putLittle(UInt32(value), at: offset) } else { $0.putLittle(value, at: offset) }
        }
        let refusal = Self.refusal(pages)
        #expect(refusal == "VHDX-METADATA" || refusal == "VHDX-REGION", "\(refusal ?? "opened")")
    }

    // MARK: blocks

    @Test("each state of a block reads as the format says, whole disks and children alike", arguments: [false, true])
    func states(_ differencing: Bool) throws {
        let kind = differencing ? NewImage.Kind.differencing(vhdxParent) : .dynamic
        var pages = try vhdxImage(size: 8 << 20, kind: kind)
        let first = pages.size
        pages.truncate(to: first + 3 * Self.mebibyte)
        let block = UInt64(first)
        Self.put(&pages, [UInt8](repeating: 6, count: 1 << 20), first)
        Self.put(&pages, [UInt8](repeating: 7, count: 1 << 20), first + Self.mebibyte)
        for state in 0..<8 {
            var entry = UInt64(state)
            if state == 6 { entry |= block }
            if state == 7 { entry |= block + 1 << 20 }
            Self.edit(&pages, Self.bat, 4096, seal: false) { $0.putLittle(entry, at: state * 8) }
        }
        // Least significant bit first: sectors 0 to 2 and 9 of block 7 are here. Block 7's bits are at 7 × 256.
        Self.put(&pages, [0b111, 0b10], first + 2 * Self.mebibyte + 7 * 256)
        Self.edit(&pages, Self.bat + 4096 * 8, 8, seal: false) { $0.putLittle(block + 2 << 20 | 6, at: 0) }
        let layer = try Self.open(pages)
        for state in 0..<8 {
            let range = Int64(state) << 20..<Int64(state + 1) << 20
            let start = range.lowerBound
            switch state {
            case 0: #expect(try layer.runs(in: range) == [LayerRun(range, differencing ? .parent : .zero)])
            case 6: #expect(try layer.runs(in: range) == [LayerRun(range, .here(first))])
            case 4: #expect(throws: StorageFault.self) { try layer.runs(in: range) }
            case 7 where differencing:
                #expect(
                    try layer.runs(in: range) == [
                        LayerRun(start..<start + 1536, .here(first + Self.mebibyte)),
                        LayerRun(start + 1536..<start + 9 * 512, .parent),
                        LayerRun(start + 9 * 512..<start + 5120, .here(first + Self.mebibyte + 9 * 512)),
                        LayerRun(start + 5120..<range.upperBound, .parent),
                    ])
                // At any byte.
                #expect(
                    try layer.runs(in: start + 100..<start + 1537) == [
                        LayerRun(start + 100..<start + 1536, .here(first + Self.mebibyte + 100)),
                        LayerRun(start + 1536..<start + 1537, .parent),
                    ])
            case 7: #expect(throws: StorageFault.self) { try layer.runs(in: range) }
            default: #expect(try layer.runs(in: range) == [LayerRun(range, .zero)])
            }
        }
    }

    @Test(
        "a block outside the file, or in a region, is damage",
        arguments: [Int64(0), 1 << 20, 3 << 20, 1 << 40, -1 << 20])
    func outside(_ place: Int64) throws {
        var pages = try vhdxImage(size: 4 << 20)
        Self.edit(&pages, Self.bat, 4096, seal: false) { $0.putLittle(UInt64(bitPattern: place) | 6, at: 0) }
        let layer = try Self.open(pages)
        #expect(throws: StorageFault.self) { try layer.runs(in: 0..<512) }
        #expect(throws: StorageFault.self) { _ = try Self.open(pages, writable: true) }
        #expect(try layer.runs(in: 1 << 20..<2 << 20).map(\.place) == [.zero])
        #expect(VHDX.dump(VHDXMemoryFile(pages)).last?.problems.count == 1)
    }

    @Test("bits of a block that was the parent's mean nothing, and do not count when a part of it is written")
    func staleBits() throws {
        var pages = try vhdxImage(size: 8 << 20, kind: .differencing(vhdxParent))
        let bitmap = pages.size
        Self.put(&pages, [UInt8](repeating: 0xFF, count: 1 << 20), bitmap)
        Self.edit(&pages, Self.bat + 4096 * 8, 8, seal: false) { $0.putLittle(UInt64(bitmap) | 6, at: 0) }
        let layer = try Self.open(pages, writable: true)
        try layer.write([UInt8](repeating: 1, count: 512), at: 2 << 20 | 512)
        try layer.discard(3 << 20..<3 << 20 | 512)
        let runs = try layer.runs(in: 0..<8 << 20)
        #expect(runs.map(\.range.lowerBound) == [0, 2 << 20 | 512, 2 << 20 | 1024, 3 << 20, 3 << 20 | 512])
    }

    @Test("a parent_linkage2 of zeros names nothing")
    func secondLinkage() throws {
        let second = ParentReference(linkage: vhdxParent.linkage + [Self.logGUID], paths: vhdxParent.paths)
        var pages = try vhdxImage(size: 4 << 20, kind: .differencing(second))
        #expect(try Self.open(pages).parent == second)
        let text = Array("0badcafe-0000-4000-8000-000000000001".utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] })
        let region = Self.read(pages, Self.metadata, 131_072)
        let found = try #require((65_536..<131_000).first { region[$0..<$0 + text.count].elementsEqual(text) })
        let zeros = "00000000-0000-0000-0000-000000000000".utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        Self.put(&pages, zeros, Self.metadata + Int64(found))
        #expect(try Self.open(pages).parent == vhdxParent)
    }

    // MARK: log

    enum Descriptor {
        case data(Int64, UInt8)
        case zero(Int64, UInt64)
    }

    /// An entry of the log by the book, written without the program's own encoder.
    static func entry(
        _ sequence: UInt64, tail: Int64, _ descriptors: [Descriptor], flushed: Int64 = 0, last: Int64 = 0
    ) -> [UInt8] {
        let described = (64 + 32 * descriptors.count + 4095) / 4096 * 4096
        var bytes = [UInt8](repeating: 0, count: described)
        bytes.put("loge".utf8, at: 0)
        bytes.putLittle(UInt32(tail), at: 12)
        bytes.putLittle(sequence, at: 16)
        bytes.putLittle(UInt32(descriptors.count), at: 24)
        bytes.put(logGUID.bytes, at: 32)
        bytes.putLittle(flushed, at: 48)
        bytes.putLittle(last, at: 56)
        for (index, descriptor) in descriptors.enumerated() {
            let at = 64 + 32 * index
            bytes.putLittle(sequence, at: at + 24)
            switch descriptor {
            case .data(let offset, let value):
                bytes.put("desc".utf8, at: at)
                bytes.put([UInt8](repeating: value, count: 4 + 8), at: at + 4)
                bytes.putLittle(offset, at: at + 16)
                var sector = [UInt8](repeating: value, count: 4096)
                sector.put("data".utf8, at: 0)
                sector.putLittle(UInt32(sequence >> 32), at: 4)
                sector.putLittle(UInt32(sequence & 0xFFFF_FFFF), at: 4092)
                bytes += sector
            case .zero(let offset, let count):
                bytes.put("zero".utf8, at: at)
                bytes.putLittle(count, at: at + 8)
                bytes.putLittle(offset, at: at + 16)
            }
        }
        bytes.putLittle(UInt32(bytes.count), at: 8)
        bytes.putLittle(CRC32C.of(bytes, zeroing: 4), at: 4)
        return bytes
    }

    /// A fixed image of 4 MiB full of ones with a log that holds `entries` by place; what lies behind the log's end goes on at its
    /// beginning. Payload begins at 4 MiB.
    static func logged(_ entries: [(place: Int64, bytes: [UInt8])]) throws -> VHDXPages {
        var pages = try vhdxImage(size: 4 << 20, kind: .fixed)
        put(&pages, [UInt8](repeating: 1, count: 4 << 20), 4 << 20)
        for header in [header1, header2] { edit(&pages, header, 4096) { $0.put(logGUID.bytes, at: 48) } }
        for (place, bytes) in entries {
            let fits = min(bytes.count, Int(mebibyte - place))
            put(&pages, Array(bytes[..<fits]), log + place)
            put(&pages, Array(bytes[fits...]), log)
        }
        return pages
    }

    /// The values of the first eight pages of the disk, both as replayed in memory and in the file.
    static func pages(_ pages: VHDXPages) throws -> [UInt8] {
        let file = VHDXMemoryFile(pages)
        let guids = SequentialGUIDs(seed: 1)
        let reader = try VHDXLayer(file: file, writable: false, guids: guids)
        let content = try reader.content(0..<8 * 4096)
        let values = (0..<8).map { content[$0 * 4096] }
        #expect(content == values.flatMap { [UInt8](repeating: $0, count: 4096) })
        let writer = try VHDXLayer(file: file, writable: true, guids: guids)
        #expect(try writer.content(0..<4 << 20) == reader.content(0..<4 << 20))
        #expect(writer.replayedLogEntries == reader.replayedLogEntries)
        return values
    }

    static func page(_ number: Int64) -> Int64 { 4 << 20 | number * 4096 }

    @Test("entries are applied from the tail to the head, round the end of the log too")
    func wraps() throws {
        let first = Self.entry(7, tail: 1_044_480 - 4096, [.zero(Self.page(0), 12_288), .data(Self.page(1), 2)])
        #expect(first.count == 8192)
        // The second begins with the log's last sector and ends behind its beginning.
        let second = Self.entry(
            8, tail: 1_040_384, [.data(Self.page(2), 3), .zero(Self.page(1), 4096), .data(Self.page(4), 4)])
        let third = Self.entry(9, tail: 1_036_288, [.data(Self.page(1), 5)])
        let pages = try Self.logged([(1_036_288, first), (1_044_480, second), (8192, third)])
        #expect(try Self.pages(pages) == [0, 5, 3, 1, 4, 1, 1, 1])
        #expect(try Self.open(pages).replayedLogEntries == 3)
        // With a tail at the third, the others are in place already.
        let alone = Self.entry(9, tail: 8192, [.data(Self.page(1), 5)])
        let later = try Self.logged([(1_036_288, first), (1_044_480, second), (8192, alone)])
        #expect(try Self.pages(later) == [1, 5, 1, 1, 1, 1, 1, 1])
    }

    @Test(
        "the sequence with the highest number counts; a torn entry, another log's, or one that skips a number ends it")
    func sequences() throws {
        let old = Self.entry(3, tail: 0, [.data(Self.page(0), 9)])
        let new = Self.entry(20, tail: 40_960, [.data(Self.page(1), 8)])
        #expect(try Self.pages(Self.logged([(0, old), (40_960, new)])) == [1, 8, 1, 1, 1, 1, 1, 1])
        var torn = Self.entry(21, tail: 40_960, [.data(Self.page(2), 7)])
        torn[5000] ^= 1
        #expect(try Self.pages(Self.logged([(40_960, new), (49_152, torn)])) == [1, 8, 1, 1, 1, 1, 1, 1])
        let skips = Self.entry(22, tail: 40_960, [.data(Self.page(2), 7)])
        #expect(try Self.pages(Self.logged([(40_960, new), (49_152, skips)])) == [1, 8, 1, 1, 1, 1, 1, 1])
        // Its tail is in no sequence, so what it needs is not there.
        let lost = Self.entry(30, tail: 4096, [.data(Self.page(3), 6)])
        #expect(try Self.pages(Self.logged([(0, old), (81_920, lost)])) == [9, 1, 1, 1, 1, 1, 1, 1])
        #expect(Self.refusal(try Self.logged([(81_920, lost)])) == "VHDX-LOG")
        #expect(Self.refusal(try Self.logged([])) == "VHDX-LOG")
    }

    @Test("a file shorter than it was when its log was written is refused; one that the log makes longer is")
    func lengths() throws {
        let cut = Self.entry(1, tail: 0, [.data(Self.page(0), 9)], flushed: (8 << 20) + 1, last: 8 << 20)
        #expect(Self.refusal(try Self.logged([(0, cut)])) == "VHDX-SHORT")
        let whole = Self.entry(1, tail: 0, [.data(Self.page(0), 9)], flushed: 8 << 20, last: 12 << 20)
        let file = VHDXMemoryFile(try Self.logged([(0, whole)]))
        let layer = try VHDXLayer(file: file, writable: true, guids: SequentialGUIDs(seed: 1))
        #expect(file.content.size == 12 << 20)
        try layer.close()
        let endless = Self.entry(1, tail: 0, [.zero(Self.page(0), 1 << 62)], last: .max)
        #expect(Self.refusal(try Self.logged([(0, endless)])) == "VHDX-LOG")
    }

    @Test("a log that changes the headers or itself is refused", arguments: [Int64(0), 64 << 10, 128 << 10, 1 << 20])
    func forbidden(_ target: Int64) throws {
        let entry = Self.entry(1, tail: 0, [.data(target, 9)])
        #expect(Self.refusal(try Self.logged([(0, entry)])) == "VHDX-LOG")
    }

    // MARK: damage

    @Test("damage with right checksums is refused or read, never a crash; dump tells of it", arguments: [UInt64](1...6))
    func damage(_ seed: UInt64) throws {
        var random = VHDXRandom(seed: seed)
        let file = VHDXMemoryFile(
            try vhdxImage(size: 6 << 20, kind: seed % 2 == 0 ? .dynamic : .differencing(vhdxParent)))
        let guids = SequentialGUIDs(seed: 1)
        let layer = try VHDXLayer(file: file, writable: true, guids: guids)
        for step in 0..<6 {
            try layer.write([UInt8](repeating: 3, count: 8192), at: Int64(step) << 20)
            try layer.flush()
        }
        let image = file.content
        let parts: [(at: Int64, count: Int, used: Int, seal: Bool)] = [
            (Self.header1, 4096, 80, true), (Self.header2, 4096, 80, true), (Self.table1, 65_536, 80, true),
            (Self.table2, 65_536, 80, true), (Self.metadata, 65_536, 224, false),
            (Self.metadata + 65_536, 4096, 400, false), (Self.bat, 4096, 48, false),
            (Self.bat + 32_768, 4096, 8, false),
            (Self.log, 8192, 130, true), (Self.log + 16_384, 8192, 130, true),
        ]
        for _ in 0..<20 {
            var pages = image
            for _ in 0...random.next() % 3 {
                let part = parts[Int(random.next() % UInt64(parts.count))]
                Self.edit(&pages, part.at, part.count, seal: part.seal) { bytes in
                    let at = Int(random.next() % UInt64(part.used))
                    switch random.next() % 3 {
                    case 0: bytes[at] ^= 1 << UInt8(random.next() % 8)
                    case 1: bytes.putLittle(UInt32.max, at: at & ~3)
                    default: bytes.putLittle(random.next(), at: at & ~7)
                    }
                }
            }
            if random.next() % 8 == 0 { pages.truncate(to: Int64(random.next() % UInt64(pages.size))) }
            let damaged = VHDXMemoryFile(pages)
            #expect(!VHDX.dump(damaged).isEmpty)
            for writable in [false, true] {
                do throws(StorageFault) {
                    let layer = try VHDXLayer(file: damaged, writable: writable, guids: guids)
                    let size = min(layer.size, 64 << 20)
                    for run in try layer.runs(in: 0..<size) where run.place != .zero && run.place != .parent {
                        var bytes = [UInt8](repeating: 0, count: run.range.count)
                        try bytes.withMutableBytes { (buffer) throws(StorageFault) in
                            try layer.read(into: buffer, of: run)
                        }
                    }
                    guard writable else { continue }
                    try layer.write([UInt8](repeating: 4, count: 4096), at: 0)
                    try layer.discard(0..<4096)
                    try layer.resize(to: size / 4096 * 4096 + (3 << 20))
                    try layer.close()
                } catch { #expect(!error.cause.isEmpty) }
            }
        }
    }
}
