import BlockDeviceContract
import DiskImages
import Files
import Testing

/// A chain on a simulated disk, and what each of its files means as a disk.
struct SimulatedChain {
    let disk: SimulatedDisk
    let shape: ChainShape
    /// Base first.
    var paths: [String]
    var contents: [[UInt8]]
    var random: ContractRandom
    private var made = 0

    init(_ shape: ChainShape, size: Int, seed: UInt64, changes: Int = 6) throws {
        (disk, self.shape, random) = (SimulatedDisk(), shape, ContractRandom(seed: seed))
        let base = MemoryDevice(size: Int64(size), sectorSize: shape.sectorSize)
        let content = random.bytes(size / 3 / 4096 * 4096)
        try base.write(content, at: 0)
        let new = NewImage(
            format: shape.format, size: Int64(size), sectorSize: shape.sectorSize,
            blockSize: shape.format == .vhd ? 512 << 10 : 1 << 20)
        let path = "disk.\(shape.format)"
        var conversion = ImageConversion(base, to: path, as: new)
        conversion.workers = 1
        try conversion.run(on: disk, guids: SequentialGUIDs(seed: seed), created: 0)
        (paths, contents) = ([path], [content + [UInt8](repeating: 0, count: size - content.count)])
        for _ in 1..<max(shape.depth, 1) {
            try checkpoint()
            try change(changes)
        }
    }

    /// Identifiers differ from run to run of a program; here from call to call.
    mutating func access() -> ImageAccess { ImageAccess(disk, guids: SequentialGUIDs(seed: random.next())) }

    mutating func checkpoint() throws {
        made += 1
        let path = "child\(made).a\(shape.format)"
        _ = try DiskImage.checkpoint(paths[paths.count - 1], child: path, by: access(), created: 0)
        paths.append(path)
        contents.append(contents[contents.count - 1])
    }

    /// Writes to the leaf.
    mutating func change(_ count: Int) throws {
        let image = try DiskImage.open(paths[paths.count - 1], by: access(), access: .readWrite)
        var content = contents[contents.count - 1]
        let sector = shape.sectorSize
        for _ in 0..<count {
            let length = 1 + random.below(min([1, 16, 300][random.below(3)], content.count / sector))
            let first = random.below(content.count / sector - length + 1) * sector
            let isDiscard = random.below(4) == 0
            let bytes = isDiscard ? [UInt8](repeating: 0, count: length * sector) : random.bytes(length * sector)
            if isDiscard {
                try image.discard(Int64(first)..<Int64(first + bytes.count))
            } else {
                try image.write(bytes, at: Int64(first))
            }
            content.replaceSubrange(first..<first + bytes.count, with: bytes)
        }
        contents[contents.count - 1] = content
        try image.close()
    }

    mutating func resize(to size: Int) throws {
        let image = try DiskImage.open(paths[paths.count - 1], by: access(), access: .readWrite)
        try image.resize(to: Int64(size), losing: true)
        try image.close()
        let old = contents[contents.count - 1]
        contents[contents.count - 1] =
            Array(old.prefix(size)) + [UInt8](repeating: 0, count: max(0, size - old.count))
    }

    /// Merges the `index`th file into the one before.
    mutating func merge(_ index: Int) throws {
        let parent = try ImageMerge(paths[index], by: access()).run()
        #expect(parent == paths[index - 1])
        contents[index - 1] = contents[index]
        paths.remove(at: index)
        contents.remove(at: index)
    }

    /// What is wrong with the disk that `path` is, if it should hold `content`.
    static func problem(_ path: String, _ content: [UInt8], on disk: SimulatedDisk) -> String? {
        do {
            let image = try DiskImage.open(path, by: ImageAccess(disk, guids: SequentialGUIDs(seed: 77)))
            defer { try? image.close() }
            guard image.size == content.count else { return "\(path) has \(image.size) bytes, not \(content.count)" }
            let bytes = try image.bytes(content.count, at: 0)
            guard bytes.withUnsafeBytes({ XXH3.of($0) }) != content.withUnsafeBytes({ XXH3.of($0) }) else { return nil }
            let place = zip(bytes, content).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? -1
            return "\(path) differs at \(place)"
        } catch {
            return "\(path): \(error)"
        }
    }

    func problems() -> [String] {
        zip(paths, contents).enumerated().compactMap { index, pair in
            // A file in the middle is a disk too, as it was when its child was made.
            Self.problem(pair.0, pair.1, on: disk).map { "\(index): \($0)" }
        }
    }
}
