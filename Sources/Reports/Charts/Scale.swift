import Units

/// Maps values to places on a chart.
struct Scale {
    let low: Double
    let high: Double
    let from: Double
    let to: Double

    func callAsFunction(_ value: Double) -> Double {
        guard high > low else { return from }
        return from + (min(max(value, low), high) - low) / (high - low) * (to - from)
    }
}

/// A coordinate with one decimal, as short as it goes: `12.5`, `7`.
func place(_ value: Double) -> String {
    let tenths = Int64((value * 10).rounded())
    if tenths % 10 == 0 { return "\(tenths / 10)" }
    let size = abs(tenths)
    return (tenths < 0 ? "-" : "") + "\(size / 10).\(size % 10)"
}

/// Ticks of an axis of quantities, from zero, at round steps of its unit.
struct ValueAxis {
    enum Unit { case bytes, count, duration, share }
    let unit: Unit
    /// The axis ends here: at the first tick at or above the greatest value.
    let high: Double
    let ticks: [(value: Double, label: String)]

    init(_ unit: Unit, upTo greatest: Double, about count: Int = 5) {
        self.unit = unit
        let top = greatest > 0 && greatest.isFinite ? greatest : 1
        let step = ValueAxis.step(unit, top / Double(count))
        let steps = max(1, Int((top / step).rounded(.up)))
        high = Double(steps) * step
        ticks = (0...steps).map { (Double($0) * step, ValueAxis.label(unit, Double($0) * step)) }
    }

    /// The smallest round step not below `raw`.
    static func step(_ unit: Unit, _ raw: Double) -> Double {
        if unit == .duration {
            let seconds: [Double] = [
                1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 43_200,
                86_400,
                172_800, 604_800,
            ]
            if let fit = seconds.first(where: { $0 >= raw }) { return fit }
            return 604_800 * decimal(raw / 604_800)
        }
        let step = decimal(raw)
        return unit == .count || unit == .bytes ? max(1, step) : step
    }

    // One, two or five times a power of ten.
    private static func decimal(_ raw: Double) -> Double {
        var power = 1.0
        while power * 10 <= raw { power *= 10 }
        while power > raw { power /= 10 }
        return [1, 2, 5, 10].map { $0 * power }.first { $0 >= raw * (1 - 1e-9) } ?? 10 * power
    }

    static func label(_ unit: Unit, _ value: Double) -> String {
        switch unit {
        case .bytes: shortened(Bytes(Int64(min(max(value, 0), 9e18))).rounded)
        case .count: grouped(Int64(value.rounded()))
        case .duration: value == 0 ? "0" : SimDuration(roundingUp: value.rounded()).rounded
        case .share: percent(value)
        }
    }

    // `5.00 TB` as `5 TB`: ticks are round.
    private static func shortened(_ text: String) -> String {
        let parts = text.split(separator: " ")
        guard parts.count == 2, parts[0].contains(".") else { return text == "0 B" ? "0" : text }
        var number = parts[0]
        while number.hasSuffix("0") { number.removeLast() }
        if number.hasSuffix(".") { number.removeLast() }
        return "\(number) \(parts[1])"
    }
}

/// Ticks of an axis of civil time: hours of a day, days, weeks or months, as many as have room.
struct TimeAxis {
    let ticks: [(at: SimTime, label: String)]

    init(_ clock: CivilClock, from: SimTime, to: SimTime, most: Int = 9) {
        let span = (to - from).seconds
        guard span > 0 else {
            ticks = [(from, TimeAxis.day(clock.date(of: from)))]
            return
        }
        if let hours = [1, 2, 3, 6].first(where: { span / Double($0 * 3_600) <= Double(most) }) {
            ticks = TimeAxis.hours(clock, from, to, hours)
        } else if let days = [1, 2, 7, 14].first(where: { span / Double($0 * 86_400) <= Double(most) }) {
            ticks = TimeAxis.days(clock, from, to, days)
        } else {
            let months = [1, 2, 3, 6, 12, 24, 60].first { span / Double($0 * 2_629_800) <= Double(most) } ?? 120
            ticks = TimeAxis.months(clock, from, to, months)
        }
    }

    private static func hours(_ clock: CivilClock, _ from: SimTime, _ to: SimTime, _ step: Int)
        -> [(at: SimTime, label: String)]
    {
        var ticks: [(at: SimTime, label: String)] = []
        var time = clock.time(of: clock.date(of: from))
        while time <= to {
            if time >= from {
                let hour = Int(clock.sinceMidnight(of: time).seconds) / 3_600
                ticks.append((time, hour == 0 ? day(clock.date(of: time)) : TimeOfDay(hour: hour).description))
            }
            time = time + .hours(Int64(step))
        }
        return ticks
    }
    private static func days(_ clock: CivilClock, _ from: SimTime, _ to: SimTime, _ step: Int)
        -> [(at: SimTime, label: String)]
    {
        var ticks: [(at: SimTime, label: String)] = []
        var date = clock.date(of: from)
        while clock.time(of: date) <= to {
            if clock.time(of: date) >= from { ticks.append((clock.time(of: date), day(date))) }
            date = date.adding(days: step)
        }
        return ticks
    }
    private static func months(_ clock: CivilClock, _ from: SimTime, _ to: SimTime, _ step: Int)
        -> [(at: SimTime, label: String)]
    {
        var ticks: [(at: SimTime, label: String)] = []
        let (year, month, first) = clock.date(of: from).yearMonthDay
        var date = CivilDate(year: year, month: month, day: 1)!.adding(months: first == 1 ? 0 : 1)
        while clock.time(of: date) <= to {
            let (year, month, _) = date.yearMonthDay
            ticks.append((clock.time(of: date), month == 1 || step >= 12 ? "\(year)" : name(month)))
            date = date.adding(months: step)
        }
        return ticks
    }

    /// `5 Jan`.
    static func day(_ date: CivilDate) -> String { "\(date.yearMonthDay.day) \(name(date.yearMonthDay.month))" }
    private static func name(_ month: Int) -> String {
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][month - 1]
    }
}
