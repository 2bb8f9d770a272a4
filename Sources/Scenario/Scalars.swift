internal import Protection
internal import Units

/// A size, or a share of another.
enum Amount: Hashable {
    case size(Bytes)
    case share(Fraction)
    func of(_ whole: Bytes) -> Bytes {
        switch self {
        case .size(let size): size
        case .share(let share): whole.scaled(by: share)
        }
    }
}

/// Readers of single values: each gives the value, or reports what was expected and gives nil.
extension Report {
    /// No size of a scenario may be larger; far below what would overflow when summed over machines.
    static let largestSize = Bytes.terabytes(1_000)
    static let fastestRate = ByteRate.gigabitsPerSecond(100_000)
    static let longest = SimDuration.days(36_525)
    static let largestShare = Fraction(partsPerBillion: 100_000_000_000)

    func text(_ item: Item) -> String? {
        guard let text = item.text, !text.isEmpty else { return miss(item, Shape.text.expected) }
        return text
    }

    private func miss<T>(_ item: Item, _ expected: String, hint: String = "") -> T? {
        problem(item, expected: expected, hint: hint)
        return nil
    }

    private static let sizeUnits = ["B", "kB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB", "PiB"]
    private static let rateUnits = [
        "B/s", "kB/s", "MB/s", "GB/s", "MiB/s", "GiB/s", "bit/s", "kbit/s", "Mbit/s", "Gbit/s",
    ]
    private static let timeUnits = [
        "d", "h", "min", "s", "ms", "us", "ns", "w", "days", "hours", "minutes", "seconds", "weeks",
    ]

    /// What is wrong with a quantity, as far as it can be told: no unit, an unknown unit, a sign, a comma.
    private func unitHint(_ item: Item, _ units: [String], example: String) -> String {
        guard let text = item.text else { return "" }
        let number = text.prefix { $0.isASCII && ($0.isNumber || ".,-+_eE".contains($0)) }
        let unit = CSVTable.trimmed(String(text.dropFirst(number.count)))
        if text.hasPrefix("-") { return "It cannot be negative" }
        if number.isEmpty { return "" }
        if number.contains(",") { return "Write a decimal point, and no separators of thousands" }
        if unit.isEmpty { return "Give it a unit, such as \(example)" }
        if units.contains(unit) { return "" }
        if units.contains(unit + "/s") { return "Did you mean \(unit)/s?" }
        if let same = units.first(where: { $0.lowercased() == unit.lowercased() }) { return "Did you mean \(same)?" }
        if let near = nearest(to: unit, among: units) { return "Did you mean \(near)?" }
        return ""
    }

    func size(_ item: Item, zero: Bool = false) -> Bytes? {
        guard let size = item.text.flatMap({ Bytes($0) }) else {
            return miss(item, Bytes.expected, hint: unitHint(item, Report.sizeUnits, example: "100 GB"))
        }
        guard size <= Report.largestSize, zero || size > .zero else {
            return miss(item, "a size from \(zero ? "0 B" : "1 B") to \(Report.largestSize)")
        }
        return size
    }

    func amount(_ item: Item) -> Amount? {
        guard let text = item.text else { return miss(item, Shape.amount.expected) }
        if text.hasSuffix("%") { return share(item).map { .share($0) } }
        guard Bytes(text) != nil else {
            return miss(
                item, Shape.amount.expected, hint: unitHint(item, Report.sizeUnits + ["%"], example: "3 % or 2 GB"))
        }
        return size(item, zero: true).map { .size($0) }
    }

    func share(_ item: Item, atMost limit: Fraction = largestShare) -> Fraction? {
        guard let text = item.text, text.hasSuffix("%"), let share = Fraction(text) else {
            return miss(item, Fraction.expected, hint: unitHint(item, ["%"], example: "3 %"))
        }
        guard share <= limit else { return miss(item, "a percentage up to \(limit)") }
        return share
    }

    func rate(_ item: Item) -> ByteRate? {
        guard let rate = item.text.flatMap({ ByteRate($0) }) else {
            return miss(item, ByteRate.expected, hint: unitHint(item, Report.rateUnits, example: "10 Gbit/s"))
        }
        guard rate.bytesPerSecond > 0, rate <= Report.fastestRate else {
            return miss(item, "a rate from 1 B/s to \(Report.fastestRate)", hint: "An outage is a line of the script")
        }
        return rate
    }

    func duration(_ item: Item, zero: Bool = true) -> SimDuration? {
        guard let duration = item.text.flatMap({ SimDuration($0) }) else {
            return miss(item, SimDuration.expected, hint: unitHint(item, Report.timeUnits, example: "45 min"))
        }
        guard duration <= Report.longest, duration >= .zero, zero || duration > .zero else {
            return miss(item, "a duration \(zero ? "from 0 s" : "above 0 s") to 100 years of 365.25 d")
        }
        return duration
    }

    func date(_ item: Item) -> CivilDate? {
        guard let date = item.text.flatMap({ CivilDate($0) }) else { return miss(item, CivilDate.expected) }
        guard (1970...2200).contains(date.yearMonthDay.year) else { return miss(item, "a date from 1970 to 2200") }
        return date
    }

    func timeOfDay(_ item: Item) -> TimeOfDay? {
        guard let time = item.text.flatMap({ TimeOfDay($0) }) else {
            return miss(item, TimeOfDay.expected, hint: item.text == "24:00" ? "The day's last minute is 23:59" : "")
        }
        return time
    }

    func retention(_ item: Item) -> CalendarSpan? {
        guard let span = item.text.flatMap({ CalendarSpan($0) }), span.count > 0, span.approximateDays < 40_000 else {
            return miss(item, CalendarSpan.expected)
        }
        return span
    }

    /// `20:00 .. 06:00`, also `20:00-06:00`.
    func window(_ item: Item) -> DailyWindow? {
        let sides = halves(item.text ?? "", "..") ?? halves(item.text ?? "", "-")
        guard let (from, to) = sides, let start = TimeOfDay(from), let end = TimeOfDay(to), start != end else {
            return miss(item, Shape.window.expected)
        }
        let minutes = (end.minutes - start.minutes + 1_440) % 1_440
        return DailyWindow(start: start, duration: .minutes(Int64(minutes)))
    }

    /// `2026-01-12 02:00`, `2026-01-12`, `day 7 02:00` (day 1 is the first), `day 7`.
    func moment(_ item: Item, expected: String = Shape.moment.expected, clock: CivilClock) -> SimTime? {
        let words = (item.text ?? "").split(separator: " ").map(String.init)
        var date: CivilDate?
        var rest: ArraySlice<String> = []
        if words.first == "day", words.count >= 2, let number = Int(words[1]), (1...36_525).contains(number) {
            date = clock.startDate.adding(days: number - 1)
            rest = words[2...]
        } else if let first = words.first {
            date = CivilDate(first)
            rest = words[1...]
        }
        let time = rest.isEmpty ? TimeOfDay(hour: 0) : rest.count == 1 ? TimeOfDay(rest[rest.startIndex]) : nil
        guard let date, let time else { return miss(item, expected) }
        guard date.daysSince1970 - clock.startDate.daysSince1970 <= 36_525 else {
            return miss(item, "a moment within 100 years of the scenario's start, \(clock.startDate)")
        }
        guard date >= clock.startDate else {
            return miss(item, "a moment not before the scenario's start, \(clock.startDate)")
        }
        return clock.time(of: date, at: time)
    }

    func distribution(_ item: Item) -> TimeDistribution? {
        guard let distribution = item.text.flatMap({ parseDistribution($0) }) else {
            return miss(item, Shape.distribution.expected)
        }
        return distribution
    }

    private func parseDistribution(_ text: String) -> TimeDistribution? {
        func span(_ text: some StringProtocol) -> SimDuration? {
            guard let span = SimDuration(String(text)), span > .zero, span <= Report.longest else { return nil }
            return span
        }
        func shape(_ text: String) -> Double? {
            guard let value = Double(text), value >= 0.01, value <= 100 else { return nil }
            return value
        }
        if let fixed = span(text) { return .fixed(fixed) }
        let words = text.split(separator: " ", maxSplits: 1).map(String.init)
        guard words.count == 2 else { return nil }
        let rest = words[1]
        switch words[0] {
        case "exponential": return span(rest).map { .exponential(mean: $0) }
        case "uniform":
            guard let (a, b) = halves(rest, ".."), let from = SimDuration(a), let to = span(b), from >= .zero, from < to
            else { return nil }
            return .uniform(from: from, to: to)
        case "normal":
            guard let (a, b) = halves(rest, "deviation"), let mean = span(a), let deviation = span(b) else {
                return nil
            }
            return .normal(mean: mean, deviation: deviation)
        case "lognormal":
            guard let (a, b) = halves(rest, "variation"), let mean = span(a), let variation = shape(b) else {
                return nil
            }
            return .lognormal(mean: mean, variation: variation)
        case "weibull":
            guard let (a, b) = halves(rest, "shape"), let scale = span(a), let value = shape(b) else { return nil }
            return .weibull(shape: value, scale: scale)
        default: return nil
        }
    }

    /// The two sides of a word, without the spaces around them.
    private func halves(_ text: String, _ word: String) -> (String, String)? {
        let parts = text.split(separator: word, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        return (CSVTable.trimmed(String(parts[0])), CSVTable.trimmed(String(parts[1])))
    }

    func bool(_ item: Item) -> Bool? {
        switch item.text?.lowercased() {
        case "yes", "true", "on": return true
        case "no", "false", "off": return false
        default: return miss(item, Shape.bool.expected)
        }
    }

    func count(_ item: Item, _ range: ClosedRange<Int>) -> Int? {
        guard let count = item.text.flatMap({ Int($0) }), range.contains(count) else {
            return miss(item, Shape.count(range).expected)
        }
        return count
    }

    func number(_ item: Item, _ range: ClosedRange<Double>) -> Double? {
        guard let number = item.text.flatMap({ plainNumber($0) }), range.contains(number) else {
            return miss(item, Shape.number(range).expected)
        }
        return number
    }

    /// Digits and at most one point; hexadecimal, infinities and exponents are not what a person means here.
    private func plainNumber(_ text: String) -> Double? {
        text.utf8.count <= 18 && text.utf8.allSatisfy { ($0 >= 48 && $0 <= 57) || $0 == UInt8(ascii: ".") }
            ? Double(text) : nil
    }

    func choice(_ item: Item, _ words: [String]) -> String? {
        guard let text = item.text, let word = words.first(where: { $0.lowercased() == text.lowercased() }) else {
            // One year is not a misspelling of another.
            let near = item.text.flatMap { Int($0) == nil ? nearest(to: $0, among: words) : nil }
            return miss(item, Shape.choice(words).expected, hint: near.map { "Did you mean \($0)?" } ?? "")
        }
        return word
    }
}
