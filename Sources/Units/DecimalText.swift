/// A number as a person writes it, kept exact: `mantissa / 10^scale`.
struct DecimalText {
    var mantissa: Int64
    var scale: Int

    /// Reads `12`, `1.5`, `0.125`; no sign, no exponent, no separators. Nil if it is not one or too long.
    init?(_ text: some StringProtocol) {
        var mantissa: Int64 = 0
        var scale = 0
        var digits = 0
        var seenPoint = false
        for byte in text.utf8 {
            if byte == UInt8(ascii: "."), !seenPoint, digits > 0 {
                seenPoint = true
                continue
            }
            guard byte >= 48, byte <= 57, digits < 18 else { return nil }
            mantissa = mantissa * 10 + Int64(byte - 48)
            digits += 1
            if seenPoint { scale += 1 }
        }
        guard digits > 0, !(seenPoint && scale == 0) else { return nil }
        (self.mantissa, self.scale) = (mantissa, scale)
    }

    /// The number times `unit`, if that is a whole number that fits.
    func times(_ unit: Int64) -> Int64? {
        var divisor: Int64 = 1
        for _ in 0..<scale { divisor *= 10 }
        let product = mantissa.multipliedFullWidth(by: unit)
        guard product.high < divisor / 2 || (product.high == 0 && divisor == 1) else { return nil }
        if product.high == 0, product.low > UInt64(Int64.max), divisor == 1 { return nil }
        let (quotient, remainder) = divisor.dividingFullWidth(product)
        return remainder == 0 ? quotient : nil
    }

    /// `value / unit` in at most three decimals, or nil if that would not be exact.
    static func exact(_ value: Int64, per unit: Int64) -> String? {
        guard value >= 0 else { return nil }
        let whole = value / unit
        let rest = value % unit
        if rest == 0 { return "\(whole)" }
        let (thousandths, overflow) = rest.multipliedReportingOverflow(by: 1000)
        guard !overflow, thousandths % unit == 0 else { return nil }
        var digits = "\(thousandths / unit)"
        while digits.count < 3 { digits = "0" + digits }
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(whole).\(digits)"
    }
}

/// `value` with three significant digits, as tables and plots print it: 1.23, 45.6, 789, 12340.
public func threeDigits(_ value: Double) -> String {
    let size = abs(value)
    let places = size < 9.995 ? 100.0 : size < 99.95 ? 10.0 : 1.0
    let scaled = (size * places).rounded()
    guard scaled < 9e18 else { return "\(value)" }
    let units = Int64(scaled)
    let sign = value < 0 && units != 0 ? "-" : ""
    switch places {
    case 100: return sign + "\(units / 100).\(twoDigits(units % 100))"
    case 10: return sign + "\(units / 10).\(units % 10)"
    default: return sign + "\(units)"
    }
}

func twoDigits(_ n: Int64) -> String { n < 10 ? "0\(n)" : "\(n)" }

/// Splits `100 GB` or `100GB` into number and unit; nil if there is no number in front.
func splitQuantity(_ text: some StringProtocol) -> (number: Substring, unit: String)? {
    let trimmed = text.drop { $0 == " " }
    let number = trimmed.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    guard !number.isEmpty else { return nil }
    let rest = trimmed.dropFirst(number.count).drop { $0 == " " }
    var unit = String(rest)
    while unit.hasSuffix(" ") { unit.removeLast() }
    return (Substring(String(number)), unit)
}
