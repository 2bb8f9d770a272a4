import Jobs
import Kernel
import Protection
import Units

/// How express fulls, replica creations and consistency checks are performed. What comes next is decided by `DiskJob`.
extension RunState {
    // MARK: Becoming due

    mutating func groupDue(_ g: Int) {
        let group = world.groups[g]
        var at = agenda.now
        for member in group.members where machines[member].group == Ref(g) {
            if at == agenda.now {
                jobDue(Int(member.index), purpose: .expressFull, attempt: 0, due: at)
            } else {
                agenda.schedule(
                    Event(
                        .jobDue, Int(member.index), detail: Int(DiskJob.Purpose.expressFull.rawValue),
                        argument: at.nanoseconds),
                    at: at)
            }
            at = at + group.stagger
        }
        if let next = group.disk?.nextDue(after: agenda.now, clock: clock) {
            agenda.schedule(Event(.groupDue, g), at: next)
        }
    }

    mutating func jobDue(_ m: Int, purpose: DiskJob.Purpose, attempt: Int, due: SimTime, byHand: Bool = false) {
        guard let g = machines[m].group, !machines[m].isStopped else { return }
        let group = world.groups[g]
        var record = JobRecord(
            id: nextJobID, kind: JobKind(purpose), machine: Int32(m), group: g.index, server: group.server.index,
            due: due)
        nextJobID += 1
        record.attempt = UInt8(attempt)
        if let (error, cause) = obstacle(to: purpose, of: m, group: group, byHand: byHand) {
            record.status = .failed
            record.error = error
            record.ended = agenda.now
            note(record)
            if purpose == .expressFull { missed(m, due: due, error: error, cause: cause) }
            if purpose == .consistencyCheck, machines[m].replica == .inconsistent {
                scheduleCheck(m, after: tuning.autoRerunDelay)
            }
            return
        }
        let job = ActiveJob(
            machine: Ref(m), steps: DiskJob(purpose: purpose), record: record, host: machines[m].host,
            volume: machines[m].volume)
        let j = store(job)
        machines[m].job = Int32(j)
        if !watches.isEmpty { stepReached(j) }
        switch purpose {
        case .replicaCreation: become(m, .creationInProgress)
        case .consistencyCheck:
            become(m, .checkInProgress)
            raise(3104, .machine, m)
        case .expressFull: break
        }
        askHostSlot(j)
    }

    /// Why a job cannot even be queued: the state of the replica, or DPM itself is away.
    private func obstacle(
        to purpose: DiskJob.Purpose, of m: Int, group: ProtectionGroup, byHand: Bool
    ) -> (Int32, String)? {
        let state = machines[m]
        if !serverUp[Int(group.server.index)] { return (976, "the DPM server was down") }
        if state.poolVolume >= 0, !poolVolumeUp[Int(state.poolVolume)] { return (31208, "its pool volume was missing") }
        if state.recovery >= 0, recoveries[Int(state.recovery)]!.isInPlace {
            return (98, FailureText.of(98))
        }
        if purpose == .expressFull, let refusal = state.replica.backupRefusal { return (refusal.id, refusal.cause) }
        if state.job >= 0 {
            let error = jobs[Int(state.job)]!.record.kind.busyError
            return (error, FailureText.of(error))
        }
        switch purpose {
        case .expressFull:
            if let window = group.backupWindow, !window.contains(agenda.now, clock: clock) {
                return (33440, "it was due outside the backup window")
            }
        case .consistencyCheck:
            if state.replica != .inconsistent, !byHand || state.replica != .ok {
                return (30203, "the replica is consistent")
            }
        case .replicaCreation: break
        }
        return nil
    }

    private mutating func store(_ job: ActiveJob) -> Int {
        if let free = freeJobs.popLast() {
            jobs[Int(free)] = job
            return Int(free)
        }
        jobs.append(job)
        return jobs.count - 1
    }

    // MARK: Slots: first the host's, then the DPM server's, then the CSV

    private mutating func askHostSlot(_ j: Int) {
        let h = Int(jobs[j]!.host.index)
        jobs[j]!.waitsFor = .hostSlot
        jobs[j]!.waitingSince = agenda.now
        hostSlots[h].note(at: agenda.now)
        if hostSlots[h].request(Int64(j)) { hostSlotGranted(j) } else { raise(3185, .host, h) }
    }

    mutating func hostSlotGranted(_ j: Int) {
        hostSlotWait[Int(jobs[j]!.host.index)] += (agenda.now - jobs[j]!.waitingSince).seconds
        jobs[j]!.holdsHostSlot = true
        jobs[j]!.waitsFor = .serverSlot
        jobs[j]!.waitingSince = agenda.now
        serverSlots[Int(jobs[j]!.record.server)].note(at: agenda.now)
        if serverSlots[Int(jobs[j]!.record.server)].request(Int64(j)) { serverSlotGranted(j) }
    }

    mutating func serverSlotGranted(_ j: Int) {
        serverSlotWait[Int(jobs[j]!.record.server)] += (agenda.now - jobs[j]!.waitingSince).seconds
        jobs[j]!.holdsServerSlot = true
        jobs[j]!.waitsFor = .none
        jobs[j]!.record.started = agenda.now
        advanceJob(j, .admitted)
    }

    mutating func claimGranted(_ j: Int) {
        claimWait[Int(jobs[j]!.volume.index)] += (agenda.now - jobs[j]!.waitingSince).seconds
        jobs[j]!.holdsClaim = true
        jobs[j]!.waitsFor = .none
        advanceJob(j, .claimed)
    }

    private mutating func releaseHolds(_ j: Int) {
        let job = jobs[j]!
        let (h, s, v) = (Int(job.host.index), Int(job.record.server), Int(job.volume.index))
        switch job.waitsFor {
        case .hostSlot: hostSlots[h].withdraw(Int64(j))
        case .serverSlot: serverSlots[s].withdraw(Int64(j))
        case .claim: claims[v].withdraw(Int64(j))
        case .none: break
        }
        jobs[j]!.waitsFor = .none
        jobs[j]!.holdsClaim = false
        jobs[j]!.holdsServerSlot = false
        jobs[j]!.holdsHostSlot = false
        volumeRoom[v] += job.differencing.count
        jobs[j]!.differencing = .zero
        claims[v].note(at: agenda.now)
        serverSlots[s].note(at: agenda.now)
        hostSlots[h].note(at: agenda.now)
        if job.holdsClaim, let next = claims[v].release() { claimGranted(Int(next)) }
        if job.holdsServerSlot, let next = serverSlots[s].release() { serverSlotGranted(Int(next)) }
        if job.holdsHostSlot {
            if let next = hostSlots[h].release() { hostSlotGranted(Int(next)) }
            if hostSlots[h].waitingCount == 0 { resolve(3185, .host, h) }
        }
    }

    // MARK: Steps

    mutating func jobStep(_ j: Int, input: DiskJob.Input, step id: Int64) {
        guard let job = jobs[j], job.awaited == id else { return }
        do throws(PlaneFault) {
            switch input {
            case .snapshotTaken:
                jobs[j]!.snapshotAt = agenda.now
                try plane.takeSnapshot(job.machine, at: agenda.now)
            case .pointMade:
                try plane.makePoint(job.machine, at: job.snapshotAt)
                pointMade(j)
            case .admitted, .claimed, .moved, .applied, .released, .broke, .cancelled: break
            }
        } catch { return breakJob(j, error: error.error) }
        advanceJob(j, input)
    }

    private mutating func advanceJob(_ j: Int, _ input: DiskJob.Input) {
        guard let act = jobs[j]!.steps.receive(input) else {
            preconditionFailure("job \(jobs[j]!.record.id) in \(jobs[j]!.steps.state) got \(input)")
        }
        if !watches.isEmpty { stepReached(j) }
        switch act {
        case .claim: claim(j)
        case .takeSnapshot: takeSnapshot(j)
        case .transfer: transfer(j)
        case .apply: apply(j)
        case .makePoint: makePoint(j)
        case .releaseSnapshot, .releaseAfterFailure: releaseSnapshot(j)
        case .end: end(j)
        }
    }

    private mutating func step(_ j: Int, _ input: DiskJob.Input, after delay: SimDuration) {
        nextStep += 1
        jobs[j]!.awaited = nextStep
        agenda.schedule(Event(.jobStep, j, detail: Int(input.rawValue), argument: nextStep), at: agenda.now + delay)
    }

    private mutating func claim(_ j: Int) {
        let volume = jobs[j]!.volume
        guard claims[Int(volume.index)].capacity < .max else { return advanceJob(j, .claimed) }
        jobs[j]!.waitsFor = .claim
        jobs[j]!.waitingSince = agenda.now
        claims[Int(volume.index)].note(at: agenda.now)
        if claims[Int(volume.index)].request(Int64(j)) { claimGranted(j) }
    }

    private mutating func takeSnapshot(_ j: Int) {
        let job = jobs[j]!
        let m = Int(job.machine.index)
        let v = Int(job.volume.index)
        if !isReachable(job.host, from: Int(job.record.server)) {
            raise(3122, .host, Int(job.host.index))
            return breakJob(j, error: 41)
        }
        let fault = outsideFault(job)
        if fault != 0 { return breakJob(j, error: fault) }
        if machines[m].moveError != 0 { return breakJob(j, error: machines[m].moveError) }
        if let refusal = world.backupObstacle(for: job.machine, on: job.host) {
            return breakJob(j, error: Int32(refusal.id))
        }
        // PRE-8: the differencing disk takes what the guest writes while the backup runs.
        let need = world.machines[job.machine].differencingSpace(over: snapshotWindow(of: job))
        if volumeFull[v] || need.count > volumeRoom[v] { return breakJob(j, error: 30115) }
        volumeRoom[v] -= need.count
        jobs[j]!.differencing = need
        var delay = tuning.snapshotPrepare
        if machines[m].mode == .offline, machines[m].isRunning {
            delay += tuning.offlinePause
            jobs[j]!.record.downtime = tuning.offlinePause
        }
        step(j, .snapshotTaken, after: delay)
    }

    /// How long the snapshot may have to live: the group's backup window.
    private func snapshotWindow(of job: ActiveJob) -> SimDuration {
        world.groups[Int(job.record.group)].backupWindow?.duration ?? .hours(8)
    }

    private mutating func transfer(_ j: Int) {
        let job = jobs[j]!
        let m = Int(job.machine.index)
        let at = job.snapshotAt
        jobs[j]!.record.transferStarted = agenda.now
        switch job.steps.purpose {
        case .replicaCreation: jobs[j]!.facts = plane.full(job.machine, at: at)
        case .expressFull:
            jobs[j]!.facts = plane.changes(job.machine, since: machines[m].synchronized, until: at)
        case .consistencyCheck:
            let since = machines[m].synchronized == .never ? SimTime.start : machines[m].synchronized
            jobs[j]!.facts =
                machines[m].synchronized == .never
                ? plane.full(job.machine, at: at)
                : plane.check(job.machine, kind: machines[m].checkKind, since: since, until: at)
        }
        if machines[m].route < 0 { findRoutes(m) }
        let isCheck = job.steps.purpose == .consistencyCheck
        jobs[j]!.comparing = isCheck && machines[m].synchronized != .never
        send(j)
    }

    /// A check first reads both sides to compare, then sends what differs.
    private mutating func send(_ j: Int) {
        let job = jobs[j]!
        let m = Int(job.machine.index)
        let bytes = job.comparing ? job.facts.read.count : job.facts.sent.count
        let route = job.comparing ? machines[m].checkRoute : machines[m].route
        if bytes == 0 { return transferred(job: j) }
        jobs[j]!.transfer = startTransfer(
            route, bytes: bytes, cap: Double(tuning.streamRate.bytesPerSecond), owner: TransferOwner(.disk, j))
        if !watches.isEmpty { transferBegan(jobs[j]!.transfer!, of: bytes, job.record.kind, job.machine) }
    }

    mutating func transferred(job j: Int) {
        jobs[j]!.transfer = nil
        if jobs[j]!.comparing {
            jobs[j]!.comparing = false
            return send(j)
        }
        let facts = jobs[j]!.facts
        jobs[j]!.record.transferEnded = agenda.now
        jobs[j]!.record.changed = facts.changed
        jobs[j]!.record.sent = facts.sent
        books.changed += facts.changed.count
        books.spared += facts.changed.count - facts.sent.count
        books.sent += facts.sent.count
        books.delivered += facts.stored.count
        advanceJob(j, .moved)
    }

    private mutating func apply(_ j: Int) {
        let job = jobs[j]!
        let volume = Int(machines[job.machine].poolVolume)
        // Copy-on-write reads the old block and writes it aside before the new one is written in place.
        let extra = tuning.copyOnWriteFactor.value - 1
        let bytes = Int64(Double(job.facts.stored.count) * max(0, extra))
        guard world.poolVolumes[volume].kind == .legacy, job.steps.purpose != .replicaCreation, bytes > 0 else {
            return applied(job: j)
        }
        let route = fluid.routeID([topology.poolWrites[volume]])
        jobs[j]!.transfer = startTransfer(route, bytes: bytes, cap: .infinity, owner: TransferOwner(.apply, j))
    }

    mutating func applied(job j: Int) {
        jobs[j]!.transfer = nil
        let job = jobs[j]!
        // What real files may refuse is booked only if they take it.
        let before = world.machines[job.machine].real == nil ? nil : (machines[job.machine].chain, pool, books)
        let error = applyToPool(j)
        guard error == 0 else {
            jobs[j]!.isRefused = true
            return breakJob(j, error: error)
        }
        do throws(PlaneFault) {
            try plane.apply(job.steps.purpose, job.machine, at: job.snapshotAt)
        } catch {
            if let before { (machines[job.machine].chain, pool, books) = before }
            jobs[j]!.record.stored = .zero
            if error.error == 33511 { _ = refuseOnFullDisks(Int(machines[job.machine].poolVolume)) }
            return breakJob(j, error: error.error)
        }
        advanceJob(j, .applied)
    }

    private mutating func makePoint(_ j: Int) {
        let machine = jobs[j]!.machine
        var delay = tuning.recoveryPointCreation
        if world.poolVolumes[Int(machines[machine].poolVolume)].kind == .modern {
            let gigabytes = machines[machine].chain.replica / 1_000_000_000
            delay += tuning.cloneCostPerGigabyte * gigabytes
        }
        step(j, .pointMade, after: delay)
    }

    /// PRC-3: the point is the replica as of the snapshot.
    private mutating func pointMade(_ j: Int) {
        let machine = jobs[j]!.machine
        machines[machine].chain.addPoint(
            at: jobs[j]!.snapshotAt, consistency: machines[machine].consistency,
            inconsistentBefore: machines[machine].inconsistentFor)
        machines[machine].lastPoint = jobs[j]!.snapshotAt
        books.points += 1
    }

    /// VSS-5: freed when the synchronization is over, also after a failure; what the guest wrote meanwhile is merged back.
    private mutating func releaseSnapshot(_ j: Int) {
        let job = jobs[j]!
        guard job.snapshotAt != .never, hostUp[Int(job.host.index)] else { return step(j, .released, after: .zero) }
        let written = plane.written(job.machine, from: job.snapshotAt, to: agenda.now)
        plane.releaseSnapshot(job.machine, at: agenda.now)
        let rate = world.volumes[job.volume].writeRate
        let merge = rate.bytesPerSecond > 0 ? rate.duration(of: written) : .zero
        step(j, .released, after: tuning.snapshotRelease + merge)
    }

    // MARK: Ends

    /// Something broke: what moved so far is thrown away, the snapshot is released, the job ends failed.
    mutating func breakJob(_ j: Int, error: Int32) {
        guard canEnd(j) else { return }
        jobs[j]!.failure = error
        stop(j)
        if let act = jobs[j]!.steps.receive(.broke) { performEnding(j, act) }
    }

    /// Not while it gives back its snapshot: then its outcome is settled, good or bad.
    func canEnd(_ j: Int) -> Bool { jobs[j]!.steps.state != .releasing }

    mutating func cancelJob(_ j: Int, error: Int32) {
        guard canEnd(j) else { return }
        jobs[j]!.isCancelled = true
        jobs[j]!.record.error = error
        stop(j)
        if let act = jobs[j]!.steps.receive(.cancelled) { performEnding(j, act) }
    }

    private mutating func performEnding(_ j: Int, _ act: DiskJob.Act) {
        switch act {
        case .releaseSnapshot, .releaseAfterFailure: releaseSnapshot(j)
        case .end: end(j)
        case .claim, .takeSnapshot, .transfer, .apply, .makePoint:
            preconditionFailure("a broken job cannot go on with \(act)")
        }
    }

    private mutating func stop(_ j: Int) {
        if jobs[j]!.steps.state == .applying, !jobs[j]!.isRefused {
            books.thrownAway += jobs[j]!.facts.stored.count
        }
        guard let transfer = jobs[j]!.transfer else { return }
        jobs[j]!.transfer = nil
        let job = jobs[j]!
        guard job.record.transferEnded == .never else {
            // Copy-on-write inside the pool: nothing of it travelled.
            _ = stopTransfer(transfer, of: job.facts.stored.count)
            return
        }
        let isPayload = !job.comparing
        let total = job.comparing ? job.facts.read.count : job.facts.sent.count
        let moved = stopTransfer(transfer, of: total)
        guard isPayload else { return }
        jobs[j]!.record.sent = Bytes(moved)
        books.changed += moved
        books.sent += moved
    }

    private mutating func end(_ j: Int) {
        var record = jobs[j]!.record
        let purpose = jobs[j]!.steps.purpose
        let m = Int(record.machine)
        record.ended = agenda.now
        let completed = jobs[j]!.failure == 0 && !jobs[j]!.isCancelled
        record.status = completed ? .completed : jobs[j]!.isCancelled ? .cancelled : .failed
        if jobs[j]!.failure != 0 { record.error = jobs[j]!.failure }
        note(record)
        machines[m].job = -1
        if completed {
            completedJob(j, purpose: purpose, machine: m)
        } else {
            failedJob(record, purpose: purpose, machine: m)
        }
        releaseHolds(j)
        jobs[j] = nil
        freeJobs.append(Int32(j))
        if machines[m].isDeleted, machines[m].held.isEmpty { deleteData(m) }
    }

    private mutating func completedJob(_ j: Int, purpose: DiskJob.Purpose, machine m: Int) {
        machines[m].synchronized = jobs[j]!.snapshotAt
        plane.synchronized(Ref(m), at: jobs[j]!.snapshotAt)
        resolve(3122, .host, Int(jobs[j]!.host.index))
        switch purpose {
        case .replicaCreation:
            become(m, .ok)
            for id: Int32 in [3105, 3118, 3119] { resolve(id, .machine, m) }
        case .consistencyCheck:
            become(m, .ok)
            if machines[m].inconsistentSince != .never {
                machines[m].inconsistentFor += agenda.now - machines[m].inconsistentSince
                machines[m].inconsistentSince = .never
            }
            resolve(3104, .machine, m)
            resolve(3106, .machine, m)
            let incident = machines[m].incident
            if incident >= 0 {
                incidents[Int(incident)].checks += 1
                incidents[Int(incident)].checkedBytes += jobs[j]!.facts.read
                machines[m].incident = -1
            }
        case .expressFull:
            resolve(3115, .machine, m)
            resolve(3114, .machine, m)
        }
    }

    private mutating func failedJob(_ record: JobRecord, purpose: DiskJob.Purpose, machine m: Int) {
        switch purpose {
        case .replicaCreation: becomesInconsistent(m, error: record.error, delay: tuning.autoCheckDelay)
        case .consistencyCheck:
            resolve(3104, .machine, m)
            become(m, .inconsistent)
            raise(3106, .machine, m, error: record.error)
            if world.groups[Int(record.group)].automaticChecks {
                scheduleCheck(m, after: recheckDelay(Int(record.attempt)), attempt: Int(record.attempt) + 1)
            }
        case .expressFull:
            let policy = RerunPolicy(attempts: tuning.autoRerunAttempts, delay: tuning.autoRerunDelay)
            if record.status == .failed, machines[m].replica == .ok,
                let delay = policy.delay(afterAttempt: Int(record.attempt), error: record.error)
            {
                let detail = Int(purpose.rawValue) | (Int(record.attempt) + 1) << 8
                agenda.schedule(
                    Event(.jobDue, m, detail: detail, argument: record.due.nanoseconds), at: agenda.now + delay)
            } else {
                missed(m, due: record.due, error: record.error, cause: FailureText.of(record.error))
            }
            raise(3115, .machine, m)
        }
    }

    mutating func missed(_ m: Int, due: SimTime, error: Int32, cause: String) {
        ledger.note(MissedPoint(machine: Int32(m), due: due, error: error, cause: cause))
    }

    /// The replica no longer equals its machine at any moment: only a check mends it (PRC-6, GRP-10).
    mutating func becomesInconsistent(_ m: Int, error: Int32, delay: SimDuration) {
        guard machines[m].group != nil, machines[m].replica != .inconsistent, machines[m].replica != .creationPending
        else { return }
        become(m, .inconsistent)
        machines[m].inconsistentSince = agenda.now
        raise(3106, .machine, m, error: error)
        if world.groups[machines[m].group!].automaticChecks { scheduleCheck(m, after: delay) }
    }

    mutating func scheduleCheck(_ m: Int, after delay: SimDuration, attempt: Int = 0) {
        agenda.schedule(Event(.automaticCheck, m, detail: min(attempt, 255)), at: agenda.now + delay)
    }

    /// A check that failed runs again soon, as other jobs do; after that once a day, until it succeeds.
    private func recheckDelay(_ attempt: Int) -> SimDuration {
        attempt < tuning.autoRerunAttempts ? tuning.autoRerunDelay : .days(1)
    }

    mutating func automaticCheck(_ m: Int, attempt: Int) {
        guard machines[m].replica == .inconsistent, machines[m].job < 0 else { return }
        jobDue(m, purpose: .consistencyCheck, attempt: attempt, due: agenda.now)
    }

    mutating func scheduledCheck(_ g: Int) {
        let group = world.groups[g]
        for member in group.members
        where machines[member].group == Ref(g) && machines[member].replica == .inconsistent
            && machines[member].job < 0
        {
            jobDue(Int(member.index), purpose: .consistencyCheck, attempt: 0, due: agenda.now)
        }
        agenda.schedule(
            Event(.checkWindowEnd, g, argument: agenda.now.nanoseconds),
            at: agenda.now + group.scheduledCheck!.duration,
            rank: .release)
        agenda.schedule(Event(.scheduledCheck, g), at: group.scheduledCheck!.nextStart(after: agenda.now, clock: clock))
    }

    /// 33441: scheduled checks that are not through when their time is over are cancelled.
    mutating func checkWindowEnded(_ g: Int, due: SimTime) {
        for member in world.groups[g].members where machines[member].group == Ref(g) {
            let j = machines[member].job
            guard j >= 0, let job = jobs[Int(j)], job.steps.purpose == .consistencyCheck, job.record.due == due else {
                continue
            }
            cancelJob(Int(j), error: 33441)
        }
    }

    /// 33440: what still runs or waits when the window closes is cancelled.
    mutating func windowEnded(_ g: Int) {
        let group = world.groups[g]
        for member in group.members where machines[member].group == Ref(g) {
            let j = machines[member].job
            if j >= 0, let job = jobs[Int(j)], job.steps.purpose == .expressFull { cancelJob(Int(j), error: 33440) }
        }
        agenda.schedule(
            Event(.windowEnd, g), at: group.backupWindow!.nextEnd(after: agenda.now, clock: clock), rank: .release)
    }
}

extension JobKind {
    init(_ purpose: DiskJob.Purpose) {
        switch purpose {
        case .replicaCreation: self = .replicaCreation
        case .expressFull: self = .expressFull
        case .consistencyCheck: self = .consistencyCheck
        }
    }
}
