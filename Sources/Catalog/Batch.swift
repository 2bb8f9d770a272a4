public import Protection

/// Records on their way to an archive.
public struct Batch: Sendable {
    public var jobs: [JobRecord] = []
    public var alerts: [AlertRecord] = []
    public var missed: [MissedPoint] = []
    public var incidents: [IncidentRecord] = []
    public var replicaChanges: [ReplicaChange] = []
    public var moves: [MachineMove] = []
    public var recoveries: [RecoveryRecord] = []
    public var poolLevels: [Level] = []
    public var tapeLevels: [Level] = []
    public init() {}

    /// Records in it, of all kinds.
    public var count: Int {
        jobs.count + alerts.count + missed.count + incidents.count + replicaChanges.count + moves.count
            + recoveries.count
            + poolLevels.count + tapeLevels.count
    }
}
