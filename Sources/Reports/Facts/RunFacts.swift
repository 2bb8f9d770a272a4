public import Catalog
public import Protection
public import Units

/// Every figure of a run, computed once; summary, page, JSON and CSV only print them.
public struct RunFacts: Sendable {
    /// The scenario's name.
    public let name: String
    public let version: String
    public let arguments: [String]
    public let seed: UInt64
    public let clock: CivilClock
    /// How long it was to run, and when it stopped.
    public let duration: SimDuration
    public let finishedAt: SimTime
    public let end: RunEnd
    public let eventCount: UInt64
    public let transferCount: UInt64
    public let traceHash: String

    public let goals: Goals
    public let window: WindowFacts
    public let recovery: RecoveryFacts
    public let pool: PoolFacts
    public let tapes: TapeFacts
    /// Window, recovery points, pool, tapes: in this order.
    public let verdicts: [Verdict]
    /// What came of the scenario's expectations, in their order.
    public let expectations: [ExpectationVerdict]

    public let bottlenecks: BottleneckFacts
    public let durations: [DurationFacts]
    public let jobCounts: [JobCount]
    public let worstNight: NightFacts?
    public let missed: MissedFacts
    public let recoveries: RecoveryJobFacts
    public let incidents: IncidentFacts
    public let alerts: [AlertFacts]
    public let storage: StorageFacts
    public let inputs: InputFacts
    public let audit: [AuditLine]
    public let refusals: [Refusal]
    /// Jobs that had not ended at the horizon.
    public let openJobs: Int

    /// What each job waited for when nothing was left to happen; empty where the run reached its horizon.
    public var stuckJobs: [String] {
        switch end {
        case .horizon: []
        case .stuck(let jobs): jobs
        }
    }

    /// - Parameters:
    ///   - version: of the program that ran.
    ///   - arguments: how it was called, for repeating the run.
    public init(setting: Setting, chronicle: Chronicle, outcome: RunOutcome, version: String, arguments: [String]) {
        (name, self.version, self.arguments, seed) = (setting.name, version, arguments, setting.seed)
        (clock, duration, finishedAt) = (setting.clock, setting.duration, outcome.finishedAt)
        (end, eventCount, transferCount) = (outcome.end, outcome.eventCount, outcome.transferCount)
        (traceHash, goals) = (outcome.traceHash, setting.goals)
        let window = WindowFacts(setting, chronicle.jobs, outcome)
        let recovery = RecoveryFacts(setting, chronicle.jobs, outcome)
        let pool = PoolFacts(setting, chronicle.poolLevels, outcome)
        let tapes = TapeFacts(setting, chronicle.tapeLevels, chronicle.jobs, outcome)
        let bottlenecks = BottleneckFacts(outcome)
        (self.window, self.recovery, self.pool, self.tapes) = (window, recovery, pool, tapes)
        self.bottlenecks = bottlenecks
        verdicts = [
            Verdict(window, setting, bottlenecks), Verdict(recovery, setting), Verdict(pool, setting),
            Verdict(tapes, setting),
        ]
        expectations =
            setting.expectations.isEmpty ? [] : ExpectationJudge(setting, chronicle.story(outcome)).verdicts()
        durations = DurationFacts.all(chronicle.jobs)
        jobCounts = JobCount.all(chronicle.jobs, outcome.open)
        worstNight = NightFacts(window, setting, chronicle.jobs, outcome)
        missed = MissedFacts(chronicle.missed)
        recoveries = RecoveryJobFacts(chronicle.recoveries, setting.world)
        incidents = IncidentFacts(chronicle.incidents, finishedAt: outcome.finishedAt)
        alerts = AlertFacts.all(chronicle.alerts, finishedAt: outcome.finishedAt)
        storage = StorageFacts(setting.world, outcome.replicas)
        inputs = InputFacts(setting)
        (audit, refusals, openJobs) = (outcome.audit, outcome.refusals, outcome.open.count)
    }

    /// What a machine is called, or a dash where a record concerns none.
    static func name(_ machine: Int32, _ world: World) -> String {
        world.machines.indices.contains(Int(machine)) ? world.machines[Int(machine)].name : "–"
    }
}

/// `part / whole`, or nil where there is no whole: a share of nothing is not a number.
func share(_ part: Double, of whole: Double) -> Double? { whole > 0 ? part / whole : nil }

/// A share as text: `98.7 %`, or a dash. Never rounds a share below one up to 100 %, nor one above zero down to 0 %.
func percent(_ share: Double?) -> String {
    guard let share, share.isFinite else { return "–" }
    if share < 1, share >= 0.9995 { return "> 99.9 %" }
    if share > 0, share < 0.0005 { return "< 0.1 %" }
    let tenths = Int64((share * 1_000).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10) %" : "\(tenths / 10).\(tenths % 10) %"
}

/// A count with thin groups of three digits: `22 400`.
func grouped(_ count: some BinaryInteger) -> String {
    let digits = "\(count)"
    let sign = digits.hasPrefix("-") ? "-" : ""
    let plain = Array(digits.drop { $0 == "-" })
    guard plain.count > 4 else { return digits }
    var text = sign
    for (index, digit) in plain.enumerated() {
        if index > 0, (plain.count - index) % 3 == 0 { text += "\u{202F}" }
        text.append(digit)
    }
    return text
}

/// `1 night`, `3 nights`.
func counted(_ count: some BinaryInteger, _ noun: String, plural: String? = nil) -> String {
    "\(grouped(count)) " + (count == 1 ? noun : plural ?? noun + "s")
}

/// The nearest-rank percentile of values in ascending order: the smallest that at least `share` of them do not exceed.
func nearestRank(_ share: Double, of sorted: [Int64]) -> Int64? {
    guard !sorted.isEmpty else { return nil }
    let rank = Int((share * Double(sorted.count)).rounded(.up))
    return sorted[min(max(rank, 1), sorted.count) - 1]
}

/// A duration in at most two units; none at all as `0 s`.
func brief(_ duration: SimDuration) -> String { duration == .zero ? "0 s" : duration.rounded }
