public import Files
import Protection
import Units

/// Cartridges come and go: from the factory, through the I/E port, and through the door.
extension MediaLibrary {
    /// Adds new blank cartridges, which an operator puts into free slots; an inventory finds them.
    /// - Throws: `TAPE-BARCODE`, `TAPE-CARTRIDGE-EXISTS`, 24039 for a label twice, 24011 for want of slots.
    public func add(_ barcodes: [String], guids: any GUIDSource, at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            let free = state.hardware.empty(where: \.isSlot)
            guard free.count >= barcodes.count else {
                throw .library(
                    .outOfSpace, "TAPE-24011", "library \(state.name)",
                    "it has \(free.count) free slots for \(barcodes.count) cartridges", "Take tapes out, or add fewer")
            }
            var labels: [BarcodeLabel] = []
            for barcode in barcodes {
                let label = try self.label(barcode)
                if labels.contains(label) || state.hardware.element(of: barcode) != nil {
                    throw duplicate(barcode)
                }
                guard try files.kind(of: path(of: barcode)) == .none else {
                    throw .library(
                        .badInput, "TAPE-CARTRIDGE-EXISTS", "tape \(barcode)",
                        "a cartridge with this bar code lies on the shelf", "Import it, or choose another bar code")
                }
                labels.append(label)
            }
            for (label, slot) in zip(labels, free) {
                try store.create(
                    label, cleanings: label.kind == .cleaning ? RobotTimes.cleanings : 0, at: path(of: label.barcode),
                    guids: guids, time: now)
                state.hardware.put(label.barcode, in: slot)
                report.happened.append("\(label.barcode) added to \(slot)")
            }
        }
    }

    /// Replaces the label of a cartridge on the shelf: what is on the tape stays.
    /// - Throws: `TAPE-BARCODE`, 24039, `TAPE-CARTRIDGE-INSIDE`, 30004 for a label of another kind of cartridge.
    public func relabel(_ barcode: String, as new: String, at now: Int64) throws(StorageFault) -> LibraryReport {
        let (old, label) = (try self.label(barcode), try self.label(new))
        guard old.kind == label.kind, old.facts == label.facts else {
            throw .library(
                .badInput, "TAPE-30004", "tape \(barcode)", "the bar code \(new) is for another kind of cartridge",
                "Choose one that ends as the old one does")
        }
        return try change(at: now) { (state, report) throws(StorageFault) in
            guard state.hardware.element(of: barcode) == nil else {
                throw .library(
                    .busy, "TAPE-CARTRIDGE-INSIDE", "tape \(barcode)", "it is in the library", "Take it out first")
            }
            _ = try shell(of: barcode)
            guard try files.kind(of: path(of: new)) == .none else { throw duplicate(new) }
            try files.rename(path(of: barcode), to: path(of: new))
            try files.syncFolder(folder + "/cartridges")
            report.happened.append("\(barcode) labelled \(new)")
        }
    }

    /// Moves the tab of a cartridge on the shelf.
    public func setWriteProtected(_ isOn: Bool, _ barcode: String, at now: Int64) throws(StorageFault) -> LibraryReport
    {
        try change(at: now) { (state, report) throws(StorageFault) in
            if let place = state.hardware.element(of: barcode) {
                throw .library(
                    .busy, "TAPE-CARTRIDGE-INSIDE", "tape \(barcode)", "it is in the library, in \(place)",
                    "Take it out first")
            }
            _ = try shell(of: barcode)
            try store.setWriteProtected(isOn, at: path(of: barcode))
            report.happened.append("\(barcode) \(isOn ? "protected from" : "opened to") writing")
        }
    }

    // MARK: I/E port

    /// Opens the port; it is closed by `closePort`, or by itself after ten minutes.
    /// - Throws: 24025 without a port, 24036 if it is open, 24056, 25014.
    public func openPort(at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            try hasPort(state)
            if state.hardware.portOpened != nil {
                throw .library(
                    .busy, "TAPE-24036", "library \(state.name)", "the I/E port is in use", "Wait until it is closed")
            }
            try ready(state)
            state.hardware.portOpened = now
            report.note(.portOpen)
        }
    }

    /// Puts cartridges from the shelf into the open port.
    /// - Throws: 24025, `TAPE-PORT-CLOSED`, 24012 for want of room, 30002 for a cartridge that is not there.
    public func insert(_ barcodes: [String], at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            try openedPort(state)
            let free = state.hardware.empty(where: \.isPort)
            guard free.count >= barcodes.count else {
                throw .library(
                    .outOfSpace, "TAPE-24012", "library \(state.name)",
                    "its I/E port has room for \(free.count) cartridges, not \(barcodes.count)",
                    "Put in fewer at a time")
            }
            for (barcode, port) in zip(barcodes, free) {
                _ = try self.label(barcode)
                guard state.hardware.element(of: barcode) == nil else { throw duplicate(barcode) }
                _ = try shell(of: barcode)
                state.hardware.put(barcode, in: port)
                report.happened.append("\(barcode) put into \(port)")
            }
        }
    }

    /// Takes cartridges out of the open port, to the shelf.
    public func takeOut(_ barcodes: [String], at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            try openedPort(state)
            for barcode in barcodes {
                guard let place = state.hardware.element(of: barcode), place.isPort else { throw .noTape(barcode) }
                _ = state.hardware.take(from: place)
                if var tape = state.tape(barcode) {
                    tape.place = nil
                    try tape.take(.removed)
                    state.put(tape)
                }
                report.happened.append("\(barcode) taken out of \(place)")
            }
        }
    }

    /// Closes the port, moves what was put in to free slots and reads its bar codes.
    /// - Throws: 24025, `TAPE-PORT-CLOSED`. Without enough free slots the port closes, the tapes stay in it, and 24011 is
    ///   in the report.
    public func closePort(at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            try openedPort(state)
            closePort(&state, &report, at: now)
        }
    }

    /// Opens the port, puts cartridges from the shelf in, closes it and moves them to slots: in as many turns as the port's room
    /// asks for.
    public func importTapes(_ barcodes: [String], at now: Int64) throws(StorageFault) -> LibraryReport {
        try hasPort(state)
        let free = state.hardware.empty(where: \.isSlot).count
        guard free >= barcodes.count else {
            throw .library(
                .outOfSpace, "TAPE-24011", "library \(state.name)",
                "it has \(free) free slots for \(barcodes.count) cartridges", "Take tapes out, or import fewer")
        }
        for barcode in barcodes { _ = try shell(of: barcode) }
        let room = state.hardware.empty(where: \.isPort).count
        guard room > 0 || barcodes.isEmpty else {
            throw .library(
                .outOfSpace, "TAPE-24012", "library \(state.name)", "its I/E port is full", "Empty the I/E port")
        }
        var report = LibraryReport()
        for start in stride(from: 0, to: barcodes.count, by: max(1, room)) {
            report.add(try openPort(at: now))
            do throws(StorageFault) {
                report.add(try insert(Array(barcodes[start..<min(start + room, barcodes.count)]), at: now))
            } catch {
                _ = try closePort(at: now)
                throw error
            }
            report.add(try closePort(at: now))
        }
        return report
    }

    /// Moves tapes to the I/E port, for an operator to take out.
    /// - Throws: 24025, 24034 while it is open, 23045 without room for all, 24050, 24008 for a tape in use.
    public func eject(_ barcodes: [String], at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            try hasPort(state)
            if state.hardware.portOpened != nil {
                throw .library(
                    .busy, "TAPE-24034", "library \(state.name)", "the I/E port cannot be reserved: it is open",
                    "Close the I/E port, and try again")
            }
            try ready(state)
            report.note(.movesToPort)
            let free = state.hardware.empty(where: \.isPort)
            guard free.count >= barcodes.count else {
                throw .library(
                    .outOfSpace, "TAPE-23045", "library \(state.name)",
                    "not all tapes can be moved to the I/E port: it has room for \(free.count) of \(barcodes.count)",
                    "Empty the I/E port, or move fewer")
            }
            for (barcode, port) in zip(barcodes, free) {
                guard var tape = state.tape(barcode), let place = tape.place else { throw .noTape(barcode) }
                if tape.standing.isReserved || place.isDrive {
                    throw StorageFault(TapeRefusal.busy.refusal(of: tape.title))
                }
                try check(barcode, liesIn: place, state)
                if place.isPort { continue }
                try asDPM { () throws(StorageFault) in try carry(from: place, to: port, &state, &report) }
                tape.place = port
                state.put(tape)
            }
            report.note(.movedToPort)
        }
    }

    // MARK: Door

    /// Unlocks the door; it locks itself again after ten minutes if it is closed. Jobs that run end: their tapes are released.
    /// - Throws: 31139, 25108 for a library whose drives must be empty.
    public func unlockDoor(at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            if !state.hardware.isDoorLocked {
                throw door(state, 31139, "is already unlocked", "Nothing needs to be done")
            }
            try emptyDrives(state)
            (state.hardware.isDoorLocked, state.hardware.doorUnlocked) = (false, now)
            for place in state.tapes.indices where state.tapes[place].standing.isReserved {
                try state.tapes[place].take(.released)
                report.happened.append("the job that used \(state.tapes[place].barcode) was cancelled")
            }
            report.note(.doorUnlocked)
        }
    }

    /// Locks the door.
    /// - Throws: 31141, 25108, 31107 while it is open.
    public func lockDoor(at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            if state.hardware.isDoorLocked { throw door(state, 31141, "is already locked", "Nothing needs to be done") }
            if state.hardware.isDoorOpen {
                throw door(state, 31107, "could not be locked: it is open", "Close the door")
            }
            try emptyDrives(state)
            (state.hardware.isDoorLocked, state.hardware.doorUnlocked) = (true, nil)
            report.note(.doorLocked)
        }
    }

    /// An operator opens or closes the unlocked door.
    public func setDoor(open isOpen: Bool, at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            guard !state.hardware.isDoorLocked else {
                throw .library(
                    .busy, "TAPE-DOOR-LOCKED", "library \(state.name)", "its door is locked", "Unlock the door")
            }
            state.hardware.isDoorOpen = isOpen
            report.happened.append("door \(isOpen ? "opened" : "closed")")
        }
    }

    /// Through the open door an operator puts a cartridge from the shelf into a slot, or takes one to the shelf. DPM learns of it
    /// by the next inventory.
    public func placeByHand(_ barcode: String, in slot: Int?, at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            guard state.hardware.isDoorOpen else {
                throw .library(
                    .busy, "TAPE-DOOR-LOCKED", "library \(state.name)", "its door is not open",
                    "Unlock and open the door")
            }
            _ = try shell(of: barcode)
            if let place = state.hardware.element(of: barcode) {
                guard place.isSlot else { throw StorageFault(TapeRefusal.busy.refusal(of: barcode)) }
                _ = state.hardware.take(from: place)
                report.happened.append("\(barcode) taken out of \(place) by hand")
            }
            guard let slot else { return }
            _ = try existing(.slot(slot), state)
            guard state.hardware.cartridge(in: .slot(slot)) == nil else { throw destinationFull(.slot(slot)) }
            state.hardware.put(barcode, in: .slot(slot))
            report.happened.append("\(barcode) put into slot-\(slot) by hand")
        }
    }

    // MARK: Service

    /// Takes the library out of use, or back into it.
    public func setEnabled(_ isEnabled: Bool, at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            state.hardware.isEnabled = isEnabled
            if !isEnabled { report.note(.libraryDisabled) }
        }
    }

    /// Takes a drive out of use, or back into it.
    /// - Throws: 31110 for a drive that holds a tape.
    public func setEnabled(_ isEnabled: Bool, drive number: Int, at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            let drive = try existing(.drive(number), state)
            if !isEnabled, state.hardware.cartridge(in: .drive(number)) != nil {
                throw .library(
                    .busy, "TAPE-31110", "drive-\(number)", "the drive is in use",
                    "Wait for the job to finish or cancel it, and disable the drive then")
            }
            state.hardware.drives[drive].isEnabled = isEnabled
            let isLast = !state.hardware.drives.contains(where: \.isEnabled)
            report.note(isEnabled ? .driveEnabled : isLast ? .onlyDriveDisabled : .driveDisabled)
        }
    }

    /// Looks for the library and its drives anew, and then at its bar codes. Nothing else may run meanwhile.
    /// - Throws: 23044 while a job has a tape, 25124 if no drive is in use; what `fastInventory` throws.
    public func rescan(at now: Int64, identify: TapeIdentification? = nil) throws(StorageFault) -> LibraryReport {
        if let tape = state.tapes.first(where: \.standing.isReserved) {
            throw .library(
                .busy, "TAPE-23044", "library \(state.name)", "a job works with tape \(tape.title)",
                "Wait for the job, and rescan then")
        }
        guard state.hardware.drives.contains(where: \.isEnabled) else {
            throw .library(
                .device, "TAPE-25124", "library \(state.name)", "no drive of it is in use", "Enable a drive, and rescan"
            )
        }
        var report = try fastInventory(at: now, identify: identify)
        report.note(.rescanned)
        return report
    }

    // MARK: Parts

    /// What closes or locks itself after a while does so.
    func closeWhatIsDue(_ state: inout LibraryState, _ report: inout LibraryReport, at now: Int64) {
        let wait = Int64(times.portStaysOpen.seconds)
        if let opened = state.hardware.portOpened, now - opened >= wait { closePort(&state, &report, at: now) }
        if let unlocked = state.hardware.doorUnlocked, now - unlocked >= wait, !state.hardware.isDoorOpen {
            (state.hardware.isDoorLocked, state.hardware.doorUnlocked) = (true, nil)
            report.note(.doorLocked)
        }
    }

    private func closePort(_ state: inout LibraryState, _ report: inout LibraryReport, at now: Int64) {
        state.hardware.portOpened = nil
        // What DPM ejected and nobody took stays; what it does not expect there was put in.
        let arrived = state.hardware.contents.filter { occupant in
            occupant.element.isPort && state.tape(occupant.barcode)?.place?.isPort != true
        }
        let free = state.hardware.empty(where: \.isSlot)
        guard free.count >= arrived.count else {
            report.refused.append(
                .library(
                    .outOfSpace, "TAPE-24011", "library \(state.name)",
                    "it has \(free.count) free slots for the \(arrived.count) tapes in the I/E port, which stay there",
                    "Take tapes out of the library, and open and close the I/E port again"))
            return
        }
        for (occupant, slot) in zip(arrived, free) {
            _ = state.hardware.take(from: occupant.element)
            state.hardware.put(occupant.barcode, in: slot)
            report.happened.append("\(occupant.barcode) moved from \(occupant.element) to \(slot)")
            report.duration += times.move
            see(occupant.barcode, in: slot, &state, &report, at: now)
        }
        report.duration += times.fastInventory(slots: arrived.count, hasBarcodes: state.hardware.hasBarcodes)
    }

    private func hasPort(_ state: LibraryState) throws(StorageFault) {
        guard state.hardware.ports > 0 else {
            throw .library(
                .badInput, "TAPE-24025", "library \(state.name)", "it does not have an I/E port",
                "Put cartridges in and out through the door")
        }
    }

    private func openedPort(_ state: LibraryState) throws(StorageFault) {
        try hasPort(state)
        guard state.hardware.portOpened != nil else {
            throw .library(
                .busy, "TAPE-PORT-CLOSED", "library \(state.name)", "its I/E port is closed", "Open the I/E port")
        }
    }

    private func emptyDrives(_ state: LibraryState) throws(StorageFault) {
        guard state.hardware.locksEmpty, let full = state.hardware.contents.first(where: \.element.isDrive) else {
            return
        }
        throw .library(
            .busy, "TAPE-25108", "library \(state.name)",
            "its door locks and unlocks only while all drives are empty, and \(full.element) holds \(full.barcode)",
            "Unload the drive")
    }

    private func door(_ state: LibraryState, _ id: Int, _ cause: String, _ action: String) -> StorageFault {
        .library(.badInput, "TAPE-\(id)", "library \(state.name)", "its door \(cause)", action)
    }

    private func label(_ barcode: String) throws(StorageFault) -> BarcodeLabel {
        guard let label = BarcodeLabel(barcode) else {
            throw .library(
                .badInput, "TAPE-BARCODE", "bar code \(barcode)", "it is not one of an LTO cartridge",
                "Choose capital letters and digits with L5, L6, L7, L8, L9, LA or PA at the end, such as 000001L8 or CLN001L8"
            )
        }
        return label
    }

    private func duplicate(_ barcode: String) -> StorageFault {
        .library(
            .badInput, "TAPE-24039", "tape \(barcode)", "the bar code is there already",
            "Put another bar code on the cartridge")
    }
}
