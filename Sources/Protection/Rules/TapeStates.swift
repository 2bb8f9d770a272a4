/// What was found at the beginning of a cartridge, or that nobody has looked. Source: dpm-facts 4.5.
public enum TapeContent: String, CaseIterable, Sendable, Hashable {
    /// A bar code was seen, the tape never read.
    case unread
    /// Nothing, or nothing that names an owner.
    case blank
    /// This server's on-media identifier.
    case own
    /// Another server's, not yet recataloged.
    case imported
    /// Another program's data, damage, or a label no group can have.
    case unrecognized
    case cleaner
}

/// A tape's state as the console shows it. Source: dpm-facts 4.5.
public enum TapeStatus: String, CaseIterable, Sendable, Hashable {
    case blank, free, reserved, active, full, offsiteReady, offline, overdue, expired, archived, imported, unrecognized
    case unknown, suspect, cleaner, decommissioned, writeProtected

    public var title: String {
        switch self {
        // A blank tape appears as free once it is identified.
        case .blank, .free: "Free"
        case .reserved: "Reserved"
        case .active: "Active"
        case .full: "Full"
        case .offsiteReady: "Offsite ready"
        case .offline: "Offline"
        case .overdue: "Overdue"
        case .expired: "Expired"
        case .archived: "Archived"
        case .imported: "Imported"
        case .unrecognized: "Unrecognized"
        case .unknown: "Unknown"
        case .suspect: "Suspect"
        case .cleaner: "Cleaning"
        case .decommissioned: "Decommissioned"
        case .writeProtected: "Write-protected"
        }
    }
}

/// What keeps a tape from being written, whoever asks. Asked by `TapeChoice`.
public enum TapeObstacle: String, CaseIterable, Sendable, Hashable {
    case decommissioned, cleaner, suspect, unknown, unrecognized, imported, offline, archived, writeProtected

    public var text: String {
        switch self {
        case .decommissioned: "decommissioned"
        case .cleaner: "a cleaning tape"
        case .suspect: "suspect"
        case .unknown: "not identified"
        case .unrecognized: "not recognized, has to be erased first"
        case .imported: "another server's"
        case .offline: "not in the library"
        case .archived: "archived"
        case .writeProtected: "write-protected"
        }
    }
}

/// What happens to a tape, or is asked of it.
public enum TapeEvent: Sendable, Hashable {
    /// Its beginning was read by detailed inventory.
    case identified(TapeContent)
    /// Bar code and on-media identifier contradict what is known.
    case conflicted
    /// A new bar code label was put on it.
    case relabelled
    case reserved, released
    /// A set begins on it; `isNew` if what was on it goes.
    case written(isNew: Bool)
    /// The end of the medium was met.
    case filled
    /// Nothing more is to be written to it.
    case finished
    /// The last set on it has expired, the tolerance included.
    case expired
    /// Protection of the group it belongs to was stopped; with `deletesData` its sets have expired.
    case protectionStopped(deletesData: Bool)
    case markedFree
    /// By ForceFree-Tape.ps1, whatever it holds.
    case forcedFree
    /// `Set-DPMTape -NotFree`, `-Archive`.
    case markedNotFree, archived
    case erased(hasCommand: Bool)
    case markedCleaner(isCleaner: Bool), unmarkedCleaner
    case recataloged
    case removed, returned
    case decommissioned
    case writeProtected(Bool)
}

/// A tape as DPM knows it. A pure value: what happens to it gives another one, or a refusal with DPM's number.
/// - Rule: GRP-7
public struct TapeStanding: Sendable, Hashable {
    public var content = TapeContent.unread
    /// What it is used for; `.suspect` if it may not be used.
    public var use = CartridgeState.free
    public var isReserved = false
    /// Whether its group is still protected.
    public var isProtected = false
    /// Its group asked for tapes to be erased before they are used again.
    public var needsErase = false
    /// Whether a set on it has not expired.
    public var holdsValidData = false
    public var isArchived = false
    public var isInLibrary = true
    public var isDecommissioned = false
    public var isWriteProtected = false

    public init(content: TapeContent = .unread) { self.content = content }

    /// A tape whose bar code was just seen for the first time. A label that begins with CLN marks a cleaning tape.
    public static func seen(barcode: String) -> TapeStanding {
        TapeStanding(content: barcode.uppercased().hasPrefix("CLN") ? .cleaner : .unread)
    }

    public var status: TapeStatus {
        if isDecommissioned { return .decommissioned }
        if content == .cleaner { return .cleaner }
        if use == .suspect { return .suspect }
        switch content {
        case .unread: return .unknown
        case .unrecognized: return .unrecognized
        case .imported: return .imported
        case .blank, .own, .cleaner: break
        }
        if !isInLibrary, use != .free { return use == .expired ? .overdue : .offline }
        if isReserved { return .reserved }
        if isArchived { return .archived }
        if isWriteProtected { return .writeProtected }
        switch use {
        case .free: return content == .blank ? .blank : .free
        case .active: return .active
        case .full: return .full
        case .offsiteReady: return .offsiteReady
        case .expired: return .expired
        case .suspect: return .suspect
        }
    }

    /// Why it may not be written at all; what only one request speaks against is `TapeChoice`'s.
    public var obstacle: TapeObstacle? {
        if isDecommissioned { return .decommissioned }
        if content == .cleaner { return .cleaner }
        if use == .suspect { return .suspect }
        switch content {
        case .unread: return .unknown
        case .unrecognized: return .unrecognized
        case .imported: return .imported
        case .blank, .own, .cleaner: break
        }
        if !isInLibrary { return .offline }
        if isArchived { return .archived }
        return isWriteProtected ? .writeProtected : nil
    }

    /// The tape after an event.
    /// - Parameter tape: how it is called, for the refusal's object: its label or bar code.
    /// - Throws: a refusal with DPM's number; nothing has changed then.
    public func after(_ event: TapeEvent, tape: String) throws(Refusal) -> TapeStanding {
        if let refusal = TapeRefusal.against(event, on: self) { throw refusal.refusal(of: tape) }
        var next = self
        switch event {
        case .identified(let content): next.identify(as: content)
        case .conflicted: next.use = .suspect
        case .relabelled:
            if use == .suspect { next = TapeStanding().placed(like: self) }
        case .reserved: next.isReserved = true
        case .released: next.isReserved = false
        case .written(let isNew): next.write(isNew: isNew)
        case .filled: next.use = .full
        case .finished: if use != .expired { next.use = .offsiteReady }
        case .expired:
            (next.use, next.holdsValidData) = (.expired, false)
        case .protectionStopped(let deletesData):
            next.isProtected = false
            if deletesData, use != .free { (next.use, next.holdsValidData) = (.expired, false) }
        case .markedFree, .forcedFree:
            next.use = .free
            (next.isArchived, next.holdsValidData, next.isProtected, next.needsErase) = (false, false, false, false)
            if content != .blank { next.content = .own }
        case .markedNotFree, .archived:
            next.isArchived = true
            if use == .free { next.use = .offsiteReady }
        case .erased:
            next = TapeStanding(content: .blank).placed(like: self)
        case .markedCleaner: next.content = .cleaner
        case .unmarkedCleaner: next.content = .unread
        case .recataloged: next.recatalog()
        case .removed: next.isInLibrary = false
        case .returned: next.isInLibrary = true
        case .decommissioned: next.isDecommissioned = true
        case .writeProtected(let isOn): next.isWriteProtected = isOn
        }
        return next
    }

    private func placed(like other: TapeStanding) -> TapeStanding {
        var new = self
        (new.isInLibrary, new.isReserved) = (other.isInLibrary, other.isReserved)
        (new.isWriteProtected, new.isDecommissioned) = (other.isWriteProtected, other.isDecommissioned)
        return new
    }

    private mutating func identify(as found: TapeContent) {
        content = found
        switch found {
        case .blank, .unread, .unrecognized, .cleaner: (use, holdsValidData, isProtected) = (.free, false, false)
        // What it holds is not known before recataloging: nothing may be written over it.
        case .own, .imported: (use, holdsValidData) = (.offsiteReady, true)
        }
    }

    private mutating func write(isNew: Bool) {
        (content, use, holdsValidData, isProtected) = (.own, .active, true, true)
        if isNew { needsErase = false }
    }

    private mutating func recatalog() {
        content = .own
        use = .offsiteReady
        (isArchived, holdsValidData) = (true, true)
    }
}

// As words, and flags only where they are set, so that a list of tapes can be read.
extension TapeStanding: Codable {
    private enum CodingKeys: String, CodingKey { case content, use, flags }

    private static var flags: [(name: String, path: WritableKeyPath<TapeStanding, Bool>)] {
        [
            ("reserved", \.isReserved), ("protected", \.isProtected), ("erase first", \.needsErase),
            ("valid data", \.holdsValidData), ("archived", \.isArchived), ("in library", \.isInLibrary),
            ("decommissioned", \.isDecommissioned), ("write-protected", \.isWriteProtected),
        ]
    }
    private static let uses: [(name: String, use: CartridgeState)] = [
        ("free", .free), ("active", .active), ("full", .full), ("offsite ready", .offsiteReady),
        ("expired", .expired), ("suspect", .suspect),
    ]

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        guard let content = TapeContent(rawValue: try fields.decode(String.self, forKey: .content)) else {
            throw DecodingError.dataCorruptedError(forKey: .content, in: fields, debugDescription: "unknown content")
        }
        self.init(content: content)
        let word = try fields.decode(String.self, forKey: .use)
        guard let use = Self.uses.first(where: { $0.name == word })?.use else {
            throw DecodingError.dataCorruptedError(forKey: .use, in: fields, debugDescription: "unknown use")
        }
        self.use = use
        let set = try fields.decode([String].self, forKey: .flags)
        guard set.allSatisfy({ name in Self.flags.contains { $0.name == name } }) else {
            throw DecodingError.dataCorruptedError(forKey: .flags, in: fields, debugDescription: "unknown flag")
        }
        for flag in Self.flags { self[keyPath: flag.path] = set.contains(flag.name) }
    }

    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(content.rawValue, forKey: .content)
        try fields.encode(Self.uses.first { $0.use == use }?.name ?? "free", forKey: .use)
        try fields.encode(Self.flags.filter { self[keyPath: $0.path] }.map(\.name), forKey: .flags)
    }
}
