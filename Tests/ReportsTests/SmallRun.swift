import Catalog
import Protection
import Reports
import Units

/// One to a few machines, and jobs written down one by one, for figures that can be worked out by hand.
struct SmallRun {
    var setting: Setting
    let chronicle = Chronicle()
    var outcome: RunOutcome
    private var nextJob: Int32 = 0

    init(machines: [String] = ["a"], days: Int64 = 10) {
        setting = Setting(name: "small", clock: CivilClock(startDate: CivilDate(year: 2026, month: 1, day: 5)!))
        outcome = RunOutcome(
            end: .horizon, finishedAt: .start + .days(days), eventCount: 1, transferCount: 1, traceHash: "00")
        setting.duration = .days(days)
        setting.world.domains = [Domain(name: "d")]
        setting.world.sites = [Site(name: "s")]
        setting.world.servers = [DPMServer(name: "dpm1", domain: Ref(0), site: Ref(0))]
        setting.world.hosts = [Host(name: "h1", domain: Ref(0), site: Ref(0))]
        setting.world.volumes = [
            Volume(
                name: "C", kind: .local(Ref(0)), capacity: .terabytes(1), readRate: .megabytesPerSecond(1),
                writeRate: .megabytesPerSecond(1))
        ]
        setting.world.machines = machines.map {
            Machine(
                name: $0, host: Ref(0),
                disks: [VirtualDisk(format: .vhdx, volume: Ref(0), size: .gigabytes(10), used: .gigabytes(5))],
                churn: Churn(perDay: .gigabytes(1), workingSet: .gigabytes(2)))
        }
        var group = ProtectionGroup(name: "g", server: Ref(0))
        group.members = machines.indices.map { Ref($0) }
        group.disk = DiskGoal(retentionDays: 1, schedule: WeeklySchedule(times: [TimeOfDay(hour: 20)]))
        setting.world.groups = [group]
        setting.goals.window = DailyWindow(start: TimeOfDay(hour: 20), duration: .hours(4))
    }

    /// Hours count from the start, Monday 2026-01-05 00:00.
    mutating func backup(
        _ machine: Int32 = 0, kind: JobKind = .expressFull, due: Double, start: Double? = nil, end: Double?,
        status: JobStatus = .completed, attempt: UInt8 = 0
    ) {
        func at(_ hours: Double) -> SimTime { .start + SimDuration(roundingUp: hours * 3_600) }
        var job = JobRecord(id: nextJob, kind: kind, machine: machine, group: 0, server: 0, due: at(due))
        nextJob += 1
        (job.status, job.attempt) = (status, attempt)
        job.started = at(start ?? due)
        job.transferStarted = job.started
        if let end {
            (job.transferEnded, job.ended) = (at(end), at(end))
            chronicle.note(job)
        } else {
            outcome.open.append(job)
        }
    }

    mutating func pool(capacity: Bytes, _ levels: [(day: Int64, used: Bytes)]) {
        setting.world.poolVolumes = [
            PoolVolume(
                name: "p", server: Ref(0), kind: .modern, capacity: capacity, readRate: .megabytesPerSecond(1),
                writeRate: .megabytesPerSecond(1))
        ]
        for level in levels {
            chronicle.notePool(Level(at: .start + .days(level.day), values: [level.used.count]))
        }
    }

    var facts: RunFacts {
        RunFacts(setting: setting, chronicle: chronicle, outcome: outcome, version: "1", arguments: [])
    }
}
