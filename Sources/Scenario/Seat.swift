internal import Protection
internal import Units

/// Where an entry's machines go.
struct Seat {
    enum Computers {
        case cluster(Ref<Cluster>)
        case hosts([Ref<Host>])
    }
    var computers: Computers
    /// Nil: the volumes of the cluster or host.
    var volumes: [Item]?
    let found = Found()

    /// Volumes by cluster or host, so that names are resolved once for each.
    final class Found {
        var ofCluster: [Ref<Cluster>: [Ref<Volume>]] = [:]
        var ofHost: [Ref<Host>: [Ref<Volume>]] = [:]
        var turn = 0
    }
}

extension Builder {
    /// Nil if no host or cluster is named, or an unknown one; either is reported.
    func seat(_ fields: Fields) -> Seat? {
        let volumes = fields.oneOrMany("volume")
        let (host, cluster) = (fields.layerIndex(of: "host"), fields.layerIndex(of: "cluster"))
        if let host, host <= cluster ?? .max {
            let named = fields.oneOrMany("host").map { hosts.many($0, report: report) } ?? []
            return named.isEmpty ? nil : Seat(computers: .hosts(named), volumes: volumes)
        }
        guard let item = fields.item("cluster") else {
            report.problem(
                fields.spot, fields.path, expected: "the key cluster or the key host: where it runs", found: "none")
            return nil
        }
        return clusters.one(item, report: report).map { Seat(computers: .cluster($0), volumes: volumes) }
    }

    /// Names before which a volume's short name is looked for.
    func scopes(of host: Ref<Host>) -> [String] {
        let own = world.hosts[host].name
        return world.hosts[host].cluster.map { [world.clusters[$0].name, own] } ?? [own]
    }

    /// The next host and volume in turn; nil if there is none, which is reported.
    func place(_ seat: Seat, _ fields: Fields) -> (Ref<Host>, Ref<Volume>)? {
        let host: Ref<Host>
        let turn: Int
        let candidates: [Ref<Volume>]
        switch seat.computers {
        case .cluster(let cluster):
            let nodes = world.clusters[cluster].nodes
            guard !nodes.isEmpty else { return nil }
            turn = turnsOfCluster[cluster, default: 0]
            turnsOfCluster[cluster] = turn + 1
            host = nodes[turn % nodes.count]
            candidates = candidateVolumes(cluster, seat)
        case .hosts(let named):
            host = named[seat.found.turn % named.count]
            seat.found.turn += 1
            turn = turnsOfHost[host, default: 0]
            turnsOfHost[host] = turn + 1
            candidates = candidateVolumes(host, seat)
        }
        guard !candidates.isEmpty else {
            if seat.volumes == nil {
                report.problem(
                    fields.spot, fields.path, expected: "\(world.hosts[host].name) to have a volume for its disks",
                    found: "none", hint: "Give the host or its cluster volumes, or the machine the key volume")
            }
            return nil
        }
        return (host, candidates[turn % candidates.count])
    }

    private func candidateVolumes(_ cluster: Ref<Cluster>, _ seat: Seat) -> [Ref<Volume>] {
        if let found = seat.found.ofCluster[cluster] { return found }
        let scopes = [world.clusters[cluster].name]
        let found =
            seat.volumes.map { volumes.many($0, scopes: scopes, report: report) } ?? volumesOfCluster[cluster] ?? []
        seat.found.ofCluster[cluster] = found
        return found
    }

    private func candidateVolumes(_ host: Ref<Host>, _ seat: Seat) -> [Ref<Volume>] {
        if let found = seat.found.ofHost[host] { return found }
        let found: [Ref<Volume>]
        if let named = seat.volumes {
            found = volumes.many(named, scopes: scopes(of: host), report: report)
        } else if let cluster = world.hosts[host].cluster {
            found = volumesOfCluster[cluster] ?? []
        } else {
            found = volumesOfHost[host] ?? []
        }
        seat.found.ofHost[host] = found
        return found
    }
}
