import Units

/// What a figure is held against: `below 90 %`, `at least 2`, `1 h .. 2 h`.
public struct Bound: Sendable, Hashable, CustomStringConvertible {
    /// How a figure has to stand to the value.
    public enum Relation: String, CaseIterable, Sendable {
        case atLeast = "at least", atMost = "at most", above, below, exactly
        /// Both ends belong to it.
        case between
    }
    /// What the figure is measured in: a plain count, bytes, nanoseconds, parts of a billion.
    public enum Measure: Sendable, Hashable { case count, bytes, time, share }

    public let relation: Relation
    public let value: Int64
    /// The upper end of `between`; else as `value`.
    public let upper: Int64
    public let measure: Measure

    /// One end, or one exact value.
    public init(_ relation: Relation, _ value: Int64, _ measure: Measure) {
        (self.relation, self.value, upper, self.measure) = (relation, value, value, measure)
    }
    /// From `value` to `upper`, both included.
    public init(from value: Int64, to upper: Int64, _ measure: Measure) {
        (relation, self.value, self.upper, self.measure) = (.between, value, upper, measure)
    }

    /// Whether a figure keeps to it.
    public func holds(_ figure: Int64) -> Bool {
        switch relation {
        case .atLeast: figure >= value
        case .atMost: figure <= value
        case .above: figure > value
        case .below: figure < value
        case .exactly: figure == value
        case .between: figure >= value && figure <= upper
        }
    }

    /// A figure in this measure, as a person reads it.
    public func text(_ figure: Int64) -> String {
        switch measure {
        case .count: "\(figure)"
        case .bytes: Bytes(figure).rounded
        case .time: figure == 0 ? "0 s" : SimDuration(nanoseconds: figure).rounded
        case .share: "\(Fraction(partsPerBillion: max(0, figure) / 1_000_000 * 1_000_000))"
        }
    }

    // Exact, unlike `text`: what was asked for must not be rounded away.
    private func exact(_ figure: Int64) -> String {
        switch measure {
        case .count: "\(figure)"
        case .bytes: "\(Bytes(figure))"
        case .time: "\(SimDuration(nanoseconds: figure))"
        case .share: "\(Fraction(partsPerBillion: figure))"
        }
    }

    public var description: String {
        switch relation {
        case .exactly: exact(value)
        case .between: "\(exact(value)) .. \(exact(upper))"
        case .atLeast, .atMost, .above, .below: "\(relation.rawValue) \(exact(value))"
        }
    }
}
