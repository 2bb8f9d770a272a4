import Files
import Tape
import Testing

@Suite("sets that do not fit go on on the next cartridge") struct SetsSpanTests {
    let bench = SetBench()

    private func files(_ seed: UInt64) -> [MadeFile] {
        var chance = Chance(seed)
        return [
            MadeFile.drawn("a", 700_000, &chance), MadeFile("empty", []),
            MadeFile("all chance", [(.chance(seed), 1_900_000)]),
            MadeFile.drawn("b", 500_001, &chance), MadeFile("hole", [(.hole, 3_000_000)]),
        ]
    }

    @Test("a set over several media comes back whole", arguments: 0..<4, [300_000, 700_000, 1_300_000])
    func spannedSetsComeBack(kind: Int, room: Int) throws {
        let files = files(UInt64(kind * 7 + room))
        let reserve: Int64 = 1 << 19
        let make = { MemoryTape(capacity: Int64(room) + reserve, reserve: reserve) }
        let tape = make()
        try SetBench.label().write(to: tape)
        let supply = MemorySupply(tape, make: make)
        let options = SetBench.options(
            [nil, .default, nil, .default][kind], encrypted: kind >= 2, record: 1 << 16, workers: 3)
        let receipt = try bench.write(files, on: tape, supply: supply, options)
        #expect(receipt.spans.count == supply.tapes.count && receipt.spans.count > 1)
        let contents = try TapeContents.of(tape)
        let entry = try #require(contents.sets.first)
        #expect(entry.state == .continues)
        let set = try SetBench.open(entry, tape, supply: MemoryShelf(supply.tapes))
        #expect(try SetBench.restores(set, files))
        let verified = try set.verify(workers: 2)
        #expect(verified.faults == [] && verified.spans == receipt.spans.count)
        #expect(verified.bytes == files.reduce(0) { $0 + $1.size })
        // The last medium lists the whole family.
        let last = try TapeContents.of(supply.tapes[supply.tapes.count - 1])
        #expect(last.sets.map(\.state) == [.whole] && last.earlier.count == receipt.spans.count - 1)
        #expect(throws: StorageFault.self) { try bench.write(files, "third", on: tape, options) }
        guard supply.tapes[supply.tapes.count - 1].room > 0 else { return }
        // A further set goes behind it.
        let more = [MadeFile("more", [(.chance(1), 1000)])]
        let second = try bench.write(more, "second", on: supply.tapes[supply.tapes.count - 1], options)
        #expect(second.number == 2)
        let final = try TapeContents.of(supply.tapes[supply.tapes.count - 1])
        #expect(final.sets.count == 2)
        #expect(try SetBench.restores(SetBench.open(final.sets[1], supply.tapes[receipt.spans.count - 1]), more))
    }

    @Test("a medium is ended where it is asked, to the record, though there is room on it", arguments: 0..<4)
    func endsWhereAsked(kind: Int) throws {
        let files = files(UInt64(kind))
        let make = { MemoryTape(capacity: 50_000_000, reserve: 1 << 19) }
        let tape = make()
        try SetBench.label().write(to: tape)
        let supply = MemorySupply(tape, make: make)
        var options = SetBench.options([nil, .default, nil, .default][kind], encrypted: kind >= 2, record: 1 << 16)
        // The second one leaves room for no whole record, and gets one all the same; the last one lies behind the end.
        options.mediaEnds = [900_000, 900_001, 2_000_000, 100_000_000]
        let receipt = try bench.write(files, on: tape, supply: supply, options)
        #expect(receipt.spans.count == 4)
        var done: [Int64] = []
        for span in receipt.spans { done.append((done.last ?? 0) + Int64(span.plainBytes)) }
        #expect(done[0] <= 900_000 && done[0] > 900_000 - 65_536, "\(done)")
        #expect(done[1] > done[0] && done[1] <= done[0] + 65_536, "\(done)")
        #expect(done[2] <= 2_000_000 && done[2] > 2_000_000 - 65_536, "\(done)")
        let entry = try #require(try TapeContents.of(tape).sets.first)
        let set = try SetBench.open(entry, tape, supply: MemoryShelf(supply.tapes))
        #expect(try SetBench.restores(set, files))
        #expect(try set.verify(workers: 2).faults == [])
    }

    @Test("a span that is missing, of another family or of another run is named")
    func wrongSpansAreNamed() throws {
        let files = [MadeFile("a", [(.chance(5), 2_000_000)])]
        func write(_ bench: SetBench, _ family: UInt32) throws -> [MemoryTape] {
            let make = { MemoryTape(capacity: 1_200_000, reserve: 1 << 19) }
            let tape = make()
            try SetBench.label(family).write(to: tape)
            let supply = MemorySupply(tape, make: make)
            try bench.write(files, on: tape, supply: supply, SetBench.options(nil, encrypted: true, record: 1 << 16))
            return supply.tapes
        }
        let tapes = try write(bench, 77)
        let foreign = try write(bench, 78)
        // The same set again, as another run of the same program would write it.
        let other = SetBench(secrets: SeededSecrets(seed: 99))
        let again = try write(other, 77)
        #expect(tapes.count >= 3)
        let entry = try #require(try TapeContents.of(tapes[0]).sets.first)
        func read(_ shelf: [MemoryTape]) throws -> (String, [String]) {
            let set = try SetBench.open(entry, shelf[0], supply: MemoryShelf(shelf))
            var options = RestoreOptions()
            options.skipsDamaged = true
            let report = try set.read(0, to: KeptTarget(), options)
            let verified = try SetBench.open(entry, shelf[0], supply: MemoryShelf(shelf)).verify(workers: 2)
            return (report.lost.first?.fault.id ?? "", verified.faults.map(\.id))
        }
        for (shelf, id) in [
            ([tapes[0]], "TAPE-SPAN-MISSING"), ([tapes[0], tapes[2], tapes[2]], "TAPE-SPAN-WRONG"),
            ([tapes[0], foreign[1], tapes[2]], "TAPE-SPAN-WRONG"), ([tapes[0], again[1], again[2]], "TAPE-SPAN-WRONG"),
        ] {
            let (lost, verified) = try read(shelf)
            #expect(lost == id)
            #expect(verified.contains(id))
        }
        // Without its beginning a set gives what is there.
        let rest = try #require(try TapeContents.of(tapes[1]).sets.first)
        #expect(rest.span == 2)
        let headless = try SetBench.open(rest, tapes[1], supply: MemoryShelf(tapes))
        #expect(headless.files.map(\.name) == ["a"])
        var options = RestoreOptions()
        options.skipsDamaged = true
        let target = KeptTarget()
        let report = try headless.read(0, to: target, options)
        let lost = try #require(report.lost.first)
        #expect(
            report.lost.count == 1 && lost.range.lowerBound == 0 && report.bytes == 2_000_000 - lost.range.upperBound)
        #expect(
            target.bytes(lost.range.upperBound..<2_000_000) == (try files[0].bytes(lost.range.upperBound..<2_000_000)))
    }
}
