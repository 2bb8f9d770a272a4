import ArgumentParser
import Files
import Foundation
import Protection
import Tape
import Units

/// `dpmsim tape recatalog`.
struct TapeRecatalog: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recatalog", abstract: "Learn from the tapes alone what sets are on them.",
        discussion: """
            Imported tapes and those of a lost server: identify them by an inventory first. With the certificates names are
            known; without them identifiers, sizes, dates and the thumbprints that would open the sets. Data are not read.
            """)

    @OptionGroup var options: LibraryOptions
    @Argument(help: "Tapes; all that are identified and hold sets if left out.") var barcodes: [String] = []

    private struct Fact: Encodable { var sets: [String], report: LibraryReportFact }

    func run() throws {
        try options.write { library in
            let keys = try options.openers()
            let wanted =
                barcodes.isEmpty
                ? library.state.tapes.filter { $0.place != nil && $0.identity != nil && $0.standing.use != .free }.map(
                    \.barcode)
                : barcodes
            let (sets, report) = try library.recatalog(wanted, at: options.now) { (medium) throws(StorageFault) in
                try TapeCatalog.of(medium, with: keys)
            }
            let fact = Fact(sets: sets.map(\.entry.set), report: LibraryReportFact(report))
            let lines = sets.map { found in
                let entry = found.entry
                return
                    "\(entry.name ?? "set \(entry.set)") of \(readableTime(timeText(entry.date))), \(Bytes(entry.bytes).rounded)"
                    + (entry.name == nil ? ", opened by \(entry.thumbprints.joined(separator: " or "))" : "")
                    + (found.isComplete ? "" : ", parts are missing")
            }
            try options.tell(fact, fact.report.lines + lines)
        }
    }
}

/// `dpmsim tape erase`.
struct TapeErase: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "erase", abstract: "Erase a tape that belongs to no group any more.",
        discussion: "What was on it cannot be read again.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "The tape's bar code.") var barcode: String
    @Flag(help: "Write over all of it, which takes hours on hardware.") var long = false

    func run() throws {
        try options.write { library in
            try options.tell(try library.erase(barcode, long: long, at: options.now))
        }
    }
}

/// `dpmsim tape free`.
struct TapeFree: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "free", abstract: "Mark tapes as free: what they hold stays until it is written over.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "Bar codes.") var barcodes: [String]
    @Flag(help: "Also if they hold sets that have not expired.") var force = false

    func run() throws {
        try options.write { library in
            try options.tell(try library.markFree(barcodes, byForce: force, at: options.now))
        }
    }
}

/// `dpmsim tape copy`.
struct TapeCopy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "copy", abstract: "Copy a tape record by record to a free one. Needs two drives; no certificate.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "The tape to copy.") var source: String
    @Argument(help: "A free tape.") var target: String

    func run() throws {
        try options.write { library in
            Interrupt.listen()
            let facts = try library.copyTape(source, to: target, at: options.now) { () throws(StorageFault) in
                if Interrupt.isAsked { throw .stopped(target) }
            }
            try options.tell(
                ["records": facts.records, "filemarks": facts.filemarks, "bytes": facts.bytes],
                ["\(source) copied to \(target): \(facts.records) records, \(Bytes(facts.bytes).rounded)."])
        }
    }
}
