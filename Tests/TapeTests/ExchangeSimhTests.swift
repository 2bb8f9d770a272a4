import Files
import Tape
import Testing

@Suite("tapes go into SIMH images and come back") struct ExchangeSimhTests {
    let bench = ExchangeBench()

    private static func content(_ seed: UInt64, longest: Int) -> [TapeObject] {
        var chance = Chance(seed)
        return (0..<120).map { number in
            switch Int.random(in: 0..<6, using: &chance) {
            case 0: .filemark
            case 1: .zeros(Int.random(in: 1...longest, using: &chance))
            case 2: .record(number, count: Int.random(in: 1...9, using: &chance))
            default: .record(number, count: Int.random(in: 1...longest, using: &chance))
            }
        }
    }

    private static func write(_ content: [TapeObject], to tape: any TapeMedium) throws {
        for object in content {
            if object == .filemark {
                _ = try tape.writeFilemarks(1, immediate: true)
            } else {
                _ = try tape.write(object.bytes)
            }
        }
        try tape.flush()
    }

    @Test(
        "random records, odd ones too, and filemarks come back on a cartridge", arguments: 1...4 as ClosedRange<UInt64>)
    func roundTrip(seed: UInt64) throws {
        let content = Self.content(seed, longest: seed == 1 ? 1 << 16 : 5000)
        let (_, tape) = try CartridgeLab.made()
        try Self.write(content, to: tape)
        let file = try bench.file()
        let facts = try SimhTape.export(tape, to: file)
        #expect(facts.filemarks == Int64(content.count { $0 == .filemark }))
        #expect(facts.records + facts.filemarks == Int64(content.count))
        #expect(facts.bytes == content.reduce(0) { $0 + $1.native })
        let (_, other) = try CartridgeLab.made()
        _ = try other.write([UInt8](repeating: 9, count: 77))
        #expect(try SimhTape.restore(file, to: other) == facts)
        #expect(TapeReader().difference(other, [content]) == nil)
        let again = try bench.file("/again")
        _ = try SimhTape.export(other, to: again)
        #expect(try ExchangeBench.bytes(of: again) == ExchangeBench.bytes(of: file))
    }

    @Test("mtdump walks what was exported and finds each record and filemark")
    func mtdumpAgrees() throws {
        let folder = try ExchangeFolder()
        // Two filemarks in a row end a tape for it.
        let drawn = [.record(0, count: 80)] + Self.content(7, longest: 1 << 16)
        let content = drawn.indices.filter { $0 == 0 || drawn[$0] != .filemark || drawn[$0 - 1] != .filemark }.map {
            drawn[$0]
        }
        let tape = MemoryTape()
        try Self.write(content, to: tape)
        _ = try SimhTape.export(tape, to: folder.file("tape.tap"))
        let text = try folder.run("mtdump", "tape.tap")
        var found: [Int?] = []
        for line in text.split(separator: "\n") {
            if line.contains("end of tape file") { found.append(nil) }
            guard let length = line.firstRange(of: "length = ") else { continue }
            found.append(Int(line[length.upperBound...].prefix { $0.isNumber }))
        }
        #expect(found == content.map { $0 == .filemark ? nil : Int($0.native) })
        #expect(!text.lowercased().contains("error"), "\(text.suffix(300))")
    }

    @Test("gaps are passed over, and what is behind the end of the medium is not read")
    func gaps() throws {
        let gap: [UInt8] = [0xFE, 0xFF, 0xFF, 0xFF]
        let record: [UInt8] = [3, 0, 0, 0, 7, 8, 9, 0, 3, 0, 0, 0]
        for end in [[], [0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4, 5], [1, 2, 3]] as [[UInt8]] {
            let tape = MemoryTape()
            let facts = try SimhTape.restore(
                bench.file(of: gap + record + gap + [0, 0, 0, 0] + record + end), to: tape)
            #expect(tape.objects == [.record([7, 8, 9]), .filemark, .record([7, 8, 9])])
            #expect(facts.records == 2 && facts.filemarks == 1 && facts.bytes == 6)
        }
    }

    @Test("malformed images are refused with nothing written")
    func malformed() throws {
        let record: [UInt8] = [3, 0, 0, 0, 7, 8, 9, 0, 3, 0, 0, 0]
        let cases: [(String, [UInt8])] = [
            ("empty", []), ("an end only", [0xFF, 0xFF, 0xFF, 0xFF]), ("cut in the record", record + record.prefix(7)),
            ("cut before the second length", record + record.prefix(8)), ("cut within it", record + record.prefix(10)),
            ("lengths differ", record + [3, 0, 0, 0, 7, 8, 9, 0, 4, 0, 0, 0]),
            ("no padding", [3, 0, 0, 0, 7, 8, 9, 3, 0, 0, 0]),
            ("an error flag", record + [3, 0, 0, 0x80, 7, 8, 9, 0, 3, 0, 0, 0x80]),
            ("far too long", record + [0, 0, 0x20, 0] + [UInt8](repeating: 1, count: 1 << 21) + [0, 0, 0x20, 0]),
            ("longer than the file", record + [0, 0, 0x10, 0]), ("text", Array("This is no tape image at all.".utf8)),
        ]
        for (what, bytes) in cases {
            let tape = try ExchangeBench.used()
            let before = tape.objects
            #expect(
                ExchangeBench.id { _ = try SimhTape.restore(bench.file(of: bytes), to: tape) } == "TAPE-SIMH", "\(what)"
            )
            #expect(tape.objects == before, "\(what)")
        }
    }
}
