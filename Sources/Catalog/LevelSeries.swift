public import Protection
public import Units

/// Levels over time in flat columns: a moment, and as many values as the first one had.
public struct LevelSeries: RandomAccessCollection, Sendable {
    /// Moments, ascending as they were noted.
    public private(set) var times: [SimTime] = []
    /// Values of one moment; zero while nothing was noted.
    public private(set) var width = 0
    private var values: [Int64] = []
    public init() {}

    public var startIndex: Int { 0 }
    public var endIndex: Int { times.count }
    public subscript(position: Int) -> Level { Level(at: times[position], values: Array(row(position))) }

    /// The values of one moment, without a copy.
    public func row(_ position: Int) -> ArraySlice<Int64> { values[position * width..<(position + 1) * width] }
    /// One value of one moment.
    public func value(_ position: Int, _ column: Int) -> Int64 { values[position * width + column] }

    /// Adds a moment. Two notes of the same moment become one, the later: nothing can be seen between them.
    /// - Precondition: as many values as the first level had, and not before the last one.
    public mutating func append(_ level: Level) {
        if times.isEmpty { width = level.values.count }
        precondition(level.values.count == width, "a level of \(level.values.count) values in a series of \(width)")
        precondition(times.last.map { $0 <= level.at } ?? true, "a level noted out of order")
        if times.last == level.at {
            values.removeLast(width)
        } else {
            times.append(level.at)
        }
        values.append(contentsOf: level.values)
    }
}
