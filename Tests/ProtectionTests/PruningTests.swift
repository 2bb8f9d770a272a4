import Protection
import Testing
import Units

@Suite("GRP-4: which recovery points expire")
struct PruningTests {
    /// One point a day at 20:00, from day 0 on.
    func points(_ count: Int64) -> [PointAge] {
        (0..<count).map { PointAge(at: .start + .days($0) + .hours(20)) }
    }

    @Test(
        "points expire when the retention range has passed, and never the last one",
        arguments: [
            (Int64(10), Int64(10), 14, 0), (20, 20, 14, 6), (20, 34, 14, 19), (20, 400, 14, 19), (1, 400, 14, 0),
            (0, 400, 14, 0),
        ]) func expire(_ count: Int64, _ day: Int64, _ retention: Int, _ expired: Int)
    {
        // At 20:00 of that day: a point of exactly 14 days has expired.
        let now = SimTime.start + .days(day - 1) + .hours(20)
        #expect(Pruning.expiredCount(of: points(count), retentionDays: retention, now: now) == expired)
    }

    @Test("nothing expires while the replica is not in order", arguments: ReplicaState.allCases)
    func inconsistent(_ state: ReplicaState) {
        let count = Pruning.expiredCount(of: points(20), retentionDays: 14, now: .start + .days(300), state: state)
        #expect(count == (state == .ok || state == .inactive ? 19 : 0))
    }

    @Test("time in which the replica was inconsistent does not age a point made before, and ages one made after")
    func pause() {
        var all = points(20)
        // Three days of inconsistency between day 9 and day 12, when no points were made.
        all.removeSubrange(10..<13)
        let now = SimTime.start + .days(25) + .hours(20)
        #expect(Pruning.expiredCount(of: all, retentionDays: 14, now: now) == 10)
        for place in 10..<all.count { all[place].inconsistentBefore = .days(3) }
        #expect(Pruning.expiredCount(of: all, retentionDays: 14, now: now, inconsistentSoFar: .days(3)) == 9)
    }

    @Test("an expiry of a vault's points goes by the calendar")
    func online() throws {
        let goal = OnlineGoal(vault: Ref(0), retention: CalendarSpan(30, .days))
        #expect(goal.expiry(of: try #require(CivilDate("2026-01-05"))).description == "2026-02-04")
    }
}
