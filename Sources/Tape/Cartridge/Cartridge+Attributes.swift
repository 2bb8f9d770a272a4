public import Files

extension Cartridge {
    /// The ids of all attributes there are, ascending.
    public func attributeIDs(partition: Int = 0) throws(StorageFault) -> [UInt16] {
        var ids: [UInt16] = []
        for id in Self.mediumIDs + CartridgeAttributeRule.ids where try attribute(id, partition: partition) != nil {
            ids.append(id)
        }
        return ids
    }

    private static let mediumIDs: [UInt16] = [
        0x0000, 0x0001, 0x0003, 0x0009, 0x020A, 0x020B, 0x020C, 0x020D, 0x0220, 0x0221, 0x0222, 0x0223, 0x0400, 0x0401,
        0x0402, 0x0405, 0x0408,
    ]

    /// An attribute of the medium or of a partition; nil if it has no value. Numbers are big-endian, as SCSI has them.
    /// - Throws: `TAPE-NO-PARTITION`.
    public func attribute(_ id: UInt16, partition: Int = 0) throws(StorageFault) -> CartridgeAttribute? {
        try checkPresence()
        guard indexes.indices ~= partition else {
            throw attributeFault("there is no partition \(partition)")
        }
        if let rule = CartridgeAttributeRule.rule(id) {
            return memory.host[key(id, rule, partition)].map {
                CartridgeAttribute(id: id, format: rule.format, value: $0, isReadOnly: false)
            }
        }
        func number(_ value: Int64, _ count: Int) -> CartridgeAttribute {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * (count - 1 - $0))) }
            return CartridgeAttribute(id: id, format: .binary, value: bytes, isReadOnly: true)
        }
        func ascii(_ bytes: [UInt8]) -> CartridgeAttribute {
            CartridgeAttribute(id: id, format: .ascii, value: bytes, isReadOnly: true)
        }
        let mebi: Int64 = 1 << 20
        switch id {
        case 0x0000:
            return number((identity.partitions[partition] - indexes[partition].end.native) / mebi, 8)
        case 0x0001: return number(identity.partitions[partition] / mebi, 8)
        case 0x0003: return number(counters.loads, 8)
        case 0x0009: return number(Int64(label.changeReference) + (isChanged ? 1 : 0), 4)
        case 0x020A...0x020D:
            let index = Int(id) - 0x020A
            return index < memory.lastDrives.count ? ascii(memory.lastDrives[index]) : nil
        case 0x0220: return number(counters.bytesWritten / mebi, 8)
        case 0x0221: return number(counters.bytesRead / mebi, 8)
        case 0x0222: return number(counters.bytesWrittenThisLoad / mebi, 8)
        case 0x0223: return number(counters.bytesReadThisLoad / mebi, 8)
        case 0x0400: return ascii(CartridgeDrive.padded("DPMSIM", 8))
        case 0x0401: return ascii(CartridgeDrive.padded(identity.guid.description.filter { $0 != "-" }, 32))
        case 0x0402: return number(Int64(identity.length), 4)
        case 0x0405: return number(Int64(identity.density), 1)
        case 0x0408: return number([.data: 0x00, .worm: 0x80, .cleaning: 0x01][identity.kind] ?? 0, 1)
        default: return nil
        }
    }

    /// Writes an attribute of the host; an empty value removes it. Durable with the next commit.
    /// - Throws: `TAPE-ATTRIBUTE` if it is none of the host's, too long or not ASCII; `TAPE-WRITE-PROTECTED`.
    public func setAttribute(_ id: UInt16, _ value: [UInt8], partition: Int = 0) throws(StorageFault) {
        try checkPresence()
        try checkSafety()
        guard !isWriteProtected else {
            throw .cartridge(
                .readOnly, "WRITE-PROTECTED", path, "its tab protects it from writing", "Set the tab to writing")
        }
        guard indexes.indices ~= partition else { throw attributeFault("there is no partition \(partition)") }
        let name = String(id, radix: 16, uppercase: true)
        guard let rule = CartridgeAttributeRule.rule(id) else {
            throw attributeFault("attribute \(name) is not one that a host writes")
        }
        guard value.count <= rule.longest else {
            throw attributeFault("attribute \(name) has at most \(rule.longest) bytes, not \(value.count)")
        }
        if rule.format == .ascii, !value.allSatisfy({ 0x20..<0x7F ~= $0 || $0 == 0 }) {
            throw attributeFault("attribute \(name) is ASCII")
        }
        memory.host[key(id, rule, partition)] = value.isEmpty ? nil : value
        isTouched = true
    }

    private func key(_ id: UInt16, _ rule: CartridgeAttributeRule.Rule, _ partition: Int) -> CartridgeMemory.Key {
        CartridgeMemory.Key(partition: rule.isOfPartition ? UInt8(partition) : 0, id: id)
    }

    private func attributeFault(_ cause: String) -> StorageFault {
        .cartridge(.badInput, "ATTRIBUTE", path, cause, "Look at the attributes the cartridge has")
    }
}
