/// A span of simulated time, in whole nanoseconds. May be negative where it is a difference.
@frozen public struct SimDuration: Hashable, Comparable, Sendable {
    public let nanoseconds: Int64

    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// `seconds` rounded up to the next nanosecond: what is said to be done at the end is done by then.
    @inlinable public init(roundingUp seconds: Double) {
        precondition(seconds < 9.2e9 && seconds > -9.2e9, "a span of \(seconds) s does not fit (292 years)")
        nanoseconds = Int64((seconds * 1e9).rounded(.up))
    }

    public static let zero = SimDuration(nanoseconds: 0)
    @inlinable public static func milliseconds(_ n: Int64) -> SimDuration { SimDuration(nanoseconds: n * 1_000_000) }
    @inlinable public static func seconds(_ n: Int64) -> SimDuration { SimDuration(nanoseconds: n * 1_000_000_000) }
    @inlinable public static func minutes(_ n: Int64) -> SimDuration { .seconds(n * 60) }
    @inlinable public static func hours(_ n: Int64) -> SimDuration { .seconds(n * 3_600) }
    @inlinable public static func days(_ n: Int64) -> SimDuration { .seconds(n * 86_400) }

    /// For rates and plots; a sum of durations is taken in nanoseconds, never in this.
    @inlinable public var seconds: Double { Double(nanoseconds) / 1e9 }

    @inlinable public static func < (a: SimDuration, b: SimDuration) -> Bool { a.nanoseconds < b.nanoseconds }
    @inlinable public static func + (a: SimDuration, b: SimDuration) -> SimDuration {
        SimDuration(nanoseconds: a.nanoseconds + b.nanoseconds)
    }
    @inlinable public static func - (a: SimDuration, b: SimDuration) -> SimDuration {
        SimDuration(nanoseconds: a.nanoseconds - b.nanoseconds)
    }
    @inlinable public static func * (a: SimDuration, n: Int64) -> SimDuration {
        SimDuration(nanoseconds: a.nanoseconds * n)
    }
    @inlinable public static func += (a: inout SimDuration, b: SimDuration) { a = a + b }
}

/// A moment of simulated time, in whole nanoseconds since the scenario's start. Not a `SimDuration`.
@frozen public struct SimTime: Hashable, Comparable, Sendable {
    public let nanoseconds: Int64

    @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static let start = SimTime(nanoseconds: 0)
    /// Later than anything that can be scheduled.
    public static let never = SimTime(nanoseconds: .max)

    /// Seconds since the start, for rates and plots.
    @inlinable public var seconds: Double { Double(nanoseconds) / 1e9 }

    @inlinable public static func < (a: SimTime, b: SimTime) -> Bool { a.nanoseconds < b.nanoseconds }
    @inlinable public static func + (t: SimTime, d: SimDuration) -> SimTime {
        SimTime(nanoseconds: t.nanoseconds + d.nanoseconds)
    }
    @inlinable public static func - (t: SimTime, d: SimDuration) -> SimTime {
        SimTime(nanoseconds: t.nanoseconds - d.nanoseconds)
    }
    @inlinable public static func - (a: SimTime, b: SimTime) -> SimDuration {
        SimDuration(nanoseconds: a.nanoseconds - b.nanoseconds)
    }
}

extension SimTime: CustomStringConvertible {
    public var description: String { "t+\(SimDuration(nanoseconds: nanoseconds))" }
}
