import Foundation
import Testing

private let lesson = "Scenarios/learn/" + (lessons.first ?? "")
private let lessons =
    ((try? FileManager.default.contentsOfDirectory(
        atPath: Program.repository.appendingPathComponent("Scenarios/learn").path)) ?? []).filter {
        $0.hasSuffix(".yaml")
    }.sorted()

private func object(_ text: String) throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
}

/// The value of `key` wherever it stands in a JSON object.
private func find(_ key: String, in value: Any) -> Any? {
    if let object = value as? [String: Any] {
        return object[key] ?? object.keys.sorted().lazy.compactMap { find(key, in: object[$0] as Any) }.first
    }
    return (value as? [Any])?.lazy.compactMap { find(key, in: $0) }.first
}

@Suite("the program keeps to its statuses and streams") struct CommandTests {
    @Test(
        "wrong usage ends with 64 and says what is right",
        arguments: [
            ["frobnicate"], ["run"], ["run", "a.yaml", "--seed", "x"], ["run", "a.yaml", "--until", "soon"],
            ["explain", "a.yaml", "--nothing"],
        ])
    func wrongUsage(arguments: [String]) throws {
        let result = try Program.run(arguments)
        #expect(result.status == 64)
        #expect(result.output.isEmpty)
        #expect(result.errors.contains("Usage:"))
    }

    @Test("a scenario that does not exist ends with 2", arguments: ["run", "explain"])
    func missingFile(command: String) throws {
        let result = try Program.run([command, "Scenarios/there-is-none.yaml"])
        #expect(result.status == 2)
        #expect(result.output.isEmpty)
        #expect(result.errors.contains("there-is-none.yaml"))
    }

    @Test("a check gives its problems as JSON too, with 2")
    func checkAsJSON() throws {
        let scratch = try Scratch()
        let file = try scratch.write("name: broken\nnonsense: 1\n", to: "broken.yaml")
        let result = try Program.run(["check", file, "--json"])
        #expect(result.status == 2)
        let problems = try #require(object(result.output)["problems"] as? [[String: Any]])
        #expect(problems.contains { ($0["found"] as? String)?.contains("nonsense") == true && $0["line"] as? Int == 2 })
        #expect(try Program.run(["check", file]).output.contains("broken.yaml:2:1: "))
    }

    @Test("every lesson passes its check", arguments: lessons)
    func lessonsPass(name: String) throws {
        let result = try Program.run(["check", "Scenarios/learn/\(name)"])
        #expect(result.status == 0, "\(result.output)\(result.errors)")
    }

    @Test("a run gives JSON and nothing else on standard output; a second process gives the same trace hash")
    func runsRepeat() throws {
        let first = try Program.run(["run", lesson, "--json"])
        let second = try Program.run(["run", lesson, "--json"])
        #expect(first.status == 0, "\(first.errors)")
        let hash = try #require(find("traceHash", in: object(first.output)) as? String)
        #expect(!hash.isEmpty)
        #expect(find("traceHash", in: try object(second.output)) as? String == hash)
    }

    @Test("nothing is drawn where nobody looks: no colour, no progress in files")
    func filesStayPlain() throws {
        let result = try Program.run(["run", lesson])
        #expect(!(result.output + result.errors).contains("\u{1B}"))
        #expect(!(result.output + result.errors).contains("\r"))
    }

    @Test("explain prints where each value comes from, in text and in JSON")
    func explainTellsOrigins() throws {
        #expect(try Program.run(["explain", lesson]).output.contains("(default "))
        let json = try Program.run(["explain", lesson, "--json"])
        let values = try #require(JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]])
        #expect(values.contains { $0["line"] != nil } && values.contains { $0["default"] != nil })
    }

    @Test("the schema is a JSON object")
    func schemaIsJSON() throws { #expect(try object(Program.run(["schema"]).output)["properties"] != nil) }

    @Test("the rules are listed, each with its id")
    func rulesAreListed() throws {
        #expect(try Program.run(["rules"]).output.contains("PRC-1 "))
        let json = try Program.run(["rules", "--json"])
        #expect(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) is [[String: Any]])
    }
}

@Suite("a report folder is written whole, and only where that harms nobody") struct ReportFolderTests {
    @Test("a report is written, and written again over itself")
    func reportIsReplaced() throws {
        let scratch = try Scratch()
        for _ in 0..<2 { #expect(try Program.run(["run", lesson, "--report", scratch.path("r")]).status == 0) }
        #expect(scratch.names.contains("r/index.html") && scratch.names.contains("r/report.json"))
        #expect(!scratch.names.contains { $0.contains(".new") || $0.contains(".old") })
    }

    @Test("a folder that holds something else is refused and left as it was")
    func foreignFolderIsRefused() throws {
        let scratch = try Scratch()
        _ = try scratch.write("mine", to: "r/notes.txt")
        let result = try Program.run(["run", lesson, "--report", scratch.path("r")])
        #expect(result.status == 2)
        #expect(result.errors.contains("is not a report of dpmsim") && result.errors.contains("Name another folder"))
        #expect(scratch.names == ["r", "r/notes.txt"])
    }

    @Test("a report to which somebody added a file is not replaced")
    func addedFileIsKept() throws {
        let scratch = try Scratch()
        #expect(try Program.run(["run", lesson, "--report", scratch.path("r")]).status == 0)
        let mine = try scratch.write("mine", to: "r/notes.txt")
        let result = try Program.run(["run", lesson, "--report", scratch.path("r")])
        #expect(result.status == 2)
        #expect(result.errors.contains("notes.txt"))
        #expect(try String(contentsOfFile: mine, encoding: .utf8) == "mine")
    }

    @Test("a file in the folder's place is refused, an empty folder is taken")
    func fileAndEmptyFolder() throws {
        let scratch = try Scratch()
        let file = try scratch.write("mine", to: "f")
        #expect(try Program.run(["run", lesson, "--report", file]).status == 2)
        try FileManager.default.createDirectory(atPath: scratch.path("r"), withIntermediateDirectories: true)
        #expect(try Program.run(["run", lesson, "--report", scratch.path("r")]).status == 0)
        #expect(scratch.names.contains("r/index.html"))
    }

    @Test("a database is kept; a file that is none of ours is refused and left as it was")
    func databaseIsKept() throws {
        let scratch = try Scratch()
        #expect(try Program.run(["run", lesson, "--db", scratch.path("run.db")]).status == 0)
        #expect(scratch.names == ["run.db"])
        let file = try scratch.write("mine", to: "notes.txt")
        #expect(try Program.run(["run", lesson, "--db", file]).status == 2)
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "mine")
    }
}
