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
    /// Live migration; with a volume, its storage moves too (LIV-1 to LIV-6).
    case migration(Ref<Machine>, to: Ref<Host>, storage: Ref<Volume>?)
}

/// One line of the script: something that happens at a time, or again and again at random.
public struct ScriptLine: Sendable, Hashable {
    public enum Timing: Sendable, Hashable {
        case at(SimTime)
        /// First and further times after the last repair.
        case random(TimeDistribution)
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
    public var goals = Goals()
    public var expectations: [Expectation] = []
    public var tuning = Tuning()
    public var seed: UInt64 = 1
    public var duration = SimDuration.days(28)
    public var clock: CivilClock
    public init(name: String, clock: CivilClock) { (self.name, self.clock) = (name, clock) }
}
