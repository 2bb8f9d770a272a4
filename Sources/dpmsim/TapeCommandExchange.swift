import ArgumentParser
import Files
import Foundation
import Tape
import Units

private enum ExchangeFormat: String, CaseIterable, Sendable {
    case tap, bkf, tar

    /// By the option, or the file's name.
    static func of(_ option: ExchangeFormat?, _ path: String) throws(StorageFault) -> ExchangeFormat {
        let ending = path.split(separator: ".").last.map { $0.lowercased() }
        guard let format = option ?? allCases.first(where: { $0.rawValue == ending }) else {
            throw StorageFault(
                .badInput, "TAPE-FORMAT-NAME", path, "its name ends in none of .tap, .bkf and .tar",
                action: "Say what it is with --format")
        }
        return format
    }
}

private let formatWord = word(ExchangeFormat.allCases.map { ($0.rawValue, $0) })

private struct ExchangeFact: Encodable { var file: String, records: Int64, filemarks: Int64, bytes: Int64 }

/// `dpmsim tape export`.
struct TapeExport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write a tape, or a set, to a file that other programs read.",
        discussion: """
            tap: SIMH's tape image, all records and filemarks. bkf: the tape's blocks as one flat stream of Microsoft Tape Format. tar: the files
            of one set, decrypted and decompressed.
            """)

    @OptionGroup var options: LibraryOptions
    @Argument(help: "The tape's bar code; for tar the set's name or identifier.") var what: String
    @Option(help: ArgumentHelp("The new file.", valueName: "file"), completion: .file()) var to: String
    @Option(help: "tap, bkf or tar; by the file's name if left out.", transform: formatWord) private var format:
        ExchangeFormat?

    func run() throws {
        try options.write { library in
            let files = HostFiles()
            let path = absolute(to)
            let format = try ExchangeFormat.of(format, to)
            let file = try files.open(path, .create)
            var fact = ExchangeFact(file: to, records: 0, filemarks: 0, bytes: 0)
            var line = ""
            do {
                switch format {
                case .tap:
                    try library.mounted(what, at: options.now) { (medium) throws(StorageFault) in
                        let facts = try SimhTape.export(medium, to: file)
                        (fact.records, fact.filemarks, fact.bytes) = (facts.records, facts.filemarks, facts.bytes)
                    }
                    line = "\(fact.records) records and \(fact.filemarks) filemarks of \(what)"
                case .bkf:
                    try library.mounted(what, at: options.now) { (medium) throws(StorageFault) in
                        let facts = try FlatTape.export(medium, to: file)
                        (fact.records, fact.filemarks, fact.bytes) = (facts.records, facts.filemarks, facts.bytes)
                    }
                    line = "\(fact.records) records of \(what)"
                case .tar:
                    let found = try SetChoice(text: what).find(in: library)
                    guard let id = GUID(found.entry.set) else { throw Ending.fault }
                    let reading = try library.open(id, with: try options.openers(), at: options.now)
                    do {
                        let facts = try TarSet.export(reading.set, to: file)
                        fact.bytes = facts.bytes
                        line = "\(facts.files) files of \(what)"
                    } catch {
                        _ = try? reading.end()
                        throw error
                    }
                    _ = try reading.end()
                }
                try file.flush()
            } catch {
                file.close()
                try? files.remove(path)
                throw error
            }
            try options.tell(fact, ["\(to): \(line), \(Bytes(fact.bytes).rounded)."])
        }
    }
}

/// `dpmsim tape import`.
struct TapeImport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Write a .tap or .bkf file to a free tape, and learn what is on it.",
        discussion: "The files of a tar archive are written as a set by `tape write --tar`.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "The file.", completion: .file()) var file: String
    @Option(help: ArgumentHelp("A free tape.", valueName: "barcode")) var to: String
    @Option(help: "tap or bkf; by the file's name if left out.", transform: formatWord) private var format:
        ExchangeFormat?

    func run() throws {
        try options.write { library in
            let format = try ExchangeFormat.of(format, file)
            guard format != .tar else {
                throw StorageFault(
                    .badInput, "TAPE-FORMAT-NAME", file, "a tar archive is no image of a tape",
                    action: "Write its files as a set with tape write --tar")
            }
            let source = try HostFiles().open(absolute(file), .read)
            defer { source.close() }
            var counts: (records: Int64, filemarks: Int64) = (0, 0)
            try library.writeForeign(to, at: options.now) { (medium) throws(StorageFault) in
                if format == .tap {
                    let facts = try SimhTape.restore(source, to: medium)
                    counts = (facts.records, facts.filemarks)
                } else {
                    let facts = try FlatTape.restore(source, to: medium)
                    counts = (facts.records, facts.filemarks)
                }
            }
            let report = try library.detailedInventory([to], at: options.now, identify: TapeFinding.of)
            try options.tell(
                LibraryReportFact(report),
                [
                    "\(file): \(counts.records) records and \(counts.filemarks) filemarks on \(to). Recatalog it to use its sets."
                ]
                    + LibraryReportFact(report).lines)
        }
    }
}
