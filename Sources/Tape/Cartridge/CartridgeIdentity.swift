public import Files
public import Protection
import Units

/// What sort of cartridge it is.
public enum CartridgeKind: UInt8, Sendable, CaseIterable {
    case data = 0
    /// Written once: data can be appended, never overwritten or erased.
    case worm = 1
    /// Cleans a drive; holds nothing.
    case cleaning = 2

    public var name: String {
        switch self {
        case .data: "data"
        case .worm: "WORM"
        case .cleaning: "cleaning"
        }
    }
}

/// A cartridge to be made.
public struct CartridgeDesign: Sendable, Hashable {
    public var barcode: String
    /// Nil for a cartridge of no real kind, as tests want them.
    public var generation: LTOGeneration?
    public var kind: CartridgeKind
    /// Native bytes of each partition, 1 to 4.
    public var partitions: [Int64]
    /// Native bytes at the end of each partition in which writing still succeeds, but warns.
    public var reserve: Int64
    /// End-to-end passes that fill it.
    public var wraps: Int
    /// Metres.
    public var length: Int
    public var density: UInt8
    /// Of a cleaning cartridge. Source of 50: tape-hardware, section 5.
    public var cleaningUses = 50

    /// A cartridge of a generation; 5 GB are kept for trailers (tape-hardware, section 3).
    public init(barcode: String, _ generation: LTOGeneration, kind: CartridgeKind = .data) {
        let facts = LTOFacts.of(generation)
        self.init(barcode: barcode, capacity: facts.capacity.count, reserve: 5_000_000_000, kind: kind)
        (self.generation, wraps, length) = (generation, facts.wraps, Int(facts.length))
        density = facts.densityCode
    }

    /// A cartridge of any size.
    public init(
        barcode: String, capacity: Int64, reserve: Int64, wraps: Int = 4, kind: CartridgeKind = .data
    ) {
        (self.barcode, self.kind, self.reserve, self.wraps) = (barcode, kind, reserve, wraps)
        partitions = [capacity]
        (generation, length, density) = (nil, 100, 0)
    }

    /// What is wrong with it; nil if it can be made.
    var problem: String? {
        let name = [UInt8](barcode.utf8)
        if name.isEmpty || name.count > CartridgeLayout.longestBarcode || name.contains(0) {
            return "a barcode has 1 to \(CartridgeLayout.longestBarcode) bytes"
        }
        if !(1...CartridgeLayout.maximumPartitions ~= partitions.count) { return "it has 1 to 4 partitions" }
        let sane = 1..<CartridgeLayout.absurd >> 4
        if !partitions.allSatisfy({ sane ~= $0 }) { return "a partition's capacity makes no sense" }
        if reserve < 0 || partitions.contains(where: { $0 < reserve }) {
            return "the room kept for trailers is not part of each partition"
        }
        if !(1...1_000_000 ~= wraps) || !(0...1_000_000 ~= length) { return "its wraps or its length make no sense" }
        if !(0...1_000_000 ~= cleaningUses) { return "its cleaning uses make no sense" }
        return nil
    }
}

/// What a cartridge is, for as long as it exists.
public struct CartridgeIdentity: Sendable, Hashable {
    public var guid: GUID
    public var barcode: String
    public var generation: LTOGeneration?
    public var kind: CartridgeKind
    /// Native bytes.
    public var capacity: Int64
    /// Native bytes of each partition, together no more than the capacity.
    public var partitions: [Int64]
    public var reserve: Int64
    public var wraps: Int
    /// Metres.
    public var length: Int
    public var density: UInt8
    /// Unix seconds.
    public var created: Int64
}

/// What has happened to a cartridge, over its life and since it was loaded.
public struct CartridgeCounters: Sendable, Hashable {
    public var loads: Int64 = 0
    /// Native bytes of records.
    public var bytesWritten: Int64 = 0
    public var bytesRead: Int64 = 0
    public var bytesWrittenThisLoad: Int64 = 0
    public var bytesReadThisLoad: Int64 = 0
    public var writeErrorsCorrected: Int64 = 0
    public var writeErrorsUncorrected: Int64 = 0
    /// Also what the other copy of an index node made good.
    public var readErrorsCorrected: Int64 = 0
    public var readErrorsUncorrected: Int64 = 0
    public var cleaningUsesLeft: Int64 = 0

    static let count = 10

    var values: [Int64] {
        get {
            [
                loads, bytesWritten, bytesRead, bytesWrittenThisLoad, bytesReadThisLoad, writeErrorsCorrected,
                writeErrorsUncorrected, readErrorsCorrected, readErrorsUncorrected, cleaningUsesLeft,
            ]
        }
        set {
            (loads, bytesWritten, bytesRead) = (newValue[0], newValue[1], newValue[2])
            (bytesWrittenThisLoad, bytesReadThisLoad) = (newValue[3], newValue[4])
            (writeErrorsCorrected, writeErrorsUncorrected) = (newValue[5], newValue[6])
            (readErrorsCorrected, readErrorsUncorrected) = (newValue[7], newValue[8])
            cleaningUsesLeft = newValue[9]
        }
    }
}
