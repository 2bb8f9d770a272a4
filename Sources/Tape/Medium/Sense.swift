public import Files

/// A SCSI sense triple (SPC-5, 4.4): why a command of a drive or changer ended in CHECK CONDITION.
public struct Sense: Hashable, Sendable, CustomStringConvertible {
    public var key: UInt8
    public var code: UInt8
    public var qualifier: UInt8

    public init(_ key: UInt8, _ code: UInt8, _ qualifier: UInt8) {
        (self.key, self.code, self.qualifier) = (key, code, qualifier)
    }

    public var description: String {
        [key, code, qualifier].map { String($0, radix: 16, uppercase: true) }.joined(separator: "/")
    }

    /// What a drive or changer says when a fault with this id occurs; nil for faults that are not a device's.
    public static func of(_ fault: StorageFault) -> Sense? { table[fault.id] }

    private static let table: [String: Sense] = [
        "TAPE-END-OF-MEDIUM": Sense(0xD, 0x00, 0x02),
        "TAPE-NO-OBJECT": Sense(0x8, 0x00, 0x05),
        "TAPE-RECORD-DAMAGED": Sense(0x3, 0x11, 0x00),
        "TAPE-WRITE-PROTECTED": Sense(0x7, 0x27, 0x00),
        "TAPE-WORM": Sense(0x7, 0x30, 0x0C),
        "TAPE-CLEANING": Sense(0x2, 0x30, 0x03),
        "TAPE-FORMAT": Sense(0x3, 0x30, 0x00),
        "TAPE-NO-MEDIUM": Sense(0x2, 0x3A, 0x00),
        "TAPE-NO-ELEMENT": Sense(0x5, 0x21, 0x01),
        "TAPE-SOURCE-EMPTY": Sense(0x5, 0x3B, 0x0E),
        "TAPE-DESTINATION-FULL": Sense(0x5, 0x3B, 0x0D),
        "TAPE-REMOVAL-PREVENTED": Sense(0x5, 0x53, 0x02),
        "TAPE-INCOMPATIBLE": Sense(0x3, 0x30, 0x02),
        "TAPE-ROBOT": Sense(0x4, 0x15, 0x01),
        "TAPE-INDEX-DAMAGED": Sense(0x3, 0x11, 0x00),
        "TAPE-UNSAFE": Sense(0x3, 0x0C, 0x00),
        "TAPE-RECORD-LENGTH": Sense(0x5, 0x24, 0x00),
        "TAPE-NO-PARTITION": Sense(0x5, 0x24, 0x00),
        "TAPE-ATTRIBUTE": Sense(0x5, 0x26, 0x00),
        "TAPE-CLEANING-EXPIRED": Sense(0x2, 0x30, 0x03),
        "TAPE-INDEX-FULL": Sense(0xD, 0x00, 0x02),
    ]
}
