import Files

/// Files that do not keep part of what they promise: as a pool would be that forgot to ask for it.
final class ForgetfulFiles: FileSystem {
    enum Mutant: CaseIterable, Sendable {
        /// Blocks are not flushed before the commit that names them.
        case noDataFlush
        case noFolderSync
        /// The map's commits are not durable when what they free is punched: as if it were punched before the commit.
        case freesBeforeCommit
    }
    private let base: any FileSystem
    private let mutant: Mutant

    init(_ base: any FileSystem, _ mutant: Mutant) { (self.base, self.mutant) = (base, mutant) }

    var isHost: Bool { false }
    func open(_ path: String, _ access: FileAccess) throws(StorageFault) -> any StoreFile {
        let forgets =
            switch mutant {
            case .noDataFlush: path.hasSuffix(".seg")
            case .noFolderSync: false
            case .freesBeforeCommit: path.contains("map")
            }
        let file = try base.open(path, access)
        return forgets ? ForgetfulFile(file) : file
    }
    func remove(_ path: String) throws(StorageFault) { try base.remove(path) }
    func rename(_ path: String, to target: String) throws(StorageFault) { try base.rename(path, to: target) }
    func makeFolder(_ path: String) throws(StorageFault) { try base.makeFolder(path) }
    func removeFolder(_ path: String) throws(StorageFault) { try base.removeFolder(path) }
    func list(_ folder: String) throws(StorageFault) -> [String] { try base.list(folder) }
    func kind(of path: String) throws(StorageFault) -> EntryKind { try base.kind(of: path) }
    func syncFolder(_ path: String) throws(StorageFault) {
        if mutant != .noFolderSync { try base.syncFolder(path) }
    }
    func space(at path: String) throws(StorageFault) -> (total: Int64, free: Int64) { try base.space(at: path) }
}

private final class ForgetfulFile: StoreFile {
    private let base: any StoreFile

    init(_ base: any StoreFile) { self.base = base }

    var path: String { base.path }
    func size() throws(StorageFault) -> Int64 { try base.size() }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) -> Int {
        try base.read(into: buffer, at: offset)
    }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try base.write(bytes, at: offset)
    }
    func truncate(to size: Int64) throws(StorageFault) { try base.truncate(to: size) }
    func punch(_ range: Range<Int64>) throws(StorageFault) { try base.punch(range) }
    func reserve(_ range: Range<Int64>) throws(StorageFault) { try base.reserve(range) }
    func flush() throws(StorageFault) {}
    func writeSoon(_ range: Range<Int64>) { base.writeSoon(range) }
    func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>? { try base.dataRange(from: offset) }
    func allocated() throws(StorageFault) -> Int64 { try base.allocated() }
    func lock(exclusive: Bool, wait: Bool) throws(StorageFault) -> Bool {
        try base.lock(exclusive: exclusive, wait: wait)
    }
    func unlock() throws(StorageFault) { try base.unlock() }
    func close() { base.close() }
}
