public import Units

/// The constants of the cost models and of DPM's own habits, each with a name and a source. A scenario may set any of them.
public struct Tuning: Sendable, Hashable {
    public var parallelBackupsPerHost = 3
    public var parallelJobsPerServer = 100
    public var parallelCopiesPerServer = 8
    public var softwareProviderPerCSV = 1
    public var snapshotPrepare = SimDuration.seconds(40)
    public var snapshotRelease = SimDuration.seconds(10)
    public var offlinePause = SimDuration.seconds(45)
    public var recoveryPointCreation = SimDuration.seconds(15)
    public var cloneCostPerGigabyte = SimDuration.milliseconds(20)
    public var copyOnWriteFactor = Fraction(partsPerBillion: 3_000_000_000)
    public var wireEfficiency = Fraction.percent(94)
    public var streamRate = ByteRate.megabytesPerSecond(400)
    public var autoRerunAttempts = 1
    public var autoRerunDelay = SimDuration.minutes(60)
    public var autoCheckDelay = SimDuration.minutes(15)
    public var failoverCheckDelay = SimDuration.minutes(30)
    public var autoGrowMinimum = Bytes.gibibytes(10)
    public var autoGrowShare = Fraction.percent(25)
    public var autoGrowQuiet = SimDuration.minutes(15)
    public var poolThreshold = Fraction.percent(90)
    public var freeTapeThreshold = 5
    public var summaryTime = SimDuration.zero
    public var summaryPerMachine = SimDuration(nanoseconds: 1_500_000_000)
    public var summarySlowdown = Fraction.percent(70)
    public var inventoryTime = SimDuration.hours(7)
    public var pruningTime = SimDuration.hours(1)
    public var failoverDelay = SimDuration.minutes(2)
    public var parallelRecoveriesPerHost = 8
    public var recoveryPrepare = SimDuration.seconds(60)
    public var machineRegistration = SimDuration.seconds(30)
    public var migrationRate = ByteRate.gigabitsPerSecond(8)
    public var robotMove = SimDuration.seconds(15)
    public var inventoryPerSlot = SimDuration.milliseconds(2_200)
    public var operatorTapeChange = SimDuration.minutes(10)
    public var backHitch = SimDuration.seconds(3)
    public var tapeEarlyWarning = Bytes.gigabytes(5)
    public var databaseRestore = SimDuration.hours(1)
    public var synchronizePerPoint = SimDuration.seconds(2)
    public var legacyReplicaFactor = Fraction(partsPerBillion: 1_500_000_000)
    public var legacyPointShare = Fraction.percent(2)
    public var legacyPointMinimum = Bytes.megabytes(1_678)
    public init() {}

    /// Where a parameter's value lives, by the kind of quantity it is.
    public enum Place: Sendable {
        case count(any (WritableKeyPath<Tuning, Int> & Sendable))
        case duration(any (WritableKeyPath<Tuning, SimDuration> & Sendable))
        case fraction(any (WritableKeyPath<Tuning, Fraction> & Sendable))
        case bytes(any (WritableKeyPath<Tuning, Bytes> & Sendable))
        case rate(any (WritableKeyPath<Tuning, ByteRate> & Sendable))
    }
    /// One named constant: its key in scenario files, what it means, where its default comes from.
    public struct Parameter: Sendable {
        public let key: String
        public let place: Place
        public let meaning: String
        public let source: String
        init(_ key: String, _ place: Place, _ meaning: String, _ source: String) {
            (self.key, self.place, self.meaning, self.source) = (key, place, meaning, source)
        }
    }

    /// All of them, in the order `explain` prints.
    public static let parameters: [Parameter] = [
        Parameter(
            "parallel-backups-per-host", .count(\.parallelBackupsPerHost), "machines backed up at once from one host",
            "dpm-facts 3.8: 3 in DPM 2010, no later number found"),
        Parameter(
            "parallel-jobs-per-server", .count(\.parallelJobsPerServer), "disk jobs at once on one DPM server",
            "inferred; no number documented"),
        Parameter(
            "parallel-copies-per-server", .count(\.parallelCopiesPerServer),
            "online and secondary copies at once from one DPM server", "inferred; no number documented"),
        Parameter(
            "software-provider-per-csv", .count(\.softwareProviderPerCSV),
            "backups at once on a CSV with the software VSS provider", "dpm-facts 5.6 (KB 2549533)"),
        Parameter(
            "snapshot-prepare", .duration(\.snapshotPrepare), "VSS inquiry, writers' flush and snapshot",
            "inferred; VSS allows 60 s for freeze"),
        Parameter(
            "snapshot-release", .duration(\.snapshotRelease), "removing the snapshot, besides merging what was written",
            "inferred"),
        Parameter(
            "offline-pause", .duration(\.offlinePause), "saved state, snapshot, resume",
            "dpm-facts 5.2: below a minute; 11.3: 30-60 s"),
        Parameter(
            "recovery-point-creation", .duration(\.recoveryPointCreation),
            "making the recovery point on the DPM server", "inferred"),
        Parameter(
            "clone-cost-per-gigabyte", .duration(\.cloneCostPerGigabyte),
            "block-clone metadata per GB of replica (Modern Backup Storage)", "inferred from KB 4035951 reports"),
        Parameter(
            "copy-on-write-factor", .fraction(\.copyOnWriteFactor),
            "pool work per changed byte on legacy storage: read old, write old, write new",
            "dpm-facts 1.2, switch table"),
        Parameter(
            "wire-efficiency", .fraction(\.wireEfficiency), "payload share of a network interface's line rate",
            "Ethernet, IP and TCP headers at 1500 bytes: 94 %"),
        Parameter(
            "stream-rate", .rate(\.streamRate), "most that one backup stream reaches",
            "inferred; one agent thread with checksums"),
        Parameter(
            "auto-rerun-attempts", .count(\.autoRerunAttempts), "automatic reruns of a failed job",
            "dpm-facts 3.6: AutoRerunNumberOfAttempts 1"),
        Parameter(
            "auto-rerun-delay", .duration(\.autoRerunDelay), "wait before a rerun", "dpm-facts 3.6: AutoRerunDelay 60"),
        Parameter(
            "auto-check-delay", .duration(\.autoCheckDelay), "from inconsistent to the automatic consistency check",
            "dpm-facts 11.3: 15 min, inferred"),
        Parameter(
            "failover-check-delay", .duration(\.failoverCheckDelay), "the same after a failover",
            "dpm-facts 3.5: 30139, 30 min"),
        Parameter(
            "auto-grow-minimum", .bytes(\.autoGrowMinimum), "least automatic growth of a legacy volume", "dpm-facts 2.5"
        ),
        Parameter("auto-grow-share", .fraction(\.autoGrowShare), "growth as a share of the volume", "dpm-facts 2.5"),
        Parameter("auto-grow-quiet", .duration(\.autoGrowQuiet), "least time between two growths", "dpm-facts 2.5"),
        Parameter(
            "pool-threshold", .fraction(\.poolThreshold), "use at which the pool alert is raised",
            "dpm-facts 11.3: 90 %"),
        Parameter(
            "free-tape-threshold", .count(\.freeTapeThreshold), "free tapes at which alert 3305 is raised",
            "dpm-facts 11.3: 5, inferred"),
        Parameter(
            "summary-time", .duration(\.summaryTime), "time of day of the Summary Manager", "dpm-facts 3.2: midnight"),
        Parameter(
            "summary-per-machine", .duration(\.summaryPerMachine), "its duration per protected machine",
            "inferred; grows with the deployment (LIV-9)"),
        Parameter(
            "summary-slowdown", .fraction(\.summarySlowdown), "share of the DPM server's rate left while it runs",
            "inferred from LIV-9"),
        Parameter("inventory-time", .duration(\.inventoryTime), "time of day of the libraries' inventory", "inferred"),
        Parameter(
            "pruning-time", .duration(\.pruningTime), "time of day when expired recovery points are pruned",
            "dpm-facts 3.2: nightly"),
        Parameter(
            "failover-delay", .duration(\.failoverDelay), "from a node's death until its machines run elsewhere",
            "inferred"),
        Parameter(
            "parallel-recoveries-per-host", .count(\.parallelRecoveriesPerHost),
            "machines recovered at once to one host",
            "dpm-facts 3.8: 8"),
        Parameter(
            "recovery-prepare", .duration(\.recoveryPrepare),
            "before a recovery copies: inquiry, mounting the recovery point, stopping the machine", "inferred"),
        Parameter(
            "machine-registration", .duration(\.machineRegistration), "registering a recovered machine with Hyper-V",
            "inferred"),
        Parameter("migration-rate", .rate(\.migrationRate), "storage migration's rate", "inferred"),
        Parameter("robot-move", .duration(\.robotMove), "slot to drive or back", "tape-hardware 4: 15 s"),
        Parameter(
            "inventory-per-slot", .duration(\.inventoryPerSlot), "fast inventory, per slot", "tape-hardware 4: 2.2 s"),
        Parameter(
            "operator-tape-change", .duration(\.operatorTapeChange), "a person changes the tape of a stand-alone drive",
            "inferred"),
        Parameter(
            "back-hitch", .duration(\.backHitch), "stop, back up and restart of a drive that ran dry",
            "tape-hardware 3: 3 s"),
        Parameter(
            "tape-early-warning", .bytes(\.tapeEarlyWarning), "room kept at the end of a tape", "tape-hardware 3: 5 GB"),
        Parameter(
            "database-restore", .duration(\.databaseRestore),
            "making an empty database for a DPM server that lost its own",
            "chosen; dpm-facts 6.6 names the steps, not their times"),
        Parameter(
            "synchronize-per-point", .duration(\.synchronizePerPoint),
            "DPMSync -Sync, per recovery point that it finds in the pool", "chosen"),
        Parameter(
            "legacy-replica-factor", .fraction(\.legacyReplicaFactor), "replica volume per protected byte, legacy",
            "dpm-facts 2.2: 1.5"),
        Parameter(
            "legacy-point-share", .fraction(\.legacyPointShare),
            "recovery point volume per protected byte and day of retention, legacy", "dpm-facts 2.2: 2 %"),
        Parameter(
            "legacy-point-minimum", .bytes(\.legacyPointMinimum), "constant part of a recovery point volume",
            "dpm-facts 2.2: 1600 MB of 2^20"),
    ]
}

extension Tuning {
    /// The value in force, exact, with its unit.
    public func text(of parameter: Parameter) -> String {
        switch parameter.place {
        case .count(let path): "\(self[keyPath: path])"
        case .duration(let path): "\(self[keyPath: path])"
        case .fraction(let path): "\(self[keyPath: path])"
        case .bytes(let path): "\(self[keyPath: path])"
        case .rate(let path): "\(self[keyPath: path])"
        }
    }
}
