public import Files

extension VMCX {
    /// A new file with these values, in their order: headers, object table, an empty log, and one key table.
    ///
    /// Faults: `VMCX-ROOM` for a text or a key that is too long, or too many values.
    public static func make(
        _ entries: [(path: String, value: VMCXFile.Value)], name: String
    ) throws(StorageFault) -> [UInt8] {
        var table = NewKeyTable(name: name)
        for entry in entries { try table.add(entry.path, entry.value) }
        return try table.file()
    }
}

/// A key table that grows entry by entry.
private struct NewKeyTable {
    private static let page = 4096
    private static let index: UInt16 = 1
    private static let (log, tables) = (0x3000, 0x4000)
    let name: String
    private var bytes = [UInt8](repeating: 0, count: VMCXScan.tableHeader)
    /// Where the node of each path is.
    private var nodes: [String: Int] = [:]
    private var count: UInt32 = 0

    init(name: String) { self.name = name }

    mutating func add(_ path: String, _ value: VMCXFile.Value) throws(StorageFault) {
        let parts = path.split(separator: "/").map(String.init)
        var (place, parent) = ("", 0)
        for part in parts.dropLast() {
            place += "/" + part
            if let known = nodes[place] {
                parent = known
            } else {
                let at = bytes.count
                try put(part, VMCXScan.Kind.node, [UInt8](repeating: 0, count: 12), below: parent)
                nodes[place] = at
                parent = at
            }
        }
        let (kind, content) = try encoded(value, path)
        try put(parts.last ?? "", kind, content, below: parent)
    }

    private func encoded(_ value: VMCXFile.Value, _ path: String) throws(StorageFault) -> (UInt8, [UInt8]) {
        var content = [UInt8](repeating: 0, count: 8)
        switch value {
        case .int(let number):
            content.putLittle(number, at: 0)
            return (VMCXScan.Kind.int, content)
        case .uint(let number):
            content.putLittle(number, at: 0)
            return (VMCXScan.Kind.uint, content)
        case .double(let number):
            content.putLittle(number.bitPattern, at: 0)
            return (VMCXScan.Kind.double, content)
        case .bool(let isSet): return (VMCXScan.Kind.bool, [isSet ? 1 : 0, 0, 0, 0])
        case .string(let text):
            let units = text.utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
            return (VMCXScan.Kind.string, try sized(units, path))
        case .bytes(let bytes): return (VMCXScan.Kind.bytes, try sized(bytes, path))
        }
    }

    private func sized(_ bytes: [UInt8], _ path: String) throws(StorageFault) -> [UInt8] {
        guard bytes.count <= VMCX.longestText else {
            throw full("the value of \(path) needs \(bytes.count) bytes, and an entry has room for \(VMCX.longestText)")
        }
        var content = [UInt8](repeating: 0, count: 4)
        content.putLittle(UInt32(bytes.count), at: 0)
        return content + bytes
    }

    private func full(_ cause: String) -> StorageFault {
        StorageFault(.badInput, "VMCX-ROOM", name, cause, action: "Choose a shorter path or name")
    }

    private mutating func put(_ key: String, _ kind: UInt8, _ value: [UInt8], below parent: Int) throws(StorageFault) {
        guard key.utf8.count < 255, bytes.count < VMCXFile.largest / 2 else {
            throw full("the key \(key) is too long, or the values are too many")
        }
        count += 1
        var entry = [UInt8](repeating: 0, count: VMCXScan.entryHeader) + Array(key.utf8) + [0] + value
        entry[0] = kind
        entry.putLittle(UInt32(entry.count), at: 2)
        entry.putLittle(parent == 0 ? 0 : Self.index, at: 6)
        entry.putLittle(UInt32(parent), at: 8)
        entry.putLittle(count, at: 16)
        entry[20] = UInt8(key.utf8.count + 1)
        entry.putLittle(CRC32.of(entry[...]), at: 12)
        bytes += entry
    }

    func file() throws(StorageFault) -> [UInt8] {
        var table = bytes
        table.putLittle(UInt16(2), at: 0)
        table.putLittle(Self.index, at: 2)
        table.putLittle(UInt16(1), at: 4)
        table.putLittle(CRC32.of(table[0..<VMCXScan.tableHeader]), at: 6)
        let size = (table.count + Self.page - 1) / Self.page * Self.page
        var file = [UInt8](repeating: 0, count: Self.tables + size)
        for (copy, at) in [0, 0x1000].enumerated() { file.put(header(sequence: UInt16(copy + 1)), at: at) }
        let objects = (Self.page - 8) / VMCXScan.objectSize
        file.putLittle(UInt32(0x0111_0001), at: VMCXScan.firstObjectTable)
        file.putLittle(UInt32(objects), at: VMCXScan.firstObjectTable + 4)
        file.put(object(6, at: Self.log, size: Self.page), at: VMCXScan.firstObjectTable + 8)
        file.put(
            object(VMCXScan.ObjectType.keyTable, at: Self.tables, size: size),
            at: VMCXScan.firstObjectTable + 8 + VMCXScan.objectSize)
        file.putLittle(UInt32(0x0111_0003), at: Self.log)
        file.putLittle(CRC32.of(file[Self.log..<Self.log + 34]), at: Self.log + 4)
        file.put(table, at: Self.tables)
        // What could not be read back is not given out.
        _ = try VMCXFile(bytes: file, name: name)
        return file
    }

    private func header(sequence: UInt16) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: VMCXScan.headerSize)
        header.putLittle(UInt32(0x0128_2014), at: 0)
        header.putLittle(sequence, at: 8)
        header.putLittle(UInt32(0x0400), at: 10)
        header.putLittle(UInt32(Self.page), at: 22)
        header.putLittle(UInt64(Self.log), at: 26)
        header.putLittle(UInt64(Self.page), at: 34)
        header.putLittle(UInt32(VMCXScan.headerSize), at: 42)
        header.putLittle(CRC32.of(header[...]), at: 4)
        return header
    }

    private func object(_ type: UInt8, at offset: Int, size: Int) -> [UInt8] {
        var object = [UInt8](repeating: 0, count: VMCXScan.objectSize)
        object[0] = type
        object.putLittle(UInt64(offset), at: 5)
        object.putLittle(UInt32(size), at: 13)
        object[17] = 1
        object.putLittle(CRC32.of(object[...]), at: 1)
        return object
    }
}
