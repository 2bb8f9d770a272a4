/// Why something cannot be done to a tape: DPM's own numbers (dpm-facts 4.5, 4.6, 7.5) and words for each.
/// - Rule: GRP-7
public enum TapeRefusal: Int, CaseIterable, Sendable, Hashable {
    case busy = 24008
    case reserved = 24051
    case notACleaner = 24007
    case noEraseCommand = 24029
    case notIdentified = 24031
    case alreadyKnown = 24033
    case notInventoried = 24040
    case blank = 24041
    case isCleaner = 24054
    case writeProtected = 30003
    case protectedNotFree = 31116
    case protectedNotErased = 31120
    case reservedNotFree = 31124
    case reservedNotCleaner = 31125
    case eraseFirst = 31131
    case reservedCleaner = 31134
    case freeOrUnknown = 31145
    case suspect = 31151
    case decommissioned = 3304
    case notFreed = 33341

    /// What speaks against an event, nil if nothing.
    static func against(_ event: TapeEvent, on tape: TapeStanding) -> TapeRefusal? {
        switch event {
        case .conflicted, .relabelled, .released, .filled, .finished, .expired, .protectionStopped, .removed, .returned,
            .decommissioned, .writeProtected:
            return nil
        case .identified:
            if tape.content == .cleaner { return .isCleaner }
            if tape.isReserved { return .busy }
            // A suspect tape is read again once its label was replaced.
            if tape.use == .suspect { return .suspect }
            return tape.content == .own || tape.content == .imported ? .alreadyKnown : nil
        case .reserved:
            if let refusal = general(tape) { return refusal }
            return tape.isReserved ? .reserved : nil
        case .written(let isNew): return write(tape, isNew: isNew)
        case .markedFree:
            if let refusal = general(tape) { return refusal }
            if tape.isReserved { return .reservedNotFree }
            if tape.content == .unread { return .notIdentified }
            if tape.isProtected { return .protectedNotFree }
            if tape.needsErase { return .eraseFirst }
            // Data of a group that is gone, and not expired: only the script overrides it.
            return tape.holdsValidData && tape.content == .own && !tape.isArchived ? .notFreed : nil
        case .forcedFree:
            if let refusal = general(tape) { return refusal }
            return tape.isReserved ? .reservedNotFree : tape.content == .unread ? .notIdentified : nil
        case .markedNotFree, .archived:
            if let refusal = general(tape) { return refusal }
            if tape.isReserved { return .busy }
            return tape.content == .unread ? .notIdentified : nil
        case .erased(let hasCommand):
            if let refusal = general(tape) { return refusal }
            if tape.isReserved { return .busy }
            if tape.isProtected, tape.holdsValidData { return .protectedNotErased }
            if tape.isWriteProtected { return .writeProtected }
            return hasCommand ? nil : .noEraseCommand
        case .markedCleaner(let isCleaner):
            if tape.isReserved { return .reservedNotCleaner }
            return isCleaner && (tape.content == .unread || tape.content == .cleaner) ? nil : .notACleaner
        case .unmarkedCleaner:
            if tape.content != .cleaner { return .notACleaner }
            return tape.isReserved ? .reservedCleaner : nil
        case .recataloged: return recatalog(tape)
        }
    }

    private static func general(_ tape: TapeStanding) -> TapeRefusal? {
        if tape.content == .cleaner { return .isCleaner }
        return tape.use == .suspect ? .suspect : nil
    }

    private static func write(_ tape: TapeStanding, isNew: Bool) -> TapeRefusal? {
        if let refusal = general(tape) { return refusal }
        if tape.isDecommissioned { return .decommissioned }
        if tape.isWriteProtected { return .writeProtected }
        if tape.content == .unread { return .notIdentified }
        if isNew {
            if tape.needsErase { return .eraseFirst }
            return tape.use == .free || tape.use == .expired ? nil : .busy
        }
        return tape.use == .active ? nil : .busy
    }

    private static func recatalog(_ tape: TapeStanding) -> TapeRefusal? {
        if let refusal = general(tape) { return refusal }
        if tape.isReserved { return .busy }
        switch tape.content {
        case .unread, .unrecognized: return .notIdentified
        case .blank: return .blank
        // Marked as free, it may be written to at any moment.
        case .own, .imported, .cleaner: return tape.use == .free ? .freeOrUnknown : nil
        }
    }

    /// The number DPM gives when it refuses some of several tapes, rather than all.
    public var forSome: Int {
        switch self {
        case .protectedNotFree: 31129
        case .reservedNotFree: 31130
        case .reservedNotCleaner: 31126
        case .reservedCleaner: 31135
        case .protectedNotErased: 31133
        default: rawValue
        }
    }

    public func refusal(of tape: String) -> Refusal {
        Refusal(id: rawValue, rule: RuleID("GRP", 7), object: "tape \(tape)", cause: cause, action: action)
    }

    /// One refusal for several tapes of which some were refused for the same reason: `2 of 5 tapes: ...`.
    public func refusal(of count: Int, outOf total: Int) -> Refusal {
        Refusal(
            id: count == total ? rawValue : forSome, rule: RuleID("GRP", 7), object: "\(count) of \(total) tapes",
            cause: cause, action: action)
    }

    private var cause: String {
        switch self {
        case .busy: "Another job uses the tape, or it takes no more data"
        case .reserved: "Another task has reserved the tape"
        case .notACleaner: "It is not a cleaning tape"
        case .noEraseCommand: "The library cannot erase tapes, so the erase was skipped"
        case .notIdentified: "The tape has not been identified"
        case .alreadyKnown: "The tape is known to this server already, so it is not read again"
        case .notInventoried: "No inventory has seen the tape"
        case .blank: "The tape is blank"
        case .isCleaner: "It is a cleaning tape"
        case .writeProtected: "The tape is write-protected"
        case .protectedNotFree: "The tape belongs to a protection group, and cannot be marked as free"
        case .protectedNotErased: "The tape holds data that is protected, and cannot be erased"
        case .reservedNotFree: "Another job has reserved the tape, so it cannot be marked as free"
        case .reservedNotCleaner: "The tape is in use, so it cannot be marked as a cleaning tape"
        case .eraseFirst: "Its protection group asked for the tape to be erased before it is used again"
        case .reservedCleaner: "The cleaning tape is in use"
        case .freeOrUnknown: "The tape is marked as free, and cannot be recataloged"
        case .suspect:
            "The operation is not allowed on a suspect tape: its bar code and its content contradict each other"
        case .decommissioned: "The tape has failed too often or is worn, and takes no more data"
        case .notFreed: "The tape holds recovery points that have not expired"
        }
    }

    private var action: String {
        switch self {
        case .busy, .reserved, .reservedNotFree, .reservedNotCleaner, .reservedCleaner:
            "Wait for the other job or cancel it, and try again"
        case .notACleaner: "Choose a tape whose label begins with CLN"
        case .noEraseCommand, .alreadyKnown, .isCleaner: "Nothing needs to be done"
        case .notIdentified: "Identify the unknown tape by a detailed inventory"
        case .notInventoried: "Run an inventory of the library"
        case .blank: "Choose a tape that holds data"
        case .writeProtected: "Move the tab that protects it, and try again"
        case .protectedNotFree: "Stop protection of the group first"
        case .protectedNotErased: "Stop protection of the group and delete its tape data first"
        case .eraseFirst: "Erase the tape"
        case .freeOrUnknown: "Mark the tape as not free, and try again"
        case .suspect: "Take the tape out, replace its bar code, and run a detailed inventory on it"
        case .decommissioned: "Copy what is still needed from it, and take it out"
        case .notFreed: "Wait until they expire, or free the tape by force"
        }
    }
}

/// What DPM says when it does something to tapes, rather than refuse it: confirmations and results, by number.
public enum TapeNotice: Int, CaseIterable, Sendable, Hashable {
    case rescanned = 31103
    case doorUnlocked = 31106
    case doorLocked = 31108
    case libraryDisabled = 31109
    case onlyDriveDisabled = 31111
    case driveDisabled = 31112
    case driveEnabled = 31113
    case freeKeepsContent = 31118
    case recatalogFirst = 31119
    case eraseLosesData = 31121
    case recatalogsImported = 31122
    case portOpen = 31123
    case movesToPort = 31132
    case movedToPort = 31150
    case replaceBarcode = 24038
    case driveCleaned = 25107

    public var text: String {
        switch self {
        case .rescanned: "The rescan ended without a fault"
        case .libraryDisabled: "Jobs that use the library fail while it is disabled"
        case .onlyDriveDisabled: "The only working drive was disabled, so every job that uses the library fails"
        case .driveDisabled: "The drive is disabled; jobs use the other drives of the library"
        case .driveEnabled: "The drive is enabled"
        case .doorUnlocked: "The door is unlocked; it locks itself again after a while"
        case .doorLocked: "The door is locked"
        case .freeKeepsContent: "Marking a tape as free does not erase it; it only makes it available to any group"
        case .recatalogFirst: "The tape must be recataloged before its contents can be shown"
        case .eraseLosesData: "Data cannot be retrieved from an erased tape"
        case .recatalogsImported: "What the imported tapes hold is listed as data of another server"
        case .portOpen: "The I/E port is open; it is closed after the tapes have been put in, or by itself"
        case .movesToPort: "The selected tapes are moved to the I/E port"
        case .movedToPort: "All selected tapes were moved to the I/E port"
        case .replaceBarcode: "The bar code of the tape has changed since the last inventory"
        case .driveCleaned: "The drive asked for cleaning, and was cleaned"
        }
    }
}
