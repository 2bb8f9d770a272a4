import DiskImages
import Files
import Foundation
import Testing

/// An image that somebody else's program made, and what qemu calls its format.
struct ForeignImage: Hashable, Sendable, CustomTestStringConvertible {
    var name: String
    var driver: String
    var testDescription: String { name }

    static let all =
        ["dynamic.vhd", "fixed.vhd", "hyperv2012r2-dynamic.vhd", "d2v-zerofilled.vhd"].map {
            ForeignImage(name: $0, driver: "vpc")
        }
        + ["dynamic.vhdx", "fixed.vhdx", "iotest-dynamic-1G.vhdx", "test-disk2vhd.vhdx"].map {
            ForeignImage(name: $0, driver: "vhdx")
        }
}

/// Gives one identifier again and again.
private final class OneGUID: GUIDSource {
    let guid: GUID
    init(_ guid: GUID) { self.guid = guid }
    func next() -> GUID { guid }
}

@Suite("images that others made read as others read them") struct FixtureTests {
    private static let linkage = "FF34003B-11ED-4CF8-A166-B2BE05E20B80"
    private static let parentName = "Generation 1_49C4BAF3-4B25-4406-8C4B-D39E65C32385.avhdx"
    /// SHA-256 of `stream` of the checkpoint's disk on an empty parent: recorded by hand from libvhdi 20210425 (vhdimount) and from
    /// dissect.hypervisor 3.20, which agree. Neither is run here: one needs FUSE, the other a Python environment.
    private static let checkpointHash = "20e963ae626864f1260d401c045a46712a61eacba6e4e88adc561591b1d2d62e"
    private static let checkpointBlocks = 34

    @Test(
        "converted to raw they are what qemu reads from them, and keep every byte of their own",
        arguments: ForeignImage.all)
    func equalsQemu(image: ForeignImage) throws {
        let scratch = try Scratch()
        let path = try Probe.fixture(image.name)
        let before = try Probe.must("sha256sum", [path])
        let disk = try DiskImage.open(path, by: scratch.access())
        defer { try? disk.close() }
        let raw = scratch.path("a.raw")
        let conversion = ImageConversion(disk, to: raw, as: NewImage(format: .raw, size: disk.size))
        try conversion.run(on: scratch.files, guids: SequentialGUIDs(seed: 1), created: 0)
        try Probe.must("qemu-img", ["compare", "-f", "raw", "-F", image.driver, raw, path])
        let copy = try DiskImage.open(raw, by: scratch.access(), format: .raw)
        #expect(try ImageComparison(disk, copy).run().isEqual)
        #expect(try Probe.must("sha256sum", [path]) == before)
    }

    @Test("a VHDX with a dirty log reads as qemu repairs it, and is not repaired itself")
    func dirtyLog() throws {
        let scratch = try Scratch()
        let path = try Probe.fixture("iotest-dirtylog-10G-4M.vhdx")
        let before = try Probe.must("sha256sum", [path])
        try Probe.must("cp", ["--no-preserve=mode", path, scratch.path("repaired.vhdx")])
        try Probe.must("qemu-img", ["check", "-q", "-r", "all", scratch.path("repaired.vhdx")])
        let disk = try DiskImage.open(path, by: scratch.access())
        let repaired = try DiskImage.open(scratch.path("repaired.vhdx"), by: scratch.access())
        #expect((disk.layers[0] as? VHDXLayer)?.replayedLogEntries ?? 0 > 0)
        #expect((repaired.layers[0] as? VHDXLayer)?.replayedLogEntries == 0)
        #expect(try ImageComparison(disk, repaired).run().isEqual)
        let raw = scratch.path("a.raw")
        try ImageConversion(disk, to: raw, as: NewImage(format: .raw, size: disk.size))
            .run(on: scratch.files, guids: SequentialGUIDs(seed: 1), created: 0)
        try Probe.must("qemu-img", ["compare", "-f", "raw", "-F", "vhdx", raw, scratch.path("repaired.vhdx")])
        #expect(try Probe.must("sha256sum", [path]) == before)
    }

    /// Puts the checkpoint that Hyper-V made beside an empty parent.
    private func checkpoint(_ scratch: Scratch, linkage: String) throws -> String {
        let path = scratch.path("differencing.avhdx")
        try Probe.must("cp", ["--no-preserve=mode", "--sparse=always", try Probe.fixture("differencing.avhdx"), path])
        let empty = MemoryDevice(size: 8 << 30)
        let guid = try #require(GUID(linkage))
        try ImageConversion(empty, to: scratch.path(Self.parentName), as: NewImage(format: .vhdx, size: 8 << 30))
            .run(on: scratch.files, guids: OneGUID(guid), created: 0)
        return path
    }

    /// Every MiB of the disk that is not zero, its number before it.
    private func stream(_ disk: DiskImage, to path: String) throws -> Int {
        let file = try HostFiles().open(path, .create)
        defer { file.close() }
        var (end, blocks) = (Int64(0), 0)
        for block in 0..<disk.size >> 20 {
            guard try !disk.allocatedRanges(in: block << 20..<(block + 1) << 20).isEmpty else { continue }
            let bytes = try disk.bytes(1 << 20, at: block << 20)
            if bytes.withUnsafeBytes({ $0.isZero }) { continue }
            var number = [UInt8](repeating: 0, count: 8)
            number.putLittle(block, at: 0)
            try file.write(number + bytes, at: end)
            end += Int64(8 + bytes.count)
            blocks += 1
        }
        return blocks
    }

    @Test("the checkpoint that Hyper-V made reads as libvhdi and dissect read it")
    func hyperVCheckpoint() throws {
        let scratch = try Scratch()
        let path = try checkpoint(scratch, linkage: Self.linkage)
        let disk = try DiskImage.open(path, by: scratch.access())
        #expect(disk.layers.count == 2 && disk.size == 8 << 30)
        #expect(try stream(disk, to: scratch.path("stream")) == Self.checkpointBlocks)
        #expect(try Probe.must("sha256sum", [scratch.path("stream")]).hasPrefix(Self.checkpointHash + " "))
    }

    @Test("it is refused on any other parent, and alone, with both identifiers")
    func hyperVCheckpointAlone() throws {
        let scratch = try Scratch()
        let other = "00000000-0000-0000-0000-000000000001"
        let path = try checkpoint(scratch, linkage: other)
        let fault = #expect(throws: StorageFault.self) { try DiskImage.open(path, by: scratch.access()) }
        #expect(fault?.id == "IMAGE-LINKAGE")
        #expect(fault?.cause.contains(other) == true && fault?.cause.contains(Self.linkage) == true)
        try scratch.files.remove(scratch.path(Self.parentName))
        let missing = #expect(throws: StorageFault.self) { try DiskImage.open(path, by: scratch.access()) }
        #expect(missing?.id == "IMAGE-PARENT" && missing?.cause.contains(Self.parentName) == true)
    }
}
