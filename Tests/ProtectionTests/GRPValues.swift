import Protection
import Testing
import Units

extension GRPRules {
    @Test(
        "GRP-5 obeyed: the frequencies of each retention range",
        arguments: [
            ("1 week", "daily weekly"), ("4 weeks", "daily weekly"), ("5 weeks", ""), ("0 weeks", ""),
            ("1 month", "daily weekly bi-weekly monthly"), ("11 months", "daily weekly bi-weekly monthly"),
            ("12 months", ""),
            ("1 year", "daily weekly bi-weekly monthly quarterly half-yearly yearly"),
            ("99 years", "daily weekly bi-weekly monthly quarterly half-yearly yearly"), ("100 years", ""),
            ("30 days", ""),
        ]) func frequencies(_ retention: String, _ allowed: String) throws
    {
        let span = try #require(CalendarSpan(retention))
        #expect(BackupFrequency.allowed(for: span).map(\.rawValue).joined(separator: " ") == allowed)
    }

    @Test("GRP-5 obeyed: a set on tape expires by the calendar")
    func expiry() throws {
        let goal = TapeGoal(frequency: .monthly, retention: CalendarSpan(1, .months))
        #expect(goal.expiry(of: try #require(CivilDate("2026-01-31"))).description == "2026-02-28")
    }

    @Test("GRP-7: tapes are labelled by group, term and number")
    func label() {
        #expect(world().tapeLabel(of: .gold, isLongTerm: true, number: 3) == "DPM - gold - long-term tape 3")
    }

    @Test("GRP-9: a replica is created now, or waits for its time or its media")
    func creation() {
        #expect(ReplicaState.initial(.now) == .creationInProgress)
        #expect(ReplicaState.initial(.at(.start)) == .creationPending)
        #expect(ReplicaState.initial(.manual(loaded: .start)) == .creationPending)
    }

    // The worked examples of dpm-facts 2.2 and 2.3, in GB and MB of powers of 1024.
    @Test("GRP-8 obeyed: the sizes DPM proposes", arguments: [(5, Int64(10 << 30)), (30, 60 << 30)])
    func formulas(_ days: Int, _ points: Int64) {
        let data = Bytes.gibibytes(100)
        let legacy = AllocationFormula.legacy(data, retentionDays: days, Tuning())
        #expect(legacy.replica == .gibibytes(150))
        #expect(legacy.points == Bytes(points) + Tuning().legacyPointMinimum)
        let modern = AllocationFormula.modern(.gigabytes(100), pointsKept: 5)
        #expect(modern.replica + modern.points == .megabytes(120_750))
    }

    @Test("GRP-8 obeyed: members go to the volume with most room, and the totals add up")
    func review() {
        let review = world {
            $0.poolVolumes = [
                SmallWorld.pool("p1", .gigabytes(200), .modern), SmallWorld.pool("p2", .gigabytes(250), .modern),
            ]
        }.reviewDiskAllocation(of: .gold)
        #expect(review.members.map(\.volume) == [Ref(1), Ref(0), Ref(1)])
        #expect(review.totalData == .gigabytes(180))
        // 60 GB x 1.05 x (1 + 3 % x 14), three times.
        #expect(review.toProvision == .megabytes(89_460 * 3))
        #expect(review.underProvisioned == .zero)
        #expect(review.poolTotal == .gigabytes(450))
        #expect(review.poolFree + review.toProvision == review.poolTotal)
        #expect(review.refusals == [])
    }

    @Test("GRP-8 obeyed: what modern volumes lack is told, and the members are placed all the same")
    func underProvisioned() {
        let review = world { $0.poolVolumes[0].capacity = .gigabytes(200) }.reviewDiskAllocation(of: .gold)
        #expect(review.underProvisioned == .megabytes(89_460 * 3 - 200_000))
        #expect(review.poolFree == .zero)
        #expect(review.members.allSatisfy { $0.volume == Ref(0) })
    }

    @Test("GRP-8 broken: a volume smaller than the data, and no volume at all")
    func tooSmall() {
        let small = world { $0.poolVolumes[0].capacity = .gigabytes(50) }.reviewDiskAllocation(of: .gold)
        #expect(
            small.refusals.first?.description
                == "error 33511 (GRP-8) machine alpha: Its 60.0 GB do not fit pool volume p1 of 50.0 GB. Choose a larger volume."
        )
        let none = world { $0.poolVolumes = [] }.reviewDiskAllocation(of: .gold)
        #expect(none.refusals.map(\.id) == [33510, 33510, 33510])
        #expect(none.underProvisioned == none.toProvision)
    }

    @Test("GRP-8 broken: a legacy disk must hold both volumes at once")
    func legacyFull() {
        let review = world { $0.poolVolumes = [SmallWorld.pool("p1", .gigabytes(250), .legacy)] }
            .reviewDiskAllocation(of: .gold)
        // 60 GB x 1.5 + 60 GB x 2 % x 14 + 1678 MB = 108.478 GB.
        #expect(review.members.map(\.volume) == [Ref(0), Ref(0), nil])
        #expect(
            review.refusals.map(\.description) == [
                "error 171 (GRP-8) machine gamma: Its replica and recovery point volumes need 108 GB, more than pool disk p1 "
                    + "has left. Add a disk to the pool."
            ])
    }

    @Test("GRP-2 obeyed: colocated members share one disk and pay the constant part once")
    func colocated() {
        let review = world {
            $0.poolVolumes = [
                SmallWorld.pool("p1", .terabytes(1), .legacy), SmallWorld.pool("p2", .terabytes(1), .legacy),
            ]
            $0.groups[.gold].isColocated = true
        }.reviewDiskAllocation(of: .gold)
        #expect(review.members.map(\.volume) == [Ref(0), Ref(0), Ref(0)])
        #expect(review.toProvision == .megabytes(106_800 * 3 + 1_678))
    }

    @Test("a review goes on where the review of the group before ended")
    func promised() {
        let two = world {
            $0.poolVolumes.append(SmallWorld.pool("p2", .terabytes(9), .modern))
            $0.groups.append($0.groups[.gold])
        }
        let first = two.reviewDiskAllocation(of: .gold, machineSizes: Array(repeating: .gigabytes(900), count: 3))
        let second = two.reviewDiskAllocation(of: Ref(1), promised: first.promised)
        #expect(first.members.map(\.volume) == [Ref(0), Ref(1), Ref(0)])
        #expect(second.members.map(\.volume) == [Ref(1), Ref(1), Ref(1)])
    }
}

extension GRPRules {
    @Test("a group that goes straight to tape has no replicas")
    func noDisk() {
        let review = world {
            $0.addTape([TapeGoal(frequency: .weekly, retention: CalendarSpan(4, .weeks))])
            $0.groups[.gold].disk = nil
        }.reviewDiskAllocation(of: .gold)
        #expect(review.members.map(\.volume) == [nil, nil, nil])
        #expect(review.toProvision == .zero)
        #expect(review.refusals == [])
        #expect(review.promised == [.zero])
    }
}
