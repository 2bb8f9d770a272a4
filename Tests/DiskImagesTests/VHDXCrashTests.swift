import DiskImages
import Files
import Testing

/// Power cuts at every change of the file: what was not flushed is lost, kept, or torn at sectors of 512 bytes.
@Suite("VHDX after a power cut")
struct VHDXCrashTests {
    enum Loss: CaseIterable { case all, none, allButLast, some }

    /// The file's states at every cut: what was flushed for sure, what came after as far as `loss` leaves it.
    static func cuts(
        _ before: VHDXPages, _ changes: [VHDXMemoryFile.Change], seed: UInt64,
        _ body: (_ changes: Int, _ loss: Loss, VHDXPages) throws -> Void
    ) throws {
        var random = VHDXRandom(seed: seed)
        var durable = before
        var pending: [VHDXMemoryFile.Change] = []
        for index in 0...changes.count {
            for loss in Loss.allCases {
                if pending.isEmpty, loss != .all { continue }
                var state = durable
                switch loss {
                case .all: break
                case .none: for change in pending { apply(change, &state) { true } }
                case .allButLast: apply(pending[pending.count - 1], &state) { true }
                case .some: for change in pending { apply(change, &state) { random.next() % 2 == 0 } }
                }
                try body(index, loss, state)
            }
            guard index < changes.count else { return }
            if case .flush = changes[index] {
                for change in pending { apply(change, &durable) { true } }
                pending = []
            } else {
                pending.append(changes[index])
            }
        }
    }

    static func apply(_ change: VHDXMemoryFile.Change, _ pages: inout VHDXPages, _ survives: () -> Bool) {
        switch change {
        case .write(let at, let bytes):
            bytes.withUnsafeBytes { bytes in
                // Large writes are torn in pieces of 16 sectors, to be quick.
                // Headers are torn anywhere: their fields all lie in one sector.
                let unit = at < 1 << 20 ? 16 : bytes.count > 65_536 ? 8192 : 512
                for start in stride(from: 0, to: bytes.count, by: unit) where survives() {
                    pages.write(
                        UnsafeRawBufferPointer(rebasing: bytes[start..<min(bytes.count, start + unit)]),
                        at: at + Int64(start))
                }
            }
        case .clear(let range): if survives() { pages.clear(range) }
        case .truncate(let size): if survives() { pages.truncate(to: max(size, pages.size)) }
        case .flush: break
        }
    }

    /// What each sector may hold after a cut: what it had at the last completed flush, or anything written since.
    struct Promise {
        var flushed: [UInt8?]
        var since: [Int: [UInt8?]] = [:]
        func allows(_ values: [UInt8?]) -> Int? {
            guard values.count == flushed.count else { return -1 }
            return values.indices.first { index in
                values[index] != flushed[index] && !(since[index]?.contains(values[index]) ?? false)
            }
        }
    }

    struct Shape: Sendable {
        var kind: NewImage.Kind
        var sector: Int
        var block: Int64
        var seed: UInt64
    }

    @Test(
        "what was flushed is there, and each sector written since is old or new",
        arguments: [
            Shape(kind: .differencing(vhdxParent), sector: 512, block: 1 << 20, seed: 1),
            Shape(kind: .differencing(vhdxParent), sector: 512, block: 2 << 20, seed: 2),
            Shape(kind: .differencing(vhdxParent), sector: 4096, block: 1 << 20, seed: 3),
            Shape(kind: .dynamic, sector: 512, block: 1 << 20, seed: 4),
            Shape(kind: .fixed, sector: 512, block: 1 << 20, seed: 5),
        ])
    func content(_ shape: Shape) throws {
        let size: Int64 = 2 << 20 | 4096
        let image = try vhdxImage(size: size, sector: shape.sector, block: shape.block, kind: shape.kind)
        let file = VHDXMemoryFile(image, records: true)
        let layer = try VHDXLayer(file: file, writable: true, guids: SequentialGUIDs(seed: 100 + shape.seed))
        let original = layer.dataWriteGUID
        var random = VHDXRandom(seed: shape.seed)
        var differencing = false
        if case .differencing = shape.kind { differencing = true }
        let sectors = Int(size) / shape.sector
        let untouched: UInt8? = differencing ? nil : 0
        var now = [UInt8?](repeating: untouched, count: sectors)
        var promise = Promise(flushed: now)
        /// What holds from so many changes on: of a step that begins, behind that many; of a flush that ended, with them.
        var promises: [(changes: Int, ended: Bool, Promise)] = []
        for step in 1...28 {
            let first = Int.random(in: 0..<sectors, using: &random)
            var range = first..<min(sectors, first + Int.random(in: 1...40, using: &random))
            let action = random.next() % 10
            if action % 2 == 0 {
                let perBlock = Int(shape.block) / shape.sector
                range = first / perBlock * perBlock..<min(sectors, (first / perBlock + 1) * perBlock)
            }
            let value: UInt8? = action < 7 ? UInt8(step) : 0
            if action < 9 {
                for sector in range {
                    now[sector] = value
                    promise.since[sector, default: []].append(value)
                }
            }
            promises.append((file.changes.count, false, promise))
            let offset = Int64(range.lowerBound * shape.sector)
            switch action {
            case ..<7: try layer.write([UInt8](repeating: UInt8(step), count: range.count * shape.sector), at: offset)
            case ..<9: try layer.discard(offset..<Int64(range.upperBound * shape.sector))
            default:
                try layer.flush()
                promise = Promise(flushed: now)
                promises.append((file.changes.count, true, promise))
            }
        }
        promises.append((file.changes.count, false, promise))
        try layer.close()
        promises.append((file.changes.count, true, Promise(flushed: now)))

        var checked = 0
        try Self.cuts(image, file.changes, seed: shape.seed) { changes, loss, state in
            let place = "seed \(shape.seed), \(changes) changes, loss \(loss)"
            checked += 1
            let left = VHDXMemoryFile(state)
            let reader = try VHDXLayer(file: left, writable: false, guids: SequentialGUIDs(seed: 1))
            let values = try reader.sectorValues()
            let promise = promises.last { $0.changes < changes || ($0.changes == changes && $0.ended) } ?? promises[0]
            let wrong = promise.2.allows(values)
            #expect(wrong == nil, "\(place): sector \(wrong ?? -1)")
            // Children that name the data as it was must not take it for that.
            if values.contains(where: { $0 != untouched }) { #expect(reader.dataWriteGUID != original, "\(place)") }
            guard checked % 11 == 0 else { return }
            let again = try VHDXLayer(file: left, writable: true, guids: SequentialGUIDs(seed: 77))
            #expect(try again.sectorValues() == values, "\(place): opened for writing")
            try again.write([UInt8](repeating: 200, count: shape.sector), at: 0)
            try again.write([UInt8](repeating: 201, count: shape.sector), at: 2 << 20)
            try again.close()
            var expected = values
            (expected[0], expected[(2 << 20) / shape.sector]) = (200, 201)
            #expect(
                try VHDXLayer(file: left, writable: false, guids: SequentialGUIDs(seed: 1)).sectorValues() == expected,
                "\(place): written again")
            #expect(VHDX.dump(left).flatMap(\.problems) == [], "\(place)")
        }
        #expect(checked > 60)
    }

    @Test("a cut while the disk is resized or gets a new parent leaves the old or the new, and every byte")
    func structure() throws {
        // 126 GiB take 1008 KiB of the table; 200 GiB need a second MiB, so that the table moves.
        let sizes: [Int64] = [126 << 30, (127 << 30) + 512, 200 << 30, 2 << 30]
        let block: Int64 = 1 << 20
        let image = try vhdxImage(size: sizes[0], block: block, kind: .differencing(vhdxParent))
        let file = VHDXMemoryFile(image, records: true)
        let layer = try VHDXLayer(file: file, writable: true, guids: SequentialGUIDs(seed: 1))
        try layer.write([UInt8](repeating: 5, count: 4096), at: 4096)
        try layer.write([UInt8](repeating: 6, count: Int(block)), at: 3 * block)
        try layer.flush()
        let start = file.changes.count
        let moved = ParentReference(
            linkage: [GUID("AAAAAAAA-2222-4333-8444-555555555555")!],
            paths: ["relative_path": ".\\" + String(repeating: "a folder\\", count: 600) + "b.vhdx"])
        var ends: [Int] = []
        for size in sizes[1...] {
            try layer.resize(to: size)
            ends.append(file.changes.count)
        }
        try layer.setParent(moved)
        ends.append(file.changes.count)
        try layer.close()
        let states = sizes.map { ($0, vhdxParent) } + [(sizes[3], moved)]

        try Self.cuts(image, file.changes, seed: 3) { changes, loss, state in
            guard changes >= start else { return }
            let left = VHDXMemoryFile(state)
            let reader = try VHDXLayer(file: left, writable: false, guids: SequentialGUIDs(seed: 1))
            let done = ends.filter { $0 <= changes }.count
            let allowed = states[done...min(done + 1, states.count - 1)]
            #expect(
                allowed.contains { $0.0 == reader.size && $0.1 == reader.parent },
                "\(changes) changes, loss \(loss): \(reader.size)")
            let runs = try reader.runs(in: 0..<4 * block)
            #expect(runs.map(\.range.lowerBound) == [0, 4096, 8192, 3 * block], "\(changes) changes, loss \(loss)")
            #expect(try reader.content(4096..<8192) == [UInt8](repeating: 5, count: 4096))
            #expect(try reader.content(3 * block..<3 * block + 4096) == [UInt8](repeating: 6, count: 4096))
            let tail = try reader.runs(in: reader.size - 8 * block..<reader.size)
            // What was added is zeros, not the parent's.
            if reader.size != sizes[0], reader.size != sizes[3] { #expect(tail.map(\.place) == [.zero]) }
        }
        #expect(VHDX.dump(file).flatMap(\.problems) == [])
    }
}
