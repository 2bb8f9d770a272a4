/// Names a resource of a `Fluid`.
@frozen public struct ResourceID: Hashable, Comparable, Sendable {
    public let index: Int32
    @inlinable public init(index: Int32) { self.index = index }
    @inlinable public static func < (a: ResourceID, b: ResourceID) -> Bool { a.index < b.index }
}

/// Names a transfer of a `Fluid`; worthless once the transfer has finished or was cancelled.
@frozen public struct TransferID: Hashable, Sendable {
    public let index: Int32
    public let generation: UInt32
    @inlinable public init(index: Int32, generation: UInt32) {
        self.index = index
        self.generation = generation
    }
}

/// Transfers that share resources fairly: weighted max-min rates with caps, exact between changes.
///
/// A transfer uses all resources of its route at one rate. Rates rise together, in proportion to weight, until a cap or a
/// full resource stops some; the others rise on. Rates change only when a transfer starts or ends or a capacity steps.
/// Transfers of equal route, weight and cap form a class with one rate and one clock of attained service, so that work
/// goes by class. Sizes are bytes, rates bytes per second, times seconds; calls never go back in time.
public struct Fluid: Sendable {
    // How far apart, relative to the time, two finishes may be to count as one: some twenty steps of a Double.
    static let tieWidth = 4e-15
    static let none: Int32 = -1
    static let ownCap: Int32 = -2

    struct Resource: Sendable {
        var capacity: Double
        // Head of the list of classes that use it, through `Incidence.next`.
        var first: Int32 = Fluid.none
        var isDirty = false
        // The measures: `load` and `bound` hold since `since`.
        var bound: Int32 = 0
        var load = 0.0
        var since = 0.0
        var carried = 0.0
        var boundSeconds = 0.0
    }

    /// What the solver knows of a resource; apart from the rest so that little memory is walked.
    struct Filling: Sendable {
        var left = 0.0
        var weight = 0.0
        var exactWeight = 0.0
        var load = 0.0
        var bound: Int32 = 0
        var unfixed: Int32 = 0
        var mark: UInt32 = 0
        var isStale = false
    }

    /// One class on one resource.
    struct Incidence: Sendable {
        let resource: Int32
        let of: Int32
        var next: Int32 = Fluid.none
        var previous: Int32 = Fluid.none
    }

    struct Class: Sendable {
        // Its incidences are a slice of the table of incidences.
        let firstIncidence: Int32
        let incidenceEnd: Int32
        var count: Int32 = 0
        var mark: UInt32 = 0
        let weight: Double
        let cap: Double
        var rate = 0.0
        // What the solver found, negative while it has not.
        var newRate = 0.0
        var newBound: Int32 = Fluid.none
        // Bytes each member would have moved since the class was last empty, at time `since`.
        var service = 0.0
        var since = 0.0
        var members: ContiguousArray<Member> = []
        var heapPlace: Int32 = Fluid.none
        var needsKey = false
        var boundBy: Int32 = Fluid.none
        var boundCount: Int32 = 0
    }

    /// A transfer in the heap of its class, by the value of the class's clock at which it ends.
    struct Member: Sendable {
        let target: Double
        let sequence: UInt64
        let transfer: Int32
        static func < (a: Member, b: Member) -> Bool {
            a.target < b.target || (a.target == b.target && a.sequence < b.sequence)
        }
    }

    struct Transfer: Sendable {
        var size = 0.0
        var tag: Int64 = 0
        var of: Int32 = Fluid.none
        var place: Int32 = Fluid.none
        var generation: UInt32 = 0
    }

    struct Finished: Sendable {
        let time: Double
        let sequence: UInt64
        let transfer: Int32
    }

    struct ClassKey: Hashable, Sendable {
        let route: Int32
        let weight: Double
        let cap: Double
    }

    struct HeapKey: Sendable {
        var finish: Double
        var of: Int32
        static func < (a: HeapKey, b: HeapKey) -> Bool { a.finish < b.finish || (a.finish == b.finish && a.of < b.of) }
    }

    struct History: Sendable {
        let bucketSeconds: Double
        let bucketCount: Int
        // Row after row, one a resource.
        var bytes: ContiguousArray<Double> = []
    }

    var now = 0.0
    var resources: ContiguousArray<Resource> = []
    // In step with `resources`.
    var filling: ContiguousArray<Filling> = []
    var incidences: ContiguousArray<Incidence> = []
    var classes: ContiguousArray<Class> = []
    // Classes that have members and a route.
    var attachedCount = 0
    var transfers: ContiguousArray<Transfer> = []
    var freeTransfers: ContiguousArray<Int32> = []
    var routes: ContiguousArray<ContiguousArray<Int32>> = []
    var routeNumbers: [ContiguousArray<Int32>: Int32] = [:]
    var classNumbers: [ClassKey: Int32] = [:]
    var heap: ContiguousArray<HeapKey> = []
    var dirty: ContiguousArray<Int32> = []
    // What has finished but was not yet told to the caller, in order.
    var finished: ContiguousArray<Finished> = []
    var sequence: UInt64 = 0
    var epoch: UInt32 = 0
    var scratch = Scratch()
    var cappedCount: Int32 = 0
    var cappedSince = 0.0
    var cappedTotal = 0.0
    var history: History?

    /// How many transfers are under way, stalled ones included.
    public internal(set) var activeCount = 0
    /// How often rates were computed, and for how many classes in all; for benchmarks and tests.
    public internal(set) var solveCount: UInt64 = 0
    public internal(set) var solvedClassCount: UInt64 = 0

    /// No resources, time 0.
    public init() {}

    /// Adds a resource; capacity in bytes per second, 0 for an outage.
    /// - Precondition: `capacity` is finite and not negative.
    public mutating func addResource(capacity: Double) -> ResourceID {
        precondition(capacity >= 0 && capacity.isFinite, "a capacity must be finite and not negative: \(capacity)")
        resources.append(Resource(capacity: capacity, since: now))
        filling.append(Filling())
        if let count = history?.bucketCount { history!.bytes.append(contentsOf: repeatElement(0, count: count)) }
        return ResourceID(index: Int32(resources.count - 1))
    }

    /// How many resources there are; they are numbered from 0.
    public var resourceCount: Int { resources.count }

    /// The capacity in bytes per second.
    public func capacity(of r: ResourceID) -> Double { resources[Int(r.index)].capacity }

    /// Steps a capacity; transfers under way slow down, stall at 0, or speed up and resume.
    /// - Precondition: `capacity` is finite and not negative, `time` not in the past.
    public mutating func setCapacity(_ r: ResourceID, to capacity: Double, at time: Double) {
        precondition(capacity >= 0 && capacity.isFinite, "a capacity must be finite and not negative: \(capacity)")
        move(to: time)
        guard resources[Int(r.index)].capacity != capacity else { return }
        resources[Int(r.index)].capacity = capacity
        markDirty(Int(r.index))
    }

    /// The number of the route over these resources, in any order; the same set always has the same number.
    public mutating func routeID(_ route: [ResourceID]) -> Int32 {
        var sorted = ContiguousArray(route.map(\.index))
        sorted.sort()
        var unique: ContiguousArray<Int32> = []
        for r in sorted where unique.last != r { unique.append(r) }
        precondition(
            unique.allSatisfy { resources.indices.contains(Int($0)) }, "a route over resources that do not exist")
        if let number = routeNumbers[unique] { return number }
        let number = Int32(routes.count)
        routes.append(unique)
        routeNumbers[unique] = number
        return number
    }

    /// Begins a transfer of `size` bytes. Size 0 finishes at once, and so does an empty route without a cap.
    /// - Precondition: `size` is finite and not negative, `weight` finite and positive, `cap` not negative.
    public mutating func start(
        route: Int32, size: Double, weight: Double = 1, cap: Double = .infinity, tag: Int64, at time: Double
    ) -> TransferID {
        precondition(size >= 0 && size.isFinite, "a size must be finite and not negative: \(size)")
        precondition(weight > 0 && weight.isFinite, "a weight must be finite and positive: \(weight)")
        precondition(cap >= 0, "a cap cannot be negative: \(cap)")
        move(to: time)
        let index: Int32
        if let reused = freeTransfers.popLast() {
            index = reused
        } else {
            index = Int32(transfers.count)
            transfers.append(Transfer())
        }
        let number = sequence
        sequence += 1
        activeCount += 1
        transfers[Int(index)].size = size
        transfers[Int(index)].tag = tag
        transfers[Int(index)].of = Fluid.none
        let id = TransferID(index: index, generation: transfers[Int(index)].generation)
        if size == 0 || (cap == .infinity && routes[Int(route)].isEmpty) {
            finish(index, sequence: number)
            return id
        }
        let c = classNumber(route: route, weight: weight, cap: cap)
        transfers[Int(index)].of = Int32(c)
        if classes[c].members.isEmpty { attach(c) } else { bringUp(c) }
        insert(Member(target: classes[c].service + size, sequence: number, transfer: index), into: c)
        membershipChanged(c)
        return id
    }

    /// Ends a transfer early; the bytes that were left, 0 if it had finished (it is then not told as finished any more).
    @discardableResult public mutating func cancel(_ t: TransferID, at time: Double) -> Double {
        move(to: time)
        guard isActive(t) else { return 0 }
        let i = Int(t.index)
        let c = Int(transfers[i].of)
        var left = 0.0
        if c < 0 {
            finished.removeAll { $0.transfer == t.index }
        } else {
            bringUp(c)
            let place = Int(transfers[i].place)
            left = min(max(classes[c].members[place].target - classes[c].service, 0), transfers[i].size)
            removeMember(at: place, from: c)
            membershipChanged(c)
        }
        retire(t.index)
        return left
    }

    /// When the next transfer finishes, as things stand; nil if none will. Computes rates if anything changed.
    ///
    /// The present if one has finished that `advance` has not told yet: times given to `start` and the others may pass a
    /// finish, which is then settled at its own moment and told with the next `advance`.
    public mutating func nextFinish() -> Double? {
        if !finished.isEmpty { return now }
        solve()
        guard let first = heap.first, first.finish < .infinity else { return nil }
        return max(first.finish, now)
    }

    /// Moves to `time` and tells all transfers that finish up to then, by finish time, then by order of starting.
    /// - Precondition: `time` is not in the past.
    public mutating func advance(to time: Double, finished report: (Int64, TransferID) -> Void) {
        move(to: time)
        guard !finished.isEmpty else { return }
        for done in finished {
            let transfer = transfers[Int(done.transfer)]
            report(transfer.tag, TransferID(index: done.transfer, generation: transfer.generation))
            retire(done.transfer)
        }
        finished.removeAll(keepingCapacity: true)
    }

    /// Whether a transfer is under way, or finished and not yet told.
    public func isActive(_ t: TransferID) -> Bool {
        transfers.indices.contains(Int(t.index)) && transfers[Int(t.index)].generation == t.generation
            && (transfers[Int(t.index)].place != Fluid.none)
    }

    /// The bytes still to move at `time`, 0 if it is done. O(1) once rates are computed (`nextFinish()` sees to that).
    public func remaining(_ t: TransferID, at time: Double) -> Double {
        guard isActive(t), transfers[Int(t.index)].of != Fluid.none else { return 0 }
        if time > now, !dirty.isEmpty || (heap.first?.finish ?? .infinity) < time {
            var later = self
            later.move(to: time)
            return later.remaining(t, at: time)
        }
        let transfer = transfers[Int(t.index)]
        let c = classes[Int(transfer.of)]
        let service = c.service + (time > c.since && c.rate > 0 ? c.rate * (time - c.since) : 0)
        return min(max(c.members[Int(transfer.place)].target - service, 0), transfer.size)
    }

    /// The rate in bytes per second at present, 0 if done. O(1) once rates are computed (`nextFinish()` sees to that).
    public func rate(_ t: TransferID) -> Double {
        guard isActive(t), transfers[Int(t.index)].of != Fluid.none else { return 0 }
        if !dirty.isEmpty {
            var solved = self
            solved.solve()
            return solved.rate(t)
        }
        return classes[Int(transfers[Int(t.index)].of)].rate
    }

    /// The resource that fixes the rate of a transfer at present; nil if its own cap does, or before rates are computed.
    public func bottleneck(of t: TransferID) -> ResourceID? {
        guard isActive(t), transfers[Int(t.index)].of != Fluid.none else { return nil }
        let r = classes[Int(transfers[Int(t.index)].of)].boundBy
        return r >= 0 ? ResourceID(index: r) : nil
    }
}
