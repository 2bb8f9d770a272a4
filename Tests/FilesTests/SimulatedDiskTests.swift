import Files
import Foundation
import Testing

@Suite("a simulated disk loses what a real one may lose") struct SimulatedDiskTests {
    private let old = [UInt8](repeating: 0x11, count: 8192)
    private let new = [UInt8](repeating: 0x22, count: 8192)

    /// A file with durable content, overwritten without a flush.
    private func overwritten() throws -> (SimulatedDisk, any StoreFile) {
        let disk = SimulatedDisk()
        disk.setContents("x", old)
        let file = try disk.open("x", .readWrite)
        try file.write(new, at: 4096)
        return (disk, file)
    }

    @Test("no loss keeps what was not flushed, total loss takes all of it")
    func noneAndAll() throws {
        let (disk, _) = try overwritten()
        let copy = disk.copy()
        disk.powerCut(.none)
        #expect(disk.contents("/x") == Array(old.prefix(4096)) + new)
        copy.powerCut(.all)
        #expect(copy.contents("/x") == old)
    }

    @Test("a torn write leaves each sector old or new, and the size old or new")
    func torn() throws {
        let (disk, _) = try overwritten()
        var (sizes, mixed): (Set<Int>, Int) = ([], 0)
        for seed in 0..<60 {
            let after = disk.copy()
            after.powerCut(.torn(seed: UInt64(seed)))
            let bytes = after.contents("x")!
            sizes.insert(bytes.count)
            #expect(bytes.count == 8192 || bytes.count == 12288)
            var kinds: Set<UInt8> = []
            for sector in Swift.stride(from: 0, to: bytes.count, by: 512) {
                let values = Set(bytes[sector..<sector + 512])
                #expect(values.count == 1)
                #expect(sector >= 4096 ? [0x11, 0x22, 0].contains(values.first) : values == [0x11])
                #expect(sector >= 8192 || values != [0])
                if sector >= 4096, sector < 8192 { kinds.formUnion(values) }
            }
            if kinds.count == 2 { mixed += 1 }
        }
        #expect(sizes == [8192, 12288])
        #expect(mixed > 10)
    }

    @Test("the same seed tears the same")
    func tornIsRepeatable() throws {
        let (disk, _) = try overwritten()
        let (one, two) = (disk.copy(), disk.copy())
        one.powerCut(.torn(seed: 99))
        two.powerCut(.torn(seed: 99))
        #expect(one.contents("x") == two.contents("x"))
    }

    @Test(
        "what was flushed survives every loss",
        arguments: [SimulatedDisk.Loss.none, .all, .torn(seed: 1), .torn(seed: 2), .torn(seed: 3)])
    func flushed(loss: SimulatedDisk.Loss) throws {
        let (disk, file) = try overwritten()
        try file.punch(0..<4096)
        try file.flush()
        let expected = disk.contents("x")
        disk.powerCut(loss)
        #expect(disk.contents("x") == expected)
        #expect(faultID { try file.flush() } == "DISK-CUT")
        #expect(faultID { _ = try file.size() } == "DISK-CUT")
        let again = try disk.open("x", .readWrite)
        #expect(try again.allocated() == 8192)
    }

    @Test("a sector written twice is on the medium in one of three versions")
    func versions() throws {
        let disk = SimulatedDisk()
        disk.setContents("x", [UInt8](repeating: 1, count: 512))
        let file = try disk.open("x", .readWrite)
        try file.write([2, 2], at: 0)
        try file.write([3, 3], at: 1)
        var seen: Set<[UInt8]> = []
        for seed in 0..<100 {
            let after = disk.copy()
            after.powerCut(.torn(seed: UInt64(seed)))
            seen.insert(Array(after.contents("x")!.prefix(4)))
        }
        #expect(seen == [[1, 1, 1, 1], [2, 2, 1, 1], [2, 3, 3, 1]])
    }

    @Test("a truncation that was not flushed may come back")
    func truncation() throws {
        let disk = SimulatedDisk()
        disk.setContents("x", old)
        let file = try disk.open("x", .readWrite)
        try file.truncate(to: 100)
        var sizes: Set<Int> = []
        for seed in 0..<50 {
            let after = disk.copy()
            after.powerCut(.torn(seed: UInt64(seed)))
            sizes.insert(after.contents("x")!.count)
        }
        #expect(sizes == [100, 8192])
        disk.powerCut(.all)
        #expect(disk.contents("x") == old)
    }

    @Test("names survive with their folder's sync, not with the file's flush")
    func names() throws {
        let disk = SimulatedDisk()
        let file = try disk.open("x", .create)
        try file.write([1], at: 0)
        try file.flush()
        let unsynced = disk.copy()
        unsynced.powerCut(.all)
        #expect(unsynced.paths == [])
        try disk.syncFolder("/")
        try disk.rename("x", to: "y")
        try disk.makeFolder("f")
        try disk.open("f/z", .create).close()
        try disk.syncFolder("f")
        var seen: Set<[String]> = []
        for seed in 0..<50 {
            let after = disk.copy()
            after.powerCut(.torn(seed: UInt64(seed)))
            seen.insert(after.paths)
        }
        // The folder's own name was not synced, so what is in it may go with it.
        #expect(seen == [["x"], ["y"], ["f/z", "x"], ["f/z", "y"]])
        try disk.syncFolder("/")
        disk.powerCut(.all)
        #expect(disk.paths == ["f/z", "y"])
        #expect(disk.contents("y") == [1])
    }

    @Test("a renamed file replaces its target wholly or not at all")
    func replacing() throws {
        let disk = SimulatedDisk()
        disk.setContents("x", [1])
        let file = try disk.open("x.new", .create)
        try file.write([2, 2], at: 0)
        try file.flush()
        try disk.rename("x.new", to: "x")
        #expect(disk.contents("x") == [2, 2])
        var seen: Set<[UInt8]?> = []
        for seed in 0..<50 {
            let after = disk.copy()
            after.powerCut(.torn(seed: UInt64(seed)))
            seen.insert(after.contents("x"))
        }
        #expect(seen == [[1], [2, 2]])
        disk.powerCut(.all)
        #expect(disk.contents("x") == [1])
    }

    @Test("the power goes at the chosen write, which is under way, and stays away")
    func cutAt() throws {
        let disk = SimulatedDisk()
        disk.setContents("x", old)
        disk.cutAt = 2
        let file = try disk.open("x", .readWrite)
        try file.write([9], at: 0)
        #expect(faultID { try file.write([8], at: 1) } == "DISK-CUT")
        #expect(disk.isCut && disk.writeCalls == 2)
        #expect(faultID { _ = try file.bytes(1, at: 0) } == "DISK-CUT")
        #expect(faultID { _ = try disk.list("/") } == "DISK-CUT")
        let (kept, lost) = (disk.copy(), disk.copy())
        kept.powerCut(.none)
        lost.powerCut(.all)
        #expect(kept.contents("x")?.prefix(2) == [9, 8])
        #expect(lost.contents("x")?.prefix(2) == [0x11, 0x11])
        #expect(try kept.open("x", .read).size() == 8192)
    }

    @Test("a flush that the power interrupts makes nothing durable")
    func cutFlush() throws {
        let (disk, file) = try overwritten()
        disk.cutAt = disk.writeCalls + 1
        #expect(faultID { try file.flush() } == "DISK-CUT")
        #expect(disk.flushes == 0)
        disk.powerCut(.all)
        #expect(disk.contents("x") == old)
    }

    @Test("a failed flush loses what it was to write, and a later one does not bring it back")
    func failedFlush() throws {
        let (disk, file) = try overwritten()
        disk.fault = SimulatedDisk.Fault(call: disk.writeCalls + 1, onlyWrites: true, code: EIO, forEver: false)
        #expect(faultID { try file.flush() } == "FILE-IO")
        try file.flush()
        disk.powerCut(.none)
        #expect(disk.contents("x")?.prefix(8192) == old.prefix(8192))
    }

    @Test("the n-th call fails once or for ever", arguments: [false, true])
    func faults(forEver: Bool) throws {
        let disk = SimulatedDisk()
        let file = try disk.open("x", .create)
        disk.fault = SimulatedDisk.Fault(call: disk.calls + 2, onlyWrites: false, code: EIO, forEver: forEver)
        #expect(faultID { try file.write([1], at: 0) } == "none")
        #expect(faultID { _ = try file.size() } == "FILE-IO")
        #expect(faultID { try file.write([2], at: 0) } == (forEver ? "FILE-IO" : "none"))
        #expect(disk.contents("x") == [forEver ? 1 : 2])
    }

    @Test("a full disk takes what fits, and space comes back")
    func capacity() throws {
        let disk = SimulatedDisk(capacity: 3 * 4096)
        let file = try disk.open("x", .create)
        #expect(faultID { try file.write([UInt8](repeating: 1, count: 20_000), at: 100) } == "FILE-SPACE")
        #expect(try file.size() == 3 * 4096)
        #expect(try disk.space(at: "/") == (12288, 0))
        #expect(faultID { try file.write([5], at: 5) } == "none")
        #expect(faultID { try file.reserve(12288..<12289) } == "FILE-SPACE")
        try file.punch(4096..<8192)
        #expect(try disk.space(at: "/").free == 4096)
        try file.reserve(12288..<12289)
        #expect(try disk.space(at: "/").free == 0)
        try disk.remove("x")
        #expect(try disk.space(at: "/").free == 0)
        file.close()
        #expect(try disk.space(at: "/").free == 12288)
    }

    @Test("rot changes the medium, whatever was flushed")
    func rot() throws {
        let (disk, _) = try overwritten()
        #expect(disk.flip("x", byte: 4096, mask: 0xFF) && disk.flip("x", byte: 0, mask: 1))
        #expect(!disk.flip("x", byte: 1 << 20, mask: 1))
        #expect(disk.contents("x")?[4096] == 0xDD)
        disk.powerCut(.all)
        #expect(disk.contents("x")?[4096] == 0xEE)
        #expect(disk.contents("x")?[0] == 0x10)
    }

    @Test("copies go their own ways")
    func copies() throws {
        let (disk, file) = try overwritten()
        let copy = disk.copy()
        try file.write([7], at: 0)
        try copy.remove("x")
        #expect(disk.contents("x")?.first == 7)
        #expect(copy.paths == [] && copy.used == 0)
        #expect(copy.calls == 1)
        let other = try overwritten().0
        #expect(other.copy().used == other.used)
    }

    @Test("files, names and pages are thread-safe")
    func threads() throws {
        let disk = SimulatedDisk()
        let shared = try disk.open("shared", .create)
        try Workers.run(4) { (worker, _) throws(StorageFault) in
            for round in 0..<200 {
                let file = try disk.open("file-\(worker)-\(round % 5)", .createOrOpen)
                try file.write([UInt8(worker)], at: Int64(round * 100))
                try shared.write([UInt8(worker)], at: Int64(worker * 1000 + round))
                if round % 50 == 0 { try file.flush() }
            }
        }
        #expect(disk.paths.count == 21)
        for worker in 0..<4 {
            #expect(try shared.bytes(200, at: Int64(worker * 1000)).allSatisfy { $0 == UInt8(worker) })
        }
    }
}
