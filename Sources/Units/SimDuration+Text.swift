extension SimDuration: LosslessStringConvertible {
    static let units: [(names: [String], nanoseconds: Int64)] = [
        (["d", "day", "days"], 86_400_000_000_000), (["h", "hour", "hours"], 3_600_000_000_000),
        (["min", "minute", "minutes"], 60_000_000_000), (["s", "second", "seconds"], 1_000_000_000),
        (["ms"], 1_000_000), (["us"], 1_000), (["ns"], 1), (["w", "week", "weeks"], 604_800_000_000_000),
    ]

    /// What a scenario may write, for messages.
    public static let expected = "a duration with its unit (ms, s, min, h, d, w), such as 45 min or 1 h 30 min"

    /// Reads `45 min`, `1.5 h`, `1 h 30 min`, `14 days`; nil unless every part has a unit.
    public init?(_ description: String) {
        var rest = Substring(description).drop { $0 == " " }
        var total: Int64 = 0
        var parts = 0
        let negative = rest.first == "-"
        if negative { rest = rest.dropFirst() }
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(number.count).drop { $0 == " " }
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count).drop { $0 == " " }
            guard let decimal = DecimalText(number),
                let size = SimDuration.units.first(where: { $0.names.contains(String(unit)) })?.nanoseconds,
                let count = decimal.times(size)
            else { return nil }
            let (sum, overflow) = total.addingReportingOverflow(count)
            guard !overflow else { return nil }
            (total, parts) = (sum, parts + 1)
        }
        guard parts > 0 else { return nil }
        self.init(nanoseconds: negative ? -total : total)
    }

    /// Exact: reading it back gives the same span. `1 d 2 h 30 min 4.5 s`.
    public var description: String {
        guard nanoseconds != 0 else { return "0 s" }
        guard nanoseconds > Int64.min else { return "-106751 d 23 h 47 min 16 s 854 ms 775 us 808 ns" }
        var rest = abs(nanoseconds)
        var parts: [String] = []
        for unit in SimDuration.units[0...6] {
            if unit.nanoseconds == 1_000_000_000, let text = DecimalText.exact(rest, per: unit.nanoseconds), rest > 0 {
                parts.append("\(text) s")
                rest = 0
            }
            guard rest >= unit.nanoseconds else { continue }
            parts.append("\(rest / unit.nanoseconds) \(unit.names[0])")
            rest %= unit.nanoseconds
        }
        return (nanoseconds < 0 ? "-" : "") + parts.joined(separator: " ")
    }

    /// Two units at most, for reports: `3 d 4 h`, `12 min 5 s`, `0.25 s`.
    public var rounded: String {
        let sign = nanoseconds < 0 ? "-" : ""
        let size = SimDuration(nanoseconds: abs(nanoseconds)).seconds
        if size < 60 { return sign + threeDigits(size) + " s" }
        let whole = Int64(size.rounded())
        if whole < 3_600 { return sign + "\(whole / 60) min" + (whole % 60 == 0 ? "" : " \(whole % 60) s") }
        let minutes = (whole + 30) / 60
        if minutes < 1_440 { return sign + "\(minutes / 60) h" + (minutes % 60 == 0 ? "" : " \(minutes % 60) min") }
        let hours = (minutes + 30) / 60
        return sign + "\(hours / 24) d" + (hours % 24 == 0 ? "" : " \(hours % 24) h")
    }
}
