import Files
import Glibc
import Synchronization

/// A folder of this computer that a guest's files are recovered into, held open. Everything in it is made anew, by one name below a folder
/// that is open: no name of a guest and no link can lead anywhere else.
final class RecoveryFolder {
    let descriptor: Int32
    /// For messages.
    let path: String

    private init(descriptor: Int32, path: String) { (self.descriptor, self.path) = (descriptor, path) }

    /// The folder that the operator named, links in its path and all.
    init(_ path: String) throws(StorageFault) {
        descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        self.path = path
        guard descriptor >= 0 else { throw .host("open the folder", path, errno) }
    }

    deinit { close(descriptor) }

    /// A new folder in this one, for its owner only until `finish`.
    func makeFolder(_ name: [UInt8]) throws(StorageFault) -> RecoveryFolder {
        let text = try text(of: name)
        guard mkdirat(descriptor, text, 0o700) == 0 else { throw refusal("make the folder", name, errno) }
        let opened = openat(descriptor, text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard opened >= 0 else { throw .host("open the folder", place(name), errno) }
        return RecoveryFolder(descriptor: opened, path: place(name))
    }

    /// A new file in this folder, for its owner only until `finish`.
    func makeFile(_ name: [UInt8]) throws(StorageFault) -> RecoveryFile {
        let opened = openat(descriptor, try text(of: name), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw refusal("make", name, errno) }
        return RecoveryFile(descriptor: opened, path: place(name))
    }

    func makeLink(_ name: [UInt8], to target: String, of entry: GuestEntry) throws(StorageFault) {
        let text = try text(of: name)
        guard !target.isEmpty, symlinkat(target, descriptor, text) == 0 else {
            throw refusal("make the link", name, target.isEmpty ? EINVAL : errno)
        }
        let times = Self.times(of: entry)
        utimensat(descriptor, text, times, AT_SYMLINK_NOFOLLOW)
    }

    /// A second name of a file that is there.
    func makeName(_ name: [UInt8], of old: [UInt8], in folder: RecoveryFolder) throws(StorageFault) {
        guard linkat(folder.descriptor, try text(of: old), descriptor, try text(of: name), 0) == 0 else {
            throw refusal("make another name of", name, errno)
        }
    }

    /// Gives the folder the permissions and times it had, once everything is in it.
    func finish(as entry: GuestEntry) throws(StorageFault) {
        try settle(descriptor, path, entry, usual: 0o755)
    }

    func remove(_ name: [UInt8]) { if let text = try? text(of: name) { unlinkat(descriptor, text, 0) } }

    func exists(_ name: [UInt8]) throws(StorageFault) -> Bool {
        var status = stat()
        return fstatat(descriptor, try text(of: name), &status, AT_SYMLINK_NOFOLLOW) == 0
    }

    /// Moves what is called `name` here to `folder`, where it takes the place of a file only if that is asked for.
    func move(_ name: [UInt8], to folder: RecoveryFolder, replacing: Bool) throws(StorageFault) {
        let text = try text(of: name)
        if !replacing, try folder.exists(name) { throw .host("put", folder.place(name), EEXIST) }
        let code = renameat(descriptor, text, folder.descriptor, text)
        guard code == 0 else {
            let failure = errno == ENOTEMPTY || errno == EISDIR || errno == ENOTDIR ? EEXIST : errno
            throw .host("put", folder.place(name), failure)
        }
    }

    /// Removes a folder and all in it; links are removed, not followed. Does nothing if there is none.
    static func removeTree(_ path: String) {
        removeTree(AT_FDCWD, path.utf8.map { CChar(bitPattern: $0) } + [0])
    }

    private static func removeTree(_ parent: Int32, _ name: [CChar]) {
        name.withUnsafeBufferPointer { name in
            let opened = openat(parent, name.baseAddress!, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard opened >= 0 else { return }
            fchmod(opened, 0o700)
            guard let stream = fdopendir(opened) else {
                close(opened)
                return
            }
            var names: [[CChar]] = []
            while let entry = readdir(stream) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
                if name != [46], name != [46, 46] { names.append(name.map { CChar(bitPattern: $0) } + [0]) }
            }
            for name in names where unlinkat(opened, name, 0) != 0 { removeTree(opened, name) }
            closedir(stream)
            unlinkat(parent, name.baseAddress!, AT_REMOVEDIR)
        }
    }

    /// Where everything is made anew, a name that is there already stood twice in the guest's folder.
    private func refusal(_ verb: String, _ name: [UInt8], _ code: Int32) -> StorageFault {
        guard code == EEXIST || code == EINVAL else { return .host(verb, place(name), code) }
        let cause = code == EEXIST ? "its folder has this name twice" : "it is a link to nothing"
        return StorageFault(
            .damaged, code == EEXIST ? "GUEST-TWICE" : "GUEST-DAMAGED", String(decoding: name, as: UTF8.self), cause,
            action: "Say --skip-unreadable, or try another recovery point")
    }

    func place(_ name: [UInt8]) -> String { path + "/" + String(decoding: name, as: UTF8.self) }

    /// A guest's name as one for this computer: one part of a path, no more.
    private func text(of name: [UInt8]) throws(StorageFault) -> [CChar] {
        guard !name.isEmpty, name.count <= 255, name != [46], name != [46, 46], !name.contains(0), !name.contains(47)
        else {
            throw StorageFault(
                .badInput, "GUEST-NAME", String(decoding: name, as: UTF8.self),
                "no file of this computer can have this name, which \(name.count > 255 ? "is too long" : "leads elsewhere")",
                action: "Recover what is beside it by name, or restore the whole disk")
        }
        return name.map { CChar(bitPattern: $0) } + [0]
    }

    fileprivate static func times(of entry: GuestEntry) -> [timespec] {
        let time = { (time: GuestTime?) in
            timespec(
                tv_sec: Int(time?.seconds ?? 0), tv_nsec: time.map { Int($0.nanoseconds) } ?? leftAsItIs)
        }
        return [time(entry.accessed ?? entry.modified), time(entry.modified)]
    }
}

/// The system's sign for a time that is not to be set (`UTIME_OMIT`, which Swift cannot see).
private let leftAsItIs = (1 << 30) - 2

/// A file that is being recovered.
final class RecoveryFile: Sendable {
    let descriptor: Int32
    let path: String

    private let writing = Mutex(())

    fileprivate init(descriptor: Int32, path: String) { (self.descriptor, self.path) = (descriptor, path) }
    deinit { close(descriptor) }

    func resize(to size: Int64) throws(StorageFault) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw .host("give its size to", path, errno) }
    }

    /// One thread at a time: the system lets only one write to a file, and has the others burn processor time meanwhile.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try writing.withLock { (_) throws(StorageFault) in try writeAlone(bytes, at: offset) }
    }

    private func writeAlone(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset) + off_t(done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .host("write", path, errno) }
            done += count
        }
    }

    /// Gives the file the permissions and times it had.
    func finish(as entry: GuestEntry) throws(StorageFault) { try settle(descriptor, path, entry, usual: 0o644) }
}

/// Never more than reading, writing and executing: who owns the file here is not who owned it there.
private func settle(_ descriptor: Int32, _ path: String, _ entry: GuestEntry, usual: mode_t) throws(StorageFault) {
    guard fchmod(descriptor, entry.mode.map { mode_t($0) & 0o777 } ?? usual) == 0 else {
        throw .host("give permissions to", path, errno)
    }
    guard futimens(descriptor, RecoveryFolder.times(of: entry)) == 0 else {
        throw .host("give its times to", path, errno)
    }
}
