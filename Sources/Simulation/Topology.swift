import Jobs
import Kernel
import Protection
import Units

/// The installation as resources that transfers share, and the routes over them.
struct Topology {
    var sourceVolumes: [ResourceID] = []
    var hostNICs: [ResourceID] = []
    var hostCPUs: [ResourceID] = []
    var fileServerNICs: [ResourceID] = []
    var links: [ResourceID] = []
    var serverNICs: [ResourceID] = []
    var poolReads: [ResourceID] = []
    var poolWrites: [ResourceID] = []
    var drives: [ResourceID] = []
    var vaults: [ResourceID] = []
    /// Per host, where a group throttles its members' computers.
    var throttles: [(host: Ref<Host>, group: Ref<ProtectionGroup>, resource: ResourceID)] = []
    /// What volumes of hosts and clusters take in; empty where the script recovers nothing.
    var volumeWrites: [ResourceID] = []
    /// The throttle of a recovery, by its line of the script.
    var recoveryThrottles: [Int: ResourceID] = [:]
    /// Links on the shortest way between two sites, by `from * sites + to`; nil where there is none.
    private var ways: [[Int]?] = []
    private let siteCount: Int

    /// What each resource is, in the order of its id, for the report.
    private(set) var named: [(name: String, kind: ResourceRecord.Kind, capacity: Double)] = []

    init(world: World, tuning: Tuning, script: [ScriptLine], fluid: inout Fluid) {
        siteCount = world.sites.count
        let wire = tuning.wireEfficiency.value
        var named: [(name: String, kind: ResourceRecord.Kind, capacity: Double)] = []
        func add(_ name: String, _ kind: ResourceRecord.Kind, _ rate: Double) -> ResourceID {
            named.append((name, kind, rate))
            return fluid.addResource(capacity: rate)
        }
        func rate(_ r: ByteRate) -> Double { Double(r.bytesPerSecond) }
        sourceVolumes = world.volumes.map { add($0.name, .sourceVolume, rate($0.readRate)) }
        hostNICs = world.hosts.map { add($0.name, .hostNIC, rate($0.nic) * wire) }
        hostCPUs = world.hosts.map { add($0.name, .hostCPU, rate($0.backupRate)) }
        fileServerNICs = world.fileServers.map { add($0.name, .fileServerNIC, rate($0.nic) * wire) }
        links = world.links.map { add($0.name, .link, rate($0.rate) * wire) }
        serverNICs = world.servers.map { add($0.name, .serverNIC, rate($0.nic) * wire) }
        poolReads = world.poolVolumes.map { add($0.name + " (read)", .poolVolume, rate($0.readRate)) }
        poolWrites = world.poolVolumes.map { add($0.name + " (write)", .poolVolume, rate($0.writeRate)) }
        // The host interface's ceiling is about 2.5 times the native rate in each generation (tape-hardware, section 1).
        drives = world.drives.map {
            add($0.name, .tapeDrive, rate(LTOFacts.of($0.generation, isHalfHeight: $0.isHalfHeight).nativeRate) * 2.5)
        }
        vaults = world.vaults.map { add($0.name, .vault, rate($0.rate)) }
        for (g, group) in world.groups.enumerated() {
            guard let throttle = group.throttle else { continue }
            let hosts = Set(group.members.map { world.machines[$0].host }).sorted()
            for host in hosts {
                let resource = add(
                    "\(world.hosts[host].name) throttle of \(group.name)", .throttle, rate(throttle.otherRate))
                throttles.append((host, Ref(g), resource))
            }
        }
        let requests = script.map(\.happening.recovery)
        if requests.contains(where: { $0 != nil }) {
            volumeWrites = world.volumes.map { add($0.name + " (write)", .sourceVolume, rate($0.writeRate)) }
        }
        for (line, request) in requests.enumerated() {
            guard let request, let throttle = request.throttle else { continue }
            recoveryThrottles[line] = add(
                "throttle of the recovery of \(world.machines[request.machine].name)", .throttle,
                rate(throttle.otherRate))
        }
        self.named = named
        ways = Topology.shortestWays(world)
    }

    /// Breadth-first over the sites; of equally short ways, the one over the links written first.
    private static func shortestWays(_ world: World) -> [[Int]?] {
        let count = world.sites.count
        var ways = [[Int]?](repeating: nil, count: count * count)
        for from in 0..<count {
            ways[from * count + from] = []
            var frontier = [from]
            while !frontier.isEmpty {
                var next: [Int] = []
                for site in frontier {
                    for (l, link) in world.links.enumerated() {
                        let (a, b) = (Int(link.ends[0].index), Int(link.ends[1].index))
                        guard a == site || b == site else { continue }
                        let other = a == site ? b : a
                        guard ways[from * count + other] == nil else { continue }
                        ways[from * count + other] = ways[from * count + site]! + [l]
                        next.append(other)
                    }
                }
                frontier = next
            }
        }
        return ways
    }

    /// The links between two sites; nil if no way leads there.
    func way(from a: Ref<Site>, to b: Ref<Site>) -> [Int]? { ways[Int(a.index) * siteCount + Int(b.index)] }
}
