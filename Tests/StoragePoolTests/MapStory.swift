import Files
import Foundation
import GRDB
import StoragePool

/// Rows as a plain dictionary: what a database must hold.
typealias Rows = [Int: [UInt8]]

/// Chance that is the same in every run.
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_F491_4F6C_DD1D
    }
    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 32) } }
}

/// A short life of a map file: made, three transactions, closed. It remembers what was committed.
struct MapStory {
    static let path = "pool/map.db"
    static let mirror = "pool/mirror.db"
    var seed: UInt64
    /// A cache so small that SQLite writes before it commits.
    var smallCache = false

    /// What the last commit that returned left, and what the one under way would leave.
    private(set) var acknowledged: Rows = [:]
    private(set) var underWay: Rows = [:]

    init(seed: UInt64, smallCache: Bool = false) { (self.seed, self.smallCache) = (seed, smallCache) }

    static func open(_ files: any FileSystem, create: Bool = true) throws -> DatabaseQueue {
        try MapFile.open(path, mirror: mirror, on: files, create: create)
    }

    mutating func run(on files: any FileSystem, transactions: Int = 3) throws {
        var dice = Dice(seed)
        let queue = try Self.open(files)
        defer { try? queue.close() }
        if smallCache { try queue.inDatabase { try $0.execute(sql: "PRAGMA cache_size = 4") } }
        for number in 0..<transactions {
            var rows = acknowledged
            var steps: [(Int, [UInt8]?)] = []
            if number == 1 {
                // Frees pages, which the next transaction uses again.
                for key in rows.keys.sorted() where key % 3 != 0 { steps.append((key, nil)) }
            } else {
                for _ in 0..<14 {
                    let key = dice.below(40)
                    let value =
                        dice.below(5) == 0 ? nil : dice.bytes(10 + dice.below(dice.below(4) == 0 ? 20_000 : 3_000))
                    steps.append((key, value))
                }
            }
            for (key, value) in steps { rows[key] = value }
            underWay = rows
            try queue.write { db in
                if number == 0 { try db.execute(sql: "CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB NOT NULL)") }
                for (key, value) in steps {
                    if let value {
                        try db.execute(sql: "INSERT OR REPLACE INTO t VALUES (?, ?)", arguments: [key, Data(value)])
                    } else {
                        try db.execute(sql: "DELETE FROM t WHERE k = ?", arguments: [key])
                    }
                }
            }
            acknowledged = rows
        }
    }

    static func rows(_ queue: DatabaseQueue) throws -> Rows {
        try queue.read { db in
            guard try db.tableExists("t") else { return [:] }
            var rows: Rows = [:]
            for row in try Row.fetchAll(db, sql: "SELECT k, v FROM t") { rows[row[0]] = [UInt8](row[1] as Data) }
            return rows
        }
    }

    /// What is wrong with a disk after a power cut; nil if it is as it should be.
    func problem(on files: any FileSystem) -> String? {
        do {
            let queue = try Self.open(files)
            defer { try? queue.close() }
            let rows = try Self.rows(queue)
            guard rows == acknowledged || rows == underWay else { return "\(rows.count) rows that were never there" }
            let integrity = try queue.read { try String.fetchOne($0, sql: "PRAGMA integrity_check") }
            guard integrity == "ok" else { return integrity }
            let findings = try MapFile.verify(queue, repair: true)
            guard findings.isClean else { return "\(findings)" }
            guard try MapFile.verify(queue, repair: false).unused.isEmpty else { return "unused pages stay damaged" }
            let health = MapFile.health(of: queue)
            guard health.lost == 0, health.healed == 0 else { return "\(health)" }
            try queue.write { db in
                try db.execute(sql: "CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v BLOB NOT NULL)")
                for key in 100..<110 {
                    try db.execute(sql: "INSERT INTO t VALUES (?, zeroblob(5000))", arguments: [key])
                }
            }
            return try Self.rows(queue).count == rows.count + 10 ? nil : "it takes no more rows"
        } catch { return "\(error)" }
    }
}
