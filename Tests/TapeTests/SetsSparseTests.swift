import Files
import Synchronization
import Tape
import Testing

/// Counts what is read of a file.
private final class ReadCount: Sendable {
    let bytes = Mutex<Int64>(0)
}

private struct WatchedFile: SetFile {
    let made: MadeFile
    let count = ReadCount()
    var name: String { made.name }
    var size: Int64 { made.size }
    var modified: Int64 { made.modified }

    func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>? { try made.dataRange(from: offset) }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        count.bytes.withLock { $0 += Int64(buffer.count) }
        try made.read(into: buffer, at: offset)
    }
}

@Suite("holes cost nothing") struct SetsSparseTests {
    let bench = SetBench()

    @Test(
        "a disk of terabytes with little in it is written and read by what is in it",
        arguments: [(SetCompression?.none, true), (.default, true), (.default, false)])
    func hugeSparse(compression: SetCompression?, encrypted: Bool) throws {
        let far: Int64 = 40 << 40
        let made = MadeFile(
            "huge.vhdx",
            [
                (.hole, far), (.chance(4), 100_001), (.hole, 5 << 30), (.zeros, 3_000_000), (.text(2), 70_000),
                (.hole, far),
            ])
        let file = WatchedFile(made: made)
        let tape = try bench.tape()
        let writer = SetWriter(tape, guids: bench.guids, secrets: bench.secrets)
        let receipt = try writer.write(
            [file], bench.describe("huge"), SetBench.options(compression, encrypted: encrypted))
        #expect(file.count.bytes.withLock { $0 } < 4_500_000)
        #expect(receipt.spans[0].plainBytes == UInt64(made.size) && receipt.spans[0].storedBytes < 300_000)
        let entry = try #require(try TapeContents.of(tape).sets.first)
        let set = try SetBench.open(entry, tape)
        let target = KeptTarget()
        let report = try set.read(0, to: target)
        #expect(report.bytes == made.size && target.size == made.size && target.written < 300_000)
        for range in [
            0..<1000, far - 10..<far + 100_100, far + 100_001 + (5 << 30)..<far + 100_001 + (5 << 30) + 3_080_000,
        ] as [Range<Int64>] {
            #expect(target.bytes(range) == (try made.bytes(range)))
        }
        #expect(try set.verify(workers: 2).faults == [])
    }

    @Test("a plain set's holes become records of zeros, found by their place", arguments: [1 << 14, 1 << 16])
    func plainSparse(record: Int) throws {
        let made = MadeFile("disk", [(.hole, 10_000_000), (.chance(4), 100_001), (.hole, 7_000_003), (.text(1), 9)])
        let file = WatchedFile(made: made)
        let tape = try bench.tape()
        let writer = SetWriter(tape, guids: bench.guids, secrets: bench.secrets)
        _ = try writer.write([file], bench.describe("plain"), SetBench.options(nil, encrypted: false, record: record))
        #expect(file.count.bytes.withLock { $0 } < 100_001 + 4 * Int64(record))
        let set = try SetBench.open(try #require(try TapeContents.of(tape).sets.first), tape)
        let target = KeptTarget()
        _ = try set.read(0, to: target)
        #expect(try target.holds(made) && target.written < 100_001 + 4 * Int64(record))
    }

    @Test("any range of a file is read by few records", arguments: 0..<4)
    func ranges(kind: Int) throws {
        var chance = Chance(UInt64(kind))
        let files = [
            MadeFile.drawn("a", 1_500_000, &chance), MadeFile("empty", []), MadeFile.drawn("b", 2_500_000, &chance),
        ]
        let tape = try bench.tape()
        try bench.write(
            files, on: tape,
            SetBench.options([nil, .default, nil, .default][kind], encrypted: kind >= 2, record: 1 << 14))
        let set = try SetBench.open(try #require(try TapeContents.of(tape).sets.first), tape)
        for _ in 0..<40 {
            let index = [0, 2].randomElement(using: &chance) ?? 0
            let size = files[index].size
            let from = Int64.random(in: 0..<size, using: &chance)
            let range = from..<min(size, from + Int64.random(in: 0...60_000, using: &chance))
            let target = KeptTarget()
            let before = tape.bytesRead
            let report = try set.read(index, range, to: target)
            #expect(report.bytes == Int64(range.count))
            #expect(target.bytes(range) == (try files[index].bytes(range)))
            // Read ahead included; without a search it would be a megabyte on average.
            #expect(tape.bytesRead - before < 400_000)
        }
    }
}
