import DiskImages
import Files
import Synchronization
import Testing

/// A file in memory that knows what a power cut may leave of it: what was flushed, and any sectors of what was not.
private final class CuttableFile: StoreFile {
    enum Change {
        case write(Int, [UInt8])
        case truncate(Int)
        case punch(Range<Int>)
    }
    struct Moment {
        var durable: [UInt8]
        var pending: [Change]
    }
    private struct State {
        var bytes: [UInt8]
        var moment: Moment
        var moments: [Moment] = []
    }
    let path = "file"
    private let state: Mutex<State>

    init(_ bytes: [UInt8] = []) {
        state = Mutex(State(bytes: bytes, moment: Moment(durable: bytes, pending: [])))
    }

    /// The states since the last call, in which the power may have been cut.
    func takeMoments() -> [Moment] {
        state.withLock { state in
            defer { state.moments = [] }
            return state.moments + [state.moment]
        }
    }

    /// One of the files that a cut may leave: whole changes in their order up to some point, or any sectors of any.
    static func cut(_ moment: Moment, _ numbers: inout Probe.Numbers) -> [UInt8] {
        var bytes = moment.durable
        let inOrder = numbers.below(2) == 0
        let last = numbers.below(moment.pending.count + 1)
        for (index, change) in moment.pending.enumerated() {
            if inOrder, index >= last { break }
            guard !inOrder, case .write(let offset, let content) = change else {
                if inOrder || numbers.below(2) == 0 { apply(change, to: &bytes) }
                continue
            }
            for start in stride(from: 0, to: content.count, by: 512) where numbers.below(2) == 0 {
                let piece = Array(content[start..<min(start + 512, content.count)])
                apply(.write(offset + start, piece), to: &bytes)
            }
        }
        return bytes
    }

    private static func apply(_ change: Change, to bytes: inout [UInt8]) {
        switch change {
        case .write(let offset, let content):
            if bytes.count < offset + content.count {
                bytes += [UInt8](repeating: 0, count: offset + content.count - bytes.count)
            }
            bytes.replaceSubrange(offset..<offset + content.count, with: content)
        case .truncate(let size):
            if size < bytes.count {
                bytes.removeLast(bytes.count - size)
            } else {
                bytes += [UInt8](repeating: 0, count: size - bytes.count)
            }
        case .punch(let range):
            let inside = range.clamped(to: 0..<bytes.count)
            bytes.replaceSubrange(inside, with: repeatElement(0, count: inside.count))
        }
    }

    private func make(_ change: Change) {
        state.withLock { state in
            Self.apply(change, to: &state.bytes)
            state.moment.pending.append(change)
            if state.moment.pending.count % 3 == 0 { state.moments.append(state.moment) }
        }
    }

    func size() throws(StorageFault) -> Int64 { state.withLock { Int64($0.bytes.count) } }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) -> Int {
        state.withLock { state in
            let range = (Int(offset)..<Int(offset) + buffer.count).clamped(to: 0..<state.bytes.count)
            guard Int(offset) < state.bytes.count else { return 0 }
            buffer.copyBytes(from: state.bytes[range])
            return range.count
        }
    }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        make(.write(Int(offset), Array(bytes)))
    }
    func truncate(to size: Int64) throws(StorageFault) { make(.truncate(Int(size))) }
    func punch(_ range: Range<Int64>) throws(StorageFault) {
        make(.punch(Int(range.lowerBound)..<Int(range.upperBound)))
    }
    func reserve(_ range: Range<Int64>) throws(StorageFault) {}
    func flush() throws(StorageFault) {
        state.withLock { state in
            state.moments.append(state.moment)
            state.moment = Moment(durable: state.bytes, pending: [])
        }
    }
    func writeSoon(_ range: Range<Int64>) {}
    func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>? {
        let size = try size()
        return offset < size ? offset..<size : nil
    }
    func allocated() throws(StorageFault) -> Int64 { try size() }
    func lock(exclusive: Bool, wait: Bool) throws(StorageFault) -> Bool { true }
    func unlock() throws(StorageFault) {}
    func close() {}
}

enum CutKind: CaseIterable { case fixed, dynamic, differencing }

@Suite("a power cut while a VHD is changed") struct VHDCrashTests {
    private let blockSize: Int64 = 16_384

    /// The tag every sector of a disk is filled with; the parent's have tags of their own.
    private func tags(_ image: [UInt8], parent: Bool, _ note: String) throws -> (tags: [UInt64], layer: VHDLayer) {
        let layer = try VHDLayer(file: CuttableFile(image), writable: false, guids: SequentialGUIDs(seed: 1))
        var tags = [UInt64](repeating: 0, count: Int(layer.size / 512))
        for run in try layer.runs(in: 0..<layer.size) {
            let sectors = Int(run.range.lowerBound / 512)..<Int(run.range.upperBound / 512)
            switch run.place {
            case .zero: break
            case .parent: for sector in sectors { tags[sector] = parent ? 1_000_000 + UInt64(sector) : 0 }
            case .here:
                var bytes = [UInt8](repeating: 0, count: run.range.count)
                try bytes.withUnsafeMutableBytes { try layer.read(into: $0, of: run) }
                for sector in sectors {
                    let at = (sector - sectors.lowerBound) * 512
                    let tag: UInt64 = bytes.little(at: at)
                    try #require(tag == bytes.little(at: at + 504), "\(note): sector \(sector) is torn")
                    tags[sector] = tag
                }
            }
        }
        return (tags, layer)
    }

    private func sectorsOf(_ tag: UInt64, _ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count * 512)
        for at in stride(from: 0, to: bytes.count, by: 8) { bytes.putLittle(tag, at: at) }
        return bytes
    }

    @Test(
        "leaves a disk that opens, with what was flushed and nothing that was never there", arguments: CutKind.allCases,
        [11, 12] as [UInt64])
    func cuts(kind: CutKind, seed: UInt64) throws {
        var numbers = Probe.Numbers(seed: seed)
        let guids = SequentialGUIDs(seed: seed)
        let isChild = kind == .differencing
        var parents = [guids.next()]
        let imageKind: NewImage.Kind =
            switch kind {
            case .fixed: .fixed
            case .dynamic: .dynamic
            case .differencing: .differencing(ParentReference(linkage: [parents[0]], paths: ["W2ru": ".\\p0"]))
            }
        let file = CuttableFile()
        let writer = try VHD.create(
            NewImage(format: .vhd, kind: imageKind, size: 200 * 512, blockSize: blockSize), file: file, guids: guids,
            created: 1)
        try writer.finish()
        for moment in file.takeMoments().dropLast() where !moment.pending.isEmpty {
            // An unfinished file is none, or already whole.
            let image = CuttableFile.cut(moment, &numbers)
            if try VHD.isVHD(CuttableFile(image)) { _ = try tags(image, parent: isChild, "unfinished") }
        }
        let layer = try VHDLayer(file: file, writable: true, guids: guids)
        // What each sector may hold after a cut: the last is what it holds now.
        var allowed: [[UInt64]] = (0..<200).map { [isChild ? 1_000_000 + UInt64($0) : 0] }
        var images = 0
        for step in 1...60 {
            let sectors = allowed.count
            let first = numbers.below(sectors)
            let range = first..<min(sectors, first + 1 + numbers.below(70))
            let bytes = Int64(range.lowerBound * 512)..<Int64(range.upperBound * 512)
            var sizes = [sectors]
            var grown: [UInt64] = []
            var flushed = false
            switch numbers.below(12) {
            case 0..<6:
                try sectorsOf(UInt64(step), range.count).withUnsafeBytes { try layer.write($0, at: bytes.lowerBound) }
                for sector in range { allowed[sector].append(UInt64(step)) }
            case 6..<8:
                try layer.discard(bytes)
                for sector in range { allowed[sector].append(0) }
            case 8, 9:
                try layer.flush()
                flushed = true
            case 10:
                let size = 150 + numbers.below(300)
                guard size != sectors else { continue }
                try layer.resize(to: Int64(size) * 512)
                sizes.append(size)
                grown = (0..<size).map { isChild ? 1_000_000 + UInt64($0) : 0 }
            default:
                guard isChild else { continue }
                parents.append(guids.next())
                try layer.setParent(
                    ParentReference(linkage: [parents.last!], paths: ["W2ru": ".\\p\(parents.count)"]))
            }
            let moments = file.takeMoments()
            for moment in moments + moments {
                let image = CuttableFile.cut(moment, &numbers)
                images += 1
                try check(image, kind, "seed \(seed), step \(step)", allowed, sizes, grown, parents, &numbers)
            }
            if flushed { allowed = allowed.map { [$0.last!] } }
            if let size = sizes.dropFirst().first {
                allowed = (0..<size).map { $0 < sectors ? [allowed[$0].last!] : [grown[$0]] }
            }
        }
        #expect(images > 100, "only \(images) cuts were tried")
    }

    private func check(
        _ image: [UInt8], _ kind: CutKind, _ note: String, _ allowed: [[UInt64]], _ sizes: [Int], _ grown: [UInt64],
        _ parents: [GUID], _ numbers: inout Probe.Numbers
    ) throws {
        let isChild = kind == .differencing
        let (found, layer) = try tags(image, parent: isChild, note)
        try #require(sizes.contains(found.count), "\(note): \(found.count) sectors")
        if isChild {
            let known = parents.suffix(2)
            try #require(layer.parent.map { known.contains($0.linkage[0]) } ?? false, "\(note): the parent is neither")
        }
        for (sector, tag) in found.enumerated() {
            let may = sector < allowed.count ? allowed[sector] : [grown[sector]]
            try #require(may.contains(tag), "\(note): sector \(sector) holds \(tag), not one of \(may)")
        }
        // The next session begins well.
        let file = CuttableFile(image)
        let next = try VHDLayer(file: file, writable: true, guids: SequentialGUIDs(seed: 3))
        let sector = numbers.below(found.count)
        try sectorsOf(99_999, 1).withUnsafeBytes { try next.write($0, at: Int64(sector) * 512) }
        try next.flush()
        let after = try tags(file.takeMoments().last!.durable, parent: isChild, note).tags
        var expected = found
        expected[sector] = 99_999
        #expect(after == expected, "\(note): after a write in the next session")
    }
}
