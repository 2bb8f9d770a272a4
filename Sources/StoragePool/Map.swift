import FoundationEssentials
import Files
import GRDB
import Synchronization

/// What the pool knows of itself: an SQLite database whose pages carry checksums and lie in two files (`MapFile`). A change of the
/// map is one transaction; the commit of the last one is the only instant of a synchronization that matters.
final class Map: Sendable {
    let path: String
    let queue: DatabaseQueue

    init(path: String, queue: DatabaseQueue) { (self.path, self.queue) = (path, queue) }

    static let schema = """
        CREATE TABLE pool(version INTEGER NOT NULL, id TEXT NOT NULL, block INTEGER NOT NULL, segment INTEGER NOT NULL,
            created INTEGER NOT NULL) STRICT;
        CREATE TABLE volume(number INTEGER PRIMARY KEY, path TEXT NOT NULL, added INTEGER NOT NULL) STRICT;
        CREATE TABLE area(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, replica INTEGER NOT NULL,
            points INTEGER NOT NULL, colocated INTEGER NOT NULL, autogrow INTEGER NOT NULL, replica_grown INTEGER,
            points_grown INTEGER, created INTEGER NOT NULL, threshold INTEGER NOT NULL, step INTEGER NOT NULL,
            percent INTEGER NOT NULL, pause INTEGER NOT NULL, overhead INTEGER NOT NULL) STRICT;
        CREATE TABLE area_event(id INTEGER PRIMARY KEY, area INTEGER NOT NULL, time INTEGER NOT NULL,
            code INTEGER NOT NULL, volume TEXT NOT NULL, before INTEGER NOT NULL, after INTEGER NOT NULL,
            note TEXT NOT NULL) STRICT;
        CREATE INDEX area_event_of ON area_event(area);
        CREATE TABLE datasource(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, compression INTEGER,
            shares INTEGER NOT NULL, area INTEGER, head INTEGER NOT NULL, stored INTEGER NOT NULL,
            held INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL, deleting INTEGER NOT NULL DEFAULT 0) STRICT;
        -- A disk belongs to the states born <= epoch < died.
        CREATE TABLE disk(id INTEGER PRIMARY KEY, datasource INTEGER NOT NULL, name TEXT NOT NULL,
            sector INTEGER NOT NULL, born INTEGER NOT NULL, died INTEGER) STRICT;
        CREATE INDEX disk_of ON disk(datasource);
        CREATE TABLE size(disk INTEGER NOT NULL, epoch INTEGER NOT NULL, bytes INTEGER NOT NULL,
            PRIMARY KEY(disk, epoch)) WITHOUT ROWID, STRICT;
        -- What can be read: recovery points, and the newest state, which is the replica.
        CREATE TABLE state(datasource INTEGER NOT NULL, epoch INTEGER NOT NULL, time INTEGER NOT NULL, kind TEXT NOT NULL,
            point INTEGER NOT NULL, occupied INTEGER NOT NULL, stored INTEGER NOT NULL, label TEXT NOT NULL,
            deleting INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(datasource, epoch)) WITHOUT ROWID, STRICT;
        CREATE TABLE leaf(id INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;
        -- Which leaves have a version of this epoch, so that pruning need not look at all of them.
        CREATE TABLE change(disk INTEGER NOT NULL, epoch INTEGER NOT NULL, part INTEGER NOT NULL, leaves BLOB NOT NULL,
            PRIMARY KEY(disk, epoch, part)) WITHOUT ROWID, STRICT;
        CREATE TABLE segment(number INTEGER PRIMARY KEY, volume INTEGER NOT NULL, tail INTEGER NOT NULL,
            live INTEGER NOT NULL) STRICT;
        CREATE TABLE freed(id INTEGER PRIMARY KEY, segment INTEGER NOT NULL, start INTEGER NOT NULL,
            length INTEGER NOT NULL) STRICT;
        -- A synchronization that has begun: leaves of its epoch may be there already, and nobody sees them.
        CREATE TABLE session(datasource INTEGER PRIMARY KEY, epoch INTEGER NOT NULL) STRICT;
        -- Blocks that several datasources may use. `pending` names the datasource whose session has not ended yet.
        CREATE TABLE share(location INTEGER PRIMARY KEY, sum INTEGER NOT NULL, stored INTEGER NOT NULL, uses INTEGER NOT NULL,
            pending INTEGER) STRICT;
        CREATE INDEX share_sum ON share(sum);
        CREATE INDEX share_pending ON share(pending) WHERE pending IS NOT NULL;
        -- Blocks found damaged: the next synchronization or repair stores them anew.
        CREATE TABLE damaged(location INTEGER NOT NULL, disk INTEGER NOT NULL, leaf INTEGER NOT NULL,
            place INTEGER NOT NULL, PRIMARY KEY(location, disk, leaf, place)) WITHOUT ROWID, STRICT;
        -- Where the disks of a datasource come from, and what their change trackers were last told; of no meaning to the pool.
        CREATE TABLE source(datasource INTEGER NOT NULL, disk TEXT NOT NULL, path TEXT NOT NULL, track TEXT,
            PRIMARY KEY(datasource, disk)) WITHOUT ROWID, STRICT;
        CREATE TABLE scrub(one INTEGER PRIMARY KEY CHECK(one = 1), next INTEGER NOT NULL) STRICT;
        """

    func read<Result>(_ body: (Database) throws -> Result) throws(StorageFault) -> Result {
        do { return try queue.read(body) } catch { throw MapFile.fault(error, path) }
    }

    /// One transaction: all of it or nothing, durable when this returns.
    func write<Result>(_ body: (Database) throws -> Result) throws(StorageFault) -> Result {
        do {
            return try queue.inDatabase { db in
                do {
                    var result: Result?
                    try db.inTransaction(.immediate) {
                        result = try body(db)
                        return .commit
                    }
                    return result!
                } catch {
                    if error is DatabaseError { Self.forgetPages(db) }
                    throw error
                }
            }
        } catch { throw MapFile.fault(error, path) }
    }

    /// Empties SQLite's cache. A file system may forget what it could not flush (fsync(2)); if that was the journal, SQLite has
    /// nothing to roll back from, does not notice, and keeps pages in its cache that are nowhere else.
    private static func forgetPages(_ db: Database) {
        try? db.execute(sql: "PRAGMA shrink_memory")
    }
}

extension Database {
    func run(_ sql: String, _ arguments: any DatabaseValueConvertible...) throws {
        try cachedStatement(sql: sql).execute(arguments: StatementArguments(arguments))
    }

    func integer(_ sql: String, _ arguments: any DatabaseValueConvertible...) throws -> Int64? {
        try Int64.fetchOne(cachedStatement(sql: sql), arguments: StatementArguments(arguments))
    }

    func rows(_ sql: String, _ arguments: any DatabaseValueConvertible...) throws -> [Row] {
        try Row.fetchAll(cachedStatement(sql: sql), arguments: StatementArguments(arguments))
    }
}

// MARK: Leaves

/// A version of a leaf: from `key.epoch` on, until a newer one.
struct LeafVersion: Sendable {
    var key: LeafKey
    var leaf: Leaf
}

extension Database {
    /// The version of a leaf that the state `epoch` sees. One seek.
    func leaf(disk: Int64, number: Int64, asOf epoch: Int64) throws -> LeafVersion? {
        let key = LeafKey(disk: disk, leaf: number, epoch: epoch)
        return try leafVersions(
            "SELECT id, entries FROM leaf WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1", key.first, key.id
        ).first
    }

    /// All versions of leaves with keys in `range`, in order, at most `limit`.
    func leaves(in range: ClosedRange<Int64>, limit: Int) throws -> [LeafVersion] {
        try leafVersions(
            "SELECT id, entries FROM leaf WHERE id BETWEEN ? AND ? ORDER BY id LIMIT \(limit)", range.lowerBound,
            range.upperBound)
    }

    /// The numbers of leaves of a disk that have any version up to `epoch`, from `first` on, at most `limit`, in order.
    func leafNumbers(disk: Int64, from first: Int64, below end: Int64, asOf epoch: Int64, limit: Int) throws -> [Int64]
    {
        var numbers: [Int64] = []
        var next = first
        let statement = try cachedStatement(sql: "SELECT id FROM leaf WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1")
        // The last key of the disk's last leaf.
        let last = LeafKey(disk: disk, leaf: end - 1, epoch: LeafKey.epochLimit - 1).id
        while next < end, numbers.count < limit {
            let from = LeafKey(disk: disk, leaf: next, epoch: 0).id
            guard let id = try Int64.fetchOne(statement, arguments: [from, last]) else { break }
            let key = LeafKey(id: id)
            if key.epoch <= epoch { numbers.append(key.leaf) }
            next = key.leaf + 1
        }
        return numbers
    }

    private func leafVersions(_ sql: String, _ low: Int64, _ high: Int64) throws -> [LeafVersion] {
        let cursor = try Row.fetchCursor(cachedStatement(sql: sql), arguments: [low, high])
        var versions: [LeafVersion] = []
        while let row = try cursor.next() {
            let id: Int64 = row[0]
            let entries = try row.withUnsafeData(atIndex: 1) { data in data.map { [UInt8]($0) } ?? [] }
            guard entries.count == Leaf.size else {
                throw StorageFault.pool(
                    .damaged, "LEAF", "leaf \(LeafKey(id: id).leaf) of disk \(LeafKey(id: id).disk)",
                    "it has \(entries.count) bytes instead of \(Leaf.size)", "Run the pool's check")
            }
            versions.append(LeafVersion(key: LeafKey(id: id), leaf: Leaf(bytes: entries)))
        }
        return versions
    }

    func insert(_ version: LeafVersion) throws {
        try version.leaf.bytes.withUnsafeBufferPointer { buffer in
            let statement = try cachedStatement(sql: "INSERT INTO leaf(id, entries) VALUES(?, ?)")
            try statement.execute(arguments: [version.key.id, Data(buffer: buffer)])
        }
    }

    func update(_ version: LeafVersion) throws {
        try version.leaf.bytes.withUnsafeBufferPointer { buffer in
            let statement = try cachedStatement(sql: "UPDATE leaf SET entries = ? WHERE id = ?")
            try statement.execute(arguments: [Data(buffer: buffer), version.key.id])
        }
    }

    // MARK: Lists of changed leaves

    func addChanges(disk: Int64, epoch: Int64, part: Int64, leaves: [Int64]) throws {
        var bytes = [UInt8](repeating: 0, count: leaves.count * 4)
        for (index, leaf) in leaves.enumerated() { bytes.putLittle(UInt32(leaf), at: index * 4) }
        try run("INSERT INTO change VALUES(?, ?, ?, ?)", disk, epoch, part, Data(bytes))
    }

    /// The leaves with a version in `epochs`, ascending, each once.
    func changedLeaves(disk: Int64, epochs: ClosedRange<Int64>) throws -> [Int64] {
        let rows = try rows(
            "SELECT leaves FROM change WHERE disk = ? AND epoch BETWEEN ? AND ?", disk, epochs.lowerBound,
            epochs.upperBound)
        var numbers = try rows.flatMap { row in
            try row.withUnsafeData(atIndex: 0) { data -> [Int64] in
                let bytes = data.map { [UInt8]($0) } ?? []
                return (0..<bytes.count / 4).map { Int64(bytes.little(UInt32.self, at: $0 * 4)) }
                    .filter { $0 < LeafKey.leafLimit }
            }
        }
        numbers.sort()
        var last: Int64 = -1
        numbers.removeAll { number in
            defer { last = number }
            return number == last
        }
        return numbers
    }
}
