import Catalog
import Protection
import Testing
import Units

@Suite struct ChronicleTests {
    @Test("Jobs come back in the order they were noted, across blocks", arguments: [0, 1, 4_095, 4_096, 4_097, 10_000])
    func order(count: Int) {
        let chronicle = Chronicle()
        for id in 0..<count { chronicle.note(TestRun.job(Int32(id))) }
        #expect(chronicle.jobs.count == count)
        #expect(chronicle.jobs.map(\.id) == (0..<count).map { Int32($0) })
        var seen = 0
        chronicle.jobs.forEach { job in
            if job.id == Int32(seen) { seen += 1 }
        }
        #expect(seen == count)
    }

    @Test("A level of the same moment replaces the one before it")
    func sameMoment() {
        let chronicle = Chronicle()
        chronicle.notePool(Level(at: .start, values: [1, 2]))
        chronicle.notePool(Level(at: .start, values: [3, 4]))
        chronicle.notePool(Level(at: .start + .hours(1), values: [5, 6]))
        #expect(chronicle.poolLevels.map(\.values) == [[3, 4], [5, 6]])
        #expect(chronicle.poolLevels.width == 2)
        #expect(chronicle.poolLevels.value(1, 0) == 5)
    }

    @Test("Each kind of record is kept apart")
    func kinds() {
        let chronicle = Chronicle()
        TestRun.note(into: chronicle)
        #expect(chronicle.alerts.count == 2)
        #expect(chronicle.missed.count == 1)
        #expect(chronicle.incidents.count == 1)
        #expect(chronicle.tapeLevels.count == 1)
    }
}
