internal import Protection
internal import Units
internal import Yams

/// The keys of one mapping, read by the table that says which there may be. Values come from the first layer that has
/// them: the mapping itself, then its template, then that one's template; then the table's default.
struct Fields {
    typealias Layer = [String: Item]
    /// What is noted for `explain`.
    enum Notes { case all, cells, nothing }

    let report: Report
    let table: Table
    let path: String
    let spot: Spot
    var layers: [Layer]
    var notes = Notes.all

    init(report: Report, table: Table, path: String, spot: Spot, layers: [Layer]) {
        (self.report, self.table, self.path, self.spot, self.layers) = (report, table, path, spot, layers)
    }

    /// Nil if the item is no mapping, which is reported. Keys the table does not have are reported.
    init?(_ item: Item, _ tableName: String, report: Report) {
        let table = Tables.named(tableName)
        guard let layer = Fields.layer(item, table, report: report) else { return nil }
        self.init(report: report, table: table, path: item.path, spot: item.spot, layers: [layer])
    }

    static func layer(_ item: Item, _ table: Table, report: Report) -> Layer? {
        guard case .mapping(let pairs) = item.content else {
            report.problem(
                item, expected: "a mapping that describes \(table.described)",
                hint: "Its keys: " + table.keys.prefix(8).joined(separator: ", "))
            return nil
        }
        var layer: Layer = [:]
        for (keyNode, value) in pairs {
            let keyItem = Item(keyNode, file: item.spot.file, path: item.path)
            guard let key = keyItem.text else {
                report.problem(keyItem, expected: "a key of \(table.described)")
                continue
            }
            guard table.field(key) != nil else {
                let near = nearest(to: key, among: table.keys).map { "Did you mean \($0)?" }
                report.problem(
                    keyItem, expected: "a key of \(table.described)", found: "\(quoted(key))",
                    hint: near ?? "Known: " + table.keys.joined(separator: ", "))
                continue
            }
            layer[key] = item.child(value, (item.path.isEmpty ? "" : ".") + key)
        }
        return layer
    }

    func path(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// Which layer gives the key; nil: none does.
    func layerIndex(of key: String) -> Int? { layers.firstIndex { $0[key] != nil } }
    func has(_ key: String) -> Bool { layerIndex(of: key) != nil }

    /// The value as it stands, or the default's text; nil if there is neither, which is reported where it is required.
    func item(_ key: String, _ kind: Shape? = nil) -> Item? {
        guard let field = table.field(key) else { preconditionFailure("table \(table.name) has no key \(key)") }
        precondition(kind == nil || field.shape == kind, "\(table.name).\(key) is not of that shape")
        for (index, layer) in layers.enumerated() {
            guard let item = layer[key] else { continue }
            if notes == .all || (notes == .cells && index == 0), let text = item.noted {
                report.note(path(key), text, .file(item.spot))
            }
            return item
        }
        if let text = field.fallback {
            if notes == .all {
                report.note(path(key), text, .default(name: "\(table.name).\(key)", source: field.source))
            }
            return Item(text: text, spot: spot, path: path(key))
        }
        if field.isRequired {
            report.problem(
                spot, path, expected: "the key \(key): \(field.shape.expected)", found: "none")
        }
        return nil
    }

    func text(_ key: String) -> String? { item(key, .text).flatMap(report.text) }
    func size(_ key: String, zero: Bool = false) -> Bytes? { item(key, .size).flatMap { report.size($0, zero: zero) } }
    func amount(_ key: String) -> Amount? { item(key, .amount).flatMap(report.amount) }
    func share(_ key: String, atMost limit: Fraction = Report.largestShare) -> Fraction? {
        item(key, .share).flatMap { report.share($0, atMost: limit) }
    }
    func rate(_ key: String) -> ByteRate? { item(key, .rate).flatMap(report.rate) }
    func duration(_ key: String, zero: Bool = true) -> SimDuration? {
        item(key, .duration).flatMap { report.duration($0, zero: zero) }
    }
    func date(_ key: String) -> CivilDate? { item(key, .date).flatMap(report.date) }
    func timeOfDay(_ key: String) -> TimeOfDay? { item(key, .timeOfDay).flatMap(report.timeOfDay) }
    func window(_ key: String) -> DailyWindow? { item(key, .window).flatMap(report.window) }
    func retention(_ key: String) -> CalendarSpan? { item(key, .retention).flatMap(report.retention) }
    func distribution(_ key: String) -> TimeDistribution? { item(key, .distribution).flatMap(report.distribution) }
    func moment(_ key: String, clock: CivilClock) -> SimTime? {
        item(key, .moment).flatMap { report.moment($0, clock: clock) }
    }
    func bool(_ key: String) -> Bool? { item(key, .bool).flatMap(report.bool) }

    func count(_ key: String) -> Int? {
        guard case .count(let range)? = table.field(key)?.shape else { preconditionFailure("\(key) is no count") }
        return item(key).flatMap { report.count($0, range) }
    }
    func number(_ key: String) -> Double? {
        guard case .number(let range)? = table.field(key)?.shape else { preconditionFailure("\(key) is no number") }
        return item(key).flatMap { report.number($0, range) }
    }
    func choice(_ key: String) -> String? {
        guard case .choice(let words)? = table.field(key)?.shape else { preconditionFailure("\(key) is no choice") }
        return item(key).flatMap { report.choice($0, words) }
    }
    func choice<T: RawRepresentable<String>>(_ key: String, _: T.Type) -> T? { choice(key).flatMap { T(rawValue: $0) } }

    /// The words of a key that takes one of a choice or a list of them.
    func choices(_ key: String) -> [(word: String, item: Item)]? {
        guard case .oneOrMany(.choice(let words))? = table.field(key)?.shape else {
            preconditionFailure("\(key) is no list of choices")
        }
        guard let items = oneOrMany(key) else { return nil }
        return items.compactMap { item in report.choice(item, words).map { ($0, item) } }
    }

    /// The name or pattern under `key`, expanded.
    func names(_ key: String = "name") -> [String] {
        guard let item = item(key, .pattern) else { return [] }
        return report.names(item)
    }

    /// The elements of a value that may be one or a list.
    func oneOrMany(_ key: String) -> [Item]? {
        guard let item = item(key) else { return nil }
        guard let elements = item.elements else {
            guard case .nothing = item.content else { return [item] }
            report.problem(item, expected: table.field(key)!.shape.expected)
            return nil
        }
        if elements.isEmpty { report.problem(item, expected: table.field(key)!.shape.expected, found: "an empty list") }
        return elements
    }

    func list(_ key: String) -> [Item] {
        guard let item = item(key) else { return [] }
        guard let elements = item.elements else {
            report.problem(
                item, expected: "a list of \(plural(key))", hint: "Begin each element with a dash on a line of its own")
            return []
        }
        return elements
    }

    private func plural(_ key: String) -> String {
        if case .list(.record(let name))? = table.field(key)?.shape { return "\(name)s" }
        return key
    }

    /// A mapping under `key`, by the table its shape names.
    func record(_ key: String) -> Fields? {
        guard case .record(let name)? = table.field(key)?.shape else { preconditionFailure("\(key) is no record") }
        return item(key).flatMap { Fields($0, name, report: report) }
    }

    /// The mappings of a list under `key`; those that are none are reported and left out.
    func records(_ key: String) -> [Fields] {
        switch table.field(key)?.shape {
        case .list(.record(let name))?: list(key).compactMap { Fields($0, name, report: report) }
        case .oneOrMany(.record(let name))?: (oneOrMany(key) ?? []).compactMap { Fields($0, name, report: report) }
        default: preconditionFailure("\(key) is no list of records")
        }
    }
}

extension Report {
    /// The names a name or pattern stands for.
    func names(_ item: Item) -> [String] {
        guard let text = item.text, let pattern = NamePattern(text) else {
            problem(item, expected: NamePattern.expected)
            return []
        }
        return pattern.names
    }
}
