import Protection
import Units

/// The numbers of each plot and table, as a CSV file.
struct PlotData {
    /// `data/pool.csv`, relative to the page.
    let file: String
    let csv: CSVText

    static func all(_ facts: RunFacts) -> [PlotData] {
        [
            nights(facts), recovery(facts), pool(facts), worstNight(facts), heat(facts), durations(facts),
            bottlenecks(facts), missed(facts), recoveries(facts), tapes(facts), incidents(facts), alerts(facts),
            groups(facts),
            machines(facts),
        ]
    }

    private init(_ name: String, _ headings: [String], _ rows: [[String]]) {
        file = "data/\(name).csv"
        var csv = CSVText(headings)
        for row in rows { csv.add(row) }
        self.csv = csv
    }

    private static func time(_ time: SimTime?, _ facts: RunFacts) -> String {
        guard let time, time != .never else { return "" }
        let words = facts.clock.text(time).split(separator: " ")
        return "\(words[1]) \(words[2])"
    }
    private static func seconds(_ duration: SimDuration) -> String { "\(duration.seconds)" }
    private static func optional(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }

    private static func nights(_ facts: RunFacts) -> PlotData {
        PlotData(
            "nights", ["night", "due", "inside", "undecided", "window_end", "last_end", "late_seconds"],
            facts.window.nights.map {
                [
                    "\(facts.clock.startDate.adding(days: $0.day))", "\($0.due)", "\($0.inside)", "\($0.undecided)",
                    time($0.closes, facts), time($0.lastEnd, facts), seconds($0.lateness),
                ]
            })
    }
    private static func recovery(_ facts: RunFacts) -> PlotData {
        PlotData(
            "recovery-points", ["machine", "points", "oldest_seconds", "oldest_at", "days", "days_without"],
            facts.recovery.rows.map {
                [
                    $0.name, "\($0.points)", $0.oldest.map(seconds) ?? "",
                    $0.oldest == nil ? "" : time($0.oldestAt, facts), "\($0.days)", "\($0.daysWithout)",
                ]
            })
    }
    private static func pool(_ facts: RunFacts) -> PlotData {
        PlotData(
            "pool", ["day", "used_bytes", "capacity_bytes"],
            facts.pool.days.map {
                [
                    "\(facts.clock.startDate.adding(days: $0.day))", "\($0.used.count)", "\(facts.pool.capacity.count)",
                ]
            })
    }
    private static func worstNight(_ facts: RunFacts) -> PlotData {
        PlotData(
            "worst-night",
            [
                "section", "lane", "kind", "machine", "status", "due", "started", "transfer_started", "ended",
                "sent_bytes",
            ],
            (facts.worstNight?.sections ?? []).flatMap { section in
                section.lanes.enumerated().flatMap { lane, bars in
                    bars.map { bar in
                        [
                            section.title, "\(lane + 1)", bar.kind.title, bar.machine, bar.status.title,
                            time(bar.due, facts), time(bar.started, facts), time(bar.transferStarted, facts),
                            time(bar.ended, facts), "\(bar.sent.count)",
                        ]
                    }
                }
            })
    }
    private static func heat(_ facts: RunFacts) -> PlotData {
        PlotData(
            "resources-by-hour", ["resource", "kind", "weekday", "hour", "share_in_use"],
            facts.bottlenecks.rows.flatMap { row in
                row.hourly.enumerated().map { hour, share in
                    [row.name, row.kind.rawValue, Weekday.allCases[hour / 24 % 7].short, "\(hour % 24)", "\(share)"]
                }
            })
    }
    private static func durations(_ facts: RunFacts) -> PlotData {
        PlotData(
            "durations", ["kind", "percentile", "seconds"],
            facts.durations.flatMap { row in
                row.curve.enumerated().map { [row.kind.title, "\($0.offset + 1)", seconds($0.element)] }
            })
    }
    private static func bottlenecks(_ facts: RunFacts) -> PlotData {
        PlotData(
            "bottlenecks", ["resource", "kind", "capacity", "bound_seconds", "share", "utilisation"],
            facts.bottlenecks.rows.map {
                [
                    $0.name, $0.kind.rawValue, "\($0.capacity)", "\($0.boundSeconds)", optional($0.share),
                    optional($0.utilisation),
                ]
            })
    }
    private static func missed(_ facts: RunFacts) -> PlotData {
        PlotData(
            "missed", ["error", "cause", "count", "machines", "first", "last"],
            facts.missed.rows.map {
                [
                    "\($0.error)", $0.cause, "\($0.count)", "\($0.machines)", time($0.first, facts),
                    time($0.last, facts),
                ]
            })
    }
    private static func recoveries(_ facts: RunFacts) -> PlotData {
        PlotData(
            "recoveries",
            [
                "machine", "asked", "point", "age_seconds", "from", "tapes", "what", "to", "completed", "error",
                "duration_seconds", "bytes",
            ],
            facts.recoveries.rows.map {
                [
                    $0.machine, time($0.asked, facts), time($0.point, facts), $0.age.map(seconds) ?? "", $0.source,
                    $0.tapes.joined(separator: " "), $0.what, $0.destination, $0.hasCompleted ? "yes" : "no",
                    "\($0.error)", $0.duration.map(seconds) ?? "", "\($0.bytes.count)",
                ]
            })
    }
    private static func tapes(_ facts: RunFacts) -> PlotData {
        PlotData(
            "tapes", ["day"] + CartridgeState.allCases.map(\.title),
            facts.tapes.days.map { day in
                ["\(facts.clock.startDate.adding(days: day.day))"] + day.counts.map { "\($0)" }
            })
    }
    private static func incidents(_ facts: RunFacts) -> PlotData {
        PlotData(
            "incidents", ["at", "ended", "title", "object", "machines", "broken_jobs", "checks", "checked_bytes"],
            facts.incidents.list.map {
                [
                    time($0.at, facts), time($0.ended, facts), $0.title, $0.object, "\($0.machines)",
                    "\($0.brokenJobs)",
                    "\($0.checks)", "\($0.checkedBytes.count)",
                ]
            })
    }
    private static func alerts(_ facts: RunFacts) -> PlotData {
        PlotData(
            "alerts", ["id", "severity", "cause", "count", "objects", "open_at_end", "longest_seconds"],
            facts.alerts.map {
                [
                    "\($0.id)", $0.severity.title, $0.cause, "\($0.count)", "\($0.objects)", "\($0.openAtEnd)",
                    seconds($0.longest),
                ]
            })
    }
    private static func groups(_ facts: RunFacts) -> PlotData {
        PlotData(
            "storage-by-group", ["group", "machines", "replica_bytes", "point_bytes", "points"],
            facts.storage.groups.map {
                [$0.name, "\($0.machines)", "\($0.replica.count)", "\($0.points.count)", "\($0.pointCount)"]
            })
    }
    private static func machines(_ facts: RunFacts) -> PlotData {
        PlotData(
            "storage-by-machine",
            ["machine", "group", "state", "size_bytes", "replica_bytes", "point_bytes", "points"],
            facts.storage.machines.map {
                [
                    $0.name, $0.group, $0.state.title, "\($0.size.count)", "\($0.replica.count)", "\($0.points.count)",
                    "\($0.pointCount)",
                ]
            })
    }
}
