import Kernel
import Testing
import Units

@Suite("The agenda")
struct AgendaTests {
    private func event(_ n: Int32) -> Event { Event(kind: 1, subject: n) }
    private func time(_ n: Int64) -> SimTime { SimTime(nanoseconds: n) }

    private func drain(_ agenda: inout Agenda) -> [Int32] {
        var order: [Int32] = []
        while let next = agenda.next(until: .never) { order.append(next.subject) }
        return order
    }

    @Test func `orders by time, then rank, then the order of scheduling`() {
        var agenda = Agenda()
        agenda.schedule(event(1), at: time(20))
        agenda.schedule(event(2), at: time(10), rank: .report)
        agenda.schedule(event(3), at: time(10))
        agenda.schedule(event(4), at: time(10), rank: .release)
        agenda.schedule(event(5), at: time(10))
        #expect(drain(&agenda) == [4, 3, 5, 2, 1])
        #expect(agenda.now == time(20))
        #expect(agenda.processedCount == 5)
    }

    @Test func `stops at the horizon without moving the clock`() {
        var agenda = Agenda()
        agenda.schedule(event(1), at: time(10))
        #expect(agenda.nextTime == time(10))
        var taken = agenda.next(until: time(9))
        #expect(taken == nil && agenda.now == .start)
        taken = agenda.next(until: time(10))
        #expect(taken == event(1) && agenda.now == time(10) && agenda.nextTime == nil)
    }

    @Test func `cancels an event once, and never one that took its place`() {
        var agenda = Agenda()
        let first = agenda.schedule(event(1), at: time(10))
        agenda.schedule(event(2), at: time(20))
        var outcome = [agenda.cancel(first), agenda.cancel(first)]
        #expect(outcome == [true, false])
        #expect(agenda.nextTime == time(20) && agenda.pendingCount == 1)
        agenda.schedule(event(3), at: time(15))
        outcome = [agenda.cancel(first)]
        #expect(outcome == [false])
        #expect(drain(&agenda) == [3, 2])
    }

    @Test func `says that an event which happened cannot be cancelled`() {
        var agenda = Agenda()
        let ticket = agenda.schedule(event(1), at: time(10))
        _ = agenda.next(until: .never)
        let outcome = agenda.cancel(ticket)
        #expect(!outcome)
    }

    @Test func `a timer reset a hundred thousand times does not fill the memory`() {
        var agenda = Agenda()
        agenda.schedule(event(1), at: time(1_000_000))
        for i in 0..<100_000 {
            let ticket = agenda.schedule(event(2), at: time(2_000_000 + Int64(i)))
            agenda.cancel(ticket)
        }
        #expect(agenda.pendingCount == 1)
        #expect(agenda.storedCount < 300)
        #expect(drain(&agenda) == [1])
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `agrees with a sorted list under random schedules and cancellations`(seed: UInt64) {
        struct Entry {
            let time: Int64
            let rank: UInt8
            let number: Int32
            let ticket: Agenda.Ticket
        }
        var random = RandomStream(seed: seed, name: "agenda test")
        var agenda = Agenda()
        var list: [Entry] = []
        for number in 0..<Int32(20_000) {
            switch random.below(8) {
            case 0...3:
                let at = agenda.now.nanoseconds + Int64(random.below(50))
                let rank = Agenda.Rank(rawValue: UInt8(random.below(3)))!
                let ticket = agenda.schedule(event(number), at: time(at), rank: rank)
                list.append(Entry(time: at, rank: rank.rawValue, number: number, ticket: ticket))
            case 4, 5:
                guard !list.isEmpty else { continue }
                let entry = list.remove(at: random.below(list.count))
                let outcome = agenda.cancel(entry.ticket)
                #expect(outcome, "seed \(seed)")
            default:
                let first = list.indices.min { a, b in
                    (list[a].time, list[a].rank, list[a].number) < (list[b].time, list[b].rank, list[b].number)
                }
                let taken = agenda.next(until: .never)
                #expect(taken?.subject == first.map { list[$0].number }, "seed \(seed)")
                if let first { list.remove(at: first) }
            }
            #expect(agenda.pendingCount == list.count)
            #expect(agenda.nextTime?.nanoseconds == list.map(\.time).min())
        }
    }

    @Test func `refuses an event in the past`() async {
        await #expect(processExitsWith: .failure) {
            var agenda = Agenda()
            agenda.schedule(Event(kind: 0, subject: 0), at: SimTime(nanoseconds: 5))
            _ = agenda.next(until: .never)
            agenda.schedule(Event(kind: 0, subject: 0), at: SimTime(nanoseconds: 4))
        }
    }
}
