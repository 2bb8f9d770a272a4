public import Units

/// The kinds of job DPM's console lists, as far as they concern machines. Source: dpm-facts 1.4.
public enum JobKind: UInt8, CaseIterable, Sendable, Hashable {
    case replicaCreation, expressFull, consistencyCheck, tapeBackup, onlineBackup, secondarySynchronization, pruning,
        summary, inventory, migration, diskRecovery, tapeRecovery
    /// The console's name.
    public var title: String {
        switch self {
        case .replicaCreation: "Replica creation"
        case .expressFull: "Express full backup"
        case .consistencyCheck: "Consistency check"
        case .tapeBackup: "Tape backup"
        case .onlineBackup: "Online backup"
        case .secondarySynchronization: "Secondary synchronization"
        case .pruning: "Pruning"
        case .summary: "Summary Manager"
        case .inventory: "Library inventory"
        case .migration: "Live migration"
        case .diskRecovery: "Disk recovery"
        case .tapeRecovery: "Tape recovery"
        }
    }
}

/// How a job ended. Source: dpm-facts 1.4.
public enum JobStatus: UInt8, CaseIterable, Sendable, Hashable {
    case completed, failed, cancelled, waiting, running
    public var title: String {
        switch self {
        case .completed: "Completed"
        case .failed: "Failed"
        case .cancelled: "Cancelled"
        case .waiting: "Waiting"
        case .running: "In progress"
        }
    }
}

/// How consistent a recovery point is (VSS-4).
public enum Consistency: UInt8, CaseIterable, Sendable, Hashable { case application, fileSystem, crash }

/// One job, as it ended.
public struct JobRecord: Sendable, Hashable {
    public var id: Int32
    public var kind: JobKind
    public var status: JobStatus
    /// A DPM error id, 0 for none.
    public var error: Int32 = 0
    /// Machine, group and server; -1 where it has none.
    public var machine: Int32
    public var group: Int32
    public var server: Int32
    /// Attempt: 0 for the first, 1 for its rerun.
    public var attempt: UInt8 = 0
    /// When it was due, when it got its slots, when its transfer began and ended, when it ended. `never` where it was not reached.
    public var due: SimTime
    public var started = SimTime.never
    public var transferStarted = SimTime.never
    public var transferEnded = SimTime.never
    public var ended = SimTime.never
    /// Bytes read as changed at the source, bytes on the wire, bytes newly stored.
    public var changed = Bytes.zero
    public var sent = Bytes.zero
    public var stored = Bytes.zero
    /// Time the machine was paused for it (VSS-2).
    public var downtime = SimDuration.zero
    public init(id: Int32, kind: JobKind, machine: Int32, group: Int32, server: Int32, due: SimTime) {
        (self.id, self.kind, self.machine, self.group, self.server, self.due) = (id, kind, machine, group, server, due)
        status = .waiting
    }
}

/// Severity as the console shows it. Source: dpm-facts 1.5.
public enum Severity: UInt8, CaseIterable, Sendable, Hashable {
    case critical, warning, information
    public var title: String { ["Critical", "Warning", "Informational"][Int(rawValue)] }
}

/// One alert, from its rise until it was resolved.
public struct AlertRecord: Sendable, Hashable {
    /// DPM's id of the alert (dpm-facts 1.5), such as 3106.
    public var id: Int32
    public var severity: Severity
    /// What it concerns: `machine sql-01`.
    public var object: String
    public var cause: String
    public var raised: SimTime
    public var resolved: SimTime?
    public init(id: Int32, severity: Severity, object: String, cause: String, raised: SimTime) {
        (self.id, self.severity, self.object, self.cause, self.raised) = (id, severity, object, cause, raised)
    }
}

/// A recovery point that was not made when it was due.
public struct MissedPoint: Sendable, Hashable {
    public var machine: Int32
    public var due: SimTime
    /// The error that caused it.
    public var error: Int32
    public var cause: String
    public init(machine: Int32, due: SimTime, error: Int32, cause: String) {
        (self.machine, self.due, self.error, self.cause) = (machine, due, error, cause)
    }
}

/// A thing that happened outside of DPM's own work: a failure, a return, a migration.
public struct IncidentRecord: Sendable, Hashable {
    public var at: SimTime
    public var ended: SimTime?
    public var title: String
    public var object: String
    /// The line of the script that says so; -1 for none.
    public var line: Int32 = -1
    /// Machines it touched, jobs it broke, checks it caused.
    public var machines = 0
    public var brokenJobs = 0
    public var checks = 0
    /// Bytes read by the checks it caused.
    public var checkedBytes = Bytes.zero
    public init(at: SimTime, title: String, object: String) { (self.at, self.title, self.object) = (at, title, object) }
}

/// A replica came into another state.
public struct ReplicaChange: Sendable, Hashable {
    public var at: SimTime
    public var machine: Int32
    public var state: ReplicaState
    public init(at: SimTime, machine: Int32, state: ReplicaState) {
        (self.at, self.machine, self.state) = (at, machine, state)
    }
}

/// A machine went to another host.
public struct MachineMove: Sendable, Hashable {
    public var at: SimTime
    public var machine: Int32
    public var host: Int32
    public init(at: SimTime, machine: Int32, host: Int32) { (self.at, self.machine, self.host) = (at, machine, host) }
}

/// One recovery, as it ended.
public struct RecoveryRecord: Sendable, Hashable {
    /// Number of its job.
    public var job: Int32
    public var machine: Int32
    public var server: Int32
    /// The line of the script that asked for it; -1 for none.
    public var line: Int32 = -1
    public var asked: SimTime
    /// The recovery point, and where it lay; `never` where none was found.
    public var point = SimTime.never
    public var source = RecoveryRequest.Source.disk
    public var what: String
    public var destination: String
    /// Cartridges that were needed, in order, by bar code.
    public var tapes: [String] = []
    public var status = JobStatus.waiting
    /// A DPM error id, 0 for none, and its cause.
    public var error: Int32 = 0
    public var cause = ""
    public var began = SimTime.never
    public var ended = SimTime.never
    /// Bytes recovered.
    public var bytes = Bytes.zero
    /// The machine is highly available where it was recovered to.
    public var isHighlyAvailable = false
    /// What the wizard's last page said before it began (REC-7).
    public var summary: [RecoverySummary.Line] = []
    /// What the operator is to know or do now.
    public var remarks: [String] = []
    public init(job: Int32, machine: Int32, server: Int32, asked: SimTime, what: String, destination: String) {
        (self.job, self.machine, self.server, self.asked) = (job, machine, server, asked)
        (self.what, self.destination) = (what, destination)
    }
    /// From the request until it was done.
    public var duration: SimDuration? { ended == .never ? nil : ended - asked }
    /// How old the recovery point was when it was asked for.
    public var age: SimDuration? { point == .never ? nil : asked - point }
}

/// How a shared resource was used over the run.
public struct ResourceRecord: Sendable, Hashable {
    public enum Kind: String, CaseIterable, Sendable {
        case sourceVolume = "source volume", hostNIC = "host NIC", hostCPU = "host CPU", fileServerNIC =
            "file server NIC", link,
            serverNIC = "DPM server NIC", poolVolume = "pool volume", tapeDrive = "tape drive", vault, hostSlots =
            "host backup slots",
            csvClaim = "CSV claim", serverSlots = "DPM server job slots", drivePool = "tape drives (queue)", robot,
            stream = "single stream", throttle
    }
    public var name: String
    public var kind: Kind
    /// Bytes a second, or slots.
    public var capacity: Double
    /// Bytes carried; for slots, seconds in use times slots.
    public var carried: Double
    /// Job-seconds for which this was what held a job back: as the bottleneck of its transfer, or waiting for its slots.
    public var boundSeconds: Double
    /// Share in use for each hour of the week from Monday 00:00; 168 values, or empty.
    public var hourly: [Double]
    public init(name: String, kind: Kind, capacity: Double, carried: Double, boundSeconds: Double, hourly: [Double]) {
        (self.name, self.kind, self.capacity, self.carried) = (name, kind, capacity, carried)
        (self.boundSeconds, self.hourly) = (boundSeconds, hourly)
    }
}

/// A level at a moment, for the series a report plots.
public struct Level: Sendable, Hashable {
    public var at: SimTime
    public var values: [Int64]
    public init(at: SimTime, values: [Int64]) { (self.at, self.values) = (at, values) }
}

/// State of a cartridge. Source: dpm-facts 4.5.
public enum CartridgeState: UInt8, CaseIterable, Sendable, Hashable {
    case free, active, full, offsiteReady, expired, suspect
    public var title: String { ["Free", "Active", "Full", "Offsite ready", "Expired", "Suspect"][Int(rawValue)] }
}

/// A recovery point that is kept on disk when the run ends.
public struct RecoveryPointRecord: Sendable, Hashable {
    public var machine: Int32
    public var at: SimTime
    public var consistency: Consistency
    /// Bytes only this point holds.
    public var unique: Bytes
    public init(machine: Int32, at: SimTime, consistency: Consistency, unique: Bytes) {
        (self.machine, self.at, self.consistency, self.unique) = (machine, at, consistency, unique)
    }
}

/// A recovery point of a real machine, on disk or a copy, that was read back when the run ended.
public struct PointCheckRecord: Sendable, Hashable {
    public enum Finding: UInt8, CaseIterable, Sendable {
        /// It is what the disks were at its time.
        case verified
        /// It is not, and that is a failure of the program.
        case differs
        /// The pool refuses blocks of it that the script let rot.
        case damaged
    }
    public var machine: Int32
    public var at: SimTime
    public var source: RecoveryRequest.Source
    public var finding: Finding
    public init(machine: Int32, at: SimTime, source: RecoveryRequest.Source, finding: Finding) {
        (self.machine, self.at, self.source, self.finding) = (machine, at, source, finding)
    }
}

/// A replica when the run ends.
public struct ReplicaRecord: Sendable, Hashable {
    public var machine: Int32
    public var group: Int32
    public var volume: Int32
    public var state: ReplicaState
    public var replica: Bytes
    public var points: Bytes
    public var pointCount: Int32
    public init(
        machine: Int32, group: Int32, volume: Int32, state: ReplicaState, replica: Bytes, points: Bytes,
        pointCount: Int32
    ) {
        (self.machine, self.group, self.volume, self.state) = (machine, group, volume, state)
        (self.replica, self.points, self.pointCount) = (replica, points, pointCount)
    }
}

/// A cartridge when the run ends.
public struct CartridgeRecord: Sendable, Hashable {
    public var barcode: String
    public var library: Int32
    public var state: CartridgeState
    public var written: Bytes
    public var capacity: Bytes
    public var sets: Int32
    public var lastExpiry: SimTime?
    public var mounts: Int32
    public init(
        barcode: String, library: Int32, state: CartridgeState, written: Bytes, capacity: Bytes, sets: Int32,
        lastExpiry: SimTime?, mounts: Int32
    ) {
        (self.barcode, self.library, self.state, self.written) = (barcode, library, state, written)
        (self.capacity, self.sets, self.lastExpiry, self.mounts) = (capacity, sets, lastExpiry, mounts)
    }
}

/// A datasource's set on tape when the run ends.
public struct TapeSetRecord: Sendable, Hashable {
    public enum State: UInt8, CaseIterable, Sendable {
        case begun, whole
        /// It was not ended: a drive or a tape failed, or the job was cancelled.
        case broken
        /// A cartridge of it has been written from its beginning again.
        case overwritten
        /// A cartridge of it has rotted since.
        case damaged
    }
    /// Its number within the run.
    public var number: Int32
    public var machine: Int32
    public var group: Int32
    /// The recovery point it holds.
    public var point: SimTime
    public var expiry: SimTime
    public var isEncrypted: Bool
    public var state: State
    /// Its cartridges in order, by place in the world.
    public var cartridges: [Int32]
    /// Plain bytes, and those it takes on tape.
    public var plain: Bytes
    public var native: Bytes
    public init(
        number: Int32, machine: Int32, group: Int32, point: SimTime, expiry: SimTime, isEncrypted: Bool, state: State,
        cartridges: [Int32], plain: Bytes, native: Bytes
    ) {
        (self.number, self.machine, self.group, self.point, self.expiry) = (number, machine, group, point, expiry)
        (self.isEncrypted, self.state, self.cartridges) = (isEncrypted, state, cartridges)
        (self.plain, self.native) = (plain, native)
    }
}

/// Two totals counted on different ways that must agree at the end of a run.
public struct AuditLine: Sendable, Hashable {
    public var name: String
    public var left: Int64
    public var right: Int64
    /// How far they may differ: zero, but where one side is an integral in floating point.
    public var tolerance: Int64
    public var holds: Bool { abs(left - right) <= tolerance }
    public init(name: String, left: Int64, right: Int64, tolerance: Int64 = 0) {
        (self.name, self.left, self.right, self.tolerance) = (name, left, right, tolerance)
    }
}
