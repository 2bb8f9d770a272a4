internal import Protection
internal import Units

/// Machine attributes written once, by name.
struct Templates {
    var layers: [String: Fields.Layer] = [:]
    var spots: [String: Spot] = [:]
    var names: [String] = []
}

/// When machines write, by name.
struct Profiles {
    struct Weights {
        var hours: [Double]
        var weekdays: [Double]
    }
    /// Working hours of an office; a server used all day and more in working hours; a batch at night; no pattern.
    var known: [String: Weights] = [
        "flat": Weights(hours: Array(repeating: 1, count: 24), weekdays: Array(repeating: 1, count: 7)),
        "office": Weights(
            hours: [1, 1, 1, 1, 1, 1, 2, 5, 10, 12, 12, 11, 8, 11, 12, 11, 9, 6, 3, 2, 1, 1, 1, 1],
            weekdays: [1.2, 1.3, 1.3, 1.3, 1.2, 0.4, 0.3]),
        "server": Weights(
            hours: [4, 4, 4, 4, 4, 4, 5, 6, 7, 8, 8, 8, 7, 8, 8, 8, 7, 7, 6, 6, 5, 5, 5, 4],
            weekdays: [1.1, 1.1, 1.1, 1.1, 1.1, 0.8, 0.7]),
        "night-batch": Weights(
            hours: [10, 12, 12, 12, 10, 6, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 6, 8],
            weekdays: [1, 1.1, 1.1, 1.1, 1.1, 1, 0.6]),
    ]
    var names = ["flat", "office", "server", "night-batch"]
}

extension Builder {
    func readProfilesAndTemplates() {
        var spots: [String: Spot] = [:]
        for (name, item) in namedItems("profiles") {
            guard let fields = Fields(item, "profile", report: report) else { continue }
            if let first = spots[name] ?? (profiles.names.contains(name) ? Spot(file: "", line: 0, column: 0) : nil) {
                let place =
                    first.line == 0 ? "dpmsim has one of that name" : "It is first used at \(first.file):\(first.line)"
                report.problem(
                    item, expected: "each profile to have a name of its own", found: "\(quoted(name)) again",
                    hint: place)
                continue
            }
            spots[name] = item.spot
            let hours = weights("hours", 24, fields)
            let weekdays = weights("weekdays", 7, fields)
            profiles.known[name] = Profiles.Weights(hours: hours, weekdays: weekdays)
            profiles.names.append(name)
        }
        for (name, item) in namedItems("templates") {
            if let first = templates.spots[name] {
                report.problem(
                    item, expected: "each template to have a name of its own", found: "\(quoted(name)) again",
                    hint: "It is first used at \(first.file):\(first.line)")
                continue
            }
            guard let layer = Fields.layer(item, Tables.named("template"), report: report) else { continue }
            templates.layers[name] = layer
            templates.spots[name] = item.spot
            templates.names.append(name)
        }
        for name in templates.names {
            var fields = Fields(
                report: report, table: Tables.named("template"), path: "templates.\(name)",
                spot: templates.spots[name]!,
                layers: [templates.layers[name]!])
            fields.notes = .nothing
            addTemplates(to: &fields)
        }
    }

    private func namedItems(_ key: String) -> [(String, Item)] {
        var result: [(String, Item)] = []
        for document in documents {
            guard let item = document.item(key) else { continue }
            guard case .mapping(let pairs) = item.content else {
                report.problem(item, expected: Tables.root.field(key)!.shape.expected)
                continue
            }
            for (keyNode, value) in pairs {
                guard let name = Item(keyNode, file: item.spot.file, path: item.path).text else {
                    report.problem(item, expected: "names as keys")
                    continue
                }
                result.append((name, item.child(value, ".\(name)")))
            }
        }
        return result
    }

    private func weights(_ key: String, _ count: Int, _ fields: Fields) -> [Double] {
        guard let item = fields.item(key) else { return Array(repeating: 1, count: count) }
        guard let elements = item.elements, elements.count == count else {
            report.problem(item, expected: "a list of \(count) numbers")
            return Array(repeating: 1, count: count)
        }
        let values = elements.map { report.number($0, 0...1_000_000) ?? 1 }
        if !values.contains(where: { $0 > 0 }) {
            report.problem(item, expected: "at least one number above 0", found: "\(count) times 0")
        }
        return values
    }

    /// Puts the chain of templates that `fields` asks for behind its own layers.
    func addTemplates(to fields: inout Fields) {
        var used: [String] = []
        var next = fields.layers.lazy.compactMap { $0["template"] }.first
        while let item = next, let name = report.text(item) {
            guard let layer = templates.layers[name] else {
                report.problem(
                    item, expected: "the name of a template",
                    hint: suggestion(for: name, among: templates.names, kind: "template"))
                return
            }
            if used.contains(name) {
                report.problem(
                    item, expected: "a template that does not take over from itself",
                    found: (used + [name]).joined(separator: " > "))
                return
            }
            guard used.count < 16 else {
                report.problem(item, expected: "at most 16 templates that take over from each other", found: "more")
                return
            }
            if fields.notes == .all { report.note(fields.path("template"), name, .file(item.spot)) }
            used.append(name)
            fields.layers.append(layer)
            next = layer["template"]
        }
    }
}
