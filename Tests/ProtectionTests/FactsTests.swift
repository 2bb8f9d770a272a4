import Protection
import Testing
import Units

@Suite("Tables of facts")
struct FactsTests {
    // From tape-hardware, section 1: data per wrap in GB, seconds to fill a wrap, hours to fill the tape.
    @Test(
        "an LTO generation's capacity, rate and wraps agree with each other",
        arguments: [
            (LTOGeneration.lto5, 18.8, 134.0, 3.0), (.lto6, 18.4, 115, 4.3), (.lto7, 53.6, 179, 5.6),
            (.lto8, 57.7, 160, 9.3),
            (.lto9, 64.3, 161, 12.5), (.lto10, 63.6, 159, 20.8),
        ]) func wraps(_ generation: LTOGeneration, _ perWrap: Double, _ seconds: Double, _ hours: Double)
    {
        let facts = LTOFacts.of(generation)
        #expect(abs(Double(facts.perWrap.count) / 1e9 - perWrap) < 0.1)
        #expect(abs(facts.nativeRate.duration(of: facts.perWrap).seconds - seconds) < 1)
        #expect(abs(facts.nativeRate.duration(of: facts.capacity).seconds / 3_600 - hours) < 0.07)
    }

    // Mean travel is half the tape and begins with 3 s (tape-hardware 2).
    @Test("search and rewind speeds give the published averages", arguments: LTOGeneration.allCases, [false, true])
    func speeds(_ generation: LTOGeneration, _ half: Bool) {
        let facts = LTOFacts.of(generation, isHalfHeight: half)
        #expect(abs(3 + facts.length / 2 / facts.searchSpeed - facts.averageLocate.seconds) < 1.5)
        #expect(abs(3 + facts.length / 2 / facts.rewindSpeed - facts.averageRewind.seconds) < 1.5)
        #expect(facts.speeds == facts.speeds.sorted(by: >))
        #expect(facts.lowestStreamingRate < facts.nativeRate)
    }

    @Test(
        "drives write their own generation and the one before, LTO-10 its own only",
        arguments: LTOGeneration.allCases, LTOGeneration.allCases)
    func compatibility(_ cartridge: LTOGeneration, _ drive: LTOGeneration) {
        #expect(LTOFacts.canWrite(cartridge, in: drive) == LTOFacts.writes(drive).contains(cartridge))
        #expect(LTOFacts.reads(drive).contains(drive))
    }

    @Test("half-height drives and first loads differ where they should")
    func details() {
        #expect(LTOFacts.of(.lto8).nativeRate == .megabytesPerSecond(360))
        #expect(LTOFacts.of(.lto8, isHalfHeight: true).nativeRate == .megabytesPerSecond(300))
        #expect(LTOFacts.of(.lto8, isHalfHeight: true).speeds.first == .megabytesPerSecond(306))
        #expect(LTOFacts.of(.lto9).firstLoad == .minutes(40))
        #expect(LTOFacts.of(.lto10).firstLoad == .zero)
        #expect(LTOFacts.of(.lto10).barcodeSuffix == "LA")
    }

    @Test(
        "alerts have the severities of the console",
        arguments: [
            (Int32(3100), Severity.warning), (3101, .critical), (3104, .warning), (3105, .information),
            (3106, .critical),
            (3114, .critical), (3115, .critical), (3118, .information), (3119, .information), (3122, .critical),
            (3169, .warning), (3185, .information), (3301, .critical), (3303, .warning), (3305, .warning),
            (3311, .critical),
            (33440, .warning), (33441, .warning), (33514, .warning), (33515, .critical), (3183, .warning),
        ]) func alerts(_ id: Int32, _ severity: Severity) throws
    {
        let alert = try #require(AlertKind(rawValue: id))
        #expect(alert.severity == severity)
    }

    @Test("every alert has a title and an action", arguments: AlertKind.allCases)
    func alertTexts(_ alert: AlertKind) {
        #expect(!alert.title.isEmpty)
        #expect(!alert.action.isEmpty)
        #expect(!alert.action.hasSuffix("."))
    }

    @Test("each state of a replica has its alert")
    func stateAlerts() {
        #expect(ReplicaState.allCases.map { $0.alert?.id ?? 0 } == [3119, 3105, 0, 3106, 3104, 3101, 0])
    }

    @Test("jobs that find a replica busy name what is at work on it")
    func busy() {
        #expect(JobKind.replicaCreation.busyError == 96)
        #expect(JobKind.consistencyCheck.busyError == 97)
        #expect(missingPointRefusal(machine: "alpha", for: .tapeBackup).id == 30126)
        #expect(missingPointRefusal(machine: "alpha", for: .onlineBackup).id == 30224)
    }

    @Test("the catalogue has every rule once, family by family, in order")
    func catalogue() {
        let counts: [(String, Int)] = [
            ("SCN", 5), ("LVL", 3), ("VSS", 5), ("PRC", 6), ("PRE", 15), ("GRP", 10), ("LIV", 10), ("REP", 3),
            ("REC", 7),
        ]
        let expected = counts.flatMap { family, count in (1...count).map { RuleID(family, $0) } }
        #expect(RuleCatalogue.all.map(\.id) == expected)
    }
}
