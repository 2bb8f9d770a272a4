import Files
import Foundation
import GRDB
import StoragePool
import Testing

@Suite("a map file") struct MapFileTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "map \(UUID().uuidString)").path

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

    @Test("keeps rows over a reopening")
    func keepsRows() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let files = HostFiles()
        let (path, mirror) = (folder + "/map.db", folder + "/mirror %&?.db")
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
        #expect(try Data(contentsOf: URL(filePath: path)) == Data(contentsOf: URL(filePath: mirror)))
    }
}
