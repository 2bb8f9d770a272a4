import Protection
import Testing
import Units

@Suite("VSS: online and offline")
struct VSSRules {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var mode: BackupMode
        var consistency: Consistency
        var reasons: [String]
        var change: @Sendable (inout World) -> Void
        init(
            _ text: String, _ mode: BackupMode, _ consistency: Consistency, _ reasons: [String],
            _ change: @escaping @Sendable (inout World) -> Void
        ) {
            (testDescription, self.mode, self.consistency) = (text, mode, consistency)
            (self.reasons, self.change) = (reasons, change)
        }
    }

    func check(_ example: Case) {
        let decision = world(example.change).snapshotDecision(for: .beta)
        #expect(decision.mode == example.mode)
        #expect(decision.consistency == example.consistency)
        #expect(decision.reasons.map { "\($0.rule) \($0.text)" } == example.reasons)
    }

    @Test(
        "VSS-1 obeyed: all conditions hold, and the backup is online",
        arguments: [
            Case("as it is", .online, .application, []) { _ in },
            Case("Windows Server 2003", .online, .application, []) { $0.machines[.beta].guest = .windows2003 },
            Case("no SCSI controller on 2016", .online, .application, []) { $0.machines[.beta].scsiController = false },
            Case("a resource group means nothing on a stand-alone host", .online, .application, []) {
                $0.machines[.beta].host = .h1
                $0.machines[.beta].resourceGroupOnline = false
            },
            Case("guest level asks neither integration service nor cluster", .online, .application, []) {
                $0.machines[.beta].level = .guest
                $0.machines[.beta].backupIntegration = false
                $0.machines[.beta].resourceGroupOnline = false
            },
        ]) func online(_ example: Case)
    { check(example) }

    @Test(
        "VSS-1 broken, VSS-2 obeyed: a condition fails, and the machine is paused",
        arguments: [
            Case("integration", .offline, .fileSystem, ["VSS-1 the backup integration service is off"]) {
                $0.machines[.beta].backupIntegration = false
            },
            Case("guest", .offline, .fileSystem, ["VSS-1 guest windows-2000 does not support VSS"]) {
                $0.machines[.beta].guest = .windows2000
            },
            Case("dynamic disks", .offline, .fileSystem, ["VSS-1 the guest has dynamic disks"]) {
                $0.machines[.beta].dynamicDisks = true
            },
            Case("ReFS", .offline, .fileSystem, ["VSS-1 a guest volume is refs, not ntfs"]) {
                $0.machines[.beta].fileSystems = [.ntfs, .refs]
            },
            Case(
                "shadow storage", .offline, .fileSystem,
                ["VSS-1 the shadow storage of a guest volume is on another volume"]
            ) { $0.machines[.beta].shadowStorageOnItself = false },
            Case("resource group", .offline, .fileSystem, ["VSS-1 its cluster resource group is not online"]) {
                $0.machines[.beta].resourceGroupOnline = false
            },
            Case(
                "two at once", .offline, .fileSystem,
                ["VSS-1 the backup integration service is off", "VSS-1 the guest has dynamic disks"]
            ) {
                $0.machines[.beta].backupIntegration = false
                $0.machines[.beta].dynamicDisks = true
            },
        ]) func offline(_ example: Case)
    { check(example) }

    @Test(
        "VSS-2 broken: what is not running is offline without a pause",
        arguments: [
            Case("off", .offNoPause, .application, ["VSS-1 the machine is off"]) { $0.machines[.beta].power = .off },
            Case("saved", .offNoPause, .fileSystem, ["VSS-1 the machine is in saved state"]) {
                $0.machines[.beta].power = .saved
            },
        ]) func notRunning(_ example: Case)
    { check(example) }

    @Test(
        "VSS-3 obeyed: Linux is file-consistent on 2012 R2 and later",
        arguments: [
            Case("2016", .fileConsistent, .fileSystem, ["VSS-3 Linux guests are never online"]) {
                $0.machines[.beta].guest = .linux
                $0.machines[.beta].fileSystems = [.ext4]
            },
            Case("2012 R2", .fileConsistent, .fileSystem, ["VSS-3 Linux guests are never online"]) {
                $0.machines[.beta].guest = .linux
                $0.hosts[.n1].windows = .ws2012R2
            },
        ]) func linux(_ example: Case)
    { check(example) }

    @Test(
        "VSS-3 broken: an older host, or no integration service, and Linux is paused",
        arguments: [
            Case(
                "2012", .offline, .fileSystem,
                [
                    "VSS-3 Linux guests are never online",
                    "VSS-3 file-consistent snapshots need a host of Windows Server 2012 R2 or later",
                ]
            ) {
                $0.machines[.beta].guest = .linux
                $0.hosts[.n1].windows = .ws2012
            },
            Case(
                "integration", .offline, .fileSystem,
                ["VSS-3 Linux guests are never online", "VSS-1 the backup integration service is off"]
            ) {
                $0.machines[.beta].guest = .linux
                $0.machines[.beta].backupIntegration = false
            },
        ]) func oldLinux(_ example: Case)
    { check(example) }

    @Test("VSS-4 obeyed: each of the three consistencies is recorded for some machine")
    func consistency() {
        let found = world {
            $0.machines[.alpha].guest = .linux
            $0.machines[.gamma].replication = .normal
        }
        let all = [Ref<Machine>.alpha, .beta, .gamma].map { found.snapshotDecision(for: $0).consistency }
        #expect(all == [.fileSystem, .application, .crash])
    }
}

@Suite("REP: replica machines")
struct REPRules {
    @Test("REP-1 obeyed: a replica machine is off, and its backup crash-consistent")
    func crash() {
        let decision = world { $0.machines[.beta].replication = .applyingLogs }.snapshotDecision(for: .beta)
        #expect(decision.mode == .offNoPause)
        #expect(decision.consistency == .crash)
        #expect(decision.reasons.map(\.text) == ["a replica machine is off until failover"])
    }

    @Test("REP-1 broken: after failover it is a machine like others")
    func failedOver() {
        let decision = world { $0.machines[.beta].replication = .failedOver }.snapshotDecision(for: .beta)
        #expect(decision.mode == .online)
    }

    @Test("REP-2 obeyed: normal replication can be backed up", arguments: [ReplicationState.normal, .failedOver])
    func normal(_ state: ReplicationState) {
        #expect(world { $0.machines[.beta].replication = state }.backupObstacle(for: .beta, on: .n1) == nil)
    }

    @Test(
        "REP-2 broken: the backup fails in every other state",
        arguments: [
            (ReplicationState.critical, 30112, "Its replication is critical"),
            (.resynchronizing, 30112, "It is being resynchronized"),
            (.resyncRequired, 30112, "It must be resynchronized"),
            (.initialReplication, 30112, "Its initial replication is in progress"),
            (.initialReplicationPending, 30112, "Its initial replication is pending"),
            (.applyingLogs, 30112, "Change logs are being applied to it"),
            (.applyFailed, 30112, "The last application of change logs failed or was interrupted"),
            (.migrating, 32620, "It is being migrated"),
            (.failoverInProgress, 30112, "Its failover is in progress"),
        ]) func refused(_ state: ReplicationState, _ id: Int, _ cause: String)
    {
        let refusal = world { $0.machines[.beta].replication = state }.backupObstacle(for: .beta, on: .n1)
        #expect(
            refusal
                == Refusal(
                    id: id, rule: RuleID("REP", 2), object: "machine beta", cause: cause,
                    action: "Bring its replication to normal; the next scheduled backup tries again"))
    }
}
