/// Something that is to happen, as its user encodes it. The kernel orders events and never looks into one.
@frozen public struct Event: Hashable, Sendable {
    public var kind: UInt16
    public var detail: UInt16
    public var subject: Int32
    public var argument: Int64

    @inlinable public init(kind: UInt16, detail: UInt16 = 0, subject: Int32, argument: Int64 = 0) {
        self.kind = kind
        self.detail = detail
        self.subject = subject
        self.argument = argument
    }
}
