import Protection
import Simulation
import Testing
import Units

/// What failures and migrations do to machines, replicas and jobs.
@Suite("Happenings")
struct HappeningTests {
    @Test(
        "PRE-11 obeyed: each machine of a crashed node gets a check, on the node it started on again, and is then in order"
    )
    func crash() {
        var installation = Installation(machines: 4)
        installation.happens(.nodeCrash(Ref(0)), day: 2, hour: 3, lasts: .hours(2))
        let (book, outcome) = installation.run()
        let checks = book.jobs(.consistencyCheck)
        #expect(Set(checks.map(\.machine)) == [0, 2])
        let due = SimTime.start + .days(2) + .hours(3) + Tuning().failoverCheckDelay
        #expect(checks.allSatisfy { $0.due == due })
        #expect(outcome.replicas.allSatisfy { $0.state == .ok })
        #expect(book.incidents.count == 1 && book.incidents[0].machines == 2 && book.incidents[0].checks == 2)
        #expect(book.alerts.contains { $0.id == 3106 && $0.resolved != nil })
    }

    @Test("PRC-6: with RCT the check after a crash reads what changed, without it everything")
    func checkKinds() {
        var installation = Installation(machines: 1)
        installation.happens(.nodeCrash(Ref(0)), day: 2, hour: 3, lasts: .hours(2))
        #expect(installation.run().0.incidents[0].checkedBytes < .gigabytes(3))
        installation.setting.world.machines[0].hasRCT = false
        #expect(installation.run().0.incidents[0].checkedBytes == .gigabytes(50))
    }

    @Test(
        "PRE-11 broken: without automatic checks the replica stays inconsistent and every backup after is refused with 109"
    )
    func noAutomaticCheck() {
        var installation = Installation(machines: 1)
        installation.setting.world.groups[0].automaticChecks = false
        installation.happens(.nodeCrash(Ref(0)), day: 2, hour: 3, lasts: .hours(2))
        let (book, outcome) = installation.run()
        #expect(book.jobs(.consistencyCheck).isEmpty)
        #expect(book.jobs(.expressFull, .failed, error: 109).count == 5)
        #expect(outcome.replicas[0].state == .inconsistent)
    }

    @Test(
        "GRP-10: a scheduled check mends the replica in its hours; what is not through when they end is cancelled with 33441"
    )
    func scheduledCheck() {
        var installation = Installation(machines: 1)
        installation.setting.world.groups[0].automaticChecks = false
        installation.setting.world.groups[0].scheduledCheck = DailyWindow(
            start: TimeOfDay(hour: 4), duration: .hours(2))
        installation.setting.world.machines[0].hasRCT = false
        installation.happens(.nodeCrash(Ref(0)), day: 2, hour: 3, lasts: .hours(2))
        let (book, outcome) = installation.run()
        #expect(book.jobs(.consistencyCheck).map(\.due) == [.start + .days(2) + .hours(4)])
        #expect(outcome.replicas[0].state == .ok)
        installation.setting.world.groups[0].scheduledCheck!.duration = .minutes(1)
        let (short, still) = installation.run()
        #expect(short.jobs(.consistencyCheck, .cancelled, error: 33441).count == 5)
        #expect(still.replicas[0].state == .inconsistent)
    }

    @Test("LIV-1 obeyed: after a move inside the cluster the next backup is an express full from the new node")
    func moveInCluster() {
        var installation = Installation(machines: 1)
        installation.happens(.migration(Ref(0), to: Ref(1), storage: nil), day: 2, hour: 3)
        let (book, _) = installation.run()
        #expect(book.jobs(.expressFull).count == 7 && book.jobs(.consistencyCheck).isEmpty)
    }

    @Test("LIV-3 broken: a move to a host outside without VMM goes unnoticed, and backups fail with 33402")
    func unnoticed() {
        var installation = Installation(machines: 1)
        installation.happens(.migration(Ref(0), to: Ref(2), storage: nil), day: 2, hour: 3)
        let (book, _) = installation.run()
        #expect(book.jobs(.expressFull).count == 2)
        #expect(!book.jobs(.expressFull, .failed, error: 33402).isEmpty)
    }

    /// One machine of the cluster, VMM with all hosts in its clouds, and DPM connected to it.
    private func managed() -> Installation {
        var installation = Installation(machines: 1)
        installation.setting.world.vmmServers = [VMMServer(name: "vmm", domain: Ref(0))]
        installation.setting.world.vmmServers[0].hosts = [Ref(0), Ref(1), Ref(2)]
        installation.setting.world.servers[0].knownVMMServers = [Ref(0)]
        return installation
    }

    @Test(
        "LIV-3 and LIV-9 obeyed: with VMM, and once the Summary Manager has run, a move outside the cluster is followed"
    )
    func followed() {
        var installation = managed()
        installation.happens(.migration(Ref(0), to: Ref(2), storage: nil), day: 2, hour: 3)
        #expect(installation.run().0.jobs(.expressFull).count == 7)
    }

    @Test("LIV-9 broken: before its first run the move goes unnoticed; after midnight backups go on from the new host")
    func beforeSummary() {
        var installation = managed()
        installation.happens(.migration(Ref(0), to: Ref(2), storage: nil), day: 0, hour: 12)
        let (book, _) = installation.run()
        let failed = book.jobs(.expressFull, .failed, error: 33402)
        #expect(failed.map(\.due) == [.start + .hours(20)])
        #expect(book.jobs(.expressFull).count == 6)
    }

    @Test("LIV-6 obeyed: when the storage moves too, a full check comes before the next express full")
    func storageMove() {
        var installation = managed()
        installation.happens(.migration(Ref(0), to: Ref(2), storage: Ref(1)), day: 2, hour: 3)
        let (book, outcome) = installation.run()
        #expect(book.jobs(.consistencyCheck).count == 1)
        #expect(book.incidents[0].checkedBytes == .gigabytes(50))
        #expect(outcome.replicas[0].state == .ok)
    }

    @Test("a job whose recovery point is made is not failed by what happens while its snapshot is released")
    func whileReleasing() {
        var installation = Installation(machines: 1)
        let job = installation.run().0.jobs(.expressFull)[2]
        // Five seconds before its end it only waits for the snapshot to go (10 s).
        let moment = job.ended - .start - .seconds(5)
        installation.setting.script.append(
            ScriptLine(.nodeCrash(Ref(0)), .at(.start + moment), lasts: .fixed(.hours(1))))
        let (book, outcome) = installation.run()
        #expect(book.jobs(.expressFull).contains { $0.due == job.due })
        #expect(book.jobs(.expressFull, .failed).isEmpty && outcome.replicas[0].state == .ok)
        #expect(book.jobs(.consistencyCheck).count == 1)
    }

    @Test("a link that fails breaks what crosses it; the job is rerun once an hour later and succeeds")
    func linkOutage() {
        var installation = Installation(machines: 1)
        for h in installation.setting.world.hosts.indices { installation.setting.world.hosts[h].site = Ref(1) }
        installation.happens(.linkOutage(Ref(0)), day: 2, hour: 20, minute: 1, lasts: .minutes(10))
        let (book, _) = installation.run()
        let broken = book.jobs(.expressFull, .failed, error: 41)
        let rerun = book.jobs(.expressFull).filter { $0.attempt == 1 }
        #expect(broken.count == 1 && rerun.count == 1 && book.missed.isEmpty)
        #expect(rerun[0].due == broken[0].due)
    }

    @Test("a DPM server that is down starts nothing; it goes on when it is back, and no replica is lost")
    func serverOutage() {
        var installation = Installation(machines: 2)
        installation.happens(.serverOutage(Ref(0)), day: 2, hour: 12, lasts: .hours(12))
        let (book, outcome) = installation.run()
        #expect(book.jobs(.expressFull, .failed, error: 976).count == 2)
        #expect(outcome.replicas.allSatisfy { $0.state == .ok })
    }

    @Test("a pool volume that goes missing makes its replicas Missing; back again, they are checked")
    func poolVolume() {
        var installation = Installation(machines: 2)
        installation.happens(.poolVolumeOutage(Ref(0)), day: 2, hour: 12, lasts: .hours(12))
        let (book, outcome) = installation.run()
        #expect(book.jobs(.expressFull, .failed, error: 31208).count == 2)
        #expect(book.jobs(.consistencyCheck).count == 2)
        #expect(book.alerts.contains { $0.id == 33518 && $0.resolved != nil })
        #expect(outcome.replicas.allSatisfy { $0.state == .ok })
    }

    @Test("random failures are drawn from streams of their own: one more leaves the others where they were")
    func namedStreams() {
        var installation = Installation(machines: 4, days: 60)
        let crash = ScriptLine(.nodeCrash(Ref(0)), .random(.exponential(mean: .days(10))), lasts: .fixed(.hours(1)))
        installation.setting.script = [crash]
        let alone = installation.run(checked: false).0.incidents.filter { $0.title == "Node crash" }.map(\.at)
        installation.setting.script.append(
            ScriptLine(.volumeFull(Ref(0)), .random(.exponential(mean: .days(10))), lasts: .fixed(.minutes(5))))
        let joined = installation.run(checked: false).0.incidents.filter { $0.title == "Node crash" }.map(\.at)
        #expect(!alone.isEmpty && alone == joined)
    }
}
