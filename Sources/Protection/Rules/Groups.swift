internal import Units

/// Minutes between synchronizations that the console offers. Source: dpm-facts 2.6.
let synchronizationChoices = [15, 30, 45, 60, 120, 240, 360, 720, 1_440]

extension World {
    /// What is wrong with a group's policy, members apart.
    /// - Rule: GRP-1
    /// - Rule: GRP-2
    /// - Rule: GRP-3
    /// - Rule: GRP-9
    func groupRefusals(_ g: Ref<ProtectionGroup>) -> [Refusal] {
        let group = groups[g]
        let object = "protection group \(group.name)"
        var found: [Refusal] = []
        func refuse(_ id: Int, _ number: Int, _ cause: String, _ action: String) {
            found.append(Refusal(id: id, rule: RuleID("GRP", number), object: object, cause: cause, action: action))
        }
        if !(1...64).contains(group.name.count) || !group.name.contains(where: \.isLetter) {
            refuse(146, 1, "Its name must have 1 to 64 characters and at least one letter", "Choose another name")
        }
        if groups.prefix(Int(g.index)).contains(where: { $0.server == group.server && $0.name == group.name }) {
            refuse(
                137, 1, "Another group of DPM server \(servers[group.server].name) has this name", "Choose another name"
            )
        }
        if group.members.isEmpty { refuse(0, 1, "It has no members", "Add a machine, or remove the group") }
        var isMember = [Bool](repeating: false, count: machines.count)
        for member in group.members {
            if isMember[Int(member.index)] {
                refuse(157, 1, "It names machine \(machines[member].name) twice", "Name it once")
            }
            isMember[Int(member.index)] = true
        }
        if group.disk == nil, group.shortTermTape == nil, group.longTermTape.isEmpty, group.online == nil {
            refuse(0, 3, "It has no protection method", "Protect to disk, to tape or online")
        }
        found += diskRefusals(group, object) + tapeRefusals(group, object) + onlineRefusals(group, object)
        if case .at(let time) = group.replicaCreation, time > SimTime.start + .days(366) {
            refuse(31061, 9, "Its replicas are to be created more than a year ahead", "Choose a time within one year")
        }
        if let throttle = group.throttle {
            for rate in [throttle.workRate, throttle.otherRate] where !Throttle.bounds.contains(rate) {
                refuse(140, 1, "Its throttle of \(rate) is outside 1 to 10 000 Mbit/s", "Choose a rate in that range")
            }
        }
        return found + windowRefusals(group, object)
    }

    /// - Rule: GRP-4
    /// - Rule: PRC-4
    private func diskRefusals(_ group: ProtectionGroup, _ object: String) -> [Refusal] {
        var found: [Refusal] = []
        func refuse(_ id: Int, _ family: String, _ number: Int, _ cause: String, _ action: String) {
            found.append(Refusal(id: id, rule: RuleID(family, number), object: object, cause: cause, action: action))
        }
        let pool = poolVolumes.filter { $0.server == group.server }
        if let disk = group.disk {
            if pool.isEmpty {
                refuse(
                    136, "GRP", 3, "DPM server \(servers[group.server].name) has no storage pool",
                    "Add a disk or volume to it")
            }
            if disk.schedule.times.isEmpty || disk.schedule.weekdays.isEmpty {
                refuse(31001, "PRC", 4, "Its schedule has no time or no weekday", "Name at least one of each")
            }
            if !(1...ServerLimits.pointsPerDatasource).contains(disk.retentionDays) {
                refuse(
                    206, "GRP", 4,
                    "Its retention range of \(disk.retentionDays) days is outside 1 to \(ServerLimits.pointsPerDatasource)",
                    "Choose a range within these")
            } else if disk.pointsKept > ServerLimits.pointsPerDatasource {
                refuse(
                    130, "GRP", 4,
                    "\(disk.pointsKept) recovery points of each member would be kept, more than "
                        + "\(ServerLimits.pointsPerDatasource)", "Keep fewer days, or make fewer recovery points")
            }
            if case .every(let minutes) = disk.synchronization {
                if !synchronizationChoices.contains(minutes) {
                    refuse(
                        172, "GRP", 4, "It cannot synchronize every \(minutes) minutes",
                        "Choose 15, 30, 45, 60, 120, 240, 360, 720 or 1440 minutes")
                }
                let times = disk.schedule.times
                if zip(times, times.dropFirst()).contains(where: { $1.minutes - $0.minutes < minutes }) {
                    refuse(
                        133, "GRP", 4, "Two of its recovery points lie closer together than \(minutes) minutes",
                        "Move them apart, or synchronize more often")
                }
            }
        }
        for volume in group.volumes where poolVolumes[volume].server != group.server {
            refuse(
                33510, "GRP", 8, "Pool volume \(poolVolumes[volume].name) belongs to another DPM server",
                "Choose a volume of DPM server \(servers[group.server].name)")
        }
        let chosen = group.volumes.isEmpty ? pool : group.volumes.map { poolVolumes[$0] }
        if group.isColocated, chosen.contains(where: { $0.kind == .modern }) {
            refuse(
                31252, "GRP", 2,
                "Colocation on disk is for legacy storage, and its volumes are of Modern Backup Storage",
                "Turn colocation off; volumes of Modern Backup Storage are shared anyway")
        }
        return found
    }

    /// - Rule: GRP-3
    private func onlineRefusals(_ group: ProtectionGroup, _ object: String) -> [Refusal] {
        guard let online = group.online else { return [] }
        var found: [Refusal] = []
        func refuse(_ id: Int, _ cause: String, _ action: String) {
            found.append(Refusal(id: id, rule: RuleID("GRP", 3), object: object, cause: cause, action: action))
        }
        if group.disk == nil {
            refuse(
                30224, "Online protection copies from disk, and it has no protection to disk", "Protect it to disk too")
        }
        let least: Int? =
            switch online.frequency {
            case .daily: 7
            case .weekly: 28
            case .monthly: 90
            case .yearly: 365
            case .biweekly, .quarterly, .halfYearly: nil
            }
        let days = online.retention.unit == .days ? Double(online.retention.count) : online.retention.approximateDays
        guard let least else {
            refuse(
                31018, "Online backups cannot be taken \(online.frequency.rawValue)",
                "Choose daily, weekly, monthly or yearly")
            return found
        }
        if days > 3_360 {
            refuse(
                206, "Its online retention of \(online.retention) is more than 3360 days", "Choose at most 3360 days")
        } else if days < Double(least) {
            let text = ["daily": "7 days", "weekly": "4 weeks", "monthly": "3 months", "yearly": "1 year"]
            refuse(
                33468,
                "Its online retention of \(online.retention) is too short for \(online.frequency.rawValue) backups",
                "Choose at least \(text[online.frequency.rawValue]!)")
        }
        return found
    }

    /// - Rule: GRP-10
    private func windowRefusals(_ group: ProtectionGroup, _ object: String) -> [Refusal] {
        var found: [Refusal] = []
        func refuse(_ id: Int, _ cause: String, _ action: String) {
            found.append(Refusal(id: id, rule: RuleID("GRP", 10), object: object, cause: cause, action: action))
        }
        for (name, window) in [("backup window", group.backupWindow), ("check window", group.scheduledCheck)] {
            guard let window else { continue }
            if window.duration <= .zero || window.duration > .days(1) {
                refuse(33438, "Its \(name) lasts \(window.duration)", "Choose more than nothing and at most 24 h")
            } else if group.disk == nil {
                refuse(33439, "It has a \(name), but no protection to disk", "Remove the window, or protect to disk")
            }
        }
        if let backup = group.backupWindow, let check = group.scheduledCheck, found.isEmpty, backup.overlaps(check) {
            refuse(33438, "Its backup window and its check window overlap", "Move them apart")
        }
        return found
    }

    /// What is odd about a group's policy, but allowed.
    /// - Rule: GRP-1
    /// - Rule: GRP-4
    func groupWarnings(_ g: Ref<ProtectionGroup>) -> [Refusal] {
        let group = groups[g]
        let object = "protection group \(group.name)"
        var found: [Refusal] = []
        if let tape = group.tape, let bad = group.name.first(where: { "|/\\().".contains($0) }) {
            found.append(
                Refusal(
                    id: 0, rule: RuleID("GRP", 1), object: object,
                    cause: "Its name ends up on tape labels, and \(bad) in it makes tapes of library "
                        + "\(libraries[tape.library].name) show as Unrecognized",
                    action: "Choose a name without | / \\ ( ) and dots"))
        }
        if let disk = group.disk, case .every(let minutes) = disk.synchronization {
            found.append(
                Refusal(
                    id: 31016, rule: RuleID("GRP", 4), object: object,
                    cause:
                        "Machines have no incremental synchronization: instead of one every \(minutes) min, an express full "
                        + "runs at each recovery point",
                    action: "Add times to the schedule if more recovery points are needed"))
        }
        if let warning = tapeWarning(group, object) { found.append(warning) }
        if let warning = automaticCheckWarning(in: g) { found.append(warning) }
        return found
    }
}

extension DailyWindow {
    /// Whether the two windows share any moment of the day.
    func overlaps(_ other: DailyWindow) -> Bool {
        let day = SimDuration.days(1)
        func starts(_ a: DailyWindow, within b: DailyWindow) -> Bool {
            let offset = a.start.sinceMidnight - b.start.sinceMidnight
            return (offset < .zero ? offset + day : offset) < b.duration
        }
        return starts(self, within: other) || starts(other, within: self)
    }
}
