import Files
import Foundation
import Synchronization
import Tape

/// A file that is written to tape; Control-C stops it.
struct TapeSource: SetFile {
    let name: String
    let size: Int64
    let modified: Int64
    private let file: any StoreFile

    init(_ path: String, name: String) throws(StorageFault) {
        let path = absolute(path)
        let files = HostFiles()
        guard try files.kind(of: path) == .file else {
            throw StorageFault(
                .missing, "TAPE-SOURCE", path, "there is no file of that name", action: "Check the path")
        }
        var facts = stat()
        guard stat(path, &facts) == 0 else { throw StorageFault.host("look at", path, errno) }
        let file = try files.open(path, .read)
        (self.name, self.file) = (name, file)
        (size, modified) = (try file.size(), Int64(facts.st_mtim.tv_sec))
    }

    func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>? { try file.dataRange(from: offset) }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        if Interrupt.isAsked { throw .stopped(name) }
        try file.readFully(into: buffer, at: offset)
    }
}

/// A new file that takes what comes from tape. It has its name only when it is whole.
final class TapeTarget: SetTarget {
    let path: String
    private let file: any StoreFile
    private var draft: String { path + ".part" }
    private let progress: LiveProgress

    /// - Throws: `TAPE-TARGET` if there is a file of that name already.
    init(_ path: String, _ progress: LiveProgress) throws(StorageFault) {
        (self.path, self.progress) = (path, progress)
        let files = HostFiles()
        guard try files.kind(of: path) == .none else {
            throw StorageFault(
                .badInput, "TAPE-TARGET", path, "there is a file of that name",
                action: "Choose another folder, or remove it")
        }
        file = try files.open(path + ".part", .createOrOpen)
        try file.truncate(to: 0)
    }

    func prepare(size: Int64) throws(StorageFault) { try file.truncate(to: size) }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        if Interrupt.isAsked { throw .stopped(path) }
        try file.write(bytes, at: offset)
        progress.add(Int64(bytes.count))
    }

    func finish(modified: Int64) throws(StorageFault) {
        try file.flush()
        file.close()
        let files = HostFiles()
        var times = [timespec(tv_sec: Int(modified), tv_nsec: 0), timespec(tv_sec: Int(modified), tv_nsec: 0)]
        utimensat(AT_FDCWD, draft, &times, 0)
        try files.rename(draft, to: path)
    }

    func giveUp() {
        file.close()
        try? HostFiles().remove(draft)
    }
}

extension StorageFault {
    /// Control-C; told as such, and nothing half done stays.
    static func stopped(_ object: String) -> StorageFault {
        StorageFault(.busy, "IMAGE-STOPPED", object, "it was stopped", action: "Run the command again")
    }
}

/// Progress that any thread may report.
final class LiveProgress: Sendable {
    private let total: Int64
    private let state: Mutex<(progress: Progress, done: Int64)>

    init(of total: Int64) {
        self.total = total
        state = Mutex((Progress(), 0))
    }

    func add(_ bytes: Int64) {
        state.withLock { state in
            state.done += bytes
            state.progress.show(done: state.done, of: total)
        }
    }

    func reach(_ done: Int64) { state.withLock { $0.progress.show(done: done, of: total) } }
    func clear() { state.withLock { $0.progress.clear() } }
}
