public import Files
import Protection
import Units

/// What DPM does with tapes, apart from moving them: marks, erases, cleans with them, and what becomes of them in time.
extension MediaLibrary {
    // MARK: Marks

    /// Makes tapes available to any group; what they hold stays until it is written over.
    /// - Throws: 31116, 31124, 31131, 33341, 31151, 24054 if all are refused for the same reason, as the first is. If only some
    ///   are, the others are freed and the report tells, with the number for some: 31129, 31130.
    public func markFree(_ barcodes: [String], byForce: Bool = false, at now: Int64) throws(StorageFault)
        -> LibraryReport
    {
        try change(at: now) { (state, report) throws(StorageFault) in
            try each(barcodes, &state, &report) { (tape) throws(StorageFault) in
                try tape.take(byForce ? .forcedFree : .markedFree)
                // Its sets can be read, and recataloged, as long as nothing is written over them.
                (tape.owner, tape.colocationSet, tape.sets, tape.run) = (nil, nil, [], nil)
            }
            report.note(.freeKeepsContent)
        }
    }

    /// Keeps free tapes from being written: what they hold can be recataloged.
    public func markNotFree(_ barcodes: [String], at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            try each(barcodes, &state, &report) { (tape) throws(StorageFault) in try tape.take(.markedNotFree) }
        }
    }

    /// - Throws: 24007 for a tape that is none, 31125.
    public func markCleaner(_ barcodes: [String], _ isCleaner: Bool = true, at now: Int64) throws(StorageFault)
        -> LibraryReport
    {
        try change(at: now) { (state, report) throws(StorageFault) in
            try each(barcodes, &state, &report) { (tape) throws(StorageFault) in
                let kind = BarcodeLabel(tape.barcode)?.kind
                try tape.take(isCleaner ? .markedCleaner(isCleaner: kind == .cleaning) : .unmarkedCleaner)
            }
        }
    }

    /// A tape that is worn or fails too often is not written any more.
    public func decommission(_ barcodes: [String], at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            try each(barcodes, &state, &report) { (tape) throws(StorageFault) in try tape.take(.decommissioned) }
        }
    }

    // MARK: Erase and clean

    /// Erases a tape: quickly, by a mark at its beginning, or all of its length.
    /// - Throws: 31120, 24008, 31151, 24054, 30003, 24029 for a library without the command; 24050, 24053, 24055.
    public func erase(_ barcode: String, long: Bool = false, at now: Int64) throws(StorageFault) -> LibraryReport {
        var report = try change(at: now) { (state, report) throws(StorageFault) in
            try ready(state)
            guard var tape = state.tape(barcode), let place = tape.place else { throw .noTape(barcode) }
            tape.standing.isWriteProtected = try shell(of: barcode).isWriteProtected
            try tape.take(.erased(hasCommand: state.hardware.canErase))
            try check(barcode, liesIn: place, state)
            guard let label = BarcodeLabel(barcode) else { throw .noTape(barcode) }
            if label.kind == .worm {
                throw .library(
                    .readOnly, "TAPE-WORM", "tape \(barcode)", "what was written on it cannot be erased",
                    "Keep it until it may be destroyed")
            }
            if store.isOpen(at: path(of: barcode)) { throw StorageFault(TapeRefusal.busy.refusal(of: tape.title)) }
            let number = try place.isDrive ? address(of: place) : drive(for: barcode, wanted: nil, state)
            let drive = state.hardware.drives[number - 1]
            guard LTOFacts.canWrite(label.facts.generation, in: drive.generation) else {
                throw .library(
                    .badInput, "TAPE-30004", "tape \(barcode)",
                    "an \(drive.generation.name) drive cannot write \(label.facts.generation.name)",
                    "Choose a drive and a tape that go together")
            }
            if !place.isDrive {
                report.duration += times.mount(drive.facts) + drive.facts.unload + times.move
            }
            if long { report.duration += drive.facts.nativeRate.duration(of: label.facts.capacity) }
            state.pending = PendingErase(barcode: barcode, long: long)
            report.note(.eraseLosesData)
        }
        report.add(try change(at: now) { (_, _) throws(StorageFault) in })
        if let fault = interrupted {
            interrupted = nil
            throw fault
        }
        report.happened.append("\(barcode) erased\(long ? " from end to end" : "")")
        return report
    }

    private func address(of place: LibraryElement) -> Int { if case .drive(let number) = place { number } else { 1 } }

    /// A drive asks for cleaning, and is not used until it was cleaned.
    public func askForCleaning(drive number: Int, at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            let drive = try existing(.drive(number), state)
            state.hardware.drives[drive].needsCleaning = true
            report.happened.append("drive-\(number) asks for cleaning")
        }
    }

    /// Cleans a drive with the first cleaning tape that has a use left.
    /// - Throws: 31114 without a cleaning tape, 25018 if all are used up, 24053 while the drive holds a tape.
    public func clean(drive number: Int, at now: Int64) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            try ready(state)
            let drive = try existing(.drive(number), state)
            if let barcode = state.hardware.cartridge(in: .drive(number)) {
                throw .library(
                    .busy, "TAPE-24053", "drive-\(number)", "tape \(barcode) is in it",
                    "Unload the drive, and try again")
            }
            let cleaners = state.tapes.filter {
                $0.standing.content == .cleaner && !$0.standing.isReserved && $0.place?.isSlot == true
                    && state.hardware.element(of: $0.barcode) == $0.place
            }
            guard !cleaners.isEmpty else {
                throw .library(
                    .missing, "TAPE-31114", "library \(state.name)", "no cleaning tape is available",
                    "Add a cleaning tape, and clean again")
            }
            var cleaner: String?
            for candidate in cleaners where cleaner == nil {
                if try shell(of: candidate.barcode).cleaningsLeft > 0 { cleaner = candidate.barcode }
            }
            guard let cleaner else {
                throw .library(
                    .badInput, "TAPE-25018", "tape \(cleaners[0].barcode)", "the cleaning tape has expired",
                    "Replace the cleaning tape, and clean again")
            }
            let left = try store.clean(at: path(of: cleaner))
            state.hardware.drives[drive].needsCleaning = false
            state.hardware.drives[drive].cleanings += 1
            report.duration += times.move * 2 + times.clean
            report.note(.driveCleaned)
            report.happened.append("drive-\(number) cleaned with \(cleaner), which has \(left) uses left")
        }
    }

    // MARK: Jobs

    /// A job takes a tape for itself.
    /// - Throws: 24051, 31151, 24054.
    public func reserve(_ barcode: String, at now: Int64) throws(StorageFault) {
        try apply(.reserved, to: barcode, at: now)
    }

    public func release(_ barcode: String, at now: Int64) throws(StorageFault) {
        try apply(.released, to: barcode, at: now)
    }

    /// After a program that worked on the library died: releases the tapes its jobs had reserved, and brings those home that are in
    /// drives. Tapes that were loaded to stay in a drive stay. What cannot be brought home stays reserved, and is among the refused.
    public func recover(at now: Int64) throws(StorageFault) -> LibraryReport {
        var report = LibraryReport()
        for barcode in state.tapes.filter(\.standing.isReserved).map(\.barcode) {
            guard !store.isOpen(at: path(of: barcode)) else { continue }
            do throws(StorageFault) {
                if case .drive(let number) = state.hardware.element(of: barcode) {
                    if state.hardware.drives[number - 1].isRemovalPrevented {
                        try preventRemoval(drive: number, false, at: now)
                    }
                    // Nobody knows where it stood; it was written up to here at most.
                    let byte = try shell(of: barcode).written
                    report.add(try unload(drive: number, standingAt: byte, at: now))
                }
                try release(barcode, at: now)
                report.happened.append("\(barcode) released")
            } catch { report.refused.append(error) }
        }
        return report
    }

    /// The end of the medium was met: nothing more goes on the tape.
    public func markFull(_ barcode: String, at now: Int64) throws(StorageFault) {
        try apply(.filled, to: barcode, at: now)
    }

    private func apply(_ event: TapeEvent, to barcode: String, at now: Int64) throws(StorageFault) {
        _ = try change(at: now) { (state, _) throws(StorageFault) in
            guard var tape = state.tape(barcode) else { throw .noTape(barcode) }
            try tape.take(event)
            state.put(tape)
        }
    }

    /// A tape is about to be written from its beginning: nothing of what it held is listed from now on, for a program that dies
    /// between writing the label and noting it would leave sets listed that are gone.
    func surrender(_ barcode: String, at now: Int64) throws(StorageFault) {
        guard let tape = state.tape(barcode), !tape.sets.isEmpty || tape.identity != nil else { return }
        _ = try change(at: now) { (state, _) throws(StorageFault) in
            var tape = tape
            if tape.standing.use != .free { try tape.take(.expired) }
            tape.forget()
            try update(&tape)
            state.put(tape)
        }
    }

    /// A tape is written from its beginning: what it held is gone, and it has a new identity.
    /// - Throws: 24008 unless it is free or expired, 31131, 30003, 3304, 24031.
    public func begin(
        _ barcode: String, as identity: OnMediaIdentity, for request: SetRequest, at now: Int64
    ) throws(StorageFault) {
        _ = try change(at: now) { (state, _) throws(StorageFault) in
            guard var tape = state.tape(barcode) else { throw .noTape(barcode) }
            tape.standing.isWriteProtected = try shell(of: barcode).isWriteProtected
            if tape.isExpired(at: now), tape.standing.use != .free { tape.standing.use = .expired }
            try tape.take(.written(isNew: true))
            tape.standing.needsErase = request.erasesWhenExpired
            tape.forget()
            tape.describe(identity)
            (tape.owner, tape.colocationSet, tape.run) = (request.group, request.colocationSet, request.run)
            (tape.isLongTerm, tape.isEncrypted) = (request.isLongTerm, request.isEncrypted)
            (tape.firstWritten, tape.lastWritten, tape.identified) = (now, now, now)
            state.put(tape)
        }
    }

    /// A set, or a part of one, has been written to a tape.
    /// - Throws: 24008 unless the tape is active.
    public func note(_ set: CatalogedSet, on barcode: String, run: Int? = nil, at now: Int64) throws(StorageFault) {
        _ = try change(at: now) { (state, _) throws(StorageFault) in
            guard var tape = state.tape(barcode) else { throw .noTape(barcode) }
            try tape.take(.written(isNew: false))
            tape.sets.removeAll { $0.set == set.set }
            tape.sets.append(set)
            (tape.lastWritten, tape.run) = (now, run ?? tape.run)
            try update(&tape)
            state.put(tape)
        }
    }

    // MARK: Time

    /// What time has done: sets expired, write periods passed. To be called once a day, and after each job.
    /// - Parameter policy: what holds for a tape: whether later runs append to it, and for how many seconds; nil without end.
    public func settle(
        at now: Int64, policy: (TapeEntry) -> (appends: Bool, writePeriod: Int64?)
    ) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            for place in state.tapes.indices {
                var tape = state.tapes[place]
                guard tape.standing.content == .own, !tape.standing.isReserved, tape.standing.use != .free,
                    !tape.sets.isEmpty
                else { continue }
                let before = tape.standing.use
                let (appends, period) = policy(tape)
                let settled = tape.cartridgeStatus(place: place).settledState(
                    at: moment(now), appends: appends,
                    writePeriod: period.map { .seconds(min(max(0, $0), longestPeriod)) })
                guard settled != before else { continue }
                switch settled {
                case .expired: try tape.take(.expired)
                case .offsiteReady: try tape.take(.finished)
                case .full: try tape.take(.filled)
                case .free, .active, .suspect: continue
                }
                state.tapes[place] = tape
                report.happened.append("\(tape.barcode) is \(tape.standing.status.title.lowercased())")
            }
        }
    }

    /// Protection of a group was stopped: its tapes may be freed; with `deletesData` their sets have expired.
    public func stopProtection(of group: String, deletesData: Bool, at now: Int64) throws(StorageFault) -> LibraryReport
    {
        try change(at: now) { (state, report) throws(StorageFault) in
            for place in state.tapes.indices where state.tapes[place].owner == group {
                try state.tapes[place].take(.protectionStopped(deletesData: deletesData))
                report.happened.append("\(state.tapes[place].barcode) belongs to no protected group any more")
            }
        }
    }

    // MARK: Parts

    /// Does the same with several tapes; those that are refused are left out, unless all are.
    private func each(
        _ barcodes: [String], _ state: inout LibraryState, _ report: inout LibraryReport,
        _ body: (inout TapeEntry) throws(StorageFault) -> Void
    ) throws(StorageFault) {
        var faults: [StorageFault] = []
        for barcode in barcodes {
            guard var tape = state.tape(barcode) else { throw .noTape(barcode) }
            do throws(StorageFault) {
                try body(&tape)
                state.put(tape)
                report.happened.append("\(barcode) is \(tape.standing.status.title.lowercased())")
            } catch { faults.append(error) }
        }
        guard let first = faults.first else { return }
        if faults.count == barcodes.count { throw first }
        var seen: [String] = []
        for fault in faults where !seen.contains(fault.id) {
            seen.append(fault.id)
            let count = faults.count { $0.id == fault.id }
            guard let number = Int(fault.id.dropFirst(5)), let refusal = TapeRefusal(rawValue: number) else {
                report.refused.append(fault)
                continue
            }
            report.refused.append(StorageFault(refusal.refusal(of: count, outOf: barcodes.count)))
        }
    }
}
