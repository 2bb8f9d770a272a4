import Foundation

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

    private static var nanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
