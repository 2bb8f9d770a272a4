import ArgumentParser
import Files
import Foundation
import Tape

/// `dpmsim tape dump`.
struct TapeDump: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "Show the structures of a cartridge's file, also of a damaged one.",
        discussion: "Nothing is changed. Exit status 1 if a structure has a problem.")

    @Argument(help: "The cartridge's file, such as LIBRARY/cartridges/000001L8.cart.", completion: .file())
    var cartridge: String
    @Flag(help: "The nodes of the index.") var index = false
    @Option(help: ArgumentHelp("Objects from this one on.", valueName: "object")) var objects: Int64?
    @Option(help: "How many objects.") var count: Int64 = 100
    @Flag(help: "Look at the whole file for records and nodes, without help of labels and index.") var search = false
    @Option(help: "The partition.") var partition = 0
    @Flag(help: "Read every record and hold it against its checksum.") var records = false
    @Flag(help: "Print the answer as JSON.") var json = false

    private struct Fact: Encodable {
        var name: String, start: Int64, length: Int64, fields: [[String: String]], problems: [String]
    }

    func validate() throws {
        if [index, objects != nil, search].filter(\.self).count > 1 {
            throw ValidationError("Choose one of --index, --objects and --search.")
        }
    }

    func run() throws {
        try endingByFault(json: json) {
            var selection = CartridgeSelection.summary
            if index { selection = .index(partition: partition) }
            if search { selection = .search }
            if let objects, objects >= 0, count >= 0 {
                let (end, over) = objects.addingReportingOverflow(count)
                selection = .objects(partition: partition, objects..<(over ? Int64.max : end))
            }
            let path = absolute(cartridge)
            let found = try CartridgeDump.of(path, on: HostFiles(), selection)
            let findings = records ? try CartridgeCheck.run(path, on: HostFiles(), records: true) : []
            if json {
                try JSONOutput.print(
                    found.map { structure in
                        Fact(
                            name: structure.name, start: structure.place.lowerBound,
                            length: structure.place.upperBound - structure.place.lowerBound,
                            fields: structure.fields.map { ["name": $0.name, "value": $0.value] },
                            problems: structure.problems)
                    }
                        + findings.map {
                            Fact(name: $0.object, start: 0, length: 0, fields: [], problems: [$0.cause])
                        })
            } else {
                let out = Terminal.output
                for structure in found {
                    out.line(
                        out.styled(structure.name, .bold)
                            + "  bytes \(structure.place.lowerBound) to \(structure.place.upperBound)")
                    for field in structure.fields { out.line("  \(field.name): \(field.value)") }
                    for problem in structure.problems { out.line("  " + out.styled("problem", .red) + ": \(problem)") }
                }
                for finding in findings { out.line(out.styled("problem", .red) + " \(finding)") }
            }
            if !findings.isEmpty || found.contains(where: { !$0.problems.isEmpty }) { throw Ending.expectationFailed }
        }
    }
}

/// `dpmsim tape damage`.
struct TapeDamage: ParsableCommand {
    enum Kind: String, CaseIterable, ExpressibleByArgument { case flip, cut, drop, double, swap, label }

    static let configuration = CommandConfiguration(
        commandName: "damage", abstract: "Damage a cartridge on purpose, for tests and lessons.",
        discussion: """
            flip: change a bit of an object, as rot does: the cartridge's own checksum tells. With --beneath-checksum that is made
            right, so that only the set's seals can tell. cut: lose all behind it; drop: take it out; double: write it twice;
            swap: exchange it with --other; label: spoil a label of the file.
            """)

    @Argument(help: "The cartridge's file.", completion: .file()) var cartridge: String
    @Argument(help: "flip, cut, drop, double, swap or label.") var kind: Kind
    @Option(help: "Number of the object, from 0; of the label, 0 or 1.") var object: Int64
    @Option(help: "The object it is exchanged with.") var other: Int64?
    @Option(help: "The byte of the object.") var byte = 0
    @Option(help: "The bits of that byte.") var mask: UInt8 = 1
    @Flag(help: "Make the checksum right again.") var beneathChecksum = false

    func validate() throws {
        if (kind == .swap) != (other != nil) { throw ValidationError("--other goes with swap.") }
        if beneathChecksum, kind != .flip { throw ValidationError("--beneath-checksum goes with flip.") }
        if mask == 0 || byte < 0 { throw ValidationError("--mask and --byte have to change something.") }
    }

    func run() throws {
        try endingByFault(json: false) {
            let (path, files) = (absolute(cartridge), HostFiles())
            switch kind {
            case .flip:
                try CartridgeDamage.flip(
                    path, on: files, object: object, byte: byte, mask: mask, beneathChecksum: beneathChecksum)
            case .cut: try CartridgeDamage.cut(path, on: files, after: object)
            case .drop: try CartridgeDamage.drop(path, on: files, object: object)
            case .double: try CartridgeDamage.double(path, on: files, object: object)
            case .swap: try CartridgeDamage.swap(path, on: files, object, other ?? object)
            case .label: try CartridgeDamage.zapLabel(path, on: files, slot: Int(clamping: object))
            }
            Terminal.output.line("\(cartridge): \(kind.rawValue) of \(kind == .label ? "label" : "object") \(object).")
        }
    }
}
