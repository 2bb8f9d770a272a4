import Foundation
import Protection
import Scenario

/// Facts as JSON on standard output: keys sorted, one object, nothing else.
enum JSONOutput {
    static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
    static func print(_ value: some Encodable) throws { Terminal.output.line(try text(value)) }
}

/// A problem of a scenario, as `--json` gives it.
struct ProblemFact: Encodable {
    var file: String, line: Int, column: Int, path: String, expected: String, found: String, hint: String
    init(_ problem: Problem) {
        (file, line, column, path) = (problem.file, problem.line, problem.column, problem.path)
        (expected, found, hint) = (problem.expected, problem.found, problem.hint)
    }
}

/// A refusal, as `--json` gives it.
struct RefusalFact: Encodable {
    var id: Int, rule: String, object: String, cause: String, action: String
    init(_ refusal: Refusal) {
        (id, rule, object) = (refusal.id, refusal.rule.description, refusal.object)
        (cause, action) = (refusal.cause, refusal.action)
    }
}
