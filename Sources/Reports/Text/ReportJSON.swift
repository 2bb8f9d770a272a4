import Protection
import Units

/// `report.json`: every figure of a run, with sorted keys.
///
/// Times are civil (`2026-01-06T20:15:03`), durations in seconds, sizes in bytes, shares from 0 to 1; null where a figure
/// has no meaning. `schema` grows by one when a key changes its meaning or goes.
public enum ReportJSON {
    /// Version of the keys.
    public static let schema = 1

    public static func text(_ facts: RunFacts) -> String {
        JSONText.object([
            "schema": .whole(Int64(schema)), "run": run(facts), "verdicts": verdicts(facts),
            "expectations": expectations(facts), "window": window(facts),
            "recoveryPoints": recovery(facts), "pool": pool(facts), "tapes": tapes(facts),
            "bottlenecks": bottlenecks(facts), "jobs": jobs(facts), "missed": missed(facts),
            "recoveries": recoveries(facts),
            "incidents": incidents(facts), "alerts": alerts(facts), "storage": storage(facts), "inputs": inputs(facts),
            "audit": .list(
                facts.audit.map {
                    [
                        "name": .text($0.name), "left": .whole($0.left), "right": .whole($0.right),
                        "holds": .bool($0.holds),
                    ]
                }),
            "refusals": .list(
                facts.refusals.map {
                    [
                        "id": .init($0.id), "rule": .text("\($0.rule)"), "object": .text($0.object),
                        "cause": .text($0.cause), "action": .text($0.action),
                    ]
                }),
        ]).printed
    }

    private static func run(_ facts: RunFacts) -> JSONText {
        let stuck = facts.stuckJobs
        return [
            "name": .text(facts.name), "version": .text(facts.version),
            "arguments": .list(facts.arguments.map { .text($0) }), "seed": .text("\(facts.seed)"),
            "startDate": .text("\(facts.clock.startDate)"), "duration": .init(facts.duration),
            "finishedAt": .init(facts.finishedAt, facts.clock), "end": .text(stuck.isEmpty ? "horizon" : "stuck"),
            "stuckJobs": .list(stuck.map { .text($0) }), "openJobs": .init(facts.openJobs),
            "events": .whole(Int64(clamping: facts.eventCount)),
            "transfers": .whole(Int64(clamping: facts.transferCount)), "traceHash": .text(facts.traceHash),
        ]
    }

    private static func verdicts(_ facts: RunFacts) -> JSONText {
        .list(
            facts.verdicts.map { verdict in
                [
                    "question": .text("\(verdict.question)"), "answer": .text(verdict.answer.rawValue),
                    "headline": .text(verdict.headline), "advice": .text(verdict.advice),
                    "figures": .list(
                        verdict.figures.map { ["name": .text($0.name), "value": .text($0.value)] }),
                ]
            })
    }

    private static func expectations(_ facts: RunFacts) -> JSONText {
        .list(
            facts.expectations.map { verdict in
                [
                    "place": .text(verdict.expectation.place), "expected": .text(verdict.expected),
                    "held": .bool(verdict.held), "seen": .text(verdict.seen), "note": .text(verdict.expectation.note),
                    "at": verdict.at.map { .init($0, facts.clock) } ?? .null,
                    "trace": .list(verdict.trace.map { .text($0) }),
                ]
            })
    }

    private static func window(_ facts: RunFacts) -> JSONText {
        let window = facts.window
        return [
            "start": window.window.map { .text("\($0.start)") } ?? .null,
            "length": window.window.map { .init($0.duration) } ?? .null, "goalShare": .number(window.goal.value),
            "due": .init(window.due), "inside": .init(window.inside), "late": .init(window.late),
            "failed": .init(window.failed), "outsideSchedule": .init(window.outsideSchedule),
            "share": JSONText(window.share),
            "worstNight": window.worst.map { .text("\(facts.clock.startDate.adding(days: window.nights[$0].day))") }
                ?? .null,
            "nights": .list(
                window.nights.map { night in
                    [
                        "date": .text("\(facts.clock.startDate.adding(days: night.day))"), "due": .init(night.due),
                        "inside": .init(night.inside), "undecided": .init(night.undecided),
                        "lastEnd": .init(night.lastEnd, facts.clock), "lateness": .init(night.lateness),
                        "jobSeconds": .number(night.jobSeconds),
                    ]
                }),
        ]
    }

    private static func recovery(_ facts: RunFacts) -> JSONText {
        let recovery = facts.recovery
        return [
            "objective": recovery.objective.map { .init($0) } ?? .null,
            "oldest": recovery.oldest.map { .init($0) } ?? .null, "withoutPoint": .init(recovery.withoutPoint),
            "overObjective": .init(recovery.overObjective), "machineDays": .init(recovery.machineDays),
            "machineDaysWithout": .init(recovery.machineDaysWithout), "shareWithout": JSONText(recovery.shareWithout),
            "machines": .list(
                recovery.rows.map { row in
                    [
                        "name": .text(row.name), "points": .init(row.points),
                        "oldest": row.oldest.map { .init($0) } ?? .null,
                        "oldestAt": row.oldest == nil ? .null : .init(row.oldestAt, facts.clock),
                        "days": .init(row.days), "daysWithout": .init(row.daysWithout),
                    ]
                }),
        ]
    }

    private static func pool(_ facts: RunFacts) -> JSONText {
        let (pool, clock) = (facts.pool, facts.clock)
        let forecast: JSONText =
            switch pool.forecast {
            case .tooShort: ["kind": .text("too short")]
            case .steady: ["kind": .text("steady")]
            case .full(let days): ["kind": .text("full"), "afterDays": .init(days)]
            }
        return [
            "capacity": .init(pool.capacity), "goalShare": .number(pool.goal.value), "peak": .init(pool.peak),
            "peakAt": .init(pool.peakAt, clock), "peakShare": JSONText(pool.peakShare), "atEnd": .init(pool.atEnd),
            "overGoalAt": pool.overGoalAt.map { .init($0, clock) } ?? .null,
            "fullAt": pool.fullAt.map { .init($0, clock) } ?? .null, "forecast": forecast,
            "growthPerDay": JSONText(pool.growthPerDay), "warmUpDays": .init(pool.warmUpDays),
            "volumes": .list(
                pool.volumes.map { row in
                    [
                        "name": .text(row.name), "capacity": .init(row.capacity), "peak": .init(row.peak),
                        "peakAt": .init(row.peakAt, clock), "atEnd": .init(row.atEnd),
                        "peakShare": JSONText(row.peakShare), "fullAt": row.fullAt.map { .init($0, clock) } ?? .null,
                    ]
                }),
            "days": .list(
                pool.days.map {
                    ["date": .text("\(clock.startDate.adding(days: $0.day))"), "used": .init($0.used)]
                }),
        ]
    }

    private static func tapes(_ facts: RunFacts) -> JSONText {
        let tapes = facts.tapes
        return [
            "total": .init(tapes.total), "limit": .init(tapes.limit), "peak": .init(tapes.peak),
            "peakAt": .init(tapes.peakAt, facts.clock), "fewestFree": .init(tapes.fewestFree),
            "freeAtEnd": .init(tapes.freeAtEnd), "mounts": .init(tapes.mounts), "backHitches": .init(tapes.backHitches),
            "cartridgesWritten": .init(tapes.cartridgesWritten), "jobs": .init(tapes.jobs),
            "failedJobs": .init(tapes.failedJobs), "written": .init(tapes.written),
            "states": .list(CartridgeState.allCases.map { .text($0.title) }),
            "days": .list(
                tapes.days.map { day in
                    [
                        "date": .text("\(facts.clock.startDate.adding(days: day.day))"),
                        "cartridges": .list(day.counts.map { .whole($0) }),
                    ]
                }),
        ]
    }
}
