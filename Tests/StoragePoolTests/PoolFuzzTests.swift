import BlockDeviceContract
import DiskImages
import Files
import Foundation
import GRDB
import StoragePool
import Testing

/// One case: a pool that was mutated, and everything done with it that can be.
private struct PoolFuzzCase {
    let fuzz: Fuzz
    let disk: SimulatedDisk
    /// What each recovery point holds; nil if rows of the map were mutated, so that anything may be read, or a fault.
    let points: [String: [Int64: [String: [UInt8]]]]?
    var random: ContractRandom

    mutating func run() {
        let isWritable = random.below(4) > 0
        guard let pool = fuzz.attempt("open", { try Pool.open("/pool", on: disk, writable: isWritable) }) else {
            return
        }
        defer { fuzz.attempt("close") { try pool.close() } }
        fuzz.attempt("check") { _ = try pool.check() }
        fuzz.attempt("space") { _ = try pool.space() }
        let names = fuzz.attempt("datasources") { try pool.datasources().map(\.name) } ?? []
        for name in names { read(pool, name) }
        fuzz.attempt("scrub") { _ = try pool.scrub(workers: 1) }
        guard isWritable, !names.isEmpty else { return }
        for _ in 0..<1 + random.below(3) {
            let name = names[random.below(names.count)]
            switch random.below(5) {
            case 0:
                fuzz.attempt("prune") {
                    for point in try pool.recoveryPoints(of: name).prefix(2) {
                        try pool.prune(name, point: point.number)
                    }
                }
            case 1: fuzz.attempt("remove") { try pool.remove(name) }
            case 2: fuzz.attempt("repair") { _ = try pool.repair(sources: [:], workers: 1) }
            default:
                let device = MemoryDevice(size: Int64(1 + random.below(200)) * 4608, name: "disk0")
                let bytes = random.bytes(512 * (1 + random.below(Int(device.size) / 512)))
                fuzz.attempt("synchronize") {
                    try device.write(bytes, at: 0)
                    _ = try pool.synchronize(
                        name, [DiskSource(name: "disk0", device: device)], kind: .expressFull, at: 1_900_000_000,
                        recoveryPoint: true, workers: 1)
                }
            }
        }
        fuzz.attempt("check again") { _ = try pool.check() }
    }

    private mutating func read(_ pool: Pool, _ name: String) {
        let states = fuzz.attempt("points") { try pool.recoveryPoints(of: name).map(\.number) } ?? []
        for point in states {
            fuzz.attempt("unique") { _ = try pool.uniqueSpace(of: name, point: point) }
            for facts in fuzz.attempt("disks", { try pool.disks(of: name, at: point) }) ?? [] {
                guard
                    let device = fuzz.attempt("device", { try pool.device(of: name, at: point, disk: facts.name) }),
                    device.size >= 0
                else { continue }
                fuzz.attempt("ranges") {
                    _ = try device.allocatedRanges(in: 0..<min(device.size, 1 << 30))
                }
                for _ in 0..<3 {
                    let count = Int(min(device.size, Int64(1 + random.below(200_000))))
                    let offset = Int64(random.next() % UInt64(max(1, device.size - Int64(count) + 1)))
                    guard let bytes = fuzz.attempt("read", { try device.bytes(count, at: offset) }),
                        let content = points?[name]?[point]?[facts.name]
                    else { continue }
                    let end = Int(offset) + count
                    if end > content.count || bytes != Array(content[Int(offset)..<end]) {
                        fuzz.find("\(count) bytes at \(offset) of \(facts.name) of \(name) \(point) are others")
                    }
                }
            }
        }
    }
}

/// A sound pool, where its structures are, and what it holds.
private struct PoolFuzzSeed {
    let disk: SimulatedDisk
    let points: [String: [Int64: [String: [UInt8]]]]

    init(_ seed: UInt64) throws {
        disk = SimulatedDisk()
        let model = try PoolModel(path: "/pool", files: disk, seed: seed)
        while model.machines.values.reduce(0, { $0 + $1.points.count }) < 8 { try model.step() }
        points = model.machines.mapValues(\.points)
        try model.pool.close()
    }

    /// Changes one or two of its files, checksums not put right: that is what they are for.
    func mutateFiles(_ disk: SimulatedDisk, _ random: inout ContractRandom) throws {
        let paths = disk.paths.filter { !$0.contains("/locks/") && !$0.hasSuffix("/reserve") }
        for _ in 0..<1 + random.below(2) {
            let file = try disk.open(paths[random.below(paths.count)], .readWrite)
            let other = try disk.open(paths[random.below(paths.count)], .read)
            defer {
                file.close()
                other.close()
            }
            let size = try file.size()
            var regions = [FuzzRegion("beginning", 0..<min(4096, size), width: 4, isBig: true)]
            if file.path.hasSuffix(".db") {
                let page = Int64(random.below(Int(max(1, size / 8192)))) * 8192
                regions.append(FuzzRegion("page", page..<page + 8192, width: 2, isBig: true))
            } else if file.path.hasSuffix("dpmsim-pool") {
                regions = [FuzzRegion("text", 0..<size, width: 1)]
            }
            try FuzzMutation(file, regions: regions, others: [other]).run(&random)
            // A map of 2^45 bytes would only be read for years.
            if try file.size() > 1 << 32 { try file.truncate(to: size + 4096) }
            try file.flush()
        }
    }

    private static let columns: [(table: String, columns: [String])] = [
        ("pool", ["version", "block", "segment"]), ("volume", ["number"]),
        ("datasource", ["id", "compression", "shares", "area", "head", "stored", "created", "deleting"]),
        ("disk", ["id", "datasource", "sector", "born", "died"]), ("size", ["disk", "epoch", "bytes"]),
        ("state", ["datasource", "epoch", "time", "point", "occupied", "stored", "deleting"]),
        ("leaf", ["id", "entries", "entries", "entries"]), ("change", ["disk", "epoch", "part", "leaves"]),
        ("segment", ["number", "volume", "tail", "live"]), ("freed", ["segment", "start", "length"]),
        ("session", ["datasource", "epoch"]), ("share", ["location", "sum", "stored", "uses", "pending"]),
        ("damaged", ["location"]), ("scrub", ["next"]),
    ]

    /// Changes rows of the map, whose pages are sealed again by that.
    func mutateRows(_ disk: SimulatedDisk, _ random: inout ContractRandom) throws {
        let queue = try MapFile.open("/pool/map.db", mirror: "/pool/map-mirror.db", on: disk, create: false)
        defer { try? queue.close() }
        for _ in 0..<1 + random.below(3) {
            let (table, columns) = Self.columns[random.below(Self.columns.count)]
            let column = columns[random.below(columns.count)]
            let chance = random.next()
            try queue.write { db in
                switch chance % 16 {
                case 0:
                    try? db.execute(
                        sql: "INSERT OR IGNORE INTO freed VALUES(NULL, \(Self.number(&random)), 8192, 4096)")
                case 1: try? db.execute(sql: "INSERT OR IGNORE INTO session VALUES(1, \(Self.number(&random)))")
                case 2: try? db.execute(sql: "DELETE FROM \(table) WHERE random() % 2 = 0")
                default: try Self.mutate(table, column, db, &random)
                }
            }
        }
    }

    private static func mutate(
        _ table: String, _ column: String, _ db: Database, _ random: inout ContractRandom
    ) throws {
        let count = try Int.fetchOne(db, sql: "SELECT count(*) FROM \(table)") ?? 0
        guard count > 0 else { return }
        let key = ["size", "state", "change", "session"].contains(table) ? column : "rowid"
        guard
            let row = try Row.fetchOne(
                db, sql: "SELECT \(key) AS k, \(column) AS v FROM \(table) LIMIT 1 OFFSET \(random.below(count))")
        else { return }
        var value: DatabaseValue = row["v"]
        switch value.storage {
        case .int64(let old): value = number(&random, near: old).databaseValue
        case .blob(let data):
            var bytes = [UInt8](data)
            if random.below(10) == 0 { bytes.removeLast(min(bytes.count, 1 + random.below(64))) }
            for _ in 0..<1 + random.below(4) where bytes.count >= 20 {
                // An entry's location, or one number of a list.
                let place = random.below(bytes.count / 20) * 20 + [0, 0, 4, 8, 16][random.below(5)]
                guard place + 8 <= bytes.count else { continue }
                let old: Int64 = bytes.little(at: place)
                let new = random.below(2) == 0 ? old ^ 1 << Int64(random.below(64)) : number(&random, near: old)
                bytes.putLittle(new, at: place)
            }
            value = Data(bytes).databaseValue
        default: value = number(&random).databaseValue
        }
        // Refused where it is a key that is there already, or of a type the table does not take.
        try? db.execute(
            sql: "UPDATE OR IGNORE \(table) SET \(column) = ? WHERE \(key) = ?",
            arguments: [value, row["k"] as DatabaseValue])
    }

    private static func number(_ random: inout ContractRandom, near old: Int64 = 0) -> Int64 {
        switch random.below(8) {
        case 0: .max
        case 1: .min
        case 2: -1
        case 3: old &+ 1
        case 4: old &- 1
        case 5: Int64(bitPattern: 1 << UInt64(random.below(64)))
        case 6: Int64(random.below(70_000))
        default: Int64(bitPattern: random.next())
        }
    }
}

@Suite("pools whose structures are hostile or broken are refused, and nothing worse") struct PoolFuzzTests {
    @Test("files mutated in any way give the right content or a fault") func files() throws {
        let seeds = try (1...3).map { try PoolFuzzSeed($0) }
        let fuzz = Fuzz("pool-files", cases: 20)
        fuzz.run { random in
            let seed = seeds[random.below(seeds.count)]
            let disk = seed.disk.copy()
            fuzz.attempt("mutate") { try seed.mutateFiles(disk, &random) }
            var run = PoolFuzzCase(fuzz: fuzz, disk: disk, points: seed.points, random: random)
            run.run()
        }
    }

    @Test("rows of the map mutated in any way give faults or other content, and never end the program")
    func rows() throws {
        let seeds = try (1...3).map { try PoolFuzzSeed($0) }
        let fuzz = Fuzz("pool-rows", cases: 20)
        fuzz.run { random in
            let seed = seeds[random.below(seeds.count)]
            let disk = seed.disk.copy()
            do { try seed.mutateRows(disk, &random) } catch { return fuzz.count("not mutated") }
            var run = PoolFuzzCase(fuzz: fuzz, disk: disk, points: nil, random: random)
            run.run()
        }
    }
}
