import Foundation
import Synchronization

/// Real time since it was made, for progress and for telling how long something took; and the time of day that image files
/// note. No result of a run depends on it, which is why this is the only file that reads it.
struct WallClock {
    private let began = WallClock.nanoseconds

    /// Seconds since this clock was made.
    var seconds: Double { Double(WallClock.nanoseconds - began) / 1e9 }

    /// Seconds since 2000-01-01 UTC, as image files note when they were made.
    static var secondsSince2000: UInt32 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt32(clamping: Int64(time.tv_sec) - 946_684_800)
    }

    /// Seconds since 1970-01-01 UTC, as recovery points note when they were made.
    static var secondsSince1970: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec)
    }

    fileprivate static var nanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// Holds work back to so many bytes a second, all its threads together.
final class Pace: Sendable {
    private let bytesPerSecond: Int64
    /// When what was spent so far will have been due, nanoseconds.
    private let due = Mutex(WallClock.nanoseconds)

    init(bytesPerSecond: Int64) { self.bytesPerSecond = bytesPerSecond }

    /// Returns when these bytes are due. Time in which nothing was spent is not made up for.
    func spend(_ bytes: Int64) {
        let wait = due.withLock { due in
            let now = WallClock.nanoseconds
            due = max(due, now) + Int64(Double(bytes) / Double(bytesPerSecond) * 1e9)
            return due - now
        }
        var time = timespec(tv_sec: Int(wait / 1_000_000_000), tv_nsec: Int(wait % 1_000_000_000))
        var rest = timespec()
        while nanosleep(&time, &rest) != 0 && errno == EINTR { time = rest }
    }
}
