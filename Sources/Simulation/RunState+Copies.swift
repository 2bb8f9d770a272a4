import Jobs
import Kernel
import Protection
import Units

/// A machine's copy outside its own DPM server: in a cloud vault, or on a secondary DPM server.
struct CopyState {
    enum Kind: UInt8 { case online, secondary }
    let kind: Kind
    let group: Ref<ProtectionGroup>
    let machine: Ref<Machine>
    let poolVolume: Int32
    var chain = PointChain()
    /// The recovery point the copy equals; never: nothing was copied yet.
    var copied = SimTime.never
    var steps = CopyJob()
    var record: JobRecord?
    var facts = TransferFacts.zero
    var target = SimTime.never
    var transfer: TransferID?
    var holdsSlot = false
    var waits = false

    init(_ kind: Kind, group: Ref<ProtectionGroup>, machine: Ref<Machine>, poolVolume: Int) {
        (self.kind, self.group, self.machine, self.poolVolume) = (kind, group, machine, Int32(poolVolume))
    }
}

/// Online backups and secondary protection: both copy the newest recovery point's changes from the replica.
extension RunState {
    mutating func onlineDue(group g: Int) {
        for c in copies.indices where copies[c].group == Ref(g) && copies[c].kind == .online { copyDue(c) }
        if let online = world.groups[g].online {
            agenda.schedule(Event(.onlineDue, g), at: online.next(after: agenda.now, clock: clock))
        }
    }

    mutating func secondaryDue(group g: Int) {
        for c in copies.indices where copies[c].group == Ref(g) && copies[c].kind == .secondary { copyDue(c) }
        if let next = world.groups[g].disk?.nextDue(after: agenda.now, clock: clock) {
            agenda.schedule(Event(.secondaryDue, g), at: next)
        }
    }

    /// The server whose replica is read, and so whose slots are taken.
    private func source(of copy: CopyState) -> Int? {
        machines[copy.machine].group.map { Int(world.groups[$0].server.index) }
    }

    private func destination(of copy: CopyState) -> Ref<Site> {
        let group = world.groups[copy.group]
        return copy.kind == .online ? world.vaults[group.online!.vault].site : world.servers[group.server].site
    }

    func place(of copy: CopyState) -> CopyPlace {
        let group = world.groups[copy.group]
        return copy.kind == .online ? .online(group.online!.vault) : .secondary(group.server)
    }

    func copyCanRun(_ copy: CopyState) -> Bool {
        guard let s = source(of: copy), serverUp[s] else { return false }
        if copy.kind == .secondary, !serverUp[Int(world.groups[copy.group].server.index)] { return false }
        return linksUp(from: world.servers[s].site, to: destination(of: copy))
    }

    private mutating func copyDue(_ c: Int) {
        let copy = copies[c]
        guard copy.record == nil, !machines[copy.machine].isStopped else { return }
        let kind: JobKind = copy.kind == .online ? .onlineBackup : .secondarySynchronization
        var record = JobRecord(
            id: nextJobID, kind: kind, machine: copy.machine.index, group: copy.group.index,
            server: world.groups[copy.group].server.index, due: agenda.now)
        nextJobID += 1
        let state = machines[copy.machine]
        var error: Int32 = 0
        if state.group == nil || state.lastPoint == .never || state.replica != .ok {
            error = copy.kind == .online ? 30224 : 31209
        } else if !copyCanRun(copy) {
            error = 41
        } else if copy.copied == state.lastPoint {
            error = 208
        }
        guard error == 0, let s = source(of: copy) else {
            record.status = .failed
            record.error = error
            record.ended = agenda.now
            return note(record)
        }
        copies[c].record = record
        copies[c].steps = CopyJob()
        copies[c].waits = true
        if copySlots[s].request(Int64(c)) { copySlotGranted(c) }
    }

    mutating func copySlotGranted(_ c: Int) {
        let copy = copies[c]
        let machine = copy.machine
        copies[c].waits = false
        copies[c].holdsSlot = true
        copies[c].record!.started = agenda.now
        copies[c].record!.transferStarted = agenda.now
        copies[c].target = machines[machine].lastPoint
        hold(machine, copies[c].target)
        _ = copies[c].steps.receive(.admitted)
        let facts =
            copy.copied == .never
            ? plane.full(machine, at: copies[c].target)
            : plane.changes(machine, since: copy.copied, until: copies[c].target)
        copies[c].facts = facts
        guard facts.sent.count > 0 else { return copied(c) }
        copies[c].transfer = startTransfer(
            copyRoute(copies[c]), bytes: facts.sent.count, cap: Double(tuning.streamRate.bytesPerSecond),
            owner: TransferOwner(.copy, c))
        if !watches.isEmpty {
            transferBegan(copies[c].transfer!, of: facts.sent.count, copies[c].record!.kind, machine)
        }
    }

    private mutating func copyRoute(_ copy: CopyState) -> Int32 {
        let s = source(of: copy)!
        var route = [topology.poolReads[Int(machines[copy.machine].poolVolume)], topology.serverNICs[s]]
        for link in topology.way(from: world.servers[s].site, to: destination(of: copy)) ?? [] {
            route.append(topology.links[link])
        }
        let group = world.groups[copy.group]
        switch copy.kind {
        case .online: route.append(topology.vaults[Int(group.online!.vault.index)])
        case .secondary:
            route.append(topology.serverNICs[Int(group.server.index)])
            route.append(topology.poolWrites[Int(copy.poolVolume)])
        }
        return fluid.routeID(route)
    }

    private mutating func bookCopy(_ c: Int, _ bytes: Int64) {
        books.copied += bytes
        if copies[c].kind == .secondary { books.copiedToSecondary += bytes }
    }

    mutating func copied(_ c: Int) {
        copies[c].transfer = nil
        copies[c].record!.transferEnded = agenda.now
        copies[c].record!.changed = copies[c].facts.changed
        copies[c].record!.sent = copies[c].facts.sent
        bookCopy(c, copies[c].facts.sent.count)
        books.delivered += copies[c].facts.stored.count
        _ = copies[c].steps.receive(.moved)
        agenda.schedule(
            Event(.copyStep, c, argument: Int64(copies[c].record!.id)), at: agenda.now + tuning.recoveryPointCreation)
    }

    mutating func copyStep(_ c: Int, id: Int64) {
        guard let record = copies[c].record, Int64(record.id) == id else { return }
        let copy = copies[c]
        let used = plane.used(copy.machine, at: copy.target).count
        // What real files may refuse is booked only if they take it.
        let before = world.machines[copy.machine].real == nil ? nil : (copy.chain, pool, books)
        var chain = PointChain()
        swap(&chain, &copies[c].chain)
        let outcome = store(
            &chain, owner: machines.count + c, volume: Int(copy.poolVolume), group: copy.group, replica: used,
            stored: copy.facts.stored.count, until: copy.target)
        var error = outcome.error
        if error == 0 {
            do throws(PlaneFault) {
                try plane.copyPoint(copy.machine, at: copy.target, since: copy.copied, to: place(of: copy))
            } catch let fault { error = fault.error }
        }
        if error != 0, outcome.error == 0, let before {
            (chain, pool, books) = before
            books.thrownAway += copy.facts.stored.count
        }
        if error == 0 {
            chain.addPoint(at: copy.target, consistency: machines[copy.machine].consistency, inconsistentBefore: .zero)
            books.points += 1
            copies[c].record!.stored = Bytes(outcome.allocated)
        }
        swap(&chain, &copies[c].chain)
        if error == 0 { copies[c].copied = copy.target }
        endCopy(c, error: error)
    }

    private mutating func endCopy(_ c: Int, error: Int32) {
        guard var record = copies[c].record, let s = source(of: copies[c]) else { return }
        _ = copies[c].steps.receive(error == 0 ? .committed : .broke)
        record.status = error == 0 ? .completed : .failed
        record.error = error
        record.ended = agenda.now
        note(record)
        copies[c].record = nil
        if copies[c].waits { copySlots[s].withdraw(Int64(c)) }
        copies[c].waits = false
        guard copies[c].holdsSlot else { return }
        copies[c].holdsSlot = false
        release(copies[c].machine, copies[c].target)
        if let next = copySlots[s].release() { copySlotGranted(Int(next)) }
    }

    mutating func breakCopies(error: Int32, incident i: Int, where touches: (RunState, CopyState) -> Bool) {
        for c in copies.indices where copies[c].record != nil && touches(self, copies[c]) {
            incidents[i].brokenJobs += 1
            if copies[c].record!.transferEnded != .never { books.thrownAway += copies[c].facts.stored.count }
            if let transfer = copies[c].transfer {
                copies[c].transfer = nil
                let moved = stopTransfer(transfer, of: copies[c].facts.sent.count)
                copies[c].record!.sent = Bytes(moved)
                bookCopy(c, moved)
            }
            endCopy(c, error: error)
        }
    }

    mutating func pruneCopy(_ c: Int) {
        let copy = copies[c]
        guard copy.record == nil else { return }
        let group = world.groups[copy.group]
        let days = copy.kind == .online ? Int(group.online!.retention.approximateDays) : group.disk!.retentionDays
        var chain = PointChain()
        swap(&chain, &copies[c].chain)
        let gone = pruneChain(
            &chain, retentionDays: days, inconsistentFor: .zero,
            inUse: recoveries.compactMap { $0?.copy == c ? $0?.order.point : nil }, owner: machines.count + c,
            volume: Int(copy.poolVolume)
        )
        swap(&chain, &copies[c].chain)
        if !gone.isEmpty { plane.pruneCopies(copy.machine, points: gone, in: place(of: copy)) }
    }
}
