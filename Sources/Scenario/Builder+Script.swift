internal import Protection
internal import Units

extension Builder {
    static let lineLimit = 1_000_000

    func buildScript() {
        for fields in records("script") { addLine(fields) }
    }

    /// One line of the file for several objects becomes one line of the script for each.
    private func addLine(_ fields: Fields) {
        let kinds = Tables.scriptKinds.map(\.key).filter(fields.has)
        guard kinds.count == 1, let kind = kinds.first else {
            report.problem(
                fields.spot, fields.path,
                expected: "exactly one of " + Tables.scriptKinds.map(\.key).joined(separator: ", "),
                found: kinds.isEmpty ? "none" : kinds.joined(separator: " and "))
            return
        }
        let lasts = fields.distribution("lasts")
        let happenings = happenings(kind, fields)
        guard let timing = timing(fields),
            fits(happenings.count, beside: setting.script.count, limit: Builder.lineLimit, "script lines", fields)
        else { return }
        if kind != "migration" {
            for key in ["to", "storage"] {
                if let index = fields.layerIndex(of: key), let item = fields.layers[index][key] {
                    report.problem(item, expected: "\(key) only beside migration", found: "it beside \(kind)")
                }
            }
        }
        let label = fields.has("label") ? fields.text("label") ?? "" : ""
        setting.script += happenings.map {
            var line = ScriptLine($0, timing, lasts: lasts)
            line.label = label
            return line
        }
    }

    private func timing(_ fields: Fields) -> ScriptLine.Timing? {
        guard fields.has("at") != fields.has("every") else {
            report.problem(
                fields.spot, fields.path, expected: "either at: with a moment or every: with a distribution",
                found: fields.has("at") ? "both" : "neither")
            return nil
        }
        if fields.has("at") { return fields.moment("at", clock: setting.clock).map { .at($0) } }
        return fields.distribution("every").map { .random($0) }
    }

    private func happenings(_ kind: String, _ fields: Fields) -> [Happening] {
        let items = fields.oneOrMany(kind) ?? []
        return switch kind {
        case "crash": hosts.many(items, report: report).map { .nodeCrash($0) }
        case "maintenance": hosts.many(items, report: report).map { .maintenance($0) }
        case "restart": hosts.many(items, report: report).map { .nodeRestart($0) }
        case "link-outage": links.many(items, report: report).map { .linkOutage($0) }
        case "server-outage": servers.many(items, report: report).map { .serverOutage($0) }
        case "drive-failure": drives.many(items, report: report).map { .driveFailure($0) }
        case "robot-jam": libraries.many(items, report: report).map { .robotJam($0) }
        case "pool-volume-outage": poolVolumes.many(items, report: report).map { .poolVolumeOutage($0) }
        case "volume-full": volumes.many(items, report: report).map { .volumeFull($0) }
        default: migrations(items, fields)
        }
    }

    private func migrations(_ items: [Item], _ fields: Fields) -> [Happening] {
        let moving = machines.many(items, report: report)
        guard let to = fields.oneOrMany("to") else {
            report.problem(fields.spot, fields.path, expected: "the key to: the new host", found: "none")
            return []
        }
        let targets = hosts.many(to, report: report)
        let scopes = targets.first.map { self.scopes(of: $0) } ?? []
        let storage = fields.oneOrMany("storage").map { volumes.many($0, scopes: scopes, report: report) } ?? []
        guard !targets.isEmpty else { return [] }
        return moving.enumerated().map { index, machine in
            .migration(
                machine, to: targets[index % targets.count],
                storage: storage.isEmpty ? nil : storage[index % storage.count])
        }
    }
}
