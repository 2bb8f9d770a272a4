import Files

/// A descriptor block: header, fixed fields, texts, data of ours in the place of the system's.
struct Block: Hashable, Sendable {
    var header: BlockHeader
    var content: BlockContent
    /// "OS specific data".
    var osData: [UInt8] = []

    var type: FourLetters { header.type }

    init(_ content: BlockContent, attributes: UInt32 = 0, osData: [UInt8] = []) {
        header = BlockHeader(content.type ?? "NONE")
        header.attributes = attributes
        (self.content, self.osData) = (content, osData)
    }

    /// Its bytes, a multiple of 4; `header.firstEvent` is their count.
    /// - Throws: `TAPE-TEXT` if texts and data do not fit into 65 532 bytes.
    func encoded() throws(StorageFault) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: BlockContent.fixedSize(type))
        put(&bytes)
        if !osData.isEmpty {
            bytes.putLittle(UInt16(truncatingIfNeeded: osData.count), at: 44)
            bytes.putLittle(UInt16(truncatingIfNeeded: bytes.count), at: 46)
            bytes += osData
        }
        bytes += [UInt8](repeating: 0, count: MTF.aligned(bytes.count) - bytes.count)
        guard bytes.count <= 65_532 else {
            throw StorageFault(
                .badInput, "TAPE-TEXT", "block \(type)", "its texts take \(bytes.count) bytes, 65532 are allowed",
                action: "Shorten names and descriptions")
        }
        var header = header
        header.firstEvent = bytes.count
        header.put(into: &bytes)
        return bytes
    }

    private func put(_ bytes: inout [UInt8]) {
        switch content {
        case .tape(let facts):
            bytes.putLittle(facts.family, at: 52)
            bytes.putLittle(UInt32(2), at: 56)
            bytes.putLittle(facts.sequence, at: 60)
            bytes.putLittle(facts.catalogType, at: 66)
            bytes.putLittle(facts.flb, at: 84)
            bytes.putLittle(facts.vendor, at: 86)
            bytes.put(MTFDate.encoded(facts.date), at: 88)
            bytes[93] = 1
            for (text, field) in [(facts.name, 68), (facts.label, 72), (facts.software, 80)] {
                Self.append(text, at: field, &bytes)
            }
        case .setStart(let facts):
            bytes.putLittle(facts.attributes, at: 52)
            bytes.putLittle(facts.compression, at: 58)
            bytes.putLittle(facts.vendor, at: 60)
            bytes.putLittle(facts.number, at: 62)
            bytes.putLittle(facts.object, at: 80)
            bytes.put(MTFDate.encoded(facts.date), at: 88)
            (bytes[93], bytes[94]) = (facts.softwareMajor, facts.softwareMinor)
            bytes[95] = UInt8(bitPattern: facts.timeZone)
            (bytes[96], bytes[97]) = (facts.minor, facts.catalogVersion)
            for (text, field) in [(facts.name, 64), (facts.description, 68), (facts.user, 76)] {
                Self.append(text, at: field, &bytes)
            }
        case .volume(let facts):
            bytes.putLittle(facts.attributes, at: 52)
            bytes.put(MTFDate.encoded(facts.date), at: 68)
            for (text, field) in [(facts.device, 56), (facts.volume, 60), (facts.machine, 64)] {
                Self.append(text, at: field, &bytes)
            }
        case .directory(let facts):
            bytes.putLittle(facts.attributes, at: 52)
            Self.put(facts.modified, facts.created, facts.backedUp, facts.accessed, &bytes)
            bytes.putLittle(facts.id, at: 76)
            Self.append(facts.name, at: 80, &bytes)
        case .file(let facts):
            bytes.putLittle(facts.attributes, at: 52)
            Self.put(facts.modified, facts.created, facts.backedUp, facts.accessed, &bytes)
            bytes.putLittle(facts.directory, at: 76)
            bytes.putLittle(facts.id, at: 80)
            Self.append(facts.name, at: 84, &bytes)
        case .corrupt(let facts):
            bytes.putLittle(facts.attributes, at: 52)
            bytes.putLittle(facts.streamOffset, at: 64)
            bytes.putLittle(facts.stream, at: 72)
        case .setEnd(let facts):
            bytes.putLittle(facts.attributes, at: 52)
            bytes.putLittle(facts.corrupt, at: 56)
            bytes.putLittle(facts.object, at: 60)
            bytes.putLittle(facts.detailSequence, at: 76)
            bytes.putLittle(facts.number, at: 78)
            bytes.put(MTFDate.encoded(facts.date), at: 80)
        case .tapeEnd(let facts):
            bytes.putLittle(facts.lastSetEnd, at: 52)
        case .padding, .unknown: break
        }
    }

    private static func put(
        _ modified: Int64?, _ created: Int64?, _ backedUp: Int64?, _ accessed: Int64?, _ bytes: inout [UInt8]
    ) {
        for (date, field) in [(modified, 56), (created, 61), (backedUp, 66), (accessed, 71)] {
            bytes.put(MTFDate.encoded(date), at: field)
        }
    }

    private static func append(_ text: String, at field: Int, _ bytes: inout [UInt8]) {
        let start = bytes.count
        for unit in text.utf16 { bytes += [UInt8(truncatingIfNeeded: unit), UInt8(truncatingIfNeeded: unit >> 8)] }
        // Too long a text is refused by the whole block's size.
        bytes.putLittle(UInt16(truncatingIfNeeded: bytes.count - start), at: field)
        bytes.putLittle(UInt16(truncatingIfNeeded: start), at: field + 2)
    }
}

extension Block {
    /// Reads the block at the start of `bytes`, of which it takes `header.firstEvent`.
    /// - Throws: `TAPE-MTF` if anything in it lies outside of it.
    init(decoding bytes: [UInt8], at place: String) throws(StorageFault) {
        header = try BlockHeader(bytes, at: place)
        let fixed = BlockContent.fixedSize(header.type)
        guard bytes.count >= header.firstEvent else { throw .mtf(place, "a block \(header.type) is cut") }
        guard header.firstEvent >= fixed else {
            throw .mtf(place, "a block \(header.type) of \(header.firstEvent) bytes is smaller than \(fixed)")
        }
        let own = header.firstEvent == bytes.count ? bytes : Array(bytes[..<header.firstEvent])
        let isWide = header.stringType == 2
        func text(_ field: Int) throws(StorageFault) -> String {
            let part = try Self.part(own, field, place)
            guard isWide else {
                return String(decoding: part.map { $0 < 0x80 ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
            }
            let start = part.startIndex
            let units = (0..<part.count / 2).map {
                UInt16(part[start + 2 * $0]) | UInt16(part[start + 2 * $0 + 1]) << 8
            }
            return String(decoding: units, as: UTF16.self)
        }
        func date(_ field: Int) -> Int64? { MTFDate.decoded(own[field..<field + MTFDate.count]) }
        osData = Array(try Self.part(own, 44, place))
        switch header.type {
        case .tape:
            content = .tape(
                .init(
                    family: own.little(at: 52), sequence: own.little(at: 60), catalogType: own.little(at: 66),
                    name: try text(68), label: try text(72), software: try text(80), flb: own.little(at: 84),
                    vendor: own.little(at: 86), date: date(88)))
        case .setStart:
            content = .setStart(
                .init(
                    attributes: own.little(at: 52), compression: own.little(at: 58), vendor: own.little(at: 60),
                    number: own.little(at: 62), name: try text(64), description: try text(68), user: try text(76),
                    object: own.little(at: 80), date: date(88), softwareMajor: own[93], softwareMinor: own[94],
                    timeZone: Int8(bitPattern: own[95]), minor: own[96], catalogVersion: own[97]))
        case .volume:
            content = .volume(
                .init(
                    attributes: own.little(at: 52), device: try text(56), volume: try text(60), machine: try text(64),
                    date: date(68)))
        case .directory:
            content = .directory(
                .init(
                    attributes: own.little(at: 52), modified: date(56), created: date(61), backedUp: date(66),
                    accessed: date(71), id: own.little(at: 76), name: try text(80)))
        case .file:
            content = .file(
                .init(
                    attributes: own.little(at: 52), modified: date(56), created: date(61), backedUp: date(66),
                    accessed: date(71), directory: own.little(at: 76), id: own.little(at: 80), name: try text(84)))
        case .corrupt:
            content = .corrupt(
                .init(attributes: own.little(at: 52), streamOffset: own.little(at: 64), stream: own.little(at: 72)))
        case .padding: content = .padding
        case .setEnd:
            content = .setEnd(
                .init(
                    attributes: own.little(at: 52), corrupt: own.little(at: 56), object: own.little(at: 60),
                    detailSequence: own.little(at: 76), number: own.little(at: 78), date: date(80)))
        case .tapeEnd: content = .tapeEnd(.init(lastSetEnd: own.little(at: 52)))
        default: content = .unknown
        }
    }

    /// What a pair (size, offset) names; nothing if the size is 0.
    private static func part(_ bytes: [UInt8], _ field: Int, _ place: String) throws(StorageFault) -> ArraySlice<UInt8>
    {
        let (size, offset) = (Int(bytes.little(UInt16.self, at: field)), Int(bytes.little(UInt16.self, at: field + 2)))
        guard size > 0 else { return [] }
        guard offset >= MTF.blockHeader, offset + size <= bytes.count else {
            throw .mtf(place, "a text of \(size) bytes at \(offset) lies outside of its block")
        }
        return bytes[offset..<offset + size]
    }

    /// Blocks one behind the other, as MAP2 and FDD2 hold them. Unknown ones are kept.
    static func packed(_ bytes: [UInt8], at place: String) throws(StorageFault) -> [Block] {
        var blocks: [Block] = []
        var from = 0
        while bytes.count - from >= MTF.blockHeader {
            let size = Int(bytes.little(UInt16.self, at: from + 8))
            guard size >= MTF.blockHeader, size <= bytes.count - from else {
                throw .mtf(place, "a packed block of \(size) bytes at \(from) lies outside of its stream")
            }
            blocks.append(try Block(decoding: Array(bytes[from..<from + size]), at: place))
            from += size
        }
        return blocks
    }

    static func packing(_ blocks: [Block]) throws(StorageFault) -> [UInt8] {
        var bytes: [UInt8] = []
        for block in blocks { bytes += try block.encoded() }
        return bytes
    }
}
