import Jobs
import Kernel
import Protection
import Units

/// What becomes of disks and tapes that do not keep what was written to them.
extension RunState {
    /// Nobody notices before the blocks are read: by a consistency check, or by the scrub of the night.
    mutating func poolRots(_ machine: Ref<Machine>, blocks: Int, incident i: Int) {
        incidents[i].machines = 1
        plane.rotPool(
            machine, blocks: blocks, chance: scriptStreams[Int(incidents[i].line)].nextUInt64(), at: agenda.now)
        if !rotten.contains(where: { $0.machine == machine }) { rotten.append((machine, Int32(i))) }
    }

    /// The pools are read as every night; only those are here in which the script lets anything rot.
    mutating func scrubPools() {
        var scrubbed: [Ref<DPMServer>] = []
        for (machine, _) in rotten {
            guard let g = machines[machine].group else { continue }
            let server = world.groups[g].server
            // A job that is under way would bring blocks that nobody booked.
            let isBusy = rotten.contains { machines[$0.machine].job >= 0 }
            guard serverUp[Int(server.index)], !isBusy, !scrubbed.contains(server) else { continue }
            scrubbed.append(server)
            for damage in plane.scrub(server, at: agenda.now) { noteDamage(damage) }
        }
    }

    /// 3129; what the source still has, a check brings again. Recovery points stay damaged.
    private mutating func noteDamage(_ damage: PoolDamage) {
        let m = Int(damage.machine.index)
        raise(3129, .machine, m)
        guard damage.isInReplica, machines[m].replica == .ok else { return }
        machines[m].checkKind = .heavy
        machines[m].incident = rotten.first { $0.machine == damage.machine }?.incident ?? -1
        becomesInconsistent(m, error: 91, delay: tuning.autoCheckDelay)
    }

    mutating func tapeRots(_ cartridge: Ref<Cartridge>) {
        for index in tape.sets.indices where tape.sets[index].parts.contains(where: { $0.cartridge == cartridge.index })
        {
            if tape.sets[index].state != .overwritten { tape.sets[index].state = .damaged }
        }
        plane.rotTape(cartridge)
    }

    mutating func setPoolDisksFull(_ server: Ref<DPMServer>, _ isFull: Bool) {
        poolDisksFull[Int(server.index)] = isFull
        plane.setPoolDisksFull(server, isFull, at: agenda.now)
        guard !isFull else { return }
        for v in world.poolVolumes.indices where world.poolVolumes[v].server == server && pool.free(of: v) > 0 {
            resolve(33515, .poolVolume, v)
            resolve(3169, .poolVolume, v)
        }
    }

    /// 33511, as of a volume that DPM itself has filled.
    mutating func refuseOnFullDisks(_ volume: Int) -> Int32 {
        raise(world.poolVolumes[volume].kind == .modern ? 33515 : 3169, .poolVolume, volume)
        return 33511
    }
}
