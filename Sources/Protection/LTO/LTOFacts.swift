public import Units

/// What a drive of an LTO generation and its cartridge can do. Source: tape-hardware, section 1.
public struct LTOFacts: Sendable, Hashable {
    public let generation: LTOGeneration
    public let isHalfHeight: Bool
    public let capacity: Bytes
    public let nativeRate: ByteRate
    /// Speeds at which the tape streams, fastest first; the last is the slowest at which it does not stop.
    public let speeds: [ByteRate]
    public let load: SimDuration
    /// Of a rewound cartridge.
    public let unload: SimDuration
    public let averageLocate: SimDuration
    public let averageRewind: SimDuration
    /// Metres.
    public let length: Double
    /// End-to-end passes that fill the cartridge.
    public let wraps: Int
    /// Metres per second.
    public let searchSpeed: Double
    public let rewindSpeed: Double
    /// Before a blank cartridge takes its first block, on average and at most.
    public let firstLoad: SimDuration
    public let longestFirstLoad: SimDuration
    /// Chance of an uncorrectable error per bit read.
    public let bitErrorRate: Double
    public let densityCode: UInt8
    /// End of the bar code of its cartridges.
    public let barcodeSuffix: String

    public var lowestStreamingRate: ByteRate { speeds.last! }
    public var perWrap: Bytes { Bytes(capacity.count / Int64(wraps)) }

    /// The facts of a generation; half-height drives are slower.
    public static func of(_ generation: LTOGeneration, isHalfHeight: Bool = false) -> LTOFacts {
        (isHalfHeight ? halfHeight : fullHeight)[generation.rawValue - LTOGeneration.lto5.rawValue]
    }

    /// The long cartridge of LTO-10, 40 TB, in the same drives as the one of 30 TB. It has 14 speeds; those between the first
    /// and the last four are spread evenly here.
    public static let lto10Long = LTOFacts(
        .lto10, false, terabytes: 40, rate: 400,
        speeds: [407, 388, 369, 350, 331, 313, 294, 275, 256, 237, 218, 199, 181, 162], load: 12, unload: 27,
        locate: 73,
        rewind: 75, length: 1_337, wraps: 472, search: 9.6, rewindSpeed: 9.3, bitErrors: 1e-20, density: 0x63,
        suffix: "PA")

    /// Of each kind of cartridge, in the order of generations.
    public static let cartridges = fullHeight + [lto10Long]

    /// Generations whose cartridges a drive writes.
    public static func writes(_ drive: LTOGeneration) -> [LTOGeneration] {
        switch drive {
        case .lto5: [.lto5]
        case .lto6: [.lto6, .lto5]
        case .lto7: [.lto7, .lto6]
        case .lto8: [.lto8, .lto7]
        case .lto9: [.lto9, .lto8]
        case .lto10: [.lto10]
        }
    }

    /// Generations whose cartridges a drive reads, of those a library here can hold.
    public static func reads(_ drive: LTOGeneration) -> [LTOGeneration] {
        switch drive {
        case .lto7: [.lto7, .lto6, .lto5]
        case .lto5, .lto6, .lto8, .lto9, .lto10: writes(drive)
        }
    }

    /// Whether a drive reads a cartridge.
    public static func canRead(_ cartridge: LTOGeneration, in drive: LTOGeneration) -> Bool {
        canWrite(cartridge, in: drive) || (drive == .lto7 && cartridge == .lto5)
    }

    /// Whether a drive writes a cartridge: its own generation, and the one before except with LTO-10.
    @inlinable public static func canWrite(_ cartridge: LTOGeneration, in drive: LTOGeneration) -> Bool {
        cartridge == drive || (drive != .lto10 && cartridge.rawValue == drive.rawValue - 1)
    }

    private static let fullHeight = LTOGeneration.allCases.map { facts($0, isHalfHeight: false) }
    private static let halfHeight = LTOGeneration.allCases.map { facts($0, isHalfHeight: true) }

    private static func facts(_ generation: LTOGeneration, isHalfHeight half: Bool) -> LTOFacts {
        switch generation {
        case .lto5:
            LTOFacts(
                generation, half, terabytes: 1.5, rate: 140, speeds: even(140, to: 47), load: 12, unload: 17,
                locate: 60,
                rewind: 60, length: 846, wraps: 80, search: 7.4, rewindSpeed: 7.4, bitErrors: 1e-17, density: 0x58,
                suffix: "L5")
        case .lto6:
            LTOFacts(
                generation, half, terabytes: 2.5, rate: 160, speeds: even(160, to: 54), load: 12, unload: 17,
                locate: 62,
                rewind: 62, length: 846, wraps: 136, search: 7.2, rewindSpeed: 7.2, bitErrors: 1e-17, density: 0x5A,
                suffix: "L6")
        case .lto7:
            LTOFacts(
                generation, half, terabytes: 6, rate: 300,
                speeds: [306, 288, 269, 251, 232, 213, 194, 175, 158, 139, 120, 101], load: 15, unload: 20, locate: 56,
                rewind: 60, length: 960, wraps: 112, search: 9.1, rewindSpeed: 8.4, bitErrors: 1e-19, density: 0x5C,
                suffix: "L7")
        case .lto8:
            LTOFacts(
                generation, half, terabytes: 12, rate: half ? 300 : 360,
                speeds: [365, 341, 318, 306, 273, 250, 226, 203, 180, 158, 135, 112].filter { !half || $0 <= 306 },
                load: 15, unload: 24, locate: 59, rewind: 59, length: 960, wraps: 208, search: 8.6, rewindSpeed: 8.6,
                bitErrors: 1e-19, density: 0x5E, suffix: "L8")
        case .lto9:
            LTOFacts(
                generation, half, terabytes: 18, rate: half ? 300 : 400,
                speeds: [408, 385, 366, 347, 325, 305, 284, 263, 244, 223, 203, 177].filter { !half || $0 <= 284 },
                load: half ? 16 : 17, unload: half ? 56 : 30, locate: half ? 65 : 45, rewind: half ? 62 : 55,
                length: 1_035,
                wraps: 280, search: half ? 8.4 : 12.3, rewindSpeed: half ? 8.8 : 9.9, firstLoad: 40, longest: 120,
                bitErrors: 1e-20, density: 0x60, suffix: "L9")
        case .lto10:
            LTOFacts(
                generation, half, terabytes: 30, rate: 400,
                speeds: [407, 387, 368, 349, 330, 311, 291, 272, 253, 234, 214, 195, 176], load: 12, unload: 27,
                locate: 65,
                rewind: 62, length: 1_035, wraps: 472, search: 8.4, rewindSpeed: 8.8, bitErrors: 1e-20, density: 0x62,
                suffix: "LA")
        }
    }

    /// Seven even steps, where no table is published.
    private static func even(_ highest: Int64, to lowest: Int64) -> [Int64] {
        (0..<7).map { highest - (highest - lowest) * $0 / 6 }
    }

    private init(
        _ generation: LTOGeneration, _ half: Bool, terabytes: Double, rate: Int64, speeds: [Int64], load: Int64,
        unload: Int64, locate: Int64, rewind: Int64, length: Double, wraps: Int, search: Double, rewindSpeed: Double,
        firstLoad: Int64 = 0, longest: Int64 = 0, bitErrors: Double, density: UInt8, suffix: String
    ) {
        (self.generation, isHalfHeight, self.wraps, self.length) = (generation, half, wraps, length)
        capacity = Bytes(Int64(terabytes * 1e12))
        nativeRate = .megabytesPerSecond(rate)
        self.speeds = speeds.map { .megabytesPerSecond($0) }
        (self.load, self.unload) = (.seconds(load), .seconds(unload))
        (averageLocate, averageRewind) = (.seconds(locate), .seconds(rewind))
        (searchSpeed, self.rewindSpeed) = (search, rewindSpeed)
        (self.firstLoad, longestFirstLoad) = (.minutes(firstLoad), .minutes(longest))
        (bitErrorRate, densityCode, barcodeSuffix) = (bitErrors, density, suffix)
    }
}
