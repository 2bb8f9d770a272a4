import Protection
import Testing
import Units

@Suite("Schedules and limits as values")
struct LimitsTests {
    @Test(
        "recovery points kept follow from days, times and weekdays",
        arguments: [(14, 1, 7, 14), (14, 1, 5, 10), (5, 2, 7, 10), (1, 1, 1, 1), (448, 1, 7, 448)])
    func kept(_ days: Int, _ times: Int, _ weekdays: Int, _ count: Int) {
        let schedule = WeeklySchedule(
            times: (0..<times).map { TimeOfDay(hour: $0) }, weekdays: Array(Weekday.allCases.prefix(weekdays)))
        #expect(DiskGoal(retentionDays: days, schedule: schedule).pointsKept == count)
    }

    @Test("GRP-4 obeyed: the synchronization frequency leaves the express fulls of machines alone")
    func expressFulls() {
        let schedule = WeeklySchedule(times: [TimeOfDay(hour: 20)])
        var goal = DiskGoal(retentionDays: 5, schedule: schedule)
        goal.synchronization = .every(minutes: 15)
        #expect(goal.expressFulls == schedule)
    }

    @Test("members refused one by one and all at once are the same")
    func bulk() {
        let broken = world {
            $0.hosts[.h1].agent = .absent
            $0.groups.append($0.groups[.gold])
        }
        let all = broken.memberRefusals()
        for (place, group) in broken.groups.enumerated() {
            for (index, member) in group.members.enumerated() {
                #expect(all[place][index] == broken.memberRefusal(member, in: Ref(place)))
            }
        }
        #expect(all[0].map { $0 == nil } == [false, true, false])
        #expect(all[1].map { $0?.id } == [157, 157, 157])
    }

    @Test("a loop of parent domains is not followed for ever")
    func loop() {
        let looped = world {
            $0.domains[.corp].parent = .away
            $0.domains[.away].parent = .corp
        }
        #expect(looped.trust(between: .corp, and: .corp))
    }
}
