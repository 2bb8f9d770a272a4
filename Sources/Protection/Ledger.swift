public import Units

/// Takes down what happened, as it happens. A run writes; catalog and reports read. Never slows or decides anything.
public protocol Ledger: AnyObject {
    func note(_ job: JobRecord)
    func note(_ alert: AlertRecord)
    func note(_ missed: MissedPoint)
    func note(_ incident: IncidentRecord)
    func note(_ change: ReplicaChange)
    func note(_ move: MachineMove)
    func note(_ recovery: RecoveryRecord)
    /// Bytes used per pool volume, in the world's order.
    func notePool(_ level: Level)
    /// Cartridges per `CartridgeState`, in the order of its cases.
    func noteTapes(_ level: Level)
}

/// How a run came to its end.
public enum RunEnd: Sendable, Hashable {
    case horizon
    /// Nothing was left to happen while jobs waited: each with what it waits for.
    case stuck([String])
}

/// What a finished run leaves besides the ledger: the last state, totals and proof.
public struct RunOutcome: Sendable {
    public var end: RunEnd
    public var finishedAt: SimTime
    public var eventCount: UInt64
    public var transferCount: UInt64
    public var traceHash: String
    public var resources: [ResourceRecord] = []
    public var replicas: [ReplicaRecord] = []
    public var points: [RecoveryPointRecord] = []
    /// Of real machines, once their recovery points have been read back.
    public var pointChecks: [PointCheckRecord] = []
    public var cartridges: [CartridgeRecord] = []
    public var tapeSets: [TapeSetRecord] = []
    /// Jobs that had not ended at the horizon.
    public var open: [JobRecord] = []
    public var audit: [AuditLine] = []
    /// Refusals found before the start: machines and options that cannot be protected as asked.
    public var refusals: [Refusal] = []
    /// Mounts, back-hitches, cartridges ever written.
    public var tapeMounts = 0
    public var backHitches = 0
    public var cartridgesWritten = 0
    public init(end: RunEnd, finishedAt: SimTime, eventCount: UInt64, transferCount: UInt64, traceHash: String) {
        (self.end, self.finishedAt, self.eventCount) = (end, finishedAt, eventCount)
        (self.transferCount, self.traceHash) = (transferCount, traceHash)
    }
}
