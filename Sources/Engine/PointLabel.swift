import Units

/// A recovery point's label in the pool: its time to the nanosecond, which the pool itself counts in seconds.
enum PointLabel {
    private static let second: Int64 = 1_000_000_000

    static func text(_ time: SimTime, _ clock: CivilClock) -> String {
        let digits = String(time.nanoseconds % second)
        return clock.text(time) + "." + String(repeating: "0", count: 9 - digits.count) + digits
    }

    /// - Parameter seconds: the point's time as the pool has it, since the run's start.
    /// - Returns: nil if the label is none of ours.
    static func time(_ label: String, seconds: Int64) -> SimTime? {
        guard let dot = label.lastIndex(of: "."), let fraction = Int64(label[label.index(after: dot)...]),
            (0..<second).contains(fraction)
        else { return nil }
        return SimTime(nanoseconds: seconds * second + fraction)
    }
}
