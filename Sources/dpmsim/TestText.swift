import ArgumentParser
import Foundation

/// Results of tests for people, for continuous integration (JUnit XML) and for `prove` (TAP).
enum TestText {
    /// The exit status; nil if all is well. What is graver wins.
    static func status(of results: [ScenarioResult]) -> ExitCode? {
        if results.contains(where: { !$0.faults.isEmpty }) { return Ending.fault }
        if results.contains(where: { !$0.problems.isEmpty }) { return Ending.badInput }
        return results.contains { $0.failed > 0 } ? Ending.expectationFailed : nil
    }

    /// Every scenario in a line, what failed with its evidence, totals.
    static func print(_ results: [ScenarioResult]) {
        let out = Terminal.output
        for result in results {
            let isGood = result.problems.isEmpty && result.faults.isEmpty && result.failed == 0
            let mark = isGood ? out.styled("held", .green) : out.styled("FAILED", .red)
            let count = result.checks.count
            out.line(
                "\(mark)  \(result.file): "
                    + (result.problems.isEmpty
                        ? "\(count - result.failed) of \(count) expectations held"
                            + (isGood ? "" : ", seed \(result.seed)") : "not a scenario"))
            for problem in result.problems { out.line("  " + oneLine(problem)) }
            for fault in result.faults { out.line("  " + oneLine(fault)) }
            for check in result.checks where !check.held {
                for line in lines(check) { out.line("  " + oneLine(line)) }
            }
        }
        let all = results.reduce(0) { $0 + $1.checks.count }
        let failed = results.reduce(0) { $0 + $1.failed }
        let broken = results.count { !$0.problems.isEmpty || !$0.faults.isEmpty }
        out.line(
            "\(results.count) scenario\(results.count == 1 ? "" : "s"), \(all) expectations: \(all - failed) held, "
                + "\(failed) failed" + (broken == 0 ? "." : "; \(broken) could not be judged."))
    }

    /// What was expected, what was seen, and what happened around it.
    static func lines(_ check: ScenarioResult.Check) -> [String] {
        ["\(check.place):\(check.note.isEmpty ? "" : " \(check.note)")", "  expected  \(check.expected)"]
            + ["  seen      \(check.seen)"] + check.trace.map { "            \($0)" }
    }

    /// Names and notes of a scenario may hold what a terminal would obey.
    private static func oneLine(_ text: String) -> String {
        var plain = ""
        for scalar in text.unicodeScalars {
            plain.unicodeScalars.append(scalar.value < 32 || scalar.value == 127 ? " " : scalar)
        }
        return plain
    }

    // MARK: JUnit

    /// One suite a scenario, one case an expectation. Without times: the same tests give the same file.
    static func junit(_ results: [ScenarioResult]) -> String {
        func counts(_ results: [ScenarioResult]) -> String {
            let tests = results.reduce(0) { $0 + $1.checks.count + errors($1).count }
            return "tests=\"\(tests)\" failures=\"\(results.reduce(0) { $0 + $1.failed })\" "
                + "errors=\"\(results.reduce(0) { $0 + errors($1).count })\""
        }
        func errors(_ result: ScenarioResult) -> [String] { result.problems + result.faults }
        var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"dpmsim\" \(counts(results))>\n"
        for result in results {
            text += "  <testsuite name=\"\(xml(result.file))\" \(counts([result]))>\n"
            text += "    <properties><property name=\"seed\" value=\"\(result.seed)\"/>"
            text += "<property name=\"trace\" value=\"\(xml(result.traceHash))\"/></properties>\n"
            for error in errors(result) {
                text += "    <testcase classname=\"\(xml(result.file))\" name=\"scenario\">"
                text += "<error message=\"\(xml(error))\"/></testcase>\n"
            }
            for check in result.checks {
                text += "    <testcase classname=\"\(xml(result.file))\" name=\"\(xml(check.expected))\""
                if check.held {
                    text += "/>\n"
                } else {
                    text += "><failure message=\"\(xml(check.seen))\">"
                    text += xml(lines(check).joined(separator: "\n")) + "</failure></testcase>\n"
                }
            }
            text += "  </testsuite>\n"
        }
        return text + "</testsuites>\n"
    }

    private static func xml(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\n": result += "&#10;"
            // XML 1.0 has no way to write the other control characters.
            case _ where scalar.value < 32 || scalar.value == 0xFFFE || scalar.value == 0xFFFF: result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    // MARK: TAP

    static func tap(_ results: [ScenarioResult]) -> String {
        var lines: [String] = []
        var number = 0
        func point(_ isGood: Bool, _ words: String) {
            number += 1
            let plain = oneLine(words).replacing("\\", with: "\\\\").replacing("#", with: "\\#")
            lines.append("\(isGood ? "ok" : "not ok") \(number) - \(plain)")
        }
        for result in results {
            for error in result.problems + result.faults { point(false, error) }
            for check in result.checks {
                point(check.held, "\(result.file): \(check.expected)")
                guard !check.held else { continue }
                lines.append("  ---")
                lines.append("  place: \(quoted(check.place))")
                lines.append("  expected: \(quoted(check.expected))")
                lines.append("  seen: \(quoted(check.seen))")
                if !check.trace.isEmpty { lines.append("  trace:") }
                lines += check.trace.map { "    - \(quoted($0))" }
                lines.append("  ...")
            }
        }
        return (["TAP version 13", "1..\(number)"] + lines).joined(separator: "\n") + "\n"
    }

    private static func quoted(_ text: String) -> String {
        "\"" + oneLine(text).replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
