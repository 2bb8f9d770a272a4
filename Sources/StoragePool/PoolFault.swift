import Files

extension StorageFault {
    static func pool(
        _ kind: Kind, _ id: String, _ object: String, _ cause: String, _ action: String
    ) -> StorageFault { StorageFault(kind, "POOL-" + id, object, cause, action: action) }
}
