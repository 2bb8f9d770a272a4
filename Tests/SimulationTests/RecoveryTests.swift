import Protection
import Simulation
import Testing
import Units

/// Recoveries in a run: what they take, what they do to the machine, and what stops them.
@Suite("Recovery")
struct RecoveryTests {
    private let elsewhere = RecoveryRequest.Destination.host(Ref(2), volume: Ref(1), folder: "Recovered")

    private func installation(
        _ requests: [RecoveryRequest], machines: Int = 2, days: Int64 = 7, day: Int64 = 3, hour: Int64 = 10,
        _ change: (inout Installation) -> Void = { _ in }
    ) -> Installation {
        var installation = Installation(machines: machines, days: days)
        for request in requests { installation.happens(.recover(request), day: day, hour: hour) }
        change(&installation)
        return installation
    }

    @Test("REC-2: to the original place: jobs cancelled, replica inconsistent with 59, checked, and backed up again")
    func original() throws {
        // The backup of 20:00 runs when the recovery is asked for.
        var installation = Installation(machines: 1, days: 7)
        installation.happens(.recover(RecoveryRequest(Ref(0))), day: 3, hour: 20, minute: 1)
        let (book, outcome) = installation.run()
        let recovery = try #require(book.recoveries.first)
        #expect(recovery.status == .completed && recovery.bytes > .gigabytes(49))
        #expect(recovery.point == .start + .days(2) + .hours(20) + .seconds(40))
        #expect(book.jobs(.expressFull, .cancelled, error: 250).count == 1)
        #expect(book.alerts.contains { $0.id == 3106 && $0.cause.contains("59") && $0.resolved != nil })
        #expect(book.jobs(.consistencyCheck).count == 1)
        #expect(outcome.replicas.allSatisfy { $0.state == .ok })
        #expect(book.jobs(.expressFull).contains { $0.due == .start + .days(4) + .hours(20) })
        #expect(book.alerts.contains { $0.id == 3109 && $0.resolved == recovery.ended })
        #expect(book.alerts.contains { $0.id == 3112 && $0.raised == recovery.ended })
        #expect(outcome.audit.allSatisfy { $0.holds })
    }

    @Test("REC-2: while it is put back nothing backs it up (98), and it does not move")
    func exclusive() throws {
        var request = RecoveryRequest(Ref(0))
        request.throttle = Throttle(
            workRate: .megabytesPerSecond(1), otherRate: .megabytesPerSecond(1),
            workHours: DailyWindow(start: TimeOfDay(hour: 9), duration: .hours(9)),
            workDays: Weekday.allCases)
        let (book, _) = installation([request], machines: 1, day: 3, hour: 10) {
            $0.happens(.migration(Ref(0), to: Ref(1), storage: nil), day: 3, hour: 11)
        }.run()
        let recovery = try #require(book.recoveries.first)
        // 50 GB at 1 MB/s.
        let took = try #require(recovery.duration)
        #expect(took > .hours(13) && recovery.status == .completed)
        #expect(book.jobs(.expressFull, .failed, error: 98).count == 1)
        #expect(book.moves.isEmpty)
    }

    @Test("REC-3: to another host it is not highly available, 3182 says what is left to do, and its backups go on")
    func alternate() throws {
        let (book, outcome) = installation([RecoveryRequest(Ref(0), to: elsewhere)]).run()
        let recovery = try #require(book.recoveries.first)
        #expect(recovery.status == .completed && !recovery.isHighlyAvailable)
        #expect(book.alerts.contains { $0.id == 3182 })
        #expect(book.jobs(.expressFull, .failed).isEmpty && book.missed.isEmpty)
        #expect(outcome.audit.allSatisfy { $0.holds })
    }

    @Test("REC-5: a throttle holds in work hours, and lets go after them")
    func throttle() throws {
        var request = RecoveryRequest(Ref(0), to: elsewhere)
        request.throttle = Throttle(
            workRate: .megabytesPerSecond(1), otherRate: .megabytesPerSecond(100),
            workHours: DailyWindow(start: TimeOfDay(hour: 9), duration: .hours(9)), workDays: Weekday.allCases)
        let (book, _) = installation([request], day: 3, hour: 17).run()
        let recovery = try #require(book.recoveries.first)
        // Until 18:00 at 1 MB/s, then at 100 MB/s: an hour less a minute, and 46 to 56 GB at 100 MB/s.
        let took = try #require(recovery.duration)
        let rest = recovery.bytes.count - 3_540 * 1_000_000
        let expected = SimDuration.seconds(3_600 + 30) + .seconds(rest / 100_000_000)
        #expect(abs(took.seconds - expected.seconds) < 2, "\(took) and \(expected)")
    }

    @Test("REC-5: by SAN nothing crosses the network, so it is the storage that limits")
    func san() throws {
        var slow = RecoveryRequest(Ref(0), to: .host(Ref(0), volume: Ref(0), folder: "Recovered"))
        slow.usesSAN = true
        let (book, outcome) = installation([slow]) {
            $0.setting.world.servers[0].nic = ByteRate(bytesPerSecond: 12_500_000)
        }.run()
        let recovery = try #require(book.recoveries.first)
        // 50 GB at 400 MB/s, not at 11.75.
        let took = try #require(recovery.duration)
        #expect(took < .minutes(5) && recovery.status == .completed)
        #expect(outcome.audit.allSatisfy { $0.holds })
    }

    @Test("REC-6: from tape: mounted, located, read, and the cartridge is named")
    func tape() throws {
        var request = RecoveryRequest(Ref(1), to: elsewhere)
        request.source = .tape
        let (book, outcome) = installation([request], days: 14, day: 12) {
            $0.addTape(retention: CalendarSpan(4, .weeks))
        }.run()
        let recovery = try #require(book.recoveries.first)
        #expect(recovery.status == .completed && recovery.source == .tape && recovery.tapes == ["T00001L8"])
        #expect(outcome.tapeMounts == 3)
        #expect(book.jobs(.tapeRecovery).count == 1)
        #expect(outcome.audit.allSatisfy { $0.holds })
    }

    @Test("REC-6: a set over several cartridges is read from each of them in order")
    func spanned() throws {
        var request = RecoveryRequest(Ref(29), to: elsewhere)
        request.source = .tape
        let (book, outcome) = installation([request], machines: 40, days: 9, day: 8) {
            $0.addTape(generation: .lto5, retention: CalendarSpan(4, .weeks))
        }.run()
        let recovery = try #require(book.recoveries.first)
        #expect(recovery.status == .completed && recovery.tapes == ["T00000L5", "T00001L5"])
        #expect(outcome.audit.allSatisfy { $0.holds })
    }

    @Test("REC-6: a cartridge that is away is asked for by name (3314), and the recovery goes on when it is back")
    func awayTape() throws {
        var request = RecoveryRequest(Ref(0), to: elsewhere)
        request.source = .tape
        let (book, _) = installation([request], days: 14, day: 12) {
            $0.addTape(retention: CalendarSpan(4, .weeks))
            $0.happens(.cartridgeMissing(Ref(1)), day: 12, hour: 9, lasts: .days(1))
        }.run()
        let recovery = try #require(book.recoveries.first)
        #expect(recovery.status == .completed)
        #expect(recovery.ended > .start + .days(13) + .hours(9))
        #expect(book.alerts.contains { $0.id == 3314 && $0.resolved == .start + .days(13) + .hours(9) })
    }

    @Test(
        "what happens in the middle ends a recovery with its error, alert 3111, and nothing held",
        arguments: [
            (Happening.serverOutage(Ref(0)), Int32(910)), (.nodeCrash(Ref(2)), 41), (.partition(Ref(2)), 41),
            (.volumeOutage(Ref(1)), 104), (.poolVolumeOutage(Ref(0)), 31208), (.agent(Ref(2), .disabled), 30186),
            (.clockChange(Ref(0), by: .hours(1)), 42),
        ])
    func broken(_ happening: Happening, _ error: Int32) throws {
        let (book, outcome) = installation([RecoveryRequest(Ref(0), to: elsewhere)], day: 3, hour: 10) {
            $0.happens(happening, day: 3, hour: 10, minute: 2, lasts: .minutes(30))
            $0.happens(.recover(RecoveryRequest(Ref(0), to: elsewhere)), day: 3, hour: 12)
        }.run()
        #expect(book.recoveries.map(\.error) == [error, 0], "\(book.recoveries)")
        #expect(book.alerts.contains { $0.id == 3111 && $0.resolved != nil })
        #expect(outcome.audit.allSatisfy { $0.holds })
    }

    @Test(
        "a drive, a certificate or a cartridge that fails ends a recovery from tape",
        arguments: [
            (Happening.driveFailure(Ref(0)), Int32(24019)), (.cartridgeDamaged(Ref(1)), 30108),
            (.cartridgeMissing(Ref(1)), 24050),
        ])
    func brokenTape(_ happening: Happening, _ error: Int32) throws {
        var request = RecoveryRequest(Ref(0), to: elsewhere)
        request.source = .tape
        let (book, outcome) = installation([request], days: 20, day: 12) {
            $0.addTape(retention: CalendarSpan(4, .weeks))
            $0.happens(happening, day: 12, hour: 10, minute: 3, lasts: .hours(1))
        }.run()
        #expect(book.recoveries.map(\.error) == [error])
        // The drive is free again: the next tape backup runs.
        let later = book.jobs(.tapeBackup).filter { $0.ended > .start + .days(13) }
        #expect(later.count == 2)
        #expect(outcome.audit.allSatisfy { $0.holds })
    }

    @Test("more recoveries to one host than it takes wait, and 3186 says so")
    func parallel() throws {
        let (book, _) = installation((0..<10).map { RecoveryRequest(Ref($0), to: elsewhere) }, machines: 10).run()
        #expect(book.recoveries.count == 10 && book.recoveries.allSatisfy { $0.status == .completed })
        let waited = book.recoveries.filter { $0.began > $0.asked }
        #expect(waited.count == 2)
        #expect(book.alerts.contains { $0.id == 3186 && $0.resolved != nil })
    }

    @Test("a recovery point that is being read is not pruned, and goes the night after")
    func held() throws {
        var request = RecoveryRequest(Ref(0), to: elsewhere)
        request.asOf = .start + .days(1)
        request.throttle = Throttle(
            workRate: .megabytesPerSecond(1), otherRate: .megabytesPerSecond(1),
            workHours: DailyWindow(start: TimeOfDay(hour: 9), duration: .hours(9)),
            workDays: Weekday.allCases)
        let (book, outcome) = installation([request], machines: 1, days: 8, day: 5, hour: 20).run()
        #expect(book.recoveries.map(\.status) == [.completed])
        #expect(
            book.recoveries[0].point == .start + .hours(20) + .seconds(40)
                || book.recoveries[0].point < .start + .days(1))
        #expect(outcome.points.allSatisfy { .start + .days(8) - $0.at <= .days(6) })
        #expect(outcome.audit.allSatisfy { $0.holds })
    }

    @Test("online and secondary copies are recovered over the links they came by")
    func copies() throws {
        for source in [RecoveryRequest.Source.online, .secondary] {
            var request = RecoveryRequest(Ref(0), to: elsewhere)
            request.source = source
            let (book, outcome) = installation([request], days: 9, day: 8) {
                $0.addCopies(online: true, secondary: true)
            }.run()
            #expect(book.recoveries.map(\.status) == [.completed], "\(book.recoveries)")
            // 1 Gbit/s of link, 100 MB/s of vault: 50 GB take more than 7 minutes.
            let took = try #require(book.recoveries[0].duration)
            #expect(took > .minutes(7))
            #expect(outcome.audit.allSatisfy { $0.holds })
        }
    }

    @Test(
        "among random trouble every recovery ends, the books balance, and it repeats event for event", arguments: 1...6)
    func trouble(_ seed: UInt64) {
        func make() -> Installation {
            var installation = Installation(machines: 6, days: 21)
            installation.setting.seed = seed
            installation.addTape(drives: 2, retention: CalendarSpan(4, .weeks))
            installation.addCopies(online: true, secondary: true)
            for n in 0..<24 {
                var request = RecoveryRequest(Ref(n % 6), to: n % 3 == 0 ? .original : elsewhere)
                request.source = [nil, .disk, .tape, .online][n / 6]
                let line = ScriptLine(.recover(request), .random(.exponential(mean: .days(3))), lasts: nil)
                installation.setting.script.append(line)
            }
            let faults: [Happening] = [
                .nodeCrash(Ref(0)), .serverOutage(Ref(0)), .driveFailure(Ref(0)), .cartridgeMissing(Ref(0)),
                .poolVolumeOutage(Ref(0)), .robotJam(Ref(0)), .volumeOutage(Ref(0)), .linkOutage(Ref(0)),
                .certificateMissing(Ref(0)),
            ]
            installation.setting.script += faults.map {
                ScriptLine($0, .random(.exponential(mean: .days(4))), lasts: .exponential(mean: .hours(3)))
            }
            return installation
        }
        let (book, outcome) = make().run()
        #expect(book.recoveries.count > 20)
        #expect(book.recoveries.contains { $0.status == .completed })
        #expect(book.recoveries.contains { $0.error != 0 })
        #expect(outcome.audit.allSatisfy { $0.holds }, "\(outcome.audit.filter { !$0.holds })")
        #expect(outcome.end == .horizon, "seed \(seed): \(outcome.end)")
        #expect(make().run(checked: false).1.traceHash == outcome.traceHash, "seed \(seed)")
    }
}
