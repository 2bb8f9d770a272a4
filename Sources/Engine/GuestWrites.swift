/// Which blocks a guest writes, one after the other: evenly drawn from its working set, as the change model assumes, and new ones as
/// it grows. Places count blocks in the order in which the guest would first use them.
struct GuestWrites: Hashable, Sendable {
    private let key: UInt64
    /// Places 0 to this are written again and again.
    let workingSet: Int
    /// Places below this are in use from the start.
    let initial: Int
    /// Places there are.
    let limit: Int
    /// Of the places in use from the start: 1 if the guest wrote them, 0 if the disk came with them.
    let firstVersion: UInt32

    init(seed: UInt64, machine: Int32, workingSet: Int, initial: Int, limit: Int, firstVersion: UInt32 = 1) {
        precondition(
            0 <= initial && initial <= limit && workingSet <= limit, "a guest cannot use more than its disks have")
        key = mixed(seed &+ 0x6775_6573_7421) ^ mixed(UInt64(UInt32(bitPattern: machine)))
        (self.workingSet, self.initial, self.limit) = (max(0, workingSet), initial, limit)
        self.firstVersion = firstVersion
    }

    /// The place that write number `n` goes to.
    func place(ofWrite n: Int64) -> Int {
        Int(mixed(key ^ mixed(UInt64(n))).multipliedFullWidth(by: UInt64(workingSet)).high)
    }

    /// The first place that growth takes.
    var growthStart: Int { max(initial, workingSet) }
}

/// What a guest has on its disks at some moment: the version of every place, 0 where it never wrote.
///
/// A version is given once for each place, whatever is recovered: those after a recovery are counted from its number times 2^32 on.
struct GuestHistory: Hashable, Sendable {
    private(set) var overwrites: Int64 = 0
    private(set) var grown: Int64 = 0
    private(set) var versions: [UInt64]
    private(set) var usedPlaces: Int
    /// Recoveries of the machine so far.
    private var recoveries: UInt64 = 0
    /// Of each place, the recovery that last put something there which the replica did not hold; empty before the first recovery.
    private var recovered: [UInt64] = []

    /// A guest that has what it begins with.
    init(_ writes: GuestWrites) {
        versions = [UInt64](repeating: 0, count: writes.limit)
        for place in 0..<writes.initial { versions[place] = UInt64(writes.firstVersion) }
        usedPlaces = writes.initial
    }

    /// Lets the guest write until it has made so many overwrites and grown by so many blocks; tells of each write.
    mutating func advance<Failure: Error>(
        _ writes: GuestWrites, overwrites target: Int64, grown growth: Int64,
        _ body: (_ place: Int, _ version: UInt64) throws(Failure) -> Void
    ) throws(Failure) {
        while overwrites < target, writes.workingSet > 0 {
            try write(writes, writes.place(ofWrite: overwrites), body)
            overwrites += 1
        }
        while grown < growth, writes.growthStart + Int(grown) < writes.limit {
            try write(writes, writes.growthStart + Int(grown), body)
            grown += 1
        }
    }

    private mutating func write<Failure: Error>(
        _ writes: GuestWrites, _ place: Int, _ body: (_ place: Int, _ version: UInt64) throws(Failure) -> Void
    ) throws(Failure) {
        let version = max(versions[place], recoveries << 32) + 1
        try body(place, version)
        if !isUsed(place, writes) { usedPlaces += 1 }
        versions[place] = version
    }

    /// A recovery gives places the versions they had once; writing goes on where it is.
    ///
    /// What a replica already holds in a place stays the same block to it, so that `changed` counts what a pool stores anew.
    mutating func recover(
        _ writes: GuestWrites, to past: [UInt64], where isRecovered: (Int) -> Bool, grown growth: Int64?,
        replica: GuestHistory?
    ) {
        recoveries += 1
        if recovered.isEmpty { recovered = [UInt64](repeating: 0, count: versions.count) }
        for place in versions.indices where isRecovered(place) {
            versions[place] = past[place]
            let isHeld = replica.map { $0.versions[place] == past[place] } ?? false
            recovered[place] = isHeld ? replica?.recovery(of: place) ?? 0 : recoveries
        }
        if let growth { grown = growth }
        usedPlaces = versions.indices.count { isUsed($0, writes) }
    }

    private func recovery(of place: Int) -> UInt64 { recovered.isEmpty ? 0 : recovered[place] }

    func isUsed(_ place: Int, _ writes: GuestWrites) -> Bool { place < writes.initial || versions[place] > 0 }

    /// Places that hold another block than in `earlier`.
    func changed(since earlier: GuestHistory) -> [Int] {
        versions.indices.filter {
            versions[$0] != earlier.versions[$0] || recovery(of: $0) != earlier.recovery(of: $0)
        }
    }
}
