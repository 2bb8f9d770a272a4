import CMapFile
public import Files
public import GRDB

/// An SQLite file that is kept twice, with a seal on each page (CMapFile). What SQLite has committed survives a power cut; a
/// page that rots in one copy is answered from the other.
public enum MapFile {
    /// What a file of ours says in its header.
    static let applicationID = 0x44504D50
    private static let hostName = "dpmsim-sealed"

    /// Opens the database at `path` with its mirror. `create` makes both files if there are none; their folders exist. A
    /// read-only opening does without a missing mirror; a writing one does not (`MAP-MIRROR`, see `copy`), for the mirror
    /// would be left behind. Of a file system other than the host's, one connection may be open at a time.
    public static func open(
        _ path: String, mirror: String, on files: any FileSystem, create: Bool, readOnly: Bool = false
    ) throws(StorageFault) -> DatabaseQueue {
        try register(path)
        try prepareFiles(path, mirror, on: files, create: create && !readOnly, readOnly: readOnly)
        let loan = files.isHost ? nil : MapBridge.lend(files)
        do {
            let queue = try DatabaseQueue(
                path: uri(path, mirror, loan: loan), configuration: configuration(readOnly: readOnly))
            try finishOpening(queue, path, readOnly: readOnly)
            return queue
        } catch {
            if let loan { MapBridge.end(loan) }
            throw fault(error, path)
        }
    }

    private static func register(_ path: String) throws(StorageFault) {
        var codes = [cmapfile_register(hostName, nil)]
        codes.append(cmapfile_register_files(MapBridge.bareName, MapBridge.functions))
        codes.append(cmapfile_register(MapBridge.sealedName, MapBridge.bareName))
        guard codes.allSatisfy({ $0 == 0 }), cmapfile_has_uris() != 0 else {
            throw StorageFault(
                .device, "MAP-SQLITE", path, "this computer's SQLite cannot be told how to keep it",
                action: "Install an SQLite that is built with SQLITE_USE_URI, as Debian's is")
        }
    }

    /// Refuses what must not be opened, and makes empty files whose names are durable.
    private static func prepareFiles(
        _ path: String, _ mirror: String, on files: any FileSystem, create: Bool, readOnly: Bool
    ) throws(StorageFault) {
        let (size, mirrorSize) = (try size(of: path, on: files), try size(of: mirror, on: files))
        if size == nil, let mirrorSize, mirrorSize > 0 {
            throw StorageFault(
                .missing, "MAP-MAIN", path, "it is gone, but its mirror \(mirror) is there",
                action: "Bring it back, or repair the pool, which copies the mirror")
        }
        if let size, size > 0, mirrorSize == nil, !readOnly {
            throw StorageFault(
                .missing, "MAP-MIRROR", mirror, "the mirror of \(path) is gone",
                action: "Bring it back, or repair the pool, which makes it again")
        }
        guard (size ?? 0) == 0, (mirrorSize ?? 0) == 0 else { return }
        guard create else {
            throw StorageFault(
                .missing, "MAP-MISSING", path, size == nil ? "there is no such file" : "it was never finished",
                action: "Check the path of the pool")
        }
        var made: [String] = []
        do throws(StorageFault) {
            for (name, known) in [(path, size), (mirror, mirrorSize)] {
                let file = try files.open(name, .createOrOpen)
                if known == nil { made.append(name) }
                defer { file.close() }
                try file.flush()
                try files.syncFolder(MapBridge.folder(of: name))
            }
        } catch {
            for name in made { try? files.remove(name) }
            throw error
        }
    }

    private static func size(of path: String, on files: any FileSystem) throws(StorageFault) -> Int64? {
        guard try files.kind(of: path) != .none else { return nil }
        let file = try files.open(path, .read)
        defer { file.close() }
        return try file.size()
    }

    private static func uri(_ path: String, _ mirror: String, loan: Int?) -> String {
        let names = [path, mirror].map { name in escaped(loan.map { MapBridge.path(name, of: $0) } ?? name) }
        return "file:\(names[0])?vfs=\(loan == nil ? hostName : MapBridge.sealedName)&mirror=\(names[1])"
    }

    private static func escaped(_ path: String) -> String {
        let plain = Set("/._-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".utf8)
        return path.utf8.reduce(into: "") { text, byte in
            if plain.contains(byte) {
                text.unicodeScalars.append(UnicodeScalar(byte))
            } else {
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
    }

    private static func configuration(readOnly: Bool) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.foreignKeysEnabled = false
        configuration.busyMode = .timeout(60)
        configuration.prepareDatabase { db in
            if !readOnly {
                _ = cmapfile_reserve(db.sqliteConnection)
                try db.execute(sql: "PRAGMA page_size = \(CMAPFILE_PAGE)")
                // Ended by zeros over its header, one sector. Cutting it off could leave its length and zeros for content
                // after a power cut, and SQLite's checksums, of one byte in 200, need not notice.
                try db.execute(sql: "PRAGMA journal_mode = PERSIST")
                try db.execute(sql: "PRAGMA journal_size_limit = 1048576")
                try db.execute(sql: "PRAGMA synchronous = EXTRA")
                // Debian's SQLite writes zeros over what was deleted: twice the work, and nothing here is secret.
                try db.execute(sql: "PRAGMA secure_delete = OFF")
            }
            try db.execute(sql: "PRAGMA cache_size = -8192")
            try db.execute(sql: "PRAGMA temp_store = MEMORY")
        }
        return configuration
    }

    private static func finishOpening(_ queue: DatabaseQueue, _ path: String, readOnly: Bool) throws {
        try queue.inDatabase { db in
            if !readOnly, try Int.fetchOne(db, sql: "PRAGMA page_count") == 0 {
                try db.execute(sql: "PRAGMA application_id = \(applicationID)")
            }
            guard try Int.fetchOne(db, sql: "PRAGMA application_id") == applicationID,
                try Int.fetchOne(db, sql: "PRAGMA page_size") == CMAPFILE_PAGE
            else {
                throw StorageFault(
                    .badInput, "MAP-FOREIGN", path, "it is a database of another program",
                    action: "Check the path of the pool")
            }
        }
        try queue.read { db in
            _ = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master")
            let code = cmapfile_twins(db.sqliteConnection)
            guard code != 0 else { return }
            guard ResultCode(rawValue: code) == .SQLITE_CORRUPT else {
                throw DatabaseError(resultCode: ResultCode(rawValue: code))
            }
            throw StorageFault(
                .damaged, "MAP-STALE", path, "its mirror is of another state",
                action: "Put the right mirror back, or remove the wrong one and repair the pool")
        }
    }
}

/// What a check of both copies found; pages are numbered from 1.
public struct MapFindings: Hashable, Sendable {
    /// Pages of 8 KiB the database has.
    public var pages = 0
    /// In use and damaged in one copy, good in the other.
    public var damagedInMain: [Int] = []
    public var damagedInMirror: [Int] = []
    /// Good in both, but not equal.
    public var differing: [Int] = []
    /// Damaged in both.
    public var lost: [Int] = []
    /// Damaged or differing, but on the list of free pages: a power cut may leave such, and nothing is lost with them.
    public var unused: [Int] = []
    /// How many of them were mended.
    public var repaired = 0

    public var isClean: Bool {
        damagedInMain.isEmpty && damagedInMirror.isEmpty && differing.isEmpty && lost.isEmpty
    }
}

/// Answers from the mirror since the database was opened.
public struct MapHealth: Hashable, Sendable {
    public let healed: Int
    /// Reads that failed, for both copies were damaged.
    public let lost: Int
    /// Pages of the first 32 of them.
    public let healedPages: [Int]
    public let lostPages: [Int]
    public let mirrorMissing: Bool
}

extension MapFile {
    public static func health(of queue: DatabaseQueue) -> MapHealth {
        let health = queue.inDatabase { db in
            var health = cmapfile_health()
            _ = cmapfile_health_of(db.sqliteConnection, &health)
            return health
        }
        func pages<T>(_ numbers: T, _ count: UInt64) -> [Int] {
            withUnsafeBytes(of: numbers) { $0.bindMemory(to: UInt32.self).prefix(Int(min(count, 32))).map(Int.init) }
        }
        return MapHealth(
            healed: Int(health.healed), lost: Int(health.lost),
            healedPages: pages(health.healed_pages, health.healed), lostPages: pages(health.lost_pages, health.lost),
            mirrorMissing: health.mirror_missing != 0)
    }

    /// Reads all pages of both copies; with `repair`, mends the damaged ones from the good. O(size), which waits for nobody
    /// but keeps writers of other connections waiting.
    public static func verify(_ queue: DatabaseQueue, repair: Bool) throws(StorageFault) -> MapFindings {
        do {
            return try queue.read { db in
                _ = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master")
                var findings = MapFindings()
                var pages: UInt32 = 0
                let code = withUnsafeMutablePointer(to: &findings) { pointer in
                    cmapfile_verify(
                        db.sqliteConnection, repair ? 1 : 0,
                        { context, page, what in
                            context!.assumingMemoryBound(to: MapFindings.self).pointee.add(Int(page), Int(what))
                        }, pointer, &pages)
                }
                guard code == 0 else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
                findings.pages = Int(pages)
                return findings
            }
        } catch { throw fault(error, path(of: queue)) }
    }

    /// The path the database was opened under.
    private static func path(of queue: DatabaseQueue) -> String {
        let name = try? queue.inDatabase { try Row.fetchOne($0, sql: "PRAGMA database_list")?["file"] as String? }
        return MapBridge.original(name ?? queue.path)
    }

    /// Makes a copy that is gone from the other: `whole` is copied to `missing`, which appears complete or not at all. Nobody may
    /// have the database open, and the next opening rolls back what was unfinished, in both.
    public static func copy(_ whole: String, to missing: String, on files: any FileSystem) throws(StorageFault) {
        let new = missing + ".new"
        do throws(StorageFault) {
            let source = try files.open(whole, .read)
            defer { source.close() }
            if try files.kind(of: new) != .none { try files.remove(new) }
            let target = try files.open(new, .create)
            defer { target.close() }
            let buffer = Buffer(count: 1 << 20)
            var offset: Int64 = 0
            while true {
                let count = try source.read(into: buffer.bytes, at: offset)
                if count == 0 { break }
                try target.write(UnsafeRawBufferPointer(buffer[0..<count]), at: offset)
                offset += Int64(count)
            }
            try target.flush()
            try files.rename(new, to: missing)
            try files.syncFolder(MapBridge.folder(of: missing))
        } catch {
            try? files.remove(new)
            throw error
        }
    }

    /// An error of SQLite in the terms of a store.
    public static func fault(_ error: any Error, _ path: String) -> StorageFault {
        if let fault = error as? StorageFault { return fault }
        guard let error = error as? DatabaseError else {
            return StorageFault(
                .device, "MAP-SQLITE", path, "the database failed: \(error)", action: "Check the disk under it")
        }
        let text = "\(error.message ?? "no reason given") (SQLite \(error.extendedResultCode.rawValue))"
        if error.extendedResultCode.rawValue == 10 | 32 << 8 {
            return StorageFault(
                .damaged, "MAP-LOST", path, "a page of it is damaged, in its mirror too",
                action: "Run the pool's check, which names what is lost")
        }
        switch error.resultCode {
        case .SQLITE_FULL:
            return StorageFault(
                .outOfSpace, "MAP-SPACE", path, "there was no space left to write it",
                action: "Free space on its volume, or prune recovery points")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return StorageFault(
                .damaged, "MAP-DAMAGED", path, "its structure is damaged: \(text)",
                action: "Run the pool's check, which names what is lost")
        case .SQLITE_READONLY:
            return StorageFault(
                .readOnly, "MAP-READONLY", path, "it could not be written: \(text)",
                action: "Check that its volume is mounted for writing, and its permissions")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return StorageFault(
                .busy, "MAP-BUSY", path, "another program kept it locked for a minute",
                action: "Wait for the other program to end, and try again")
        case .SQLITE_CANTOPEN:
            return StorageFault(
                // What is missing was told before SQLite was asked.
                .device, "MAP-OPEN", path, "it, its mirror or its journal could not be opened: \(text)",
                action: "Check that the folder and both files may be read and written, and the disk under them")
        case .SQLITE_IOERR:
            return StorageFault(
                .device, "MAP-IO", path, "the device failed: \(text)",
                action: "Check the disk under it, then run the pool's check")
        default:
            return StorageFault(
                .device, "MAP-SQLITE", path, "the database failed: \(text)", action: "Check the disk under it")
        }
    }
}

extension MapFindings {
    fileprivate mutating func add(_ page: Int, _ what: Int) {
        let isBad = (main: what & CMAPFILE_MAIN_BAD != 0, mirror: what & CMAPFILE_MIRROR_BAD != 0)
        if what & CMAPFILE_REPAIRED != 0 { repaired += 1 }
        if what & CMAPFILE_FREE != 0 {
            unused.append(page)
        } else if isBad.main, isBad.mirror {
            lost.append(page)
        } else if isBad.main {
            damagedInMain.append(page)
        } else if isBad.mirror {
            damagedInMirror.append(page)
        } else {
            differing.append(page)
        }
    }
}
