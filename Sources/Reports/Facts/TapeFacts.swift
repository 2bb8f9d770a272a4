import Catalog
import Protection
public import Units

/// How many cartridges were in use, and what was done with them.
public struct TapeFacts: Sendable {
    /// Cartridges by state at a moment, in the order of `CartridgeState`; the last of each day.
    public struct Day: Sendable {
        public let day: Int
        public let counts: [Int64]
    }
    /// How many the goal allows, or the scenario has.
    public let limit: Int
    public let isLimitFromGoals: Bool
    public let total: Int
    public let days: [Day]
    /// Most in use (active, full, offsite ready or suspect) at once.
    public let peak: Int
    public let peakAt: SimTime
    /// Free or expired, so that they can be written: fewest at any time, and at the end.
    public let fewestFree: Int
    public let freeAtEnd: Int
    public let mounts: Int
    public let backHitches: Int
    public let cartridgesWritten: Int
    public let jobs: Int
    public let failedJobs: Int
    public let written: Bytes

    /// Whether the run has tapes at all.
    public var isUsed: Bool { total > 0 || jobs > 0 }

    init(_ setting: Setting, _ levels: LevelSeries, _ jobTable: JobTable, _ outcome: RunOutcome) {
        total = max(setting.world.cartridges.count, outcome.cartridges.count)
        limit = setting.goals.cartridges ?? total
        isLimitFromGoals = setting.goals.cartridges != nil
        var days: [Day] = []
        var peak = (count: 0, at: SimTime.start)
        var fewest: Int?
        var free = total
        for (position, time) in levels.times.enumerated() {
            let row = Array(levels.row(position))
            free = TapeFacts.available(row)
            let used = Int(row.reduce(0, +)) - free
            if used > peak.count { peak = (used, time) }
            fewest = min(fewest ?? free, free)
            let day = setting.clock.dayIndex(of: time)
            while let last = days.last, last.day + 1 < day { days.append(Day(day: last.day + 1, counts: last.counts)) }
            if days.last?.day == day { days.removeLast() }
            days.append(Day(day: day, counts: row))
        }
        self.days = days
        (self.peak, peakAt) = peak
        (fewestFree, freeAtEnd) = (fewest ?? total, free)
        (mounts, backHitches) = (outcome.tapeMounts, outcome.backHitches)
        cartridgesWritten = outcome.cartridgesWritten
        var (jobs, failed, written) = (0, 0, Bytes.zero)
        jobTable.forEach { job in
            guard job.kind == .tapeBackup else { return }
            jobs += 1
            if job.status != .completed { failed += 1 }
            written += job.sent
        }
        (self.jobs, failedJobs, self.written) = (jobs, failed, written)
    }

    private static func available(_ counts: [Int64]) -> Int {
        zip(CartridgeState.allCases, counts).reduce(0) { sum, pair in
            switch pair.0 {
            case .free, .expired: sum + Int(pair.1)
            case .active, .full, .offsiteReady, .suspect: sum
            }
        }
    }
}
