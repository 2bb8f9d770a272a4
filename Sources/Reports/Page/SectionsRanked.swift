import Protection
import Units

// The sections that rank and count.
extension HTMLReport {
    private static func capacity(_ row: BottleneckFacts.Row) -> String {
        if row.kind.countsSlots { return counted(Int64(max(0, min(row.capacity, 9e15))), "slot") }
        return ByteRate(bytesPerSecond: Int64(max(0, min(row.capacity, 9e18)))).rounded
    }

    static func bottlenecks(_ facts: RunFacts, _ out: inout Markup) {
        let ranked = facts.bottlenecks
        PagePieces.section("What holds jobs back", id: "bottlenecks", data: ["bottlenecks"], &out) { section in
            guard let first = ranked.first else {
                PagePieces.note("Nothing held a job back.", &section)
                return
            }
            section.element("p", ["class": "headline"]) {
                $0.add("The bottleneck is ")
                $0.element("strong", text: "\(first.kind.rawValue): \(first.worst)")
                $0.add(". \(first.kind.remedy).")
            }
            let columns: [PagePieces.Column] = [
                .init("Kind", number: false), .init("Resources"), .init("Held jobs back"), .init("Share"),
                .init("Worst", number: false),
            ]
            let top = max(ranked.kinds.first?.share ?? 0, 1e-9)
            PagePieces.table(
                "By kind of resource: job-time for which it was what held a job back", columns,
                ranked.kinds.filter { $0.boundSeconds > 0 }.map {
                    [$0.kind.rawValue, grouped($0.count), hours($0.boundSeconds), percent($0.share), $0.worst]
                }, bars: ranked.kinds.filter { $0.boundSeconds > 0 }.map { [($0.share ?? 0) / top] }, &section)
            let shown = ranked.rows.prefix(12)
            resources("The first \(shown.count) resources", Array(shown), &section)
            guard ranked.rows.count > shown.count else { return }
            PagePieces.folded("\(ranked.rows.count - shown.count) more resources", &section) {
                resources("Other resources", Array(ranked.rows.dropFirst(shown.count).prefix(200)), &$0)
            }
        }
    }

    // Job-hours; days would read as time that passed.
    private static func hours(_ seconds: Double) -> String {
        seconds < 3_600 ? SimDuration(roundingUp: seconds).rounded : "\(grouped(Int64((seconds / 3_600).rounded()))) h"
    }

    private static func resources(_ caption: String, _ rows: [BottleneckFacts.Row], _ out: inout Markup) {
        let top = max(rows.first?.share ?? 0, 1e-9)
        PagePieces.table(
            caption,
            [
                .init("Resource", number: false), .init("Kind", number: false), .init("Capacity"),
                .init("Held jobs back"), .init("Share"), .init("Used"), .init("Busiest hour"),
            ],
            rows.map {
                [
                    $0.name, $0.kind.rawValue, capacity($0), hours($0.boundSeconds), percent($0.share),
                    percent($0.utilisation), percent($0.busiest),
                ]
            }, bars: rows.map { [($0.share ?? 0) / top] }, &out)
    }

    static func heat(_ facts: RunFacts, _ out: inout Markup) {
        let rows = facts.bottlenecks.rows.filter { $0.hourly.count == 168 }
        PagePieces.section("Use by hour of the week", id: "heat", data: ["resources-by-hour"], &out) { section in
            guard !rows.isEmpty else {
                PagePieces.note("No resource was measured by the hour.", &section)
                return
            }
            section.element("p", ["class": "legend shades"]) { legend in
                legend.add("idle ")
                for shade in 0..<10 { legend.element("i", ["class": "q\(shade)"]) { _ in } }
                legend.add(" fully in use")
            }
            // One of a kind says most of what there is to see; the worst of each kind first, then who follows.
            var kinds = Set<ResourceRecord.Kind>()
            let firsts = rows.filter { kinds.insert($0.kind).inserted }
            let shown = Array(firsts.filter { ($0.busiest ?? 0) >= 0.01 }.prefix(8))
            let names = Set(shown.map { $0.kind.rawValue + $0.name })
            maps(shown, &section)
            let rest = rows.filter { !names.contains($0.kind.rawValue + $0.name) }
            guard !rest.isEmpty else { return }
            PagePieces.folded("\(rest.count) more resources", &section) { details in
                let most = 24
                maps(Array(rest.prefix(most)), &details)
                if rest.count > most { PagePieces.note("The others are in the numbers.", &details) }
            }
        }
    }

    private static func maps(_ rows: [BottleneckFacts.Row], _ out: inout Markup) {
        out.element("div", ["class": "maps"]) { grid in
            for row in rows {
                grid.element("figure") { figure in
                    figure.element("figcaption") { caption in
                        caption.element("strong", text: row.name)
                        caption.add(" \(row.kind.rawValue), \(percent(row.utilisation)) used")
                    }
                    figure.add(
                        HeatMap(
                            title: "Use of \(row.name) by hour and weekday",
                            description: "The busiest hour has \(percent(row.busiest)) in use.", hourly: row.hourly
                        ).svg())
                }
            }
        }
    }

    static func missed(_ facts: RunFacts, _ out: inout Markup) {
        PagePieces.section("Missed recovery points", id: "missed", data: ["missed", "recovery-points"], &out) {
            section in
            if facts.missed.total == 0 {
                PagePieces.note("None was missed.", &section)
            } else {
                let top = Double(facts.missed.rows[0].count)
                PagePieces.table(
                    "\(counted(facts.missed.total, "recovery point")) of \(counted(facts.missed.machines, "machine")), by cause",
                    [
                        .init("Error"), .init("Cause", number: false), .init("Missed"), .init("Machines"),
                        .init("First"),
                        .init("Last"),
                    ],
                    facts.missed.rows.map {
                        [
                            $0.error == 0 ? "–" : "\($0.error)", $0.cause, grouped($0.count), grouped($0.machines),
                            facts.clock.minute($0.first), facts.clock.minute($0.last),
                        ]
                    }, bars: facts.missed.rows.map { [Double($0.count) / top] }, &section)
            }
            let oldest = facts.recovery.rows.prefix(15)
            guard !oldest.isEmpty else { return }
            PagePieces.folded("The \(oldest.count) machines with the oldest newest point", &section) {
                PagePieces.table(
                    "Age of the newest recovery point at its worst",
                    [
                        .init("Machine", number: false), .init("Oldest"), .init("When"), .init("Points"),
                        .init("Days without"), .init("Of days"),
                    ],
                    oldest.map {
                        [
                            $0.name, $0.oldest?.rounded ?? "no point",
                            $0.oldest == nil ? "–" : facts.clock.minute($0.oldestAt),
                            grouped($0.points), grouped($0.daysWithout), grouped($0.days),
                        ]
                    }, &$0)
            }
        }
    }

    static func incidents(_ facts: RunFacts, _ out: inout Markup) {
        let incidents = facts.incidents
        PagePieces.section("Failures and migrations, and their cost", id: "incidents", data: ["incidents"], &out) {
            section in
            guard incidents.total.count > 0 else {
                PagePieces.note("Nothing happened.", &section)
                return
            }
            let columns: [PagePieces.Column] = [
                .init("What", number: false), .init("Times"), .init("Machines touched"), .init("Jobs broken"),
                .init("Checks caused"), .init("Read by checks"), .init("Lasted together"),
            ]
            let rows = incidents.rows.count > 1 ? incidents.rows + [incidents.total] : incidents.rows
            PagePieces.table(
                "Cost by kind", columns,
                rows.map {
                    [
                        $0.title, grouped($0.count), grouped($0.machines), grouped($0.brokenJobs), grouped($0.checks),
                        $0.checkedBytes.rounded, $0.lasted.rounded,
                    ]
                }, &section)
            let shown = incidents.list.prefix(100)
            PagePieces.folded("One by one", &section) { details in
                PagePieces.table(
                    shown.count < incidents.list.count
                        ? "The first \(shown.count) of \(grouped(incidents.list.count))" : "All incidents",
                    [
                        .init("When"), .init("What", number: false), .init("Object", number: false), .init("Lasted"),
                        .init("Machines"), .init("Jobs broken"), .init("Checks"),
                    ],
                    shown.map { incident in
                        [
                            facts.clock.minute(incident.at), incident.title, incident.object,
                            incident.ended.map { ($0 - incident.at).rounded } ?? "to the end",
                            grouped(incident.machines),
                            grouped(incident.brokenJobs), grouped(incident.checks),
                        ]
                    }, &details)
            }
        }
    }

    static func alerts(_ facts: RunFacts, _ out: inout Markup) {
        PagePieces.section("Alerts", id: "alerts", data: ["alerts"], &out) { section in
            guard !facts.alerts.isEmpty else {
                PagePieces.note("None was raised.", &section)
                return
            }
            PagePieces.table(
                "By number",
                [
                    .init("Number"), .init("Severity", number: false), .init("Cause of the first", number: false),
                    .init("Raised"), .init("Objects"), .init("Open at the end"), .init("Longest"),
                ],
                facts.alerts.map {
                    [
                        $0.id == 0 ? "–" : "\($0.id)", $0.severity.title, $0.cause, grouped($0.count),
                        grouped($0.objects),
                        grouped($0.openAtEnd), $0.longest.rounded,
                    ]
                }, &section)
        }
    }

    static func storage(_ facts: RunFacts, _ out: inout Markup) {
        let storage = facts.storage
        PagePieces.section(
            "What is kept", id: "storage", data: ["storage-by-group", "storage-by-machine"], &out
        ) { section in
            guard !storage.machines.isEmpty else {
                PagePieces.note("No replica is kept.", &section)
                return
            }
            let rows = storage.groups.count > 1 ? storage.groups + [storage.total] : storage.groups
            let top = Double(max(1, storage.groups.map(\.total.count).max() ?? 1))
            PagePieces.table(
                "By protection group: replicas, and what only recovery points hold",
                [
                    .init("Group", number: false), .init("Machines"), .init("Replicas"), .init("Recovery points"),
                    .init("Together"), .init("Points"), .init("Replicas not OK"),
                ],
                rows.map {
                    [
                        $0.name, grouped($0.machines), $0.replica.rounded, $0.points.rounded, $0.total.rounded,
                        grouped($0.pointCount), grouped($0.troubled),
                    ]
                },
                bars: storage.groups.map { [Double($0.replica.count) / top, Double($0.points.count) / top] }, &section)
            machines(storage, &section)
        }
    }

    private static func machines(_ storage: StorageFacts, _ out: inout Markup) {
        let shown = storage.machines.prefix(100)
        let top = Double(max(1, shown.first?.total.count ?? 1))
        let title =
            shown.count < storage.machines.count
            ? "The \(shown.count) largest of \(grouped(storage.machines.count)) machines"
            : counted(shown.count, "machine")
        PagePieces.folded(title, &out) { details in
            PagePieces.table(
                title,
                [
                    .init("Machine", number: false), .init("Group", number: false), .init("Replica is", number: false),
                    .init("Size"), .init("Replica"), .init("Recovery points"), .init("Points"),
                ],
                shown.map {
                    [
                        $0.name, $0.group, $0.state.title, $0.size.rounded, $0.replica.rounded, $0.points.rounded,
                        grouped($0.pointCount),
                    ]
                }, bars: shown.map { [Double($0.replica.count) / top, Double($0.points.count) / top] }, &details)
        }
    }
}
