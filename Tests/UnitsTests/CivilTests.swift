import Testing
import Units

@Suite("The calendar")
struct CivilTests {
    @Test(
        arguments: [
            ("1970-01-01", 0, .thursday), ("2000-02-29", 11_016, .tuesday), ("2026-01-05", 20_458, .monday),
            ("1969-12-31", -1, .wednesday), ("2024-12-31", 20_088, .tuesday),
        ] as [(String, Int, Weekday)])
    func `knows known dates`(text: String, days: Int, weekday: Weekday) {
        let date = CivilDate(text)
        #expect(date?.daysSince1970 == days && date?.weekday == weekday && date?.description == text)
    }

    @Test(arguments: [
        "2026-02-29", "1900-02-29", "2026-13-01", "2026-00-10", "2026-1-05", "x", "2026-04-31", "2026-01-00",
    ])
    func `refuses days that do not exist`(text: String) { #expect(CivilDate(text) == nil) }

    @Test func `every day of four centuries follows the one before`() {
        var date = CivilDate(year: 1900, month: 1, day: 1)!
        for _ in 0..<146_097 {
            let next = date.adding(days: 1)
            let (y, m, d) = date.yearMonthDay
            let expected =
                d < CivilDate.days(in: m, of: y) ? (y, m, d + 1) : m < 12 ? (y, m + 1, 1) : (y + 1, 1, 1)
            #expect(next.yearMonthDay == expected)
            #expect(CivilDate(year: y, month: m, day: d) == date)
            date = next
        }
        #expect(date == CivilDate(year: 2300, month: 1, day: 1))
    }

    @Test(
        arguments: [
            ("2026-01-31", 1, "2026-02-28"), ("2024-01-31", 1, "2024-02-29"), ("2026-12-15", 1, "2027-01-15"),
            ("2024-02-29", 12, "2025-02-28"), ("2026-03-31", -1, "2026-02-28"),
        ] as [(String, Int, String)])
    func `a month later is the same day or the last of the month`(from: String, months: Int, to: String) {
        #expect(CivilDate(from)!.adding(months: months).description == to)
    }

    @Test(
        arguments: [("20:00", 1200), ("0:05", 5), ("24:00", nil), ("7", nil), ("12:60", nil), ("12:5", nil)]
            as [(String, Int?)])
    func `times of day are read or refused`(text: String, minutes: Int?) {
        #expect(TimeOfDay(text)?.minutes == minutes)
    }

    @Test(arguments: [
        ("8 weeks", "2026-03-02"), ("14 days", "2026-01-19"), ("1 month", "2026-02-05"), ("2 years", "2028-01-05"),
    ])
    func `retention ranges end by the calendar, and read back`(text: String, end: String) {
        let span = CalendarSpan(text)!
        #expect(span.description == text && span.end(from: CivilDate("2026-01-05")!).description == end)
    }
}
