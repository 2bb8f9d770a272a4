import Files
import Foundation
import Testing

@testable import Tape

/// Cartridges of the host, in a folder.
private final class HostTapes: TapeSupply {
    let folder: URL
    let capacity: Int64
    private(set) var paths: [String] = []
    private let guids = SequentialGUIDs(seed: 3)

    init(_ folder: URL, capacity: Int64) { (self.folder, self.capacity) = (folder, capacity) }

    func make() throws(StorageFault) -> Cartridge {
        let path = folder.appending(path: "READ0\(paths.count + 1)L9.cart").path()
        paths.append(path)
        var design = CartridgeDesign(barcode: "READ0\(paths.count)L9", capacity: capacity, reserve: 1 << 19)
        design.partitions = [capacity]
        return try Cartridge.create(at: path, on: HostFiles(), design, guids: guids, time: 1_700_000_000)
    }

    func next(after label: TapeLabel) throws(StorageFault) -> any TapeMedium { try make() }
}

@Suite("what is written can be read by the written format alone") struct SetsReaderTests {
    @Test(
        "Tools/tape-reader restores plain and encrypted sets, also over several cartridges", arguments: [false, true])
    func pythonReads(encrypted: Bool) throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "reader-\(encrypted)-\(ProcessInfo.processInfo.processIdentifier)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let bench = SetBench()
        let tapes = HostTapes(folder, capacity: 1_600_000)
        let files = [
            MadeFile("disk.vhdx", [(.text(1), 300_000), (.hole, 2_000_000), (.chance(3), 900_001)]),
            MadeFile("empty", []), MadeFile("little.xml", [(.text(4), 77)]),
        ]
        let more = [MadeFile("second", [(.chance(9), 60_000)])]
        let first = try tapes.make()
        try SetBench.label().write(to: first)
        let writer = SetWriter(first, supply: tapes, guids: bench.guids, secrets: bench.secrets)
        let options = SetBench.options(nil, encrypted: encrypted, record: 1 << 16)
        let receipt = try writer.write(files, bench.describe("first"), options)
        #expect(receipt.spans.count > 1)
        _ = try writer.write(more, bench.describe("second"), options)
        try (writer.tape as? Cartridge)?.unload()
        let key = folder.appending(path: "key.pem")
        try Data(try SetBench.keyed.pem(withKey: true)).write(to: key)
        let tool = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "../../Tools/tape-reader").standardizedFileURL
        for (number, made) in [(1, files), (2, more)] {
            let out = folder.appending(path: "out\(number)")
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments =
                ["python3", tool.path(), "restore"] + tapes.paths + ["--set", "\(number)", "--out", out.path()]
                + (encrypted ? ["--key", key.path()] : [])
            let pipe = Pipe()
            (process.standardOutput, process.standardError) = (pipe, pipe)
            try process.run()
            let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 0, "\(text)")
            for file in made {
                let found = try? Data(contentsOf: out.appending(path: file.name))
                #expect(found.map { [UInt8]($0) } == (try file.bytes(0..<file.size)), "\(file.name): \(text)")
            }
        }
    }
}
