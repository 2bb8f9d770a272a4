public import Units

/// What happens next, and when.
///
/// The order is total: time, then rank, then the order of scheduling; so equal inputs give equal runs, event for event.
/// Scheduling and taking cost O(log n); at most 2^24 events can be pending, and 2^38 scheduled in one run.
public struct Agenda: Sendable {
    /// Ties at one moment: what frees a resource goes before what asks for one, and reports see the outcome of both.
    public enum Rank: UInt8, Sendable { case release, normal, report }

    /// Names one scheduled event, so that it can be cancelled; worthless once the event has happened.
    public struct Ticket: Hashable, Sendable {
        @usableFromInline let slot: UInt32
        @usableFromInline let generation: UInt32
        @inlinable init(slot: UInt32, generation: UInt32) {
            self.slot = slot
            self.generation = generation
        }
    }

    /// The order is `rank << 62 | sequence << 24 | slot`: a sequence is never used twice, so the slot decides nothing.
    @usableFromInline struct Key: Sendable {
        @usableFromInline var time: Int64
        @usableFromInline var order: UInt64
        @inlinable init(time: Int64, order: UInt64) {
            self.time = time
            self.order = order
        }
        @inlinable static func < (a: Key, b: Key) -> Bool { a.time < b.time || (a.time == b.time && a.order < b.order) }
        @inlinable var slot: Int { Int(order & 0xFF_FFFF) }
    }

    @usableFromInline struct Slot: Sendable {
        @usableFromInline var event: Event
        @usableFromInline var generation: UInt32
        @usableFromInline var isPending: Bool
        @inlinable init(event: Event, generation: UInt32, isPending: Bool) {
            self.event = event
            self.generation = generation
            self.isPending = isPending
        }
    }

    @usableFromInline var clock = SimTime.start
    @usableFromInline var taken: UInt64 = 0

    // The first key always belongs to an event that is still pending, so that `nextTime` needs no search.
    @usableFromInline var heap: ContiguousArray<Key> = []
    @usableFromInline var slots: ContiguousArray<Slot> = []
    @usableFromInline var free: ContiguousArray<UInt32> = []
    @usableFromInline var cancelledCount = 0
    @usableFromInline var sequence: UInt64 = 0

    /// An empty agenda at `SimTime.start`.
    public init() {}

    /// The time of the event taken last; `SimTime.start` before the first.
    @inlinable public var now: SimTime { clock }
    /// How many events have been taken so far.
    @inlinable public var processedCount: UInt64 { taken }

    /// How many events are still to happen.
    @inlinable public var pendingCount: Int { heap.count &- cancelledCount }

    /// When the next event happens, or nil if none is left.
    @inlinable public var nextTime: SimTime? { heap.isEmpty ? nil : SimTime(nanoseconds: heap[0].time) }

    /// Puts `event` on the agenda.
    /// - Precondition: `time` is not in the past.
    @inlinable @discardableResult
    public mutating func schedule(_ event: Event, at time: SimTime, rank: Rank = .normal) -> Ticket {
        precondition(time >= now && time.nanoseconds >= 0, "an event was scheduled before the present")
        precondition(sequence < 1 << 38, "2^38 events are the most one run can schedule")
        let slot: UInt32
        let generation: UInt32
        if let reused = free.popLast() {
            slot = reused
            generation = slots[Int(reused)].generation
            slots[Int(reused)].event = event
            slots[Int(reused)].isPending = true
        } else {
            precondition(slots.count < 1 << 24, "2^24 events are the most that can be pending")
            slot = UInt32(truncatingIfNeeded: slots.count)
            generation = 0
            slots.append(Slot(event: event, generation: 0, isPending: true))
        }
        let order = UInt64(rank.rawValue) << 62 | sequence << 24 | UInt64(slot)
        sequence &+= 1
        heap.append(Key(time: time.nanoseconds, order: order))
        siftUp(heap.count &- 1)
        return Ticket(slot: slot, generation: generation)
    }

    /// Takes an event off the agenda; false if it has happened or was cancelled already. O(1) amortised.
    @discardableResult public mutating func cancel(_ ticket: Ticket) -> Bool {
        let slot = Int(ticket.slot)
        guard slot < slots.count, slots[slot].generation == ticket.generation, slots[slot].isPending else {
            return false
        }
        slots[slot].isPending = false
        cancelledCount += 1
        if cancelledCount > 64 && cancelledCount > heap.count / 2 { compact() } else { dropCancelledFront() }
        return true
    }

    /// Moves `now` to the next event and returns it; nil, with `now` unmoved, once nothing is left up to `horizon`.
    @inlinable public mutating func next(until horizon: SimTime) -> Event? {
        guard !heap.isEmpty else { return nil }
        let first = heap[0]
        guard first.time <= horizon.nanoseconds else { return nil }
        clock = SimTime(nanoseconds: first.time)
        taken &+= 1
        let event = slots[first.slot].event
        release(first.slot)
        removeFront()
        if cancelledCount > 0 { dropCancelledFront() }
        return event
    }

    @inlinable mutating func release(_ slot: Int) {
        slots[slot].generation &+= 1
        slots[slot].isPending = false
        free.append(UInt32(truncatingIfNeeded: slot))
    }

    @usableFromInline mutating func dropCancelledFront() {
        while let first = heap.first, !slots[first.slot].isPending {
            release(first.slot)
            removeFront()
            cancelledCount -= 1
        }
    }

    /// How many places are kept, cancelled events included; never much over twice `pendingCount`.
    public var storedCount: Int { heap.count }

    // Keeps cancelled events from outnumbering pending ones: without it a timer that is always reset would fill memory.
    mutating func compact() {
        var kept = 0
        for i in heap.indices {
            let key = heap[i]
            if slots[key.slot].isPending {
                heap[kept] = key
                kept += 1
            } else {
                release(key.slot)
            }
        }
        heap.removeLast(heap.count - kept)
        cancelledCount = 0
        for i in stride(from: kept / 2 - 1, through: 0, by: -1) { siftDown(i) }
    }

    @inlinable mutating func siftUp(_ start: Int) {
        heap.withUnsafeMutableBufferPointer { heap in
            let key = heap[start]
            var i = start
            while i > 0 {
                let parent = (i &- 1) >> 1
                guard key < heap[parent] else { break }
                heap[i] = heap[parent]
                i = parent
            }
            heap[i] = key
        }
    }

    @inlinable mutating func removeFront() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        siftDown(0)
    }

    @inlinable mutating func siftDown(_ start: Int) {
        heap.withUnsafeMutableBufferPointer { heap in
            let count = heap.count
            let key = heap[start]
            var i = start
            while true {
                var child = i &* 2 &+ 1
                guard child < count else { break }
                if child &+ 1 < count {
                    // Which child is earlier cannot be predicted, so the sign of the difference is taken instead of a branch.
                    let difference = heap[child &+ 1].time &- heap[child].time
                    if difference == 0 {
                        if heap[child &+ 1].order < heap[child].order { child &+= 1 }
                    } else {
                        child &+= Int(truncatingIfNeeded: UInt64(bitPattern: difference) >> 63)
                    }
                }
                guard heap[child] < key else { break }
                heap[i] = heap[child]
                i = child
            }
            heap[i] = key
        }
    }
}
