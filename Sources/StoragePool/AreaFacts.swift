public import Units

/// What a datasource is stored in. It cannot be moved later: end its protection and protect it again.
public enum AreaChoice: Hashable, Sendable {
    /// Modern Backup Storage: the pool's volumes, shared with all others, without sizes.
    case modern
    /// A pair of volumes of its own, named for the datasource.
    /// - colocation: whether other datasources may join later. As in DPM (31251), that is decided now or never.
    case legacy(
        replica: Bytes, points: Bytes, autogrow: Bool = true, colocation: Bool = false, rules: AreaRules)
    /// The volumes of an area that exists and allows colocation. Modern storage has no colocation: all datasources share its
    /// volumes anyway.
    case colocated(with: String)
}

/// A legacy area: a replica volume and a recovery point volume, for one datasource or several. Sizes are promises the pool keeps
/// space for; the blocks themselves lie in the pool's segments like all others.
public struct AreaFacts: Hashable, Sendable {
    public let id: Int64
    public let name: String
    /// Those in it, by name.
    public let datasources: [String]
    /// Its used bytes are the blocks of the replicas.
    public let replica: AreaVolume
    /// Its used bytes are the blocks recovery points have and the replicas do not: each content a place of a disk had counts once,
    /// however many points see it, as copy-on-write keeps it once. A place that was zero had nothing to be kept.
    public let points: AreaVolume
    public let autogrow: Bool
    /// Whether other datasources may be put into it.
    public let allowsColocation: Bool
    public let rules: AreaRules
    /// The last changes of its sizes and failures to grow, oldest first, up to `eventLimit`.
    public let events: [AreaEvent]
    /// Seconds since 1970.
    public let created: Int64

    public static let eventLimit = 100

    public func volume(_ kind: AreaVolume.Kind) -> AreaVolume { kind == .replica ? replica : points }
}

/// Something that happened to the size of an area's volume.
public struct AreaEvent: Hashable, Sendable {
    /// DPM's numbers.
    public enum Code: Int, Hashable, Sendable {
        /// The operator changed the allocation.
        case changed = 33140
        case grown = 33143
        case growthFailed = 33144
    }
    /// Seconds since 1970.
    public let time: Int64
    public let code: Code
    public let volume: AreaVolume.Kind
    public let before: Bytes
    public let after: Bytes
    /// Why, for a failure; else empty.
    public let note: String
}

/// A condition of the pool that an operator should know of, as long as it holds. It has no memory.
public struct PoolAlert: Hashable, Sendable {
    /// DPM's number: 3100, 3169, 33514, 33515, 33518.
    public let id: Int
    public let object: String
    /// One sentence without a full stop, as all causes and actions.
    public let cause: String
    public let action: String
}
