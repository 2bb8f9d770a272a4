import Files
import FoundationEssentials

/// `library.json`: read with suspicion, replaced as a whole.
struct LibraryFile {
    /// A library of 32 000 slots with a hundred sets on each tape is well below.
    static let largest: Int64 = 1 << 30

    let folder: String
    let files: any FileSystem
    var path: String { folder + "/library.json" }

    func read() throws(StorageFault) -> LibraryState {
        guard try files.kind(of: path) == .file else {
            throw .library(
                .missing, "TAPE-NO-LIBRARY", folder, "there is no library.json in it",
                "Name the folder of a library, or create one")
        }
        let file = try files.open(path, .read)
        defer { file.close() }
        let size = try file.size()
        guard size <= Self.largest else { throw damaged("it has \(size) bytes, which no library needs") }
        let bytes = try file.bytes(Int(size), at: 0)
        let state: LibraryState
        do { state = try JSONDecoder().decode(LibraryState.self, from: Data(bytes)) } catch {
            throw damaged("it is not the JSON of a library: \(Self.reason(error))")
        }
        guard state.version == 1 else {
            throw .library(
                .badInput, "TAPE-LIBRARY-VERSION", path, "it has version \(state.version), known is 1",
                "Use the program's version that wrote it")
        }
        if let problem = LibraryCheck.problem(in: state) { throw damaged(problem) }
        return state
    }

    /// The old state or the new one stays, whenever the power goes.
    func replace(by state: LibraryState) throws(StorageFault) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let bytes: [UInt8]
        do { bytes = try [UInt8](encoder.encode(state)) } catch {
            throw .library(.badInput, "TAPE-LIBRARY", path, "it cannot be written as JSON", "Report this as a bug")
        }
        let new = path + ".new"
        if try files.kind(of: new) == .file { try files.remove(new) }
        let file = try files.open(new, .create)
        defer { file.close() }
        try file.write(bytes, at: 0)
        try file.flush()
        try files.rename(new, to: path)
        try files.syncFolder(folder)
    }

    private func damaged(_ cause: String) -> StorageFault {
        .library(
            .damaged, "TAPE-LIBRARY-DAMAGED", path, cause,
            "Restore the file from a copy, or create the library anew and recatalog its cartridges")
    }

    private static func reason(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "unreadable" }
        switch error {
        case .keyNotFound(let key, _): return "\(key.stringValue) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            let path = context.codingPath.map { $0.intValue.map { "\($0)" } ?? $0.stringValue }.joined(separator: ".")
            return path.isEmpty ? "malformed" : "\(path) is not what it should be"
        @unknown default: return "unreadable"
        }
    }
}

/// Whether a state contradicts itself.
enum LibraryCheck {
    /// The first contradiction, without a full stop; nil if there is none.
    static func problem(in state: LibraryState) -> String? {
        let hardware = state.hardware
        guard (0...LibraryElement.mostSlots).contains(hardware.slots),
            (0...LibraryElement.mostPorts).contains(hardware.ports),
            hardware.drives.count <= LibraryElement.mostDrives
        else { return "it has more slots, ports or drives than there are addresses" }
        var (barcodes, elements): (Set<String>, Set<LibraryElement>) = ([], [])
        for occupant in hardware.contents {
            guard hardware.has(occupant.element) else { return "\(occupant.element) does not exist" }
            guard BarcodeLabel(occupant.barcode) != nil else { return "\(occupant.barcode) is no bar code" }
            guard occupant.home.map(hardware.has) != false else {
                return "the home of \(occupant.barcode) does not exist"
            }
            guard barcodes.insert(occupant.barcode).inserted else { return "\(occupant.barcode) is in two places" }
            guard elements.insert(occupant.element).inserted else { return "\(occupant.element) holds two cartridges" }
        }
        guard zip(hardware.contents, hardware.contents.dropFirst()).allSatisfy({ $0.element < $1.element }) else {
            return "its contents are not in order"
        }
        let counts = hardware.drives.map { Int64($0.cleanings) } + [state.change]
        let times = [hardware.portOpened, hardware.doorUnlocked].compactMap { $0 }
        guard counts.allSatisfy({ $0 >= 0 && $0 < 1 << 60 }), times.allSatisfy({ abs($0 / 2) < 1 << 60 }) else {
            return "it counts further than can be"
        }
        guard zip(state.tapes, state.tapes.dropFirst()).allSatisfy({ $0.barcode < $1.barcode }) else {
            return "its tapes are not in order, or one is listed twice"
        }
        for tape in state.tapes {
            guard BarcodeLabel(tape.barcode) != nil else { return "\(tape.barcode) is no bar code" }
            guard tape.written >= 0, tape.room >= 0 else { return "\(tape.barcode) has a size below zero" }
            guard tape.place.map(hardware.has) != false else { return "the place of \(tape.barcode) does not exist" }
            for set in tape.sets
            where set.bytes < 0 || set.firstSpan < 1 || set.lastSpan < set.firstSpan || set.lastSpan > UInt32.max {
                return "set \(set.set) on \(tape.barcode) has sizes that cannot be"
            }
        }
        return nil
    }
}
