@testable import DiskImages
import Files
import Foundation
import Testing

/// The clients people use, against a server in this process.
@Suite("The NBD server and real clients")
struct NBDToolsTests {
    private static let size: Int64 = 64 << 20

    /// Data in four places, the rest never written.
    private func filled() throws -> MemoryDevice {
        let device = MemoryDevice(size: Self.size)
        for (place, seed) in [(0, 3), (1 << 20, 5), (33 << 20, 7), (64 << 20 - 65_536, 9)] as [(Int, Int)] {
            let bytes = (0..<65_536).map { UInt8(truncatingIfNeeded: $0 &* seed &+ $0 >> 8) }
            try device.write(bytes, at: Int64(place))
        }
        return device
    }

    private func folder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "nbd-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    private func content(_ device: any BlockDevice) throws -> [UInt8] { try device.bytes(Int(device.size), at: 0) }

    @Test("qemu-img reads, maps and converts an export, and skips its holes")
    func qemuImageReads() throws {
        let device = try filled()
        let server = try NBDServer([NBDExport("disk one/ä", device)])
        defer { server.stop() }
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let target = folder.appending(path: "copy.raw").path
        let uri = server.uri("disk one/ä")
        let map = try runTool(["qemu-img", "map", "--output=json", "-f", "raw", uri])
        #expect(map.status == 0, "\(map.output)")
        #expect(map.output.contains("\"start\": 131072") == false)
        #expect(map.output.components(separatedBy: "\"zero\": false, \"data\": true").count - 1 == 4, "\(map.output)")
        let convert = try runTool(["qemu-img", "convert", "-f", "raw", "-O", "raw", uri, target])
        #expect(convert.status == 0, "\(convert.output)")
        #expect(try Array(Data(contentsOf: URL(fileURLWithPath: target))) == content(device))
        let compare = try runTool(["qemu-img", "compare", "-f", "raw", "-F", "raw", uri, target])
        #expect(compare.status == 0 && compare.output.contains("identical"), "\(compare.output)")
        // Four blocks of 64 KiB and not the 64 MiB between them, in each of the two passes.
        #expect(server.statistics.bytesRead < 8 << 20)
        #expect(server.statistics.failures == 0)
    }

    @Test("nbdcopy and nbdinfo read an export, over a unix socket too")
    func nbdcopyReads() throws {
        let device = try filled()
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "s ocket").path
        for address in [NBDAddress.loopback(port: 0), .unix(path: path)] {
            let server = try NBDServer(
                [
                    NBDExport("first", device, description: "of a machine"),
                    NBDExport("second", MemoryDevice(size: 512)),
                ],
                at: address)
            let target = folder.appending(path: "copy-\(server.port ?? 0)").path
            let copy = try runTool(["nbdcopy", server.uri("first"), target])
            #expect(copy.status == 0, "\(copy.output)")
            #expect(try Array(Data(contentsOf: URL(fileURLWithPath: target))) == content(device))
            let info = try runTool(["nbdinfo", server.uri("first")])
            #expect(info.status == 0, "\(info.output)")
            for line in [
                "export-size: 67108864", "base:allocation", "is_read_only: true", "can_multi_conn: true",
                "can_df: true", "description: of a machine",
            ] {
                #expect(info.output.contains(line), "\(info.output)")
            }
            let list = try runTool(["nbdinfo", "--list", server.uri("")])
            #expect(list.output.contains("export=\"first\"") && list.output.contains("export=\"second\""))
            let map = try runTool(["nbdinfo", "--map", "--totals", server.uri("first")])
            #expect(map.output.contains("262144   0.4%   0 data"), "\(map.output)")
            server.stop()
            #expect(server.statistics.connections == 0)
        }
        #expect(FileManager.default.fileExists(atPath: path) == false)
    }

    @Test("qemu-io and nbdcopy write an export", arguments: [512, 4096])
    func writes(_ sector: Int) throws {
        let device = MemoryDevice(size: 2 << 20, sectorSize: sector)
        let server = try NBDServer([NBDExport("w", device, isWritable: true)])
        defer { server.stop() }
        let written = try runTool([
            "qemu-io", "-f", "raw", "-c", "write -P 0xAB 4096 65536", "-c", "write -f -P 0xCD 1M 1M", "-c",
            "write -z 1280k 4k", "-c", "write -z -u 1344k 64k", "-c", "discard 1536k 128k", "-c", "flush", "-c",
            "read -P 0xCD 1M 256k", "-c", "read -P 0 1280k 4k", "-c", "read -P 0 1344k 64k",
            server.uri("w"),
        ])
        #expect(written.status == 0 && !written.output.contains("fail"), "\(written.output)")
        var expected = [UInt8](repeating: 0, count: 2 << 20)
        for index in 4096..<69632 { expected[index] = 0xAB }
        for index in 1 << 20..<2 << 20 { expected[index] = 0xCD }
        for range in [1280 << 10..<1284 << 10, 1344 << 10..<1408 << 10, 1536 << 10..<1664 << 10] {
            for index in range { expected[index] = 0 }
        }
        #expect(try content(device) == expected)
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let source = folder.appending(path: "source")
        let bytes = [UInt8](unsafeUninitializedCapacity: 2 << 20) { buffer, count in
            for index in 0..<2 << 20 { buffer[index] = UInt8(truncatingIfNeeded: index >> 7 ^ index &* 7) }
            count = 2 << 20
        }
        try Data(bytes).write(to: source)
        let copy = try runTool(["nbdcopy", "--flush", source.path, server.uri("w")])
        #expect(copy.status == 0, "\(copy.output)")
        #expect(try content(device) == bytes)
        #expect(server.statistics.failures == 0)
    }

    @Test("an export for reading cannot be written, and a fault of the device is told with its text")
    func refuses() throws {
        let device = RefusingDevice(MemoryDevice(size: 1 << 20))
        let server = try NBDServer([
            NBDExport("r", device), NBDExport("w", device, isWritable: true),
        ])
        defer { server.stop() }
        let write = try runTool(["qemu-io", "-f", "raw", "-c", "write 0 4k", server.uri("r")])
        #expect(write.status != 0, "\(write.output)")
        device.refuse(StorageFault(.outOfSpace, "POOL-SPACE", "pool", "it is full", action: "Add a volume"))
        let full = try runTool(["qemu-io", "-f", "raw", "-c", "write 0 4k", server.uri("w")])
        #expect(full.output.contains("No space left on device"), "\(full.output)")
        device.refuse(StorageFault(.damaged, "POOL-ROT", "block 7", "its checksum is wrong", action: "Mend it"))
        let rot = try runTool(["qemu-io", "-r", "-f", "raw", "-c", "read 0 4k", server.uri("r")])
        #expect(rot.output.contains("Input/output error"), "\(rot.output)")
    }
}
