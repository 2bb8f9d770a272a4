public import Units

/// A recovery point on disk as far as its age is concerned.
public struct PointAge: Sendable, Hashable {
    public var at: SimTime
    /// How long its replica had been inconsistent in all, up to the moment this point was made.
    public var inconsistentBefore: SimDuration
    public init(at: SimTime, inconsistentBefore: SimDuration = .zero) {
        (self.at, self.inconsistentBefore) = (at, inconsistentBefore)
    }
}

/// Which recovery points on disk expire. Source: dpm-facts 1.6.
/// - Rule: GRP-4
public enum Pruning {
    /// How many of the oldest points have expired. Time in which the replica was inconsistent does not count as age; nothing
    /// expires while it is not in order; the newest point never does.
    /// - Parameters:
    ///   - points: oldest first.
    ///   - inconsistentSoFar: how long the replica has been inconsistent in all, up to `now`.
    /// - Complexity: logarithmic in the number of points.
    public static func expiredCount(
        of points: some RandomAccessCollection<PointAge>, retentionDays: Int, now: SimTime,
        inconsistentSoFar: SimDuration = .zero, state: ReplicaState = .ok
    ) -> Int {
        guard state == .ok || state == .inactive, points.count > 1 else { return 0 }
        let retention = SimDuration.days(Int64(retentionDays))
        var (low, high) = (0, points.count - 1)
        while low < high {
            let middle = (low + high) / 2
            let point = points[points.index(points.startIndex, offsetBy: middle)]
            let age = (now - point.at) - (inconsistentSoFar - point.inconsistentBefore)
            if age >= retention { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension TapeGoal {
    /// The day on which what is written on `date` expires. Fixed when it is written (dpm-facts 4.2).
    /// - Rule: GRP-5
    public func expiry(of date: CivilDate) -> CivilDate { retention.end(from: date) }
}

extension OnlineGoal {
    /// The day on which an online recovery point of `date` expires.
    /// - Rule: GRP-3
    public func expiry(of date: CivilDate) -> CivilDate { retention.end(from: date) }
}
