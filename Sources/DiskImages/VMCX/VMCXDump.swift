import Files

extension VMCX {
    /// Every structure of a `.vmcx` or `.vmrs` file, sound or not. Never fails; of more than 16 MiB only the beginning is looked at.
    public static func dump(_ bytes: [UInt8], name: String) -> [StructureDump] {
        let scan = VMCXScan(bytes.count > VMCXFile.largest ? Array(bytes[..<VMCXFile.largest]) : bytes)
        var dumps = scan.headers.enumerated().map { index, header in
            StructureDump(
                "header \(index + 1)", header.place.in64,
                fields: [
                    ("sequence", "\(header.sequence)"), ("version", "0x" + String(header.version, radix: 16)),
                    ("alignment", "\(header.alignment)"), ("log offset", "\(header.logOffset)"),
                    ("log size", "\(header.logSize)"),
                ], problems: header.problems.map(\.text))
        }
        if let log = scan.log {
            dumps.append(
                StructureDump(
                    "replay log", log.place.in64, fields: [("pending changes", "\(log.pending)")],
                    problems: log.problems.map(\.text)))
        }
        dumps += scan.objectTables.map { table in
            StructureDump(
                "object table", table.place.in64,
                fields: [("objects", "\(table.objects.count)")]
                    + table.objects.filter { !$0.isUnused }.map { object in
                        (
                            objectName(object.type),
                            "\(object.size) bytes at \(object.offset)\(object.isAllocated ? "" : ", not in use")"
                        )
                    },
                problems: table.problems.map(\.text))
        }
        dumps += scan.keyTables.map { dump($0, bytes) }
        if !scan.problems.isEmpty || bytes.count > VMCXFile.largest {
            let more = bytes.count > VMCXFile.largest ? ["it has more than 16 MiB, which were not looked at"] : []
            dumps.append(
                StructureDump(
                    name, 0..<Int64(bytes.count), fields: [], problems: scan.problems.map(\.text) + more))
        }
        return dumps
    }

    private static func dump(_ table: VMCXScan.KeyTable, _ bytes: [UInt8]) -> StructureDump {
        var fields = [(name: "index", value: "\(table.index)"), ("sequence", "\(table.sequence)")]
        for entry in table.entries {
            let key =
                entry.keyEnd > entry.at + VMCXScan.entryHeader
                ? String(decoding: bytes[entry.at + VMCXScan.entryHeader..<entry.keyEnd - 1], as: UTF8.self) : ""
            let parent = entry.parentTable == 0 ? "" : " of \(entry.parentTable):\(entry.parentOffset)"
            fields.append(("\(table.index):\(entry.inTable)", describe(entry, key, bytes) + parent))
        }
        return StructureDump("key table", table.place.in64, fields: fields, problems: table.problems.map(\.text))
    }

    private static func describe(_ entry: VMCXScan.Entry, _ key: String, _ bytes: [UInt8]) -> String {
        let start = entry.keyEnd
        // A value that has no room was not taken as one.
        guard entry.valueEnd > start || entry.kind == VMCXScan.Kind.free else { return "\(key) (broken)" }
        switch entry.kind {
        case VMCXScan.Kind.free: return "free, \(entry.size) bytes"
        case VMCXScan.Kind.node: return "\(key)/"
        case _ where entry.isElsewhere:
            return
                "\(key) = \(bytes.little(UInt32.self, at: start)) bytes at \(bytes.little(UInt64.self, at: start + 4))"
        case VMCXScan.Kind.int: return "\(key) = \(bytes.little(Int64.self, at: start))"
        case VMCXScan.Kind.uint: return "\(key) = \(bytes.little(UInt64.self, at: start))"
        case VMCXScan.Kind.double: return "\(key) = \(Double(bitPattern: bytes.little(at: start)))"
        case VMCXScan.Kind.bool: return "\(key) = \(bytes.little(UInt32.self, at: start) != 0)"
        case VMCXScan.Kind.string: return "\(key) = '\(VHD.littleText(Array(bytes[start + 4..<entry.valueEnd])))'"
        default: return "\(key) = \(entry.valueEnd - start - 4) bytes"
        }
    }

    private static func objectName(_ type: UInt8) -> String {
        switch type {
        case 1: "object table"
        case 2: "key table"
        case 3: "file"
        case 4: "free"
        case 6: "replay log"
        case 7: "change tracking"
        default: "object of type \(type)"
        }
    }
}

extension Range<Int> {
    fileprivate var in64: Range<Int64> { Int64(lowerBound)..<Int64(upperBound) }
}
