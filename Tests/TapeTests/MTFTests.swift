import Files
import Foundation
import Testing

@testable import Tape

@Suite("the Microsoft Tape Format is written to the letter") struct MTFTests {
    @Test(
        "dates are packed into five bytes",
        arguments: [
            // 2024-02-29 23:59:58: year 2024 << 26 | 2 << 22 | 29 << 17 | 23 << 12 | 59 << 6 | 58.
            (Int64?(1_709_251_198), [0x1F, 0xA0, 0xBB, 0x7E, 0xFA] as [UInt8]),
            (Int64?(0), [0x1E, 0xC8, 0x42, 0x00, 0x00]), (Int64?.none, [0, 0, 0, 0, 0]),
        ])
    func dates(time: Int64?, bytes: [UInt8]) {
        #expect(MTFDate.encoded(time) == bytes)
        #expect(MTFDate.decoded(bytes) == time)
    }

    @Test("any second from the year 1 to 16383 survives")
    func allDates() {
        var chance = Chance(4)
        for _ in 0..<2000 {
            let time = Int64.random(in: -62_135_596_800...454_796_035_199, using: &chance)
            #expect(MTFDate.decoded(MTFDate.encoded(time)) == time)
        }
        #expect(MTFDate.encoded(.max) == [0, 0, 0, 0, 0] && MTFDate.encoded(.min) == [0, 0, 0, 0, 0])
    }

    @Test("a TAPE block has its fields where the specification puts them")
    func tapeBlock() throws {
        var block = Block(
            .tape(.init(family: 0x1122_3344, sequence: 2, name: "N", label: "LA", software: "S", date: 1_709_251_198)),
            attributes: BlockAttributes.setMap)
        block.header.controlID = 5
        let bytes = try block.encoded()
        #expect(Array(bytes[0..<4]) == Array("TAPE".utf8))
        #expect(bytes.little(UInt32.self, at: 4) == 0x10000)
        // 94 fixed, 4 letters of two bytes, made a multiple of 4.
        #expect(bytes.little(UInt16.self, at: 8) == 104 && bytes.count == 104)
        #expect(bytes[10] == 14 && bytes[48] == 2 && bytes.little(UInt32.self, at: 36) == 5)
        #expect(bytes.little(UInt32.self, at: 52) == 0x1122_3344 && bytes.little(UInt16.self, at: 60) == 2)
        #expect(bytes.little(UInt16.self, at: 66) == 2 && bytes.little(UInt16.self, at: 84) == 1024)
        #expect(Array(bytes[88..<93]) == [0x1F, 0xA0, 0xBB, 0x7E, 0xFA] && bytes[93] == 1)
        #expect((0..<26).reduce(UInt16(0)) { $0 ^ bytes.little(UInt16.self, at: 2 * $1) } == 0)
        // Name: 2 bytes at 94; label: 4 at 96; software: 2 at 100.
        #expect(Array(bytes[68..<72]) == [2, 0, 94, 0] && Array(bytes[72..<76]) == [4, 0, 96, 0])
        #expect(Array(bytes[80..<84]) == [2, 0, 100, 0] && Array(bytes[94..<102]) == Array("N\0L\0A\0S\0".utf8))
        #expect(try Block(decoding: bytes, at: "").content == block.content)
    }

    @Test("a stream's header ends with the XOR of its words, and padding ends on a multiple of 1024")
    func streams() throws {
        let header = StreamHeader(.standardData, length: 0x1_0000_0003, media: 1)
        let bytes = header.encoded
        #expect(bytes.count == 22 && Array(bytes[..<4]) == Array("STAN".utf8))
        #expect(bytes[6] == 1 && bytes.little(UInt64.self, at: 8) == 0x1_0000_0003)
        #expect((0..<11).reduce(UInt16(0)) { $0 ^ bytes.little(UInt16.self, at: 2 * $1) } == 0)
        #expect(try StreamHeader(bytes, at: "") == header)
        for position in [0, 1, 1000, 1002, 1003, 1004, 1024, 5_000_000_001] as [Int64] {
            let pad = StreamHeader.pad(at: position)
            #expect((position + Int64(pad.count)) % 1024 == 0 && pad.count >= 22 && pad.count < 1024 + 26)
            let start = Int((4 - position % 4) % 4)
            #expect(Array(pad[start..<start + 4]) == Array("SPAD".utf8))
        }
    }

    @Test("every block comes back as it was")
    func allBlocks() throws {
        let contents: [BlockContent] = [
            .setStart(.init(number: 7, name: "n\u{1F4BD}", description: "d", user: "u", object: 1 << 40, date: 86_400)),
            .volume(.init(device: "C:", volume: "v", machine: "m", date: 1)),
            .directory(.init(modified: 1, created: 2, backedUp: 3, accessed: 4, id: 9, name: "a\0b\0")),
            .file(.init(modified: 1, directory: 9, id: 10, name: "x.vhdx")), .padding,
            .corrupt(.init(attributes: 1, streamOffset: 1 << 33, stream: 2)),
            .setEnd(.init(corrupt: 3, object: 1 << 35, number: 7, date: 5)), .tapeEnd(.init(lastSetEnd: 1 << 36)),
        ]
        let blocks = contents.map { Block($0, attributes: 1, osData: [1, 2, 3]) }
        let packed = try Block.packing(blocks)
        let found = try Block.packed(packed, at: "")
        #expect(found.map(\.content) == contents && found.allSatisfy { $0.osData == [1, 2, 3] })
        for cut in stride(from: 1, to: packed.count, by: 7) {
            // A cut catalog is refused or shorter, never read beyond its end.
            if let fewer = try? Block.packed(Array(packed[..<cut]), at: "") { #expect(fewer.count < blocks.count) }
        }
        let long = Block(.file(.init(id: 1, name: String(repeating: "x", count: 40_000))))
        #expect(throws: StorageFault.self) { try long.encoded() }
    }

    @Test("unknown blocks and streams are passed over")
    func unknownIsSkipped() throws {
        let tape = MemoryTape()
        var flat: [UInt8] = []
        func add(_ block: Block, _ streams: [[UInt8]]) throws {
            flat += try block.encoded()
            for stream in streams {
                flat += [UInt8](repeating: 0, count: MTF.aligned(flat.count) - flat.count)
                flat += StreamHeader("XYZW", length: Int64(stream.count)).encoded + stream
            }
            flat += StreamHeader.pad(at: Int64(flat.count))
        }
        var strange = Block(.unknown)
        strange.header.type = "QQQQ"
        try add(strange, [[1, 2, 3], []])
        try add(Block(.padding), [[UInt8](repeating: 9, count: 3001)])
        // Records of any length make the same stream.
        for from in stride(from: 0, to: flat.count, by: 700) {
            _ = try tape.write(Array(flat[from..<min(flat.count, from + 700)]))
        }
        _ = try tape.writeFilemarks(1, immediate: false)
        try tape.rewind()
        let reader = FlatReader(tape)
        var types: [String] = []
        while let block = try reader.block() {
            types.append(block.type.description)
            while let stream = try reader.stream() {
                types.append(stream.id.description)
                try reader.skip(Int64(stream.length))
            }
        }
        #expect(types == ["QQQQ", "XYZW", "XYZW", "ESPB", "XYZW"])
    }

    /// A plain set on a tape of records that mtdump reads.
    private func plainTape() throws -> (MemoryTape, [MadeFile]) {
        let bench = SetBench()
        let tape = try bench.tape()
        let files = [
            MadeFile("a.vhdx", [(.chance(1), 200_000), (.hole, 300_000), (.text(3), 12_345)]),
            MadeFile("b", [(.text(1), 3)]),
        ]
        try bench.write(files, "plain", on: tape, SetBench.options(nil, encrypted: false, record: 1 << 16))
        try bench.write(files, "packed", on: tape, SetBench.options(.default, encrypted: true, record: 1 << 16))
        return (tape, files)
    }

    private func run(_ program: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        let pipe = Pipe()
        (process.standardOutput, process.standardError) = (pipe, pipe)
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: output, as: UTF8.self)
    }

    @Test("a flat set holds each block on a multiple of 1024, and its files' bytes in the clear")
    func flatStream() throws {
        let (tape, files) = try plainTape()
        try tape.locate(file: 1, partition: 0)
        let reader = FlatReader(tape)
        var types: [String] = []
        while let block = try reader.block() {
            #expect((reader.position - Int64(block.header.firstEvent)) % 1024 == 0)
            if block.type != .padding {
                #expect(Int64(block.header.logicalAddress) * 1024 == reader.position - Int64(block.header.firstEvent))
            }
            types.append(block.type.description)
            while let stream = try reader.stream() {
                guard stream.id == .standardData else {
                    try reader.skip(Int64(stream.length))
                    continue
                }
                let index = types.count { $0 == "FILE" } - 1
                let content = try reader.content(stream, limit: 1 << 20)
                #expect(content == (try files[index].bytes(0..<files[index].size)))
            }
        }
        #expect(types == ["SSET", "VOLB", "DIRB", "FILE", "FILE", "ESPB"])
    }

    @Test("other programs know the tape: file names the flat stream, mtdump walks the SIMH image")
    func otherReaders() throws {
        let (tape, _) = try plainTape()
        var (flat, simh) = ([UInt8](), [UInt8]())
        var marks = 0
        for object in tape.objects {
            let bytes: [UInt8]
            switch object {
            case .record(let record): bytes = record
            case .zeros(let count): bytes = [UInt8](repeating: 0, count: count)
            case .filemark:
                simh += [0, 0, 0, 0]
                marks += 1
                continue
            }
            flat += bytes
            var length = [UInt8](repeating: 0, count: 4)
            length.putLittle(UInt32(bytes.count), at: 0)
            simh += length + bytes + [UInt8](repeating: 0, count: bytes.count % 2) + length
        }
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "mtf-\(ProcessInfo.processInfo.processIdentifier)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (bkf, tap) = (folder.appending(path: "set.bkf"), folder.appending(path: "set.tap"))
        try Data(flat).write(to: bkf)
        try Data(simh).write(to: tap)
        let kind = try run("/usr/bin/file", [bkf.path()])
        #expect(kind.contains("Windows NTbackup archive"), "\(kind)")
        let dump = try run("/usr/bin/mtdump", [tap.path()])
        #expect(dump.components(separatedBy: "end of tape file").count - 1 == marks, "\(dump.suffix(600))")
        #expect(!dump.lowercased().contains("error"), "\(dump.suffix(600))")
    }
}
