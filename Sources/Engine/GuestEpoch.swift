import Protection
import Units

/// A time in which a guest writes on from what it had: from the start of the run, or from a recovery of its machine's disks, to the next.
struct GuestEpoch: Sendable {
    var since: SimTime
    /// What the guest has at its beginning.
    var start: GuestHistory
    /// How far the load that it follows had grown by then, blocks.
    var grownBefore: Int64

    /// What the guest has written by some moment, given how far the load is.
    func targets(_ progress: (overwrites: Int64, grown: Int64)) -> (overwrites: Int64, grown: Int64) {
        (progress.overwrites, start.grown + max(0, progress.grown - grownBefore))
    }
}
