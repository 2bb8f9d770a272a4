public import Units

extension BackupFrequency {
    /// The frequencies that DPM offers for long-term tape with this retention range; empty where the range itself is not
    /// offered (dpm-facts 4.1).
    /// - Rule: GRP-5
    public static func allowed(for retention: CalendarSpan) -> [BackupFrequency] {
        switch (retention.unit, retention.count) {
        case (.years, 1...99): allCases
        case (.months, 1...11): [.daily, .weekly, .biweekly, .monthly]
        case (.weeks, 1...4): [.daily, .weekly]
        default: []
        }
    }

    /// Days between two backups, months taken as 30, for comparing frequencies.
    var days: Int {
        switch self {
        case .daily: 1
        case .weekly: 7
        case .biweekly: 14
        case .monthly: 30
        case .quarterly: 91
        case .halfYearly: 182
        case .yearly: 365
        }
    }
}

extension World {
    /// What is wrong with a group's goals and options of tape protection.
    /// - Rule: GRP-3
    /// - Rule: GRP-5
    /// - Rule: GRP-7
    func tapeRefusals(_ group: ProtectionGroup, _ object: String) -> [Refusal] {
        guard group.shortTermTape != nil || !group.longTermTape.isEmpty else { return [] }
        var found: [Refusal] = []
        func refuse(_ id: Int, _ number: Int, _ cause: String, _ action: String) {
            found.append(Refusal(id: id, rule: RuleID("GRP", number), object: object, cause: cause, action: action))
        }
        for goal in group.longTermTape {
            let allowed = BackupFrequency.allowed(for: goal.retention)
            if allowed.isEmpty {
                let isTooLong = goal.retention.approximateDays > 99 * 365.25
                refuse(
                    isTooLong ? 206 : 31018, 5, "Its long-term retention range of \(goal.retention) is not offered",
                    "Choose 1 to 4 weeks, 1 to 11 months or 1 to 99 years")
            } else if !allowed.contains(goal.frequency) {
                refuse(
                    31018, 5, "\(goal.frequency.rawValue) backups cannot be kept for \(goal.retention) on tape",
                    "Choose \(allowed.map(\.rawValue).joined(separator: ", "))")
            }
            if let short = group.shortTermTape, goal.frequency < short.frequency {
                refuse(
                    144, 5,
                    "Its long-term backups (\(goal.frequency.rawValue)) are more frequent than its short-term ones "
                        + "(\(short.frequency.rawValue))", "Make them as rare as the short-term backups, or rarer")
            } else if group.shortTermTape == nil, let disk = group.disk, disk.pointsPerWeek > 0,
                goal.frequency.days * disk.pointsPerWeek < 7
            {
                refuse(
                    144, 5,
                    "Its long-term backups (\(goal.frequency.rawValue)) are more frequent than its recovery points on "
                        + "disk", "Add weekdays to the disk schedule, or make tape backups rarer")
            }
        }
        if group.longTermTape.count > 3 {
            refuse(172, 5, "It has \(group.longTermTape.count) long-term goals; three are the most", "Remove some")
        }
        if let short = group.shortTermTape {
            if short.frequency > .weekly {
                refuse(
                    31018, 5, "Short-term backups to tape cannot be \(short.frequency.rawValue)",
                    "Choose daily or weekly")
            }
            let days =
                short.retention.unit == .months ? 30.0 * Double(short.retention.count) : short.retention.approximateDays
            if !(7...84).contains(days) {
                refuse(
                    31018, 5, "Its short-term retention range of \(short.retention) on tape is not offered",
                    "Choose 1 to 12 weeks")
            }
        }
        for goal in group.longTermTape + (group.shortTermTape.map { [$0] } ?? []) where !(1...7).contains(goal.copies) {
            refuse(172, 7, "It makes \(goal.copies) copies on tape", "Choose 1 to 7 copies")
        }
        return found + tapeOptionRefusals(group, object)
    }

    /// Whether a tape goal can be set in this group at all; a run leaves refused goals out. A missing certificate does not stop
    /// the goal, it fails each of its jobs.
    /// - Rule: GRP-5
    public func offers(_ goal: TapeGoal, isShortTerm: Bool, in group: ProtectionGroup) -> Bool {
        var alone = group
        alone.shortTermTape = isShortTerm ? goal : nil
        alone.longTermTape = isShortTerm ? [] : [goal]
        return tapeRefusals(alone, "").allSatisfy { $0.id == 24073 || $0.id == 24055 }
    }

    private func tapeOptionRefusals(_ group: ProtectionGroup, _ object: String) -> [Refusal] {
        guard let tape = group.tape else {
            return [
                Refusal(
                    id: 31002, rule: RuleID("GRP", 3), object: object,
                    cause: "It is protected to tape, but no library or drive is chosen", action: "Choose a tape library"
                )
            ]
        }
        var found: [Refusal] = []
        func refuse(_ id: Int, _ number: Int, _ cause: String, _ action: String) {
            found.append(Refusal(id: id, rule: RuleID("GRP", number), object: object, cause: cause, action: action))
        }
        let library = libraries[tape.library]
        let count = drives.count { $0.library == tape.library }
        if library.server != group.server {
            refuse(
                31002, 3, "Library \(library.name) belongs to DPM server \(servers[library.server].name)",
                "Choose a library of DPM server \(servers[group.server].name)")
        }
        if count == 0 {
            refuse(24052, 3, "Library \(library.name) has no drive", "Add a drive")
        } else if !(1...count).contains(tape.drives) {
            refuse(
                24055, 7, "\(tape.drives) drives are allocated, and library \(library.name) has \(count)",
                "Allocate 1 to \(count)")
        }
        if tape.encryptionError == 24073 {
            refuse(
                24073, 7, "Its tapes are to be encrypted, and the backup store has no certificate",
                "Put a certificate with its private key into DPMBackupStore")
        }
        return found
    }

    /// A library without a single tape that its drives can write.
    /// - Rule: GRP-3
    func tapeWarning(_ group: ProtectionGroup, _ object: String) -> Refusal? {
        guard group.shortTermTape != nil || !group.longTermTape.isEmpty, let tape = group.tape else { return nil }
        let own = drives.filter { $0.library == tape.library }
        let isWritable = cartridges.contains { cartridge in
            cartridge.library == tape.library
                && own.contains { LTOFacts.canWrite(cartridge.generation, in: $0.generation) }
        }
        guard !own.isEmpty, !isWritable else { return nil }
        return Refusal(
            id: 198, rule: RuleID("GRP", 3), object: object,
            cause: "Library \(libraries[tape.library].name) has no tape that its drives can write",
            action: "Add tapes to the library")
    }

    /// Why this member of a group with tape protection is not backed up to tape: protection that follows its migrations does
    /// not support tape. Its protection to disk is not touched.
    /// - Rule: LIV-5
    public func tapeRefusal(_ m: Ref<Machine>, in g: Ref<ProtectionGroup>) -> Refusal? {
        let group = groups[g]
        guard group.shortTermTape != nil || !group.longTermTape.isEmpty,
            followsMigrations(of: machines[m].host, by: group.server)
        else { return nil }
        return Refusal(
            id: 0, rule: RuleID("LIV", 5), object: "machine \(machines[m].name)",
            cause:
                "Protection follows its migrations between hosts through VMM, and such machines are not backed up to tape",
            action: "Take its host out of the VMM cloud, or do without tape for it")
    }

    /// The label of a group's tape: `DPM - gold - long-term tape 3`.
    /// - Rule: GRP-7
    public func tapeLabel(of g: Ref<ProtectionGroup>, isLongTerm: Bool, number: Int) -> String {
        "DPM - \(groups[g].name) - \(isLongTerm ? "long" : "short")-term tape \(number)"
    }

    /// The names of the sets in which groups share tapes, in the groups' order; a set's number is its place in this list.
    public var colocationSets: [String] {
        var names: [String] = []
        for case let name? in groups.map({ $0.tape?.colocationSet }) where !names.contains(name) { names.append(name) }
        return names
    }
}

extension TapeOptions {
    /// Why nothing can be encrypted now: no certificate is in the backup store (24073), or those there have expired (24070); 0
    /// if nothing speaks against it. Source: dpm-facts 4.7.
    /// - Rule: GRP-7
    public var encryptionError: Int32 {
        guard encoding == .encrypt else { return 0 }
        return !hasCertificate ? 24073 : isCertificateExpired ? 24070 : 0
    }
}
