import Catalog
import Protection
import Testing
import Units

@testable import Reports

@Suite struct WindowTests {
    @Test("A backup that ends at the window's last moment is inside, one later is not")
    func edges() {
        var run = SmallRun(machines: ["a", "b", "c"])
        run.backup(0, due: 20, end: 24)
        run.backup(1, due: 20, end: 24.5)
        run.backup(2, due: 20, end: 21)
        let window = run.facts.window
        #expect((window.due, window.inside, window.late, window.failed) == (3, 2, 1, 0))
        #expect(window.nights[0].lateness == .minutes(30))
        #expect(run.facts.verdicts[0].answer == .missed)
    }

    @Test("A backup due after midnight belongs to the night before; one at noon to none")
    func nights() {
        var run = SmallRun()
        run.setting.goals.window = DailyWindow(start: TimeOfDay(hour: 22), duration: .hours(6))
        run.backup(due: 26, end: 27)
        run.backup(due: 36, end: 37)
        let window = run.facts.window
        #expect(window.nights.map(\.day) == [0])
        #expect((window.due, window.inside, window.outsideSchedule) == (1, 1, 1))
    }

    @Test(
        "A failed backup counts as inside once its rerun ends in the window",
        arguments: [(23.0, 1, 0, 0), (25.0, 0, 1, 0)] as [(Double, Int, Int, Int)])
    func rerun(rerunEnd: Double, inside: Int, late: Int, failed: Int) {
        var run = SmallRun()
        run.backup(due: 20, end: 21, status: .failed)
        run.backup(due: 22, end: rerunEnd, attempt: 1)
        let window = run.facts.window
        #expect((window.due, window.inside, window.late, window.failed) == (1, inside, late, failed))
    }

    @Test("Of nights the one that ends latest is the worst, of equals the first")
    func worst() {
        var run = SmallRun()
        for (day, hours) in [(0.0, 1.0), (1.0, 3.0), (2.0, 3.0)] {
            run.backup(due: day * 24 + 20, end: day * 24 + 20 + hours)
        }
        #expect(run.facts.window.worst == 1)
        #expect(run.facts.worstNight?.jobs == 1)
    }

    @Test("The load of a night is averaged over its slices")
    func load() throws {
        var run = SmallRun(machines: ["a", "b"])
        run.backup(0, due: 20, end: 22)
        run.backup(1, due: 20, start: 21, end: 22.5)
        let slices = try #require(run.facts.worstNight).load(inSlices: 4)
        #expect(slices.map(\.running) == [1, 2, 0.5, 0])
        #expect(slices.map(\.waiting) == [1, 0, 0, 0])
        #expect(slices[1].at == .start + .hours(21))
    }

    @Test("A backup still running at the horizon is late once its window has closed, undecided before")
    func open() {
        var closed = SmallRun(days: 2)
        closed.backup(due: 20, end: nil, status: .running)
        #expect((closed.facts.window.late, closed.facts.window.share) == (1, 0))
        var open = SmallRun(days: 1)
        open.outcome.finishedAt = .start + .hours(22)
        open.backup(due: 20, end: nil, status: .running)
        #expect((open.facts.window.late, open.facts.window.share) == (0, nil))
        #expect(open.facts.verdicts[0].answer == .undecided)
    }
}

@Suite struct RecoveryTests {
    @Test("The age of the newest point is greatest when the next one ends, counted from the snapshot before")
    func age() {
        var run = SmallRun(days: 4)
        run.backup(kind: .replicaCreation, due: 1, end: 2)
        run.backup(due: 20, start: 21, end: 22)
        run.backup(due: 68, end: 69)
        let row = run.facts.recovery.rows[0]
        // 69 h - 21 h; before that 22 h - 1 h, after it 96 h - 68 h.
        #expect(row.oldest == .hours(48))
        #expect(row.oldestAt == .start + .hours(69))
        #expect(row.points == 3)
        // The days after the first point are 1, 2 and 3; a point was due on day 2 only.
        #expect((row.days, row.daysWithout) == (3, 2))
    }

    @Test(
        "The objective is met at its very length, missed below",
        arguments: [(28, .met), (27, .missed)] as [(Int64, Verdict.Answer)])
    func objective(hours: Int64, answer: Verdict.Answer) {
        var run = SmallRun(days: 2)
        run.setting.goals.recoveryPointAge = .hours(hours)
        run.backup(due: 20, end: 21)
        #expect(run.facts.recovery.oldest == .hours(28))
        #expect(run.facts.verdicts[1].answer == answer)
    }

    @Test("A machine without any point misses the objective and is counted")
    func never() {
        var run = SmallRun(machines: ["a", "b"], days: 2)
        run.setting.goals.recoveryPointAge = .days(3)
        run.backup(0, due: 20, end: 21)
        run.backup(1, due: 20, end: 21, status: .failed)
        #expect(run.facts.recovery.withoutPoint == 1)
        #expect(run.facts.recovery.rows[0].name == "b")
        #expect(run.facts.verdicts[1].answer == .missed)
    }
}

@Suite struct PoolTests {
    @Test("A straight rise after the warm-up gives the day the pool is full")
    func forecast() {
        var run = SmallRun(days: 10)
        // 10 GB a day; the retention of one day makes days 0 and 1 the warm-up. 90 GB on day 9, 10 days to 190 GB.
        run.pool(capacity: .gigabytes(190), (0...9).map { ($0, .gigabytes($0 * 10)) })
        let pool = run.facts.pool
        #expect(pool.forecast == .full(afterDays: 10))
        #expect(abs(pool.growthPerDay! - 1e10) < 1)
        #expect(pool.peak == .gigabytes(90))
        #expect(run.facts.verdicts[2].answer == .met)
    }

    @Test(
        "Without growth there is no such day, and from few days none is told",
        arguments: [(10, .steady), (5, .tooShort)] as [(Int64, PoolFacts.Forecast)])
    func noForecast(days: Int64, forecast: PoolFacts.Forecast) {
        var run = SmallRun(days: days)
        run.pool(capacity: .gigabytes(100), (0..<days).map { ($0, .gigabytes(50)) })
        #expect(run.facts.pool.forecast == forecast)
    }

    @Test("Growth that fills the pool only after ten years is no forecast")
    func farForecast() {
        var run = SmallRun(days: 10)
        run.pool(capacity: .terabytes(100), (0...9).map { ($0, .gigabytes($0 * 10)) })
        #expect(run.facts.pool.forecast == .steady)
    }

    @Test("A pool over its goal, and a full one, are missed goals with their moments")
    func full() {
        var run = SmallRun()
        run.pool(
            capacity: .gigabytes(100), [(0, .gigabytes(50)), (2, .gigabytes(91)), (4, .gigabytes(100)), (5, .zero)])
        let pool = run.facts.pool
        #expect(pool.overGoalAt == .start + .days(2))
        #expect(pool.fullAt == .start + .days(4))
        #expect(pool.atEnd == .zero)
        // A level holds until the next one: day 1 has what day 0 had, day 5 begins full.
        #expect(pool.days.map(\.used) == [50, 50, 91, 91, 100, 100].map { .gigabytes($0) })
        #expect(run.facts.verdicts[2].answer == .missed)
    }
}

@Suite struct CountTests {
    @Test(
        "Percentiles are exact, by nearest rank",
        arguments: [(0.5, 50), (0.9, 90), (0.95, 95), (0.99, 99), (1.0, 100), (0.001, 1)] as [(Double, Int64)])
    func ranks(share: Double, value: Int64) {
        #expect(nearestRank(share, of: Array(1...100)) == value)
        #expect(nearestRank(share, of: []) == nil)
        #expect(nearestRank(share, of: [7]) == 7)
    }

    @Test("Durations are told apart into waiting and working")
    func durations() {
        var run = SmallRun()
        run.backup(due: 20, start: 21, end: 24)
        let row = run.facts.durations[0]
        #expect(row[.waiting][0] == .hours(1))
        #expect(row[.working][0] == .hours(3))
        #expect(row[.total][0] == .hours(4))
        #expect(row.curve.count == 100)
    }

    @Test("Missed points are counted by cause, the most frequent first")
    func missed() {
        let run = SmallRun(machines: ["a", "b"])
        for (machine, cause) in [(0, "x"), (0, "y"), (1, "y"), (1, "y")] as [(Int32, String)] {
            run.chronicle.note(MissedPoint(machine: machine, due: .start, error: 1, cause: cause))
        }
        let missed = run.facts.missed
        #expect(missed.rows.map(\.cause) == ["y", "x"])
        #expect(missed.rows.map(\.count) == [3, 1])
        #expect(missed.rows.map(\.machines) == [2, 1])
        #expect(missed.machines == 2)
    }

    @Test("The bottleneck is the kind that held back most, and shares add up to one")
    func bottleneck() {
        var run = SmallRun(days: 1)
        run.outcome.resources = [
            ResourceRecord(name: "n", kind: .hostNIC, capacity: 10, carried: 432_000, boundSeconds: 40, hourly: []),
            ResourceRecord(name: "p", kind: .poolVolume, capacity: 10, carried: 0, boundSeconds: 35, hourly: []),
            ResourceRecord(name: "q", kind: .poolVolume, capacity: 0, carried: 0, boundSeconds: 25, hourly: []),
        ]
        let ranked = run.facts.bottlenecks
        #expect(ranked.rows.map(\.name) == ["n", "p", "q"])
        #expect(ranked.first?.kind == .poolVolume)
        #expect(ranked.rows.map(\.share) == [0.4, 0.35, 0.25])
        // 432 000 bytes of 10 a second over 86 400 s: half. Nothing carried where it held back: not measured.
        #expect(ranked.rows.map(\.utilisation) == [0.5, nil, nil])
    }

    @Test(
        "Tapes in use are all but free and expired ones",
        arguments: [(nil, 8, .met), (6, 8, .missed)] as [(Int?, Int64, Verdict.Answer)])
    func tapes(limit: Int?, total: Int64, answer: Verdict.Answer) {
        var run = SmallRun()
        run.setting.goals.cartridges = limit
        run.setting.world.libraries = [TapeLibrary(name: "l", server: Ref(0), slots: 8)]
        run.setting.world.cartridges = (0..<total).map {
            Cartridge(barcode: "\($0)", library: Ref(0), generation: .lto8)
        }
        run.chronicle.noteTapes(Level(at: .start, values: [total, 0, 0, 0, 0, 0]))
        run.chronicle.noteTapes(Level(at: .start + .days(3), values: [0, 1, 2, 3, 1, 1]))
        let tapes = run.facts.tapes
        #expect((tapes.peak, tapes.fewestFree, tapes.freeAtEnd) == (7, 1, 1))
        #expect(tapes.days.map(\.day) == [0, 1, 2, 3])
        #expect(run.facts.verdicts[3].answer == answer)
    }

    @Test("Incidents add up by kind, open ones until the end")
    func incidents() {
        let run = SmallRun(days: 2)
        var crash = IncidentRecord(at: .start + .hours(1), title: "Node crash", object: "h1")
        (crash.ended, crash.machines, crash.brokenJobs) = (.start + .hours(3), 4, 2)
        run.chronicle.note(crash)
        run.chronicle.note(IncidentRecord(at: .start + .hours(47), title: "Node crash", object: "h1"))
        let row = run.facts.incidents.rows[0]
        #expect((row.count, row.machines, row.brokenJobs, row.open) == (2, 4, 2, 1))
        #expect(row.lasted == .hours(3))
    }
}
