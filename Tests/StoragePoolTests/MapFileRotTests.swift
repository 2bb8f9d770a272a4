import Files
import Foundation
import GRDB
import StoragePool
import Testing

@Suite("a map file and bit rot") struct MapFileRotTests {
    /// Every so many bytes; 1 takes minutes, and is for by hand.
    private let stride = ProcessInfo.processInfo.environment["MAP_ROT_STRIDE"].flatMap(Int.init) ?? 257
    private let disk: SimulatedDisk
    private let rows: Rows
    private let size: Int

    init() throws {
        disk = try diskWithFolder()
        var story = MapStory(seed: 11)
        try story.run(on: disk)
        rows = story.acknowledged
        size = disk.contents(MapStory.path)!.count
    }

    private func page(_ byte: Int) -> Int { byte / 8192 + 1 }

    @Test("a flipped byte in the main file is healed from the mirror, counted, found and mended")
    func mainRots() throws {
        var seen: Set<Int> = []
        for byte in Swift.stride(from: 0, to: size, by: stride) {
            let rotten = disk.copy()
            rotten.flip(MapStory.path, byte: Int64(byte), mask: UInt8(1 << (byte % 8)))
            let queue = try MapStory.open(rotten)
            #expect(try MapStory.rows(queue) == rows, "byte \(byte)")
            let health = MapFile.health(of: queue)
            #expect(health.lost == 0 && health.healedPages.allSatisfy { $0 == page(byte) }, "byte \(byte)")
            seen.formUnion(health.healedPages)
            let found = try MapFile.verify(queue, repair: true)
            #expect(found.damagedInMain + found.unused == [page(byte)] && found.repaired == 1, "byte \(byte)")
            seen.formUnion(found.unused)
            try queue.close()
            #expect(rotten.contents(MapStory.path) == disk.contents(MapStory.path), "byte \(byte)")
        }
        // All but the page that lists the free ones.
        #expect(seen.count >= size / 8192 - 1)
    }

    @Test("a flipped byte in the mirror is found and mended, and disturbs nobody")
    func mirrorRots() throws {
        for byte in Swift.stride(from: 3, to: size, by: stride * 4) {
            let rotten = disk.copy()
            rotten.flip(MapStory.mirror, byte: Int64(byte), mask: 0x40)
            let queue = try MapStory.open(rotten)
            #expect(try MapStory.rows(queue) == rows, "byte \(byte)")
            #expect(MapFile.health(of: queue).healed == 0)
            let found = try MapFile.verify(queue, repair: true)
            #expect(found.damagedInMirror + found.unused == [page(byte)] && found.repaired == 1, "byte \(byte)")
            try queue.close()
            #expect(rotten.contents(MapStory.mirror) == disk.contents(MapStory.mirror), "byte \(byte)")
        }
    }

    @Test("a page that is damaged in both copies is an error or not read, never other rows")
    func bothRot() throws {
        var errors = 0
        for byte in Swift.stride(from: 5, to: size, by: stride * 2) {
            let rotten = disk.copy()
            rotten.flip(MapStory.path, byte: Int64(byte), mask: 1)
            rotten.flip(MapStory.mirror, byte: Int64(byte), mask: 1)
            do {
                let queue = try MapStory.open(rotten)
                defer { try? queue.close() }
                let found = try MapFile.verify(queue, repair: false)
                #expect(found.lost + found.unused == [page(byte)], "byte \(byte)")
                let read = try MapStory.rows(queue)
                #expect(read == rows, "byte \(byte)")
            } catch {
                #expect(["MAP-LOST", "MAP-DAMAGED"].contains(MapFile.fault(error, "").id), "byte \(byte): \(error)")
                errors += 1
            }
        }
        #expect(errors > 0)
    }

    @Test("pages that changed places are found out")
    func misplacedPages() throws {
        let rotten = disk.copy()
        var bytes = rotten.contents(MapStory.path)!
        let second = Array(bytes[8192..<16384])
        bytes.replaceSubrange(8192..<16384, with: bytes[16384..<24576])
        bytes.replaceSubrange(16384..<24576, with: second)
        rotten.setContents(MapStory.path, bytes)
        let queue = try MapStory.open(rotten)
        #expect(try MapStory.rows(queue) == rows)
        let found = try MapFile.verify(queue, repair: false)
        #expect((found.damagedInMain + found.unused).sorted() == [2, 3])
    }

    @Test("a main file that was cut off goes on from its mirror", arguments: [0, 100, 8192, 20_000])
    func cutOffMain(left: Int) throws {
        let rotten = disk.copy()
        rotten.setContents(MapStory.path, Array(rotten.contents(MapStory.path)!.prefix(left)))
        let queue = try MapStory.open(rotten)
        #expect(try MapStory.rows(queue) == rows)
        try queue.write { try $0.execute(sql: "DELETE FROM t") }
        #expect(try MapStory.rows(queue) == [:])
        _ = try MapFile.verify(queue, repair: true)
        #expect(try MapFile.verify(queue, repair: false) == MapFile.verify(queue, repair: true))
        #expect(rotten.contents(MapStory.path) == rotten.contents(MapStory.mirror))
    }

    @Test("a mirror that is gone stops writers, not readers, and can be made again")
    func missingMirror() throws {
        let poor = disk.copy()
        try poor.remove(MapStory.mirror)
        #expect(throws: StorageFault.self) { try MapStory.open(poor) }
        let reader = try MapFile.open(
            MapStory.path, mirror: MapStory.mirror, on: poor, create: false, readOnly: true)
        #expect(try MapStory.rows(reader) == rows)
        #expect(MapFile.health(of: reader).mirrorMissing)
        try reader.close()
        try MapFile.copy(MapStory.path, to: MapStory.mirror, on: poor)
        let queue = try MapStory.open(poor)
        #expect(try MapStory.rows(queue) == rows)
        #expect(try MapFile.verify(queue, repair: false).isClean)
    }

    @Test("a main file that is gone is not made anew beside its mirror")
    func missingMain() throws {
        let poor = disk.copy()
        try poor.remove(MapStory.path)
        do {
            _ = try MapStory.open(poor)
            Issue.record("it opened")
        } catch { #expect(MapFile.fault(error, "").id == "MAP-MAIN") }
        #expect(poor.paths.contains(MapStory.path) == false)
        try MapFile.copy(MapStory.mirror, to: MapStory.path, on: poor)
        #expect(try MapStory.rows(MapStory.open(poor)) == rows)
    }

    @Test("a mirror of an older state is told, and never healed from")
    func staleMirror() throws {
        let stale = disk.copy()
        let old = stale.contents(MapStory.mirror)!
        let queue = try MapStory.open(stale)
        try queue.write { try $0.execute(sql: "DELETE FROM t WHERE k % 2 = 0") }
        // The mirror falls back behind the opened connection.
        stale.setContents(MapStory.mirror, old)
        for byte in Swift.stride(from: 8192 + 50, to: size, by: 8192) {
            stale.flip(MapStory.path, byte: Int64(byte), mask: 1)
        }
        try queue.close()
        do {
            let again = try MapStory.open(stale)
            _ = try MapStory.rows(again)
            Issue.record("it was read")
        } catch { #expect(["MAP-STALE", "MAP-LOST"].contains(MapFile.fault(error, "").id), "\(error)") }
    }
}
