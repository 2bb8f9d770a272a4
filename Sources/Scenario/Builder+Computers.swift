internal import Protection
internal import Units

extension Builder {
    /// As many as a failover cluster of Windows Server 2012 and later can have.
    private static let nodeLimit = 64

    /// Hosts, clusters, file servers and the volumes on them; then who is in whose cloud.
    func buildComputers() {
        for fields in records("hosts") {
            let names = names(fields, beside: world.hosts.count, limit: Builder.hostLimit, "hosts")
            let volumeFields = fields.records("volumes")
            let plain = host("", fields)
            for name in names where hosts.declare(name, fields.spot, fields.path, report: report) {
                let ref = Ref<Host>(world.hosts.count)
                var host = plain
                host.name = name
                world.hosts.append(host)
                for volume in volumeFields {
                    volumesOfHost[ref, default: []] += addVolumes(volume, owner: name) {
                        switch volume.choice("kind") {
                        case "san": .san(ref)
                        case "nas": .nas(ref)
                        default: .local(ref)
                        }
                    }
                }
            }
        }
        for fields in records("clusters") { buildCluster(fields) }
        for fields in records("file-servers") {
            let names = names(fields, beside: world.fileServers.count, "file servers")
            for name in names where fileServers.declare(name, fields.spot, fields.path, report: report) {
                let ref = Ref<FileServer>(world.fileServers.count)
                world.fileServers.append(fileServer(name, fields))
                for volume in fields.records("volumes") { _ = addVolumes(volume, owner: name) { .smb(ref) } }
            }
        }
        for (ref, fields) in vmmFields {
            var members = fields.oneOrMany("hosts").map { hosts.many($0, report: report) } ?? []
            for cluster in fields.oneOrMany("clusters").map({ clusters.many($0, report: report) }) ?? [] {
                members += world.clusters[cluster].nodes
            }
            world.vmmServers[ref].hosts = Set(members).sorted()
        }
    }

    private func host(_ name: String, _ fields: Fields) -> Host {
        var host = Host(name: name, domain: domain(fields), site: site(fields))
        host.windows = fields.choice("windows", WindowsVersion.self) ?? host.windows
        host.nic = fields.rate("nic") ?? host.nic
        host.backupRate = fields.rate("backup-rate") ?? host.backupRate
        host.agent = fields.choice("agent", AgentState.self) ?? host.agent
        host.authentication = fields.choice("authentication", Authentication.self) ?? host.authentication
        host.parallelBackups = fields.count("parallel-backups")
        return host
    }

    private func buildCluster(_ fields: Fields) {
        for name in names(fields, beside: world.clusters.count, "clusters")
        where clusters.declare(name, fields.spot, fields.path, report: report) {
            let ref = Ref<Cluster>(world.clusters.count)
            var cluster = Cluster(name: name, domain: domain(fields))
            var node = host("", fields)
            node.cluster = ref
            for item in fields.oneOrMany("nodes") ?? [] {
                let names = report.names(item)
                guard cluster.nodes.count + names.count <= Builder.nodeLimit else {
                    report.problem(item, expected: "at most \(Builder.nodeLimit) nodes in a cluster")
                    break
                }
                for name in names where hosts.declare(name, item.spot, item.path, report: report) {
                    cluster.nodes.append(Ref(world.hosts.count))
                    node.name = name
                    world.hosts.append(node)
                }
            }
            world.clusters.append(cluster)
            for volume in fields.records("volumes") {
                volumesOfCluster[ref, default: []] += addVolumes(volume, owner: name) { .csv(ref) }
            }
        }
    }

    private func fileServer(_ name: String, _ fields: Fields) -> FileServer {
        var server = FileServer(name: name, domain: domain(fields), site: site(fields))
        server.nodes = fields.count("nodes") ?? 1
        server.nodesWithAgent = fields.count("nodes-with-agent") ?? server.nodes
        if server.nodesWithAgent > server.nodes, let item = fields.item("nodes-with-agent") {
            report.problem(item, expected: "at most as many as nodes, \(server.nodes)")
        }
        server.nic = fields.rate("nic") ?? server.nic
        server.hasVSSAgentService = fields.bool("vss-agent-service") ?? true
        server.autoMount = fields.bool("auto-mount") ?? true
        server.tcpChimney = fields.bool("tcp-chimney") ?? false
        server.shareRights = fields.bool("share-rights") ?? true
        server.folderRights = fields.bool("folder-rights") ?? true
        server.isAddressedByIP = fields.bool("addressed-by-ip") ?? false
        return server
    }

    /// The volumes one entry stands for, `OWNER/NAME` each.
    private func addVolumes(_ fields: Fields, owner: String, kind: () -> Volume.Kind) -> [Ref<Volume>] {
        let names = names(fields, beside: world.volumes.count, limit: Builder.volumeLimit, "volumes")
        guard !names.isEmpty else { return [] }
        var volume = Volume(
            name: "", kind: kind(), capacity: fields.size("capacity") ?? .terabytes(1),
            readRate: fields.rate("read") ?? .gigabitsPerSecond(8),
            writeRate: fields.rate("write") ?? .gigabitsPerSecond(8))
        volume.vssProvider = fields.choice("vss", Volume.VSSProvider.self) ?? .software
        volume.isBitLockered = fields.bool("bitlocker") ?? false
        volume.isDeduplicated = fields.bool("deduplicated") ?? false
        var added: [Ref<Volume>] = []
        for name in names.map({ "\(owner)/\($0)" })
        where volumes.declare(name, fields.spot, fields.path, report: report) {
            added.append(Ref(world.volumes.count))
            volume.name = name
            world.volumes.append(volume)
        }
        return added
    }
}
