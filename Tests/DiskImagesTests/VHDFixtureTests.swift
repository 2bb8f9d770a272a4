import DiskImages
import Files
import Foundation
import Testing

private func open(_ path: String) throws -> VHDLayer {
    try VHDLayer(file: HostFiles().open(path, .read), writable: false, guids: SequentialGUIDs(seed: 1))
}

@Suite("VHD files that others made") struct VHDFixtureTests {
    @Test(
        "they hold what qemu reads from them, and keep every byte of their own",
        arguments: [
            ("dynamic.vhd", "win ", 10_485_760), ("fixed.vhd", "win ", 10_485_760),
            ("hyperv2012r2-dynamic.vhd", "win ", 136_365_211_648),
            ("virtualpc-dynamic.vhd", "vpc ", 136_363_130_880), ("d2v-zerofilled.vhd", "d2v", 263_454_720),
        ])
    func equalToQemu(name: String, creator: String, size: Int64) throws {
        let path = try Probe.fixture(name)
        let folder = try Probe.Folder()
        let before = try Probe.must("sha256sum", [path])
        let layer = try open(path)
        #expect(layer.creator == creator)
        #expect(layer.size == size)
        #expect(layer.complaints == [])
        let raw = folder("disk.raw")
        try Probe.exportRaw([layer], to: raw)
        try layer.close()
        let answer = try Probe.must("qemu-img", ["compare", "-f", "raw", "-F", "vpc", raw, path])
        #expect(answer.contains("Images are identical"))
        #expect(try Probe.must("sha256sum", [path]) == before)
    }

    @Test("the identifier is printed as libvhdi prints it", arguments: ["dynamic.vhd", "fixed.vhd"])
    func identifier(name: String) throws {
        let path = try Probe.fixture(name)
        let uuid = try open(path).uuid.description
        #expect(try Probe.must("vhdiinfo", [path]).lowercased().contains(uuid.lowercased()))
    }
}
