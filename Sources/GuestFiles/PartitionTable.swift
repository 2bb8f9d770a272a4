public import DiskImages
public import Files

/// How a disk is divided, as its partition table says. Read by ourselves, each field checked before it is used.
public struct PartitionTable: Hashable, Sendable {
    public enum Scheme: String, Hashable, Sendable {
        case gpt, mbr
        /// No table: the whole disk is one volume.
        case none
    }
    public struct Partition: Hashable, Sendable {
        /// As others count: GPT entries from 1; MBR 1 to 4, logical ones from 5.
        public var number: Int
        /// Bytes of the disk.
        public var range: Range<Int64>
        /// `EBD0A0A2-…` or `0x07`.
        public var type: String
        /// Of GPT entries; empty where there is none.
        public var name: String
    }
    public var scheme: Scheme
    /// Those that lie inside the disk, by number.
    public var partitions: [Partition]
    /// What is wrong with the table though it could be read, in sentences without a full stop.
    public var notes: [String]

    /// Reads the table of `device`. A disk that carries neither table has the scheme `none` and no partitions.
    ///
    /// Faults: those of reading; `GUEST-TABLE` if there is a GPT of which both copies are damaged.
    public init(of device: any BlockDevice) throws(StorageFault) {
        (scheme, partitions, notes) = (.none, [], [])
        guard device.size >= 4096 else { return }
        let first = try device.bytes(512, at: 0)
        let hasMark = first[510] == 0x55 && first[511] == 0xAA
        let entries = (0..<4).map { MBREntry(first, at: 446 + 16 * $0) }
        let isBootSector = VolumeKind.ofBootSector(first) != nil
        let isMBR =
            hasMark && !isBootSector && entries.contains { $0.type != 0 && $0.count > 0 }
            && entries.allSatisfy { $0.status & 0x7F == 0 }
        let isProtective = isMBR && entries.contains { $0.type == 0xEE }
        for sector in [Int64(device.sectorSize), 512, 4096].uniqued() {
            if let table = try GPT(of: device, sector: sector, trusting: isProtective) {
                (scheme, partitions, notes) = (.gpt, table.partitions, table.notes)
                return
            }
        }
        if isProtective {
            throw StorageFault(
                .damaged, "GUEST-TABLE", device.name, "both copies of its GUID partition table are damaged",
                action: "Try another recovery point, or restore the disk and repair its table there")
        }
        guard isMBR else { return }
        scheme = .mbr
        try readMBR(entries, of: device)
    }

    private mutating func add(_ partition: Partition, of device: any BlockDevice) {
        let range = partition.range
        guard range.lowerBound > 0, range.upperBound <= device.size else {
            notes.append("partition \(partition.number) does not lie inside the disk and is left out")
            return
        }
        partitions.append(partition)
    }

    private mutating func readMBR(_ entries: [MBREntry], of device: any BlockDevice) throws(StorageFault) {
        let sector = Int64(device.sectorSize)
        var extended: Range<Int64>?
        for (index, entry) in entries.enumerated() where entry.type != 0 && entry.count > 0 {
            if entry.isExtended {
                extended = extended ?? entry.range(sector, from: 0)
            } else {
                let type = "0x" + twoHex(entry.type)
                add(Partition(number: index + 1, range: entry.range(sector, from: 0), type: type, name: ""), of: device)
            }
        }
        guard let extended else { return }
        // Each link of the chain tells one logical partition and where the next link is.
        var (next, number, seen) = (extended.lowerBound, 5, Set<Int64>())
        while next >= extended.lowerBound, next <= device.size - 512, seen.insert(next).inserted, number < 1000 {
            let link = try device.bytes(512, at: next)
            guard link[510] == 0x55, link[511] == 0xAA else {
                notes.append("the chain of logical partitions breaks off at byte \(next)")
                return
            }
            let (logical, following) = (MBREntry(link, at: 446), MBREntry(link, at: 462))
            if logical.type != 0, logical.count > 0 {
                let range = logical.range(sector, from: next)
                add(Partition(number: number, range: range, type: "0x" + twoHex(logical.type), name: ""), of: device)
                number += 1
            }
            guard following.isExtended, following.count > 0 else { return }
            next = extended.lowerBound + Int64(following.start) * sector
        }
        notes.append("the chain of logical partitions does not end")
    }
}

/// One of the four entries of a master or extended boot record.
private struct MBREntry {
    var status: UInt8, type: UInt8, start: UInt32, count: UInt32
    init(_ sector: [UInt8], at offset: Int) {
        (status, type) = (sector[offset], sector[offset + 4])
        (start, count) = (sector.little(at: offset + 8), sector.little(at: offset + 12))
    }
    var isExtended: Bool { [0x05, 0x0F, 0x85].contains(type) }
    func range(_ sector: Int64, from base: Int64) -> Range<Int64> {
        let first = base + Int64(start) * sector
        return first..<first + Int64(count) * sector
    }
}

/// A GUID partition table: the copy at the beginning, else that at the end.
private struct GPT {
    var partitions: [PartitionTable.Partition] = []
    var notes: [String] = []

    init?(of device: any BlockDevice, sector: Int64, trusting: Bool) throws(StorageFault) {
        let last = device.size / sector - 1
        if let entries = try Self.entries(at: 1, of: device, sector) {
            read(entries, of: device, sector)
        } else {
            guard device.size >= 2 * sector else { return nil }
            let mark = try device.bytes(8, at: sector)
            guard trusting || mark == Array("EFI PART".utf8),
                let entries = try Self.entries(at: last, of: device, sector)
            else { return nil }
            notes.append("the partition table at the beginning is damaged; its copy at the end was used")
            read(entries, of: device, sector)
        }
    }

    /// The bytes of all entries and of one, if the header in sector `number` and they prove to be whole.
    private static func entries(
        at number: Int64, of device: any BlockDevice, _ sector: Int64
    ) throws(StorageFault) -> (bytes: [UInt8], each: Int)? {
        guard number > 0, (number + 1) * sector <= device.size else { return nil }
        var header = try device.bytes(Int(sector), at: number * sector)
        guard Array(header[0..<8]) == Array("EFI PART".utf8) else { return nil }
        let length = Int(header.little(UInt32.self, at: 12))
        guard 92...Int(sector) ~= length, header.little(UInt64.self, at: 24) == UInt64(number) else { return nil }
        let sum = header.little(UInt32.self, at: 16)
        header.putLittle(UInt32(0), at: 16)
        guard CRC32.of(header[0..<length]) == sum else { return nil }
        let (count, each) = (Int(header.little(UInt32.self, at: 80)), Int(header.little(UInt32.self, at: 84)))
        let start = header.little(UInt64.self, at: 72)
        guard 1...4096 ~= count, 128...4096 ~= each, each % 8 == 0, start < UInt64(device.size / sector),
            Int64(count * each) <= device.size - Int64(start) * sector
        else { return nil }
        let bytes = try device.bytes(count * each, at: Int64(start) * sector)
        guard CRC32.of(bytes) == header.little(UInt32.self, at: 88) else { return nil }
        return (bytes, each)
    }

    private mutating func read(_ entries: (bytes: [UInt8], each: Int), of device: any BlockDevice, _ sector: Int64) {
        let (bytes, each) = entries
        for index in 0..<bytes.count / each {
            let at = index * each
            guard bytes[at..<at + 16].contains(where: { $0 != 0 }) else { continue }
            let (first, last) = (bytes.little(UInt64.self, at: at + 32), bytes.little(UInt64.self, at: at + 40))
            let sectors = UInt64(device.size / sector)
            guard first > 0, first <= last, last < sectors else {
                notes.append("partition \(index + 1) does not lie inside the disk and is left out")
                continue
            }
            let units = (0..<36).map { bytes.little(UInt16.self, at: at + 56 + 2 * $0) }.prefix { $0 != 0 }
            partitions.append(
                PartitionTable.Partition(
                    number: index + 1, range: Int64(first) * sector..<Int64(last + 1) * sector,
                    type: GUID(bytes: Array(bytes[at..<at + 16])).description,
                    name: String(decoding: units, as: UTF16.self)))
        }
    }
}

private func twoHex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true) }

extension [Int64] {
    fileprivate func uniqued() -> [Int64] {
        reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}
