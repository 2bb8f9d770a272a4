import Jobs
import Kernel
import Protection
import Units

/// How changed blocks become used space on a pool volume.
extension RunState {
    /// Applies what a disk job brought to its replica.
    /// - Returns: 0, or the error of a pool without room.
    mutating func applyToPool(_ j: Int) -> Int32 {
        let job = jobs[j]!
        let m = Int(job.machine.index)
        let used = plane.used(job.machine, at: job.snapshotAt).count
        var chain = PointChain()
        swap(&chain, &machines[m].chain)
        let outcome = store(
            &chain, owner: m, volume: Int(machines[m].poolVolume), group: machines[m].group!, replica: used,
            stored: job.facts.stored.count, emptied: plane.emptied(job.machine, at: job.snapshotAt).count,
            until: job.snapshotAt)
        swap(&chain, &machines[m].chain)
        if outcome.error == 0 { jobs[j]!.record.stored = Bytes(outcome.allocated) }
        return outcome.error
    }

    /// Writes `stored` bytes of blocks into a replica that is `replica` bytes large afterwards.
    ///
    /// Old versions that a recovery point needs stay, so they and the replica's growth take new space; everything else
    /// is overwritten in place: also a version that came after the newest point and that no point has seen. Of `stored`, `emptied` bytes
    /// are zeros where the replica had something: they take no space in it.
    mutating func store(
        _ chain: inout PointChain, owner: Int, volume: Int, group: Ref<ProtectionGroup>, replica: Int64, stored: Int64,
        emptied: Int64 = 0, until snapshot: SimTime
    ) -> (error: Int32, allocated: Int64) {
        let emptied = min(emptied, chain.replica)
        let new = min(stored, max(0, replica - (chain.replica - emptied)))
        var kept = chain.pointCount > 0 ? min(stored - new, chain.replica) : 0
        if owner < machines.count, let newest = chain.newest, newest.delta > 0 {
            // The second synchronization since that point, after a check: blocks of both are kept once.
            let needed = plane.superseded(Ref(owner), since: newest.at, until: snapshot)
            kept = min(kept, max(0, needed.count - newest.delta))
        }
        books.applied += stored
        if volume >= 0 {
            // Of real machines the real disks say so.
            if poolDisksFull[Int(world.poolVolumes[volume].server.index)], new + kept > 0,
                owner >= machines.count || world.machines[owner].real == nil
            {
                books.refused += stored
                return (refuseOnFullDisks(volume), 0)
            }
            let error = pool.take(
                owner: owner, replica: new, points: kept, volume: volume, autoGrow: world.groups[group].autoGrow,
                at: agenda.now)
            if error != 0 {
                books.refused += stored
                raise(world.poolVolumes[volume].kind == .modern ? 33515 : 3169, .poolVolume, volume)
                return (error, 0)
            }
            if pool.share(of: volume) >= tuning.poolThreshold.value { raise(33514, .poolVolume, volume) }
        }
        chain.applyChanges(overwritten: kept, new: new)
        if emptied > 0 {
            chain.empty(emptied)
            if volume >= 0 { pool.give(owner: owner, replica: emptied, volume: volume) }
            books.freed += emptied
        }
        books.storedNew += new + kept
        books.replacedInPlace += stored - new - kept
        return (0, new + kept)
    }

    /// Drops the points that have expired (`Pruning`), oldest first.
    /// - Returns: The points that went.
    @discardableResult
    mutating func pruneChain(
        _ chain: inout PointChain, retentionDays: Int, inconsistentFor: SimDuration, inUse: [SimTime], owner: Int,
        volume: Int
    ) -> [SimTime] {
        guard let oldest = chain.oldest, agenda.now - oldest >= .days(Int64(retentionDays)) else { return [] }
        var expired = Pruning.expiredCount(
            of: chain.points.map { PointAge(at: $0.at, inconsistentBefore: $0.inconsistentBefore) },
            retentionDays: retentionDays, now: agenda.now, inconsistentSoFar: inconsistentFor)
        if let held = inUse.min() { expired = chain.points.prefix(expired).count { $0.at < held } }
        let gone = chain.points.prefix(expired).map(\.at)
        var freed: Int64 = 0
        for _ in 0..<expired { freed += chain.prune(0, mergedUnique: 0) }
        books.prunedPoints += Int64(expired)
        books.freed += freed
        guard freed > 0, volume >= 0 else { return gone }
        pool.give(owner: owner, points: freed, volume: volume)
        if pool.share(of: volume) < tuning.poolThreshold.value { resolve(33514, .poolVolume, volume) }
        if pool.free(of: volume) > 0 {
            resolve(33515, .poolVolume, volume)
            resolve(3169, .poolVolume, volume)
        }
        return gone
    }
}
