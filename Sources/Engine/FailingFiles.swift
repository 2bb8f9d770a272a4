import Files
import Glibc
import Synchronization

/// Files on a disk that takes no more bytes, or whose computer loses its power in the middle of a write. Whatever else is done
/// goes to the files beneath.
///
/// Full: what a file has stays and can be overwritten, what is freed can be used again. Cut: of one write the first half arrives,
/// and then nothing more is answered, as by a computer that is off.
final class FailingFiles: FileSystem {
    enum Failure: Hashable, Sendable {
        case full
        /// After so many writes that go well.
        case cut(after: Int)
    }

    private struct State {
        var failure: Failure
        var isOff = false
        /// Bytes that were freed since the disk was full.
        var room: Int64 = 0
    }
    private let base: any FileSystem
    private let state: Mutex<State>

    init(_ base: any FileSystem, _ failure: Failure) {
        self.base = base
        state = Mutex(State(failure: failure))
    }

    /// SQLite too has to write through here.
    var isHost: Bool { false }

    fileprivate func check(_ path: String) throws(StorageFault) {
        if state.withLock({ $0.isOff }) { throw Self.powerCut(path) }
    }

    /// Before a write. True: the power goes during it.
    fileprivate func countWrite(_ path: String) throws(StorageFault) -> Bool {
        try check(path)
        return state.withLock { state in
            guard case .cut(let left) = state.failure else { return false }
            state.failure = .cut(after: left - 1)
            state.isOff = left <= 0
            return state.isOff
        }
    }

    fileprivate var isFull: Bool { state.withLock { $0.failure == .full } }
    fileprivate var room: Int64 { state.withLock { $0.room } }
    fileprivate func free(_ bytes: Int64) { state.withLock { $0.room += bytes } }

    fileprivate static func powerCut(_ path: String) -> StorageFault {
        StorageFault(
            .device, "ENGINE-POWER", path, "the DPM server lost its power",
            action: "Start it, then run the backup again")
    }

    func open(_ path: String, _ access: FileAccess) throws(StorageFault) -> any StoreFile {
        try check(path)
        return FailingFile(try base.open(path, access), self)
    }

    func remove(_ path: String) throws(StorageFault) {
        try check(path)
        if isFull, let file = try? base.open(path, .read), let size = try? file.allocated() { free(size) }
        try base.remove(path)
    }

    func rename(_ path: String, to target: String) throws(StorageFault) {
        try check(path)
        try base.rename(path, to: target)
    }

    func makeFolder(_ path: String) throws(StorageFault) {
        try check(path)
        try base.makeFolder(path)
    }

    func removeFolder(_ path: String) throws(StorageFault) {
        try check(path)
        try base.removeFolder(path)
    }

    func list(_ folder: String) throws(StorageFault) -> [String] {
        try check(folder)
        return try base.list(folder)
    }

    func kind(of path: String) throws(StorageFault) -> EntryKind {
        try check(path)
        return try base.kind(of: path)
    }

    func syncFolder(_ path: String) throws(StorageFault) {
        try check(path)
        try base.syncFolder(path)
    }

    func space(at path: String) throws(StorageFault) -> (total: Int64, free: Int64) {
        try check(path)
        let (total, free) = try base.space(at: path)
        return (total, isFull ? min(free, max(0, room)) : free)
    }
}

private final class FailingFile: StoreFile {
    private let base: any StoreFile
    private let files: FailingFiles

    init(_ base: any StoreFile, _ files: FailingFiles) { (self.base, self.files) = (base, files) }

    var path: String { base.path }

    func size() throws(StorageFault) -> Int64 {
        try files.check(path)
        return try base.size()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) -> Int {
        try files.check(path)
        return try base.read(into: buffer, at: offset)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        if try files.countWrite(path) {
            try base.write(UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count / 2)]), at: offset)
            throw FailingFiles.powerCut(path)
        }
        try growing(offset..<offset + Int64(bytes.count), "write") { () throws(StorageFault) in
            try base.write(bytes, at: offset)
        }
    }

    /// Lets `body` take space for `range`, if there is any.
    private func growing(
        _ range: Range<Int64>, _ verb: String, _ body: () throws(StorageFault) -> Void
    ) throws(StorageFault) {
        guard files.isFull, !range.isEmpty else { return try body() }
        if let data = try base.dataRange(from: range.lowerBound), data.lowerBound <= range.lowerBound,
            data.upperBound >= range.upperBound
        {
            return try body()
        }
        guard files.room >= Int64(range.count) else { throw .host(verb, path, ENOSPC) }
        let before = try base.allocated()
        try body()
        files.free(before - (try base.allocated()))
    }

    private func freeing(_ body: () throws(StorageFault) -> Void) throws(StorageFault) {
        try files.check(path)
        guard files.isFull else { return try body() }
        let before = try base.allocated()
        try body()
        files.free(max(0, before - (try base.allocated())))
    }

    func truncate(to size: Int64) throws(StorageFault) {
        try freeing { () throws(StorageFault) in try base.truncate(to: size) }
    }

    func punch(_ range: Range<Int64>) throws(StorageFault) {
        try freeing { () throws(StorageFault) in try base.punch(range) }
    }

    func reserve(_ range: Range<Int64>) throws(StorageFault) {
        try files.check(path)
        try growing(range, "reserve space for") { () throws(StorageFault) in try base.reserve(range) }
    }

    func flush() throws(StorageFault) {
        try files.check(path)
        try base.flush()
    }

    func writeSoon(_ range: Range<Int64>) { base.writeSoon(range) }

    func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>? {
        try files.check(path)
        return try base.dataRange(from: offset)
    }

    func allocated() throws(StorageFault) -> Int64 {
        try files.check(path)
        return try base.allocated()
    }

    func lock(exclusive: Bool, wait: Bool) throws(StorageFault) -> Bool {
        try files.check(path)
        return try base.lock(exclusive: exclusive, wait: wait)
    }

    func unlock() throws(StorageFault) { try base.unlock() }

    func close() { base.close() }
}
