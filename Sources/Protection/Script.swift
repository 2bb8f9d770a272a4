public import Units

/// A distribution of times, for failures drawn at random.
public enum TimeDistribution: Sendable, Hashable {
    case fixed(SimDuration)
    case exponential(mean: SimDuration)
    case uniform(from: SimDuration, to: SimDuration)
    case normal(mean: SimDuration, deviation: SimDuration)
    case lognormal(mean: SimDuration, variation: Double)
    case weibull(shape: Double, scale: SimDuration)
}

/// What may happen to the installation, besides its own work.
public enum Happening: Sendable, Hashable {
    /// The node dies without warning; its machines start on the other nodes, or wait for its return.
    case nodeCrash(Ref<Host>)
    /// The node is drained: its machines move first.
    case maintenance(Ref<Host>)
    /// The node restarts in an orderly way; with BitLocker on its CSV, checks follow (PRE-12).
    case nodeRestart(Ref<Host>)
    case linkOutage(Ref<Link>)
    case serverOutage(Ref<DPMServer>)
    case driveFailure(Ref<TapeDrive>)
    case robotJam(Ref<TapeLibrary>)
    /// The pool volume goes missing.
    case poolVolumeOutage(Ref<PoolVolume>)
    /// Something outside fills the volume, so that snapshots find no space (PRE-8).
    case volumeFull(Ref<Volume>)
    /// The link carries only so much.
    case slowLink(Ref<Link>, ByteRate)
    /// The host runs on, but nobody reaches it over the network.
    case partition(Ref<Host>)
    /// The VMM server does not answer: moves between hosts go unnoticed (LIV-3, LIV-4).
    case vmmOutage(Ref<VMMServer>)
    /// The DPM-VMM Helper Service is stopped, or listens on another port (LIV-7).
    case helperStopped(Ref<VMMServer>)
    case helperPort(Ref<VMMServer>, Int)
    /// The agent on the host comes into this state (SCN-1, SCN-2).
    case agent(Ref<Host>, AgentState)
    /// The Hyper-V VSS writer fails for the machine, with 30111 or, if it may be asked again, 30112.
    case vssFailure(Ref<Machine>, error: Int32)
    /// The backup integration service in the machine is off (VSS-1).
    case integrationOff(Ref<Machine>)
    /// A volume of a host or cluster is lost; its machines stop.
    case volumeOutage(Ref<Volume>)
    /// Differencing disks on the volume cannot grow any more: running snapshots are lost (PRE-8, VSS-5).
    case snapshotsFull(Ref<Volume>)
    case cartridgeMissing(Ref<Cartridge>)
    /// The cartridge cannot be written; it becomes suspect.
    case cartridgeDamaged(Ref<Cartridge>)
    /// The certificate that the group's tapes are encrypted to is gone, or has expired (GRP-7).
    case certificateMissing(Ref<ProtectionGroup>)
    case certificateExpired(Ref<ProtectionGroup>)
    /// Hyper-V Replica of the machine comes into this state (REP-2).
    case replication(Ref<Machine>, ReplicationState)
    /// The clock of the DPM server goes wrong by so much, either way.
    case clockChange(Ref<DPMServer>, by: SimDuration)
    /// An operator starts a consistency check (GRP-10), a backup, the Summary Manager (LIV-9).
    case runCheck(Ref<Machine>)
    case runBackup(Ref<Machine>)
    case runSummaryManager(Ref<DPMServer>)
    /// An operator stops the protection of the machine and keeps or deletes its data (GRP-1).
    case stopProtection(Ref<Machine>, deletesData: Bool)
    /// Live migration; with a volume, its storage moves too (LIV-1 to LIV-6).
    case migration(Ref<Machine>, to: Ref<Host>, storage: Ref<Volume>?)
    /// An operator recovers (REC-1 to REC-7).
    case recover(RecoveryRequest)
    /// The DPM server's database is lost, and the server is down; it is rebuilt from pool and tapes (dpm-facts 6.6).
    case databaseLoss(Ref<DPMServer>)
    /// So many blocks of a real machine rot in the pool; nobody notices before they are read.
    case poolRot(Ref<Machine>, blocks: Int)
    /// The cartridge rots: what is on it cannot be read any more.
    case tapeRot(Ref<Cartridge>)
    /// The DPM server loses its power in the middle of a write to its pool.
    case tornWrite(Ref<DPMServer>)
    /// The disks under the DPM server's pool take no more bytes.
    case poolDisksFull(Ref<DPMServer>)
}

extension Happening {
    /// What is to be recovered; nil of anything else that happens.
    public var recovery: RecoveryRequest? {
        if case .recover(let request) = self { request } else { nil }
    }
}

/// A moment in the course of a job: the begin of a step, or so much of its transfer.
public struct JobMoment: Sendable, Hashable {
    public enum Step: String, CaseIterable, Sendable { case queue, claim, snapshot, transfer, apply, point, release }
    /// Nil: of whatever kind.
    public var kind: JobKind?
    public var step: Step
    public var machine: Ref<Machine>
    /// How much of the transfer has moved.
    public var share = Fraction.zero
    /// Jobs before this moment do not count.
    public var notBefore = SimTime.start
    public init(kind: JobKind?, step: Step, machine: Ref<Machine>) {
        (self.kind, self.step, self.machine) = (kind, step, machine)
    }
}

/// One line of the script: something that happens at a time, or again and again at random.
public struct ScriptLine: Sendable, Hashable {
    public enum Timing: Sendable, Hashable {
        case at(SimTime)
        /// First and further times after the last repair.
        case random(TimeDistribution)
        /// Once, when a job gets there.
        case step(JobMoment)
    }
    public var happening: Happening
    public var timing: Timing
    /// How long it lasts; nil where nothing is to be repaired (a migration), or never is.
    public var lasts: TimeDistribution?
    /// The name by which expectations speak of it; empty for none.
    public var label = ""
    public init(_ happening: Happening, _ timing: Timing, lasts: TimeDistribution?) {
        (self.happening, self.timing, self.lasts) = (happening, timing, lasts)
    }
}

/// What the planner wants to hold; each becomes a verdict of the report.
public struct Goals: Sendable, Hashable {
    /// Backups should begin and end inside this window.
    public var window: DailyWindow?
    /// Share of backups that must end inside the window.
    public var windowShare = Fraction.percent(99)
    /// The newest recovery point of each machine should never be older than this.
    public var recoveryPointAge: SimDuration?
    /// The fullest the pool may get.
    public var poolShare = Fraction.percent(90)
    /// Cartridges that may be in use at once; nil: those the scenario has.
    public var cartridges: Int?
    public init() {}
}

/// What a scenario file says, complete: who there is, what happens, for how long.
public struct Setting: Sendable, Hashable {
    public var name: String
    public var world = World()
    public var script: [ScriptLine] = []
    public var drills: [Drill] = []
    public var goals = Goals()
    public var expectations: [Expectation] = []
    public var tuning = Tuning()
    public var seed: UInt64 = 1
    public var duration = SimDuration.days(28)
    public var clock: CivilClock
    public init(name: String, clock: CivilClock) { (self.name, self.clock) = (name, clock) }
}
