import Files

/// Where things lie in a cartridge's file; bytes. See FORMAT-CARTRIDGE.md.
enum CartridgeLayout {
    static let version: UInt16 = 1
    static let labelSize = 4096
    static let attributesRoom = 32 << 10
    static let tailRoom = 96 << 10
    static let maximumPartitions = 4
    static let longestRecord = 1 << 20
    static let longestBarcode = 32
    /// Labels, and beside each the attributes and the index tails it points to, so that commits do not make the file longer.
    static let dataStart: Int64 = 1 << 20
    /// Everything behind `dataStart` begins at a multiple of it, so that a damaged file can be searched.
    static let unit: Int64 = 32
    /// Above any sound place or count; sums of a few such numbers do not overflow.
    static let absurd: Int64 = 1 << 60

    static func label(_ slot: Int) -> Int64 { Int64(slot * labelSize) }

    static func attributes(_ slot: Int) -> Int64 {
        Int64(2 * labelSize + slot * (attributesRoom + maximumPartitions * tailRoom))
    }

    static func tail(_ slot: Int, partition: Int) -> Int64 {
        attributes(slot) + Int64(attributesRoom + partition * tailRoom)
    }

    static func rounded(_ count: Int64) -> Int64 { (count + unit - 1) / unit * unit }

    /// Room a stored record takes.
    static func stride(_ length: Int) -> Int64 { rounded(Int64(CartridgeRecord.headerSize + length)) }
}

/// A piece of the file that something points to.
struct CartridgePiece: Hashable {
    static let none = CartridgePiece(offset: 0, length: 0, crc: 0)
    var offset: Int64
    var length: Int
    var crc: UInt32

    var range: Range<Int64> { offset..<offset + Int64(length) }
}
