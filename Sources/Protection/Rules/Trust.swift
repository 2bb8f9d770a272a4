public import Units

extension World {
    /// Whether computers of the two domains trust each other: one domain, one forest, or a trust between them. A workgroup
    /// trusts nobody.
    /// - Rule: PRE-3
    public func trust(between a: Ref<Domain>, and b: Ref<Domain>) -> Bool {
        guard !domains[a].isWorkgroup, !domains[b].isWorkgroup else { return false }
        return a == b || domains[a].trusts.contains(b) || domains[b].trusts.contains(a)
            || forest(of: a) == forest(of: b)
    }

    /// The root of a domain's forest.
    private func forest(of domain: Ref<Domain>) -> Ref<Domain> {
        var root = domain
        // A loop of parents is bad input; it ends here after as many steps as there are domains.
        for _ in domains.indices { if let parent = domains[root].parent { root = parent } }
        return root
    }

    /// Why the DPM server cannot authenticate the host, or the other way round.
    /// - Rule: PRE-3
    public func trustRefusal(of host: Ref<Host>, by server: Ref<DPMServer>) -> Refusal? {
        let computer = hosts[host]
        guard !trust(between: computer.domain, and: servers[server].domain) else { return nil }
        let isNode = computer.cluster != nil
        switch computer.authentication {
        case .certificate: return nil
        case .ntlm where !isNode: return nil
        case .ntlm, .domain: break
        }
        let domain = domains[computer.domain]
        let place = domain.isWorkgroup ? "in workgroup \(domain.name)" : "in domain \(domain.name)"
        return Refusal(
            id: 270, rule: RuleID("PRE", 3), object: "host \(computer.name)",
            cause:
                "It is \(place), which DPM server \(servers[server].name) in domain \(domains[servers[server].domain].name) "
                + "has no trust with" + (isNode ? ", and nodes of clusters are authenticated by certificate only" : ""),
            action: isNode
                ? "Set its authentication to certificate, or let the domains trust each other"
                : "Set its authentication to ntlm or certificate, or let the domains trust each other")
    }
}
