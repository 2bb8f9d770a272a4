import ArgumentParser
import Files
import Foundation
import Tape
import Units

/// A set, as lists give it.
private struct SetFact: Encodable {
    var set: String, number: Int, name: String?, datasource: String?, machine: String?
    var date: String, expiry: String?, bytes: Int64, files: [String], tapes: [String]
    var thumbprints: [String], isComplete: Bool

    init(_ found: RecatalogedSet) {
        let entry = found.entry
        (set, number, name, datasource, machine) = (
            entry.set, entry.number, entry.name, entry.datasource, entry.machine
        )
        (date, expiry, bytes) = (timeText(entry.date), entry.expiry.map(timeText), entry.bytes)
        (files, tapes, thumbprints) = (entry.files.map(\.name), found.barcodes, entry.thumbprints)
        isComplete = found.isComplete
    }

    var cells: [String] {
        [
            name ?? set, readableTime(date), expiry.map { readableTime($0) } ?? "never", Bytes(bytes).rounded,
            "\(files.count)", tapes.joined(separator: ", "),
            thumbprints.isEmpty ? "" : "encrypted", isComplete ? "" : "parts are missing",
        ]
    }
    static let head = ["set", "written", "expires", "holds", "files", "tapes", "", ""]
}

/// `dpmsim tape list`.
struct TapeList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the sets on the tapes that the library knows.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "Tapes; all if left out.") var barcodes: [String] = []

    func run() throws {
        try options.look { library in
            for barcode in barcodes where library.state.tape(barcode) == nil {
                throw StorageFault(
                    .badInput, "TAPE-24050", "tape \(barcode)", "the library does not know it",
                    action: "Check the bar code, or run an inventory")
            }
            let facts = library.knownSets(on: barcodes.isEmpty ? library.state.tapes.map(\.barcode) : barcodes)
                .map(SetFact.init)
            try options.tell(
                facts,
                facts.isEmpty
                    ? ["No sets. Recatalog tapes whose sets are not known."]
                    : table([SetFact.head] + facts.map(\.cells), right: [3, 4]))
        }
    }
}

/// `dpmsim tape read`.
struct TapeRead: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "read", abstract: "Read the files of a set back.",
        discussion: "A file has its name only when it is whole. Exit status 1 if --skip-damaged had to leave bytes out."
    )

    @OptionGroup var options: LibraryOptions
    @Argument(help: "The set: its name or its identifier.") var set: String
    @Option(
        help: ArgumentHelp("A folder for the files; made if it is not there.", valueName: "folder"),
        completion: .directory)
    var to: String
    @Option(name: .customLong("file"), help: "Only this file; may be given several times.") var files: [String] = []
    @Flag(help: "Go on behind damaged records: what they held reads as zeros, and is told.") var skipDamaged = false

    private struct LostFact: Encodable { var start: Int64, end: Int64, cause: String }
    private struct FileFact: Encodable { var name: String, path: String, bytes: Int64, lost: [LostFact] }
    private struct Fact: Encodable { var set: String, files: [FileFact], seconds: Double, tapeSeconds: Double }

    func run() throws {
        try options.write { library in
            let clock = WallClock()
            Interrupt.listen()
            let found = try SetChoice(text: set).find(in: library)
            guard let id = GUID(found.entry.set) else { throw Ending.fault }
            let reading = try library.open(id, with: try options.openers(), at: options.now)
            var facts: [FileFact] = []
            do {
                facts = try read(reading.set)
            } catch {
                _ = try? reading.end()
                throw error
            }
            let report = try reading.end()
            let lost = facts.contains { !$0.lost.isEmpty }
            try options.tell(
                Fact(set: found.entry.set, files: facts, seconds: clock.seconds, tapeSeconds: report.duration.seconds),
                facts.flatMap { fact in
                    ["\(fact.path): \(Bytes(fact.bytes).rounded)."]
                        + fact.lost.map { "  lost: bytes \($0.start) to \($0.end): \($0.cause)" }
                })
            if lost { throw Ending.expectationFailed }
        }
    }

    private func read(_ set: OpenSet) throws -> [FileFact] {
        for name in files where !set.files.contains(where: { $0.name == name }) {
            throw StorageFault(
                .badInput, "TAPE-NO-FILE", "file \(name)",
                "the set has \(set.files.map(\.name).joined(separator: ", "))", action: "Choose one of them")
        }
        let wanted = set.files.indices.filter { files.isEmpty || files.contains(set.files[$0].name) }
        let folder = absolute(to)
        try HostFiles().makeFolder(folder)
        let progress = LiveProgress(of: wanted.reduce(0) { $0 + set.files[$1].size })
        defer { progress.clear() }
        var how = RestoreOptions()
        how.skipsDamaged = skipDamaged
        return try wanted.map { index in
            let file = set.files[index]
            guard !file.name.isEmpty, !file.name.contains("/"), file.name != ".", file.name != ".." else {
                throw StorageFault(
                    .badInput, "TAPE-NAME", "file \(file.name)", "its name is no name of a file here",
                    action: "Export the set as tar instead")
            }
            let target = try TapeTarget(folder + "/" + file.name, progress)
            do {
                let report = try set.read(index, to: target, how)
                try target.finish(modified: file.modified)
                return FileFact(
                    name: file.name, path: to + "/" + file.name, bytes: report.bytes,
                    lost: report.lost.map {
                        LostFact(
                            start: $0.range.lowerBound, end: $0.range.upperBound,
                            cause: "\($0.fault.id): \($0.fault.cause)")
                    })
            } catch {
                target.giveUp()
                throw error
            }
        }
    }
}

/// `dpmsim tape verify`.
struct TapeVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Read sets through and hold every record, seal and chain against what was written.",
        discussion: "Exit status 1 if anything is damaged, missing or was tampered with.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "A set: its name or identifier; all, and the chains of all tapes, if left out.") var set: String?

    private struct Fact: Encodable {
        var name: String, records: Int64, bytes: Int64
        var faults: [StorageFaultFact]
    }

    func run() throws {
        try options.write { library in
            Interrupt.listen()
            let keys = try options.openers()
            var sets = library.knownSets(on: library.state.tapes.map(\.barcode))
            if let set { sets = [try SetChoice(text: set).find(in: library)] }
            var facts: [Fact] = []
            if set == nil {
                for tape in library.state.tapes where tape.place != nil && !tape.sets.isEmpty {
                    var faults: [StorageFault] = []
                    try library.mounted(tape.barcode, at: options.now) { (medium) throws(StorageFault) in
                        faults = try TapeContents.verifyChain(of: medium).faults
                    }
                    facts.append(
                        Fact(
                            name: "tape \(tape.barcode)", records: 0, bytes: 0,
                            faults: faults.map(StorageFaultFact.init)))
                }
            }
            for found in sets {
                if Interrupt.isAsked { throw StorageFault.stopped(found.entry.set) }
                facts.append(try verify(found, in: library, keys))
            }
            let damaged = facts.filter { !$0.faults.isEmpty }
            try options.tell(
                facts,
                facts.map { fact in
                    fact.faults.isEmpty
                        ? "\(fact.name): sound"
                            + (fact.records > 0 ? ", \(fact.records) records, \(Bytes(fact.bytes).rounded)." : ".")
                        : "\(fact.name): \(fact.faults.count) faults\n"
                            + fact.faults.prefix(100).map { "  \($0.id) \($0.object): \($0.cause)" }.joined(
                                separator: "\n")
                })
            if !damaged.isEmpty { throw Ending.expectationFailed }
        }
    }

    private func verify(_ found: RecatalogedSet, in library: MediaLibrary, _ keys: [KeyedCertificate]) throws -> Fact {
        let name = "set \(found.entry.name ?? found.entry.set)"
        do throws(StorageFault) {
            guard let id = GUID(found.entry.set) else { return Fact(name: name, records: 0, bytes: 0, faults: []) }
            let reading = try library.open(id, with: keys, at: options.now)
            let result: Result<SetVerification, StorageFault>
            do throws(StorageFault) { result = .success(try reading.set.verify()) } catch { result = .failure(error) }
            _ = try reading.end()
            let verified = try result.get()
            return Fact(
                name: name, records: verified.records, bytes: verified.bytes,
                faults: verified.faults.map(StorageFaultFact.init))
        } catch {
            guard error.kind != .device else { throw error }
            return Fact(name: name, records: 0, bytes: 0, faults: [StorageFaultFact(error)])
        }
    }
}
