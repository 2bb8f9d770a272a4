import Files

/// What every block begins with: 52 bytes, the last two of them the XOR of the 25 words before.
struct BlockHeader: Hashable, Sendable {
    var type: FourLetters
    var attributes: UInt32 = 0
    /// Where the block ends and its first stream begins; in packed catalogs, where the next block begins. 52...65535.
    var firstEvent: Int = MTF.blockHeader
    /// 14 is Windows NT.
    var osID: UInt8 = 14
    var osVersion: UInt8 = 0
    var displayableSize: UInt64 = 0
    /// Format logical blocks since the set's start.
    var logicalAddress: UInt64 = 0
    /// "Reserved for MBC": in a type 2 catalog the number of the medium.
    var medium: UInt16 = 0
    var controlID: UInt32 = 0
    /// 1 ANSI, 2 UTF-16.
    var stringType: UInt8 = 2

    init(_ type: FourLetters) { self.type = type }

    /// - Throws: `TAPE-MTF` if there are fewer than 52 bytes, the checksum does not hold or the size is impossible.
    init(_ bytes: [UInt8], at place: String) throws(StorageFault) {
        guard bytes.count >= MTF.blockHeader else { throw .mtf(place, "a block ends within its header") }
        guard Self.sum(bytes) == bytes.little(UInt16.self, at: 50) else {
            throw .mtf(place, "the checksum of a block does not hold")
        }
        type = FourLetters(code: bytes.little(at: 0))
        guard type.isPrintable else { throw .mtf(place, "a block has no type") }
        attributes = bytes.little(at: 4)
        firstEvent = Int(bytes.little(UInt16.self, at: 8))
        (osID, osVersion) = (bytes[10], bytes[11])
        displayableSize = bytes.little(at: 12)
        logicalAddress = bytes.little(at: 20)
        medium = bytes.little(at: 28)
        controlID = bytes.little(at: 36)
        stringType = bytes[48]
        guard firstEvent >= MTF.blockHeader else { throw .mtf(place, "a block \(type) is smaller than its header") }
    }

    func put(into bytes: inout [UInt8]) {
        bytes.putLittle(type.code, at: 0)
        bytes.putLittle(attributes, at: 4)
        bytes.putLittle(UInt16(firstEvent), at: 8)
        (bytes[10], bytes[11]) = (osID, osVersion)
        bytes.putLittle(displayableSize, at: 12)
        bytes.putLittle(logicalAddress, at: 20)
        bytes.putLittle(medium, at: 28)
        bytes.putLittle(controlID, at: 36)
        bytes[48] = stringType
        bytes.putLittle(Self.sum(bytes), at: 50)
    }

    static func sum(_ bytes: [UInt8]) -> UInt16 { (0..<25).reduce(0) { $0 ^ bytes.little(UInt16.self, at: 2 * $1) } }
}

/// Bits of a block's attributes, as the specification numbers them.
enum BlockAttributes {
    static let continuation: UInt32 = 1 << 0
    static let compression: UInt32 = 1 << 2
    static let endsAtMediumEnd: UInt32 = 1 << 3
    /// TAPE: a set map may follow.
    static let setMap: UInt32 = 1 << 16
    /// TAPE: file detail is allowed; SSET: it exists with bit 16.
    static let fileDetailAllowed: UInt32 = 1 << 17
    static let fileDetail: UInt32 = 1 << 16
    static let encryption: UInt32 = 1 << 17
    /// ESET: the set was not finished.
    static let aborted: UInt32 = 1 << 18
    /// EOTM: there is no ESET on this medium.
    static let noSetEnd: UInt32 = 1 << 16
}

extension StorageFault {
    static func mtf(_ place: String, _ cause: String) -> StorageFault {
        StorageFault(
            .damaged, "TAPE-MTF", place, cause, action: "Verify the tape; restore from another copy of the set")
    }
}
