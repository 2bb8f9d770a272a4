import Protection
import Testing
import Units

/// SplitMix64, so that the reads are the same in every run.
private struct Chance: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

@Suite("Recommended access order")
struct AccessOrderTests {
    private static func reads(_ count: Int, seed: UInt64, size: Int64, on motion: TapeMotion) -> [TapeExtent] {
        var chance = Chance(state: seed)
        return (0..<count).map { _ in
            let start = Int64.random(in: 0..<motion.capacity.count - size, using: &chance)
            return TapeExtent(start: start, end: start + size)
        }
    }

    private static func seconds(_ order: [Int], _ reads: [TapeExtent], _ motion: TapeMotion) -> Double {
        var (sum, at) = (0.0, Int64(0))
        for read in order {
            sum += motion.locate(from: at, to: reads[read].start).seconds
            at = reads[read].end
        }
        return sum
    }

    /// The least over all orders, by trying all of them.
    private static func least(_ reads: [TapeExtent], _ motion: TapeMotion) -> Double {
        let between = reads.map { a in reads.map { motion.locate(from: a.end, to: $0.start).seconds } }
        let first = reads.map { motion.locate(from: 0, to: $0.start).seconds }
        var best = Double.infinity
        func go(_ last: Int, _ left: Int, _ sum: Double) {
            if left == 0 { best = min(best, sum) }
            guard sum < best else { return }
            for next in reads.indices where left & (1 << next) != 0 {
                go(next, left & ~(1 << next), sum + (last < 0 ? first[next] : between[last][next]))
            }
        }
        go(-1, (1 << reads.count) - 1, 0)
        return best
    }

    @Test(
        "100 random reads on one LTO-9 cartridge: at least half of the locate time is saved",
        arguments: 1...5 as ClosedRange<UInt64>)
    func saves(_ seed: UInt64) {
        let motion = TapeMotion(LTOFacts.of(.lto9))
        let reads = Self.reads(100, seed: seed, size: 1_000_000_000, on: motion)
        let order = AccessOrder(reads, on: motion)
        #expect(order.order.sorted() == Array(0..<100))
        #expect(abs(order.locates.seconds - Self.seconds(order.order, reads, motion)) < 0.001)
        #expect(abs(order.locatesAsGiven.seconds - Self.seconds(Array(0..<100), reads, motion)) < 0.001)
        #expect(
            order.locates.seconds < 0.2 * order.locatesAsGiven.seconds, "\(order.locates) of \(order.locatesAsGiven)")
        #expect(AccessOrder(reads, on: motion) == order)
    }

    @Test("nothing is better for up to nine reads", arguments: 2...9, [UInt64(1), 2, 3])
    func exact(_ count: Int, _ seed: UInt64) {
        let motion = TapeMotion(LTOFacts.of(.lto9))
        let reads = Self.reads(count, seed: seed &+ UInt64(count) * 100, size: 30_000_000_000, on: motion)
        #expect(abs(AccessOrder(reads, on: motion).locates.seconds - Self.least(reads, motion)) < 0.001)
    }

    /// The least over all orders by Held and Karp's recursion, for more reads than can be tried.
    private static func recursion(_ reads: [TapeExtent], _ motion: TapeMotion) -> Double {
        let n = reads.count
        let between = reads.map { a in reads.map { motion.locate(from: a.end, to: $0.start).seconds } }
        var least = [Double](repeating: .infinity, count: n << n)
        for i in 0..<n { least[(1 << i) * n + i] = motion.locate(from: 0, to: reads[i].start).seconds }
        for done in 1..<(1 << n) {
            for last in 0..<n where least[done * n + last] < .infinity {
                for next in 0..<n where done & (1 << next) == 0 {
                    let place = (done | 1 << next) * n + next
                    least[place] = min(least[place], least[done * n + last] + between[last][next])
                }
            }
        }
        return least[((1 << n) - 1) * n..<(1 << n) * n].min()!
    }

    @Test(
        "beyond the exact limit the order is at most 3 % longer than the best", arguments: 1...4 as ClosedRange<UInt64>)
    func near(_ seed: UInt64) {
        let motion = TapeMotion(LTOFacts.of(.lto9))
        let reads = Self.reads(AccessOrder.exactLimit + 1, seed: seed, size: 10_000_000_000, on: motion)
        #expect(AccessOrder(reads, on: motion).locates.seconds <= 1.03 * Self.recursion(reads, motion))
    }

    @Test("an order that is best already stays, and no order is worse than the one given")
    func given() {
        let motion = TapeMotion(LTOFacts.of(.lto8))
        let ahead = (0..<20).map { TapeExtent(start: $0 * 100_000_000, end: $0 * 100_000_000 + 50_000_000) }
        #expect(AccessOrder(ahead, on: motion).order == Array(0..<20))
        #expect(AccessOrder([], on: motion).order == [])
        #expect(AccessOrder(Array(ahead.prefix(1)), on: motion).order == [0])
        for count in [13, 40, 1_200] {
            let reads = Self.reads(count, seed: 7, size: 0, on: motion)
            let order = AccessOrder(reads, on: motion)
            #expect(order.order.sorted() == Array(0..<count))
            #expect(order.locates < order.locatesAsGiven)
        }
    }

    @Test("where the tape stands counts: the nearer end is read first")
    func standing() {
        let motion = TapeMotion(LTOFacts.of(.lto9))
        let wrap = motion.capacity.count / 280
        let ends = [TapeExtent(start: 0, end: 1_000), TapeExtent(start: wrap - 1_000_000, end: wrap - 999_000)]
        #expect(AccessOrder(ends, on: motion).order == [0, 1])
        #expect(AccessOrder(ends, from: 3 * wrap - 5_000_000, on: motion).order == [1, 0])
    }
}
