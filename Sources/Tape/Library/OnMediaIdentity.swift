public import Files

/// Who a tape says it is: the on-media identifier at its beginning (stream DPMO of the TAPE block).
public struct OnMediaIdentity: Hashable, Sendable {
    /// Of this tape as it was begun; a new one each time it is written from its beginning.
    public var identifier: GUID
    /// Tapes that continue each other's sets share it, and count `sequence` from 1.
    public var family: UInt32
    public var sequence: Int
    public var label: String
    /// Whose data it holds, a protection group; nil in the free pool.
    public var owner: String?
    /// Identifier of the library state that wrote it: what tells own tapes from imported ones.
    public var library: String

    public init(
        identifier: GUID, family: UInt32, sequence: Int, label: String, owner: String? = nil, library: String
    ) {
        (self.identifier, self.family, self.sequence) = (identifier, family, sequence)
        (self.label, self.owner, self.library) = (label, owner, library)
    }
}

/// What was found at the beginning of a tape.
public enum TapeFinding: Hashable, Sendable {
    /// Nothing, or nothing that names an owner.
    case blank
    case identity(OnMediaIdentity)
    /// Another program's, damaged, or labelled as no group can be; why, without a full stop.
    case unrecognized(String)
}

/// Reads the beginning of a tape that stands there. Given by the caller, so that a library need not know the format.
public typealias TapeIdentification = (any TapeMedium) throws(StorageFault) -> TapeFinding
