import Files
import Glibc
import Tape

/// Small cartridges on a simulated disk.
enum CartridgeLab {
    static let path = "/tapes/TEST01L9.cart"

    static func design(
        capacity: Int64 = 1 << 30, partitions: Int = 1, kind: CartridgeKind = .data
    ) -> CartridgeDesign {
        var design = CartridgeDesign(barcode: "TEST01L9", capacity: capacity, reserve: 1 << 20, kind: kind)
        design.partitions = Array(repeating: capacity / Int64(partitions), count: partitions)
        return design
    }

    static func folder(_ disk: SimulatedDisk) throws {
        try disk.makeFolder("/tapes")
        try disk.syncFolder("/")
    }

    static func make(
        on files: any FileSystem, _ design: CartridgeDesign = design()
    ) throws -> Cartridge {
        try Cartridge.create(at: path, on: files, design, guids: SequentialGUIDs(seed: 7), time: 1_700_000_000)
    }

    /// A cartridge on a disk of its own.
    static func made(_ design: CartridgeDesign = design()) throws -> (SimulatedDisk, Cartridge) {
        let disk = SimulatedDisk()
        try folder(disk)
        return (disk, try make(on: disk, design))
    }

    /// What records are cut from: no byte of it is zero.
    private static let pool: [UInt8] = {
        var chance = TapeChance(seed: 1)
        var bytes = [UInt8](repeating: 0, count: (1 << 20) + (1 << 13))
        for place in stride(from: 0, to: bytes.count, by: 8) {
            bytes.putLittle(chance.next() | 0x0101_0101_0101_0101, at: place)
        }
        return bytes
    }()

    /// Bytes that differ with the number and are not zero; at most 1 MiB.
    static func bytes(_ number: Int, _ count: Int) -> [UInt8] {
        let start = number &* 2_654_435_761 % (1 << 13)
        var bytes = Array(pool[start..<start + count])
        for place in 0..<min(4, count) { bytes[place] = UInt8(truncatingIfNeeded: number >> (7 * place)) << 1 | 1 }
        return bytes
    }
}

/// An object of a tape, as a test remembers it.
enum TapeObject: Hashable {
    case record(Int, count: Int)
    case zeros(Int)
    case filemark

    var native: Int64 {
        switch self {
        case .record(_, let count), .zeros(let count): Int64(count)
        case .filemark: 0
        }
    }

    var bytes: [UInt8] {
        switch self {
        case .record(let number, let count): CartridgeLab.bytes(number, count)
        case .zeros(let count): [UInt8](repeating: 0, count: count)
        case .filemark: []
        }
    }
}

/// What is on a tape, by partition.
typealias TapeContent = [[TapeObject]]

/// Reads tapes and holds them against what should be there.
final class TapeReader {
    private let buffer = Buffer(count: 1 << 20)
    private var known: [TapeObject: [UInt8]] = [:]

    private func bytes(_ object: TapeObject) -> [UInt8] {
        if let bytes = known[object] { return bytes }
        let bytes = object.bytes
        known[object] = bytes
        return bytes
    }

    /// What differs; nil if nothing does. Faults are differences unless they are of `allowed` objects.
    func difference(_ tape: Cartridge, _ content: TapeContent) -> String? {
        for (partition, objects) in content.enumerated() {
            let end = tape.end(of: partition)
            guard end.objects == Int64(objects.count) else {
                return "partition \(partition) has \(end.objects) objects, not \(objects.count)"
            }
            do {
                try tape.locate(object: 0, partition: partition)
                for (number, object) in objects.enumerated() {
                    if let text = try next(tape, object) { return "partition \(partition), object \(number): \(text)" }
                }
                if try tape.read(into: buffer.bytes) != .endOfData { return "there is more than the end" }
            } catch { return "partition \(partition): \(error)" }
        }
        return nil
    }

    /// Reads one object.
    func next(_ tape: Cartridge, _ object: TapeObject) throws -> String? {
        switch (try tape.read(into: buffer.bytes), object) {
        case (.filemark, .filemark): return nil
        case (.record(let length), .record), (.record(let length), .zeros):
            let expected = bytes(object)
            guard length == expected.count else { return "\(length) bytes, not \(expected.count)" }
            let isSame = expected.withUnsafeBytes { memcmp($0.baseAddress!, buffer.bytes.baseAddress!, length) == 0 }
            return isSame ? nil : "its bytes are not those of \(object)"
        case (let met, _): return "\(met) where \(object) should be"
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct TapeChance: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
