import Catalog
public import Protection
public import Units

/// Whether backups ended inside the window.
///
/// Counted are scheduled express fulls, each once: an automatic rerun that ends inside the night's window makes good the
/// failure before it. A backup belongs to the night whose window was open when it was due; one that was due while no
/// window was open is counted apart.
public struct WindowFacts: Sendable {
    /// One night's backups. Without a window in the goals a night goes from noon to noon.
    public struct Night: Sendable {
        /// The day it begins on.
        public let day: Int
        public let opens: SimTime
        public let closes: SimTime
        /// Backups due in it.
        public internal(set) var due = 0
        /// Of them, ended inside it.
        public internal(set) var inside = 0
        /// Not done by the horizon, the window still being open: neither in nor out.
        public internal(set) var undecided = 0
        /// When the last of them ended; a backup that never ended counts until the horizon.
        public internal(set) var lastEnd: SimTime
        /// Seconds from due to end of all of them together.
        public internal(set) var jobSeconds = 0.0

        /// How long after the window's end the last backup ended; negative before it.
        public var lateness: SimDuration { lastEnd - closes }
    }
    /// The window asked for, if one was.
    public let window: DailyWindow?
    public let goal: Fraction
    /// Nights with backups, in order.
    public let nights: [Night]
    public let due: Int
    public let inside: Int
    /// Due while no window was open.
    public let outsideSchedule: Int
    /// Of those due: failed or cancelled for good, and ended but late.
    public let failed: Int
    public let late: Int
    /// Share inside of those decided; nil if there were none.
    public let share: Double?
    /// Position in `nights` of the one that ended latest against its window; without a window, of the busiest.
    public let worst: Int?

    init(_ setting: Setting, _ jobs: JobTable, _ outcome: RunOutcome) {
        var count = NightCount(setting, outcome.finishedAt)
        jobs.forEach { count.take($0) }
        for job in outcome.open { count.take(job) }
        window = setting.goals.window
        goal = setting.goals.windowShare
        nights = count.nights.values.sorted { $0.day < $1.day }
        due = nights.reduce(0) { $0 + $1.due }
        inside = nights.reduce(0) { $0 + $1.inside }
        let decided = due - nights.reduce(0) { $0 + $1.undecided }
        failed = count.failed
        late = decided - inside - count.failed
        outsideSchedule = count.outside
        share = Reports.share(Double(inside), of: Double(decided))
        worst = WindowFacts.worst(nights, hasWindow: setting.goals.window != nil)
    }

    private static func worst(_ nights: [Night], hasWindow: Bool) -> Int? {
        nights.indices.max { a, b in
            let (left, right) = (nights[a], nights[b])
            if hasWindow, left.lateness != right.lateness { return left.lateness < right.lateness }
            if left.jobSeconds != right.jobSeconds { return left.jobSeconds < right.jobSeconds }
            // Of equals the first.
            return a > b
        }
    }
}

/// Counts backups by night while the jobs pass by in the order they ended.
private struct NightCount {
    var nights: [Int: WindowFacts.Night] = [:]
    var failed = 0
    var outside = 0
    private let clock: CivilClock
    private let window: DailyWindow?
    private let horizon: SimTime
    // For each machine the night of a scheduled backup that failed and may yet be made good.
    private var waitingForRerun: [Int?]

    init(_ setting: Setting, _ horizon: SimTime) {
        (clock, window, self.horizon) = (setting.clock, setting.goals.window, horizon)
        waitingForRerun = Array(repeating: nil, count: setting.world.machines.count)
    }

    mutating func take(_ job: JobRecord) {
        guard job.kind == .expressFull else { return }
        let ended = job.ended == .never ? horizon : job.ended
        let known = waitingForRerun.indices.contains(Int(job.machine))
        if job.attempt > 0 {
            guard known, let day = waitingForRerun[Int(job.machine)], var night = nights[day] else { return }
            night.lastEnd = max(night.lastEnd, ended)
            night.jobSeconds += (ended - job.due).seconds
            if job.status == .completed {
                waitingForRerun[Int(job.machine)] = nil
                failed -= 1
                if ended <= night.closes { night.inside += 1 }
            }
            nights[day] = night
            return
        }
        guard let day = night(of: job.due) else {
            outside += 1
            return
        }
        var night = nights[day] ?? open(day)
        night.due += 1
        night.lastEnd = max(night.lastEnd, ended)
        night.jobSeconds += (ended - job.due).seconds
        if known { waitingForRerun[Int(job.machine)] = nil }
        switch job.status {
        case .completed: if ended <= night.closes { night.inside += 1 }
        case .failed, .cancelled:
            failed += 1
            if known { waitingForRerun[Int(job.machine)] = day }
        case .waiting, .running: if horizon < night.closes { night.undecided += 1 }
        }
        nights[day] = night
    }

    private func opening(_ day: Int) -> SimTime {
        clock.time(of: clock.startDate.adding(days: day), at: window?.start ?? TimeOfDay(hour: 12))
    }
    private var length: SimDuration { window?.duration ?? .days(1) }

    private func open(_ day: Int) -> WindowFacts.Night {
        let opens = opening(day)
        return WindowFacts.Night(day: day, opens: opens, closes: opens + length, lastEnd: opens)
    }

    private func night(of due: SimTime) -> Int? {
        let today = clock.dayIndex(of: due)
        if due >= opening(today) { return due < opening(today) + length ? today : nil }
        return due < opening(today - 1) + length ? today - 1 : nil
    }
}
