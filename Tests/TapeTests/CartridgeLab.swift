import Files
import Tape

/// Small cartridges on a simulated disk.
enum CartridgeLab {
    static let path = "/tapes/TEST01L9.cart"

    static func design(capacity: Int64 = 1 << 30, kind: CartridgeKind = .data) -> CartridgeDesign {
        CartridgeDesign(barcode: "TEST01L9", capacity: capacity, reserve: 1 << 20, kind: kind)
    }

    static func make(on disk: SimulatedDisk, _ design: CartridgeDesign = design()) throws -> Cartridge {
        try disk.makeFolder("/tapes")
        try disk.syncFolder("/")
        return try Cartridge.create(at: path, on: disk, design, guids: SequentialGUIDs(seed: 7), time: 1_700_000_000)
    }

    /// Bytes that differ with the number and are not all zero.
    static func bytes(_ number: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number &* 7 &+ $0 >> 8) | 1 }
    }
}
