import Protection
import Simulation
import Testing
import Units

/// Tape, online and secondary copies of the replica.
@Suite("Tape and copies")
struct TapeAndCopyTests {
    @Test("a weekly tape backup takes each member's replica once, from mount to unload")
    func weekly() {
        var installation = Installation(machines: 4, days: 14)
        installation.addTape(retention: CalendarSpan(4, .weeks))
        let (book, outcome) = installation.run()
        let sets = book.jobs(.tapeBackup)
        #expect(sets.count == 8 && sets.allSatisfy { $0.sent == .gigabytes(50) })
        #expect(outcome.tapeMounts == 2)
        #expect(outcome.cartridges.filter { $0.written > .zero }.count == 2)
    }

    @Test("a set that does not fit goes on, on the next cartridge")
    func spanning() {
        var installation = Installation(machines: 40, days: 8)
        // 40 x 50 GB = 2 TB on LTO-5 of 1.495 TB.
        installation.addTape(generation: .lto5, retention: CalendarSpan(4, .weeks))
        let (book, outcome) = installation.run()
        #expect(book.jobs(.tapeBackup).count == 40)
        let used = outcome.cartridges.filter { $0.written > .zero }
        #expect(used.count == 2 && used.reduce(0) { $0 + $1.written.count } == 2_000_000_000_000)
        #expect(used.contains { $0.written == Bytes(1_495_000_000_000) })
    }

    @Test(
        "GRP-6: without colocation each run takes a fresh tape, with it runs share one while its write period is open")
    func colocation() {
        var installation = Installation(machines: 2, days: 28)
        installation.addTape(retention: CalendarSpan(4, .weeks))
        let apart = installation.run().1.cartridgesWritten
        installation.setting.world.groups[0].tape!.colocationSet = "all"
        installation.setting.world.groups[0].tape!.writePeriod = .days(60)
        installation.setting.world.groups[0].tape!.expiryTolerance = .days(60)
        let together = installation.run().1.cartridgesWritten
        #expect(apart == 4 && together == 1)
    }

    @Test("a tape whose sets have expired is written again from its beginning")
    func expiry() {
        var installation = Installation(machines: 1, days: 40)
        installation.addTape(tapes: 2, retention: CalendarSpan(1, .weeks))
        let (book, outcome) = installation.run()
        #expect(book.jobs(.tapeBackup).count == 5)
        #expect(book.jobs(.tapeBackup, .failed).isEmpty)
        #expect(outcome.cartridgesWritten == 2)
    }

    @Test("no usable tape: 24050, alerts 3305 and 3311, one rerun, and nobody is stuck")
    func noTape() {
        var installation = Installation(machines: 2, days: 14)
        installation.addTape(tapes: 1, retention: CalendarSpan(4, .weeks))
        let (book, outcome) = installation.run()
        #expect(book.jobs(.tapeBackup).count == 2)
        #expect(book.jobs(.tapeBackup, .failed, error: 24050).map(\.attempt).sorted() == [0, 0, 1, 1])
        #expect(book.alerts.contains { $0.id == 3305 } && book.alerts.contains { $0.id == 3311 })
        #expect(outcome.end == .horizon)
    }

    @Test("a drive that fails breaks its stream; what was missing is rerun on a new tape when the drive is back")
    func driveFailure() {
        var installation = Installation(machines: 20, days: 7)
        installation.addTape(retention: CalendarSpan(4, .weeks))
        installation.happens(.driveFailure(Ref(0)), day: 5, hour: 8, minute: 20, lasts: .minutes(30))
        let (book, outcome) = installation.run()
        #expect(!book.jobs(.tapeBackup, .failed, error: 24019).isEmpty)
        #expect(Set(book.jobs(.tapeBackup).map(\.machine)).count == 20)
        #expect(outcome.cartridgesWritten == 2)
    }

    @Test("a pool volume that goes missing breaks the set that is read from it, and those that would be; all are rerun")
    func poolVolumeMissing() {
        var installation = Installation(machines: 20, days: 7)
        installation.addTape(retention: CalendarSpan(4, .weeks))
        installation.happens(.poolVolumeOutage(Ref(0)), day: 5, hour: 8, minute: 20, lasts: .minutes(30))
        let (book, outcome) = installation.run()
        #expect(!book.jobs(.tapeBackup, .failed, error: 31208).isEmpty)
        #expect(Set(book.jobs(.tapeBackup).map(\.machine)).count == 20)
        #expect(outcome.tapeSets.contains { $0.state == .broken })
        #expect(outcome.tapeSets.count { $0.state == .whole } == 20)
    }

    @Test(
        "a lost database: the server is down until it is rebuilt, replicas are checked, written tapes are not appended to"
    )
    func databaseLoss() throws {
        var installation = Installation(machines: 4, days: 14)
        installation.addTape(retention: CalendarSpan(4, .weeks))
        installation.setting.world.groups[0].tape!.colocationSet = "all"
        installation.setting.world.groups[0].tape!.writePeriod = .days(60)
        installation.setting.world.groups[0].tape!.expiryTolerance = .days(60)
        let together = installation.run().1.cartridgesWritten
        installation.happens(.databaseLoss(Ref(0)), day: 8, hour: 12, lasts: .hours(2))
        let (book, outcome) = installation.run()
        let loss = try #require(book.incidents.first { $0.title == "Database lost" })
        let span = try #require(loss.ended) - loss.at
        #expect(span > .hours(3) && span < .hours(4))
        #expect(loss.machines == 4 && loss.checks == 4)
        #expect(together == 1 && outcome.cartridgesWritten == 2)
        #expect(outcome.tapeSets.allSatisfy { $0.state == .whole })
    }

    @Test("GRP-7 broken: encryption without a certificate fails every set with 24073")
    func certificate() {
        var installation = Installation(machines: 2, days: 7)
        installation.addTape(retention: CalendarSpan(4, .weeks))
        installation.setting.world.groups[0].tape!.encoding = .encrypt
        installation.setting.world.groups[0].tape!.hasCertificate = false
        #expect(installation.run().0.jobs(.tapeBackup, .failed, error: 24073).count == 2)
    }

    @Test("GRP-3 obeyed: the first online copy is whole, later ones carry the changes over the WAN")
    func online() {
        var installation = Installation(machines: 1, days: 5)
        installation.addCopies(online: true, secondary: false)
        let jobs = installation.run().0.jobs(.onlineBackup)
        #expect(jobs.first?.sent == .gigabytes(50))
        #expect(jobs.dropFirst().allSatisfy { $0.sent < .gigabytes(3) } && jobs.count >= 3)
        let seconds = (jobs[0].transferEnded - jobs[0].transferStarted).seconds
        #expect(abs(seconds - 50e9 / 100e6) < 1e-3)
    }

    @Test("a secondary DPM server holds the replica too, with points of its own")
    func secondary() {
        var installation = Installation(machines: 2, days: 5)
        installation.addCopies(online: false, secondary: true)
        let (book, outcome) = installation.run()
        #expect(book.jobs(.secondarySynchronization).count >= 6)
        #expect(book.pool.last!.values[1] > 100_000_000_000)
        #expect(outcome.audit.allSatisfy { $0.holds })
    }

    @Test("a robot that jams and is never repaired leaves streams waiting, and the end of the run names them")
    func stuck() {
        var installation = Installation(machines: 2, days: 8)
        installation.addTape(retention: CalendarSpan(4, .weeks))
        installation.happens(.robotJam(Ref(0)), day: 5)
        let (book, outcome) = installation.run()
        guard case .stuck(let names) = outcome.end else {
            Issue.record("the run ended as \(outcome.end)")
            return
        }
        #expect(
            names == [
                "Tape backup of group gold has waited since Sat 2026-01-10 08:00:00 for the robot of lib1"
            ])
        #expect(book.alerts.contains { $0.id == 3301 && $0.resolved == nil })
    }

    @Test("GRP-5 broken: a goal that is not offered is refused, and nothing is written for it")
    func refusedGoal() {
        var installation = Installation(machines: 2, days: 14)
        installation.addTape(retention: CalendarSpan(8, .weeks))
        let (book, outcome) = installation.run()
        #expect(book.jobs(.tapeBackup).isEmpty)
        #expect(outcome.refusals.map(\.id) == [31018])
    }

    @Test("GRP-7 obeyed: two copies are two tapes with all sets on each")
    func copies() {
        var installation = Installation(machines: 3, days: 7)
        installation.addTape(drives: 2, retention: CalendarSpan(4, .weeks))
        installation.setting.world.groups[0].longTermTape[0].copies = 2
        let (book, outcome) = installation.run()
        #expect(book.jobs(.tapeBackup).count == 6)
        #expect(outcome.cartridges.filter { $0.sets == 3 }.count == 2)
    }

    @Test("a drive that fails while it rewinds after the last set loses nothing and reruns nothing")
    func failsAfterTheEnd() {
        var installation = Installation(machines: 2, days: 8)
        installation.addTape(retention: CalendarSpan(4, .weeks))
        let last = installation.run().0.jobs(.tapeBackup).map(\.ended).max()!
        installation.setting.script.append(
            ScriptLine(.driveFailure(Ref(0)), .at(last + .seconds(5)), lasts: .fixed(.hours(1))))
        let (book, _) = installation.run()
        #expect(book.jobs(.tapeBackup).count == 2 && book.jobs(.tapeBackup, .failed).isEmpty)
    }

    @Test(
        "back-hitches longer than the buffer lasts hold the drive: 50 GB at 80 MB/s take 50 GB / 56 MB/s with 16 s each"
    )
    func backHitches() {
        var installation = Installation(machines: 2, days: 7)
        installation.addTape(retention: CalendarSpan(4, .weeks))
        installation.setting.world.poolVolumes[0].readRate = .megabytesPerSecond(80)
        func between() -> Double {
            let sets = installation.run().0.jobs(.tapeBackup)
            return (sets[1].transferStarted - sets[0].transferStarted).seconds
        }
        #expect(abs(between() - 50e9 / 80e6) < 1e-6)
        installation.setting.tuning.backHitch = .seconds(16)
        #expect(abs(between() - 50e9 / 56e6) < 1e-6)
    }
}
