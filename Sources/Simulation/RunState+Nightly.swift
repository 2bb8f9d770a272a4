import Jobs
import Kernel
import Protection
import Units

/// What DPM does every night, and the levels taken down every few hours.
extension RunState {
    /// Expired recovery points go; their blocks are freed where nothing else holds them.
    mutating func prune() {
        for m in machines.indices {
            guard let g = machines[m].group, let disk = world.groups[g].disk, machines[m].replica != .inconsistent,
                !databaseLost[Int(world.groups[g].server.index)], machines[m].job < 0,
                machines[m].poolVolume < 0 || poolVolumeUp[Int(machines[m].poolVolume)]
            else { continue }
            var chain = PointChain()
            swap(&chain, &machines[m].chain)
            let gone = pruneChain(
                &chain, retentionDays: disk.retentionDays, inconsistentFor: machines[m].inconsistentFor,
                inUse: machines[m].held, owner: m,
                volume: Int(machines[m].poolVolume))
            swap(&chain, &machines[m].chain)
            if !gone.isEmpty { plane.prune(Ref(m), points: gone) }
        }
        for c in copies.indices { pruneCopy(c) }
        if !rotten.isEmpty { scrubPools() }
        expireTapes()
        agenda.schedule(Event(.pruning, 0), at: agenda.now + .days(1))
    }

    /// LIV-9: runs at midnight, longer with more machines, and slows backups down.
    mutating func summaryStarted(server s: Int) {
        agenda.schedule(Event(.summaryStart, s), at: agenda.now + .days(1))
        runSummary(server: s)
    }

    /// One run, of the schedule or by hand; a second one beside it is none.
    mutating func runSummary(server s: Int) {
        guard serverUp[s], !summaryRunning[s] else { return }
        summaryRunning[s] = true
        summaryBegan[s] = agenda.now
        setServerRate(s)
        var protected = 0
        for state in machines {
            if let g = state.group, Int(world.groups[g].server.index) == s { protected += 1 }
        }
        var record = JobRecord(
            id: nextJobID, kind: .summary, machine: -1, group: -1, server: Int32(s), due: agenda.now)
        nextJobID += 1
        let span = SummaryManager.duration(machines: protected, tuning)
        record.started = agenda.now
        record.ended = agenda.now + span
        record.status = .completed
        noteUnlessBeyond(record)
        agenda.schedule(Event(.summaryEnd, s), at: agenda.now + span)
    }

    mutating func summaryEnded(server s: Int) {
        summaryRunning[s] = false
        setServerRate(s)
        lastSummary[s] = (summaryBegan[s], agenda.now)
        // Machines that moved before DPM had heard of them from VMM are found now.
        for m in machines.indices where machines[m].waitsForSummary {
            guard let g = machines[m].group, Int(world.groups[g].server.index) == s else { continue }
            machines[m].waitsForSummary = false
            machines[m].moveError = 0
        }
    }

    /// The DPM server's interface carries nothing while it is down, less while the Summary Manager runs.
    mutating func setServerRate(_ s: Int) {
        let full = Double(world.servers[s].nic.bytesPerSecond) * tuning.wireEfficiency.value
        let rate = !serverUp[s] ? 0 : summaryRunning[s] ? full * tuning.summarySlowdown.value : full
        fluid.setCapacity(topology.serverNICs[s], to: rate, at: nowSeconds)
        fluidChanged = true
    }

    mutating func inventory(library l: Int) {
        var record = JobRecord(
            id: nextJobID, kind: .inventory, machine: -1, group: -1, server: world.libraries[l].server.index,
            due: agenda.now)
        nextJobID += 1
        record.started = agenda.now
        record.ended = agenda.now + tuning.inventoryPerSlot * Int64(world.libraries[l].slots)
        record.status = .completed
        noteUnlessBeyond(record)
        agenda.schedule(Event(.inventory, l), at: agenda.now + .days(1))
    }

    mutating func sample() {
        ledger.notePool(Level(at: agenda.now, values: world.poolVolumes.indices.map { pool.used(of: $0) }))
        ledger.noteTapes(Level(at: agenda.now, values: tape.counts()))
        let next = agenda.now + .hours(6)
        if agenda.now != .start, next <= horizon { agenda.schedule(Event(.sample, 0), at: next, rank: .report) }
    }
}
