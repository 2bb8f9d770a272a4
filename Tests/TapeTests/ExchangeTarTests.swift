import Files
import Foundation
import Tape
import Testing

@Suite("sets go into tar archives and come back") struct ExchangeTarTests {
    let sets = SetBench()

    private static let long = String(repeating: "folder/", count: 30) + "file"
    private static let names = [
        "disk.vhdx", "a/b/c.bin", "empty", String(repeating: "n", count: 100), String(repeating: "m", count: 101), long,
        String(repeating: "p", count: 155) + "/" + String(repeating: "q", count: 100), "Größe/Übersicht – 文.txt",
        "back\\slash and blank",
        String(repeating: "x", count: 120) + "/y",
    ]

    private static func files(_ seed: UInt64) -> [MadeFile] {
        var chance = Chance(seed)
        return names.enumerated().map { index, name in
            let size = [70_000, 512, 0, 1, 511, 513, 10_240, 3, 100, 65_536][index]
            var file = MadeFile.drawn(name, Int64(size), &chance, run: 9000)
            file.modified =
                [1_700_000_000, 0, 1, -1, -86_400 * 400, 8_589_934_591, 8_589_934_592, 951_782_400, 1_234_567_890, 5][
                    index]
            return file
        }
    }

    private func set(_ files: [any SetFile], _ options: SetOptions) throws -> OpenSet {
        let tape = try sets.tape()
        _ = try SetWriter(tape, guids: sets.guids, secrets: sets.secrets).write(files, sets.describe("set"), options)
        return try SetBench.open(try #require(try TapeContents.of(tape).sets.first), tape)
    }

    private static func isSame(_ source: any SetFile, _ file: MadeFile) throws -> Bool {
        guard source.name == file.name, source.size == file.size, source.modified == file.modified else { return false }
        var bytes = [UInt8](repeating: 1, count: Int(source.size))
        try bytes.withMutableBytes { (buffer) throws(StorageFault) in try source.read(into: buffer, at: 0) }
        return try bytes == file.bytes(0..<file.size)
    }

    @Test("GNU tar lists and extracts what was exported", arguments: [false, true])
    func tarAgrees(sealed: Bool) throws {
        let folder = try ExchangeFolder()
        let files = Self.files(1)
        let set = try set(files, SetBench.options(sealed ? .default : nil, encrypted: sealed, record: 1 << 14))
        let archive = try folder.file("set.tar")
        try archive.write([UInt8](repeating: 7, count: 1 << 20), at: 0)
        let facts = try TarSet.export(set, to: archive)
        #expect(facts.files == files.count && facts.bytes == files.reduce(0) { $0 + $1.size } && facts.lost.isEmpty)
        #expect(try facts.size == archive.size() && facts.size % 10_240 == 0)
        let listed = try folder.run("tar", "--quoting-style=literal", "-tf", "set.tar").split(separator: "\n").map(
            String.init)
        #expect(listed == files.map(\.name))
        try FileManager.default.createDirectory(atPath: folder.path("out"), withIntermediateDirectories: false)
        #expect(try folder.run("tar", "--warning=no-timestamp", "-xf", "set.tar", "-C", "out") == "")
        for file in files {
            let path = folder.path("out/" + file.name)
            #expect(
                try [UInt8](Data(contentsOf: URL(fileURLWithPath: path))) == file.bytes(0..<file.size), "\(file.name)")
            let times = try FileManager.default.attributesOfItem(atPath: path)
            #expect((times[.modificationDate] as? Date)?.timeIntervalSince1970 == Double(file.modified), "\(file.name)")
        }
    }

    @Test("an archive that becomes a set and an archive again is the same to the byte", arguments: [false, true])
    func thereAndBack(sealed: Bool) throws {
        let bench = ExchangeBench()
        let files = Self.files(2)
        let options = SetBench.options(sealed ? .default : nil, encrypted: sealed, record: 1 << 14)
        let first = try bench.file("/first")
        _ = try TarSet.export(set(files, options), to: first)
        let sources = try TarSet.files(in: first)
        #expect(sources.count == files.count)
        for (source, file) in zip(sources, files) { #expect(try Self.isSame(source, file), "\(file.name)") }
        let second = try bench.file("/second")
        _ = try TarSet.export(set(sources, options), to: second)
        #expect(try ExchangeBench.bytes(of: second) == ExchangeBench.bytes(of: first))
    }

    @Test("a file of 9 GiB has its size told by pax and its hole left a hole")
    func largeFiles() throws {
        let folder = try ExchangeFolder()
        let size: Int64 = 9 << 30
        let files = [
            MadeFile("large", [(.text(1), 100_000), (.hole, size - 100_000)]), MadeFile("after", [(.text(2), 5)]),
        ]
        let archive = try folder.file("set.tar")
        let facts = try TarSet.export(set(files, SetBench.options(.default, encrypted: false)), to: archive)
        #expect(facts.size > size)
        #expect(try archive.allocated() < 1 << 20)
        let listed = try folder.run("tar", "--full-time", "-tvf", "set.tar").split(separator: "\n")
        #expect(
            listed.count == 2 && listed[0].contains(" \(size) 2023-11-14 22:13:20 large")
                && listed[1].contains(" 5 2023-11-14 22:13:20 after"))
        let sources = try TarSet.files(in: archive)
        #expect(sources.map(\.size) == [size, 5])
        let data = try #require(try sources[0].dataRange(from: 0))
        #expect(data.lowerBound == 0 && data.upperBound < 1 << 20)
        // What follows it may share its last page.
        if let last = try sources[0].dataRange(from: 1 << 20) { #expect(last.lowerBound > size - 1 << 16) }
        #expect(try sources[1].dataRange(from: 0)?.isEmpty == false)
    }

    @Test(
        "archives of GNU tar in all its formats become sources",
        arguments: ["v7", "oldgnu", "gnu", "ustar", "posix", "sparse"])
    func foreignArchives(format: String) throws {
        let folder = try ExchangeFolder()
        var names = Self.names
        if format == "v7" || format == "ustar" { names = names.filter { $0.utf8.count <= 98 } }
        var chance = Chance(3)
        var files = names.enumerated().map { MadeFile.drawn($1, Int64($0 * 9000), &chance, run: 20_000) }
        files.append(
            MadeFile(
                "holes", [(.hole, 1 << 20), (.text(1), 5000), (.hole, 3 << 20), (.chance(2), 70_001), (.hole, 1 << 20)])
        )
        for (index, file) in files.enumerated() {
            let path = folder.path("in/" + file.name)
            try FileManager.default.createDirectory(
                at: URL(fileURLWithPath: path).deletingLastPathComponent(), withIntermediateDirectories: true)
            let target = try folder.file("in/" + file.name)
            try target.truncate(to: file.size)
            var at: Int64 = 0
            for run in file.runs {
                if run.content != .hole { try target.write(file.bytes(at..<at + run.count), at: at) }
                at += run.count
            }
            target.close()
            files[index].modified = 1_500_000_000 + Int64(index)
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSince1970: Double(files[index].modified))], ofItemAtPath: path)
        }
        let options = format == "sparse" ? ["--format=posix", "-S"] : ["--format=" + format]
        try folder.run("sh", "-c", "cd in && tar \(options.joined(separator: " ")) -cf ../given.tar *")
        let archive = try folder.file("given.tar")
        let sources = try TarSet.files(in: archive)
        #expect(sources.map(\.name).sorted() == files.map(\.name).sorted())
        for source in sources {
            let file = try #require(files.first { $0.name == source.name })
            #expect(try Self.isSame(source, file), "\(file.name)")
        }
        let target = KeptTarget()
        let packed = try set(sources, SetBench.options(.default, encrypted: true))
        let holes = try #require(sources.firstIndex { $0.name == "holes" })
        _ = try packed.read(holes, to: target)
        #expect(try target.holds(#require(files.last)))
        if format == "sparse" { #expect(try sources[holes].dataRange(from: 0)?.lowerBound == 1 << 20) }
    }
}
