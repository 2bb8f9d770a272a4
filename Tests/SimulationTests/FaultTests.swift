import Kernel
import Protection
import Simulation
import Testing
import Units

/// What faults of network, VMM, agents, machines, volumes and tapes do, and what they leave alone.
@Suite("Faults")
struct FaultTests {
    private func failures(_ book: Notebook, _ error: Int32) -> [JobRecord] {
        book.jobs(.expressFull, .failed, error: error)
    }

    @Test("a host that nobody reaches runs on: backups fail with 41, nothing has to be checked after")
    func partition() {
        var installation = Installation(machines: 2)
        installation.happens(.partition(Ref(0)), day: 2, hour: 18, lasts: .hours(12))
        let (book, outcome) = installation.run()
        #expect(Set(failures(book, 41).map(\.machine)) == [0])
        let resolved: [SimTime?] = [SimTime.start + .hours(78)]
        #expect(book.alerts.filter { $0.id == 3122 }.map(\.resolved) == resolved)
        #expect(book.jobs(.consistencyCheck).isEmpty && outcome.replicas.allSatisfy { $0.state == .ok })
    }

    @Test(
        "SCN-2 broken: an agent in another state fails the backups of its host only, each state with its error",
        arguments: [(AgentState.absent, 45, 3122), (.incompatible, 30230, 3121), (.disabled, 30186, 3122)]
            as [(AgentState, Int32, Int32)])
    func agent(state: AgentState, error: Int32, alert: Int32) {
        var installation = Installation(machines: 2)
        installation.happens(.agent(Ref(0), state), day: 2, hour: 18, lasts: .hours(12))
        let (book, _) = installation.run()
        #expect(Set(failures(book, error).map(\.machine)) == [0])
        #expect(book.alerts.filter { $0.id == alert }.count == 1)
        #expect(book.jobs(.expressFull).filter { $0.machine == 0 && $0.due > .start + .days(3) + .hours(7) }.count == 4)
    }

    @Test("a link that carries a tenth makes what crosses it slower, and only for that time")
    func slowLink() {
        func durations(slow: Bool) -> [Double] {
            var installation = Installation(machines: 1)
            installation.setting.world.hosts[0].site = Ref(1)
            if slow {
                installation.happens(.slowLink(Ref(0), .megabytesPerSecond(10)), day: 2, hour: 12, lasts: .hours(24))
            }
            return installation.run().0.jobs(.expressFull).map { ($0.transferEnded - $0.transferStarted).seconds }
        }
        let (slow, fast) = (durations(slow: true), durations(slow: false))
        #expect(slow.count == fast.count)
        #expect(slow[2] > 5 * fast[2])
        #expect(slow[1] == fast[1] && slow[3] == fast[3])
    }

    @Test("a clock that is ten minutes wrong has agents deny access with 42, one that is four minutes wrong does not")
    func clock() {
        for (span, count) in [(SimDuration.minutes(10), 2), (.minutes(-10), 2), (.minutes(4), 0)] {
            var installation = Installation(machines: 1)
            installation.happens(.clockChange(Ref(0), by: span), day: 2, hour: 12, lasts: .hours(24))
            // The rerun an hour later is the second.
            #expect(failures(installation.run().0, 42).count == count)
        }
    }

    @Test("LIV-3 broken: while VMM is down a move goes unnoticed with 33400; once it is back DPM finds the machine")
    func vmmOutage() {
        var installation = Installation(machines: 1)
        installation.setting.world.vmmServers = [VMMServer(name: "vmm", domain: Ref(0))]
        installation.setting.world.vmmServers[0].hosts = [Ref(0), Ref(1), Ref(2)]
        installation.setting.world.servers[0].knownVMMServers = [Ref(0)]
        installation.happens(.vmmOutage(Ref(0)), day: 2, hour: 8, lasts: .hours(24))
        installation.happens(.migration(Ref(0), to: Ref(2), storage: nil), day: 2, hour: 10)
        let (book, _) = installation.run()
        #expect(failures(book, 33400).count == 2)
        let alert = book.alerts.first { $0.id == 33400 }
        #expect(alert?.raised == .start + .days(2) + .hours(10) && alert?.resolved == .start + .days(3) + .hours(8))
        #expect(book.jobs(.expressFull).count == 6)
    }

    @Test(
        "a VSS writer fails its machine only; what may be asked again is, an hour later",
        arguments: [(30111, 2), (30112, 2)] as [(Int32, Int)])
    func vss(error: Int32, count: Int) {
        var installation = Installation(machines: 2)
        installation.happens(.vssFailure(Ref(1), error: error), day: 2, hour: 12, lasts: .hours(24))
        let (book, outcome) = installation.run()
        #expect(failures(book, error).count == count && failures(book, error).allSatisfy { $0.machine == 1 })
        #expect(book.missed.map(\.machine) == [1])
        #expect(outcome.replicas.allSatisfy { $0.state == .ok })
    }

    @Test(
        "VSS-2 obeyed: with the integration service off the machine is paused and its points are weaker, until it is on"
    )
    func integration() {
        var installation = Installation(machines: 1)
        installation.happens(.integrationOff(Ref(0)), day: 2, hour: 12, lasts: .hours(24))
        let (book, outcome) = installation.run()
        let paused = book.jobs(.expressFull).filter { $0.downtime > .zero }
        #expect(paused.map(\.due) == [.start + .days(2) + .hours(20)])
        #expect(outcome.points.filter { $0.consistency == .fileSystem }.count == 1)
    }

    @Test("a lost volume stops its machines and fails their backups with 104; a check follows when it is back")
    func volumeLost() {
        var installation = Installation(machines: 2)
        installation.happens(.volumeOutage(Ref(0)), day: 2, hour: 18, lasts: .hours(6))
        let (book, outcome) = installation.run()
        #expect(failures(book, 109).count + failures(book, 104).count >= 2)
        #expect(book.jobs(.consistencyCheck).count == 2)
        #expect(outcome.replicas.allSatisfy { $0.state == .ok })
    }

    @Test(
        "VSS-5 broken: a differencing disk that cannot grow loses the snapshot with 30116, a job without one does not care"
    )
    func snapshots() {
        var installation = Installation(machines: 1)
        installation.setting.world.machines[0].churn = Churn(perDay: .gigabytes(40), workingSet: .gigabytes(50))
        var moment = JobMoment(kind: .expressFull, step: .transfer, machine: Ref(0))
        moment.share = .percent(40)
        installation.setting.script = [ScriptLine(.snapshotsFull(Ref(0)), .step(moment), lasts: .fixed(.minutes(5)))]
        #expect(failures(installation.run().0, 30116).count == 1)
        var queued = moment
        (queued.step, queued.share) = (.point, .zero)
        installation.setting.script = [ScriptLine(.snapshotsFull(Ref(0)), .step(queued), lasts: .fixed(.seconds(1)))]
        #expect(failures(installation.run().0, 30116).count == 1)
        installation.setting.script = [
            ScriptLine(.snapshotsFull(Ref(0)), .at(.start + .days(2)), lasts: .fixed(.hours(2)))
        ]
        #expect(installation.run().0.jobs(.expressFull, .failed).isEmpty)
    }

    @Test("where two faults overlap on one object, it is well again when both are over")
    func overlap() {
        var installation = Installation(machines: 2)
        installation.happens(.partition(Ref(0)), day: 2, hour: 12, lasts: .hours(10))
        installation.happens(.partition(Ref(0)), day: 2, hour: 10, lasts: .hours(6))
        installation.happens(.agent(Ref(1), .disabled), day: 3, hour: 12, lasts: .hours(10))
        installation.happens(.agent(Ref(1), .incompatible), day: 3, hour: 13, lasts: .hours(2))
        let (book, _) = installation.run()
        #expect(failures(book, 41).first { $0.machine == 0 }?.due == .start + .days(2) + .hours(20))
        #expect(failures(book, 30186).first { $0.machine == 1 }?.due == .start + .days(3) + .hours(20))
        #expect(failures(book, 30230).isEmpty)
        #expect(Set(book.missed.map(\.machine)) == [0, 1] && book.missed.count == 2)
        #expect(book.incidents.allSatisfy { $0.machines == 1 })
    }

    @Test("a happening at 40 % of a transfer comes true when two fifths have moved, whatever the rate did meanwhile")
    func share() {
        func run(_ share: Int64?, rateChange: Bool) -> Notebook {
            var installation = Installation(machines: 2)
            for m in 0..<2 {
                installation.setting.world.machines[m].churn = Churn(
                    perDay: .gigabytes(40 * Int64(m + 1)), workingSet: .gigabytes(50))
            }
            installation.setting.world.hosts[0].nic = .gigabitsPerSecond(1)
            installation.setting.world.servers[0].nic = .gigabitsPerSecond(rateChange ? 1 : 100)
            guard let share else { return installation.run().0 }
            var moment = JobMoment(kind: .expressFull, step: .transfer, machine: Ref(0))
            moment.share = .percent(share)
            moment.notBefore = .start + .days(2)
            installation.setting.script = [ScriptLine(.partition(Ref(0)), .step(moment), lasts: .fixed(.minutes(1)))]
            return installation.run().0
        }
        for rateChange in [false, true] {
            let whole = run(nil, rateChange: rateChange).jobs(.expressFull).first {
                $0.machine == 0 && $0.due == .start + .days(2) + .hours(20)
            }!
            for percent: Int64 in [0, 40, 99] {
                let broken = failures(run(percent, rateChange: rateChange), 41)
                #expect(broken.count == 1 && broken[0].due == whole.due)
                let expected = Double(whole.sent.count) * Double(percent) / 100
                // One nanosecond of transfer may pass before the moment is noticed.
                #expect(abs(Double(broken[0].sent.count) - expected) <= 2, "\(percent) %")
            }
        }
    }

    @Test("a step that is never reached makes nothing happen")
    func unreached() {
        var installation = Installation(machines: 1)
        let moment = JobMoment(kind: .tapeBackup, step: .transfer, machine: Ref(0))
        installation.setting.script = [ScriptLine(.nodeCrash(Ref(0)), .step(moment), lasts: nil)]
        let (book, outcome) = installation.run()
        #expect(book.incidents.isEmpty)
        installation.setting.script = []
        #expect(outcome.traceHash == installation.run().1.traceHash)
    }

    @Test("every step of a disk job can be named, and comes once")
    func steps() {
        for step in JobMoment.Step.allCases {
            var installation = Installation(machines: 1)
            let moment = JobMoment(kind: .expressFull, step: step, machine: Ref(0))
            installation.setting.script = [ScriptLine(.integrationOff(Ref(0)), .step(moment), lasts: nil)]
            let incidents = installation.run().0.incidents
            #expect(incidents.count == 1, "\(step)")
            #expect(
                incidents.first.map { $0.at >= .start + .hours(20) && $0.at < .start + .hours(21) } == true, "\(step)")
        }
    }

    // MARK: Tapes

    private func taped(encrypted: Bool = false, tapes: Int = 4) -> Installation {
        var installation = Installation(machines: 2, days: 9)
        installation.addTape(tapes: tapes, retention: CalendarSpan(4, .weeks))
        installation.setting.world.groups[0].longTermTape[0].frequency = .daily
        if encrypted { installation.setting.world.groups[0].tape!.encoding = .encrypt }
        return installation
    }

    @Test("a cartridge that is damaged while it is written breaks the set with 30101, and the rerun takes another tape")
    func damaged() {
        var installation = taped()
        let moment = JobMoment(kind: .tapeBackup, step: .transfer, machine: Ref(0))
        installation.setting.script = [ScriptLine(.cartridgeDamaged(Ref(0)), .step(moment), lasts: nil)]
        let (book, outcome) = installation.run()
        #expect(book.jobs(.tapeBackup, .failed, error: 30101).map(\.machine) == [0, 1])
        #expect(outcome.cartridges[0].state == .suspect)
        let first = book.jobs(.tapeBackup).first { $0.machine == 0 }
        #expect(first?.attempt == 1)
        #expect(outcome.cartridges.dropFirst().contains { $0.sets > 0 })
    }

    @Test("cartridges that are not there leave nothing to write to: 24050, and the threshold of free tapes is told")
    func missing() {
        var installation = taped(tapes: 9)
        for n in 0..<9 { installation.happens(.cartridgeMissing(Ref(n)), day: 2, hour: 1, lasts: .hours(24)) }
        let (book, _) = installation.run()
        let failed = book.jobs(.tapeBackup, .failed, error: 24050)
        #expect(!failed.isEmpty && failed.allSatisfy { $0.due < .start + .days(3) + .hours(2) })
        #expect(book.alerts.contains { $0.id == 3305 })
    }

    @Test(
        "GRP-7 broken: without a certificate, or with one that has expired, encrypted backups fail; plain ones do not",
        arguments: [(true, 24073), (false, 24070)] as [(Bool, Int32)])
    func certificate(gone: Bool, error: Int32) {
        for encrypted in [true, false] {
            var installation = taped(encrypted: encrypted)
            installation.happens(
                gone ? .certificateMissing(Ref(0)) : .certificateExpired(Ref(0)), day: 2, hour: 1, lasts: .hours(24))
            let (book, _) = installation.run()
            #expect(book.jobs(.tapeBackup, .failed, error: error).isEmpty == !encrypted)
            #expect(book.jobs(.tapeBackup).contains { $0.due > .start + .days(3) + .hours(2) })
            #expect(book.alerts.contains { $0.id == 24059 } == !gone)
        }
    }

    // MARK: Replica machines

    @Test(
        "REP-2 broken: every state of replication but normal and failed over fails the backup",
        arguments: ReplicationState.allCases)
    func replication(state: ReplicationState) {
        var installation = Installation(machines: 1)
        installation.setting.world.machines[0].replication = .normal
        installation.happens(.replication(Ref(0), state), day: 2, hour: 12, lasts: .hours(24))
        let (book, _) = installation.run()
        let isFine = state == .normal || state == .failedOver
        #expect(book.jobs(.expressFull, .failed).isEmpty == isFine)
        #expect(book.missed.isEmpty == isFine)
    }

    @Test(
        "REP-3: a backup at the secondary site crosses no link; that of the machine itself crosses it, and both are measured"
    )
    func secondarySite() {
        func carried(_ machineSite: Int, replica: Bool) -> (link: Double, host: Double) {
            var installation = Installation(machines: 1)
            installation.setting.world.hosts[0].site = Ref(machineSite)
            installation.setting.world.servers[0].site = Ref(1)
            if replica { installation.setting.world.machines[0].replication = .normal }
            let resources = installation.run().1.resources
            return (
                resources.first { $0.kind == .link }!.carried,
                resources.first { $0.kind == .hostNIC && $0.name == "node0" }!.carried
            )
        }
        let (primary, secondary) = (carried(0, replica: false), carried(1, replica: true))
        #expect(primary.link == primary.host && primary.link > 50e9)
        #expect(secondary.link == 0 && secondary.host > 50e9)
    }

    // MARK: All of them

    @Test("whatever faults come, and whenever, the books balance and the run repeats", arguments: 0..<80)
    func randomFaults(seed: Int) {
        var dice = RandomStream(seed: UInt64(seed), name: "faults")
        var installation = taped(encrypted: dice.below(2) == 0)
        installation.addCopies(online: dice.below(2) == 0, secondary: dice.below(2) == 0)
        installation.setting.seed = UInt64(seed)
        installation.setting.world.vmmServers = [VMMServer(name: "vmm", domain: Ref(0))]
        installation.setting.world.vmmServers[0].hosts = [Ref(0), Ref(1), Ref(2)]
        if dice.below(2) == 0 { installation.setting.world.machines[0].replication = .normal }
        let faults: [Happening] = [
            .slowLink(Ref(0), .megabytesPerSecond(5)), .partition(Ref(0)), .vmmOutage(Ref(0)), .helperStopped(Ref(0)),
            .helperPort(Ref(0), 6071), .agent(Ref(1), .disabled), .vssFailure(Ref(0), error: 30112),
            .integrationOff(Ref(1)), .volumeOutage(Ref(0)), .snapshotsFull(Ref(0)), .cartridgeMissing(Ref(1)),
            .cartridgeDamaged(Ref(2)), .certificateMissing(Ref(0)), .certificateExpired(Ref(0)),
            .replication(Ref(0), .critical), .clockChange(Ref(0), by: .minutes(7)), .nodeCrash(Ref(0)),
            .linkOutage(Ref(0)), .migration(Ref(1), to: Ref(2), storage: nil), .runCheck(Ref(1)), .runBackup(Ref(0)),
            .runSummaryManager(Ref(0)), .stopProtection(Ref(0), deletesData: false), .poolVolumeOutage(Ref(0)),
            .serverOutage(Ref(0)),
        ]
        if seed % 4 == 0 {
            installation.setting.script = [
                ScriptLine(
                    .stopProtection(Ref(1), deletesData: true), .at(.start + .hours(Int64(dice.below(200)))), lasts: nil
                )
            ]
        }
        for fault in faults {
            let lasts = TimeDistribution.uniform(from: .minutes(1), to: .hours(Int64(1 + dice.below(8))))
            var timing = ScriptLine.Timing.random(.exponential(mean: .hours(Int64(20 + dice.below(150)))))
            if dice.below(4) == 0 {
                let kinds: [JobKind?] = [nil, .expressFull, .tapeBackup, .consistencyCheck, .onlineBackup]
                let steps = JobMoment.Step.allCases
                var moment = JobMoment(
                    kind: kinds[dice.below(kinds.count)], step: steps[dice.below(steps.count)],
                    machine: Ref(dice.below(2)))
                if moment.step == .transfer { moment.share = .percent(Int64(dice.below(100))) }
                timing = .step(moment)
            }
            installation.setting.script.append(ScriptLine(fault, timing, lasts: lasts))
        }
        let (book, outcome) = installation.run()
        for line in outcome.audit { #expect(line.holds, "seed \(seed): \(line)") }
        #expect(outcome.end == .horizon, "seed \(seed)")
        #expect(!book.incidents.isEmpty)
        #expect(installation.run(checked: false).1.traceHash == outcome.traceHash)
    }
}
