import Protection
import Units

/// What the terminal says at the end of a run: verdicts first, then what to do, then counts.
public enum Summary {
    /// - Parameters:
    ///   - colours: escape sequences for a terminal; plain text without.
    ///   - width: where sentences are broken.
    public static func text(_ facts: RunFacts, colours: Bool = false, width: Int = 100) -> String {
        var lines = [heading(facts), ""]
        for verdict in facts.verdicts { lines += line(verdict, colours, width) }
        lines += expectations(facts, colours)
        lines += [""] + bottleneck(facts, width)
        lines += problems(facts, width)
        lines += [""] + jobs(facts)
        if facts.incidents.total.count > 0 { lines += [""] + incidents(facts) }
        lines += ["", proof(facts)]
        return lines.joined(separator: "\n") + "\n"
    }

    private static func heading(_ facts: RunFacts) -> String {
        let machines = facts.inputs.counts.first { $0.noun == "machines" }?.count ?? 0
        return TextTable.oneLine(facts.name) + ": \(counted(machines, "machine")), "
            + "\(SimDuration(nanoseconds: facts.finishedAt.nanoseconds).rounded) from \(facts.clock.startDate), seed \(facts.seed)"
    }

    private static func line(_ verdict: Verdict, _ colours: Bool, _ width: Int) -> [String] {
        let (mark, code) =
            switch verdict.answer {
            case .met: ("met", "32")
            case .missed: ("MISSED", "31")
            case .noGoal: ("no goal", "36")
            case .undecided: ("–", "36")
            }
        let padded = mark + String(repeating: " ", count: 8 - mark.count)
        let name = verdict.question.rawValue
        let head =
            (colours ? "\u{1B}[1;\(code)m\(padded)\u{1B}[0m" : padded) + name
            + String(repeating: " ", count: 17 - name.count)
        let indent = String(repeating: " ", count: 25)
        var text = wrap(verdict.headline, width - 25)
        if !verdict.advice.isEmpty { text += wrap("→ " + verdict.advice, width - 25) }
        return text.enumerated().map { $0.offset == 0 ? head + $0.element : indent + $0.element }
    }

    /// What failed with its evidence, and how many held.
    private static func expectations(_ facts: RunFacts, _ colours: Bool) -> [String] {
        guard !facts.expectations.isEmpty else { return [] }
        let failed = facts.expectations.filter { !$0.held }
        var lines = [
            "",
            "Expectations: \(grouped(facts.expectations.count - failed.count)) of \(grouped(facts.expectations.count)) held.",
        ]
        for verdict in failed {
            let place = TextTable.oneLine(verdict.expectation.place)
            lines.append((colours ? "\u{1B}[1;31mFAILED\u{1B}[0m" : "FAILED") + "  \(place)")
            lines.append("  expected  " + TextTable.oneLine(verdict.expected))
            lines.append("  seen      " + TextTable.oneLine(verdict.seen))
            lines += verdict.trace.map { "            " + TextTable.oneLine($0) }
        }
        return lines
    }

    private static func bottleneck(_ facts: RunFacts, _ width: Int) -> [String] {
        guard let first = facts.bottlenecks.first else { return ["Bottleneck: none; no job was held back."] }
        let share = percent(first.share)
        var text = wrap(
            "Bottleneck: \(first.kind.rawValue), which held jobs back for \(share) of all time lost to sharing"
                + (first.count > 1 ? ", most of all \(first.worst)" : " (\(first.worst))") + ".", width)
        text += wrap("→ \(first.kind.remedy).", width - 2).map { "  " + $0 }
        return text
    }

    private static func problems(_ facts: RunFacts, _ width: Int) -> [String] {
        var lines: [String] = []
        let jobs = facts.stuckJobs
        if !jobs.isEmpty {
            lines += wrap(
                "The run is stuck: nothing was left to happen, but \(counted(jobs.count, "job")) waited:", width)
            lines += jobs.prefix(10).flatMap { wrap("- " + $0, width - 2) }.map { "  " + $0 }
        }
        if let cause = facts.missed.rows.first {
            lines += wrap(
                "Missed recovery points: \(grouped(facts.missed.total)) on \(counted(facts.missed.machines, "machine")); "
                    + "most often (\(grouped(cause.count))): \(cause.cause).", width)
        }
        if let failed = facts.recoveries.rows.first(where: { !$0.hasCompleted }) {
            lines += wrap(
                "Recoveries failed: \(grouped(facts.recoveries.failed)) of \(grouped(facts.recoveries.rows.count)); the first: "
                    + "\(failed.machine), error \(failed.error): \(failed.cause).", width)
        }
        if !facts.refusals.isEmpty {
            lines += wrap(
                "Refused: \(counted(facts.refusals.count, "machine or option", plural: "machines or options")); "
                    + "the first: \(facts.refusals[0])", width)
        }
        let open = facts.alerts.reduce(0) { $0 + $1.openAtEnd }
        let critical = facts.alerts.filter { $0.severity == .critical }.reduce(0) { $0 + $1.count }
        if !facts.alerts.isEmpty {
            let all = facts.alerts.reduce(0) { $0 + $1.count }
            lines.append("Alerts: \(grouped(all)), critical \(grouped(critical)), open at the end \(grouped(open)).")
        }
        return lines.isEmpty ? [] : [""] + lines.map { TextTable.oneLine($0) }
    }

    private static func jobs(_ facts: RunFacts) -> [String] {
        guard !facts.jobCounts.isEmpty else { return ["No job ran."] }
        var table = TextTable([
            ("Jobs", .left), ("all", .right), ("failed", .right), ("open", .right), ("median", .right),
            ("95 %", .right),
            ("longest", .right), ("sent", .right), ("stored", .right),
        ])
        for count in facts.jobCounts {
            let times = facts.durations.first { $0.kind == count.kind }?.total
            table.add([
                count.kind.title, grouped(count.total), grouped(count.failed), grouped(count.open),
                times.map { brief($0[0]) } ?? "–", times.map { brief($0[2]) } ?? "–", times.map { brief($0[4]) } ?? "–",
                count.sent.rounded,
                count.stored.rounded,
            ])
        }
        return table.lines()
    }

    private static func incidents(_ facts: RunFacts) -> [String] {
        var table = TextTable([
            ("Incidents", .left), ("count", .right), ("machines", .right), ("broken jobs", .right), ("checks", .right),
            ("checked", .right),
        ])
        for row in facts.incidents.rows {
            table.add([
                row.title, grouped(row.count), grouped(row.machines), grouped(row.brokenJobs), grouped(row.checks),
                row.checkedBytes.rounded,
            ])
        }
        return table.lines()
    }

    private static func proof(_ facts: RunFacts) -> String {
        let broken = facts.audit.filter { !$0.holds }
        let audit =
            facts.audit.isEmpty
            ? "no audit"
            : broken.isEmpty
                ? "all \(facts.audit.count) audit lines agree"
                : "AUDIT BROKEN: "
                    + broken.map { "\($0.name) (\($0.left) against \($0.right))" }.joined(separator: "; ")
        return TextTable.oneLine("\(grouped(facts.eventCount)) events, trace \(facts.traceHash); \(audit).")
    }

    /// Breaks a sentence at blanks so that no line is longer, as far as its words allow.
    static func wrap(_ text: String, _ width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in TextTable.oneLine(text).split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > max(20, width) {
                lines.append(line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " " + word
        }
        return lines + [line]
    }
}
