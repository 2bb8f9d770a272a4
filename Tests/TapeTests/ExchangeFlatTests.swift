import Files
import Testing

@testable import Tape

@Suite("tapes go into flat MTF files and come back") struct ExchangeFlatTests {
    let bench = ExchangeBench()
    let sets = SetBench()

    private static let kinds: [(compression: SetCompression?, encrypted: Bool)] = [
        (nil, false), (.default, false), (nil, true), (.default, true),
    ]

    private static func options(_ kind: Int, _ record: Int) -> SetOptions {
        SetBench.options(kinds[kind].compression, encrypted: kinds[kind].encrypted, record: record)
    }

    /// Goes there and back; whatever differs is an issue.
    @discardableResult private func check(_ tape: MemoryTape, _ what: String = "") throws -> MemoryTape {
        let file = try bench.file()
        let facts = try FlatTape.export(tape, to: file)
        #expect(facts.isOwn && facts.addressesHold && facts.omitted == 0, "\(what)")
        #expect(try file.size() == facts.bytes && facts.bytes == tape.written, "\(what)")
        let other = try ExchangeBench.used()
        #expect(try FlatTape.restore(file, to: other) == facts, "\(what)")
        let difference = zip(tape.objects, other.objects).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        #expect(other.objects == tape.objects, "\(what): object \(difference ?? -1) of \(tape.objects.count)")
        let again = try bench.file("/again")
        _ = try FlatTape.export(other, to: again)
        #expect(try ExchangeBench.bytes(of: again) == ExchangeBench.bytes(of: file), "\(what)")
        return other
    }

    @Test(
        "a label, sets of all kinds behind each other, and what they hold come back",
        arguments: [1 << 14, 1 << 16, 1 << 20])
    func setsComeBack(record: Int) throws {
        var chance = Chance(UInt64(record))
        let tape = try sets.tape()
        try check(tape, "a label")
        var written: [[MadeFile]] = []
        for kind in [0, 1, 2, 3, 0] {
            let sizes: [Int64] = [0, 1, 4095, Int64(record), Int64(3 * record + 5), 2]
            let files = sizes.enumerated().map { MadeFile.drawn("disk\($0).vhdx", $1, &chance) }
            try sets.write(files, "set\(kind)", on: tape, Self.options(kind, record))
            written.append(files)
        }
        try sets.write([], "nothing", on: tape, Self.options(0, record))
        try sets.write([], "nothing sealed", on: tape, Self.options(3, record))
        let other = try check(tape, "all")
        let contents = try TapeContents.of(other)
        #expect(contents.sets.count == 7 && contents.faults.isEmpty)
        for (entry, files) in zip(contents.sets, written) {
            #expect(try SetBench.restores(SetBench.open(entry, other), files))
        }
        #expect(try TapeContents.verifyChain(of: other).faults == [])
    }

    @Test("each tape of a family comes back, wherever in a set it ends", arguments: 0..<4)
    func familiesComeBack(kind: Int) throws {
        let reserve: Int64 = 1 << 19
        var spans = 0
        for room in stride(from: Int64(150_000), to: 600_000, by: 71_003) {
            var chance = Chance(UInt64(room))
            let make = { MemoryTape(capacity: room + reserve, reserve: reserve) }
            let tape = make()
            try SetBench.label().write(to: tape)
            let supply = MemorySupply(tape, make: make)
            let files =
                (0..<40).map {
                    MadeFile.drawn("f\($0)", Int64.random(in: 0...40_000, using: &chance), &chance, run: 9000)
                }
                + [MadeFile("last", [(.chance(1), 600_000), (.text(1), 1)])]
            try sets.write(files, on: tape, supply: supply, Self.options(kind, 1 << 14))
            let others = try supply.tapes.map { try check($0, "room \(room)") }
            spans += others.count
            let entry = try #require(try TapeContents.of(others[0]).sets.first)
            #expect(try SetBench.restores(SetBench.open(entry, others[0], supply: MemoryShelf(others)), files))
        }
        #expect(spans > 12)
    }

    @Test("a set that was interrupted is left out, and said to be")
    func unfinishedSets() throws {
        let tape = try sets.tape()
        let files = [MadeFile("a", [(.chance(1), 100_000)])]
        try sets.write(files, on: tape, Self.options(0, 1 << 14))
        let whole = tape.objects
        var cuts = 0
        for left in 0..<100 {
            tape.callsLeft = left
            let isDone = (try? sets.write(files, "second", on: tape, Self.options(0, 1 << 14))) != nil
            tape.callsLeft = nil
            guard !isDone else { break }
            guard tape.objects.count > whole.count else { continue }
            cuts += 1
            let facts = try FlatTape.export(tape, to: bench.file())
            #expect(facts.omitted == tape.objects[whole.count...].count { $0 != .filemark })
            let other = MemoryTape()
            _ = try FlatTape.restore(bench.file(), to: other)
            #expect(other.objects == whole)
        }
        #expect(cuts > 5)
    }

    @Test("on cartridges, zeros take no space in the file nor on the tape it is written to")
    func cartridges() throws {
        let (_, tape) = try CartridgeLab.made()
        try SetBench.label().write(to: tape)
        let files = [MadeFile("disk", [(.chance(3), 70_000), (.hole, 50 << 20), (.text(1), 99)])]
        let writer = SetWriter(tape, guids: sets.guids, secrets: sets.secrets)
        _ = try writer.write(files, sets.describe("one"), Self.options(0, 1 << 20))
        let file = try bench.file()
        let facts = try FlatTape.export(tape, to: file)
        #expect(facts.bytes > 50 << 20)
        #expect(try file.allocated() < 3 << 20)
        let (disk, other) = try CartridgeLab.made()
        #expect(try FlatTape.restore(file, to: other) == facts)
        #expect(other.end(of: 0) == tape.end(of: 0))
        let entry = try #require(try TapeContents.of(other).sets.first)
        let target = KeptTarget()
        _ = try OpenSet(entry, on: other).read(0, to: target)
        #expect(try target.bytes(0..<70_000) == files[0].bytes(0..<70_000))
        #expect(try disk.open(CartridgeLab.path, .read).allocated() < 4 << 20)
    }

    @Test("file(1) knows an exported tape for what it is")
    func fileAgrees() throws {
        let folder = try ExchangeFolder()
        let tape = try sets.tape()
        try sets.write([MadeFile("a", [(.text(1), 5000)])], on: tape, Self.options(0, 1 << 16))
        try sets.write([MadeFile("b", [(.text(1), 5000)])], on: tape, Self.options(3, 1 << 16))
        _ = try FlatTape.export(tape, to: folder.file("tape.bkf"))
        #expect(try folder.run("file", "-b", "tape.bkf").contains("Windows NTbackup archive"))
    }

    @Test("a tape without a TAPE block is exported another way")
    func foreignTapes() throws {
        for bytes in [nil, [7, 7], Array("VOL1".utf8), Array("SSET".utf8)] as [[UInt8]?] {
            let tape = MemoryTape()
            if let bytes { _ = try tape.write(bytes + [UInt8](repeating: 0, count: 2000)) }
            #expect(ExchangeBench.id { _ = try FlatTape.export(tape, to: bench.file()) } == "TAPE-FOREIGN")
        }
    }
}
