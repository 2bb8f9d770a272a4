public import Files
import GRDB
public import Units

extension Pool {
    // MARK: Areas

    /// All legacy areas with their usage, by name. Exact at the moment it is asked for.
    public func areas() throws(StorageFault) -> [AreaFacts] {
        try parts.map.read { db in try db.areas().map { try self.facts(of: $0, db) } }
    }

    public func area(_ name: String) throws(StorageFault) -> AreaFacts {
        try parts.map.read { db in try self.facts(of: db.area(named: name), db) }
    }

    private func facts(of area: Areas.Area, _ db: Database) throws -> AreaFacts {
        let usage = try db.usage(of: area.id, block: blockSize)
        let names = try db.rows("SELECT name FROM datasource WHERE area = ? AND deleting = 0 ORDER BY name", area.id)
        return AreaFacts(
            id: area.id, name: area.name, datasources: names.map { $0[0] }, replica: area.volume(.replica, usage),
            points: area.volume(.points, usage), autogrow: area.autogrow, allowsColocation: area.allowsColocation,
            rules: area.rules, events: try db.events(of: area.id), created: area.created)
    }

    /// Makes the volumes of an area larger. Volumes not named keep their size.
    /// - Parameter time: now, seconds since 1970. It does not delay automatic growth.
    public func growArea(
        _ name: String, replica: Bytes? = nil, points: Bytes? = nil, at time: Int64
    ) throws(StorageFault) {
        try checkWritable()
        try parts.map.write { db in
            var area = try db.area(named: name)
            for (kind, size) in [(AreaVolume.Kind.replica, replica), (.points, points)] {
                guard let size, size != area.size(kind) else { continue }
                let old = area.size(kind)
                guard size > old else {
                    throw StorageFault.pool(
                        .badInput, "159", area.object(kind), "\(size) is less than the \(old) it has",
                        kind == .replica
                            ? "Choose a larger size; a replica volume never shrinks"
                            : "Choose a larger size, or shrink the volume")
                }
                try Areas.checkLimit(size, area.object(kind))
                try Areas.checkRoom(for: size - old, area.object(kind), db, self.parts)
                try Areas.setSize(&area, kind, to: size, db)
                try db.noteEvent(area.id, AreaEvent(time, .changed, kind, before: old, after: size))
            }
        }
    }

    /// Makes the recovery point volume of an area smaller, at least to what it uses and keeps back. The replica volume never
    /// shrinks.
    /// - Parameter time: now, seconds since 1970.
    public func shrinkArea(_ name: String, points: Bytes, at time: Int64) throws(StorageFault) {
        try checkWritable()
        try parts.map.write { db in
            var area = try db.area(named: name)
            let old = area.points
            guard points != old else { return }
            let used = try db.usage(of: area.id, block: self.blockSize).points
            let least = Bytes(max(used, self.blockSize)) + area.rules.overhead
            guard points < old else {
                throw StorageFault.pool(
                    .badInput, "159", area.object(.points), "\(points) is more than the \(old) it has",
                    "Choose a smaller size, or grow the volume")
            }
            guard points >= least else {
                throw StorageFault.pool(
                    .badInput, "160", area.object(.points),
                    "\(points) is below the \(least) it needs for what it holds",
                    "Choose a larger size, or prune recovery points first")
            }
            try Areas.setSize(&area, .points, to: points, db)
            try db.noteEvent(area.id, AreaEvent(time, .changed, .points, before: old, after: points))
        }
    }

    /// Switches automatic growth of an area's volumes on or off.
    public func setAutogrow(_ isOn: Bool, area name: String) throws(StorageFault) {
        try checkWritable()
        try parts.map.write { db in
            let area = try db.area(named: name)
            try db.run("UPDATE area SET autogrow = ? WHERE id = ?", isOn ? 1 : 0, area.id)
        }
    }

    // MARK: Alerts

    /// Free bytes below which 33515 is raised.
    public static let volumeLeast = Bytes(8 << 20)

    /// What an operator should know of now: areas by name, then volumes by number.
    /// - Parameters:
    ///   - time: now, seconds since 1970; it decides what an action advises.
    ///   - volumeThreshold: percent of a pool volume above which 33514 is raised.
    public func alerts(at time: Int64, volumeThreshold: Int64) throws(StorageFault) -> [PoolAlert] {
        var alerts = try parts.map.read { db in
            try db.areas().flatMap { area -> [PoolAlert] in
                let usage = try db.usage(of: area.id, block: self.blockSize)
                return AreaVolume.Kind.allCases.compactMap { alert(area, $0, usage, at: time) }
            }
        }
        for volume in parts.segments.volumes {
            let object = "volume \(volume.number) at \(volume.path)"
            guard volume.isPresent, let space = try space(of: volume.path) else {
                alerts.append(
                    PoolAlert(
                        id: 33518, object: object, cause: "it is missing",
                        action: "Mount it again, then open the pool again"))
                continue
            }
            let (used, total) = (Bytes(max(0, space.total - space.free)), Bytes(max(0, space.total)))
            if Bytes(max(0, space.free)) < Self.volumeLeast {
                alerts.append(
                    PoolAlert(
                        id: 33515, object: object,
                        cause: "it is full: \(Bytes(max(0, space.free))) of \(total) is free",
                        action: "Prune recovery points, expand the volume, or add another to the pool"))
            } else if AreaRules.isOver(volumeThreshold, used: used, of: total) {
                alerts.append(
                    PoolAlert(
                        id: 33514, object: object,
                        cause: "\(used) of \(total) is used, more than \(volumeThreshold) %",
                        action: "Expand the volume, or add another to the pool"))
            }
        }
        return alerts
    }

    /// Nil if the folder went since the pool was opened.
    private func space(of path: String) throws(StorageFault) -> (total: Int64, free: Int64)? {
        guard try parts.files.kind(of: path) == .folder else { return nil }
        return try parts.files.space(at: path)
    }

    private func alert(
        _ area: Areas.Area, _ kind: AreaVolume.Kind, _ usage: Areas.Usage, at time: Int64
    ) -> PoolAlert? {
        let (used, size) = (area.used(kind, usage), area.size(kind))
        guard area.rules.isOverThreshold(used: used, of: size) else { return nil }
        let grow = "Grow it" + (kind == .points ? " or prune recovery points" : "")
        let action: String
        if !area.autogrow {
            action = grow
        } else if let last = area.grown(kind), time < last + area.rules.growthPause {
            action = "\(grow); it may grow by itself again in \(last + area.rules.growthPause - time) s"
        } else {
            action = "\(grow); it grows by itself at the next synchronization if the pool has the space"
        }
        let kept = kind == .points ? ", \(area.rules.overhead) of which is kept back," : ""
        return PoolAlert(
            id: kind == .replica ? 3100 : 3169, object: area.object(kind),
            cause: "\(used) of \(size)\(kept) is used, more than \(area.rules.threshold) %", action: action)
    }
}
