import GRDB
import Protection
import Units

/// How a run was started, for the row that describes it.
struct RunHeader {
    var version: String
    var arguments: [String]
    var settingText: String
}

/// The setting as rows.
enum InputRows {
    static func write(_ setting: Setting, _ header: RunHeader, to db: Database) throws {
        let world = setting.world
        let run = try RowWriter(
            db,
            into: "run(id, name, version, arguments, seed, start_date, duration_ns, setting_text, state)", columns: 9)
        // SQLite's integers are signed; the seed is text so that every one reads back.
        try run.add([
            1, setting.name, header.version, header.arguments.joined(separator: " "), "\(setting.seed)",
            "\(setting.clock.startDate)", setting.duration.nanoseconds, header.settingText, "running",
        ])
        try writeTuning(setting.tuning, to: db)
        try writeServers(world, to: db)
        try writeHosts(world, to: db)
        try writeMachines(world, to: db)
    }

    private static func writeTuning(_ tuning: Tuning, to db: Database) throws {
        let rows = try RowWriter(db, into: "tuning(key, value, is_default)", columns: 3)
        let standard = Tuning()
        for parameter in Tuning.parameters {
            let value = tuning.text(of: parameter)
            try rows.add([parameter.key, value, value == standard.text(of: parameter)])
        }
    }

    private static func writeServers(_ world: World, to db: Database) throws {
        let servers = try RowWriter(
            db, into: "server(id, name, domain, site, version, nic_rate, known_vmm)", columns: 7)
        for (id, server) in world.servers.enumerated() {
            try servers.add([
                id, server.name, world.domains[server.domain].name, world.sites[server.site].name,
                server.version.rawValue,
                server.nic.bytesPerSecond, world.knownVMMServer(of: Ref(id)),
            ])
        }
        let pool = try RowWriter(
            db, into: "pool_volume(id, name, server_id, kind, capacity, read_rate, write_rate)", columns: 7)
        for (id, volume) in world.poolVolumes.enumerated() {
            try pool.add([
                id, volume.name, volume.server.index, volume.kind.rawValue, volume.capacity.count,
                volume.readRate.bytesPerSecond, volume.writeRate.bytesPerSecond,
            ])
        }
        let libraries = try RowWriter(
            db, into: "library(id, name, server_id, slots, robots, is_standalone)", columns: 6)
        for (id, library) in world.libraries.enumerated() {
            try libraries.add([
                id, library.name, library.server.index, library.slots, library.robots, library.isStandalone,
            ])
        }
        let drives = try RowWriter(db, into: "drive(id, name, library_id, generation)", columns: 4)
        for (id, drive) in world.drives.enumerated() {
            try drives.add([id, drive.name, drive.library.index, drive.generation.name])
        }
        let vmm = try RowWriter(db, into: "vmm_server(id, name)", columns: 2)
        for (id, server) in world.vmmServers.enumerated() { try vmm.add([id, server.name]) }
    }

    private static func writeHosts(_ world: World, to db: Database) throws {
        let clusters = try RowWriter(db, into: "cluster(id, name)", columns: 2)
        for (id, cluster) in world.clusters.enumerated() { try clusters.add([id, cluster.name]) }
        let hosts = try RowWriter(db, into: "host(id, name, domain, site, cluster_id, windows, nic_rate)", columns: 7)
        for (id, host) in world.hosts.enumerated() {
            try hosts.add([
                id, host.name, world.domains[host.domain].name, world.sites[host.site].name, host.cluster?.index,
                host.windows.rawValue, host.nic.bytesPerSecond,
            ])
        }
        let volumes = try RowWriter(
            db, into: "volume(id, name, kind, capacity, read_rate, write_rate, vss_provider)", columns: 7)
        for (id, volume) in world.volumes.enumerated() {
            let kind =
                switch volume.kind {
                case .local: "local"
                case .san: "SAN"
                case .nas: "NAS"
                case .csv: "CSV"
                case .smb: "SMB"
                }
            try volumes.add([
                id, volume.name, kind, volume.capacity.count, volume.readRate.bytesPerSecond,
                volume.writeRate.bytesPerSecond, volume.vssProvider.rawValue,
            ])
        }
    }

    private static func writeMachines(_ world: World, to db: Database) throws {
        var groupOf = [Int32?](repeating: nil, count: world.machines.count)
        let groups = try RowWriter(
            db, into: "protection_group(id, name, server_id, members, retention_days, is_colocated)", columns: 6)
        for (id, group) in world.groups.enumerated() {
            for member in group.members { groupOf[Int(member.index)] = Int32(id) }
            try groups.add([
                id, group.name, group.server.index, group.members.count, group.disk?.retentionDays, group.isColocated,
            ])
        }
        let machines = try RowWriter(
            db, into: "machine(id, name, host_id, group_id, size, used, churn_per_day, guest, level)", columns: 9)
        for (id, machine) in world.machines.enumerated() {
            try machines.add([
                id, machine.name, machine.host.index, groupOf[id], machine.protectedSize.count, machine.usedSize.count,
                machine.churn.perDay.count, machine.guest.rawValue, machine.level.rawValue,
            ])
        }
    }
}
