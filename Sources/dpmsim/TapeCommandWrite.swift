import ArgumentParser
import Files
import Foundation
import Protection
import Tape
import Units

private let compressionWord = word(SetCompression.allCases.map { ($0.rawValue, $0) })

/// `dpmsim tape write`.
struct TapeWrite: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write",
        abstract: "Write files as a set to a tape of the library, and on to further ones if it does not fit.",
        discussion: """
            The tape is chosen as DPM does: without a colocation set each job begins a free or expired tape; jobs of one --run
            share their tapes, and so do groups of one --colocation-set. A job that is stopped or fails leaves no set behind.
            """)

    @OptionGroup var options: LibraryOptions
    @Argument(help: "Files: disk images or any others.", completion: .file()) var files: [String]
    @Option(help: ArgumentHelp("The set's name.", valueName: "name")) var set: String
    @Option(help: "The protection group whose data it is.") var group = "files"
    @Option(help: "The machine it comes from.") var machine = ""
    @Option(help: "What was protected; the set's name if left out.") var datasource: String?
    @Option(help: "A remark, kept with the set.") var remark = ""
    @Flag(help: "Encrypt it to all valid certificates of the backup store.") var encrypt = false
    @Flag(help: "Compress it.") var compress = false
    @Option(help: "How hard: fast, default or strong.", transform: compressionWord) var compression: SetCompression?
    @Option(help: ArgumentHelp("How long it is kept, such as 30d; for ever if left out.", valueName: "time"))
    var keep: KeepingTime?
    @Flag(help: "It is short-term data, which never shares a tape with long-term data.") var shortTerm = false
    @Option(name: .customLong("run"), help: "Number of the job's run: jobs of a run share tapes.") var runNumber: Int?
    @Option(help: ArgumentHelp("The set of groups that share tapes.", valueName: "name")) var colocationSet: String?
    @Option(help: "For how long a shared tape takes further sets.") var writePeriod: KeepingTime?
    @Option(help: "How far apart the expiries on a shared tape may be.") var expiryTolerance: KeepingTime?
    @Option(help: "The label of a tape that is begun.") var label: String?
    @Option(help: ArgumentHelp("Of a record on tape, 16KiB to 1MiB.", valueName: "bytes"))
    var recordSize = ByteCount(1 << 20)

    func validate() throws {
        if colocationSet == nil, writePeriod != nil || expiryTolerance != nil {
            throw ValidationError("--write-period and --expiry-tolerance go with --colocation-set.")
        }
    }

    private struct Fact: Encodable {
        var set: String, number: Int, tapes: [String]
        var bytes: UInt64, stored: UInt64, seconds: Double, tapeSeconds: Double
        var refused: [[String: String]]
    }

    func run() throws {
        try options.write { library in
            let clock = WallClock()
            Interrupt.listen()
            let now = options.now
            let sources = try sources()
            let total = sources.reduce(0) { $0 + $1.size }
            let progress = LiveProgress(of: total)
            defer { progress.clear() }
            let stores = encrypt ? try options.stores() : nil
            let basis = try stores?.basis(at: now)
            var how = SetOptions()
            how.recordLength = Int(clamping: recordSize.count)
            how.compression = compression ?? (compress ? .default : nil)
            how.certificates = basis?.certificates ?? []
            how.progress = { progress.reach($0) }
            let expiry = keep.map { now + $0.seconds }
            let description = SetDescription(
                set: HostGUIDs().next(), name: set, description: remark, datasource: datasource ?? set,
                machine: machine, user: "", date: now, expiry: expiry)
            guard let drive = library.state.hardware.drives.first(where: \.isEnabled)?.generation else {
                throw StorageFault(
                    .missing, "TAPE-24055", "library \(library.state.name)", "no drive of it is enabled",
                    action: "Enable a drive")
            }
            let request = SetRequest(
                group: group, run: runNumber ?? Int(HostGUIDs().next().bytes.little(UInt32.self, at: 0) >> 1),
                drive: drive, isLongTerm: !shortTerm,
                isEncrypted: encrypt, expiry: expiry, colocationSet: colocationSet,
                writePeriod: writePeriod?.seconds ?? 7 * 86_400,
                expiryTolerance: expiryTolerance?.seconds ?? 7 * 86_400)
            let count = library.state.tapes.count { $0.owner == group } + 1
            let title = label ?? "DPM - \(group) - \(shortTerm ? "short" : "long")-term tape \(count)"
            let done = try library.write(
                sources, description, how, for: request, label: title, guids: HostGUIDs(), secrets: HostSecrets(),
                at: now)
            if let stores, let basis { try stores.confirm(basis) }
            progress.clear()
            let spans = done.receipt.spans
            let fact = Fact(
                set: done.receipt.set.description, number: done.receipt.number, tapes: done.barcodes,
                bytes: spans.reduce(0) { $0 + $1.plainBytes }, stored: spans.reduce(0) { $0 + $1.storedBytes },
                seconds: clock.seconds, tapeSeconds: done.report.duration.seconds,
                refused: done.placement.refused.map { ["tape": $0.barcode, "reason": $0.reason] })
            try options.tell(
                fact,
                [
                    "\(set): set \(fact.number) on \(fact.tapes.joined(separator: ", ")), \(Bytes(Int64(clamping: fact.bytes)).rounded) as "
                        + "\(Bytes(Int64(clamping: fact.stored)).rounded) in \(SimDuration(roundingUp: fact.seconds).rounded)."
                ]
                    + done.placement.refused.filter { $0.reason != TapeChoice.later }.map {
                        "not on \($0.barcode): \($0.reason)"
                    })
        }
    }

    private func sources() throws -> [TapeSource] {
        var names: Set<String> = []
        return try files.map { path in
            let name = String(path.split(separator: "/").last ?? "")
            guard names.insert(name).inserted else {
                throw StorageFault(
                    .badInput, "TAPE-NAME", path, "another file of the set has the name \(name)",
                    action: "Write it in a set of its own")
            }
            return try TapeSource(path, name: name)
        }
    }
}
