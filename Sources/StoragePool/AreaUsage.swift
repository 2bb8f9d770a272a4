import Files
import GRDB
import Units

// Areas and their usage, as the map has them.

extension Database {
    private func area(_ row: Row) -> Areas.Area {
        Areas.Area(
            id: row["id"], name: row["name"], replica: Bytes(row["replica"]), points: Bytes(row["points"]),
            allowsColocation: row["colocated"] as Int64 != 0, autogrow: row["autogrow"] as Int64 != 0,
            replicaGrown: row["replica_grown"], pointsGrown: row["points_grown"], created: row["created"],
            rules: AreaRules(
                threshold: row["threshold"], growthStep: Bytes(row["step"]), growthPercent: row["percent"],
                growthPause: row["pause"], overhead: Bytes(row["overhead"])))
    }

    /// All areas, by name.
    func areas() throws -> [Areas.Area] { try rows("SELECT * FROM area ORDER BY name").map { area($0) } }

    func area(named name: String) throws -> Areas.Area {
        guard let row = try rows("SELECT * FROM area WHERE name = ?", name).first else {
            throw StorageFault.pool(
                .badInput, "NO-AREA", "area \(name)", "the pool has none of that name", "Choose one that it lists")
        }
        return area(row)
    }

    func area(_ id: Int64) throws -> Areas.Area {
        guard let row = try rows("SELECT * FROM area WHERE id = ?", id).first else {
            throw StorageFault.pool(
                .damaged, "AREA", "area \(id)", "a datasource lies in it, but the map has none of that number",
                "Run the pool's check")
        }
        return area(row)
    }

    // MARK: Events

    func events(of area: Int64) throws -> [AreaEvent] {
        try rows("SELECT * FROM area_event WHERE area = ? ORDER BY id", area).map { row in
            AreaEvent(
                row["time"], AreaEvent.Code(rawValue: row["code"]) ?? .changed,
                AreaVolume.Kind(rawValue: row["volume"]) ?? .replica, before: Bytes(row["before"]),
                after: Bytes(row["after"]), row["note"])
        }
    }

    /// Keeps the last ones only.
    func noteEvent(_ area: Int64, _ event: AreaEvent) throws {
        try run(
            "INSERT INTO area_event VALUES(NULL, ?, ?, ?, ?, ?, ?, ?)", area, event.time, Int64(event.code.rawValue),
            event.volume.rawValue, event.before.count, event.after.count, event.note)
        try run(
            """
            DELETE FROM area_event WHERE area = ?1 AND id NOT IN (
                SELECT id FROM area_event WHERE area = ?1 ORDER BY id DESC LIMIT \(AreaFacts.eventLimit))
            """, area)
    }

    // MARK: Usage

    /// What an area holds, exact.
    func usage(of area: Int64, block: Int64) throws -> Areas.Usage {
        var usage = Areas.Usage()
        for row in try rows("SELECT id, head FROM datasource WHERE area = ? AND deleting = 0 ORDER BY id", area) {
            let (id, head): (Int64, Int64) = (row[0], row[1])
            usage.replica += try state(id, head)?.occupied ?? 0
            usage.points += try pointUsage(of: id, block: block)
        }
        return usage
    }

    /// What a datasource's recovery points keep that its replica does not have: all it holds without the replica, and without
    /// what only states keep that nobody wants any more and that are about to go.
    func pointUsage(of datasource: Int64, block: Int64) throws -> Int64 {
        let head = try integer("SELECT head FROM datasource WHERE id = ?", datasource) ?? 0
        let held = try integer("SELECT held FROM datasource WHERE id = ?", datasource) ?? 0
        let states = try rows(
            "SELECT epoch, point = 1 AND deleting = 0 FROM state WHERE datasource = ? AND epoch <= ? ORDER BY epoch",
            datasource, head)
        var unwanted: Int64 = 0
        var before: Int64 = 0
        var last: Int64?
        for state in states {
            let epoch: Int64 = state[0]
            guard state[1] as Int64 == 1 || epoch == head else {
                last = epoch
                continue
            }
            if let last { unwanted += try blocksKept(by: before + 1...last, before, epoch, datasource) * block }
            (before, last) = (epoch, nil)
        }
        return held - unwanted - (try state(datasource, head)?.occupied ?? 0)
    }

    /// How many blocks neighbouring states keep that neither the state before them nor the one after sees: births along the chain of
    /// a leaf's versions, less those if the chain went from the one straight to the other.
    private func blocksKept(
        by states: ClosedRange<Int64>, _ before: Int64, _ after: Int64, _ datasource: Int64
    ) throws -> Int64 {
        var blocks: Int64 = 0
        let disks = try rows(
            "SELECT id, died FROM disk WHERE datasource = ? AND born <= ? ORDER BY id", datasource, states.upperBound)
        for row in disks {
            let (disk, died): (Int64, Int64?) = (row[0], row[1])
            let endsHere = died.map { $0 <= after } ?? false
            for number in try changedLeaves(disk: disk, epochs: states) {
                let base = try leaf(disk: disk, number: number, asOf: before)?.leaf ?? .zero
                let first = LeafKey(disk: disk, leaf: number, epoch: before + 1).id
                let end = LeafKey(disk: disk, leaf: number, epoch: states.upperBound).id
                var chain = [base] + (try leaves(in: first...end, limit: Int(LeafKey.epochLimit)).map { $0.leaf })
                if endsHere {
                    chain.append(.zero)
                } else if let next = try leaves(
                    in: end + 1...LeafKey(disk: disk, leaf: number, epoch: after).id, limit: 1
                ).first {
                    chain.append(next.leaf)
                }
                blocks += zip(chain, chain.dropFirst()).reduce(0) { $0 + Self.births(from: $1.0, to: $1.1) }
                blocks -= Self.births(from: base, to: chain[chain.count - 1])
            }
        }
        return blocks
    }

    private static func births(from base: Leaf, to leaf: Leaf) -> Int64 {
        var tally = Tally()
        tally.add(from: base, to: leaf, block: 1)
        return tally.held
    }
}
