import Jobs
import Kernel
import Protection
import Units

/// A DPM server without its database: what it takes to rebuild it, and what is there again afterwards (dpm-facts 6.6).
extension RunState {
    /// An empty database is made, DPMSync -Sync goes through the pool, and the tapes that were written are recataloged.
    mutating func rebuildDatabase(_ server: Ref<DPMServer>, line n: Int) {
        guard databaseLost[Int(server.index)] else { return }
        var points: Int64 = 0
        for state in machines where isProtected(state, by: server) { points += Int64(state.chain.pointCount) }
        var span = tuning.databaseRestore + tuning.synchronizePerPoint * points
        let times = RobotTimes(tuning)
        for library in world.libraries.indices where world.libraries[library].server == server {
            guard let drive = tape.drives[library].first else { continue }
            let facts = LTOFacts.of(world.drives[drive].generation, isHalfHeight: world.drives[drive].isHalfHeight)
            let written = tape.shelves[library].filter { tape.cartridges[$0].written > .zero }
            let here = world.libraries[library]
            span = span + times.fastInventory(slots: here.slots, hasBarcodes: here.hasBarcodes)
            span = span + times.detailedInventory(facts, cartridges: written.count)
            // To the newest catalog, at the end of what is on the tape, and back.
            for c in written {
                let end = tape.cartridges[c].written.count
                span = span + tape.motions[drive].locate(from: 0, to: end) + tape.motions[drive].rewind(from: end)
            }
        }
        agenda.schedule(Event(.databaseRebuilt, Int(server.index), detail: n), at: agenda.now + span)
    }

    private func isProtected(_ state: MachineState, by server: Ref<DPMServer>) -> Bool {
        state.group.map { world.groups[$0].server == server } ?? false
    }

    mutating func databaseRebuilt(server s: Int, line n: Int) {
        guard databaseLost[s] else { return }
        databaseLost[s] = false
        serverUp[s] = true
        setServerRate(s)
        let i = Int(lineIncident[n])
        incidents[i].ended = agenda.now
        let found = plane.rebuild(Ref(s), at: agenda.now)
        for m in machines.indices where isProtected(machines[m], by: Ref(s)) {
            if let points = found.points[Ref(m)] { forgetPoints(of: m, but: points) }
            incidents[i].machines += 1
            guard machines[m].replica == .ok else { continue }
            // Since when the source has changed is known to nobody any more.
            machines[m].checkKind = .heavy
            machines[m].incident = Int32(i)
            becomesInconsistent(m, error: 948, delay: tuning.autoCheckDelay)
        }
        for number in tape.sets.indices where tape.sets[number].state == .whole {
            let set = tape.sets[number]
            guard world.groups[set.group].server == Ref(s), found.points[set.machine] != nil,
                !found.sets.contains(Int32(number))
            else { continue }
            tape.sets[number].state = .broken
            notFound("Set not found on tape", "\(number) of \(world.machines[set.machine].name)")
        }
        // What was recataloged is kept and not appended to.
        for c in tape.cartridges.indices where world.libraries[Int(tape.cartridges[c].library)].server == Ref(s) {
            let state = tape.cartridges[c].state
            guard tape.cartridges[c].written > .zero, state == .active || state == .full else { continue }
            tape.cartridges[c].state = .offsiteReady
        }
    }

    /// What the pool does not have any more is named, and gone from the books.
    private mutating func forgetPoints(of m: Int, but found: [SimTime]) {
        let volume = Int(machines[m].poolVolume)
        for point in machines[m].chain.points where !found.contains(point.at) {
            notFound("Recovery point not found", "\(world.machines[m].name) \(clock.text(point.at))")
            guard let index = machines[m].chain.points.firstIndex(where: { $0.at == point.at }) else { continue }
            let freed = machines[m].chain.prune(index, mergedUnique: 0)
            books.prunedPoints += 1
            books.freed += freed
            if volume >= 0 { pool.give(owner: m, points: freed, volume: volume) }
        }
        if let newest = machines[m].chain.newest?.at { machines[m].lastPoint = newest }
    }

    private mutating func notFound(_ what: String, _ object: String) {
        var record = IncidentRecord(at: agenda.now, title: what, object: object)
        record.ended = agenda.now
        incidents.append(record)
    }
}
