import Jobs
import Protection
import Testing
import Units

// 2026-01-05 is a Monday.
private let clock = CivilClock(startDate: CivilDate("2026-01-05")!)
private func at(_ date: String, _ time: String = "00:00") -> SimTime {
    clock.time(of: CivilDate(date)!, at: TimeOfDay(time)!)
}

@Suite("Schedules")
struct ScheduleTests {
    @Test func `PRC-4 obeyed: times of day on weekdays, each strictly after the last`() {
        let schedule = WeeklySchedule(
            times: [TimeOfDay(hour: 20), TimeOfDay(hour: 6)], weekdays: [.friday, .monday])
        var time = at("2026-01-05")
        var seen: [SimTime] = []
        for _ in 0..<5 {
            time = schedule.next(after: time, clock: clock)!
            seen.append(time)
        }
        #expect(
            seen == [
                at("2026-01-05", "06:00"), at("2026-01-05", "20:00"), at("2026-01-09", "06:00"),
                at("2026-01-09", "20:00"), at("2026-01-12", "06:00"),
            ])
    }

    @Test func `PRC-4 broken: a schedule without a time or a day has no next`() {
        #expect(WeeklySchedule(times: []).next(after: .start, clock: clock) == nil)
        let noDay = WeeklySchedule(times: [TimeOfDay(hour: 20)], weekdays: [])
        #expect(noDay.next(after: .start, clock: clock) == nil)
    }

    static let frequencies: [(BackupFrequency, [String])] = [
        (.daily, ["2026-01-05", "2026-01-06", "2026-01-07"]), (.weekly, ["2026-01-10", "2026-01-17", "2026-01-24"]),
        (.biweekly, ["2026-01-10", "2026-01-24", "2026-02-07"]),
        (.monthly, ["2026-02-07", "2026-03-07", "2026-04-04"]),
        (.quarterly, ["2026-04-04", "2026-07-04", "2026-10-03"]),
        (.halfYearly, ["2026-07-04", "2027-01-02", "2027-07-03"]),
        (.yearly, ["2027-01-02", "2028-01-01", "2029-01-06"]),
    ]

    @Test(arguments: frequencies)
    func `GRP-5 obeyed: rarer backups run on the first such weekday of their month`(
        _ frequency: BackupFrequency, _ dates: [String]
    ) {
        let goal = TapeGoal(frequency: frequency, retention: CalendarSpan(1, .years))
        var online = OnlineGoal(vault: Ref(0), retention: CalendarSpan(1, .years))
        online.frequency = frequency
        (online.time, online.weekday) = (goal.time, goal.weekday)
        var time = SimTime.start
        for date in dates {
            let next = goal.next(after: time, clock: clock)
            #expect(next == at(date, "08:00"))
            #expect(online.next(after: time, clock: clock) == next)
            time = next
        }
    }

    @Test func `goals that coincide leave the longest retention, the first of equals`() {
        let weeks = TapeGoal(frequency: .weekly, retention: CalendarSpan(8, .weeks))
        let months = TapeGoal(frequency: .monthly, retention: CalendarSpan(11, .months))
        var twin = months
        twin.copies = 2
        #expect(TapeGoal.merged([weeks, months, twin]) == months)
        #expect(TapeGoal.merged([weeks]) == weeks)
        #expect(TapeGoal.merged([]) == nil)
    }

    @Test func `a window past midnight contains its start and not its end`() {
        let window = DailyWindow(start: TimeOfDay(hour: 20), duration: .hours(10))
        let cases: [(String, String, Bool)] = [
            ("2026-01-05", "19:59", false), ("2026-01-05", "20:00", true), ("2026-01-06", "00:00", true),
            ("2026-01-06", "05:59", true), ("2026-01-06", "06:00", false),
        ]
        for (date, time, inside) in cases {
            #expect(window.contains(at(date, time), clock: clock) == inside, "\(time)")
        }
        #expect(window.nextStart(after: at("2026-01-05", "20:00"), clock: clock) == at("2026-01-06", "20:00"))
        #expect(window.nextEnd(after: at("2026-01-05", "20:00"), clock: clock) == at("2026-01-06", "06:00"))
        #expect(window.nextEnd(after: at("2026-01-06", "06:00"), clock: clock) == at("2026-01-07", "06:00"))
    }

    @Test func `REC-5 obeyed: working hours that pass midnight belong to the day they began`() {
        let throttle = Throttle(
            workRate: .megabytesPerSecond(10), otherRate: .megabytesPerSecond(100),
            workHours: DailyWindow(start: TimeOfDay(hour: 22), duration: .hours(8)), workDays: [.friday])
        let cases: [(String, String, Int64)] = [
            ("2026-01-09", "21:59", 100), ("2026-01-09", "22:00", 10), ("2026-01-10", "05:59", 10),
            ("2026-01-10", "06:00", 100), ("2026-01-10", "22:00", 100), ("2026-01-09", "03:00", 100),
        ]
        for (date, time, rate) in cases {
            #expect(throttle.rate(at: at(date, time), clock: clock) == .megabytesPerSecond(rate), "\(date) \(time)")
        }
    }

    @Test func `REC-5 broken: no rate changes between two announced changes`() {
        for hours in [0, 8, 24, 30] as [Int64] {
            let throttle = Throttle(
                workRate: .megabytesPerSecond(10), otherRate: .megabytesPerSecond(100),
                workHours: DailyWindow(start: TimeOfDay(hour: 22), duration: .hours(hours)),
                workDays: [.monday, .tuesday, .friday])
            var time = SimTime.start
            while time < .start + .days(15) {
                let change = throttle.nextChange(after: time, clock: clock)
                #expect(change > time)
                var probe = time
                while probe < change {
                    #expect(throttle.rate(at: probe, clock: clock) == throttle.rate(at: time, clock: clock))
                    probe = probe + .minutes(30)
                }
                time = change
            }
        }
    }

    static let errors: [(Int32, Bool)] = [
        (41, true), (30112, true), (32612, true), (214, true), (910, true), (33515, true),
        (107, false), (30500, false), (30288, false), (33440, false), (24050, false), (0, false),
    ]

    @Test(arguments: errors)
    func `a rerun comes only for errors that may pass, and only so often`(_ error: Int32, _ helps: Bool) {
        let policy = RerunPolicy(attempts: 1, delay: .minutes(60))
        #expect(policy.delay(afterAttempt: 0, error: error) == (helps ? .minutes(60) : nil))
        #expect(policy.delay(afterAttempt: 1, error: error) == nil)
    }
}
