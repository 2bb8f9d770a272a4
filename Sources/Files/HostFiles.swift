import CHost
import Glibc

/// The files of this computer.
public final class HostFiles: FileSystem {
    private let flushes: Bool

    /// - Parameter flushes: nothing is kept from a power cut without it: for what is thrown away, or made again, if this computer dies.
    public init(flushes: Bool = true) { self.flushes = flushes }
    public var isHost: Bool { true }

    public func open(_ path: String, _ access: FileAccess) throws(StorageFault) -> any StoreFile {
        try HostFile(path: path, access: access, flushes: flushes)
    }

    public func remove(_ path: String) throws(StorageFault) {
        guard unlink(path) == 0 else { throw .host("remove", path, errno) }
    }

    public func rename(_ path: String, to target: String) throws(StorageFault) {
        guard Glibc.rename(path, target) == 0 else { throw .host("rename", path, errno) }
    }

    public func makeFolder(_ path: String) throws(StorageFault) {
        guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw .host("make the folder", path, errno) }
        guard try kind(of: path) == .folder else { throw .host("make the folder", path, EEXIST) }
    }

    public func removeFolder(_ path: String) throws(StorageFault) {
        guard rmdir(path) == 0 else { throw .host("remove the folder", path, errno) }
    }

    public func list(_ folder: String) throws(StorageFault) -> [String] {
        guard let stream = opendir(folder) else { throw .host("list", folder, errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    public func kind(of path: String) throws(StorageFault) -> EntryKind {
        var status = stat()
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT || errno == ENOTDIR else { throw .host("look at", path, errno) }
            return .none
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR: return .folder
        default: return .other
        }
    }

    public func syncFolder(_ path: String) throws(StorageFault) {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .host("open the folder", path, errno) }
        defer { Glibc.close(descriptor) }
        guard !flushes || fsync(descriptor) == 0 else { throw .host("flush the folder", path, errno) }
    }

    public func space(at path: String) throws(StorageFault) -> (total: Int64, free: Int64) {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw .host("ask the free space of", path, errno) }
        let unit = Int64(status.f_frsize)
        return (Int64(status.f_blocks) * unit, Int64(status.f_bavail) * unit)
    }
}

/// An open file of this computer; reads and writes say where (`pread`, `pwrite`), so that threads share it freely.
public final class HostFile: StoreFile {
    public let path: String
    public let descriptor: Int32
    private let closed = OnceFlag()
    private let flushes: Bool

    public init(path: String, access: FileAccess, flushes: Bool = true) throws(StorageFault) {
        self.flushes = flushes
        let flags: Int32 =
            switch access {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .create: O_RDWR | O_CREAT | O_EXCL
            case .createOrOpen: O_RDWR | O_CREAT
            }
        self.path = path
        descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw .host("open", path, errno) }
    }

    deinit { close() }

    public func close() {
        guard closed.first() else { return }
        // A process that was just forked holds a copy of the descriptor until it runs its own program, and with it the lock.
        flock(descriptor, LOCK_UN)
        Glibc.close(descriptor)
    }

    public func size() throws(StorageFault) -> Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .host("ask the size of", path, errno) }
        // A block device has no size in its status.
        if status.st_mode & S_IFMT == S_IFBLK { return Int64(lseek(descriptor, 0, SEEK_END)) }
        return Int64(status.st_size)
    }

    public func allocated() throws(StorageFault) -> Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .host("ask the size of", path, errno) }
        return Int64(status.st_blocks) * 512
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) -> Int {
        guard let base = buffer.baseAddress else { return 0 }
        var done = 0
        while done < buffer.count {
            let count = pread(descriptor, base + done, buffer.count - done, off_t(offset) + off_t(done))
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw .host("read", path, errno)
            }
            done += count
        }
        return done
    }

    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        guard let base = bytes.baseAddress else { return }
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, base + done, bytes.count - done, off_t(offset) + off_t(done))
            if count < 0 {
                if errno == EINTR { continue }
                throw .host("write", path, errno)
            }
            done += count
        }
    }

    public func truncate(to size: Int64) throws(StorageFault) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw .host("resize", path, errno) }
    }

    public func punch(_ range: Range<Int64>) throws(StorageFault) {
        guard !range.isEmpty else { return }
        guard chost_punch(descriptor, range.lowerBound, range.upperBound - range.lowerBound) == 0 else {
            throw .host("free space in", path, errno)
        }
    }

    public func reserve(_ range: Range<Int64>) throws(StorageFault) {
        guard !range.isEmpty else { return }
        guard chost_reserve(descriptor, range.lowerBound, range.upperBound - range.lowerBound) == 0 else {
            throw .host("reserve space for", path, errno)
        }
    }

    public func flush() throws(StorageFault) {
        guard !flushes || fdatasync(descriptor) == 0 else { throw .host("flush", path, errno) }
    }

    public func writeSoon(_ range: Range<Int64>) {
        chost_write_soon(descriptor, range.lowerBound, range.upperBound - range.lowerBound)
    }

    public func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>? {
        let start = chost_seek(descriptor, offset, 0)
        guard start >= 0 else {
            switch errno {
            case ENXIO: return nil
            case EINVAL:  // a file system without holes: all of it is data
                let end = try size()
                return offset < end ? offset..<end : nil
            default: throw .host("look for data in", path, errno)
            }
        }
        let end = chost_seek(descriptor, start, 1)
        guard end >= 0 else { throw .host("look for holes in", path, errno) }
        return start..<end
    }

    public func lock(exclusive: Bool, wait: Bool) throws(StorageFault) -> Bool {
        while flock(descriptor, (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB)) != 0 {
            switch errno {
            case EINTR: continue
            case EWOULDBLOCK: return false
            default: throw .host("lock", path, errno)
            }
        }
        return true
    }

    public func unlock() throws(StorageFault) {
        guard flock(descriptor, LOCK_UN) == 0 else { throw .host("unlock", path, errno) }
    }
}

extension StorageFault {
    /// A failed call of the system, told in the operator's terms.
    public static func host(_ verb: String, _ path: String, _ code: Int32) -> StorageFault {
        let text = String(cString: strerror(code))
        switch code {
        case ENOSPC, EDQUOT:
            return StorageFault(
                .outOfSpace, "FILE-SPACE", path, "there was no space left to \(verb) it",
                action: "Free space on its volume, or add a volume")
        case ENOENT, ENOTDIR:
            return StorageFault(
                .missing, "FILE-MISSING", path, "it could not be found to \(verb) it",
                action: "Check the path, and that its volume is mounted")
        case EEXIST:
            return StorageFault(
                .badInput, "FILE-EXISTS", path, "something of that name exists already",
                action: "Choose another name, or remove what is there")
        case EACCES, EPERM:
            return StorageFault(
                .permission, "FILE-DENIED", path, "this user may not \(verb) it", action: "Change its permissions")
        case EROFS, ETXTBSY:
            return StorageFault(
                .readOnly, "FILE-READONLY", path, "its volume is mounted read-only",
                action: "Mount the volume for writing")
        case EIO:
            return StorageFault(
                .device, "FILE-IO", path, "the device failed to \(verb) it",
                action: "Check the disk under it, then run the pool's check")
        default:
            return StorageFault(
                .device, "FILE-SYSTEM", path, "the system could not \(verb) it: \(text) (errno \(code))",
                action: "Put the cause right and try again")
        }
    }
}
