public import Files
import GRDB
import Synchronization

/// What a scrub read and found.
public struct ScrubFacts: Hashable, Sendable {
    public var blocks: Int64 = 0
    /// Read and verified, bytes.
    public var bytes: Int64 = 0
    /// Blocks that are not what was stored, in the order of disks and places.
    public var damage: [Damage] = []
    /// On volumes that are missing, bytes: not verified.
    public var unreachable: Int64 = 0
    /// Pages of the map that were mended from its other copy.
    public var mapPagesMended = 0
    /// Other structures that are not as they should be.
    public var findings: [Finding] = []
}

/// One part of a scrub: blocks of a leaf that no older version of it has.
private struct ScrubWork: Sendable {
    var key: LeafKey
    var entries: [(index: Int, entry: BlockEntry)]
}

/// Hands out all blocks once, in the order of the map.
private final class ScrubFeed: Sendable {
    private struct State {
        var next: Int64
        var last: LeafVersion?
        var ready: [ScrubWork] = []
        var isDone = false
    }
    private static let together = 64
    private let map: Map
    private let state: Mutex<State>

    init(map: Map, from next: Int64) {
        self.map = map
        state = Mutex(State(next: next))
    }

    /// Everything before this key has been handed out.
    var position: Int64 { state.withLock { $0.next } }

    func next() throws(StorageFault) -> ScrubWork? {
        try state.withLock { (state) throws(StorageFault) -> ScrubWork? in
            while state.ready.isEmpty, !state.isDone {
                let from = state.next
                let versions = try map.read { try $0.leaves(in: from...Int64.max, limit: Self.together) }
                guard let end = versions.last else {
                    state.isDone = true
                    break
                }
                state.next = end.key.id + 1
                var works: [ScrubWork] = []
                for version in versions {
                    let before = state.last.flatMap { $0.key.first == version.key.first ? $0.leaf : nil } ?? .zero
                    let entries = (0..<Leaf.count).map { ($0, version.leaf[$0]) }
                        .filter { !$0.1.location.isNone && $0.1.location != before[$0.0].location }
                    if !entries.isEmpty { works.append(ScrubWork(key: version.key, entries: entries)) }
                    state.last = version
                }
                state.ready = works.reversed()
            }
            return state.ready.popLast()
        }
    }
}

extension Pool {
    /// Reads every stored block once and compares it with its checksum; verifies the map in both its copies and mends one from the
    /// other. Backups and recoveries go on meanwhile. What is damaged is remembered: the next synchronization stores it anew where the
    /// source still has it.
    /// - Parameters:
    ///   - resume: goes on where the last scrub was interrupted.
    ///   - pace: called with the bytes read since the last call; it may wait, to spare the disks.
    public func scrub(
        resume: Bool = false, workers: Int = Workers.count(), pace: (@Sendable (Int64) -> Void)? = nil,
        progress: ProgressReport? = nil
    ) throws(StorageFault) -> ScrubFacts {
        var facts = ScrubFacts()
        let structures = try parts.map.read { db in
            (
                from: resume ? try db.integer("SELECT next FROM scrub") ?? 0 : 0,
                total: try db.integer("SELECT sum(live) FROM segment") ?? 0
            )
        }
        facts.mapPagesMended = try scrubMap(&facts.findings)
        facts.findings += try Structures.findings(parts)
        let feed = ScrubFeed(map: parts.map, from: structures.from)
        let found = Mutex<(blocks: Int64, bytes: Int64, unreachable: Int64, places: [DamagePlace])>((0, 0, 0, []))
        let saved = Mutex<Int64>(0)
        try Workers.run(workers) { (_, halt) throws(StorageFault) in
            let reader = BlockReader(segments: self.parts.segments, block: Int(self.parts.block))
            while !halt.isRaised {
                let position = feed.position
                guard let work = try feed.next() else { break }
                let (bytes, unreachable, places) = try self.verify(work, reader)
                let done = found.withLock { found in
                    found.blocks += Int64(work.entries.count)
                    found.bytes += bytes
                    found.unreachable += unreachable
                    found.places += places
                    return found.bytes
                }
                pace?(bytes)
                progress?(min(done, structures.total), structures.total)
                // Half a GiB apart: an interrupted scrub repeats that much.
                let isDue = saved.withLock { saved in
                    guard done - saved >= 1 << 29 else { return false }
                    saved = done
                    return true
                }
                if isDue, self.isWritable {
                    try self.parts.map.write {
                        try $0.run("INSERT OR REPLACE INTO scrub VALUES(1, ?)", max(0, position - 1))
                    }
                }
            }
        }
        let (blocks, bytes, unreachable, places) = found.withLock { $0 }
        (facts.blocks, facts.bytes, facts.unreachable) = (blocks, bytes, unreachable)
        facts.damage = try remember(places)
        return facts
    }

    private func verify(
        _ work: ScrubWork, _ reader: BlockReader
    ) throws(StorageFault) -> (bytes: Int64, unreachable: Int64, places: [DamagePlace]) {
        var bytes: Int64 = 0
        var unreachable: Int64 = 0
        var places: [DamagePlace] = []
        var rest = work.entries[...]
        var wasRetried = false
        while !rest.isEmpty {
            do throws(BadBlock) {
                try reader.verify(rest.map { $0.entry })
                bytes += rest.reduce(0) { $0 + $1.entry.location.span }
                rest = []
            } catch {
                let bad = rest[rest.startIndex + error.index]
                if !wasRetried {
                    // The segment's file may be another one by now, or the state may have been pruned under the scrub.
                    wasRetried = true
                    parts.segments.forget(bad.entry.location.segment)
                    continue
                }
                if let fault = error.fault, fault.id == "POOL-VOLUME" {
                    unreachable += bad.entry.location.span
                } else if let fault = error.fault, fault.kind != .missing, fault.kind != .damaged, fault.kind != .device
                {
                    throw fault
                } else {
                    let place = DamagePlace(
                        disk: work.key.disk, leaf: work.key.leaf, index: bad.index, entry: bad.entry)
                    if try isStillThere(place, work.key) { places.append(place) }
                }
                bytes += rest[..<(rest.startIndex + error.index)].reduce(0) { $0 + $1.entry.location.span }
                rest = rest[(rest.startIndex + error.index + 1)...]
            }
        }
        return (bytes, unreachable, places)
    }

    private func isStillThere(_ place: DamagePlace, _ key: LeafKey) throws(StorageFault) -> Bool {
        try parts.map.read { db in
            try db.leaves(in: key.first...key.first + LeafKey.epochLimit - 1, limit: Int.max).contains {
                $0.leaf[place.index].location == place.entry.location
            }
        }
    }

    private func remember(_ places: [DamagePlace]) throws(StorageFault) -> [Damage] {
        let sorted = places.sorted { ($0.disk, $0.leaf, $0.index) < ($1.disk, $1.leaf, $1.index) }
        if isWritable {
            try parts.map.write { db in
                try db.run("DELETE FROM scrub")
                for place in sorted {
                    let key = place.entry.location.marked(shared: false)
                    try db.run(
                        "INSERT OR IGNORE INTO damaged VALUES(?, ?, ?, ?)", Int64(bitPattern: key.bits), place.disk,
                        place.leaf,
                        Int64(place.index))
                }
            }
        }
        return try parts.map.read { db in try sorted.compactMap { try db.damage($0, block: parts.block) } }
    }

    /// Verifies the map's pages; those that can be mended are, where the pool may be written.
    private func scrubMap(_ findings: inout [Finding]) throws(StorageFault) -> Int {
        let map = try MapFile.verify(parts.map.queue, repair: isWritable)
        findings += Structures.findings(of: map, path: path, isMended: isWritable)
        return map.repaired
    }
}
