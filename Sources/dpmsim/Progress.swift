import Units

/// A line on standard error that says how far a run is, how fast it goes and how long it will take. Drawn only on a
/// terminal, only after a second, at most ten times a second.
struct Progress {
    private let clock = WallClock()
    private let terminal = Terminal.errors
    private var drawn: Double?

    /// Draws where the run stands: `share` of it done, at `place`, after `events` events.
    mutating func show(share: Double, place: String, events: UInt64) {
        let elapsed = clock.seconds
        guard terminal.isLive, elapsed >= 1, elapsed - (drawn ?? 0) >= 0.1 else { return }
        drawn = elapsed
        terminal.write(
            "\r" + Progress.text(share, place, events, after: elapsed, width: terminal.width ?? 80) + "\u{1B}[K")
    }

    /// Takes the line away again, before anything else is printed.
    mutating func clear() {
        if drawn != nil { terminal.write("\r\u{1B}[K") }
        drawn = nil
    }

    /// `[######----]  60 %  Mon 2026-01-05  1.2 M events/s  3.00 s left`, cut to the width.
    static func text(_ share: Double, _ place: String, _ events: UInt64, after elapsed: Double, width: Int) -> String {
        let done = min(max(share, 0), 1)
        let filled = Int(done * 20)
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: 20 - filled)
        let rate = Double(events) / elapsed
        let pace = rate >= 1e6 ? threeDigits(rate / 1e6) + " M" : threeDigits(rate / 1e3) + " k"
        let left = done > 0.005 ? SimDuration(roundingUp: elapsed * (1 - done) / done).rounded + " left" : ""
        return String("[\(bar)] \(Int(done * 100)) %  \(place)  \(pace) events/s  \(left)".prefix(max(width - 1, 20)))
    }
}
