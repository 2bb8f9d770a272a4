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

/// What a guest has written up to some moment: the version of every place, 0 where it never wrote.
struct GuestHistory: Hashable, Sendable {
    private(set) var overwrites: Int64 = 0
    private(set) var grown: Int64 = 0
    private(set) var versions: [UInt32]
    private(set) var usedPlaces: Int

    /// A guest that has what it begins with.
    init(_ writes: GuestWrites) {
        versions = [UInt32](repeating: 0, count: writes.limit)
        for place in 0..<writes.initial { versions[place] = writes.firstVersion }
        usedPlaces = writes.initial
    }

    /// Lets the guest write until it has made so many overwrites and grown by so many blocks; tells of each write.
    mutating func advance<Failure: Error>(
        _ writes: GuestWrites, overwrites target: Int64, grown growth: Int64,
        _ body: (_ place: Int, _ version: UInt32) throws(Failure) -> Void
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
        _ writes: GuestWrites, _ place: Int, _ body: (_ place: Int, _ version: UInt32) throws(Failure) -> Void
    ) throws(Failure) {
        // What fails has not been written: it is written again.
        try body(place, versions[place] + 1)
        if !isUsed(place, writes) { usedPlaces += 1 }
        versions[place] += 1
    }

    func isUsed(_ place: Int, _ writes: GuestWrites) -> Bool { place < writes.initial || versions[place] > 0 }

    /// Places whose version is another than in `earlier`.
    func changed(since earlier: GuestHistory) -> [Int] {
        versions.indices.filter { versions[$0] != earlier.versions[$0] }
    }
}
