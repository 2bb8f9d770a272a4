import BlockDeviceContract
import DiskImages
import Files
import Testing

/// From what into what a disk is converted.
struct ConversionShape: Hashable, Sendable, CustomTestStringConvertible {
    var target: ChainShape
    var blockSize: Int64?
    var testDescription: String { "\(target), blocks of \(blockSize.map { "\($0)" } ?? "the usual size")" }

    static let all: [ConversionShape] = [
        ConversionShape(target: ChainShape(format: .raw)),
        ConversionShape(target: ChainShape(format: .vhd)),
        ConversionShape(target: ChainShape(format: .vhd, isFixed: true)),
        ConversionShape(target: ChainShape(format: .vhdx)),
        ConversionShape(target: ChainShape(format: .vhdx), blockSize: 1 << 20),
        ConversionShape(target: ChainShape(format: .vhdx, isFixed: true)),
    ]
}

@Suite("converting and comparing") struct ConversionTests {
    /// What qemu calls a format.
    private static func driver(_ format: ImageFormat) -> String { format == .vhd ? "vpc" : format.rawValue }

    @Test(
        "a chain becomes one file that qemu finds in order and equal", arguments: ConversionShape.all,
        [ImageFormat.vhdx, .vhd])
    func flatten(shape: ConversionShape, source: ImageFormat) throws {
        let scratch = try Scratch()
        let (leaf, content) = try scratch.chain(ChainShape(format: source, depth: 3), size: 7 << 20 + 512, seed: 21)
        let plain = try scratch.raw("plain.raw", size: Int64(content.count), content: content)
        let access = scratch.access(3)
        let disk = try DiskImage.open(leaf, by: access)
        let target = scratch.path("new.\(shape.target.format)")
        let image = NewImage(
            format: shape.target.format, kind: shape.target.isFixed ? .fixed : .dynamic, size: disk.size,
            blockSize: shape.blockSize)
        try ImageConversion(disk, to: target, as: image).run(on: access.files, guids: access.guids, created: 0)
        try Probe.must(
            "qemu-img", ["compare", "-f", "raw", "-F", Self.driver(shape.target.format), plain, target])
        if shape.target.format == .vhdx { try Probe.must("qemu-img", ["check", "-q", target]) }
        #expect(try scratch.difference(target, content, by: access) == nil)
        #expect(!scratch.names.contains { $0.hasSuffix(".unfinished") })
    }

    @Test("sectors of 512 bytes become sectors of 4096, and a disk may become larger")
    func sectors() throws {
        let scratch = try Scratch()
        let memory = MemoryDevice(size: 3 << 20 + 1536)
        let tail = [UInt8](repeating: 5, count: 1536)
        try memory.write(tail, at: 3 << 20)
        let image = NewImage(format: .vhdx, size: 4 << 20, sectorSize: 4096)
        let conversion = ImageConversion(memory, to: scratch.path("a.vhdx"), as: image)
        try conversion.run(on: scratch.files, guids: SequentialGUIDs(seed: 1), created: 0)
        let disk = try DiskImage.open(scratch.path("a.vhdx"), by: scratch.access())
        #expect(disk.size == 4 << 20 && disk.sectorSize == 4096)
        let result = try ImageComparison(memory, disk).run()
        #expect(result.isEqual && !result.sizesEqual)
        #expect(try disk.bytes(1536, at: 3 << 20) == tail)
    }

    @Test(
        "nothing is left of a conversion that cannot be",
        arguments: ["exists", "self", "small", "space", "stopped", "fault"])
    func refused(reason: String) throws {
        let disk = SimulatedDisk(capacity: reason == "space" ? 3 << 20 : 1 << 30)
        let source = MemoryDevice(size: 4 << 20)
        try source.write(ContractRandom(seed: 1).pattern(4 << 20), at: 0)
        let access = ImageAccess(disk, guids: SequentialGUIDs(seed: 1))
        var image = NewImage(format: .raw, size: 4 << 20)
        var device: any BlockDevice = source
        var target = "new.raw"
        switch reason {
        case "exists": disk.setContents("new.raw", [1, 2, 3])
        case "self":
            try ImageConversion(source, to: "own.raw", as: image).run(on: disk, guids: access.guids, created: 0)
            (device, target) = (try DiskImage.open("own.raw", by: access), "./own.raw")
        case "small": image.size = 2 << 20
        case "fault": device = FaultyDevice(source, failing: 4)
        default: break
        }
        let before = disk.paths
        var conversion = ImageConversion(device, to: target, as: image)
        conversion.replaces = reason == "self"
        let fault = #expect(throws: StorageFault.self) {
            try conversion.run(on: disk, guids: access.guids, created: 0) { _, _ in reason != "stopped" }
        }
        let ids = [
            "exists": "IMAGE-EXISTS", "self": "IMAGE-TARGET", "small": "IMAGE-SIZE", "space": "IMAGE-SPACE",
            "stopped": "IMAGE-STOPPED", "fault": "FILE-IO",
        ]
        #expect(fault?.id == ids[reason])
        #expect(disk.paths == before)
    }

    @Test(
        "a conversion cut off at any write leaves the old file, or the new one whole",
        arguments: [ImageFormat.raw, .vhd, .vhdx])
    func cuts(format: ImageFormat) throws {
        let source = MemoryDevice(size: 1 << 20)
        let content = ContractRandom(seed: 2).pattern(300_000 / 512 * 512)
        try source.write(content, at: 0)
        let whole = content + [UInt8](repeating: 0, count: 1 << 20 - content.count)
        let old = [UInt8](repeating: 3, count: 512)
        let target = "a.\(format)"
        func convert(_ disk: SimulatedDisk) throws {
            var conversion = ImageConversion(source, to: target, as: NewImage(format: format, size: 1 << 20))
            (conversion.replaces, conversion.workers) = (true, 1)
            try conversion.run(on: disk, guids: SequentialGUIDs(seed: 1), created: 0)
        }
        let start = SimulatedDisk()
        start.setContents(target, old)
        let plain = start.copy()
        try convert(plain)
        for cut in 1...plain.writeCalls {
            for loss in [SimulatedDisk.Loss.torn(seed: UInt64(cut)), .all].prefix(cut % 3 == 0 ? 2 : 1) {
                let disk = start.copy()
                disk.cutAt = cut
                _ = try? convert(disk)
                disk.powerCut(loss)
                disk.cutAt = nil
                if disk.contents(target) != old {
                    #expect(SimulatedChain.problem(target, whole, on: disk) == nil, "cut \(cut), \(loss)")
                }
                // The next one finds its way through what is left.
                try convert(disk)
                #expect(SimulatedChain.problem(target, whole, on: disk) == nil)
                #expect(disk.paths == [target])
            }
        }
    }

    @Test("a comparison counts the bytes and names the places")
    func differences() throws {
        let (left, right) = (MemoryDevice(size: 5 << 20), MemoryDevice(size: 6 << 20))
        for device in [left, right] { try device.write(ContractRandom(seed: 3).pattern(2 << 20), at: 1 << 20) }
        #expect(try ImageComparison(left, right).run().isEqual)
        var sector = try left.bytes(512, at: 1 << 20)
        (sector[7], sector[9]) = (sector[7] ^ 1, sector[9] ^ 1)
        try left.write(sector, at: 1 << 20)
        // Over the border between two workers' pieces, and beyond the end of the smaller.
        try right.write([UInt8](repeating: 1, count: 1024), at: 4 << 20 - 512)
        try right.write([UInt8](repeating: 1, count: 512), at: 5 << 20)
        let result = try ImageComparison(left, right).run()
        #expect(result.differingBytes == 2 + 1024 + 512)
        let (one, two, three): (Int64, Int64, Int64) = (1 << 20, 4 << 20 - 512, 5 << 20)
        let places: [Range<Int64>] = [one..<one + 512, two..<two + 1024, three..<three + 512]
        #expect(result.firstDifferences == places)
        var first = ImageComparison(left, right)
        first.limit = 1
        #expect(try first.run().firstDifferences.count == 1)
    }

    @Test("what is nowhere allocated costs nothing: 64 TiB of zeros and a sector")
    func hugeDisk() throws {
        let scratch = try Scratch()
        let memory = MemoryDevice(size: 60 << 40)
        try memory.write([UInt8](repeating: 1, count: 512), at: 59 << 40)
        let image = NewImage(format: .vhdx, size: 60 << 40)
        try ImageConversion(memory, to: scratch.path("a.vhdx"), as: image)
            .run(on: scratch.files, guids: SequentialGUIDs(seed: 1), created: 0)
        let disk = try DiskImage.open(scratch.path("a.vhdx"), by: scratch.access())
        #expect(try disk.bytes(512, at: 59 << 40) == [UInt8](repeating: 1, count: 512))
        let file = try scratch.files.open(scratch.path("a.vhdx"), .read)
        #expect(try file.allocated() < 64 << 20)
    }
}

extension ContractRandom {
    /// Bytes of this seed.
    func pattern(_ count: Int) -> [UInt8] {
        var copy = self
        return copy.bytes(count)
    }
}
