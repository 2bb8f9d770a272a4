import Files

/// Files that forget part of their duty, to see whether a test of power cuts notices.
final class MutantFiles: FileSystem {
    enum Mutant: CaseIterable, Sendable { case noFlush, noMainFlush, noMirrorFlush, noJournalFlush, noFolderSync }
    private let base: any FileSystem
    let mutant: Mutant

    init(_ base: any FileSystem, _ mutant: Mutant) { (self.base, self.mutant) = (base, mutant) }

    var isHost: Bool { base.isHost }
    func open(_ path: String, _ access: FileAccess) throws(StorageFault) -> any StoreFile {
        MutantFile(try base.open(path, access), forgets: forgets(path))
    }
    private func forgets(_ path: String) -> Bool {
        switch mutant {
        case .noFlush: true
        case .noMainFlush: path.hasSuffix("map.db")
        case .noMirrorFlush: path.hasSuffix("mirror.db")
        case .noJournalFlush: path.hasSuffix("-journal")
        case .noFolderSync: false
        }
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

private final class MutantFile: StoreFile {
    private let base: any StoreFile
    private let forgets: Bool

    init(_ base: any StoreFile, forgets: Bool) { (self.base, self.forgets) = (base, forgets) }

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
    func flush() throws(StorageFault) { if !forgets { try base.flush() } }
    func writeSoon(_ range: Range<Int64>) { base.writeSoon(range) }
    func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>? { try base.dataRange(from: offset) }
    func allocated() throws(StorageFault) -> Int64 { try base.allocated() }
    func lock(exclusive: Bool, wait: Bool) throws(StorageFault) -> Bool {
        try base.lock(exclusive: exclusive, wait: wait)
    }
    func unlock() throws(StorageFault) { try base.unlock() }
    func close() { base.close() }
}
