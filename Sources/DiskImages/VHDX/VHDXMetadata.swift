import Files

/// What the metadata region says of the disk (MS-VHDX 2.6).
struct VHDXMetadata: Equatable, Sendable {
    static let fileParameters = GUID("CAA16737-FA36-4D43-B3B6-33F0AA44E76B")!
    static let diskSize = GUID("2FA54224-CD1B-4876-B211-5DBED83BF4B8")!
    static let diskID = GUID("BECA12AB-B2E6-4523-93EF-C309E000C746")!
    static let logicalSector = GUID("8141BF1D-A96F-4709-BA47-F233A8FAAB5F")!
    static let physicalSector = GUID("CDA348C7-445D-4471-9CC9-E9885251C556")!
    static let parentLocator = GUID("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C")!
    static let names: [(guid: GUID, name: String)] = [
        (fileParameters, "file parameters"), (diskSize, "virtual disk size"), (diskID, "virtual disk id"),
        (logicalSector, "logical sector size"), (physicalSector, "physical sector size"),
        (parentLocator, "parent locator"),
    ]

    var geometry: VHDXGeometry
    /// `LeaveBlocksAllocated`.
    var fixed: Bool
    var diskID: GUID
    var physicalSector: Int64
    var locator: VHDXLocator?
}

/// The table at the beginning of the metadata region (MS-VHDX 2.6.1).
struct VHDXMetadataTable: Sendable {
    struct Item: Equatable, Sendable {
        var guid: GUID
        /// From the beginning of the region, bytes.
        var offset: UInt32
        var length: UInt32
        /// 1 user, 2 of the virtual disk, 4 required.
        var flags: UInt32
        var name: String? {
            flags & 1 != 0 ? nil : VHDXMetadata.names.first { $0.guid == guid }?.name
        }
    }
    var items: [Item]

    init(items: [Item]) { self.items = items }

    /// Reads 64 KiB.
    init(_ bytes: [UInt8]) throws(VHDXProblem) {
        guard bytes.starts(with: "metadata".utf8) else { throw VHDXProblem("its signature is not metadata") }
        let count: UInt16 = bytes.little(at: 10)
        guard count <= 2047 else { throw VHDXProblem("it claims \(count) items; 2047 is the most") }
        items = (0..<Int(count)).map { index in
            let at = 32 + 32 * index
            return Item(
                guid: bytes.vhdxGUID(at: at), offset: bytes.little(at: at + 16), length: bytes.little(at: at + 20),
                flags: bytes.little(at: at + 24))
        }
    }

    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: VHDXFormat.metadataTableSize)
        bytes.put("metadata".utf8, at: 0)
        bytes.putLittle(UInt16(items.count), at: 10)
        for (index, item) in items.enumerated() {
            let at = 32 + 32 * index
            bytes.put(item.guid.bytes, at: at)
            bytes.putLittle(item.offset, at: at + 16)
            bytes.putLittle(item.length, at: at + 20)
            bytes.putLittle(item.flags, at: at + 24)
        }
        return bytes
    }

    /// Where an item lies in a region of `length` bytes.
    static func place(of item: Item, in length: Int64) throws(VHDXProblem) -> Range<Int64> {
        let start = Int64(item.offset)
        let end = start + Int64(item.length)
        guard item.length > 0, item.length <= VHDXFormat.largestItem, end <= length,
            start >= VHDXFormat.metadataTableSize
        else {
            throw VHDXProblem("item \(item.guid) (\(item.length) bytes at \(item.offset)) does not lie in the region")
        }
        return start..<end
    }

    /// The known items. Refuses unknown required ones and doubles.
    func known() throws(VHDXProblem) -> [Item] {
        var known: [Item] = []
        for item in items {
            if item.name != nil {
                guard !known.contains(where: { $0.guid == item.guid }) else {
                    throw VHDXProblem("item \(item.guid) is there twice")
                }
                known.append(item)
            } else if item.flags & 4 != 0 {
                throw VHDXProblem("item \(item.guid) is required, and this program does not know it")
            }
        }
        return known
    }
}

extension VHDXMetadata {
    /// Puts the known items together; `bytes` holds each item's content by its identifier.
    init(_ bytes: [(guid: GUID, content: [UInt8])]) throws(VHDXProblem) {
        func item(_ guid: GUID, _ count: Int) throws(VHDXProblem) -> [UInt8] {
            let name = Self.names.first { $0.guid == guid }?.name ?? ""
            guard let content = bytes.first(where: { $0.guid == guid })?.content else {
                throw VHDXProblem("the item \(name) is missing")
            }
            guard content.count >= count else {
                throw VHDXProblem("the item \(name) has \(content.count) bytes instead of \(count)")
            }
            return content
        }
        let parameters = try item(Self.fileParameters, 8)
        let flags: UInt32 = parameters.little(at: 4)
        fixed = flags & 1 != 0
        let size: UInt64 = try item(Self.diskSize, 8).little(at: 0)
        let sector: UInt32 = try item(Self.logicalSector, 4).little(at: 0)
        geometry = VHDXGeometry(
            size: try vhdxOffset(size, "the disk's size"),
            blockSize: Int64(parameters.little(UInt32.self, at: 0)), sectorSize: Int64(sector),
            differencing: flags & 2 != 0)
        diskID = try item(Self.diskID, 16).vhdxGUID(at: 0)
        physicalSector = Int64(try item(Self.physicalSector, 4).little(UInt32.self, at: 0))
        if let problem = geometry.problem() { throw problem }
        guard physicalSector == 512 || physicalSector == 4096 else {
            throw VHDXProblem("the physical sector of \(physicalSector) bytes is neither 512 nor 4096")
        }
        locator = geometry.differencing ? try VHDXLocator(item(Self.parentLocator, 20)) : nil
        if let locator { _ = try locator.reference() }
    }

    /// The whole region of `length` bytes as a new file has it: table, items.
    func encoded(length: Int) -> [UInt8] {
        var contents: [(guid: GUID, flags: UInt32, content: [UInt8])] = []
        var parameters = [UInt8](repeating: 0, count: 8)
        parameters.putLittle(UInt32(geometry.blockSize), at: 0)
        parameters.putLittle(UInt32((fixed ? 1 : 0) | (geometry.differencing ? 2 : 0)), at: 4)
        contents.append((Self.fileParameters, 4, parameters))
        contents.append((Self.diskSize, 6, Self.bytes(UInt64(geometry.size))))
        contents.append((Self.diskID, 6, diskID.bytes))
        contents.append((Self.logicalSector, 6, Self.bytes(UInt32(geometry.sectorSize))))
        contents.append((Self.physicalSector, 6, Self.bytes(UInt32(physicalSector))))
        if let locator { contents.append((Self.parentLocator, 4, locator.encoded())) }

        var region = [UInt8](repeating: 0, count: length)
        var table = VHDXMetadataTable(items: [])
        var at = VHDXFormat.metadataTableSize
        for (guid, flags, content) in contents {
            table.items.append(.init(guid: guid, offset: UInt32(at), length: UInt32(content.count), flags: flags))
            region.put(content, at: at)
            at += (content.count + 7) / 8 * 8
        }
        region.put(table.encoded(), at: 0)
        return region
    }

    static func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: MemoryLayout<T>.size)
        bytes.putLittle(value, at: 0)
        return bytes
    }
}

/// How a differencing file names its parent: keys and values (MS-VHDX 2.6.2.6).
struct VHDXLocator: Equatable, Sendable {
    static let type = GUID("B04AEFB7-D19E-4A81-B789-25B8E9445913")!
    static let linkageKeys = ["parent_linkage", "parent_linkage2"]
    static let pathKeys = ["relative_path", "volume_path", "absolute_win32_path"]
    /// Of a locator that is written, bytes: it must go through the log in one entry.
    static let largest = 256 << 10

    struct Entry: Equatable, Sendable {
        var key: String
        var value: String
    }
    var entries: [Entry]

    init(_ bytes: [UInt8]) throws(VHDXProblem) {
        guard bytes.count >= 20 else { throw VHDXProblem("the parent locator has \(bytes.count) bytes") }
        let type = bytes.vhdxGUID(at: 0)
        guard type == Self.type else { throw VHDXProblem("the parent locator's type is \(type), which is not VHDX's") }
        let count = Int(bytes.little(UInt16.self, at: 18))
        guard 20 + 12 * count <= bytes.count else {
            throw VHDXProblem("the parent locator has no room for its \(count) entries")
        }
        var texts = 0
        entries = []
        for index in 0..<count {
            let at = 20 + 12 * index
            let key = try Self.text(bytes, bytes.little(at: at), bytes.little(at: at + 8))
            let value = try Self.text(bytes, bytes.little(at: at + 4), bytes.little(at: at + 10))
            // Texts that share their bytes could need far more memory than the item has.
            texts += Int(bytes.little(UInt16.self, at: at + 8)) + Int(bytes.little(UInt16.self, at: at + 10))
            guard texts <= bytes.count else { throw VHDXProblem("the parent locator's texts overlap") }
            entries.append(Entry(key: key, value: value))
        }
    }

    private static func text(_ bytes: [UInt8], _ offset: UInt32, _ length: UInt16) throws(VHDXProblem) -> String {
        let (start, count) = (Int(offset), Int(length))
        guard start + count <= bytes.count, count % 2 == 0 else {
            throw VHDXProblem("a text of the parent locator (\(count) bytes at \(start)) does not lie inside it")
        }
        return String(
            decoding: stride(from: start, to: start + count, by: 2).map { bytes.little(UInt16.self, at: $0) },
            as: UTF16.self)
    }

    /// For a new file, or a new parent.
    init(_ reference: ParentReference) throws(VHDXProblem) {
        guard let first = reference.linkage.first, first != .zero, reference.linkage.count <= 2 else {
            throw VHDXProblem("a parent is named by one or two identifiers of its data")
        }
        entries = zip(Self.linkageKeys, reference.linkage).map { Entry(key: $0, value: "{\($1)}".lowercased()) }
        let others = reference.paths.keys.filter { !Self.pathKeys.contains($0) && !Self.linkageKeys.contains($0) }
        for key in Self.pathKeys + others.sorted() {
            if let value = reference.paths[key] { entries.append(Entry(key: key, value: value)) }
        }
        guard entries.allSatisfy({ max($0.key.utf16.count, $0.value.utf16.count) < 32_768 }),
            encoded().count <= Self.largest
        else { throw VHDXProblem("the parent's paths are too long") }
    }

    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 20 + 12 * entries.count)
        bytes.put(Self.type.bytes, at: 0)
        bytes.putLittle(UInt16(entries.count), at: 18)
        for (index, entry) in entries.enumerated() {
            for (field, text) in [(0, entry.key), (1, entry.value)] {
                let at = 20 + 12 * index
                bytes.putLittle(UInt32(bytes.count), at: at + 4 * field)
                bytes.putLittle(UInt16(text.utf16.count * 2), at: at + 8 + 2 * field)
                for unit in text.utf16 { bytes += [UInt8(unit & 0xFF), UInt8(unit >> 8)] }
            }
        }
        return bytes
    }

    /// What the parent must be and where it may be. A zero `parent_linkage2`, which Hyper-V writes, names nothing.
    func reference() throws(VHDXProblem) -> ParentReference {
        var linkage: [GUID] = []
        var paths: [String: String] = [:]
        for entry in entries {
            guard Self.linkageKeys.contains(entry.key) else {
                paths[entry.key] = entry.value
                continue
            }
            guard let guid = GUID(entry.value) else {
                throw VHDXProblem("the parent locator's \(entry.key) is not an identifier")
            }
            if guid != .zero, !linkage.contains(guid) { linkage.append(guid) }
        }
        guard !linkage.isEmpty else { throw VHDXProblem("the parent locator has no parent_linkage") }
        return ParentReference(linkage: linkage, paths: paths)
    }
}
