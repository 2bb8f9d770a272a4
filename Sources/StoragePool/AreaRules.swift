public import Units

/// How a legacy area behaves: thresholds and growth. Plain arithmetic, no clock and no disk.
public struct AreaRules: Hashable, Sendable {
    /// Percent of a volume's size above which an alert is raised and the volume grows (dpm-facts 2.2).
    public var threshold: Int64
    /// Growth is the larger of `growthStep` bytes and `growthPercent` of the size (dpm-facts 2.5).
    public var growthStep: Bytes
    public var growthPercent: Int64
    /// A volume that grew by itself less than so many seconds ago does not grow by itself again (dpm-facts 2.5).
    public var growthPause: Int64
    /// What DPM keeps of the recovery point volume for its own needs, bytes (dpm-facts 2.2).
    public var overhead: Bytes

    /// The pool has no values of its own: which are DPM's is decided in one place, by who uses it.
    public init(threshold: Int64, growthStep: Bytes, growthPercent: Int64, growthPause: Int64, overhead: Bytes) {
        (self.threshold, self.growthStep, self.growthPercent) = (threshold, growthStep, growthPercent)
        (self.growthPause, self.overhead) = (growthPause, overhead)
    }

    /// The largest size of a volume, 64 PiB: a hundred times it still fits an integer.
    public static let sizeLimit = Bytes(1 << 56)

    /// Whether all values make sense.
    var isPossible: Bool {
        1...100 ~= threshold && 0...1_000 ~= growthPercent && 0...1 << 40 ~= growthPause && growthStep <= Self.sizeLimit
            && overhead <= Self.sizeLimit
    }

    /// Whether a volume of `size` is used beyond the threshold.
    /// - Parameter used: bytes, with `overhead` on a recovery point volume; up to `sizeLimit`, as `size`.
    public func isOverThreshold(used: Bytes, of size: Bytes) -> Bool { Self.isOver(threshold, used: used, of: size) }

    /// Whether more than `percent` of `size` is used; both up to `sizeLimit`.
    static func isOver(_ percent: Int64, used: Bytes, of size: Bytes) -> Bool {
        min(used, sizeLimit).count * 100 > min(size, sizeLimit).count * percent
    }

    /// By how much a volume grows by itself.
    public func growth(of size: Bytes) -> Bytes {
        let share = size.scaled(by: .percent(growthPercent))
        return max(growthStep, share)
    }

    /// Whether a volume grows by itself now.
    /// - Parameters:
    ///   - lastGrown: when it last did, seconds since 1970; nil if never.
    ///   - unallocated: what the pool could still give to areas, bytes.
    public func decideGrowth(
        used: Bytes, of size: Bytes, isAutomatic: Bool, lastGrown: Int64?, now: Int64, unallocated: Bytes
    ) -> GrowthDecision {
        guard isOverThreshold(used: used, of: size) else { return .unneeded }
        guard isAutomatic else { return .off }
        // A clock set back also waits: growth must not repeat because time does.
        if let lastGrown, now < lastGrown + growthPause { return .tooSoon(until: lastGrown + growthPause) }
        let growth = growth(of: size)
        guard growth <= unallocated, size + growth <= Self.sizeLimit else { return .noSpace(needed: growth) }
        return .grow(by: growth)
    }

    /// Whether a synchronization may end, given what its volumes hold after it.
    /// - Parameters:
    ///   - block: of the pool. A recovery point needs room for the first block that is copied for it.
    ///   - makesPoint: whether the new state is to be a recovery point.
    public func refusal(
        replica: AreaVolume, points: AreaVolume, pointsBefore: Bytes, block: Bytes, makesPoint: Bool
    ) -> AreaRefusal? {
        if replica.used > replica.size { return .replicaFull }
        let room = max(points.size, overhead) - overhead
        if points.used > room { return pointsBefore + block > room ? .pointsFull : .wouldLosePoints }
        if makesPoint, points.used + block > room { return .noRoomForPoint }
        return nil
    }
}

/// Whether a volume of an area grows by itself.
public enum GrowthDecision: Hashable, Sendable {
    /// It is not used beyond the threshold.
    case unneeded
    case grow(by: Bytes)
    /// The operator switched it off.
    case off
    /// It grew by itself a short while ago; seconds since 1970.
    case tooSoon(until: Int64)
    /// The pool has less than this left to give.
    case noSpace(needed: Bytes)
}

/// Why an area does not admit a state; the numbers are DPM's.
///
/// On a full difference area VSS drops the oldest shadow copies, and if that is not enough all of them. DPM will not let that
/// happen to recovery points: it stops before the write that would need the space (30195), and protection stands still until
/// the operator, or auto-grow, makes room. The pool does the same: the synchronization is undone and all points stay. 213, a
/// recovery point made and deleted again for want of space, therefore never happens here.
public enum AreaRefusal: Int, Hashable, Sendable, CaseIterable {
    /// The replica volume is too small for the replica.
    case replicaFull = 58
    /// The synchronization is stopped, because the blocks it overwrites would push recovery points out.
    case wouldLosePoints = 30195
    /// The same, and the recovery point volume was full before.
    case pointsFull = 30077
    /// The changes fit, but no recovery point can be made: there is no room for one block copied for it.
    case noRoomForPoint = 214

    public var volume: AreaVolume.Kind { self == .replicaFull ? .replica : .points }
}

/// One of the two volumes of an area.
public struct AreaVolume: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case replica, points
        /// As the console calls it.
        public var name: String { self == .replica ? "replica volume" : "recovery point volume" }
    }
    public var size: Bytes
    /// Of blocks it holds, bytes, whole blocks as if nothing were compressed or shared; without `AreaRules.overhead`.
    public var used: Bytes
    public init(size: Bytes, used: Bytes) { (self.size, self.used) = (size, used) }
}
