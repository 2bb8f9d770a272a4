import Files

/// Looks for records and index nodes at every place where one may begin, for files whose labels or index are lost.
struct CartridgeSearch {
    private let reader: CartridgeFile
    private let limit: Int
    /// Nil if no label says which cartridge it is: checksums of headers then cannot be verified, those of data can.
    private let seed: UInt32?

    init(_ reader: CartridgeFile, limit: Int) throws(StorageFault) {
        (self.reader, self.limit) = (reader, limit)
        var guid: GUID?
        for slot in 0..<2 where guid == nil { guid = try reader.label(slot).label?.identity.guid }
        seed = guid.map(CartridgeRecord.seed)
    }

    func run() throws(StorageFault) -> [CartridgeStructure] {
        var structures: [CartridgeStructure] = []
        let step = 1 << 20
        let buffer = Buffer(count: step + CartridgeLayout.longestRecord + 64)
        var place = CartridgeLayout.dataStart
        while structures.count < limit {
            guard let data = try reader.file.dataRange(from: place) else { break }
            place = max(place, data.lowerBound / CartridgeLayout.unit * CartridgeLayout.unit)
            let count = try reader.file.read(into: buffer.bytes, at: place)
            guard count >= CartridgeRecord.headerSize else { break }
            var at = 0
            while at < step, at + CartridgeRecord.headerSize <= count, structures.count < limit {
                let rest = UnsafeRawBufferPointer(rebasing: buffer.bytes[at..<count])
                if let (structure, size) = found(rest, place + Int64(at)) {
                    structures.append(structure)
                    at += size
                } else {
                    at += Int(CartridgeLayout.unit)
                }
            }
            place += Int64(at)
        }
        return structures
    }

    /// What begins with these bytes, and how long it is.
    private func found(_ bytes: UnsafeRawBufferPointer, _ place: Int64) -> (CartridgeStructure, Int)? {
        switch UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)) {
        case CartridgeRecord.magic:
            guard let header = header(bytes) else { return nil }
            let size = CartridgeRecord.headerSize + header.length
            var problems: [String] = []
            if bytes.count < size {
                problems.append("the file ends inside it")
            } else if CRC32C.of(UnsafeRawBufferPointer(rebasing: bytes[CartridgeRecord.headerSize..<size]))
                != header.dataCRC
            {
                problems.append("its data do not have its checksum")
            }
            let fields = [
                ("partition", "\(header.partition)"), ("object", "\(header.object)"), ("epoch", "\(header.epoch)"),
                ("length", "\(header.length)"), ("crc32c", CartridgeDump.hex(header.dataCRC)),
            ]
            let stride = Int(CartridgeLayout.stride(header.length))
            // What a damaged record covers is looked at again: its length may be a lie.
            return (
                CartridgeStructure("record", place..<place + Int64(size), fields: fields, problems: problems),
                problems.isEmpty ? stride : Int(CartridgeLayout.unit)
            )
        case CartridgeNode.magic where bytes.count >= CartridgeNode.size:
            guard let seed else { return nil }
            let (node, problem) = CartridgeNode.decoded(
                UnsafeRawBufferPointer(rebasing: bytes[..<CartridgeNode.size]), seed: seed)
            let fields =
                node.map { node in
                    [
                        ("level", "\(node.level)"), ("partition", "\(node.partition)"),
                        ("first object", "\(node.runs[0].object)"),
                    ]
                } ?? []
            return (
                CartridgeStructure(
                    "index node", place..<place + Int64(CartridgeNode.size), fields: fields,
                    problems: problem.map { [$0] } ?? []),
                problem == nil ? CartridgeNode.size : Int(CartridgeLayout.unit)
            )
        default: return nil
        }
    }

    private func header(_ bytes: UnsafeRawBufferPointer) -> CartridgeRecord? {
        if let seed { return CartridgeRecord(bytes, seed: seed) }
        let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 20, as: UInt32.self)))
        guard bytes[4] == UInt8(CartridgeLayout.version), bytes[5] == CartridgeRecord.dataKind,
            1...CartridgeLayout.longestRecord ~= length
        else { return nil }
        return CartridgeRecord(
            partition: Int(bytes[6]),
            object: Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: Int64.self)),
            epoch: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self)), length: length,
            dataCRC: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 24, as: UInt32.self)))
    }
}
