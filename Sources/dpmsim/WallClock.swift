import Foundation

/// Real time since it was made, for progress and for telling how long something took. No result of a run depends on
/// it, which is why this is the only file that reads it.
struct WallClock {
    private let began = WallClock.nanoseconds

    /// Seconds since this clock was made.
    var seconds: Double { Double(WallClock.nanoseconds - began) / 1e9 }

    private static var nanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
