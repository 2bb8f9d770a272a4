import Files
import Tape
import Testing

private let kinds: [(compression: SetCompression?, encrypted: Bool)] = [
    (nil, false), (.default, false), (nil, true), (.default, true), (.fast, true), (.strong, false),
]

@Suite("what is written to tape comes back") struct SetsRoundTripTests {
    let bench = SetBench()

    @Test("sets of every kind come back as they were", arguments: 0..<kinds.count, [1 << 14, 1 << 16, 1 << 20])
    func setsComeBack(kind: Int, record: Int) throws {
        var chance = Chance(UInt64(kind * 100 + record))
        let sizes: [Int64] = [0, 1, 4095, 65_537, Int64(record), 3_000_001]
        let files = sizes.enumerated().map { MadeFile.drawn("disk\($0).vhdx", $1, &chance) }
        let tape = try bench.tape()
        let options = SetBench.options(kinds[kind].compression, encrypted: kinds[kind].encrypted, record: record)
        let receipt = try bench.write(files, on: tape, options)
        #expect(receipt.spans.count == 1)
        let contents = try TapeContents.of(tape)
        #expect(contents.sets.count == 1 && contents.isFromCatalog && contents.faults.isEmpty)
        let entry = try #require(contents.sets.first)
        #expect(entry.state == .whole && entry.isEncrypted == kinds[kind].encrypted && entry.files == files.count)
        #expect(contents.chain == receipt.spans[0].chain)
        let set = try SetBench.open(entry, tape)
        #expect(set.faults.isEmpty)
        #expect(set.description.name == (entry.isEncrypted ? "set" : entry.name))
        #expect(try SetBench.restores(set, files))
    }
}
