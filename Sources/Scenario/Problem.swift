/// A place in a file: line and column count from one.
public struct Spot: Hashable, Sendable {
    public var file: String
    public var line: Int
    public var column: Int
    public init(file: String, line: Int, column: Int) { (self.file, self.line, self.column) = (file, line, column) }
}

/// Something in a scenario's files that cannot be taken, said so that it can be put right at once.
public struct Problem: Hashable, Sendable, CustomStringConvertible {
    public var file: String
    public var line: Int
    public var column: Int
    /// Where in the scenario: `machines[3].disks[0].size`; empty for a file as a whole.
    public var path: String
    public var expected: String
    public var found: String
    /// The remedy or the nearest known key or name, as a sentence without its full stop; empty if there is none.
    public var hint: String

    public init(spot: Spot, path: String, expected: String, found: String, hint: String = "") {
        (file, line, column) = (spot.file, spot.line, spot.column)
        (self.path, self.expected, self.found, self.hint) = (path, expected, found, hint)
    }

    public var description: String {
        let place = "\(file):\(line):\(column): " + (path.isEmpty ? "" : "\(path): ")
        let remedy = hint.isEmpty ? "" : hint.hasSuffix("?") ? " \(hint)" : " \(hint)."
        return "\(place)expected \(expected), found \(found)" + (remedy.isEmpty ? "" : "." + remedy)
    }
}

/// One value in force and where it comes from.
public struct Provenance: Hashable, Sendable, CustomStringConvertible {
    public enum Origin: Hashable, Sendable {
        case file(Spot)
        /// A named default and the source of its value.
        case `default`(name: String, source: String)
    }
    public var path: String
    public var value: String
    public var origin: Origin
    public init(path: String, value: String, origin: Origin) {
        (self.path, self.value, self.origin) = (path, value, origin)
    }

    public var description: String {
        switch origin {
        case .file(let spot): "\(path) = \(value)  (\(spot.file):\(spot.line):\(spot.column))"
        case .default(let name, let source):
            "\(path) = \(value)  (default \(name)" + (source.isEmpty ? ")" : "; \(source))")
        }
    }
}

/// Gathers problems and values in force while a scenario is read. Past `limit` problems only their number is kept.
final class Report {
    static let limit = 1_000
    private(set) var problems: [Problem] = []
    private(set) var explained: [Provenance] = []
    private var beyond = 0
    private var noted: Set<Provenance> = []
    /// Looking for the name that was meant takes long where there are many: not for each of very many unknown ones.
    private var hintsLeft = 300
    // A template's value is looked at once for each machine that takes it over.
    private var seen: Set<Problem> = []

    func problem(_ spot: Spot, _ path: String, expected: String, found: String, hint: String = "") {
        let problem = Problem(spot: spot, path: path, expected: expected, found: found, hint: hint)
        if seen.contains(problem) { return }
        guard problems.count < Report.limit else {
            beyond += 1
            return
        }
        seen.insert(problem)
        problems.append(problem)
    }

    func problem(_ item: Item, expected: String, found: String? = nil, hint: String = "") {
        problem(item.spot, item.path, expected: expected, found: found ?? item.shown, hint: hint)
    }

    var looksForHints: Bool { hintsLeft > 0 }

    /// `suggestion`, while there are not too many.
    func hint(for word: String, among known: [String], kind: String) -> String {
        guard hintsLeft > 0 else { return "" }
        hintsLeft -= 1
        return suggestion(for: word, among: known, kind: kind)
    }

    func note(_ path: String, _ value: String, _ origin: Provenance.Origin) {
        let line = Provenance(path: path, value: value, origin: origin)
        // Some values are looked at again, to check them against others.
        if noted.insert(line).inserted { explained.append(line) }
    }

    /// In the order of files and lines, each once.
    func sorted(files: [String]) -> [Problem] {
        var rank: [String: Int] = [:]
        for (index, file) in files.enumerated() where rank[file] == nil { rank[file] = index }
        var result = problems.sorted { a, b in
            let key = { (p: Problem) in (rank[p.file] ?? .max, p.line, p.column) }
            return key(a) != key(b) ? key(a) < key(b) : (a.path, a.expected) < (b.path, b.expected)
        }
        if beyond > 0, let last = result.last {
            let spot = Spot(file: last.file, line: last.line, column: last.column)
            result.append(
                Problem(
                    spot: spot, path: "", expected: "fewer than \(Report.limit) problems", found: "\(beyond) more",
                    hint: "Put these right first"))
        }
        return result
    }
}
