import Protection
import Testing
import Units

private let day = SimTime.start + .days(10)
private let clock = CivilClock(startDate: CivilDate(year: 2026, month: 1, day: 5)!)

/// A machine on a cluster node, everything in order: its point of the day before lies on disk.
private func situation(
    _ machine: Ref<Machine> = .beta, _ source: RecoveryRequest.Source = .disk,
    _ change: (inout RecoverySituation) -> Void = { _ in }
) -> RecoverySituation {
    let noun = SmallWorld.base.machines[machine]
    var situation = RecoverySituation(server: .dpm1, host: noun.host, volume: noun.homeVolume)
    situation.place = RecoveryPlace(
        source, at: day, consistency: .application, set: source == .tape ? 0 : -1,
        tapes: source == .tape ? ["A00001L8", "A00002L8"] : [])
    (situation.bytes, situation.room) = (.gigabytes(50), .terabytes(1))
    change(&situation)
    return situation
}

private let elsewhere = RecoveryRequest.Destination.host(.h2, volume: .local2, folder: "Recovered")
private let folder = RecoveryRequest.Destination.networkFolder(.h2, volume: .local2, folder: "a\\b")

@Suite("REC: recovery") struct RECRules {
    // MARK: REC-1

    @Test("REC-1 obeyed: days with points are the calendar's, and the newest point not younger is taken")
    func choice() {
        let points = (1...3).map {
            RecoveryPlace(.disk, at: .start + .days($0) + .hours(20), consistency: .application)
        }
        #expect(
            RecoveryChoice.days(of: points + [points[0]], clock: clock).map(\.description)
                == ["2026-01-06", "2026-01-07", "2026-01-08"])
        var request = RecoveryRequest(.beta)
        #expect(RecoveryChoice.pick(for: request, among: points) == points[2])
        request.asOf = .start + .days(3) + .hours(19)
        #expect(RecoveryChoice.pick(for: request, among: points) == points[1])
        request.asOf = points[1].at
        #expect(RecoveryChoice.pick(for: request, among: points) == points[1])
    }

    @Test(
        "REC-1 broken: no point as old (202), a recovery of it under way (98), no DPM server (976), in this order of precedence"
    )
    func noPoint() {
        let request = RecoveryRequest(.beta)
        #expect(world().recoveryRefusal(request, situation()) == nil)
        #expect(world().recoveryRefusal(request, situation { $0.place = nil })?.id == 202)
        #expect(world().recoveryRefusal(request, situation { $0.isBusy = true })?.id == 98)
        #expect(
            world().recoveryRefusal(
                request,
                situation {
                    ($0.serverIsUp, $0.isBusy) = (false, true)
                    $0.place = nil
                })?.id == 976)
        var tooOld = request
        tooOld.asOf = .start
        #expect(
            RecoveryChoice.pick(for: tooOld, among: [RecoveryPlace(.disk, at: day, consistency: .crash)]) == nil)
    }

    // MARK: REC-2

    @Test("REC-2 obeyed: to the original place it is highly available if it was")
    func original() {
        let request = RecoveryRequest(.beta)
        #expect(world().recoveryRefusal(request, situation()) == nil)
        #expect(world().isHighlyAvailable(after: request, from: .n1))
        #expect(!world().isHighlyAvailable(after: RecoveryRequest(.alpha), from: .h1))
    }

    @Test(
        "REC-2 broken: without resource group 32579, without agent or network 31200, without its volume 104",
        arguments: [(32579, 0), (31200, 1), (31200, 2), (104, 3)])
    func originalRefused(_ id: Int, _ what: Int) {
        let small = world {
            if what == 0 { $0.machines[.beta].resourceGroupOnline = false }
            if what == 1 { $0.hosts[.n1].agent = .absent }
        }
        let refusal = small.recoveryRefusal(
            RecoveryRequest(.beta),
            situation {
                if what == 2 { $0.targetIsReachable = false }
                if what == 3 { $0.volumeIsThere = false }
            })
        #expect(refusal?.id == id && refusal?.rule == RuleID("REC", 2))
        if what == 0 {
            #expect(refusal?.action == "Recover to another location, and make the machine highly available by hand")
            // Elsewhere it is recovered all the same.
            #expect(small.recoveryRefusal(RecoveryRequest(.beta, to: elsewhere), situation()) == nil)
        }
    }

    // MARK: REC-3

    @Test("REC-3 obeyed: to any host with an agent; on a cluster node it is not highly available")
    func alternate() {
        #expect(world().recoveryRefusal(RecoveryRequest(.beta, to: elsewhere), situation()) == nil)
        let node = RecoveryRequest(.alpha, to: .host(.n2, volume: .csv1, folder: "Recovered"))
        #expect(world().recoveryRefusal(node, situation(.alpha)) == nil)
        #expect(!world().isHighlyAvailable(after: node, from: .h1))
    }

    @Test(
        "REC-3 broken: no agent, a volume that is not the host's or not under ClusterStorage, a bad path, too little room"
    )
    func alternateRefused() {
        func refusal(
            _ to: RecoveryRequest.Destination, _ change: (inout World) -> Void = { _ in }, room: Bytes = .terabytes(1)
        ) -> Int? {
            world(change).recoveryRefusal(RecoveryRequest(.beta, to: to), situation { $0.room = room })?.id
        }
        #expect(refusal(elsewhere) { $0.hosts[.h2].agent = .disabled } == 31200)
        #expect(refusal(.host(.h2, volume: .local1, folder: "x")) == 31074)
        #expect(refusal(.host(.n2, volume: .local2, folder: "x")) == 32613)
        #expect(refusal(.host(.h2, volume: .local2, folder: "x\\..\\y")) == 247)
        #expect(refusal(elsewhere, room: .gigabytes(49)) == 57)
        #expect(refusal(elsewhere, room: .gigabytes(50)) == nil)
    }

    @Test("PRE-14 broken: a host that uses remote shares takes no recovery")
    func remoteShares() {
        let request = RecoveryRequest(.beta, to: .host(.h1, volume: .local1, folder: "x"))
        #expect(world().recoveryRefusal(request, situation())?.rule == RuleID("PRE", 14))
    }

    // MARK: REC-4

    @Test(
        "REC-4 obeyed: disks, volumes, files and folders go to a network folder",
        arguments: [
            RecoveryRequest.Selection.machine, .disks([0]), .volumes([1, 2]), .files(volume: 1, paths: ["a/b"]),
        ])
    func toFolder(_ what: RecoveryRequest.Selection) {
        #expect(world().recoveryRefusal(RecoveryRequest(.beta, what: what, to: folder), situation()) == nil)
    }

    @Test(
        "REC-4 broken: parts of a machine to a host, disks it has not, items from tape, on a server without Hyper-V, a bad path"
    )
    func partsRefused() {
        func refusal(
            _ what: RecoveryRequest.Selection, _ to: RecoveryRequest.Destination = folder,
            _ source: RecoveryRequest.Source = .disk, _ change: (inout World) -> Void = { _ in }
        ) -> Refusal? {
            world(change).recoveryRefusal(RecoveryRequest(.beta, what: what, to: to), situation(.beta, source))
        }
        #expect(refusal(.disks([0]), elsewhere)?.rule == RuleID("REC", 4))
        #expect(refusal(.volumes([1]), .original)?.rule == RuleID("REC", 4))
        #expect(refusal(.disks([1]))?.rule == RuleID("REC", 4))
        #expect(refusal(.disks([]))?.rule == RuleID("REC", 4))
        #expect(refusal(.files(volume: 1, paths: ["a"]), folder, .tape)?.id == 1001)
        #expect(refusal(.disks([0]), folder, .tape) == nil)
        #expect(refusal(.volumes([1]), folder, .disk) { $0.servers[.dpm1].hasHyperVRole = false }?.id == 958)
        #expect(refusal(.disks([0]), folder, .disk) { $0.servers[.dpm1].hasHyperVRole = false } == nil)
        #expect(refusal(.disks([0]), .networkFolder(.h2, volume: .local2, folder: "a|b"))?.id == 247)
        #expect(refusal(.machine, .networkFolder(.h2, volume: .csv1, folder: "a"))?.id == 247)
        #expect(refusal(.machine, folder, .disk) { $0.hosts[.h2].agent = .absent }?.id == 31074)
        #expect(refusal(.machine, .original, .disk) { $0.machines[.beta].level = .guest }?.rule == RuleID("REC", 4))
        #expect(refusal(.disks([0]), folder, .disk) { $0.machines[.beta].disks[0].format = .passThrough } != nil)
    }

    // MARK: REC-5

    @Test(
        "REC-5 obeyed and broken: throttle of 1 to 10 000 Mbit/s, SAN with a hardware provider, e-mail with a server and an address"
    )
    func options() {
        func refusal(_ change: (inout RecoveryRequest) -> Void, _ small: World = world()) -> Int? {
            var request = RecoveryRequest(.beta, to: elsewhere)
            change(&request)
            return small.recoveryRefusal(request, situation())?.id
        }
        func throttle(_ work: Int64, _ other: Int64) -> Throttle {
            Throttle(
                workRate: ByteRate(bytesPerSecond: work), otherRate: ByteRate(bytesPerSecond: other),
                workHours: DailyWindow(start: TimeOfDay(hour: 9), duration: .hours(9)), workDays: [.monday])
        }
        #expect(refusal { $0.throttle = throttle(125_000, 1_250_000_000) } == nil)
        #expect(refusal { $0.throttle = throttle(124_999, 1_250_000_000) } == 140)
        #expect(refusal { $0.throttle = throttle(125_000, 1_250_000_001) } == 140)
        #expect(refusal { $0.usesSAN = true } == 24083)
        #expect(refusal({ $0.usesSAN = true }, world { $0.volumes[.local2].vssProvider = .hardware }) == nil)
        #expect(refusal { $0.notifies = "ops@corp.example" } == 219)
        let mail = world { $0.servers[.dpm1].smtp = "mail.corp" }
        #expect(refusal({ $0.notifies = "ops@corp.example" }, mail) == nil)
        #expect(refusal({ $0.notifies = "ops" }, mail) == 245)
        var items = RecoveryRequest(.beta, what: .volumes([1]), to: folder)
        items.notifies = "ops@corp.example"
        #expect(mail.recoveryRefusal(items, situation())?.rule == RuleID("REC", 5))
    }

    // MARK: REC-6

    @Test(
        "REC-6 obeyed: a point that lies in several places is read from disk first, then secondary, online, tape; or from where asked"
    )
    func places() {
        let all = RecoveryRequest.Source.allCases.reversed().map {
            RecoveryPlace($0, at: day, consistency: .application, set: $0 == .tape ? 7 : -1)
        }
        var request = RecoveryRequest(.beta)
        for source in RecoveryRequest.Source.allCases {
            let left = all.filter {
                RecoveryRequest.Source.allCases.firstIndex(of: $0.source)!
                    >= RecoveryRequest.Source.allCases.firstIndex(of: source)!
            }
            request.source = nil
            #expect(RecoveryChoice.pick(for: request, among: left)?.source == source)
            request.source = source
            #expect(RecoveryChoice.pick(for: request, among: all)?.source == source)
        }
        // A newer point wins over a nearer place.
        let newer = RecoveryPlace(.tape, at: day + .hours(1), consistency: .application, set: 8)
        request.source = nil
        #expect(RecoveryChoice.pick(for: request, among: all + [newer]) == newer)
    }

    @Test(
        "REC-6 broken: a secondary server and the original place (31213), no library (235) or certificate (24071), tapes named"
    )
    func sourcesRefused() {
        let request = RecoveryRequest(.beta)
        #expect(world().recoveryRefusal(request, situation(.beta, .secondary))?.id == 31213)
        #expect(world().recoveryRefusal(RecoveryRequest(.beta, to: elsewhere), situation(.beta, .secondary)) == nil)
        #expect(world().recoveryRefusal(request, situation(.beta, .online)) == nil)
        #expect(world().recoveryRefusal(request, situation(.beta, .tape)) == nil)
        let away = world().recoveryRefusal(request, situation(.beta, .tape) { $0.libraryWorks = false })
        #expect(away?.id == 235 && away?.cause.contains("A00001L8, A00002L8") == true)
        let locked = situation(.beta, .tape) {
            $0.place!.isEncrypted = true
            $0.hasCertificate = false
        }
        #expect(world().recoveryRefusal(request, locked)?.id == 24071)
    }

    // MARK: REC-7

    @Test("REC-7 obeyed: the summary says what, from where, where to, and what follows")
    func summary() {
        func text(_ request: RecoveryRequest, _ source: RecoveryRequest.Source, from host: Ref<Host>) -> [String] {
            world().recoverySummary(
                request, situation(.beta, source).place!, bytes: .gigabytes(50), from: host, clock: clock
            ).lines.map { "\($0.title): \($0.text)" }
        }
        #expect(
            text(RecoveryRequest(.beta), .tape, from: .n1) == [
                "Machine: beta", "Recovery point: Thu 2026-01-15 00:00:00, application-consistent",
                "Location: Tape: A00001L8, A00002L8", "Items: whole machine, 50.0 GB", "Destination: original instance",
                "Then: The machine's present disks are deleted, and its jobs cancelled",
                "Then: Its replica is inconsistent until a consistency check",
                "Then: The machine is highly available, as before",
            ])
        var request = RecoveryRequest(.beta, to: .host(.n2, volume: .csv1, folder: "Recovered"))
        request.usesSAN = true
        request.notifies = "ops@corp.example"
        #expect(
            text(request, .disk, from: .n1).suffix(5) == [
                "Destination: host n2, volume csv1, folder Recovered",
                "SAN recovery: snapshots of the storage hardware",
                "E-mail: ops@corp.example", "Then: Check the configuration, and connect the network adapter",
                "Then: The machine is not highly available until it is made so by hand",
            ])
    }

    @Test("REC-7 broken: what is refused has no summary to confirm, only cause and action")
    func refusedInWords() {
        #expect(
            world().recoveryRefusal(RecoveryRequest(.beta), situation { $0.place = nil })?.description
                == "error 202 (REC-1) machine beta: It has no recovery point as old as asked for. Choose another day of the calendar."
        )
    }
}
