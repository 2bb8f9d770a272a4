public import Files
public import Protection
public import Units

/// What an operation of a library did, and how long hardware would have taken.
public struct LibraryReport: Hashable, Sendable {
    /// One thing each, in order, without a full stop: `000001L8 moved from slot-1 to drive-1`.
    public internal(set) var happened: [String] = []
    /// What DPM says to it.
    public internal(set) var notices: [TapeNotice] = []
    /// Why some of the tapes asked for were left out.
    public internal(set) var refused: [StorageFault] = []
    public internal(set) var duration = SimDuration.zero

    mutating func add(_ other: LibraryReport) {
        happened += other.happened
        notices += other.notices.filter { !notices.contains($0) }
        refused += other.refused
        duration += other.duration
    }

    mutating func note(_ notice: TapeNotice) {
        if !notices.contains(notice) { notices.append(notice) }
    }
}
