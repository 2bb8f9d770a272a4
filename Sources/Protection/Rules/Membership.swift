public import Units

/// Who protects what, looked up once for a whole world: whose group a machine is in first, which primary servers share a
/// cluster. Built in one pass over the groups.
struct Membership {
    /// For each machine the first group of a server without a primary that names it; -1 for none.
    let primaryGroup: [Int32]
    /// For each machine the first group of a secondary server that names it; -1 for none.
    let secondaryGroup: [Int32]
    /// For each cluster the primary servers that protect machines of it, in order of first mention.
    let clusterServers: [[Ref<DPMServer>]]

    init(of world: World) {
        var primary = [Int32](repeating: -1, count: world.machines.count)
        var secondary = primary
        var servers = [[Ref<DPMServer>]](repeating: [], count: world.clusters.count)
        for (index, group) in world.groups.enumerated() {
            let isPrimary = world.servers[group.server].primary == nil
            for member in group.members {
                let place = Int(member.index)
                if !isPrimary {
                    if secondary[place] < 0 { secondary[place] = Int32(index) }
                    continue
                }
                if primary[place] < 0 { primary[place] = Int32(index) }
                if let cluster = world.hosts[world.machines[place].host].cluster,
                    !servers[Int(cluster.index)].contains(group.server)
                {
                    servers[Int(cluster.index)].append(group.server)
                }
            }
        }
        (primaryGroup, secondaryGroup, clusterServers) = (primary, secondary, servers)
    }
}

extension World {
    /// The group whose server owns this machine: the first of a primary server that names it. It stays the owner wherever the
    /// machine moves. Nil if nobody protects it.
    /// - Rule: LIV-2
    public func owner(of machine: Ref<Machine>) -> Ref<ProtectionGroup>? {
        groups.firstIndex { servers[$0.server].primary == nil && $0.members.contains(machine) }.map { Ref($0) }
    }

    /// Why this group cannot have the machine because of who else has it.
    /// - Rule: GRP-1
    /// - Rule: LIV-2
    /// - Rule: PRE-4
    func membershipRefusal(_ m: Ref<Machine>, in g: Ref<ProtectionGroup>, _ membership: Membership) -> Refusal? {
        let object = "machine \(machines[m].name)"
        let group = groups[g]
        let server = servers[group.server]
        let owner = membership.primaryGroup[Int(m.index)]
        guard let primary = server.primary else {
            guard owner >= 0, owner != g.index else { return nil }
            let first = groups[Int(owner)]
            if first.server == group.server {
                return Refusal(
                    id: 157, rule: RuleID("GRP", 1), object: object,
                    cause: "It is already a member of protection group \(first.name) and cannot join \(group.name)",
                    action: "Stop its protection in the one group, keeping its data, before adding it to the other")
            }
            return Refusal(
                id: 3184, rule: RuleID("LIV", 2), object: object,
                cause: "DPM server \(servers[first.server].name) protects it, so \(server.name) cannot",
                action: "Leave it with \(servers[first.server].name), or stop its protection there first")
        }
        let other = membership.secondaryGroup[Int(m.index)]
        if other >= 0, other != g.index {
            return Refusal(
                id: 157, rule: RuleID("GRP", 1), object: object,
                cause:
                    "It is already a member of protection group \(groups[Int(other)].name) and cannot join \(group.name)",
                action: "Remove it from one of the two groups")
        }
        if let cluster = hosts[machines[m].host].cluster, membership.clusterServers[Int(cluster.index)].count > 1 {
            let names = membership.clusterServers[Int(cluster.index)].map { servers[$0].name }
            return Refusal(
                id: 0, rule: RuleID("PRE", 4), object: object,
                cause: "Cluster \(clusters[cluster].name) is shared by DPM servers \(names.joined(separator: ", ")), "
                    + "and a cluster shared by several cannot have secondary protection",
                action: "Protect the whole cluster with one DPM server, or do without secondary protection")
        }
        guard owner >= 0, groups[Int(owner)].server == primary else {
            return Refusal(
                id: 31206, rule: RuleID("PRE", 4), object: object,
                cause:
                    "Primary server \(servers[primary].name) does not protect it, so secondary server \(server.name) cannot",
                action: "Protect it with \(servers[primary].name) first")
        }
        return nil
    }
}
