public import Units

extension World {
    /// Everything about the configuration that cannot be as asked, in the world's order: servers, hosts and file servers that
    /// protected machines depend on, then group by group its policy and its members.
    public func refusals() -> [Refusal] {
        let membership = Membership(of: self)
        var found = servers.indices.compactMap { secondaryRefusal(of: Ref($0)) }
        let (hostsInUse, sharesInUse) = inUse()
        for index in hosts.indices where hostsInUse[index] {
            if let refusal = agentRefusal(of: Ref(index)) { found.append(refusal) }
        }
        for index in fileServers.indices where sharesInUse[index] { found += shareRefusals(of: Ref(index)) }
        for index in groups.indices {
            let g = Ref<ProtectionGroup>(index)
            found += groupRefusals(g)
            for member in groups[index].members {
                if let refusal = memberRefusal(member, in: g, membership) {
                    found.append(refusal)
                } else {
                    found += passThroughRefusals(member)
                    if let refusal = tapeRefusal(member, in: g) { found.append(refusal) }
                }
            }
        }
        return found
    }

    /// What is allowed but deserves a word, in the world's order: limits of servers, then groups and their machines.
    public func warnings() -> [Refusal] {
        var found = servers.indices.flatMap { limitWarnings(of: Ref($0)) }
        for index in servers.indices where groups.contains(where: { $0.server.index == index && !$0.members.isEmpty }) {
            if let warning = itemLevelRefusal(on: Ref(index)) { found.append(warning) }
        }
        found += crowdedVolumeWarnings()
        for index in groups.indices {
            found += groupWarnings(Ref(index))
            for member in groups[index].members {
                if let warning = integrationWarning(member) { found.append(warning) }
            }
        }
        return found
    }

    /// The first reason why this member cannot be protected at all; it is then left out of the run. For all members at once,
    /// `memberRefusals()` is faster.
    public func memberRefusal(_ m: Ref<Machine>, in g: Ref<ProtectionGroup>) -> Refusal? {
        memberRefusal(m, in: g, Membership(of: self))
    }

    /// `memberRefusal` of every member of every group, in the order of `groups` and their `members`.
    public func memberRefusals() -> [[Refusal?]] {
        let membership = Membership(of: self)
        return groups.indices.map { index in
            groups[index].members.map { memberRefusal($0, in: Ref(index), membership) }
        }
    }

    private func memberRefusal(_ m: Ref<Machine>, in g: Ref<ProtectionGroup>, _ membership: Membership) -> Refusal? {
        let server = groups[g].server
        if let refusal = membershipRefusal(m, in: g, membership) ?? levelRefusal(m) { return refusal }
        // What the agent in the guest protects does not depend on the host; what a secondary server protects is the replica.
        guard machines[m].level == .host, servers[server].primary == nil else { return nil }
        if var refusal = trustRefusal(of: machines[m].host, by: server) {
            refusal.cause = "Its host \(hosts[machines[m].host].name) cannot be authenticated. " + refusal.cause
            refusal.object = "machine \(machines[m].name)"
            return refusal
        }
        return agentlessRefusal(m) ?? versionRefusal(m, by: servers[server])
            ?? replicaMachineRefusal(m, by: servers[server]) ?? placementRefusal(m, by: servers[server])
    }

    /// Why a secondary server cannot protect what its primary does: the versions must match, and no server is its own primary.
    /// - Rule: PRE-4
    private func secondaryRefusal(of s: Ref<DPMServer>) -> Refusal? {
        guard let primary = servers[s].primary else { return nil }
        let object = "DPM server \(servers[s].name)"
        if primary == s {
            return Refusal(
                id: 31203, rule: RuleID("PRE", 4), object: object, cause: "It is named as its own primary server",
                action: "Name another server as its primary")
        }
        guard servers[primary].version != servers[s].version else { return nil }
        return Refusal(
            id: 31242, rule: RuleID("PRE", 4), object: object,
            cause: "It is of version \(servers[s].version.rawValue) and its primary \(servers[primary].name) of "
                + "\(servers[primary].version.rawValue); they must match", action: "Upgrade the older one")
    }

    /// Hosts and file servers that protected machines depend on: a machine's host, all nodes of its cluster, its shares.
    private func inUse() -> (hosts: [Bool], shares: [Bool]) {
        var hostsInUse = [Bool](repeating: false, count: hosts.count)
        var clustersInUse = [Bool](repeating: false, count: clusters.count)
        var shares = [Bool](repeating: false, count: fileServers.count)
        for group in groups where servers[group.server].primary == nil {
            for member in group.members where machines[member].level == .host {
                let home = machines[member].host
                hostsInUse[Int(home.index)] = true
                if let cluster = hosts[home].cluster { clustersInUse[Int(cluster.index)] = true }
                if let server = fileServer(of: machines[member]) { shares[Int(server.index)] = true }
            }
        }
        for (index, cluster) in clusters.enumerated() where clustersInUse[index] {
            for node in cluster.nodes { hostsInUse[Int(node.index)] = true }
        }
        return (hostsInUse, shares)
    }

    /// Integration components that are not of the host's version.
    /// - Rule: PRE-7
    private func integrationWarning(_ m: Ref<Machine>) -> Refusal? {
        let machine = machines[m]
        guard machine.level == .host, !machine.integrationMatches else { return nil }
        return Refusal(
            id: 30112, rule: RuleID("PRE", 7), object: "machine \(machine.name)",
            cause:
                "Its integration components are not of the version of host \(hosts[machine.host].name), so online backups may "
                + "fail", action: "Update the integration components in the guest")
    }

    /// Volumes with more protected datasources than the agent tracks.
    private func crowdedVolumeWarnings() -> [Refusal] {
        var counts = [Int](repeating: 0, count: volumes.count)
        for group in groups where servers[group.server].primary == nil {
            for member in group.members where machines[member].level == .host && !machines[member].disks.isEmpty {
                guard !tracksWithRCT(member, on: machines[member].host) else { continue }
                counts[Int(machines[member].homeVolume.index)] += 1
            }
        }
        return counts.indices.filter { counts[$0] > ServerLimits.datasourcesPerVolume }.map {
            Refusal(
                id: 30130, rule: RuleID("PRE", 1), object: "volume \(volumes[$0].name)",
                cause: "It holds \(counts[$0]) protected machines without tracking by the hypervisor; the agent tracks "
                    + "\(ServerLimits.datasourcesPerVolume)", action: "Spread the machines over more volumes")
        }
    }
}
