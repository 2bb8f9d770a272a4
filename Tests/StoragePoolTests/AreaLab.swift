import DiskImages
import Files
import Glibc
import GRDB
import StoragePool
import Units

/// A pool of machines whose blocks carry the number of their version, and the plainest account of what areas hold: it looks at every
/// place of every state.
final class AreaLab {
    static let block: Int64 = 16_384
    /// Small volumes: 2 blocks kept back, growth by 4 blocks or a quarter.
    static let rules = AreaRules.usual(growthStep: Bytes(4 * block), overhead: Bytes(2 * block))
    /// By disk the version of each block; 0 is a block of zeros.
    typealias Disks = [String: [Int]]

    struct Machine {
        var disks: Disks
        /// Points, and the replica under its number.
        var states: [Int64: Disks] = [:]
        var points: Set<Int64> = []
        var head: Int64 = 0
        var area: String?
    }

    let files: SimulatedDisk
    var pool: Pool
    var machines: [String: Machine] = [:]
    private var version = 0
    var time: Int64 = 1_800_000_000

    init(capacity: Int64 = 1 << 50, seed: UInt64 = 1) throws {
        files = SimulatedDisk(capacity: capacity)
        pool = try Pool.create(
            at: "/pool", on: files, options: Pool.Options(blockSize: Self.block, segmentSize: 1 << 20),
            guids: SequentialGUIDs(seed: seed), time: time)
    }

    static func blocks(_ count: Int64) -> Bytes { Bytes(count * block) }

    /// An area of volumes for so many blocks; the overhead comes on top.
    static func legacy(
        _ replica: Int64, _ points: Int64, autogrow: Bool = false, colocation: Bool = false
    ) -> AreaChoice {
        .legacy(
            replica: blocks(replica), points: blocks(points) + rules.overhead, autogrow: autogrow,
            colocation: colocation, rules: rules)
    }

    func protect(
        _ name: String, blocks: Int, of size: Int? = nil, area: AreaChoice = .modern, compression: Int? = nil,
        sharesBlocks: Bool = false
    ) throws {
        _ = try pool.add(name, compression: compression, sharesBlocks: sharesBlocks, area: area, time: time)
        var machine = Machine(disks: ["c": [Int](repeating: 0, count: size ?? blocks)])
        switch area {
        case .modern: break
        case .legacy: machine.area = name
        case .colocated(let other): machine.area = other
        }
        machines[name] = machine
        write(name, 0..<blocks)
    }

    func write(_ name: String, _ places: Range<Int>, disk: String = "c") {
        for place in places {
            version += 1
            machines[name]!.disks[disk]![place] = version
        }
    }

    private func device(_ versions: [Int]) throws -> any BlockDevice {
        let device = MemoryDevice(size: Int64(versions.count) * Self.block)
        for (place, version) in versions.enumerated() where version != 0 {
            let words = [UInt64](repeating: UInt64(version) &* 0x9E37_79B9_7F4A_7C15, count: Int(Self.block) / 8)
            try device.write(words.withUnsafeBytes { Array($0) }, at: Int64(place) * Self.block)
        }
        return device
    }

    @discardableResult
    func backUp(_ name: String, point: Bool = true) throws -> SynchronizationFacts {
        time += 60
        let machine = machines[name]!
        let sources = try machine.disks.sorted { $0.key < $1.key }.map {
            DiskSource(name: $0.key, device: try device($0.value))
        }
        let facts = try pool.synchronize(name, sources, at: time, recoveryPoint: point, workers: 1)
        var after = machine
        if facts.point != machine.head {
            if !machine.points.contains(machine.head) { after.states[machine.head] = nil }
            after.head = facts.point
            after.states[facts.point] = machine.disks
            if point { after.points.insert(facts.point) }
        }
        machines[name] = after
        return facts
    }

    func prune(_ name: String, _ point: Int64) throws {
        try pool.prune(name, point: point)
        machines[name]!.points.remove(point)
        if point != machines[name]!.head { machines[name]!.states[point] = nil }
    }

    /// Does something while the disk fails from some call on, then takes over what came of it.
    func failing(after calls: Int, _ name: String, _ body: () throws -> Void) throws {
        files.fault = SimulatedDisk.Fault(call: files.writeCalls + calls, onlyWrites: true, code: EIO, forEver: true)
        try? body()
        files.fault = nil
        var machine = machines[name]!
        machine.points = Set(try pool.recoveryPoints(of: name).map { $0.number })
        if let head = try pool.replica(of: name)?.number, head != machine.head {
            (machine.head, machine.states[head]) = (head, machine.disks)
        }
        machine.states = machine.states.filter { machine.points.contains($0.key) || $0.key == machine.head }
        machines[name] = machine
    }

    func remove(_ name: String) throws {
        try pool.remove(name)
        machines[name] = nil
    }

    /// Blocks of an area's replicas, and of its points without them.
    func counted(_ area: String) -> (replica: Int64, points: Int64) {
        var (replica, points) = (0, 0)
        for machine in machines.values where machine.area == area {
            let held = Self.versions(machine.states[machine.head] ?? [:])
            replica += held.count
            points +=
                machine.states.values.reduce(into: Set<Int>()) { $0.formUnion(Self.versions($1)) }
                .subtracting(held).count
        }
        return (Int64(replica), Int64(points))
    }

    /// Each version was written to one place of one disk only.
    private static func versions(_ disks: Disks) -> Set<Int> { Set(disks.values.joined().filter { $0 != 0 }) }

    /// Where the pool's account is not the plain one.
    func differences() throws -> [String] {
        let areas = try pool.areas()
        let names = Set(machines.values.compactMap { $0.area }).sorted()
        guard areas.map({ $0.name }) == names else { return ["areas \(areas.map { $0.name }) instead of \(names)"] }
        return areas.flatMap { area -> [String] in
            let counted = counted(area.name)
            var found: [String] = []
            if area.replica.used != Self.blocks(counted.replica) {
                found.append("\(area.name): replica \(area.replica.used), counted \(counted.replica)")
            }
            if area.points.used != Self.blocks(counted.points) {
                found.append("\(area.name): points \(area.points.used), counted \(counted.points)")
            }
            if area.replica.used > area.replica.size || area.points.used + area.rules.overhead > area.points.size {
                found.append("\(area.name): over its size")
            }
            return found
        }
    }

    /// All that the map says, as text, without the named tables.
    func map(without tables: Set<String> = []) throws -> [String] {
        let copy = files.copy()
        let queue = try MapFile.open("/pool/map.db", mirror: "/pool/map-mirror.db", on: copy, create: false)
        defer { try? queue.close() }
        return try queue.read { db in
            let names = try String.fetchAll(
                db, sql: "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            return try names.filter { !tables.contains($0) }.flatMap { name in
                try Row.fetchAll(db, sql: "SELECT * FROM \(name) ORDER BY 1, 2").map { "\(name) \($0)" }
            }
        }
    }
}

extension AreaRules {
    /// DPM's values (dpm-facts 2.2, 2.5), those named apart.
    static func usual(
        threshold: Int64 = 90, growthStep: Bytes = .gibibytes(10), overhead: Bytes = Bytes(600 << 20),
        growthPause: Int64 = 900
    ) -> AreaRules {
        AreaRules(
            threshold: threshold, growthStep: growthStep, growthPercent: 25, growthPause: growthPause,
            overhead: overhead)
    }
}
