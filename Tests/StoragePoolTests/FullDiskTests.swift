import Files
import StoragePool
import Testing

@Suite("a pool on a full disk, and under a reader") struct FullDiskTests {
    private func pool() throws -> (SimulatedDisk, Pool, Holdings) {
        let (disk, holdings) = try CutRuns.past(PoolStory.all.first { $0.name == "express full by list" }!)
        return (disk, try Pool.open(PoolStory.path, on: disk), holdings)
    }

    @Test("a backup without space is refused and leaves nothing, pruning works at 100 % full, then the backup succeeds")
    func fullDisk() throws {
        var (disk, pool, holdings) = try pool()
        let buffer = Buffer(count: 1 << 18)
        disk.capacity = disk.used + 60_000
        holdings.machines["vm"]?.write("a", 300_000..<460_000, seed: 50)
        let before = disk.used
        do {
            try holdings.backUp(pool, "vm")
            Issue.record("it was stored nowhere")
        } catch { #expect((error as? StorageFault)?.kind == .outOfSpace, "\(error)") }
        #expect(holdings.difference(pool, buffer) == nil)
        #expect(disk.used <= before + 40_000, "\(before) \(disk.used)")
        // Somebody else takes all that is left.
        disk.capacity = disk.used
        try holdings.prune(pool, "vm", 1)
        try holdings.prune(pool, "vm", 2)
        #expect(holdings.difference(pool, buffer) == nil)
        try holdings.remove(pool, "other")
        // What the map needs on the way.
        disk.capacity = max(disk.capacity, disk.used + 400_000)
        try holdings.backUp(pool, "vm")
        #expect(holdings.difference(pool, buffer) == nil)
        try pool.close()
        #expect(PoolAudit.problems(disk, PoolStory.path, volumes: [PoolStory.path]) == [])
    }

    @Test("a pool that was cut on a full disk opens, and its points are right")
    func cutOnFullDisk() throws {
        let (base, before, holdings) = try pool()
        try before.close()
        let buffer = Buffer(count: 1 << 18)
        for call in stride(from: 5, through: 65, by: 12) {
            let disk = base.copy()
            disk.cutAt = call
            var told = holdings
            told.machines["vm"]?.write("a", 300_000..<460_000, seed: 50)
            _ = try? told.backUp(Pool.open(PoolStory.path, on: disk), "vm")
            guard disk.isCut else { break }
            disk.powerCut(.none)
            disk.capacity = disk.used
            let pool = try Pool.open(PoolStory.path, on: disk)
            #expect(holdings.difference(pool, buffer) == nil, "write \(call)")
            var after = holdings
            try after.prune(pool, "vm", 2)
            #expect(after.difference(pool, buffer) == nil, "write \(call)")
            try pool.close()
        }
    }

    @Test("a replica that is read stays what it was while the next ones come")
    func readReplica() throws {
        var (disk, pool, holdings) = try pool()
        let buffer = Buffer(count: 1 << 18)
        holdings.machines["vm"]?.write("a", 300_000..<340_000, seed: 51)
        try holdings.backUp(pool, "vm", isPoint: false)
        let replica = holdings.machines["vm"]!
        var reader: (any Sendable)? = nil
        do {
            let device = try pool.device(of: "vm", at: replica.replica!, disk: "a")
            for seed in 60...61 as ClosedRange<UInt64> {
                holdings.machines["vm"]?.write("a", 0..<460_000, seed: seed)
                try holdings.backUp(pool, "vm", isPoint: false)
                #expect(try replica.replicaDisks["a"]!.difference(from: device, buffer) == nil)
            }
            reader = device
        }
        #expect(reader != nil)
        reader = nil
        #expect(holdings.difference(pool, buffer) == nil)
        // Nobody reads it any more: the next one that tidies takes it away.
        holdings.machines["vm"]?.write("a", 0..<20_000, seed: 62)
        try holdings.backUp(pool, "vm")
        try pool.close()
        #expect(PoolAudit.problems(disk, PoolStory.path, volumes: [PoolStory.path]) == [])
        disk = SimulatedDisk()
    }
}
