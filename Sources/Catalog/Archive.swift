import Foundation
import GRDB
public import Protection

/// A run kept in a SQLite file: inputs, what happened, what is kept, resource use as time series.
///
/// Batches are written on a thread of their own, one transaction each, in WAL mode: the run waits only while eight batches
/// are ahead of the disk, and a crash loses at most what had not been handed on or was being written. Disk full and other
/// faults on the way stop the writing, never the run; `fault` and `finish` tell of them.
public final class Archive {
    private let queue: BatchQueue
    private let database: DatabaseQueue
    private let path: String

    /// Makes the file with schema and inputs, and starts the writer.
    ///
    /// An older archive at this path is replaced once the new one is complete on disk; anything else there is left alone.
    /// - Throws: `ArchiveFault`; then nothing new is left behind.
    public init(
        path: String, setting: Setting, version: String = "", arguments: [String] = [], settingText: String = ""
    )
        throws
    {
        self.path = path
        try ArchiveFile.admit(path)
        let draft = path + ".new"
        do {
            ArchiveFile.remove(draft)
            let fresh = try DatabaseQueue(path: draft)
            try fresh.write { db in
                try db.execute(
                    sql: "PRAGMA application_id = \(Schema.applicationID); PRAGMA user_version = \(Schema.version)")
                for part in [
                    Schema.inputs, Schema.happenings, Schema.keepings, Schema.stepView, DPMDBViews.tables,
                    DPMDBViews.reports,
                ] { try db.execute(sql: part) }
                let header = RunHeader(version: version, arguments: arguments, settingText: settingText)
                try InputRows.write(setting, header, to: db)
            }
            try fresh.close()
            try ArchiveFile.move(draft, to: path)
            var configuration = Configuration()
            configuration.journalMode = .wal
            configuration.label = "archive"
            database = try DatabaseQueue(path: path, configuration: configuration)
        } catch {
            ArchiveFile.remove(draft)
            throw ArchiveFile.fault(error, path)
        }
        queue = BatchQueue(limit: 8)
        let (queue, database) = (queue, database)
        let writer = Thread {
            var fault: ArchiveFault?
            while fault == nil, let batch = queue.take() {
                do {
                    try database.write { db in try HappeningRows.write(batch, to: db) }
                } catch {
                    fault = ArchiveFile.fault(error, path)
                }
            }
            queue.done(fault)
        }
        writer.name = "archive writer"
        writer.start()
    }

    deinit { queue.close() }

    /// What stopped the writing, if something did. Batches after it are dropped.
    public var fault: ArchiveFault? { queue.fault }

    /// Hands a batch to the writer; waits only while eight are ahead of it.
    public func write(_ batch: Batch) {
        guard batch.count > 0 else { return }
        queue.put(batch)
    }

    /// Writes what the run left, marks the run as complete and folds the log into the file. Call it once, last.
    /// - Throws: the `ArchiveFault` that stopped the writing, now or earlier. The file then holds all whole batches before
    ///   it, and its run is still marked as running.
    public func finish(outcome: RunOutcome) throws {
        queue.close()
        queue.waitUntilDone()
        if let fault = queue.fault { throw fault }
        do {
            try database.write { db in
                try OutcomeRows.write(outcome, to: db)
                try db.execute(sql: Schema.indices)
            }
            // Only for a tidy directory: where it fails, all is in the log beside the file, which any reader takes in.
            try? database.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
            try database.close()
        } catch {
            throw ArchiveFile.fault(error, path)
        }
    }
}
