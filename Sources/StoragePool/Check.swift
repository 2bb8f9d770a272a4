public import Files
import GRDB

extension Pool {
    /// Checks every structure and every reference of the pool, reading only: the map's pages and trees, headers, each entry of each
    /// leaf, that no two blocks overlap, the lists of changes, and all that is counted against what is there. Blocks themselves are
    /// the scrub's. Nobody may change the pool meanwhile (`POOL-BUSY`); recovery points can be read.
    /// - Complexity: the map is read once for each 2 TiB of segments; 64 MiB and 8 bytes for each leaf version of a disk are held.
    public func check(progress: ProgressReport? = nil) throws(StorageFault) -> [Finding] {
        var locks: [any StoreFile] = []
        if isWritable {
            for datasource in try datasources() {
                locks.append(try parts.locks.datasource(datasource.id, name: datasource.name))
            }
        }
        defer { for lock in locks { lock.close() } }
        var findings = Structures.findings(
            of: try MapFile.verify(parts.map.queue, repair: false), path: path, isMended: false)
        findings += try Structures.findings(parts)
        findings += try parts.map.read { db in
            let lines = try String.fetchAll(db, sql: "PRAGMA integrity_check(20)")
            guard lines != ["ok"] else { return [] }
            return lines.map {
                Finding(Layout.map(path), $0, action: "Restore both files of the map from a copy of the first volume")
            }
        }
        guard findings.isEmpty || parts.segments.volumes.contains(where: { $0.isPresent }) else { return findings }
        let checker = Checker(parts)
        findings += try checker.run(progress)
        return findings
    }
}

/// Goes through the map and holds what it says in one place against what it says in others.
private final class Checker {
    /// Segments looked at in one pass: a bit for each unit of each.
    private static let passSegments: Int64 = 2_048
    private static let findingLimit = 1_000
    private let pool: PoolParts
    private var findings: [Finding] = []

    init(_ pool: PoolParts) { self.pool = pool }

    private func note(_ object: String, _ cause: String, action: String = "Run the pool's repair, and tell its makers")
    {
        if findings.count < Self.findingLimit { findings.append(Finding(object, cause, action: action)) }
    }

    func run(_ progress: ProgressReport?) throws(StorageFault) -> [Finding] {
        let datasources = try pool.map.read { db in
            try db.rows("SELECT id FROM datasource ORDER BY id").compactMap { try db.datasource($0[0] as Int64) }
        }
        let sessions = try pool.map.read { db in
            Dictionary(
                uniqueKeysWithValues: try db.rows("SELECT datasource, epoch FROM session").map {
                    ($0[0] as Int64, $0[1] as Int64)
                })
        }
        var uses: [Int64: Int64] = [:]
        for (index, datasource) in datasources.enumerated() {
            try check(datasource, session: sessions[datasource.id], &uses)
            progress?(Int64(index + 1), Int64(datasources.count))
        }
        try checkOrphans()
        findings += try pool.map.read { try Areas.findings($0) }
        try checkShares(uses)
        let highest = try pool.map.read { try $0.integer("SELECT max(number) FROM segment") } ?? -1
        var first: Int64 = 0
        while first <= highest {
            try checkSegments(first..<min(highest + 1, first + Self.passSegments))
            first += Self.passSegments
        }
        return findings
    }

    // MARK: A datasource

    private struct DiskRow {
        var id: Int64
        var name: String
        var born: Int64
        var died: Int64
        var sizes: [(epoch: Int64, bytes: Int64)]

        func size(at epoch: Int64) -> Int64? { sizes.last { $0.epoch <= epoch }?.bytes }
        func isAlive(at epoch: Int64) -> Bool { born <= epoch && epoch < died }
    }

    private func check(_ datasource: Datasource, session: Int64?, _ uses: inout [Int64: Int64]) throws(StorageFault) {
        let (states, disks, isDeleting) = try pool.map.read { db in
            let states = try db.rows(
                "SELECT epoch, occupied, stored, deleting FROM state WHERE datasource = ? ORDER BY epoch",
                datasource.id
            ).map {
                (epoch: $0[0] as Int64, occupied: $0[1] as Int64, stored: $0[2] as Int64, deleting: $0[3] as Int64)
            }
            let disks = try db.rows(
                "SELECT id, name, born, died FROM disk WHERE datasource = ? ORDER BY id", datasource.id
            )
            .map { row in
                DiskRow(
                    id: row[0], name: row[1], born: row[2], died: row[3] as Int64? ?? LeafKey.epochLimit,
                    sizes: try db.rows("SELECT epoch, bytes FROM size WHERE disk = ? ORDER BY epoch", row[0] as Int64)
                        .map { ($0[0], $0[1]) })
            }
            return (states, disks, try db.integer("SELECT deleting FROM datasource WHERE id = ?", datasource.id) == 1)
        }
        let name = "datasource \(datasource.name)"
        // What an interrupted removal left half done is not right yet, and nobody can read it.
        let isUnfinished = isDeleting || states.contains { $0.deleting != 0 }
        if datasource.head > 0, states.last?.epoch != datasource.head, !isDeleting {
            note(name, "its replica is state \(datasource.head), its last state \(states.last?.epoch ?? 0)")
        }
        var occupied = [Int64](repeating: 0, count: states.count)
        var stored = [Int64](repeating: 0, count: states.count)
        var born: Int64 = 0
        var held: Int64 = 0
        for disk in disks {
            try check(disk, of: datasource, session: session, states: states.map { $0.epoch }) { versions in
                for (index, state) in states.enumerated() where disk.isAlive(at: state.epoch) {
                    guard let seen = versions.last(where: { $0.key.epoch <= state.epoch }) else { continue }
                    occupied[index] += Int64(seen.occupied) * self.pool.block
                    stored[index] += seen.stored
                }
                for version in versions where version.key.epoch <= datasource.head {
                    born += version.bornBytes
                    held += Int64(version.bornBlocks) * self.pool.block
                    for location in version.bornShared { uses[Int64(bitPattern: location.bits), default: 0] += 1 }
                }
                // Uses counted by a session that has not ended.
                for version in versions where version.key.epoch > datasource.head {
                    for location in version.bornShared { uses[Int64(bitPattern: location.bits), default: 0] += 1 }
                }
            }
        }
        guard !isUnfinished else { return }
        for (index, state) in states.enumerated()
        where occupied[index] != state.occupied || stored[index] != state.stored {
            note(
                "recovery point \(state.epoch) of \(datasource.name)",
                "it is said to have \(state.occupied) bytes in \(state.stored) stored, but has \(occupied[index]) in \(stored[index])"
            )
        }
        if born != datasource.stored || held != datasource.held {
            note(
                name,
                "it is said to take \(datasource.stored) bytes for \(datasource.held), but takes \(born) for \(held)")
        }
    }

    /// What is kept of a leaf version while its leaf is checked.
    private struct Seen {
        var key: LeafKey
        var occupied: Int
        var stored: Int64
        var bornBytes: Int64
        var bornBlocks: Int
        var bornShared: [Location]
    }

    private func check(
        _ disk: DiskRow, of datasource: Datasource, session: Int64?, states: [Int64], _ body: ([Seen]) -> Void
    ) throws(StorageFault) {
        var keys: [Int64] = []
        var versions: [Seen] = []
        var last: LeafVersion?
        try eachLeaf(disk.id) { (version) throws(StorageFault) in
            keys.append(version.key.id)
            if let last, last.key.first != version.key.first {
                body(versions)
                versions = []
            }
            let before = last.flatMap { $0.key.first == version.key.first ? $0.leaf : nil } ?? .zero
            self.check(version, disk, datasource, session, states)
            var seen = Seen(key: version.key, occupied: 0, stored: 0, bornBytes: 0, bornBlocks: 0, bornShared: [])
            for index in 0..<Leaf.count {
                let location = version.leaf[index].location
                guard !location.isNone else { continue }
                seen.occupied += 1
                seen.stored += location.span
                if location != before[index].location {
                    seen.bornBytes += location.span
                    seen.bornBlocks += 1
                    if location.isShared { seen.bornShared.append(location) }
                }
            }
            versions.append(seen)
            last = version
        }
        if !versions.isEmpty { body(versions) }
        try checkChanges(disk, keys, datasource)
    }

    private func check(
        _ version: LeafVersion, _ disk: DiskRow, _ datasource: Datasource, _ session: Int64?, _ states: [Int64]
    ) {
        let key = version.key
        let name = "leaf \(key.leaf) of disk \(disk.name) of \(datasource.name) at epoch \(key.epoch)"
        if key.epoch > datasource.head, key.epoch != session { note(name, "no state and no session has this epoch") }
        if key.epoch < disk.born || key.epoch >= disk.died { note(name, "the disk did not exist then") }
        // The state that brought it may have been pruned; the first that sees it is what counts.
        let first = states.first { $0 >= key.epoch } ?? key.epoch
        let blocks = ((disk.size(at: first) ?? 0) + pool.block - 1) / pool.block
        for index in 0..<Leaf.count {
            let entry = version.leaf[index]
            if entry.location.isNone {
                if entry != .zero { note(name, "entry \(index) has a checksum but no place") }
                continue
            }
            if entry.location.unknownFlags != 0 || entry.location.length > Int(pool.block)
                || (!entry.location.isCompressed && entry.location.length != Int(pool.block))
            {
                note(name, "entry \(index) is malformed")
            }
            if key.leaf * Int64(Leaf.count) + Int64(index) >= blocks {
                note(name, "entry \(index) lies beyond the disk's end")
            }
        }
    }

    private func checkChanges(_ disk: DiskRow, _ keys: [Int64], _ datasource: Datasource) throws(StorageFault) {
        let listed = try pool.map.read { db in
            try db.rows("SELECT DISTINCT epoch FROM change WHERE disk = ? ORDER BY epoch", disk.id).flatMap { row in
                let epoch: Int64 = row[0]
                return try db.changedLeaves(disk: disk.id, epochs: epoch...epoch).map { (leaf: $0, epoch: epoch) }
            }
        }
        // A list may name a state later than its versions: lists are merged when a state between is pruned.
        let states = try pool.map.read { db in
            try db.rows("SELECT epoch FROM state WHERE datasource = ? ORDER BY epoch", datasource.id).map {
                $0[0] as Int64
            }
        }
        func interval(_ epoch: Int64) -> Int { states.firstIndex { $0 >= epoch } ?? states.count }
        let lists = Set(listed.map { Pair(leaf: $0.leaf, interval: interval($0.epoch)) })
        for id in keys {
            let key = LeafKey(id: id)
            if !lists.contains(Pair(leaf: key.leaf, interval: interval(key.epoch))) {
                note(
                    "leaf \(key.leaf) of disk \(disk.name) of \(datasource.name) at epoch \(key.epoch)",
                    "no list of changes names it")
            }
        }
    }

    private struct Pair: Hashable {
        var leaf: Int64
        var interval: Int
    }

    // MARK: The whole pool

    private func eachLeaf(
        _ disk: Int64?, _ body: (LeafVersion) throws(StorageFault) -> Void
    ) throws(StorageFault) {
        var next = disk.map { LeafKey(disk: $0, leaf: 0, epoch: 0).id } ?? 0
        let end =
            disk.map { LeafKey(disk: $0, leaf: LeafKey.leafLimit - 1, epoch: LeafKey.epochLimit - 1).id } ?? Int64.max
        while true {
            let from = next
            let versions = try pool.map.read { try $0.leaves(in: from...end, limit: 256) }
            for version in versions { try body(version) }
            guard let last = versions.last, last.key.id < end else { return }
            next = last.key.id + 1
        }
    }

    private func checkOrphans() throws(StorageFault) {
        let disks = Set(try pool.map.read { try $0.rows("SELECT id FROM disk").map { $0[0] as Int64 } })
        var last: Int64 = -1
        try eachLeaf(nil) { (version) throws(StorageFault) in
            if version.key.disk != last, !disks.contains(version.key.disk) {
                self.note("disk \(version.key.disk)", "it has leaves but no datasource")
            }
            last = version.key.disk
        }
    }

    private func checkShares(_ births: [Int64: Int64]) throws(StorageFault) {
        let (rows, pending) = try pool.map.read { db in
            (
                try db.rows("SELECT location, uses FROM share ORDER BY location").map {
                    ($0[0] as Int64, $0[1] as Int64)
                },
                try db.rows("SELECT start, count(*) FROM freed WHERE segment < 0 GROUP BY start").map {
                    ($0[0] as Int64, $0[1] as Int64)
                }
            )
        }
        var expected = births
        for (location, count) in pending { expected[location, default: 0] += count }
        for (location, uses) in rows where expected.removeValue(forKey: location) ?? 0 != uses {
            note(
                "shared block \(String(UInt64(bitPattern: location), radix: 16))",
                "its uses are counted wrongly (\(uses))")
        }
        for location in expected.keys.sorted() {
            note("shared block \(String(UInt64(bitPattern: location), radix: 16))", "it is used but not counted")
        }
    }

    /// That blocks lie inside their segments and do not overlap, and that live bytes are counted right.
    private func checkSegments(_ range: Range<Int64>) throws(StorageFault) {
        let rows = try pool.map.read { db in
            try db.rows(
                "SELECT number, tail, live FROM segment WHERE number >= ? AND number < ?", range.lowerBound,
                range.upperBound
            ).map { (number: $0[0] as Int64, tail: $0[1] as Int64, live: $0[2] as Int64) }
        }
        var tails: [Int64: Int64] = [:]
        for row in rows { tails[row.number] = row.tail }
        var maps: [Int64: UnitMap] = [:]
        var shared: Set<UInt64> = []
        let heads = try pool.map.read { db in
            Dictionary(
                uniqueKeysWithValues: try db.rows(
                    "SELECT d.id, s.head FROM disk d JOIN datasource s ON s.id = d.datasource"
                ).map { ($0[0] as Int64, $0[1] as Int64) })
        }
        var last: LeafVersion?
        try eachLeaf(nil) { (version) throws(StorageFault) in
            let before = last.flatMap { $0.key.first == version.key.first ? $0.leaf : nil } ?? .zero
            last = version
            // What a session stores is not committed: it may be cut off and written again.
            guard version.key.epoch <= heads[version.key.disk] ?? 0 else { return }
            for index in 0..<Leaf.count {
                let location = version.leaf[index].location
                guard !location.isNone, range.contains(location.segment), location != before[index].location else {
                    continue
                }
                if location.isShared, !shared.insert(location.bits).inserted { continue }
                let name = "block \(index) of leaf \(version.key.leaf) of disk \(version.key.disk)"
                guard let tail = tails[location.segment] else {
                    self.note(name, "it lies in segment \(location.segment), which the map does not know")
                    continue
                }
                guard location.range.upperBound <= tail else {
                    self.note(name, "it lies beyond the end of segment \(location.segment)")
                    continue
                }
                if !maps[location.segment, default: UnitMap(size: tail)].insert(location.range) {
                    self.note(name, "it overlaps another block in segment \(location.segment)")
                }
            }
        }
        // Uses that have ended but are not taken off yet keep their block.
        let ending = try pool.map.read { db in
            try db.rows("SELECT DISTINCT start FROM freed WHERE segment < 0").map {
                Location(bits: UInt64(bitPattern: $0[0] as Int64))
            }
        }
        for location in ending where range.contains(location.segment) && shared.insert(location.bits).inserted {
            _ = maps[location.segment, default: UnitMap(size: tails[location.segment] ?? 0)].insert(location.range)
        }
        for row in rows where (maps[row.number]?.bytes ?? 0) != row.live {
            note(
                "segment \(row.number)",
                "it is said to hold \(row.live) bytes, but holds \(maps[row.number]?.bytes ?? 0)")
        }
        let freed = try pool.map.read { db in
            try db.rows(
                "SELECT segment, start, length FROM freed WHERE segment >= ? AND segment < ?", range.lowerBound,
                range.upperBound
            ).map { (segment: $0[0] as Int64, start: $0[1] as Int64, length: $0[2] as Int64) }
        }
        for note in freed where maps[note.segment]?.contains(note.start..<note.start + note.length) == true {
            self.note("segment \(note.segment)", "space at \(note.start) is to be freed but is in use")
        }
    }
}

/// Which units of a segment are taken.
private struct UnitMap {
    private var words: [UInt64]
    private(set) var bytes: Int64 = 0

    init(size: Int64) { words = [UInt64](repeating: 0, count: Int(size / Location.unit / 64) + 1) }

    /// False if part of it was taken before.
    mutating func insert(_ range: Range<Int64>) -> Bool {
        var isFree = true
        for unit in Int(range.lowerBound / Location.unit)..<Int(range.upperBound / Location.unit)
        where unit / 64 < words.count {
            let bit: UInt64 = 1 << UInt64(unit % 64)
            if words[unit / 64] & bit != 0 { isFree = false } else { bytes += Location.unit }
            words[unit / 64] |= bit
        }
        return isFree
    }

    func contains(_ range: Range<Int64>) -> Bool {
        let units = Int(range.lowerBound / Location.unit)..<Int(range.upperBound / Location.unit)
        for unit in units where unit / 64 < words.count {
            let bit: UInt64 = 1 << UInt64(unit % 64)
            if words[unit / 64] & bit != 0 { return true }
        }
        return false
    }
}
