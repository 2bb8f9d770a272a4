public import Files

/// The configuration of a Hyper-V machine (`.vmcx`) or its runtime state (`.vmrs`): a tree of named values (disk-formats.md 1.5).
///
/// The whole file is checked when it is read: every checksum, every length, every parent. Limits, `VMCX-LIMIT` above them: 16 MiB of
/// file, 100 000 entries, 64 levels, 16 MiB of paths, values no larger together than the file.
public struct VMCXFile: Sendable {
    public enum Value: Hashable, Sendable, CustomStringConvertible {
        case int(Int64)
        case uint(UInt64)
        case double(Double)
        case string(String)
        case bytes([UInt8])
        case bool(Bool)

        public var description: String {
            switch self {
            case .int(let value): "\(value)"
            case .uint(let value): "\(value)"
            case .double(let value): "\(value)"
            case .string(let value): value
            case .bytes(let value): "\(value.count) bytes"
            case .bool(let value): "\(value)"
            }
        }
    }

    public static let largest = 16 << 20
    static let deepest = 64

    /// Of the storage: 0x0400, the only one that is known.
    public let version: UInt32
    /// All values, sorted by path (`/configuration/properties/name`).
    public let entries: [(path: String, value: Value)]
    /// Entries whose checksums were found right, nodes of the tree included.
    public let checkedEntries: Int
    private let places: [String: Int]

    /// Faults: `VMCX-HEADER` (no such file), `VMCX-VERSION`, `VMCX-DIRTY` (changes wait in its log), `VMCX-CHECKSUM`, `VMCX-LOG`,
    /// `VMCX-TABLE`, `VMCX-ENTRY`, `VMCX-VALUE`, `VMCX-LIMIT`. O(bytes × log entries).
    public init(bytes: [UInt8], name: String) throws(StorageFault) {
        let tree = try VMCXTree(bytes, name: name)
        version = tree.version
        checkedEntries = tree.checkedEntries
        var values: [(path: String, value: Value)] = []
        var total = 0
        for leaf in tree.leaves {
            values.append((leaf.path, try tree.value(of: leaf.entry, total: &total)))
        }
        entries = values.enumerated().sorted { ($0.element.path, $0.offset) < ($1.element.path, $1.offset) }.map(
            \.element)
        places = Dictionary(entries.enumerated().map { ($1.path, $0) }) { _, last in last }
    }

    public func value(_ path: String) -> Value? { places[path].map { entries[$0].value } }

    public func string(_ path: String) -> String? {
        if case .string(let text) = value(path) { text } else { nil }
    }

    public func number(_ path: String) -> Int64? {
        switch value(path) {
        case .int(let value): value
        case .uint(let value): Int64(exactly: value)
        default: nil
        }
    }

    /// The machine's name.
    public var name: String? { string("/configuration/properties/name") }
    public var id: GUID? { string("/configuration/properties/global_id").flatMap(GUID.init(_:)) }
    /// `Virtual Machines`, or `Snapshots` for a checkpoint's.
    public var typeID: String? { string("/configuration/properties/type_id") }
    /// The configuration's version as people write it, `9.0`.
    public var configurationVersion: String? {
        number("/configuration/properties/version").map { "\($0 >> 8).\($0 & 0xFF)" }
    }
    /// 1 or 2.
    public var generation: Int? {
        switch number("/configuration/properties/subtype") {
        case 0: 1
        case 1: 2
        default: nil
        }
    }
    /// MiB.
    public var memory: Int64? { number("/configuration/settings/memory/bank/size") }
    public var processors: Int64? { number("/configuration/settings/processors/count") }

    /// The virtual disks with a file, in the order of their keys. The key of a disk's path, which `VMCX.edit` takes, is
    /// `\(controller)/drive\(location)/pathname`.
    public var disks: [(controller: String, location: Int, path: String)] {
        var disks: [(controller: String, location: Int, path: String)] = []
        for (key, value) in entries where key.hasSuffix("/pathname") {
            guard case .string(let path) = value, !path.isEmpty else { continue }
            let drive = key.dropLast("/pathname".count)
            guard string(drive + "/type") == "VHD", let slash = drive.lastIndex(of: "/") else { continue }
            let last = drive[drive.index(after: slash)...]
            guard last.hasPrefix("drive"), let location = Int(last.dropFirst("drive".count)) else { continue }
            disks.append((String(drive[..<slash]), location, path))
        }
        return disks.sorted { ($0.controller, $0.location) < ($1.controller, $1.location) }
    }
}

/// A sound file's entries and where they are.
struct VMCXTree {
    struct Leaf {
        var path: String
        var entry: VMCXScan.Entry
    }

    let scan: VMCXScan
    let name: String
    let version: UInt32
    private(set) var leaves: [Leaf] = []
    private(set) var checkedEntries = 0

    private struct Place: Hashable {
        var table: UInt16
        var offset: Int
    }

    init(_ bytes: [UInt8], name: String) throws(StorageFault) {
        func damaged(_ id: String, _ cause: String) -> StorageFault {
            StorageFault(.damaged, id, name, cause, action: "Restore the file from a copy; dump shows its structures")
        }
        func check(_ problems: [VMCXScan.Problem], _ what: String) throws(StorageFault) {
            if let problem = problems.first { throw damaged(problem.id, "in the \(what), \(problem.text)") }
        }
        guard bytes.count <= VMCXFile.largest else {
            throw StorageFault(
                .badInput, "VMCX-LIMIT", name, "\(bytes.count) bytes are more than the 16 MiB that are read",
                action: "Check that it is a machine's configuration")
        }
        self.name = name
        scan = VMCXScan(bytes)
        guard let header = scan.header else {
            let problem = scan.headers.flatMap(\.problems).first ?? VMCXScan.Problem("VMCX-HEADER", "nothing is there")
            throw StorageFault(
                .badInput, problem.id, name, "neither of its two headers is good: \(problem.text)",
                action: "Check that it is a .vmcx or .vmrs file of Hyper-V 2016 or later")
        }
        version = header.version
        guard version == 0x0400 else {
            throw StorageFault(
                .badInput, "VMCX-VERSION", name, "its storage has version 0x\(String(version, radix: 16)), not 0x400",
                action: "Convert the machine with the Hyper-V that made it")
        }
        try check(scan.problems, "file")
        if let log = scan.log {
            try check(log.problems, "replay log")
            guard log.pending == 0 else {
                throw StorageFault(
                    .busy, "VMCX-DIRTY", name, "\(log.pending) changes wait in its log, so what it says is old",
                    action: "Read it from a checkpoint, or when the machine's service has closed it")
            }
        }
        for table in scan.objectTables { try check(table.problems, "object table at byte \(table.place.lowerBound)") }
        let active = scan.activeTables
        let tables = active.keys.sorted().compactMap { active[$0] }
        var nodes: [Place: VMCXScan.Entry] = [:]
        for table in tables {
            try check(table.problems, "key table \(table.index)")
            for entry in table.entries where entry.kind > VMCXScan.Kind.unknown {
                checkedEntries += 1
                if entry.kind == VMCXScan.Kind.node { nodes[Place(table: table.index, offset: entry.inTable)] = entry }
            }
        }
        // Paths of nodes by place, so that a path is put together once.
        var paths: [Place: String] = [:]
        var total = 0
        func path(of first: VMCXScan.Entry) throws(StorageFault) -> String {
            var chain: [VMCXScan.Entry] = [first]
            var prefix = ""
            while let entry = chain.last, entry.parentTable != 0 {
                let place = Place(table: entry.parentTable, offset: Int(entry.parentOffset))
                if let known = paths[place] {
                    prefix = known
                    break
                }
                guard let parent = nodes[place] else {
                    throw damaged("VMCX-ENTRY", "the entry at byte \(entry.at) has a parent that is not there")
                }
                guard chain.count < VMCXFile.deepest else {
                    throw damaged(
                        "VMCX-LIMIT", "the entry at byte \(first.at) lies more than 64 levels deep, or in a ring")
                }
                chain.append(parent)
            }
            for (index, entry) in chain.enumerated().reversed() {
                prefix +=
                    "/" + String(decoding: bytes[entry.at + VMCXScan.entryHeader..<entry.keyEnd - 1], as: UTF8.self)
                total += prefix.utf8.count
                guard total <= 16 << 20 else {
                    throw damaged("VMCX-LIMIT", "its paths are longer than 16 MiB together")
                }
                if index > 0 {
                    let child = chain[index - 1]
                    paths[Place(table: child.parentTable, offset: Int(child.parentOffset))] = prefix
                }
            }
            return prefix
        }
        for table in tables {
            for entry in table.entries where entry.kind > VMCXScan.Kind.unknown && entry.kind != VMCXScan.Kind.node {
                leaves.append(Leaf(path: try path(of: entry), entry: entry))
            }
        }
    }

    /// `total` counts the bytes of all values, which may not be more than the file's.
    func value(of entry: VMCXScan.Entry, total: inout Int) throws(StorageFault) -> VMCXFile.Value {
        func damaged(_ id: String, _ cause: String) -> StorageFault {
            StorageFault(
                .damaged, id, name, "the value at byte \(entry.keyEnd) \(cause)",
                action: "Restore the file from a copy; dump shows its structures")
        }
        let bytes = scan.bytes
        switch entry.kind {
        case VMCXScan.Kind.string, VMCXScan.Kind.bytes: break
        case _ where entry.isElsewhere: throw damaged("VMCX-VALUE", "is a number in a file object, which cannot be")
        case VMCXScan.Kind.int: return .int(bytes.little(at: entry.keyEnd))
        case VMCXScan.Kind.uint: return .uint(bytes.little(at: entry.keyEnd))
        case VMCXScan.Kind.double: return .double(Double(bitPattern: bytes.little(at: entry.keyEnd)))
        default: return .bool(bytes.little(UInt32.self, at: entry.keyEnd) != 0)
        }
        var range = entry.isElsewhere ? 0..<0 : entry.keyEnd + 4..<entry.valueEnd
        if entry.isElsewhere {
            let size: UInt32 = bytes.little(at: entry.keyEnd)
            let offset: UInt64 = bytes.little(at: entry.keyEnd + 4)
            guard let place = scan.range(offset, UInt64(size)) else {
                throw damaged("VMCX-VALUE", "lies outside the file, at byte \(offset)")
            }
            range = place
        }
        total += range.count
        guard total <= bytes.count else { throw damaged("VMCX-LIMIT", "and those before are larger than the file") }
        let content = Array(bytes[range])
        guard entry.kind == VMCXScan.Kind.string else { return .bytes(content) }
        guard content.count % 2 == 0 else {
            throw damaged("VMCX-VALUE", "is a text of \(content.count) bytes, an odd number")
        }
        let units = stride(from: 0, to: content.count, by: 2).map { content.little(UInt16.self, at: $0) }
        return .string(String(decoding: units, as: UTF16.self))
    }
}
