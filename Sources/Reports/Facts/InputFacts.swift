import Protection
import Units

/// Everything that went in, as tables of text.
public struct InputFacts: Sendable {
    /// A table with a heading.
    public struct Sheet: Sendable {
        public let title: String
        public let columns: [String]
        public let rows: [[String]]
    }
    /// One of the constants in force.
    public struct Constant: Sendable {
        public let key: String
        public let value: String
        public let isDefault: Bool
        public let meaning: String
        public let source: String
    }
    /// What there is of each noun: `machines`, 800.
    public let counts: [(noun: String, count: Int)]
    /// Virtual and used bytes of all machines, and what they write a day.
    public let totals: [(name: String, value: String)]
    public let sheets: [Sheet]
    public let constants: [Constant]

    init(_ setting: Setting) {
        let world = setting.world
        counts = [
            ("machines", world.machines.count), ("hosts", world.hosts.count), ("clusters", world.clusters.count),
            ("file servers", world.fileServers.count), ("source volumes", world.volumes.count),
            ("DPM servers", world.servers.count), ("pool volumes", world.poolVolumes.count),
            ("tape libraries", world.libraries.count), ("tape drives", world.drives.count),
            ("cartridges", world.cartridges.count), ("protection groups", world.groups.count),
            ("links", world.links.count), ("script lines", setting.script.count),
        ]
        func sum(_ part: (Machine) -> Bytes) -> String { world.machines.reduce(Bytes.zero) { $0 + part($1) }.rounded }
        totals = [
            ("Virtual size of all machines", sum(\.protectedSize)), ("Used of it", sum(\.usedSize)),
            ("Written a day", sum(\.churn.perDay)),
        ]
        sheets = [
            InputFacts.groups(world), InputFacts.servers(world), InputFacts.pool(world), InputFacts.libraries(world),
            InputFacts.hosts(world), InputFacts.volumes(world), InputFacts.links(world),
        ]
        .filter { !$0.rows.isEmpty }
        let standard = Tuning()
        constants = Tuning.parameters.map { parameter in
            let value = setting.tuning.text(of: parameter)
            return Constant(
                key: parameter.key, value: value, isDefault: value == standard.text(of: parameter),
                meaning: parameter.meaning, source: parameter.source)
        }
    }

    private static func groups(_ world: World) -> Sheet {
        Sheet(
            title: "Protection groups", columns: ["Group", "Machines", "Disk", "Tape", "Online"],
            rows: world.groups.map { group in
                let disk = group.disk.map { goal in
                    let times = goal.schedule.times.map(\.description).joined(separator: ", ")
                    let days =
                        goal.schedule.weekdays.count == 7
                        ? "daily" : goal.schedule.weekdays.map(\.short).joined(separator: ", ")
                    return "\(goal.retentionDays) days, \(days) at \(times)"
                }
                let tapes = ((group.shortTermTape.map { [$0] } ?? []) + group.longTermTape).map {
                    "\($0.frequency.rawValue) for \($0.retention)" + ($0.copies > 1 ? ", \($0.copies) copies" : "")
                }
                let online = group.online.map {
                    "\($0.frequency.rawValue) for \($0.retention) to \(world.vaults[$0.vault].name)"
                }
                return [
                    group.name, "\(group.members.count)", disk ?? "–",
                    tapes.isEmpty ? "–" : tapes.joined(separator: "; "), online ?? "–",
                ]
            })
    }
    private static func servers(_ world: World) -> Sheet {
        Sheet(
            title: "DPM servers", columns: ["Server", "Version", "Network", "Jobs at once"],
            rows: world.servers.map {
                [$0.name, "DPM \($0.version.rawValue)", "\($0.nic)", $0.parallelJobs.map { "\($0)" } ?? "default"]
            })
    }
    private static func pool(_ world: World) -> Sheet {
        Sheet(
            title: "Storage pool", columns: ["Volume", "Server", "Kind", "Capacity", "Read", "Write"],
            rows: world.poolVolumes.map {
                [
                    $0.name, world.servers[$0.server].name, $0.kind.rawValue, "\($0.capacity)", "\($0.readRate)",
                    "\($0.writeRate)",
                ]
            })
    }
    private static func libraries(_ world: World) -> Sheet {
        Sheet(
            title: "Tape libraries", columns: ["Library", "Server", "Slots", "Robots", "Drives", "Cartridges"],
            rows: world.libraries.enumerated().map { index, library in
                let drives = world.drives.filter { $0.library.index == index }
                let kinds = LTOGeneration.allCases.compactMap { generation -> String? in
                    let count = drives.count { $0.generation == generation }
                    return count > 0 ? "\(count) \(generation.name)" : nil
                }
                return [
                    library.name, world.servers[library.server].name, "\(library.slots)",
                    library.isStandalone ? "stand-alone" : "\(library.robots)", kinds.joined(separator: ", "),
                    "\(world.cartridges.count { $0.library.index == index })",
                ]
            })
    }
    private static func hosts(_ world: World) -> Sheet {
        var machines = [Int](repeating: 0, count: world.hosts.count)
        for machine in world.machines { machines[Int(machine.host.index)] += 1 }
        return Sheet(
            title: "Hosts", columns: ["Host", "Cluster", "Windows", "Network", "Machines"],
            rows: world.hosts.enumerated().map { index, host in
                [
                    host.name, host.cluster.map { world.clusters[$0].name } ?? "–", host.windows.rawValue,
                    "\(host.nic)",
                    "\(machines[index])",
                ]
            })
    }
    private static func volumes(_ world: World) -> Sheet {
        Sheet(
            title: "Source volumes", columns: ["Volume", "Kind", "Capacity", "Read", "Write", "VSS provider"],
            rows: world.volumes.map { volume in
                let kind =
                    switch volume.kind {
                    case .local(let host): "local to \(world.hosts[host].name)"
                    case .san(let host): "SAN of \(world.hosts[host].name)"
                    case .nas(let host): "NAS of \(world.hosts[host].name)"
                    case .csv(let cluster): "CSV of \(world.clusters[cluster].name)"
                    case .smb(let server): "SMB on \(world.fileServers[server].name)"
                    }
                return [
                    volume.name, kind, "\(volume.capacity)", "\(volume.readRate)", "\(volume.writeRate)",
                    volume.vssProvider.rawValue,
                ]
            })
    }
    private static func links(_ world: World) -> Sheet {
        Sheet(
            title: "Links", columns: ["Link", "Between", "Rate"],
            rows: world.links.map { link in
                [link.name, link.ends.map { world.sites[$0].name }.joined(separator: " and "), "\(link.rate)"]
            })
    }
}
