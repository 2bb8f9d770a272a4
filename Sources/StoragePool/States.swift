import Files
import GRDB

// Datasources, their disks and their states, as the map has them.

extension Database {
    private func datasource(_ row: Row) -> Datasource {
        Datasource(
            id: row["id"], name: row["name"], compression: (row["compression"] as Int64?).map { Int($0) },
            sharesBlocks: row["shares"] as Int64 != 0, area: row["area"], head: row["head"], stored: row["stored"],
            held: row["held"], created: row["created"])
    }

    func datasources() throws -> [Datasource] {
        try rows("SELECT * FROM datasource WHERE deleting = 0 ORDER BY name").map { datasource($0) }
    }

    func datasource(named name: String) throws -> Datasource? {
        try rows("SELECT * FROM datasource WHERE name = ? AND deleting = 0", name).first.map { datasource($0) }
    }

    func datasource(_ id: Int64) throws -> Datasource? {
        try rows("SELECT * FROM datasource WHERE id = ?", id).first.map { datasource($0) }
    }

    /// The disks of a datasource at a state, with their sizes then, by name.
    func disks(of datasource: Int64, at epoch: Int64) throws -> [DiskFacts] {
        try rows(
            """
            SELECT id, name, sector, (SELECT bytes FROM size s WHERE s.disk = d.id AND s.epoch <= ?2
                                      ORDER BY s.epoch DESC LIMIT 1) AS bytes
            FROM disk d WHERE datasource = ?1 AND born <= ?2 AND (died IS NULL OR died > ?2) ORDER BY name
            """, datasource, epoch
        ).map { row in
            let (id, sector): (Int64, Int64) = (row["id"], row["sector"])
            let size: Int64? = row["bytes"]
            // What the device of a disk counts with: bytes that its leaves can number, in sectors there are.
            guard let size, size >= 0, size < 1 << 52, sector == 512 || sector == 4096, id > 0,
                id < LeafKey.diskLimit
            else {
                throw StorageFault.pool(
                    .damaged, "DISK", "disk \(id)",
                    "the map gives it \(size.map { String($0) } ?? "no") bytes in sectors of \(sector)",
                    "Restore the map from a copy; other disks can be read")
            }
            return DiskFacts(id: id, name: row["name"], size: size, sectorSize: Int(sector))
        }
    }

    private func state(_ row: Row) -> RecoveryPoint {
        RecoveryPoint(
            number: row["epoch"], time: row["time"], kind: SynchronizationKind(rawValue: row["kind"]) ?? .expressFull,
            isRecoveryPoint: row["point"] as Int64 != 0, occupied: row["occupied"], stored: row["stored"],
            label: row["label"])
    }

    /// All states that can be read, oldest first; the last one is the replica.
    func states(_ datasource: Int64) throws -> [RecoveryPoint] {
        try rows("SELECT * FROM state WHERE datasource = ? AND deleting = 0 ORDER BY epoch", datasource).map {
            state($0)
        }
    }

    func state(_ datasource: Int64, _ epoch: Int64) throws -> RecoveryPoint? {
        try rows("SELECT * FROM state WHERE datasource = ? AND epoch = ? AND deleting = 0", datasource, epoch).first
            .map { state($0) }
    }

    /// What a state sees of a disk, summed. Reads all its leaves.
    func leafTally(disk: Int64, asOf epoch: Int64, block: Int64) throws -> Tally {
        var tally = Tally()
        try eachLeaf(disk: disk, asOf: epoch) { _, leaf in tally.add(from: .zero, to: leaf, block: block) }
        return tally
    }

    /// Calls `body` with each leaf a state sees of a disk, in order.
    func eachLeaf(disk: Int64, asOf epoch: Int64, _ body: (LeafKey, Leaf) throws -> Void) throws {
        var next: Int64 = 0
        let end = LeafKey.leafLimit
        while true {
            let numbers = try leafNumbers(disk: disk, from: next, below: end, asOf: epoch, limit: 256)
            guard let last = numbers.last else { return }
            for number in numbers {
                if let version = try leaf(disk: disk, number: number, asOf: epoch) {
                    try body(version.key, version.leaf)
                }
            }
            next = last + 1
        }
    }
}

extension StorageFault {
    static func noDatasource(_ name: String) -> StorageFault {
        .pool(
            .badInput, "NO-DATASOURCE", "datasource \(name)", "the pool does not protect it",
            "Choose one that it lists, or protect it first")
    }

    static func noPoint(_ number: Int64, _ name: String) -> StorageFault {
        .pool(
            .badInput, "NO-POINT", "recovery point \(number) of \(name)", "there is none of that number",
            "Choose one that it lists; it may have been pruned")
    }

    static func noDisk(_ disk: String, _ point: Int64, _ name: String) -> StorageFault {
        .pool(
            .badInput, "NO-DISK", "disk \(disk) of \(name)", "recovery point \(point) has no disk of that name",
            "Choose one that it lists")
    }
}
