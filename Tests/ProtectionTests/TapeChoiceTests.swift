import Protection
import Testing
import Units

@Suite("GRP-6 and GRP-7: which cartridge a tape backup writes to")
struct TapeChoiceTests {
    /// Something about a cartridge changed.
    struct Change: Sendable {
        var apply: @Sendable (inout CartridgeStatus) -> Void
        init(_ apply: @escaping @Sendable (inout CartridgeStatus) -> Void) { self.apply = apply }
    }
    static let now = SimTime.start + .days(100)

    static func blank(_ index: Int32) -> CartridgeStatus {
        CartridgeStatus(index: index, library: 0, generation: .lto8, room: .terabytes(12))
    }

    /// A cartridge of run 1 of group 0, written two days ago, that expires in 28 days.
    static func written(_ index: Int32, _ change: (inout CartridgeStatus) -> Void = { _ in }) -> CartridgeStatus {
        var cartridge = blank(index)
        cartridge.state = .active
        cartridge.isLongTerm = true
        cartridge.written = .terabytes(2)
        cartridge.room = .terabytes(10)
        (cartridge.group, cartridge.run, cartridge.sets) = (0, 1, 1)
        (cartridge.firstWritten, cartridge.lastWritten) = (now - .days(2), now - .days(2))
        (cartridge.firstExpiry, cartridge.lastExpiry) = (now + .days(28), now + .days(28))
        change(&cartridge)
        return cartridge
    }

    static func request(run: Int32, _ change: (inout TapeRequest) -> Void = { _ in }) -> TapeRequest {
        var request = TapeRequest(
            library: 0, drive: .lto8, group: 0, run: run, isLongTerm: true, isEncrypted: false, expiry: now + .days(30))
        change(&request)
        return request
    }

    /// A request of set 3 with a write period of 7 days and a tolerance of 5.
    static func shared(_ change: (inout TapeRequest) -> Void = { _ in }) -> TapeRequest {
        request(run: 2) {
            ($0.colocationSet, $0.writePeriod, $0.expiryTolerance) = (3, .days(7), .days(5))
            change(&$0)
        }
    }

    static func setThree(_ index: Int32, _ change: (inout CartridgeStatus) -> Void = { _ in }) -> CartridgeStatus {
        written(index) {
            $0.colocationSet = 3
            $0.group = 5
            change(&$0)
        }
    }

    func pick(_ request: TapeRequest, _ cartridges: [CartridgeStatus]) -> Int? {
        TapeChoice.pick(for: request, among: cartridges, now: Self.now)
    }

    func reason(_ request: TapeRequest, _ cartridge: CartridgeStatus) -> String {
        TapeChoice.reasons(for: request, among: [cartridge], now: Self.now)[0].text
    }

    @Test("the members of one run share its tape; another run without colocation begins a fresh one")
    func runs() {
        let tapes = [Self.blank(0), Self.written(1)]
        #expect(pick(Self.request(run: 1), tapes) == 1)
        #expect(pick(Self.request(run: 2), tapes) == 0)
        #expect(pick(Self.request(run: 2), [Self.written(0)]) == nil)
    }

    @Test("a run whose tape is taken by another drive goes to a free one")
    func reserved() {
        #expect(pick(Self.request(run: 1), [Self.blank(0), Self.written(1) { $0.isReserved = true }]) == 0)
    }

    @Test("GRP-6 obeyed: a group's daily backup goes on in its stand-alone drive; another group's does not")
    func standalone() {
        let tapes = [Self.blank(0), Self.written(1)]
        #expect(pick(Self.request(run: 2) { $0.appendsInDrive = true }, tapes) == 1)
        #expect(
            pick(
                Self.request(run: 2) {
                    $0.appendsInDrive = true
                    $0.group = 4
                }, tapes) == 0)
        #expect(
            pick(Self.request(run: 2) { $0.appendsInDrive = true }, [tapes[0], Self.written(1) { $0.room = .zero }])
                == 0)
    }

    @Test("GRP-6 obeyed: groups of one set share the tape that was written last")
    func colocation() {
        let older = Self.setThree(1) { $0.lastWritten = Self.now - .days(3) }
        #expect(pick(Self.shared(), [Self.blank(0), older, Self.setThree(2)]) == 2)
    }

    @Test(
        "GRP-6 broken: each thing that keeps a set off a shared tape has its reason",
        arguments: [
            ("belongs to another set of groups", Change { $0.colocationSet = 2 }),
            ("holds short-term data", Change { $0.isLongTerm = false }),
            ("holds encrypted data", Change { $0.isEncrypted = true }),
            ("offsite ready", Change { $0.state = .offsiteReady }), ("full", Change { $0.state = .full }),
            ("full", Change { $0.room = .zero }),
            ("suspect", Change { $0.state = .suspect }), ("in use by another job", Change { $0.isReserved = true }),
            ("not in the library", Change { $0.isInLibrary = false }),
            ("in another library", Change { $0.library = 1 }),
            ("an LTO-8 drive cannot write LTO-6", Change { $0.generation = .lto6 }),
            ("its write period is over", Change { $0.firstWritten = TapeChoiceTests.now - .days(7) }),
            (
                "its data expires more than 5 d apart",
                Change {
                    $0.firstExpiry = TapeChoiceTests.now + .days(24)
                    $0.lastExpiry = TapeChoiceTests.now + .days(24)
                }
            ),
            ("its data expires more than 5 d apart", Change { $0.lastExpiry = TapeChoiceTests.now + .days(40) }),
        ])
    func kept(_ text: String, _ change: Change) {
        let tape = Self.setThree(0, change.apply)
        #expect(pick(Self.shared(), [tape]) == nil)
        #expect(reason(Self.shared(), tape) == text)
    }

    @Test("what can be taken is said to be")
    func taken() {
        #expect(reason(Self.shared(), Self.setThree(0)) == "can be taken")
        #expect(
            reason(Self.request(run: 2), Self.written(0))
                == "belongs to another backup, and the group does not share tapes")
    }

    @Test("free tapes come before expired ones, and of these the one that expired first")
    func order() {
        func expired(_ index: Int32, days: Int64) -> CartridgeStatus {
            Self.written(index) { $0.lastExpiry = Self.now - .days(days) }
        }
        let old = [expired(0, days: 2), expired(1, days: 9), expired(2, days: 5)]
        #expect(pick(Self.request(run: 2), old) == 1)
        #expect(pick(Self.request(run: 2), old + [Self.blank(3), Self.blank(4)]) == 3)
    }

    @Test("an expired tape is not full, whatever it held; a suspect one stays out")
    func expired() {
        let past = Self.now - .days(1)
        #expect(
            pick(
                Self.request(run: 2),
                [
                    Self.written(0) {
                        $0.state = .suspect
                        $0.lastExpiry = past
                    },
                    Self.written(1) {
                        $0.state = .full
                        $0.lastExpiry = past
                    },
                ]) == 1)
    }

    @Test("GRP-7 broken: a library without a tape to write to says what its tapes do")
    func none() {
        let tapes = [
            Self.written(0), Self.written(1) { $0.isReserved = true }, Self.written(2) { $0.state = .suspect },
            Self.written(3) { $0.isInLibrary = false },
        ]
        let refusal = TapeChoice.refusal(for: Self.request(run: 2), among: tapes, in: world(), now: Self.now)
        #expect(
            refusal.description
                == "error 24050 (GRP-7) tape library lib1: None of the 3 tapes in it can be written for protection group gold "
                + "(in use by other jobs: 1, suspect: 1, the others neither free nor expired). Add free tapes, and run an "
                + "inventory.")
        #expect(TapeChoice.freeCount(among: tapes + [Self.blank(4)], library: 0, now: Self.now) == 1)
    }

    @Test(
        "a tape settles after its run",
        arguments: [
            (CartridgeState.offsiteReady, false, Change { _ in }), (.active, true, Change { _ in }),
            (.full, true, Change { $0.room = .zero }), (.full, true, Change { $0.state = .full }),
            (.offsiteReady, true, Change { $0.firstWritten = TapeChoiceTests.now - .days(8) }),
            (.offsiteReady, true, Change { $0.firstExpiry = TapeChoiceTests.now }),
            (.expired, true, Change { $0.lastExpiry = TapeChoiceTests.now }),
            (.free, true, Change { $0.state = .free }),
            (.suspect, true, Change { $0.state = .suspect }),
        ])
    func settles(_ state: CartridgeState, _ appends: Bool, _ change: Change) {
        #expect(
            Self.written(0, change.apply).settledState(at: Self.now, appends: appends, writePeriod: .days(7)) == state)
    }

    @Test("sets of groups are numbered as the groups name them")
    func sets() {
        let named = world {
            for (name, set) in [("a", "weekly"), ("b", "monthly"), ("c", "weekly")] {
                var group = ProtectionGroup(name: name, server: .dpm1)
                group.tape = TapeOptions(library: .lib1)
                group.tape?.colocationSet = set
                $0.groups.append(group)
            }
        }
        #expect(named.colocationSets == ["weekly", "monthly"])
    }
}
