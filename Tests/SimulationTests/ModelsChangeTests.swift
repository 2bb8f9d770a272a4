import Jobs
import Kernel
import Protection
import Testing
import Units

@testable import Simulation

// 2026-01-05 is a Monday.
private let clock = CivilClock(startDate: CivilDate("2026-01-05")!)

private func machine(
    perDay: Int64 = 3, workingSet: Int64 = 6, used: Int64 = 60, size: Int64 = 100,
    edit: (inout Machine) -> Void = { _ in }
) -> Machine {
    let disk = VirtualDisk(format: .vhdx, volume: Ref(0), size: .gigabytes(size), used: .gigabytes(used))
    let churn = Churn(perDay: .gigabytes(perDay), workingSet: .gigabytes(workingSet))
    var machine = Machine(name: "web-01", host: Ref(0), disks: [disk], churn: churn)
    edit(&machine)
    return machine
}

private func plane(_ machines: [Machine], compresses: Bool = false, seed: UInt64 = 7) -> ModelledPlane {
    var world = World()
    world.machines = machines
    return ModelledPlane(
        world: world, seed: seed, clock: clock, compressesOnWire: Array(repeating: compresses, count: machines.count))
}

private func at(day: Int64, hour: Int64 = 0, minute: Int64 = 0) -> SimTime {
    .start + .days(day) + .hours(hour) + .minutes(minute)
}

@Suite("Changes of modelled machines")
struct ModelsChangeTests {
    @Test func `writes follow the hours of the day and the days of the week`() {
        let uneven = machine {
            $0.churn.hours = (0..<24).map { $0 == 9 ? 3 : $0 == 10 ? 1 : 0 }
            $0.churn.weekdays = [1, 1, 1, 1, 1, 2, 0]
        }
        let model = ChangeModel(uneven, number: 0, seed: 1, clock: clock)
        // Monday's 3 GB: three quarters from 9 to 10, a quarter from 10 to 11.
        #expect(model.written(from: at(day: 0), to: at(day: 0, hour: 9)) == 0)
        #expect(model.written(from: at(day: 0, hour: 9), to: at(day: 0, hour: 10)) == 2.25e9)
        let third = model.written(from: at(day: 0, hour: 9, minute: 20), to: at(day: 0, hour: 9, minute: 40))
        #expect(abs(third - 0.75e9) < 1e-3)
        #expect(model.written(from: at(day: 0), to: at(day: 1)) == 3e9)
        #expect(model.written(from: at(day: 5), to: at(day: 6)) == 6e9)
        #expect(model.written(from: at(day: 6), to: at(day: 7)) == 0)
        #expect(model.written(from: at(day: 0, hour: 10), to: at(day: 7, hour: 10)) == 21e9)
        #expect(model.written(from: at(day: 3), to: at(day: 3)) == 0)
    }

    @Test func `PRC-2 obeyed: a block written again and again travels once`() {
        let facts = plane([machine()]).changes(Ref(0), since: .start, until: at(day: 1))
        // 6 GB (1 - exp(-3/6)) = 2.360816 GB by hand.
        #expect(abs(facts.changed.count - 2_360_816_041) <= 1)
        #expect(facts.sent == facts.changed && facts.stored == facts.changed)
        let year = plane([machine()]).changes(Ref(0), since: .start, until: at(day: 365))
        #expect(abs(year.changed.count - 6_000_000_000) <= 1)
    }

    @Test func `PRC-2 broken: a longer wait never brings less, nor more than its parts together`() {
        let seed: UInt64 = 20_261_123
        var draws = RandomStream(seed: seed, name: "cases")
        for number in 0..<200 {
            let used = 20 + Int64(draws.below(200))
            let it = machine(
                perDay: 1 + Int64(draws.below(40)), workingSet: 1 + Int64(draws.below(Int(used))), used: used, size: 300
            ) {
                $0.churn.variation = draws.uniform(from: 0, to: 1.5)
                $0.growthPerYear = .percent(Int64(draws.below(60)))
                $0.pageFile = .gigabytes(Int64(draws.below(4)))
            }
            let plane = plane([it], seed: UInt64(number))
            func stored(_ from: SimTime, _ to: SimTime) -> Int64 {
                plane.changes(Ref(0), since: from, until: to).stored.count
            }
            for _ in 0..<20 {
                let times = (0..<3).map { _ in SimTime.start + .minutes(Int64(draws.below(60 * 24 * 60))) }.sorted()
                let (a, b, c) = (times[0], times[1], times[2])
                let (whole, first, second) = (stored(a, c), stored(a, b), stored(b, c))
                // Each answer is rounded to a byte.
                #expect(whole >= max(first, second) - 2, "seed \(seed), case \(number)")
                #expect(whole <= first + second + 3, "seed \(seed), case \(number)")
                #expect(plane.changes(Ref(0), since: a, until: c).changed <= plane.used(Ref(0), at: c))
            }
        }
    }

    @Test func `PRC-5 obeyed: page file blocks are changed, and stay behind`() {
        let paged = machine { $0.pageFile = .gigabytes(2) }
        let facts = plane([paged]).changes(Ref(0), since: .start, until: at(day: 1))
        // A third of the working set of 6 GB is page file.
        #expect(abs(facts.stored.count - facts.changed.count * 2 / 3) <= 1 && facts.sent == facts.stored)
        let all = machine { $0.pageFile = .gigabytes(50) }
        #expect(plane([all]).changes(Ref(0), since: .start, until: at(day: 1)).stored == .zero)
    }

    @Test func `PRC-5 broken: a first full copy has the page file too`() {
        let paged = machine { $0.pageFile = .gigabytes(2) }
        let full = plane([paged]).full(Ref(0), at: .start)
        #expect(full.stored == .gigabytes(60) && full.read == .gigabytes(60))
    }

    @Test func `compression shortens the wire, never what is stored, and never lengthens anything`() {
        let packed = machine { $0.compressibility = Fraction(partsPerBillion: 2_500_000_000) }
        #expect(plane([packed], compresses: true).full(Ref(0), at: .start).sent == .gigabytes(24))
        #expect(plane([packed], compresses: true).full(Ref(0), at: .start).stored == .gigabytes(60))
        #expect(plane([packed]).full(Ref(0), at: .start).sent == .gigabytes(60))
        let worse = machine { $0.compressibility = .percent(50) }
        #expect(plane([worse], compresses: true).full(Ref(0), at: .start).sent == .gigabytes(60))
    }

    @Test func `a heavy check reads everything, one with change tracking what changed; both send the same`() {
        let plane = plane([machine()])
        let changes = plane.changes(Ref(0), since: .start, until: at(day: 1))
        let heavy = plane.check(Ref(0), kind: .heavy, since: .start, until: at(day: 1))
        let rct = plane.check(Ref(0), kind: .rct, since: .start, until: at(day: 1))
        #expect(heavy.read == .gigabytes(60) && rct.read == changes.read)
        #expect(heavy.sent == changes.sent && rct.sent == changes.sent)
    }

    @Test func `growth is linear and ends with the disks`() {
        let growing = machine { $0.growthPerYear = .percent(50) }
        let plane = plane([growing])
        // 30 GB a year of 365.25 days.
        #expect(abs(plane.used(Ref(0), at: at(day: 73)).count - 65_995_893_223) <= 1)
        #expect(plane.used(Ref(0), at: .start) == .gigabytes(60))
        #expect(plane.used(Ref(0), at: at(day: 3_650)) == .gigabytes(100))
        let late = plane.changes(Ref(0), since: at(day: 3_000), until: at(day: 3_001))
        #expect(abs(late.changed.count - 2_360_816_041) <= 1)
        let overfull = machine(used: 120, size: 100) { $0.growthPerYear = .percent(50) }
        #expect(ChangeModel(overfull, number: 0, seed: 1, clock: clock).used(at: at(day: 400)) == 120_000_000_000)
    }

    @Test func `day factors have mean one and the variation asked for, in whatever order they are drawn`() {
        let seed: UInt64 = 99
        let varied = machine { $0.churn.variation = 0.6 }
        let model = ChangeModel(varied, number: 3, seed: seed, clock: clock)
        let days = (0..<20_000).map { model.written(from: at(day: $0), to: at(day: $0 + 1)) / 3e9 }
        let mean = days.reduce(0, +) / 20_000
        let variance = days.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000
        #expect(abs(mean - 1) < 0.02, "seed \(seed)")
        #expect(abs(variance.squareRoot() - 0.6) < 0.04, "seed \(seed)")
        for day in [19_999, 5, 700] as [Int64] {
            #expect(model.written(from: at(day: day), to: at(day: day + 1)) / 3e9 == days[Int(day)])
        }
        let other = ChangeModel(varied, number: 4, seed: seed, clock: clock)
        #expect(other.written(from: at(day: 5), to: at(day: 6)) / 3e9 != days[5])
    }

    @Test func `a machine that never writes, or has no working set, changes nothing`() {
        for idle in [machine(perDay: 0), machine(workingSet: 0), machine(workingSet: 5, used: 0)] {
            #expect(plane([idle]).changes(Ref(0), since: .start, until: at(day: 30)).changed == .zero)
        }
    }
}
