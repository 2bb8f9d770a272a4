import Files
import GRDB
import Units

/// Legacy areas: accounting and admission over the same store that Modern storage uses. What a synchronization would leave behind
/// is held against the sizes of its area inside the transaction that ends it, so it is refused as a whole or not at all.
enum Areas {
    /// An area as the map has it.
    struct Area {
        var id: Int64
        var name: String
        var replica: Bytes
        var points: Bytes
        var allowsColocation: Bool
        var autogrow: Bool
        /// When each volume last grew by itself.
        var replicaGrown: Int64?
        var pointsGrown: Int64?
        var created: Int64
        var rules: AreaRules

        func size(_ kind: AreaVolume.Kind) -> Bytes { kind == .replica ? replica : points }
        func grown(_ kind: AreaVolume.Kind) -> Int64? { kind == .replica ? replicaGrown : pointsGrown }
        func object(_ kind: AreaVolume.Kind) -> String { "\(kind.name) of area \(name)" }

        /// What counts against the threshold.
        func used(_ kind: AreaVolume.Kind, _ usage: Usage) -> Bytes {
            kind == .replica ? usage.bytes(kind) : usage.bytes(kind) + rules.overhead
        }
        func volume(_ kind: AreaVolume.Kind, _ usage: Usage) -> AreaVolume {
            AreaVolume(size: size(kind), used: usage.bytes(kind))
        }
    }

    /// What an area's datasources hold, bytes.
    struct Usage {
        var replica: Int64 = 0
        var points: Int64 = 0

        /// A map that counts wrongly is the check's to tell, not a reason to stop.
        func bytes(_ kind: AreaVolume.Kind) -> Bytes { Bytes(max(0, kind == .replica ? replica : points)) }
    }

    // MARK: Placing

    /// Finds or makes the area of a new datasource; nil for Modern storage.
    static func place(
        _ name: String, _ choice: AreaChoice, at time: Int64, _ db: Database, _ pool: PoolParts
    ) throws -> Int64? {
        switch choice {
        case .modern: return nil
        case .colocated(let other):
            let area = try db.area(named: other)
            guard area.allowsColocation else {
                throw StorageFault.pool(
                    .badInput, "31251", "area \(other)",
                    "it was made without colocation, which cannot be changed later",
                    "Choose an area made for colocation, or give the datasource an area of its own")
            }
            return area.id
        case .legacy(let replica, let points, let autogrow, let colocation, let rules):
            try check(replica, points, rules, name, pool)
            try checkRoom(for: replica + points, "area \(name)", db, pool)
            try db.run(
                "INSERT INTO area VALUES(NULL, ?, ?, ?, ?, ?, NULL, NULL, ?, ?, ?, ?, ?, ?)", try freeName(name, db),
                replica.count, points.count, colocation ? 1 : 0, autogrow ? 1 : 0, time, rules.threshold,
                rules.growthStep.count, rules.growthPercent, rules.growthPause, rules.overhead.count)
            return db.lastInsertedRowID
        }
    }

    private static func check(
        _ replica: Bytes, _ points: Bytes, _ rules: AreaRules, _ name: String, _ pool: PoolParts
    ) throws {
        guard rules.isPossible else {
            throw StorageFault.pool(
                .badInput, "AREA-RULES", "area \(name)", "its threshold or growth is out of range",
                "Choose a threshold of 1 to 100 %, a growth of 0 to 1000 % and sizes up to \(AreaRules.sizeLimit)")
        }
        let least = Bytes(pool.block)
        for (kind, size, least) in [
            (AreaVolume.Kind.replica, replica, least), (.points, points, least + rules.overhead),
        ] {
            try checkLimit(size, "\(kind.name) of area \(name)")
            guard size >= least else {
                throw StorageFault.pool(
                    .badInput, "160", "\(kind.name) of area \(name)", "\(size) is below its least size of \(least)",
                    "Choose a larger size")
            }
        }
    }

    static func checkLimit(_ size: Bytes, _ object: String) throws {
        guard size <= AreaRules.sizeLimit else {
            throw StorageFault.pool(
                .badInput, "158", object, "\(size) is more than the \(AreaRules.sizeLimit) a volume can have",
                "Choose a smaller size")
        }
    }

    static func checkRoom(for size: Bytes, _ object: String, _ db: Database, _ pool: PoolParts) throws {
        let free = try capacity(db, pool).unallocated
        guard size <= free else {
            throw StorageFault.pool(
                .outOfSpace, "171", object, "it needs \(size) more, and the pool has \(free) not given to anything yet",
                "Add a volume to the pool, choose smaller sizes, or shrink recovery point volumes of other areas")
        }
    }

    /// An area keeps its name when the datasource it is named for goes, so a second one of that name gets a number.
    private static func freeName(_ name: String, _ db: Database) throws -> String {
        var (candidate, number) = (name, 2)
        while try db.integer("SELECT 1 FROM area WHERE name = ?", candidate) != nil {
            candidate = "\(name) (\(number))"
            number += 1
        }
        return candidate
    }

    /// The last datasource takes its area with it.
    static func removeIfEmpty(_ area: Int64?, _ db: Database) throws {
        guard let area, try db.integer("SELECT 1 FROM datasource WHERE area = ? LIMIT 1", area) == nil else { return }
        try db.run("DELETE FROM area_event WHERE area = ?", area)
        try db.run("DELETE FROM area WHERE id = ?", area)
    }

    // MARK: Admission

    /// Called at the end of the transaction that makes a synchronization's state the replica: throws if the state does not fit its
    /// area, after growing it where that is due. On Modern storage new blocks may not take what is promised to areas.
    /// - Parameters:
    ///   - datasource: as it was before.
    ///   - stores: space of the new blocks, bytes.
    static func admit(
        _ datasource: Datasource, at time: Int64, makesPoint: Bool, stores: Int64, _ db: Database, _ pool: PoolParts
    ) throws {
        guard let id = datasource.area else {
            if stores > 0 { try admitModern(datasource, db, pool) }
            return
        }
        var area = try db.area(id)
        let usage = try db.usage(of: id, block: pool.block)
        var notes: [AreaVolume.Kind: String] = [:]
        for kind in AreaVolume.Kind.allCases {
            notes[kind] = try grow(&area, kind, used: area.used(kind, usage), at: time, db, pool)
        }
        let before =
            usage.points - (try db.pointUsage(of: datasource.id, block: pool.block))
            + datasource.held - (try db.state(datasource.id, datasource.head)?.occupied ?? 0)
        let refusal = area.rules.refusal(
            replica: area.volume(.replica, usage), points: area.volume(.points, usage),
            pointsBefore: Bytes(max(0, before)), block: Bytes(pool.block), makesPoint: makesPoint)
        guard let refusal else { return }
        throw fault(refusal, area, usage, notes[refusal.volume] ?? "")
    }

    private static func admitModern(_ datasource: Datasource, _ db: Database, _ pool: PoolParts) throws {
        guard try db.integer("SELECT 1 FROM area LIMIT 1") != nil else { return }
        let capacity = try capacity(db, pool)
        // How much a missing volume could take nobody knows; what is there is used as long as it lasts.
        guard !capacity.isPartial, capacity.isExceeded else { return }
        throw StorageFault.pool(
            .outOfSpace, "33515", "datasource \(datasource.name)",
            "the volumes would hold more than the \(capacity.total) they have, \(capacity.reserved) of which is promised to areas",
            "Prune recovery points, add a volume to the pool, or shrink recovery point volumes of areas")
    }

    /// Grows a volume of an area if that is due, and notes what happened; returns it in words, for a fault.
    private static func grow(
        _ area: inout Area, _ kind: AreaVolume.Kind, used: Bytes, at time: Int64, _ db: Database, _ pool: PoolParts
    ) throws -> String {
        let size = area.size(kind)
        // Space is asked for only if it matters: that is a call for each volume.
        guard area.rules.isOverThreshold(used: used, of: size) else { return "" }
        let decision = area.rules.decideGrowth(
            used: used, of: size, isAutomatic: area.autogrow, lastGrown: area.grown(kind), now: time,
            unallocated: try capacity(db, pool).unallocated)
        switch decision {
        case .unneeded: return ""
        case .off: return "auto-grow is off"
        case .grow(let growth):
            try setSize(&area, kind, to: size + growth, automaticallyAt: time, db)
            try db.noteEvent(area.id, AreaEvent(time, .grown, kind, before: size, after: size + growth))
            return "it has just grown by \(growth), which is not enough"
        case .tooSoon(let until):
            let note = "it grew less than \(area.rules.growthPause) s ago and may grow again in \(until - time) s"
            try db.noteEvent(area.id, AreaEvent(time, .growthFailed, kind, before: size, after: size, note))
            return note
        case .noSpace(let needed):
            let note = "the pool cannot give it the \(needed) it would grow by"
            try db.noteEvent(area.id, AreaEvent(time, .growthFailed, kind, before: size, after: size, note))
            return note
        }
    }

    static func setSize(
        _ area: inout Area, _ kind: AreaVolume.Kind, to size: Bytes, automaticallyAt time: Int64? = nil,
        _ db: Database
    ) throws {
        let column = kind.rawValue
        try db.run("UPDATE area SET \(column) = ? WHERE id = ?", size.count, area.id)
        if kind == .replica { area.replica = size } else { area.points = size }
        guard let time else { return }
        try db.run("UPDATE area SET \(column)_grown = ? WHERE id = ?", time, area.id)
        if kind == .replica { area.replicaGrown = time } else { area.pointsGrown = time }
    }

    private static func fault(_ refusal: AreaRefusal, _ area: Area, _ usage: Usage, _ note: String) -> StorageFault {
        let volume = area.volume(refusal.volume, usage)
        let size =
            refusal.volume == .points ? "\(volume.size), \(area.rules.overhead) of it kept back" : "\(volume.size)"
        let cause =
            switch refusal {
            case .replicaFull: "the replica would take \(volume.used) of \(size)"
            case .pointsFull: "it is full, and recovery points would take \(volume.used) of \(size)"
            case .wouldLosePoints:
                "recovery points would take \(volume.used) of \(size), so synchronization was stopped to keep them"
            case .noRoomForPoint: "with \(volume.used) used of \(size) there is no room for another recovery point"
            }
        let action =
            refusal.volume == .points
            ? "Grow it or prune recovery points, then synchronize again" : "Grow it, then synchronize again"
        return .pool(
            .outOfSpace, "\(refusal.rawValue)", area.object(refusal.volume), note.isEmpty ? cause : "\(cause); \(note)",
            action)
    }

    /// A refused synchronization was undone with its growth. As in DPM the volume grows nevertheless, so that the next attempt
    /// finds the room; or the failure to grow is noted. Nothing is lost if this fails too.
    static func noteRefusal(_ fault: StorageFault, of datasource: Datasource, at time: Int64, _ pool: PoolParts) {
        guard let id = datasource.area,
            let refusal = AreaRefusal.allCases.first(where: { "POOL-\($0.rawValue)" == fault.id })
        else { return }
        try? pool.map.write { db in
            var area = try db.area(id)
            // It would have been full.
            _ = try grow(&area, refusal.volume, used: AreaRules.sizeLimit, at: time, db, pool)
        }
    }

    /// Areas that nobody is in, and datasources in areas that are not there.
    static func findings(_ db: Database) throws -> [Finding] {
        let action = "Tell the makers of this program"
        let empty = try db.rows(
            "SELECT name FROM area a WHERE NOT EXISTS(SELECT 1 FROM datasource d WHERE d.area = a.id) ORDER BY name")
        let astray = try db.rows(
            """
            SELECT name FROM datasource d WHERE area IS NOT NULL AND NOT EXISTS(SELECT 1 FROM area a WHERE a.id = d.area)
            ORDER BY name
            """)
        return empty.map { Finding("area \($0[0] as String)", "no datasource lies in it", action: action) }
            + astray.map { Finding("datasource \($0[0] as String)", "the map does not know its area", action: action) }
    }

    // MARK: Capacity

    /// What the pool's volumes can take, and what of that is given away.
    struct Capacity {
        /// Free space, and what the pool's blocks take. Folders on one file system count it once each.
        var total = Bytes.zero
        /// The sizes of all areas.
        var reserved = Bytes.zero
        /// Taken by Modern storage. A block shared with an area counts here.
        var modern = Bytes.zero
        /// Whether a volume is missing; of it only the blocks count.
        var isPartial = false

        var isExceeded: Bool { reserved + modern > total }
        var unallocated: Bytes { isExceeded ? .zero : total - reserved - modern }
    }

    static func capacity(_ db: Database, _ pool: PoolParts) throws -> Capacity {
        var capacity = Capacity()
        // Space that is waiting to be given back is as good as free.
        var total = try db.integer("SELECT sum(length) FROM freed WHERE segment >= 0") ?? 0
        let live = try db.integer("SELECT sum(live) FROM segment") ?? 0
        total += live
        for volume in pool.segments.volumes {
            if volume.isPresent {
                total += try pool.files.space(at: volume.path).free
            } else {
                capacity.isPartial = true
            }
        }
        let stored = try db.integer("SELECT sum(stored) FROM datasource WHERE area IS NULL") ?? 0
        capacity.total = Bytes(max(0, total))
        capacity.reserved = Bytes(try db.integer("SELECT sum(replica + points) FROM area") ?? 0)
        capacity.modern = Bytes(max(0, min(live, stored)))
        return capacity
    }
}

extension AreaEvent {
    init(
        _ time: Int64, _ code: Code, _ volume: AreaVolume.Kind, before: Bytes, after: Bytes, _ note: String = ""
    ) {
        (self.time, self.code, self.volume, self.before, self.after, self.note) = (
            time, code, volume, before, after, note
        )
    }
}
