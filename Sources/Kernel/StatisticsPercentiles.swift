/// Exact percentiles of a whole sample, sorted once.
public struct Percentiles: Sendable {
    /// The sample in rising order.
    public let sorted: [Double]

    /// - Precondition: no value is NaN.
    public init(_ values: [Double]) {
        precondition(!values.contains { $0.isNaN }, "a sample with NaN has no order")
        sorted = values.sorted()
    }

    /// Nearest rank: the least value of the sample that at least the share `p` of it does not exceed; nil while empty.
    /// Always a value that occurred: for "95 % of the nights were done by".
    public func nearestRank(_ p: Double) -> Double? {
        guard !sorted.isEmpty else { return nil }
        let rank = (p * Double(sorted.count)).rounded(.up)
        return sorted[min(max(Int(rank), 1), sorted.count) - 1]
    }

    /// Linear interpolation between the neighbours of `p * (n - 1)`, type 7 of Hyndman and Fan (1996), the default of
    /// NumPy and R; nil while empty.
    public func interpolated(_ p: Double) -> Double? {
        guard !sorted.isEmpty else { return nil }
        let place = min(max(p, 0), 1) * Double(sorted.count - 1)
        let below = Int(place)
        let above = min(below + 1, sorted.count - 1)
        return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
    }
}
