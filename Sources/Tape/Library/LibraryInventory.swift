public import Files
import Protection
import Units

/// What DPM believes is brought in line with what is there.
extension MediaLibrary {
    /// Reads the bar codes of all slots, ports and drives. Without a bar code reader it reads all tapes that are not known.
    /// - Throws: 24056, 25014, 25123; `TAPE-25011` without a bar code reader and without `identify`.
    public func fastInventory(
        at now: Int64, identify: TapeIdentification? = nil
    ) throws(StorageFault) -> LibraryReport {
        let hasBarcodes = state.hardware.hasBarcodes
        guard hasBarcodes || identify != nil else {
            throw .library(
                .badInput, "TAPE-25011", "library \(state.name)", "it has no bar code reader",
                "Run a detailed inventory")
        }
        var report = try change(at: now) { (state, report) throws(StorageFault) in
            try ready(state)
            let inside = Set(state.hardware.contents.map(\.barcode))
            for place in state.tapes.indices where state.tapes[place].place != nil {
                guard !inside.contains(state.tapes[place].barcode) else { continue }
                state.tapes[place].place = nil
                try state.tapes[place].take(.removed)
                report.happened.append("\(state.tapes[place].barcode) is no longer in the library")
            }
            for occupant in state.hardware.contents {
                see(occupant.barcode, in: occupant.element, &state, &report, at: now)
            }
            state.lastInventory = now
            let hardware = state.hardware
            report.duration += times.fastInventory(
                slots: hardware.slots + hardware.ports + hardware.drives.count, hasBarcodes: hasBarcodes)
        }
        if !hasBarcodes, let identify {
            let unknown = state.tapes.filter { $0.standing.status == .unknown && $0.place != nil }.map(\.barcode)
            if !unknown.isEmpty { report.add(try detailedInventory(unknown, at: now, identify: identify)) }
        }
        return report
    }

    /// Mounts tapes and reads who they are. Those that are known are left out with 24033, cleaning tapes with 24054.
    /// - Parameter barcodes: nil: all that are unknown or unrecognized.
    /// - Throws: 24050; 24055, 24053 for want of a drive; 25101 or 30004 if none could be read.
    public func detailedInventory(
        _ barcodes: [String]? = nil, at now: Int64, identify: TapeIdentification
    ) throws(StorageFault) -> LibraryReport {
        try change(at: now) { (state, report) throws(StorageFault) in
            try ready(state)
            let wanted =
                barcodes
                ?? state.tapes.filter { $0.place != nil && [.unread, .unrecognized].contains($0.standing.content) }
                .map(\.barcode)
            var lastFault: StorageFault?
            for barcode in wanted {
                guard let tape = state.tape(barcode), let place = tape.place else { throw .noTape(barcode) }
                do throws(StorageFault) {
                    // Asked before the tape is mounted: any finding is refused for the same reasons.
                    var probe = tape
                    try probe.take(.identified(.blank))
                } catch {
                    report.refused.append(error)
                    continue
                }
                try check(barcode, liesIn: place, state)
                var number = 0
                if !place.isDrive {
                    do throws(StorageFault) { number = try drive(for: barcode, wanted: nil, state) } catch {
                        guard error.id == "TAPE-30004" else { throw error }
                        report.refused.append(error)
                        lastFault = error
                        continue
                    }
                }
                do throws(StorageFault) {
                    try learn(try reading(barcode, identify), of: barcode, &state, &report, at: now)
                } catch {
                    let fault = StorageFault(
                        error.kind, "TAPE-25101", "tape \(barcode)", "it could not be read: \(error.cause)",
                        action: "Try it in another drive, and take it out if that fails too")
                    report.refused.append(fault)
                    lastFault = fault
                }
                if number > 0 {
                    let facts = state.hardware.drives[number - 1].facts
                    report.duration += times.detailedInventory(facts, cartridges: 1)
                }
            }
            let unread = report.refused.count { ["TAPE-25101", "TAPE-30004"].contains($0.id) }
            if let lastFault, unread == wanted.count { throw lastFault }
        }
    }

    /// Holds what a mounted tape says of itself against what is known of it: to be called by each job that mounts one.
    /// - Throws: 24061, and the tape is suspect from then on.
    public func confirm(_ barcode: String, is finding: TapeFinding, at now: Int64) throws(StorageFault) {
        guard let tape = state.tape(barcode), let known = tape.identity else { return }
        if case .identity(let identity) = finding, identity.identifier.description == known { return }
        // Erased or never begun, as far as DPM knows too.
        if tape.standing.use == .free, finding == .blank { return }
        _ = try change(at: now) { (state, _) throws(StorageFault) in
            guard var tape = state.tape(barcode) else { return }
            try tape.take(.conflicted)
            state.put(tape)
        }
        throw .library(
            .badInput, "TAPE-24061", "tape \(tape.title)",
            "another tape than expected is in the cartridge with this bar code, which is suspect now",
            "Take the tape out, replace its bar code, and run a detailed inventory on it")
    }

    /// A bar code was seen somewhere.
    func see(
        _ barcode: String, in place: LibraryElement, _ state: inout LibraryState, _ report: inout LibraryReport,
        at now: Int64
    ) {
        guard var tape = state.tape(barcode) else {
            guard let label = BarcodeLabel(barcode) else { return }
            let standing = TapeStanding.seen(barcode: barcode)
            state.put(
                TapeEntry(barcode: barcode, place: place, standing: standing, room: label.facts.capacity.count))
            report.happened.append("\(barcode) found in \(place)")
            return
        }
        guard tape.place != place else { return }
        if tape.place == nil {
            tape.standing.isInLibrary = true
            report.happened.append("\(barcode) is back, in \(place)")
        } else {
            report.happened.append("\(barcode) found in \(place)")
        }
        tape.place = place
        state.put(tape)
    }

    private func learn(
        _ finding: TapeFinding, of barcode: String, _ state: inout LibraryState, _ report: inout LibraryReport,
        at now: Int64
    ) throws(StorageFault) {
        guard var tape = state.tape(barcode) else { return }
        try update(&tape)
        tape.identified = now
        switch finding {
        case .blank:
            tape.forget()
            try tape.take(.identified(.blank))
            report.happened.append("\(barcode) is free")
        case .unrecognized(let cause):
            try tape.take(.identified(.unrecognized))
            report.happened.append("\(barcode) is unrecognized: \(cause)")
        case .identity(let identity):
            let identifier = identity.identifier.description
            if let other = state.tapes.first(where: { $0.identity == identifier && $0.barcode != barcode }) {
                guard other.place == nil else {
                    try tape.take(.conflicted)
                    report.happened.append("\(barcode) is suspect: it says it is tape \(other.barcode)")
                    break
                }
                // The same tape under a new bar code.
                tape.inherit(other)
                state.tapes.removeAll { $0.barcode == other.barcode }
                report.note(.replaceBarcode)
                report.happened.append("\(barcode) was \(other.barcode)")
                break
            }
            tape.describe(identity)
            let isOwn = identity.library == state.identifier
            tape.writer = isOwn ? nil : identity.library
            try tape.take(.identified(isOwn ? .own : .imported))
            report.happened.append("\(barcode) is \(isOwn ? "" : "another server's ")\(identity.label)")
        }
        state.put(tape)
    }
}

extension TapeEntry {
    mutating func describe(_ identity: OnMediaIdentity) {
        self.identity = identity.identifier.description
        family = identity.family
        (sequence, label, owner) = (identity.sequence, identity.label, identity.owner)
    }

    /// Takes over what was known of the same tape under another bar code.
    fileprivate mutating func inherit(_ other: TapeEntry) {
        let (barcode, place, cartridge, identified) = (barcode, place, cartridge, identified)
        let (room, written, isProtected) = (room, written, standing.isWriteProtected)
        self = other
        (self.barcode, self.place, self.cartridge, self.identified) = (barcode, place, cartridge, identified)
        (self.room, self.written, standing.isWriteProtected) = (room, written, isProtected)
        (standing.isInLibrary, standing.isReserved) = (true, false)
        // A suspect tape was suspect of its bar code only.
        if standing.use == .suspect { standing.use = sets.isEmpty && identity == nil ? .free : .offsiteReady }
    }
}
