import Files

/// The superblock of an ext2, ext3 or ext4 volume, 1024 bytes at byte 1024.
struct ExtSuperblock: Hashable, Sendable {
    static let place: Int64 = 1024
    var blockSize: Int64
    var blockCount: Int64
    var compatible: UInt32, incompatible: UInt32
    var journalInode: UInt32
    var journalDevice: UInt32
    var state: UInt16
    var label: String

    /// nil if it is none, or its block size is none that there is.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == 1024, bytes.little(UInt16.self, at: 56) == 0xEF53 else { return nil }
        let shift = bytes.little(UInt32.self, at: 24)
        guard shift <= 6 else { return nil }
        blockSize = 1024 << Int64(shift)
        (compatible, incompatible) = (bytes.little(at: 92), bytes.little(at: 96))
        // A journal that lies alone on its device has a superblock too, and no files.
        guard incompatible & 0x8 == 0 else { return nil }
        let high = incompatible & 0x80 != 0 ? Int64(bytes.little(UInt32.self, at: 0x150)) : 0
        guard high < 1 << 20 else { return nil }
        blockCount = high << 32 | Int64(bytes.little(UInt32.self, at: 4))
        (journalInode, journalDevice) = (bytes.little(at: 224), bytes.little(at: 228))
        state = bytes.little(at: 58)
        label = String(decoding: bytes[120..<136].prefix { $0 != 0 }, as: UTF8.self)
    }

    var hasJournal: Bool { compatible & 0x4 != 0 }
    /// Changes stand in the journal that are not in their places.
    var needsRecovery: Bool { incompatible & 0x4 != 0 }
    var hasEncryption: Bool { incompatible & 0x10000 != 0 }

    var kind: VolumeKind {
        // Extents, 64 bits, flexible groups, inline data and the like came with ext4.
        if incompatible & ~UInt32(0x1F) != 0 { return .ext4 }
        return hasJournal ? .ext3 : .ext2
    }
}
