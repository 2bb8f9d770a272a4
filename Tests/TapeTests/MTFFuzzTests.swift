import BlockDeviceContract
import Files
import Foundation
import Testing

@testable import Tape

@Suite("MTF: fuzz of every structure that is read from a tape")
struct MTFFuzzTests {
    /// Blocks of all kinds, as they stand on tapes.
    private static func blocks() throws -> [[UInt8]] {
        let contents: [BlockContent] = [
            .setStart(.init(number: 7, name: "name", description: "d", user: "u", object: 1 << 40, date: 86_400)),
            .volume(.init(device: "C:", volume: "v", machine: "m", date: 1)),
            .directory(.init(modified: 1, created: 2, backedUp: 3, accessed: 4, id: 9, name: "a\0b\0")),
            .file(.init(modified: 1, directory: 9, id: 10, name: "x.vhdx")), .padding,
            .corrupt(.init(attributes: 1, streamOffset: 1 << 33, stream: 2)),
            .setEnd(.init(corrupt: 3, object: 1 << 35, number: 7, date: 5)), .tapeEnd(.init(lastSetEnd: 1 << 36)),
        ]
        return try contents.map { try Block($0, attributes: 1, osData: [1, 2, 3]).encoded() }
    }

    /// Puts the right checksum into a block's or a stream's header, half of the time.
    private static func repair(_ bytes: inout [UInt8], _ chance: inout ContractRandom) {
        guard chance.below(2) == 0 else { return }
        if bytes.count >= MTF.blockHeader { bytes.putLittle(BlockHeader.sum(bytes), at: 50) }
    }

    @Test func `blocks`() throws {
        let fuzz = Fuzz("mtf-block", cases: 3000)
        let samples = try Self.blocks()
        fuzz.run { chance in
            var bytes = samples[chance.below(samples.count)]
            SealingFuzz.mutate(&bytes, &chance, other: samples[chance.below(samples.count)])
            Self.repair(&bytes, &chance)
            guard
                let block = fuzz.attempt(
                    "decode", { try Block(decoding: bytes, at: "fuzz") })
            else { return }
            if block.header.firstEvent > bytes.count { fuzz.find("it reaches beyond its end", bytes) }
            // What was read can be written, unless it has more text than fits, and is read alike then.
            guard let again = fuzz.attempt("encode", { try block.encoded() }) else { return }
            let second = fuzz.attempt("decode again") {
                try Block(decoding: again, at: "fuzz")
            }
            if block.header.stringType == 2, second?.content != block.content || second?.osData != block.osData {
                fuzz.find("it is written otherwise than read", bytes)
            }
        }
    }

    @Test func `headers of streams, and dates`() throws {
        let fuzz = Fuzz("mtf-stream", cases: 3000)
        let samples = [
            StreamHeader(.standardData, length: 1 << 40).encoded, StreamHeader(.pad, length: 3).encoded,
            StreamHeader(.sealed, length: 70_000, media: 6).encoded,
        ]
        fuzz.run { chance in
            var bytes = samples[chance.below(3)]
            SealingFuzz.mutate(&bytes, &chance, other: samples[chance.below(3)])
            if chance.below(2) == 0, bytes.count >= MTF.streamHeader {
                bytes.putLittle((0..<10).reduce(UInt16(0)) { $0 ^ bytes.little(UInt16.self, at: 2 * $1) }, at: 20)
            }
            if let date = bytes.count >= 5 ? MTFDate.decoded(bytes[..<5]) : nil, !(-1 << 40...1 << 40 ~= date) {
                fuzz.find("a date beyond all years", bytes)
            }
            guard
                let header = fuzz.attempt("decode", { try StreamHeader(bytes, at: "fuzz") })
            else { return }
            if header.encoded != Array(bytes.prefix(MTF.streamHeader)) {
                fuzz.find("it is written otherwise than read", bytes)
            }
        }
    }

    @Test func `catalogs: packed blocks`() throws {
        let fuzz = Fuzz("mtf-packed", cases: 2000)
        let blocks = try Self.blocks()
        let sample = blocks.flatMap { $0 }
        let own = try Block.packing(try blocks.map { try Block(decoding: $0, at: "") })
        fuzz.run { chance in
            var bytes = chance.below(2) == 0 ? own : sample
            SealingFuzz.mutate(&bytes, &chance, other: sample)
            guard
                let found = fuzz.attempt("packed", { try Block.packed(bytes, at: "fuzz") })
            else { return }
            if found.reduce(0, { $0 + $1.header.firstEvent }) > bytes.count { fuzz.find("blocks overlap", bytes) }
        }
    }

    @Test func `flat streams of blocks and streams, in records of any length`() throws {
        let fuzz = Fuzz("mtf-flat", cases: 1000)
        let blocks = try Self.blocks()
        var sample: [UInt8] = []
        for block in blocks {
            sample += block
            for stream in [[UInt8](repeating: 7, count: 33), []] {
                sample += [UInt8](repeating: 0, count: MTF.aligned(sample.count) - sample.count)
                sample += StreamHeader("XYZW", length: Int64(stream.count)).encoded + stream
            }
            sample += StreamHeader.pad(at: Int64(sample.count))
        }
        fuzz.run { chance in
            var bytes = sample
            SealingFuzz.mutate(&bytes, &chance, other: sample)
            // Sums of blocks and streams that begin where they did before.
            if chance.below(2) == 0 {
                for at in stride(from: 0, to: bytes.count - MTF.blockHeader, by: MTF.flb) {
                    bytes.putLittle(BlockHeader.sum(Array(bytes[at..<at + MTF.blockHeader])), at: at + 50)
                }
            }
            let tape = MemoryTape()
            let step = 1 + chance.below(3000)
            for from in stride(from: 0, to: bytes.count, by: step) {
                _ = try tape.write(Array(bytes[from..<min(bytes.count, from + step)]))
            }
            _ = try tape.writeFilemarks(1, immediate: false)
            try tape.rewind()
            let reader = FlatReader(tape)
            var steps = 0
            _ = fuzz.attempt("walk") {
                while try reader.block() != nil {
                    steps += 1
                    while let stream = try reader.stream() {
                        steps += 1
                        if stream.length < 100, steps % 2 == 0 {
                            _ = try reader.content(stream, limit: 64)
                        } else {
                            try reader.skip(Int64(stream.length))
                        }
                    }
                    if steps > 2 * bytes.count { break }
                }
            }
            if steps > bytes.count { fuzz.find("it does not end", bytes) }
        }
    }

    @Test func `tapes: label, list, chain and catalog of a changed one`() throws {
        let fuzz = Fuzz("mtf-tape", cases: 300)
        let bench = SetBench()
        let tape = try bench.tape()
        for (index, isEncrypted) in [false, true, true].enumerated() {
            try bench.write(
                [
                    MadeFile("a", [(.text(UInt64(index)), 20_000), (.hole, 30_000)]),
                    MadeFile("b", [(.chance(3), 40_000)]),
                ],
                "set\(index)", on: tape,
                SetBench.options(index == 1 ? nil : .default, encrypted: isEncrypted, record: 1 << 14, workers: 1))
        }
        let records = tape.objects.indices.filter { if case .record = tape.objects[$0] { true } else { false } }
        fuzz.run { chance in
            let copy = MemoryTape(copying: tape)
            copy.isTampered = true
            for _ in 0..<1 + chance.below(3) {
                let place = records[chance.below(records.count)]
                guard case .record(var bytes) = copy.objects[place], case .record(let other) = copy.objects[records[0]]
                else { continue }
                var head = Array(bytes.prefix(chance.below(2) == 0 ? 256 : bytes.count))
                let rest = bytes.dropFirst(head.count)
                SealingFuzz.mutate(&head, &chance, other: other)
                bytes = head + rest
                Self.repair(&bytes, &chance)
                copy.objects[place] = bytes.isEmpty ? .zeros(1) : .record(bytes)
            }
            for keyed in [[], [SetBench.keyed]] {
                _ = fuzz.attempt("catalog") {
                    try copy.rewind()
                    return try TapeCatalog.of(copy, with: keyed)
                }
            }
            _ = fuzz.attempt("find") { try TapeFinding.of(copy) }
            _ = fuzz.attempt("chain") { try TapeContents.verifyChain(of: copy) }
            let contents = fuzz.attempt("contents") { try TapeContents.of(copy) }
            for entry in contents?.sets ?? [] {
                let set = fuzz.attempt("open") {
                    try OpenSet(entry, on: copy, with: [SetBench.keyed], supply: nil)
                }
                guard let set else { continue }
                _ = fuzz.attempt("verify") { try set.verify(workers: 1) }
            }
        }
    }
}
