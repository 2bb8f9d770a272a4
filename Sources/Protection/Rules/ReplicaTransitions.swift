extension ReplicaState {
    /// What may happen to a replica. Source: dpm-facts 1.6. Stopping protection and deleting the data removes the replica, and
    /// with it the state.
    public enum Event: UInt8, CaseIterable, Sendable, Hashable {
        case creationStarted, creationSucceeded, creationFailed
        /// The operator has loaded the data from removable media; the check that verifies it begins.
        case manualLoad
        case backupSucceeded
        /// A backup failed for a passing reason: the recovery point is missed, the replica is as good as before.
        case backupFailed
        case trackingLost
        /// A recovery to the original place: the replica no longer matches on purpose.
        case recoveredInPlace
        case checkStarted, checkSucceeded, checkFailed
        case volumeLost, volumeReturned, reallocated
        case protectionStopped, protectionResumed
    }

    /// The state of a new replica. Now starts at once; later and manual wait.
    /// - Rule: GRP-9
    public static func initial(_ creation: ProtectionGroup.ReplicaCreation) -> ReplicaState {
        switch creation {
        case .now: .creationInProgress
        case .at, .manual: .creationPending
        }
    }

    /// The state that follows; nil if the event makes no sense in this state, or is refused in it.
    /// - Rule: PRC-1
    public func after(_ event: Event) -> ReplicaState? {
        switch (self, event) {
        case (_, .volumeLost): .missing
        case (.missing, .volumeReturned): .inconsistent
        case (.missing, .reallocated): .creationPending
        case (.missing, .protectionStopped): nil
        case (_, .protectionStopped): self == .inactive ? nil : .inactive
        case (.inactive, .protectionResumed): .inconsistent
        case (.inactive, .trackingLost), (.missing, .trackingLost), (.creationPending, .trackingLost): self
        case (.inactive, _), (.missing, _): nil

        case (.creationPending, .creationStarted), (.creationInProgress, .creationStarted): .creationInProgress
        case (.creationPending, .manualLoad): .checkInProgress
        case (.creationPending, _): nil
        case (.creationInProgress, .creationSucceeded): .ok
        case (.creationInProgress, .creationFailed), (.creationInProgress, .trackingLost): .inconsistent
        case (.creationInProgress, _): nil

        case (.ok, .backupSucceeded), (.ok, .backupFailed): .ok
        case (.ok, .checkStarted), (.inconsistent, .checkStarted): .checkInProgress
        case (.ok, .trackingLost), (.ok, .recoveredInPlace): .inconsistent
        case (.inconsistent, .trackingLost), (.inconsistent, .recoveredInPlace): .inconsistent
        case (.checkInProgress, .checkSucceeded): .ok
        case (.checkInProgress, .checkFailed), (.checkInProgress, .trackingLost): .inconsistent
        case (.ok, _), (.inconsistent, _), (.checkInProgress, _): nil
        }
    }

    /// Why a backup to this replica is refused; nil if it is in order. The ids are those of dpm-facts 7.2.
    /// - Rule: PRC-1
    /// - Rule: PRC-6
    public var backupRefusal: (id: Int32, cause: String, action: String)? {
        switch self {
        case .ok: nil
        case .creationPending:
            (31207, "Its replica has not been created yet", "Wait for the scheduled creation, or finish the manual one")
        case .creationInProgress: (93, "Its replica is still being created", "Wait until the creation ends")
        case .inconsistent:
            (109, "Its replica is inconsistent, so changes cannot be applied", "Run a consistency check")
        case .checkInProgress: (97, "A consistency check of its replica is running", "Wait until the check ends")
        case .missing: (31208, "Its replica is missing", "Bring the pool's disk back, or reallocate the replica")
        case .inactive: (184, "Its protection is stopped", "Protect it again, then run a consistency check")
        }
    }

    /// The alert that stands while a replica is in this state; nil for none. A pending manual creation is `manualLoadPending`.
    public var alert: AlertKind? {
        switch self {
        case .creationPending: .replicaCreationScheduled
        case .creationInProgress: .replicaCreationInProgress
        case .ok, .inactive: nil
        case .inconsistent: .replicaInconsistent
        case .checkInProgress: .consistencyCheckRunning
        case .missing: .replicaMissing
        }
    }
}

extension JobKind {
    /// The error a job gets that finds this one at work on the same replica: one exclusive operation at a time (dpm-facts 1.6).
    public var busyError: Int32 {
        switch self {
        case .replicaCreation: 96
        case .expressFull, .secondarySynchronization: 95
        case .consistencyCheck: 97
        case .tapeBackup: 30125
        case .onlineBackup: 30225
        case .pruning: 100
        case .diskRecovery, .tapeRecovery: 98
        case .summary, .inventory, .migration: 141
        }
    }
}

/// Why a copy of the newest recovery point on disk cannot be made, to tape (30126) or online (30224), when there is none.
/// - Rule: GRP-3
public func missingPointRefusal(machine: String, for kind: JobKind) -> Refusal {
    Refusal(
        id: kind == .onlineBackup ? 30224 : 30126, rule: RuleID("GRP", 3), object: "machine \(machine)",
        cause: "It has no valid recovery point on disk to copy from", action: "Create a recovery point on disk first")
}
