import DiskImages
import Files
import Foundation
import Testing

private let mebi: Int64 = 1 << 20

@Suite("VHD files written") struct VHDWritingTests {
    /// Data, zeros and a tail that ends inside a block.
    private func sample(_ size: Int64, seed: UInt64) -> [(offset: Int64, bytes: [UInt8])] {
        var numbers = Probe.Numbers(seed: seed)
        return [
            (0, numbers.bytes(512)), (2 * mebi - 4096, numbers.bytes(8192)), (5 * mebi, numbers.bytes(3 << 20)),
            (9 * mebi, [UInt8](repeating: 0, count: 65_536)), (size - 1024, numbers.bytes(1024)),
        ]
    }

    private func write(
        _ image: NewImage, to path: String, _ parts: [(offset: Int64, bytes: [UInt8])], seed: UInt64 = 7
    ) throws {
        let writer = try VHD.create(
            image, file: HostFiles().open(path, .create), guids: SequentialGUIDs(seed: seed), created: 800_000_000)
        for (offset, bytes) in parts.reversed() {
            try bytes.withUnsafeBytes { try writer.write($0, at: offset) }
        }
        try writer.finish()
    }

    @Test("qemu reads from a new file what was written", arguments: [NewImage.Kind.dynamic, .fixed], [4096, 2 << 20])
    func qemuReads(kind: NewImage.Kind, block: Int64) throws {
        let folder = try Probe.Folder()
        let size = 13 * mebi + 512
        let parts = sample(size, seed: 3)
        try write(NewImage(format: .vhd, kind: kind, size: size, blockSize: block), to: folder("a.vhd"), parts)
        let raw = try RawLayer(file: HostFiles().open(folder("a.raw"), .create), writable: true)
        try raw.resize(to: size)
        for (offset, bytes) in parts { try bytes.withUnsafeBytes { try raw.write($0, at: offset) } }
        try raw.close()
        let answer = try Probe.must(
            "qemu-img", ["compare", "-f", "raw", "-F", "vpc", folder("a.raw"), folder("a.vhd")])
        #expect(answer.contains("identical"))
        let information = try Probe.must("qemu-img", ["info", "-f", "vpc", folder("a.vhd")])
        #expect(information.contains("(\(size) bytes)"))
        if kind == .dynamic {
            let taken = try HostFiles().open(folder("a.vhd"), .read).size()
            #expect(taken < 11 * mebi, "zero blocks are not stored: \(taken)")
        }
    }

    @Test("what qemu wrote is read", arguments: ["dynamic", "fixed"])
    func qemuWrites(subformat: String) throws {
        let folder = try Probe.Folder()
        let size = 13 * mebi + 512
        let raw = try RawLayer(file: HostFiles().open(folder("a.raw"), .create), writable: true)
        try raw.resize(to: size)
        for (offset, bytes) in sample(size, seed: 5) { try bytes.withUnsafeBytes { try raw.write($0, at: offset) } }
        try Probe.must(
            "qemu-img",
            [
                "convert", "-f", "raw", "-O", "vpc", "-o", "subformat=\(subformat),force_size=on", folder("a.raw"),
                folder("a.vhd"),
            ])
        let layer = try VHDLayer(
            file: HostFiles().open(folder("a.vhd"), .read), writable: false, guids: SequentialGUIDs(seed: 1))
        #expect(layer.size == size)
        #expect(layer.isFixed == (subformat == "fixed"))
        #expect(try Probe.content(of: [layer], 0..<size) == Probe.content(of: [raw], 0..<size))
    }

    @Test("an unfinished file is no VHD, and an abandoned one is empty", arguments: [NewImage.Kind.dynamic, .fixed])
    func unfinished(kind: NewImage.Kind) throws {
        let folder = try Probe.Folder()
        let file = try HostFiles().open(folder("a.vhd"), .create)
        let writer = try VHD.create(
            NewImage(format: .vhd, kind: kind, size: 8 * mebi), file: file, guids: SequentialGUIDs(seed: 1), created: 0)
        try [UInt8](repeating: 1, count: 4096).withUnsafeBytes { try writer.write($0, at: 0) }
        #expect(try !VHD.isVHD(file))
        try writer.finish()
        #expect(try VHD.isVHD(file))
        writer.abandon()
        #expect(try HostFiles().open(folder("a.vhd"), .read).size() == 0)
    }

    @Test("a new file's blocks may be written by several threads at once")
    func threads() throws {
        let folder = try Probe.Folder()
        let size = 32 * mebi
        var numbers = Probe.Numbers(seed: 9)
        let bytes = numbers.bytes(Int(size))
        let writer = try VHD.create(
            NewImage(format: .vhd, size: size, blockSize: 65_536), file: HostFiles().open(folder("a.vhd"), .create),
            guids: SequentialGUIDs(seed: 1), created: 0)
        try Workers.run(4) { (worker, _) throws(StorageFault) in
            for start in stride(from: worker * 24_576, to: Int(size), by: 4 * 24_576) {
                let end = min(Int(size), start + 24_576)
                try Array(bytes[start..<end]).withBytes { (part) throws(StorageFault) in
                    try writer.write(part, at: Int64(start))
                }
            }
        }
        try writer.finish()
        let layer = try VHDLayer(
            file: HostFiles().open(folder("a.vhd"), .read), writable: false, guids: SequentialGUIDs(seed: 1))
        #expect(try Probe.content(of: [layer], 0..<size) == bytes)
    }

    @Test("a differencing file keeps its parent's paths and hides its sectors, zeros too")
    func differencing() throws {
        let folder = try Probe.Folder()
        let size = 5 * mebi
        try write(
            NewImage(format: .vhd, size: size), to: folder("base.vhd"), [(0, [UInt8](repeating: 1, count: 1 << 20))])
        let base = try VHDLayer(
            file: HostFiles().open(folder("base.vhd"), .read), writable: false, guids: SequentialGUIDs(seed: 1))
        let reference = ParentReference(
            linkage: [base.uuid], paths: ["W2ru": ".\\base.vhd", "W2ku": "C:\\Grüße\\base.vhd", "name": "base.vhd"])
        try write(
            NewImage(format: .vhd, kind: .differencing(reference), size: size), to: folder("child.avhd"),
            [
                (512, [UInt8](repeating: 0, count: 512)), (4096, [UInt8](repeating: 2, count: 512)),
                (3 * mebi, [UInt8](repeating: 3, count: 512)),
            ], seed: 8)
        let child = try VHDLayer(
            file: HostFiles().open(folder("child.avhd"), .read), writable: false, guids: SequentialGUIDs(seed: 1))
        #expect(child.parent == reference)
        #expect(child.linkage != base.linkage)
        var expected = [UInt8](repeating: 0, count: Int(size))
        expected.replaceSubrange(0..<1 << 20, with: repeatElement(1, count: 1 << 20))
        expected.replaceSubrange(512..<1024, with: repeatElement(0, count: 512))
        expected.replaceSubrange(4096..<4608, with: repeatElement(2, count: 512))
        expected.replaceSubrange(3 << 20..<(3 << 20) + 512, with: repeatElement(3, count: 512))
        #expect(try Probe.content(of: [child, base], 0..<size) == expected)
        // libvhdi reads our parent's identifier and name.
        let information = try Probe.must("vhdiinfo", [folder("child.avhd")])
        #expect(information.lowercased().contains(base.uuid.description.lowercased()))
        #expect(information.contains("base.vhd"))
    }

    @Test(
        "what no VHD can be is refused",
        arguments: [
            (NewImage(format: .vhd, size: 1000), "VHD-SIZE"), (NewImage(format: .vhd, size: 0), "VHD-SIZE"),
            (NewImage(format: .vhd, size: 2041 << 30), "VHD-SIZE"),
            (NewImage(format: .vhd, size: 4096, sectorSize: 4096), "VHD-SECTOR"),
            (NewImage(format: .vhd, size: 4096, blockSize: 3_000_000), "VHD-BLOCK"),
            (NewImage(format: .vhd, size: 2040 << 30, blockSize: 65_536), "VHD-TABLE"),
            (
                NewImage(format: .vhd, kind: .differencing(ParentReference(linkage: [], paths: [:])), size: 4096),
                "VHD-PARENT"
            ),
        ])
    func refused(image: NewImage, id: String) throws {
        let folder = try Probe.Folder()
        let file = try HostFiles().open(folder("a.vhd"), .create)
        let fault = #expect(throws: StorageFault.self) {
            try VHD.create(image, file: file, guids: SequentialGUIDs(seed: 1), created: 0)
        }
        #expect(fault?.id == id)
    }
}
