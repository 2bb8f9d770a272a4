import Protection
import Units

extension HTMLReport {
    /// What the scenario expects, and what was seen; with the trace where it failed.
    static func expectations(_ facts: RunFacts, _ out: inout Markup) {
        guard !facts.expectations.isEmpty else { return }
        let held = facts.expectations.filter(\.held).count
        PagePieces.section("Expectations", id: "expectations", &out) { section in
            PagePieces.note("\(grouped(held)) of \(grouped(facts.expectations.count)) held.", &section)
            PagePieces.table(
                "Expectations",
                [
                    .init("Held", number: false), .init("Expected", number: false), .init("Seen", number: false),
                    .init("Written at", number: false),
                ],
                facts.expectations.map {
                    [$0.held ? "yes" : "NO", $0.expected, $0.seen, $0.expectation.place]
                }, &section)
            for verdict in facts.expectations where !verdict.held && !verdict.trace.isEmpty {
                PagePieces.folded("Around it: \(verdict.expected)", &section) { details in
                    details.element("pre", text: verdict.trace.joined(separator: "\n"))
                }
            }
        }
    }
}
