import Catalog
import Protection
import Reports
import Units

/// A plausible run written by arithmetic alone, the same every time: machines on hosts, nightly backups, weekly tapes.
struct SyntheticMonth {
    var machines = 40
    var hosts = 4
    var days = 28
    var setting: Setting
    var chronicle = Chronicle()
    var outcome: RunOutcome
    private var state: UInt64 = 42
    private var nextJob: Int32 = 0

    init(machines: Int = 40, hosts: Int = 4, days: Int = 28) {
        (self.machines, self.hosts, self.days) = (machines, hosts, days)
        setting = SyntheticMonth.setting(machines, hosts, days)
        outcome = RunOutcome(
            end: .horizon, finishedAt: .start + .days(Int64(days)), eventCount: 123_456, transferCount: 4_321,
            traceHash: "9f2c4b1e77aa0d35")
        fill()
    }

    var facts: RunFacts {
        RunFacts(
            setting: setting, chronicle: chronicle, outcome: outcome, version: "1.0.0",
            arguments: ["dpmsim", "run", "month.yaml", "--seed", "7"])
    }

    private static func setting(_ machines: Int, _ hosts: Int, _ days: Int) -> Setting {
        var setting = Setting(
            name: "Synthetic month", clock: CivilClock(startDate: CivilDate(year: 2026, month: 1, day: 5)!))
        setting.seed = 7
        setting.duration = .days(Int64(days))
        setting.goals.window = DailyWindow(start: TimeOfDay(hour: 20), duration: .hours(10))
        setting.goals.recoveryPointAge = .hours(30)
        setting.world.domains = [Domain(name: "corp.example")]
        setting.world.sites = [Site(name: "main")]
        setting.world.servers = [DPMServer(name: "dpm1", domain: Ref(0), site: Ref(0))]
        setting.world.poolVolumes = (1...2).map {
            PoolVolume(
                name: "pool-\($0)", server: Ref(0), kind: .modern, capacity: .gigabytes(Int64(machines) * 100),
                readRate: .megabytesPerSecond(800), writeRate: .megabytesPerSecond(600))
        }
        setting.world.clusters = [Cluster(name: "hv-a", domain: Ref(0))]
        setting.world.hosts = (1...hosts).map { number in
            var host = Host(name: "hv-a\(number)", domain: Ref(0), site: Ref(0))
            host.cluster = Ref(0)
            return host
        }
        setting.world.volumes = [
            Volume(
                name: "csv-1", kind: .csv(Ref(0)), capacity: .terabytes(60), readRate: .megabytesPerSecond(1_200),
                writeRate: .megabytesPerSecond(900))
        ]
        setting.world.machines = (0..<machines).map { index in
            Machine(
                name: "vm-\(index + 1)", host: Ref(index % hosts),
                disks: [
                    VirtualDisk(format: .vhdx, volume: Ref(0), size: .gigabytes(100), used: .gigabytes(60))
                ], churn: Churn(perDay: .gigabytes(3), workingSet: .gigabytes(8)))
        }
        setting.world.libraries = [TapeLibrary(name: "tl1", server: Ref(0), slots: 24)]
        setting.world.drives = [TapeDrive(name: "drive-1", library: Ref(0), generation: .lto8)]
        setting.world.cartridges = (1...24).map {
            Cartridge(barcode: "T0000\($0)L8", library: Ref(0), generation: .lto8)
        }
        for (index, name) in ["databases", "web"].enumerated() {
            var group = ProtectionGroup(name: name, server: Ref(0))
            group.members = (0..<machines).filter { $0 % 2 == index }.map { Ref($0) }
            group.disk = DiskGoal(retentionDays: 14, schedule: WeeklySchedule(times: [TimeOfDay(hour: 20)]))
            group.longTermTape = [TapeGoal(frequency: .weekly, retention: CalendarSpan(8, .weeks))]
            group.tape = TapeOptions(library: Ref(0))
            setting.world.groups.append(group)
        }
        return setting
    }

    private mutating func roll(_ range: ClosedRange<Int64>) -> Int64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return range.lowerBound + Int64((state >> 33) % UInt64(range.upperBound - range.lowerBound + 1))
    }

    private mutating func job(
        _ kind: JobKind, _ machine: Int, due: SimTime, start: SimTime, work: SimDuration, gigabytes: Int64
    )
        -> JobRecord
    {
        var job = JobRecord(
            id: nextJob, kind: kind, machine: Int32(machine), group: Int32(machine % 2), server: 0, due: due)
        nextJob += 1
        job.status = .completed
        job.started = start
        job.transferStarted = start + .seconds(40)
        job.transferEnded = start + .seconds(40) + work
        job.ended = job.transferEnded + .seconds(25)
        (job.changed, job.sent, job.stored) = (.gigabytes(gigabytes), .gigabytes(gigabytes), .gigabytes(gigabytes))
        return job
    }

    private mutating func fill() {
        for day in 0..<days {
            night(day)
            if day % 7 == 5 { tapes(day) }
            levels(day)
        }
        for index in 0..<machines {
            outcome.replicas.append(
                ReplicaRecord(
                    machine: Int32(index), group: Int32(index % 2), volume: Int32(index % 2), state: .ok,
                    replica: .gigabytes(60 + Int64(index % 7)), points: .gigabytes(20 + Int64(index % 5) * 4),
                    pointCount: 14))
        }
        outcome.cartridgesWritten = 9
        outcome.tapeMounts = 16
        outcome.audit = [
            AuditLine(name: "bytes sent and received", left: 1_234_567, right: 1_234_567),
            AuditLine(name: "pool used and accounted for", left: 99, right: 99),
        ]
        resources()
    }

    // Each host runs three backups at once; who is due later waits.
    private mutating func night(_ day: Int) {
        let due = SimTime.start + .days(Int64(day)) + .hours(20)
        var free = [SimTime](repeating: due, count: hosts * 3)
        let slow: Int64 = day % 7 == 4 ? 3 : 1
        for index in 0..<machines {
            let slot = (index % hosts) * 3 + (index / hosts) % 3
            let work = SimDuration.minutes(slow * (day == 0 ? roll(30...60) : roll(8...45)))
            let start = free[slot]
            var record = job(
                day == 0 ? .replicaCreation : .expressFull, index, due: due, start: start, work: work,
                gigabytes: day == 0 ? 60 : roll(1...4))
            if day == 10, index % 13 == 5 {
                record.status = .failed
                record.error = 30_111
                chronicle.note(
                    MissedPoint(machine: Int32(index), due: due, error: 30_111, cause: "the VSS writer timed out"))
                var alert = AlertRecord(
                    id: 3_114, severity: .critical, object: "machine vm-\(index + 1)", cause: "Recovery point failed",
                    raised: record.ended)
                alert.resolved = record.ended + .days(1)
                chronicle.note(alert)
            }
            free[slot] = record.ended
            chronicle.note(record)
        }
        if day == 10 {
            var crash = IncidentRecord(at: due + .hours(1), title: "Node crash", object: "host hv-a1")
            crash.ended = due + .hours(3)
            (crash.machines, crash.brokenJobs, crash.checks) = (machines / hosts, 3, 2)
            crash.checkedBytes = .gigabytes(120)
            chronicle.note(crash)
        }
    }

    private mutating func tapes(_ day: Int) {
        var time = SimTime.start + .days(Int64(day)) + .hours(8)
        for index in 0..<machines {
            let record = job(
                .tapeBackup, index, due: SimTime.start + .days(Int64(day)) + .hours(8), start: time,
                work: .minutes(roll(3...6)), gigabytes: 60)
            time = record.ended
            chronicle.note(record)
        }
    }

    private mutating func levels(_ day: Int) {
        let kept = Int64(min(day, 14)) * Int64(machines) * 2 + Int64(day) * Int64(machines) / 4
        let used = Int64(machines) * 60 + kept
        for hour in [0, 6, 12, 18] as [Int64] {
            let at = SimTime.start + .days(Int64(day)) + .hours(hour)
            chronicle.notePool(
                Level(at: at, values: [Bytes.gigabytes(used / 2 + hour).count, Bytes.gigabytes(used / 2).count]))
        }
        // After eight weeks a tape expires for each that is written.
        let weeks = Int64(min(day + 2, 56) / 7)
        chronicle.noteTapes(
            Level(
                at: .start + .days(Int64(day)),
                values: [max(0, 24 - weeks * 3), min(1, weeks), max(0, weeks * 2 - 1), weeks, 0, 0])
        )
    }

    private mutating func resources() {
        func week(_ peak: Double, from: Int, to: Int) -> [Double] {
            (0..<168).map { hour in
                let of = hour % 24
                let isOn = from < to ? of >= from && of < to : of >= from || of < to
                return isOn ? peak * (0.7 + 0.3 * Double((hour * 37) % 10) / 10) : 0.01
            }
        }
        let span = outcome.finishedAt.seconds
        outcome.resources = [
            ResourceRecord(
                name: "pool-1", kind: .poolVolume, capacity: 6e8, carried: 0.18 * 6e8 * span, boundSeconds: 91_000,
                hourly: week(0.97, from: 20, to: 3)),
            ResourceRecord(
                name: "dpm1 NIC", kind: .serverNIC, capacity: 1.25e9, carried: 0.1 * 1.25e9 * span,
                boundSeconds: 12_000,
                hourly: week(0.55, from: 20, to: 3)),
            ResourceRecord(
                name: "drives of tl1", kind: .drivePool, capacity: 1, carried: 0.12 * span, boundSeconds: 60_000,
                hourly: (0..<168).map { (128..<132).contains($0) ? 1 : 0 }),
        ]
        for host in setting.world.hosts {
            outcome.resources.append(
                ResourceRecord(
                    name: "\(host.name) slots", kind: .hostSlots, capacity: 3, carried: 0.3 * 3 * span,
                    boundSeconds: 150_000, hourly: week(1, from: 20, to: 2)))
        }
    }
}
