public import Units

/// The mean and spread of a sample, one value at a time, without keeping it (Welford's method).
public struct Tally: Hashable, Sendable {
    public private(set) var count = 0
    /// 0 while empty.
    public private(set) var mean = 0.0
    public private(set) var least = Double.infinity
    public private(set) var greatest = -Double.infinity
    private var squares = 0.0

    public init() {}
    public init(_ values: some Sequence<Double>) { for value in values { add(value) } }

    public mutating func add(_ value: Double) {
        count += 1
        let before = value - mean
        mean += before / Double(count)
        squares += before * (value - mean)
        least = min(least, value)
        greatest = max(greatest, value)
    }

    /// The sample variance, with n - 1 in the denominator; 0 below two values.
    public var variance: Double { count < 2 ? 0 : squares / Double(count - 1) }
    public var deviation: Double { variance.squareRoot() }

    /// The Student interval of the mean, for independent values; nil below two.
    public func interval(confidence: Double) -> Interval? {
        guard count >= 2 else { return nil }
        let t = studentQuantile((1 + confidence) / 2, degrees: count - 1)
        return Interval(mean: mean, halfWidth: t * (variance / Double(count)).squareRoot())
    }
}

/// A mean, and how far to either side the true one may lie.
public struct Interval: Hashable, Sendable {
    public let mean: Double
    public let halfWidth: Double
    public init(mean: Double, halfWidth: Double) {
        self.mean = mean
        self.halfWidth = halfWidth
    }
    public var low: Double { mean - halfWidth }
    public var high: Double { mean + halfWidth }
    public func contains(_ value: Double) -> Bool { low <= value && value <= high }
}

/// The average over time of something that changes in steps, such as the length of a line.
public struct TimeWeighted: Hashable, Sendable {
    public private(set) var value: Double
    public private(set) var greatest: Double
    public private(set) var start: SimTime
    private var since: SimTime
    private var integral = 0.0

    public init(_ value: Double = 0, at time: SimTime = .start) {
        self.value = value
        greatest = value
        start = time
        since = time
    }

    /// The value from `time` on.
    /// - Precondition: `time` is not before the last change.
    public mutating func set(_ value: Double, at time: SimTime) {
        precondition(time >= since, "a value cannot change in the past: \(time) is before \(since)")
        integral += self.value * (time - since).seconds
        since = time
        self.value = value
        greatest = max(greatest, value)
    }

    /// Forgets what was before `time`, at the end of a warm-up.
    public mutating func restart(at time: SimTime) { self = TimeWeighted(value, at: time) }

    /// Value times seconds from the start to `time`.
    public func total(until time: SimTime) -> Double { integral + value * (time - since).seconds }

    /// The average from the start to `time`; the present value if no time has passed.
    public func mean(until time: SimTime) -> Double {
        time > start ? total(until: time) / (time - start).seconds : value
    }
}
