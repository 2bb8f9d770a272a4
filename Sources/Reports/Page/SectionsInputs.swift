import Protection
import Units

// The sections that say what the run was, so that it can be judged and repeated.
extension HTMLReport {
    static func inputs(_ facts: RunFacts, _ out: inout Markup) {
        let inputs = facts.inputs
        PagePieces.section("Inputs", id: "inputs", &out) { section in
            section.element("dl", ["class": "wide"]) { list in
                let goals = facts.goals
                let rows: [(name: String, value: String)] =
                    [
                        (
                            "There are",
                            inputs.counts.filter { $0.count > 0 }.map { "\(grouped($0.count)) \($0.noun)" }
                                .joined(separator: ", ")
                        )
                    ] + inputs.totals + [
                        (
                            "Goal: window",
                            goals.window.map { "\(goals.windowShare) of backups inside \($0.start) + \($0.duration)" }
                                ?? "none"
                        ),
                        ("Goal: newest recovery point", goals.recoveryPointAge.map { "at most \($0) old" } ?? "none"),
                        ("Goal: pool", "at most \(goals.poolShare) used"),
                        ("Goal: cartridges in use", goals.cartridges.map { "at most \($0)" } ?? "those there are"),
                    ]
                for row in rows {
                    list.element("div") { pair in
                        pair.element("dt", text: row.name)
                        pair.element("dd", text: row.value)
                    }
                }
            }
            for sheet in inputs.sheets {
                PagePieces.folded("\(sheet.title) (\(sheet.rows.count))", &section) { details in
                    PagePieces.table(
                        sheet.rows.count > 200 ? "\(sheet.title), the first 200" : sheet.title,
                        sheet.columns.enumerated().map { index, title in
                            .init(title, number: sheet.rows.allSatisfy { row in row[index].first?.isNumber == true })
                        }, Array(sheet.rows.prefix(200)), &details)
                }
            }
            let changed = inputs.constants.filter { !$0.isDefault }.count
            PagePieces.folded(
                "Constants of the cost models (\(changed == 0 ? "all defaults" : "\(changed) set by the scenario"))",
                &section
            ) { details in
                PagePieces.table(
                    "Constants",
                    [
                        .init("Key", number: false), .init("Value"), .init("Set by", number: false),
                        .init("Meaning", number: false), .init("Source of the default", number: false),
                    ],
                    inputs.constants.map {
                        [$0.key, $0.value, $0.isDefault ? "default" : "scenario", $0.meaning, $0.source]
                    }, &details)
            }
            if !facts.refusals.isEmpty {
                PagePieces.table(
                    "Refused before the start",
                    [
                        .init("Error"), .init("Rule", number: false), .init("Object", number: false),
                        .init("Cause", number: false), .init("Action", number: false),
                    ],
                    facts.refusals.prefix(100).map {
                        [$0.id == 0 ? "–" : "\($0.id)", "\($0.rule)", $0.object, $0.cause, $0.action]
                    }, &section)
            }
        }
    }

    static func proof(_ facts: RunFacts, _ out: inout Markup) {
        PagePieces.section("This run", id: "run", &out) { section in
            section.element("dl", ["class": "wide"]) { list in
                let rows: [(name: String, value: String)] = [
                    ("Program", "dpmsim \(facts.version)"),
                    ("Called with", facts.arguments.isEmpty ? "–" : facts.arguments.joined(separator: " ")),
                    ("Seed", "\(facts.seed)"),
                    ("Simulated", "\(facts.clock.text(.start)) to \(facts.clock.text(facts.finishedAt))"),
                    ("Asked for", facts.duration.description),
                    ("Events", grouped(facts.eventCount)), ("Transfers", grouped(facts.transferCount)),
                    ("Trace hash", facts.traceHash), ("Jobs open at the end", grouped(facts.openJobs)),
                    ("Repetitions", "one: a distribution over seeds needs more runs"),
                ]
                for row in rows {
                    list.element("div") { pair in
                        pair.element("dt", text: row.name)
                        pair.element("dd", text: row.value)
                    }
                }
            }
            guard !facts.audit.isEmpty else { return }
            PagePieces.table(
                "Audit: what must be equal at the end",
                [.init("Line", number: false), .init("Left"), .init("Right"), .init("Holds", number: false)],
                facts.audit.map { [$0.name, grouped($0.left), grouped($0.right), $0.holds ? "✓ yes" : "✗ NO"] },
                &section)
        }
    }
}
