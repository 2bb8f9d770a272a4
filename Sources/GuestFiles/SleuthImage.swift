import CTSK
import DiskImages
import Files
import Glibc

/// A block device as libtsk sees it. libtsk holds its cache's lock while it reads: one read at a time for each of these.
final class SleuthImage {
    let device: any BlockDevice
    let handle: UnsafeMutablePointer<TSK_IMG_INFO>
    /// What the device said when libtsk last read from it in vain.
    private var readFault: StorageFault?

    init(_ device: any BlockDevice) throws(StorageFault) {
        // Zeroed memory of its own: the record holds a cache of 2 MiB that counts from zero.
        guard let memory = calloc(1, MemoryLayout<ctsk_image>.size) else {
            throw .host("make room for", device.name, ENOMEM)
        }
        let record = memory.bindMemory(to: ctsk_image.self, capacity: 1)
        let opened = tsk_img_open_external(
            record, device.size, UInt32(device.sectorSize),
            { image, offset, buffer, count in
                guard let image, let buffer, let user = ctsk_user(image) else { return -1 }
                return Unmanaged<SleuthImage>.fromOpaque(user).takeUnretainedValue()
                    .read(into: UnsafeMutableRawBufferPointer(start: buffer, count: count), at: offset)
            },
            { free($0) }, { _, _ in })
        guard let opened else {
            free(memory)
            throw sleuthFault(device.name, "it could not be given to libtsk")
        }
        (self.device, handle) = (device, opened)
        handle.pointee.itype = TSK_IMG_TYPE_EXTERNAL
        ctsk_set_user(record, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit { tsk_img_close(handle) }

    private func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) -> Int {
        // libtsk asks for whole slots of its cache, the last of which may reach over the end.
        guard offset >= 0, offset < device.size else { return 0 }
        let count = Int(min(Int64(buffer.count), device.size - offset))
        do throws(StorageFault) {
            try device.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: offset)
            return count
        } catch {
            readFault = error
            tsk_error_set_errno(UInt32(TSK_ERR_IMG_READ))
            return -1
        }
    }

    /// Why libtsk's last call failed: what the device said, else what libtsk says.
    func fault(_ object: String, _ what: String) -> StorageFault {
        defer { readFault = nil }
        let own = sleuthFault(object, what)
        return readFault ?? own
    }

    /// A read that failed and that libtsk kept to itself.
    func checkReads() throws(StorageFault) {
        guard let fault = readFault else { return }
        readFault = nil
        tsk_error_reset()
        throw fault
    }
}

/// libtsk's message for this thread, which is gone after it.
private func sleuthFault(_ object: String, _ what: String) -> StorageFault {
    let text = tsk_error_get().map { String(cString: $0) } ?? ""
    tsk_error_reset()
    let line = text.split(whereSeparator: \.isNewline).joined(separator: "; ")
    return .guestDamaged(object, line.isEmpty ? what : "\(what): \(line)")
}
