/// A day of the week, Monday first, as schedules name it.
@frozen public enum Weekday: Int, CaseIterable, Sendable, Hashable, Comparable {
    case monday, tuesday, wednesday, thursday, friday, saturday, sunday
    public static func < (a: Weekday, b: Weekday) -> Bool { a.rawValue < b.rawValue }
    /// Three letters: `Mon`.
    public var short: String { ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][rawValue] }
}

/// A minute of a day, 00:00 to 23:59.
@frozen public struct TimeOfDay: Hashable, Comparable, Sendable, LosslessStringConvertible {
    public let minutes: Int
    public init(hour: Int, minute: Int = 0) {
        precondition((0..<24).contains(hour) && (0..<60).contains(minute), "no such time of day: \(hour):\(minute)")
        minutes = hour * 60 + minute
    }
    public static let expected = "a time of day, such as 20:00"
    public init?(_ description: String) {
        let parts = description.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, (1...2).contains(parts[0].count), parts[1].count == 2, let hour = Int(parts[0]),
            let minute = Int(parts[1]), (0..<24).contains(hour), (0..<60).contains(minute)
        else { return nil }
        self.init(hour: hour, minute: minute)
    }
    public var description: String { twoDigits(Int64(minutes / 60)) + ":" + twoDigits(Int64(minutes % 60)) }
    public var sinceMidnight: SimDuration { .minutes(Int64(minutes)) }
    public static func < (a: TimeOfDay, b: TimeOfDay) -> Bool { a.minutes < b.minutes }
}

/// A day of the proleptic Gregorian calendar, counted from 1970-01-01.
@frozen public struct CivilDate: Hashable, Comparable, Sendable, LosslessStringConvertible {
    public let daysSince1970: Int

    public init(daysSince1970: Int) { self.daysSince1970 = daysSince1970 }

    /// Nil if there is no such day. Algorithm: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    public init?(year: Int, month: Int, day: Int) {
        guard (1...12).contains(month), day >= 1, day <= CivilDate.days(in: month, of: year), (1...9999).contains(year)
        else { return nil }
        let y = month <= 2 ? year - 1 : year
        let era = y / 400
        let yoe = y - era * 400
        let doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        daysSince1970 = era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
    }

    public var yearMonthDay: (year: Int, month: Int, day: Int) {
        let z = daysSince1970 + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let doe = z - era * 146_097
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100)
        let mp = (5 * doy + 2) / 153
        let month = mp < 10 ? mp + 3 : mp - 9
        return (yoe + era * 400 + (month <= 2 ? 1 : 0), month, doy - (153 * mp + 2) / 5 + 1)
    }

    public static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    public var weekday: Weekday {
        let n = (daysSince1970 + 3) % 7
        return Weekday.allCases[n < 0 ? n + 7 : n]
    }

    /// The same day `months` later; the last day of that month where it has no such day.
    public func adding(months: Int) -> CivilDate {
        let (year, month, day) = yearMonthDay
        let index = year * 12 + month - 1 + months
        let (y, m) = (index / 12, index % 12 + 1)
        return CivilDate(year: y, month: m, day: min(day, CivilDate.days(in: m, of: y)))!
    }
    public func adding(days: Int) -> CivilDate { CivilDate(daysSince1970: daysSince1970 + days) }

    public static let expected = "a date, such as 2026-01-05"
    public init?(_ description: String) {
        let parts = description.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].count == 4, parts[1].count == 2, parts[2].count == 2, let year = Int(parts[0]),
            let month = Int(parts[1]), let day = Int(parts[2])
        else { return nil }
        self.init(year: year, month: month, day: day)
    }
    public var description: String {
        let (year, month, day) = yearMonthDay
        let digits = "\(year)"
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits + "-" + twoDigits(Int64(month)) + "-"
            + twoDigits(Int64(day))
    }
    public static func < (a: CivilDate, b: CivilDate) -> Bool { a.daysSince1970 < b.daysSince1970 }
}

/// Which civil day and time of day a moment of simulated time is. One time zone, no daylight saving: the installation's
/// local standard time.
@frozen public struct CivilClock: Hashable, Sendable {
    /// Midnight of this day is simulated time zero.
    public let startDate: CivilDate
    public init(startDate: CivilDate) { self.startDate = startDate }

    static let dayLength: Int64 = 86_400_000_000_000

    /// Whole days since the start.
    public func dayIndex(of time: SimTime) -> Int { Int(floorDiv(time.nanoseconds)) }
    private func floorDiv(_ n: Int64) -> Int64 {
        let q = n / CivilClock.dayLength
        return n % CivilClock.dayLength < 0 ? q - 1 : q
    }
    public func date(of time: SimTime) -> CivilDate { startDate.adding(days: dayIndex(of: time)) }
    public func sinceMidnight(of time: SimTime) -> SimDuration {
        SimDuration(nanoseconds: time.nanoseconds - floorDiv(time.nanoseconds) * CivilClock.dayLength)
    }
    public func time(of date: CivilDate, at timeOfDay: TimeOfDay = TimeOfDay(hour: 0)) -> SimTime {
        SimTime(nanoseconds: Int64(date.daysSince1970 - startDate.daysSince1970) * CivilClock.dayLength)
            + timeOfDay.sinceMidnight
    }
    /// `Tue 2026-01-06 20:15:03`.
    public func text(_ time: SimTime) -> String {
        let date = date(of: time)
        let seconds = sinceMidnight(of: time).nanoseconds / 1_000_000_000
        return
            "\(date.weekday.short) \(date) \(twoDigits(seconds / 3_600)):\(twoDigits(seconds / 60 % 60)):\(twoDigits(seconds % 60))"
    }
}

/// A retention range as DPM states it: so many days, weeks, months or years of the calendar.
@frozen public struct CalendarSpan: Hashable, Sendable, LosslessStringConvertible {
    public enum Unit: String, CaseIterable, Sendable { case days, weeks, months, years }
    public let count: Int
    public let unit: Unit
    public init(_ count: Int, _ unit: Unit) {
        precondition(count >= 0, "a retention range cannot be negative: \(count)")
        (self.count, self.unit) = (count, unit)
    }
    public static let expected = "a retention range in days, weeks, months or years, such as 8 weeks"
    public init?(_ description: String) {
        guard let (number, text) = splitQuantity(description), let count = Int(number), count <= 100_000 else {
            return nil
        }
        switch text {
        case "d", "day", "days": self.init(count, .days)
        case "w", "week", "weeks": self.init(count, .weeks)
        case "month", "months": self.init(count, .months)
        case "y", "year", "years": self.init(count, .years)
        default: return nil
        }
    }
    public var description: String { "\(count) " + (count == 1 ? String(unit.rawValue.dropLast()) : unit.rawValue) }

    /// The day this range ends when it begins on `date`.
    public func end(from date: CivilDate) -> CivilDate {
        switch unit {
        case .days: date.adding(days: count)
        case .weeks: date.adding(days: 7 * count)
        case .months: date.adding(months: count)
        case .years: date.adding(months: 12 * count)
        }
    }
    /// Length in days, months as 30.44 and years as 365.25, for comparing ranges and limits.
    public var approximateDays: Double {
        switch unit {
        case .days: Double(count)
        case .weeks: Double(7 * count)
        case .months: Double(count) * 30.44
        case .years: Double(count) * 365.25
        }
    }
}
