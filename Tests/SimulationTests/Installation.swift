import Protection
import Simulation
import Units

/// Keeps everything a run says, for tests to look at.
final class Notebook: Ledger {
    var jobs: [JobRecord] = []
    var alerts: [AlertRecord] = []
    var missed: [MissedPoint] = []
    var incidents: [IncidentRecord] = []
    var replicaChanges: [ReplicaChange] = []
    var moves: [MachineMove] = []
    var recoveries: [RecoveryRecord] = []
    var pool: [Level] = []
    var tapes: [Level] = []
    func note(_ job: JobRecord) { jobs.append(job) }
    func note(_ alert: AlertRecord) { alerts.append(alert) }
    func note(_ missed: MissedPoint) { self.missed.append(missed) }
    func note(_ incident: IncidentRecord) { incidents.append(incident) }
    func note(_ change: ReplicaChange) { replicaChanges.append(change) }
    func note(_ move: MachineMove) { moves.append(move) }
    func note(_ recovery: RecoveryRecord) { recoveries.append(recovery) }
    func notePool(_ level: Level) { pool.append(level) }
    func noteTapes(_ level: Level) { tapes.append(level) }

    func jobs(_ kind: JobKind, _ status: JobStatus = .completed, error: Int32 = 0) -> [JobRecord] {
        jobs.filter { $0.kind == kind && $0.status == status && (error == 0 || $0.error == error) }
    }
}

/// A small installation: one domain, one site, one DPM server with one pool volume, a two-node cluster with one CSV.
/// Machines of 100 GB that use 50 GB and write 2 GB a day, backed up at 20:00 and kept for 5 days.
struct Installation {
    var setting: Setting

    init(machines: Int = 4, days: Int64 = 7, pool: PoolVolume.Kind = .modern, poolSize: Bytes = .terabytes(4)) {
        setting = Setting(name: "test", clock: CivilClock(startDate: CivilDate(year: 2026, month: 1, day: 5)!))
        setting.duration = .days(days)
        var world = World()
        world.domains = [Domain(name: "corp")]
        world.sites = [Site(name: "main"), Site(name: "far")]
        world.links = [Link(name: "wan", between: Ref(0), and: Ref(1), rate: .gigabitsPerSecond(1))]
        world.servers = [DPMServer(name: "dpm1", domain: Ref(0), site: Ref(0))]
        world.poolVolumes = [
            PoolVolume(
                name: "pool1", server: Ref(0), kind: pool, capacity: poolSize, readRate: .megabytesPerSecond(1_000),
                writeRate: .megabytesPerSecond(800))
        ]
        for n in 0..<3 {
            var host = Host(name: "node\(n)", domain: Ref(0), site: Ref(0))
            if n < 2 { host.cluster = Ref(0) }
            world.hosts.append(host)
        }
        var cluster = Cluster(name: "c1", domain: Ref(0))
        cluster.nodes = [Ref(0), Ref(1)]
        world.clusters = [cluster]
        var csv = Volume(
            name: "csv1", kind: .csv(Ref(0)), capacity: .terabytes(20), readRate: .megabytesPerSecond(600),
            writeRate: .megabytesPerSecond(400))
        csv.vssProvider = .hardware
        world.volumes = [
            csv,
            Volume(
                name: "local", kind: .local(Ref(2)), capacity: .terabytes(20), readRate: .megabytesPerSecond(600),
                writeRate: .megabytesPerSecond(400)),
        ]
        var group = ProtectionGroup(name: "gold", server: Ref(0))
        group.disk = DiskGoal(retentionDays: 5, schedule: WeeklySchedule(times: [TimeOfDay(hour: 20)]))
        for n in 0..<machines {
            let disk = VirtualDisk(format: .vhdx, volume: Ref(0), size: .gigabytes(100), used: .gigabytes(50))
            world.machines.append(
                Machine(
                    name: "vm\(n)", host: Ref(n % 2), disks: [disk],
                    churn: Churn(perDay: .gigabytes(2), workingSet: .gigabytes(20))))
            group.members.append(Ref(n))
        }
        world.groups = [group]
        setting.world = world
    }

    /// A library with `drives` LTO-8 drives and `tapes` blank cartridges, and a weekly goal on it.
    mutating func addTape(drives: Int = 1, tapes: Int = 10, generation: LTOGeneration = .lto8, retention: CalendarSpan)
    {
        setting.world.libraries = [TapeLibrary(name: "lib1", server: Ref(0), slots: 24)]
        for n in 0..<drives {
            setting.world.drives.append(TapeDrive(name: "drive\(n)", library: Ref(0), generation: generation))
        }
        for n in 0..<tapes {
            setting.world.cartridges.append(
                Cartridge(barcode: "T0000\(n)L\(generation.rawValue)", library: Ref(0), generation: generation))
        }
        setting.world.groups[0].tape = TapeOptions(library: Ref(0))
        setting.world.groups[0].longTermTape = [TapeGoal(frequency: .weekly, retention: retention)]
    }

    mutating func happens(
        _ happening: Happening, day: Int64, hour: Int64 = 0, minute: Int64 = 0, lasts: SimDuration? = nil
    ) {
        setting.script.append(
            ScriptLine(
                happening, .at(.start + .days(day) + .hours(hour) + .minutes(minute)), lasts: lasts.map { .fixed($0) }))
    }

    func run(checked: Bool = true) -> (Notebook, RunOutcome) {
        let notebook = Notebook()
        let outcome = Run(setting: setting, ledger: notebook, checksInvariants: checked).finish()
        return (notebook, outcome)
    }
}

extension Installation {
    /// A cloud vault and a secondary DPM server on the far site.
    mutating func addCopies(online: Bool, secondary: Bool) {
        if online {
            setting.world.vaults = [Vault(name: "vault", rate: .megabytesPerSecond(100), site: Ref(1))]
            setting.world.groups[0].online = OnlineGoal(vault: Ref(0), retention: CalendarSpan(30, .days))
        }
        guard secondary else { return }
        var server = DPMServer(name: "dpm2", domain: Ref(0), site: Ref(1))
        server.primary = Ref(0)
        setting.world.servers.append(server)
        setting.world.poolVolumes.append(
            PoolVolume(
                name: "pool2", server: Ref(1), kind: .modern, capacity: .terabytes(4),
                readRate: .megabytesPerSecond(500),
                writeRate: .megabytesPerSecond(500)))
        var group = ProtectionGroup(name: "copy", server: Ref(1))
        group.disk = DiskGoal(retentionDays: 3, schedule: WeeklySchedule(times: [TimeOfDay(hour: 6)]))
        group.members = setting.world.groups[0].members
        setting.world.groups.append(group)
    }
}
