import Protection
import Testing
import Units

@Suite("PRC: how a backup runs")
struct PRCRules {
    typealias Event = ReplicaState.Event

    @Test(
        "PRC-1 obeyed: a replica is created and verified before it takes backups",
        arguments: [
            (ReplicaState.creationInProgress, [Event.creationSucceeded, .backupSucceeded], ReplicaState.ok),
            (.creationPending, [.creationStarted, .creationSucceeded], .ok),
            (.creationPending, [.manualLoad, .checkSucceeded, .backupSucceeded], .ok),
            (.creationInProgress, [.creationFailed, .checkStarted, .checkSucceeded], .ok),
            (.ok, [.trackingLost, .checkStarted, .checkFailed], .inconsistent),
            (.ok, [.backupFailed, .backupSucceeded], .ok),
            (.ok, [.recoveredInPlace], .inconsistent),
            (.ok, [.checkStarted, .checkSucceeded], .ok),
            (.ok, [.volumeLost, .volumeReturned, .checkStarted, .checkSucceeded], .ok),
            (.ok, [.volumeLost, .reallocated, .creationStarted], .creationInProgress),
            (.ok, [.protectionStopped], .inactive),
            (.ok, [.protectionStopped, .protectionResumed], .inconsistent),
            (.creationPending, [.trackingLost], .creationPending),
            (.checkInProgress, [.trackingLost], .inconsistent),
        ]) func runs(_ start: ReplicaState, _ events: [Event], _ end: ReplicaState)
    {
        var state: ReplicaState? = start
        for event in events { state = state?.after(event) }
        #expect(state == end)
    }

    @Test(
        "PRC-1 broken: what makes no sense leads nowhere",
        arguments: [
            (ReplicaState.creationPending, Event.backupSucceeded), (.creationPending, .checkStarted),
            (.creationInProgress, .backupSucceeded), (.inconsistent, .backupSucceeded), (.inconsistent, .backupFailed),
            (.checkInProgress, .backupSucceeded), (.missing, .checkStarted), (.inactive, .checkStarted),
            (.ok, .creationSucceeded), (.ok, .reallocated), (.inactive, .protectionStopped), (.ok, .protectionResumed),
        ]) func nonsense(_ state: ReplicaState, _ event: Event)
    { #expect(state.after(event) == nil) }

    @Test(
        "PRC-1 broken: a backup is refused in every state but OK",
        arguments: [
            (ReplicaState.creationPending, Int32(31207), "Its replica has not been created yet"),
            (.creationInProgress, 93, "Its replica is still being created"),
            (.inconsistent, 109, "Its replica is inconsistent, so changes cannot be applied"),
            (.checkInProgress, 97, "A consistency check of its replica is running"),
            (.missing, 31208, "Its replica is missing"), (.inactive, 184, "Its protection is stopped"),
        ]) func refused(_ state: ReplicaState, _ id: Int32, _ cause: String)
    {
        #expect(state.backupRefusal?.id == id)
        #expect(state.backupRefusal?.cause == cause)
    }

    @Test("PRC-1 obeyed: a backup of a replica that is OK is not refused")
    func accepted() { #expect(ReplicaState.ok.backupRefusal == nil) }

    @Test("a volume that is lost leaves any replica missing", arguments: ReplicaState.allCases)
    func lost(_ state: ReplicaState) { #expect(state.after(.volumeLost) == .missing) }

    @Test("PRC-4 broken: a schedule without a time or without a weekday", arguments: [true, false])
    func schedule(_ withTimes: Bool) {
        let found = findings {
            $0.groups[.gold].disk!.schedule = WeeklySchedule(
                times: withTimes ? [TimeOfDay(hour: 20)] : [], weekdays: withTimes ? [] : [.monday])
        }
        #expect(
            found == [
                "error 31001 (PRC-4) protection group gold: Its schedule has no time or no weekday. "
                    + "Name at least one of each."
            ])
    }

    @Test("PRC-5 obeyed: incremental transfers leave the page file out, and never count below nothing")
    func pageFile() {
        var machine = SmallWorld.machine("alpha", .h1, .local1)
        machine.pageFile = .gigabytes(8)
        #expect(machine.incrementalScope == .gigabytes(52))
        #expect(machine.usedSize == .gigabytes(60))
        machine.pageFile = .gigabytes(80)
        #expect(machine.incrementalScope == .zero)
    }

    @Test(
        "PRC-6 obeyed: a clean restart and moves keep change tracking",
        arguments: [TrackingEvent.cleanRestart, .moveInCluster, .moveBetweenHosts], [true, false])
    func kept(_ event: TrackingEvent, _ hasRCT: Bool) {
        #expect(event.consequence(hasRCT: hasRCT) == (false, .none, 0))
    }

    @Test(
        "PRC-6 broken: a loss always leads to a check",
        arguments: TrackingEvent.allCases, [true, false])
    func lost(_ event: TrackingEvent, _ hasRCT: Bool) {
        let (lost, check, error) = event.consequence(hasRCT: hasRCT)
        #expect(!lost || check == .heavy)
        #expect((check == .none) == (error == 0))
    }

    @Test("RCT needs the machine's version and a host of 2016")
    func rct() {
        #expect(world().tracksWithRCT(.beta, on: .n1))
        #expect(!world { $0.hosts[.n1].windows = .ws2012R2 }.tracksWithRCT(.beta, on: .n1))
        #expect(!world { $0.machines[.beta].hasRCT = false }.tracksWithRCT(.beta, on: .n1))
    }
}

extension PRCRules {
    @Test("PRC-4 obeyed: one time on every weekday is one recovery point a day")
    func daily() {
        #expect(findings { $0.groups[.gold].disk!.schedule = WeeklySchedule(times: [TimeOfDay(hour: 3)]) } == [])
        #expect(world().groups[.gold].disk!.pointsPerWeek == 7)
    }

    @Test("PRC-5 broken: without a page file everything counts")
    func noPageFile() {
        #expect(SmallWorld.machine("alpha", .h1, .local1).incrementalScope == .gigabytes(60))
    }
}

extension PRERules {
    @Test("PRE-11 broken: the machines of a node that restarts in an orderly way need no check")
    func orderly() {
        #expect(world().consequence(of: .cleanRestart, for: .beta, on: .n1) == (false, .none, 0))
    }

    @Test("VSS-5 obeyed: a snapshot takes space for as long as it lives, and none when it is gone")
    func snapshotSpace() {
        let machine = SmallWorld.machine("alpha", .h1, .local1)
        #expect(machine.differencingSpace(over: .hours(16)) == .gigabytes(2))
        #expect(machine.differencingSpace(over: .zero) == .zero)
    }

    @Test("VSS-5 broken: with no space free, even a short snapshot is refused")
    func noSnapshotSpace() {
        let refusal = world().differencingRefusal(of: .csv1, free: .zero, machines: [.beta], window: .minutes(1))
        #expect(refusal?.id == 30115)
    }
}
