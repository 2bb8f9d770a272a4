public import Protection

/// Remembers everything a run notes, in memory, and hands it on to an archive in batches where there is one.
///
/// Used by one thread: the run writes while it lasts, reports read afterwards.
public final class Chronicle: Ledger {
    /// Jobs that ended, in the order they ended.
    public private(set) var jobs = JobTable()
    public private(set) var alerts: [AlertRecord] = []
    public private(set) var missed: [MissedPoint] = []
    public private(set) var incidents: [IncidentRecord] = []
    /// In the order they came.
    public private(set) var replicaChanges: [ReplicaChange] = []
    public private(set) var moves: [MachineMove] = []
    /// In the order they ended.
    public private(set) var recoveries: [RecoveryRecord] = []
    /// Bytes used per pool volume, in the world's order.
    public private(set) var poolLevels = LevelSeries()
    /// Cartridges per `CartridgeState`.
    public private(set) var tapeLevels = LevelSeries()

    private let archive: Archive?
    private var batch = Batch()
    /// Records gathered before they are handed on: large enough to make a transaction cheap, small enough to lose.
    static let batchLength = 4_096

    /// - Parameter archive: where to keep a copy; it takes batches while the run goes on.
    public init(archive: Archive? = nil) { self.archive = archive }

    public func note(_ job: JobRecord) {
        jobs.append(job)
        guard archive != nil else { return }
        batch.jobs.append(job)
        handOnIfFull()
    }
    public func note(_ alert: AlertRecord) {
        alerts.append(alert)
        guard archive != nil else { return }
        batch.alerts.append(alert)
        handOnIfFull()
    }
    public func note(_ missed: MissedPoint) {
        self.missed.append(missed)
        guard archive != nil else { return }
        batch.missed.append(missed)
        handOnIfFull()
    }
    public func note(_ incident: IncidentRecord) {
        incidents.append(incident)
        guard archive != nil else { return }
        batch.incidents.append(incident)
        handOnIfFull()
    }
    public func note(_ change: ReplicaChange) {
        replicaChanges.append(change)
        guard archive != nil else { return }
        batch.replicaChanges.append(change)
        handOnIfFull()
    }
    public func note(_ move: MachineMove) {
        moves.append(move)
        guard archive != nil else { return }
        batch.moves.append(move)
        handOnIfFull()
    }
    public func note(_ recovery: RecoveryRecord) {
        recoveries.append(recovery)
        guard archive != nil else { return }
        batch.recoveries.append(recovery)
        handOnIfFull()
    }
    public func notePool(_ level: Level) {
        poolLevels.append(level)
        guard archive != nil else { return }
        batch.poolLevels.append(level)
        handOnIfFull()
    }
    public func noteTapes(_ level: Level) {
        tapeLevels.append(level)
        guard archive != nil else { return }
        batch.tapeLevels.append(level)
        handOnIfFull()
    }

    /// Everything that is remembered, for judging expectations.
    public func story(_ outcome: RunOutcome) -> RunStory {
        RunStory(
            jobs: Array(jobs), alerts: alerts, missed: missed, incidents: incidents, replicaChanges: replicaChanges,
            moves: moves, poolLevels: Array(poolLevels), tapeLevels: Array(tapeLevels), outcome: outcome)
    }

    /// Hands on what is left and lets the archive write the outcome and close. Does nothing without an archive.
    /// - Throws: the `ArchiveFault` that stopped the archive, now or earlier in the run.
    public func finish(_ outcome: RunOutcome) throws {
        guard let archive else { return }
        archive.write(batch)
        batch = Batch()
        try archive.finish(outcome: outcome)
    }

    private func handOnIfFull() {
        guard batch.count >= Chronicle.batchLength else { return }
        archive?.write(batch)
        batch = Batch()
    }
}
