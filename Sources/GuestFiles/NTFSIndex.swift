import CTSK
import DiskImages
import Files

/// The names in a folder of NTFS, from its index. By ourselves: libtsk would read the whole MFT for the first folder it opens, and mix in
/// names that were deleted.
enum NTFSIndex {
    private static let (rootType, allocationType, bitmapType): (UInt32, UInt32, UInt32) = (0x90, 0xA0, 0xB0)
    /// Bytes of index that the folder of a sane volume can have: some ten million names.
    private static let most: Int64 = 4 << 30

    static func names(
        in folder: UInt64, of volume: SleuthVolume, _ object: String
    ) throws(StorageFault) -> [SleuthVolume.Name] {
        guard let file = try volume.open(folder, object) else { throw .guestMissing(object, "the folder is deleted") }
        let attributes = try file.attributes(object)
        let part = { (type: UInt32) in attributes.first { $0.typeNumber == type && $0.name == "$I30" } }
        guard let root = part(rootType) else { throw .guestDamaged(object, "it has no index of names") }
        var names: [SleuthVolume.Name] = []
        let bytes = try file.content(root, limit: 1 << 20, object)
        guard bytes.count >= 32 else { throw .guestDamaged(object, "the root of its index has \(bytes.count) bytes") }
        try read(bytes, header: 16, into: &names, object)
        guard bytes[28] & 1 != 0 else { return names }
        guard let allocation = part(allocationType), let bitmap = part(bitmapType) else {
            throw .guestDamaged(object, "its index has blocks, but not where they are")
        }
        let size = Int(bytes.little(UInt32.self, at: 8))
        guard size >= 512, size <= 65_536, size & (size - 1) == 0 else {
            throw .guestDamaged(object, "its index has blocks of \(size) bytes")
        }
        guard 0...min(most, volume.device.size) ~= allocation.pointee.size else {
            throw .guestDamaged(object, "its index has \(allocation.pointee.size) bytes")
        }
        let used = try file.content(bitmap, limit: 1 << 24, object)
        var block = [UInt8](repeating: 0, count: size)
        for number in 0..<Int(allocation.pointee.size) / size {
            guard number / 8 < used.count, used[number / 8] >> UInt8(number % 8) & 1 != 0 else { continue }
            let count = block.withUnsafeMutableBytes {
                tsk_fs_attr_read(
                    allocation, Int64(number * size), $0.baseAddress?.assumingMemoryBound(to: CChar.self), size,
                    TSK_FS_FILE_READ_FLAG_NONE)
            }
            guard count == size else { throw volume.image.fault(object, "block \(number) of its index cannot be read") }
            try mend(&block, "block \(number) of the index of \(object)")
            try read(block, header: 24, into: &names, object)
        }
        return names
    }

    /// Puts back the last two bytes of each 512, which NTFS keeps elsewhere to notice torn writes.
    private static func mend(_ block: inout [UInt8], _ object: String) throws(StorageFault) {
        let (place, count) = (Int(block.little(UInt16.self, at: 4)), Int(block.little(UInt16.self, at: 6)))
        guard block.starts(with: Array("INDX".utf8)), count == block.count / 512 + 1, place % 2 == 0,
            place + 2 * count <= block.count
        else { throw .guestDamaged(object, "it does not begin as one does") }
        for sector in 0..<count - 1 {
            let end = 512 * (sector + 1) - 2
            guard block[end] == block[place], block[end + 1] == block[place + 1] else {
                throw .guestDamaged(object, "it was written in part only (sector \(sector))")
            }
            block[end] = block[place + 2 + 2 * sector]
            block[end + 1] = block[place + 3 + 2 * sector]
        }
    }

    /// The entries of a node whose header is at `header`; nothing of it is trusted.
    private static func read(
        _ node: [UInt8], header: Int, into names: inout [SleuthVolume.Name], _ object: String
    ) throws(StorageFault) {
        let (first, length) = (Int(node.little(UInt32.self, at: header)), Int(node.little(UInt32.self, at: header + 4)))
        guard first >= 16, first % 8 == 0, length >= first, header + length <= node.count else {
            throw .guestDamaged(object, "a node of its index does not hold together")
        }
        var at = header + first
        let end = header + length
        while at + 16 <= end {
            let (size, content) = (
                Int(node.little(UInt16.self, at: at + 8)), Int(node.little(UInt16.self, at: at + 10))
            )
            let flags = node.little(UInt16.self, at: at + 12)
            if flags & 2 != 0 { return }
            guard size >= 16 + content, size % 8 == 0, at + size <= end, content >= 66 else {
                throw .guestDamaged(object, "an entry of its index does not hold together")
            }
            let (units, space) = (Int(node[at + 16 + 64]), node[at + 16 + 65])
            guard 66 + 2 * units <= content, units > 0 else {
                throw .guestDamaged(object, "a name in its index does not hold together")
            }
            let reference = node.little(UInt64.self, at: at)
            let text = (0..<units).map { node.little(UInt16.self, at: at + 16 + 66 + 2 * $0) }
            // A name that is there for DOS only stands beside the real one.
            if space != 2, text != [46] {
                names.append(
                    SleuthVolume.Name(
                        bytes: Array(String(decoding: text, as: UTF16.self).utf8), number: reference & 0xFFFF_FFFF_FFFF,
                        sequence: UInt32(reference >> 48)))
            }
            at += size
        }
        throw .guestDamaged(object, "a node of its index has no end")
    }
}
