import Protection
import Units

/// What was recovered, and how long it took; only where something was.
extension HTMLReport {
    static func recoveries(_ facts: RunFacts, _ out: inout Markup) {
        guard !facts.recoveries.rows.isEmpty else { return }
        PagePieces.section("Recoveries", id: "recoveries", data: ["recoveries"], &out) { section in
            let failed = facts.recoveries.failed
            PagePieces.note(
                counted(facts.recoveries.rows.count, "recovery", plural: "recoveries")
                    + (failed == 0 ? "" : ", \(grouped(failed)) failed")
                    + (facts.recoveries.longest.map { "; the longest took \(brief($0))" } ?? "") + ".", &section)
            PagePieces.table(
                "Recoveries, as they ended",
                [
                    .init("Machine", number: false), .init("Asked"), .init("Recovery point"), .init("Age"),
                    .init("From", number: false), .init("What", number: false), .init("To", number: false),
                    .init("Outcome", number: false), .init("Time"), .init("Bytes"),
                ],
                facts.recoveries.rows.map { row in
                    [
                        row.machine, facts.clock.minute(row.asked), row.point.map(facts.clock.minute) ?? "–",
                        row.age.map(brief) ?? "–",
                        row.source + (row.tapes.isEmpty ? "" : " (\(row.tapes.joined(separator: ", ")))"), row.what,
                        row.destination,
                        row.hasCompleted
                            ? (["done"] + row.remarks).joined(separator: ". ") : "failed (\(row.error)): \(row.cause)",
                        row.duration.map(brief) ?? "–", row.hasCompleted ? row.bytes.rounded : "–",
                    ]
                }, &section)
        }
    }
}
