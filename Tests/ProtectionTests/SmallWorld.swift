import Protection
import Units

// The places in `SmallWorld.base`, by the names the nouns have there.
extension Ref<Host> {
    static let h1 = Ref(0), n1 = Ref(1), n2 = Ref(2), h2 = Ref(3)
}
extension Ref<Machine> {
    static let alpha = Ref(0), beta = Ref(1), gamma = Ref(2)
}
extension Ref<Volume> {
    static let local1 = Ref(0), csv1 = Ref(1), smb1 = Ref(2), local2 = Ref(3)
}
extension Ref<ProtectionGroup> { static let gold = Ref(0) }
extension Ref<DPMServer> { static let dpm1 = Ref(0) }
extension Ref<FileServer> { static let fs1 = Ref(0) }
extension Ref<Domain> { static let corp = Ref(0), away = Ref(1) }
extension Ref<TapeLibrary> { static let lib1 = Ref(0) }

/// A small installation against which nothing speaks: `alpha` on stand-alone host `h1`, `beta` on cluster `c1`, `gamma` on an
/// SMB share, all in group `gold` of `dpm1`.
enum SmallWorld {
    static let base: World = {
        var world = World()
        world.domains = [Domain(name: "corp"), Domain(name: "away")]
        world.sites = [Site(name: "main")]
        let (corp, main) = (Ref<Domain>.corp, Ref<Site>(0))
        world.servers = [DPMServer(name: "dpm1", domain: corp, site: main)]
        world.poolVolumes = [pool("p1", .terabytes(10), .modern)]
        world.libraries = [TapeLibrary(name: "lib1", server: .dpm1, slots: 24)]
        world.drives = [
            TapeDrive(name: "d1", library: .lib1, generation: .lto8),
            TapeDrive(name: "d2", library: .lib1, generation: .lto8),
        ]
        world.cartridges = [Cartridge(barcode: "A00001L8", library: .lib1, generation: .lto8)]
        world.vaults = [Vault(name: "cloud", rate: .gigabitsPerSecond(1), site: main)]
        world.vmmServers = [VMMServer(name: "vmm1", domain: corp)]
        world.hosts = ["h1", "n1", "n2", "h2"].map { Host(name: $0, domain: corp, site: main) }
        world.clusters = [Cluster(name: "c1", domain: corp)]
        world.clusters[0].nodes = [.n1, .n2]
        world.hosts[.n1].cluster = Ref(0)
        world.hosts[.n2].cluster = Ref(0)
        world.fileServers = [FileServer(name: "fs1", domain: corp, site: main)]
        world.volumes = [
            volume("local1", .local(.h1)), volume("csv1", .csv(Ref(0))), volume("smb1", .smb(.fs1)),
            volume("local2", .local(.h2)),
        ]
        world.machines = [
            machine("alpha", .h1, .local1), machine("beta", .n1, .csv1), machine("gamma", .h1, .smb1),
        ]
        var gold = ProtectionGroup(name: "gold", server: .dpm1)
        gold.members = [.alpha, .beta, .gamma]
        gold.disk = DiskGoal(retentionDays: 14, schedule: WeeklySchedule(times: [TimeOfDay(hour: 20)]))
        world.groups = [gold]
        return world
    }()

    static func pool(_ name: String, _ capacity: Bytes, _ kind: PoolVolume.Kind) -> PoolVolume {
        PoolVolume(
            name: name, server: .dpm1, kind: kind, capacity: capacity, readRate: .megabytesPerSecond(500),
            writeRate: .megabytesPerSecond(500))
    }

    static func volume(_ name: String, _ kind: Volume.Kind) -> Volume {
        Volume(
            name: name, kind: kind, capacity: .terabytes(20), readRate: .megabytesPerSecond(800),
            writeRate: .megabytesPerSecond(800))
    }

    static func machine(_ name: String, _ host: Ref<Host>, _ volume: Ref<Volume>) -> Machine {
        Machine(
            name: name, host: host,
            disks: [VirtualDisk(format: .vhdx, volume: volume, size: .gigabytes(100), used: .gigabytes(60))],
            churn: Churn(perDay: .gigabytes(3), workingSet: .gigabytes(10)))
    }
}

/// The base world with something about it changed.
func world(_ change: (inout World) -> Void = { _ in }) -> World {
    var world = SmallWorld.base
    change(&world)
    return world
}

/// All refusals, then all warnings, of the changed base world, as they are printed.
func findings(_ change: (inout World) -> Void = { _ in }) -> [String] {
    let changed = world(change)
    return changed.refusals().map(\.description) + changed.warnings().map(\.description)
}

extension World {
    /// Puts the whole of `gold` on tape as well.
    mutating func addTape(_ goals: [TapeGoal], _ change: (inout TapeOptions) -> Void = { _ in }) {
        var options = TapeOptions(library: .lib1)
        change(&options)
        groups[.gold].longTermTape = goals
        groups[.gold].tape = options
    }

    /// Connects `dpm1` to `vmm1`, whose cloud has all hosts.
    mutating func connectVMM() {
        servers[.dpm1].knownVMMServers = [Ref(0)]
        vmmServers[0].hosts = [.h1, .n1, .n2, .h2]
    }

    /// Adds a second DPM server with one group of the same policy.
    mutating func addServer(_ name: String, primary: Ref<DPMServer>?, members: [Ref<Machine>]) {
        var server = DPMServer(name: name, domain: .corp, site: Ref(0))
        server.primary = primary
        servers.append(server)
        var volume = SmallWorld.pool("p-\(name)", .terabytes(10), .modern)
        volume.server = Ref(servers.count - 1)
        poolVolumes.append(volume)
        var group = ProtectionGroup(name: "\(name)-group", server: Ref(servers.count - 1))
        group.members = members
        group.disk = groups[.gold].disk
        groups.append(group)
    }
}
