import Catalog
import Foundation
import Protection
import Units

/// A small run by hand, and places to keep it.
enum TestRun {
    static func job(_ id: Int32) -> JobRecord {
        var job = JobRecord(
            id: id, kind: .expressFull, machine: 0, group: 0, server: 0, due: .start + .minutes(Int64(id)))
        job.status = .completed
        job.started = job.due + .minutes(1)
        job.transferStarted = job.due + .minutes(2)
        job.transferEnded = job.due + .minutes(5)
        job.ended = job.due + .minutes(6)
        (job.changed, job.sent, job.stored) = (.gigabytes(3), .gigabytes(2), .gigabytes(1))
        return job
    }

    static func note(into chronicle: Chronicle) {
        var alert = AlertRecord(
            id: 3_106, severity: .critical, object: "machine sql-01", cause: "Replica is inconsistent", raised: .start)
        chronicle.note(alert)
        alert.resolved = .start + .hours(2)
        chronicle.note(alert)
        chronicle.note(MissedPoint(machine: 0, due: .start, error: 30_111, cause: "VSS writer timed out"))
        chronicle.note(IncidentRecord(at: .start + .hours(1), title: "Node crash", object: "host hv-01"))
        chronicle.note(ReplicaChange(at: .start + .hours(1), machine: 0, state: .inconsistent))
        chronicle.note(MachineMove(at: .start + .hours(2), machine: 0, host: 0))
        chronicle.notePool(Level(at: .start, values: [100]))
        chronicle.noteTapes(Level(at: .start, values: [1, 0, 0, 0, 0, 0]))
    }

    static var setting: Setting {
        var setting = Setting(
            name: "small", clock: CivilClock(startDate: CivilDate(year: 2026, month: 1, day: 5)!))
        setting.seed = .max
        setting.world.domains = [Domain(name: "corp.example")]
        setting.world.sites = [Site(name: "main")]
        setting.world.servers = [DPMServer(name: "dpm1", domain: Ref(0), site: Ref(0))]
        setting.world.hosts = [Host(name: "hv-01", domain: Ref(0), site: Ref(0))]
        setting.world.vmmServers = [
            VMMServer(name: "vmm1", domain: Ref(0)), VMMServer(name: "stranger", domain: Ref(0)),
        ]
        setting.world.servers[0].knownVMMServers = [Ref(0)]
        setting.world.volumes = [
            Volume(
                name: "C", kind: .local(Ref(0)), capacity: .terabytes(1), readRate: .megabytesPerSecond(100),
                writeRate: .megabytesPerSecond(100))
        ]
        setting.world.poolVolumes = [
            PoolVolume(
                name: "pool-1", server: Ref(0), kind: .modern, capacity: .terabytes(2),
                readRate: .megabytesPerSecond(500),
                writeRate: .megabytesPerSecond(400))
        ]
        setting.world.libraries = [TapeLibrary(name: "tl1", server: Ref(0), slots: 8)]
        setting.world.machines = ["sql-01", "O'Hara \"; DROP TABLE job; --"].map { name in
            Machine(
                name: name, host: Ref(0),
                disks: [VirtualDisk(format: .vhdx, volume: Ref(0), size: .gigabytes(100), used: .gigabytes(60))],
                churn: Churn(perDay: .gigabytes(2), workingSet: .gigabytes(5)))
        }
        var group = ProtectionGroup(name: "databases", server: Ref(0))
        group.members = [Ref(0)]
        setting.world.groups = [group]
        return setting
    }

    static var outcome: RunOutcome {
        var outcome = RunOutcome(
            end: .horizon, finishedAt: .start + .days(1), eventCount: 10, transferCount: 2, traceHash: "abc")
        outcome.replicas = [
            ReplicaRecord(
                machine: 0, group: 0, volume: 0, state: .ok, replica: .gigabytes(60), points: .gigabytes(2),
                pointCount: 1)
        ]
        outcome.points = [
            RecoveryPointRecord(machine: 0, at: .start + .hours(20), consistency: .application, unique: .gigabytes(2))
        ]
        outcome.cartridges = [
            CartridgeRecord(
                barcode: "T00001L8", library: 0, state: .active, written: .gigabytes(60), capacity: .terabytes(12),
                sets: 1,
                lastExpiry: .start + .days(56), mounts: 1)
        ]
        outcome.resources = [
            ResourceRecord(
                name: "pool-1", kind: .poolVolume, capacity: 4e8, carried: 6e10, boundSeconds: 150,
                hourly: Array(repeating: 0.5, count: 168))
        ]
        outcome.audit = [AuditLine(name: "sent and received", left: 5, right: 5)]
        var open = job(900_000)
        (open.status, open.ended) = (.running, .never)
        outcome.open = [open]
        return outcome
    }

    /// Calls `body` with a directory of its own, and removes it afterwards.
    static func inDirectory(_ name: String, _ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("dpmsim-catalog-\(getpid())-\(name)")
            .path
        try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }
}
