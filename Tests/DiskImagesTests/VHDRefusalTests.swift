import DiskImages
import Files
import Foundation
import Testing

@Suite("VHD files that are damaged or odd") struct VHDRefusalTests {
    private func scratch(_ name: String, _ change: (inout [UInt8]) -> Void) throws -> (Probe.Folder, any StoreFile) {
        let folder = try Probe.Folder()
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: Probe.fixture(name))))
        change(&bytes)
        try Data(bytes).write(to: URL(fileURLWithPath: folder("a")))
        return (folder, try HostFiles().open(folder("a"), .readWrite))
    }

    private func open(_ file: any StoreFile, writable: Bool = false, trusting: Bool = false) throws -> VHDLayer {
        try VHDLayer(
            file: file, writable: writable, guids: SequentialGUIDs(seed: 5), trustingBadChecksums: trusting)
    }

    private func head(_ layer: VHDLayer) throws -> [UInt8] { try Probe.content(of: [layer], 0..<1 << 20) }

    @Test("a bad footer at the end is made good by the copy at the beginning, and mended by the first write")
    func spare() throws {
        let (_, whole) = try scratch("dynamic.vhd") { _ in }
        let expected = try head(open(whole))
        for change in [{ $0[$0.count - 400] ^= 1 }, { $0.removeLast(512) }, { $0.removeLast(100) }]
            as [(inout [UInt8]) -> Void]
        {
            let (_, file) = try scratch("dynamic.vhd", change)
            #expect(try VHD.isVHD(file))
            let layer = try open(file)
            #expect(!layer.complaints.isEmpty)
            #expect(try head(layer) == expected)
            let writing = try open(file, writable: true)
            try [UInt8](repeating: 3, count: 512).withUnsafeBytes { try writing.write($0, at: 1 << 20) }
            try writing.flush()
            let mended = try open(file)
            #expect(mended.complaints == [])
            #expect(try head(mended) == expected)
            #expect(mended.uuid != layer.uuid)
        }
    }

    @Test("a wrong checksum is refused and named, and trusted only when asked")
    func checksums() throws {
        let (_, both) = try scratch("dynamic.vhd") { bytes in
            bytes[70] ^= 1
            bytes[bytes.count - 442] ^= 1
        }
        let fault = #expect(throws: StorageFault.self) { try open(both) }
        #expect(fault?.id == "VHD-CHECKSUM")
        #expect(fault?.cause.contains("footer at the end") == true)
        #expect(try open(both, trusting: true).complaints.count == 2)
        let (_, header) = try scratch("dynamic.vhd") { $0[512 + 900] ^= 1 }
        let second = #expect(throws: StorageFault.self) { try open(header) }
        #expect(second?.cause.contains("header") == true)
        #expect(try open(header, trusting: true).size == 10_485_760)
        let (_, fixed) = try scratch("fixed.vhd") { $0[$0.count - 400] ^= 1 }
        #expect(#expect(throws: StorageFault.self) { try open(fixed) }?.id == "VHD-CHECKSUM")
    }

    @Test("a footer of 511 bytes is one", arguments: ["dynamic.vhd", "fixed.vhd"])
    func short(name: String) throws {
        let (_, whole) = try scratch(name) { _ in }
        let (_, file) = try scratch(name) { $0.removeLast() }
        #expect(try VHD.isVHD(file))
        #expect(try head(open(file)) == head(open(whole)))
        let writing = try open(file, writable: true)
        try [UInt8](repeating: 3, count: 512).withUnsafeBytes { try writing.write($0, at: 9 << 20) }
        try writing.flush()
        let again = try open(file)
        #expect(try Probe.content(of: [again], 9 << 20..<(9 << 20) + 512) == [UInt8](repeating: 3, count: 512))
        #expect(again.complaints == [])
    }

    @Test(
        "what is no VHD, or no whole one, is refused with a reason",
        arguments: [
            ("dynamic.vhd", 0, "VHD-FOOTER"), ("fixed.vhd", 100_000, "VHD-FOOTER"),
            ("dynamic.vhd", 100_000, "VHD-TABLE"),
        ])
    func cutOff(name: String, length: Int, id: String) throws {
        let (_, file) = try scratch(name) { $0.removeLast($0.count - length) }
        let fault = #expect(throws: StorageFault.self) {
            let layer = try open(file)
            _ = try Probe.content(of: [layer], 0..<layer.size)
        }
        #expect(fault?.id == id)
    }

    @Test("blocks that lie over each other are read, told by dump, and never written")
    func overlap() throws {
        let (_, file) = try scratch("dynamic.vhd") { bytes in
            let table = Int(bytes.big(UInt64.self, at: 512 + 16))
            let used = (0..<5).filter { bytes.big(UInt32.self, at: table + 4 * $0) != UInt32.max }
            bytes.putBig(bytes.big(UInt32.self, at: table + 4 * used[0]), at: table + 4 * used[1])
        }
        _ = try open(file)
        #expect(#expect(throws: StorageFault.self) { try open(file, writable: true) }?.id == "VHD-OVERLAP")
        #expect(VHD.dump(file).flatMap(\.problems).contains { $0.contains("lies over") })
    }

    @Test(
        "dump finds nothing wrong with the real files",
        arguments: [
            "dynamic.vhd", "fixed.vhd", "hyperv2012r2-dynamic.vhd", "virtualpc-dynamic.vhd", "d2v-zerofilled.vhd",
        ])
    func dump(name: String) throws {
        let dumps = VHD.dump(try HostFiles().open(Probe.fixture(name), .read))
        #expect(dumps.flatMap(\.problems) == [])
        #expect(dumps.count == (name == "fixed.vhd" ? 1 : 4))
    }

    @Test("a parent is named anew, and the blocks stay")
    func reparent() throws {
        let folder = try Probe.Folder()
        let guids = SequentialGUIDs(seed: 1)
        let file = try HostFiles().open(folder("a"), .create)
        let reference = ParentReference(linkage: [guids.next()], paths: ["W2ru": ".\\old.vhd", "name": "old.vhd"])
        let writer = try VHD.create(
            NewImage(format: .vhd, kind: .differencing(reference), size: 1 << 20), file: file, guids: guids, created: 1)
        try [UInt8](repeating: 3, count: 512).withUnsafeBytes { try writer.write($0, at: 512) }
        try writer.finish()
        let layer = try VHDLayer(file: file, writable: true, guids: guids)
        let uuid = layer.uuid
        for round in 0..<3 {
            let next = ParentReference(
                linkage: [guids.next()],
                paths: [
                    "W2ru": ".." + String(repeating: "\\folder", count: 100 * round) + "\\new.vhd",
                    "W2ku": "C:\\new.vhd", "name": "new.vhd",
                ])
            try layer.setParent(next)
            #expect(layer.parent == next)
            let again = try VHDLayer(file: file, writable: false, guids: guids)
            #expect(again.parent == next)
            #expect(again.uuid == uuid && again.complaints == [])
            #expect(try Probe.content(of: [again], 0..<1024) == Probe.content(of: [layer], 0..<1024))
        }
        #expect(VHD.dump(file).flatMap(\.problems) == [])
    }

    @Test("no damaged file makes the reader or the dump end otherwise than well", arguments: [1, 2, 3] as [UInt64])
    func hostile(seed: UInt64) throws {
        var numbers = Probe.Numbers(seed: seed)
        let folder = try Probe.Folder()
        let guids = SequentialGUIDs(seed: seed)
        let writer = try VHD.create(
            NewImage(
                format: .vhd, kind: .differencing(ParentReference(linkage: [.zero], paths: ["W2ru": ".\\p"])),
                size: 300_032, blockSize: 16_384),
            file: HostFiles().open(folder("a"), .create), guids: guids, created: 1)
        try numbers.bytes(40_960).withUnsafeBytes { try writer.write($0, at: 8192) }
        try writer.finish()
        let original = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder("a"))))
        let interesting = Array(0..<100) + Array(512..<560) + Array(1088..<1200) + Array(1536..<1700)
        for round in 0..<60 {
            var bytes = original
            if numbers.below(4) == 0 { bytes.removeLast(numbers.below(bytes.count)) }
            for _ in 0..<1 + numbers.below(4) {
                let at = interesting[numbers.below(interesting.count)]
                guard at < bytes.count else { continue }
                bytes[at] = [0, 0xFF, 0x7F, 0x80, UInt8(truncatingIfNeeded: numbers.next())][numbers.below(5)]
                if at < 100, numbers.below(2) == 0, bytes.count > 1024 {
                    bytes.replaceSubrange(bytes.count - 512..<bytes.count, with: bytes[0..<512])
                }
            }
            let path = folder("b\(round)")
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let file = try HostFiles().open(path, .readWrite)
            _ = VHD.dump(file)
            for writable in [false, true] {
                do {
                    let layer = try open(file, writable: writable, trusting: true)
                    _ = layer.parent
                    let part = 0..<min(layer.size, 1 << 20)
                    _ = try Probe.content(of: [layer], part)
                    if writable {
                        try layer.discard(0..<min(part.upperBound, 8192))
                        try layer.flush()
                        if layer.size < 1 << 24 { try layer.resize(to: layer.size + 40_960) }
                    }
                } catch let fault as StorageFault {
                    #expect(!fault.id.isEmpty)
                }
            }
            try FileManager.default.removeItem(atPath: path)
        }
    }
}
