public import Units

extension World {
    /// Why a backup of this machine on this host would fail now; nil if nothing speaks against it. Asked before each backup;
    /// the state of its replica is asked apart (`ReplicaState.backupRefusal`).
    /// - Rule: SCN-1
    /// - Rule: SCN-2
    /// - Rule: SCN-3
    /// - Rule: PRE-9
    /// - Rule: PRE-13
    /// - Rule: LIV-4
    /// - Rule: REP-2
    public func backupObstacle(for m: Ref<Machine>, on host: Ref<Host>) -> Refusal? {
        let machine = machines[m]
        if machine.level == .guest { return guestObstacle(machine) }
        if let refusal = hostObstacle(machine, on: host) { return refusal }
        if let refusal = machine.replicationRefusal { return refusal }
        if hosts[host].windows == .ws2012R2, !machine.scsiController,
            snapshotDecision(for: m, on: host).mode == .online
        {
            return Refusal(
                id: 10103, rule: RuleID("PRE", 9), object: "machine \(machine.name)",
                cause: "It has no SCSI controller, which an online backup on Windows Server 2012 R2 needs",
                action: "Add a SCSI controller to the machine; it may stay empty")
        }
        if let shares = fileServer(of: machine) { return shareRefusals(of: shares).first }
        return nil
    }

    private func guestObstacle(_ machine: Machine) -> Refusal? {
        guard machine.power != .running else { return nil }
        return Refusal(
            id: 41, rule: RuleID("LVL", 2), object: "machine \(machine.name)",
            cause: "The agent in it cannot be reached while it is \(machine.power.rawValue)",
            action: "Start the machine")
    }

    private func hostObstacle(_ machine: Machine, on host: Ref<Host>) -> Refusal? {
        guard let refusal = agentRefusal(of: host) else { return nil }
        let isForeign =
            host != machine.host && (hosts[host].cluster == nil || hosts[host].cluster != hosts[machine.host].cluster)
        guard isForeign, hosts[host].agent == .absent else { return refusal }
        return Refusal(
            id: 41, rule: RuleID("LIV", 4), object: "machine \(machine.name)",
            cause: "It moved to host \(hosts[host].name), whose agent is unreachable: none is installed",
            action: "Install the agent on \(hosts[host].name) and attach it to the DPM server")
    }

    /// How many backups may run at the same time on a volume: the software provider of a CSV lets few, the hardware provider
    /// and every other volume any number (nil).
    /// - Rule: PRE-10
    public func parallelSnapshots(on volume: Ref<Volume>, _ tuning: Tuning) -> Int? {
        guard case .csv = volumes[volume].kind, volumes[volume].vssProvider == .software else { return nil }
        return max(1, tuning.softwareProviderPerCSV)
    }

    /// What a backup is told that finds all places of `parallelSnapshots` taken.
    /// - Rule: PRE-10
    public func busyVolumeRefusal(_ volume: Ref<Volume>) -> Refusal {
        Refusal(
            id: 32612, rule: RuleID("PRE", 10), object: "volume \(volumes[volume].name)",
            cause: "Another backup of the same Cluster Shared Volume is running (0x8007173D)",
            action: "Use a hardware VSS provider, or back up fewer of its machines at a time")
    }
}

extension Machine {
    /// Why not even a crash-consistent backup of a replica machine can be had in its state of replication; nil for others.
    /// - Rule: REP-2
    public var replicationRefusal: Refusal? {
        guard let replication else { return nil }
        let (id, cause): (Int, String)
        switch replication {
        case .normal, .failedOver: return nil
        case .critical: (id, cause) = (30112, "Its replication is critical")
        case .resynchronizing: (id, cause) = (30112, "It is being resynchronized")
        case .resyncRequired: (id, cause) = (30112, "It must be resynchronized")
        case .initialReplication: (id, cause) = (30112, "Its initial replication is in progress")
        case .initialReplicationPending: (id, cause) = (30112, "Its initial replication is pending")
        case .applyingLogs: (id, cause) = (30112, "Change logs are being applied to it")
        case .applyFailed: (id, cause) = (30112, "The last application of change logs failed or was interrupted")
        case .migrating: (id, cause) = (32620, "It is being migrated")
        case .failoverInProgress: (id, cause) = (30112, "Its failover is in progress")
        }
        return Refusal(
            id: id, rule: RuleID("REP", 2), object: "machine \(name)", cause: cause,
            action: "Bring its replication to normal; the next scheduled backup tries again")
    }
}
