import Jobs
import Kernel
import Protection
import Units

/// Everything that changes during a run, in one value that is passed `inout`, so that no access is checked at run time.
struct RunState {
    let setting: Setting
    /// As it is now: happenings change what is so for a while.
    var world: World
    let tuning: Tuning
    let clock: CivilClock
    let ledger: any Ledger
    let plane: any DataPlane
    let checksInvariants: Bool
    let horizon: SimTime

    var agenda = Agenda()
    var trace = TraceHash()
    var fluid = Fluid()
    var topology: Topology
    /// The agenda's entry for the next end of a transfer.
    var transferTicket: Agenda.Ticket?
    var transferAt = SimTime.never
    /// Transfers began, ended or changed their rate since the entry was made.
    var fluidChanged = false
    var finished: [Int64] = []

    var machines: [MachineState] = []
    var jobs: [ActiveJob?] = []
    var freeJobs: [Int32] = []
    var nextJobID: Int32 = 0
    var nextStep: Int64 = 0
    /// Machines on each host.
    var machineCount: [Int] = []
    var hostUp: [Bool] = []
    var serverUp: [Bool] = []
    var databaseLost: [Bool] = []
    var linkUp: [Bool] = []
    var poolVolumeUp: [Bool] = []
    var volumeFull: [Bool] = []
    var volumeLost: [Bool] = []
    var hostReachable: [Bool] = []
    var clockWrong: [Bool] = []
    /// What each link carries while it is up.
    var linkRate: [ByteRate] = []
    /// Lines of the script whose faults last, in the order they began.
    var activeFaults: [Int32] = []
    /// Lines of the script that wait for a step of a job.
    var watches: [StepWatch] = []
    var summaryRunning: [Bool] = []
    /// Begin and end of each server's last Summary Manager run that ended.
    var lastSummary: [(began: SimTime, ended: SimTime)?] = []
    var summaryBegan: [SimTime] = []
    var hostSlots: [Slots] = []
    var serverSlots: [Slots] = []
    /// Per volume; only those of CSVs with the software provider are ever asked.
    var claims: [Slots] = []
    var hostSlotWait: [Double] = []
    var serverSlotWait: [Double] = []
    var claimWait: [Double] = []
    /// Free bytes of each source volume that running snapshots may grow into.
    var volumeRoom: [Int64] = []

    var pool: PoolSpace
    var alerts = OpenAlerts()
    var incidents: [IncidentRecord] = []
    var scriptStreams: [RandomStream] = []
    var lineIncident: [Int32] = []
    /// The member whose legacy volumes a colocated group shares.
    var colocatedOwner: [Int?] = []
    /// Machines whose blocks rot in the pool, with the incident that began it.
    var rotten: [(machine: Ref<Machine>, incident: Int32)] = []
    /// Per DPM server: the disks under its pool take no more bytes.
    var poolDisksFull: [Bool] = []
    var copies: [CopyState] = []
    var copySlots: [Slots] = []
    /// Every recovery of the run, by its number; nil when it is over.
    var recoveries: [ActiveRecovery?] = []
    var recoverySlots: [Slots] = []
    var tape: TapeState
    let colocationSets: [String]
    var books = Books()
    var refusals: [Refusal] = []

    init(setting: Setting, ledger: any Ledger, real: (any LivingPlane)?, checksInvariants: Bool) {
        self.setting = setting
        self.ledger = ledger
        self.checksInvariants = checksInvariants
        world = setting.world
        tuning = setting.tuning
        clock = setting.clock
        horizon = SimTime.start + setting.duration
        topology = Topology(world: world, tuning: tuning, script: setting.script, fluid: &fluid)
        fluid.enableHistory(bucketSeconds: 3_600, bucketCount: 168)
        var compresses = [Bool](repeating: false, count: world.machines.count)
        for group in world.groups where group.compressesOnWire {
            for member in group.members { compresses[Int(member.index)] = true }
        }
        let modelled = ModelledPlane(world: world, seed: setting.seed, clock: clock, compressesOnWire: compresses)
        plane = real.map { MixedPlane(modelled, real: $0, world: setting.world) } ?? modelled
        pool = PoolSpace(world: world, tuning: tuning)
        tape = TapeState(world: world, tuning: tuning)
        colocationSets = world.colocationSets
        colocatedOwner = Array(repeating: nil, count: setting.world.groups.count)
        hostUp = Array(repeating: true, count: world.hosts.count)
        serverUp = Array(repeating: true, count: world.servers.count)
        databaseLost = Array(repeating: false, count: world.servers.count)
        linkUp = Array(repeating: true, count: world.links.count)
        poolVolumeUp = Array(repeating: true, count: world.poolVolumes.count)
        volumeFull = Array(repeating: false, count: world.volumes.count)
        volumeLost = volumeFull
        hostReachable = hostUp
        clockWrong = Array(repeating: false, count: world.servers.count)
        poolDisksFull = clockWrong
        linkRate = world.links.map(\.rate)
        lastSummary = Array(repeating: nil, count: world.servers.count)
        summaryBegan = Array(repeating: .start, count: world.servers.count)
        summaryRunning = Array(repeating: false, count: world.servers.count)
        hostSlots = world.hosts.map { Slots(capacity: $0.parallelBackups ?? setting.tuning.parallelBackupsPerHost) }
        serverSlots = world.servers.map { Slots(capacity: $0.parallelJobs ?? setting.tuning.parallelJobsPerServer) }
        recoverySlots = world.hosts.map { _ in Slots(capacity: setting.tuning.parallelRecoveriesPerHost) }
        copySlots = world.servers.map { _ in Slots(capacity: setting.tuning.parallelCopiesPerServer) }
        claims = world.volumes.indices.map {
            Slots(capacity: setting.world.parallelSnapshots(on: Ref($0), setting.tuning) ?? .max)
        }
        hostSlotWait = Array(repeating: 0, count: world.hosts.count)
        serverSlotWait = Array(repeating: 0, count: world.servers.count)
        claimWait = Array(repeating: 0, count: world.volumes.count)
        volumeRoom = world.volumes.map(\.capacity.count)
        machineCount = Array(repeating: 0, count: world.hosts.count)
        for (m, machine) in world.machines.enumerated() {
            machineCount[Int(machine.host.index)] += 1
            let decision = world.snapshotDecision(for: Ref(m))
            machines.append(
                MachineState(
                    host: machine.host, volume: machine.homeVolume, isRunning: machine.power == .running,
                    mode: decision.mode, consistency: decision.consistency))
            for disk in machine.disks where disk.format != .passThrough {
                volumeRoom[Int(disk.volume.index)] -= disk.used.count
            }
        }
        for v in volumeRoom.indices where volumeRoom[v] < 0 { volumeRoom[v] = 0 }
    }

    // MARK: The loop

    mutating func advance(until limit: SimTime) {
        while true {
            // Changes of one moment are solved together: only when time is about to move on.
            if fluidChanged, (agenda.nextTime ?? .never) > agenda.now { retime() }
            guard let event = agenda.next(until: limit) else { break }
            trace.note(time: agenda.now, event: event)
            handle(event)
            if checksInvariants { checkInvariants() }
        }
    }

    /// Moves the agenda's entry for the end of the next transfer to where it now belongs.
    mutating func retime() {
        fluidChanged = false
        if !watches.isEmpty { retimeWatches() }
        let at: SimTime
        if let seconds = fluid.nextFinish(), seconds < 9e9 {
            at = max(SimTime(nanoseconds: SimDuration(roundingUp: seconds).nanoseconds), agenda.now)
        } else {
            at = .never
        }
        guard at != transferAt else { return }
        if let ticket = transferTicket { _ = agenda.cancel(ticket) }
        transferTicket = at == .never ? nil : agenda.schedule(Event(.transferEnd, 0), at: at, rank: .release)
        transferAt = at
    }

    private mutating func handle(_ event: Event) {
        let subject = Int(event.subject)
        let detail = Int(event.detail)
        switch EventKind(rawValue: event.kind)! {
        case .transferEnd: transfersEnded()
        case .groupDue: groupDue(subject)
        case .jobDue:
            jobDue(
                subject, purpose: DiskJob.Purpose(rawValue: UInt8(detail & 0xff))!, attempt: detail >> 8,
                due: SimTime(nanoseconds: event.argument))
        case .jobStep: jobStep(subject, input: DiskJob.Input(rawValue: UInt8(detail))!, step: event.argument)
        case .automaticCheck: automaticCheck(subject, attempt: detail)
        case .scheduledCheck: scheduledCheck(subject)
        case .windowEnd: windowEnded(subject)
        case .pruning: prune()
        case .summaryStart: summaryStarted(server: subject)
        case .summaryEnd: summaryEnded(server: subject)
        case .inventory: inventory(library: subject)
        case .happening: happens(line: subject)
        case .repaired: repaired(line: subject)
        case .failover: failover(host: subject)
        case .tapeDue: tapeDue(group: subject, goal: detail)
        case .tapeStep:
            tapeStep(stream: subject, input: TapeJob.Input(rawValue: UInt8(detail))!, generation: event.argument)
        case .checkWindowEnd: checkWindowEnded(subject, due: SimTime(nanoseconds: event.argument))
        case .tapeRerun: tapeRerun(stream: subject, generation: event.argument)
        case .onlineDue: onlineDue(group: subject)
        case .copyStep: copyStep(subject, id: event.argument)
        case .sample: sample()
        case .throttleChange: throttleChange(group: subject)
        case .secondaryDue: secondaryDue(group: subject)
        case .migrationEnd: migrationEnded(machine: subject)
        case .recoveryStep:
            recoveryStep(subject, input: RecoveryJob.Input(rawValue: UInt8(detail))!, step: event.argument)
        case .recoveryThrottle: recoveryThrottleChange(subject)
        case .databaseRebuilt: databaseRebuilt(server: subject, line: detail)
        }
    }

    // MARK: Transfers

    var nowSeconds: Double { agenda.now.seconds }

    mutating func startTransfer(_ route: Int32, bytes: Int64, cap: Double, owner: TransferOwner) -> TransferID {
        fluidChanged = true
        books.transfers += 1
        return fluid.start(route: route, size: Double(bytes), weight: 1, cap: cap, tag: owner.tag, at: nowSeconds)
    }

    /// Ends a transfer early.
    /// - Returns: The bytes that had moved, rounded down.
    mutating func stopTransfer(_ transfer: TransferID, of bytes: Int64) -> Int64 {
        fluidChanged = true
        let left = fluid.cancel(transfer, at: nowSeconds)
        return max(0, bytes - Int64(left.rounded(.up)))
    }

    private mutating func transfersEnded() {
        transferTicket = nil
        transferAt = .never
        fluidChanged = true
        var ended = finished
        finished = []
        ended.removeAll(keepingCapacity: true)
        fluid.advance(to: nowSeconds) { tag, _ in ended.append(tag) }
        for tag in ended {
            let owner = TransferOwner(tag: tag)
            switch owner.kind {
            case .disk: transferred(job: owner.index)
            case .apply: applied(job: owner.index)
            case .tape: setWritten(stream: owner.index)
            case .copy: copied(owner.index)
            case .recovery: recovered(owner.index)
            }
        }
        finished = ended
    }
}

/// Who a transfer belongs to, packed into the kernel's tag.
struct TransferOwner {
    enum Kind: Int64 { case disk, apply, tape, copy, recovery }
    let kind: Kind
    let index: Int
    init(_ kind: Kind, _ index: Int) { (self.kind, self.index) = (kind, index) }
    init(tag: Int64) { (kind, index) = (Kind(rawValue: tag >> 32)!, Int(tag & 0xffff_ffff)) }
    var tag: Int64 { kind.rawValue << 32 | Int64(index) }
}

/// Running totals of both sides of every movement, for the audit.
struct Books {
    var transfers: UInt64 = 0
    /// Jobs that were noted, and jobs of DPM itself that end after the horizon.
    var noted: Int64 = 0
    var beyond: Int64 = 0
    /// What sources had changed and read for sending; what of it travelled; what did not have to (compression, page files).
    var changed: Int64 = 0
    var sent: Int64 = 0
    var spared: Int64 = 0
    /// What online and secondary copies moved.
    var copied: Int64 = 0
    var copiedToSecondary: Int64 = 0
    /// What recoveries moved over the DPM servers' interfaces.
    var recovered: Int64 = 0
    /// Blocks that arrived whole at a pool or vault; of these, what was applied, and what a failure threw away before that.
    var delivered: Int64 = 0
    var applied: Int64 = 0
    var thrownAway: Int64 = 0
    /// What applied blocks became: new space, old blocks overwritten; and what pruning gave back.
    var storedNew: Int64 = 0
    var replacedInPlace: Int64 = 0
    var refused: Int64 = 0
    var freed: Int64 = 0
    var tapeRead: Int64 = 0
    var tapeWritten: Int64 = 0
    var tapeSaved: Int64 = 0
    var tapeErased: Int64 = 0
    var points: Int64 = 0
    var prunedPoints: Int64 = 0
}
