import Files

/// Who works on what, also among programs: locks on small files, which end with the process that holds them.
struct Locks: Sendable {
    let files: any FileSystem
    let folder: String

    /// Held while something is done with a datasource: synchronized, pruned, removed. Recovery points may be read meanwhile.
    func datasource(_ id: Int64, name: String) throws(StorageFault) -> any StoreFile {
        if let lock = try tryDatasource(id) { return lock }
        // Somebody who opens the pool may just be cleaning up after an interrupted program; that does not take long.
        let cleaning = try cleaningUp()
        defer { cleaning.close() }
        return try hold("datasource-\(id)", exclusive: true) { () -> StorageFault in
            .pool(
                .busy, "BUSY", "datasource \(name)", "something else is being done with it",
                "Wait until that ends, then try again")
        }
    }

    /// Held while a datasource is locked only to clean up after interrupted programs. Waits for others who do so.
    func cleaningUp() throws(StorageFault) -> any StoreFile {
        let file = try files.open(folder + "/cleaning-up", .createOrOpen)
        _ = try file.lock(exclusive: true, wait: true)
        return file
    }

    /// Whether nobody works on a datasource; it is locked then.
    func tryDatasource(_ id: Int64) throws(StorageFault) -> (any StoreFile)? {
        try take("datasource-\(id)", exclusive: true)
    }

    /// Held by everybody who reads a recovery point, so that it is not pruned under him.
    func reading(_ datasource: Int64, _ point: Int64, name: String) throws(StorageFault) -> any StoreFile {
        try hold("read-\(datasource)-\(point)", exclusive: false) { () -> StorageFault in
            .pool(
                .busy, "POINT-BUSY", "recovery point \(point) of \(name)", "it is being pruned",
                "Choose another recovery point")
        }
    }

    /// Whether nobody reads a recovery point. What is returned must be held until it is gone.
    func unread(_ datasource: Int64, _ point: Int64, name: String) throws(StorageFault) -> any StoreFile {
        try hold("read-\(datasource)-\(point)", exclusive: true) { () -> StorageFault in
            .pool(
                .busy, "POINT-BUSY", "recovery point \(point) of \(name)", "it is being read",
                "End what reads it (a restore, or an NBD server), then try again")
        }
    }

    /// The lock file of a recovery point that is gone.
    func forgetReading(_ datasource: Int64, _ point: Int64) {
        try? files.remove(folder + "/read-\(datasource)-\(point)")
    }

    /// Held by sessions that share blocks (not exclusive), and while shared blocks are freed (exclusive).
    func sharing(exclusive: Bool) throws(StorageFault) -> (any StoreFile)? {
        try take("sharing", exclusive: exclusive)
    }

    /// Held while freed space is given back. Two that read the same notes could punch a segment that was removed and made anew between.
    func reclaiming() throws(StorageFault) -> (any StoreFile)? { try take("reclaiming", exclusive: true) }

    private func take(_ name: String, exclusive: Bool) throws(StorageFault) -> (any StoreFile)? {
        let file = try files.open(folder + "/" + name, .createOrOpen)
        return try file.lock(exclusive: exclusive, wait: false) ? file : nil
    }

    private func hold(
        _ name: String, exclusive: Bool, orElse busy: () -> StorageFault
    ) throws(StorageFault) -> any StoreFile {
        guard let file = try take(name, exclusive: exclusive) else { throw busy() }
        return file
    }
}
