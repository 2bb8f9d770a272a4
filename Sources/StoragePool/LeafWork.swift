import DiskImages
import Files
import GRDB
import Synchronization

/// A disk while it is synchronized.
struct DiskWork: Sendable {
    var id: Int64
    var name: String
    var device: any BlockDevice
    var changes: DiskSource.Changes
    /// Bytes at the state before; 0 for a new disk.
    var oldSize: Int64
    /// Whether the map has any leaf of it.
    var isNew: Bool
}

/// One leaf to be looked at: some blocks are read from the source, others are known to be zeros there.
struct LeafWork: Sendable {
    var disk: Int
    var leaf: Int64
    /// Indices in the leaf, ascending, disjoint.
    var read: [Range<Int>]
    var clear: [Range<Int>]
    var base: Leaf?
}

/// Hands out the leaves of a synchronization in the order of the disks, one to a worker at a time, with what the replica holds.
final class LeafFeed: Sendable {
    /// Bytes of source that the work will read; counted ahead for lists of changes, an estimate otherwise.
    let total: Int64

    private struct State {
        var disk = 0
        /// The first leaf of the current disk not looked at yet.
        var leaf: Int64 = 0
        /// The first changed run not handed out yet, for a list of changes.
        var run = 0
        var ready: [LeafWork] = []
    }

    private let disks: [DiskWork]
    /// Block runs of each disk with a list of changes: sorted, disjoint, not touching.
    private let runs: [[Range<Int64>]?]
    private let block: Int64
    private let epoch: Int64
    private let map: Map
    private let state = Mutex(State())
    /// Leaves looked at together: 768 MiB of disk in blocks of 64 KiB.
    private static let window: Int64 = 64

    /// - Parameter epoch: the state the disks are compared with.
    init(disks: [DiskWork], block: Int64, epoch: Int64, map: Map) throws(StorageFault) {
        (self.disks, self.block, self.epoch, self.map) = (disks, block, epoch, map)
        var total: Int64 = 0
        var all: [[Range<Int64>]?] = []
        for disk in disks {
            switch disk.changes {
            case .everything:
                all.append(nil)
                total += disk.device.size
            case .ranges(let ranges):
                let runs = Self.blockRuns(ranges, of: disk, block: block)
                all.append(runs)
                total += runs.reduce(0) { $0 + $1.upperBound - $1.lowerBound } * block
            }
        }
        (runs, self.total) = (all, total)
    }

    /// The next leaf, nil when all are handed out.
    func next() throws(StorageFault) -> LeafWork? {
        try state.withLock { (state) throws(StorageFault) -> LeafWork? in
            while state.ready.isEmpty, state.disk < disks.count {
                state.ready = try fill(&state).reversed()
            }
            return state.ready.popLast()
        }
    }

    private func fill(_ state: inout State) throws(StorageFault) -> [LeafWork] {
        let index = state.disk
        var works = if let runs = runs[index] { changed(runs, index, &state) } else { try everything(index, &state) }
        guard !disks[index].isNew else { return works }
        let numbers = works.map { $0.leaf }
        let id = disks[index].id
        let bases = try map.read { db in
            try numbers.map { try db.leaf(disk: id, number: $0, asOf: epoch)?.leaf }
        }
        for place in works.indices { works[place].base = bases[place] }
        return works
    }

    // MARK: A list of changes

    /// Blocks that `ranges` touch, with those at the old and the new end if the disk's size changed.
    private static func blockRuns(_ ranges: [Range<Int64>], of disk: DiskWork, block: Int64) -> [Range<Int64>] {
        let size = disk.device.size
        var touched = ranges.map { $0.clamped(to: 0..<size) }
        if disk.oldSize != size {
            for end in [disk.oldSize, size] where end > 0 && end <= size { touched.append(end - 1..<end) }
            // Whatever lay beyond the new end is gone, also if the disk grows again.
            if disk.oldSize > size { touched.append(size..<disk.oldSize) }
        }
        let blocks = touched.filter { !$0.isEmpty }
            .map { $0.lowerBound / block..<($0.upperBound + block - 1) / block }
            .sorted { $0.lowerBound < $1.lowerBound }
        return blocks.reduce(into: []) { runs, run in
            if let last = runs.last, run.lowerBound <= last.upperBound {
                runs[runs.count - 1] = last.lowerBound..<max(last.upperBound, run.upperBound)
            } else {
                runs.append(run)
            }
        }
    }

    private func changed(_ runs: [Range<Int64>], _ index: Int, _ state: inout State) -> [LeafWork] {
        var works: [LeafWork] = []
        let count = Int64(Leaf.count)
        let end = (disks[index].device.size + block - 1) / block
        while state.run < runs.count {
            let run = runs[state.run]
            // Where in a long run the last call stopped.
            let from = max(run.lowerBound, state.leaf * count)
            let leaf = from / count
            if works.last?.leaf != leaf {
                if works.count == Int(Self.window) { return works }
                works.append(LeafWork(disk: index, leaf: leaf, read: [], clear: []))
            }
            let to = min(run.upperBound, (leaf + 1) * count)
            let base = leaf * count
            let inside = min(to, max(end, from))
            if from < inside { works[works.count - 1].read.append(Int(from - base)..<Int(inside - base)) }
            if inside < to { works[works.count - 1].clear.append(Int(inside - base)..<Int(to - base)) }
            if to == run.upperBound { state.run += 1 } else { state.leaf = leaf + 1 }
        }
        (state.disk, state.leaf, state.run) = (state.disk + 1, 0, 0)
        return works
    }

    // MARK: Everything

    private func everything(_ index: Int, _ state: inout State) throws(StorageFault) -> [LeafWork] {
        let disk = disks[index]
        let span = block * Int64(Leaf.count)
        let leaves = (max(disk.device.size, disk.oldSize) + span - 1) / span
        let first = state.leaf
        let end = min(first + Self.window, leaves)
        if end == leaves { (state.disk, state.leaf) = (state.disk + 1, 0) } else { state.leaf = end }
        guard first < end else { return [] }
        var works = (first..<end).map { LeafWork(disk: index, leaf: $0, read: [], clear: []) }
        let window = (first * span..<end * span).clamped(to: 0..<disk.device.size)
        for range in try disk.device.allocatedRanges(in: window) {
            var from = range.lowerBound / block
            let to = (range.upperBound + block - 1) / block
            while from < to {
                let leaf = from / Int64(Leaf.count)
                let part = min(to, (leaf + 1) * Int64(Leaf.count))
                let base = leaf * Int64(Leaf.count)
                let place = Int(leaf - first)
                var run = Int(from - base)..<Int(part - base)
                if let last = works[place].read.last, run.lowerBound <= last.upperBound {
                    run = last.lowerBound..<max(last.upperBound, run.upperBound)
                    works[place].read[works[place].read.count - 1] = run
                } else {
                    works[place].read.append(run)
                }
                from = part
            }
        }
        if disk.isNew { return works.filter { !$0.read.isEmpty } }
        let held = Set(
            try map.read { db in
                try db.leafNumbers(disk: disk.id, from: first, below: end, asOf: epoch, limit: Int(Self.window))
            })
        return works.filter { !$0.read.isEmpty || held.contains($0.leaf) }.map { work in
            var work = work
            work.clear = held.contains(work.leaf) ? Self.complement(of: work.read) : []
            return work
        }
    }

    private static func complement(of runs: [Range<Int>]) -> [Range<Int>] {
        let starts = [0] + runs.map { $0.upperBound }
        let ends = runs.map { $0.lowerBound } + [Leaf.count]
        return zip(starts, ends).filter { $0 < $1 }.map { $0..<$1 }
    }
}
