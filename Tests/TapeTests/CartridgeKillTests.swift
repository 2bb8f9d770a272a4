import Files
import Tape
import Testing

/// Files of a program that is killed at its n-th call that writes; what it wrote before is seen by others, and not durable.
private final class KilledTapeFiles: FileSystem, @unchecked Sendable {
    private let base: any FileSystem
    private var left: Int
    var isKilled: Bool { left < 0 }

    init(_ base: any FileSystem, at call: Int) { (self.base, left) = (base, call - 1) }

    fileprivate func live(writes: Bool) throws(StorageFault) {
        if writes || left < 0 { left -= 1 }
        if left < 0 { throw StorageFault(.device, "KILLED", "", "the program was killed", action: "") }
    }
    var isHost: Bool { false }
    func open(_ path: String, _ access: FileAccess) throws(StorageFault) -> any StoreFile {
        try live(writes: access == .createOrOpen)
        return KilledTapeFile(try base.open(path, access), self)
    }
    func remove(_ path: String) throws(StorageFault) {
        try live(writes: true)
        try base.remove(path)
    }
    func rename(_ path: String, to target: String) throws(StorageFault) {
        try live(writes: true)
        try base.rename(path, to: target)
    }
    func makeFolder(_ path: String) throws(StorageFault) { try base.makeFolder(path) }
    func removeFolder(_ path: String) throws(StorageFault) { try base.removeFolder(path) }
    func list(_ folder: String) throws(StorageFault) -> [String] { try base.list(folder) }
    func kind(of path: String) throws(StorageFault) -> EntryKind { try base.kind(of: path) }
    func syncFolder(_ path: String) throws(StorageFault) {
        try live(writes: true)
        try base.syncFolder(path)
    }
    func space(at path: String) throws(StorageFault) -> (total: Int64, free: Int64) { try base.space(at: path) }
}

private final class KilledTapeFile: StoreFile, @unchecked Sendable {
    private let base: any StoreFile
    private let files: KilledTapeFiles

    init(_ base: any StoreFile, _ files: KilledTapeFiles) { (self.base, self.files) = (base, files) }

    var path: String { base.path }
    func size() throws(StorageFault) -> Int64 { try base.size() }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) -> Int {
        try files.live(writes: false)
        return try base.read(into: buffer, at: offset)
    }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try files.live(writes: true)
        try base.write(bytes, at: offset)
    }
    func flush() throws(StorageFault) {
        try files.live(writes: true)
        try base.flush()
    }
    func truncate(to size: Int64) throws(StorageFault) {
        try files.live(writes: true)
        try base.truncate(to: size)
    }
    func punch(_ range: Range<Int64>) throws(StorageFault) {
        try files.live(writes: true)
        try base.punch(range)
    }
    func reserve(_ range: Range<Int64>) throws(StorageFault) { try base.reserve(range) }
    func writeSoon(_ range: Range<Int64>) {}
    func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>? { try base.dataRange(from: offset) }
    func allocated() throws(StorageFault) -> Int64 { try base.allocated() }
    func lock(exclusive: Bool, wait: Bool) throws(StorageFault) -> Bool {
        try base.lock(exclusive: exclusive, wait: wait)
    }
    func unlock() throws(StorageFault) { try base.unlock() }
    func close() { base.close() }
}

@Suite("a cartridge whose program was killed") struct CartridgeKillTests {
    @Test(
        "goes on with the next program, and stands a power cut in its first writes",
        arguments: CartridgeStory.all.filter { !["create", "format anew"].contains($0.name) })
    func killed(story: CartridgeStory) throws {
        let (base, before) = try CartridgeCutRuns.past(story)
        let runs = CartridgeCutRuns(story)
        var problems: [String] = []
        var (call, ended) = (1, false)
        while !ended, problems.isEmpty {
            let disk = base.copy()
            let files = KilledTapeFiles(disk, at: call)
            let watched = WatchedTape(files, after: before)
            do { try story.story(watched) } catch {
                #expect(files.isKilled, "\(story.name), write \(call): \(error)")
            }
            ended = !files.isKilled
            watched.tape = nil
            // The next program appends, and commits, with the power going at each of its first writes.
            for cutAt in 1...6 {
                let next = disk.copy()
                next.cutAt = cutAt
                do {
                    let tape = try Cartridge.open(CartridgeLab.path, on: next)
                    try tape.setWriteProtected(false)
                    if cutAt % 2 == 0 { try tape.setAttribute(0x0806, [0x41]) }
                    try tape.locateEndOfData(partition: 0)
                    if cutAt % 2 == 1 { _ = try tape.write(CartridgeLab.bytes(5, 600)) }
                    if cutAt % 2 == 0 { try tape.flush() }
                    tape.abandon()
                } catch {
                    if !next.isCut { problems.append("\(story.name), killed at \(call): \(error)") }
                }
                for loss in [SimulatedDisk.Loss.all, .torn(seed: UInt64(call))] {
                    let cut = next.copy()
                    cut.powerCut(loss)
                    if let text = runs.look(cut, watched) {
                        problems.append("\(story.name), killed at \(call), cut at \(cutAt), \(loss): \(text)")
                    }
                }
            }
            call += 1
        }
        #expect(problems == [])
    }
}
