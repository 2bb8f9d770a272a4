public import Units

/// How DPM learns of a live migration.
public enum MoveNotice: Sendable, Hashable {
    /// Inside a cluster: without anybody's doing. The next backup runs from the new node as an express full.
    case clusterAware
    /// Between hosts or clusters: through VMM. The next backup runs from the new host.
    case throughVMM
    /// Not at all, and why: backups go on asking the old host, and fail.
    case unnoticed(Refusal)
}

extension World {
    /// Whether a host is in a cloud of a VMM server that this DPM server is connected to: what makes protection follow its
    /// machines between hosts.
    /// - Rule: LIV-3
    public func followsMigrations(of host: Ref<Host>, by server: Ref<DPMServer>) -> Bool {
        servers[server].knownVMMServers.contains {
            vmmServers[$0].isAtLeast2012SP1 && vmmServers[$0].hosts.contains(host)
        }
    }

    /// How the DPM server learns that a machine moved from one host to another.
    /// - Rule: LIV-1
    /// - Rule: LIV-3
    public func moveNotice(
        of m: Ref<Machine>, from: Ref<Host>, to: Ref<Host>, by server: Ref<DPMServer>
    ) -> MoveNotice {
        if let cluster = hosts[from].cluster, cluster == hosts[to].cluster { return .clusterAware }
        return mobilityRefusal(of: to, from: from, by: server, object: "machine \(machines[m].name)").map {
            .unnoticed($0)
        } ?? .throughVMM
    }

    /// The first thing missing for protection to follow machines from one host to another. The agent on the new host is asked
    /// at the backup (`backupObstacle`).
    /// - Rule: LIV-4
    /// - Rule: LIV-7
    /// - Rule: LIV-8
    func mobilityRefusal(
        of host: Ref<Host>, from: Ref<Host>, by server: Ref<DPMServer>, object: String
    ) -> Refusal? {
        let dpm = servers[server]
        let rule = RuleID("LIV", 4)
        func refusal(_ id: Int, _ rule: RuleID, _ cause: String, _ action: String) -> Refusal {
            Refusal(id: id, rule: rule, object: object, cause: cause, action: action)
        }
        guard !dpm.knownVMMServers.isEmpty else {
            return refusal(
                33402, RuleID("LIV", 8),
                "DPM server \(dpm.name) is not connected to VMM, so its move between hosts goes unnoticed",
                "Connect the server with Set-DPMGlobalProperty -knownvmmservers")
        }
        guard let vmm = dpm.knownVMMServers.first(where: { vmmServers[$0].hosts.contains(host) }) else {
            return refusal(
                33402, rule,
                "Host \(hosts[host].name) is in no cloud of a VMM server that DPM server \(dpm.name) knows",
                "Add the host to a VMM cloud")
        }
        let manager = vmmServers[vmm]
        guard manager.isAtLeast2012SP1 else {
            return refusal(
                33401, rule, "VMM server \(manager.name) is older than 2012 SP1", "Upgrade VMM to 2012 SP1 or later")
        }
        guard manager.isUp else {
            return refusal(
                33400, rule, "VMM server \(manager.name) does not answer", "Start the VMM server")
        }
        guard manager.helperRuns else {
            return refusal(
                33399, RuleID("LIV", 7), "The DPM-VMM Helper Service of \(manager.name) is stopped",
                "Start the DPM-VMM Helper Service")
        }
        guard manager.helperPort == 6070 else {
            return refusal(
                33399, RuleID("LIV", 7),
                "The DPM-VMM Helper Service of \(manager.name) listens on port \(manager.helperPort), and DPM asks on 6070",
                "Set DpmVmmHelperServicePort to \(manager.helperPort), or the service back to 6070")
        }
        let strangers = [
            ("VMM server \(manager.name)", manager.domain), ("host \(hosts[from].name)", hosts[from].domain),
            ("host \(hosts[host].name)", hosts[host].domain),
        ]
        if let (name, domain) = strangers.first(where: { $0.1 != dpm.domain }) {
            return refusal(
                33401, rule,
                "DPM, VMM and hosts must be in one domain: DPM server \(dpm.name) is in \(domains[dpm.domain].name), "
                    + "\(name) in \(domains[domain].name)", "Bring them into one domain")
        }
        return nil
    }

    /// The property KnownVMMServer of a DPM server's row in tbl_DLS_GlobalSetting: what Set-DPMGlobalProperty
    /// `-knownvmmservers` wrote; empty while it is not connected to VMM.
    /// - Rule: LIV-8
    public func knownVMMServer(of server: Ref<DPMServer>) -> String {
        servers[server].knownVMMServers.map { vmmServers[$0].name }.joined(separator: ",")
    }

    /// The VMMIdentifier in the PhysicalPath XML of a protected machine: there once a VMM server that its DPM server knows
    /// manages the machine's host; nil before.
    /// - Rule: LIV-8
    public func vmmIdentifier(of m: Ref<Machine>, on host: Ref<Host>, by server: Ref<DPMServer>) -> String? {
        servers[server].knownVMMServers.first { vmmServers[$0].hosts.contains(host) }
            .map { "\(vmmServers[$0].name)/\(machines[m].name)" }
    }

    /// What speaks against protection that follows a group's machines: no automatic consistency checks.
    /// - Rule: LIV-10
    func automaticCheckWarning(in g: Ref<ProtectionGroup>) -> Refusal? {
        let group = groups[g]
        guard !group.automaticChecks,
            group.members.contains(where: { followsMigrations(of: machines[$0].host, by: group.server) })
        else { return nil }
        return Refusal(
            id: 0, rule: RuleID("LIV", 10), object: "protection group \(group.name)",
            cause: "It has machines that may migrate between hosts, and automatic consistency checks are off",
            action: "Turn automatic consistency checks on")
    }
}

/// The job that runs at midnight daily and enables migration for new machines.
/// - Rule: LIV-9
public enum SummaryManager {
    /// `JobDefinitionID` of its schedule in tbl_SCH_ScheduleDefinition, by which it is started by hand.
    public static let jobDefinition = "9B30D213-B836-4B9E-97C2-DB03C3EB39D7"

    /// How long it runs: the longer the larger the deployment.
    public static func duration(machines: Int, _ tuning: Tuning) -> SimDuration {
        tuning.summaryPerMachine * Int64(machines)
    }

    /// Whether migrations of a machine are followed by now: one run must have ended since it was added.
    /// - Parameters:
    ///   - lastRun: begin and end of the last run that ended; nil if none has.
    public static func follows(addedAt: SimTime, lastRun: (began: SimTime, ended: SimTime)?) -> Bool {
        lastRun.map { $0.began >= addedAt } ?? false
    }
}
