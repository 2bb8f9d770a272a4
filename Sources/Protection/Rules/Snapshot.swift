public import Units

/// How a machine is treated while its snapshot is taken.
public enum BackupMode: UInt8, CaseIterable, Sendable, Hashable {
    /// Its guest's writers flush; it goes on running.
    case online
    /// It is put into saved state, the snapshot taken, and resumed: a pause of less than a minute as a rule.
    case offline
    /// It is not running, so there is nothing to pause.
    case offNoPause
    /// A Linux guest's file systems are flushed; it goes on running.
    case fileConsistent
}

/// How the snapshot of a machine is taken, how consistent the recovery point will be, and why.
public struct SnapshotDecision: Sendable, Hashable {
    /// One thing that kept the backup from being online.
    public struct Reason: Sendable, Hashable {
        public var rule: RuleID
        public var text: String
        init(_ family: String, _ number: Int, _ text: String) { (rule, self.text) = (RuleID(family, number), text) }
    }
    public var mode: BackupMode
    public var consistency: Consistency
    /// Empty for an online backup.
    public var reasons: [Reason]
}

extension World {
    /// Decides how the machine is backed up where it runs at the start of the scenario.
    public func snapshotDecision(for m: Ref<Machine>) -> SnapshotDecision {
        snapshotDecision(for: m, on: machines[m].host)
    }

    /// Decides how the machine is backed up while it runs on `host`. Order of tests: dpm-facts 5.2.
    /// - Rule: VSS-1
    /// - Rule: VSS-2
    /// - Rule: VSS-3
    /// - Rule: VSS-4
    /// - Rule: REP-1
    public func snapshotDecision(for m: Ref<Machine>, on host: Ref<Host>) -> SnapshotDecision {
        let machine = machines[m]
        if machine.isReplicaMachine {
            return SnapshotDecision(
                mode: .offNoPause, consistency: .crash,
                reasons: [.init("REP", 1, "a replica machine is off until failover")])
        }
        switch machine.power {
        case .off:
            return SnapshotDecision(
                mode: .offNoPause, consistency: .application, reasons: [.init("VSS", 1, "the machine is off")])
        case .saved:
            return SnapshotDecision(
                mode: .offNoPause, consistency: .fileSystem, reasons: [.init("VSS", 1, "the machine is in saved state")]
            )
        case .running: break
        }
        if machine.guest == .linux { return linuxDecision(machine, on: hosts[host]) }
        let reasons = offlineReasons(machine, on: hosts[host])
        return reasons.isEmpty
            ? SnapshotDecision(mode: .online, consistency: .application, reasons: [])
            : SnapshotDecision(mode: .offline, consistency: .fileSystem, reasons: reasons)
    }

    private func linuxDecision(_ machine: Machine, on host: Host) -> SnapshotDecision {
        var reasons = [SnapshotDecision.Reason("VSS", 3, "Linux guests are never online")]
        if !machine.backupIntegration { reasons.append(.init("VSS", 1, "the backup integration service is off")) }
        if host.windows < .ws2012R2 {
            reasons.append(.init("VSS", 3, "file-consistent snapshots need a host of Windows Server 2012 R2 or later"))
        }
        return reasons.count == 1
            ? SnapshotDecision(mode: .fileConsistent, consistency: .fileSystem, reasons: reasons)
            : SnapshotDecision(mode: .offline, consistency: .fileSystem, reasons: reasons)
    }

    /// Every condition for an online backup of a running Windows machine that does not hold.
    private func offlineReasons(_ machine: Machine, on host: Host) -> [SnapshotDecision.Reason] {
        var reasons: [SnapshotDecision.Reason] = []
        // Inside the guest its own agent asks VSS; the integration service and the cluster have no part in it.
        if machine.level == .host {
            if !machine.backupIntegration { reasons.append(.init("VSS", 1, "the backup integration service is off")) }
            if host.cluster != nil, !machine.resourceGroupOnline {
                reasons.append(.init("VSS", 1, "its cluster resource group is not online"))
            }
        }
        if !machine.guest.supportsVSS {
            reasons.append(.init("VSS", 1, "guest \(machine.guest.rawValue) does not support VSS"))
        }
        if machine.dynamicDisks { reasons.append(.init("VSS", 1, "the guest has dynamic disks")) }
        if let other = machine.fileSystems.first(where: { $0 != .ntfs }) {
            reasons.append(.init("VSS", 1, "a guest volume is \(other.rawValue), not ntfs"))
        }
        if !machine.shadowStorageOnItself {
            reasons.append(.init("VSS", 1, "the shadow storage of a guest volume is on another volume"))
        }
        return reasons
    }
}
