internal import Protection
internal import Units

extension Builder {
    static let expectationLimit = 10_000

    func buildExpectations() {
        let all = records("expect")
        guard let first = all.first, fits(all.count, beside: 0, limit: Builder.expectationLimit, "expectations", first)
        else { return }
        setting.expectations = all.compactMap(expectation)
    }

    private func expectation(_ fields: Fields) -> Expectation? {
        guard let quantity = chosenQuantity(fields), let subject = subject(fields, quantity) else { return nil }
        refuseStrayKeys(fields, quantity)
        guard let meaning = meaning(quantity, fields) else { return nil }
        guard let scope = scope(fields, meaning, quantity) else { return nil }
        if case .cartridges = meaning, case .libraries = subject, world.libraries.count > 1, scope != .unspecified,
            scope != .at(.end)
        {
            report.problem(
                fields.spot, fields.path,
                expected:
                    "no time beside cartridges of one of several libraries, which are known apart in the end only",
                found: "one", hint: "Leave the library out: all are counted together")
            return nil
        }
        var result = Expectation(subject, meaning, scope)
        // `never` of an alert, where nothing else is said of it, means that it is never raised.
        if case .alertsRaised(let id, _) = meaning, case .never(let from, let to) = scope {
            result.quantity = .alertsRaised(id: id, Bound(.exactly, 0, .count))
            result.scope = .during(from: from, to: to)
        }
        result.isOfAny = fields.bool("any") ?? false
        result.note = fields.has("note") ? fields.text("note") ?? "" : ""
        result.place = "\(fields.spot.file):\(fields.spot.line)"
        return result
    }

    // MARK: Of whom, what

    private func chosenQuantity(_ fields: Fields) -> Tables.ExpectedQuantity? {
        let chosen = Tables.quantities.filter { fields.has($0.key) }
        if chosen.count == 1 { return chosen[0] }
        report.problem(
            fields.spot, fields.path,
            expected: "exactly one of " + Tables.quantities.map(\.key).joined(separator: ", "),
            found: chosen.isEmpty ? "none" : chosen.map(\.key).joined(separator: " and "))
        return nil
    }

    private func subject(_ fields: Fields, _ quantity: Tables.ExpectedQuantity) -> Expectation.Subject? {
        let keys = Tables.subjectKeys.map(\.key).filter(fields.has)
        guard keys.count <= 1 else {
            report.problem(
                fields.spot, fields.path, expected: "at most one of machine, host, group, server, library, pool, link",
                found: keys.joined(separator: " and "))
            return nil
        }
        guard let key = keys.first else {
            guard quantity.needsSubject else { return .run }
            report.problem(
                fields.spot, fields.path,
                expected: "beside \(quantity.key) whom it is about: "
                    + quantity.subjects.sorted().joined(separator: ", "),
                found: "none")
            return nil
        }
        let items = fields.oneOrMany(key) ?? []
        guard quantity.subjects.contains(key) else {
            let of =
                quantity.subjects.isEmpty ? "the whole run only" : quantity.subjects.sorted().joined(separator: ", ")
            report.problem(
                items.first?.spot ?? fields.spot, fields.path(key),
                expected: "\(quantity.key) of \(of)", found: "it of a \(key)")
            return nil
        }
        let before = report.problems.count
        let subject: Expectation.Subject =
            switch key {
            case "machine": .machines(machines.many(items, report: report))
            case "host": .hosts(hosts.many(items, report: report))
            case "group": .groups(groups.many(items, report: report))
            case "server": .servers(servers.many(items, report: report))
            case "library": .libraries(libraries.many(items, report: report))
            case "pool": .poolVolumes(poolVolumes.many(items, scopes: world.servers.map(\.name), report: report))
            default: .links(links.many(items, report: report))
            }
        return report.problems.count == before ? subject : nil
    }

    /// Keys that mean nothing beside the quantity: a figure that is silently not looked at would hold for ever.
    private func refuseStrayKeys(_ fields: Fields, _ quantity: Tables.ExpectedQuantity) {
        var allowed = Set([quantity.key, "any", "note"] + Tables.subjectKeys.map(\.key) + Tables.scopeKeys)
        allowed.formUnion(quantity.beside)
        if quantity.key == "alert" { allowed.insert("raised") }
        for key in fields.table.keys where !allowed.contains(key) && fields.has(key) {
            guard let item = fields.layers[0][key] else { continue }
            report.problem(
                item,
                expected: "beside \(quantity.key) only " + (quantity.beside + Tables.scopeKeys).joined(separator: ", "),
                found: key)
        }
    }

    private func meaning(_ quantity: Tables.ExpectedQuantity, _ fields: Fields) -> Expectation.Quantity? {
        switch quantity.key {
        case "replica":
            return fields.choice("replica").flatMap { word in Tables.replicaWords.first { $0.word == word } }
                .map { .replica($0.state) }
        case "runs-on": return fields.item("runs-on").flatMap { hosts.one($0, report: report) }.map { .runsOn($0) }
        case "alert": return alert(fields)
        case "used": return fields.bound("used").map { .used($0) }
        case "cartridges":
            guard let word = fields.choice("cartridges"), let bound = needed("count", fields),
                let state = Tables.cartridgeWords.first(where: { $0.word == word })?.state
            else { return nil }
            return .cartridges(state, bound)
        case "point-age":
            guard let bound = fields.bound("point-age") else { return nil }
            guard bound.relation == .below || bound.relation == .atMost else {
                report.problem(
                    fields.layers[0]["point-age"]!, expected: "below or at most a duration, such as below 30 h")
                return nil
            }
            return .pointAge(bound)
        case "jobs": return jobs(fields)
        case "missed": return fields.bound("missed").map { .missed(error: error(fields), $0) }
        case "points": return fields.bound("points").map { .points($0) }
        case "verified", "differing", "damaged":
            guard let bound = fields.bound(quantity.key) else { return nil }
            guard world.machines.contains(where: { $0.real != nil }) else {
                report.problem(
                    fields.layers[0][quantity.key] ?? Item(text: "", spot: fields.spot, path: fields.path),
                    expected: "\(quantity.key) only where there are real machines (data: real)", found: "none")
                return nil
            }
            let finding: PointCheckRecord.Finding =
                quantity.key == "verified" ? .verified : quantity.key == "damaged" ? .damaged : .differs
            return .readBack(finding, bound)
        case "consistency":
            return fields.choice("consistency").flatMap { word in Tables.consistencyWords.first { $0.word == word } }
                .map { .consistency($0.consistency) }
        case "mounts": return fields.bound("mounts").map { .mounts($0) }
        case "refused":
            return rule("refused", fields).map { .refused($0, error: error(fields).map(Int.init), often(fields)) }
        case "warned":
            return rule("warned", fields).map { .warned($0, error: error(fields).map(Int.init), often(fields)) }
        case "incident": return incident(fields)
        default: return fields.bound("carried").map { .carried($0) }
        }
    }

    private func error(_ fields: Fields) -> Int32? {
        fields.has("error") ? fields.count("error").map { Int32($0) } : nil
    }

    /// How often; once at least, where nothing is said.
    private func often(_ fields: Fields) -> Bound {
        (fields.has("count") ? fields.bound("count") : nil) ?? Bound(.atLeast, 1, .count)
    }

    private func needed(_ key: String, _ fields: Fields) -> Bound? {
        if fields.has(key) { return fields.bound(key) }
        report.problem(
            fields.spot, fields.path, expected: "the key \(key): \(fields.table.field(key)!.shape.expected)",
            found: "none")
        return nil
    }

    private func alert(_ fields: Fields) -> Expectation.Quantity? {
        guard let number = fields.count("alert") else { return nil }
        let id = Int32(number)
        guard let kind = AlertKind(rawValue: id) else {
            let known = AlertKind.allCases.map { "\($0.id)" }
            report.problem(
                fields.layers[0]["alert"]!, expected: "the id of an alert",
                hint: "Known: " + known.joined(separator: ", "))
            return nil
        }
        if fields.has("open"), fields.has("raised") {
            report.problem(fields.spot, fields.path, expected: "either raised: or open:", found: "both")
            return nil
        }
        if fields.has("open") { return fields.bool("open").map { .alertOpen(id: kind.id, $0) } }
        if fields.has("raised") { return fields.bound("raised").map { .alertsRaised(id: id, $0) } }
        // At a moment an alert is open or not.
        if fields.has("at") || fields.has("always") { return .alertOpen(id: id, true) }
        return .alertsRaised(id: id, Bound(.atLeast, 1, .count))
    }

    private func jobs(_ fields: Fields) -> Expectation.Quantity? {
        var filter = Expectation.JobFilter()
        for (word, _) in fields.choices("jobs") ?? [] {
            if let kind = Tables.jobWords.first(where: { $0.word == word })?.kind { filter.kinds.append(kind) }
        }
        if fields.has("status"), let word = fields.choice("status") {
            filter.status = Tables.jobStatusWords.first { $0.word == word }?.status
        }
        filter.error = error(fields)
        let figures = ["count", "duration", "changed", "sent", "stored", "downtime"].filter(fields.has)
        guard figures.count == 1, let key = figures.first else {
            report.problem(
                fields.spot, fields.path,
                expected: "beside jobs exactly one of count, duration, changed, sent, stored, downtime",
                found: figures.isEmpty ? "none" : figures.joined(separator: " and "))
            return nil
        }
        if key == "duration", case .mapping? = fields.layers[0][key]?.content { return percentile(filter, fields) }
        guard let bound = fields.bound(key) else { return nil }
        let figure: Expectation.JobFigure =
            switch key {
            case "count": .count
            case "duration": .duration(percentile: bound.relation == .above || bound.relation == .atLeast ? 0 : 100)
            case "changed": .changed
            case "sent": .sent
            case "stored": .stored
            default: .downtime
            }
        return .jobs(filter, figure, bound)
    }

    private func percentile(_ filter: Expectation.JobFilter, _ fields: Fields) -> Expectation.Quantity? {
        guard let item = fields.layers[0]["duration"], let inner = Fields(item, "percentile", report: report),
            let share = inner.number("percentile")
        else { return nil }
        let relations: [(key: String, relation: Bound.Relation)] = [
            ("below", .below), ("above", .above), ("at-most", .atMost), ("at-least", .atLeast),
        ]
        let used = relations.filter { inner.has($0.key) }
        guard used.count == 1, let value = inner.duration(used[0].key) else {
            if used.count != 1 {
                report.problem(
                    inner.spot, inner.path, expected: "exactly one of below, above, at-most, at-least",
                    found: used.isEmpty ? "none" : used.map(\.key).joined(separator: " and "))
            }
            return nil
        }
        return .jobs(filter, .duration(percentile: share), Bound(used[0].relation, value.nanoseconds, .time))
    }

    private func rule(_ key: String, _ fields: Fields) -> RuleID? {
        guard let item = fields.item(key), let text = report.text(item) else { return nil }
        if let entry = RuleCatalogue.all.first(where: { $0.id.description == text }) { return entry.id }
        report.problem(
            item, expected: "the id of a rule, such as PRE-3",
            hint: report.hint(for: text, among: RuleCatalogue.all.map(\.id.description), kind: "rule"))
        return nil
    }

    private func incident(_ fields: Fields) -> Expectation.Quantity? {
        guard let item = fields.item("incident"), let label = label(item) else { return nil }
        let figures: [(key: String, figure: Expectation.IncidentFigure)] = [
            ("count", .count), ("machines", .machines), ("broken-jobs", .brokenJobs), ("checks", .checks),
            ("checked", .checked), ("lasts", .lasts),
        ]
        let used = figures.filter { fields.has($0.key) }
        guard used.count == 1 else {
            report.problem(
                fields.spot, fields.path,
                expected: "beside incident exactly one of " + figures.map(\.key).joined(separator: ", "),
                found: used.isEmpty ? "none" : used.map(\.key).joined(separator: " and "))
            return nil
        }
        return fields.bound(used[0].key).map { .incident(label: label, used[0].figure, $0) }
    }

    // MARK: When

    private func scope(
        _ fields: Fields, _ meaning: Expectation.Quantity, _ quantity: Tables.ExpectedQuantity
    ) -> Expectation.Scope? {
        let keys = Tables.scopeKeys.filter(fields.has)
        guard keys.count <= 1 else {
            report.problem(
                fields.spot, fields.path, expected: "at most one of " + Tables.scopeKeys.joined(separator: ", "),
                found: keys.joined(separator: " and "))
            return nil
        }
        guard let key = keys.first, let item = fields.layers[0][key] else { return .unspecified }
        let isAlert = quantity.key == "alert"
        let allowed: [String] =
            switch meaning.kind {
            case .level: ["at", "always", "never", "eventually", "within"]
            case .tally: ["during", "within"] + (isAlert && !fields.has("raised") ? ["never"] : [])
            case .final: []
            }
        guard allowed.contains(key) else {
            report.problem(
                item,
                expected: allowed.isEmpty
                    ? "no time beside \(quantity.key), which is known in the end"
                    : "beside \(quantity.key) one of " + allowed.joined(separator: ", "), found: key)
            return nil
        }
        switch key {
        case "at": return point(item).map { .at($0) }
        case "within": return deadline(item)
        case "during": return period(item).map { .during(from: $0, to: $1) }
        default:
            guard let span = item.text?.contains("..") == true ? period(item) : whole(item) else { return nil }
            switch key {
            case "always": return .always(from: span.from, to: span.to)
            case "never": return .never(from: span.from, to: span.to)
            default: return .eventually(from: span.from, to: span.to)
            }
        }
    }

    private func whole(_ item: Item) -> (from: ExpectedMoment, to: ExpectedMoment)? {
        guard let isMeant = report.bool(item) else { return nil }
        guard isMeant else {
            report.problem(item, expected: "yes or a time; leave the key out where it is not meant")
            return nil
        }
        return (.at(.start), .end)
    }

    /// `day 3 08:00`, `start`, `end`, a label, or `15 min after LABEL`.
    private func point(_ item: Item) -> ExpectedMoment? {
        guard let text = report.text(item) else { return nil }
        if text == "start" { return .at(.start) }
        if text == "end" { return .end }
        if let (span, name) = parted(text, " after "), let duration = SimDuration(span), duration >= .zero {
            if name == "start" { return .at(.start + duration) }
            return label(Item(text: name, spot: item.spot, path: item.path)).map { .after(duration, label: $0) }
        }
        if labels.contains(text) { return .after(.zero, label: text) }
        return report.moment(item, expected: Shape.point.expected, clock: setting.clock).map { .at($0) }
    }

    private func period(_ item: Item) -> (from: ExpectedMoment, to: ExpectedMoment)? {
        guard let text = report.text(item) else { return nil }
        guard let (from, to) = parted(text, "..") else {
            report.problem(item, expected: Shape.period.expected)
            return nil
        }
        guard let first = point(Item(text: from, spot: item.spot, path: item.path)),
            let last = point(Item(text: to, spot: item.spot, path: item.path))
        else { return nil }
        if case .at(let a) = first, case .at(let b) = last, a > b {
            report.problem(item, expected: "a time that ends after it begins")
            return nil
        }
        return (first, last)
    }

    /// `15 min of LABEL`, or `3 d` of the start.
    private func deadline(_ item: Item) -> Expectation.Scope? {
        guard let text = report.text(item) else { return nil }
        let (span, name) = parted(text, " of ") ?? (text, "")
        guard let duration = SimDuration(span), duration > .zero, duration <= Report.longest else {
            report.problem(item, expected: Shape.deadline.expected)
            return nil
        }
        if name.isEmpty || name == "start" || name == "the start" { return .within(duration, of: nil) }
        return label(Item(text: name, spot: item.spot, path: item.path)).map { .within(duration, of: $0) }
    }

    private var labels: [String] {
        var seen: [String] = []
        for line in setting.script where !line.label.isEmpty && !seen.contains(line.label) { seen.append(line.label) }
        return seen
    }

    private func label(_ item: Item) -> String? {
        guard let text = report.text(item) else { return nil }
        let labels = labels
        if labels.contains(text) { return text }
        report.problem(
            item, expected: "the label of a line of the script",
            hint: labels.isEmpty
                ? "No line of the script has a label" : report.hint(for: text, among: labels, kind: "label"))
        return nil
    }

    private func parted(_ text: String, _ word: String) -> (String, String)? {
        let parts = text.split(separator: word, maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        return (CSVTable.trimmed(String(parts[0])), CSVTable.trimmed(String(parts[1])))
    }
}

extension Fields {
    /// What a figure is held against.
    func bound(_ key: String) -> Bound? {
        let kind: Shape.BoundKind
        switch table.field(key)?.shape {
        case .bound(let its)?: kind = its
        case .either(let shapes)?:
            guard case .bound(let its)? = shapes.first else { preconditionFailure("\(key) is no bound") }
            kind = its
        default: preconditionFailure("\(key) is no bound")
        }
        return item(key).flatMap { report.bound($0, kind) }
    }
}

extension Report {
    /// `below 90 %`, `at least 2`, `1 h .. 2 h`, `once`, `30 s`.
    func bound(_ item: Item, _ kind: Shape.BoundKind) -> Bound? {
        let expected = Shape.bound(kind).expected
        guard let text = item.text else {
            problem(item, expected: expected)
            return nil
        }
        if kind == .count, let known = ["never": 0, "none": 0, "once": 1, "twice": 2][text.lowercased()] {
            return Bound(.exactly, Int64(known), .count)
        }
        var relation = Bound.Relation.exactly
        var rest = text
        for word in Bound.Relation.allCases where text.lowercased().hasPrefix(word.rawValue + " ") {
            relation = word
            rest = CSVTable.trimmed(String(text.dropFirst(word.rawValue.count)))
        }
        if rest == "once" { rest = "1" }
        if rest == "twice" { rest = "2" }
        let ends = rest.split(separator: "..", omittingEmptySubsequences: false).map { CSVTable.trimmed(String($0)) }
        let values = ends.map { value($0, kind) }
        switch (values.count, relation) {
        case (1, _):
            if relation != .between, let (figure, measure) = values[0] { return Bound(relation, figure, measure) }
        case (2, .exactly), (2, .between):
            if let (low, measure) = values[0], let (high, other) = values[1], measure == other, low <= high {
                return Bound(from: low, to: high, measure)
            }
        default: break
        }
        problem(item, expected: expected)
        return nil
    }

    private func value(_ text: String, _ kind: Shape.BoundKind) -> (Int64, Bound.Measure)? {
        switch kind {
        case .count: return Int64(text).flatMap { $0 >= 0 ? ($0, .count) : nil }
        case .time: return SimDuration(text).flatMap { $0 >= .zero ? ($0.nanoseconds, .time) : nil }
        case .size: return Bytes(text).map { ($0.count, .bytes) }
        case .shareOrSize:
            if text.hasSuffix("%") { return Fraction(text).map { ($0.partsPerBillion, .share) } }
            return Bytes(text).map { ($0.count, .bytes) }
        }
    }
}
