public import Files
import Protection
import Units

/// Cartridges move: by the robot between elements as a changer does it, and by name as DPM does it.
extension MediaLibrary {
    // MARK: As a changer

    /// Moves what lies in one element to another, whatever DPM believes. A drive's cartridge is unloaded first.
    /// - Throws: `TAPE-NO-ELEMENT`, `TAPE-SOURCE-EMPTY`, `TAPE-DESTINATION-FULL`, `TAPE-REMOVAL-PREVENTED`, `TAPE-INCOMPATIBLE`,
    ///   each with a sense (`Sense.of`); 24056, 25014 and 25123 while the library is not ready.
    public func move(
        from source: LibraryElement, to target: LibraryElement, at now: Int64
    ) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            try ready(state)
            try carry(from: source, to: target, &state, &report)
            // The robot has seen it; what it does not know stays unknown until an inventory.
            if let barcode = state.hardware.cartridge(in: target), var tape = state.tape(barcode) {
                tape.place = target
                state.put(tape)
            }
        }
    }

    /// Forbids a drive to give its cartridge away, or allows it again.
    public func preventRemoval(drive number: Int, _ isPrevented: Bool, at now: Int64) throws(StorageFault) {
        _ = try change(at: now) { (state, _) throws(StorageFault) in
            let drive = try existing(.drive(number), state)
            state.hardware.drives[drive].isRemovalPrevented = isPrevented
        }
    }

    // MARK: As DPM

    /// Loads a tape into a drive: the one named, or the first that takes it.
    /// - Throws: 24050 if it is not there, 24054, 31151, 24008, 24053 and 24055 for want of a drive, 30004, 24022, 24021, 24061.
    /// - Returns: the drive's number.
    public func load(
        _ barcode: String, drive wanted: Int? = nil, at now: Int64
    ) throws(StorageFault) -> (drive: Int, report: LibraryReport) {
        var number = 0
        let report = try change(at: now) { (state, report) throws(StorageFault) in
            try ready(state)
            guard var tape = state.tape(barcode), let place = tape.place else { throw .noTape(barcode) }
            try mountable(tape)
            number = try drive(for: barcode, wanted: wanted, state)
            try check(barcode, liesIn: place, state)
            try carry(from: place, to: .drive(number), &state, &report)
            tape.place = .drive(number)
            state.put(tape)
        }
        return (number, report)
    }

    /// Unloads a drive: rewinds from where the tape stands, ejects, and carries the cartridge home.
    /// - Parameters:
    ///   - byte: native byte the tape stands at.
    ///   - slot: where to; nil: where it came from, or the first free slot.
    /// - Throws: 24022 if the drive is empty, 24021, 24011 without a free slot, `TAPE-REMOVAL-PREVENTED`.
    public func unload(
        drive number: Int, standingAt byte: Int64 = 0, to slot: Int? = nil, at now: Int64
    ) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            try ready(state)
            let drive = state.hardware.drives[try existing(.drive(number), state)]
            guard let occupant = state.hardware.contents.first(where: { $0.element == .drive(number) }) else {
                throw sourceEmpty(.drive(number))
            }
            let target: LibraryElement
            if let slot { target = .slot(slot) } else { target = try home(of: occupant, state) }
            report.duration += motion(of: occupant.barcode, in: drive).rewind(from: byte)
            try asDPM { () throws(StorageFault) in
                try carry(from: .drive(number), to: target, &state, &report)
            }
            if var tape = state.tape(occupant.barcode) {
                tape.place = target
                try update(&tape)
                state.put(tape)
            }
        }
    }

    /// Moves a tape to another slot.
    public func move(_ barcode: String, toSlot slot: Int, at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            try ready(state)
            guard var tape = state.tape(barcode), let place = tape.place else { throw .noTape(barcode) }
            if tape.standing.isReserved { throw StorageFault(TapeRefusal.busy.refusal(of: tape.title)) }
            try check(barcode, liesIn: place, state)
            try asDPM { () throws(StorageFault) in
                try carry(from: place, to: .slot(slot), &state, &report)
            }
            tape.place = .slot(slot)
            state.put(tape)
        }
    }

    /// The tape in a drive, at its beginning. It cannot be unloaded before it is given back by `finish`.
    /// - Throws: `TAPE-NO-MEDIUM`; 30004 for a tape the drive only reads; what opening the cartridge throws.
    public func medium(inDrive number: Int, writable: Bool) throws(StorageFault) -> any TapeMedium {
        _ = try existing(.drive(number), state)
        guard let barcode = state.hardware.cartridge(in: .drive(number)) else {
            throw .library(
                .missing, "TAPE-NO-MEDIUM", "drive-\(number)", "there is no cartridge in the drive", "Load one")
        }
        guard let label = BarcodeLabel(barcode),
            !writable || LTOFacts.canWrite(label.facts.generation, in: state.hardware.drives[number - 1].generation)
        else {
            throw incompatible(barcode, state.hardware.drives[number - 1], "can read but not write", id: "TAPE-30004")
        }
        return try store.open(at: path(of: barcode), writable: writable)
    }

    /// Gives back what `medium` gave, durably.
    public func finish(_ medium: any TapeMedium) throws(StorageFault) { try store.close(medium) }

    // MARK: Parts

    /// Opens a tape, does something with it and closes it again.
    func reading<R>(
        _ barcode: String, _ body: (any TapeMedium) throws(StorageFault) -> R
    ) throws(StorageFault) -> R {
        let medium = try store.open(at: path(of: barcode), writable: false)
        let result: R
        do throws(StorageFault) { result = try body(medium) } catch {
            try store.close(medium)
            throw error
        }
        try store.close(medium)
        return result
    }

    func ready(_ state: LibraryState) throws(StorageFault) {
        let name = "library \(state.name)"
        if !state.hardware.isEnabled {
            throw .library(
                .busy, "TAPE-24056", name, "the library has been disabled by the administrator", "Enable the library")
        }
        if state.hardware.isDoorOpen || !state.hardware.isDoorLocked {
            throw .library(
                .busy, "TAPE-25014", name, "the library is not ready: its door is not locked", "Close and lock the door"
            )
        }
        if state.hardware.portOpened != nil {
            throw .library(.busy, "TAPE-25123", name, "its I/E port is open", "Close the I/E port")
        }
    }

    /// The place of an element among its like.
    func existing(_ element: LibraryElement, _ state: LibraryState) throws(StorageFault) -> Int {
        guard state.hardware.has(element) else {
            throw .library(
                .badInput, "TAPE-NO-ELEMENT", "\(element)", "library \(state.name) does not have it",
                "Choose one of its \(state.hardware.slots) slots, \(state.hardware.ports) ports and "
                    + "\(state.hardware.drives.count) drives")
        }
        switch element {
        case .port(let n), .drive(let n), .slot(let n): return n - 1
        }
    }

    func carry(
        from source: LibraryElement, to target: LibraryElement, _ state: inout LibraryState,
        _ report: inout LibraryReport
    ) throws(StorageFault) {
        _ = try existing(source, state)
        _ = try existing(target, state)
        guard let barcode = state.hardware.cartridge(in: source) else { throw sourceEmpty(source) }
        guard state.hardware.cartridge(in: target) == nil else { throw destinationFull(target) }
        if case .drive(let number) = source {
            let drive = state.hardware.drives[number - 1]
            if drive.isRemovalPrevented || store.isOpen(at: path(of: barcode)) {
                throw .library(
                    .busy, "TAPE-REMOVAL-PREVENTED", "\(source)", "a program forbids to take out \(barcode)",
                    "End that program, or let it allow removal")
            }
            report.duration += drive.facts.unload
        }
        var home: LibraryElement?
        if case .drive(let number) = target {
            let drive = state.hardware.drives[number - 1]
            guard let label = BarcodeLabel(barcode), label.fits(drive.generation) else {
                throw incompatible(barcode, drive, "cannot read", id: "TAPE-INCOMPATIBLE")
            }
            home = source.isSlot ? source : nil
            report.duration += try loading(label, drive)
        }
        let taken = state.hardware.take(from: source)
        state.hardware.put(barcode, in: target, home: home ?? (target.isDrive ? taken?.home : nil))
        report.duration += times.move
        report.happened.append("\(barcode) moved from \(source) to \(target)")
    }

    private func loading(_ label: BarcodeLabel, _ drive: LibraryDrive) throws(StorageFault) -> SimDuration {
        let shell = try shell(of: label.barcode)
        let isFirst = shell.loads == 0 && label.kind != .cleaning && label.facts.generation == drive.generation
        return drive.facts.load + (isFirst ? drive.facts.firstLoad : .zero)
    }

    /// A changer's faults with the numbers that DPM has for them.
    func asDPM(_ body: () throws(StorageFault) -> Void) throws(StorageFault) {
        do throws(StorageFault) { try body() } catch {
            let ids = [
                "TAPE-NO-ELEMENT": "TAPE-25010", "TAPE-SOURCE-EMPTY": "TAPE-24022",
                "TAPE-DESTINATION-FULL": "TAPE-24021", "TAPE-INCOMPATIBLE": "TAPE-30004",
            ]
            throw StorageFault(error.kind, ids[error.id] ?? error.id, error.object, error.cause, action: error.action)
        }
    }

    func mountable(_ tape: TapeEntry) throws(StorageFault) {
        if tape.standing.content == .cleaner { throw StorageFault(TapeRefusal.isCleaner.refusal(of: tape.title)) }
        if tape.standing.use == .suspect { throw StorageFault(TapeRefusal.suspect.refusal(of: tape.title)) }
        if tape.place?.isDrive == true { throw StorageFault(TapeRefusal.busy.refusal(of: tape.title)) }
    }

    /// Whether a tape is where DPM believes it to be.
    func check(_ barcode: String, liesIn place: LibraryElement, _ state: LibraryState) throws(StorageFault) {
        let found = state.hardware.cartridge(in: place)
        guard found != barcode else { return }
        guard let found else {
            if let elsewhere = state.hardware.element(of: barcode) {
                throw .library(
                    .missing, "TAPE-24027", "\(place)", "it is empty; tape \(barcode) is in \(elsewhere)",
                    "Run a fast inventory, or move the tape back by the front panel")
            }
            throw StorageFault(
                .missing, "TAPE-24022", "\(place)", "it did not contain tape \(barcode), as expected",
                action: "Run an inventory of the library")
        }
        throw .library(
            .badInput, "TAPE-24061", "\(place)", "there is tape \(found) instead of \(barcode)",
            "Check for suspect tapes, and run an inventory of the library")
    }

    /// The number of a drive that can take a tape now.
    func drive(for barcode: String, wanted: Int?, _ state: LibraryState) throws(StorageFault) -> Int {
        let hardware = state.hardware
        guard let label = BarcodeLabel(barcode) else { throw .noTape(barcode) }
        if let wanted { _ = try existing(.drive(wanted), state) }
        let candidates = wanted.map { [$0] } ?? Array(1...hardware.drives.count)
        let usable = candidates.filter { hardware.drives[$0 - 1].isEnabled && !hardware.drives[$0 - 1].needsCleaning }
        guard !usable.isEmpty else {
            throw .library(
                .busy, wanted == nil ? "TAPE-24055" : "TAPE-24052", "library \(state.name)",
                "no drive is usable: each is disabled or has to be cleaned", "Clean or enable a drive")
        }
        let fitting = usable.filter { label.fits(hardware.drives[$0 - 1].generation) }
        guard let first = fitting.first else {
            throw incompatible(barcode, hardware.drives[usable[0] - 1], "cannot read", id: "TAPE-30004")
        }
        if let free = fitting.first(where: { hardware.cartridge(in: .drive($0)) == nil }) { return free }
        guard wanted == nil else { throw StorageFault(destinationFull(.drive(first)), as: "TAPE-24021") }
        throw .library(
            .busy, "TAPE-24053", "library \(state.name)", "every drive that takes tape \(barcode) is in use",
            "Wait for the other operations, and try again")
    }

    private func home(of occupant: LibraryHardware.Occupant, _ state: LibraryState) throws(StorageFault)
        -> LibraryElement
    {
        if let home = occupant.home, state.hardware.cartridge(in: home) == nil { return home }
        guard let slot = state.hardware.empty(where: \.isSlot).first else {
            throw .library(
                .outOfSpace, "TAPE-24011", "library \(state.name)", "it has no free slot for tape \(occupant.barcode)",
                "Take a tape out, and try again")
        }
        return slot
    }

    /// Looks at a cartridge's chip.
    func update(_ tape: inout TapeEntry) throws(StorageFault) {
        let shell = try shell(of: tape.barcode)
        (tape.written, tape.room, tape.cartridge) = (shell.written, shell.room, shell.identifier.description)
        tape.standing.isWriteProtected = shell.isWriteProtected
    }

    func sourceEmpty(_ element: LibraryElement) -> StorageFault {
        .library(
            .missing, "TAPE-SOURCE-EMPTY", "\(element)", "there is no cartridge in it",
            "Run an inventory of the library")
    }

    func destinationFull(_ element: LibraryElement) -> StorageFault {
        .library(
            .badInput, "TAPE-DESTINATION-FULL", "\(element)", "there is a cartridge in it already",
            "Run an inventory of the library")
    }

    private func incompatible(_ barcode: String, _ drive: LibraryDrive, _ verb: String, id: String) -> StorageFault {
        .library(
            .badInput, id, "tape \(barcode)", "an \(drive.generation.name) drive \(verb) it",
            "Choose a drive and a tape that go together")
    }
}

extension StorageFault {
    init(_ fault: StorageFault, as id: String) {
        self.init(fault.kind, id, fault.object, fault.cause, action: fault.action)
    }
}
