import Files
import Protection
import Tape
import Units

/// Cartridges that hold one text, each in a file replaced at once: enough for a library, which never looks at the data.
final class PaperCartridges: CartridgeStore {
    struct Sheet: Equatable {
        var capacity: Int64
        var identifier: GUID
        var isProtected = false
        var loads = 0
        var cleanings = 0
        var text = ""
    }
    let files: any FileSystem
    init(_ files: any FileSystem) { self.files = files }

    func sheet(at path: String) throws(StorageFault) -> Sheet {
        let file = try files.open(path, .read)
        defer { file.close() }
        let text = String(decoding: try file.bytes(Int(try file.size()), at: 0), as: UTF8.self)
        let lines = text.split(separator: "\n", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
        guard lines.count == 6, let capacity = Int64(lines[0]), let identifier = GUID(lines[1]),
            let loads = Int(lines[3]), let left = Int(lines[4])
        else { throw StorageFault(.damaged, "TAPE-FORMAT", path, "not a sheet", action: "Look at it") }
        return Sheet(
            capacity: capacity, identifier: identifier, isProtected: lines[2] == "protected", loads: loads,
            cleanings: left, text: lines[5])
    }

    func put(_ sheet: Sheet, at path: String, new: Bool = false) throws(StorageFault) {
        if new, try files.kind(of: path) != .none {
            throw StorageFault(.badInput, "FILE-EXISTS", path, "there is a file", action: "Choose another")
        }
        let text = [
            "\(sheet.capacity)", sheet.identifier.description, sheet.isProtected ? "protected" : "open",
            "\(sheet.loads)",
            "\(sheet.cleanings)", sheet.text,
        ].joined(separator: "\n")
        let fresh = path + ".new"
        if try files.kind(of: fresh) == .file { try files.remove(fresh) }
        let file = try files.open(fresh, .create)
        defer { file.close() }
        try file.write(Array(text.utf8), at: 0)
        try file.flush()
        try files.rename(fresh, to: path)
        try files.syncFolder(String(path[..<path.lastIndex(of: "/")!]))
    }

    private func edit(_ path: String, _ change: (inout Sheet) -> Void) throws(StorageFault) {
        var sheet = try sheet(at: path)
        let before = sheet
        change(&sheet)
        if sheet != before { try put(sheet, at: path) }
    }

    func create(
        _ label: BarcodeLabel, cleanings: Int, at path: String, guids: any GUIDSource, time: Int64
    ) throws(StorageFault) {
        let sheet = Sheet(capacity: label.facts.capacity.count, identifier: guids.next(), cleanings: cleanings)
        try put(sheet, at: path, new: true)
    }

    func shell(at path: String) throws(StorageFault) -> CartridgeShell {
        let sheet = try sheet(at: path)
        let written = Int64(sheet.text.utf8.count) * 1_000_000_000
        return CartridgeShell(
            identifier: sheet.identifier, isWriteProtected: sheet.isProtected, written: written,
            room: max(0, sheet.capacity - written), loads: Int64(sheet.loads),
            cleaningsLeft: sheet.cleanings)
    }

    func open(at path: String, writable: Bool) throws(StorageFault) -> any TapeMedium {
        PaperMedium(try sheet(at: path).text)
    }

    func close(_ medium: any TapeMedium) throws(StorageFault) {}
    func isOpen(at path: String) -> Bool { false }

    func erase(at path: String, long: Bool) throws(StorageFault) { try edit(path) { $0.text = "" } }

    func setWriteProtected(_ isOn: Bool, at path: String) throws(StorageFault) {
        try edit(path) { $0.isProtected = isOn }
    }

    func clean(at path: String) throws(StorageFault) -> Int {
        var left = 0
        try edit(path) {
            $0.cleanings -= 1
            left = $0.cleanings
        }
        return left
    }

    /// Writes what a job would write: who the tape is, and parts of sets.
    func write(_ text: String, at path: String) throws(StorageFault) {
        try edit(path) {
            $0.text = text
            $0.loads += 1
        }
    }
}

/// One record, or none.
final class PaperMedium: TapeMedium {
    let text: String
    var position = TapePosition()
    var maximumRecord: Int { 1 << 20 }
    var room: Int64 { 0 }
    init(_ text: String) { self.text = text }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(StorageFault) -> TapeRead {
        guard !text.isEmpty, position.object == 0 else { return .endOfData }
        position.object = 1
        buffer.copyBytes(from: Array(text.utf8))
        return .record(length: text.utf8.count)
    }
    func write(_ record: UnsafeRawBufferPointer) throws(StorageFault) -> TapeWrite { throw refused }
    func writeFilemarks(_ count: Int, immediate: Bool) throws(StorageFault) -> TapeWrite { throw refused }
    func flush() throws(StorageFault) {}
    func rewind() throws(StorageFault) { position.object = 0 }
    func locate(object: Int64, partition: Int) throws(StorageFault) { position.object = object }
    func locate(file: Int64, partition: Int) throws(StorageFault) { throw refused }
    func locateEndOfData(partition: Int) throws(StorageFault) { position.object = text.isEmpty ? 0 : 1 }
    private var refused: StorageFault {
        StorageFault(.readOnly, "TAPE-WRITE-PROTECTED", "paper", "it is only read", action: "Use another tape")
    }
}

/// The text on a sheet: `library|family|sequence|label|owner`, then a line for each part of a set:
/// `set|number|name|first|last|closed|bytes|thumbprint|expiry`.
enum Paper {
    static func identity(
        _ number: Int, library: String, family: Int? = nil, sequence: Int = 1, label: String = "gold 1",
        owner: String? = nil
    ) -> OnMediaIdentity {
        OnMediaIdentity(
            identifier: guid(number), family: UInt32(family ?? number), sequence: sequence, label: label, owner: owner,
            library: library)
    }

    static func guid(_ number: Int) -> GUID {
        var bytes = [UInt8](repeating: 0, count: 16)
        bytes.putLittle(Int64(number), at: 8)
        return GUID(bytes: bytes)
    }

    static func text(_ identity: OnMediaIdentity, _ sets: [CatalogedSet] = []) -> String {
        let head = [
            identity.identifier.description, "\(identity.family)", "\(identity.sequence)", identity.label,
            identity.owner ?? "", identity.library,
        ].joined(separator: "|")
        let lines = sets.map {
            [
                $0.set, "\($0.number)", $0.name ?? "", "\($0.firstSpan)", "\($0.lastSpan)", "\($0.isClosed)",
                "\($0.bytes)", $0.thumbprints.joined(separator: ","), $0.expiry.map(String.init) ?? "",
            ].joined(separator: "|")
        }
        return ([head] + lines).joined(separator: "\n")
    }

    static func identify(_ medium: any TapeMedium) throws(StorageFault) -> TapeFinding {
        guard let record = try medium.record() else { return .blank }
        guard let catalog = read(record) else { return .unrecognized("another program wrote it") }
        return .identity(catalog.identity)
    }

    static func catalog(_ medium: any TapeMedium) throws(StorageFault) -> TapeCatalog {
        guard let record = try medium.record(), let catalog = read(record) else {
            throw StorageFault(.damaged, "TAPE-CATALOG", "paper", "it is torn", action: "Use a copy")
        }
        return catalog
    }

    private static func read(_ record: [UInt8]) -> TapeCatalog? {
        let lines = String(decoding: record, as: UTF8.self).split(separator: "\n").map {
            $0.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        }
        guard let head = lines.first, head.count == 6, let identifier = GUID(head[0]), let family = UInt32(head[1]),
            let sequence = Int(head[2])
        else { return nil }
        let identity = OnMediaIdentity(
            identifier: identifier, family: family, sequence: sequence, label: head[3],
            owner: head[4].isEmpty ? nil : head[4], library: head[5])
        let sets = lines.dropFirst().compactMap { line -> CatalogedSet? in
            guard line.count == 9, let number = Int(line[1]), let first = Int(line[3]), let last = Int(line[4]),
                let bytes = Int64(line[6])
            else { return nil }
            return CatalogedSet(
                set: line[0], number: number, name: line[2].isEmpty ? nil : line[2], date: 1_000,
                expiry: Int64(line[8]),
                bytes: bytes, spans: first...last, isClosed: line[5] == "true",
                thumbprints: line[7].isEmpty ? [] : [line[7]])
        }
        return TapeCatalog(identity: identity, sets: sets)
    }
}

/// A library on a disk in memory, with an operator.
struct PaperLibrary {
    let disk: SimulatedDisk
    let store: PaperCartridges
    let guids = SequentialGUIDs(seed: 7)
    let library: MediaLibrary

    init(
        slots: Int = 8, ports: Int = 2, drives: [LibraryDrive] = [LibraryDrive(.lto8), LibraryDrive(.lto8)],
        tapes: [String] = [], on disk: SimulatedDisk = SimulatedDisk(),
        _ change: (inout LibraryHardware) -> Void = { _ in }
    ) throws(StorageFault) {
        self.disk = disk
        store = PaperCartridges(disk)
        var hardware = LibraryHardware(slots: slots, ports: ports, drives: drives)
        change(&hardware)
        library = try MediaLibrary.create("lib1", hardware, at: "/lib", files: disk, store: store, guids: guids)
        if !tapes.isEmpty {
            _ = try library.add(tapes, guids: guids, at: 0)
            _ = try library.fastInventory(at: 0, identify: Paper.identify)
        }
    }

    /// The same, its blank tapes identified.
    static func ready(_ tapes: [String], slots: Int = 8, ports: Int = 2) throws(StorageFault) -> PaperLibrary {
        let paper = try PaperLibrary(slots: slots, ports: ports, tapes: tapes)
        _ = try paper.library.detailedInventory(at: 0, identify: Paper.identify)
        return paper
    }

    /// What a job does: begins a tape if it is new, writes a set, and lets go of it.
    func write(
        _ set: CatalogedSet, on barcode: String, _ request: SetRequest, number: Int, at now: Int64
    ) throws(StorageFault) {
        try library.reserve(barcode, at: now)
        let tape = library.state.tape(barcode)!
        var identity = Paper.identity(
            number, library: library.state.identifier, label: "DPM - \(request.group) - long-term tape \(number)",
            owner: request.group)
        if tape.standing.use == .active {
            identity.identifier = GUID(tape.identity!)!
            identity.label = tape.label!
        } else {
            try library.begin(barcode, as: identity, for: request, at: now)
        }
        try store.write(
            Paper.text(identity, (library.state.tape(barcode)?.sets ?? []) + [set]), at: library.path(of: barcode))
        try library.note(set, on: barcode, run: request.run, at: now)
        try library.release(barcode, at: now)
    }

    func status(_ barcode: String) -> TapeStatus? { library.state.tape(barcode)?.standing.status }
}

/// The id of the fault that `body` throws; nil if it throws none.
func refusalID(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch { return (error as? StorageFault)?.id ?? "\(error)" }
}
