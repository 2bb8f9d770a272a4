/// Why something that keeps bytes could not do what was asked: a refusal of bad input, or a fault of a medium or a peer.
public struct StorageFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// What sort of trouble it is; the caller's choice of what to do next depends on it, never on the text.
    public enum Kind: String, Hashable, Sendable {
        /// What was given is not what it should be: a malformed file, a name that does not exist, a value out of range.
        case badInput
        /// Bytes came back other than they were written.
        case damaged
        case outOfSpace, missing, readOnly, permission, busy
        /// Input or output failed (EIO), or another call of the system did.
        case device
    }
    public let kind: Kind
    /// Stable, for tests and search: `FILE-5`, `VHDX-3`, `POOL-12`.
    public let id: String
    /// What it concerns: a path, a datasource, a structure with its offset.
    public let object: String
    /// One sentence without a full stop.
    public let cause: String
    /// What the operator should do, one sentence without a full stop.
    public let action: String

    public init(_ kind: Kind, _ id: String, _ object: String, _ cause: String, action: String) {
        (self.kind, self.id, self.object, self.cause, self.action) = (kind, id, object, cause, action)
    }

    public var description: String { "\(id) \(object): \(cause). \(action)." }
}
