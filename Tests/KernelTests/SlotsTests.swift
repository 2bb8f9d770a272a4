import Kernel
import Testing
import Units

@Suite("Slots")
struct SlotsTests {
    @Test func `serve lower priority numbers first, then first come first served`() {
        var slots = Slots(capacity: 1)
        let granted = [
            slots.request(1), slots.request(2, priority: 5), slots.request(3), slots.request(4, priority: -1),
            slots.request(5),
        ]
        #expect(granted == [true, false, false, false, false])
        #expect(slots.waiting == [4, 3, 5, 2] && slots.inUse == 1)
        let order = (0..<5).map { _ in slots.release() }
        #expect(order == [4, 3, 5, 2, nil] && slots.inUse == 0)
    }

    @Test func `let nobody pass those in line`() {
        var slots = Slots(capacity: 2)
        _ = slots.request(1)
        _ = slots.request(2)
        _ = slots.request(3)
        let next = slots.release()
        #expect(next == 3 && slots.inUse == 2)
    }

    @Test func `withdrawing leaves the line, once`() {
        var slots = Slots(capacity: 0)
        for who in 1...3 as ClosedRange<Int64> { _ = slots.request(who) }
        let outcome = [slots.withdraw(2), slots.withdraw(2), slots.withdraw(9)]
        #expect(outcome == [true, false, false] && slots.waiting == [1, 3])
    }

    @Test func `a cut throws nobody out, and a raise lets the next ones in`() {
        var slots = Slots(capacity: 2)
        for who in 1...5 as ClosedRange<Int64> { _ = slots.request(who) }
        var granted = slots.setCapacity(1)
        #expect(granted == [] && slots.inUse == 2)
        let next = slots.release()
        #expect(next == nil && slots.inUse == 1)
        granted = slots.setCapacity(3)
        #expect(granted == [3, 4] && slots.waiting == [5])
    }

    @Test func `the integrals count slot seconds and waiting seconds`() {
        var slots = Slots(capacity: 1)
        _ = slots.request(1)
        _ = slots.request(2)
        slots.note(at: .start + .seconds(10))
        _ = slots.release()
        slots.note(at: .start + .seconds(15))
        #expect(slots.busySeconds == 15 && slots.waitingSeconds == 10)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `agree with a sorted list under random requests`(seed: UInt64) {
        var random = RandomStream(seed: seed, name: "slots test")
        var slots = Slots(capacity: 3)
        var line: [(priority: Int, who: Int64)] = []
        var inside = 0
        for who in 0..<5000 as Range<Int64> {
            if random.below(2) == 0 {
                let priority = random.below(3)
                let granted = slots.request(who, priority: priority)
                #expect(granted == (inside < 3), "seed \(seed)")
                if inside < 3 { inside += 1 } else { line.append((priority, who)) }
            } else if inside > 0 {
                let next = slots.release()
                let first = line.indices.min { (line[$0].priority, line[$0].who) < (line[$1].priority, line[$1].who) }
                #expect(next == first.map { line[$0].who }, "seed \(seed)")
                if let first { line.remove(at: first) } else { inside -= 1 }
            }
            #expect(slots.inUse == inside && slots.waitingCount == line.count)
        }
    }
}

@Suite("The trace hash")
struct TraceHashTests {
    private func hash(_ events: [(Int64, Int32)]) -> TraceHash {
        var hash = TraceHash()
        for (time, subject) in events {
            hash.note(time: SimTime(nanoseconds: time), event: Event(kind: 1, subject: subject))
        }
        return hash
    }

    @Test func `depends on every event, its time and its order`() {
        let values: [[(Int64, Int32)]] = [
            [(1, 1), (2, 2)], [(1, 1), (2, 2), (0, 0)], [(2, 2), (1, 1)], [(1, 2), (2, 1)], [(1, 1), (2, 3)], [],
        ]
        #expect(Set(values.map { hash($0).value }).count == values.count)
        #expect(hash(values[0]) == hash(values[0]) && hash(values[0]).count == 2)
    }

    @Test func `prints sixteen digits`() {
        for n in 0..<100 as Range<Int64> { #expect(hash([(n, 0)]).hex.count == 16) }
    }
}
