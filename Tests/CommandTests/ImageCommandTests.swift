import Foundation
import Testing

/// A command that cannot be done, and what is said.
struct RefusedImage: Hashable, Sendable, CustomTestStringConvertible {
    var arguments: String
    var status: Int32
    var says: String
    var testDescription: String { arguments }

    /// Paths are of a folder that holds disk.vhdx (8 MiB), child.avhdx (its child), plain.raw (1 MiB) and broken.vhdx (zeros).
    static let all: [RefusedImage] = [
        RefusedImage(arguments: "image frobnicate", status: 64, says: "Usage:"),
        RefusedImage(arguments: "image create new.vhdx", status: 64, says: "Usage:"),
        RefusedImage(arguments: "image create new.vhdx huge", status: 64, says: "Usage:"),
        RefusedImage(arguments: "image create new.vhdx -5", status: 64, says: "Usage:"),
        RefusedImage(arguments: "image create new.vhdx 1GiB --sector-size 1000", status: 64, says: "512 or 4096"),
        RefusedImage(arguments: "image create new.vhdx 1GiB --format qcow2", status: 64, says: "raw"),
        RefusedImage(arguments: "image create new.disk 1GiB", status: 2, says: "does not say which format"),
        RefusedImage(arguments: "image create new.raw 1000", status: 2, says: "IMAGE-SIZE"),
        RefusedImage(arguments: "image create new.vhd 3TiB", status: 2, says: "2040 GiB"),
        RefusedImage(arguments: "image create new.vhdx 1GiB --block-size 3MiB", status: 2, says: "VHDX-"),
        RefusedImage(arguments: "image create disk.vhdx 1GiB", status: 2, says: "IMAGE-EXISTS"),
        RefusedImage(arguments: "image info nothing.vhdx", status: 2, says: "FILE-MISSING"),
        RefusedImage(arguments: "image info broken.vhdx", status: 3, says: "IMAGE-FORMAT"),
        RefusedImage(arguments: "image map broken.vhdx", status: 3, says: "IMAGE-FORMAT"),
        RefusedImage(arguments: "image convert disk.vhdx disk.vhdx --replace", status: 2, says: "IMAGE-TARGET"),
        RefusedImage(arguments: "image convert child.avhdx disk.vhdx --replace", status: 2, says: "IMAGE-TARGET"),
        RefusedImage(arguments: "image convert disk.vhdx plain.raw", status: 2, says: "IMAGE-EXISTS"),
        RefusedImage(arguments: "image convert disk.vhdx new.raw --size 1MiB", status: 2, says: "IMAGE-SIZE"),
        RefusedImage(arguments: "image convert disk.vhdx none/new.raw", status: 2, says: "FILE-MISSING"),
        RefusedImage(arguments: "image compare disk.vhdx nothing.raw", status: 2, says: "FILE-MISSING"),
        RefusedImage(arguments: "image compare disk.vhdx plain.raw --limit -1", status: 64, says: "Usage:"),
        RefusedImage(arguments: "image checkpoint plain.raw", status: 2, says: "IMAGE-PARENT-FORMAT"),
        RefusedImage(arguments: "image checkpoint disk.vhdx --child child.avhdx", status: 2, says: "IMAGE-EXISTS"),
        RefusedImage(arguments: "image merge disk.vhdx", status: 2, says: "IMAGE-WHOLE"),
        RefusedImage(arguments: "image resize disk.vhdx 1000", status: 2, says: "IMAGE-SIZE"),
        RefusedImage(arguments: "image resize plain.raw 512KiB", status: 2, says: "would be lost"),
        RefusedImage(arguments: "image reparent disk.vhdx child.avhdx", status: 2, says: "IMAGE-WHOLE"),
        RefusedImage(arguments: "image reparent child.avhdx child.avhdx", status: 2, says: "IMAGE-LOOP"),
        RefusedImage(arguments: "image dump plain.raw", status: 2, says: "no structures"),
    ]
}

@Suite("the image commands do what they say, or say why not") struct ImageCommandTests {
    /// A folder with some images in it.
    private func folder() throws -> Scratch {
        let scratch = try Scratch()
        try image(scratch, "create disk.vhdx 8MiB --block-size 1MiB")
        try image(scratch, "checkpoint disk.vhdx --child child.avhdx")
        var bytes = Data(count: 1 << 20)
        bytes[700_000] = 1
        try bytes.write(to: URL(fileURLWithPath: scratch.path("plain.raw")))
        try Data(count: 4096).write(to: URL(fileURLWithPath: scratch.path("broken.vhdx")))
        return scratch
    }

    /// The words with names of files replaced by their paths.
    private func arguments(_ scratch: Scratch, _ text: String) -> [String] {
        text.split(separator: " ").map(String.init).map { word in
            let isFile = word.contains(".") && !word.hasPrefix("-")
            return isFile ? scratch.path(word) : word
        }
    }

    @discardableResult
    private func image(_ scratch: Scratch, _ text: String, status: Int32 = 0) throws -> Program.Result {
        let result = try Program.run(["image"] + arguments(scratch, text))
        #expect(result.status == status, "image \(text): \(result.output)\(result.errors)")
        return result
    }

    private func json(_ scratch: Scratch, _ text: String, status: Int32 = 0) throws -> [String: Any] {
        let result = try image(scratch, text + " --json", status: status)
        return try #require(JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    }

    @Test("what cannot be done is told with its status, and leaves every file as it was", arguments: RefusedImage.all)
    func refused(case refused: RefusedImage) throws {
        let scratch = try folder()
        let before = try scratch.names.map { try Data(contentsOf: URL(fileURLWithPath: scratch.path($0))) }
        let names = scratch.names
        let result = try Program.run(arguments(scratch, refused.arguments))
        #expect(result.status == refused.status, "\(result.errors)")
        #expect(result.errors.contains(refused.says), "\(result.errors)")
        #expect(result.output.isEmpty)
        #expect(scratch.names == names)
        #expect(try names.map { try Data(contentsOf: URL(fileURLWithPath: scratch.path($0))) } == before)
    }

    @Test("a disk goes through all formats and is equal at the end", arguments: ["", " --fixed"])
    func roundTrip(kind: String) throws {
        let scratch = try folder()
        try image(scratch, "convert plain.raw a.vhdx --verify" + kind)
        try image(scratch, "convert a.vhdx b.vhd --verify" + kind)
        try image(scratch, "convert b.vhd c.raw --verify")
        try image(scratch, "compare plain.raw c.raw")
        #expect(scratch.names.filter { $0.contains("unfinished") } == [])
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: scratch.path("plain.raw")))
                == Data(contentsOf: URL(fileURLWithPath: scratch.path("c.raw"))))
    }

    @Test("disks that differ end with 1, and where they do is told")
    func differ() throws {
        let scratch = try folder()
        let facts = try json(scratch, "compare plain.raw disk.vhdx", status: 1)
        #expect(facts["equal"] as? Bool == false && facts["differingBytes"] as? Int == 1)
        let places = try #require(facts["firstDifferences"] as? [[String: Int]])
        #expect(places == [["start": 700_000 / 512 * 512, "length": 512]])
        #expect(try image(scratch, "compare plain.raw disk.vhdx", status: 1).output.contains("Different in 1 bytes"))
    }

    @Test("a checkpoint is made, told of, and merged again")
    func checkpoints() throws {
        let scratch = try folder()
        let named = try json(scratch, "checkpoint child.avhdx")
        let path = try #require(named["path"] as? String)
        #expect(path.contains("child_") && path.hasSuffix(".avhdx"))
        let info = try json(scratch, "info \(URL(fileURLWithPath: path).lastPathComponent)")
        let layers = try #require(info["layers"] as? [[String: Any]])
        #expect(layers.map { $0["kind"] as? String } == ["differencing", "differencing", "dynamic"])
        try image(scratch, "merge child.avhdx")
        #expect(!scratch.names.contains("child.avhdx") && !scratch.names.contains("child.avhdx.merge"))
        let after = try json(scratch, "info \(URL(fileURLWithPath: path).lastPathComponent)")
        #expect((after["layers"] as? [[String: Any]])?.count == 2)
    }

    @Test("a child whose parent was moved is re-parented; another disk is refused unless it is trusted")
    func reparent() throws {
        let scratch = try folder()
        try FileManager.default.moveItem(atPath: scratch.path("disk.vhdx"), toPath: scratch.path("moved.vhdx"))
        #expect(try image(scratch, "info child.avhdx", status: 2).errors.contains("IMAGE-PARENT"))
        try image(scratch, "reparent child.avhdx moved.vhdx")
        try image(scratch, "info child.avhdx")
        try image(scratch, "create other.vhdx 8MiB")
        #expect(try image(scratch, "reparent child.avhdx other.vhdx", status: 2).errors.contains("IMAGE-LINKAGE"))
        try image(scratch, "reparent child.avhdx other.vhdx --trust")
        let info = try image(scratch, "info child.avhdx")
        #expect(info.output.contains(scratch.path("other.vhdx")))
    }

    @Test("a disk is made larger, and its map names its one piece")
    func resizeAndMap() throws {
        let scratch = try folder()
        try image(scratch, "resize plain.raw 3MiB")
        #expect(try json(scratch, "info plain.raw")["size"] as? Int == 3 << 20)
        try image(scratch, "convert plain.raw a.vhdx")
        let result = try image(scratch, "map a.vhdx --json")
        let pieces = try #require(JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[String: Any]])
        #expect(pieces.count == 1 && pieces.first?["layer"] as? Int == 0)
    }

    @Test("dump shows a sound file without problems, and a damaged one with them and status 2")
    func dump() throws {
        let scratch = try folder()
        #expect(try image(scratch, "dump disk.vhdx").output.contains(" 0 problems."))
        #expect(try image(scratch, "dump broken.vhdx", status: 2).output.contains("problem"))
        let file = URL(fileURLWithPath: scratch.path("disk.vhdx"))
        var bytes = try Data(contentsOf: file)
        bytes[65_536 + 20] ^= 1
        try bytes.write(to: file)
        #expect(try image(scratch, "dump disk.vhdx", status: 2).output.contains("problem"))
        // The other header is still there.
        try image(scratch, "info disk.vhdx")
    }

    @Test("a fault is given as JSON too, and nothing is drawn where nobody looks")
    func faultAsJSON() throws {
        let scratch = try folder()
        let fault = try #require(try json(scratch, "info nothing.vhdx", status: 2)["fault"] as? [String: Any])
        #expect(fault["id"] as? String == "FILE-MISSING")
        let result = try image(scratch, "convert plain.raw a.vhdx")
        #expect(!(result.output + result.errors).contains("\u{1B}") && !result.errors.contains("\r"))
    }

    @Test(
        "a conversion that is killed leaves nothing that anybody takes for an image, and the next one is not hindered")
    func killed() throws {
        let scratch = try folder()
        // Large enough that it cannot be over before it is killed: 128 MiB are there to be read.
        let big = scratch.path("big.raw")
        let made = try #require(FileHandle.make(big))
        for block in 0..<128 {
            try made.seek(toOffset: UInt64(block) << 23)
            try made.write(contentsOf: Data(repeating: UInt8(block % 255 + 1), count: 1 << 20))
        }
        try made.close()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Program.path)
        process.arguments = ["image", "convert", big, scratch.path("big.vhdx")]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        let unfinished = scratch.path("big.vhdx.unfinished")
        while process.isRunning {
            let size = try? FileManager.default.attributesOfItem(atPath: unfinished)[.size] as? Int
            if size ?? 0 > 8 << 20 { break }
        }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try #require(process.terminationReason == .uncaughtSignal, "it was over before it was killed")
        #expect(!scratch.names.contains("big.vhdx") && scratch.names.contains("big.vhdx.unfinished"))
        #expect(try image(scratch, "info big.vhdx.unfinished", status: 3).errors.contains("IMAGE-FORMAT"))
        try image(scratch, "convert big.raw big.vhdx --verify")
        #expect(!scratch.names.contains("big.vhdx.unfinished"))
    }
}

extension FileHandle {
    /// A new file, open for writing.
    fileprivate static func make(_ path: String) -> FileHandle? {
        FileManager.default.createFile(atPath: path, contents: nil) ? FileHandle(forWritingAtPath: path) : nil
    }
}
