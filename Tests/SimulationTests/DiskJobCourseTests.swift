import Protection
import Simulation
import Testing
import Units

/// How backups, checks and creations go in simulated time; figures by hand where they can be had.
@Suite("The course of disk jobs")
struct DiskJobCourseTests {
    @Test("PRC-1 obeyed: the replica is complete before the first express full, and holds what the machine uses")
    func creationFirst() {
        let (book, outcome) = Installation(machines: 2).run()
        let creations = book.jobs(.replicaCreation)
        let fulls = book.jobs(.expressFull)
        #expect(creations.count == 2 && fulls.count == 14)
        #expect(creations.allSatisfy { $0.sent == .gigabytes(50) && $0.stored == .gigabytes(50) })
        #expect(creations.map(\.ended).max()! < fulls.map(\.due).min()!)
        #expect(outcome.replicas.allSatisfy { $0.state == .ok && $0.replica == .gigabytes(50) })
    }

    @Test(
        "PRC-1 broken: an express full that is due while the replica is still being created is refused with 93 and missed"
    )
    func tooEarly() {
        var installation = Installation(machines: 1, days: 1)
        installation.setting.world.groups[0].disk!.schedule = WeeklySchedule(times: [TimeOfDay(hour: 0, minute: 1)])
        let (book, _) = installation.run()
        #expect(book.jobs(.expressFull, .failed, error: 93).count == 1)
        #expect(book.missed.map(\.error) == [93])
    }

    @Test("PRC-2 obeyed: only blocks changed since the last synchronization travel, each once")
    func changesOnly() {
        var installation = Installation(machines: 1, days: 3)
        // 2 GB a day fall on a page of 1 GB: of w = 2 W written, W (1 - e^-2) = 0.8647 GB are distinct.
        installation.setting.world.machines[0].churn.workingSet = .gigabytes(1)
        let (book, _) = installation.run()
        let second = book.jobs(.expressFull)[1]
        #expect(abs(Double(second.sent.count) - 0.864_664_7e9) < 1e3)
    }

    @Test("PRC-5 obeyed: page-file blocks change and do not travel")
    func pageFile() {
        var installation = Installation(machines: 1, days: 3)
        installation.setting.world.machines[0].churn.workingSet = .gigabytes(4)
        installation.setting.world.machines[0].pageFile = .gigabytes(1)
        let (book, _) = installation.run()
        let job = book.jobs(.expressFull)[1]
        #expect(abs(Double(job.sent.count) / Double(job.changed.count) - 0.75) < 1e-6)
    }

    @Test("PRC-3 obeyed: a point a day is kept for the retention range, and pruning gives its blocks back")
    func retention() {
        let (_, short) = Installation(machines: 1, days: 30).run()
        let points = short.points.filter { $0.machine == 0 }
        #expect((5...7).contains(points.count))
        let used = short.replicas[0].points.count
        // Five to seven days of at most 2 GB each.
        #expect(used > 7_000_000_000 && used < 14_000_000_000)
    }

    @Test("VSS-2 obeyed: a machine without backup integration is paused once a backup, and the pause is counted")
    func offline() {
        var installation = Installation(machines: 2, days: 3)
        installation.setting.world.machines[1].backupIntegration = false
        let (book, _) = installation.run()
        let fulls = book.jobs(.expressFull)
        #expect(fulls.filter { $0.machine == 0 }.allSatisfy { $0.downtime == .zero })
        #expect(fulls.filter { $0.machine == 1 }.allSatisfy { $0.downtime == Tuning().offlinePause })
    }

    @Test(
        "PRE-10: with the software provider the machines of a CSV follow each other, with a hardware provider they do not"
    )
    func providers() {
        var installation = Installation(machines: 4, days: 3)
        func overlaps(_ jobs: [JobRecord]) -> Int {
            let day = jobs.filter { $0.due == .start + .days(1) + .hours(20) }
            return day.filter { a in
                day.contains {
                    $0.id != a.id && $0.transferStarted < a.transferEnded && a.transferStarted < $0.transferEnded
                }
            }.count
        }
        let hardware = overlaps(installation.run().0.jobs(.expressFull))
        installation.setting.world.volumes[0].vssProvider = .software
        let (book, outcome) = installation.run()
        #expect(hardware == 4)
        #expect(overlaps(book.jobs(.expressFull)) == 0)
        #expect(outcome.resources.contains { $0.kind == .csvClaim && $0.boundSeconds > 0 })
    }

    @Test("PRE-8 broken: no room for the differencing disk fails the backup with 30115; it is rerun once, then missed")
    func noRoom() {
        var installation = Installation(machines: 1, days: 2)
        installation.setting.world.volumes[0].capacity = .gigabytes(50)
        let (book, _) = installation.run()
        #expect(book.jobs(.replicaCreation, .failed, error: 30115).count == 1)
        #expect(book.jobs(.replicaCreation).isEmpty)
    }

    @Test("the backup window closes: what still runs is cancelled with 33440 and missed")
    func windowCloses() {
        var installation = Installation(machines: 2, days: 2)
        installation.setting.world.groups[0].backupWindow = DailyWindow(
            start: TimeOfDay(hour: 20), duration: .seconds(30))
        let (book, _) = installation.run()
        #expect(book.jobs(.expressFull, .cancelled, error: 33440).count == 4)
        #expect(book.missed.allSatisfy { $0.error == 33440 } && book.missed.count == 4)
    }

    @Test("a full pool refuses with 33511, raises 33515, and everything stored before stays")
    func poolFull() {
        let (book, outcome) = Installation(machines: 4, days: 6, poolSize: .gigabytes(205)).run()
        #expect(!book.jobs(.expressFull, .failed, error: 33511).isEmpty)
        #expect(book.alerts.contains { $0.id == 33515 })
        #expect(outcome.replicas.allSatisfy { $0.replica == .gigabytes(50) })
        #expect(outcome.audit.allSatisfy { $0.holds })
    }

    @Test("a transfer takes as long as its narrowest resource says: 50 GB over 94 % of 1 Gbit/s in 425.5 s")
    func narrowest() {
        var installation = Installation(machines: 1, days: 1)
        for h in installation.setting.world.hosts.indices {
            installation.setting.world.hosts[h].nic = .gigabitsPerSecond(1)
        }
        let job = installation.run().0.jobs(.replicaCreation)[0]
        #expect(abs((job.transferEnded - job.transferStarted).seconds - 50e9 / (125e6 * 0.94)) < 1e-6)
    }

    @Test("GRP-4 obeyed: synchronization every four hours becomes an express full every four hours")
    func everyFourHours() {
        var installation = Installation(machines: 1, days: 3)
        installation.setting.world.groups[0].disk!.synchronization = .every(minutes: 240)
        let (book, _) = installation.run()
        let secondDay = book.jobs(.expressFull).filter { $0.due >= .start + .days(1) && $0.due < .start + .days(2) }
        #expect(secondDay.map { ($0.due - .start).nanoseconds / 3_600_000_000_000 } == [24, 28, 32, 36, 40, 44])
    }
}
