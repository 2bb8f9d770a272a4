import Files

/// What lies in a partition: the open, rightmost nodes of its index in memory, full ones in the file.
struct CartridgeIndex {
    /// Runs by level, lowest first. Those of a level lie before those of the levels below it.
    var levels: [[CartridgeRun]] = [[]]
    var end = CartridgeMark()
    /// Behind all it has stored in the file.
    var storedEnd = CartridgeLayout.dataStart

    /// Whether a run with the place `offset` becomes part of the last one, so that no room is needed.
    func takes(_ run: CartridgeRun) -> Bool { levels[0].last?.goes(on: run) ?? false }

    /// Appends what follows the end. There is room in the lowest level, or it merges.
    mutating func append(_ run: CartridgeRun) {
        if takes(run) {
            levels[0][levels[0].count - 1].count += run.count
        } else {
            levels[0].append(run)
        }
        end = run.end
        storedEnd = max(storedEnd, run.storedEnd(run.count))
    }

    /// The last run that begins at or before `target`, which lies before the end. Reads at most a node a level.
    func find(_ target: Int64, by key: CartridgeKey, _ nodes: CartridgeNodes) throws(StorageFault) -> CartridgeRun? {
        for level in levels.indices {
            guard var run = Self.last(in: levels[level], target, key) else { continue }
            for below in (0..<level).reversed() {
                guard let next = Self.last(in: try nodes.runs(of: run, level: below), target, key) else { return nil }
                run = next
            }
            return run
        }
        return nil
    }

    static func last(in runs: [CartridgeRun], _ target: Int64, _ key: CartridgeKey) -> CartridgeRun? {
        let index = after(runs, target, key)
        return index > 0 ? runs[index - 1] : nil
    }

    /// The number of runs that begin at or before `target`.
    private static func after(_ runs: [CartridgeRun], _ target: Int64, _ key: CartridgeKey) -> Int {
        var (low, high) = (0, runs.count)
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].key(key) <= target { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The index of the first `count` objects, with the last of them in open nodes.
    func cut(to count: Int64, _ nodes: CartridgeNodes) throws(StorageFault) -> CartridgeIndex {
        var cut = CartridgeIndex()
        guard count > 0 else { return cut }
        let target = count - 1
        guard let top = levels.indices.first(where: { Self.last(in: levels[$0], target, .object) != nil }) else {
            return cut
        }
        cut.levels = levels
        for level in 0..<top { cut.levels[level] = [] }
        var runs = levels[top]
        for level in (0...top).reversed() {
            let kept = Self.after(runs, target, .object)
            guard kept > 0 else { throw nodes.nonsense(runs.first) }
            let last = runs[kept - 1]
            if level > 0 {
                cut.levels[level] = Array(runs[..<(kept - 1)])
                runs = try nodes.runs(of: last, level: level - 1)
            } else {
                var shorter = last
                shorter.count = min(last.count, count - last.object)
                cut.levels[0] = runs[..<(kept - 1)] + [shorter]
                cut.end = shorter.end
                cut.storedEnd = shorter.storedEnd(shorter.count)
            }
        }
        return cut
    }
}

/// The full nodes in a cartridge's file, the newest read of them in memory: at most 64, a MiB together. One thread at a time.
final class CartridgeNodes {
    private static let limit = 64
    private let file: any StoreFile
    private let seed: UInt32
    let partition: Int
    private var cache: [Int64: (runs: [CartridgeRun], used: UInt64)] = [:]
    private var uses: UInt64 = 0
    private let buffer = Buffer(count: CartridgeNode.size)
    /// Nodes read from the file so far.
    private(set) var reads = 0
    /// Nodes whose first copy was damaged and whose second was not, since it was last set to 0.
    var mended = 0
    /// The objects of the node that last could not be read.
    private(set) var lost: Range<Int64>?

    init(_ file: any StoreFile, seed: UInt32, partition: Int) {
        (self.file, self.seed, self.partition) = (file, seed, partition)
    }

    func forget() { cache.removeAll(keepingCapacity: true) }

    func nonsense(_ run: CartridgeRun?) -> StorageFault {
        .cartridgeIndex(file.path, (run?.object ?? 0)..<(run?.object ?? 0) + 1, "an entry leads nowhere")
    }

    /// The runs of the node that `parent` points to.
    func runs(of parent: CartridgeRun, level: Int) throws(StorageFault) -> [CartridgeRun] {
        uses += 1
        if let found = cache[parent.offset] {
            cache[parent.offset]?.used = uses
            return found.runs
        }
        var problem = ""
        for copy in 0..<CartridgeNode.copies {
            switch try self.copy(copy, of: parent, level: level) {
            case .success(let runs):
                if copy > 0 { mended += 1 }
                remember(parent.offset, runs)
                return runs
            case .failure(let fault): problem = fault.text
            }
        }
        lost = parent.object..<parent.object + parent.count
        throw .cartridgeIndex(file.path, parent.object..<parent.object + parent.count, problem)
    }

    struct Problem: Error { var text: String }

    /// One copy of a node, held against what its parent says of it.
    func copy(_ copy: Int, of parent: CartridgeRun, level: Int) throws(StorageFault) -> Result<[CartridgeRun], Problem>
    {
        reads += 1
        do throws(StorageFault) {
            try file.readFully(into: buffer.bytes, at: parent.offset + Int64(copy * CartridgeNode.size))
        } catch {
            guard error.isOfMedium else { throw error }
            return .failure(Problem(text: error.cause))
        }
        let (node, problem) = CartridgeNode.decoded(UnsafeRawBufferPointer(buffer.bytes), seed: seed)
        guard let node else { return .failure(Problem(text: problem ?? "it cannot be read")) }
        guard node.crc == parent.stamp, node.level == level, node.partition == partition,
            node.runs[0].start == parent.start
        else { return .failure(Problem(text: "another node lies in its place")) }
        // Counts of files and bytes at its end are the next node's affair; they only have to be sane.
        var end = CartridgeMark(
            object: parent.object + parent.count, file: CartridgeLayout.absurd, native: CartridgeLayout.absurd)
        if level == 0, let last = node.runs.last, last.count <= CartridgeLayout.absurd / Int64(max(last.length, 1)) {
            end = CartridgeMark(object: end.object, file: last.end.file, native: last.end.native)
        }
        if let problem = CartridgeNode.problem(
            node.runs, level: level, from: parent.start, to: end, limit: parent.offset)
        {
            return .failure(Problem(text: problem))
        }
        return .success(node.runs)
    }

    private func remember(_ offset: Int64, _ runs: [CartridgeRun]) {
        if cache.count >= Self.limit, let oldest = cache.min(by: { $0.value.used < $1.value.used }) {
            cache[oldest.key] = nil
        }
        cache[offset] = (runs, uses)
    }
}

extension StorageFault {
    /// Whether the medium is at fault in a place, so that other places can still be read.
    var isOfMedium: Bool { id == "FILE-IO" || id == "FILE-SHORT" }
}
