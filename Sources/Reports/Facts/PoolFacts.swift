import Catalog
import Protection
public import Units

/// How full the storage pool got, and when it will be full.
public struct PoolFacts: Sendable {
    /// The pool's use on one day: its greatest.
    public struct Day: Sendable {
        public let day: Int
        public let used: Bytes
    }
    /// One volume of the pool.
    public struct Row: Sendable {
        public let name: String
        public let capacity: Bytes
        public let peak: Bytes
        public let peakAt: SimTime
        public let atEnd: Bytes
        /// When it first was as full as it gets: less than a thousandth free.
        public let fullAt: SimTime?
        public var peakShare: Double? { share(Double(peak.count), of: Double(capacity.count)) }
    }
    /// What a straight line through the days after the warm-up says.
    public enum Forecast: Sendable, Hashable {
        /// Too few days after the warm-up (at least 7 are needed) for a line to mean anything.
        case tooShort
        /// The line does not rise, or not enough to fill the pool within ten years.
        case steady
        /// It reaches the capacity so many days after the end of the run.
        case full(afterDays: Int)
    }
    public let capacity: Bytes
    public let goal: Fraction
    public let volumes: [Row]
    public let days: [Day]
    public let peak: Bytes
    public let peakAt: SimTime
    public let atEnd: Bytes
    /// When the whole pool was first over the goal, and when a volume of it was first full.
    public let overGoalAt: SimTime?
    public let fullAt: SimTime?
    public let forecast: Forecast
    /// Growth per day by that line.
    public let growthPerDay: Double?
    /// The first day that counts for the line: retention fills the pool before, whatever the growth.
    public let warmUpDays: Int
    public var peakShare: Double? { share(Double(peak.count), of: Double(capacity.count)) }
    public var endShare: Double? { share(Double(atEnd.count), of: Double(capacity.count)) }

    init(_ setting: Setting, _ levels: LevelSeries, _ outcome: RunOutcome) {
        let pool = setting.world.poolVolumes
        capacity = pool.reduce(.zero) { $0 + $1.capacity }
        goal = setting.goals.poolShare
        var scan = PoolScan(setting, width: min(levels.width, pool.count))
        for position in levels.indices { scan.take(levels.row(position), at: levels.times[position]) }
        let result = scan
        volumes = pool.indices.map { index in
            guard index < result.peaks.count else {
                return Row(
                    name: pool[index].name, capacity: pool[index].capacity, peak: .zero, peakAt: .start, atEnd: .zero,
                    fullAt: nil)
            }
            return Row(
                name: pool[index].name, capacity: pool[index].capacity, peak: Bytes(result.peaks[index].used),
                peakAt: result.peaks[index].at, atEnd: Bytes(result.last[index]), fullAt: result.fullAt[index])
        }
        days = result.days
        (peak, peakAt) = (Bytes(result.total.used), result.total.at)
        atEnd = Bytes(result.last.reduce(0, +))
        overGoalAt = result.overGoalAt
        fullAt = result.fullAt.compactMap(\.self).min()
        let retention = setting.world.groups.compactMap { $0.disk?.retentionDays }.max() ?? 0
        warmUpDays = retention + 1
        let line = PoolFacts.line(days.filter { $0.day > retention })
        growthPerDay = line?.slope
        guard let line, let last = days.last else {
            forecast = .tooShort
            return
        }
        let room = Double(capacity.count) - line.value(Double(last.day))
        let days = (room / line.slope).rounded(.up)
        forecast = line.slope > 0 && days <= PoolFacts.furthest ? .full(afterDays: max(0, Int(days))) : .steady
    }

    /// Days ahead that a forecast may reach; beyond, growth is lost in the noise of the days it was taken from.
    static let furthest = 3_652.0

    /// Least squares through the days; nil below seven.
    static func line(_ days: [Day]) -> (slope: Double, value: (Double) -> Double)? {
        guard days.count >= 7 else { return nil }
        let n = Double(days.count)
        let meanX = days.reduce(0) { $0 + Double($1.day) } / n
        let meanY = days.reduce(0) { $0 + Double($1.used.count) } / n
        let xx = days.reduce(0) { $0 + (Double($1.day) - meanX) * (Double($1.day) - meanX) }
        let xy = days.reduce(0) { $0 + (Double($1.day) - meanX) * (Double($1.used.count) - meanY) }
        let slope = xy / xx
        return (slope, { day in meanY + slope * (day - meanX) })
    }
}

private struct PoolScan {
    var days: [PoolFacts.Day] = []
    var peaks: [(used: Int64, at: SimTime)]
    var fullAt: [SimTime?]
    var last: [Int64]
    var total: (used: Int64, at: SimTime) = (0, .start)
    var overGoalAt: SimTime?
    private let clock: CivilClock
    private let limits: [Int64]
    private let goal: Int64

    init(_ setting: Setting, width: Int) {
        clock = setting.clock
        peaks = Array(repeating: (0, .start), count: width)
        fullAt = Array(repeating: nil, count: width)
        last = Array(repeating: 0, count: width)
        limits = setting.world.poolVolumes.map { $0.capacity.count - $0.capacity.count / 1_000 }
        let capacity = setting.world.poolVolumes.reduce(Bytes.zero) { $0 + $1.capacity }
        goal = capacity.scaled(by: setting.goals.poolShare).count
    }

    mutating func take(_ values: ArraySlice<Int64>, at time: SimTime) {
        var sum: Int64 = 0
        for (index, value) in values.enumerated() where index < peaks.count {
            sum += value
            last[index] = value
            if value > peaks[index].used { peaks[index] = (value, time) }
            if fullAt[index] == nil, limits[index] > 0, value >= limits[index] { fullAt[index] = time }
        }
        if sum > total.used { total = (sum, time) }
        if overGoalAt == nil, goal > 0, sum > goal { overGoalAt = time }
        let day = clock.dayIndex(of: time)
        // A level holds until the next: days without a note are as the day before.
        if let before = days.last {
            var gap = before.day + 1
            while gap < day {
                days.append(PoolFacts.Day(day: gap, used: previous))
                gap += 1
            }
            if before.day == day || days.last?.day == day {
                if Bytes(sum) > days[days.count - 1].used {
                    days[days.count - 1] = PoolFacts.Day(day: day, used: Bytes(sum))
                }
            } else {
                days.append(PoolFacts.Day(day: day, used: max(Bytes(sum), previous)))
            }
        } else {
            days.append(PoolFacts.Day(day: day, used: Bytes(sum)))
        }
        previous = Bytes(sum)
    }
    private var previous = Bytes.zero
}
