import Files
import GRDB

/// Gives freed space back to the file system: first the commit that frees, then the hole, then the note goes. Whatever is interrupted
/// is done again. Nobody waits for it: other datasources are worked on meanwhile.
enum Reclaiming {
    private static let together = 8_192

    /// Gives back what can be given back now; returns bytes. What is on a missing volume waits. Where another program does it already,
    /// it is left to that one.
    @discardableResult
    static func run(_ pool: PoolParts) throws(StorageFault) -> Int64 {
        guard let lock = try pool.locks.reclaiming() else { return 0 }
        defer { lock.close() }
        try dropShares(pool)
        // A hole cannot be undone. A program that ended while it committed may have left a commit that others see and that is not
        // durable yet; another one behind it makes it so.
        if try pool.map.read({ try $0.integer("SELECT 1 FROM freed WHERE segment >= 0 LIMIT 1") }) != nil {
            try pool.map.write { try $0.run("UPDATE pool SET version = version") }
        }
        var given: Int64 = 0
        var last: Int64 = 0
        while true {
            let after = last
            let notes = try pool.map.read { db in
                try db.rows(
                    "SELECT id, segment, start, length FROM freed WHERE id > ? AND segment >= 0 ORDER BY id LIMIT \(together)",
                    after
                ).map { (id: $0[0] as Int64, segment: $0[1] as Int64, start: $0[2] as Int64, length: $0[3] as Int64) }
            }
            guard let end = notes.last else { break }
            last = end.id
            var done: [Int64] = []
            let sorted = notes.sorted { ($0.segment, $0.start) < ($1.segment, $1.start) }
            var index = 0
            while index < sorted.count {
                let segment = sorted[index].segment
                let next = sorted[index...].firstIndex { $0.segment != segment } ?? sorted.count
                if try punch(sorted[index..<next].map { $0.start..<$0.start + $0.length }, segment, pool) {
                    done += sorted[index..<next].map { $0.id }
                    given += sorted[index..<next].reduce(0) { $0 + $1.length }
                }
                index = next
            }
            let isAll = done.count == notes.count
            let ids = done
            try pool.map.write { db in
                if isAll {
                    // No notes come between: new ones have greater numbers.
                    try db.run("DELETE FROM freed WHERE id > ? AND id <= ? AND segment >= 0", after, end.id)
                } else {
                    for id in ids { try db.run("DELETE FROM freed WHERE id = ?", id) }
                }
            }
        }
        try removeEmptySegments(pool)
        return given
    }

    /// Neighbouring runs become one hole: each hole is a transaction of the file system.
    private static func punch(_ ranges: [Range<Int64>], _ segment: Int64, _ pool: PoolParts) throws(StorageFault)
        -> Bool
    {
        let path: String
        do throws(StorageFault) { path = try pool.segments.path(of: segment) } catch {
            if error.kind == .missing { return false }
            // The segment itself is gone: nothing is left to give back.
            return try pool.map.read { try $0.integer("SELECT 1 FROM segment WHERE number = ?", segment) } == nil
        }
        guard try pool.files.kind(of: path) == .file else { return true }
        let file = try pool.files.open(path, .readWrite)
        defer { file.close() }
        var current = ranges[0]
        for range in ranges.dropFirst() {
            if range.lowerBound <= current.upperBound {
                current = current.lowerBound..<max(current.upperBound, range.upperBound)
            } else {
                try file.punch(current)
                current = range
            }
        }
        try file.punch(current)
        // Before the notes go: a hole that did not last would be space lost for ever.
        try file.flush()
        return true
    }

    /// Uses of shared blocks end when no session that shares is under way: one of them may just have found such a block.
    private static func dropShares(_ pool: PoolParts) throws(StorageFault) {
        guard try pool.map.read({ try $0.integer("SELECT 1 FROM freed WHERE segment < 0 LIMIT 1") }) != nil,
            let lock = try pool.locks.sharing(exclusive: true)
        else { return }
        defer { lock.close() }
        while true {
            let isDone = try pool.map.write { db in
                let rows = try db.rows("SELECT id, start FROM freed WHERE segment < 0 ORDER BY id LIMIT \(together)")
                for row in rows {
                    try db.dropShare(Location(bits: UInt64(bitPattern: row[1] as Int64)))
                    try db.run("DELETE FROM freed WHERE id = ?", row[0] as Int64)
                }
                return rows.isEmpty
            }
            if isDone { return }
        }
    }

    /// Whether there is a segment for `removeEmptySegments`.
    static func hasEmptySegments(_ db: Database) throws -> Bool { try !emptySegments(db, after: -1).isEmpty }

    private static func emptySegments(_ db: Database, after number: Int64) throws -> [Int64] {
        try db.rows(
            """
            SELECT number FROM segment s WHERE live = 0 AND tail > ? AND number > ?
            AND NOT EXISTS(SELECT 1 FROM freed f WHERE f.segment = s.number) ORDER BY number LIMIT 64
            """, Location.unit, number
        ).map { $0[0] as Int64 }
    }

    /// A segment nobody sees any block of goes as a whole, unless somebody writes it. The file goes durably before its row, so that
    /// there is never a file nobody knows; and within the transaction, so that nobody takes the number for a new one meanwhile.
    private static func removeEmptySegments(_ pool: PoolParts) throws(StorageFault) {
        var last: Int64 = -1
        while true {
            let after = last
            let empty = try pool.map.read { try emptySegments($0, after: after) }
            guard let end = empty.last else { return }
            last = end
            var held: [(number: Int64, path: String, file: (any StoreFile)?)] = []
            for number in empty {
                let path: String
                do throws(StorageFault) { path = try pool.segments.path(of: number) } catch { continue }
                let file = try pool.files.kind(of: path) == .file ? try pool.files.open(path, .readWrite) : nil
                if let file, try !file.lock(exclusive: true, wait: false) { continue }
                held.append((number, path, file))
            }
            defer { for (_, _, file) in held { file?.close() } }
            guard !held.isEmpty else { continue }
            try pool.map.write { db in
                var folders: Set<String> = []
                for (number, path, file) in held {
                    try db.run("DELETE FROM segment WHERE number = ? AND live = 0 AND tail > ?", number, Location.unit)
                    guard db.changesCount == 1, file != nil else { continue }
                    pool.segments.forget(number)
                    try pool.files.remove(path)
                    folders.insert(MapBridge.folder(of: path))
                }
                for folder in folders.sorted() { try pool.files.syncFolder(folder) }
            }
        }
    }
}
