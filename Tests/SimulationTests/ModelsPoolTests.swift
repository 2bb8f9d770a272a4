import Kernel
import Protection
import Testing
import Units

@testable import Simulation

@Suite("Recovery points and pool space")
struct ModelsPoolTests {
    private func at(_ day: Int64) -> SimTime { .start + .days(day) }

    private func pool(_ kind: PoolVolume.Kind, _ gigabytes: Int64..., edit: (inout Tuning) -> Void = { _ in })
        -> PoolSpace
    {
        var world = World()
        world.poolVolumes = gigabytes.enumerated().map {
            PoolVolume(
                name: "vol-\($0)", server: Ref(0), kind: kind, capacity: .gigabytes($1),
                readRate: .megabytesPerSecond(500), writeRate: .megabytesPerSecond(500))
        }
        var tuning = Tuning()
        edit(&tuning)
        return PoolSpace(world: world, tuning: tuning)
    }

    @Test func `PRC-3 obeyed: each point holds what was overwritten after it, to the byte`() {
        var chain = PointChain()
        chain.applyChanges(overwritten: 0, new: 100)
        #expect(chain.used == 100 && chain.pointBytes == 0)
        for (day, changed) in [(0, 10), (1, 20), (2, 30)] as [(Int64, Int64)] {
            chain.addPoint(at: at(day), consistency: .application, inconsistentBefore: .zero)
            chain.applyChanges(overwritten: changed, new: 1)
        }
        #expect(chain.points.map(\.delta) == [10, 20, 30])
        #expect(chain.replica == 103 && chain.used == 163)
        chain.checkInvariants()
        // Without the middle one, the first must hold the 25 distinct blocks that changed over both spans.
        let middle = chain.prune(1, mergedUnique: 25)
        #expect(middle == 5 && chain.points.map(\.delta) == [25, 30] && chain.used == 158)
        let oldest = chain.prune(0, mergedUnique: 0)
        #expect(oldest == 25 && chain.used == 133)
        let newest = chain.prune(0, mergedUnique: 0)
        #expect(newest == 30 && chain.used == chain.replica)
        chain.checkInvariants()
    }

    @Test func `PRC-3 broken: a replica without a point keeps no old version`() {
        var chain = PointChain()
        chain.applyChanges(overwritten: 0, new: 100)
        chain.applyChanges(overwritten: 60, new: 0)
        #expect(chain.used == 100)
    }

    @Test func `PRC-3 obeyed: what a replica has no more stays with the newest point that had it`() {
        var chain = PointChain()
        chain.applyChanges(overwritten: 0, new: 100)
        chain.addPoint(at: at(0), consistency: .application, inconsistentBefore: .zero)
        // 20 bytes became zeros, 10 are others now, 5 are new.
        chain.applyChanges(overwritten: 30, new: 5)
        chain.empty(20)
        #expect(chain.replica == 85 && chain.pointBytes == 30 && chain.used == 115)
        chain.checkInvariants()
        var pool = pool(.modern, 10)
        #expect(pool.take(owner: 0, replica: 3_000, points: 1_000, volume: 0, autoGrow: true, at: at(0)) == 0)
        let free = pool.free(of: 0)
        pool.give(owner: 0, replica: 1_000, volume: 0)
        #expect(pool.free(of: 0) == free + 1_000)
    }

    @Test func `bytes are conserved over 20 000 random steps`() {
        let seed: UInt64 = 20_261_123
        var draws = RandomStream(seed: seed, name: "chain")
        var chain = PointChain()
        var (added, freed) = (Int64(0), Int64(0))
        for step in 0..<20_000 {
            switch draws.below(4) {
            case 0:
                chain.addPoint(at: at(Int64(step)), consistency: .crash, inconsistentBefore: .zero)
            case 1 where chain.pointCount > 0:
                let before = chain.used
                let gain = chain.prune(draws.below(chain.pointCount), mergedUnique: Int64(draws.below(2_000)))
                #expect(gain >= 0 && before - chain.used == gain, "seed \(seed), step \(step)")
                freed += gain
            default:
                let new = Int64(draws.below(1_000))
                let overwritten = chain.replica > 0 ? Int64(draws.below(Int(min(chain.replica, 1_000)))) : 0
                added += new + (chain.pointCount > 0 ? overwritten : 0)
                chain.applyChanges(overwritten: overwritten, new: new)
            }
            chain.checkInvariants()
            #expect(chain.used == added - freed, "seed \(seed), step \(step)")
        }
    }

    /// The volumes DPM proposes for 100 GB kept five days: 150 GB and 11.678 GB.
    private func place(_ pool: inout PoolSpace, _ owner: Int, sharing shared: Int? = nil) -> Bool {
        pool.place(owner: owner, on: 0, replica: 150_000_000_000, points: 11_678_000_000, sharing: shared)
    }

    @Test func `a modern volume takes blocks as they come and gives back what is pruned`() {
        var pool = pool(.modern, 100)
        let placed = pool.place(owner: 0, on: 0, replica: 500_000_000_000, points: 0, sharing: nil)
        #expect(placed && pool.used(of: 0) == 0)
        let error = pool.take(
            owner: 0, replica: 10_000_000_000, points: 5_000_000_000, volume: 0, autoGrow: true, at: .start)
        #expect(error == 0 && pool.used(of: 0) == 15_000_000_000 && pool.free(of: 0) == 85_000_000_000)
        pool.give(owner: 0, points: 5_000_000_000, volume: 0)
        #expect(pool.used(of: 0) == 10_000_000_000 && pool.stored(of: 0) == 10_000_000_000)
    }

    @Test func `GRP-8 broken: a full modern volume refuses with 33511 and takes nothing`() {
        var pool = pool(.modern, 100)
        _ = place(&pool, 0)
        let over = pool.take(
            owner: 0, replica: 100_000_000_000, points: 1, volume: 0, autoGrow: true, at: .start)
        #expect(over == 33511 && pool.used(of: 0) == 0)
        let exact = pool.take(owner: 0, replica: 100_000_000_000, points: 0, volume: 0, autoGrow: true, at: .start)
        #expect(exact == 0 && pool.free(of: 0) == 0)
        var small = self.pool(.legacy, 100)
        let refused = small.place(owner: 0, on: 0, replica: 100_000_000_000, points: 1, sharing: nil)
        #expect(!refused && small.used(of: 0) == 0)
    }

    @Test func `GRP-2 obeyed: a colocated datasource widens the volumes it shares`() {
        var pool = pool(.legacy, 1_000)
        let first = place(&pool, 0)
        let once = pool.used(of: 0)
        let second = place(&pool, 1, sharing: 0)
        #expect(first && second && pool.used(of: 0) == 2 * once)
        // One of them may use what both were given.
        let error = pool.take(
            owner: 1, replica: 290_000_000_000, points: 0, volume: 0, autoGrow: false, at: .start)
        #expect(error == 0)
    }

    @Test func `GRP-2 broken: without colocation each datasource has its own volumes and no more`() {
        var pool = pool(.legacy, 1_000)
        for owner in 0...1 {
            _ = place(&pool, owner)
        }
        let error = pool.take(
            owner: 1, replica: 290_000_000_000, points: 0, volume: 0, autoGrow: false, at: .start)
        #expect(error == 58 && pool.stored(of: 0) == 0)
    }

    @Test
    func `a legacy recovery point volume grows by a quarter or 10 GiB, once in 15 minutes, while the pool has room`() {
        var pool = pool(.legacy, 180)
        _ = place(&pool, 0)
        let placed = pool.used(of: 0)
        func take(_ points: Int64, _ minute: Int64, grows: Bool = true) -> Int32 {
            pool.take(
                owner: 0, replica: 0, points: points, volume: 0, autoGrow: grows, at: .start + .minutes(minute))
        }
        let fits = take(11_678_000_000, 0)
        let forbidden = take(1, 0, grows: false)
        #expect(fits == 0 && forbidden == 214)
        // Less than 10 GiB is a quarter of it: 10 GiB.
        let grown = take(10_000_000_000, 1)
        #expect(grown == 0 && pool.used(of: 0) == placed + 10 << 30)
        let tooSoon = take(1_000_000_000, 15)
        #expect(tooSoon == 214)
        let later = take(1_000_000_000, 16)
        #expect(later == 214, "the pool had 18.3 GB left and gave 10.7 GB: no room for a second growth")
        // Pruning frees inside the volume, not in the pool.
        pool.give(owner: 0, points: 5_000_000_000, volume: 0)
        #expect(pool.used(of: 0) == placed + 10 << 30)
        let again = take(5_000_000_000, 17)
        #expect(again == 0)
    }

    @Test func `a replica volume and its recovery point volume grow independently of each other`() {
        var pool = pool(.legacy, 1_000)
        _ = place(&pool, 0)
        let placed = pool.used(of: 0)
        let replica = pool.take(
            owner: 0, replica: 151_000_000_000, points: 0, volume: 0, autoGrow: true, at: .start)
        let points = pool.take(
            owner: 0, replica: 0, points: 12_000_000_000, volume: 0, autoGrow: true, at: .start + .minutes(5))
        // A quarter of 150 GB, and 10 GiB.
        #expect(replica == 0 && points == 0 && pool.used(of: 0) == placed + 37_500_000_000 + 10 << 30)
    }
}
