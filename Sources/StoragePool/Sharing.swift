import Files
import GRDB
import Synchronization

/// Finds blocks that are stored already, for datasources that share. Equality is proved by reading the stored block and comparing
/// all its bytes; the checksum only says where to look.
///
/// Uses are counted in the map: one for each place of a leaf version where a location is born, one less where it dies. What a
/// session stores may be used by others only after it has ended; nothing shared is freed while a session that shares is under way
/// (`Locks.sharing`).
final class Sharing: Sendable {
    private let map: Map
    private let segments: Segments
    private let block: Int
    /// For one comparison at a time: hits are rarer than blocks.
    private let compare: Mutex<Comparison>

    private struct Comparison {
        var reader: BlockReader
        var buffer: Buffer
    }

    init(map: Map, segments: Segments, block: Int) {
        (self.map, self.segments, self.block) = (map, segments, block)
        compare = Mutex(
            Comparison(reader: BlockReader(segments: segments, block: block), buffer: Buffer(count: block)))
    }

    /// The entry of a stored block with these bytes, nil if there is none.
    func equal(to bytes: UnsafeRawBufferPointer, sum: UInt64) throws(StorageFault) -> BlockEntry? {
        let candidates = try map.read { db in
            try db.rows(
                "SELECT location, stored FROM share WHERE sum = ? AND pending IS NULL ORDER BY location",
                Int64(bitPattern: sum)
            ).map { row -> BlockEntry in
                BlockEntry(
                    location: Location(bits: UInt64(bitPattern: row[0] as Int64)).marked(shared: true), contentSum: sum,
                    storedSum: UInt32(truncatingIfNeeded: row[1] as Int64))
            }
        }
        for candidate in candidates {
            let isEqual = compare.withLock { state in
                guard (try? state.reader.read([candidate], into: state.buffer.bytes)) != nil else { return false }
                return state.buffer.bytes.elementsEqual(bytes)
            }
            if isEqual { return candidate }
        }
        return nil
    }
}

extension Database {
    /// Counts what changed from one leaf to its successor: births of shared blocks.
    /// - Parameter pending: the datasource whose session stores them.
    func countShares(from base: Leaf, to leaf: Leaf, pending: Int64) throws {
        for index in 0..<Leaf.count {
            let entry = leaf[index]
            guard entry.location.isShared, entry.location != base[index].location else { continue }
            let key = Int64(bitPattern: entry.location.bits)
            try run("UPDATE share SET uses = uses + 1 WHERE location = ?", key)
            if changesCount == 0 {
                try run(
                    "INSERT INTO share(location, sum, stored, uses, pending) VALUES(?, ?, ?, 1, ?)", key,
                    Int64(bitPattern: entry.contentSum), Int64(entry.storedSum), pending)
            }
        }
    }

    /// One use of a shared block less; frees it if that was the last.
    func dropShare(_ location: Location) throws {
        let key = Int64(bitPattern: location.bits)
        try run("UPDATE share SET uses = uses - 1 WHERE location = ?", key)
        guard try integer("SELECT uses FROM share WHERE location = ?", key) ?? 0 <= 0 else { return }
        try run("DELETE FROM share WHERE location = ?", key)
        try free(location)
    }

    /// Takes back a use that an interrupted session counted. A block of its own was never committed: its place may have been given to
    /// somebody else, so only the row goes.
    func undoShare(_ location: Location, of datasource: Int64) throws {
        let key = Int64(bitPattern: location.bits)
        if try integer("SELECT pending FROM share WHERE location = ?", key) == datasource {
            try run("UPDATE share SET uses = uses - 1 WHERE location = ?", key)
            try run("DELETE FROM share WHERE location = ? AND uses <= 0", key)
        } else {
            try dropShare(location)
        }
    }
}
