import Foundation
import Units

/// The report as files: one page that needs no network, its numbers as CSV, and every figure as JSON.
public enum HTMLReport {
    /// Writes `index.html`, `report.json`, `summary.txt` and `data/*.csv` into a directory, which is made if need be.
    ///
    /// Each file appears whole or not at all; files of an earlier report are replaced.
    /// - Returns: the path of the page.
    /// - Throws: `ReportFault`.
    @discardableResult
    public static func write(_ facts: RunFacts, to directory: String) throws -> String {
        let folder = URL(fileURLWithPath: directory, isDirectory: true)
        do {
            try FileManager.default.createDirectory(
                at: folder.appendingPathComponent("data"), withIntermediateDirectories: true)
        } catch {
            throw ReportFault(directory, "the directory cannot be made (\(ReportFault.cause(error)))")
        }
        for plot in PlotData.all(facts) { try write(plot.csv.bytes, folder.appendingPathComponent(plot.file)) }
        try write(Array(ReportJSON.text(facts).utf8), folder.appendingPathComponent("report.json"))
        try write(Array(Summary.text(facts).utf8), folder.appendingPathComponent("summary.txt"))
        let page = folder.appendingPathComponent("index.html")
        try write(self.page(facts).bytes, page)
        return page.path
    }

    private static func write(_ bytes: [UInt8], _ url: URL) throws {
        do {
            try Data(bytes).write(to: url, options: .atomic)
        } catch {
            throw ReportFault(url.path, ReportFault.cause(error))
        }
    }

    /// The page's text.
    public static func text(_ facts: RunFacts) -> String { page(facts).text }

    static func page(_ facts: RunFacts) -> Markup {
        var out = Markup()
        out.add(raw: "<!DOCTYPE html>\n")
        out.element("html", ["lang": "en"]) { html in
            html.element("head") { head in
                head.empty("meta", ["charset": "utf-8"])
                head.empty("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"])
                head.empty("meta", ["name": "color-scheme", "content": "light dark"])
                head.empty("link", ["rel": "icon", "href": "data:,"])
                head.element("title", text: "\(facts.name): dpmsim report")
                head.element("style") { $0.add(raw: PageStyle.sheet) }
            }
            html.element("body") { body in
                header(facts, &body)
                body.element("main") { main in
                    verdicts(facts, &main)
                    expectations(facts, &main)
                    window(facts, &main)
                    pool(facts, &main)
                    bottlenecks(facts, &main)
                    heat(facts, &main)
                    durations(facts, &main)
                    missed(facts, &main)
                    recoveries(facts, &main)
                    tapes(facts, &main)
                    incidents(facts, &main)
                    alerts(facts, &main)
                    storage(facts, &main)
                    inputs(facts, &main)
                    proof(facts, &main)
                }
                body.element("footer") { footer in
                    footer.add("Every figure of this page: ")
                    footer.element("a", ["href": "report.json"], text: "report.json")
                    footer.add(". Written by dpmsim \(facts.version).")
                }
            }
        }
        out.add(raw: "\n")
        return out
    }

    private static func header(_ facts: RunFacts, _ out: inout Markup) {
        out.element("header") { header in
            header.element("p", ["class": "kicker"], text: "dpmsim capacity report")
            header.element("h1", text: facts.name)
            header.element("p", ["class": "facts"]) { line in
                let machines = facts.inputs.counts.first { $0.noun == "machines" }?.count ?? 0
                let span = SimDuration(nanoseconds: facts.finishedAt.nanoseconds).rounded
                line.add(
                    "\(counted(machines, "machine")) · \(span) from \(facts.clock.day(0)) · seed \(facts.seed) · "
                        + counted(facts.jobCounts.reduce(0) { $0 + $1.total }, "job"))
            }
            let stuck = facts.stuckJobs
            if !stuck.isEmpty {
                header.element("div", ["class": "alarm", "role": "alert"]) { box in
                    box.element("strong", text: "The run is stuck: nothing was left to happen while jobs waited.")
                    box.element("ul") { list in for job in stuck.prefix(20) { list.element("li", text: job) } }
                }
            }
        }
    }

    private static func verdicts(_ facts: RunFacts, _ out: inout Markup) {
        out.element("section", ["class": "verdicts", "aria-label": "Verdicts"]) { section in
            for verdict in facts.verdicts {
                section.element("article", ["class": "card \(style(verdict.answer))"]) { card in
                    card.element("h2") { title in
                        title.element("span", text: verdict.question.rawValue)
                        title.add(" ")
                        title.element("span", ["class": "badge"], text: word(verdict.answer))
                    }
                    card.element("p", ["class": "headline"], text: unbroken(verdict.headline) + ".")
                    if !verdict.advice.isEmpty {
                        card.element("p", ["class": "advice"], text: unbroken("→ " + verdict.advice) + ".")
                    }
                    card.element("dl") { list in
                        for figure in verdict.figures {
                            list.element("div") { pair in
                                pair.element("dt", text: figure.name)
                                pair.element("dd", text: unbroken(figure.value))
                            }
                        }
                    }
                }
            }
        }
    }

    // Keeps a number and its sign on one line.
    private static func unbroken(_ text: String) -> String { text.replacing(" %", with: "\u{A0}%") }

    private static func style(_ answer: Verdict.Answer) -> String {
        switch answer {
        case .met: "met"
        case .missed: "missed"
        case .noGoal, .undecided: "open"
        }
    }
    private static func word(_ answer: Verdict.Answer) -> String {
        switch answer {
        case .met: "✓ met"
        case .missed: "✗ missed"
        case .noGoal: "no goal"
        case .undecided: "nothing to decide"
        }
    }
}
