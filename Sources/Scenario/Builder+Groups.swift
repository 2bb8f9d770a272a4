internal import Protection
internal import Units

extension Builder {
    func buildGroups() {
        for fields in records("groups") {
            let names = fields.names()
            if names.count > 1, let item = fields.item("name") {
                report.problem(item, expected: "the name of one group")
            }
            for name in names.prefix(1) where groups.declare(name, fields.spot, fields.path, report: report) {
                world.groups.append(group(name, fields))
            }
        }
    }

    private func group(_ name: String, _ fields: Fields) -> ProtectionGroup {
        var server = Ref<DPMServer>(0)
        if let item = fields.item("server") {
            server = servers.one(item, report: report) ?? server
        } else if world.servers.isEmpty {
            report.problem(
                fields.spot, fields.path, expected: "a DPM server to protect the group", found: "none",
                hint: "Describe one under servers")
        } else {
            report.note(
                fields.path("server"), world.servers[0].name, .default(name: "group.server", source: "the first server")
            )
        }
        var group = ProtectionGroup(name: name, server: server)
        group.members = members(fields)
        group.disk = fields.record("disk").flatMap(diskGoal)
        group.shortTermTape = fields.record("short-term-tape").flatMap(tapeGoal)
        if fields.has("long-term-tape") { group.longTermTape = fields.records("long-term-tape").compactMap(tapeGoal) }
        group.tape = fields.record("tape").flatMap(tapeOptions)
        group.online = fields.record("online").flatMap(onlineGoal)
        let scopes = world.servers.isEmpty ? [] : [world.servers[server].name]
        group.volumes = fields.oneOrMany("volumes").map { poolVolumes.many($0, scopes: scopes, report: report) } ?? []
        group.isColocated = fields.bool("colocated") ?? false
        group.autoGrow = fields.bool("auto-grow") ?? true
        group.replicaCreation = replicaCreation(fields)
        group.automaticChecks = fields.bool("automatic-checks") ?? true
        group.scheduledCheck = fields.window("scheduled-check")
        group.backupWindow = fields.window("window")
        group.throttle = fields.record("throttle").flatMap(throttle)
        group.compressesOnWire = fields.bool("wire-compression") ?? false
        group.stagger = fields.duration("stagger") ?? .zero
        return group
    }

    private func members(_ fields: Fields) -> [Ref<Machine>] {
        guard let item = fields.item("members") else { return [] }
        if item.text == "all" { return world.machines.indices.map { Ref($0) } }
        guard case .mapping = item.content else {
            return machines.many(fields.oneOrMany("members") ?? [], report: report)
        }
        guard let chosen = Fields(item, "members", report: report) else { return [] }
        var taken = Set<Ref<Machine>>()
        taken.formUnion(chosen.oneOrMany("machines").map { machines.many($0, report: report) } ?? [])
        var onHosts = Set(chosen.oneOrMany("hosts").map { hosts.many($0, report: report) } ?? [])
        for cluster in chosen.oneOrMany("clusters").map({ clusters.many($0, report: report) }) ?? [] {
            onHosts.formUnion(world.clusters[cluster].nodes)
        }
        if !["machines", "hosts", "clusters"].contains(where: chosen.has) {
            taken.formUnion(world.machines.indices.map { Ref($0) })
        }
        for index in world.machines.indices where onHosts.contains(world.machines[index].host) {
            taken.insert(Ref(index))
        }
        taken.subtract(chosen.oneOrMany("except").map { machines.many($0, report: report) } ?? [])
        return taken.sorted()
    }

    private func weekdays(_ key: String, _ fields: Fields) -> [Weekday]? {
        fields.choices(key)?.compactMap { word, _ in Weekday.allCases.first { $0.short == word } }
    }

    private func weekday(_ fields: Fields) -> Weekday? {
        let word = fields.choice("weekday")
        return Weekday.allCases.first { $0.short == word }
    }

    private func diskGoal(_ fields: Fields) -> DiskGoal? {
        var days = 1
        if let span = fields.retention("retention"), let item = fields.item("retention") {
            switch span.unit {
            case .days: days = span.count
            case .weeks: days = 7 * span.count
            case .months, .years:
                report.problem(item, expected: "a retention range on disk in days or weeks, such as 14 days")
            }
        }
        let times = (fields.oneOrMany("times") ?? []).compactMap(report.timeOfDay)
        if let item = fields.item("times"), Set(times).count < times.count {
            report.problem(item, expected: "each time once", found: times.map(\.description).joined(separator: ", "))
        }
        var goal = DiskGoal(
            retentionDays: days,
            schedule: WeeklySchedule(
                times: times, weekdays: Set(weekdays("weekdays", fields) ?? Weekday.allCases).sorted()))
        if let item = fields.item("synchronization"), item.text != "before recovery point" {
            if let interval = item.text.flatMap({ SimDuration($0) }), interval >= .minutes(1), interval <= .days(1),
                interval.nanoseconds % SimDuration.minutes(1).nanoseconds == 0
            {
                goal.synchronization = .every(minutes: Int(interval.nanoseconds / SimDuration.minutes(1).nanoseconds))
            } else {
                report.problem(item, expected: "before recovery point, or whole minutes from 1 min to 24 h")
            }
        }
        return goal
    }

    private func tapeGoal(_ fields: Fields) -> TapeGoal? {
        let frequency = fields.choice("frequency", BackupFrequency.self)
        let retention = fields.retention("retention")
        let (time, day, copies) = (fields.timeOfDay("time"), weekday(fields), fields.count("copies"))
        guard let frequency, let retention else { return nil }
        var goal = TapeGoal(frequency: frequency, retention: retention)
        goal.time = time ?? goal.time
        goal.weekday = day ?? goal.weekday
        goal.copies = copies ?? 1
        return goal
    }

    private func tapeOptions(_ fields: Fields) -> TapeOptions? {
        let library = fields.item("library").flatMap { libraries.one($0, report: report) }
        var options = TapeOptions(library: library ?? Ref(0))
        options.drives = fields.count("drives") ?? 1
        options.encoding = fields.choice("encoding", TapeOptions.Encoding.self) ?? .plain
        options.hasCertificate = fields.bool("certificate") ?? true
        options.colocationSet = fields.text("colocation")
        options.writePeriod = fields.duration("write-period") ?? options.writePeriod
        options.expiryTolerance = fields.duration("expiry-tolerance") ?? options.expiryTolerance
        return library == nil ? nil : options
    }

    private func onlineGoal(_ fields: Fields) -> OnlineGoal? {
        let vault = fields.item("vault").flatMap { vaults.one($0, report: report) }
        let retention = fields.retention("retention")
        let (frequency, time, day) = (
            fields.choice("frequency", BackupFrequency.self), fields.timeOfDay("time"), weekday(fields)
        )
        guard let vault, let retention else { return nil }
        var goal = OnlineGoal(vault: vault, retention: retention)
        goal.frequency = frequency ?? .daily
        goal.time = time ?? goal.time
        goal.weekday = day ?? goal.weekday
        return goal
    }

    private func replicaCreation(_ fields: Fields) -> ProtectionGroup.ReplicaCreation {
        guard let item = fields.item("replica-creation"), item.text != "now" else { return .now }
        guard case .mapping = item.content else {
            report.problem(item, expected: "now, or one of at: and manual: with a moment")
            return .now
        }
        guard let chosen = Fields(item, "replica creation", report: report) else { return .now }
        let (at, manual) = (chosen.moment("at", clock: setting.clock), chosen.moment("manual", clock: setting.clock))
        if chosen.has("at") == chosen.has("manual") {
            report.problem(item, expected: "one of at: and manual: with a moment")
        }
        return at.map { .at($0) } ?? manual.map { .manual(loaded: $0) } ?? .now
    }

    func throttle(_ fields: Fields) -> Throttle? {
        let (work, other, hours) = (fields.rate("work-rate"), fields.rate("other-rate"), fields.window("work-hours"))
        let days = weekdays("work-days", fields) ?? [.monday, .tuesday, .wednesday, .thursday, .friday]
        guard let work, let other, let hours else { return nil }
        return Throttle(workRate: work, otherRate: other, workHours: hours, workDays: days)
    }
}
