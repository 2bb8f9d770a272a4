internal import Units

/// The names of one kind of thing, unique without regard to case as Windows takes them, and the way from a name to its
/// thing.
struct Names<Noun> {
    let kind: String
    private var places: [String: Ref<Noun>] = [:]
    private var firstSpots: [(line: Int, file: String)] = []
    /// As written, in order.
    private(set) var all: [String] = []
    private(set) var lowercased: [String] = []

    init(_ kind: String) { self.kind = kind }

    /// Gives the next place to `name`. False if it is taken, which is reported.
    mutating func declare(_ name: String, _ spot: Spot, _ path: String, report: Report) -> Bool {
        let key = name.lowercased()
        if let taken = places[key] {
            let first = firstSpots[Int(taken.index)]
            report.problem(
                spot, path, expected: "each \(kind) to have a name of its own", found: "\(quoted(name)) again",
                hint: "It is first used at \(first.file):\(first.line)")
            return false
        }
        places[key] = Ref(all.count)
        all.append(name)
        lowercased.append(key)
        firstSpots.append((spot.line, spot.file))
        return true
    }

    func place(of name: String) -> Ref<Noun>? { places[name.lowercased()] }

    /// The thing of that name, in one of the `scopes` (`OWNER/NAME`) or by its full name; if there is none it is reported.
    func one(_ item: Item, scopes: [String] = [], report: Report) -> Ref<Noun>? {
        guard let text = report.text(item) else { return nil }
        for scope in scopes { if let found = place(of: "\(scope)/\(text)") { return found } }
        if let found = place(of: text) { return found }
        unknown(text, item, scopes, report)
        return nil
    }

    private func unknown(_ text: String, _ item: Item, _ scopes: [String], _ report: Report) {
        guard report.looksForHints else {
            report.problem(item, expected: "the name of a \(kind)")
            return
        }
        let prefixes = scopes.map { $0.lowercased() + "/" }
        let scoped = lowercased.indices.filter { index in prefixes.contains { lowercased[index].hasPrefix($0) } }
        let known = scoped.isEmpty ? all : scoped.map { String(all[$0].split(separator: "/").last ?? "") }
        report.problem(
            item, expected: "the name of a \(kind)", hint: report.hint(for: text, among: known, kind: kind))
    }

    /// All things that names, patterns and wildcards name, each once, in order of naming.
    func many(_ items: [Item], scopes: [String] = [], report: Report) -> [Ref<Noun>] {
        var result: [Ref<Noun>] = []
        var seen: Set<Ref<Noun>> = []
        func take(_ ref: Ref<Noun>) { if seen.insert(ref).inserted { result.append(ref) } }
        for item in items {
            guard let text = report.text(item) else { continue }
            if Glob.isOne(text) {
                let globs = (scopes.map { "\($0)/\(text)" } + [text]).map { Glob($0) }
                let before = result.count
                var matched = false
                for (index, name) in lowercased.enumerated() where globs.contains(where: { $0.matches(name) }) {
                    matched = true
                    take(Ref(index))
                }
                if !matched, result.count == before {
                    report.problem(
                        item, expected: "a wildcard that some \(kind) matches",
                        hint: report.hint(for: text, among: all, kind: kind))
                }
            } else if text.contains("{") {
                for name in report.names(item) {
                    one(Item(text: name, spot: item.spot, path: item.path), scopes: scopes, report: report).map(take)
                }
            } else {
                one(item, scopes: scopes, report: report).map(take)
            }
        }
        return result
    }
}
