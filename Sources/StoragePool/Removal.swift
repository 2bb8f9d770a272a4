import Files
import GRDB

/// Takes a datasource out of the pool with everything that belongs to it. In transactions of whole leaves: an interrupted one goes on
/// where it stopped. The caller holds the datasource's lock and has marked it.
enum Removal {
    private static let leavesTogether = 256

    static func run(_ datasource: Datasource, _ pool: PoolParts) throws(StorageFault) {
        let disks = try pool.map.read { db in
            try db.rows("SELECT id FROM disk WHERE datasource = ? ORDER BY id", datasource.id).map { $0[0] as Int64 }
        }
        for disk in disks {
            while try pool.map.write({ try removeLeaves(of: disk, $0) }) {}
        }
        try pool.map.write { db in
            for disk in disks {
                try db.run("DELETE FROM size WHERE disk = ?", disk)
                try db.run("DELETE FROM change WHERE disk = ?", disk)
                try db.run("DELETE FROM disk WHERE id = ?", disk)
            }
            try db.run("DELETE FROM source WHERE datasource = ?", datasource.id)
            try db.run("DELETE FROM state WHERE datasource = ?", datasource.id)
            try db.run("DELETE FROM datasource WHERE id = ?", datasource.id)
            try Areas.removeIfEmpty(datasource.area, db)
        }
    }

    /// Removes the first leaves of a disk with all their versions; false if there were none.
    private static func removeLeaves(of disk: Int64, _ db: Database) throws -> Bool {
        let numbers = try db.leafNumbers(
            disk: disk, from: 0, below: LeafKey.leafLimit, asOf: LeafKey.epochLimit - 1, limit: leavesTogether)
        var space = FreedSpace()
        for number in numbers {
            let first = LeafKey(disk: disk, leaf: number, epoch: 0)
            let last = LeafKey(disk: disk, leaf: number, epoch: LeafKey.epochLimit - 1)
            var next = first.id
            var before = Leaf.zero
            // A location is born where it differs from the version before, and freed once for each birth.
            while true {
                let versions = try db.leaves(in: next...last.id, limit: 64)
                for version in versions {
                    for index in 0..<Leaf.count {
                        let location = version.leaf[index].location
                        guard !location.isNone, location != before[index].location else { continue }
                        space.add(location)
                    }
                    before = version.leaf
                }
                guard versions.count == 64, let end = versions.last?.key.id, end < last.id else { break }
                next = end + 1
            }
            try db.run("DELETE FROM leaf WHERE id BETWEEN ? AND ?", first.id, last.id)
        }
        try space.note(db)
        return !numbers.isEmpty
    }
}
