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

    /// Draws how much of a work on bytes is done.
    mutating func show(done: Int64, of total: Int64) {
        let elapsed = clock.seconds
        guard terminal.isLive, elapsed >= 1, elapsed - (drawn ?? 0) >= 0.1 else { return }
        drawn = elapsed
        terminal.write("\r" + Progress.text(done, of: total, after: elapsed, width: terminal.width ?? 80) + "\u{1B}[K")
    }

    /// Takes the line away again, before anything else is printed.
    mutating func clear() {
        if drawn != nil { terminal.write("\r\u{1B}[K") }
        drawn = nil
    }

    /// `[######----]  60 %  Mon 2026-01-05  1.2 M events/s  3.00 s left`, cut to the width.
    static func text(_ share: Double, _ place: String, _ events: UInt64, after elapsed: Double, width: Int) -> String {
        let rate = Double(events) / elapsed
        let pace = rate >= 1e6 ? threeDigits(rate / 1e6) + " M" : threeDigits(rate / 1e3) + " k"
        return line(share, "\(place)  \(pace) events/s", after: elapsed, width: width)
    }

    /// `[######----]  60 %  1.2 GiB of 2 GiB  350 MB/s  3.00 s left`, cut to the width.
    static func text(_ done: Int64, of total: Int64, after elapsed: Double, width: Int) -> String {
        let rate = ByteRate(bytesPerSecond: Int64(Double(done) / elapsed))
        let share = total > 0 ? Double(done) / Double(total) : 1
        return line(
            share, "\(Bytes(done).rounded) of \(Bytes(total).rounded)  \(rate.rounded)", after: elapsed, width: width)
    }

    private static func line(_ share: Double, _ middle: String, after elapsed: Double, width: Int) -> String {
        let done = min(max(share, 0), 1)
        let filled = Int(done * 20)
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: 20 - filled)
        let left = done > 0.005 ? SimDuration(roundingUp: elapsed * (1 - done) / done).rounded + " left" : ""
        return String("[\(bar)] \(Int(done * 100)) %  \(middle)  \(left)".prefix(max(width - 1, 20)))
    }
}
