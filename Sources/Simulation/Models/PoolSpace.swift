import Protection
import Units

/// The space of the storage pools: what is stored, what is set aside for legacy volumes, what is free.
///
/// On a modern volume blocks take space as they come. On a legacy disk each datasource has a replica volume and a recovery
/// point volume; what is stored must fit into them, and they grow by themselves (dpm-facts 1.2, 2.2, 2.5).
struct PoolSpace {
    private struct Disk {
        let kind: PoolVolume.Kind
        let capacity: Int64
        var stored: Int64 = 0
        /// Legacy: sizes of the volumes made on it.
        var reserved: Int64 = 0
        var used: Int64 { kind == .legacy ? reserved : stored }
    }
    /// A legacy replica volume with its recovery point volume; colocated datasources share one.
    private struct Allocation {
        let disk: Int
        var replicaSize: Int64
        var pointSize: Int64
        var replicaUsed: Int64 = 0
        var pointUsed: Int64 = 0
        var replicaGrown = SimTime(nanoseconds: .min / 2)
        var pointGrown = SimTime(nanoseconds: .min / 2)
    }

    private var disks: [Disk]
    private var allocations: [Allocation] = []
    /// Allocation of each datasource, by its owner's number; -1 on modern volumes.
    private var allocationOf: [Int32] = []
    private let tuning: Tuning

    init(world: World, tuning: Tuning) {
        disks = world.poolVolumes.map { Disk(kind: $0.kind, capacity: $0.capacity.count) }
        self.tuning = tuning
    }

    func used(of volume: Int) -> Int64 { disks[volume].used }
    func free(of volume: Int) -> Int64 { disks[volume].capacity - disks[volume].used }
    func stored(of volume: Int) -> Int64 { disks[volume].stored }
    func share(of volume: Int) -> Double {
        disks[volume].capacity == 0 ? 1 : Double(disks[volume].used) / Double(disks[volume].capacity)
    }

    /// Makes a datasource's legacy volumes on a pool disk, of the sizes DPM proposed (`World.reviewDiskAllocation`); on a
    /// modern volume nothing is set aside.
    /// - Parameter shared: the owner whose volumes a colocated datasource widens and joins, or nil.
    /// - Returns: false, and nothing is done, if a legacy disk has no room for them.
    /// - Rule: GRP-2
    mutating func place(owner: Int, on volume: Int, replica: Int64, points: Int64, sharing shared: Int?) -> Bool {
        while allocationOf.count <= owner { allocationOf.append(-1) }
        guard disks[volume].kind == .legacy else { return true }
        guard free(of: volume) >= replica + points else { return false }
        disks[volume].reserved += replica + points
        if let shared, allocationOf[shared] >= 0, allocations[Int(allocationOf[shared])].disk == volume {
            allocationOf[owner] = allocationOf[shared]
            allocations[Int(allocationOf[shared])].replicaSize += replica
            allocations[Int(allocationOf[shared])].pointSize += points
            return true
        }
        allocationOf[owner] = Int32(allocations.count)
        allocations.append(Allocation(disk: volume, replicaSize: replica, pointSize: points))
        return true
    }

    /// Takes room for `replica` more bytes of replica and `points` more bytes of old versions.
    /// - Returns: 0, or the DPM error: 33511 on a full modern volume, 58 and 214 on legacy ones. Then nothing is taken.
    mutating func take(owner: Int, replica: Int64, points: Int64, volume: Int, autoGrow: Bool, at now: SimTime) -> Int32
    {
        let need = replica + points
        guard disks[volume].kind == .legacy else {
            guard free(of: volume) >= need else { return 33511 }
            disks[volume].stored += need
            return 0
        }
        let a = Int(allocationOf[owner])
        while allocations[a].replicaUsed + replica > allocations[a].replicaSize {
            guard grow(a, \.replicaSize, \.replicaGrown, autoGrow: autoGrow, at: now) else { return 58 }
        }
        while allocations[a].pointUsed + points > allocations[a].pointSize {
            guard grow(a, \.pointSize, \.pointGrown, autoGrow: autoGrow, at: now) else { return 214 }
        }
        allocations[a].replicaUsed += replica
        allocations[a].pointUsed += points
        disks[volume].stored += need
        return 0
    }

    /// Auto-grow: the larger of a minimum and a share, if the pool has it and the volume's last growth is long enough ago.
    /// One growth may take several such steps, where what comes at once needs them.
    private mutating func grow(
        _ a: Int, _ size: WritableKeyPath<Allocation, Int64>, _ grown: WritableKeyPath<Allocation, SimTime>,
        autoGrow: Bool, at now: SimTime
    ) -> Bool {
        let last = allocations[a][keyPath: grown]
        guard autoGrow, now - last >= tuning.autoGrowQuiet || now == last else { return false }
        let disk = allocations[a].disk
        let share = Bytes(allocations[a][keyPath: size]).scaled(by: tuning.autoGrowShare).count
        let step = max(tuning.autoGrowMinimum.count, share)
        guard step > 0, free(of: disk) >= step else { return false }
        allocations[a][keyPath: size] += step
        allocations[a][keyPath: grown] = now
        disks[disk].reserved += step
        return true
    }

    /// Gives back a datasource's replica and points. Legacy volumes of its own go with them, shared ones stay.
    mutating func remove(owner: Int, replica: Int64, points: Int64, volume: Int) {
        disks[volume].stored -= replica + points
        guard disks[volume].kind == .legacy else { return }
        let a = Int(allocationOf[owner])
        allocations[a].replicaUsed -= replica
        allocations[a].pointUsed -= points
        allocationOf[owner] = -1
        guard !allocationOf.contains(Int32(a)) else { return }
        disks[volume].reserved -= allocations[a].replicaSize + allocations[a].pointSize
        allocations[a].replicaSize = 0
        allocations[a].pointSize = 0
    }

    /// Gives back what pruned points held, or what a replica has no more; on legacy storage it stays inside the volume of its kind.
    mutating func give(owner: Int, replica: Int64 = 0, points: Int64 = 0, volume: Int) {
        disks[volume].stored -= replica + points
        guard disks[volume].kind == .legacy else { return }
        allocations[Int(allocationOf[owner])].replicaUsed -= replica
        allocations[Int(allocationOf[owner])].pointUsed -= points
    }
}
