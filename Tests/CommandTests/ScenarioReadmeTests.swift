import Foundation
import Testing

/// The fenced blocks of a Markdown text in one language, in order.
private func blocks(_ language: String, in text: String) -> [String] {
    var found: [String] = []
    var block: [Substring]?
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
        if let lines = block {
            if line == "```" {
                found.append(lines.joined(separator: "\n") + "\n")
                block = nil
            } else {
                block = lines + [line]
            }
        } else if line == "```\(language)" {
            block = []
        }
    }
    return found
}

@Suite("Scenarios/README.md is true") struct ScenarioReadmeTests {
    private static let text =
        (try? String(contentsOf: Program.repository.appendingPathComponent("Scenarios/README.md"), encoding: .utf8))
        ?? ""

    /// The examples in a folder, each under the name its first line gives.
    private func examples() throws -> (scratch: Scratch, names: [String]) {
        let scratch = try Scratch()
        var names: [String] = []
        for block in blocks("yaml", in: Self.text) {
            let name = try #require(block.split(separator: "\n").first?.dropFirst(2)).description
            #expect(name.hasSuffix(".yaml"))
            _ = try scratch.write(block, to: name)
            names.append(name)
        }
        return (scratch, names)
    }

    @Test("every example holds what it expects")
    func examplesHold() throws {
        let (scratch, names) = try examples()
        #expect(names.count >= 4)
        for name in names {
            let check = try Program.run(["check", name], in: scratch.folder)
            #expect(check.status == 0, "\(name): \(check.output)")
            guard name != "base.yaml" else { continue }
            let result = try Program.run(["test", name], in: scratch.folder)
            #expect(result.status == 0, "\(result.output)\(result.errors)")
        }
    }

    @Test("every command runs as it is written")
    func commandsRun() throws {
        let (scratch, _) = try examples()
        let lines = blocks("sh", in: Self.text).flatMap { $0.split(separator: "\n") }
        #expect(lines.count >= 3)
        for line in lines {
            let words = line.split(separator: " ").map(String.init)
            #expect(words.first == "dpmsim")
            let result = try Program.run(Array(words.dropFirst()), in: scratch.folder)
            #expect(result.status == 0, "\(line): \(result.output)\(result.errors)")
        }
    }

    @Test("every key of the script, of expectations and of their times is told")
    func keysAreTold() throws {
        let schema = try Program.run(["schema"]).output
        let root = try #require(JSONSerialization.jsonObject(with: Data(schema.utf8)) as? [String: Any])
        let tables = try #require(root["$defs"] as? [String: [String: Any]])
        for table in ["script line", "expectation"] {
            let keys = try #require((tables[table]?["properties"] as? [String: Any])?.keys.sorted())
            #expect(keys.count > 20)
            for key in keys {
                let isTold = ["`\(key)`", "`\(key):", "{\(key):", " \(key):"].contains { Self.text.contains($0) }
                #expect(isTold, "\(table): \(key)")
            }
        }
    }
}
