import Files

/// Dates of the format: five bytes, a big-endian bit string of year (14), month (4), day (5), hour (5), minute (6),
/// second (6).
enum MTFDate {
    static let count = 5

    /// - Parameter time: seconds since 1970, written as UTC; what lies outside of the years 1 to 16383 is written as
    ///   "no date", five zeros.
    static func encoded(_ time: Int64?) -> [UInt8] {
        guard let time, (-1_000_000_000_000...1_000_000_000_000).contains(time) else {
            return [UInt8](repeating: 0, count: count)
        }
        let days = time >= 0 ? time / 86_400 : -((-time + 86_399) / 86_400)
        let second = time - days * 86_400
        let (year, month, day) = civil(days)
        guard (1...16_383).contains(year) else { return [UInt8](repeating: 0, count: count) }
        var bits = UInt64(year) << 26 | UInt64(month) << 22 | UInt64(day) << 17
        bits |= UInt64(second / 3600) << 12 | UInt64(second / 60 % 60) << 6 | UInt64(second % 60)
        return (0..<count).map { UInt8(truncatingIfNeeded: bits >> (8 * (count - 1 - $0))) }
    }

    /// Nil for "no date" and for what is no date.
    static func decoded(_ bytes: some Collection<UInt8>) -> Int64? {
        guard bytes.count == count else { return nil }
        let bits = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let (year, month, day) = (Int64(bits >> 26), Int64(bits >> 22 & 15), Int64(bits >> 17 & 31))
        let (hour, minute, second) = (Int64(bits >> 12 & 31), Int64(bits >> 6 & 63), Int64(bits & 63))
        guard year > 0, (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 60 else {
            return nil
        }
        return days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
    }

    // Howard Hinnant's algorithms on the proleptic Gregorian calendar.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let ofEra = y - era * 400
        let ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    }

    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let z = days + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let ofEra = z - era * 146_097
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * ofYear + 2) / 153
        let month = shifted + (shifted < 10 ? 3 : -9)
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, ofYear - (153 * shifted + 2) / 5 + 1)
    }
}
