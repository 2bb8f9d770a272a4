import Protection
import Units

/// The replica of one datasource and its recovery points, as bytes: which of them hold what.
///
/// A point's `delta` is what is kept only because of it: old versions of blocks that were overwritten after it was made.
/// The replica and all deltas add up to `used`, always, in whole bytes.
struct PointChain {
    struct Point: Hashable {
        let at: SimTime
        var delta: Int64
        let consistency: Consistency
        /// How long the replica had been inconsistent in all when it was made; that time does not count as age.
        let inconsistentBefore: SimDuration
    }

    private(set) var replica: Int64 = 0
    private(set) var used: Int64 = 0
    private(set) var points: [Point] = []

    var pointCount: Int { points.count }
    var oldest: SimTime? { points.first?.at }
    /// The newest point, and what it keeps of blocks that were overwritten since.
    var newest: Point? { points.last }
    /// What the points hold besides the replica.
    var pointBytes: Int64 { used - replica }

    /// - Rule: PRC-3
    mutating func addPoint(at time: SimTime, consistency: Consistency, inconsistentBefore: SimDuration) {
        precondition(points.last.map { $0.at <= time } ?? true, "a point older than the newest")
        points.append(Point(at: time, delta: 0, consistency: consistency, inconsistentBefore: inconsistentBefore))
    }

    /// Writes into the replica: `overwritten` bytes of blocks as the newest point has them, `new` bytes it had not.
    /// The newest point keeps the old versions; without a point they are gone.
    mutating func applyChanges(overwritten: Int64, new: Int64) {
        precondition(
            overwritten >= 0 && new >= 0 && overwritten <= replica,
            "cannot overwrite \(overwritten) of \(replica) bytes")
        replica += new
        used += new
        guard !points.isEmpty else { return }
        points[points.count - 1].delta += overwritten
        used += overwritten
    }

    /// Blocks of the replica, of which the newest point was told by `applyChanges`, are not in it any more.
    mutating func empty(_ bytes: Int64) {
        precondition(0 <= bytes && bytes <= replica, "cannot empty \(bytes) of \(replica) bytes")
        replica -= bytes
        used -= bytes
    }

    /// Removes a point. Between its neighbours, blocks that changed on both of its sides are held by nobody else.
    ///
    /// - Parameter mergedUnique: For a point with an older neighbour: how many distinct blocks changed from that neighbour
    ///   to the point after this one; its delta becomes that. Ignored for the oldest point, whose delta goes whole.
    /// - Returns: Bytes freed, never negative.
    mutating func prune(_ index: Int, mergedUnique: Int64) -> Int64 {
        let removed = points.remove(at: index)
        guard index > 0 else {
            used -= removed.delta
            return removed.delta
        }
        let both = points[index - 1].delta + removed.delta
        let kept = min(both, max(mergedUnique, max(points[index - 1].delta, removed.delta)))
        points[index - 1].delta = kept
        used -= both - kept
        return both - kept
    }

    func checkInvariants() {
        precondition(replica >= 0 && points.allSatisfy { $0.delta >= 0 }, "a negative size")
        precondition(
            used == replica + points.reduce(0) { $0 + $1.delta }, "replica and points do not add up to what is used")
    }
}
