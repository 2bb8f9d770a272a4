internal import Protection
internal import Units

/// What a value has to look like. The reader's getters and the JSON Schema both go by it.
indirect enum Shape: Hashable, Sendable {
    /// Any text, such as a column's name.
    case text
    /// A name, or with ranges in braces a pattern for many.
    case pattern
    /// The name of something the scenario has, of this kind.
    case reference(String)
    /// Names, wildcards or patterns of things of this kind.
    case references(String)
    case size, share, rate, duration, date, timeOfDay, moment, window, retention, distribution, bool
    /// A size, or a share of something said with the key.
    case amount
    case count(ClosedRange<Int>)
    case number(ClosedRange<Double>)
    case choice([String])
    case list(Shape)
    case oneOrMany(Shape)
    /// A mapping with the keys of the table of this name.
    case record(String)
    /// A mapping from names of the scenario's own to records.
    case named(String)
    /// One of several.
    case either([Shape])
    /// What a figure is held against.
    case bound(BoundKind)
    /// A moment that an expectation names, a span between two of them, and a time limit after one.
    case point, period, deadline
    /// A step of a machine's job; a duration forward or back.
    case step, offset

    enum BoundKind: Hashable, Sendable { case count, time, size, shareOrSize }

    /// What messages say is expected.
    var expected: String {
        switch self {
        case .text: "a text"
        case .pattern: NamePattern.expected
        case .reference(let kind): "the name of a \(kind)"
        case .references(let kind): "names of \(kind)s, such as web-01, web-{01..20} or \"web-*\""
        case .size: Bytes.expected
        case .share: Fraction.expected
        case .amount: "a percentage, such as 3 %, or \(Bytes.expected)"
        case .rate: ByteRate.expected
        case .duration: SimDuration.expected
        case .date: CivilDate.expected
        case .timeOfDay: TimeOfDay.expected
        case .moment: "a moment, such as 2026-01-12 02:00 or day 7 02:00"
        case .window: "a window of the day, such as 20:00 .. 06:00"
        case .retention: CalendarSpan.expected
        case .distribution:
            "a time or a distribution of times, such as 4 h, exponential 90 d, uniform 10 min .. 4 h, "
                + "normal 2 h deviation 30 min, lognormal 2 h variation 0.5 or weibull 90 d shape 1.5"
        case .bool: "yes or no"
        case .count(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
        case .choice(let words): "one of \(words.joined(separator: ", "))"
        case .list(let shape): "a list, each element \(shape.expected)"
        case .oneOrMany(let shape): "\(shape.expected), or a list of such"
        case .record(let name): "a mapping that describes \(Table.described(name))"
        case .named(let name): "a mapping from names to mappings that each describe a \(name)"
        case .either(let shapes): shapes.map(\.expected).joined(separator: "; or ")
        case .bound(.count): "a count, such as 2, once, never, at least 3, below 5 or 2 .. 4"
        case .bound(.time): "a duration to hold it against, such as below 2 h, at least 30 s or 1 h .. 2 h"
        case .bound(.size): "a size to hold it against, such as below 2 GB, 0 B or 1 GB .. 2 GB"
        case .bound(.shareOrSize): "a percentage or a size to hold it against, such as below 90 % or at most 2 TB"
        case .point:
            "a moment, such as day 7 02:00, 2026-01-12 02:00, start, end, a label of the script or 15 min after a label"
        case .period: "two moments, such as day 2 .. day 5 08:00 or crash .. 1 h after crash"
        case .step:
            "a step of a machine's job, such as job.snapshot of sql-03, express full.transfer of sql-03 at 40 %"
        case .offset: "a duration, also a negative one, such as 10 min or -2 h"
        case .deadline: "a duration, such as 3 d, or 15 min of a label of the script"
        }
    }
}

/// A key of a mapping: its shape, its default and what it means.
struct Field: Sendable {
    var key: String
    var shape: Shape
    var isRequired: Bool
    /// The text that stands in where the key is left out; nil: nothing does.
    var fallback: String?
    /// Where the default comes from.
    var source: String
    var meaning: String

    init(
        _ key: String, _ shape: Shape, required: Bool = false, default fallback: String? = nil,
        from source: String = "",
        _ meaning: String
    ) {
        (self.key, self.shape, isRequired) = (key, shape, required)
        (self.fallback, self.source, self.meaning) = (fallback, source, meaning)
    }
}

/// All keys a mapping of one kind may have.
struct Table: Sendable {
    var name: String
    var fields: [Field]
    private var places: [String: Int] = [:]

    init(_ name: String, _ fields: [Field]) {
        (self.name, self.fields) = (name, fields)
        for (index, field) in fields.enumerated() {
            precondition(places[field.key] == nil, "table \(name) has \(field.key) twice")
            places[field.key] = index
        }
    }

    var described: String { Table.described(name) }
    /// With its article, where it has one.
    static func described(_ name: String) -> String {
        name.hasSuffix("s") || name == "tuning"
            ? name : (name.first.map { "aeiou".contains($0) } == true ? "an " : "a ") + name
    }
    var keys: [String] { fields.map(\.key) }
    func field(_ key: String) -> Field? { places[key].map { fields[$0] } }
}
