import Files
import Foundation
import GRDB
import StoragePool
import Testing

@Suite("a map file") struct MapFileTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "map \(UUID().uuidString)").path

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

    private func inFolder(_ body: (_ path: String, _ mirror: String) throws -> Void) rethrows {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder + "/map.db", folder + "/mirror %&?é.db")
    }

    @Test("keeps rows over a reopening on the host's files, in two equal copies")
    func keepsRows() throws {
        try inFolder { path, mirror in
            let files = HostFiles()
            var queue = try MapFile.open(path, mirror: mirror, on: files, create: true)
            try queue.write { db in
                try db.execute(sql: "CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB)")
                for key in 0..<500 {
                    try db.execute(sql: "INSERT INTO t VALUES (?, randomblob(3000))", arguments: [key])
                }
            }
            try queue.close()
            queue = try MapFile.open(path, mirror: mirror, on: files, create: false)
            #expect(try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM t") } == 500)
            #expect(try MapFile.verify(queue, repair: false).isClean)
            try queue.write { try $0.execute(sql: "DELETE FROM t WHERE k % 3 > 0") }
            try queue.vacuum()
            #expect(try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM t") } == 167)
            #expect(try MapFile.verify(queue, repair: false) == MapFile.verify(queue, repair: true))
            #expect(try queue.read { try String.fetchOne($0, sql: "PRAGMA integrity_check") } == "ok")
            try queue.close()
            #expect(try Data(contentsOf: URL(filePath: path)) == Data(contentsOf: URL(filePath: mirror)))
        }
    }

    @Test("a second connection reads what the first committed, and waits for it")
    func twoConnections() throws {
        try inFolder { path, mirror in
            let first = try MapFile.open(path, mirror: mirror, on: HostFiles(), create: true)
            try first.write { try $0.execute(sql: "CREATE TABLE t(k INTEGER PRIMARY KEY)") }
            let second = try MapFile.open(path, mirror: mirror, on: HostFiles(), create: false)
            let errors = Reports()
            let threads = [first, second].map { queue in
                Thread {
                    for _ in 0..<30 {
                        do {
                            try queue.write { db in
                                let last = try Int.fetchOne(db, sql: "SELECT count(*) FROM t")!
                                try db.execute(sql: "INSERT INTO t VALUES (?)", arguments: [last])
                            }
                        } catch { errors.add("\(error)") }
                    }
                    errors.finish()
                }
            }
            for thread in threads { thread.start() }
            errors.wait(2)
            #expect(errors.all == [])
            #expect(try second.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM t") } == 60)
            #expect(MapFile.health(of: first).healed == 0 && MapFile.health(of: second).healed == 0)
            #expect(try MapFile.verify(second, repair: false).isClean)
        }
    }

    @Test("a foreign database, a file that is none and an absent one are refused by name")
    func refusals() throws {
        try inFolder { path, mirror in
            func id(_ create: Bool) -> String {
                do {
                    _ = try MapFile.open(path, mirror: mirror, on: HostFiles(), create: create)
                    return "opened"
                } catch { return error.id }
            }
            #expect(id(false) == "MAP-MISSING")
            #expect(!FileManager.default.fileExists(atPath: path))
            let foreign = try DatabaseQueue(path: path)
            try foreign.write { try $0.execute(sql: "CREATE TABLE x(y)") }
            try foreign.close()
            #expect(id(true) == "MAP-MIRROR")
            let before = try Data(contentsOf: URL(filePath: path))
            try before.write(to: URL(filePath: mirror))
            #expect(id(true) == "MAP-LOST")
            #expect(try Data(contentsOf: URL(filePath: path)) == before)
        }
    }

    @Test("the n-th call fails: what was committed stays", arguments: [EIO, ENOSPC], [false, true])
    func failingCalls(code: Int32, forEver: Bool) throws {
        var call = 1
        while true {
            let disk = try diskWithFolder()
            disk.fault = SimulatedDisk.Fault(call: call, onlyWrites: false, code: code, forEver: forEver)
            var story = MapStory(seed: 5)
            var failed = false
            do { try story.run(on: disk, transactions: 2) } catch {
                failed = true
                let id = MapFile.fault(error, "").id
                #expect(
                    !["MAP-DAMAGED", "MAP-LOST", "MAP-STALE", "MAP-FOREIGN"].contains(id), "call \(call): \(error)")
            }
            let last = disk.calls < call
            disk.fault = nil
            if let problem = story.problem(on: disk.copy()) { Issue.record("call \(call), errno \(code): \(problem)") }
            disk.powerCut(.all)
            if let problem = story.problem(on: disk) { Issue.record("call \(call), errno \(code), cut: \(problem)") }
            if last, !failed { break }
            call += 7
        }
        #expect(call > 100)
    }

    @Test("a full disk refuses, and what was committed stays")
    func fullDisk() throws {
        let disk = try diskWithFolder()
        disk.capacity = 400_000
        let queue = try MapStory.open(disk)
        try queue.write { try $0.execute(sql: "CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB)") }
        var count = 0
        var last: StorageFault?
        while last == nil, count < 1000 {
            do {
                try queue.write {
                    try $0.execute(sql: "INSERT INTO t VALUES (?, randomblob(5000))", arguments: [count])
                }
                count += 1
            } catch { last = MapFile.fault(error, MapStory.path) }
        }
        #expect(last?.kind == .outOfSpace)
        #expect(try MapStory.rows(queue).count == count && count > 3)
        disk.capacity = 4_000_000
        try queue.write { try $0.execute(sql: "INSERT INTO t VALUES (?, randomblob(5000))", arguments: [count]) }
        #expect(try MapFile.verify(queue, repair: false).isClean)
    }
}

/// Collects what threads report.
private final class Reports: @unchecked Sendable {
    private let condition = NSCondition()
    private var texts: [String] = []
    private var finished = 0

    func add(_ text: String) { condition.withLock { texts.append(text) } }
    func finish() {
        condition.withLock {
            finished += 1
            condition.broadcast()
        }
    }
    func wait(_ count: Int) { condition.withLock { while finished < count { condition.wait() } } }
    var all: [String] { condition.withLock { texts } }
}
