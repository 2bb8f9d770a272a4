import Jobs
import Kernel
import Protection
import Units

extension RunState {
    /// Sets everything in motion: who is protected, where replicas go, what is due when.
    mutating func begin() {
        refusals = world.refusals()
        let memberRefusals = world.memberRefusals()
        var promised: [Bytes]?
        for (g, group) in world.groups.enumerated() {
            let review = world.reviewDiskAllocation(of: Ref(g), promised: promised, tuning: tuning)
            promised = review.promised
            if group.disk == nil {
                refusals.append(
                    Refusal(
                        id: 0, rule: RuleID("GRP", 3), object: "protection group \(group.name)",
                        cause:
                            "It has no short-term goal on disk, and backups straight from host to tape are not simulated",
                        action: "Give the group a disk goal"))
            }
            let isSecondary = world.servers[group.server].primary != nil
            for (place, member) in group.members.enumerated() {
                let m = Int(member.index)
                guard memberRefusals[g][place] == nil, group.disk != nil else { continue }
                if isSecondary {
                    let volume = allocate(review.members[place], owner: machines.count + copies.count, group: g)
                    guard volume >= 0 else { continue }
                    copies.append(CopyState(.secondary, group: Ref(g), machine: member, poolVolume: volume))
                    continue
                }
                guard machines[m].group == nil else { continue }
                let volume = allocate(review.members[place], owner: m, group: g)
                guard volume >= 0 else { continue }
                machines[m].group = Ref(g)
                machines[m].poolVolume = Int32(volume)
                machines[m].goesToTape = group.tape != nil && world.tapeRefusal(member, in: Ref(g)) == nil
                if group.online != nil {
                    copies.append(CopyState(.online, group: Ref(g), machine: member, poolVolume: -1))
                }
                scheduleCreation(m, group: group, place: place)
            }
            refusals += review.refusals.filter { !refusals.contains($0) }
            scheduleGroup(g)
        }
        scheduleNightly()
        scheduleScript()
        sample()
    }

    /// Sets aside what the review of GRP-8 decided for a member; colocated members share the first one's volumes.
    /// - Returns: Its pool volume, or -1 where the review found none.
    private mutating func allocate(_ member: AllocationReview.Member, owner: Int, group g: Int) -> Int {
        guard let volume = member.volume else { return -1 }
        let shared = world.groups[g].isColocated ? colocatedOwner[g] : nil
        let placed = pool.place(
            owner: owner, on: Int(volume.index), replica: member.replica.count, points: member.points.count,
            sharing: shared)
        if placed, colocatedOwner[g] == nil { colocatedOwner[g] = owner }
        return placed ? Int(volume.index) : -1
    }

    private mutating func scheduleCreation(_ m: Int, group: ProtectionGroup, place: Int) {
        let at: SimTime
        switch group.replicaCreation {
        case .now:
            at = .start
            raise(3105, .machine, m)
        case .at(let time):
            at = max(time, .start)
            raise(3119, .machine, m)
        case .manual(let loaded):
            at = max(loaded, .start)
            raise(3118, .machine, m)
        }
        guard at <= horizon else { return }
        agenda.schedule(
            Event(.jobDue, m, detail: Int(DiskJob.Purpose.replicaCreation.rawValue), argument: at.nanoseconds), at: at)
    }

    private mutating func scheduleGroup(_ g: Int) {
        let group = world.groups[g]
        let isSecondary = world.servers[group.server].primary != nil
        if let disk = group.disk, let first = disk.nextDue(after: SimTime(nanoseconds: -1), clock: clock) {
            agenda.schedule(Event(isSecondary ? .secondaryDue : .groupDue, g), at: first)
        }
        if let window = group.backupWindow {
            agenda.schedule(Event(.windowEnd, g), at: window.nextEnd(after: .start, clock: clock), rank: .release)
        }
        if let check = group.scheduledCheck {
            agenda.schedule(
                Event(.scheduledCheck, g), at: check.nextStart(after: SimTime(nanoseconds: -1), clock: clock))
        }
        for (goal, tapeGoal) in group.tapeGoals.enumerated()
        where group.tape != nil && world.offers(tapeGoal, isShortTerm: group.isShortTerm(goal), in: group) {
            agenda.schedule(Event(.tapeDue, g, detail: goal), at: tapeGoal.next(after: .start, clock: clock))
        }
        if let online = group.online {
            agenda.schedule(Event(.onlineDue, g), at: online.next(after: .start, clock: clock))
        }
        if group.throttle != nil { throttleChange(group: g) }
    }

    private mutating func scheduleNightly() {
        agenda.schedule(Event(.pruning, 0), at: .start + tuning.pruningTime)
        agenda.schedule(Event(.sample, 0), at: .start + .hours(6), rank: .report)
        for s in world.servers.indices {
            agenda.schedule(Event(.summaryStart, s), at: .start + .days(1) + tuning.summaryTime)
        }
        for (l, library) in world.libraries.enumerated() where !library.isStandalone {
            agenda.schedule(Event(.inventory, l), at: .start + tuning.inventoryTime)
        }
    }

    private mutating func scheduleScript() {
        for (n, line) in setting.script.enumerated() {
            scriptStreams.append(RandomStream(seed: setting.seed, name: "script", entity: Int32(n)))
            lineIncident.append(-1)
            switch line.timing {
            case .at(let time): if time <= horizon { agenda.schedule(Event(.happening, n), at: max(time, .start)) }
            case .random(let distribution):
                let delay = scriptStreams[n].draw(distribution)
                if delay < setting.duration { agenda.schedule(Event(.happening, n), at: .start + delay) }
            case .step(let moment): watches.append(StepWatch(line: n, moment: moment))
            }
        }
    }
}

extension ProtectionGroup {
    func isShortTerm(_ goal: Int) -> Bool { shortTermTape != nil && goal == 0 }

    /// Short-term tape first, then the long-term goals as written.
    var tapeGoals: [TapeGoal] { (shortTermTape.map { [$0] } ?? []) + longTermTape }
}

extension DiskGoal {
    /// When the next express full is due. Machines have no incrementals, so each synchronization is an express full (GRP-4).
    func nextDue(after time: SimTime, clock: CivilClock) -> SimTime? {
        let point = schedule.next(after: time, clock: clock)
        guard case .every(let minutes) = synchronization else { return point }
        let step = SimDuration.minutes(Int64(minutes)).nanoseconds
        let synchronized = SimTime(nanoseconds: (time.nanoseconds / step + (time.nanoseconds < 0 ? 0 : 1)) * step)
        return min(point ?? synchronized, synchronized)
    }
}

extension RandomStream {
    /// One draw, never negative: a normal variate below zero counts as none.
    mutating func draw(_ distribution: TimeDistribution) -> SimDuration {
        let seconds =
            switch distribution {
            case .fixed(let span): span.seconds
            case .exponential(let mean): exponential(mean: mean.seconds)
            case .uniform(let from, let to): uniform(from: from.seconds, to: to.seconds)
            case .normal(let mean, let deviation): normal(mean: mean.seconds, deviation: deviation.seconds)
            case .lognormal(let mean, let variation): lognormal(mean: mean.seconds, cv: variation)
            case .weibull(let shape, let scale): weibull(shape: shape, scale: scale.seconds)
            }
        return SimDuration(roundingUp: min(max(0, seconds), 9e9))
    }
}
