import Kernel
import Testing

@Suite("Queue oracles")
struct QueueOracleTests {
    private func check(_ model: String, _ params: [String: Double], _ exact: [String: Double]) -> OracleOutcome {
        QueueCase(name: "test", model: model, params: params, exact: exact).check()
    }

    @Test func `pass with exact values`() {
        // Erlang B at c = 2, a = 1: (1/2) / (1 + 1 + 1/2) = 0.2.
        let loss = check("M/G/c/c loss", ["c": 2, "offered": 1], ["blocking": 0.2])
        #expect(loss.passed, "\(loss.detail)")
        // Seven jobs on three slots: three rounds, waits 0 0 0 1 1 1 2.
        let wave = check("n equal jobs", ["n": 7, "c": 3], ["makespan": 3, "mean_wait": 5.0 / 7])
        #expect(wave.passed, "\(wave.detail)")
    }

    @Test func `fail with wrong values`() {
        #expect(!check("M/G/c/c loss", ["c": 2, "offered": 1], ["blocking": 0.25]).passed)
        #expect(!check("n equal jobs", ["n": 7, "c": 3], ["makespan": 3.0001]).passed)
    }

    @Test func `an unknown model, value or parameter is a failure that names it`() {
        #expect(check("G/G/7", [:], ["W": 1]).detail.contains("G/G/7"))
        #expect(check("n equal jobs", ["n": 7, "c": 3], ["colour": 1]).detail.contains("colour"))
        #expect(check("n equal jobs", ["n": 7], ["makespan": 1]).detail.contains("\"c\""))
        #expect(check("n equal jobs", ["n": 7, "c": 0.5], ["makespan": 1]).detail.contains("0.5"))
        #expect(!check("M/M/c FIFO", ["c": 1, "rho": 1.2], ["W": 1]).passed)
    }

    @Test func `a fluid case with a bad number is refused`() {
        func fault(_ size: Double, _ route: [Int]) -> String? {
            FluidCase(
                name: "x", resources: [.init(id: "r", capacity: 1)],
                activities: [.init(id: "a", activation: 0, size: size, route: route, finish: 1)]
            ).fault
        }
        #expect(fault(1, [0]) == nil)
        #expect(fault(-1, [0]) != nil && fault(.nan, [0]) != nil && fault(1, [1]) != nil && fault(1e300, [0]) != nil)
    }
}
