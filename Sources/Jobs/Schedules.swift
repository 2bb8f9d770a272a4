public import Protection
public import Units

extension WeeklySchedule {
    /// The first time of this schedule later than `time`; nil if it has none.
    /// - Rule: PRC-4
    public func next(after time: SimTime, clock: CivilClock) -> SimTime? {
        guard let earliest = times.first, !weekdays.isEmpty else { return nil }
        var date = clock.date(of: time)
        for _ in 0...7 {
            if weekdays.contains(date.weekday) {
                for timeOfDay in times {
                    let candidate = clock.time(of: date, at: timeOfDay)
                    if candidate > time { return candidate }
                }
            }
            date = date.adding(days: 1)
        }
        return clock.time(of: date, at: earliest)
    }
}

extension BackupFrequency {
    /// Months between backups of the rarer frequencies; nil for those counted in days.
    var months: Int? {
        switch self {
        case .daily, .weekly, .biweekly: nil
        case .monthly: 1
        case .quarterly: 3
        case .halfYearly: 6
        case .yearly: 12
        }
    }

    /// The first time later than `time`: every day, every weekday (every second one counted from the start of the
    /// scenario), or the first such weekday of every first, third, sixth or twelfth month. Source: dpm-facts 4.1.
    func next(after time: SimTime, at timeOfDay: TimeOfDay, on weekday: Weekday, clock: CivilClock) -> SimTime {
        var date = clock.date(of: time)
        if let months {
            var (year, month, _) = date.yearMonthDay
            while true {
                if (month - 1) % months == 0 {
                    let first = CivilDate(year: year, month: month, day: 1)!
                    let offset = (weekday.rawValue - first.weekday.rawValue + 7) % 7
                    let candidate = clock.time(of: first.adding(days: offset), at: timeOfDay)
                    if candidate > time { return candidate }
                }
                month += 1
                if month > 12 { (year, month) = (year + 1, 1) }
            }
        }
        while true {
            let isDay: Bool =
                switch self {
                case .daily: true
                case .weekly: date.weekday == weekday
                default:
                    date.weekday == weekday
                        && ((date.daysSince1970 - clock.startDate.daysSince1970) / 7) % 2 == 0
                }
            let candidate = clock.time(of: date, at: timeOfDay)
            if isDay, candidate > time { return candidate }
            date = date.adding(days: 1)
        }
    }
}

extension TapeGoal {
    /// When this goal is due next, later than `time`.
    /// - Rule: GRP-5
    public func next(after time: SimTime, clock: CivilClock) -> SimTime {
        frequency.next(after: time, at: self.time, on: weekday, clock: clock)
    }

    /// Of goals that fall at one instant, the one that is written: the longest retention, the first of equals.
    public static func merged(_ goals: [TapeGoal]) -> TapeGoal? {
        var chosen: TapeGoal?
        for goal in goals where chosen.map({ $0.retention.approximateDays < goal.retention.approximateDays }) ?? true {
            chosen = goal
        }
        return chosen
    }
}

extension OnlineGoal {
    /// When the next online backup is due, later than `time`.
    /// - Rule: GRP-3
    public func next(after time: SimTime, clock: CivilClock) -> SimTime {
        frequency.next(after: time, at: self.time, on: weekday, clock: clock)
    }
}

extension DailyWindow {
    /// Whether `time` lies in the window; its end does not.
    public func contains(_ time: SimTime, clock: CivilClock) -> Bool {
        let sinceStart = (clock.sinceMidnight(of: time) - start.sinceMidnight).nanoseconds
        let day = SimDuration.days(1).nanoseconds
        return (sinceStart < 0 ? sinceStart + day : sinceStart) < duration.nanoseconds
    }

    /// The next opening later than `time`.
    public func nextStart(after time: SimTime, clock: CivilClock) -> SimTime {
        let today = clock.time(of: clock.date(of: time), at: start)
        return today > time ? today : today + .days(1)
    }

    /// The next closing later than `time`.
    public func nextEnd(after time: SimTime, clock: CivilClock) -> SimTime {
        var end = clock.time(of: clock.date(of: time), at: start) - .days(1) + duration
        while end <= time { end = end + .days(1) }
        return end
    }
}

extension Throttle {
    /// The rate in force at `time`. Working hours that pass midnight belong to the day on which they began.
    /// - Rule: REC-5
    public func rate(at time: SimTime, clock: CivilClock) -> ByteRate {
        var opening = clock.time(of: clock.date(of: time), at: workHours.start)
        if opening > time { opening = opening - .days(1) }
        // Working hours longer than a day overlap; a week back every weekday has been seen.
        for _ in 0..<7 where time - opening < workHours.duration {
            if workDays.contains(clock.date(of: opening).weekday) { return workRate }
            opening = opening - .days(1)
        }
        return otherRate
    }

    /// The next moment the rate may change: an opening or closing of the working hours.
    public func nextChange(after time: SimTime, clock: CivilClock) -> SimTime {
        min(workHours.nextStart(after: time, clock: clock), workHours.nextEnd(after: time, clock: clock))
    }
}
