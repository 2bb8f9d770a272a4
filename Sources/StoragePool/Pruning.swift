import Files
import GRDB

/// Takes a state out. A leaf version in (before, state] that has a successor in (state, after] is seen by this state alone; of its
/// blocks those go that both neighbours do not have. The cost is that of the leaves changed between two states, whatever else
/// the pool holds (`storage.md`, section 7). There are no reference counts: a location is born in one epoch and dies in another.
enum Pruning {
    private static let leavesTogether = 1_024

    /// The disk's leaves that a state may have alone, and what its neighbours have instead.
    private struct Part {
        var disk: Int64
        var leaves: [Int64]
        /// Whether the disk is gone at the state after: all its blocks there count as zeros.
        var endsHere: Bool
    }

    /// Removes a state; the caller holds the datasource's lock. Goes on where an interrupted removal stopped. There is always a state
    /// after it: the replica is never removed so.
    static func remove(_ state: Int64, of datasource: Datasource, _ pool: PoolParts) throws(StorageFault) {
        let (before, after) = try pool.map.write { db in
            try db.run("UPDATE state SET deleting = 1 WHERE datasource = ? AND epoch = ?", datasource.id, state)
            return try neighbours(of: state, datasource.id, db)
        }
        for part in try parts(of: state, datasource.id, before, after, pool) {
            var from = 0
            while from < part.leaves.count {
                let numbers = part.leaves[from..<min(part.leaves.count, from + leavesTogether)]
                try pool.map.write { db in
                    var (freed, blocks): (Int64, Int64) = (0, 0)
                    var space = FreedSpace()
                    for number in numbers {
                        let key = try eachDying(part, number, state: state, before: before, after: after, db) {
                            location in
                            freed += location.span
                            blocks += 1
                            space.add(location)
                        }
                        if let key { try db.run("DELETE FROM leaf WHERE id = ?", key.id) }
                    }
                    try space.note(db)
                    try db.run(
                        "UPDATE datasource SET stored = stored - ?, held = held - ? WHERE id = ?", freed,
                        blocks * pool.block, datasource.id)
                }
                from += leavesTogether
            }
        }
        try pool.map.write { db in
            for part in try partDisks(of: state, datasource.id, after, db) {
                try mergeChanges(part.disk, before: before, after: part.endsHere ? nil : after, state: state, db)
                try mergeSizes(part.disk, before: before, after: after, state: state, db)
            }
            try db.run("DELETE FROM state WHERE datasource = ? AND epoch = ?", datasource.id, state)
            try removeUnseenDisks(datasource.id, db)
        }
        pool.locks.forgetReading(datasource.id, state)
    }

    /// What removing a state would free, without removing it: its unique space, bytes, and the blocks in it.
    static func unique(of state: Int64, _ datasource: Int64, _ db: Database) throws -> Int64 {
        let (before, after) = try neighbours(of: state, datasource, db)
        var bytes: Int64 = 0
        for part in try partDisks(of: state, datasource, after, db) {
            let leaves = try driver(part, state: state, before: before, after: after, db)
            for number in leaves {
                try eachDying(part, number, state: state, before: before, after: after, db) { bytes += $0.span }
            }
        }
        return bytes
    }

    private static func neighbours(of state: Int64, _ datasource: Int64, _ db: Database) throws -> (Int64, Int64) {
        let before = try db.integer(
            "SELECT max(epoch) FROM state WHERE datasource = ? AND epoch < ?", datasource, state)
        let after = try db.integer("SELECT min(epoch) FROM state WHERE datasource = ? AND epoch > ?", datasource, state)
        // Nothing after it: as if all were gone then, which is what `unique` of the replica means.
        return (before ?? 0, after ?? LeafKey.epochLimit - 1)
    }

    private static func partDisks(
        of state: Int64, _ datasource: Int64, _ after: Int64, _ db: Database
    ) throws -> [Part] {
        let isLast =
            try db.integer(
                "SELECT count(*) FROM state WHERE datasource = ? AND epoch > ?", datasource, state) == 0
        return try db.rows(
            "SELECT id, died FROM disk WHERE datasource = ?1 AND born <= ?2 AND (died IS NULL OR died > ?2) ORDER BY id",
            datasource, state
        ).map { row in
            let died: Int64? = row["died"]
            return Part(disk: row["id"], leaves: [], endsHere: isLast || died.map { $0 <= after } ?? false)
        }
    }

    private static func parts(
        of state: Int64, _ datasource: Int64, _ before: Int64, _ after: Int64, _ pool: PoolParts
    ) throws(StorageFault) -> [Part] {
        try pool.map.read { db in
            try partDisks(of: state, datasource, after, db).map { part in
                var part = part
                part.leaves = try driver(part, state: state, before: before, after: after, db)
                return part
            }
        }
    }

    /// The leaves to look at: those that have a successor, or all of this state's own where the disk ends.
    private static func driver(
        _ part: Part, state: Int64, before: Int64, after: Int64, _ db: Database
    ) throws -> [Int64] {
        part.endsHere
            ? try db.changedLeaves(disk: part.disk, epochs: before + 1...state)
            : try db.changedLeaves(disk: part.disk, epochs: state + 1...after)
    }

    /// Calls `body` with each location of a leaf that dies with the state; returns the key of the version that goes.
    @discardableResult
    private static func eachDying(
        _ part: Part, _ number: Int64, state: Int64, before: Int64, after: Int64, _ db: Database,
        _ body: (Location) throws -> Void
    ) throws -> LeafKey? {
        guard let own = try db.leaf(disk: part.disk, number: number, asOf: state), own.key.epoch > before else {
            return nil
        }
        var next = Leaf.zero
        if !part.endsHere {
            let first = LeafKey(disk: part.disk, leaf: number, epoch: state + 1).id
            let last = LeafKey(disk: part.disk, leaf: number, epoch: after).id
            guard let successor = try db.leaves(in: first...last, limit: 1).first else { return nil }
            next = successor.leaf
        }
        let last = before > 0 ? try db.leaf(disk: part.disk, number: number, asOf: before)?.leaf ?? .zero : .zero
        for index in 0..<Leaf.count {
            let (was, own, will) = (last[index].location, own.leaf[index].location, next[index].location)
            if !own.isNone, own != was, own != will { try body(own) }
            // A shared block that went and came again was counted twice; as neighbours the two places are one.
            if was.isShared, was == will, own != was { try body(was) }
        }
        return own.key
    }

    /// The lists of what changed in (before, state] count for the state after from now on.
    private static func mergeChanges(
        _ disk: Int64, before: Int64, after: Int64?, state: Int64, _ db: Database
    ) throws {
        if let after {
            guard
                try db.integer(
                    "SELECT count(*) FROM change WHERE disk = ? AND epoch BETWEEN ? AND ?", disk, before + 1, state)
                    ?? 0 > 0
            else { return }
            let leaves = try db.changedLeaves(disk: disk, epochs: before + 1...after)
            try db.run("DELETE FROM change WHERE disk = ? AND epoch BETWEEN ? AND ?", disk, before + 1, after)
            try db.addChanges(disk: disk, epoch: after, part: 0, leaves: leaves)
        } else {
            try db.run("DELETE FROM change WHERE disk = ? AND epoch BETWEEN ? AND ?", disk, before + 1, state)
        }
    }

    private static func mergeSizes(
        _ disk: Int64, before: Int64, after: Int64, state: Int64, _ db: Database
    ) throws {
        // The newest size in (before, state] is still the size at the state after unless it has one of its own.
        let newest = try db.integer(
            "SELECT max(epoch) FROM size WHERE disk = ? AND epoch > ? AND epoch <= ?", disk, before, state)
        guard let newest else { return }
        let hasOwn =
            try db.integer(
                "SELECT count(*) FROM size WHERE disk = ? AND epoch > ? AND epoch <= ?", disk, state, after) ?? 0 > 0
        try db.run(
            "DELETE FROM size WHERE disk = ? AND epoch > ? AND epoch <= ? AND epoch <> ?", disk, before, state,
            hasOwn ? -1 : newest)
    }

    /// Disks that no state has any more.
    private static func removeUnseenDisks(_ datasource: Int64, _ db: Database) throws {
        let gone = try db.rows(
            """
            SELECT id FROM disk d WHERE datasource = ?1 AND died IS NOT NULL AND NOT EXISTS(
                SELECT 1 FROM state s WHERE s.datasource = ?1 AND s.epoch >= d.born AND s.epoch < d.died)
            """, datasource
        ).map { $0[0] as Int64 }
        for disk in gone {
            try db.run("DELETE FROM size WHERE disk = ?", disk)
            try db.run("DELETE FROM change WHERE disk = ?", disk)
            try db.run("DELETE FROM disk WHERE id = ?", disk)
        }
    }
}
