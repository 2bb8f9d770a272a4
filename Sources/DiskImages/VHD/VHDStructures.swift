import Files

/// The Virtual Hard Disk format, version 1 (disk-formats.md 1.1; Microsoft's specification of October 2006).
public enum VHD {
    static let sector = 512
    static let cookie = Array("conectix".utf8)
    static let headerCookie = Array("cxsparse".utf8)
    static let footerSize = 512
    static let headerSize = 1024
    /// Of a block that has none.
    static let absent = UInt32.max
    /// No tool makes or takes larger disks.
    public static let largest: Int64 = 2040 << 30
    /// Of the block table, held in memory at 4 bytes each: 64 MiB at most.
    static let mostBlocks: Int64 = 16 << 20
    static let largestBlock: Int64 = 256 << 20
    /// Of a parent's path, bytes.
    static let longestLocator = 65_536

    /// One's complement of the sum of all bytes, those of the checksum itself taken as zero.
    static func checksum(_ bytes: [UInt8], fieldAt field: Int) -> UInt32 {
        var sum: UInt32 = 0
        for (index, byte) in bytes.enumerated() where index < field || index >= field + 4 { sum &+= UInt32(byte) }
        return ~sum
    }

    /// The bytes of a sector bitmap: a bit for each sector, in whole sectors.
    static func bitmapSize(blockSize: Int64) -> Int64 { max(blockSize / 4096, 1).roundedUp(to: 512).value }

    /// Cylinders, heads and sectors as the specification's appendix computes them; only old guests go by them.
    static func geometry(_ size: Int64) -> (cylinders: UInt16, heads: UInt8, sectors: UInt8) {
        let total = min(size / 512, 65_535 * 16 * 255)
        var sectors: Int64 = 255
        var heads: Int64 = 16
        var tracks = total / sectors
        if total < 65_535 * 16 * 63 {
            sectors = 17
            tracks = total / sectors
            heads = max((tracks + 1023) / 1024, 4)
            if tracks >= heads * 1024 || heads > 16 { (sectors, heads, tracks) = (31, 16, total / 31) }
            if tracks >= heads * 1024 { (sectors, heads, tracks) = (63, 16, total / 63) }
        }
        return (UInt16(tracks / heads), UInt8(heads), UInt8(sectors))
    }
}

enum VHDKind: UInt32 {
    case fixed = 2
    case dynamic = 3
    case differencing = 4
}

extension GUID {
    private static let textOrder = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]

    /// From a VHD, which stores the bytes in the order of the text (big-endian), unlike `GUID.bytes`: so it prints as other tools
    /// print it (libvhdi's `vhdiinfo`).
    init(textOrder bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        self.init(bytes: Self.textOrder.map { bytes[$0] })
    }

    var bytesInTextOrder: [UInt8] { Self.textOrder.map { bytes[$0] } }
}

/// The 512 bytes at the end of every VHD, and of a dynamic one also at its beginning.
struct VHDFooter: Hashable {
    /// As read; what is not understood is kept when the footer is written again.
    private(set) var bytes: [UInt8]

    /// `bytes` has 512.
    init(bytes: [UInt8]) { self.bytes = bytes }

    init(kind: VHDKind, size: Int64, uuid: GUID, created: UInt32) {
        bytes = [UInt8](repeating: 0, count: VHD.footerSize)
        bytes.put(VHD.cookie, at: 0)
        bytes.putBig(UInt32(2), at: 8)
        bytes.putBig(UInt32(0x0001_0000), at: 12)
        bytes.putBig(kind == .fixed ? UInt64.max : UInt64(VHD.footerSize), at: 16)
        bytes.putBig(created, at: 24)
        bytes.putBig(UInt32(0x000A_0000), at: 32)
        bytes.put("Wi2k".utf8, at: 36)
        bytes.putBig(UInt64(size), at: 40)
        bytes.putBig(kind.rawValue, at: 60)
        bytes.put(uuid.bytesInTextOrder, at: 68)
        setSize(size)
    }

    var hasCookie: Bool { bytes[0..<8].elementsEqual(VHD.cookie) }
    var checksum: UInt32 { bytes.big(at: 64) }
    var rightChecksum: UInt32 { VHD.checksum(bytes, fieldAt: 64) }
    var version: UInt32 { bytes.big(at: 12) }
    var dataOffset: UInt64 { bytes.big(at: 16) }
    var created: UInt32 { bytes.big(at: 24) }
    var creator: String { VHD.code(bytes[28..<32]) }
    var currentSize: UInt64 { bytes.big(at: 48) }
    var kind: VHDKind? { VHDKind(rawValue: bytes.big(at: 60)) }
    var uuid: GUID { GUID(textOrder: bytes[68..<84]) }

    private var geometrySectors: Int64 {
        Int64(bytes.big(UInt16.self, at: 56)) * Int64(bytes[58]) * Int64(bytes[59])
    }

    /// Virtual PC and old qemu go by the geometry; Hyper-V, disk2vhd, Xen and new qemu by the current size. Where the geometry is
    /// the largest there is, it says nothing.
    var goesByGeometry: Bool {
        let exact = ["win ", "CTXS", "qem2"].contains(creator) || ["d2v", "tap"].contains(creator.prefix(3))
        return !exact && geometrySectors != 65_535 * 16 * 255
    }

    /// Of the disk, bytes; nil where the field holds what no size can be.
    var size: Int64? { goesByGeometry ? geometrySectors * 512 : Int64(exactly: currentSize) }

    /// The exact size from now on, whichever rule the footer was read by: the creator becomes Hyper-V's.
    mutating func setSize(_ size: Int64) {
        bytes.put("win ".utf8, at: 28)
        bytes.putBig(UInt64(size), at: 48)
        let geometry = VHD.geometry(size)
        bytes.putBig(geometry.cylinders, at: 56)
        (bytes[58], bytes[59]) = (geometry.heads, geometry.sectors)
        seal()
    }

    mutating func setDataOffset(_ offset: Int64) {
        bytes.putBig(UInt64(offset), at: 16)
        seal()
    }

    mutating func setUUID(_ uuid: GUID) {
        bytes.put(uuid.bytesInTextOrder, at: 68)
        seal()
    }

    private mutating func seal() { bytes.putBig(rightChecksum, at: 64) }
}

/// The 1024 bytes that say where a dynamic or differencing VHD keeps its blocks, and whose child it is.
struct VHDHeader {
    struct Locator {
        /// Where in the header its 24 bytes are.
        var place: Int
        var code: String
        var space: UInt32
        var length: UInt32
        var offset: UInt64
    }

    private(set) var bytes: [UInt8]

    /// `bytes` has 1024.
    init(bytes: [UInt8]) { self.bytes = bytes }

    init(tableOffset: Int64, blocks: UInt32, blockSize: UInt32) {
        bytes = [UInt8](repeating: 0, count: VHD.headerSize)
        bytes.put(VHD.headerCookie, at: 0)
        bytes.putBig(UInt64.max, at: 8)
        bytes.putBig(UInt32(0x0001_0000), at: 24)
        bytes.putBig(blockSize, at: 32)
        setTable(at: tableOffset, blocks: blocks)
    }

    var hasCookie: Bool { bytes[0..<8].elementsEqual(VHD.headerCookie) }
    var tableOffset: UInt64 { bytes.big(at: 16) }
    var version: UInt32 { bytes.big(at: 24) }
    var blocks: UInt32 { bytes.big(at: 28) }
    var blockSize: UInt32 { bytes.big(at: 32) }
    var checksum: UInt32 { bytes.big(at: 36) }
    var rightChecksum: UInt32 { VHD.checksum(bytes, fieldAt: 36) }
    var parentUUID: GUID { GUID(textOrder: bytes[40..<56]) }

    /// UTF-16BE, unlike the locators' paths.
    var parentName: String {
        let units = stride(from: 64, to: 576, by: 2).map { bytes.big(UInt16.self, at: $0) }
        return String(decoding: units.prefix { $0 != 0 }, as: UTF16.self)
    }

    /// Those of the eight that are in use.
    var locators: [Locator] {
        (0..<8).map { 576 + 24 * $0 }.compactMap { place in
            guard bytes.big(UInt32.self, at: place) != 0 else { return nil }
            return Locator(
                place: place, code: VHD.code(bytes[place..<place + 4]), space: bytes.big(at: place + 4),
                length: bytes.big(at: place + 8), offset: bytes.big(at: place + 16))
        }
    }

    mutating func setTable(at offset: Int64, blocks: UInt32) {
        bytes.putBig(UInt64(offset), at: 16)
        bytes.putBig(blocks, at: 28)
        bytes.putBig(rightChecksum, at: 36)
    }

    /// Names the parent; the paths' bytes go to `offset` and on, each in whole sectors, and are returned for writing there.
    /// A name longer than 255 units is cut (the paths are not); the parent's time, which nobody relies on, is zero.
    mutating func setParent(_ parent: VHDParent, pathsAt offset: Int64) -> [UInt8] {
        bytes.put(parent.uuid.bytesInTextOrder, at: 40)
        bytes.put(repeatElement(0, count: 4 + 4 + 512 + 8 * 24), at: 56)
        for (index, unit) in parent.name.utf16.prefix(255).enumerated() { bytes.putBig(unit, at: 64 + 2 * index) }
        var paths: [UInt8] = []
        for (index, (code, path)) in parent.locators.enumerated() {
            let text = path.utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
            let space = Int(Int64(max(text.count, 1)).roundedUp(to: 512).value)
            let place = 576 + 24 * index
            bytes.put(code.utf8, at: place)
            bytes.putBig(UInt32(space), at: place + 4)
            bytes.putBig(UInt32(text.count), at: place + 8)
            bytes.putBig(UInt64(offset) + UInt64(paths.count), at: place + 16)
            paths += text + [UInt8](repeating: 0, count: space - text.count)
        }
        bytes.putBig(rightChecksum, at: 36)
        return paths
    }
}

/// A parent as a VHD can name it.
struct VHDParent {
    var uuid: GUID
    var name: String
    /// Platform code and path, the relative one first.
    var locators: [(code: String, path: String)]

    /// Takes VHD's own kinds of path and the corresponding ones of VHDX. Faults: `VHD-PARENT` when there is no identifier, or a path is
    /// longer than can be kept.
    init(_ parent: ParentReference, childPath: String) throws(StorageFault) {
        guard let uuid = parent.linkage.first else {
            throw StorageFault(
                .badInput, "VHD-PARENT", childPath,
                "the parent has no identifier, so that nothing would prove it is the one",
                action: "Choose a VHD as the parent of a VHD")
        }
        let relative = parent.paths["W2ru"] ?? parent.paths["relative_path"]
        let absolute = parent.paths["W2ku"] ?? parent.paths["absolute_win32_path"]
        let locators = [("W2ru", relative), ("W2ku", absolute)].compactMap { code, path in
            path.flatMap { $0.isEmpty ? nil : (code: code, path: $0) }
        }
        for (code, path) in locators where path.utf16.count * 2 > VHD.longestLocator {
            throw StorageFault(
                .badInput, "VHD-PARENT", childPath,
                "the parent's path of kind \(code) has \(path.utf16.count) characters, more than can be kept",
                action: "Place the parent under a shorter path")
        }
        let last = (relative ?? absolute ?? "").split { $0 == "\\" || $0 == "/" }.last.map(String.init)
        (self.uuid, self.locators, name) = (uuid, locators, parent.paths["name"] ?? last ?? "")
    }
}

extension VHD {
    /// Four characters, without NULs at their end; those that cannot be printed are dots.
    static func code(_ bytes: some Collection<UInt8>) -> String {
        var bytes = Array(bytes)
        while bytes.last == 0 { bytes.removeLast() }
        return String(decoding: bytes.map { (0x20..<0x7F).contains($0) ? $0 : 0x2E }, as: UTF8.self)
    }

    /// UTF-16LE up to the first NUL.
    static func littleText(_ bytes: [UInt8]) -> String {
        let units = stride(from: 0, to: bytes.count - bytes.count % 2, by: 2).map { bytes.little(UInt16.self, at: $0) }
        return String(decoding: units.prefix { $0 != 0 }, as: UTF16.self)
    }
}
