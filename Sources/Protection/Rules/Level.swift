internal import Units

/// What a recovery may bring back, in the order of the wizard's choices.
public enum RecoverableItem: UInt8, CaseIterable, Sendable, Hashable {
    case wholeMachine, filesAndFolders, applicationItem
}

extension Machine.Level {
    /// What backups of this level can bring back.
    /// - Rule: LVL-1
    /// - Rule: LVL-2
    public var recovers: [RecoverableItem] {
        switch self {
        case .host: [.wholeMachine, .filesAndFolders]
        case .guest: [.filesAndFolders, .applicationItem]
        }
    }
}

extension GuestSystem {
    /// Windows Server 2003 or later, which has the Volume Shadow Copy Service.
    public var supportsVSS: Bool {
        switch self {
        case .windows2003, .windows2008, .windows2012R2, .windows2016, .windows2019: true
        case .windows2000, .linux, .other: false
        }
    }
}

extension World {
    /// Why a machine cannot be protected at the level that was asked for.
    /// - Rule: LVL-1
    /// - Rule: LVL-2
    /// - Rule: LVL-3
    func levelRefusal(_ m: Ref<Machine>) -> Refusal? {
        let machine = machines[m]
        let object = "machine \(machine.name)"
        if machine.disks.isEmpty {
            return Refusal(
                id: 0, rule: RuleID("LVL", 1), object: object, cause: "It has no disk", action: "Give it a disk")
        }
        switch machine.level {
        case .guest:
            guard !machine.guest.supportsVSS else { return nil }
            return Refusal(
                id: 0, rule: RuleID("LVL", 2), object: object,
                cause: "The agent for guest level does not run on \(machine.guest.rawValue)",
                action: "Protect it at host level")
        case .host:
            guard machine.disks.allSatisfy({ $0.format == .passThrough }) else { return nil }
            return Refusal(
                id: 0, rule: RuleID("LVL", 3), object: object,
                cause: "All its disks are pass-through disks, which host level cannot back up",
                action: "Protect the data at guest level, with an agent in the machine")
        }
    }

    /// One refusal for each pass-through disk selected at host level; the machine's other disks are protected all the same.
    /// - Rule: LVL-3
    func passThroughRefusals(_ m: Ref<Machine>) -> [Refusal] {
        let machine = machines[m]
        guard machine.level == .host else { return [] }
        return machine.disks.enumerated().filter { $1.format == .passThrough }.map { index, _ in
            Refusal(
                id: 0, rule: RuleID("LVL", 3), object: "disk \(index + 1) of machine \(machine.name)",
                cause: "It is a pass-through disk, which host level cannot back up",
                action: "Protect its data at guest level; the machine's VHD files are protected without it")
        }
    }
}
