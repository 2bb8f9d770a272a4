import Catalog
import Protection
public import Units

/// How old each machine's newest recovery point got, and on which days none was made.
///
/// A point is worth the moment its backup got its slots (the snapshot is no older) and can be used from the backup's end. So
/// the age is greatest just before the next backup ends. Ages are taken from a machine's first point on; the time before
/// is its replica's creation, reported by itself.
public struct RecoveryFacts: Sendable {
    /// One machine.
    public struct Row: Sendable {
        public let machine: Int32
        public let name: String
        public internal(set) var points = 0
        /// The oldest its newest point ever got; nil before its first point.
        public internal(set) var oldest: SimDuration?
        /// When that was.
        public internal(set) var oldestAt = SimTime.start
        /// Days after its first point on which its group's schedule asks for one, and those without.
        public internal(set) var days = 0
        public internal(set) var daysWithout = 0
    }
    public let objective: SimDuration?
    /// Machines protected to disk, the oldest newest point first; those without any point before all.
    public let rows: [Row]
    /// Of them, without any recovery point at the end.
    public let withoutPoint: Int
    /// Of them, whose newest point was at some time older than the objective.
    public let overObjective: Int
    /// Largest age over all machines.
    public let oldest: SimDuration?
    /// Machine-days on which a point was due, and those without one.
    public let machineDays: Int
    public let machineDaysWithout: Int
    public var shareWithout: Double? { share(Double(machineDaysWithout), of: Double(machineDays)) }

    init(_ setting: Setting, _ jobs: JobTable, _ outcome: RunOutcome) {
        objective = setting.goals.recoveryPointAge
        var tracks = Tracks(setting, outcome.finishedAt)
        jobs.forEach { tracks.take($0) }
        let rows = tracks.finish()
        self.rows = rows.sorted { a, b in
            let (left, right) = (a.oldest?.nanoseconds ?? .max, b.oldest?.nanoseconds ?? .max)
            return left != right ? left > right : a.machine < b.machine
        }
        withoutPoint = rows.count { $0.points == 0 }
        let objective = objective
        overObjective = rows.count { row in row.oldest.map { age in objective.map { age > $0 } ?? false } ?? false }
        oldest = rows.compactMap(\.oldest).max()
        machineDays = rows.reduce(0) { $0 + $1.days }
        machineDaysWithout = rows.reduce(0) { $0 + $1.daysWithout }
    }
}

/// Follows each machine's points while the jobs pass by in the order they ended.
private struct Tracks {
    private let clock: CivilClock
    private let horizon: SimTime
    private var rows: [RecoveryFacts.Row?]
    private var newest: [SimTime?]
    private var firstDay: [Int]
    private var days: [[Bool]]
    private var schedules: [Set<Weekday>]

    init(_ setting: Setting, _ horizon: SimTime) {
        (clock, self.horizon) = (setting.clock, horizon)
        let count = setting.world.machines.count
        rows = Array(repeating: nil, count: count)
        newest = Array(repeating: nil, count: count)
        firstDay = Array(repeating: 0, count: count)
        schedules = Array(repeating: [], count: count)
        days = Array(repeating: [], count: count)
        let length = max(0, clock.dayIndex(of: horizon))
        for group in setting.world.groups {
            guard let disk = group.disk else { continue }
            for member in group.members where rows.indices.contains(Int(member.index)) {
                let machine = Int(member.index)
                rows[machine] = RecoveryFacts.Row(machine: member.index, name: setting.world.machines[machine].name)
                schedules[machine] = disk.schedule.times.isEmpty ? [] : Set(disk.schedule.weekdays)
                days[machine] = Array(repeating: false, count: length)
            }
        }
    }

    mutating func take(_ job: JobRecord) {
        guard job.kind == .expressFull || job.kind == .replicaCreation, job.status == .completed, job.ended != .never,
            rows.indices.contains(Int(job.machine)), rows[Int(job.machine)] != nil
        else { return }
        let machine = Int(job.machine)
        let day = clock.dayIndex(of: job.due)
        if let before = newest[machine] {
            age(machine, since: before, at: job.ended)
        } else {
            firstDay[machine] = max(0, clock.dayIndex(of: job.ended) + 1)
        }
        rows[machine]!.points += 1
        let worth = job.started == .never ? job.due : job.started
        newest[machine] = max(newest[machine] ?? worth, worth)
        if days[machine].indices.contains(day) { days[machine][day] = true }
    }

    private mutating func age(_ machine: Int, since point: SimTime, at now: SimTime) {
        let age = now - point
        guard age > rows[machine]!.oldest ?? SimDuration(nanoseconds: -1) else { return }
        (rows[machine]!.oldest, rows[machine]!.oldestAt) = (age, now)
    }

    mutating func finish() -> [RecoveryFacts.Row] {
        for machine in rows.indices where rows[machine] != nil {
            guard let point = newest[machine] else { continue }
            age(machine, since: point, at: horizon)
            guard firstDay[machine] < days[machine].count else { continue }
            for day in firstDay[machine]..<days[machine].count
            where schedules[machine].contains(clock.startDate.adding(days: day).weekday) {
                rows[machine]!.days += 1
                if !days[machine][day] { rows[machine]!.daysWithout += 1 }
            }
        }
        return rows.compactMap(\.self)
    }
}
