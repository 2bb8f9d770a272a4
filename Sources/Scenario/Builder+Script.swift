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
        refuseStrayKeys(fields, kind)
        let label = fields.has("label") ? fields.text("label") ?? "" : ""
        setting.script += happenings.map {
            var line = ScriptLine($0, timing, lasts: lasts)
            line.label = label
            return line
        }
    }

    /// A key that belongs to another kind would be silently without effect.
    private func refuseStrayKeys(_ fields: Fields, _ kind: String) {
        for key in ["rate", "port", "by", "error", "state", "data", "blocks"] + Tables.recoveryKeys {
            guard let item = fields.layers[0][key] else { continue }
            let owners = Tables.scriptKinds.filter { ($0.needed + $0.also).contains(key) }.map(\.key)
            if !owners.contains(kind) {
                report.problem(
                    item, expected: "\(key) only beside \(owners.joined(separator: ", "))", found: "it beside \(kind)")
            }
        }
        if let item = fields.layers[0]["after"], !fields.has("when") {
            report.problem(item, expected: "after only beside when", found: "it without")
        }
    }

    private func timing(_ fields: Fields) -> ScriptLine.Timing? {
        let keys = ["at", "every", "when"].filter(fields.has)
        guard keys.count == 1, let key = keys.first else {
            report.problem(
                fields.spot, fields.path,
                expected: "one of at: with a moment, every: with a distribution, when: with a step of a job",
                found: keys.isEmpty ? "none" : keys.joined(separator: " and "))
            return nil
        }
        switch key {
        case "at": return fields.moment("at", clock: setting.clock).map { .at($0) }
        case "every": return fields.distribution("every").map { .random($0) }
        default:
            guard var moment = fields.item("when", .step).flatMap(jobMoment) else { return nil }
            if fields.has("after") {
                guard let time = fields.moment("after", clock: setting.clock) else { return nil }
                moment.notBefore = time
            }
            return .step(moment)
        }
    }

    /// `job.transfer of sql-03 at 40 %`, `express full.snapshot of sql-03`.
    private func jobMoment(_ item: Item) -> JobMoment? {
        guard let text = report.text(item) else { return nil }
        func wrong(_ hint: String = "") -> JobMoment? {
            report.problem(item, expected: Shape.step.expected, hint: hint)
            return nil
        }
        let sides = text.split(separator: " of ", maxSplits: 1).map { CSVTable.trimmed(String($0)) }
        let words = sides.first?.split(separator: ".").map { CSVTable.trimmed(String($0)) } ?? []
        guard sides.count == 2, words.count == 2 else { return wrong() }
        let steps = JobMoment.Step.allCases.map(\.rawValue)
        guard let step = JobMoment.Step(rawValue: words[1]) else {
            return wrong(report.hint(for: words[1], among: steps, kind: "step"))
        }
        var kind: JobKind?
        if words[0] != "job" {
            guard let known = Tables.jobWords.first(where: { $0.word == words[0] }) else {
                return wrong(
                    report.hint(for: words[0], among: ["job"] + Tables.jobWords.map(\.word), kind: "kind of job"))
            }
            kind = known.kind
        }
        let rest = sides[1].split(separator: " at ", maxSplits: 1).map { CSVTable.trimmed(String($0)) }
        var share = Fraction.zero
        if rest.count == 2 {
            guard rest[1].hasSuffix("%"), let value = Fraction(rest[1]), value < .one else { return wrong() }
            guard step == .transfer else { return wrong("A share is known of the transfer only") }
            share = value
        }
        let name = Item(text: rest[0], spot: item.spot, path: item.path)
        guard let machine = machines.one(name, report: report) else { return nil }
        var moment = JobMoment(kind: kind, step: step, machine: machine)
        moment.share = share
        return moment
    }

    private func happenings(_ kind: String, _ fields: Fields) -> [Happening] {
        let items = fields.oneOrMany(kind) ?? []
        return switch kind {
        case "crash": hosts.many(items, report: report).map { .nodeCrash($0) }
        case "maintenance": hosts.many(items, report: report).map { .maintenance($0) }
        case "restart": hosts.many(items, report: report).map { .nodeRestart($0) }
        case "partition": hosts.many(items, report: report).map { .partition($0) }
        case "agent":
            agentState(fields).map { state in hosts.many(items, report: report).map { .agent($0, state) } } ?? []
        case "link-outage": links.many(items, report: report).map { .linkOutage($0) }
        case "slow-link":
            needed("rate", fields) { $0.rate("rate") }
                .map { rate in links.many(items, report: report).map { .slowLink($0, rate) } } ?? []
        case "server-outage": servers.many(items, report: report).map { .serverOutage($0) }
        case "database-loss": servers.many(items, report: report).map { .databaseLoss($0) }
        case "clock-change":
            offset(fields).map { span in servers.many(items, report: report).map { .clockChange($0, by: span) } } ?? []
        case "vmm-outage": vmmServers.many(items, report: report).map { .vmmOutage($0) }
        case "vmm-helper-stopped": vmmServers.many(items, report: report).map { .helperStopped($0) }
        case "vmm-helper-port":
            needed("port", fields) { $0.count("port") }
                .map { port in vmmServers.many(items, report: report).map { .helperPort($0, port) } } ?? []
        case "drive-failure": drives.many(items, report: report).map { .driveFailure($0) }
        case "robot-jam": libraries.many(items, report: report).map { .robotJam($0) }
        case "cartridge-missing": barcodes().many(items, report: report).map { .cartridgeMissing($0) }
        case "cartridge-damaged": barcodes().many(items, report: report).map { .cartridgeDamaged($0) }
        case "certificate-missing": encryptedGroups(items).map { .certificateMissing($0) }
        case "certificate-expired": encryptedGroups(items).map { .certificateExpired($0) }
        case "pool-volume-outage": poolVolumes.many(items, report: report).map { .poolVolumeOutage($0) }
        case "volume-outage": volumes.many(items, report: report).map { .volumeOutage($0) }
        case "volume-full": volumes.many(items, report: report).map { .volumeFull($0) }
        case "snapshots-full": volumes.many(items, report: report).map { .snapshotsFull($0) }
        case "vss-failure":
            machines.many(items, report: report).map {
                .vssFailure($0, error: Int32(fields.choice("error") ?? "") ?? 0)
            }
        case "integration-off": machines.many(items, report: report).map { .integrationOff($0) }
        case "replication":
            replicationState(fields)
                .map { state in machines.many(items, report: report).map { .replication($0, state) } } ?? []
        case "run-check": machines.many(items, report: report).map { .runCheck($0) }
        case "run-backup": machines.many(items, report: report).map { .runBackup($0) }
        case "run-summary-manager": servers.many(items, report: report).map { .runSummaryManager($0) }
        case "stop-protection": stops(items, fields)
        case "recover": recoveries(items, fields)
        case "pool-rot":
            rottingMachines(items).map { .poolRot($0, blocks: fields.count("blocks") ?? 1) }
        case "tape-rot": barcodes().many(items, report: report).map { .tapeRot($0) }
        case "torn-write": servers.many(items, report: report).map { .tornWrite($0) }
        case "pool-full-disk": servers.many(items, report: report).map { .poolDisksFull($0) }
        default: migrations(items, fields)
        }
    }

    private func stops(_ items: [Item], _ fields: Fields) -> [Happening] {
        let deletes = fields.choice("data") == "delete"
        if deletes, fields.has("lasts"), let item = fields.item("lasts") {
            report.problem(item, expected: "no lasts where data are deleted: there is nothing to go on with")
        }
        return machines.many(items, report: report).map { .stopProtection($0, deletesData: deletes) }
    }

    private func needed<T>(_ key: String, _ fields: Fields, _ read: (Fields) -> T?) -> T? {
        if fields.has(key) { return read(fields) }
        report.problem(
            fields.spot, fields.path, expected: "the key \(key): \(fields.table.field(key)!.shape.expected)",
            found: "none")
        return nil
    }

    private func agentState(_ fields: Fields) -> AgentState? {
        guard let word = needed("state", fields, { $0.choice("state") }) else { return nil }
        if let state = AgentState(rawValue: word) { return state }
        report.problem(
            fields.layers[0]["state"]!, expected: "one of \(Tables.words(AgentState.allCases).joined(separator: ", "))")
        return nil
    }

    private func replicationState(_ fields: Fields) -> ReplicationState? {
        guard let word = needed("state", fields, { $0.choice("state") }) else { return nil }
        if let state = ReplicationState(rawValue: word) { return state }
        report.problem(
            fields.layers[0]["state"]!,
            expected: "one of \(Tables.words(ReplicationState.allCases).joined(separator: ", "))")
        return nil
    }

    private func offset(_ fields: Fields) -> SimDuration? {
        guard let item = needed("by", fields, { $0.item("by", .offset) }) else { return nil }
        if let span = item.text.flatMap({ SimDuration($0) }), abs(span.seconds) <= Report.longest.seconds {
            return span
        }
        report.problem(item, expected: Shape.offset.expected)
        return nil
    }

    /// Groups that encrypt their tapes: of others a certificate would be missed without any effect.
    private func encryptedGroups(_ items: [Item]) -> [Ref<ProtectionGroup>] {
        let found = groups.many(items, report: report)
        for group in found where world.groups[group].tape?.encoding != .encrypt {
            report.problem(
                items[0], expected: "groups whose tapes are encrypted", found: quoted(world.groups[group].name))
        }
        return found
    }

    /// Numbers do not rot: of modelled machines nothing is stored that could.
    private func rottingMachines(_ items: [Item]) -> [Ref<Machine>] {
        let found = machines.many(items, report: report)
        for machine in found where world.machines[machine].real == nil {
            report.problem(
                items[0], expected: "real machines (data: real), for only bytes that are stored can rot",
                found: quoted(world.machines[machine].name))
        }
        return found
    }

    /// Cartridges have no names elsewhere in a scenario.
    private func barcodes() -> Names<Cartridge> {
        var names = Names<Cartridge>("cartridge")
        for cartridge in world.cartridges {
            _ = names.declare(cartridge.barcode, whole.spot, "servers", report: report)
        }
        return names
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
