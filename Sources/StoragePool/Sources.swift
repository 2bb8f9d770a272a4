public import Files
import GRDB

/// Where a disk of a datasource is read from.
public struct SourcePath: Hashable, Sendable {
    public var disk: String
    public var path: String
    public init(disk: String, path: String) { (self.disk, self.path) = (disk, path) }
}

// What a pool remembers for those who use it without a catalog of their own: it never opens these paths itself.
extension Pool {
    /// Remembers where the disks of a datasource come from, in place of what was remembered.
    public func setSources(of name: String, _ sources: [SourcePath]) throws(StorageFault) {
        try checkWritable()
        let datasource = try datasource(name)
        try parts.map.write { db in
            let tracks = try db.rows("SELECT disk, track FROM source WHERE datasource = ?", datasource.id)
            try db.run("DELETE FROM source WHERE datasource = ?", datasource.id)
            for source in sources {
                let track: String? = tracks.first { $0["disk"] == source.disk }?["track"]
                try db.run("INSERT INTO source VALUES(?, ?, ?, ?)", datasource.id, source.disk, source.path, track)
            }
        }
    }

    /// By disk name.
    public func sources(of name: String) throws(StorageFault) -> [SourcePath] {
        let datasource = try datasource(name)
        return try parts.map.read { db in
            try db.rows("SELECT disk, path FROM source WHERE datasource = ? ORDER BY disk", datasource.id).map {
                SourcePath(disk: $0[0], path: $0[1])
            }
        }
    }

    /// Remembers which reference point of a disk's change tracker the replica corresponds to.
    public func setTrackPoint(of name: String, disk: String, _ id: String?) throws(StorageFault) {
        try checkWritable()
        let datasource = try datasource(name)
        try parts.map.write {
            try $0.run("UPDATE source SET track = ? WHERE datasource = ? AND disk = ?", id, datasource.id, disk)
        }
    }

    public func trackPoint(of name: String, disk: String) throws(StorageFault) -> String? {
        let datasource = try datasource(name)
        return try parts.map.read { db in
            try db.rows("SELECT track FROM source WHERE datasource = ? AND disk = ?", datasource.id, disk).first?[
                "track"]
        }
    }
}
