public import Files
import GRDB

/// Where a block of a datasource lies in the pool.
public struct StoredPlace: Hashable, Sendable {
    /// Of the segment's file.
    public var path: String
    /// In that file, bytes.
    public var range: Range<Int64>
    public var disk: String
    /// Bytes of the disk that it holds, the last block's perhaps beyond the end.
    public var block: Range<Int64>
}

extension Pool {
    /// Where the blocks lie that replica and recovery points of a datasource see, each once: by disk, place on it, and age.
    public func places(of name: String) throws(StorageFault) -> [StoredPlace] {
        let datasource = try datasource(name)
        let found = try parts.map.read { db in
            var found: [(disk: String, number: Int64, location: Location)] = []
            var seen: Set<UInt64> = []
            for row in try db.rows("SELECT id, name FROM disk WHERE datasource = ? ORDER BY id", datasource.id) {
                let first = LeafKey(disk: row[0], leaf: 0, epoch: 0)
                let last = LeafKey(disk: row[0], leaf: LeafKey.leafLimit - 1, epoch: LeafKey.epochLimit - 1)
                for version in try db.leaves(in: first.id...last.id, limit: Int.max) {
                    for index in 0..<Leaf.count {
                        let location = version.leaf[index].location
                        guard !location.isNone, seen.insert(location.marked(shared: false).bits).inserted else {
                            continue
                        }
                        found.append((row[1], version.key.leaf * Int64(Leaf.count) + Int64(index), location))
                    }
                }
            }
            return found
        }
        var places: [StoredPlace] = []
        for (disk, number, location) in found {
            places.append(
                StoredPlace(
                    path: try parts.segments.path(of: location.segment),
                    range: location.offset..<location.offset + Int64(location.length), disk: disk,
                    block: number * parts.block..<(number + 1) * parts.block))
        }
        return places
    }

    /// Bytes of a disk in which two states of a datasource may differ, ascending, in whole leaves. The earlier one may be pruned.
    public func changes(
        of name: String, disk: String, after earlier: Int64, upTo later: Int64
    ) throws(StorageFault) -> [Range<Int64>] {
        let datasource = try datasource(name)
        let facts = try disks(of: name, at: later)
        guard earlier < later, let disk = facts.first(where: { $0.name == disk }) else { return [] }
        let leaves = try parts.map.read { db in
            // What a pruned state had of its own counts for the state after it.
            let end = try db.integer(
                "SELECT min(epoch) FROM state WHERE datasource = ? AND epoch >= ?", datasource.id, later)
            return try db.changedLeaves(disk: disk.id, epochs: earlier + 1...(end ?? later))
        }
        let span = parts.block * Int64(Leaf.count)
        return leaves.map { $0 * span..<min(disk.size, ($0 + 1) * span) }.filter { !$0.isEmpty }
    }
}
