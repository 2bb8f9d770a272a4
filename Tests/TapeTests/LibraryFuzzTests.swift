import Files
import Protection
import Tape
import Testing

@Suite("A library.json that somebody or something changed")
struct LibraryFuzzTests {
    /// A library in whose file everything occurs.
    private func rich() throws -> SimulatedDisk {
        let paper = try PaperLibrary.ready(["000001L8", "000002L8", "000003L8", "CLN001L8"])
        let request = SetRequest(
            group: "gold", run: 1, drive: .lto8, expiry: 9_000, colocationSet: "weekly", writePeriod: 50)
        let file = CatalogedSet.FileEntry(name: "disk", size: 5, modified: 6)
        let set = CatalogedSet(
            set: "A", number: 1, name: "a", datasource: "d", machine: "m", date: 1, expiry: 9_000, bytes: 5,
            files: [file],
            spans: 2...2, thumbprints: ["AB"])
        try paper.write(set, on: "000001L8", request, number: 1, at: 1)
        _ = try paper.library.load("000001L8", at: 2)
        try paper.library.reserve("000002L8", at: 2)
        _ = try paper.library.eject(["000003L8"], at: 2)
        _ = try paper.library.openPort(at: 3)
        paper.disk.powerCut(.none)
        return paper.disk
    }

    /// Changes bytes, numbers or lines.
    private func mutated(_ bytes: [UInt8], _ chance: inout Chance) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...3, using: &chance) {
            let place = Int.random(in: 0..<bytes.count, using: &chance)
            switch Int.random(in: 0..<4, using: &chance) {
            case 0: bytes[place] ^= UInt8(1 << Int.random(in: 0..<8, using: &chance))
            case 1:
                // The number at or behind the place becomes one that nobody expects.
                let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
                guard let start = bytes[place...].firstIndex(where: { digits ~= $0 }) else { continue }
                let end = bytes[start...].firstIndex { !(digits ~= $0) } ?? bytes.count
                let numbers = [
                    "0", "-1", "9223372036854775807", "-9223372036854775808", "4294967296", "1e300",
                    "99999999999999999999",
                    "2147483648", "32000", "1",
                ]
                bytes.replaceSubrange(
                    start..<end, with: numbers[Int.random(in: 0..<numbers.count, using: &chance)].utf8)
            case 2:
                // A line goes, or comes twice.
                let start = bytes[..<place].lastIndex(of: 10) ?? 0
                let end = bytes[place...].firstIndex(of: 10) ?? bytes.count
                let line = Array(bytes[start..<end])
                if Bool.random(using: &chance) {
                    bytes.removeSubrange(start..<end)
                } else {
                    bytes.insert(contentsOf: line, at: start)
                }
            default:
                let words = [
                    "slot-1", "drive-1", "drive-9", "port-1", "own", "free", "active", "expired", "suspect", "blank",
                    "unread",
                ]
                guard let quote = bytes[place...].firstIndex(of: 0x22),
                    let next = bytes[(quote + 1)...].firstIndex(of: 0x22)
                else { continue }
                bytes.replaceSubrange(
                    quote + 1..<next, with: words[Int.random(in: 0..<words.count, using: &chance)].utf8)
            }
        }
        return bytes
    }

    @Test(
        "is refused as damaged, or serves: every operation ends, with its result or a reason",
        arguments: 0..<4 as Range<UInt64>)
    func mutations(_ seed: UInt64) throws {
        let disk = try rich()
        let bytes = try #require(disk.contents("/lib/library.json"))
        var chance = Chance(seed &+ 1)
        var (opened, refused) = (0, 0)
        for _ in 0..<500 {
            let copy = disk.copy()
            copy.setContents("/lib/library.json", mutated(bytes, &chance))
            let library: MediaLibrary
            do throws(StorageFault) {
                library = try MediaLibrary(opening: "/lib", files: copy, store: PaperCartridges(copy))
            } catch {
                #expect(["TAPE-LIBRARY-DAMAGED", "TAPE-LIBRARY-VERSION"].contains(error.id), "\(error)")
                refused += 1
                continue
            }
            opened += 1
            for now in [3, 1_000, 5_000_000_000] as [Int64] {
                let request = SetRequest(
                    group: "gold", run: 1, drive: .lto8, expiry: now + 9, colocationSet: "weekly", writePeriod: .max,
                    expiryTolerance: .max)
                for act: () throws -> Void in [
                    { _ = try library.closePort(at: now) }, { _ = try library.recover(at: now) },
                    { _ = try library.fastInventory(at: now) },
                    { _ = try library.detailedInventory(at: now, identify: Paper.identify) },
                    { _ = try library.choose(for: request, at: now) },
                    { _ = try library.settle(at: now) { _ in (true, .max) } },
                    { _ = try library.recatalog(library.state.tapes.map(\.barcode), at: now, read: Paper.catalog) },
                    { _ = library.knownSets(on: ["000001L8"]) }, { _ = try library.load("000001L8", at: now) },
                    { _ = try library.unload(drive: 1, at: now) }, { _ = try library.clean(drive: 2, at: now) },
                    { _ = try library.stopProtection(of: "gold", deletesData: true, at: now) },
                    { _ = try library.markFree(["000001L8", "000002L8"], at: now) },
                    { _ = try library.erase("000001L8", at: now) }, { _ = try library.unlockDoor(at: now) },
                    { _ = try library.lockDoor(at: now) },
                ] {
                    if let id = refusalID(act) { #expect(id.hasPrefix("TAPE-") || id.hasPrefix("FILE-"), "\(id)") }
                }
            }
            // What it wrote it can read.
            let state = library.state
            copy.powerCut(.none)
            #expect(try MediaLibrary(opening: "/lib", files: copy, store: PaperCartridges(copy)).state == state)
        }
        #expect(opened > 50 && refused > 50, "\(opened) \(refused)")
    }
}
