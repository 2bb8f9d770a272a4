/// A share or ratio, in whole parts per billion. Never negative; may exceed one (a compression ratio of 2.5).
@frozen public struct Fraction: Hashable, Comparable, Sendable {
    public let partsPerBillion: Int64

    @inlinable public init(partsPerBillion: Int64) {
        precondition(partsPerBillion >= 0, "a share cannot be negative: \(partsPerBillion)")
        self.partsPerBillion = partsPerBillion
    }

    public static let zero = Fraction(partsPerBillion: 0)
    public static let one = Fraction(partsPerBillion: 1_000_000_000)
    @inlinable public static func percent(_ n: Int64) -> Fraction { Fraction(partsPerBillion: n * 10_000_000) }

    /// For models that compute in floating point.
    @inlinable public var value: Double { Double(partsPerBillion) / 1e9 }

    @inlinable public static func < (a: Fraction, b: Fraction) -> Bool { a.partsPerBillion < b.partsPerBillion }
}

extension Fraction: LosslessStringConvertible {
    /// What a scenario may write, for messages.
    public static let expected = "a percentage, such as 3 %"

    /// Reads `3 %`, `0.5 %`, and plain ratios such as `1.5`.
    public init?(_ description: String) {
        guard let (number, unit) = splitQuantity(description), let decimal = DecimalText(number),
            unit == "%" || unit.isEmpty, let parts = decimal.times(unit == "%" ? 10_000_000 : 1_000_000_000)
        else { return nil }
        self.init(partsPerBillion: parts)
    }

    /// Exact percentage: reading it back gives the same share.
    public var description: String {
        var digits = "\(partsPerBillion)"
        while digits.count < 8 { digits = "0" + digits }
        var fraction = String(digits.suffix(7))
        while fraction.hasSuffix("0") { fraction.removeLast() }
        let whole = digits.dropLast(7)
        return fraction.isEmpty ? "\(whole) %" : "\(whole).\(fraction) %"
    }
}
