import Glibc
import Kernel
import Testing

@Suite("Portable elementary functions")
struct ElementaryTests {
    private func steps(_ a: Double, _ b: Double) -> Double { a == b ? 0 : abs(a - b) / b.ulp }

    @Test func `the logarithm is within two steps of the library's over the whole range`() {
        var random = RandomStream(seed: 1, name: "log")
        for _ in 0..<200_000 {
            let x = Double(bitPattern: random.nextUInt64() >> 1)
            guard x.isFinite, x > 0 else { continue }
            #expect(steps(portableLog(x), log(x)) <= 2, "\(x)")
            let near = 0.5 + random.uniform()
            #expect(steps(portableLog(near), log(near)) <= 2, "\(near)")
        }
    }

    @Test func `the exponential is within two steps of the library's over the whole range`() {
        var random = RandomStream(seed: 2, name: "exp")
        for _ in 0..<200_000 {
            let x = random.uniform(from: -745, to: 709.7)
            #expect(steps(portableExp(x), exp(x)) <= 2, "\(x)")
            let near = random.uniform(from: -1, to: 1)
            #expect(steps(portableExp(near), exp(near)) <= 2, "\(near)")
        }
    }

    @Test func `the edges are those of IEEE 754`() {
        #expect(portableLog(0) == -.infinity && portableLog(1) == 0 && portableLog(-1).isNaN)
        #expect(portableLog(.infinity) == .infinity && portableLog(.nan).isNaN)
        #expect(portableExp(0) == 1 && portableExp(710) == .infinity && portableExp(-746) == 0)
        #expect(portableExp(-.infinity) == 0 && portableExp(.infinity) == .infinity && portableExp(.nan).isNaN)
        #expect(portablePower(2, 10) == 1024 || abs(portablePower(2, 10) - 1024) < 1e-12)
        #expect(portablePower(0, 2) == 0 && portablePower(7, 0) == 1 && portablePower(7, 1) == 7)
    }

    // The bits themselves, so that another machine that gives others is noticed.
    @Test func `the bits are the same everywhere`() {
        #expect(portableLog(10).bitPattern == 0x4002_6BB1_BBB5_5516)
        #expect(
            portableExp(1).bitPattern == 0x4005_BF0A_8B14_576A || portableExp(1).bitPattern == 0x4005_BF0A_8B14_5769)
    }
}

@Suite("The normal quantile")
struct NormalQuantileTests {
    // SciPy 1.x, scipy.stats.norm.ppf.
    @Test(arguments: [
        (0.5, 0.0), (0.975, 1.959963984540054), (0.9995, 3.290526731491926), (0.1, -1.2815515655446004),
        (1e-10, -6.361340902404056), (1e-300, -37.0471),
    ])
    func `agrees with tables`(p: Double, expected: Double) {
        let tolerance = p == 1e-300 ? 1e-5 : 1e-14
        #expect(abs(normalQuantile(p) - expected) <= tolerance * max(1, abs(expected)))
    }
}
