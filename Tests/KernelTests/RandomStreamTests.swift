import Kernel
import Testing

@Suite("Random streams")
struct RandomStreamTests {
    private func stream(_ name: String = "churn", entity: Int32 = 0, seed: UInt64 = 1, replication: UInt32 = 0)
        -> RandomStream
    {
        RandomStream(seed: seed, replication: replication, name: name, entity: entity)
    }

    @Test func `equal arguments give equal draws, and each argument counts`() {
        var a = stream()
        var b = stream()
        let first = (0..<10).map { _ in a.nextUInt64() }
        #expect(first == (0..<10).map { _ in b.nextUInt64() })
        for var other in [stream("faults"), stream(entity: 1), stream(seed: 2), stream(replication: 1)] {
            #expect(first != (0..<10).map { _ in other.nextUInt64() })
        }
    }

    @Test func `a draw by number is the draw in order`() {
        var a = stream()
        for n in 0..<100 as Range<UInt64> {
            let expected = stream().draw(at: n)
            let drawn = a.uniform()
            #expect(drawn == expected && drawn > 0 && drawn < 1)
        }
        #expect(a.drawCount == 100)
    }

    @Test func `every variate takes one draw`() {
        var a = stream()
        _ = a.exponential(mean: 1)
        _ = a.normal()
        _ = a.lognormal(mean: 1, cv: 1)
        _ = a.weibull(shape: 2, scale: 1)
        _ = a.empirical(values: [1, 2], cumulative: [0.5, 1])
        _ = a.uniform(from: 1, to: 2)
        _ = a.below(6)
        #expect(a.drawCount == 7)
    }

    // Mean and deviation by formula; 200 000 draws, six standard errors.
    @Test func `moments are those of the distributions`() {
        let gamma15 = 0.886226925452758
        let cases: [(name: String, mean: Double, deviation: Double, draw: (inout RandomStream) -> Double)] = [
            ("uniform", 0.5, 0.288675, { $0.uniform() }),
            ("exponential", 3, 3, { $0.exponential(mean: 3) }),
            ("normal", 5, 2, { $0.normal(mean: 5, deviation: 2) }),
            ("lognormal", 10, 5, { $0.lognormal(mean: 10, cv: 0.5) }),
            ("weibull", 2 * gamma15, 2 * 0.463251, { $0.weibull(shape: 2, scale: 2) }),
            ("below", 2.5, 1.7078, { Double($0.below(6)) }),
            ("empirical", 2.3, 0.78102, { $0.empirical(values: [1, 2, 3], cumulative: [0.2, 0.5, 1]) }),
        ]
        for test in cases {
            var random = stream(test.name)
            var tally = Tally()
            for _ in 0..<200_000 { tally.add(test.draw(&random)) }
            #expect(abs(tally.mean - test.mean) < 6 * test.deviation / 447, "\(test.name): \(tally.mean)")
            #expect(abs(tally.deviation - test.deviation) < 0.03 * test.deviation, "\(test.name): \(tally.deviation)")
        }
    }

    @Test func `a Poisson process has gaps of mean one over its rate`() {
        var process = PoissonProcess(rate: 4, stream: stream())
        let tally = Tally((0..<100_000).map { _ in process.next() })
        #expect(abs(tally.mean - 0.25) < 0.005)
    }

    @Test func `lognormal without spread is its mean`() {
        var random = stream()
        #expect(random.lognormal(mean: 7, cv: 0) == 7)
    }
}
