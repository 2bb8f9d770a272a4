import CTSK
import DiskImages
import Files
import Glibc

/// A file system as libtsk has it open. For one thread at a time.
final class SleuthVolume {
    let image: SleuthImage
    let kind: VolumeKind
    let handle: UnsafeMutablePointer<TSK_FS_INFO>

    init(_ device: any BlockDevice, kind: VolumeKind) throws(StorageFault) {
        guard let type = Self.type(of: kind) else {
            throw StorageFault(
                .badInput, "GUEST-KIND", device.name, "it \(kind.obstacle ?? "cannot be read")",
                action: "Choose another volume, or restore the whole disk")
        }
        image = try SleuthImage(device)
        self.kind = kind
        guard let opened = tsk_fs_open_img(image.handle, 0, type) else {
            throw image.fault(device.name, "its file system (\(kind.rawValue)) cannot be opened")
        }
        handle = opened
        guard blockSize > 0, blockSize <= 1 << 26 else {
            tsk_fs_close(opened)
            throw .guestDamaged(device.name, "its file system has blocks of \(blockSize) bytes")
        }
    }

    deinit { tsk_fs_close(handle) }

    private static func type(of kind: VolumeKind) -> TSK_FS_TYPE_ENUM? {
        switch kind {
        case .ntfs: TSK_FS_TYPE_NTFS
        case .fat12: TSK_FS_TYPE_FAT12
        case .fat16: TSK_FS_TYPE_FAT16
        case .fat32: TSK_FS_TYPE_FAT32
        case .exfat: TSK_FS_TYPE_EXFAT
        case .ext2: TSK_FS_TYPE_EXT2
        case .ext3: TSK_FS_TYPE_EXT3
        case .ext4: TSK_FS_TYPE_EXT4
        default: nil
        }
    }

    var device: any BlockDevice { image.device }
    /// Bytes of a cluster or block.
    var blockSize: Int64 { Int64(handle.pointee.block_size) }
    var root: UInt64 { handle.pointee.root_inum }

    /// The file of a number, which is allocated: nil if it is not, or is another one by now (`sequence`, on NTFS).
    func open(_ number: UInt64, sequence: UInt32? = nil, _ object: String) throws(StorageFault) -> SleuthFile? {
        guard let file = tsk_fs_file_open_meta(handle, nil, number) else {
            throw image.fault(object, "its metadata (number \(number)) cannot be read")
        }
        guard let meta = file.pointee.meta?.pointee else {
            tsk_fs_file_close(file)
            throw image.fault(object, "it has no metadata (number \(number))")
        }
        let opened = SleuthFile(self, handle: file, meta: meta)
        try image.checkReads()
        let isAllocated = meta.flags.rawValue & TSK_FS_META_FLAG_UNALLOC.rawValue == 0
        guard isAllocated, sequence == nil || sequence == meta.seq else { return nil }
        return opened
    }

    /// A name in a folder and what it stands for.
    struct Name: Hashable, Sendable {
        var bytes: [UInt8]
        var number: UInt64
        /// Of NTFS: which of the files that had this number it stands for.
        var sequence: UInt32?
    }

    /// The names in a folder that are not deleted, as they are kept; without `.`, `..` and what libtsk makes up.
    func names(in folder: UInt64, _ object: String) throws(StorageFault) -> [Name] {
        if kind == .ntfs { return try NTFSIndex.names(in: folder, of: self, object) }
        guard let directory = tsk_fs_dir_open_meta(handle, folder) else {
            throw image.fault(object, "the folder cannot be read")
        }
        defer { tsk_fs_dir_close(directory) }
        try image.checkReads()
        tsk_error_reset()
        var names: [Name] = []
        for index in 0..<tsk_fs_dir_getsize(directory) {
            guard let name = tsk_fs_dir_get_name(directory, index)?.pointee, let text = name.name,
                name.flags.rawValue & TSK_FS_NAME_FLAG_UNALLOC.rawValue == 0,
                ![TSK_FS_NAME_TYPE_VIRT.rawValue, TSK_FS_NAME_TYPE_VIRT_DIR.rawValue].contains(name.type.rawValue)
            else { continue }
            let bytes = Array(UnsafeRawBufferPointer(start: text, count: strnlen(text, name.name_size)))
            if bytes == [46] || bytes == [46, 46] || isMadeUp(bytes, number: name.meta_addr, in: folder) { continue }
            names.append(Name(bytes: bytes, number: name.meta_addr, sequence: nil))
        }
        return names
    }

    private static let madeUp: Set<String> = [
        "$ALLOC_BITMAP", "$UPCASE_TABLE", "$EMPTY_VOLUME_LABEL", "$VOLUME_GUID", "$TEX_FAT", "$ACCESS_CONTROL_TABLE",
    ]

    /// Labels and tables of FAT and exFAT that libtsk lists as if they were files.
    private func isMadeUp(_ name: [UInt8], number: UInt64, in folder: UInt64) -> Bool {
        guard folder == root else { return false }
        let text = String(decoding: name, as: UTF8.self)
        if kind.isFAT || kind == .exfat, text.hasSuffix(" (Volume Label Entry)") { return true }
        return kind == .exfat && Self.madeUp.contains(text)
    }
}
