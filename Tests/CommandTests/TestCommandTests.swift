import Foundation
import FoundationXML
import Testing

/// A machine that is backed up once a day for three days.
private let base = """
    name: small
    duration: 3 d
    servers: [{name: dpm-01, pool: [{name: pool-01, capacity: 4 TB}]}]
    hosts: [{name: hv-01, volumes: [{name: data, capacity: 2 TB}]}]
    machines: [{name: vm-1, host: hv-01, size: 40 GB}]
    groups: [{name: daily, members: all, disk: {retention: 5 d, times: "20:00"}}]

    """
private let good = base + "expect:\n  - {machine: vm-1, replica: ok}\n  - {missed: never}\n"
private let bad =
    base
    + "script: [{vss-failure: vm-1, error: \"30111\", at: day 2, label: <broken> & \"quoted\"}]\n"
    + "expect:\n  - {machine: vm-1, replica: ok}\n  - {missed: never, note: 'a < b & c # d'}\n"

/// Elements of an XML file, and whether it is well-formed.
private final class Elements: NSObject, XMLParserDelegate {
    private(set) var found: [(name: String, attributes: [String: String])] = []
    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String] = [:]
    ) { found.append((name, attributes)) }

    static func of(_ path: String) throws -> [(name: String, attributes: [String: String])] {
        let delegate = Elements()
        let parser = XMLParser(data: try Data(contentsOf: URL(fileURLWithPath: path)))
        parser.delegate = delegate
        #expect(parser.parse(), "\(String(describing: parser.parserError))")
        return delegate.found
    }
}

/// A program of the system, if it is there.
private func outside(_ path: String, _ arguments: [String]) throws -> (status: Int32, output: String)? {
    guard FileManager.default.isExecutableFile(atPath: path) else { return nil }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let pipe = Pipe()
    (process.standardOutput, process.standardError) = (pipe, pipe)
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, output)
}

@Suite("tests of scenarios") struct TestCommandTests {
    @Test("every rule's scenarios show what they expect")
    func rulesHold() throws {
        let result = try Program.run(["test", "Scenarios/rules"])
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.contains(" 0 failed."))
    }

    @Test("what one side of a rule expects is not seen on the other side, so none of it is expected in vain")
    func sidesDiffer() throws {
        let rules = Program.repository.appendingPathComponent("Scenarios/rules")
        let scratch = try Scratch()
        var count = 0
        for rule in try FileManager.default.contentsOfDirectory(atPath: rules.path).sorted() {
            let sides = ["obeyed", "broken"].compactMap { side in
                try? String(contentsOf: rules.appendingPathComponent("\(rule)/\(side).yaml"), encoding: .utf8)
            }
            guard sides.count == 2 else { continue }
            let parts = sides.map { $0.components(separatedBy: "\nexpect:\n") }
            for (world, expectations) in [(0, 1), (1, 0)] {
                let text = parts[world][0] + "\nexpect:\n" + parts[expectations][1]
                _ = try scratch.write(text, to: "\(rule)-\(world).yaml")
                count += 1
            }
        }
        #expect(count > 100)
        let output = try Program.run(["test", scratch.folder.path, "--json"]).output
        let results = try #require(JSONSerialization.jsonObject(with: Data(output.utf8)) as? [[String: Any]])
        #expect(results.count == count)
        for result in results {
            let checks = result["checks"] as? [[String: Any]] ?? []
            let problems = result["problems"] as? [String] ?? []
            #expect(
                !problems.isEmpty || checks.contains { $0["held"] as? Bool == false },
                "\(result["file"] ?? ""): all holds on the other side")
        }
    }

    @Test("a failed expectation ends with 1, and says what was expected, seen, and what happened around it")
    func failure() throws {
        let scratch = try Scratch()
        let file = try scratch.write(bad, to: "bad.yaml")
        let result = try Program.run(["test", file])
        #expect(result.status == 1)
        #expect(result.errors.isEmpty)
        for part in [
            "1 of 2 expectations held", "bad.yaml:10: a < b & c # d", "expected  missed recovery points: 0",
            "seen      missed 2 times", "VSS writer failure: vm-1", "<- here",
        ] { #expect(result.output.contains(part), "\(part)\n\(result.output)") }
        let run = try Program.run(["run", file])
        #expect(run.status == 1)
        #expect(run.output.contains("Expectations: 1 of 2 held.") && run.output.contains("seen      missed 2 times"))
        #expect(try Program.run(["run", scratch.write(good, to: "good.yaml")]).status == 0)
    }

    @Test("results stand in the order of the paths and do not depend on how many run at once")
    func order() throws {
        let scratch = try Scratch()
        for n in 0..<12 { _ = try scratch.write(n % 3 == 0 ? bad : good, to: "set/\(n % 2)/s\(n).yaml") }
        _ = try scratch.write(base, to: "set/without.yaml")
        let arguments = ["test", scratch.path("set/1"), scratch.path("set"), "--json"]
        let one = try Program.run(arguments + ["--jobs", "1"])
        let many = try Program.run(arguments + ["--jobs", "8"])
        #expect(one.output == many.output)
        let list = try #require(JSONSerialization.jsonObject(with: Data(one.output.utf8)) as? [[String: Any]])
        let files = list.compactMap {
            ($0["file"] as? String).map { String($0.dropFirst(scratch.path("set").count + 1)) }
        }
        #expect(files.count == 12)
        #expect(files == files.filter { $0.hasPrefix("1/") }.sorted() + files.filter { $0.hasPrefix("0/") }.sorted())
    }

    @Test("JUnit XML is well-formed and counts what there is, whatever characters stand in it")
    func junit() throws {
        let scratch = try Scratch()
        let files = [try scratch.write(bad, to: "bad.yaml"), try scratch.write(good, to: "good & so.yaml")]
        _ = try Program.run(["test"] + files + ["--junit", scratch.path("out.xml")])
        let elements = try Elements.of(scratch.path("out.xml"))
        #expect(elements.first?.name == "testsuites")
        #expect(elements.first?.attributes["tests"] == "4" && elements.first?.attributes["failures"] == "1")
        #expect(elements.filter { $0.name == "testcase" }.count == 4)
        #expect(elements.filter { $0.name == "failure" }.map { $0.attributes["message"] }.count == 1)
        #expect(elements.filter { $0.name == "testsuite" }.map { $0.attributes["name"] } == files)
        if let lint = try outside("/usr/bin/xmllint", ["--noout", scratch.path("out.xml")]) {
            #expect(lint.status == 0)
        }
    }

    @Test("TAP is what prove takes: a point for each expectation, the failed one found")
    func tap() throws {
        let scratch = try Scratch()
        let files = [try scratch.write(bad, to: "bad.yaml"), try scratch.write(good, to: "good.yaml")]
        _ = try Program.run(["test"] + files + ["--tap", scratch.path("out.tap")])
        let text = try String(contentsOfFile: scratch.path("out.tap"), encoding: .utf8)
        #expect(text.hasPrefix("TAP version 13\n1..4\nok 1 - "))
        #expect(text.contains("\nnot ok 2 - ") && text.contains("\nok 4 - "))
        if let proved = try outside("/usr/bin/prove", ["-e", "cat", scratch.path("out.tap")]) {
            #expect(proved.status == 1)
            #expect(proved.output.contains("Failed test:  2") && proved.output.contains("Tests=4"), "\(proved.output)")
        }
    }

    @Test("what is no scenario ends with 2 and its problems, without keeping the others from being judged")
    func problems() throws {
        let scratch = try Scratch()
        let files = [
            try scratch.write(base + "expect: [{machine: vm-9, replica: ok}]\n", to: "a.yaml"),
            try scratch.write(bad, to: "b.yaml"),
        ]
        let result = try Program.run(["test"] + files)
        #expect(result.status == 2)
        #expect(
            result.output.contains("a.yaml:7:20: expect[0].machine: expected the name of a machine"), "\(result.output)"
        )
        #expect(result.output.contains("b.yaml: 1 of 2 expectations held"))
    }

    @Test(
        "nothing to judge is bad input",
        arguments: ["there-is-none.yaml", "Scenarios/learn", "Scenarios/year-800.yaml"])
    func nothing(path: String) throws {
        let result = try Program.run(["test", path])
        #expect(result.status == 2)
        #expect((result.output + result.errors).contains("expect") || result.errors.contains("not there"))
    }

    @Test("a seed from outside draws other chances, and the same seed the same")
    func seed() throws {
        let scratch = try Scratch()
        let text =
            base + "script: [{partition: hv-01, every: exponential 1 d, lasts: 1 h}]\nexpect: [{missed: never}]\n"
        let file = try scratch.write(text, to: "random.yaml")
        func hash(_ seed: String) throws -> String? {
            let output = try Program.run(["test", file, "--json", "--seed", seed]).output
            let list = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [[String: Any]]
            return list?.first?["traceHash"] as? String
        }
        #expect(try hash("7") == hash("7"))
        #expect(try hash("7") != hash("8"))
    }
}
