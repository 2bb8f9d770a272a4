public import Units

/// A stretch of a cartridge that is to be read, in native bytes. Reading ends at `end`, and the next locate starts there.
public struct TapeExtent: Sendable, Hashable {
    public var start: Int64
    public var end: Int64
    public init(start: Int64, end: Int64) {
        precondition(start >= 0 && end >= start, "a stretch of tape runs forward: \(start) to \(end)")
        (self.start, self.end) = (start, end)
    }
}

/// In which order to read many things from one cartridge, as LTO-9 drives recommend it (Recommended Access Order).
///
/// Up to `exactLimit` reads the order is the best there is (Held and Karp's recursion). Above, the better of two beginnings, the
/// nearest next one and a sweep up the forward wraps and down the backward ones, improved by moving short runs and by
/// reversing stretches until nothing helps; both keep account of the direction the tape travels in.
public struct AccessOrder: Sendable, Hashable {
    /// Places in the given list, first to read first.
    public let order: [Int]
    /// Time spent in locates with it, and as the reads were given.
    public let locates: SimDuration
    public let locatesAsGiven: SimDuration

    /// Reads whose best order is computed exactly; 2^12 × 12² steps.
    public static let exactLimit = 12

    /// - Complexity: milliseconds for 100 reads; from 1000 on the search looks 50 places around each read, at most ten times.
    public init(_ reads: [TapeExtent], from byte: Int64 = 0, on motion: TapeMotion) {
        let given = Array(reads.indices)
        let order =
            if reads.count <= Self.exactLimit { Self.best(reads, from: byte, on: motion) } else {
                Self.improved(reads, from: byte, on: motion)
            }
        let (asGiven, asOrdered) = (
            Self.seconds(given, reads, byte, motion), Self.seconds(order, reads, byte, motion)
        )
        self.order = asOrdered < asGiven ? order : given
        locates = SimDuration(roundingUp: min(asOrdered, asGiven))
        locatesAsGiven = SimDuration(roundingUp: asGiven)
    }

    static func seconds(_ order: [Int], _ reads: [TapeExtent], _ byte: Int64, _ motion: TapeMotion) -> Double {
        var (sum, at) = (0.0, byte)
        for read in order {
            sum += motion.locateSeconds(from: at, to: reads[read].start)
            at = reads[read].end
        }
        return sum
    }

    // MARK: Exact

    private static func best(_ reads: [TapeExtent], from byte: Int64, on motion: TapeMotion) -> [Int] {
        let n = reads.count
        guard n > 1 else { return Array(0..<n) }
        let between = reads.map { a in reads.map { motion.locateSeconds(from: a.end, to: $0.start) } }
        // For each set of reads done and the last of them: the least time, and which came before.
        var least = [Double](repeating: .infinity, count: n << n)
        var before = [Int8](repeating: -1, count: n << n)
        for i in 0..<n { least[(1 << i) * n + i] = motion.locateSeconds(from: byte, to: reads[i].start) }
        for done in 1..<(1 << n) {
            for last in 0..<n where done & (1 << last) != 0 {
                let time = least[done * n + last]
                guard time < .infinity else { continue }
                for next in 0..<n where done & (1 << next) == 0 {
                    let place = (done | 1 << next) * n + next
                    guard time + between[last][next] < least[place] else { continue }
                    least[place] = time + between[last][next]
                    before[place] = Int8(last)
                }
            }
        }
        var done = (1 << n) - 1
        var last = (0..<n).min { least[done * n + $0] < least[done * n + $1] } ?? 0
        var order = [last]
        while order.count < n {
            let previous = Int(before[done * n + last])
            done ^= 1 << last
            last = previous
            order.append(last)
        }
        return order.reversed()
    }

    // MARK: Good

    static func improved(_ reads: [TapeExtent], from byte: Int64, on motion: TapeMotion) -> [Int] {
        var starts = [sweep(reads, from: byte, on: motion)]
        if reads.count <= 1_000 { starts.append(nearest(reads, from: byte, on: motion)) }
        var best: (seconds: Double, order: [Int])?
        for start in starts {
            let isLong = reads.count > 1_000
            var search = OrderSearch(start, reads, byte, motion, reach: isLong ? 50 : 200)
            search.run(rounds: isLong ? 10 : 30)
            let seconds = seconds(search.order, reads, byte, motion)
            if best == nil || seconds < best!.seconds { best = (seconds, search.order) }
        }
        return best?.order ?? []
    }

    /// Up the tape through all forward wraps, then down through all backward ones, so that few locates turn.
    private static func sweep(_ reads: [TapeExtent], from byte: Int64, on motion: TapeMotion) -> [Int] {
        let places = reads.map { motion.place($0.start) }
        let up = reads.indices.filter { places[$0].wrap % 2 == 0 }
            .sorted { (places[$0].x, $0) < (places[$1].x, $1) }
        let down = reads.indices.filter { places[$0].wrap % 2 == 1 }
            .sorted { (-places[$0].x, $0) < (-places[$1].x, $1) }
        let half = motion.facts.length / 2
        return motion.place(byte).x <= half ? up + down : down + up
    }

    private static func nearest(_ reads: [TapeExtent], from byte: Int64, on motion: TapeMotion) -> [Int] {
        var left = Array(reads.indices)
        var order: [Int] = []
        var at = byte
        while !left.isEmpty {
            var (place, least) = (0, Double.infinity)
            for (candidate, read) in left.enumerated() {
                let seconds = motion.locateSeconds(from: at, to: reads[read].start)
                if seconds < least { (place, least) = (candidate, seconds) }
            }
            let read = left.remove(at: place)
            order.append(read)
            at = reads[read].end
        }
        return order
    }
}

/// Local search on an order: runs of one to three reads move, stretches are reversed. Times differ by direction, so that a
/// reversed stretch is summed anew.
private struct OrderSearch {
    var order: [Int]
    private let reads: [TapeExtent]
    private let byte: Int64
    private let motion: TapeMotion
    /// How far a run is moved, and how long a stretch is reversed, in places.
    private let reach: Int

    init(_ order: [Int], _ reads: [TapeExtent], _ byte: Int64, _ motion: TapeMotion, reach: Int) {
        (self.order, self.reads, self.byte, self.motion, self.reach) = (order, reads, byte, motion, reach)
    }

    /// From the read in one place of the order to the one in another; -1 is where the tape stands, the place after the last
    /// costs nothing.
    private func step(_ from: Int, _ to: Int) -> Double {
        guard to < order.count else { return 0 }
        let start = from < 0 ? byte : reads[order[from]].end
        return motion.locateSeconds(from: start, to: reads[order[to]].start)
    }

    mutating func run(rounds: Int) {
        for _ in 0..<rounds {
            var hasHelped = false
            for place in order.indices {
                for length in 1...3 where place + length <= order.count {
                    if moveRun(place, length) { hasHelped = true }
                }
                if reverse(from: place) { hasHelped = true }
            }
            if !hasHelped { return }
        }
    }

    /// Puts `length` reads from `place` where they save most.
    private mutating func moveRun(_ place: Int, _ length: Int) -> Bool {
        let after = place + length
        let saved = step(place - 1, place) + step(after - 1, after) - step(place - 1, after)
        guard saved > 1e-9 else { return false }
        var best: (gap: Int, gain: Double) = (0, 1e-9)
        for gap in max(0, place - reach)...min(order.count, after + reach) where gap < place || gap > after {
            let cost = step(gap - 1, place) + step(after - 1, gap) - step(gap - 1, gap)
            if saved - cost > best.gain { best = (gap, saved - cost) }
        }
        guard best.gain > 1e-9 else { return false }
        let moved = Array(order[place..<after])
        order.removeSubrange(place..<after)
        order.insert(contentsOf: moved, at: best.gap > place ? best.gap - length : best.gap)
        return true
    }

    /// Reverses the stretch that begins at `first` and saves most.
    private mutating func reverse(from first: Int) -> Bool {
        var (forward, backward) = (0.0, 0.0)
        var best: (last: Int, gain: Double) = (0, 1e-9)
        for last in (first + 1)..<max(first + 1, min(order.count, first + reach)) {
            forward += step(last - 1, last)
            backward += step(last, last - 1)
            let old = step(first - 1, first) + forward + step(last, last + 1)
            let new = step(first - 1, last) + backward + step(first, last + 1)
            if old - new > best.gain { best = (last, old - new) }
        }
        guard best.gain > 1e-9 else { return false }
        order[first...best.last].reverse()
        return true
    }
}
