import Files

/// Where a block's bytes lie, in one integer: segment (20 bits), offset in units of 4 KiB (18), stored length in bytes (21), flags (5).
struct Location: Hashable, Sendable {
    var bits: UInt64

    /// A hole, or a block of zeros: nothing is stored.
    static let none = Location(bits: 0)

    /// What every stored block begins at a multiple of.
    static let unit: Int64 = 4096
    /// Segments a pool can have at a time, and bytes a segment can have.
    static let segmentLimit: Int64 = 1 << 20
    static let segmentSizeLimit: Int64 = unit << 18

    init(bits: UInt64) { self.bits = bits }

    init(segment: Int64, offset: Int64, length: Int, compressed: Bool, shared: Bool = false) {
        precondition(
            segment >= 0 && segment < Self.segmentLimit && offset % Self.unit == 0 && length > 0 && length < 1 << 21)
        precondition(offset > 0 && offset < Self.segmentSizeLimit)
        bits =
            UInt64(segment) << 44 | UInt64(offset / Self.unit) << 26 | UInt64(length) << 5 | (shared ? 2 : 0)
            | (compressed ? 1 : 0)
    }

    var isNone: Bool { bits == 0 }
    var segment: Int64 { Int64(bits >> 44) }
    var offset: Int64 { Int64((bits >> 26) & 0x3FFFF) * Self.unit }
    /// Bytes stored, before rounding up to units.
    var length: Int { Int((bits >> 5) & 0x1FFFFF) }
    var isCompressed: Bool { bits & 1 != 0 }
    /// Whether other datasources may use the same stored block (`Sharing`).
    var isShared: Bool { bits & 2 != 0 }
    /// The space taken, whole units.
    var span: Int64 { (Int64(length) + Self.unit - 1) / Self.unit * Self.unit }
    /// The segment's range the block takes.
    var range: Range<Int64> { offset..<offset + span }
    /// Flag bits nobody has given a meaning; other than 0 the entry is damaged.
    var unknownFlags: UInt64 { bits & 0x1C }

    func marked(shared: Bool) -> Location { Location(bits: shared ? bits | 2 : bits & ~2) }
}

/// What the map knows of one block of a disk.
struct BlockEntry: Hashable, Sendable {
    var location: Location
    /// XXH3 of the block's content (the last block of a disk is filled up with zeros).
    var contentSum: UInt64
    /// CRC-32C of what is stored, to the end of its last unit, if that is compressed, so that a scrub need not decompress; else 0.
    var storedSum: UInt32

    static let zero = BlockEntry(location: .none, contentSum: 0, storedSum: 0)
}

/// The entries of 192 neighbouring blocks at one epoch: 12 MiB of a disk in blocks of 64 KiB, 3 840 bytes in the map.
struct Leaf: Equatable, Sendable {
    /// Entries of 20 bytes; two leaves fill an SQLite page of 8 KiB (`storage.md`, section 4).
    static let count = 192
    static let entrySize = 20
    static let size = count * entrySize

    private(set) var bytes: [UInt8]

    static let zero = Leaf(bytes: [UInt8](repeating: 0, count: size))

    init(bytes: [UInt8]) {
        precondition(bytes.count == Self.size, "a leaf has \(Self.size) bytes")
        self.bytes = bytes
    }

    subscript(index: Int) -> BlockEntry {
        get {
            bytes.withUnsafeBytes { raw in
                let place = index * Self.entrySize
                return BlockEntry(
                    location: Location(
                        bits: UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: place, as: UInt64.self))),
                    contentSum: UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: place + 8, as: UInt64.self)),
                    storedSum: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: place + 16, as: UInt32.self)))
            }
        }
        set {
            bytes.withUnsafeMutableBytes { raw in
                let place = index * Self.entrySize
                raw.storeBytes(of: newValue.location.bits.littleEndian, toByteOffset: place, as: UInt64.self)
                raw.storeBytes(of: newValue.contentSum.littleEndian, toByteOffset: place + 8, as: UInt64.self)
                raw.storeBytes(of: newValue.storedSum.littleEndian, toByteOffset: place + 16, as: UInt32.self)
            }
        }
    }

    var isZero: Bool { bytes.withUnsafeBytes { $0.isZero } }

    /// Space taken by all its blocks, bytes.
    var stored: Int64 { (0..<Self.count).reduce(0) { $0 + self[$1].location.span } }
    /// Blocks that are not zero.
    var occupied: Int { (0..<Self.count).reduce(0) { $0 + (self[$1].location.isNone ? 0 : 1) } }
}

/// A leaf's key in the map: disk (16 bits), number of the leaf (24), epoch (23), in this order, so that one seek finds the version a
/// state sees and all versions of a leaf lie together.
struct LeafKey: Hashable, Comparable, Sendable {
    static let epochLimit: Int64 = 1 << 23
    static let leafLimit: Int64 = 1 << 24
    static let diskLimit: Int64 = 1 << 16

    let id: Int64

    init(id: Int64) { self.id = id }

    init(disk: Int64, leaf: Int64, epoch: Int64) {
        precondition(disk > 0 && disk < Self.diskLimit && leaf >= 0 && leaf < Self.leafLimit)
        precondition(epoch >= 0 && epoch < Self.epochLimit)
        id = disk << 47 | leaf << 23 | epoch
    }

    var disk: Int64 { id >> 47 }
    var leaf: Int64 { (id >> 23) & (Self.leafLimit - 1) }
    var epoch: Int64 { id & (Self.epochLimit - 1) }
    /// The key below all versions of this leaf.
    var first: Int64 { id & ~(Self.epochLimit - 1) }

    static func < (a: Self, b: Self) -> Bool { a.id < b.id }
}
