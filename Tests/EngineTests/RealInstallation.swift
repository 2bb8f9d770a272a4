import Engine
import Files
import Protection
import Scenario
import Simulation
import Testing
import Units

/// A small installation with real machines, run on a disk in memory.
struct RealInstallation {
    var machines: String
    var days = 6
    var seed: UInt64 = 1
    var extra = ""
    var windows = "2016"
    var scale = 10_000
    /// A tape library, and what the group says of tapes.
    var library: String?
    var tape: String?
    var capacity = "4 TB"
    var planted: PlantedBug?
    var retention = 3
    /// Lines of the file: further servers, vaults, volumes, keys of the group, further groups.
    var servers = ""
    var vaults = ""
    var volumes = ""
    var group = ""
    var groups = ""

    private var text: String {
        """
        name: real machines
        duration: \(days) d
        seed: \(seed)
        servers:
          - name: dpm-01
            nic: 10 Gbit/s
            pool: [{name: pool-01, capacity: \(capacity), read: 600 MB/s, write: 400 MB/s}]
            \(library.map { "libraries: [{name: lib-01, \($0)}]" } ?? "")\(servers)
        \(vaults)
        hosts:
          - name: hv-01
            nic: 10 Gbit/s
            windows: "\(windows)"
            volumes: [{name: data, capacity: \(capacity), read: 500 MB/s, write: 400 MB/s}\(volumes)]
        machines:
        \(machines.split(separator: "\n").map { "  - {\($0), host: hv-01, data: real, scale: \(scale)}" }.joined(separator: "\n"))
        groups:
          - name: servers
            members: all
            disk: {retention: \(retention) d, times: "20:00"}\(group)
            \(tape.map { "long-term-tape: {\($0.split(separator: "|")[0])}\n    tape: {library: lib-01, \($0.split(separator: "|")[1])}" } ?? "")\(groups)
        \(extra)
        """
    }

    func setting() throws -> Setting {
        let read = ScenarioReader.read(path: "/s/real.yaml", files: MemoryFiles(["/s/real.yaml": text]))
        try #require(read.problems.isEmpty, "\(read.problems)")
        return try #require(read.setting)
    }

    struct Result {
        var setting: Setting
        var outcome: RunOutcome
        var plane: RealPlane
        var jobs: [JobRecord]
        var incidents: [IncidentRecord]
        var alerts: [AlertRecord]
    }

    /// - Parameter made: called when the disks are made and the run is about to begin.
    func run(
        on files: any FileSystem = SimulatedDisk(), in folder: String = "/real", made: () -> Void = {}
    ) throws -> Result {
        let setting = try setting()
        let plane = try RealPlane(
            world: setting.world, seed: setting.seed, clock: setting.clock, folder: folder, files: files,
            planted: planted)
        let notebook = Notebook()
        made()
        let outcome = Run(setting: setting, ledger: notebook, real: plane, checksInvariants: true).finish()
        return Result(
            setting: setting, outcome: outcome, plane: plane, jobs: notebook.jobs, incidents: notebook.incidents,
            alerts: notebook.alerts)
    }
}

/// Keeps the jobs and alerts of a run.
final class Notebook: Ledger {
    var jobs: [JobRecord] = []
    var incidents: [IncidentRecord] = []
    var alerts: [AlertRecord] = []
    func note(_ job: JobRecord) { jobs.append(job) }
    func note(_ alert: AlertRecord) { alerts.append(alert) }
    func note(_ missed: MissedPoint) {}
    func note(_ incident: IncidentRecord) { incidents.append(incident) }
    func note(_ change: ReplicaChange) {}
    func note(_ move: MachineMove) {}
    func note(_ recovery: RecoveryRecord) {}
    func notePool(_ level: Level) {}
    func noteTapes(_ level: Level) {}
}
