import Protection
import Units

extension JSONText: ExpressibleByDictionaryLiteral {
    init(dictionaryLiteral elements: (String, JSONText)...) {
        self = .object(Dictionary(uniqueKeysWithValues: elements))
    }
}

extension JSONText {
    init(_ count: Int) { self = .whole(Int64(count)) }
    init(_ size: Bytes) { self = .whole(size.count) }
    /// Seconds.
    init(_ duration: SimDuration) { self = .number(duration.seconds) }
    /// `2026-01-06T20:15:03`.
    init(_ time: SimTime, _ clock: CivilClock) {
        let words = clock.text(time).split(separator: " ")
        self = .text("\(words[1])T\(words[2])")
    }
}

extension ReportJSON {
    static func bottlenecks(_ facts: RunFacts) -> JSONText {
        [
            "boundSeconds": .number(facts.bottlenecks.boundSeconds),
            "kinds": .list(
                facts.bottlenecks.kinds.map { row in
                    [
                        "kind": .text(row.kind.rawValue), "count": .init(row.count),
                        "boundSeconds": .number(row.boundSeconds), "share": JSONText(row.share),
                        "worst": .text(row.worst),
                    ]
                }),
            "resources": .list(
                facts.bottlenecks.rows.map { row in
                    [
                        "name": .text(row.name), "kind": .text(row.kind.rawValue), "capacity": JSONText(row.capacity),
                        "boundSeconds": .number(row.boundSeconds), "share": JSONText(row.share),
                        "utilisation": JSONText(row.utilisation), "hourly": .list(row.hourly.map { JSONText($0) }),
                    ]
                }),
        ]
    }

    static func jobs(_ facts: RunFacts) -> JSONText {
        .list(
            facts.jobCounts.map { count in
                var members: [String: JSONText] = [
                    "kind": .text(count.kind.title), "total": .init(count.total), "completed": .init(count.completed),
                    "failed": .init(count.failed), "cancelled": .init(count.cancelled), "open": .init(count.open),
                    "reruns": .init(count.reruns), "changed": .init(count.changed), "sent": .init(count.sent),
                    "stored": .init(count.stored), "downtime": .init(count.downtime),
                    "longestDowntime": .init(count.longestDowntime),
                ]
                if let times = facts.durations.first(where: { $0.kind == count.kind }) {
                    members["percentiles"] = .list(DurationFacts.shares.map { .number($0) })
                    for part in DurationFacts.Part.allCases {
                        members[part.rawValue] = .list(times[part].map { .init($0) })
                    }
                }
                return .object(members)
            })
    }

    static func missed(_ facts: RunFacts) -> JSONText {
        [
            "total": .init(facts.missed.total), "machines": .init(facts.missed.machines),
            "causes": .list(
                facts.missed.rows.map { row in
                    [
                        "error": .init(Int(row.error)), "cause": .text(row.cause), "count": .init(row.count),
                        "machines": .init(row.machines), "first": .init(row.first, facts.clock),
                        "last": .init(row.last, facts.clock),
                    ]
                }),
        ]
    }

    static func recoveries(_ facts: RunFacts) -> JSONText {
        .list(
            facts.recoveries.rows.map { row in
                [
                    "machine": .text(row.machine), "asked": .init(row.asked, facts.clock),
                    "point": row.point.map { .init($0, facts.clock) } ?? .null,
                    "age": row.age.map { .init($0) } ?? .null,
                    "from": .text(row.source), "tapes": .list(row.tapes.map { .text($0) }), "what": .text(row.what),
                    "to": .text(row.destination), "completed": .bool(row.hasCompleted), "error": .init(Int(row.error)),
                    "cause": .text(row.cause), "duration": row.duration.map { .init($0) } ?? .null,
                    "bytes": .init(row.bytes),
                    "remarks": .list(row.remarks.map { .text($0) }),
                ]
            })
    }

    static func incidents(_ facts: RunFacts) -> JSONText {
        func row(_ row: IncidentFacts.Row) -> JSONText {
            [
                "title": .text(row.title), "count": .init(row.count), "machines": .init(row.machines),
                "brokenJobs": .init(row.brokenJobs), "checks": .init(row.checks),
                "checkedBytes": .init(row.checkedBytes),
                "lasted": .init(row.lasted), "open": .init(row.open),
            ]
        }
        return [
            "total": row(facts.incidents.total), "kinds": .list(facts.incidents.rows.map(row)),
            "list": .list(
                facts.incidents.list.map { incident in
                    [
                        "at": .init(incident.at, facts.clock),
                        "ended": incident.ended.map { .init($0, facts.clock) } ?? .null, "title": .text(incident.title),
                        "object": .text(incident.object), "machines": .init(incident.machines),
                        "brokenJobs": .init(incident.brokenJobs), "checks": .init(incident.checks),
                        "checkedBytes": .init(incident.checkedBytes),
                    ]
                }),
        ]
    }

    static func alerts(_ facts: RunFacts) -> JSONText {
        .list(
            facts.alerts.map { row in
                [
                    "id": .init(Int(row.id)), "severity": .text(row.severity.title), "cause": .text(row.cause),
                    "count": .init(row.count), "objects": .init(row.objects), "openAtEnd": .init(row.openAtEnd),
                    "longest": .init(row.longest), "first": .init(row.first, facts.clock),
                ]
            })
    }

    static func storage(_ facts: RunFacts) -> JSONText {
        func row(_ row: StorageFacts.GroupRow) -> JSONText {
            [
                "name": .text(row.name), "machines": .init(row.machines), "replica": .init(row.replica),
                "points": .init(row.points), "pointCount": .init(row.pointCount), "troubled": .init(row.troubled),
            ]
        }
        return [
            "total": row(facts.storage.total), "groups": .list(facts.storage.groups.map(row)),
            "machines": .list(
                facts.storage.machines.map { machine in
                    [
                        "name": .text(machine.name), "group": .text(machine.group), "state": .text(machine.state.title),
                        "size": .init(machine.size), "replica": .init(machine.replica), "points": .init(machine.points),
                        "pointCount": .init(machine.pointCount),
                    ]
                }),
        ]
    }

    static func inputs(_ facts: RunFacts) -> JSONText {
        [
            "counts": .object(
                Dictionary(facts.inputs.counts.map { ($0.noun, JSONText($0.count)) }, uniquingKeysWith: { a, _ in a })),
            "totals": .object(
                Dictionary(facts.inputs.totals.map { ($0.name, .text($0.value)) }, uniquingKeysWith: { a, _ in a })),
            "constants": .list(
                facts.inputs.constants.map {
                    [
                        "key": .text($0.key), "value": .text($0.value), "isDefault": .bool($0.isDefault),
                        "source": .text($0.source),
                    ]
                }),
        ]
    }
}
