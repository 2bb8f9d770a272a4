/// Random draws for one purpose ("churn", "drive faults") of one entity in one replication.
///
/// Counter based: each stream depends on its own five facts and on nothing else, so a new stream, or more draws from one,
/// leaves every other as it was. Each variate takes exactly one draw, which keeps compared runs in step.
public struct RandomStream: Sendable {
    let key: (UInt32, UInt32)
    let replication: UInt32
    let entity: UInt32
    /// How many draws have been taken: the counter of the next one.
    public private(set) var drawCount: UInt64 = 0
    private var spare: UInt64 = 0

    /// The stream of that name: equal arguments give equal draws on every machine.
    public init(seed: UInt64, replication: UInt32 = 0, name: String, entity: Int32 = 0) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        let mixed = RandomStream.mix(RandomStream.mix(seed) ^ hash)
        key = (UInt32(truncatingIfNeeded: mixed), UInt32(truncatingIfNeeded: mixed >> 32))
        self.replication = replication
        self.entity = UInt32(bitPattern: entity)
    }

    // The finisher of SplitMix64: spreads near seeds and near names over all keys.
    static func mix(_ word: UInt64) -> UInt64 {
        var z = word &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    private func words(block: UInt64) -> (UInt64, UInt64) {
        let w = Philox.block(
            counter: (UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: block >> 32), entity, replication),
            key: key)
        return (UInt64(w.1) << 32 | UInt64(w.0), UInt64(w.3) << 32 | UInt64(w.2))
    }

    // Half a step off the grid, so that neither 0 nor 1 can come out and every logarithm is finite.
    private static func fraction(_ word: UInt64) -> Double { (Double(word >> 12) + 0.5) * 0x1p-52 }

    /// The next 64 random bits.
    public mutating func nextUInt64() -> UInt64 {
        defer { drawCount &+= 1 }
        if drawCount & 1 == 1 { return spare }
        let pair = words(block: drawCount >> 1)
        spare = pair.1
        return pair.0
    }

    /// The draw number `counter` as `uniform()` would give it, whatever was drawn before; moves nothing.
    public func draw(at counter: UInt64) -> Double {
        let pair = words(block: counter >> 1)
        return RandomStream.fraction(counter & 1 == 0 ? pair.0 : pair.1)
    }

    /// A number between 0 and 1, never either, in steps of 2^-52.
    public mutating func uniform() -> Double { RandomStream.fraction(nextUInt64()) }

    /// A number between `low` and `high`.
    public mutating func uniform(from low: Double, to high: Double) -> Double { low + (high - low) * uniform() }

    /// A whole number from 0 to `n - 1`; the bias is below n / 2^64.
    /// - Precondition: `n` is positive.
    public mutating func below(_ n: Int) -> Int {
        precondition(n > 0, "no number is below \(n)")
        return Int(nextUInt64().multipliedFullWidth(by: UInt64(n)).high)
    }

    /// A waiting time without memory.
    public mutating func exponential(mean: Double) -> Double { -mean * portableLog(uniform()) }

    /// A normal variate by inverse transform.
    public mutating func normal(mean: Double = 0, deviation: Double = 1) -> Double {
        mean + deviation * normalQuantile(uniform())
    }

    /// A lognormal variate of that mean and coefficient of variation (deviation over mean; 0 gives the mean itself).
    public mutating func lognormal(mean: Double, cv: Double) -> Double {
        let variance = portableLog(1 + cv * cv)
        return mean * portableExp(variance.squareRoot() * normalQuantile(uniform()) - variance / 2)
    }

    /// A Weibull variate; `scale` is the value that 1 - 1/e of all stay below.
    public mutating func weibull(shape: Double, scale: Double) -> Double {
        scale * portablePower(-portableLog(uniform()), 1 / shape)
    }

    /// One of `values`, `cumulative[i]` being the probability of `values[0...i]`; O(log n).
    /// - Precondition: as many values as probabilities, rising, and at least one.
    public mutating func empirical(values: [Double], cumulative: [Double]) -> Double {
        precondition(
            !values.isEmpty && values.count == cumulative.count,
            "\(values.count) values, \(cumulative.count) probabilities")
        let u = uniform()
        var low = 0
        var high = values.count - 1
        while low < high {
            let middle = (low + high) / 2
            if u < cumulative[middle] { high = middle } else { low = middle + 1 }
        }
        return values[low]
    }
}

/// Events at random with a constant rate: independent exponential gaps.
public struct PoissonProcess: Sendable {
    /// Events per unit of time.
    public let rate: Double
    private var stream: RandomStream

    /// - Precondition: `rate` is positive.
    public init(rate: Double, stream: RandomStream) {
        precondition(rate > 0, "a rate must be positive: \(rate)")
        self.rate = rate
        self.stream = stream
    }

    /// The gap until the next event.
    public mutating func next() -> Double { stream.exponential(mean: 1 / rate) }
}
