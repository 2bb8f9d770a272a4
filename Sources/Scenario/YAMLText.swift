internal import Yams

/// Bytes of a file become a node tree, or one problem: texts that are no YAML, or such as no scenario needs.
enum YAMLText {
    static let sizeLimit = 64_000_000
    static let depthLimit = 64

    static func root(_ bytes: [UInt8], file: String, report: Report) -> Node? {
        func refuse(_ line: Int, _ column: Int, _ expected: String, _ found: String, _ hint: String = "") -> Node? {
            report.problem(
                Spot(file: file, line: line, column: column), "", expected: expected, found: found, hint: hint)
            return nil
        }
        guard bytes.count <= sizeLimit else {
            return refuse(
                1, 1, "a file of at most \(sizeLimit) bytes", "\(bytes.count)", "Use patterns or an inventory")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            let good = String(decoding: bytes, as: UTF8.self).prefix { $0 != "\u{FFFD}" }
            let line = good.utf8.count { $0 == UInt8(ascii: "\n") } + 1
            return refuse(line, 1, "text in UTF-8", "other bytes", "Save the file as UTF-8")
        }
        if let trap = trap(in: bytes) { return refuse(trap.line, trap.column, trap.expected, trap.found, trap.hint) }
        do {
            guard let node = try Yams.compose(yaml: text, .basic, .default, .utf8) else {
                return refuse(1, 1, "a mapping of keys to values", "an empty file")
            }
            return node
        } catch let error as YamlError {
            switch error {
            case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
                .composer(let context, let problem, let mark, _):
                let doing = context.map { $0.text.hasPrefix("while") ? " \($0.text)" : "" } ?? ""
                return refuse(mark.line, mark.column, "YAML", plain(problem) + doing, hint(problem))
            case .reader(let problem, let offset, _, _):
                let before = bytes.prefix(offset ?? 0)
                let line = before.count { $0 == UInt8(ascii: "\n") } + 1
                return refuse(line, 1, "YAML", problem)
            case .duplicatedKeysInMapping(let keys, let context):
                let mark = context.mark
                return refuse(
                    mark.line, mark.column, "each key once in its mapping",
                    keys.map { quoted($0) }.joined(separator: ", ") + " again", "Join them under one key")
            default: return refuse(1, 1, "YAML", "text that cannot be read")
            }
        } catch {
            return refuse(1, 1, "YAML", "text that cannot be read")
        }
    }

    /// The parser's message as what follows "found".
    private static func plain(_ problem: String) -> String {
        for (begin, instead) in [
            ("but found ", ""), ("found ", ""), ("did not find expected", "no"), ("could not find expected", "no"),
        ]
        where problem.hasPrefix(begin) { return instead + problem.dropFirst(begin.count) }
        return problem.hasPrefix("Maximum nesting level") ? "more levels than 1000" : problem
    }

    private static func hint(_ problem: String) -> String {
        if problem.contains("cannot start any token") {
            return "Indent with spaces, and put texts with @ ` or % first in quotes"
        }
        if problem.contains("mapping values are not allowed") {
            return "Put texts that contain a colon and a space in quotes"
        }
        if problem.contains("another document") { return "Keep one document a file; use include: for more" }
        return ""
    }

    private struct Trap {
        var line: Int
        var column: Int
        var expected: String
        var found: String
        var hint: String
    }

    /// Looks for anchors, aliases and deep brackets before the parser does, which would expand and recurse.
    private static func trap(in bytes: [UInt8]) -> Trap? {
        enum Inside { case plain, comment, single, double, escape }
        var inside = Inside.plain
        var (line, column, depth) = (1, 0, 0)
        // Whether a value may start here: only there are quotes and stars what they look like.
        var isStart = true
        var previous = UInt8(ascii: "\n")
        for (index, byte) in bytes.enumerated() {
            defer { previous = byte }
            column += 1
            if byte == UInt8(ascii: "\n") {
                (line, column) = (line + 1, 0)
                if inside == .comment { inside = .plain }
                if inside == .plain { isStart = true }
                continue
            }
            switch inside {
            case .comment: continue
            case .escape: inside = .double
            case .double:
                if byte == UInt8(ascii: "\\") {
                    inside = .escape
                } else if byte == UInt8(ascii: "\"") {
                    inside = .plain
                }
            case .single: if byte == UInt8(ascii: "'") { inside = .plain }
            case .plain:
                let next = index + 1 < bytes.count ? bytes[index + 1] : 10
                switch byte {
                case UInt8(ascii: " "), UInt8(ascii: "\t"): continue
                case UInt8(ascii: "#") where previous == 32 || previous == 10 || previous == 9: inside = .comment
                case UInt8(ascii: "\"") where isStart: inside = .double
                case UInt8(ascii: "'") where isStart: inside = .single
                case UInt8(ascii: "&") where isStart, UInt8(ascii: "*") where isStart:
                    return Trap(
                        line: line, column: column, expected: "plain values",
                        found: byte == UInt8(ascii: "&") ? "an anchor (&)" : "an alias (*)",
                        hint: "Put a wildcard in quotes; write common attributes once as a template")
                case UInt8(ascii: "["), UInt8(ascii: "{"):
                    depth += 1
                    guard depth <= depthLimit else {
                        return Trap(
                            line: line, column: column, expected: "at most \(depthLimit) brackets inside each other",
                            found: "more", hint: "No scenario needs as many")
                    }
                    isStart = true
                    continue
                case UInt8(ascii: "]"), UInt8(ascii: "}"): depth = max(0, depth - 1)
                case UInt8(ascii: "-") where isStart && (next == 32 || next == 10): continue
                case UInt8(ascii: "?") where isStart && (next == 32 || next == 10): continue
                default: break
                }
                isStart = byte == UInt8(ascii: ",") || (byte == UInt8(ascii: ":") && (next == 32 || next == 10))
            }
        }
        return nil
    }
}
