import Files
import Tape
import Testing

/// Files that do not keep part of what they promise: as a cartridge would be that forgot to ask for it.
private final class MutantTapeFiles: FileSystem {
    enum Mutant: CaseIterable, Sendable {
        /// What a label points to is not flushed before it.
        case noFlushBeforeLabel
        /// A label that ends the data earlier is not flushed, so that the space is used again before it is durable.
        case reusesBeforeTruncation
    }
    private let base: any FileSystem
    private let mutant: Mutant

    init(_ base: any FileSystem, _ mutant: Mutant) { (self.base, self.mutant) = (base, mutant) }

    var isHost: Bool { false }
    func open(_ path: String, _ access: FileAccess) throws(StorageFault) -> any StoreFile {
        MutantTapeFile(try base.open(path, access), mutant)
    }
    func remove(_ path: String) throws(StorageFault) { try base.remove(path) }
    func rename(_ path: String, to target: String) throws(StorageFault) { try base.rename(path, to: target) }
    func makeFolder(_ path: String) throws(StorageFault) { try base.makeFolder(path) }
    func removeFolder(_ path: String) throws(StorageFault) { try base.removeFolder(path) }
    func list(_ folder: String) throws(StorageFault) -> [String] { try base.list(folder) }
    func kind(of path: String) throws(StorageFault) -> EntryKind { try base.kind(of: path) }
    func syncFolder(_ path: String) throws(StorageFault) { try base.syncFolder(path) }
    func space(at path: String) throws(StorageFault) -> (total: Int64, free: Int64) { try base.space(at: path) }
}

private final class MutantTapeFile: StoreFile, @unchecked Sendable {
    private let base: any StoreFile
    private let mutant: MutantTapeFiles.Mutant
    private var isLabelWritten = false
    private var isShorter = false
    private var objects: Int64 = 0

    init(_ base: any StoreFile, _ mutant: MutantTapeFiles.Mutant) { (self.base, self.mutant) = (base, mutant) }

    var path: String { base.path }
    func size() throws(StorageFault) -> Int64 { try base.size() }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) -> Int {
        let count = try base.read(into: buffer, at: offset)
        if offset < 8192, count == 4096 { objects = max(objects, label(UnsafeRawBufferPointer(buffer))) }
        return count
    }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try base.write(bytes, at: offset)
        isLabelWritten = offset < 8192
        guard isLabelWritten else { return }
        isShorter = label(bytes) < objects
        objects = label(bytes)
    }
    /// The objects of partition 0, as a label has them.
    private func label(_ bytes: UnsafeRawBufferPointer) -> Int64 {
        bytes.loadUnaligned(fromByteOffset: 264, as: Int64.self)
    }
    func flush() throws(StorageFault) {
        switch mutant {
        case .noFlushBeforeLabel: if isLabelWritten { try base.flush() }
        case .reusesBeforeTruncation: if !isLabelWritten || !isShorter { try base.flush() }
        }
    }
    func truncate(to size: Int64) throws(StorageFault) { try base.truncate(to: size) }
    func punch(_ range: Range<Int64>) throws(StorageFault) { try base.punch(range) }
    func reserve(_ range: Range<Int64>) throws(StorageFault) { try base.reserve(range) }
    func writeSoon(_ range: Range<Int64>) { base.writeSoon(range) }
    func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>? { try base.dataRange(from: offset) }
    func allocated() throws(StorageFault) -> Int64 { try base.allocated() }
    func lock(exclusive: Bool, wait: Bool) throws(StorageFault) -> Bool {
        try base.lock(exclusive: exclusive, wait: wait)
    }
    func unlock() throws(StorageFault) { try base.unlock() }
    func close() { base.close() }
}

@Suite("a cartridge's test of power cuts") struct CartridgeMutantTests {
    @Test(
        "notices what is forgotten",
        arguments: [
            (MutantTapeFiles.Mutant.noFlushBeforeLabel, "append and fill nodes"),
            (.noFlushBeforeLabel, "what is not acknowledged is overwritten"),
            (.reusesBeforeTruncation, "overwrite in the middle"),
            (.reusesBeforeTruncation, "overwrite from the beginning"),
        ])
    private func mutantIsCaught(mutant: MutantTapeFiles.Mutant, name: String) throws {
        let story = try #require(CartridgeStory.all.first { $0.name == name })
        var runs = CartridgeCutRuns(story)
        runs.through = { MutantTapeFiles($0, mutant) }
        runs.stopsAtFirst = true
        try runs.run()
        #expect(!runs.problems.isEmpty, "\(runs.cuts) cuts")
        #expect(runs.problems.allSatisfy { !$0.contains("failed without a cut") })
    }
}
