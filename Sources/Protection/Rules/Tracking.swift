public import Units

/// What may happen to a machine's change tracking.
public enum TrackingEvent: UInt8, CaseIterable, Sendable, Hashable {
    /// The host restarts in an orderly way.
    case cleanRestart
    /// The host that owns the machine dies.
    case crash
    /// The machine moves to another node of its cluster.
    case moveInCluster
    /// The machine moves to another host or cluster, its storage staying where it is.
    case moveBetweenHosts
    /// The machine's storage moves.
    case storageMove
    /// A node restarts whose Cluster Shared Volume is encrypted with BitLocker.
    case bitLockerRestart
}

/// What a consistency check reads on both sides. Machines have no light check (dpm-facts 3.5).
public enum CheckKind: UInt8, CaseIterable, Sendable, Hashable {
    /// All data.
    case heavy
    /// Only what changed, as tracked by the hypervisor.
    case rct
    case none
}

extension TrackingEvent {
    /// What follows for a machine: whether the tracked changes are lost, the check its replica needs before the next backup, and
    /// the error that says so (0 for none). A loss always brings a check.
    /// - Rule: PRC-6
    /// - Rule: PRE-11
    /// - Rule: PRE-12
    /// - Rule: LIV-1
    /// - Rule: LIV-3
    /// - Rule: LIV-6
    public func consequence(hasRCT: Bool) -> (lost: Bool, check: CheckKind, error: Int32) {
        switch self {
        case .cleanRestart, .moveInCluster, .moveBetweenHosts: (false, .none, 0)
        case .crash: hasRCT ? (false, .rct, 30155) : (true, .heavy, 30155)
        case .bitLockerRestart: hasRCT ? (false, .rct, 30151) : (true, .heavy, 30151)
        // The disk is laid out anew, so what was tracked says nothing about it.
        case .storageMove: (true, .heavy, 30135)
        }
    }
}

extension World {
    /// Whether the hypervisor tracks the machine's changes while it runs on `host` (dpm-facts 5.5); else the agent's filter does,
    /// which forgets more.
    public func tracksWithRCT(_ m: Ref<Machine>, on host: Ref<Host>) -> Bool {
        machines[m].hasRCT && hosts[host].windows >= .ws2016
    }

    /// `TrackingEvent.consequence` for a machine on the host where it happens.
    public func consequence(
        of event: TrackingEvent, for m: Ref<Machine>, on host: Ref<Host>
    ) -> (lost: Bool, check: CheckKind, error: Int32) { event.consequence(hasRCT: tracksWithRCT(m, on: host)) }

    /// What an orderly restart of a node is to the machine that runs there: a BitLocker volume under it makes the difference.
    /// - Rule: PRE-12
    public func restartEvent(for m: Ref<Machine>) -> TrackingEvent {
        let locked = machines[m].disks.contains { disk in
            guard case .csv = volumes[disk.volume].kind else { return false }
            return volumes[disk.volume].isBitLockered
        }
        return locked ? .bitLockerRestart : .cleanRestart
    }
}

extension Machine {
    /// Bytes whose changes travel in incremental transfers: everything but the page file and its kin.
    /// - Rule: PRC-5
    public var incrementalScope: Bytes { usedSize - min(usedSize, pageFile) }
}
