public import Units

/// A fingerprint of a run: every event, its time and its order. Equal runs have equal values on every machine.
public struct TraceHash: Hashable, Sendable {
    private var state: UInt64 = 0x243F_6A88_85A3_08D3
    /// How many events went in.
    public private(set) var count: UInt64 = 0

    public init() {}

    /// Adds one event; the order of calls matters.
    public mutating func note(time: SimTime, event: Event) {
        mix(UInt64(bitPattern: time.nanoseconds))
        mix(UInt64(event.kind) << 48 | UInt64(event.detail) << 32 | UInt64(UInt32(bitPattern: event.subject)))
        mix(UInt64(bitPattern: event.argument))
        count &+= 1
    }

    /// Adds any other word that two runs must agree on.
    public mutating func mix(_ word: UInt64) {
        // A full product folds its high half back in: each bit of the word reaches all bits of the state.
        let product = (state ^ word).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        state = (product.low ^ product.high) &+ (state << 23 | state >> 41)
    }

    /// The fingerprint so far.
    public var value: UInt64 { RandomStream.mix(state ^ count) }

    /// The fingerprint in sixteen hexadecimal digits.
    public var hex: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
