public import Units

extension World {
    /// Why the agent on this host cannot back up; nil if it can. The ids are those of dpm-facts 7.1.
    /// - Rule: SCN-1
    /// - Rule: SCN-2
    public func agentRefusal(of host: Ref<Host>) -> Refusal? {
        let computer = hosts[host]
        guard computer.agent != .ok else { return nil }
        let object = "host \(computer.name)"
        let rule = RuleID("SCN", computer.cluster == nil ? 1 : 2)
        switch computer.agent {
        case .ok: return nil
        case .absent:
            let cause =
                computer.cluster.map {
                    "No protection agent is installed on it, and every node of cluster \(clusters[$0].name) needs one"
                } ?? "No protection agent is installed on it"
            return Refusal(id: 45, rule: rule, object: object, cause: cause, action: "Install the agent")
        case .incompatible:
            return Refusal(
                id: computer.cluster == nil ? 297 : 30230, rule: rule, object: object,
                cause: computer.cluster == nil
                    ? "Its protection agent is not of the DPM server's version"
                    : "Its protection agent is not of the same version as on the other nodes",
                action: "Upgrade the agent")
        case .disabled:
            return Refusal(
                id: 30186, rule: rule, object: object, cause: "Its protection agent was disabled by an administrator",
                action: "Enable the agent")
        case .restartPending:
            return Refusal(
                id: 48, rule: rule, object: object,
                cause: "It was not restarted after the protection agent was installed",
                action: "Restart it, then run a consistency check")
        }
    }

    /// Why no agent anywhere could back this machine up: its stand-alone host has none, or no node of its cluster has.
    /// - Rule: SCN-1
    /// - Rule: SCN-2
    func agentlessRefusal(_ m: Ref<Machine>) -> Refusal? {
        let home = machines[m].host
        let candidates = hosts[home].cluster.map { clusters[$0].nodes } ?? []
        guard hosts[home].agent == .absent, !candidates.contains(where: { hosts[$0].agent != .absent }) else {
            return nil
        }
        var refusal = agentRefusal(of: home)
        refusal?.object = "machine \(machines[m].name)"
        refusal?.cause =
            hosts[home].cluster.map { "No node of cluster \(clusters[$0].name) has a protection agent" }
            ?? "Its host \(hosts[home].name) has no protection agent"
        refusal?.action = "Install the agent" + (hosts[home].cluster == nil ? "" : " on every node")
        return refusal
    }
}
