import Files
import GRDB

/// What the numbers of the map can be. Pages that rot are found by their checksums; rows with other numbers than these were written by
/// something else than a pool, and are refused before anything is computed from them.
enum MapBounds {
    private static let epochs = "BETWEEN 1 AND \(LeafKey.epochLimit - 1)"
    private static let disks = "BETWEEN 1 AND \(LeafKey.diskLimit - 1)"
    private static let bytes = "BETWEEN 0 AND \(Int64(1) << 60)"
    /// Seconds since 1970, or of a span.
    private static let times = "BETWEEN \(-(Int64(1) << 40)) AND \(Int64(1) << 40)"
    private static let percents = "BETWEEN 0 AND 1000000"
    private static let inSegment = "BETWEEN \(Location.unit) AND \(Location.segmentSizeLimit)"
    private static let segments = "BETWEEN 0 AND \(Location.segmentLimit - 1)"
    /// Of a disk in the largest blocks.
    private static let largestDisk = "(SELECT block FROM pool) * \(Int64(Leaf.count) * LeafKey.leafLimit)"

    private static let rows: [(table: String, bound: String)] = [
        (
            "pool",
            "block BETWEEN 16384 AND 1048576 AND block & (block - 1) = 0 AND segment % \(Location.unit) = 0 "
                + "AND segment BETWEEN 4 * block AND \(Location.segmentSizeLimit)"
        ),
        ("volume", "number BETWEEN 0 AND 1000000"),
        (
            "datasource",
            "id > 0 AND head BETWEEN 0 AND \(LeafKey.epochLimit - 2) AND stored \(bytes) AND held \(bytes) "
                + "AND coalesce(compression, 1) BETWEEN -7 AND 19 AND created \(times)"
        ),
        (
            "area",
            "replica \(bytes) AND points \(bytes) AND step \(bytes) AND overhead \(bytes) AND threshold \(percents) "
                + "AND percent \(percents) AND pause \(times) AND coalesce(replica_grown, 0) \(times) "
                + "AND coalesce(points_grown, 0) \(times)"
        ),
        ("disk", "id \(disks) AND sector IN (512, 4096) AND born \(epochs) AND coalesce(died, 1) \(epochs)"),
        ("size", "disk \(disks) AND epoch \(epochs) AND bytes BETWEEN 0 AND \(largestDisk)"),
        ("state", "epoch \(epochs) AND occupied \(bytes) AND stored \(bytes) AND time \(times)"),
        ("change", "disk \(disks) AND epoch \(epochs) AND length(leaves) % 4 = 0"),
        (
            "segment",
            "number \(segments) AND tail \(inSegment) AND tail % \(Location.unit) = 0 AND live BETWEEN 0 AND \(Location.segmentSizeLimit)"
        ),
        (
            "freed",
            "segment = -1 OR (segment \(segments) AND start \(inSegment) AND length BETWEEN 1 AND \(Location.segmentSizeLimit))"
        ),
        ("session", "epoch \(epochs)"),
        (
            "damaged",
            "disk \(disks) AND leaf BETWEEN 0 AND \(LeafKey.leafLimit - 1) AND place BETWEEN 0 AND \(Leaf.count - 1)"
        ),
    ]

    /// Throws `POOL-MAP-VALUE` at the first table with a number that cannot be. O(rows) of all tables but the leaves.
    static func check(_ db: Database, path: String) throws {
        for (table, bound) in rows
        where try db.integer("SELECT 1 FROM \(table) WHERE NOT coalesce((\(bound)), 0) LIMIT 1") != nil {
            throw refusal("the table \(table) has a row that no pool can have", path)
        }
        let keys =
            LeafKey(disk: 1, leaf: 0, epoch: 0)
            .id...LeafKey(
                disk: LeafKey.diskLimit - 1, leaf: LeafKey.leafLimit - 1, epoch: LeafKey.epochLimit - 2
            ).id
        for end in ["min", "max"] {
            if let id = try db.integer("SELECT \(end)(id) FROM leaf"), !keys.contains(id) {
                throw refusal("the table leaf has a row that no pool can have", path)
            }
        }
    }

    private static func refusal(_ cause: String, _ path: String) -> StorageFault {
        .pool(
            .damaged, "MAP-VALUE", path, "\(cause): something else than dpmsim wrote to it",
            "Restore map.db and map-mirror.db from a copy of the pool's first volume")
    }
}
