public import Units

/// Where the tape is and how long it takes to be elsewhere: the linear serpentine model of tape-hardware.md, sections 2 and 3.
/// Positions are native bytes of the cartridge, after compression, from 0 to its capacity.
public struct TapeMotion: Sendable {
    public let facts: LTOFacts
    private let perWrap: Double
    private let backHitch: Double

    // Section 2: start of a movement, head shift between wraps, deceleration, and how near is read through.
    private let startSeconds = 3.0
    private let wrapSeconds = 0.5
    private let turnSeconds: Double
    private let nearShare = 0.02

    public init(generation: LTOGeneration, halfHeight: Bool, tuning: Tuning) {
        self.init(LTOFacts.of(generation, isHalfHeight: halfHeight), tuning: tuning)
    }

    public init(_ facts: LTOFacts, tuning: Tuning = Tuning()) {
        self.facts = facts
        perWrap = Double(facts.capacity.count) / Double(facts.wraps)
        backHitch = tuning.backHitch.seconds
        // The quickest search (LTO-9, full height) leaves its published average no room for turns at 10 m/s².
        let acceleration = facts.searchSpeed > 10 ? 20.0 : 10.0
        turnSeconds = 2 * facts.searchSpeed / acceleration
    }

    public var loadTime: SimDuration { facts.load }
    public var unloadTime: SimDuration { facts.unload }
    /// Before a blank cartridge takes its first block, besides loading: media optimisation (LTO-9).
    public var firstLoadTime: SimDuration { facts.firstLoad }
    public var capacity: Bytes { facts.capacity }

    /// Wrap and metres from the beginning of tape of a byte.
    func place(_ byte: Int64) -> (wrap: Int, x: Double) {
        let wrap = Int(Double(byte) / perWrap)
        let share = Double(byte) / perWrap - Double(wrap)
        return (wrap, facts.length * (wrap % 2 == 0 ? share : 1 - share))
    }

    /// From one byte of a cartridge to another, then ready to read. From the load point (byte 0) too.
    public func locate(from: Int64, to: Int64) -> SimDuration {
        SimDuration(roundingUp: locateSeconds(from: from, to: to))
    }

    /// The same in seconds, for sums of many.
    func locateSeconds(from: Int64, to: Int64) -> Double {
        guard from != to else { return 0 }
        let (a, b) = (place(from), place(to))
        let distance = abs(b.x - a.x)
        let isAhead = a.wrap == b.wrap && to > from
        if isAhead, distance < nearShare * facts.length {
            return Double(to - from) / Double(facts.nativeRate.bytesPerSecond)
        }
        var seconds = startSeconds + distance / facts.searchSpeed
        if a.wrap != b.wrap { seconds += wrapSeconds }
        let readsForward = b.wrap % 2 == 0
        if distance > 0, readsForward != (b.x > a.x) { seconds += turnSeconds }
        return seconds
    }

    /// From a byte to the load point.
    public func rewind(from byte: Int64) -> SimDuration {
        byte == 0 ? .zero : SimDuration(roundingUp: startSeconds + place(byte).x / facts.rewindSpeed)
    }

    /// The fastest the host may deliver plain bytes, by compression ratio; the interface's ceiling is the drive's resource.
    public func streamCap(compressionRatio: Double) -> Double {
        Double(facts.nativeRate.bytesPerSecond) * compressionRatio
    }

    /// What the drive gathers before it starts to write (section 3).
    private var buffer: Double { facts.generation.rawValue >= 7 ? 512e6 : 256e6 }
    private var lowestRate: Double { Double(facts.lowestStreamingRate.bytesPerSecond) }

    /// How often the drive runs dry over `bytes` on tape that come at `inputRate` bytes on tape a second.
    public func backHitches(bytes: Int64, inputRate: Double) -> Int {
        guard inputRate > 0, inputRate < lowestRate else { return 0 }
        return Int(Double(bytes) / inputRate / (buffer / inputRate + buffer / (lowestRate - inputRate)))
    }

    /// What the drive takes on average of an input of `inputRate` bytes on tape a second. It follows the input as long as
    /// the buffer holds what comes in during a back-hitch; beyond that the input waits for the rest of each back-hitch.
    public func sustainedRate(inputRate: Double) -> Double {
        guard inputRate > 0, inputRate < lowestRate else {
            return min(inputRate, Double(facts.nativeRate.bytesPerSecond))
        }
        guard inputRate * backHitch > buffer else { return inputRate }
        let burst = buffer / (lowestRate - inputRate)
        return lowestRate * burst / (burst + backHitch)
    }
}
