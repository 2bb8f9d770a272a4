import Protection
import Units

// The sections that show the run along time.
extension HTMLReport {
    static func window(_ facts: RunFacts, _ out: inout Markup) {
        PagePieces.section(
            "Nights and the backup window", id: "window", data: ["nights", "worst-night", "recovery-points"], &out
        ) { section in
            guard let night = facts.worstNight else {
                PagePieces.note("No backup was due.", &section)
                return
            }
            if facts.window.nights.count > 1 {
                PagePieces.plot(
                    nights(facts), legend: [("until the last backup ended", "f1")],
                    title: "Length of each night's backups",
                    &section)
            }
            let day = facts.clock.day(night.night.day)
            let name = night.hasWindow ? "The worst night, \(day)" : "The busiest night, \(day)"
            PagePieces.plot(
                load(night, facts), legend: [("running", "f1"), ("due, waiting for slots", "f2")],
                title: "\(name): backups running and waiting", &section)
            let kinds = Set(night.sections.flatMap { $0.lanes.joined().map(\.kind) })
            var legend: [(name: String, colour: String)] = []
            for kind in JobKind.allCases where kinds.contains(kind) {
                legend.append((kind.title, "f\(Gantt.colour(kind))"))
            }
            legend += [("before the transfer", "pale f1"), ("failed", "fx")]
            let chart = Gantt(
                title: "\(name): jobs", description: "\(counted(night.jobs, "job")) in lanes by host, along time.",
                clock: facts.clock, from: night.from, to: night.to,
                closes: night.hasWindow && night.night.closes < night.to ? night.night.closes : nil,
                sections: night.sections)
            PagePieces.plot(
                chart.svg(), legend: legend, title: "\(name): \(counted(night.jobs, "job")) by host", &section)
            if night.isCut { PagePieces.note("Backups of this night went on after what is shown.", &section) }
            if night.sections.reduce(0, { $0 + $1.lanes.count }) > Gantt.mostLanes {
                PagePieces.note("Only the first \(Gantt.mostLanes) lanes are drawn; the numbers have all.", &section)
            }
        }
    }

    private static func nights(_ facts: RunFacts) -> Markup {
        let nights = facts.window.nights
        var limits: [TimeChart.Limit] = []
        if let window = facts.window.window {
            limits.append(.init(name: "end of the window", value: window.duration.seconds, isDashed: false))
        }
        let chart = TimeChart(
            title: "Length of each night's backups",
            description: "Time from the window's opening until the last backup ended, for \(nights.count) nights.",
            clock: facts.clock, unit: .duration, from: nights[0].opens, to: nights[nights.count - 1].opens + .days(1),
            series: [
                .init(
                    name: "last backup", colour: 1, points: nights.map { ($0.opens, ($0.lastEnd - $0.opens).seconds) })
            ], isStepped: true, limits: limits, height: 200)
        return chart.svg()
    }

    private static func load(_ night: NightFacts, _ facts: RunFacts) -> Markup {
        let shown = night.load(inSlices: 240)
        let chart = TimeChart(
            title: "Backups running and waiting",
            description:
                "At most \(night.load.map(\.running).max() ?? 0) running, \(night.load.map(\.waiting).max() ?? 0) waiting.",
            clock: facts.clock, unit: .count, from: night.from, to: night.to,
            series: [
                .init(name: "running", colour: 1, points: shown.map { ($0.at, $0.running) }),
                .init(name: "waiting", colour: 2, points: shown.map { ($0.at, $0.waiting) }),
            ], isStacked: true, isStepped: true,
            marks: night.hasWindow && night.night.closes < night.to
                ? [.init(name: "window closes", at: night.night.closes)] : [], height: 180)
        return chart.svg()
    }

    static func pool(_ facts: RunFacts, _ out: inout Markup) {
        let pool = facts.pool
        PagePieces.section("Storage pool", id: "pool", data: ["pool"], &out) { section in
            guard pool.capacity > .zero, let first = pool.days.first, let last = pool.days.last else {
                PagePieces.note("There is no storage pool, or nothing was kept in it.", &section)
                return
            }
            var marks: [TimeChart.Mark] = []
            if let full = pool.fullAt { marks.append(.init(name: "a volume is full", at: full)) }
            if let over = pool.overGoalAt, pool.fullAt == nil { marks.append(.init(name: "over the goal", at: over)) }
            let clock = facts.clock
            var end = clock.time(of: clock.startDate.adding(days: last.day))
            var series = [
                TimeChart.Series(
                    name: "used", colour: 1,
                    points: pool.days.map {
                        (clock.time(of: clock.startDate.adding(days: $0.day)), Double($0.used.count))
                    })
            ]
            var legend: [(name: String, colour: String)] = [("used, greatest of each day", "f1")]
            // Shown as far as the run is long again; what lies further off is in the text.
            if case .full(let days) = pool.forecast, days > 0, days <= last.day - first.day,
                let growth = pool.growthPerDay
            {
                let full = clock.time(of: clock.startDate.adding(days: last.day + days))
                let start = max(0, Double(pool.capacity.count) - growth * Double(days))
                series.append(
                    .init(name: "forecast", colour: 2, points: [(end, start), (full, Double(pool.capacity.count))]))
                legend.append(("forecast", "f2"))
                marks.append(.init(name: "full by forecast \(clock.day(last.day + days))", at: full))
                end = full
            }
            let chart = TimeChart(
                title: "Storage pool used",
                description:
                    "At most \(pool.peak.rounded) of \(pool.capacity.rounded), at the end \(pool.atEnd.rounded).",
                clock: clock, unit: .bytes, from: clock.time(of: clock.startDate.adding(days: first.day)), to: end,
                series: series,
                limits: [
                    .init(
                        name: "capacity \(pool.capacity.rounded)", value: Double(pool.capacity.count), isDashed: false),
                    .init(
                        name: "goal \(pool.goal)", value: Double(pool.capacity.scaled(by: pool.goal).count),
                        isDashed: true),
                ], marks: marks)
            PagePieces.plot(chart.svg(), legend: legend, title: "Used over time", &section)
            PagePieces.table(
                "Volumes of the pool",
                [
                    .init("Volume", number: false), .init("Capacity"), .init("Peak"), .init("Peak share"),
                    .init("At the end"), .init("Full"),
                ],
                pool.volumes.map {
                    [
                        $0.name, $0.capacity.rounded, $0.peak.rounded, percent($0.peakShare), $0.atEnd.rounded,
                        $0.fullAt.map { clock.minute($0) } ?? "never",
                    ]
                }, bars: pool.volumes.map { [$0.peakShare ?? 0] }, &section)
        }
    }

    static func tapes(_ facts: RunFacts, _ out: inout Markup) {
        let tapes = facts.tapes
        PagePieces.section("Tapes", id: "tapes", data: ["tapes"], &out) { section in
            guard tapes.isUsed, let first = tapes.days.first, let last = tapes.days.last else {
                PagePieces.note("No tape was used.", &section)
                return
            }
            // What is in use at the bottom; free cartridges fill up to all there are.
            let order: [CartridgeState] = [.active, .full, .offsiteReady, .suspect, .expired, .free]
            let clock = facts.clock
            let shown = order.filter { state in
                tapes.days.contains {
                    $0.counts.indices.contains(Int(state.rawValue)) && $0.counts[Int(state.rawValue)] > 0
                }
            }
            func colour(_ state: CartridgeState) -> Int {
                switch state {
                case .active: 1
                case .full: 4
                case .offsiteReady: 3
                case .suspect: 2
                case .expired: 5
                case .free: 7
                }
            }
            let chart = TimeChart(
                title: "Cartridges by state",
                description: "At most \(tapes.peak) in use of \(tapes.total); at the end \(tapes.freeAtEnd) free.",
                clock: clock, unit: .count, from: clock.time(of: clock.startDate.adding(days: first.day)),
                to: clock.time(of: clock.startDate.adding(days: last.day + 1)),
                series: shown.map { state in
                    .init(
                        name: state.title, colour: colour(state),
                        points: tapes.days.map {
                            (
                                clock.time(of: clock.startDate.adding(days: $0.day)),
                                Double($0.counts[Int(state.rawValue)])
                            )
                        })
                }, isStacked: true, isStepped: true,
                limits: tapes.isLimitFromGoals ? [.init(name: "goal", value: Double(tapes.limit), isDashed: true)] : [])
            PagePieces.plot(
                chart.svg(), legend: shown.map { ($0.title, "f\(colour($0))") }, title: "Cartridges by state", &section)
            PagePieces.note(
                "\(grouped(tapes.jobs)) tape jobs (\(grouped(tapes.failedJobs)) not completed) wrote "
                    + "\(tapes.written.rounded) on \(counted(tapes.cartridgesWritten, "cartridge")) in "
                    + "\(counted(tapes.mounts, "mount")), with \(counted(tapes.backHitches, "back-hitch", plural: "back-hitches")).",
                &section)
        }
    }

    static func durations(_ facts: RunFacts, _ out: inout Markup) {
        PagePieces.section("Job durations", id: "durations", data: ["durations"], &out) { section in
            guard !facts.durations.isEmpty else {
                PagePieces.note("No job completed.", &section)
                return
            }
            // Percentiles of a few jobs are steps; the server's own chores are no jobs a planner waits for.
            let chores: [JobKind] = [.summary, .inventory, .migration]
            let plotted = facts.durations.filter { $0.count >= 20 && !chores.contains($0.kind) }.sorted {
                $0.count > $1.count
            }.prefix(6)
            if !plotted.isEmpty {
                let series = plotted.enumerated().map { index, row in
                    PercentileChart.Series(name: row.kind.title, colour: index + 1, values: row.curve)
                }
                let chart = PercentileChart(
                    title: "Durations by percentile",
                    description: "From due to end, per kind of job, on a logarithmic axis.", series: series)
                PagePieces.plot(
                    chart.svg(), legend: series.map { ($0.name, "f\($0.colour)") },
                    title: "From due to end: this share of the jobs took at most so long", &section)
            }
            PagePieces.table(
                "Completed jobs by exact percentile",
                [.init("Kind", number: false), .init("Part", number: false), .init("Jobs")]
                    + ["Median", "90 %", "95 %", "99 %", "Longest"].map { .init($0) },
                facts.durations.flatMap { row in
                    DurationFacts.Part.allCases.map { part in
                        [
                            part == .waiting ? row.kind.title : "", part.rawValue,
                            part == .waiting ? grouped(row.count) : "",
                        ] + row[part].map(brief)
                    }
                }, &section)
            PagePieces.table(
                "All jobs",
                [.init("Kind", number: false)]
                    + [
                        "Jobs", "Completed", "Failed", "Reruns", "Open", "Changed", "Sent", "Stored",
                        "Pause, all machines",
                    ]
                    .map { .init($0) },
                facts.jobCounts.map {
                    [
                        $0.kind.title, grouped($0.total), grouped($0.completed), grouped($0.failed), grouped($0.reruns),
                        grouped($0.open), $0.changed.rounded, $0.sent.rounded, $0.stored.rounded, brief($0.downtime),
                    ]
                }, &section)
        }
    }
}
