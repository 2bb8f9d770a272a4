import Kernel
import Testing
import Units

@Suite("Statistics")
struct StatisticsTests {
    @Test func `mean, variance and extremes of a sample`() {
        let tally = Tally([2, 4, 4, 4, 5, 5, 7, 9])
        #expect(tally.count == 8 && tally.mean == 5 && tally.least == 2 && tally.greatest == 9)
        #expect(abs(tally.variance - 32.0 / 7) < 1e-14)
        #expect(Tally().variance == 0 && Tally([1]).interval(confidence: 0.95) == nil)
    }

    @Test func `variance keeps its digits far from zero`() {
        #expect(Tally([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16]).variance == 30)
    }

    // SciPy, scipy.stats.t.ppf.
    @Test(
        arguments: [
            (0.975, 1, 12.706204736174694), (0.975, 2, 4.302652729749464), (0.975, 9, 2.2621571627982053),
            (0.9995, 29, 3.6594050194663748), (0.9995, 39, 3.5581200813327714), (0.95, 30, 1.6972608865939578),
            (0.975, 120, 1.9799304050824413), (0.6, 3, 0.27667066233268955), (0.025, 9, -2.2621571627982053),
            (0.9999, 1, 3183.098757118502),
        ] as [(Double, Int, Double)])
    func `quantiles of Student's t agree with tables`(p: Double, degrees: Int, expected: Double) {
        #expect(abs(studentQuantile(p, degrees: degrees) - expected) <= 1e-10 * abs(expected))
    }

    @Test func `Student's t becomes normal`() {
        #expect(abs(studentQuantile(0.975, degrees: 10_000_000) - 1.959963984540054) < 1e-6)
        // Either side of the change from recursion to series.
        let (below, above) = (studentQuantile(0.975, degrees: 2000), studentQuantile(0.975, degrees: 2001))
        #expect(below > above && below - above < 1e-6)
    }

    @Test func `the interval of a mean, by hand`() {
        // Mean 3, deviation sqrt(2.5), t(4, 0.975) = 2.776445: 2.776445 * sqrt(2.5 / 5) = 1.963243.
        let interval = Tally([1, 2, 3, 4, 5]).interval(confidence: 0.95)!
        #expect(interval.mean == 3 && abs(interval.halfWidth - 1.963243) < 1e-6)
        #expect(interval.contains(1.04) && !interval.contains(1.03))
    }

    @Test func `averages over time weigh values by how long they held`() {
        var level = TimeWeighted()
        level.set(2, at: .start + .seconds(10))
        level.set(5, at: .start + .seconds(15))
        // 0 for 10 s, 2 for 5 s, 5 for 5 s: 35 / 20.
        #expect(level.mean(until: .start + .seconds(20)) == 1.75)
        #expect(level.total(until: .start + .seconds(20)) == 35 && level.greatest == 5)
        level.restart(at: .start + .seconds(20))
        #expect(level.mean(until: .start + .seconds(30)) == 5)
    }

    @Test func `percentiles by nearest rank and by interpolation`() {
        let sample = Percentiles([50, 15, 40, 20, 35])
        #expect([0.05, 0.3, 0.4, 0.5, 1].map { sample.nearestRank($0) } == [15, 20, 20, 35, 50])
        #expect(sample.interpolated(0.4) == 29 && sample.interpolated(0) == 15 && sample.interpolated(1) == 50)
        #expect(Percentiles([]).nearestRank(0.5) == nil && Percentiles([]).interpolated(0.5) == nil)
    }

    @Test func `batch means leave the odd values off at the front`() {
        #expect(batchMeans([100, 1, 3, 5, 7], batches: 2) == [2, 6])
    }

    @Test func `MSER-5 finds the end of a ramp, and refuses a run that is all ramp`() {
        var random = RandomStream(seed: 1, name: "warm-up")
        let ramp = (0..<500).map { n in n < 100 ? Double(100 - n) : random.uniform() }
        let cut = warmUp(ramp)
        #expect(cut != nil && (90...110).contains(cut!))
        #expect(warmUp((0..<500).map { Double($0) }) == nil || warmUp((0..<500).map { Double($0 * $0) }) == nil)
        #expect(warmUp([1, 2, 3]) == nil)
        #expect(warmUp([Double](repeating: 4, count: 100)) == 0)
    }
}
