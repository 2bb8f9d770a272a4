import ArgumentParser
import Files
import Foundation
import Tape
import Units

/// `dpmsim tape export`.
struct TapeExport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write a tape to a file that other programs read: SIMH .tap.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "The tape's bar code.") var barcode: String
    @Option(help: ArgumentHelp("The new file.", valueName: "file"), completion: .file()) var to: String

    func run() throws {
        try options.write { library in
            let files = HostFiles()
            let path = absolute(to)
            let file = try files.open(path, .create)
            var facts = TapeFacts()
            do {
                try library.mounted(barcode, at: options.now) { (medium) throws(StorageFault) in
                    facts = try SimhTape.export(medium, to: file)
                }
            } catch {
                try? files.remove(path)
                throw error
            }
            try options.tell(
                ["records": facts.records, "filemarks": facts.filemarks, "bytes": facts.bytes],
                [
                    "\(to): \(facts.records) records and \(facts.filemarks) filemarks of \(barcode), \(Bytes(facts.bytes).rounded)."
                ])
        }
    }
}

/// `dpmsim tape import`.
struct TapeImport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Write a SIMH .tap file to a free tape, and learn what is on it.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "The file.", completion: .file()) var file: String
    @Option(help: ArgumentHelp("A free tape.", valueName: "barcode")) var to: String

    func run() throws {
        try options.write { library in
            let source = try HostFiles().open(absolute(file), .read)
            var facts = TapeFacts()
            try library.writeForeign(to, at: options.now) { (medium) throws(StorageFault) in
                facts = try SimhTape.restore(source, to: medium)
            }
            let report = try library.detailedInventory([to], at: options.now, identify: TapeFinding.of)
            try options.tell(
                LibraryReportFact(report),
                [
                    "\(file): \(facts.records) records and \(facts.filemarks) filemarks on \(to). Recatalog it to use its sets."
                ]
                    + LibraryReportFact(report).lines)
        }
    }
}
