import DiskImages
import Files
import Synchronization
import Testing

@Suite("VHDX in place")
struct VHDXLayerTests {
    struct Shape: Sendable, CustomTestStringConvertible {
        var size: Int64
        var sector = 512
        var block: Int64 = 1 << 20
        var kind = NewImage.Kind.dynamic
        var seed: UInt64
        var testDescription: String {
            let kind =
                switch kind {
                case .fixed: "fixed"
                case .dynamic: "dynamic"
                case .differencing: "differencing"
                }
            return "\(kind), \(size) bytes, sectors of \(sector), blocks of \(block), seed \(seed)"
        }
    }

    static let shapes = [
        Shape(size: 5 << 20, seed: 1), Shape(size: 7 << 20 | 512, seed: 2),
        Shape(size: 9 << 20, block: 2 << 20, seed: 3),
        Shape(size: 6 << 20, sector: 4096, seed: 4), Shape(size: 4 << 20, kind: .fixed, seed: 5),
        Shape(size: 5 << 20 | 1024, kind: .differencing(vhdxParent), seed: 6),
        Shape(size: 9 << 20, block: 2 << 20, kind: .differencing(vhdxParent), seed: 7),
        Shape(size: 8 << 20, sector: 4096, block: 4 << 20, kind: .differencing(vhdxParent), seed: 8),
    ]

    @Test("random writes, discards, resizes and reopenings leave what a plain model has", arguments: shapes)
    func model(_ shape: Shape) throws {
        var random = VHDXRandom(seed: shape.seed)
        var differencing = false
        if case .differencing = shape.kind { differencing = true }
        let file = VHDXMemoryFile(
            try vhdxImage(size: shape.size, sector: shape.sector, block: shape.block, kind: shape.kind))
        let guids = SequentialGUIDs(seed: shape.seed)
        var layer = try VHDXLayer(file: file, writable: true, guids: guids)
        var model = VHDXModel(size: shape.size, sector: shape.sector, differencing: differencing)
        let perBlock = Int(shape.block) / shape.sector
        for step in 0..<300 {
            let count = model.values.count
            var range: Range<Int>
            switch random.next() % 4 {
            case 0:  // whole blocks
                let first = Int.random(in: 0..<count, using: &random) / perBlock * perBlock
                range = first..<min(count, first + perBlock * Int.random(in: 1...2, using: &random))
            default:
                let first = Int.random(in: 0..<count, using: &random)
                range = first..<min(count, first + Int.random(in: 1...300, using: &random))
            }
            let offset = Int64(range.lowerBound * shape.sector)
            switch random.next() % 16 {
            case 0..<9:
                for sector in range { model.values[sector] = UInt8(step % 200) }
                try layer.write(model.bytes(range), at: offset)
            case 9..<12:
                for sector in range { model.values[sector] = 0 }
                try layer.discard(offset..<Int64(range.upperBound * shape.sector))
            case 12: try layer.flush()
            case 13:
                let size = Int64(Int.random(in: 1...12 * 2048, using: &random) * 4096 / 8 / shape.sector * shape.sector)
                guard size > 0 else { continue }
                try layer.resize(to: size)
                let sectors = Int(size) / shape.sector
                model.values =
                    Array(model.values.prefix(sectors)) + [UInt8?](repeating: 0, count: max(0, sectors - count))
            case 14:
                if random.next() % 2 == 0 {
                    try layer.close()
                    layer = try VHDXLayer(file: file, writable: true, guids: guids)
                } else {
                    // Nobody closed it: the log is replayed. What was not flushed goes.
                    try layer.flush()
                    layer = try VHDXLayer(file: file, writable: true, guids: guids)
                }
            default:
                if try layer.sectorValues() != model.values {
                    Issue.record("step \(step) of seed \(shape.seed) differs")
                    return
                }
            }
        }
        #expect(try layer.sectorValues() == model.values)
        try layer.close()
        let reader = try VHDXLayer(file: file, writable: false, guids: guids)
        #expect(try reader.sectorValues() == model.values)
        #expect(reader.replayedLogEntries == 0)
        let problems = VHDX.dump(file).flatMap { structure in structure.problems.map { structure.name + ": " + $0 } }
        #expect(problems == [])
    }

    @Test("a reader of a file whose log is dirty replays it in memory and changes nothing")
    func replayInMemory() throws {
        let file = VHDXMemoryFile(try vhdxImage(size: 4 << 20), records: true)
        let guids = SequentialGUIDs(seed: 3)
        let writer = try VHDXLayer(file: file, writable: true, guids: guids)
        try writer.write([UInt8](repeating: 7, count: 4096), at: 1 << 20)
        try writer.flush()
        // The entry in place as it was before: only the log has it.
        let applied = file.changes.count
        var cut = try vhdxImage(size: 4 << 20)
        for change in file.changes[..<(applied - 1)] {
            switch change {
            case .write(let at, let bytes): bytes.withUnsafeBytes { cut.write($0, at: at) }
            case .truncate(let size): cut.truncate(to: size)
            case .clear(let range): cut.clear(range)
            case .flush: break
            }
        }
        let left = VHDXMemoryFile(cut, records: true)
        let reader = try VHDXLayer(file: left, writable: false, guids: guids)
        #expect(reader.replayedLogEntries == 1)
        #expect(
            try reader.content(1 << 20..<1 << 20 | 8192) == [UInt8](repeating: 7, count: 4096)
                + [UInt8](repeating: 0, count: 4096))
        try reader.close()
        #expect(left.changes.isEmpty)
        let second = try VHDXLayer(file: left, writable: true, guids: guids)
        #expect(second.replayedLogEntries == 1)
        #expect(try second.content(1 << 20..<1 << 20 | 4096) == [UInt8](repeating: 7, count: 4096))
        try second.close()
        #expect(try VHDXLayer(file: left, writable: false, guids: guids).replayedLogEntries == 0)
    }

    @Test("the data's identity changes with the first write, not with opening, a new parent, or the second write")
    func identity() throws {
        let file = VHDXMemoryFile(try vhdxImage(size: 4 << 20, kind: .differencing(vhdxParent)))
        let guids = SequentialGUIDs(seed: 9)
        let layer = try VHDXLayer(file: file, writable: true, guids: guids)
        let first = layer.dataWriteGUID
        let other = ParentReference(
            linkage: [GUID("AAAAAAAA-2222-4333-8444-555555555555")!],
            paths: ["relative_path": String(repeating: "folder\\", count: 900) + "a.vhdx"])
        try layer.setParent(other)
        #expect(layer.dataWriteGUID == first)
        #expect(layer.parent == other)
        try layer.write([UInt8](repeating: 1, count: 512), at: 0)
        let second = layer.dataWriteGUID
        #expect(second != first)
        try layer.write([UInt8](repeating: 2, count: 512), at: 512)
        #expect(layer.linkage == second)
        try layer.setParent(vhdxParent)
        try layer.close()
        let again = try VHDXLayer(file: file, writable: true, guids: guids)
        #expect(again.dataWriteGUID == second)
        #expect(again.parent == vhdxParent)
        try again.renewDataWriteGUID()
        #expect(again.dataWriteGUID != second)
    }

    @Test("a table that no longer fits moves, and the disk grows to more than a hundred times its size")
    func growth() throws {
        let file = VHDXMemoryFile(try vhdxImage(size: 1 << 30))
        let guids = SequentialGUIDs(seed: 5)
        let layer = try VHDXLayer(file: file, writable: true, guids: guids)
        try layer.write([UInt8](repeating: 9, count: 4096), at: 1 << 29)
        try layer.resize(to: 1 << 37)
        try layer.write([UInt8](repeating: 8, count: 4096), at: 1 << 36)
        try layer.close()
        let reader = try VHDXLayer(file: file, writable: false, guids: guids)
        #expect(reader.size == 1 << 37)
        #expect(try reader.content(1 << 29..<1 << 29 | 4096) == [UInt8](repeating: 9, count: 4096))
        #expect(try reader.content(1 << 36..<1 << 36 | 4096) == [UInt8](repeating: 8, count: 4096))
        let runs = try reader.runs(in: 0..<1 << 37)
        #expect(runs.count == 5)
        #expect(VHDX.dump(file).flatMap(\.problems) == [])
    }

    @Test("after the n-th call of the file fails, what was flushed is there, and nothing more is written")
    func faults() throws {
        let image = try vhdxImage(size: 4 << 20, kind: .differencing(vhdxParent))
        for failing in 1... {
            let file = VHDXMemoryFile(image)
            let guids = SequentialGUIDs(seed: 5)
            let layer = try VHDXLayer(file: file, writable: true, guids: guids)
            file.state.withLock { $0.failing = failing }
            var flushed = false
            var failed = false
            do throws(StorageFault) {
                try layer.write([UInt8](repeating: 1, count: 8192), at: 4096)
                try layer.write([UInt8](repeating: 2, count: 1 << 20), at: 1 << 20)
                try layer.flush()
                flushed = true
                try layer.discard(1 << 20..<2 << 20)
                try layer.write([UInt8](repeating: 3, count: 1024), at: 3 << 20)
                try layer.flush()
                try layer.close()
            } catch { failed = true }
            file.state.withLock { $0.failing = nil }
            if failed { try? layer.flush() }
            let reader = try VHDXLayer(file: file, writable: false, guids: guids)
            let values = try reader.sectorValues()
            if flushed {
                #expect(values[8] == 1 && values[23] == 1, "call \(failing)")
                #expect([0, 2].contains(values[2048]), "call \(failing)")
                #expect([nil, 3].contains(values[6144]), "call \(failing)")
            }
            #expect(VHDX.dump(file).flatMap(\.problems) == [], "call \(failing)")
            if !failed { return }
        }
    }

    @Test("a file that ends with its disk, inside the last block, keeps that block's space")
    func shortFile() throws {
        var image = try vhdxImage(size: 3 << 20 | 4096, block: 2 << 20, kind: .fixed)
        image.truncate(to: image.size - (1 << 20) + 4096)
        let file = VHDXMemoryFile(image)
        let layer = try VHDXLayer(file: file, writable: true, guids: SequentialGUIDs(seed: 1))
        try layer.write([UInt8](repeating: 1, count: 4096), at: 3 << 20)
        try layer.resize(to: 8 << 20)
        #expect(try layer.content(3 << 20..<5 << 20)[..<4097] == [UInt8](repeating: 1, count: 4096) + [0])
        try layer.close()
        #expect(VHDX.dump(file).flatMap(\.problems) == [])
    }

    @Test("readers on other threads see what is there while blocks come and go beside them")
    func threads() throws {
        let file = VHDXMemoryFile(try vhdxImage(size: 64 << 20, kind: .differencing(vhdxParent)))
        let layer = try VHDXLayer(file: file, writable: true, guids: SequentialGUIDs(seed: 1))
        for block in 0..<Int64(8) {
            try layer.write([UInt8](repeating: 1 + UInt8(block), count: 65_536), at: block << 20)
        }
        try Workers.run(3) { (worker, _) throws(StorageFault) in
            var random = VHDXRandom(seed: UInt64(worker))
            for step in 0..<120 {
                if worker == 0 {
                    let block = 8 + Int64(random.next() % 50)
                    let at = block << 20 | Int64(random.next() % 2000) * 512
                    if step % 3 == 2 {
                        try layer.discard(block << 20..<(block + 1) << 20)
                    } else {
                        try layer.write([UInt8](repeating: 99, count: 4096), at: at)
                    }
                    if step % 5 == 4 { try layer.flush() }
                } else {
                    let block = Int64(random.next() % 8)
                    let bytes = try layer.content(block << 20..<block << 20 | 65_536)
                    if bytes != [UInt8](repeating: 1 + UInt8(block), count: 65_536) {
                        throw StorageFault(.damaged, "TEST", "block \(block)", "it reads wrong", action: "Look")
                    }
                }
            }
        }
        try layer.close()
        #expect(VHDX.dump(file).flatMap(\.problems) == [])
    }
}
