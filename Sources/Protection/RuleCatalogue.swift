/// One rule of the catalogue of requirements, and where it is enforced.
public struct RuleEntry: Sendable, Hashable {
    public let id: RuleID
    /// The rule in short.
    public let text: String
    /// The file under `Sources` that enforces it.
    public let place: String
    /// The suite of tests that shows both sides of it.
    public let tests: String
    /// The folder of scenarios that play it.
    public var scenarios: String { "Scenarios/rules/\(id)" }
    init(_ family: String, _ number: Int, _ text: String, in file: String, tests suite: String) {
        (id, self.text) = (RuleID(family, number), text)
        place = "Protection/Rules/\(file).swift"
        tests = "ProtectionTests/\(suite)Rules"
    }
    /// A rule that is a property of how bytes are kept, not a decision of this module.
    init(_ family: String, _ number: Int, _ text: String, performed path: String, shown suite: String) {
        (id, self.text, place, tests) = (RuleID(family, number), text, path, suite)
    }
}

/// Every rule, in the order of the requirements. What `dpmsim rules` prints.
public enum RuleCatalogue {
    public static let all: [RuleEntry] = scn + lvl + vss + prc + pre + grp + liv + rep + rec

    // where machines live
    private static let scn = [
        RuleEntry(
            "SCN", 1,
            "Machines on a stand-alone host with local, SAN or NAS storage; the host needs the agent", in: "Placement",
            tests: "SCN"),
        RuleEntry(
            "SCN", 2,
            "Machines on a cluster with Cluster Shared Volumes; every node needs the agent", in: "Agents", tests: "SCN"),
        RuleEntry(
            "SCN", 3,
            "Machines on an SMB 3.0 share; every node of the file server needs the agent, the machine account rights on share and folder",
            in: "Share", tests: "SCN"),
        RuleEntry(
            "SCN", 4,
            "Machines that live-migrate between hosts, in and between clusters, with or without their storage",
            in: "Migration", tests: "LIV"),
        RuleEntry(
            "SCN", 5,
            "Replica machines on the secondary site, with DPM and Hyper-V of 2012 R2 or later", in: "Placement",
            tests: "SCN"),
    ]

    // host and guest level
    private static let lvl = [
        RuleEntry(
            "LVL", 1,
            "Host level protects whole machines of any guest; recovers machines, files and folders, no application items",
            in: "Level", tests: "LVL"),
        RuleEntry(
            "LVL", 2,
            "Guest level protects the workload with an agent in the machine, and recovers in its terms", in: "Level",
            tests: "LVL"),
        RuleEntry(
            "LVL", 3,
            "Host level cannot back up pass-through disks; that disk is refused and guest level advised", in: "Level",
            tests: "LVL"),
    ]

    // online and offline
    private static let vss = [
        RuleEntry(
            "VSS", 1,
            "Online only with integration service, VSS in the guest, no dynamic disks, NTFS, shadow storage on itself, running, resource group online",
            in: "Snapshot", tests: "VSS"),
        RuleEntry(
            "VSS", 2,
            "Otherwise offline: saved state, snapshot, resume; the downtime is counted", in: "Snapshot", tests: "VSS"),
        RuleEntry(
            "VSS", 3,
            "Linux guests are never online; 2012 R2 and later give file-consistent snapshots", in: "Snapshot",
            tests: "VSS"),
        RuleEntry(
            "VSS", 4,
            "Each recovery point records its consistency: application, file system or crash", in: "Snapshot",
            tests: "VSS"),
        RuleEntry(
            "VSS", 5,
            "The snapshot on the host lives only while the synchronization runs; its space is freed after, also after a failure",
            in: "DifferencingSpace", tests: "PRE"),
    ]

    // how a backup runs
    private static let prc = [
        RuleEntry(
            "PRC", 1, "First a full replica is made and verified, before any recovery point", in: "ReplicaTransitions",
            tests: "PRC"),
        RuleEntry(
            "PRC", 2, "After that only changed blocks travel, and are applied to the replica",
            performed: "Simulation/Models/ModelledPlane.swift", shown: "SimulationTests/DiskJobCourseTests"),
        RuleEntry(
            "PRC", 3, "A recovery point is a read-only state of the replica; many exist side by side",
            performed: "Simulation/Models/PointChain.swift", shown: "SimulationTests/DiskJobCourseTests"),
        RuleEntry(
            "PRC", 4,
            "At least one recovery point a day is possible; a schedule names weekdays and times", in: "Groups",
            tests: "GRP"),
        RuleEntry("PRC", 5, "Page files are left out of incremental transfers", in: "Tracking", tests: "PRC"),
        RuleEntry(
            "PRC", 6,
            "Change tracking survives a clean restart and a move in the cluster; a loss leads to a consistency check",
            in: "Tracking", tests: "PRC"),
    ]

    // prerequisites and limits
    private static let pre = [
        RuleEntry("PRE", 1, "One DPM server: up to 800 machines of 100 GB, 80 TB", in: "Limits", tests: "PRE"),
        RuleEntry("PRE", 2, "Item-level recovery needs the Hyper-V role on the DPM server", in: "Limits", tests: "PRE"),
        RuleEntry(
            "PRE", 3,
            "Same domain, a child or a trusted one; else NTLM or certificate for a host, certificate only for a cluster",
            in: "Trust", tests: "PRE"),
        RuleEntry(
            "PRE", 4,
            "A cluster shared by several DPM servers cannot have secondary protection", in: "Membership", tests: "PRE"),
        RuleEntry(
            "PRE", 5, "Replica machines only with DPM 2012 R2 and Hyper-V 2012 R2 or later", in: "Placement",
            tests: "PRE"),
        RuleEntry("PRE", 6, "Deduplicated volumes can be protected", in: "Placement", tests: "PRE"),
        RuleEntry(
            "PRE", 7,
            "Integration components match the host's version; a mismatch is warned about", in: "Refusals", tests: "PRE"),
        RuleEntry(
            "PRE", 8,
            "Differencing space during backup: disk size x churn rate x window, summed over a volume; too little fails",
            in: "DifferencingSpace", tests: "PRE"),
        RuleEntry(
            "PRE", 9, "Online backup on a 2012 R2 host needs a SCSI controller; else 10103", in: "Obstacles",
            tests: "PRE"),
        RuleEntry(
            "PRE", 10,
            "A CSV with a hardware provider backs up in parallel; with the software provider there are limits",
            in: "Obstacles", tests: "PRE"),
        RuleEntry(
            "PRE", 11,
            "A node that dies unexpectedly: each of its machines gets a consistency check", in: "Tracking", tests: "PRE"
        ),
        RuleEntry(
            "PRE", 12,
            "A restart of a node with a BitLocker CSV: a consistency check of its machines", in: "Tracking",
            tests: "PRE"),
        RuleEntry(
            "PRE", 13,
            "SMB: auto-mount, no TCP Chimney, account rights, File Server VSS Agent Service; each missing one fails in its own way",
            in: "Share", tests: "PRE"),
        RuleEntry(
            "PRE", 14,
            "SMB, refused: part local and part remote, a share by IP address, recovery to a computer with remote shares",
            in: "Share", tests: "PRE"),
        RuleEntry(
            "PRE", 15,
            "Recovery elsewhere: paths of 260 characters or more recover but cannot be mounted", in: "Share",
            tests: "PRE"),
    ]

    // protection groups
    private static let grp = [
        RuleEntry(
            "GRP", 1,
            "Members, policy and schedule together; adding, modifying and stopping protection", in: "Groups",
            tests: "GRP"),
        RuleEntry(
            "GRP", 2,
            "Colocation on disk: several datasources in one replica and recovery point volume", in: "DiskAllocation",
            tests: "GRP"),
        RuleEntry(
            "GRP", 3,
            "Methods: disk, online up to 3360 days, long-term tape; offered where the parts exist", in: "Groups",
            tests: "GRP"),
        RuleEntry(
            "GRP", 4,
            "Short-term goals: retention and synchronization; machines get express fulls instead of incrementals",
            in: "Groups", tests: "GRP"),
        RuleEntry(
            "GRP", 5,
            "Long-term goals: 1-99 years, 1-11 months or 1-4 weeks, each with its frequencies", in: "TapePolicy",
            tests: "GRP"),
        RuleEntry(
            "GRP", 6,
            "Stand-alone drive: daily backups go on to the same tape; with colocation groups share tapes",
            in: "TapeChoice", tests: "GRP"),
        RuleEntry(
            "GRP", 7,
            "Tape details: library, drives, copies, compress, encrypt with a certificate, label", in: "TapePolicy",
            tests: "GRP"),
        RuleEntry(
            "GRP", 8,
            "Disk allocation: data, space to provision, volume, under-provisioned, free and total",
            in: "DiskAllocation", tests: "GRP"),
        RuleEntry(
            "GRP", 9,
            "Replica creation: now, at a set time, or manually from removable media", in: "ReplicaTransitions",
            tests: "GRP"),
        RuleEntry(
            "GRP", 10, "Consistency checks: when inconsistent, on a schedule, by hand", in: "Groups", tests: "GRP"),
    ]

    // live migration
    private static let liv = [
        RuleEntry(
            "LIV", 1,
            "Inside a cluster: noticed by itself; the next backup is an express full from the new node",
            in: "Migration", tests: "LIV"),
        RuleEntry(
            "LIV", 2, "A machine protected by one DPM server stays with it wherever it moves", in: "Membership",
            tests: "LIV"),
        RuleEntry("LIV", 3, "Between hosts and clusters: noticed through VMM", in: "Migration", tests: "LIV"),
        RuleEntry(
            "LIV", 4,
            "Needs a VMM cloud of 2012 SP1, agents, connections and one domain; an unreachable host fails the backup",
            in: "Migration", tests: "LIV"),
        RuleEntry("LIV", 5, "Machines protected this way are not backed up to tape", in: "TapePolicy", tests: "LIV"),
        RuleEntry(
            "LIV", 6, "Storage moved too: full consistency check, then express full", in: "Tracking", tests: "LIV"),
        RuleEntry(
            "LIV", 7,
            "DPM-VMM Helper Service on port 6070; a mismatch or a stopped service leaves migrations unnoticed",
            in: "Migration", tests: "LIV"),
        RuleEntry(
            "LIV", 8,
            "Set-DPMGlobalProperty connects DPM to VMM; KnownVMMServer and VMMIdentifier show it", in: "Migration",
            tests: "LIV"),
        RuleEntry(
            "LIV", 9,
            "The Summary Manager at midnight enables migration for new machines and slows backups down",
            in: "Migration", tests: "LIV"),
        RuleEntry(
            "LIV", 10, "Automatic consistency checks are on, or a warning is given", in: "Migration", tests: "LIV"),
    ]

    // replica machines
    private static let rep = [
        RuleEntry(
            "REP", 1,
            "A replica machine is off until failover; its backups are crash-consistent", in: "Snapshot", tests: "VSS"),
        RuleEntry(
            "REP", 2,
            "Its backup fails while replication is critical, resynchronizing, initial, applying logs, migrating or failing over",
            in: "Obstacles", tests: "REP"),
        RuleEntry(
            "REP", 3,
            "Backing up at the secondary site takes load off the primary and the link; both are measured",
            performed: "Simulation/RunState+Routes.swift", shown: "SimulationTests/FaultTests"),
    ]

    // recovery
    private static let rec = [
        RuleEntry(
            "REC", 1, "Choose machine, day, recovery point, then what and where", in: "RecoveryChoice", tests: "REC"),
        RuleEntry(
            "REC", 2,
            "Original instance: disks and configuration put back, highly available as before",
            in: "RecoveryRefusals", tests: "REC"),
        RuleEntry(
            "REC", 3,
            "Alternate host: any Hyper-V host; on a cluster node not highly available",
            in: "RecoveryRefusals", tests: "REC"),
        RuleEntry(
            "REC", 4,
            "Network folder: files, folders, volumes and disks out of a host-level backup",
            in: "RecoveryRefusals", tests: "REC"),
        RuleEntry(
            "REC", 5, "Throttling by work hours, SAN recovery, e-mail when done", in: "RecoveryRefusals", tests: "REC"),
        RuleEntry(
            "REC", 6, "Recovery from disk, tape and online copies, each with its own course", in: "RecoveryChoice",
            tests: "REC"),
        RuleEntry(
            "REC", 7, "Summary before start; status while it runs and after", in: "RecoverySummary", tests: "REC"),
    ]
}
