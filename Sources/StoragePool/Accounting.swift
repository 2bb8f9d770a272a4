public import Files
import GRDB

extension Pool {
    /// Space by volume, exact: what was committed when it was asked.
    public func space() throws(StorageFault) -> PoolSpace {
        let (live, pending) = try parts.map.read { db in
            let rows = try db.rows("SELECT volume, sum(live), count(*) FROM segment GROUP BY volume")
            let pending = try db.integer("SELECT sum(length) FROM freed") ?? 0
            return (
                rows.map { (volume: $0[0] as Int64, live: $0[1] as Int64, segments: Int($0[2] as Int64)) }, pending
            )
        }
        var volumes: [PoolSpace.Volume] = []
        for volume in parts.segments.volumes {
            let space = volume.isPresent ? try parts.files.space(at: volume.path) : (total: 0, free: 0)
            let own = live.first { $0.volume == volume.number }
            volumes.append(
                PoolSpace.Volume(
                    number: volume.number, path: volume.path, isPresent: volume.isPresent, live: own?.live ?? 0,
                    total: space.total, free: space.free, segments: own?.segments ?? 0))
        }
        var map: Int64 = 0
        for path in [Layout.map(self.path), Layout.mirror(self.path)] where try parts.files.kind(of: path) == .file {
            map += try parts.files.open(path, .read).allocated()
        }
        return PoolSpace(volumes: volumes, pending: pending, map: map)
    }

    /// What pruning a recovery point would free, bytes; shared blocks count even if others use them still. The rest of its `stored` it
    /// shares with its neighbours. Reads the leaves changed since the point before and up to the one after.
    public func uniqueSpace(of name: String, point: Int64) throws(StorageFault) -> Int64 {
        let datasource = try datasource(name)
        return try parts.map.read { db in
            guard try db.state(datasource.id, point) != nil else { throw StorageFault.noPoint(point, name) }
            return try Pruning.unique(of: point, datasource.id, db)
        }
    }
}
