import GRDB
import Protection
import Units

/// Batches as rows.
enum HappeningRows {
    static func write(_ batch: Batch, to db: Database) throws {
        try write(batch.jobs, to: db)
        let alerts = try RowWriter(
            db, into: "alert(number, severity, object, cause, raised_ns, resolved_ns)", columns: 6)
        for alert in batch.alerts {
            try alerts.add([
                alert.id, alert.severity.title, alert.object, alert.cause, alert.raised.nanoseconds,
                alert.resolved?.nanoseconds,
            ])
        }
        let missed = try RowWriter(db, into: "missed_point(machine_id, due_ns, error, cause)", columns: 4)
        for point in batch.missed {
            try missed.add([point.machine, point.due.nanoseconds, point.error, point.cause])
        }
        let incidents = try RowWriter(
            db, into: "incident(title, object, at_ns, ended_ns, machines, broken_jobs, checks, checked_bytes)",
            columns: 8
        )
        for incident in batch.incidents {
            try incidents.add([
                incident.title, incident.object, incident.at.nanoseconds, incident.ended?.nanoseconds,
                incident.machines,
                incident.brokenJobs, incident.checks, incident.checkedBytes.count,
            ])
        }
        let changes = try RowWriter(db, into: "replica_change(machine_id, at_ns, state)", columns: 3)
        for change in batch.replicaChanges {
            try changes.add([change.machine, change.at.nanoseconds, change.state.title])
        }
        let moves = try RowWriter(db, into: "machine_move(machine_id, at_ns, host_id)", columns: 3)
        for move in batch.moves { try moves.add([move.machine, move.at.nanoseconds, move.host]) }
        let recoveries = try RowWriter(
            db,
            into: """
                recovery(job_id, machine_id, server_id, asked_ns, point_ns, source, what, destination, tapes, status, error,
                  cause, began_ns, ended_ns, bytes, highly_available, remarks)
                """, columns: 17)
        for recovery in batch.recoveries {
            try recoveries.add([
                recovery.job, recovery.machine, recovery.server, recovery.asked.nanoseconds, recovery.point.reached,
                recovery.source.title, recovery.what, recovery.destination, recovery.tapes.joined(separator: " "),
                recovery.status.title, recovery.error, recovery.cause, recovery.began.reached, recovery.ended.reached,
                recovery.bytes.count, recovery.isHighlyAvailable, recovery.remarks.joined(separator: "\n"),
            ])
        }
        try writeLevels(batch, to: db)
    }

    static func write(_ jobs: [JobRecord], to db: Database) throws {
        let rows = try RowWriter(
            db,
            into: """
                job(id, kind, status, error, machine_id, group_id, server_id, attempt, due_ns, started_ns,
                  transfer_started_ns, transfer_ended_ns, ended_ns, changed, sent, stored, downtime_ns)
                """, columns: 17)
        for job in jobs {
            try rows.add([
                job.id, job.kind.title, job.status.title, job.error, place(job.machine), place(job.group),
                place(job.server), Int(job.attempt), job.due.nanoseconds, job.started.reached,
                job.transferStarted.reached,
                job.transferEnded.reached, job.ended.reached, job.changed.count, job.sent.count, job.stored.count,
                job.downtime.nanoseconds,
            ])
        }
    }

    // Two levels of one moment may come in different batches; the later one holds.
    private static func writeLevels(_ batch: Batch, to db: Database) throws {
        let pool = try db.cachedStatement(sql: "INSERT OR REPLACE INTO pool_level VALUES (?, ?, ?)")
        for level in batch.poolLevels {
            for (volume, used) in level.values.enumerated() {
                pool.setUncheckedArguments([level.at.nanoseconds, volume, used])
                try pool.execute()
            }
        }
        let tapes = try db.cachedStatement(sql: "INSERT OR REPLACE INTO tape_level VALUES (?, ?, ?)")
        for level in batch.tapeLevels {
            for (state, count) in zip(CartridgeState.allCases, level.values) {
                tapes.setUncheckedArguments([level.at.nanoseconds, state.title, count])
                try tapes.execute()
            }
        }
    }
}
