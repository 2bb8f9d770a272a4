import Files
import Testing

@testable import Tape

/// Flat tapes as other programs write them.
private struct ForeignFlat {
    var bytes: [UInt8] = []
    let flb: Int
    init(flb: Int) { self.flb = flb }

    mutating func pad() {
        bytes += [UInt8](repeating: 0, count: MTF.aligned(bytes.count) - bytes.count)
        let end = (bytes.count + MTF.streamHeader + flb - 1) / flb * flb
        let count = end - bytes.count - MTF.streamHeader
        bytes += StreamHeader(.pad, length: Int64(count)).encoded + [UInt8](repeating: 0, count: count)
    }

    mutating func block(_ content: BlockContent, _ streams: [(FourLetters, [UInt8])] = [], padded: Bool = true) throws {
        bytes += try Block(content).encoded()
        for (id, content) in streams {
            bytes += [UInt8](repeating: 0, count: MTF.aligned(bytes.count) - bytes.count)
            bytes += StreamHeader(id, length: Int64(content.count)).encoded + content
        }
        if padded { pad() }
    }

    /// A block whose rest holds numbers, as NTBackup's for filemarks on disk.
    mutating func softFilemark() {
        var block = [UInt8](repeating: 0, count: flb)
        BlockHeader(FlatWalk.softFilemark).put(into: &block)
        block.putLittle(UInt32(7), at: 52)
        bytes += block
    }

    /// Two sets.
    static func made(flb: Int, soft: Bool) throws -> (bytes: [UInt8], marks: [Int]) {
        var flat = ForeignFlat(flb: flb)
        var marks: [Int] = []
        func mark() {
            if soft { flat.softFilemark() }
            marks.append(flat.bytes.count)
        }
        try flat.block(
            .tape(
                .init(
                    family: 9, sequence: 1, catalogType: 0, name: "Media", software: "Other", flb: UInt16(flb), date: 0)
            ))
        mark()
        for number in 1...2 {
            try flat.block(.setStart(.init(number: UInt16(number), name: "Set")))
            try flat.block(.volume(.init(device: "C:")))
            try flat.block(.directory(.init()), [("NACL", CartridgeLab.bytes(1, 77))])
            for (file, size) in [0, 1, 511, 70_000].enumerated() {
                try flat.block(
                    .file(.init(id: UInt32(file), name: "file\(file)")),
                    [
                        ("NACL", CartridgeLab.bytes(2, 33)), (.standardData, CartridgeLab.bytes(file, size)),
                        ("CSUM", [1, 2, 3, 4]),
                    ])
            }
            try flat.block(.padding)
            mark()
            try flat.block(.setEnd(.init(number: UInt16(number))), [("TSMP", CartridgeLab.bytes(8, 900))])
            mark()
        }
        return (flat.bytes, marks)
    }
}

@Suite("flat MTF files of others, and damaged ones") struct ExchangeFlatDamageTests {
    let bench = ExchangeBench()

    @Test(
        "other programs' files come in with records of 64 KiB and a filemark between their parts",
        arguments: [512, 1024, 4096], [false, true])
    func foreignFiles(flb: Int, soft: Bool) throws {
        let (bytes, marks) = try ForeignFlat.made(flb: flb, soft: soft)
        let file = try bench.file(of: bytes)
        let tape = MemoryTape()
        let facts = try FlatTape.restore(file, to: tape)
        #expect(!facts.isOwn && facts.bytes == bytes.count && facts.filemarks == marks.count)
        var expected: [MemoryTape.Object] = []
        var from = 0
        for mark in marks {
            while from < mark {
                let to = min(mark, from + 65_536)
                expected.append(.record(Array(bytes[from..<to])))
                from = to
            }
            expected.append(.filemark)
        }
        #expect(tape.objects == expected)
        let again = try bench.file()
        #expect(try FlatTape.export(tape, to: again) == facts)
        #expect(try ExchangeBench.bytes(of: again) == bytes)
    }

    @Test("a foreign medium that ends within a file comes in", arguments: [false, true])
    func foreignMediumEnds(padded: Bool) throws {
        var flat = ForeignFlat(flb: 512)
        try flat.block(.tape(.init(family: 9, sequence: 1, flb: 512)))
        let first = flat.bytes.count
        try flat.block(.setStart(.init(number: 1)))
        var file = try Block(.file(.init(id: 1, name: "big"))).encoded()
        file += StreamHeader(.standardData, length: 1 << 30).encoded
        flat.bytes += file + CartridgeLab.bytes(1, 512 * 50 - file.count)
        let second = flat.bytes.count
        try flat.block(.tapeEnd(.init()), padded: padded)
        flat.bytes += [UInt8](repeating: 0, count: (512 - flat.bytes.count % 512) % 512)
        let tape = MemoryTape()
        let facts = try FlatTape.restore(bench.file(of: flat.bytes), to: tape)
        #expect(facts.filemarks == 3)
        #expect(
            tape.objects == [
                .record(Array(flat.bytes[..<first])), .filemark, .record(Array(flat.bytes[first..<second])), .filemark,
                .record(Array(flat.bytes[second...])), .filemark,
            ])
    }

    private func own() throws -> [(String, [UInt8])] {
        let sets = SetBench()
        let files = [MadeFile("a", [(.chance(1), 20_000)]), MadeFile("b", [(.text(1), 3), (.hole, 40_000)])]
        let tape = try sets.tape()
        try sets.write(files, on: tape, SetBench.options(nil, encrypted: false, record: 1 << 14))
        try sets.write(files, on: tape, SetBench.options(.fast, encrypted: true, record: 1 << 14))
        let make = { MemoryTape(capacity: 40_000 + 1 << 19, reserve: 1 << 19) }
        let first = make()
        try SetBench.label().write(to: first)
        let supply = MemorySupply(first, make: make)
        try sets.write(
            [MadeFile("a", [(.chance(1), 90_000)])], on: first, supply: supply,
            SetBench.options(nil, encrypted: false, record: 1 << 14))
        return try [("sets", tape), ("a span", first), ("the next span", supply.tapes[1])].map { name, tape in
            let file = try bench.file()
            _ = try FlatTape.export(tape, to: file)
            return (name, try ExchangeBench.bytes(of: file))
        }
    }

    @Test("a file that is cut is refused with nothing written, unless a set ends there")
    func cutFiles() throws {
        for (name, bytes) in try own() + [("foreign", ForeignFlat.made(flb: 512, soft: true).bytes)] {
            var accepted = 0
            for end in Array(stride(from: 0, to: bytes.count, by: 512)) + [1, 51, 53, 1023, bytes.count - 1] {
                let tape = try ExchangeBench.used()
                let before = tape.objects
                let id = ExchangeBench.id { _ = try FlatTape.restore(bench.file(of: Array(bytes[..<end])), to: tape) }
                if id.isEmpty {
                    accepted += 1
                    #expect(end % 512 == 0)
                } else {
                    #expect(id == "TAPE-FLAT" && tape.objects == before, "\(name) cut at \(end)")
                }
            }
            // Behind the label and behind each set but the last, with and without what stands for a filemark.
            #expect(accepted == ["sets": 2, "foreign": 5][name, default: 1], "\(name)")
        }
    }

    @Test("of random changes none harms the reader, and what is taken goes out again as it came in")
    func mutations() throws {
        var chance = Chance(5)
        var (taken, refused) = (0, 0)
        for (name, bytes) in try own() + [("foreign", ForeignFlat.made(flb: 512, soft: true).bytes)] {
            for round in 0..<250 {
                var changed = bytes
                for _ in 0..<Int.random(in: 1...3, using: &chance) {
                    let at =
                        Int.random(in: 0..<changed.count / 512, using: &chance) * 512
                        + Int.random(in: 0..<90, using: &chance)
                    switch Int.random(in: 0..<4, using: &chance) {
                    case 0: changed[at] ^= 1 << UInt8.random(in: 0..<8, using: &chance)
                    case 1: changed[at] = UInt8.random(in: 0...255, using: &chance)
                    case 2 where at + 512 < changed.count: changed.removeSubrange(at..<at + 512)
                    default:
                        // A length with a true checksum.
                        let place = (at / 4) * 4
                        guard place + 22 < changed.count else { continue }
                        changed.put(
                            StreamHeader(.standardData, length: Int64.random(in: 0...1 << 50, using: &chance)).encoded,
                            at: place)
                    }
                }
                let tape = try ExchangeBench.used()
                let before = tape.objects
                let file = try bench.file(of: changed)
                let id = ExchangeBench.id { _ = try FlatTape.restore(file, to: tape) }
                if id.isEmpty {
                    taken += 1
                    let again = try bench.file("/again")
                    _ = try FlatTape.export(tape, to: again)
                    #expect(try ExchangeBench.bytes(of: again) == changed, "\(name), round \(round)")
                } else {
                    refused += 1
                    #expect(id == "TAPE-FLAT" && tape.objects == before, "\(name), round \(round): \(id)")
                }
            }
        }
        #expect(taken > 50 && refused > 200)
    }

    @Test("a file full of false ends is refused in little time")
    func falseEnds() throws {
        var flat = ForeignFlat(flb: 512)
        try flat.block(.tape(.init(family: 9, sequence: 1, flb: 512)))
        try flat.block(.setStart(.init(number: 1)))
        flat.bytes += try Block(.file(.init(id: 1, name: "big"))).encoded()
        flat.bytes += StreamHeader(.standardData, length: 1 << 40).encoded
        flat.bytes += [UInt8](repeating: 0, count: 512 - flat.bytes.count % 512)
        var end = ForeignFlat(flb: 512)
        try end.block(.tapeEnd(.init()), [(.fileDetail, [])], padded: false)
        end.bytes += [UInt8](repeating: 0, count: 512 - end.bytes.count)
        for _ in 0..<4000 { flat.bytes += end.bytes }
        flat.bytes += [UInt8](repeating: 1, count: 512)
        let tape = try ExchangeBench.used()
        #expect(ExchangeBench.id { _ = try FlatTape.restore(bench.file(of: flat.bytes), to: tape) } == "TAPE-FLAT")
        #expect(tape.objects.count == 2)
    }

    @Test("a drive with shorter records refuses longer ones before it writes")
    func shortDrives() throws {
        final class ShortTape: TapeMedium {
            let tape = MemoryTape()
            let maximumRecord = 1 << 13
            var position: TapePosition { tape.position }
            var room: Int64 { tape.room }
            func read(into buffer: UnsafeMutableRawBufferPointer) throws(StorageFault) -> TapeRead {
                try tape.read(into: buffer)
            }
            func write(_ record: UnsafeRawBufferPointer) throws(StorageFault) -> TapeWrite { try tape.write(record) }
            func writeFilemarks(_ count: Int, immediate: Bool) throws(StorageFault) -> TapeWrite {
                try tape.writeFilemarks(count, immediate: immediate)
            }
            func flush() throws(StorageFault) {}
            func rewind() throws(StorageFault) { try tape.rewind() }
            func locate(object: Int64, partition: Int) throws(StorageFault) {
                try tape.locate(object: object, partition: partition)
            }
            func locate(file: Int64, partition: Int) throws(StorageFault) {
                try tape.locate(file: file, partition: partition)
            }
            func locateEndOfData(partition: Int) throws(StorageFault) { try tape.locateEndOfData(partition: partition) }
        }
        let tape = ShortTape()
        let bytes = try #require(try own().first).1
        #expect(ExchangeBench.id { _ = try FlatTape.restore(bench.file(of: bytes), to: tape) } == "TAPE-FLAT")
        #expect(tape.tape.objects.isEmpty)
        let foreign = try ForeignFlat.made(flb: 512, soft: false)
        let facts = try FlatTape.restore(bench.file(of: foreign.bytes), to: tape)
        #expect(facts.bytes == foreign.bytes.count && facts.records > foreign.bytes.count / 8192)
    }
}
