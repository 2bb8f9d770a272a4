import Foundation
import Testing

/// A command that cannot be done, and what is said.
struct RefusedFiles: Hashable, Sendable, CustomTestStringConvertible {
    var arguments: String
    var status: Int32
    var says: String
    var testDescription: String { arguments }

    /// In a folder that holds disk.vhdx (two volumes with files: 1 FAT, 2 ext4), one.raw (ext4) and zeros.raw.
    static let all: [RefusedFiles] = [
        RefusedFiles(arguments: "frobnicate", status: 64, says: "Usage:"),
        RefusedFiles(arguments: "ls one.raw --point 3", status: 64, says: "--pool"),
        RefusedFiles(arguments: "ls one.raw --time-limit 0", status: 64, says: "--time-limit"),
        RefusedFiles(arguments: "cp one.raw /hello.txt", status: 64, says: "--to"),
        RefusedFiles(arguments: "ls none.raw", status: 2, says: "FILE-MISSING"),
        RefusedFiles(arguments: "ls zeros.raw", status: 2, says: "GUEST-VOLUME"),
        RefusedFiles(arguments: "ls disk.vhdx", status: 2, says: "Say --volume with one of 1 (fat16"),
        RefusedFiles(arguments: "ls disk.vhdx --volume 7", status: 2, says: "there is no volume 7"),
        RefusedFiles(arguments: "ls one.raw /none", status: 2, says: "GUEST-MISSING"),
        RefusedFiles(arguments: "cp one.raw /none --to out", status: 2, says: "GUEST-MISSING"),
        RefusedFiles(arguments: "cp one.raw /hello.txt --to nowhere", status: 2, says: "FILE-MISSING"),
        RefusedFiles(arguments: "cp one.raw /../x --to out", status: 2, says: "GUEST-PATH"),
        RefusedFiles(arguments: "ls vm --pool POOL --point 9", status: 2, says: "POOL"),
    ]
}

@Suite("the files commands do what they say, or say why not") struct FilesCommandTests {
    /// A folder with images in it.
    private func folder() throws -> PoolFolder {
        let folder = try PoolFolder()
        for number in 0..<20 { _ = try folder.scratch.write("text \(number)", to: "tree/docs/d\(number).txt") }
        _ = try folder.scratch.write("hello\n", to: "tree/hello.txt")
        try FileManager.default.createDirectory(atPath: folder.path("out"), withIntermediateDirectories: true)
        let script = """
            cd '\(folder.scratch.folder.path)'
            truncate -s 16M one.raw zeros.raw fat; mke2fs -q -F -t ext4 -L ONE -d tree one.raw
            mkfs.fat -F 16 fat >/dev/null; mcopy -i fat -s tree/docs tree/hello.txt ::
            truncate -s 48M disk.raw
            printf 'label: gpt\\nstart=2048,size=32768\\nsize=32768\\n' | sfdisk -q disk.raw
            dd if=fat of=disk.raw bs=1M seek=1 conv=notrunc status=none
            dd if=one.raw of=disk.raw bs=1M seek=17 conv=notrunc status=none
            qemu-img convert -O vhdx disk.raw disk.vhdx
            """
        try Tool.run("sh", "-ec", script)
        return folder
    }

    private func leftovers(_ folder: PoolFolder) -> [String] {
        folder.scratch.names.filter { $0.contains("unfinished") }
    }

    @Test("what cannot be done ends with its status and says why, and nothing is left", arguments: RefusedFiles.all)
    func refused(refused: RefusedFiles) throws {
        let folder = try folder()
        try folder.run("pool create POOL")
        try folder.run("pool protect POOL vm one.raw")
        let result = try folder.run("files " + refused.arguments, status: refused.status)
        #expect((result.output + result.errors).contains(refused.says), "\(result.output)\(result.errors)")
        #expect(
            folder.scratch.names.filter { $0.contains("unfinished") || $0.hasPrefix("out/") } == [])
    }

    @Test("volumes are told, for people and as JSON")
    func volumes() throws {
        let folder = try folder()
        let facts = try folder.facts("files volumes disk.vhdx")
        let volumes = try #require(facts["volumes"] as? [[String: Any]])
        #expect(facts["scheme"] as? String == "gpt" && volumes.map { $0["kind"] as? String } == ["fat16", "ext4"])
        #expect(
            volumes.map { $0["label"] as? String } == [nil, "ONE"]
                && volumes.map { $0["start"] as? Int } == [1 << 20, 17 << 20])
        let text = try folder.run("files volumes disk.vhdx").output
        #expect(text.contains("ext4") && !text.contains("\u{1B}"))
    }

    @Test("files of an image and of a recovery point are listed, found and recovered alike")
    func pointAndImage() throws {
        let folder = try folder()
        try folder.run("pool create POOL")
        try folder.run("pool protect POOL vm disk.vhdx")
        try Tool.run(
            "sh", "-ec",
            "cd '\(folder.scratch.folder.path)'; rm disk.vhdx; qemu-img convert -O vhdx disk.raw other.vhdx")
        for (index, source) in ["vm --pool POOL --point newest --disk disk.vhdx", "other.vhdx"].enumerated() {
            let list = try #require(try folder.json("files ls \(source) --volume 2 /docs") as? [[String: Any]])
            #expect(list.count == 20 && list.first?["size"] as? Int == 6)
            let found = try folder.facts("files find \(source) --volume 1 --name D1?.TXT --kind file")
            #expect((found["found"] as? [[String: Any]])?.count == 10)
            let facts = try folder.facts("files cp \(source) --volume 2 /docs hello.txt --to out")
            #expect(facts["files"] as? Int == 21 && facts["leftOut"] as? [String] == [])
            try Tool.run("diff", "-r", folder.path("tree"), folder.path("out"))
            try folder.run("files cp \(source) --volume 2 /hello.txt --to out", status: 2)
            try folder.run("files cp \(source) --volume 2 /hello.txt --to out --force")
            try FileManager.default.moveItem(atPath: folder.path("out"), toPath: folder.path("done\(index)"))
            try FileManager.default.createDirectory(atPath: folder.path("out"), withIntermediateDirectories: true)
        }
        #expect(leftovers(folder) == [])
    }

    @Test("a fault is given as JSON, and exFAT that makes others run for minutes ends in time")
    func faultsAndHangs() throws {
        let folder = try folder()
        let fault = try #require(try folder.facts("files ls one.raw /none", status: 2)["fault"] as? [String: Any])
        #expect(fault["id"] as? String == "GUEST-MISSING" && (fault["action"] as? String)?.isEmpty == false)
        let image = Program.repository.appendingPathComponent(".build/fixtures/exfat.img").path
        try #require(FileManager.default.fileExists(atPath: image), "run Tools/fixtures")
        for command in ["volumes \(image)", "ls \(image)", "find \(image)", "cp \(image) / --to out"] {
            let result = try folder.run("files \(command) --time-limit 5 --format raw")
            #expect(result.errors == "")
        }
    }

    @Test("images with flipped bytes, or cut off, end with a status of ours, and leave nothing half done")
    func fuzz() throws {
        let folder = try folder()
        let seed = UInt64(ProcessInfo.processInfo.environment["DPMSIM_FUZZ_SEED"] ?? "") ?? 1
        let cases = Int(ProcessInfo.processInfo.environment["DPMSIM_FUZZ_CASES"] ?? "") ?? 12
        try Tool.run(
            "sh", "-ec",
            "cd '\(folder.scratch.folder.path)'; truncate -s 8M n; mkntfs -F -Q -q n 2>/dev/null; ntfscp -f n tree/hello.txt hello.txt; truncate -s 2M s; mkfs.fat -F 12 s >/dev/null; mcopy -i s -s tree/docs ::"
        )
        let exfat = Program.repository.appendingPathComponent(".build/fixtures/exfat4m.bin").path
        let originals = try (["one.raw", "n", "s"].map(folder.path) + [exfat]).map {
            [UInt8](try Data(contentsOf: URL(fileURLWithPath: $0)))
        }
        // Bytes that are something: zeros are mostly no structure.
        let somewhere = originals.map { bytes in stride(from: 0, to: bytes.count, by: 8).filter { bytes[$0] != 0 } }
        var tally: [String: Int] = [:]
        for number in 0..<cases {
            var state = (seed << 20 &+ UInt64(number)) &* 0x9E37_79B9_7F4A_7C15 &+ 1
            func below(_ bound: Int) -> Int {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Int(state >> 33) % bound
            }
            var bytes = originals[number % originals.count]
            let places = somewhere[number % originals.count]
            for _ in 0...below(40) { bytes[places[below(places.count)]] = UInt8(below(256)) }
            if below(6) == 0 { bytes.removeLast(below(bytes.count / 512) * 512) }
            try Data(bytes).write(to: URL(fileURLWithPath: folder.path("bad.raw")))
            for command in ["find bad.raw --skip-unreadable", "cp bad.raw / --to out --skip-unreadable"] {
                let words = "files \(command) --format raw --time-limit 3".split(separator: " ").map(String.init)
                let result = try Program.run(words, in: folder.scratch.folder)
                let id = result.errors.firstMatch(of: /error: ([A-Z]+-[A-Z]+)/).map { String($0.1) } ?? ""
                tally["\(result.status) \(id)", default: 0] += 1
                #expect(
                    [0, 1, 2, 3].contains(result.status) && ((result.status < 2) == id.isEmpty),
                    "DPMSIM_FUZZ_SEED=\(seed), case \(number), \(command): \(result.status) \(result.errors)")
            }
            #expect(leftovers(folder) == [], "DPMSIM_FUZZ_SEED=\(seed), case \(number)")
            try FileManager.default.removeItem(atPath: folder.path("out"))
            try FileManager.default.createDirectory(atPath: folder.path("out"), withIntermediateDirectories: true)
        }
        print("files fuzz, seed \(seed): \(tally.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" })")
    }
}
