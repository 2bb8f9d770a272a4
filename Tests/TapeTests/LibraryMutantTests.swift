import Files
import Protection
import Tape
import Testing

/// Files that forget part of what a library asks of them, as if it had forgotten to ask.
private final class CarelessFiles: FileSystem {
    enum Lapse: CaseIterable, Sendable { case none, noFlush, noSync }
    private let base: any FileSystem
    private let lapse: Lapse

    init(_ base: any FileSystem, _ lapse: Lapse) { (self.base, self.lapse) = (base, lapse) }

    var isHost: Bool { false }
    func open(_ path: String, _ access: FileAccess) throws(StorageFault) -> any StoreFile {
        let file = try base.open(path, access)
        return lapse == .noFlush && path.hasSuffix("library.json.new") ? CarelessFile(file) : file
    }
    func remove(_ path: String) throws(StorageFault) { try base.remove(path) }
    func rename(_ path: String, to target: String) throws(StorageFault) { try base.rename(path, to: target) }
    func makeFolder(_ path: String) throws(StorageFault) { try base.makeFolder(path) }
    func removeFolder(_ path: String) throws(StorageFault) { try base.removeFolder(path) }
    func list(_ folder: String) throws(StorageFault) -> [String] { try base.list(folder) }
    func kind(of path: String) throws(StorageFault) -> EntryKind { try base.kind(of: path) }
    func syncFolder(_ path: String) throws(StorageFault) { if lapse != .noSync { try base.syncFolder(path) } }
    func space(at path: String) throws(StorageFault) -> (total: Int64, free: Int64) { try base.space(at: path) }
}

/// A file that says it is flushed, and is not.
private final class CarelessFile: StoreFile {
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
    func writeSoon(_ range: Range<Int64>) {}
    func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>? { try base.dataRange(from: offset) }
    func allocated() throws(StorageFault) -> Int64 { try base.allocated() }
    func lock(exclusive: Bool, wait: Bool) throws(StorageFault) -> Bool {
        try base.lock(exclusive: exclusive, wait: wait)
    }
    func unlock() throws(StorageFault) { try base.unlock() }
    func close() { base.close() }
}

@Suite("The tests of a library find what a library may forget")
struct LibraryMutantTests {
    /// What is wrong after power cuts behind completed operations.
    private func violations(_ lapse: CarelessFiles.Lapse) throws -> Int {
        let disk = SimulatedDisk()
        _ = try PaperLibrary(on: disk)
        disk.powerCut(.none)
        let files = CarelessFiles(disk, lapse)
        let store = PaperCartridges(disk)
        var found = 0
        var expected: LibraryState
        do {
            let library = try MediaLibrary(opening: "/lib", files: files, store: store)
            _ = try library.add(["000001L8"], guids: SequentialGUIDs(seed: 4), at: 1)
            _ = try library.fastInventory(at: 2)
            expected = library.state
        }
        for loss in [SimulatedDisk.Loss.all] + (0..<20).map({ .torn(seed: $0) }) {
            let copy = disk.copy()
            copy.powerCut(loss)
            do {
                let again = try MediaLibrary(opening: "/lib", files: copy, store: PaperCartridges(copy))
                if again.state != expected { found += 1 }
            } catch { found += 1 }
        }
        return found
    }

    @Test(
        "a library that flushes and syncs loses nothing; one that forgets either does",
        arguments: CarelessFiles.Lapse.allCases)
    fileprivate func lapses(_ lapse: CarelessFiles.Lapse) throws {
        #expect((try violations(lapse) == 0) == (lapse == .none))
    }
}
