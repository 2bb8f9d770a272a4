import Files
import Foundation
import Glibc
import Testing

@testable import Tape

/// Cartridges in files, one after the other, for sets that do not fit on one.
private final class CartridgeSupply: TapeSupply {
    let folder: String
    private(set) var cartridges: [Cartridge] = []
    private let guids = SequentialGUIDs(seed: 3)

    init(_ folder: String) { self.folder = folder }

    var paths: [String] { cartridges.map(\.path) }

    func add() throws(StorageFault) -> Cartridge {
        let name = "TST00\(cartridges.count + 1)"
        let cartridge = try Cartridge.create(
            at: "\(folder)/\(name).cart", on: HostFiles(),
            CartridgeDesign(barcode: name, capacity: 8 << 20, reserve: 2 << 20), guids: guids, time: 1_700_000_000)
        cartridges.append(cartridge)
        return cartridge
    }

    func next(after label: TapeLabel) throws(StorageFault) -> any TapeMedium { try add() }
}

/// Needs python3 with the packages cryptography and zstandard. `Tools/tape-reader`, which knows the written format and nothing of this program.
@Suite("another program reads our cartridges by the written format")
struct TapeReaderTests {
    private static let tool = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Tools/tape-reader").path

    private func run(_ arguments: [String], in folder: String) throws -> (status: Int32, text: String) {
        let process = Process()
        // Debian's own, which Tools/test gives its packages.
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = [Self.tool] + arguments
        let path = folder + "/output"
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        (process.standardOutput, process.standardError) = (output, output)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return (process.terminationStatus, try String(contentsOfFile: path, encoding: .utf8))
    }

    private static let files = [
        MadeFile("disks/first.vhdx", [(.chance(1), 1_500_000), (.hole, 200_000_000), (.text(2), 700_001)]),
        MadeFile("empty.vhdx", []),
        MadeFile("odd.vhdx", [(.text(3), 4097), (.zeros, 100_000), (.chance(4), 7_000_000)]),
        MadeFile("small.txt", [(.text(5), 3)]),
    ]

    private func holds(_ path: String, _ file: MadeFile) throws -> Bool {
        let stored = try HostFiles().open(path, .read)
        guard try stored.size() == file.size else { return false }
        var at: Int64 = 0
        for run in file.runs {
            if run.content == .hole {
                if let data = try stored.dataRange(from: at + 65_536), data.lowerBound < at + run.count - 65_536 {
                    return false
                }
            } else if try stored.bytes(Int(run.count), at: at) != file.bytes(at..<at + run.count) {
                return false
            }
            at += run.count
        }
        return try stored.allocated() < file.size / 2 + 16_000_000
    }

    @Test(arguments: [0, 1, 2, 3]) func `sets of every kind, over several cartridges, come back identical`(kind: Int)
        throws
    {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("dpmsim-reader-\(getpid())-\(kind)")
            .path
        try? FileManager.default.removeItem(atPath: folder)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let keyed = kind == 3 ? SealingKeys.rsa : SealingKeys.ec
        let supply = CartridgeSupply(folder)
        let first = try supply.add()
        try SetBench.label().write(to: first)
        let bench = SetBench()
        let writer = SetWriter(first, supply: supply, guids: bench.guids, secrets: bench.secrets)
        var options = SetOptions()
        (options.recordLength, options.workers) = (1 << 16, 2)
        _ = try writer.write([MadeFile("before", [(.chance(9), 100_000)])], bench.describe("before"), options)
        if kind == 1 || kind == 3 { options.compression = .default }
        if kind >= 2 { options.certificates = [SealingKeys.other.certificate, keyed.certificate] }
        let receipt = try writer.write(Self.files, bench.describe("the set"), options)
        #expect(receipt.spans.count > 1)
        for cartridge in supply.cartridges { try cartridge.unload() }
        try Data(keyed.pem(withKey: true)).write(to: URL(fileURLWithPath: folder + "/keyed.pem"))
        let key = kind >= 2 ? ["--key", folder + "/keyed.pem"] : []

        let list = try run(["list"] + supply.paths + key, in: folder)
        #expect(list.status == 0, "\(list.text)")
        #expect(list.text.contains("the set") && list.text.contains(receipt.set.description))
        let restore = try run(
            ["restore"] + supply.paths.reversed() + ["--set", "2", "--out", folder + "/out"] + key, in: folder)
        #expect(restore.status == 0, "\(restore.text)")
        for file in Self.files { #expect(try holds("\(folder)/out/\(file.name)", file), "\(file.name)") }
        #expect(try run(["restore"] + supply.paths + ["--set", "1", "--out", folder + "/one"], in: folder).status == 0)

        // A missing cartridge, a missing key.
        let cut = try run(
            ["restore"] + supply.paths.dropLast() + ["--set", "2", "--out", folder + "/cut"] + key, in: folder)
        #expect(cut.status == 1 && cut.text.contains("goes on"))
        // A flipped byte in the middle of the data.
        let whole = try Data(contentsOf: URL(fileURLWithPath: supply.paths[0]))
        var flipped = whole
        flipped[1 << 21] ^= 1
        try flipped.write(to: URL(fileURLWithPath: supply.paths[0]))
        let damaged = try run(
            ["restore"] + supply.paths + ["--set", "2", "--out", folder + "/damaged"] + key, in: folder)
        #expect(damaged.status == 1 && damaged.text.contains("TST001, object"), "\(damaged.text)")
        try whole.write(to: URL(fileURLWithPath: supply.paths[0]))
        guard kind >= 2 else { return }
        let closed = try run(["restore"] + supply.paths + ["--set", "2", "--out", folder + "/no"], in: folder)
        #expect(closed.status == 1 && closed.text.contains(keyed.certificate.thumbprint.description))
    }
}
