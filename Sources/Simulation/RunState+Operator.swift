import Jobs
import Kernel
import Protection
import Units

/// What an operator does by hand.
extension RunState {
    /// GRP-10: at any time, also of a replica that is in order. Machines have no light check, so it reads all of it.
    mutating func checkByHand(_ machine: Ref<Machine>, incident i: Int) {
        let m = Int(machine.index)
        incidents[i].machines = 1
        if machines[m].replica == .ok { (machines[m].checkKind, machines[m].incident) = (.heavy, Int32(i)) }
        jobDue(m, purpose: .consistencyCheck, attempt: 0, due: agenda.now, byHand: true)
    }

    /// GRP-1: nothing more is backed up. What is kept stays until its retention ends or protection goes on; what is deleted gives its
    /// room back.
    mutating func stopProtection(_ machine: Ref<Machine>, deletesData: Bool, incident i: Int) {
        let m = Int(machine.index)
        let j = Int(machines[m].job)
        guard machines[m].group != nil, !machines[m].isStopped else { return }
        incidents[i].machines = 1
        if j >= 0 {
            incidents[i].brokenJobs += 1
            // 33342: cancelled because the group was modified.
            cancelJob(j, error: 33342)
        }
        breakCopies(error: 33342, incident: i) { _, copy in copy.machine == machine }
        machines[m].isStopped = true
        machines[m].goesToTape = false
        for id: Int32 in [3104, 3105, 3106, 3114, 3115, 3118, 3119] { resolve(id, .machine, m) }
        guard deletesData else {
            if let next = machines[m].replica.after(.protectionStopped) { become(m, next) }
            return
        }
        // Its snapshot is still to be given back: what it brought has been thrown away.
        machines[m].isDeleted = true
        if machines[m].job < 0, machines[m].held.isEmpty { deleteData(m) }
    }

    mutating func deleteData(_ m: Int) {
        let chain = machines[m].chain
        machines[m].isDeleted = false
        machines[m].group = nil
        if machines[m].poolVolume >= 0 {
            let volume = Int(machines[m].poolVolume)
            pool.remove(owner: m, replica: chain.replica, points: chain.pointBytes, volume: volume)
            if pool.share(of: volume) < tuning.poolThreshold.value { resolve(33514, .poolVolume, volume) }
        }
        plane.deleteData(Ref(m))
        books.freed += chain.used
        books.prunedPoints += Int64(chain.pointCount)
        machines[m].chain = PointChain()
        machines[m].lastPoint = .never
    }

    /// Protected again after its data were kept: active, and inconsistent until a check (dpm-facts 1.6).
    mutating func resumeProtection(_ machine: Ref<Machine>) {
        let m = Int(machine.index)
        guard machines[m].isStopped, let g = machines[m].group, machines[m].replica == .inactive else { return }
        machines[m].isStopped = false
        machines[m].goesToTape = world.groups[g].tape != nil && world.tapeRefusal(machine, in: g) == nil
        machines[m].checkKind = .heavy
        becomesInconsistent(m, error: 91, delay: tuning.autoCheckDelay)
    }
}
