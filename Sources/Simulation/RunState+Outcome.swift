import Jobs
import Kernel
import Protection
import Units

/// What a run leaves: the last state, the use of every resource, and the proof that nothing was lost on the way.
extension RunState {
    mutating func note(_ record: JobRecord) {
        books.noted += 1
        ledger.note(record)
    }

    mutating func noteUnlessBeyond(_ record: JobRecord) {
        if record.ended <= horizon { note(record) } else { books.beyond += 1 }
    }

    mutating func outcome(at horizon: SimTime) -> RunOutcome {
        fluid.settle(at: horizon.seconds)
        for record in alerts.records { if let record { ledger.note(record) } }
        for record in incidents { ledger.note(record) }
        let open = openJobs()
        var outcome = RunOutcome(
            end: end(at: horizon), finishedAt: horizon, eventCount: agenda.processedCount,
            transferCount: books.transfers,
            traceHash: trace.hex)
        outcome.resources = resources(until: horizon)
        for m in machines.indices {
            let state = machines[m]
            guard let group = state.group else { continue }
            outcome.replicas.append(
                ReplicaRecord(
                    machine: Int32(m), group: group.index, volume: state.poolVolume, state: state.replica,
                    replica: Bytes(state.chain.replica), points: Bytes(state.chain.used - state.chain.replica),
                    pointCount: Int32(state.chain.pointCount)))
            for point in state.chain.points {
                outcome.points.append(
                    RecoveryPointRecord(
                        machine: Int32(m), at: point.at, consistency: point.consistency, unique: Bytes(point.delta)))
            }
        }
        for (c, cartridge) in tape.cartridges.enumerated() {
            outcome.cartridges.append(
                CartridgeRecord(
                    barcode: world.cartridges[c].barcode, library: world.cartridges[c].library.index,
                    state: cartridge.state,
                    written: cartridge.written, capacity: LTOFacts.of(cartridge.generation).capacity,
                    sets: cartridge.sets, lastExpiry: cartridge.lastExpiry, mounts: tape.mounts[c]))
        }
        outcome.open = open
        outcome.audit = audit(open: open.count)
        outcome.refusals = refusals
        outcome.tapeMounts = tape.mountCount
        outcome.backHitches = tape.backHitches
        outcome.tapeSets = tape.sets.indices.map { tape.sets[$0].record(number: $0) }
        outcome.cartridgesWritten = tape.writtenOnce.filter { $0 }.count
        return outcome
    }

    /// Jobs that had not ended at the horizon.
    private func openJobs() -> [JobRecord] {
        var open: [JobRecord] = []
        for job in jobs {
            guard var record = job?.record else { continue }
            record.status = job!.waitsFor == .none ? .running : .waiting
            open.append(record)
        }
        for copy in copies {
            guard var record = copy.record else { continue }
            record.status = copy.waits ? .waiting : .running
            open.append(record)
        }
        for stream in tape.streams {
            guard var record = stream?.record else { continue }
            record.status = .running
            open.append(record)
        }
        for recovery in recoveries {
            guard let recovery else { continue }
            var record = recovery.record
            record.status = recovery.waitsForSlot ? .waiting : .running
            open.append(record)
        }
        return open.sorted { $0.id < $1.id }
    }

    /// Nothing may wait for ever: whoever has waited for a day, while nothing moves for it, is named.
    private func end(at horizon: SimTime) -> RunEnd {
        let limit = horizon - .days(1)
        var names: [String] = []
        for job in jobs {
            guard let job, job.waitsFor != .none, job.waitingSince < limit else { continue }
            let what =
                switch job.waitsFor {
                case .hostSlot: "a backup slot of host \(world.hosts[job.host].name)"
                case .serverSlot: "a job slot of DPM server \(world.servers[Int(job.record.server)].name)"
                case .claim: "the claim of CSV \(world.volumes[job.volume].name)"
                case .none: "nothing"
                }
            names.append(
                "\(job.record.kind.title) of \(world.machines[job.machine].name) has waited since \(clock.text(job.waitingSince)) for \(what)"
            )
        }
        for stream in tape.streams {
            guard let stream, stream.waitsForDrive || stream.waitsForRobot, stream.partStarted < limit else { continue }
            let what = stream.waitsForDrive ? "a drive" : "the robot"
            names.append(
                "Tape backup of group \(world.groups[stream.group].name) has waited since \(clock.text(stream.partStarted)) for \(what) of \(world.libraries[stream.library].name)"
            )
        }
        return names.isEmpty ? .horizon : .stuck(names)
    }

    // MARK: Use

    private func resources(until horizon: SimTime) -> [ResourceRecord] {
        let seconds = secondsPerHourOfWeek(until: horizon)
        let shift = clock.startDate.weekday.rawValue * 24
        var records: [ResourceRecord] = []
        for (n, named) in topology.named.enumerated() {
            let id = ResourceID(index: Int32(n))
            var hourly = [Double](repeating: 0, count: 168)
            for (k, bytes) in fluid.history(id).enumerated() where seconds[k] > 0 && named.capacity > 0 {
                hourly[(k + shift) % 168] = min(1, bytes / (named.capacity * seconds[k]))
            }
            var bound = fluid.boundSeconds(id)
            if let d = topology.drives.firstIndex(of: id) { bound += tape.driveBound[d] }
            records.append(
                ResourceRecord(
                    name: named.name, kind: named.kind, capacity: named.capacity, carried: fluid.carried(id),
                    boundSeconds: bound, hourly: hourly))
        }
        func slots(_ name: String, _ kind: ResourceRecord.Kind, _ slots: Slots, _ wait: Double) {
            var slots = slots
            slots.note(at: horizon)
            records.append(
                ResourceRecord(
                    name: name, kind: kind, capacity: Double(slots.capacity), carried: slots.busySeconds,
                    boundSeconds: wait, hourly: []))
        }
        for h in world.hosts.indices { slots(world.hosts[h].name, .hostSlots, hostSlots[h], hostSlotWait[h]) }
        for v in world.volumes.indices where claimWait[v] > 0 {
            slots(world.volumes[v].name, .csvClaim, claims[v], claimWait[v])
        }
        for s in world.servers.indices {
            slots(world.servers[s].name, .serverSlots, serverSlots[s], serverSlotWait[s])
        }
        for l in world.libraries.indices {
            slots(world.libraries[l].name, .drivePool, tape.driveSlots[l], tape.driveWait[l])
            slots(world.libraries[l].name, .robot, tape.robots[l], tape.robotWait[l])
        }
        records.append(
            ResourceRecord(
                name: "single stream", kind: .stream, capacity: Double(tuning.streamRate.bytesPerSecond), carried: 0,
                boundSeconds: max(0, fluid.cappedSeconds - tape.driveBound.reduce(0, +)), hourly: []))
        return records
    }

    /// How long each hour of the week, counted from the start, was inside the run.
    private func secondsPerHourOfWeek(until horizon: SimTime) -> [Double] {
        let hours = Int(horizon.nanoseconds / 3_600_000_000_000)
        var seconds = (0..<168).map { Double((hours - $0 + 167) / 168) * 3_600 }
        seconds[hours % 168] += horizon.seconds - Double(hours) * 3_600
        return seconds
    }

    // MARK: Proof

    private func audit(open: Int) -> [AuditLine] {
        var lines: [AuditLine] = []
        func line(_ name: String, _ left: Int64, _ right: Int64, tolerance: Int64 = 0) {
            lines.append(AuditLine(name: name, left: left, right: right, tolerance: tolerance))
        }
        var unapplied: Int64 = 0
        var moving: Int64 = 0
        for job in jobs {
            guard let job else { continue }
            if job.steps.state == .applying { unapplied += job.facts.stored.count }
            if let transfer = job.transfer, job.record.transferEnded == .never, !job.comparing {
                moving += job.facts.sent.count - Int64(fluid.remaining(transfer, at: horizon.seconds).rounded())
            }
        }
        for copy in copies {
            guard let record = copy.record else { continue }
            if record.transferEnded != .never { unapplied += copy.facts.stored.count }
            if let transfer = copy.transfer {
                let moved = copy.facts.sent.count - Int64(fluid.remaining(transfer, at: horizon.seconds).rounded())
                moving += copy.kind == .secondary ? 2 * moved : moved
            }
        }
        for recovery in recoveries {
            guard let recovery, let transfer = recovery.transfer, !recovery.order.request.usesSAN else { continue }
            let total =
                recovery.order.source == .tape
                ? tape.sets[Int(recovery.order.set)].parts[recovery.part].plain : recovery.bytes
            moving += total - Int64(fluid.remaining(transfer, at: horizon.seconds).rounded())
        }
        let chains = machines.map(\.chain) + copies.map(\.chain)
        let carried = topology.serverNICs.reduce(0.0) { $0 + fluid.carried($1) }
        let total = books.sent + books.copied + books.copiedToSecondary + books.recovered + moving
        line(
            "bytes sent and recovered = bytes the DPM servers' interfaces carried", total, Int64(carried.rounded()),
            tolerance: total / 100_000_000 + 4_096)
        line("bytes changed = bytes sent + bytes that did not have to be", books.changed, books.sent + books.spared)
        line(
            "bytes delivered = applied + refused + thrown away + not yet applied", books.delivered,
            books.applied + books.thrownAway + unapplied)
        line(
            "bytes applied = stored anew + overwritten in place + refused by a full pool", books.applied,
            books.storedNew + books.replacedInPlace + books.refused)
        line(
            "bytes stored - bytes freed = replicas + recovery points", books.storedNew - books.freed,
            chains.reduce(0) { $0 + $1.used })
        let onPool =
            machines.filter { $0.poolVolume >= 0 }.map(\.chain) + copies.filter { $0.poolVolume >= 0 }.map(\.chain)
        line(
            "replicas + recovery points on pool volumes = bytes in use on pool volumes",
            onPool.reduce(0) { $0 + $1.used }, world.poolVolumes.indices.reduce(0) { $0 + pool.stored(of: $1) })
        line(
            "pool volumes: used + free = size",
            world.poolVolumes.indices.reduce(0) { $0 + pool.used(of: $1) + pool.free(of: $1) },
            world.poolVolumes.reduce(0) { $0 + $1.capacity.count })
        line(
            "recovery points made - pruned = kept", books.points - books.prunedPoints,
            chains.reduce(0) { $0 + Int64($1.pointCount) })
        line("tape: bytes read = written + saved by compression", books.tapeRead, books.tapeWritten + books.tapeSaved)
        line(
            "tape: bytes written - overwritten = on cartridges", books.tapeWritten - books.tapeErased,
            tape.cartridges.reduce(0) { $0 + $1.written.count })
        line("jobs begun = ended + open", Int64(nextJobID), books.noted + books.beyond + Int64(open))
        return lines
    }
}
