import CTSK
import Files

/// A file as libtsk has it open: its metadata and attributes, as long as this lives.
final class SleuthFile {
    let volume: SleuthVolume
    let handle: UnsafeMutablePointer<TSK_FS_FILE>
    let meta: TSK_FS_META

    init(_ volume: SleuthVolume, handle: UnsafeMutablePointer<TSK_FS_FILE>, meta: TSK_FS_META) {
        (self.volume, self.handle, self.meta) = (volume, handle, meta)
    }

    deinit { tsk_fs_file_close(handle) }

    /// All attributes, read if they are not yet.
    func attributes(_ object: String) throws(StorageFault) -> [UnsafePointer<TSK_FS_ATTR>] {
        let count = tsk_fs_file_attr_getsize(handle)
        try volume.image.checkReads()
        guard count >= 0 else { throw volume.image.fault(object, "its attributes cannot be read") }
        var all: [UnsafePointer<TSK_FS_ATTR>] = []
        for index in 0..<count {
            guard let attribute = tsk_fs_file_attr_get_idx(handle, index) else {
                throw volume.image.fault(object, "one of its attributes cannot be read")
            }
            all.append(attribute)
        }
        return all
    }

    /// At most `limit` bytes of an attribute's content.
    func content(
        _ attribute: UnsafePointer<TSK_FS_ATTR>, limit: Int, _ object: String
    ) throws(StorageFault) -> [UInt8] {
        let count = Int(clamping: attribute.pointee.size)
        guard count > 0 else { return [] }
        guard count <= limit else {
            throw .guestDamaged(object, "one of its attributes has \(count) bytes, more than there can be")
        }
        var bytes = [UInt8](repeating: 0, count: count)
        let read = bytes.withUnsafeMutableBytes {
            tsk_fs_attr_read(
                attribute, 0, $0.baseAddress?.assumingMemoryBound(to: CChar.self), count, TSK_FS_FILE_READ_FLAG_NONE)
        }
        guard read == count else { throw volume.image.fault(object, "one of its attributes cannot be read") }
        return bytes
    }
}

extension UnsafePointer<TSK_FS_ATTR> {
    var typeNumber: UInt32 { UInt32(pointee.type.rawValue) }
    var name: String { pointee.name.map { String(cString: $0) } ?? "" }
    func has(_ flag: TSK_FS_ATTR_FLAG_ENUM) -> Bool { pointee.flags.rawValue & flag.rawValue != 0 }
}
