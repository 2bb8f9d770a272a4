/// A transfer rate in whole bytes per second. Zero is an outage.
@frozen public struct ByteRate: Hashable, Comparable, Sendable {
    public let bytesPerSecond: Int64

    @inlinable public init(bytesPerSecond: Int64) {
        precondition(bytesPerSecond >= 0, "a rate cannot be negative: \(bytesPerSecond)")
        self.bytesPerSecond = bytesPerSecond
    }

    public static func megabytesPerSecond(_ n: Int64) -> ByteRate { ByteRate(bytesPerSecond: n * 1_000_000) }
    public static func gigabitsPerSecond(_ n: Int64) -> ByteRate { ByteRate(bytesPerSecond: n * 125_000_000) }

    @inlinable public static func < (a: ByteRate, b: ByteRate) -> Bool { a.bytesPerSecond < b.bytesPerSecond }

    /// The time to move `size` at this rate, rounded up: a transfer is done only when its last byte is.
    /// - Precondition: the rate is not zero, and the answer is below 292 years.
    public func duration(of size: Bytes) -> SimDuration {
        precondition(bytesPerSecond > 0, "nothing moves at a rate of zero")
        let product = size.count.multipliedFullWidth(by: 1_000_000_000)
        let (quotient, remainder) = bytesPerSecond.dividingFullWidth(product)
        return SimDuration(nanoseconds: quotient + (remainder > 0 ? 1 : 0))
    }
}

extension ByteRate: LosslessStringConvertible {
    // In bits per second, so that both families are whole numbers.
    static let units: [(name: String, bits: Int64)] = [
        ("B/s", 8), ("kB/s", 8_000), ("MB/s", 8_000_000), ("GB/s", 8_000_000_000), ("MiB/s", 8 << 20),
        ("GiB/s", 8 << 30), ("bit/s", 1), ("kbit/s", 1_000), ("Mbit/s", 1_000_000), ("Gbit/s", 1_000_000_000),
        ("kbps", 1_000), ("Mbps", 1_000_000), ("Gbps", 1_000_000_000),
    ]

    /// What a scenario may write, for messages.
    public static let expected =
        "a rate with its unit (B/s, kB/s, MB/s, GB/s, MiB/s, GiB/s, kbit/s, Mbit/s, Gbit/s), such as 10 Gbit/s"

    public init?(_ description: String) {
        guard let (number, unit) = splitQuantity(description), let decimal = DecimalText(number),
            let size = ByteRate.units.first(where: { $0.name == unit })?.bits, let bits = decimal.times(size),
            bits % 8 == 0
        else { return nil }
        self.init(bytesPerSecond: bits / 8)
    }

    /// Exact: reading it back gives the same rate. `Gbit/s` where it comes out even, else bytes.
    public var description: String {
        if bytesPerSecond > 0, bytesPerSecond % 125_000_000 == 0 { return "\(bytesPerSecond / 125_000_000) Gbit/s" }
        for unit in ByteRate.units[1...3].reversed() where bytesPerSecond >= unit.bits / 8 {
            if let text = DecimalText.exact(bytesPerSecond, per: unit.bits / 8) { return "\(text) \(unit.name)" }
        }
        return "\(bytesPerSecond) B/s"
    }

    /// Three significant digits, for reports: `112 MB/s`.
    public var rounded: String { Bytes(bytesPerSecond).rounded + "/s" }
}
