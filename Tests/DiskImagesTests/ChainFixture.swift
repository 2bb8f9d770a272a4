import BlockDeviceContract
import DiskImages
import Files
import Testing

/// What a chain in a test is made of.
struct ChainShape: Hashable, Sendable, CustomTestStringConvertible {
    var format: ImageFormat
    var sectorSize = 512
    var isFixed = false
    /// Files, the whole disk included.
    var depth = 1
    var testDescription: String {
        "\(format)\(isFixed ? " fixed" : "") of \(sectorSize), \(depth) deep"
    }

    static let all: [ChainShape] = [
        ChainShape(format: .raw), ChainShape(format: .vhd), ChainShape(format: .vhd, isFixed: true),
        ChainShape(format: .vhd, depth: 2), ChainShape(format: .vhd, depth: 4), ChainShape(format: .vhdx),
        ChainShape(format: .vhdx, isFixed: true), ChainShape(format: .vhdx, sectorSize: 4096),
        ChainShape(format: .vhdx, depth: 2), ChainShape(format: .vhdx, depth: 4),
        ChainShape(format: .vhdx, sectorSize: 4096, depth: 2), ChainShape(format: .vhdx, sectorSize: 4096, depth: 3),
    ]
    static let children = all.filter { $0.depth > 1 }
}

extension ImageFormat {
    var suffix: String { rawValue }
}

extension Scratch {
    func access(_ seed: UInt64 = 1, on files: (any FileSystem)? = nil) -> ImageAccess {
        ImageAccess(files ?? self.files, guids: SequentialGUIDs(seed: seed))
    }

    /// A whole image holding `content` and then zeros.
    func image(
        _ name: String, _ shape: ChainShape, size: Int64, content: [UInt8] = [], guids: any GUIDSource
    ) throws -> String {
        let memory = MemoryDevice(size: size, sectorSize: shape.sectorSize)
        try memory.write(content, at: 0)
        let new = NewImage(
            format: shape.format, kind: shape.isFixed ? .fixed : .dynamic, size: size, sectorSize: shape.sectorSize,
            blockSize: shape.format == .raw ? nil : 2 << 20)
        let conversion = ImageConversion(memory, to: path(name), as: new)
        try conversion.run(on: files, guids: guids, created: 0)
        return path(name)
    }

    /// A chain of which each file holds random changes; the leaf's path and what the disk holds.
    func chain(_ shape: ChainShape, size: Int64, seed: UInt64) throws -> (leaf: String, content: [UInt8]) {
        var random = ContractRandom(seed: seed)
        var content = random.bytes(Int(size / 4 / 4096 * 4096))
        let access = access(seed)
        var leaf = try image("disk.\(shape.format.suffix)", shape, size: size, content: content, guids: access.guids)
        content += [UInt8](repeating: 0, count: Int(size) - content.count)
        for depth in 1..<max(shape.depth, 1) {
            leaf = try DiskImage.checkpoint(
                leaf, child: path("child\(depth).a\(shape.format.suffix)"), by: access, created: 0)
            try change(leaf, &content, &random, by: access, count: 30)
        }
        return (leaf, content)
    }

    /// Writes and discards at random, in the image and in the model.
    func change(
        _ leaf: String, _ content: inout [UInt8], _ random: inout ContractRandom, by access: ImageAccess, count: Int
    ) throws {
        let image = try DiskImage.open(leaf, by: access, access: .readWrite)
        let sector = image.sectorSize
        for _ in 0..<count {
            let sectors = content.count / sector
            let length = 1 + random.below(min([1, 16, 700][random.below(3)], sectors))
            let first = random.below(sectors - length + 1)
            let range = Int64(first * sector)..<Int64((first + length) * sector)
            let isDiscard = random.below(4) == 0
            let bytes = isDiscard ? [UInt8](repeating: 0, count: range.count) : random.bytes(range.count)
            if isDiscard { try image.discard(range) } else { try image.write(bytes, at: range.lowerBound) }
            content.replaceSubrange(first * sector..<(first + length) * sector, with: bytes)
        }
        try image.close()
    }

    /// Where the disk at `leaf` first differs from `content`, which is all of it; nil if nowhere.
    func difference(_ leaf: String, _ content: [UInt8], by access: ImageAccess) throws -> String? {
        let image = try DiskImage.open(leaf, by: access)
        defer { try? image.close() }
        guard image.size == content.count else { return "it has \(image.size) bytes, not \(content.count)" }
        let model = MemoryDevice(size: image.size, sectorSize: image.sectorSize)
        try model.write(content, at: 0)
        let result = try ImageComparison(image, model).run()
        return result.isEqual ? nil : "\(result)"
    }
}
