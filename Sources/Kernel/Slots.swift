public import Units

/// A number of equal places and the line in front of them: lower priority numbers first, then first come, first served.
public struct Slots: Sendable {
    struct Waiter: Sendable {
        let priority: Int
        let who: Int64
    }

    /// How many may be inside at once. May be below `inUse` after a cut: nobody is thrown out.
    public private(set) var capacity: Int
    /// How many are inside.
    public private(set) var inUse = 0
    private var line: ContiguousArray<Waiter> = []
    // Taking from the front moves this index; the array is trimmed when half of it is spent.
    private var head = 0

    /// The integral of `inUse` over time, in slot seconds, up to the last `note(at:)`.
    public private(set) var busySeconds = 0.0
    /// The integral of the length of the line over time, in seconds, up to the last `note(at:)`.
    public private(set) var waitingSeconds = 0.0
    private var noted = SimTime.start

    /// - Precondition: `capacity` is not negative.
    public init(capacity: Int) {
        precondition(capacity >= 0, "a capacity cannot be negative: \(capacity)")
        self.capacity = capacity
    }

    /// Those in line, in the order they will be served.
    public var waiting: [Int64] { line[head...].map(\.who) }
    /// How many are in line. O(1).
    public var waitingCount: Int { line.count - head }

    /// Asks for a place: true if granted now, else `who` waits in line.
    public mutating func request(_ who: Int64, priority: Int = 0) -> Bool {
        if inUse < capacity && head == line.count {
            inUse += 1
            return true
        }
        var i = line.count
        while i > head, line[i - 1].priority > priority { i -= 1 }
        line.insert(Waiter(priority: priority, who: who), at: i)
        return false
    }

    /// Gives a place back; the one who gets it next, or nil.
    /// - Precondition: somebody is inside.
    public mutating func release() -> Int64? {
        precondition(inUse > 0, "a slot was released that nobody holds")
        inUse -= 1
        return inUse < capacity ? admit() : nil
    }

    /// Leaves the line; false if `who` was not in it. O(length of the line).
    @discardableResult public mutating func withdraw(_ who: Int64) -> Bool {
        guard let i = line[head...].firstIndex(where: { $0.who == who }) else { return false }
        line.remove(at: i)
        return true
    }

    /// Changes the number of places; those who are let in by that, in order.
    /// - Precondition: `capacity` is not negative.
    public mutating func setCapacity(_ capacity: Int) -> [Int64] {
        precondition(capacity >= 0, "a capacity cannot be negative: \(capacity)")
        self.capacity = capacity
        var granted: [Int64] = []
        while inUse < capacity, let who = admit() { granted.append(who) }
        return granted
    }

    /// Brings `busySeconds` and `waitingSeconds` up to `time`; call it before each change.
    public mutating func note(at time: SimTime) {
        let seconds = (time - noted).seconds
        busySeconds += Double(inUse) * seconds
        waitingSeconds += Double(waitingCount) * seconds
        noted = time
    }

    private mutating func admit() -> Int64? {
        guard head < line.count else { return nil }
        let who = line[head].who
        head += 1
        inUse += 1
        if head * 2 > line.count + 32 {
            line.removeFirst(head)
            head = 0
        }
        return who
    }
}
