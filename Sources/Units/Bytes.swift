/// A count of bytes. Never negative; arithmetic traps rather than wraps.
///
/// `GB` is 10^9 and `GiB` is 2^30 everywhere in dpmsim, in files and in reports. DPM's own console says GB and means GiB.
@frozen public struct Bytes: Hashable, Comparable, Sendable {
    public let count: Int64

    @inlinable public init(_ count: Int64) {
        precondition(count >= 0, "a size cannot be negative: \(count)")
        self.count = count
    }

    public static let zero = Bytes(0)
    @inlinable public static func gigabytes(_ n: Int64) -> Bytes { Bytes(n * 1_000_000_000) }
    @inlinable public static func terabytes(_ n: Int64) -> Bytes { Bytes(n * 1_000_000_000_000) }
    @inlinable public static func megabytes(_ n: Int64) -> Bytes { Bytes(n * 1_000_000) }
    @inlinable public static func gibibytes(_ n: Int64) -> Bytes { Bytes(n << 30) }

    @inlinable public static func + (a: Bytes, b: Bytes) -> Bytes { Bytes(a.count + b.count) }
    @inlinable public static func - (a: Bytes, b: Bytes) -> Bytes { Bytes(a.count - b.count) }
    @inlinable public static func * (a: Bytes, n: Int64) -> Bytes { Bytes(a.count * n) }
    @inlinable public static func += (a: inout Bytes, b: Bytes) { a = a + b }
    @inlinable public static func -= (a: inout Bytes, b: Bytes) { a = a - b }
    @inlinable public static func < (a: Bytes, b: Bytes) -> Bool { a.count < b.count }

    /// This many bytes times `fraction`, rounded down to a whole byte.
    public func scaled(by fraction: Fraction) -> Bytes {
        let product = count.multipliedFullWidth(by: fraction.partsPerBillion)
        precondition(product.high < 500_000_000, "\(self) times \(fraction) does not fit")
        return Bytes(Int64(1_000_000_000).dividingFullWidth(product).quotient)
    }
}

extension Bytes: LosslessStringConvertible {
    static let units: [(name: String, count: Int64)] = [
        ("B", 1), ("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
        ("PB", 1_000_000_000_000_000), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
        ("PiB", 1 << 50),
    ]

    /// What a scenario may write, for messages.
    public static let expected = "a size with its unit (B, kB, MB, GB, TB, PB, KiB, MiB, GiB, TiB, PiB), such as 100 GB"

    /// Reads `100 GB`, `1.5 TiB`; nil unless it is a whole number of bytes with a unit.
    public init?(_ description: String) {
        guard let (number, unit) = splitQuantity(description), let decimal = DecimalText(number),
            let size = Bytes.units.first(where: { $0.name == unit })?.count, let count = decimal.times(size)
        else { return nil }
        self.init(count)
    }

    /// Exact: reading it back gives the same count. The largest decimal unit if three decimals suffice, else binary units,
    /// else smaller decimal ones, else bytes.
    public var description: String {
        let largest = (1...5).last { count >= Bytes.units[$0].count } ?? 1
        for unit in [largest, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1].map({ Bytes.units[$0] }) where count >= unit.count {
            if let text = DecimalText.exact(count, per: unit.count) { return "\(text) \(unit.name)" }
        }
        return "\(count) B"
    }

    /// Three significant digits in decimal units, for reports: `1.23 TB`.
    public var rounded: String {
        for unit in Bytes.units[1...5].reversed() where Double(count) >= 0.9995 * Double(unit.count) {
            return "\(threeDigits(Double(count) / Double(unit.count))) \(unit.name)"
        }
        return "\(count) B"
    }
}
