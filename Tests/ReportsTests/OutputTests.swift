import Catalog
import Foundation
import Protection
import Testing
import Units

@testable import Reports

// swift-testing has an Expectation of its own.
private typealias Expected = Protection.Expectation

@Suite struct OutputTests {
    private static let hostile = "<script>alert(1)</script>\"'&\u{1B}[31m\n=1+1"

    private var hostileFacts: RunFacts {
        var run = SmallRun(machines: [Self.hostile])
        run.setting.name = Self.hostile
        run.setting.world.hosts[0].name = Self.hostile
        run.setting.world.groups[0].name = Self.hostile
        run.backup(due: 20, end: 22)
        run.chronicle.note(MissedPoint(machine: 0, due: .start, error: 1, cause: Self.hostile))
        run.chronicle.note(
            AlertRecord(id: 1, severity: .warning, object: Self.hostile, cause: Self.hostile, raised: .start))
        run.chronicle.note(IncidentRecord(at: .start, title: Self.hostile, object: Self.hostile))
        run.pool(capacity: .gigabytes(1), [(0, .megabytes(5)), (1, .megabytes(6))])
        run.setting.world.poolVolumes[0].name = Self.hostile
        run.outcome.replicas = [
            ReplicaRecord(
                machine: 0, group: 0, volume: 0, state: .ok, replica: .gigabytes(5), points: .zero, pointCount: 1)
        ]
        run.outcome.resources = [
            ResourceRecord(
                name: Self.hostile, kind: .poolVolume, capacity: 1, carried: 1, boundSeconds: 1,
                hourly: Array(repeating: 0.5, count: 168))
        ]
        run.outcome.end = .stuck([Self.hostile])
        var expectation = Expected(.machines([Ref(0)]), .replica(.missing), .always(from: .at(.start), to: .end))
        (expectation.note, expectation.place) = (Self.hostile, Self.hostile)
        run.setting.expectations = [expectation]
        return run.facts
    }

    @Test("Hostile names come out as text on the page")
    func escaped() {
        let page = HTMLReport.text(hostileFacts)
        #expect(!page.contains("<script"))
        #expect(!page.contains("\u{1B}"))
        #expect(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"))
    }

    @Test("The page is well-formed, names what it shows, and asks nothing of a network")
    func page() throws {
        for page in [HTMLReport.text(SyntheticMonth().facts), HTMLReport.text(hostileFacts)] {
            #expect(page.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\">"))
            for part in ["<main>", "<title>", "<desc>", "href=\"data:,\"", "prefers-color-scheme:dark", "@media print"]
            {
                #expect(page.contains(part))
            }
            #expect(!page.contains("http://"))
            #expect(!page.contains("https://"))
            #expect(!page.contains("NaN") && !page.contains("nan\""))
            #expect(Tags.unbalanced(page) == nil)
        }
    }

    @Test("what a scenario expects stands in summary, page and JSON, with its evidence where it failed")
    func expectations() throws {
        var run = SmallRun(machines: ["sql-01"])
        run.backup(due: 20, end: 22)
        run.chronicle.note(ReplicaChange(at: .start + .hours(1), machine: 0, state: .ok))
        run.chronicle.note(IncidentRecord(at: .start + .hours(2), title: "Node crash", object: "hv-01"))
        run.chronicle.note(ReplicaChange(at: .start + .hours(2), machine: 0, state: .inconsistent))
        run.outcome.replicas = [
            ReplicaRecord(
                machine: 0, group: 0, volume: 0, state: .inconsistent, replica: .gigabytes(5), points: .zero,
                pointCount: 1)
        ]
        let good = Expected(.machines([Ref(0)]), .replica(.inconsistent))
        var bad = Expected(.machines([Ref(0)]), .replica(.ok))
        bad.place = "night.yaml:31"
        run.setting.expectations = [good]
        #expect(Summary.text(run.facts).contains("Expectations: 1 of 1 held.\n"))
        #expect(!Summary.text(run.facts).contains("FAILED"))
        run.setting.expectations = [good, bad]
        let facts = run.facts
        #expect(facts.expectations.map(\.held) == [true, false])
        let summary = Summary.text(facts)
        for part in [
            "Expectations: 1 of 2 held.\nFAILED  night.yaml:31\n  expected  machine sql-01: replica OK\n",
            "  seen      machine sql-01: Inconsistent", "Node crash: hv-01", "<- here",
        ] { #expect(summary.contains(part), "\(part)") }
        let page = HTMLReport.text(facts)
        #expect(page.contains("id=\"expectations\"") && page.contains("Node crash: hv-01"))
        let parsed = try JSONSerialization.jsonObject(with: Data(ReportJSON.text(facts).utf8)) as? [String: Any]
        let list = try #require(parsed?["expectations"] as? [[String: Any]])
        #expect(list.map { $0["held"] as? Bool } == [true, false])
        #expect((list[1]["trace"] as? [String])?.isEmpty == false && (list[0]["trace"] as? [String]) == [])
    }

    @Test("A terminal is sent no control characters but those asked for")
    func summary() {
        let plain = Summary.text(hostileFacts)
        #expect(!plain.contains("\u{1B}"))
        #expect(Summary.text(hostileFacts, colours: true).contains("\u{1B}[1;"))
        #expect(plain.contains("The run is stuck"))
        #expect(plain.split(separator: "\n").allSatisfy { $0.count <= 160 })
    }

    @Test("The summary of a small run, word for word")
    func goldenSummary() {
        var run = SmallRun(machines: ["a", "b"], days: 2)
        run.backup(0, due: 20, end: 21)
        run.backup(1, due: 20, end: 25)
        run.pool(capacity: .gigabytes(100), [(0, .gigabytes(5))])
        #expect(
            Summary.text(run.facts) == """
                small: 2 machines, 2 d from 2026-01-05, seed 1

                MISSED  Backup window    50 % of backups ended inside 20:00 + 4 h (goal 99 %); at worst 1 h late
                no goal Recovery points  No objective is set; the oldest newest point was 1 d 4 h old
                met     Storage pool     At most 5 % of 100 GB used (goal 90 %); too short a run for a forecast
                –       Tapes            There are no tapes

                Bottleneck: none; no job was held back.

                Jobs                 all  failed  open  median  95 %  longest  sent  stored
                Express full backup    2       0     0     1 h   5 h      5 h   0 B     0 B

                1 events, trace 00; no audit.

                """)
    }

    @Test("report.json is JSON with sorted keys, the same every time, and holds the figures")
    func json() throws {
        let text = ReportJSON.text(SyntheticMonth().facts)
        #expect(text == ReportJSON.text(SyntheticMonth().facts))
        let parsed = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(parsed["schema"] as? Int == 1)
        let window = try #require(parsed["window"] as? [String: Any])
        #expect(window["due"] as? Int == 1_080)
        #expect(window["inside"] as? Int == 1_077)
        _ = try JSONSerialization.jsonObject(with: Data(ReportJSON.text(hostileFacts).utf8))
        let keys = text.split(separator: "\n").filter { $0.hasPrefix("  \"") }.map { $0.prefix { $0 != ":" } }
        #expect(keys == keys.sorted() && keys.count == 18)
    }

    @Test("A run in which nothing happened makes a report all the same")
    func empty() throws {
        let setting = Setting(name: "", clock: CivilClock(startDate: CivilDate(year: 2026, month: 1, day: 5)!))
        let outcome = RunOutcome(end: .horizon, finishedAt: .start, eventCount: 0, transferCount: 0, traceHash: "")
        let facts = RunFacts(setting: setting, chronicle: Chronicle(), outcome: outcome, version: "", arguments: [])
        #expect(facts.verdicts.map(\.answer) == [.noGoal, .undecided, .undecided, .undecided])
        let page = HTMLReport.text(facts)
        #expect(Tags.unbalanced(page) == nil)
        #expect(!page.contains("nan") && !page.contains("inf\""))
        #expect(Summary.text(facts).contains("No job ran."))
        _ = try JSONSerialization.jsonObject(with: Data(ReportJSON.text(facts).utf8))
    }

    @Test("Records that point outside the world do not stop a report")
    func strangers() {
        var run = SmallRun()
        run.backup(-1, due: 20, end: 21)
        run.backup(77, due: 20, end: 21)
        run.backup(77, due: 20, end: 21, attempt: 1)
        run.outcome.replicas = [
            ReplicaRecord(machine: 9, group: 9, volume: 9, state: .ok, replica: .zero, points: .zero, pointCount: 0)
        ]
        run.outcome.resources = [
            ResourceRecord(name: "x", kind: .link, capacity: 0, carried: .infinity, boundSeconds: .nan, hourly: [])
        ]
        let facts = run.facts
        #expect(facts.storage.machines[0].name == "–")
        #expect(!HTMLReport.text(facts).isEmpty)
    }

    @Test("The files of a report: page, figures, summary, and a CSV for each plot the page links to")
    func files() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("dpmsim-report-\(getpid())").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let page = try HTMLReport.write(SyntheticMonth().facts, to: directory + "/a/b")
        #expect(page == directory + "/a/b/index.html")
        let html = try String(contentsOfFile: page, encoding: .utf8)
        let links = html.matches(of: /href="([^"]+\.(?:csv|json))"/).map { String($0.1) }
        #expect(Set(links).count == 14)
        for link in links { #expect(FileManager.default.fileExists(atPath: directory + "/a/b/" + link), "\(link)") }
        let pool = try String(contentsOfFile: directory + "/a/b/data/pool.csv", encoding: .utf8)
        #expect(pool.split(separator: "\r\n").count == 29)
    }

    @Test("A directory that cannot be made is told with cause and action")
    func unwritable() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("dpmsim-file-\(getpid())").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        try Data("x".utf8).write(to: URL(fileURLWithPath: file))
        let fault = #expect(throws: ReportFault.self) {
            try HTMLReport.write(SyntheticMonth(machines: 2, hosts: 1, days: 1).facts, to: file + "/report")
        }
        #expect(fault?.object == file + "/report")
        #expect(fault?.action.isEmpty == false)
    }

    @Test(
        "CSV values are quoted where needed, and never read as formulas",
        arguments: [
            ("plain", "plain"), ("a,b", "\"a,b\""), ("say \"x\"", "\"say \"\"x\"\"\""), ("=1+1", "\"'=1+1\""),
            ("-5", "-5"), ("@x", "\"'@x\""), ("", ""),
        ])
    func csv(value: String, expected: String) {
        var csv = CSVText(["h"])
        csv.add([value])
        #expect(csv.text == "h\r\n\(expected)\r\n")
    }

    @Test("Tables keep numbers to the right and cut what is too wide")
    func table() {
        var table = TextTable([("name", .left), ("n", .right)])
        table.add(["ab", "5"])
        table.add(["a very long name indeed", "1000"])
        table.add(["tab\there"])
        #expect(
            table.lines(widest: 10) == ["name           n", "ab             5", "a very lo…  1000", "tab here"])
    }
}

/// Whether each tag of a page is closed by its own kind.
enum Tags {
    static let void: Set<String> = ["meta", "link"]

    /// The first tag that is not, or nil.
    static func unbalanced(_ page: String) -> String? {
        var open: [String] = []
        for match in page.matches(of: /<(\/?)([a-z0-9]+)[^>]*?(\/?)>/) {
            let name = String(match.2)
            if void.contains(name) || !match.3.isEmpty { continue }
            if match.1.isEmpty {
                open.append(name)
            } else if open.popLast() != name {
                return String(match.0)
            }
        }
        return open.last
    }
}
