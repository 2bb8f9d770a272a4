import Foundation
import GRDB

/// The file of an archive from outside: whether it may be written, and faults in words.
enum ArchiveFile {
    /// Refuses a path that holds something that is not an archive, or that another run is writing.
    static func admit(_ path: String) throws {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory), isDirectory.boolValue else {
            throw ArchiveFault(
                object: path, cause: "there is no directory \(directory)", action: "Create it or choose another path")
        }
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else { return }
        if isDirectory.boolValue {
            throw ArchiveFault(object: path, cause: "this is a directory", action: "Name a file")
        }
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? nil
        if size == 0 { return }
        let foreign = ArchiveFault(
            object: path, cause: "the file exists and is not an archive of dpmsim",
            action: "Choose another path, or move the file away")
        do {
            let existing = try DatabaseQueue(path: path)
            let id = try existing.read { db in try Int32.fetchOne(db, sql: "PRAGMA application_id") }
            guard id == Schema.applicationID else { throw foreign }
            // An archive that is being written refuses this.
            try existing.inDatabase { db in
                try db.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
                try db.execute(sql: "BEGIN IMMEDIATE; ROLLBACK")
            }
            try existing.close()
        } catch let error as DatabaseError where error.resultCode == .SQLITE_NOTADB {
            throw foreign
        } catch let fault as ArchiveFault {
            throw fault
        } catch {
            throw self.fault(error, path)
        }
    }

    /// Puts a finished draft in the place of what was there.
    static func move(_ draft: String, to path: String) throws {
        // A log left over from the old file would be replayed into the new one.
        for suffix in ["-wal", "-shm"] { unlink(path + suffix) }
        guard rename(draft, path) == 0 else {
            throw ArchiveFault(
                object: path, cause: String(cString: strerror(errno)), action: "Choose a path that can be written")
        }
    }

    /// Removes a database with its logs; nothing if there is none.
    static func remove(_ path: String) { for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) } }

    /// An error of SQLite in terms of the file.
    static func fault(_ error: any Error, _ path: String) -> ArchiveFault {
        if let fault = error as? ArchiveFault { return fault }
        guard let error = error as? DatabaseError else {
            return ArchiveFault(object: path, cause: "\(error)", action: "Choose another path")
        }
        switch error.resultCode {
        case .SQLITE_FULL:
            return ArchiveFault(
                object: path, cause: "the disk is full", action: "Free some space or choose a path on another disk")
        case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_READONLY, .SQLITE_AUTH:
            return ArchiveFault(
                object: path, cause: "the file cannot be written here",
                action: "Check the permissions of the file and its directory, or choose another path")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return ArchiveFault(
                object: path, cause: "another program is using the file", action: "Let it end or choose another path")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return ArchiveFault(
                object: path, cause: "the file is damaged", action: "Remove it, or choose another path")
        case .SQLITE_IOERR:
            return ArchiveFault(
                object: path, cause: "the disk reported an error (\(error.message ?? "no detail"))",
                action: "Check the disk or choose a path on another")
        default:
            return ArchiveFault(
                object: path, cause: error.message ?? "SQLite error \(error.resultCode.rawValue)",
                action: "Choose another path, or run without an archive")
        }
    }
}
