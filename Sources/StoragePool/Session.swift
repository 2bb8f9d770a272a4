import DiskImages
import Files
import GRDB
import Synchronization

/// One synchronization from its begin to its commit. Data goes to segments of its own and leaves to the map under an epoch nobody sees;
/// `commit` flushes the data, then makes the epoch the replica in one transaction. Until then nothing has happened.
final class Session: Sendable {
    let pool: PoolParts
    let datasource: Datasource
    let epoch: Int64
    let kind: SynchronizationKind
    let appender: SegmentAppender
    let disks: [DiskWork]
    private let lock: any StoreFile
    private let shareLock: (any StoreFile)?

    private struct Pending {
        var results: [LeafResult] = []
        var parts: [Int64: Int64] = [:]
        var facts = SynchronizationFacts()
        var tally = Tally()
    }
    private let pending = Mutex(Pending())
    private static let leavesTogether = 512

    /// Opens a session; what a session of this datasource left behind that was interrupted is cleaned up first.
    init(
        pool: PoolParts, datasource: Datasource, sources: [DiskSource], kind: SynchronizationKind
    ) throws(StorageFault) {
        (self.pool, self.kind) = (pool, kind)
        lock = try pool.locks.datasource(datasource.id, name: datasource.name)
        try Session.cleanUp(datasource.id, pool)
        let name = datasource.name
        // Read again under the lock: somebody may have synchronized it meanwhile.
        let datasource = try pool.map.read { try $0.datasource(named: name) }
        guard let datasource else { throw .noDatasource(name) }
        self.datasource = datasource
        epoch = datasource.head + 1
        guard epoch < LeafKey.epochLimit else {
            throw .pool(
                .badInput, "EPOCHS", "datasource \(name)",
                "it was synchronized \(LeafKey.epochLimit) times, the most there can be",
                "Protect it under another name")
        }
        shareLock = datasource.sharesBlocks ? try pool.locks.sharing(exclusive: false) : nil
        if datasource.sharesBlocks, shareLock == nil {
            throw .pool(.busy, "SHARING", "pool", "shared blocks are being freed", "Try again in a moment")
        }
        appender = SegmentAppender(segments: pool.segments, map: pool.map) { () throws(StorageFault) in
            try Session.cleanUpInterrupted(pool)
        }
        let epoch = epoch
        disks = try pool.map.write { db in try Session.begin(db, datasource, sources, epoch, pool.block) }
    }

    private static func begin(
        _ db: Database, _ datasource: Datasource, _ sources: [DiskSource], _ epoch: Int64, _ block: Int64
    ) throws -> [DiskWork] {
        try db.run("INSERT INTO session VALUES(?, ?)", datasource.id, epoch)
        let known = try db.disks(of: datasource.id, at: datasource.head)
        return try sources.map { source in
            let device = source.device
            guard device.size <= block * Int64(Leaf.count) * LeafKey.leafLimit else {
                throw StorageFault.pool(
                    .badInput, "DISK-SIZE", "disk \(source.name)", "it is too large for blocks of \(block) bytes",
                    "Use a pool with larger blocks")
            }
            var work = DiskWork(
                id: 0, name: source.name, device: device, changes: source.changes, oldSize: 0, isNew: true)
            if let disk = known.first(where: { $0.name == source.name }) {
                guard disk.sectorSize == device.sectorSize else {
                    throw StorageFault.pool(
                        .badInput, "SECTOR", "disk \(source.name)",
                        "its sectors have \(device.sectorSize) bytes, in the replica \(disk.sectorSize)",
                        "Protect it as a new disk, under another name")
                }
                (work.id, work.oldSize, work.isNew) = (disk.id, disk.size, false)
            } else {
                // A disk nobody has seen: a list of its changes cannot be the whole of it.
                work.changes = .everything
                work.id =
                    try db.integer(
                        """
                        SELECT CASE WHEN NOT EXISTS(SELECT 1 FROM disk WHERE id = 1) THEN 1
                        ELSE (SELECT min(id) + 1 FROM disk d
                              WHERE NOT EXISTS(SELECT 1 FROM disk e WHERE e.id = d.id + 1)) END
                        """) ?? 1
                guard work.id < LeafKey.diskLimit else {
                    throw StorageFault.pool(
                        .outOfSpace, "DISKS", "pool", "it holds \(LeafKey.diskLimit - 1) disks, the most there can be",
                        "Begin another pool")
                }
                try db.run(
                    "INSERT INTO disk VALUES(?, ?, ?, ?, ?, NULL)", work.id, datasource.id, source.name,
                    device.sectorSize, epoch)
            }
            try db.run("INSERT INTO size VALUES(?, ?, ?)", work.id, epoch, device.size)
            return work
        }
    }

    /// Takes what a worker found; now and then the leaves go to the map.
    func take(_ result: LeafResult) throws(StorageFault) {
        let batch = pending.withLock { pending -> [LeafResult] in
            pending.facts.read += result.read
            pending.facts.changed += result.changed
            pending.facts.zeroed += result.zeroed
            pending.facts.stored += result.stored
            pending.facts.shared += result.shared
            let room = SynchronizationFacts.differenceLimit - pending.facts.differences.count
            if result.differences.count > room { pending.facts.differencesAreCut = true }
            if let disk = disks.first(where: { $0.id == result.disk }) {
                pending.facts.differences += result.differences.prefix(room).map {
                    DiskRange(disk: disk.name, range: $0.clamped(to: 0..<max(disk.device.size, disk.oldSize)))
                }
            }
            guard let leaf = result.leaf else { return [] }
            pending.tally.add(from: result.base, to: leaf, block: pool.block)
            pending.results.append(result)
            guard pending.results.count >= Self.leavesTogether else { return [] }
            defer { pending.results = [] }
            return pending.results
        }
        if !batch.isEmpty { try pool.map.write { try insert(batch, $0) } }
    }

    private func insert(_ results: [LeafResult], _ db: Database) throws {
        let byDisk = Dictionary(grouping: results) { $0.disk }
        for disk in byDisk.keys.sorted() {
            let sorted = byDisk[disk]!.sorted { $0.number < $1.number }
            for result in sorted {
                let leaf = result.leaf ?? .zero
                try db.insert(
                    LeafVersion(key: LeafKey(disk: disk, leaf: result.number, epoch: epoch), leaf: leaf))
                if datasource.sharesBlocks { try db.countShares(from: result.base, to: leaf, pending: datasource.id) }
            }
            let part = pending.withLock { pending -> Int64 in
                pending.parts[disk, default: -1] += 1
                return pending.parts[disk]!
            }
            try db.addChanges(disk: disk, epoch: epoch, part: part, leaves: sorted.map { $0.number })
        }
    }

    /// Puts what waits into the map, so that it can be read back under this epoch.
    func drain() throws(StorageFault) {
        let batch = pending.withLock { pending in
            defer { pending.results = [] }
            return pending.results
        }
        if !batch.isEmpty { try pool.map.write { try insert(batch, $0) } }
    }

    /// Ends the session: all of it is there, or (thrown) nothing.
    func commit(
        at time: Int64, recoveryPoint: Bool, label: String, verified: Int64
    ) throws(StorageFault) -> SynchronizationFacts {
        var (facts, tally) = pending.withLock { ($0.facts, $0.tally) }
        facts.verified = verified
        facts.differences.sort { ($0.disk, $0.range.lowerBound) < ($1.disk, $1.range.lowerBound) }
        if tally.leaves == 0, !recoveryPoint, datasource.head > 0, try isSameDisks() {
            try abandon()
            facts.point = datasource.head
            return facts
        }
        try drain()
        try appender.flush()
        let segments = appender.all
        try pool.map.write { db in
            for segment in segments {
                try db.run(
                    "UPDATE segment SET tail = ?, live = live + ? WHERE number = ?", segment.tail, segment.live,
                    segment.number)
            }
            let present = Set(disks.map { $0.id })
            for disk in try db.disks(of: datasource.id, at: datasource.head) where !present.contains(disk.id) {
                tally.remove(try db.leafTally(disk: disk.id, asOf: datasource.head, block: pool.block))
                try db.run("UPDATE disk SET died = ? WHERE id = ?", epoch, disk.id)
            }
            let last = try db.state(datasource.id, datasource.head)
            try db.run(
                "INSERT INTO state VALUES(?, ?, ?, ?, ?, ?, ?, ?, 0)", datasource.id, epoch, time, kind.rawValue,
                recoveryPoint ? 1 : 0, (last?.occupied ?? 0) + tally.occupied, (last?.stored ?? 0) + tally.visible,
                label)
            try db.run(
                "UPDATE datasource SET head = ?, stored = stored + ?, held = held + ? WHERE id = ?", epoch, tally.born,
                tally.held, datasource.id)
            try Areas.admit(datasource, at: time, makesPoint: recoveryPoint, stores: tally.born, db, pool)
            try db.run("UPDATE share SET pending = NULL WHERE pending = ?", datasource.id)
            try db.run("DELETE FROM session WHERE datasource = ?", datasource.id)
        }
        appender.release(committed: true)
        facts.point = epoch
        return facts
    }

    private func isSameDisks() throws(StorageFault) -> Bool {
        let before = try pool.map.read { try $0.disks(of: datasource.id, at: datasource.head) }
        return before.map { [$0.name, String($0.size)] }.sorted { $0[0] < $1[0] }
            == disks.map { [$0.name, String($0.device.size)] }.sorted { $0[0] < $1[0] }
    }

    /// Ends the session as if it had never begun. What cannot be cleaned up now is cleaned up by the next session.
    func abandon() throws(StorageFault) {
        // A commit that was told to have failed may have happened all the same: its data must not be cut off then.
        let head = try? pool.map.read { try $0.integer("SELECT head FROM datasource WHERE id = ?", datasource.id) }
        appender.release(committed: head != datasource.head)
        try Session.cleanUp(datasource.id, pool, cutting: false)
    }

    /// Lets others work on the datasource.
    func end() {
        lock.close()
        shareLock?.close()
    }

    // MARK: Interrupted sessions

    /// Cleans up after all sessions whose program ended before they did.
    static func cleanUpInterrupted(_ pool: PoolParts) throws(StorageFault) {
        let begun = try pool.map.read {
            try $0.rows("SELECT datasource FROM session ORDER BY datasource").map { $0[0] as Int64 }
        }
        guard !begun.isEmpty else { return }
        let cleaning = try pool.locks.cleaningUp()
        defer { cleaning.close() }
        for datasource in begun {
            guard let lock = try pool.locks.tryDatasource(datasource) else { continue }
            defer { lock.close() }
            try cleanUp(datasource, pool)
        }
    }

    /// Takes the leaves of a session that did not end out of the map. The caller holds the datasource's lock. In several transactions,
    /// each of which may be the last one that happens.
    /// - Parameter cutting: whether what it stored in segments is still to be cut off.
    static func cleanUp(_ datasource: Int64, _ pool: PoolParts, cutting: Bool = true) throws(StorageFault) {
        let epoch = try pool.map.read { try $0.integer("SELECT epoch FROM session WHERE datasource = ?", datasource) }
        guard let epoch else { return }
        try takeOut(epoch, of: datasource, pool)
        // The session is noted until its space is free again: an interruption here is done again, too.
        if cutting { try SegmentAppender.cutOff(pool) }
        try pool.map.write { db in
            try db.run(
                "DELETE FROM size WHERE epoch = ? AND disk IN (SELECT id FROM disk WHERE datasource = ?)", epoch,
                datasource)
            try db.run("DELETE FROM disk WHERE datasource = ? AND born = ?", datasource, epoch)
            try db.run("DELETE FROM session WHERE datasource = ?", datasource)
        }
    }

    private static func takeOut(_ epoch: Int64, of datasource: Int64, _ pool: PoolParts) throws(StorageFault) {
        while true {
            let isDone = try pool.map.write { db -> Bool in
                let part = try db.rows(
                    """
                    SELECT c.disk, c.part, c.leaves FROM change c JOIN disk d ON d.id = c.disk
                    WHERE d.datasource = ? AND c.epoch = ? ORDER BY c.disk, c.part LIMIT 1
                    """, datasource, epoch
                ).first
                guard let part else { return true }
                let disk: Int64 = part[0]
                let bytes = try part.withUnsafeData(atIndex: 2) { data in data.map { [UInt8]($0) } ?? [] }
                for index in 0..<bytes.count / 4 {
                    let number = Int64(bytes.little(UInt32.self, at: index * 4))
                    let base = try db.leaf(disk: disk, number: number, asOf: epoch - 1)?.leaf ?? .zero
                    let key = LeafKey(disk: disk, leaf: number, epoch: epoch)
                    guard let version = try db.leaves(in: key.id...key.id, limit: 1).first else { continue }
                    for place in 0..<Leaf.count {
                        let location = version.leaf[place].location
                        if location.isShared, location != base[place].location {
                            try db.undoShare(location, of: datasource)
                        }
                    }
                    try db.run("DELETE FROM leaf WHERE id = ?", key.id)
                }
                try db.run(
                    "DELETE FROM change WHERE disk = ? AND epoch = ? AND part = ?", disk, epoch, part[1] as Int64)
                return false
            }
            if isDone { return }
        }
    }
}

/// What changed between two states, summed over leaves.
struct Tally {
    /// Bytes of blocks that are not zero.
    var occupied: Int64 = 0
    /// Space of the blocks the state can see.
    var visible: Int64 = 0
    /// Space of blocks that were not there before, shared ones counted for everybody who uses them.
    var born: Int64 = 0
    /// The same in whole blocks, bytes.
    var held: Int64 = 0
    var leaves = 0

    mutating func add(from base: Leaf, to leaf: Leaf, block: Int64) {
        leaves += 1
        for index in 0..<Leaf.count {
            let (old, new) = (base[index].location, leaf[index].location)
            guard old != new else { continue }
            occupied += ((new.isNone ? 0 : 1) - (old.isNone ? 0 : 1)) * block
            visible += new.span - old.span
            born += new.span
            if !new.isNone { held += block }
        }
    }

    mutating func remove(_ other: Tally) {
        occupied -= other.occupied
        visible -= other.visible
    }
}
