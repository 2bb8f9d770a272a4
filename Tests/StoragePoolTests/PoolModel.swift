import DiskImages
import Files
import StoragePool

/// Chance for property tests: the same numbers from the same seed, everywhere.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
    mutating func below(_ end: Int) -> Int { Int(next() % UInt64(end)) }
}

/// A machine's disk, as the model and as the device the pool reads.
final class ModelDisk {
    static let unit = 4096
    var name: String
    var content: [UInt8]
    /// Bytes changed since the last synchronization.
    var changes: [Range<Int64>] = []
    init(name: String, size: Int) { (self.name, content) = (name, [UInt8](repeating: 0, count: size)) }

    func device() -> any BlockDevice {
        let device = MemoryDevice(size: Int64(content.count), name: name)
        var from = 0
        while from < content.count {
            let to = min(content.count, from + 65_536)
            if content[from..<to].contains(where: { $0 != 0 }) {
                try! device.write(Array(content[from..<to]), at: Int64(from))
            }
            from = to
        }
        return device
    }

    func write(_ random: inout SplitMix) {
        guard !content.isEmpty else { return }
        let length = min(content.count, (1 + random.below(24)) * 512 * (random.below(4) == 0 ? 40 : 1))
        let start = random.below((content.count - length) / 512 + 1) * 512
        switch random.below(5) {
        case 0: content.replaceSubrange(start..<start + length, with: repeatElement(0, count: length))
        case 1:
            let byte = UInt8(truncatingIfNeeded: random.next())
            content.replaceSubrange(start..<start + length, with: repeatElement(byte, count: length))
        case 2:
            // The same content in many places and machines, for sharing.
            let pattern = (0..<64).map { UInt8($0) }
            content.replaceSubrange(start..<start + length, with: (0..<length).map { pattern[$0 % 64] })
        default:
            content.replaceSubrange(
                start..<start + length, with: (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        }
        changes.append(Int64(start)..<Int64(start + length))
    }

    func resize(_ random: inout SplitMix) {
        let size = random.below(12) * 512 * 97 + 512
        // A disk that shrinks and grows between two backups holds zeros where it held data: that is a change like any other.
        changes.append(Int64(min(size, content.count))..<Int64(max(size, content.count)))
        if size < content.count {
            content.removeLast(content.count - size)
        } else {
            content += [UInt8](repeating: 0, count: size - content.count)
        }
    }
}

/// One protected machine: its disks now, and what each recovery point must hold.
final class ModelMachine {
    let name: String
    var disks: [ModelDisk] = []
    var points: [Int64: [String: [UInt8]]] = [:]
    /// The replica, which is readable also when it is no recovery point.
    var replica: (point: Int64, disks: [String: [UInt8]])?
    init(name: String) { self.name = name }

    var held: [String: [UInt8]] { Dictionary(uniqueKeysWithValues: disks.map { ($0.name, $0.content) }) }
}

/// A pool and what it must hold.
final class PoolModel {
    var pool: Pool
    let files: any FileSystem
    let path: String
    var machines: [String: ModelMachine] = [:]
    var random: SplitMix
    var time: Int64 = 1_800_000_000
    var log: [String] = []

    init(path: String, files: any FileSystem, seed: UInt64) throws {
        (self.path, self.files, random) = (path, files, SplitMix(seed: seed))
        let options = Pool.Options(blockSize: 16_384 << Int64(random.below(2)), segmentSize: 1 << 20)
        pool = try Pool.create(at: path, on: files, options: options, guids: SequentialGUIDs(seed: seed), time: time)
    }

    func reopen() throws {
        try pool.close()
        pool = try Pool.open(path, on: files)
    }

    /// One random operation.
    func step() throws {
        time += 60
        let names = machines.keys.sorted()
        switch random.below(40) {
        case 0..<3 where names.count < 5: try protect()
        case 3: log.append("reopen"); try reopen()
        case 4 where !names.isEmpty: try remove(names[random.below(names.count)])
        case 5..<13 where !names.isEmpty: try prune(machines[names[random.below(names.count)]]!)
        case 13..<16 where !names.isEmpty: try change(disksOf: machines[names[random.below(names.count)]]!)
        default:
            guard !names.isEmpty else { return try protect() }
            try backUp(machines[names[random.below(names.count)]]!)
        }
    }

    private func protect() throws {
        let machine = ModelMachine(name: "vm-\(time)")
        log.append("protect \(machine.name)")
        for index in 0...random.below(2) {
            machine.disks.append(ModelDisk(name: "disk\(index)", size: (1 + random.below(700)) * 4608))
        }
        _ = try pool.add(
            machine.name, compression: random.below(2) == 0 ? 1 : nil, sharesBlocks: random.below(2) == 0, time: time)
        machines[machine.name] = machine
        try backUp(machine)
    }

    private func remove(_ name: String) throws {
        log.append("remove \(name)")
        try pool.remove(name)
        machines[name] = nil
    }

    private func prune(_ machine: ModelMachine) throws {
        let points = machine.points.keys.sorted()
        guard !points.isEmpty else { return }
        let point = points[random.below(points.count)]
        log.append("prune \(machine.name) \(point)")
        try pool.prune(machine.name, point: point)
        machine.points[point] = nil
    }

    private func change(disksOf machine: ModelMachine) throws {
        switch random.below(3) {
        case 0 where machine.disks.count < 4:
            machine.disks.append(ModelDisk(name: "disk-\(time)", size: (1 + random.below(300)) * 4608))
        case 1 where machine.disks.count > 1: machine.disks.remove(at: random.below(machine.disks.count))
        default: machine.disks[random.below(machine.disks.count)].resize(&random)
        }
        log.append("disks of \(machine.name): \(machine.disks.map { "\($0.name) \($0.content.count)" })")
    }

    private func backUp(_ machine: ModelMachine) throws {
        for disk in machine.disks { for _ in 0..<random.below(6) { disk.write(&random) } }
        let byList = random.below(3) > 0
        let kind: SynchronizationKind = random.below(6) == 0 ? .consistencyCheck : .expressFull
        let isPoint = random.below(5) > 0
        log.append("back up \(machine.name) \(kind) \(byList ? "list" : "scan") point \(isPoint)")
        let sources = machine.disks.map { disk in
            DiskSource(name: disk.name, device: disk.device(), changes: byList ? .ranges(disk.changes) : .everything)
        }
        let facts = try pool.synchronize(
            machine.name, sources, kind: kind, at: time, recoveryPoint: isPoint, workers: 1 + random.below(3))
        for disk in machine.disks { disk.changes = [] }
        if isPoint { machine.points[facts.point] = machine.held }
        machine.replica = (facts.point, machine.held)
    }

    /// What the pool holds that it should not, or holds otherwise.
    func differences() throws -> [String] {
        var found: [String] = []
        let names = try pool.datasources().map { $0.name }
        if names != machines.keys.sorted() { found.append("datasources \(names) instead of \(machines.keys.sorted())") }
        for name in names {
            guard let machine = machines[name] else { continue }
            let points = try pool.recoveryPoints(of: name).map { $0.number }
            if points != machine.points.keys.sorted() {
                found.append("\(name): points \(points) instead of \(machine.points.keys.sorted())")
            }
            var states = machine.points.filter { points.contains($0.key) }
            if let replica = machine.replica { states[replica.point] = replica.disks }
            for (point, disks) in states.sorted(by: { $0.key < $1.key }) {
                found += try differences(name, point, disks)
            }
        }
        return found
    }

    private func differences(_ name: String, _ point: Int64, _ disks: [String: [UInt8]]) throws -> [String] {
        let there = try pool.disks(of: name, at: point).map { $0.name }
        guard there == disks.keys.sorted() else { return ["\(name) \(point): disks \(there)"] }
        return try disks.sorted { $0.key < $1.key }.compactMap { disk, content in
            let device = try pool.device(of: name, at: point, disk: disk)
            guard device.size == Int64(content.count) else { return "\(name) \(point) \(disk): size \(device.size)" }
            guard try device.bytes(content.count, at: 0) == content else { return "\(name) \(point) \(disk): content" }
            for range in holes(try device.allocatedRanges(in: 0..<device.size), device.size)
            where content[Int(range.lowerBound)..<Int(range.upperBound)].contains(where: { $0 != 0 }) {
                return "\(name) \(point) \(disk): \(range) is said to be zeros"
            }
            return nil
        }
    }

    private func holes(_ ranges: [Range<Int64>], _ size: Int64) -> [Range<Int64>] {
        zip([0] + ranges.map { $0.upperBound }, ranges.map { $0.lowerBound } + [size]).filter { $0 < $1 }.map {
            $0..<$1
        }
    }
}
