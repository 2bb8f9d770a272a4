public import Protection
public import Units

/// What moving a machine's blocks comes to, whether the blocks are numbers or files.
public struct TransferFacts: Hashable, Sendable {
    /// Bytes of changed blocks at the source, page file included.
    public var changed: Bytes
    /// Bytes on the wire: without page file, compressed where the group says so.
    public var sent: Bytes
    /// Bytes of blocks that arrive at the replica, unpacked.
    public var stored: Bytes
    /// Bytes read at the source to find and send them.
    public var read: Bytes
    public init(changed: Bytes, sent: Bytes, stored: Bytes, read: Bytes) {
        (self.changed, self.sent, self.stored, self.read) = (changed, sent, stored, read)
    }
    public static let zero = TransferFacts(changed: .zero, sent: .zero, stored: .zero, read: .zero)
}

/// Where a machine's bytes are: modelled as numbers, or real in files. A job that asks does not know which.
public protocol DataPlane: AnyObject {
    /// The whole machine as of `time`; holes cost nothing (PRC-1).
    func full(_ machine: Ref<Machine>, at time: SimTime) -> TransferFacts
    /// Blocks changed in a span, each once (PRC-2), without page files (PRC-5).
    func changes(_ machine: Ref<Machine>, since: SimTime, until: SimTime) -> TransferFacts
    /// A consistency check: what it reads on each side, and the differences it sends.
    func check(_ machine: Ref<Machine>, kind: CheckKind, since: SimTime, until: SimTime) -> TransferFacts
    /// Bytes in use on the machine's disks at `time`: what its replica holds.
    func used(_ machine: Ref<Machine>, at time: SimTime) -> Bytes
    /// Bytes the guest writes in a span, counting a block as often as it is written: what a differencing disk may take.
    func written(_ machine: Ref<Machine>, from: SimTime, to: SimTime) -> Bytes
}
