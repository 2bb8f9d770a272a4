import DiskImages
import Files
import Foundation
import Testing

/// Agreement with qemu-img in both directions.
@Suite("VHDX and qemu")
struct VHDXToolTests {
    static let host = HostFiles()

    /// A raw image with data here and there, and what was written where.
    static func raw(_ path: String, size: Int64, seed: UInt64) throws -> [(offset: Int64, bytes: [UInt8])] {
        var random = VHDXRandom(seed: seed)
        let file = try host.open(path, .create)
        try file.truncate(to: size)
        var at: Int64 = 0
        var parts: [(offset: Int64, bytes: [UInt8])] = []
        while true {
            at += Int64(random.next() % UInt64(max(1, size / 16 / 512))) * 512
            let count = min(512 * Int64(1 + random.next() % 700), size - at)
            guard count > 0 else { return parts }
            var bytes = [UInt8](repeating: 0, count: Int(count))
            for index in stride(from: 0, to: bytes.count, by: 8) { bytes.putLittle(random.next(), at: index) }
            try file.write(bytes, at: at)
            parts.append((at, bytes))
            at += count
        }
    }

    static func differences(_ layer: VHDXLayer, _ raw: String) throws -> [Int64] {
        let file = try host.open(raw, .read)
        var different: [Int64] = []
        var at: Int64 = 0
        while at < layer.size {
            let count = min(layer.size - at, 1 << 20)
            if try layer.content(at..<at + count) != file.bytes(Int(count), at: at) { different.append(at) }
            at += count
        }
        return different
    }

    struct Shape: Sendable {
        var size: Int64
        var block: Int64?
        var kind = NewImage.Kind.dynamic
    }

    @Test(
        "qemu-img finds what is made in order, and equal to its source",
        arguments: [
            Shape(size: 40 << 20), Shape(size: 33 << 20 | 512, block: 1 << 20), Shape(size: 20 << 20, block: 2 << 20),
            Shape(size: 5 << 20, block: 256 << 20), Shape(size: 10 << 20, kind: .fixed),
            Shape(size: 17 << 20 | 1536, block: 1 << 20, kind: .fixed), Shape(size: 4 << 30 | 512, block: 1 << 20),
        ])
    func made(_ shape: Shape) throws {
        let folder = try VHDXFolder()
        let parts = try Self.raw(folder["raw"], size: shape.size, seed: 11)
        let file = try Self.host.open(folder["a.vhdx"], .create)
        let image = NewImage(format: .vhdx, kind: shape.kind, size: shape.size, blockSize: shape.block)
        let writer = try VHDX.create(image, file: file, guids: SequentialGUIDs(seed: 1))
        // Two threads, so that both write into one block.
        try Workers.run(2) { (worker, _) throws(StorageFault) in
            for (index, part) in parts.enumerated() where index % 2 == worker {
                try writer.write(part.bytes, at: part.offset)
            }
        }
        #expect(!VHDX.isVHDX(try file.bytes(8, at: 0)))
        try writer.finish()
        let check = try vhdxRun("qemu-img", "check", "-f", "vhdx", folder["a.vhdx"])
        #expect(check.status == 0, "\(check.output)")
        let layer = try VHDXLayer(file: file, writable: false, guids: SequentialGUIDs(seed: 1))
        #expect(layer.size == shape.size)
        for part in parts {
            #expect(try layer.content(part.offset..<part.offset + Int64(part.bytes.count)) == part.bytes)
        }
        // qemu-img reads zeros one by one.
        if shape.size < 1 << 30 {
            let compare = try vhdxRun("qemu-img", "compare", "-f", "raw", "-F", "vhdx", folder["raw"], folder["a.vhdx"])
            #expect(compare.status == 0, "\(compare.output)")
            #expect(try Self.differences(layer, folder["raw"]) == [])
        }
        #expect(VHDX.dump(file).flatMap(\.problems) == [])
    }

    @Test(
        "what qemu-img makes reads right, and stays right when it is changed in place",
        arguments: ["subformat=dynamic", "subformat=dynamic,block_size=1M", "subformat=fixed,block_size=2M"])
    func converted(_ options: String) throws {
        let folder = try VHDXFolder()
        _ = try Self.raw(folder["raw"], size: 35 << 20 | 512 << 10, seed: 12)
        let convert = try vhdxRun(
            "qemu-img", "convert", "-f", "raw", "-O", "vhdx", "-o", options, folder["raw"], folder["q.vhdx"])
        #expect(convert.status == 0, "\(convert.output)")
        let file = try Self.host.open(folder["q.vhdx"], .readWrite)
        let guids = SequentialGUIDs(seed: 2)
        let reader = try VHDXLayer(file: file, writable: false, guids: guids)
        #expect(try Self.differences(reader, folder["raw"]) == [])

        let raw = try Self.host.open(folder["raw"], .readWrite)
        var random = VHDXRandom(seed: 5)
        let layer = try VHDXLayer(file: file, writable: true, guids: guids)
        for step in 0..<60 {
            let at = Int64(random.next() % (35 << 11)) * 512
            let count = 512 * Int64(1 + random.next() % 300)
            if step % 7 == 6 {
                let range = at / (1 << 20) * (1 << 20)..<(at / (1 << 20) + 1) * (1 << 20)
                try layer.discard(range)
                try raw.punch(range)
            } else {
                let bytes = [UInt8](repeating: UInt8(step + 1), count: Int(count))
                try layer.write(bytes, at: at)
                try raw.write(bytes, at: at)
            }
            if step % 10 == 9 { try layer.flush() }
        }
        try layer.resize(to: 80 << 20)
        try raw.truncate(to: 80 << 20)
        try layer.write([UInt8](repeating: 99, count: 4096), at: 79 << 20)
        try raw.write([UInt8](repeating: 99, count: 4096), at: 79 << 20)
        try layer.close()
        let check = try vhdxRun("qemu-img", "check", "-f", "vhdx", folder["q.vhdx"])
        #expect(check.status == 0, "\(check.output)")
        let compare = try vhdxRun("qemu-img", "compare", "-f", "raw", "-F", "vhdx", folder["raw"], folder["q.vhdx"])
        #expect(compare.status == 0, "\(compare.output)")
    }

    @Test("qemu-img replays our log as we do, after cuts of all kinds")
    func replayed() throws {
        let folder = try VHDXFolder()
        let file = VHDXMemoryFile(try vhdxImage(size: 8 << 20), records: true)
        let guids = SequentialGUIDs(seed: 4)
        let layer = try VHDXLayer(file: file, writable: true, guids: guids)
        for step in 0..<12 {
            let at = Int64(step % 8) << 20 | Int64(step) << 13
            try layer.write([UInt8](repeating: UInt8(step + 1), count: 8192), at: at)
            if step % 3 == 2 { try layer.flush() }
        }
        let changes = file.changes
        var content = try vhdxImage(size: 8 << 20)
        var replays = 0
        for (index, change) in changes.enumerated() {
            switch change {
            case .write(let at, let bytes): bytes.withUnsafeBytes { content.write($0, at: at) }
            case .truncate(let size): content.truncate(to: size)
            case .clear(let range): content.clear(range)
            case .flush: break
            }
            guard index % 5 == 0 || index == changes.count - 1 else { continue }
            let reader = try VHDXLayer(file: VHDXMemoryFile(content), writable: false, guids: guids)
            replays += reader.replayedLogEntries
            let name = folder["cut\(index).vhdx"]
            let host = try Self.host.open(name, .create)
            try host.truncate(to: content.size)
            for (page, bytes) in content.pages { try host.write(bytes, at: page * VHDXPages.page) }
            let repair = try vhdxRun("qemu-img", "check", "-r", "all", "-f", "vhdx", name)
            #expect(repair.status == 0, "\(index): \(repair.output)")
            let raw = try vhdxRun("qemu-img", "convert", "-f", "vhdx", "-O", "raw", name, folder["raw\(index)"])
            #expect(raw.status == 0, "\(index): \(raw.output)")
            #expect(try Self.differences(reader, folder["raw\(index)"]) == [], "\(index)")
        }
        #expect(replays > 4)
    }
}
