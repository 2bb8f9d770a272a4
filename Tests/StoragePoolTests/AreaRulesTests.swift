import StoragePool
import Testing
import Units

@Suite("the rules of legacy areas") struct AreaRulesTests {
    @Test(
        "a volume grows by the larger of 10 GB and a quarter",
        arguments: [
            (Bytes.gibibytes(1), Bytes.gibibytes(10)), (.gibibytes(40), .gibibytes(10)),
            (.gibibytes(44), .gibibytes(11)), (.gibibytes(1000), .gibibytes(250)), (.zero, .gibibytes(10)),
            (AreaRules.sizeLimit, Bytes(1 << 54)),
        ])
    func growth(size: Bytes, growth: Bytes) { #expect(AreaRules.usual().growth(of: size) == growth) }

    @Test(
        "the threshold is exceeded by the first byte beyond 90 %",
        arguments: [
            (899, 1000, false), (900, 1000, false), (901, 1000, true), (0, 1, false), (1, 1, true), (0, 0, false),
            (1 << 60, 1 << 56, true),
        ] as [(Int64, Int64, Bool)])
    func threshold(used: Int64, size: Int64, isOver: Bool) {
        #expect(AreaRules.usual().isOverThreshold(used: Bytes(used), of: Bytes(size)) == isOver)
    }

    struct Growth: CustomTestStringConvertible, Sendable {
        var used: Int64 = 95
        var isAutomatic = true
        var last: Int64?
        var now: Int64 = 10_000
        var unallocated: Int64 = 1000
        var decision: GrowthDecision
        var testDescription: String { "\(used) \(isAutomatic) \(last ?? -1) \(unallocated): \(decision)" }
    }

    @Test(
        "growth is decided by use, choice, time and space, in this order",
        arguments: [
            Growth(decision: .grow(by: Bytes(30))),
            Growth(used: 90, decision: .unneeded),
            Growth(used: 90, isAutomatic: false, decision: .unneeded),
            Growth(isAutomatic: false, decision: .off),
            Growth(isAutomatic: false, last: 9_999, unallocated: 0, decision: .off),
            Growth(last: 9_101, decision: .tooSoon(until: 10_001)),
            Growth(last: 9_100, decision: .grow(by: Bytes(30))),
            Growth(last: 9_999, unallocated: 0, decision: .tooSoon(until: 10_899)),
            Growth(last: 20_000, decision: .tooSoon(until: 20_900)),
            Growth(unallocated: 30, decision: .grow(by: Bytes(30))),
            Growth(unallocated: 29, decision: .noSpace(needed: Bytes(30))),
        ])
    func growthDecision(_ growth: Growth) {
        let rules = AreaRules.usual(growthStep: Bytes(30), overhead: .zero)
        #expect(
            rules.decideGrowth(
                used: Bytes(growth.used), of: Bytes(100), isAutomatic: growth.isAutomatic, lastGrown: growth.last,
                now: growth.now, unallocated: Bytes(growth.unallocated)) == growth.decision)
    }

    struct Admission: CustomTestStringConvertible, Sendable {
        var replica: Int64 = 100
        var points: Int64 = 0
        var before: Int64 = 0
        var size: Int64 = 100
        var makesPoint = true
        var refusal: AreaRefusal?
        var testDescription: String {
            "\(replica) \(before) to \(points) of \(size) \(makesPoint): \(refusal.map { "\($0.rawValue)" } ?? "fits")"
        }
    }

    // The overhead is 20, a block 10: of 100 bytes recovery points may take 80.
    @Test(
        "a state is refused for the volume it does not fit, under DPM's number",
        arguments: [
            Admission(refusal: nil),
            Admission(replica: 101, refusal: .replicaFull),
            Admission(replica: 101, points: 500, refusal: .replicaFull),
            Admission(points: 70, refusal: nil),
            Admission(points: 71, refusal: .noRoomForPoint),
            Admission(points: 80, refusal: .noRoomForPoint),
            Admission(points: 80, makesPoint: false, refusal: nil),
            Admission(points: 81, refusal: .wouldLosePoints),
            Admission(points: 81, before: 70, makesPoint: false, refusal: .wouldLosePoints),
            Admission(points: 81, before: 71, makesPoint: false, refusal: .pointsFull),
            Admission(points: 81, before: 80, refusal: .pointsFull),
            Admission(size: 30, refusal: nil),
            Admission(size: 29, refusal: .noRoomForPoint),
            Admission(size: 19, makesPoint: false, refusal: nil),
        ])
    func refusal(_ admission: Admission) {
        let rules = AreaRules.usual(overhead: Bytes(20))
        let refusal = rules.refusal(
            replica: AreaVolume(size: Bytes(100), used: Bytes(admission.replica)),
            points: AreaVolume(size: Bytes(admission.size), used: Bytes(admission.points)),
            pointsBefore: Bytes(admission.before), block: Bytes(10), makesPoint: admission.makesPoint)
        #expect(refusal == admission.refusal)
    }

    @Test("DPM's own values are the documented ones")
    func documented() {
        let rules = AreaRules.usual()
        #expect(rules.threshold == 90 && rules.growthPercent == 25 && rules.growthPause == 15 * 60)
        #expect(rules.growthStep == .gibibytes(10) && rules.overhead == Bytes(600 * 1_048_576))
        #expect(AreaRefusal.allCases.map { $0.rawValue }.sorted() == [58, 214, 30077, 30195])
    }
}
