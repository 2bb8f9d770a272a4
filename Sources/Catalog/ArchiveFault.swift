/// Why an archive cannot be written: the object it concerns, the cause, and what to do.
public struct ArchiveFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file.
    public var object: String
    /// One sentence, without a full stop.
    public var cause: String
    /// What the user should do, without a full stop.
    public var action: String
    public init(object: String, cause: String, action: String) {
        (self.object, self.cause, self.action) = (object, cause, action)
    }
    public var description: String { "\(object): \(cause). \(action)." }
}
