public import DiskImages
public import Files

/// What a volume holds, told from its own first bytes. libtsk is never asked to guess: it reads 26 MB for that, and believes too much.
public enum VolumeKind: String, Hashable, Sendable, CaseIterable {
    case ntfs, fat12, fat16, fat32, exfat, ext2, ext3, ext4
    case refs, bitlocker, dynamicDisk = "dynamic disk", storageSpace = "storage space", lvm, luks, xfs, btrfs, swap
    case reserved, empty, unknown

    /// Whether its files can be read here.
    public var isReadable: Bool { [.ntfs, .fat12, .fat16, .fat32, .exfat, .ext2, .ext3, .ext4].contains(self) }

    /// Names of files are the same whatever the case of their letters.
    public var ignoresCase: Bool { [.ntfs, .fat12, .fat16, .fat32, .exfat].contains(self) }

    /// Whether it is one of FAT12, FAT16 and FAT32.
    public var isFAT: Bool { [.fat12, .fat16, .fat32].contains(self) }

    /// Whether it is one of ext2, ext3 and ext4.
    public var isExt: Bool { [.ext2, .ext3, .ext4].contains(self) }

    /// Why its files cannot be read, a sentence's end after "it"; nil if they can.
    public var obstacle: String? {
        switch self {
        case .ntfs, .fat12, .fat16, .fat32, .exfat, .ext2, .ext3, .ext4: nil
        case .refs: "holds ReFS, which is not read here"
        case .bitlocker: "is encrypted by BitLocker"
        case .dynamicDisk: "is part of a dynamic disk (LDM), whose volumes are not put together here"
        case .storageSpace: "is part of a storage pool of Windows, whose spaces are not put together here"
        case .lvm: "is a physical volume of LVM, whose logical volumes are not put together here"
        case .luks: "is encrypted by LUKS"
        case .xfs: "holds XFS, which is not read here"
        case .btrfs: "holds Btrfs, which is not read here"
        case .swap: "is swap space"
        case .reserved: "is reserved by Microsoft and holds no files"
        case .empty: "holds nothing but zeros at its beginning"
        case .unknown: "holds no file system that is known here"
        }
    }

    /// What `volume` holds; `type` is the partition's, as the table gives it.
    ///
    /// Faults: those of reading.
    public init(of volume: any BlockDevice, partitionType type: String = "") throws(StorageFault) {
        if let kind = Self.byPartition[type] {
            self = kind
            return
        }
        // Superblocks of ext lie at 1024, of Btrfs at 64 KiB, the mark of a swap space in the last bytes of its first page.
        let first = try volume.bytes(Int(min(volume.size, 4096)), at: 0)
        guard first.count >= 512 else {
            self = .unknown
            return
        }
        if let kind = Self.ofBootSector(first) {
            self = kind
        } else if first.count == 4096, let kind = Self.ofSuperblock(first) {
            self = kind
        } else if volume.size >= 65_536 + 4096,
            try volume.bytes(8, at: 65_536 + 64) == Array("_BHRfS_M".utf8)
        {
            self = .btrfs
        } else {
            self = first.contains { $0 != 0 } ? .unknown : .empty
        }
    }

    private static let byPartition: [String: VolumeKind] = [
        "E3C9E316-0B5C-4DB8-817D-F92DF00215AE": .reserved, "5808C8AA-7E8F-42E0-85D2-E1E90434CFB3": .dynamicDisk,
        "AF9B60A0-1431-4F62-BC68-3311714A69AD": .dynamicDisk, "0x42": .dynamicDisk,
        "E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D": .storageSpace,
    ]

    /// What a volume's first sector says; nil if it is no boot sector.
    static func ofBootSector(_ sector: [UInt8]) -> VolumeKind? {
        let name = { (place: Int, text: String) in Array(sector[place..<place + text.utf8.count]) == Array(text.utf8) }
        if name(3, "-FVE-FS-") { return .bitlocker }
        if name(3, "NTFS    ") { return .ntfs }
        if name(3, "EXFAT   ") { return .exfat }
        if name(3, "ReFS\0\0\0\0") { return .refs }
        return BootSectorFAT(sector)?.kind
    }

    private static func ofSuperblock(_ bytes: [UInt8]) -> VolumeKind? {
        if bytes.starts(with: Array("XFSB".utf8)) { return .xfs }
        if bytes.starts(with: [0x4C, 0x55, 0x4B, 0x53, 0xBA, 0xBE]) { return .luks }
        let swap = Array(bytes[4086..<4096])
        if swap == Array("SWAPSPACE2".utf8) || swap == Array("SWAP-SPACE".utf8) { return .swap }
        if (0..<4).contains(where: { Array(bytes[512 * $0..<512 * $0 + 8]) == Array("LABELONE".utf8) }) { return .lvm }
        guard let block = ExtSuperblock(Array(bytes[1024..<2048])) else { return nil }
        return block.kind
    }
}

/// The fields of a FAT's boot sector that say how many clusters there are, which alone decides on the kind.
private struct BootSectorFAT {
    var kind: VolumeKind

    init?(_ sector: [UInt8]) {
        let (bytes, each) = (Int(sector.little(UInt16.self, at: 11)), Int(sector[13]))
        let (reserved, copies) = (Int(sector.little(UInt16.self, at: 14)), Int(sector[16]))
        let (root, small) = (Int(sector.little(UInt16.self, at: 17)), Int(sector.little(UInt16.self, at: 19)))
        let (short, large) = (Int(sector.little(UInt16.self, at: 22)), Int(sector.little(UInt32.self, at: 32)))
        guard sector[510] == 0x55, sector[511] == 0xAA, sector[0] == 0xEB || sector[0] == 0xE9,
            [512, 1024, 2048, 4096].contains(bytes), each > 0, each & (each - 1) == 0, reserved > 0, 1...4 ~= copies,
            sector[21] == 0xF0 || sector[21] >= 0xF8
        else { return nil }
        let table = short > 0 ? short : Int(sector.little(UInt32.self, at: 36))
        let all = small > 0 ? small : large
        let clusters = (all - reserved - copies * table - (root * 32 + bytes - 1) / bytes) / each
        guard table > 0, clusters > 0 else { return nil }
        kind = short == 0 ? .fat32 : clusters < 4085 ? .fat12 : .fat16
    }
}
