public import Files

/// Files of Hyper-V's storage for configurations.
public enum VMCX {
    /// Longer texts Hyper-V keeps in objects of their own, bytes.
    static let longestText = 0x7FF
    /// What it leaves behind a text of its own: room for a pointer to such an object.
    static let spare = 12

    /// The file with other texts, every checksum right: `setting` names the keys (`/configuration/properties/name`, and those of
    /// `VMCXFile.disks`) and their new texts.
    ///
    /// A text that has room stays where it is. Another one moves as Hyper-V itself moves it: into free space of a key table, its old
    /// entry becoming free; or into a new table at the end of the file. Faults: those of `VMCXFile`, `VMCX-KEY` (no such key, or
    /// its value is no text), `VMCX-ROOM` (the text is too long, or the file has no place for another table). Nothing refers to the
    /// place of a value, so moving one changes no other.
    public static func edit(
        _ bytes: [UInt8], name: String, setting: [String: String]
    ) throws(StorageFault) -> [UInt8] {
        var edited = bytes
        for (key, text) in setting.sorted(by: { $0.key < $1.key }) {
            let tree = try VMCXTree(edited, name: name)
            var change = VMCXEdit(tree)
            edited = try change.set(key, to: text)
        }
        let result = try VMCXFile(bytes: edited, name: name)
        for (key, text) in setting where result.string(key) != text {
            throw StorageFault(
                .badInput, "VMCX-KEY", name, "\(key) appears more than once, so that its text cannot be set",
                action: "Set another key")
        }
        return edited
    }
}

/// One change of a sound file.
private struct VMCXEdit {
    typealias Kind = VMCXScan.Kind
    let tree: VMCXTree
    var bytes: [UInt8]

    init(_ tree: VMCXTree) {
        self.tree = tree
        bytes = tree.scan.bytes
    }

    mutating func set(_ key: String, to text: String) throws(StorageFault) -> [UInt8] {
        guard let entry = tree.leaves.last(where: { $0.path == key })?.entry else {
            throw refuse("VMCX-KEY", "it has no key \(key)", "Look at the keys with dump")
        }
        guard entry.kind == Kind.string else {
            throw refuse("VMCX-KEY", "the value of \(key) is no text", "Set a key whose value is a text")
        }
        let value = text.utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
        guard value.count <= VMCX.longestText else {
            throw refuse(
                "VMCX-ROOM",
                "the text for \(key) needs \(value.count) bytes, and an entry has room for \(VMCX.longestText)",
                "Choose a shorter path or name")
        }
        if entry.isElsewhere { freeObject(of: entry) }
        let room = entry.at + entry.size - entry.keyEnd - 4
        if value.count <= room {
            put(value, like: entry, at: entry.at, size: entry.size)
            return bytes
        }
        let need = entry.keyEnd - entry.at + 4 + value.count
        if let space = freeSpace(need) {
            put(value, like: entry, into: space, need)
        } else {
            put(value, like: entry, into: try newTable(for: key, need, room), need)
        }
        free(entry.at, entry.size)
        return bytes
    }

    private func refuse(_ id: String, _ cause: String, _ action: String) -> StorageFault {
        StorageFault(.badInput, id, tree.name, cause, action: action)
    }

    private mutating func seal(_ range: Range<Int>, field: Int) {
        bytes.putLittle(UInt32(0), at: field)
        bytes.putLittle(CRC32.of(bytes[range]), at: field)
    }

    /// An entry with the key and the parent of `entry` (which may lie at the same place) and another value.
    private mutating func put(_ value: [UInt8], like entry: VMCXScan.Entry, at: Int, size: Int) {
        let key = Array(tree.scan.bytes[entry.at..<entry.keyEnd])
        bytes.put(key, at: at)
        bytes[at + 1] = entry.flags & ~1
        bytes.putLittle(UInt32(size), at: at + 2)
        let text = at + key.count
        bytes.putLittle(UInt32(value.count), at: text)
        bytes.put(value, at: text + 4)
        let end = text + 4 + value.count
        bytes.put(repeatElement(0, count: at + size - end), at: end)
        seal(at..<end, field: at + 12)
    }

    private mutating func put(_ value: [UInt8], like entry: VMCXScan.Entry, into space: Range<Int>, _ need: Int) {
        var size = min(space.count, need + VMCX.spare)
        let rest = space.count - size
        if rest > VMCXScan.entryHeader {
            free(space.lowerBound + size, rest)
        } else {
            size = space.count
        }
        put(value, like: entry, at: space.lowerBound, size: size)
    }

    /// A free entry has a kind and a size; it has no checksum.
    private mutating func free(_ at: Int, _ size: Int) {
        bytes.put(repeatElement(0, count: size), at: at)
        bytes[at] = Kind.free
        bytes.putLittle(UInt32(size), at: at + 2)
    }

    /// The first free space for `need` bytes, by tables and places in them.
    private func freeSpace(_ need: Int) -> Range<Int>? {
        let tables = tree.scan.activeTables
        for index in tables.keys.sorted() {
            for entry in tables[index]!.entries where entry.kind == Kind.free && entry.size >= need {
                return entry.at..<entry.at + entry.size
            }
        }
        return nil
    }

    /// A key table of one page at the end of the file; returns the space in it.
    private mutating func newTable(for key: String, _ need: Int, _ room: Int) throws(StorageFault) -> Range<Int> {
        func full(_ what: String) -> StorageFault {
            refuse(
                "VMCX-ROOM",
                "the text for \(key) needs an entry of \(need) bytes, its own has room for \(room) of text, and \(what)",
                "Choose a shorter path or name")
        }
        guard let object = tree.scan.objectTables.first?.objects.first(where: \.isUnused) else {
            throw full("the object table is full")
        }
        let alignment = Int(tree.scan.header?.alignment ?? 4096)
        let size = max(4096, alignment)
        let index = tree.scan.keyTables.map(\.index).max() ?? 0
        guard index < UInt16.max else { throw full("there are no more tables") }
        // A log may be longer than what is stored of it.
        let log = (tree.scan.header?.logOffset ?? 0).addingReportingOverflow(tree.scan.header?.logSize ?? 0)
        let end = max(bytes.count, log.overflow ? Int.max : Int(clamping: log.partialValue))
        guard end <= VMCXFile.largest - size - alignment else { throw full("the file would be larger than 16 MiB") }
        let start = (end + alignment - 1) / alignment * alignment
        bytes += [UInt8](repeating: 0, count: start + size - bytes.count)
        bytes.putLittle(UInt16(2), at: start)
        bytes.putLittle(index + 1, at: start + 2)
        bytes.putLittle(UInt16(1), at: start + 4)
        seal(start..<start + VMCXScan.tableHeader, field: start + 6)
        bytes[object.at] = VMCXScan.ObjectType.keyTable
        bytes.putLittle(UInt64(start), at: object.at + 5)
        bytes.putLittle(UInt32(size), at: object.at + 13)
        bytes[object.at + 17] = 1
        seal(object.at..<object.at + VMCXScan.objectSize, field: object.at + 1)
        return start + VMCXScan.tableHeader..<start + size
    }

    /// The object that held a text until now, if the text was the whole of it.
    private mutating func freeObject(of entry: VMCXScan.Entry) {
        let offset: UInt64 = bytes.little(at: entry.keyEnd + 4)
        let matching = tree.scan.objects.filter {
            $0.isAllocated && $0.type == VMCXScan.ObjectType.file && $0.offset == offset
        }
        for object in matching {
            bytes[object.at] = VMCXScan.ObjectType.free
            seal(object.at..<object.at + VMCXScan.objectSize, field: object.at + 1)
        }
    }
}
