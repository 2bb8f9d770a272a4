import DiskImages
import Files
import StoragePool

/// What a pool must hold: a plain value, so that each of thousands of runs has its own.
struct Holdings: Sendable {
    struct Machine: Sendable {
        /// Its disks now.
        var disks: [String: SparseDisk] = [:]
        /// Changed since the last synchronization, of disks with a list.
        var changes: [String: [Range<Int64>]] = [:]
        var points: [Int64: [String: SparseDisk]] = [:]
        var replica: Int64?
        var replicaDisks: [String: SparseDisk] = [:]
        var compression: Int?
        var shares = false

        mutating func write(_ disk: String, _ range: Range<Int64>, seed: UInt64, kind: Int = 0) {
            disks[disk]?.fill(range, seed: seed, kind: kind)
            changes[disk, default: []].append(range)
        }
    }
    var machines: [String: Machine] = [:]
    var volumes = 1
    var time: Int64 = 1_800_000_000
    /// Steps done so far, and what was held after each.
    fileprivate(set) var steps: [Holdings] = []

    private mutating func endStep() {
        var now = self
        now.steps = []
        steps.append(now)
    }

    // MARK: What is done to the pool and to the plain values alike

    mutating func add(_ pool: Pool, _ name: String, compression: Int? = nil, shares: Bool = false) throws {
        _ = try pool.add(name, compression: compression, sharesBlocks: shares, time: time)
        machines[name] = Machine(compression: compression, shares: shares)
        endStep()
    }

    mutating func backUp(
        _ pool: Pool, _ name: String, kind: SynchronizationKind = .expressFull, byList: Bool = true,
        isPoint: Bool = true, workers: Int = 1
    ) throws {
        time += 60
        guard var machine = machines[name] else { return }
        let sources = machine.disks.sorted { $0.key < $1.key }.map { disk, content in
            DiskSource(
                name: disk, device: content.device(disk),
                changes: byList ? .ranges(machine.changes[disk] ?? []) : .everything)
        }
        let facts = try pool.synchronize(
            name, sources, kind: kind, at: time, recoveryPoint: isPoint, workers: workers)
        machine.changes = [:]
        if isPoint { machine.points[facts.point] = machine.disks }
        (machine.replica, machine.replicaDisks) = (facts.point, machine.disks)
        machines[name] = machine
        endStep()
    }

    mutating func prune(_ pool: Pool, _ name: String, _ point: Int64) throws {
        try pool.prune(name, point: point)
        machines[name]?.points[point] = nil
        endStep()
    }

    mutating func remove(_ pool: Pool, _ name: String) throws {
        try pool.remove(name)
        machines[name] = nil
        endStep()
    }

    mutating func addVolume(_ pool: Pool, _ folder: String) throws {
        try pool.addVolume(folder, time: time)
        volumes += 1
        endStep()
    }

    /// Reads every byte that is held, and all that is told of it.
    func readAll(_ pool: Pool, _ buffer: Buffer) throws {
        for (name, machine) in machines.sorted(by: { $0.key < $1.key }) {
            for (point, disks) in machine.points.sorted(by: { $0.key < $1.key }) {
                for (disk, content) in disks.sorted(by: { $0.key < $1.key }) {
                    let device = try pool.device(of: name, at: point, disk: disk)
                    if let difference = try content.difference(from: device, buffer) {
                        throw WrongBytes(description: "\(name) \(point) \(disk): \(difference)")
                    }
                }
            }
        }
    }

    // MARK: Comparing

    /// What an open pool holds otherwise; nil if nothing.
    func difference(_ pool: Pool, _ buffer: Buffer) -> String? {
        do {
            let names = try pool.datasources().map { $0.name }
            guard names == machines.keys.sorted() else { return "datasources \(names)" }
            for name in names {
                guard let machine = machines[name] else { continue }
                let datasource = try pool.datasource(name)
                guard datasource.compression == machine.compression, datasource.sharesBlocks == machine.shares else {
                    return "\(name) has other options"
                }
                let points = try pool.recoveryPoints(of: name).map { $0.number }
                guard points == machine.points.keys.sorted() else { return "\(name): points \(points)" }
                let replica = try pool.replica(of: name)
                guard replica?.number == machine.replica else {
                    return "\(name): replica \(replica.map { "\($0.number)" } ?? "none")"
                }
                var states = machine.points
                if let replica = machine.replica { states[replica] = machine.replicaDisks }
                for (point, disks) in states.sorted(by: { $0.key < $1.key }) {
                    let there = try pool.disks(of: name, at: point).map { $0.name }
                    guard there == disks.keys.sorted() else { return "\(name) \(point): disks \(there)" }
                    for (disk, content) in disks.sorted(by: { $0.key < $1.key }) {
                        let device = try pool.device(of: name, at: point, disk: disk)
                        if let difference = try content.difference(from: device, buffer) {
                            return "\(name) \(point) \(disk): \(difference)"
                        }
                    }
                }
            }
            return nil
        } catch { return "\(error)" }
    }
}

/// A pool gave back other bytes than it was given, without an error.
struct WrongBytes: Error, CustomStringConvertible { var description: String }

/// Something short that is done to a pool that has a past.
struct PoolStory: Sendable {
    let name: String
    /// Before the story: not cut.
    var past: @Sendable (Pool, inout Holdings) throws -> Void
    /// May be cut anywhere, and is done again then.
    var story: @Sendable (Pool, inout Holdings) throws -> Void
}

extension PoolStory {
    static let path = "pool"
    static let leaf: Int64 = 192 * 16_384
    static let options = Pool.Options(blockSize: 16_384, segmentSize: 1 << 18)

    /// Two disks, the first of more than one leaf, mostly holes.
    private static func machine(_ pool: Pool, _ holdings: inout Holdings, _ name: String, seed: UInt64) throws {
        holdings.machines[name]?.disks = [
            "a": SparseDisk(size: leaf + 5 * 16_384 + 1536), "b": SparseDisk(size: 7 * 16_384),
        ]
        holdings.machines[name]?.write("a", 0..<150_000, seed: seed)
        holdings.machines[name]?.write("a", 200_000..<250_000, seed: seed + 1, kind: 1)
        holdings.machines[name]?.write("a", leaf - 20_000..<leaf + 30_000, seed: seed + 2)
        holdings.machines[name]?.write("b", 0..<60_000, seed: seed + 3, kind: 1)
        try holdings.backUp(pool, name)
    }

    private static func change(_ holdings: inout Holdings, _ name: String, seed: UInt64) {
        holdings.machines[name]?.write("a", 20_000..<60_000, seed: seed)
        holdings.machines[name]?.write("a", 100_000..<120_000, seed: seed, kind: 2)
        holdings.machines[name]?.write("a", leaf..<leaf + 8192, seed: seed + 1, kind: 1)
        holdings.machines[name]?.write("b", 40_000..<80_000, seed: seed + 2)
    }

    private static func three(
        compression: Int? = nil, shares: Bool = false
    ) -> @Sendable (Pool, inout Holdings) throws -> Void {
        { pool, holdings in
            for (index, name) in ["other", "vm"].enumerated() {
                try holdings.add(pool, name, compression: compression, shares: shares)
                try machine(pool, &holdings, name, seed: shares ? 1 : UInt64(index) * 100)
            }
            for seed in 1...2 as ClosedRange<UInt64> {
                change(&holdings, "vm", seed: seed * 10)
                try holdings.backUp(pool, "vm")
            }
        }
    }

    private static let backingUp: @Sendable (Pool, inout Holdings) throws -> Void = { pool, holdings in
        change(&holdings, "vm", seed: 77)
        try holdings.backUp(pool, "vm")
    }

    static let all: [PoolStory] = [
        PoolStory(name: "protect", past: { _, _ in }) { try $1.add($0, "vm", compression: 1, shares: true) },
        PoolStory(name: "initial replica", past: { try $1.add($0, "vm") }) { try machine($0, &$1, "vm", seed: 1) },
        PoolStory(name: "initial replica, zstd", past: { try $1.add($0, "vm", compression: 1) }) {
            try machine($0, &$1, "vm", seed: 1)
        },
        PoolStory(
            name: "initial replica, shared",
            past: { pool, holdings in
                try holdings.add(pool, "other", shares: true)
                try machine(pool, &holdings, "other", seed: 1)
                try holdings.add(pool, "vm", compression: 1, shares: true)
            }
        ) { try machine($0, &$1, "vm", seed: 1) },
        PoolStory(name: "express full by list", past: three(), story: backingUp),
        PoolStory(name: "express full, zstd", past: three(compression: 1), story: backingUp),
        PoolStory(name: "express full, shared", past: three(shares: true), story: backingUp),
        PoolStory(name: "express full by scan", past: three()) { pool, holdings in
            change(&holdings, "vm", seed: 78)
            try holdings.backUp(pool, "vm", byList: false)
        },
        PoolStory(name: "consistency check", past: three()) { pool, holdings in
            holdings.machines["vm"]?.write("a", 3 * 16_384..<4 * 16_384, seed: 5)
            try holdings.backUp(pool, "vm", kind: .consistencyCheck)
        },
        PoolStory(name: "backup without a point, twice", past: three(compression: 1)) { pool, holdings in
            holdings.machines["vm"]?.write("a", 3 * 16_384..<4 * 16_384, seed: 5)
            try holdings.backUp(pool, "vm", isPoint: false)
            change(&holdings, "vm", seed: 79)
            try holdings.backUp(pool, "vm", isPoint: false)
        },
        PoolStory(name: "a point without changes", past: three()) { try $1.backUp($0, "vm") },
        PoolStory(name: "prune the oldest", past: three()) { try $1.prune($0, "vm", 1) },
        PoolStory(name: "prune the middle", past: three(compression: 1)) { try $1.prune($0, "vm", 2) },
        PoolStory(name: "prune the middle, shared", past: three(shares: true)) { try $1.prune($0, "vm", 2) },
        PoolStory(name: "prune the newest, then go on", past: three()) { pool, holdings in
            try holdings.prune(pool, "vm", 3)
            change(&holdings, "vm", seed: 80)
            try holdings.backUp(pool, "vm")
        },
        PoolStory(name: "add a volume and use it", past: three()) { pool, holdings in
            try holdings.addVolume(pool, "second")
            change(&holdings, "vm", seed: 81)
            try holdings.backUp(pool, "vm", byList: false)
        },
        PoolStory(name: "remove a datasource", past: three(compression: 1)) { try $1.remove($0, "vm") },
        PoolStory(name: "remove a datasource, shared", past: three(shares: true)) { try $1.remove($0, "vm") },
        PoolStory(name: "a disk grows and shrinks", past: three()) { pool, holdings in
            holdings.machines["vm"]?.disks["a"]?.resize(to: 3 * 16_384 + 512)
            holdings.machines["vm"]?.disks["b"]?.resize(to: 20 * 16_384)
            holdings.machines["vm"]?.write("b", 10 * 16_384..<12 * 16_384, seed: 6)
            try holdings.backUp(pool, "vm")
        },
        PoolStory(name: "a disk comes and one goes", past: three(shares: true)) { pool, holdings in
            holdings.machines["vm"]?.disks["b"] = nil
            holdings.machines["vm"]?.disks["c"] = SparseDisk(size: 99 * 4608)
            holdings.machines["vm"]?.write("c", 0..<50_000, seed: 7)
            try holdings.backUp(pool, "vm")
        },
        PoolStory(name: "check, scrub and repair", past: three(compression: 1)) { pool, holdings in
            _ = try pool.check()
            _ = try pool.scrub(workers: 1)
            _ = try pool.repair(
                sources: holdings.machines.mapValues { machine in
                    machine.disks.map { DiskSource(name: $0.key, device: $0.value.device($0.key)) }
                }, workers: 1)
        },
        PoolStory(name: "read and account", past: three(compression: 1, shares: true)) { pool, holdings in
            try holdings.readAll(pool, Buffer(count: 1 << 18))
            _ = try pool.uniqueSpace(of: "vm", point: 2)
            _ = try pool.space()
        },
    ]
}
