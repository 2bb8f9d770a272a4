import Files

/// The structures of a HyperVStorage file, sound or not (disk-formats.md 1.5; all integers little-endian, all checksums CRC-32).
///
/// Each is checked against the file's bounds before anything in it is used. Memory: at most `mostEntries` entries.
struct VMCXScan {
    /// The identifier of a fault, and its cause.
    struct Problem: Hashable {
        var id: String
        var text: String
        init(_ id: String, _ text: String) { (self.id, self.text) = (id, text) }
    }

    struct Header {
        var place: Range<Int>
        var sequence: UInt16 = 0
        var version: UInt32 = 0
        var alignment: UInt32 = 0
        var logOffset: UInt64 = 0
        var logSize: UInt64 = 0
        var problems: [Problem] = []
    }

    struct Log {
        var place: Range<Int>
        /// Changes that were not yet made where they belong.
        var pending: UInt32 = 0
        var problems: [Problem] = []
    }

    struct Object {
        /// Where its 18 bytes are.
        var at: Int
        var type: UInt8
        var isAllocated: Bool
        var offset: UInt64
        var size: UInt32
        /// Whether nothing was ever put here.
        var isUnused: Bool { type == 0 && !isAllocated }
    }

    struct ObjectTable {
        var place: Range<Int>
        var objects: [Object] = []
        var problems: [Problem] = []
    }

    struct Entry {
        /// Where it begins in the file, and in its table.
        var at: Int
        var inTable: Int
        var kind: UInt8
        var flags: UInt8
        var size: Int
        var parentTable: UInt16
        var parentOffset: UInt32
        var keyEnd: Int
        /// The end of what the checksum covers; what follows up to `size` is room.
        var valueEnd: Int
        var isElsewhere: Bool { flags & 1 != 0 }
    }

    struct KeyTable {
        var place: Range<Int>
        var index: UInt16 = 0
        var sequence: UInt16 = 0
        var entries: [Entry] = []
        var problems: [Problem] = []
    }

    enum ObjectType { static let objectTable: UInt8 = 1, keyTable: UInt8 = 2, file: UInt8 = 3, free: UInt8 = 4 }
    enum Kind {
        static let free: UInt8 = 1, unknown: UInt8 = 2, int: UInt8 = 3, uint: UInt8 = 4, double: UInt8 = 5
        static let string: UInt8 = 6, bytes: UInt8 = 7, bool: UInt8 = 8, node: UInt8 = 9
    }

    static let headerSize = 46
    static let objectSize = 18
    static let tableHeader = 10
    static let entryHeader = 21
    static let mostEntries = 100_000
    static let mostObjectTables = 64
    static let firstObjectTable = 0x2000

    let bytes: [UInt8]
    private(set) var headers: [Header] = []
    private(set) var log: Log?
    private(set) var objectTables: [ObjectTable] = []
    private(set) var keyTables: [KeyTable] = []
    /// What concerns the file as a whole.
    private(set) var problems: [Problem] = []
    private var entries = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        headers = [0, 0x1000].map(header)
        if let header { log = log(of: header) }
        readObjects()
        var tableBytes = 0
        for object in objects where object.isAllocated && object.type == ObjectType.keyTable {
            tableBytes += Int(object.size)
            // Tables of a sound file lie beside each other; those of a hostile one could be the same bytes again and again.
            guard tableBytes <= bytes.count else {
                problems.append(Problem("VMCX-LIMIT", "its key tables are larger than the file"))
                break
            }
            keyTables.append(keyTable(object))
        }
    }

    /// The good header with the higher sequence.
    var header: Header? {
        headers.filter { $0.problems.isEmpty }.max { $0.sequence < $1.sequence }
    }

    var objects: [Object] { objectTables.flatMap(\.objects) }

    /// By index, that of the highest sequence.
    var activeTables: [UInt16: KeyTable] {
        keyTables.reduce(into: [:]) { active, table in
            if active[table.index].map({ $0.sequence < table.sequence }) ?? true { active[table.index] = table }
        }
    }

    /// Bytes inside the file, nil if they are not.
    func range(_ offset: UInt64, _ count: UInt64) -> Range<Int>? {
        guard offset <= UInt64(bytes.count), count <= UInt64(bytes.count) - offset else { return nil }
        return Int(offset)..<Int(offset + count)
    }

    /// The CRC-32 of a range, the four bytes at `field` taken as zero.
    func checksum(_ range: Range<Int>, zeroing field: Int) -> UInt32 {
        var copy = Array(bytes[range])
        copy.putLittle(UInt32(0), at: field - range.lowerBound)
        return CRC32.of(copy)
    }

    private func header(at offset: Int) -> Header {
        guard let place = range(UInt64(offset), UInt64(Self.headerSize)) else {
            return Header(place: offset..<offset, problems: [Problem("VMCX-HEADER", "the file ends before it")])
        }
        var header = Header(
            place: place, sequence: bytes.little(at: offset + 8), version: bytes.little(at: offset + 10),
            alignment: bytes.little(at: offset + 22), logOffset: bytes.little(at: offset + 26),
            logSize: bytes.little(at: offset + 34))
        if bytes.little(UInt32.self, at: offset) != 0x0128_2014 {
            header.problems.append(Problem("VMCX-HEADER", "it does not begin as a HyperVStorage header"))
        } else if checksum(place, zeroing: offset + 4) != bytes.little(at: offset + 4) {
            header.problems.append(Problem("VMCX-CHECKSUM", "its checksum is wrong"))
        } else if header.alignment < 512 || header.alignment > 0x1_0000
            || header.alignment & (header.alignment - 1) != 0
        {
            header.problems.append(Problem("VMCX-HEADER", "an alignment of \(header.alignment) bytes is none"))
        }
        return header
    }

    private func log(of header: Header) -> Log {
        guard let place = range(header.logOffset, 34) else {
            return Log(place: 0..<0, problems: [Problem("VMCX-LOG", "the replay log does not lie inside the file")])
        }
        var log = Log(place: place, pending: bytes.little(at: place.lowerBound + 8))
        if bytes.little(UInt32.self, at: place.lowerBound) != 0x0111_0003 {
            log.problems.append(Problem("VMCX-LOG", "it does not begin as a replay log"))
        } else if checksum(place, zeroing: place.lowerBound + 4) != bytes.little(at: place.lowerBound + 4) {
            log.problems.append(Problem("VMCX-CHECKSUM", "its checksum is wrong"))
        }
        return log
    }

    private mutating func readObjects() {
        var offsets: [UInt64] = [UInt64(Self.firstObjectTable)]
        var next = 0
        var count = 0
        while next < offsets.count {
            let table = objectTable(at: offsets[next])
            objectTables.append(table)
            count += table.objects.count
            guard count <= Self.mostEntries else {
                problems.append(Problem("VMCX-LIMIT", "it has more than \(Self.mostEntries) objects"))
                return
            }
            for object in table.objects where object.isAllocated && object.type == ObjectType.objectTable {
                guard !offsets.contains(object.offset) else { continue }
                guard offsets.count < Self.mostObjectTables else {
                    problems.append(Problem("VMCX-LIMIT", "it has more than \(Self.mostObjectTables) object tables"))
                    return
                }
                offsets.append(object.offset)
            }
            next += 1
        }
    }

    private func objectTable(at offset: UInt64) -> ObjectTable {
        guard let start = range(offset, 8)?.lowerBound else {
            return ObjectTable(place: 0..<0, problems: [Problem("VMCX-TABLE", "it does not lie inside the file")])
        }
        let count: UInt32 = bytes.little(at: start + 4)
        guard bytes.little(UInt32.self, at: start) == 0x0111_0001 else {
            return ObjectTable(
                place: start..<start + 8, problems: [Problem("VMCX-TABLE", "it does not begin as an object table")])
        }
        guard let place = range(offset, 8 + UInt64(count) * UInt64(Self.objectSize)), count <= Self.mostEntries else {
            return ObjectTable(
                place: start..<start + 8,
                problems: [Problem("VMCX-TABLE", "it is said to have \(count) objects, more than there is room for")])
        }
        var table = ObjectTable(place: place)
        for at in stride(from: start + 8, to: place.upperBound, by: Self.objectSize) {
            let object = Object(
                at: at, type: bytes[at], isAllocated: bytes[at + 17] != 0, offset: bytes.little(at: at + 5),
                size: bytes.little(at: at + 13))
            table.objects.append(object)
            guard object.isAllocated, table.problems.count < 64 else { continue }
            if checksum(at..<at + Self.objectSize, zeroing: at + 1) != bytes.little(at: at + 1) {
                table.problems.append(Problem("VMCX-CHECKSUM", "the checksum of the object at byte \(at) is wrong"))
            }
        }
        return table
    }

    private mutating func keyTable(_ object: Object) -> KeyTable {
        guard let place = range(object.offset, UInt64(object.size)), place.count >= Self.tableHeader else {
            return KeyTable(place: 0..<0, problems: [Problem("VMCX-TABLE", "it does not lie inside the file")])
        }
        let start = place.lowerBound
        var table = KeyTable(
            place: place, index: bytes.little(at: start + 2), sequence: bytes.little(at: start + 4))
        if bytes.little(UInt16.self, at: start) != 2 {
            table.problems.append(Problem("VMCX-TABLE", "it does not begin as a key table"))
            return table
        }
        if checksum(start..<start + Self.tableHeader, zeroing: start + 6) != bytes.little(at: start + 6) {
            table.problems.append(Problem("VMCX-CHECKSUM", "the checksum of its head is wrong"))
        }
        var at = start + Self.tableHeader
        while at + Self.entryHeader <= place.upperBound {
            let size = Int(bytes.little(UInt32.self, at: at + 2))
            if size == 0 { break }
            guard size >= Self.entryHeader, size <= place.upperBound - at else {
                table.problems.append(
                    Problem("VMCX-ENTRY", "the entry at byte \(at) is said to have \(size) bytes, which cannot be"))
                break
            }
            guard entries < Self.mostEntries else {
                table.problems.append(Problem("VMCX-LIMIT", "the file has more than \(Self.mostEntries) entries"))
                break
            }
            entries += 1
            table.add(entry(at: at, size: size, in: start))
            at += size
        }
        return table
    }

    private func entry(at: Int, size: Int, in table: Int) -> (entry: Entry, problem: Problem?) {
        let end = at + size
        var entry = Entry(
            at: at, inTable: at - table, kind: bytes[at], flags: bytes[at + 1], size: size,
            parentTable: bytes.little(at: at + 6), parentOffset: bytes.little(at: at + 8),
            keyEnd: at + Self.entryHeader,
            valueEnd: at + Self.entryHeader)
        if entry.kind == Kind.free || entry.kind == Kind.unknown { return (entry, nil) }
        func broken(_ text: String) -> (Entry, Problem?) {
            (entry, Problem("VMCX-ENTRY", "the entry at byte \(at) \(text)"))
        }
        let keyLength = Int(bytes[at + 20])
        guard keyLength >= 1, at + Self.entryHeader + keyLength <= end else { return broken("has no room for its key") }
        entry.keyEnd = at + Self.entryHeader + keyLength
        let room = end - entry.keyEnd
        var length: Int
        switch entry.kind {
        case _ where entry.isElsewhere: length = 12
        case Kind.int, Kind.uint, Kind.double: length = 8
        case Kind.bool: length = 4
        case Kind.node: length = 12
        case Kind.string, Kind.bytes:
            length = 4
            if room >= 4 { length += Int(bytes.little(UInt32.self, at: entry.keyEnd)) }
        default: return broken("is of the unknown kind \(entry.kind)")
        }
        guard length <= room else { return broken("has a value of \(length) bytes in room for \(room)") }
        entry.valueEnd = entry.keyEnd + length
        guard checksum(at..<entry.valueEnd, zeroing: at + 12) == bytes.little(at: at + 12) else {
            return (entry, Problem("VMCX-CHECKSUM", "the checksum of the entry at byte \(at) is wrong"))
        }
        return (entry, nil)
    }
}

extension VMCXScan.KeyTable {
    fileprivate mutating func add(_ read: (entry: VMCXScan.Entry, problem: VMCXScan.Problem?)) {
        entries.append(read.entry)
        if let problem = read.problem, problems.count < 64 { problems.append(problem) }
    }
}
