import GRDB
import Protection
import Units

/// What a finished run leaves, as rows.
enum OutcomeRows {
    static func write(_ outcome: RunOutcome, to db: Database) throws {
        try HappeningRows.write(outcome.open, to: db)
        try writeKept(outcome, to: db)
        try writeResources(outcome.resources, to: db)
        let audit = try RowWriter(db, into: "audit(name, left_total, right_total)", columns: 3)
        for line in outcome.audit { try audit.add([line.name, line.left, line.right]) }
        let refusals = try RowWriter(db, into: "refusal(number, rule, object, cause, action)", columns: 5)
        for refusal in outcome.refusals {
            try refusals.add([refusal.id, "\(refusal.rule)", refusal.object, refusal.cause, refusal.action])
        }
        let ended =
            switch outcome.end {
            case .horizon: "horizon"
            case .stuck(let jobs): "stuck: " + jobs.joined(separator: "; ")
            }
        try db.execute(
            sql: """
                UPDATE run SET state = 'complete', ended_as = ?, finished_ns = ?, event_count = ?, transfer_count = ?,
                  trace_hash = ?, tape_mounts = ?, back_hitches = ?, cartridges_written = ?
                """,
            arguments: [
                ended, outcome.finishedAt.nanoseconds, Int64(clamping: outcome.eventCount),
                Int64(clamping: outcome.transferCount), outcome.traceHash, outcome.tapeMounts, outcome.backHitches,
                outcome.cartridgesWritten,
            ])
    }

    private static func writeKept(_ outcome: RunOutcome, to db: Database) throws {
        let replicas = try RowWriter(
            db,
            into: "replica(machine_id, group_id, volume_id, state, replica_bytes, point_bytes, point_count)", columns: 7
        )
        for replica in outcome.replicas {
            try replicas.add([
                replica.machine, replica.group, replica.volume, replica.state.title, replica.replica.count,
                replica.points.count, replica.pointCount,
            ])
        }
        let points = try RowWriter(db, into: "recovery_point(machine_id, at_ns, consistency, unique_bytes)", columns: 4)
        for point in outcome.points {
            try points.add([point.machine, point.at.nanoseconds, "\(point.consistency)", point.unique.count])
        }
        let cartridges = try RowWriter(
            db, into: "cartridge(barcode, library_id, state, written, capacity, sets, last_expiry_ns, mounts)",
            columns: 8)
        for tape in outcome.cartridges {
            try cartridges.add([
                tape.barcode, tape.library, tape.state.title, tape.written.count, tape.capacity.count, tape.sets,
                tape.lastExpiry?.nanoseconds, tape.mounts,
            ])
        }
    }

    private static func writeResources(_ resources: [ResourceRecord], to db: Database) throws {
        let rows = try RowWriter(db, into: "resource(id, name, kind, capacity, carried, bound_seconds)", columns: 6)
        let hours = try RowWriter(db, into: "resource_hour(resource_id, hour_of_week, share)", columns: 3)
        for (id, resource) in resources.enumerated() {
            try rows.add([
                id, resource.name, resource.kind.rawValue, resource.capacity, resource.carried, resource.boundSeconds,
            ])
            for (hour, share) in resource.hourly.enumerated() { try hours.add([id, hour, share]) }
        }
    }
}
