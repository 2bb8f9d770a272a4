import DiskImages
public import Files
import GRDB

/// What the parts of a pool share.
struct PoolParts: Sendable {
    let files: any FileSystem
    let folder: String
    let id: GUID
    /// Of a block, bytes.
    let block: Int64
    let map: Map
    let segments: Segments
    let locks: Locks
}

/// A storage pool: replicas and recovery points of datasources, in folders on one or more volumes.
///
/// Several threads and several programs may use one pool at once. A datasource is worked on by one at a time; others are not held
/// up by it.
public final class Pool: Sendable {
    let parts: PoolParts
    public let path: String
    public var id: GUID { parts.id }
    /// Of a block, bytes: what is compared, stored and verified as one.
    public var blockSize: Int64 { parts.block }
    public let isWritable: Bool

    public struct Options: Sendable {
        /// Bytes, a power of two from 16 KiB to 1 MiB.
        public var blockSize: Int64 = 65_536
        /// Of a segment file, bytes, a multiple of 4 KiB up to 1 GiB.
        public var segmentSize: Int64 = 1 << 30
        public init(blockSize: Int64 = 65_536, segmentSize: Int64 = 1 << 30) {
            (self.blockSize, self.segmentSize) = (blockSize, segmentSize)
        }
    }

    private init(parts: PoolParts, path: String, isWritable: Bool) {
        (self.parts, self.path, self.isWritable) = (parts, path, isWritable)
    }

    // MARK: Creating and opening

    /// Makes a pool in a folder that is empty or does not exist.
    /// - Parameter time: now, seconds since 1970.
    public static func create(
        at path: String, on files: any FileSystem, options: Options = Options(), guids: any GUIDSource, time: Int64
    ) throws(StorageFault) -> Pool {
        let block = options.blockSize
        guard block >= 16_384, block <= 1 << 20, block & (block - 1) == 0 else {
            throw .pool(
                .badInput, "BLOCK", path, "blocks of \(block) bytes are not possible",
                "Choose a power of two from 16 KiB to 1 MiB")
        }
        guard options.segmentSize % Location.unit == 0, options.segmentSize >= 4 * block,
            options.segmentSize <= Location.segmentSizeLimit
        else {
            throw .pool(
                .badInput, "SEGMENT-SIZE", path, "segments of \(options.segmentSize) bytes are not possible",
                "Choose a multiple of 4 KiB from four blocks to 1 GiB")
        }
        switch try files.kind(of: path) {
        case .none: try files.makeFolder(path)
        case .folder:
            guard try !Layout.isUnfinishedPool(path, on: files) else {
                throw .pool(
                    .badInput, "UNFINISHED", path, "a pool was being made here when the program was interrupted",
                    "Remove the folder, which holds no data, and create the pool again")
            }
            guard try files.list(path).isEmpty else {
                throw .pool(
                    .badInput, "NOT-EMPTY", path, "the folder is not empty", "Choose an empty folder or a new name")
            }
        case .file, .other:
            throw .pool(.badInput, "NOT-FOLDER", path, "it is not a folder", "Choose an empty folder or a new name")
        }
        let id = guids.next()
        do throws(StorageFault) {
            try files.makeFolder(Layout.segments(path))
            try files.makeFolder(Layout.locks(path))
            let reserve = try files.open(Layout.reserve(path), .createOrOpen)
            try reserve.reserve(0..<Layout.reserveSize)
            let queue = try openMap(path, on: files, create: true, readOnly: false)
            let map = Map(path: Layout.map(path), queue: queue)
            try map.write { db in
                try db.execute(sql: Map.schema)
                try db.run(
                    "INSERT INTO pool VALUES(?, ?, ?, ?, ?)", Int64(Layout.version), id.description, block,
                    options.segmentSize, time)
                try db.run("INSERT INTO volume VALUES(0, '', ?)", time)
            }
            do { try queue.close() } catch { throw MapFile.fault(error, path) }
            // Last: without it the folder is no pool.
            try writeIdentity(path, pool: id, volume: 0, on: files)
            let parent = path.contains("/") ? String(path[..<path.lastIndex(of: "/")!]) : "."
            try files.syncFolder(parent.isEmpty ? "/" : parent)
        } catch {
            removeWhatWasMade(path, on: files)
            throw error
        }
        return try open(path, on: files)
    }

    private static func removeWhatWasMade(_ path: String, on files: any FileSystem) {
        for name in (try? files.list(path)) ?? [] { try? files.remove(path + "/" + name) }
        for folder in [Layout.segments(path), Layout.locks(path), path] { try? files.removeFolder(folder) }
    }

    private static func openMap(
        _ path: String, on files: any FileSystem, create: Bool, readOnly: Bool
    ) throws(StorageFault) -> DatabaseQueue {
        do {
            return try MapFile.open(
                Layout.map(path), mirror: Layout.mirror(path), on: files, create: create, readOnly: readOnly)
        } catch { throw MapFile.fault(error, Layout.map(path)) }
    }

    /// Also who only looks opens the map for writing if he may: a program that was killed in a transaction has left a journal, and the map
    /// cannot be read before it is rolled back.
    private static func openMap(
        _ path: String, on files: any FileSystem, forWriting: Bool
    ) throws(StorageFault) -> DatabaseQueue {
        do throws(StorageFault) { return try openMap(path, on: files, create: false, readOnly: false) } catch {
            if forWriting { throw error }
            return try openMap(path, on: files, create: false, readOnly: true)
        }
    }

    static func writeIdentity(_ folder: String, pool: GUID, volume: Int64, on files: any FileSystem)
        throws(StorageFault)
    {
        let temporary = Layout.newIdentity(folder)
        let file = try files.open(temporary, .createOrOpen)
        try file.truncate(to: 0)
        try file.write(Layout.identityText(pool: pool, volume: volume), at: 0)
        try file.flush()
        file.close()
        try files.rename(temporary, to: Layout.identity(folder))
        try files.syncFolder(folder)
    }

    /// Opens a pool. What interrupted programs left behind is cleaned up, unless it is opened for reading only.
    public static func open(
        _ path: String, on files: any FileSystem, writable: Bool = true
    ) throws(StorageFault) -> Pool {
        guard try files.kind(of: Layout.map(path)) == .file, try files.kind(of: Layout.identity(path)) == .file else {
            throw .pool(
                .badInput, "NOT-POOL", path, "there is no pool in this folder", "Check the path, or create a pool there"
            )
        }
        let map = Map(path: Layout.map(path), queue: try openMap(path, on: files, forWriting: writable))
        let (version, id, block, segment, volumes) = try map.read { db in
            guard let row = try db.rows("SELECT version, id, block, segment FROM pool").first else {
                throw StorageFault.pool(
                    .damaged, "MAP-DAMAGED", path, "the map names no pool", "Restore the map from a copy")
            }
            let volumes = try db.rows("SELECT number, path FROM volume ORDER BY number").map {
                ($0[0] as Int64, $0[1] as String)
            }
            return (row[0] as Int64, row[1] as String, row[2] as Int64, row[3] as Int64, volumes)
        }
        guard version == Int64(Layout.version), let id = GUID(id) else {
            throw .pool(
                .badInput, "VERSION", path, "its map has version \(version), this program reads \(Layout.version)",
                "Use the program that made it, or a newer one")
        }
        try map.read { try MapBounds.check($0, path: Layout.map(path)) }
        var known: [Segments.Volume] = []
        for (number, folder) in volumes {
            let folder = number == 0 ? path : folder
            known.append(
                Segments.Volume(
                    number: number, path: folder, isPresent: try isPresent(folder, number, id, on: files)))
        }
        let segments = Segments(files: files, pool: id, size: segment, map: map, volumes: known)
        let pool = Pool(
            parts: PoolParts(
                files: files, folder: path, id: id, block: block, map: map, segments: segments,
                locks: Locks(files: files, folder: Layout.locks(path))),
            path: path, isWritable: writable)
        if writable { try pool.cleanUp() }
        return pool
    }

    /// Volume 0 is where the map is; another one must say that it belongs to this pool.
    private static func isPresent(
        _ folder: String, _ number: Int64, _ id: GUID, on files: any FileSystem
    ) throws(StorageFault) -> Bool {
        if number == 0 { return true }
        do throws(StorageFault) {
            guard let identity = try Layout.readIdentity(folder, on: files) else { return false }
            return identity.pool == id && identity.volume == number
        } catch {
            if error.kind == .damaged { return try files.kind(of: Layout.segments(folder)) == .folder }
            return false
        }
    }

    /// Ends what interrupted programs began.
    private func cleanUp() throws(StorageFault) {
        try parts.files.makeFolder(Layout.locks(path))
        try usingReserve { () throws(StorageFault) in
            try Session.cleanUpInterrupted(parts)
            let unfinished = try parts.map.read { try Self.unfinished($0) }
            let cleaning = unfinished.isEmpty ? nil : try parts.locks.cleaningUp()
            defer { cleaning?.close() }
            for datasource in unfinished {
                guard let lock = try parts.locks.tryDatasource(datasource.id) else { continue }
                defer { lock.close() }
                try finish(datasource)
            }
            try reclaimIfNeeded()
        }
    }

    /// Does what frees space but needs a little before: on a full disk in the reserve's place. The body may be called twice.
    private func usingReserve(_ body: () throws(StorageFault) -> Void) throws(StorageFault) {
        do throws(StorageFault) { try body() } catch {
            let reserve = Layout.reserve(path)
            guard error.kind == .outOfSpace, try parts.files.kind(of: reserve) == .file else { throw error }
            try parts.files.remove(reserve)
            defer { restoreReserve() }
            try body()
        }
    }

    /// Datasources with states that are to go.
    private static func unfinished(_ db: Database) throws -> [Datasource] {
        try db.rows(
            """
            SELECT id FROM datasource d WHERE deleting = 1 OR EXISTS(
                SELECT 1 FROM state s WHERE s.datasource = d.id AND (s.deleting = 1 OR s.point = 0 AND s.epoch < d.head))
            ORDER BY id
            """
        ).compactMap { try db.datasource($0[0] as Int64) }
    }

    /// Removes the states of a datasource that nobody wants any more. The caller holds its lock.
    private func finish(_ datasource: Datasource) throws(StorageFault) {
        let id = datasource.id
        if try parts.map.read({ try $0.integer("SELECT deleting FROM datasource WHERE id = ?", id) }) == 1 {
            try Removal.run(datasource, parts)
            return
        }
        let states = try parts.map.read { db in
            try db.rows(
                """
                SELECT epoch FROM state WHERE datasource = ?1 AND epoch < (SELECT head FROM datasource WHERE id = ?1)
                AND (deleting = 1 OR point = 0) ORDER BY epoch
                """, id
            ).map { $0[0] as Int64 }
        }
        for state in states {
            let unread: any StoreFile
            do throws(StorageFault) {
                unread = try parts.locks.unread(id, state, name: datasource.name)
            } catch {
                // Somebody reads what was the replica: it goes another time.
                if error.kind == .busy { continue }
                throw error
            }
            defer { unread.close() }
            try Pruning.remove(state, of: datasource, parts)
        }
    }

    /// Nothing may be asked of the pool after it.
    public func close() throws(StorageFault) {
        do { try parts.map.queue.close() } catch { throw MapFile.fault(error, path) }
    }

    func checkWritable() throws(StorageFault) {
        guard isWritable else {
            throw .pool(.readOnly, "READONLY", path, "the pool is open for reading only", "Open it for writing")
        }
    }

    // MARK: Volumes

    /// Adds a volume: a folder, empty or new, preferably on another disk. New segments go to the volume with most free space.
    public func addVolume(_ folder: String, time: Int64) throws(StorageFault) {
        try checkWritable()
        let files = parts.files
        switch try files.kind(of: folder) {
        case .none: try files.makeFolder(folder)
        case .folder:
            guard try isUnfinishedVolume(folder) else {
                throw .pool(
                    .badInput, "NOT-EMPTY", folder, "the folder is not empty", "Choose an empty folder or a new name")
            }
        case .file, .other:
            throw .pool(.badInput, "NOT-FOLDER", folder, "it is not a folder", "Choose an empty folder or a new name")
        }
        try files.makeFolder(Layout.segments(folder))
        try files.syncFolder(folder)
        let known = try parts.map.read { try $0.integer("SELECT number FROM volume WHERE path = ?", folder) }
        let greatest = try parts.map.read { try $0.integer("SELECT max(number) FROM volume") ?? 0 }
        let number = known ?? greatest + 1
        try Self.writeIdentity(folder, pool: id, volume: number, on: files)
        // Else a power cut could take the folder away with all that is in it.
        try files.syncFolder(MapBridge.folder(of: folder))
        if known == nil {
            try parts.map.write { try $0.run("INSERT INTO volume VALUES(?, ?, ?)", number, folder, time) }
        }
        parts.segments.add(Segments.Volume(number: number, path: folder, isPresent: true))
    }

    /// Whether a folder is empty, or holds only what an interrupted `addVolume` of this pool left.
    private func isUnfinishedVolume(_ folder: String) throws(StorageFault) -> Bool {
        let files = parts.files
        for name in try files.list(folder) {
            switch folder + "/" + name {
            case Layout.segments(folder):
                guard try files.list(Layout.segments(folder)).isEmpty else { return false }
            case Layout.newIdentity(folder): break
            case Layout.identity(folder):
                guard let identity = try Layout.readIdentity(folder, on: files), identity.pool == id else {
                    return false
                }
                // A commit may have failed and happened all the same: then this program does not know the volume yet.
                guard !parts.segments.volumes.contains(where: { $0.number == identity.volume }) else { return false }
            default: return false
            }
        }
        return true
    }

    // MARK: Datasources

    /// Begins to protect a datasource; its replica is made by the first synchronization.
    /// - Parameter area: what it is stored in; it stays there as long as it is protected.
    public func add(
        _ name: String, compression: Int? = nil, sharesBlocks: Bool = false, area: AreaChoice = .modern, time: Int64
    ) throws(StorageFault) -> Datasource {
        try checkWritable()
        guard !name.isEmpty, name.utf8.count <= 255, !name.contains(where: { $0.isNewline || $0 == "/" }) else {
            throw .pool(
                .badInput, "NAME", "datasource \(name)", "this cannot be a name",
                "Choose 1 to 255 characters without slashes and line breaks")
        }
        if let compression, !(-7...19 ~= compression) || compression == 0 {
            throw .pool(
                .badInput, "LEVEL", "datasource \(name)", "zstd has no level \(compression) here",
                "Choose a level from -7 to -1 or from 1 to 19")
        }
        return try parts.map.write { db in
            guard try db.integer("SELECT 1 FROM datasource WHERE name = ?", name) == nil else {
                throw StorageFault.pool(
                    .badInput, "PROTECTED", "datasource \(name)", "the pool protects one of that name already",
                    "Back it up again, or choose another name")
            }
            let area = try Areas.place(name, area, at: time, db, parts)
            try db.run(
                """
                INSERT INTO datasource(name, compression, shares, area, head, stored, created)
                VALUES(?, ?, ?, ?, 0, 0, ?)
                """, name, compression.map { Int64($0) }, sharesBlocks ? 1 : 0, area, time)
            return try db.datasource(named: name)!
        }
    }

    /// All datasources, by name.
    public func datasources() throws(StorageFault) -> [Datasource] { try parts.map.read { try $0.datasources() } }

    public func datasource(_ name: String) throws(StorageFault) -> Datasource {
        guard let datasource = try parts.map.read({ try $0.datasource(named: name) }) else { throw .noDatasource(name) }
        return datasource
    }

    /// Ends the protection of a datasource and gives back all its space.
    public func remove(_ name: String) throws(StorageFault) {
        try checkWritable()
        let datasource = try datasource(name)
        let lock = try parts.locks.datasource(datasource.id, name: name)
        defer { lock.close() }
        let points = try recoveryPoints(of: name)
        var held: [any StoreFile] = []
        for point in points { held.append(try parts.locks.unread(datasource.id, point.number, name: name)) }
        try usingReserve { () throws(StorageFault) in
            try Session.cleanUp(datasource.id, parts)
            try parts.map.write { try $0.run("UPDATE datasource SET deleting = 1 WHERE id = ?", datasource.id) }
            try Removal.run(datasource, parts)
        }
        for point in points { parts.locks.forgetReading(datasource.id, point.number) }
        try usingReserve { () throws(StorageFault) in try Reclaiming.run(parts) }
    }

    // MARK: Recovery points

    /// The recovery points of a datasource, oldest first.
    public func recoveryPoints(of name: String) throws(StorageFault) -> [RecoveryPoint] {
        let datasource = try datasource(name)
        return try parts.map.read { try $0.states(datasource.id).filter { $0.isRecoveryPoint } }
    }

    /// The replica's state, nil before the initial replica.
    public func replica(of name: String) throws(StorageFault) -> RecoveryPoint? {
        let datasource = try datasource(name)
        return try parts.map.read { try $0.state(datasource.id, datasource.head) }
    }

    /// The disks of a recovery point, by name.
    public func disks(of name: String, at point: Int64) throws(StorageFault) -> [DiskFacts] {
        let datasource = try datasource(name)
        return try parts.map.read { db in
            guard try db.state(datasource.id, point) != nil else { throw StorageFault.noPoint(point, name) }
            return try db.disks(of: datasource.id, at: point)
        }
    }

    /// A disk of a recovery point, to be read as a block device. It is not pruned while the device exists.
    /// - Parameter disk: its name; nil if there is only one.
    public func device(of name: String, at point: Int64, disk: String? = nil) throws(StorageFault)
        -> RecoveryPointDevice
    {
        let datasource = try datasource(name)
        // A pool on a medium that cannot be written cannot be pruned either.
        let lease = isWritable ? try parts.locks.reading(datasource.id, point, name: name) : nil
        let disks = try disks(of: name, at: point)
        guard let found = disk == nil && disks.count == 1 ? disks[0] : disks.first(where: { $0.name == disk }) else {
            throw .noDisk(disk ?? "(\(disks.count) disks, none named)", point, name)
        }
        return RecoveryPointDevice(parts: parts, datasource: name, point: point, disk: found, lease: lease)
    }

    /// Prunes a recovery point: the space only it needs is given back. The newest one stays as the replica.
    /// - Returns: bytes freed.
    @discardableResult
    public func prune(_ name: String, point: Int64) throws(StorageFault) -> Int64 {
        try checkWritable()
        let known = try datasource(name)
        let lock = try parts.locks.datasource(known.id, name: name)
        defer { lock.close() }
        let datasource = try datasource(name)
        guard let state = try parts.map.read({ try $0.state(datasource.id, point) }), state.isRecoveryPoint else {
            throw .noPoint(point, name)
        }
        let unread = try parts.locks.unread(datasource.id, point, name: name)
        defer { unread.close() }
        if point == datasource.head {
            try parts.map.write {
                try $0.run("UPDATE state SET point = 0 WHERE datasource = ? AND epoch = ?", datasource.id, point)
            }
            return 0
        }
        try usingReserve { () throws(StorageFault) in
            try finish(datasource)
            try Pruning.remove(point, of: datasource, parts)
        }
        var freed: Int64 = 0
        try usingReserve { () throws(StorageFault) in freed = try Reclaiming.run(parts) }
        restoreReserve()
        return freed
    }

    private func restoreReserve() {
        guard let file = try? parts.files.open(Layout.reserve(path), .createOrOpen) else { return }
        if let held = try? file.allocated(), held < Layout.reserveSize { try? file.reserve(0..<Layout.reserveSize) }
    }

    /// Removes states nobody asked to keep. The caller holds the datasource's lock.
    func removeUnwantedStates(_ name: String) throws(StorageFault) {
        let datasource = try datasource(name)
        let hasOld = try parts.map.read { db in
            try db.integer(
                "SELECT 1 FROM state WHERE datasource = ? AND epoch < ? AND (point = 0 OR deleting = 1) LIMIT 1",
                datasource.id, datasource.head)
        }
        if hasOld != nil { try finish(datasource) }
    }

    func reclaimIfNeeded() throws(StorageFault) {
        let isNeeded = try parts.map.read { db in
            try db.integer("SELECT 1 FROM freed LIMIT 1") != nil || Reclaiming.hasEmptySegments(db)
        }
        if isNeeded { try Reclaiming.run(parts) }
    }
}
