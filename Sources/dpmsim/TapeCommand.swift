import ArgumentParser
import Files
import Foundation
import Protection
import Tape
import Units

/// `dpmsim tape`: a tape library in a folder, and sets of data on its cartridges.
struct TapeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tape",
        abstract:
            "Write files to tapes of a library in a folder, compressed and encrypted; list, verify, read them back.",
        discussion: """
            A library is a folder: library.json, the cartridges as sparse files, and the certificate stores. A set is what is written
            as one: files of any kind, each read back byte for byte. Several programs may look; one at a time changes a library.
            Exit status: 0 done, 1 damage was found, 2 bad input, 3 a fault, 64 wrong usage, 130 stopped by Control-C.
            """,
        subcommands: [
            TapeLibraryCommand.self, TapeCertificateCommand.self, TapeWrite.self, TapeList.self, TapeVerify.self,
            TapeRead.self, TapeRecatalog.self, TapeErase.self, TapeFree.self, TapeCopy.self, TapeExport.self,
            TapeImport.self, TapeDump.self, TapeDamage.self,
        ])
}

/// What every command on a library is told.
struct LibraryOptions: ParsableArguments {
    @Argument(help: "The library's folder.", completion: .directory) var library: String
    @Flag(help: "Print the answer as JSON.") var json = false

    var folder: String { absolute(library) }
    var now: Int64 { WallClock.secondsSince1970 }

    /// For commands that change the library or load its cartridges.
    func write(_ body: (MediaLibrary) throws -> Void) throws { try use(writable: true, body) }

    /// For commands that only look.
    func look(_ body: (MediaLibrary) throws -> Void) throws { try use(writable: false, body) }

    private func use(writable: Bool, _ body: (MediaLibrary) throws -> Void) throws {
        try endingByFault(json: json) {
            let files = HostFiles()
            let library = try MediaLibrary(
                opening: folder, files: files, store: CartridgeFiles(files), writable: writable)
            // The library's lock is ours: whoever had tapes reserved is dead.
            if writable {
                for line in try library.recover(at: now).happened {
                    Terminal.errors.line("after a program that did not end: \(line)")
                }
            }
            try body(library)
        }
    }

    /// The library's certificate stores.
    func stores() throws(StorageFault) -> CertificateStores {
        let folder = folder + "/certificates"
        let files = HostFiles()
        if try files.kind(of: self.folder) == .folder { try files.makeFolder(folder) }
        let stores = CertificateStores(folder: folder, on: files, secrets: HostSecrets())
        try stores.prepare()
        return stores
    }

    /// Certificates that open sets, both stores'; none where there are no stores.
    func openers() throws(StorageFault) -> [KeyedCertificate] {
        guard try HostFiles().kind(of: folder + "/certificates/DPMBackupStore") == .folder else { return [] }
        return try stores().openers()
    }

    /// The answer: `fact` as JSON, or `lines`.
    func tell(_ fact: some Encodable, _ lines: [String]) throws {
        if json { try JSONOutput.print(fact) } else { lines.forEach { Terminal.output.line($0) } }
    }

    /// What an operation did.
    func tell(_ report: LibraryReport) throws {
        try tell(LibraryReportFact(report), LibraryReportFact(report).lines)
    }
}

/// What an operation of the library did, for JSON.
struct LibraryReportFact: Encodable {
    var happened: [String], notices: [String], refused: [StorageFaultFact]
    /// What the hardware would have taken.
    var seconds: Double

    init(_ report: LibraryReport) {
        (happened, notices) = (report.happened, report.notices.map { "\($0.rawValue) \($0.text)" })
        (refused, seconds) = (report.refused.map(StorageFaultFact.init), report.duration.seconds)
    }

    var lines: [String] {
        var lines = happened.map { $0 + "." } + notices
        lines += refused.map { "left out: \($0.id) \($0.object): \($0.cause). \($0.action)." }
        if seconds > 0 { lines.append("A drive and a robot would take \(SimDuration(roundingUp: seconds).rounded).") }
        return lines.isEmpty ? ["Nothing to do."] : lines
    }
}

/// A time to come, such as `30d`: how long a set is kept.
struct KeepingTime: ExpressibleByArgument {
    var seconds: Int64
    init?(argument: String) {
        let spaced = argument.replacing(/^([0-9.]+)([A-Za-z]+)$/) { "\($0.output.1) \($0.output.2)" }
        guard let span = SimDuration(spaced) ?? SimDuration(argument), span.nanoseconds > 0 else { return nil }
        seconds = span.nanoseconds / 1_000_000_000
    }
}

/// A value that the command line names by one of a few words.
func word<Value>(_ words: [(String, Value)]) -> @Sendable (String) throws -> Value where Value: Sendable {
    { [words] text in
        guard let found = words.first(where: { $0.0.lowercased() == text.lowercased() }) else {
            throw ValidationError("Choose one of \(words.map(\.0).joined(separator: ", ")).")
        }
        return found.1
    }
}

/// A generation of LTO: `LTO-8`.
let generationWord = word(LTOGeneration.allCases.map { ($0.name, $0) })

/// A set as the command line names it: its name, its number, or its GUID.
struct SetChoice {
    var text: String

    /// The one set of that name, number or GUID on the tapes a library knows.
    func find(in library: MediaLibrary) throws(StorageFault) -> RecatalogedSet {
        let sets = library.knownSets(on: library.state.tapes.map(\.barcode))
        let found = sets.filter { $0.entry.set == text.uppercased() || $0.entry.set == text || $0.entry.name == text }
        if found.count == 1 { return found[0] }
        if found.isEmpty {
            throw StorageFault(
                .missing, "TAPE-NO-SET", "set \(text)", "no known tape of the library holds it",
                action: "List the sets, or recatalog the tapes it may be on")
        }
        let names = found.map { "\($0.entry.set) of \(timeText($0.entry.date))" }.joined(separator: ", ")
        throw StorageFault(
            .badInput, "TAPE-SET-NAME", "set \(text)", "there are several of that name: \(names)",
            action: "Name it by its identifier")
    }
}
