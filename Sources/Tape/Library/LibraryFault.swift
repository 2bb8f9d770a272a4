public import Files
public import Protection

extension StorageFault {
    static func library(
        _ kind: Kind, _ id: String, _ object: String, _ cause: String, _ action: String
    ) -> StorageFault { StorageFault(kind, id, object, cause, action: action) }

    /// A refusal of DPM's, with its number: `TAPE-31116`.
    public init(_ refusal: Refusal) {
        self.init(.badInput, "TAPE-\(refusal.id)", refusal.object, refusal.cause, action: refusal.action)
    }

    static func noTape(_ barcode: String) -> StorageFault {
        .library(
            .missing, "TAPE-24050", "tape \(barcode)", "the tape is not available in the library",
            "Put it in, and run an inventory; free slots may be had by taking out tapes that are offsite ready")
    }
}
