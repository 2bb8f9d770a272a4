import Files
import GRDB

extension StorageFault {
    static func pool(
        _ kind: Kind, _ id: String, _ object: String, _ cause: String, _ action: String
    ) -> StorageFault { StorageFault(kind, "POOL-" + id, object, cause, action: action) }

    /// What SQLite said of the map.
    static func map(_ error: any Error, _ path: String) -> StorageFault {
        if let fault = error as? StorageFault { return fault }
        guard let error = error as? DatabaseError else {
            return .pool(.device, "MAP", path, "the map could not be used: \(error)", "Run the pool's check")
        }
        switch error.resultCode {
        case .SQLITE_FULL:
            return .pool(
                .outOfSpace, "SPACE", path, "there was no space left for the map",
                "Prune recovery points, or free space on the pool's first volume")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return .pool(
                .busy, "BUSY", path, "another program kept the map locked for too long",
                "Wait until it ends, then try again")
        case .SQLITE_READONLY:
            return .pool(.readOnly, "READONLY", path, "the map may not be written", "Mount its volume for writing")
        case .SQLITE_PERM, .SQLITE_CANTOPEN, .SQLITE_AUTH:
            return .pool(
                .permission, "DENIED", path, "the map could not be opened: \(error.message ?? "")",
                "Check that the pool's folder is there and may be written")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT:
            return .pool(
                .damaged, "MAP-DAMAGED", path, "the map is damaged in both its copies: \(error.message ?? "")",
                "Restore map.db and map-mirror.db from a copy of the pool's first volume")
        default:
            return .pool(
                .device, "MAP", path, "the map could not be used: \(error.message ?? "code \(error.resultCode)")",
                "Check the disk under it, then run the pool's check")
        }
    }
}
