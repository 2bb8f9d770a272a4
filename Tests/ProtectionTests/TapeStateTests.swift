import Protection
import Testing
import Units

/// A tape in the state that most rules start from, with something changed.
private func standing(
    _ content: TapeContent = .own, _ use: CartridgeState = .active, _ change: (inout TapeStanding) -> Void = { _ in }
) -> TapeStanding {
    var tape = TapeStanding(content: content)
    tape.use = use
    if content == .own, use != .free, use != .expired { (tape.isProtected, tape.holdsValidData) = (true, true) }
    change(&tape)
    return tape
}

/// The number of the refusal; 0 if there is none.
private func refusal(_ event: TapeEvent, on tape: TapeStanding) -> Int {
    do throws(Refusal) {
        _ = try tape.after(event, tape: "T")
        return 0
    } catch {
        return error.id
    }
}

@Suite("Tape states: what DPM allows with a tape, and what becomes of it")
struct TapeStateTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let tape: TapeStanding
        let event: TapeEvent
        let id: Int
        init(_ name: String, _ tape: TapeStanding, _ event: TapeEvent, _ id: Int = 0) {
            (self.name, self.tape, self.event, self.id) = (name, tape, event, id)
        }
        var testDescription: String { name }
    }

    static let suspect = standing(.own, .suspect)
    static let busy = standing { $0.isReserved = true }
    static let cleaner = standing(.cleaner, .free)
    static let stopped = standing { $0.isProtected = false }
    static let gone = standing(.own, .expired)

    static let freeing: [Row] = [
        Row("a tape of a protected group is not freed", standing(), .markedFree, 31116),
        Row(
            "a tape of a group without protection whose data is valid is freed by force only", stopped, .markedFree,
            33341),
        Row("by force it is", stopped, .forcedFree),
        Row("even of a protected group", standing(), .forcedFree),
        Row("one whose data has expired is freed", gone, .markedFree),
        Row("not while a job has it", standing(.own, .expired) { $0.isReserved = true }, .markedFree, 31124),
        Row("nor by force while a job has it", busy, .forcedFree, 31124),
        Row("not if it must be erased first", standing(.own, .expired) { $0.needsErase = true }, .markedFree, 31131),
        Row("a suspect tape is not freed", suspect, .markedFree, 31151),
        Row("nor by force", suspect, .forcedFree, 31151),
        Row("a cleaning tape is not freed", cleaner, .markedFree, 24054),
        Row("an unknown tape is not freed", standing(.unread, .free), .markedFree, 24031),
        Row("nor by force", standing(.unread, .free), .forcedFree, 24031),
        Row(
            "another server's tape is freed", standing(.imported, .offsiteReady) { $0.holdsValidData = true },
            .markedFree),
        Row("another program's tape is freed", standing(.unrecognized, .free), .markedFree),
        Row("an archived tape is freed", standing { ($0.isArchived, $0.isProtected) = (true, false) }, .markedFree),
    ]
    static let erasing: [Row] = [
        Row("protected data is not erased", standing(), .erased(hasCommand: true), 31120),
        Row("data of a group without protection is", stopped, .erased(hasCommand: true)),
        Row("expired data is", gone, .erased(hasCommand: true)),
        Row("not in a library without the command", gone, .erased(hasCommand: false), 24029),
        Row("not while a job has it", stopped.with { $0.isReserved = true }, .erased(hasCommand: true), 24008),
        Row("not with the tab set", gone.with { $0.isWriteProtected = true }, .erased(hasCommand: true), 30003),
        Row("not a suspect one", suspect, .erased(hasCommand: true), 31151),
        Row("not a cleaning tape", cleaner, .erased(hasCommand: true), 24054),
        Row("another program's tape is", standing(.unrecognized, .free), .erased(hasCommand: true)),
        Row("an unknown one is", standing(.unread, .free), .erased(hasCommand: true)),
    ]
    static let identifying: [Row] = [
        Row("an unknown tape is read", standing(.unread, .free), .identified(.own)),
        Row("so is one that was blank, or another program's", standing(.unrecognized, .free), .identified(.blank)),
        Row("a known one is not read again", standing(), .identified(.own), 24033),
        Row("nor another server's that is known", standing(.imported, .offsiteReady), .identified(.imported), 24033),
        Row("a cleaning tape is never read", cleaner, .identified(.blank), 24054),
        Row("a suspect one not before its label was replaced", suspect, .identified(.own), 31151),
        Row(
            "one in use not before the job ends", standing(.unread, .free) { $0.isReserved = true }, .identified(.own),
            24008),
    ]
    static let cleaning: [Row] = [
        Row(
            "an unknown tape that is a cleaning tape is marked so", standing(.unread, .free),
            .markedCleaner(isCleaner: true)),
        Row("a data tape is not", standing(.unread, .free), .markedCleaner(isCleaner: false), 24007),
        Row("nor one that holds data", standing(), .markedCleaner(isCleaner: true), 24007),
        Row(
            "not while in use", standing(.unread, .free) { $0.isReserved = true }, .markedCleaner(isCleaner: true),
            31125),
        Row("the mark is taken back", cleaner, .unmarkedCleaner),
        Row("not while in use", cleaner.with { $0.isReserved = true }, .unmarkedCleaner, 31134),
        Row("not from a data tape", standing(), .unmarkedCleaner, 24007),
    ]
    static let recataloging: [Row] = [
        Row("another server's tape is recataloged", standing(.imported, .offsiteReady), .recataloged),
        Row("an own one too", standing(.own, .offsiteReady), .recataloged),
        Row("a free one is not", standing(.own, .free), .recataloged, 31145),
        Row("unless it was marked as not free", standing(.own, .offsiteReady) { $0.isArchived = true }, .recataloged),
        Row("a blank one is not", standing(.blank, .free), .recataloged, 24041),
        Row("an unknown one is not", standing(.unread, .free), .recataloged, 24031),
        Row("another program's is not", standing(.unrecognized, .free), .recataloged, 24031),
        Row("a suspect one is not", suspect, .recataloged, 31151),
        Row("a cleaning tape is not", cleaner, .recataloged, 24054),
        Row("one in use is not", busy, .recataloged, 24008),
    ]
    static let using: [Row] = [
        Row("a tape is reserved", standing(), .reserved),
        Row("not twice", busy, .reserved, 24051),
        Row("not a suspect one", suspect, .reserved, 31151),
        Row("not a cleaning tape", cleaner, .reserved, 24054),
        Row("a blank tape is written", standing(.blank, .free), .written(isNew: true)),
        Row("an expired one too", gone, .written(isNew: true)),
        Row("an active one is not begun anew", standing(), .written(isNew: true), 24008),
        Row("but appended to", standing(), .written(isNew: false)),
        Row("a full one is not", standing(.own, .full), .written(isNew: false), 24008),
        Row("an offsite ready one is not", standing(.own, .offsiteReady), .written(isNew: false), 24008),
        Row(
            "an expired one that must be erased first is not", gone.with { $0.needsErase = true },
            .written(isNew: true), 31131),
        Row("a write-protected one is not", standing { $0.isWriteProtected = true }, .written(isNew: false), 30003),
        Row("a decommissioned one is not", standing { $0.isDecommissioned = true }, .written(isNew: false), 3304),
        Row("an unknown one is not", standing(.unread, .free), .written(isNew: true), 24031),
        Row("a suspect one is not", suspect, .written(isNew: false), 31151),
        Row("a free tape is marked as not free", standing(.own, .free), .markedNotFree),
        Row("an unknown one is not", standing(.unread, .free), .markedNotFree, 24031),
        Row("one in use is not", busy, .archived, 24008),
    ]

    @Test(
        "each rule has two sides", arguments: freeing + erasing + identifying + cleaning + recataloging + using)
    func rules(_ row: Row) { #expect(refusal(row.event, on: row.tape) == row.id) }

    @Test("what is refused changes nothing, and says which tape, why and what to do")
    func refused() throws {
        let before = standing()
        let error = try #require(throws: Refusal.self) { try before.after(.markedFree, tape: "000001L8") }
        #expect(error.object == "tape 000001L8")
        #expect(
            error.description
                == "error 31116 (GRP-7) tape 000001L8: The tape belongs to a protection group, and cannot be marked as free. "
                + "Stop protection of the group first.")
    }

    @Test("a tape lives: unknown, free, active, full, expired, active again, freed, erased")
    func life() throws {
        var tape = TapeStanding.seen(barcode: "000001L8")
        var seen = [tape.status]
        let events: [TapeEvent] = [
            .identified(.blank), .reserved, .written(isNew: true), .released, .filled, .expired, .written(isNew: true),
            .finished, .removed, .expired, .returned, .protectionStopped(deletesData: true), .markedFree,
            .erased(hasCommand: true),
        ]
        for event in events {
            tape = try tape.after(event, tape: "T")
            seen.append(tape.status)
        }
        #expect(
            seen == [
                .unknown, .blank, .reserved, .reserved, .active, .full, .expired, .active, .offsiteReady, .offline,
                .overdue, .expired, .expired, .free, .blank,
            ])
    }

    @Test("another server's tape is imported, recataloged, and then kept until it is freed")
    func imported() throws {
        var tape = try TapeStanding.seen(barcode: "A00001L8").after(.identified(.imported), tape: "T")
        #expect(tape.status == .imported && tape.obstacle == .imported)
        tape = try tape.after(.recataloged, tape: "T")
        #expect(tape.status == .archived && tape.obstacle == .archived && tape.content == .own)
        tape = try tape.after(.markedFree, tape: "T")
        #expect(tape.status == .free && tape.obstacle == nil)
        // What it holds stays until it is written over, so it can be had back.
        tape = try tape.after(.markedNotFree, tape: "T")
        #expect(try tape.after(.recataloged, tape: "T").status == .archived)
    }

    @Test("a suspect tape is read again once its label was replaced")
    func suspects() throws {
        var tape = try standing().after(.conflicted, tape: "T")
        #expect(tape.status == .suspect)
        tape = try tape.after(.relabelled, tape: "T")
        #expect(tape.status == .unknown)
        #expect(try tape.after(.identified(.own), tape: "T").use == .offsiteReady)
        // A new label on a tape that is not suspect changes nothing.
        #expect(try standing(.own, .active).after(.relabelled, tape: "T").use == .active)
    }

    @Test(
        "of several flags the gravest is shown, and each keeps the tape from being written",
        arguments: [
            ("decommissioned", TapeStatus.decommissioned, TapeObstacle.decommissioned), ("cleaner", .cleaner, .cleaner),
            ("suspect", .suspect, .suspect), ("unread", .unknown, .unknown),
            ("unrecognized", .unrecognized, .unrecognized), ("imported", .imported, .imported),
            ("offline", .offline, .offline), ("archived", .archived, .archived),
            ("protected", .writeProtected, .writeProtected),
        ])
    func flags(_ name: String, _ status: TapeStatus, _ obstacle: TapeObstacle) {
        var tape = standing()
        let order = [
            "decommissioned", "cleaner", "suspect", "unread", "unrecognized", "imported", "offline", "archived",
            "protected",
        ]
        // Those that are less grave are set too, where they can be.
        let rest = order.drop { $0 != name }
        if rest.contains("protected") { tape.isWriteProtected = true }
        if rest.contains("archived") { tape.isArchived = true }
        if rest.contains("offline") { tape.isInLibrary = false }
        if name == "suspect" || name == "decommissioned" { tape.use = .suspect }
        switch name {
        case "imported": tape.content = .imported
        case "unrecognized": tape.content = .unrecognized
        case "unread": tape.content = .unread
        case "cleaner": tape.content = .cleaner
        case "decommissioned": tape.isDecommissioned = true
        default: break
        }
        #expect(tape.status == status)
        #expect(tape.obstacle == obstacle)
    }

    @Test("a tape against which nothing speaks has no obstacle", arguments: [CartridgeState.free, .active, .expired])
    func unobstructed(_ use: CartridgeState) { #expect(standing(.own, use).obstacle == nil) }

    @Test("a bar code that begins with CLN marks a cleaning tape")
    func cleaners() {
        #expect(TapeStanding.seen(barcode: "CLN001L8").status == .cleaner)
        #expect(TapeStanding.seen(barcode: "cln001L8").status == .cleaner)
        #expect(TapeStanding.seen(barcode: "000CLNL8").status == .unknown)
    }

    @Test("some of several tapes have other numbers than all of them")
    func several() {
        #expect(TapeRefusal.protectedNotFree.refusal(of: 5, outOf: 5).id == 31116)
        let some = TapeRefusal.protectedNotFree.refusal(of: 2, outOf: 5)
        #expect(some.id == 31129 && some.object == "2 of 5 tapes")
        #expect(TapeRefusal.reservedNotFree.forSome == 31130)
        #expect(TapeRefusal.protectedNotErased.forSome == 31133)
        #expect(TapeRefusal.reservedNotCleaner.forSome == 31126)
        #expect(TapeRefusal.eraseFirst.forSome == 31131)
    }

    @Test("every refusal, notice, state and obstacle has its words", arguments: TapeRefusal.allCases)
    func words(_ refusal: TapeRefusal) {
        let said = refusal.refusal(of: "T")
        #expect(!said.cause.isEmpty && !said.cause.hasSuffix("."))
        #expect(!said.action.isEmpty && !said.action.hasSuffix("."))
        #expect(TapeStatus.allCases.allSatisfy { !$0.title.isEmpty })
        #expect(TapeObstacle.allCases.allSatisfy { !$0.text.isEmpty })
        #expect(TapeNotice.allCases.allSatisfy { !$0.text.isEmpty && !$0.text.hasSuffix(".") })
    }

    @Test("the choice never takes a tape with an obstacle, and names it", arguments: TapeObstacle.allCases)
    func choice(_ obstacle: TapeObstacle) {
        var barred = TapeChoiceTests.blank(0)
        barred.obstacle = obstacle
        let request = TapeChoiceTests.request(run: 1)
        let decided = TapeChoice.decide(
            for: request, among: [barred, TapeChoiceTests.blank(1), TapeChoiceTests.blank(2)], now: TapeChoiceTests.now)
        #expect(decided.pick == 1)
        #expect(decided.refused.map(\.place) == [0, 2])
        #expect(decided.refused.map(\.text) == [obstacle.text, "another one comes first"])
        #expect(TapeChoice.freeCount(among: [barred], library: 0, now: TapeChoiceTests.now) == 0)
        // The same tape without it.
        barred.obstacle = nil
        #expect(TapeChoice.pick(for: request, among: [barred], now: TapeChoiceTests.now) == 0)
    }
}

extension TapeStanding {
    fileprivate func with(_ change: (inout TapeStanding) -> Void) -> TapeStanding {
        var copy = self
        change(&copy)
        return copy
    }
}
