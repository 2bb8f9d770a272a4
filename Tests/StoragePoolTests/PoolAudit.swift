import Files
import GRDB
import StoragePool

/// Reads a pool's map with nothing of the pool's own code and says what is not as it must be: an oracle beside the pool's check.
struct PoolAudit {
    private static let unit: Int64 = 4096
    private var problems: [String] = []

    private struct Segment {
        var volume: Int64
        var tail: Int64
        var live: Int64
    }

    /// - Parameter tight: whether nothing may wait to be given back and files must end where their segments do.
    static func problems(_ disk: SimulatedDisk, _ path: String, volumes: [String], tight: Bool = true) -> [String] {
        var audit = PoolAudit()
        do {
            let queue = try MapFile.open(
                path + "/map.db", mirror: path + "/map-mirror.db", on: disk, create: false, readOnly: true)
            defer { try? queue.close() }
            try queue.read { db in try audit.look(db, disk, path, volumes, tight) }
        } catch { audit.problems.append("\(error)") }
        return audit.problems
    }

    private static func integers(_ row: Row) -> [Int64] { (0..<row.count).map { row[$0] as Int64? ?? -1 } }

    private static func fields(_ bits: UInt64) -> (segment: Int64, offset: Int64, span: Int64, shared: Bool) {
        let length = Int64((bits >> 5) & 0x1FFFFF)
        return (
            Int64(bits >> 44), Int64((bits >> 26) & 0x3FFFF) * unit, (length + unit - 1) / unit * unit, bits & 2 != 0
        )
    }

    private mutating func look(
        _ db: Database, _ disk: SimulatedDisk, _ path: String, _ volumes: [String], _ tight: Bool
    ) throws {
        func rows(_ sql: String) throws -> [[Int64]] { try Row.fetchAll(db, sql: sql).map { Self.integers($0) } }
        let integrity = try String.fetchOne(db, sql: "PRAGMA integrity_check")
        if integrity != "ok" { problems.append("SQLite: \(integrity ?? "")") }
        if tight, !(try rows("SELECT datasource FROM session")).isEmpty { problems.append("a session is left") }
        if tight, !(try rows("SELECT id FROM freed")).isEmpty { problems.append("freed space was not given back") }
        if tight, try rows("SELECT epoch FROM state WHERE deleting = 1").count > 0 {
            problems.append("a state is half removed")
        }
        var segments: [Int64: Segment] = [:]
        for row in try rows("SELECT number, volume, tail, live FROM segment") {
            segments[row[0]] = Segment(volume: row[1], tail: row[2], live: row[3])
        }
        let owners = Dictionary(
            uniqueKeysWithValues: try rows("SELECT id, datasource FROM disk").map { ($0[0], $0[1]) })
        var used: [Int64: Set<Int64>] = [:]
        var live: [Int64: Int64] = [:]
        var uses: [UInt64: Int64] = [:]
        var stored: [Int64: Int64] = [:]
        var versions: Set<[Int64]> = []
        try Self.leaves(db) { key, bytes, before in
            let (number, disk, epoch) = ((key >> 23) & 0xFF_FFFF, key >> 47, key & 0x7F_FFFF)
            versions.insert([disk, epoch, number])
            guard let owner = owners[disk] else { return problems.append("a leaf of disk \(disk), which is none") }
            for (place, bits) in bytes.enumerated() where bits != 0 && bits != before[place] {
                let location = Self.fields(bits)
                stored[owner, default: 0] += location.span
                if location.shared {
                    uses[bits, default: 0] += 1
                    if uses[bits]! > 1 { continue }
                }
                guard let segment = segments[location.segment], location.offset + location.span <= segment.tail else {
                    problems.append("leaf \(number) of disk \(disk) points beyond segment \(location.segment)")
                    continue
                }
                live[location.segment, default: 0] += location.span
                for at in 0..<location.span / Self.unit
                where !used[location.segment, default: []].insert(location.offset / Self.unit + at).inserted {
                    problems.append("segment \(location.segment): \(location.offset) is used twice")
                }
            }
        }
        for (owner, count) in try rows("SELECT id, stored FROM datasource").map({ ($0[0], $0[1]) })
        where count != stored[owner] ?? 0 {
            problems.append("datasource \(owner): stored \(count), counted \(stored[owner] ?? 0)")
        }
        for row in try rows("SELECT location, uses, pending FROM share") {
            let count = uses.removeValue(forKey: UInt64(bitPattern: row[0])) ?? 0
            let waiting = tight ? 0 : row[1] - count
            if row[1] != count + max(0, waiting) {
                problems.append("share \(row[0]): uses \(row[1]), counted \(count)")
            }
            if tight, row[2] != -1 { problems.append("share \(row[0]) is pending") }
        }
        if !uses.isEmpty { problems.append("\(uses.count) shared blocks without a row") }
        try changes(db, versions)
        if tight { files(segments, live, used, disk, volumes) }
    }

    /// Calls `body` with each leaf version, its locations and those of the version before.
    private static func leaves(_ db: Database, _ body: (Int64, [UInt64], [UInt64]) -> Void) throws {
        let none = [UInt64](repeating: 0, count: 192)
        var (last, before): (Int64, [UInt64]) = (-1, none)
        let cursor = try Row.fetchCursor(db, sql: "SELECT id, entries FROM leaf ORDER BY id")
        while let row = try cursor.next() {
            let key: Int64 = row[0]
            let bytes: [UInt8] = try row.withUnsafeData(atIndex: 1) { data in data.map { [UInt8]($0) } ?? [] }
            let locations = (0..<192).map { bytes.little(UInt64.self, at: $0 * 20) }
            if key >> 23 != last >> 23 { before = none }
            body(key, locations, before)
            (last, before) = (key, locations)
        }
    }

    /// The lists of changed leaves name every version, at its epoch or (after pruning) a later one.
    private mutating func changes(_ db: Database, _ versions: Set<[Int64]>) throws {
        var listed: [[Int64]: [Int64]] = [:]
        for row in try Row.fetchAll(db, sql: "SELECT disk, epoch, leaves FROM change") {
            let bytes: [UInt8] = try row.withUnsafeData(atIndex: 2) { data in data.map { [UInt8]($0) } ?? [] }
            for index in 0..<bytes.count / 4 {
                let number = Int64(bytes.little(UInt32.self, at: index * 4))
                listed[[row[0] as Int64, number], default: []].append(row[1] as Int64)
            }
        }
        for version in versions
        where listed[[version[0], version[2]]]?.contains(where: { $0 >= version[1] }) != true {
            problems.append("no list of changes names leaf \(version[2]) of disk \(version[0])")
        }
    }

    private mutating func files(
        _ segments: [Int64: Segment], _ live: [Int64: Int64], _ used: [Int64: Set<Int64>], _ disk: SimulatedDisk,
        _ volumes: [String]
    ) {
        var known: Set<String> = []
        for (number, segment) in segments {
            if segment.live != live[number] ?? 0 {
                problems.append("segment \(number): live \(segment.live), counted \(live[number] ?? 0)")
            }
            if segment.live == 0, segment.tail > Self.unit { problems.append("segment \(number) is empty and stays") }
            let digits = String(number)
            let name = String(repeating: "0", count: 7 - digits.count) + digits + ".seg"
            let path = volumes[Int(segment.volume)] + "/segments/" + name
            known.insert(path)
            guard let file = try? disk.open(path, .read), let size = try? file.size(),
                let allocated = try? file.allocated()
            else {
                if segment.tail > Self.unit { problems.append("segment \(number) has no file") }
                continue
            }
            if size > segment.tail { problems.append("segment \(number) goes on behind its tail") }
            if allocated > segment.live + Self.unit {
                problems.append("segment \(number) takes \(allocated) bytes for \(segment.live)")
            }
        }
        for path in disk.paths where path.hasSuffix(".seg") && !known.contains(path) {
            problems.append("\(path) belongs to nobody")
        }
    }
}
