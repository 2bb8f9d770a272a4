public import Files
import Protection
import Units

/// What was read of a tape's catalog, by whoever knows the format.
public struct TapeCatalog: Hashable, Sendable {
    public var identity: OnMediaIdentity
    /// Sets of which a part is on the tape, in their order. Names are nil where only the certificate would tell.
    public var sets: [CatalogedSet]

    public init(identity: OnMediaIdentity, sets: [CatalogedSet]) { (self.identity, self.sets) = (identity, sets) }
}

/// Reads the catalog of a tape that stands at its beginning, without reading the data through.
public typealias CatalogReading = (any TapeMedium) throws(StorageFault) -> TapeCatalog

/// A set as recataloging found it.
public struct RecatalogedSet: Hashable, Sendable {
    public var entry: CatalogedSet
    /// Tapes it lies on, in order, by bar code.
    public var barcodes: [String]
    /// Parts that are on none of the tapes; empty for a set that can be restored.
    public var missing: [Int]
    /// Its last part, which closes it, is on none of the tapes.
    public var isOpen: Bool

    public var isComplete: Bool { missing.isEmpty && !isOpen }
}

extension MediaLibrary {
    /// Rebuilds what is known of tapes from the tapes alone: mounts each, reads its catalog, and joins the parts of sets that lie on
    /// several tapes, those recataloged earlier included. Tapes that are refused (24031, 24041, 24054, 31145, 31151) or
    /// cannot be read (30008) are in the report.
    /// - Throws: 24040 for a tape no inventory has seen, 24050; the first refusal if all are refused; 24042 if no set on the
    ///   tapes can be restored because parts are on others. What was read is kept all the same.
    public func recatalog(
        _ barcodes: [String], at now: Int64, read: CatalogReading
    ) throws(StorageFault) -> (sets: [RecatalogedSet], report: LibraryReport) {
        var done: [String] = []
        let report = try change(at: now) { (state, report) throws(StorageFault) in
            try ready(state)
            for barcode in barcodes {
                guard var tape = state.tape(barcode) else {
                    guard state.hardware.element(of: barcode) != nil else { throw .noTape(barcode) }
                    throw StorageFault(TapeRefusal.notInventoried.refusal(of: barcode))
                }
                do throws(StorageFault) {
                    guard let place = tape.place else { throw .noTape(barcode) }
                    let isImported = tape.standing.content == .imported
                    try tape.take(.recataloged)
                    try check(barcode, liesIn: place, state)
                    let number = try place.isDrive ? 0 : drive(for: barcode, wanted: nil, state)
                    let catalog = try catalog(of: barcode, read)
                    if let known = tape.identity, known != catalog.identity.identifier.description {
                        throw .library(
                            .badInput, "TAPE-30002", "tape \(tape.title)", "it was changed since it was identified",
                            "Run an inventory of the library")
                    }
                    tape.describe(catalog.identity)
                    tape.sets = catalog.sets
                    tape.isEncrypted = catalog.sets.contains { !$0.thumbprints.isEmpty }
                    try update(&tape)
                    if tape.isExpired(at: now) { try tape.take(.expired) }
                    state.put(tape)
                    done.append(barcode)
                    if isImported { report.note(.recatalogsImported) }
                    report.happened.append("\(barcode) recataloged, \(catalog.sets.count) sets")
                    if number > 0 {
                        let facts = state.hardware.drives[number - 1].facts
                        let motion = motion(of: barcode, in: state.hardware.drives[number - 1])
                        report.duration += times.detailedInventory(facts, cartridges: 1)
                        // To the newest catalog at the end of the data, and back.
                        report.duration += motion.locate(from: 0, to: tape.written) + motion.rewind(from: tape.written)
                    }
                } catch { report.refused.append(error) }
            }
            if done.isEmpty, let first = report.refused.first { throw first }
        }
        let sets = knownSets(on: done)
        let open = sets.filter { !$0.isComplete }
        guard let first = open.first, open.count == sets.count else { return (sets, report) }
        throw incomplete(first)
    }

    /// The sets of which a part is on one of these tapes, with their parts on all tapes that are known, by tape family and number.
    public func knownSets(on barcodes: [String]) -> [RecatalogedSet] {
        let wanted = Set(state.tapes.filter { barcodes.contains($0.barcode) }.flatMap { $0.sets.map(\.set) })
        var parts: [String: [(tape: TapeEntry, entry: CatalogedSet)]] = [:]
        for tape in state.tapes {
            for entry in tape.sets where wanted.contains(entry.set) {
                parts[entry.set, default: []].append((tape, entry))
            }
        }
        let sets = parts.values.map { parts -> (family: UInt32, set: RecatalogedSet) in
            let parts = parts.sorted {
                ($0.entry.firstSpan, $0.tape.barcode) < ($1.entry.firstSpan, $1.tape.barcode)
            }
            // The last part knows most: the catalog is written when a set ends.
            var entry = parts.last!.entry
            for part in parts.map(\.entry).reversed() {
                entry.name = entry.name ?? part.name
                entry.datasource = entry.datasource ?? part.datasource
                entry.machine = entry.machine ?? part.machine
                if entry.files.isEmpty { entry.files = part.files }
                if entry.thumbprints.isEmpty { entry.thumbprints = part.thumbprints }
                entry.bytes = max(entry.bytes, part.bytes)
            }
            let last = parts.map(\.entry.lastSpan).max() ?? 1
            (entry.firstSpan, entry.lastSpan) = (1, last)
            entry.isClosed = parts.contains { $0.entry.isClosed && $0.entry.lastSpan == last }
            var next = 1
            var missing: [Int] = []
            for part in parts.map(\.entry) {
                if part.firstSpan > next { missing += Array((next..<part.firstSpan).prefix(1_000)) }
                next = max(next, part.lastSpan + 1)
            }
            return (
                parts[0].tape.family ?? 0,
                RecatalogedSet(
                    entry: entry, barcodes: parts.map(\.tape.barcode), missing: missing, isOpen: !entry.isClosed)
            )
        }
        return sets.sorted {
            ($0.family, $0.set.entry.number, $0.set.entry.set) < ($1.family, $1.set.entry.number, $1.set.entry.set)
        }
        .map(\.set)
    }

    private func catalog(of barcode: String, _ read: CatalogReading) throws(StorageFault) -> TapeCatalog {
        do throws(StorageFault) { return try reading(barcode, read) } catch {
            throw StorageFault(
                error.kind, "TAPE-30008", "tape \(barcode)",
                "its catalog could not be read: \(error.cause) (\(error.id))",
                action: "Use another copy of the tape, or read its contents without the catalog")
        }
    }

    func incomplete(_ set: RecatalogedSet) -> StorageFault {
        let missing =
            set.missing.isEmpty
            ? "the last part" : "part \(set.missing.prefix(10).map(String.init).joined(separator: ", "))"
        return .library(
            .missing, "TAPE-24042", "set \(set.entry.name ?? set.entry.set)",
            "the tapes \(set.barcodes.joined(separator: ", ")) do not hold all of it: \(missing) is on another tape",
            "Insert all tapes of the backup, run an inventory, and recatalog them")
    }
}
