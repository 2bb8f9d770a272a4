import Files

extension StorageFault {
    static func cartridge(
        _ kind: Kind, _ id: String, _ object: String, _ cause: String, _ action: String
    ) -> StorageFault { StorageFault(kind, "TAPE-" + id, object, cause, action: action) }

    static func cartridgeFormat(_ object: String, _ cause: String) -> StorageFault {
        .cartridge(
            .damaged, "FORMAT", object, cause, "Look at it with a dump, and restore the file from a copy")
    }

    static func cartridgeBusy(_ path: String) -> StorageFault {
        .cartridge(
            .busy, "BUSY", path, "the cartridge is loaded elsewhere, or another program works on its file",
            "Unload it there first")
    }

    static func cartridgeRecord(_ path: String, _ object: Int64, _ cause: String) -> StorageFault {
        .cartridge(
            .damaged, "RECORD-DAMAGED", "\(path), object \(object)", cause,
            "Read on behind it, and restore what it held from another copy")
    }

    static func cartridgeIndex(_ path: String, _ objects: Range<Int64>, _ cause: String) -> StorageFault {
        .cartridge(
            .damaged, "INDEX-DAMAGED", "\(path), objects \(objects.lowerBound) to \(objects.upperBound - 1)",
            "both copies of the index node of these objects are damaged: \(cause)",
            "Read on behind them, and restore what they held from another copy")
    }
}

/// Something of a cartridge's file that is not as it should be.
public struct CartridgeFinding: Hashable, Sendable, CustomStringConvertible {
    /// What it concerns: a label, a node, a record with its object number.
    public var object: String
    /// One sentence without a full stop.
    public var cause: String
    /// What the operator should do, without a full stop.
    public var action: String

    public init(_ object: String, _ cause: String, action: String) {
        (self.object, self.cause, self.action) = (object, cause, action)
    }

    public var description: String { "\(object): \(cause). \(action)." }
}
