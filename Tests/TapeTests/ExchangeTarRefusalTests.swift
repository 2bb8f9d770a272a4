import Files
import Testing

@testable import Tape

@Suite("tar archives that are refused") struct ExchangeTarRefusalTests {
    let bench = ExchangeBench()
    private static let end = [UInt8](repeating: 0, count: 1024)

    private static func file(_ name: String, _ content: [UInt8], size: Int64? = nil) -> [UInt8] {
        TarHeader.encoded(name, size: size ?? Int64(content.count), modified: 7) + content
            + [UInt8](repeating: 0, count: Int(TarHeader.padded(Int64(content.count))) - content.count)
    }

    /// A header with other bytes and a true checksum.
    private static func changed(_ bytes: [UInt8], _ at: Int, _ new: [UInt8], from base: Int = 0) -> [UInt8] {
        var bytes = bytes
        bytes.put(new, at: base + at)
        bytes.put([UInt8](repeating: 0x20, count: 8), at: base + 148)
        let sum = bytes[base..<base + 512].reduce(0) { $0 + Int($1) }
        let text = Array(String(sum, radix: 8).utf8)
        bytes.put([UInt8](repeating: 0x30, count: 6 - text.count) + text + [0], at: base + 148)
        return bytes
    }

    /// An extended header before a file.
    private static func pax(_ text: String, type: UInt8 = 0x78) -> [UInt8] {
        changed(file("pax", Array(text.utf8)), 156, [type])
    }

    private func id(_ bytes: [UInt8]) -> String { ExchangeBench.id { _ = try TarSet.files(in: bench.file(of: bytes)) } }

    @Test("malformed archives, names that lead elsewhere and what is no file are refused")
    func refusals() throws {
        let good = Self.file("good", CartridgeLab.bytes(1, 700))
        var flipped = good
        flipped[3] ^= 1
        let cases: [(String, [UInt8])] = [
            ("empty", []), ("no end", good), ("half an end", good + Self.end.prefix(512)),
            ("cut", good.prefix(1000) + []),
            ("an end that is none", good + Self.end.prefix(512) + good), ("a bad checksum", flipped + Self.end),
            ("a size beyond the file", Self.file("big", [1], size: 100_000) + Self.end),
            ("a padding beyond the file", Self.file("big", [1], size: 1600) + Self.end.prefix(600)),
            (
                "a huge size",
                Self.changed(good, 124, [0x80, 0, 0, 0, 0x7F, 255, 255, 255, 255, 255, 255, 255]) + Self.end
            ),
            ("a size of 96 bits", Self.changed(good, 124, [0xBF] + [UInt8](repeating: 255, count: 11)) + Self.end),
            ("a negative size", Self.changed(good, 124, [UInt8](repeating: 255, count: 12)) + Self.end),
            ("a size of letters", Self.changed(good, 124, Array("0000000x000".utf8)) + Self.end),
            ("a time of letters", Self.changed(good, 136, Array("00009000000".utf8)) + Self.end),
            (
                "an impossible time",
                Self.changed(good, 136, [255, 255, 255, 255, 0x80, 0, 0, 0, 0, 0, 0, 0]) + Self.end
            ),
            ("no name", Self.changed(good, 0, [0, 0, 0, 0]) + Self.end),
            ("a name that is not UTF-8", Self.changed(good, 0, [0xC3, 0x28]) + Self.end),
            ("an absolute name", Self.file("/etc/passwd", []) + Self.end),
            ("a name that leads out", Self.file("a/../../b", []) + Self.end),
            ("only dots", Self.file("..", []) + Self.end),
            ("dots in pax", Self.pax("16 path=../../a\n") + good + Self.end),
            ("an absolute folder", Self.changed(Self.file("/a/", []), 156, [0x35]) + Self.end),
            ("a hard link", Self.changed(good, 156, [0x31]) + Self.end),
            ("a link", Self.changed(good, 156, [0x32]) + Self.end),
            ("a device", Self.changed(good, 156, [0x33]) + Self.end),
            ("GNU's old sparse", Self.changed(good, 156, [0x53]) + Self.end),
            ("pax without an entry", good + Self.pax("10 path=a\n") + Self.end),
            ("pax cut", Self.pax("99 path=a\n") + good + Self.end),
            ("pax without a number", Self.pax("path=abcdef\n") + good + Self.end),
            ("pax without a line's end", Self.pax("10 path=ab") + good + Self.end),
            ("pax without a key", Self.pax("7 path\n") + good + Self.end),
            ("pax of no length", Self.pax("0 path=a\n") + good + Self.end),
            ("pax with a false size", Self.pax("12 size=abc\n") + good + Self.end),
            ("pax with a size beyond", Self.pax("15 size=999999\n") + good + Self.end),
            ("pax with a false time", Self.pax("14 mtime=1.2.3\n") + good + Self.end),
            ("sparse 0.1", Self.pax("25 GNU.sparse.size=70000\n") + good + Self.end),
        ]
        for (what, bytes) in cases { #expect(id(bytes) == "TAPE-TAR", "\(what)") }
        #expect(id(good + Self.end) == "" && id(Self.end) == "")
        #expect(
            id(Self.pax("10 path=a\n") + good + Self.end) == ""
                && id(Self.pax("10 path=a\n", type: 0x67) + good + Self.end) == "")
    }

    @Test("maps of sparse files that do not fit are refused")
    func sparseMaps() throws {
        func archive(_ map: String, real: Int, data: Int) -> [UInt8] {
            var content = Array(map.utf8)
            content += [UInt8](repeating: 0, count: Int(TarHeader.padded(Int64(content.count))) - content.count)
            content += CartridgeLab.bytes(1, data)
            let real = "GNU.sparse.realsize=\(real)\n"
            let texts = ["GNU.sparse.major=1\n", "GNU.sparse.minor=0\n", real].map { "\($0.utf8.count + 3) \($0)" }
            return Self.pax(texts.joined()) + Self.file("sparse", content) + Self.end
        }
        let good = archive("2\n1000\n300\n5000\n200\n", real: 9000, data: 500)
        let source = try #require(try TarSet.files(in: bench.file(of: good)).first)
        #expect(source.size == 9000)
        var bytes = [UInt8](repeating: 1, count: 9000)
        try bytes.withMutableBytes { (buffer) throws(StorageFault) in try source.read(into: buffer, at: 0) }
        var expected = [UInt8](repeating: 0, count: 9000)
        expected.put(CartridgeLab.bytes(1, 500).prefix(300), at: 1000)
        expected.put(CartridgeLab.bytes(1, 500).suffix(200), at: 5000)
        #expect(bytes == expected)
        for (map, real) in [
            ("2\n1000\n300\n5000\n201\n", 9000), ("2\n1000\n300\n1200\n200\n", 9000), ("1\n8900\n200\n", 9000),
            ("1\n9999\n0\n", 9000),
            ("99999999\n", 9000), ("x\n", 9000), ("3\n0\n1\n", 9000), ("123456789012345678901234567890\n", 9000),
            ("1\n\n5\n", 9000),
        ] { #expect(id(archive(map, real: real, data: 500)) == "TAPE-TAR", "\(map)") }
    }

    @Test("numbers before 1970, fractions and long names of GNU are read")
    func numbers() throws {
        let content: [UInt8] = [1]
        func source(_ bytes: [UInt8]) throws -> TarSource? {
            try TarSet.files(in: bench.file(of: bytes + Self.end)).first
        }
        for (text, time) in [
            ("1.5", 1), ("-1.5", -2), ("-1", -1), ("-7.0", -7), ("0", 0), ("99999999999.999", 99_999_999_999),
        ] {
            let count = " mtime=\(text)\n".utf8.count
            let record = "\(count + (count + 1 < 10 ? 1 : 2)) mtime=\(text)\n"
            #expect(try source(Self.pax(record) + Self.file("a", content))?.modified == Int64(time), "\(text)")
        }
        let minusFive = [UInt8](repeating: 255, count: 11) + [251]
        #expect(try source(Self.changed(Self.file("a", content), 136, minusFive))?.modified == -5)
        let large: [UInt8] = [0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 9]
        #expect(try source(Self.changed(Self.file("a", content), 136, large))?.modified == 2 << 32 + 9)
        let name = String(repeating: "long/", count: 60) + "x"
        let long = Self.changed(Self.file("././@LongLink", Array(name.utf8) + [0]), 156, [0x4C])
        #expect(try source(long + Self.file("short", content))?.name == name)
        #expect(try source(Self.changed(Self.file("folder/", []), 156, [0x35])) == nil)
        #expect(try source(Self.file("old folder/", [])) == nil)
    }

    @Test("of random changes none harms the reader")
    func mutations() throws {
        var chance = Chance(8)
        let names = ["a", String(repeating: "n", count: 150), "ü"]
        let bytes = names.flatMap { Self.file($0, CartridgeLab.bytes(2, 300)) } + Self.end
        var refused = 0
        for _ in 0..<3000 {
            var changed = bytes
            for _ in 0..<Int.random(in: 1...3, using: &chance) {
                let at = Int.random(in: 0..<changed.count, using: &chance)
                changed[at] =
                    [0, 0x20, 0x30, 0x37, 0x78, 255, UInt8.random(in: 0...255, using: &chance)][
                        Int.random(in: 0..<7, using: &chance)]
                let block = at / 512 * 512
                if Bool.random(using: &chance) { changed = Self.changed(changed, 0, [changed[block]], from: block) }
            }
            if Int.random(in: 0..<5, using: &chance) == 0 {
                changed.removeLast(Int.random(in: 1..<changed.count, using: &chance))
            }
            do {
                for source in try TarSet.files(in: bench.file(of: changed)) {
                    var content = [UInt8](repeating: 0, count: Int(min(source.size, 1 << 20)))
                    try content.withMutableBytes { (buffer) throws(StorageFault) in try source.read(into: buffer, at: 0)
                    }
                }
            } catch let fault as StorageFault {
                refused += 1
                #expect(fault.id == "TAPE-TAR")
            }
        }
        #expect(refused > 500)
    }

    @Test("a set with names that lead elsewhere is not exported, and a failed export leaves nothing")
    func exports() throws {
        let sets = SetBench()
        for name in ["/a", "../a", "a/..", "a/../b"] {
            let tape = try sets.tape()
            try sets.write([MadeFile(name, [(.text(1), 5)])], on: tape, SetBench.options(.fast, encrypted: true))
            let set = try SetBench.open(try #require(try TapeContents.of(tape).sets.first), tape)
            let file = try bench.file(of: [1, 2, 3])
            #expect(ExchangeBench.id { _ = try TarSet.export(set, to: file) } == "TAPE-TAR")
            #expect(try file.size() == 3)
        }
        let tape = try sets.tape()
        let made = [MadeFile("a", [(.chance(1), 100_000)]), MadeFile("b", [(.chance(2), 100_000)])]
        let receipt = try sets.write(made, on: tape, SetBench.options(.fast, encrypted: true, record: 1 << 14))
        tape.damaged = [Int(receipt.spans[0].end.object) - 9]
        let set = try SetBench.open(try #require(try TapeContents.of(tape).sets.first), tape)
        let file = try bench.file(of: [1, 2, 3])
        #expect(ExchangeBench.id { _ = try TarSet.export(set, to: file) } == "TAPE-RECORD-DAMAGED")
        #expect(try file.size() == 0)
        var options = RestoreOptions()
        options.skipsDamaged = true
        let facts = try TarSet.export(set, to: file, options)
        #expect(facts.lost.keys.sorted() == [1] && facts.files == 2)
        #expect(try TarSet.files(in: file).map(\.size) == [100_000, 100_000])
    }
}
