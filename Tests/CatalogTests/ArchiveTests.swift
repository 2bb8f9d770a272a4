import Catalog
import Foundation
import GRDB
import Protection
import Testing
import Units

@Suite struct ArchiveTests {
    private func rows(_ path: String, _ sql: String) throws -> [String] {
        var configuration = Configuration()
        configuration.readonly = true
        return try DatabaseQueue(path: path, configuration: configuration).read { db in
            try Row.fetchAll(db, sql: sql).map { row in
                row.databaseValues.map { $0.isNull ? "null" : String.fromDatabaseValue($0) ?? "\($0)" }
                    .joined(separator: "|")
            }
        }
    }

    private func writtenRun(_ path: String, jobs: Int = 10) throws {
        let archive = try Archive(
            path: path, setting: TestRun.setting, version: "1.0", arguments: ["run", "x.yaml"],
            settingText: "name: small")
        let chronicle = Chronicle(archive: archive)
        for id in 0..<jobs { chronicle.note(TestRun.job(Int32(id))) }
        TestRun.note(into: chronicle)
        try chronicle.finish(TestRun.outcome)
    }

    @Test(
        "A finished run reads back from SQLite",
        arguments: [
            ("SELECT count(*) FROM job", ["5001"]),
            (
                "SELECT kind, status, due_ns, ended_ns, sent FROM job WHERE id = 1",
                ["Express full backup|Completed|60000000000|420000000000|2000000000"]
            ),
            ("SELECT status, ended_ns FROM job WHERE id = 900000", ["In progress|null"]),
            (
                "SELECT step, (ended_ns - began_ns) / 1000000000 FROM job_step WHERE job_id = 3 ORDER BY number",
                ["Waiting|60", "Preparing|60", "Transferring|180", "Concluding|60"]
            ),
            (
                "SELECT name, state, seed, finished_ns, trace_hash, arguments FROM run",
                ["small|complete|18446744073709551615|86400000000000|abc|run x.yaml"]
            ),
            ("SELECT machine_id, at_ns, state FROM replica_change", ["0|3600000000000|Inconsistent"]),
            ("SELECT machine_id, at_ns, host_id FROM machine_move", ["0|7200000000000|0"]),
            ("SELECT number, resolved_ns FROM alert ORDER BY id", ["3106|null", "3106|7200000000000"]),
            ("SELECT name, group_id FROM machine ORDER BY id", ["sql-01|0", "O'Hara \"; DROP TABLE job; --|null"]),
            ("SELECT state, cartridges FROM tape_level WHERE cartridges > 0", ["Free|1"]),
            ("SELECT count(*), sum(share) FROM resource_hour", ["168|84.0"]),
            ("SELECT value FROM tuning WHERE key = 'robot-move'", ["15 s"]),
            ("PRAGMA integrity_check", ["ok"]),
        ])
    func readsBack(sql: String, expected: [String]) throws {
        try TestRun.inDirectory("read-\(abs(sql.utf8.reduce(7) { ($0 &* 31 &+ Int($1)) % 99_991 }))") { directory in
            try writtenRun(directory + "/run.db", jobs: 5_000)
            #expect(try rows(directory + "/run.db", sql) == expected)
            #expect(!FileManager.default.fileExists(atPath: directory + "/run.db.new"))
        }
    }

    @Test(
        "Queries against DPM's own names find what they look for",
        arguments: [
            ("SELECT DataSourceName, ProtectedGroupId FROM tbl_IM_DataSource", ["sql-01|0"]),
            ("SELECT FriendlyName FROM tbl_IM_ProtectedGroup", ["databases"]),
            ("SELECT PropertyValue FROM tbl_DLS_GlobalSetting WHERE PropertyName = 'KnownVMMServer'", ["vmm1"]),
            ("SELECT NetbiosName FROM tbl_AM_Server ORDER BY ServerId", ["hv-01", "dpm1"]),
            ("SELECT BarcodeValue FROM tbl_MM_Media", ["T00001L8"]),
            ("SELECT Validity FROM tbl_PRM_LogicalReplica", ["1"]),
            (
                "SELECT AffectedObject, OccurredSince, ResolvedTime FROM Vw_DPM_Alerts WHERE AlertId = 2",
                ["machine sql-01|2026-01-05 00:00:00|2026-01-05 02:00:00"]
            ),
            ("SELECT StartedDateTime FROM tbl_TE_TaskTrail WHERE JobID = 0", ["2026-01-05 00:01:00"]),
            ("SELECT MediaLabel, LibraryName, MediaExpiryDate FROM Vw_DPM_Media", ["T00001L8|tl1|2026-03-02 00:00:00"]),
            ("SELECT FreeMedia, FreeMediaThreshold FROM Vw_DPM_MediaPool_Media", ["0|5"]),
            ("SELECT DataSourceName, CreationTime FROM Vw_DPM_DiskRecoveryPoints", ["sql-01|2026-01-05 20:00:00"]),
        ])
    func viewsOfDPM(sql: String, expected: [String]) throws {
        try TestRun.inDirectory("views-\(abs(sql.utf8.reduce(7) { ($0 &* 31 &+ Int($1)) % 99_991 }))") { directory in
            try writtenRun(directory + "/run.db")
            #expect(try rows(directory + "/run.db", sql) == expected)
        }
    }

    @Test("What a killed run leaves on disk opens whole, with all batches written by then")
    func killed() throws {
        try TestRun.inDirectory("killed") { directory in
            let archive = try Archive(path: directory + "/run.db", setting: TestRun.setting)
            for start in [0, 1_000, 2_000] {
                var batch = Batch()
                batch.jobs = (start..<start + 1_000).map { TestRun.job(Int32($0)) }
                archive.write(batch)
            }
            // The file as it lies there at some moment while the writer is at work, log and all.
            while try rows(directory + "/run.db", "SELECT count(*) FROM job") != ["3000"] { continue }
            for suffix in ["", "-wal"] {
                try FileManager.default.copyItem(
                    atPath: directory + "/run.db" + suffix, toPath: directory + "/crashed.db" + suffix)
            }
            let crashed = try DatabaseQueue(path: directory + "/crashed.db")
            let (check, count, state) = try crashed.read { db in
                (
                    try String.fetchOne(db, sql: "PRAGMA integrity_check"),
                    try Int.fetchOne(db, sql: "SELECT count(*) FROM job"),
                    try String.fetchOne(db, sql: "SELECT state FROM run")
                )
            }
            #expect(check == "ok")
            #expect(count == 3_000)
            #expect(state == "running")
            try archive.finish(outcome: TestRun.outcome)
        }
    }

    @Test("An older archive is replaced by the next run")
    func replaced() throws {
        try TestRun.inDirectory("replaced") { directory in
            try writtenRun(directory + "/run.db", jobs: 7)
            try writtenRun(directory + "/run.db", jobs: 3)
            #expect(try rows(directory + "/run.db", "SELECT count(*) FROM job") == ["4"])
        }
    }

    @Test("A file that is no archive is left alone and named")
    func foreign() throws {
        try TestRun.inDirectory("foreign") { directory in
            let text = directory + "/notes.txt"
            try Data(String(repeating: "shopping list\n", count: 100).utf8).write(to: URL(fileURLWithPath: text))
            let other = directory + "/other.db"
            try DatabaseQueue(path: other).write { db in try db.execute(sql: "CREATE TABLE t(a)") }
            for path in [text, other] {
                let before = FileManager.default.contents(atPath: path)
                let fault = #expect(throws: ArchiveFault.self) {
                    _ = try Archive(path: path, setting: TestRun.setting)
                }
                #expect(
                    fault?.description
                        == "\(path): the file exists and is not an archive of dpmsim. Choose another path, or move the file away."
                )
                #expect(FileManager.default.contents(atPath: path) == before)
            }
            let left = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            #expect(left == ["notes.txt", "other.db"])
        }
    }

    @Test("A path without a directory, or that is one, is refused in words")
    func badPaths() throws {
        try TestRun.inDirectory("paths") { directory in
            let missing = #expect(throws: ArchiveFault.self) {
                _ = try Archive(path: directory + "/no/run.db", setting: TestRun.setting)
            }
            #expect(missing?.cause == "there is no directory \(directory)/no")
            let folder = #expect(throws: ArchiveFault.self) {
                _ = try Archive(path: directory, setting: TestRun.setting)
            }
            #expect(folder?.cause == "this is a directory")
            let left = try FileManager.default.contentsOfDirectory(atPath: directory)
            #expect(left.isEmpty)
        }
    }

    @Test("A fault on the way stops the writing, not the run, and is told at the end")
    func faultOnTheWay() throws {
        try TestRun.inDirectory("fault") { directory in
            let archive = try Archive(path: directory + "/run.db", setting: TestRun.setting)
            let chronicle = Chronicle(archive: archive)
            // The same id twice cannot be: the second batch is refused as a whole.
            for id in 0..<5_000 { chronicle.note(TestRun.job(Int32(id % 4_500))) }
            for id in 5_000..<100_000 { chronicle.note(TestRun.job(Int32(id))) }
            #expect(throws: ArchiveFault.self) { try chronicle.finish(TestRun.outcome) }
            #expect(chronicle.jobs.count == 100_000)
            #expect(try rows(directory + "/run.db", "SELECT count(*) FROM job") == ["4096"])
            #expect(try rows(directory + "/run.db", "SELECT state FROM run") == ["running"])
        }
    }
}
