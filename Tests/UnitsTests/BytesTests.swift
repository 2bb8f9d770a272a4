import Testing
import Units

@Suite("Quantities")
struct QuantityTests {
    @Test(
        arguments: [
            ("100 GB", 100_000_000_000), ("1.5 TiB", 1_649_267_441_664), ("0 B", 0), ("0.5 kB", 500),
            ("1GiB", 1_073_741_824), ("9223372036854775807 B", nil), ("1.5 B", nil), ("12", nil), ("-1 GB", nil),
            ("1 gb", nil), ("", nil), ("GB", nil), ("1. GB", nil), ("99999999 PB", nil),
        ] as [(String, Int64?)])
    func `sizes are read exactly or not at all`(text: String, count: Int64?) { #expect(Bytes(text)?.count == count) }

    @Test(
        arguments: [(1500, "1.5 kB"), (1024, "1.024 kB"), (1 << 30, "1 GiB"), (0, "0 B"), (1_000_000_000, "1 GB")]
            as [(Int64, String)])
    func `sizes are printed in the shortest exact unit`(count: Int64, text: String) {
        #expect("\(Bytes(count))" == text)
    }

    @Test(
        arguments: [
            ("10 Gbit/s", 1_250_000_000), ("1 MB/s", 1_000_000), ("8 bit/s", 1), ("1 bit/s", nil), ("1 GiB/s", 1 << 30),
            ("1 Gbps", 125_000_000), ("5", nil),
        ] as [(String, Int64?)])
    func `rates are read exactly or not at all`(text: String, rate: Int64?) {
        #expect(ByteRate(text)?.bytesPerSecond == rate)
    }

    @Test(
        arguments: [(10, 3, 3_333_333_334), (9, 3, 3_000_000_000), (0, 5, 0), (1, 3_000_000_000, 1)]
            as [(Int64, Int64, Int64)])
    func `a duration is rounded up`(size: Int64, rate: Int64, nanoseconds: Int64) {
        #expect(ByteRate(bytesPerSecond: rate).duration(of: Bytes(size)).nanoseconds == nanoseconds)
    }

    @Test func `a share of a size is rounded down`() {
        #expect(Bytes(10).scaled(by: Fraction(partsPerBillion: 333_333_333)).count == 3)
        #expect(Bytes(Int64.max).scaled(by: .one).count == .max && Bytes(99).scaled(by: .percent(1)).count == 0)
    }

    @Test(
        arguments: [("3 %", 30_000_000), ("0.5 %", 5_000_000), ("1.5", 1_500_000_000), ("3 GB", nil)]
            as [(String, Int64?)])
    func `shares are read exactly or not at all`(text: String, parts: Int64?) {
        #expect(Fraction(text)?.partsPerBillion == parts)
    }

    @Test(
        arguments: [
            ("45 min", 2_700_000_000_000), ("1 h 30 min", 5_400_000_000_000), ("-2 s", -2_000_000_000),
            ("250 ms", 250_000_000),
            ("2 w", 1_209_600_000_000_000), ("1", nil), ("1 month", nil), ("", nil),
        ] as [(String, Int64?)])
    func `durations are read exactly or not at all`(text: String, nanoseconds: Int64?) {
        #expect(SimDuration(text)?.nanoseconds == nanoseconds)
    }

    @Test func `what is printed reads back the same`() {
        var state: UInt64 = 20_260_105
        func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state ^ (state >> 29)) &* 0xBF58_476D_1CE4_E5B9
        }
        for _ in 0..<5000 {
            // All orders of magnitude, and round numbers as often as odd ones.
            var n = Int64(next() >> (8 + next() % 54))
            if next() % 2 == 0 { for _ in 0..<next() % 6 where n < 1_000_000_000_000 { n *= 1000 } }
            #expect(Bytes("\(Bytes(n))") == Bytes(n), "\(n)")
            if n < 1 << 55 { #expect(ByteRate("\(ByteRate(bytesPerSecond: n))")?.bytesPerSecond == n, "\(n)") }
            #expect(SimDuration("\(SimDuration(nanoseconds: n))")?.nanoseconds == n, "\(n)")
            #expect(SimDuration("\(SimDuration(nanoseconds: -n))")?.nanoseconds == -n, "\(n)")
            #expect(Fraction("\(Fraction(partsPerBillion: n))")?.partsPerBillion == n, "\(n)")
        }
    }

    @Test func `reports show three digits`() {
        #expect(
            [1.234, 45.67, 789.4, 12340.4, 9.996, 0].map(threeDigits) == [
                "1.23", "45.7", "789", "12340", "10.0", "0.00",
            ])
        #expect(Bytes(1_234_000_000_000).rounded == "1.23 TB" && Bytes(999).rounded == "999 B")
    }
}
