import Files
import Protection

/// A label: 4096 bytes that say what the cartridge is and what is on it at a commit.
struct CartridgeLabel: Hashable {
    struct Partition: Hashable {
        var end = CartridgeMark()
        /// Behind all it has stored in the file.
        var storedEnd = CartridgeLayout.dataStart
        var tail = CartridgePiece.none
    }
    static let magic: [UInt8] = Array("DPMCART1".utf8)
    private static let partitionsAt = 256
    private static let partitionSize = 64
    private static let crcAt = CartridgeLayout.labelSize - 4

    var identity: CartridgeIdentity
    var generation: UInt64
    /// The write epoch of the newest records.
    var epoch: UInt32
    /// Grows by one with each commit that changed what is on the tape.
    var changeReference: UInt32 = 0
    var isWriteProtected = false
    /// It was written while the cartridge was loaded: the other label says less. Otherwise both say the same.
    var isLoaded = false
    var attributes = CartridgePiece.none
    var counters = CartridgeCounters()
    var partitions: [Partition]

    var storedEnd: Int64 { partitions.reduce(CartridgeLayout.dataStart) { max($0, $1.storedEnd) } }

    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: CartridgeLayout.labelSize)
        bytes.put(Self.magic, at: 0)
        bytes.putLittle(CartridgeLayout.version, at: 8)
        bytes.putLittle(UInt32(isWriteProtected ? 1 : 0) | (isLoaded ? 2 : 0), at: 12)
        bytes.putLittle(generation, at: 16)
        bytes.put(identity.guid.bytes, at: 24)
        bytes.put(Array(identity.barcode.utf8), at: 40)
        bytes[72] = UInt8(identity.generation?.rawValue ?? 0)
        bytes[73] = identity.density
        bytes[74] = identity.kind.rawValue
        bytes[75] = UInt8(partitions.count)
        bytes.putLittle(UInt32(identity.wraps), at: 76)
        bytes.putLittle(UInt32(identity.length), at: 80)
        bytes.putLittle(epoch, at: 84)
        bytes.putLittle(identity.reserve, at: 88)
        bytes.putLittle(identity.created, at: 96)
        bytes.putLittle(changeReference, at: 104)
        Self.put(attributes, into: &bytes, at: 112)
        for (index, value) in counters.values.enumerated() { bytes.putLittle(value, at: 128 + 8 * index) }
        bytes.putLittle(identity.capacity, at: 208)
        for (index, partition) in partitions.enumerated() {
            let at = Self.partitionsAt + index * Self.partitionSize
            bytes.putLittle(identity.partitions[index], at: at)
            bytes.putLittle(partition.end.object, at: at + 8)
            bytes.putLittle(partition.end.file, at: at + 16)
            bytes.putLittle(partition.end.native, at: at + 24)
            bytes.putLittle(partition.storedEnd, at: at + 32)
            Self.put(partition.tail, into: &bytes, at: at + 40)
        }
        bytes.putLittle(CRC32C.of(bytes, zeroing: Self.crcAt), at: Self.crcAt)
        return bytes
    }

    private static func put(_ piece: CartridgePiece, into bytes: inout [UInt8], at offset: Int) {
        bytes.putLittle(piece.offset, at: offset)
        bytes.putLittle(UInt32(piece.length), at: offset + 8)
        bytes.putLittle(piece.crc, at: offset + 12)
    }

    private static func piece(_ bytes: [UInt8], at offset: Int) -> CartridgePiece {
        CartridgePiece(
            offset: bytes.little(at: offset), length: Int(bytes.little(UInt32.self, at: offset + 8)),
            crc: bytes.little(at: offset + 12))
    }

    /// A label, or what is wrong with these bytes of slot `slot`.
    static func decoded(_ bytes: [UInt8], slot: Int) -> (label: CartridgeLabel?, problem: String?) {
        guard bytes.count == CartridgeLayout.labelSize, Array(bytes[..<8]) == magic else {
            return (nil, "there is no label")
        }
        guard bytes.little(UInt32.self, at: crcAt) == CRC32C.of(bytes, zeroing: crcAt) else {
            return (nil, "its checksum is wrong")
        }
        let version = bytes.little(UInt16.self, at: 8)
        guard version == CartridgeLayout.version else { return (nil, "its version \(version) is not known") }
        let name = bytes[40..<72].prefix { $0 != 0 }
        guard let barcode = String(validating: name, as: UTF8.self), let kind = CartridgeKind(rawValue: bytes[74])
        else { return (nil, "its barcode or kind makes no sense") }
        let count = Int(bytes[75])
        guard 1...CartridgeLayout.maximumPartitions ~= count else { return (nil, "it has \(count) partitions") }
        let starts = (0..<count).map { partitionsAt + $0 * partitionSize }
        var design = CartridgeDesign(
            barcode: barcode, capacity: 0, reserve: bytes.little(at: 88),
            wraps: Int(bytes.little(UInt32.self, at: 76)), kind: kind)
        design.partitions = starts.map { bytes.little(at: $0) }
        design.length = Int(bytes.little(UInt32.self, at: 80))
        if let problem = design.problem { return (nil, problem) }
        let capacity: Int64 = bytes.little(at: 208)
        guard design.partitions.reduce(0, +)..<CartridgeLayout.absurd ~= capacity else {
            return (nil, "its partitions do not fit its capacity")
        }
        guard bytes[72] == 0 || LTOGeneration(rawValue: Int(bytes[72])) != nil else {
            return (nil, "its generation \(bytes[72]) is not known")
        }
        let identity = CartridgeIdentity(
            guid: GUID(bytes: Array(bytes[24..<40])), barcode: barcode,
            generation: LTOGeneration(rawValue: Int(bytes[72])), kind: kind, capacity: capacity,
            partitions: design.partitions,
            reserve: design.reserve, wraps: design.wraps, length: design.length, density: bytes[73],
            created: bytes.little(at: 96))
        let flags = bytes.little(UInt32.self, at: 12)
        guard flags < 4, bytes.little(UInt64.self, at: 16) < UInt64(CartridgeLayout.absurd) else {
            return (nil, "its flags or its generation make no sense")
        }
        var label = CartridgeLabel(
            identity: identity, generation: bytes.little(at: 16), epoch: bytes.little(at: 84),
            changeReference: bytes.little(at: 104), isWriteProtected: flags & 1 != 0, isLoaded: flags & 2 != 0,
            attributes: piece(bytes, at: 112), partitions: [])
        let counters: [Int64] = (0..<CartridgeCounters.count).map { bytes.little(at: 128 + 8 * $0) }
        guard counters.allSatisfy({ 0..<CartridgeLayout.absurd ~= $0 }) else {
            return (nil, "its counters make no sense")
        }
        label.counters.values = counters
        for (index, at) in starts.enumerated() {
            let partition = Partition(
                end: CartridgeMark(
                    object: bytes.little(at: at + 8), file: bytes.little(at: at + 16), native: bytes.little(at: at + 24)
                ),
                storedEnd: bytes.little(at: at + 32), tail: piece(bytes, at: at + 40))
            if let problem = label.problem(partition, index, slot) { return (nil, "partition \(index): \(problem)") }
            label.partitions.append(partition)
        }
        let room = CartridgeLayout.attributes(slot)
        guard label.attributes.offset == room, label.attributes.length <= CartridgeLayout.attributesRoom else {
            return (nil, "its attributes do not lie where they belong")
        }
        return (label, nil)
    }

    private func problem(_ partition: Partition, _ index: Int, _ slot: Int) -> String? {
        let sane = 0..<CartridgeLayout.absurd
        let end = partition.end
        guard sane ~= end.object, 0...end.object ~= end.file, 0...identity.partitions[index] ~= end.native else {
            return "its end of data makes no sense"
        }
        guard sane ~= partition.storedEnd, partition.storedEnd >= CartridgeLayout.dataStart,
            partition.storedEnd % CartridgeLayout.unit == 0
        else { return "its end in the file makes no sense" }
        guard partition.tail.offset == CartridgeLayout.tail(slot, partition: index),
            partition.tail.length <= CartridgeLayout.tailRoom
        else { return "its tail does not lie where it belongs" }
        return nil
    }
}
