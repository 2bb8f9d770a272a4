public import Files

/// What a track file belongs to. Whoever opens an image says what it is now; the file remembers what it was.
public struct TrackedImage: Hashable, Sendable {
    /// Of the disk, bytes.
    public var size: Int64
    /// `ImageLayer.linkage`, where the format has one.
    public var linkage: GUID?
    /// What stays as long as it is the same file, in the caller's words: device and inode, for instance. At most 1022 bytes.
    public var identity: String
    /// What every write to the file changes: its time of modification and length, for instance. Compared after a clean end only,
    /// because after a crash nobody knows it. At most 1022 bytes.
    public var stamp: String

    public init(size: Int64, linkage: GUID? = nil, identity: String = "", stamp: String = "") {
        (self.size, self.linkage, self.identity, self.stamp) = (size, linkage, identity, stamp)
    }
}

/// A moment to which changes can be reckoned.
public struct TrackPoint: Hashable, Sendable {
    public let id: GUID
    public init(id: GUID) { self.id = id }
}

/// The head of a track file, `<image>.track`: 4096 bytes, twice, at 0 and at 4096. All integers are little-endian.
///
/// | bytes | |
/// |---|---|
/// | 0:8 | `DPMTRACK` |
/// | 8:4, 12:4 | version 1; length 4096 |
/// | 16:4 | CRC-32C of all 4096 bytes, these four as zero |
/// | 20:4 | 1: ended cleanly, the fine maps are right; 2: there is a linkage |
/// | 24:8 | sequence: the greater of two good heads is right |
/// | 32:8, 40:8, 48:8 | size of the disk; of a block; of a region |
/// | 56:16 | linkage |
/// | 72:8, 80:8 | number of the next interval; number of the last save |
/// | 88:4 | points, at most 8 |
/// | 128 + 48 n | point n, oldest first: 0:16 id; 16:8 interval; 24:4 slot; 28:4 1 if coarse; 32:8 place of its fine pages; 40:4 their count |
/// | 1024:2, 1026:… | identity: its length, UTF-8 |
/// | 2048:2, 2050:… | stamp, likewise |
///
/// From 8192 on nine slots of `coarseSectors` sectors (`TrackSector`), then the fine pages of the last save (`TrackPage`).
///
/// Both copies are written, each followed by a flush, before anything is done that relies on them. So one of them is always
/// whole, and losing either to rot brings no older state back.
struct TrackHead: Hashable, Sendable {
    struct Point: Hashable, Sendable {
        var id: GUID
        var interval: UInt64
        var slot: Int
        var isCoarse = false
        var pagesAt: Int64 = 0
        var pages = 0
    }

    static let length = 4096
    static let magic = Array("DPMTRACK".utf8)
    static let version: UInt32 = 1
    static let pointLimit = 8
    static let slots = 9
    static let textLimit = 1022

    var image: TrackedImage
    var geometry: TrackGeometry
    var isClean = false
    var sequence: UInt64 = 0
    var nextInterval: UInt64 = 1
    var save: UInt64 = 0
    var points: [Point] = []

    init(_ image: TrackedImage, _ geometry: TrackGeometry) { (self.image, self.geometry) = (image, geometry) }

    /// Where the sectors of a slot begin.
    func place(ofSlot slot: Int) -> Int64 {
        Int64(2 * Self.length + slot * geometry.coarseSectors * TrackSector.length)
    }
    var pagesBegin: Int64 { place(ofSlot: Self.slots) }

    func encoded() -> [UInt8] {
        var out = [UInt8](repeating: 0, count: Self.length)
        out.put(Self.magic, at: 0)
        out.putLittle(Self.version, at: 8)
        out.putLittle(UInt32(Self.length), at: 12)
        out.putLittle(UInt32((isClean ? 1 : 0) | (image.linkage == nil ? 0 : 2)), at: 20)
        out.putLittle(sequence, at: 24)
        out.putLittle(geometry.size, at: 32)
        out.putLittle(geometry.granularity, at: 40)
        out.putLittle(geometry.regionSize, at: 48)
        out.put((image.linkage ?? .zero).bytes, at: 56)
        out.putLittle(nextInterval, at: 72)
        out.putLittle(save, at: 80)
        out.putLittle(UInt32(points.count), at: 88)
        for (index, point) in points.enumerated() {
            let at = 128 + 48 * index
            out.put(point.id.bytes, at: at)
            out.putLittle(point.interval, at: at + 16)
            out.putLittle(UInt32(point.slot), at: at + 24)
            out.putLittle(UInt32(point.isCoarse ? 1 : 0), at: at + 28)
            out.putLittle(point.pagesAt, at: at + 32)
            out.putLittle(UInt32(point.pages), at: at + 40)
        }
        for (text, at) in [(image.identity, 1024), (image.stamp, 2048)] {
            out.putLittle(UInt16(text.utf8.count), at: at)
            out.put(Array(text.utf8), at: at + 2)
        }
        out.putLittle(CRC32C.of(out), at: 16)
        return out
    }

    /// What 4096 bytes say, or what is wrong with them.
    static func decode(_ bytes: [UInt8]) -> Result<TrackHead, Flaw> {
        guard bytes.count == length, Array(bytes[0..<8]) == magic else { return .failure(.noHead) }
        let version = bytes.little(UInt32.self, at: 8)
        guard version <= Self.version else { return .failure(.newer(version)) }
        guard version == Self.version, bytes.little(UInt32.self, at: 12) == UInt32(length),
            bytes.little(UInt32.self, at: 16) == CRC32C.of(bytes, zeroing: 16)
        else { return .failure(.damaged) }
        let flags = bytes.little(UInt32.self, at: 20)
        let count = Int(bytes.little(UInt32.self, at: 88))
        guard
            let geometry = TrackGeometry(
                size: bytes.little(at: 32), granularity: bytes.little(at: 40), regionSize: bytes.little(at: 48)),
            count <= pointLimit, let identity = text(bytes, at: 1024), let stamp = text(bytes, at: 2048)
        else { return .failure(.damaged) }
        let linkage = flags & 2 == 0 ? nil : GUID(bytes: Array(bytes[56..<72]))
        var head = TrackHead(
            TrackedImage(size: geometry.size, linkage: linkage, identity: identity, stamp: stamp), geometry)
        head.isClean = flags & 1 != 0
        head.sequence = bytes.little(at: 24)
        head.nextInterval = bytes.little(at: 72)
        head.save = bytes.little(at: 80)
        for index in 0..<count {
            let at = 128 + 48 * index
            let point = Point(
                id: GUID(bytes: Array(bytes[at..<at + 16])), interval: bytes.little(at: at + 16),
                slot: Int(bytes.little(UInt32.self, at: at + 24)),
                isCoarse: bytes.little(UInt32.self, at: at + 28) & 1 != 0, pagesAt: bytes.little(at: at + 32),
                pages: Int(bytes.little(UInt32.self, at: at + 40)))
            guard point.slot < slots, point.interval < head.nextInterval,
                !head.points.contains(where: { $0.slot == point.slot || $0.interval >= point.interval })
            else { return .failure(.damaged) }
            head.points.append(point)
        }
        return .success(head)
    }

    enum Flaw: Error, Hashable, Sendable {
        case noHead, damaged
        case newer(UInt32)
    }

    private static func text(_ bytes: [UInt8], at offset: Int) -> String? {
        let count = Int(bytes.little(UInt16.self, at: offset))
        guard count <= textLimit else { return nil }
        return String(validating: bytes[offset + 2..<offset + 2 + count], as: UTF8.self)
    }
}

/// A sector of a coarse map: 512 bytes that are right or wrong on their own. A wrong one says that all its regions changed.
///
/// | bytes | |
/// |---|---|
/// | 0:4, 4:4 | `DTRC`; CRC-32C of all 512 bytes, these four as zero |
/// | 8:2, 10:2 | version 1; length 512 |
/// | 12:4 | number of the sector in its map |
/// | 16:8 | number of the interval |
/// | 32:480 | a bit a region, from the lowest of byte 32 on |
///
/// Sector 0 of interval 1, regions 0 and 9 changed: `44 54 52 43  C9 A2 96 46  01 00 00 02  00 00 00 00  01 00 00 00 00 00 00 00`,
/// eight zeros, `01 02`, and zeros.
enum TrackSector {
    static let length = 512
    static let regions = 480 * 8
    private static let magic = Array("DTRC".utf8)

    static func encoded(interval: UInt64, number: Int, _ isMarked: (Int) -> Bool, geometry: TrackGeometry) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: length)
        out.put(magic, at: 0)
        out.putLittle(UInt16(1), at: 8)
        out.putLittle(UInt16(length), at: 10)
        out.putLittle(UInt32(number), at: 12)
        out.putLittle(interval, at: 16)
        let first = number * regions
        for region in first..<max(first, min(first + regions, geometry.regionCount)) where isMarked(region) {
            out[32 + (region - first) / 8] |= 1 << UInt8((region - first) % 8)
        }
        out.putLittle(CRC32C.of(out), at: 4)
        return out
    }

    /// The 480 bytes of bits; nil if the sector is not the one it should be.
    static func decode(_ bytes: ArraySlice<UInt8>, interval: UInt64, number: Int) -> ArraySlice<UInt8>? {
        let bytes = Array(bytes)
        guard bytes.count == length, Array(bytes[0..<4]) == magic,
            bytes.little(UInt32.self, at: 4) == CRC32C.of(bytes, zeroing: 4),
            bytes.little(UInt16.self, at: 8) == 1, bytes.little(UInt16.self, at: 10) == UInt16(length),
            bytes.little(UInt32.self, at: 12) == UInt32(number), bytes.little(UInt64.self, at: 16) == interval
        else { return nil }
        return bytes[32...]
    }
}

/// A part of a saved fine map, at most 1 MiB and 40 bytes. Without it the coarse map answers.
///
/// | bytes | |
/// |---|---|
/// | 0:8 | `DPMTFINE` |
/// | 8:4, 12:4 | version 1; length of the whole |
/// | 16:4 | CRC-32C of the whole, these four as zero |
/// | 20:4 | number of the page in its map |
/// | 24:8, 32:8 | number of the interval; number of the save |
/// | 40:… | records: region 4 bytes; 1 if all of it, else 0 and the bits of its blocks in whole words of 8 bytes |
enum TrackPage {
    static let head = 40
    static let limit = 1 << 20
    static let magic = Array("DPMTFINE".utf8)

    /// Calls `body` with each page of a map; returns how many there were.
    static func encode(
        _ map: FineMap, interval: UInt64, save: UInt64, _ body: ([UInt8]) throws(StorageFault) -> Void
    ) throws(StorageFault) -> Int {
        var pages = 0
        var page = [UInt8](repeating: 0, count: head)
        func finish() throws(StorageFault) {
            page.put(magic, at: 0)
            page.putLittle(UInt32(1), at: 8)
            page.putLittle(UInt32(page.count), at: 12)
            page.putLittle(UInt32(pages), at: 20)
            page.putLittle(interval, at: 24)
            page.putLittle(save, at: 32)
            page.putLittle(CRC32C.of(page), at: 16)
            try body(page)
            pages += 1
            page = [UInt8](repeating: 0, count: head)
        }
        for region in 0..<map.geometry.regionCount {
            guard let isWhole = map.isWhole(region) else { continue }
            if page.count - head + 8 + 8 * map.geometry.wordsPerRegion > limit { try finish() }
            page.appendLittle(UInt32(region))
            page.appendLittle(UInt32(isWhole ? 1 : 0))
            if !isWhole { for word in map.words(ofRegion: region) { page.appendLittle(word) } }
        }
        if page.count > head { try finish() }
        return pages
    }

    /// Adds a page to `map`; false if it is not the one it should be, and `map` is of no use then.
    static func decode(
        _ page: [UInt8], number: Int, interval: UInt64, save: UInt64, into map: inout FineMap
    ) -> Bool {
        guard page.count >= head, Array(page[0..<8]) == magic, page.little(UInt32.self, at: 8) == 1,
            page.little(UInt32.self, at: 12) == UInt32(page.count),
            page.little(UInt32.self, at: 16) == CRC32C.of(page, zeroing: 16),
            page.little(UInt32.self, at: 20) == UInt32(number), page.little(UInt64.self, at: 24) == interval,
            page.little(UInt64.self, at: 32) == save
        else { return false }
        var at = head
        while at < page.count {
            guard page.count - at >= 8 else { return false }
            let region = Int(page.little(UInt32.self, at: at))
            let isWhole = page.little(UInt32.self, at: at + 4)
            at += 8
            guard region < map.geometry.regionCount, isWhole <= 1 else { return false }
            if isWhole == 1 {
                map.insertWhole(region)
                continue
            }
            let words = map.geometry.wordsPerRegion
            guard page.count - at >= 8 * words else { return false }
            map.insert((0..<words).map { page.little(UInt64.self, at: at + 8 * $0) }, inRegion: region)
            at += 8 * words
        }
        return true
    }
}

extension [UInt8] {
    mutating func appendLittle<T: FixedWidthInteger>(_ value: T) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
}
