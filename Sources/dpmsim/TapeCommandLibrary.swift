import ArgumentParser
import Files
import Protection
import Tape
import Units

/// `dpmsim tape library`: slots, drives, robot, I/E port.
struct TapeLibraryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "library", abstract: "Make a tape library, look at it, and move its cartridges.",
        subcommands: [
            LibraryCreate.self, LibraryShow.self, LibraryAdd.self, LibraryInventory.self, LibraryLoad.self,
            LibraryUnload.self, LibraryEject.self, LibraryTakeOut.self, LibraryImport.self, LibraryClean.self,
        ])
}

/// `dpmsim tape library create`.
struct LibraryCreate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a library in a new folder.")

    @OptionGroup var options: LibraryOptions
    @Option(help: "How many cartridges it holds.") var slots = 24
    @Option(help: "How many drives it has.") var drives = 2
    @Option(help: "Of its drives: LTO-5 to LTO-10.", transform: generationWord) var generation = LTOGeneration.lto8
    @Flag(help: "Its drives are half-height ones, which are slower.") var halfHeight = false
    @Option(help: "Slots of its I/E port; 0 for none.") var ports = 4
    @Flag(help: "It has no bar code reader.") var noBarcodes = false
    @Option(help: "How many new cartridges lie in it.") var tapes = 0
    @Option(help: "Its name; the folder's if left out.") var name: String?

    func validate() throws {
        guard (0...slots).contains(tapes), tapes <= 999_999 else {
            throw ValidationError("--tapes has to fit into --slots.")
        }
    }

    func run() throws {
        try endingByFault(json: options.json) {
            let files = HostFiles()
            var hardware = LibraryHardware(
                slots: slots, ports: ports,
                drives: Array(repeating: LibraryDrive(generation, isHalfHeight: halfHeight), count: drives))
            hardware.hasBarcodes = !noBarcodes
            let library = try MediaLibrary.create(
                name ?? String(options.folder.split(separator: "/").last ?? "library"), hardware, at: options.folder,
                files: files, store: CartridgeFiles(files), guids: HostGUIDs())
            _ = try options.stores()
            let suffix = LTOFacts.of(generation).barcodeSuffix
            let barcodes = (0..<tapes).map { number in
                let digits = String(number + 1)
                return String(repeating: "0", count: 6 - digits.count) + digits + suffix
            }
            try options.tell(try library.addIdentified(barcodes, at: options.now))
        }
    }
}

/// `dpmsim tape library show`: what lies where, and what DPM thinks of it.
struct LibraryShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show slots, drives and tapes.")

    @OptionGroup var options: LibraryOptions

    func run() throws {
        try options.look { library in
            let hardware = library.state.hardware
            var lines = [
                "\(library.state.name): \(hardware.slots) slots, \(hardware.ports) I/E slots, "
                    + "\(hardware.drives.count) drive\(hardware.drives.count == 1 ? "" : "s")"
                    + (hardware.isDoorLocked ? "" : ", the door is unlocked")
            ]
            for (place, drive) in hardware.drives.enumerated() {
                let inside = hardware.cartridge(in: .drive(place + 1)) ?? "empty"
                lines.append(
                    "drive-\(place + 1): \(drive.generation.name), \(inside)"
                        + (drive.needsCleaning ? ", asks for cleaning" : ""))
            }
            lines += table(
                [["tape", "place", "state", "label", "group", "sets", "written", "left"]]
                    + library.state.tapes.map { tape in
                        [
                            tape.barcode, tape.place?.description ?? "not here", tape.standing.status.title,
                            tape.label ?? "", tape.owner ?? "", "\(tape.sets.count)", Bytes(tape.written).rounded,
                            Bytes(tape.room).rounded,
                        ]
                    }, right: [5, 6, 7])
            let shelf = try library.shelf()
            if !shelf.isEmpty { lines.append("Beside the library: \(shelf.joined(separator: ", "))") }
            try options.tell(library.state, lines)
        }
    }
}

/// `dpmsim tape library add`.
struct LibraryAdd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Put new cartridges into free slots: 000007L8, CLN001L8 for a cleaning tape.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "Bar codes, ending in L5 to LA by generation.") var barcodes: [String]

    func run() throws {
        try options.write { library in
            try options.tell(try library.addIdentified(barcodes, at: options.now))
        }
    }
}

/// `dpmsim tape library inventory`.
struct LibraryInventory: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inventory", abstract: "Read the bar codes; with --detailed, mount tapes and read who they are.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "Tapes to identify; all that are unknown if left out.") var barcodes: [String] = []
    @Flag(help: "Mount tapes and read their on-media identifiers.") var detailed = false

    func run() throws {
        try options.write { library in
            if detailed || !barcodes.isEmpty {
                try options.tell(
                    try library.detailedInventory(
                        barcodes.isEmpty ? nil : barcodes, at: options.now, identify: TapeFinding.of))
            } else {
                try options.tell(try library.fastInventory(at: options.now, identify: TapeFinding.of))
            }
        }
    }
}

/// `dpmsim tape library load`.
struct LibraryLoad: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "load", abstract: "Load a tape into a drive.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "The tape's bar code.") var barcode: String
    @Option(help: "The drive's number, from 1; the first that takes it if left out.") var drive: Int?

    func run() throws {
        try options.write { library in
            try options.tell(try library.load(barcode, drive: drive, at: options.now).report)
        }
    }
}

/// `dpmsim tape library unload`.
struct LibraryUnload: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unload", abstract: "Bring a drive's tape back to its slot.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "The drive's number, from 1.") var drive: Int

    func run() throws {
        try options.write { library in try options.tell(try library.unload(drive: drive, at: options.now)) }
    }
}

/// `dpmsim tape library eject`.
struct LibraryEject: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eject", abstract: "Move tapes to the I/E port, for somebody to take out.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "Bar codes.") var barcodes: [String]

    func run() throws {
        try options.write { library in try options.tell(try library.eject(barcodes, at: options.now)) }
    }
}

/// `dpmsim tape library take-out`.
struct LibraryTakeOut: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "take-out", abstract: "Open the I/E port, take tapes out of it, and close it.",
        discussion: "The cartridges then lie beside the library: their files may be carried elsewhere.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "Bar codes.") var barcodes: [String]

    func run() throws {
        try options.write { library in
            _ = try library.openPort(at: options.now)
            do {
                let report = try library.takeOut(barcodes, at: options.now)
                _ = try library.closePort(at: options.now)
                try options.tell(report)
            } catch {
                _ = try library.closePort(at: options.now)
                throw error
            }
        }
    }
}

/// `dpmsim tape library import`.
struct LibraryImport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Put cartridges that lie beside the library into it, through the I/E port.",
        discussion: "A cartridge of another library is one once its file lies in the folder cartridges.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "Bar codes; all that lie beside the library if left out.") var barcodes: [String] = []

    func run() throws {
        try options.write { library in
            let wanted = try barcodes.isEmpty ? library.shelf() : barcodes
            try options.tell(try library.importTapes(wanted, at: options.now))
        }
    }
}

/// `dpmsim tape library clean`.
struct LibraryClean: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clean", abstract: "Clean a drive with a cleaning tape.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "The drive's number, from 1.") var drive: Int

    func run() throws {
        try options.write { library in try options.tell(try library.clean(drive: drive, at: options.now)) }
    }
}

extension MediaLibrary {
    /// New cartridges, with the inventories that make them known as blank, so that they can be written.
    fileprivate func addIdentified(_ barcodes: [String], at now: Int64) throws(StorageFault) -> LibraryReport {
        let report = try add(barcodes, guids: HostGUIDs(), at: now)
        _ = try fastInventory(at: now, identify: TapeFinding.of)
        let unknown = barcodes.filter { state.tape($0)?.standing.status == .unknown }
        if !unknown.isEmpty { _ = try detailedInventory(unknown, at: now, identify: TapeFinding.of) }
        return report
    }
}
