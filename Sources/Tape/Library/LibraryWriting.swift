public import Files
import Protection
import Units

/// A set that was written to tapes of a library.
public struct LibraryReceipt: Sendable {
    public var receipt: SetReceipt
    /// The choice of the first tape, with the reason of each refused one.
    public var placement: SetPlacement
    /// Tapes it lies on, in order.
    public var barcodes: [String]
    /// Mounts, locates and dismounts; without the streaming.
    public var report: LibraryReport
}

extension MediaLibrary {
    /// Writes a set: chooses a tape, mounts it, begins or appends, goes on on free tapes while it does not fit, and notes what lies
    /// where. After a failure the tapes are back in their slots, and what was written is not listed.
    /// - Parameters:
    ///   - route: bar codes of the tapes it goes to, in order, where somebody else has chosen; those after the first are begun.
    ///   - label: of a tape that is begun; further ones of its family have it too.
    ///   - secrets: of keys and salts.
    /// - Throws: 24050, with all reasons; 24053; 24061 if another tape than expected is in the cartridge; what `SetWriter` throws.
    public func write(
        _ source: [any SetFile], _ description: SetDescription, _ options: SetOptions = SetOptions(),
        for request: SetRequest, route: [String]? = nil, label: String, guids: any GUIDSource,
        secrets: any SecretSource, at now: Int64
    ) throws(StorageFault) -> LibraryReceipt {
        // Before a tape is begun for it.
        try description.check()
        try options.check()
        let job = LibraryWriting(self, request, guids, now, route: route)
        do throws(StorageFault) {
            let placement = try job.choose(for: request)
            let medium = try job.mount(placement)
            if placement.isNew {
                let bytes = guids.next().bytes
                let identity = TapeLabel(
                    id: guids.next(), family: bytes.little(UInt32.self, at: 0) ^ bytes.little(UInt32.self, at: 8),
                    name: label, pool: request.group, library: state.identifier, date: now)
                // First the tape, then the state: a tape that nobody knows to be begun is free still.
                try identity.write(to: medium)
                try begin(placement.barcode, as: OnMediaIdentity(identity), for: request, at: now)
            } else {
                try confirm(placement.barcode, is: try .of(medium), at: now)
            }
            let writer = SetWriter(medium, supply: job, guids: guids, secrets: secrets)
            let receipt = try writer.write(source, description, options)
            try note(receipt, of: source, description, options, on: job.barcodes, for: request, at: now)
            try job.end()
            return LibraryReceipt(receipt: receipt, placement: placement, barcodes: job.barcodes, report: job.report)
        } catch {
            job.giveUp()
            throw error
        }
    }

    private func note(
        _ receipt: SetReceipt, of source: [any SetFile], _ description: SetDescription, _ options: SetOptions,
        on barcodes: [String], for request: SetRequest, at now: Int64
    ) throws(StorageFault) {
        for (place, (span, barcode)) in zip(receipt.spans, barcodes).enumerated() {
            if place > 0 { try begin(barcode, as: OnMediaIdentity(span.tape), for: request, at: now) }
            let number = Int(span.span)
            let isLast = place == receipt.spans.count - 1
            let part = CatalogedSet(
                set: receipt.set.description, number: receipt.number, name: description.name,
                datasource: description.datasource, machine: description.machine, date: description.date,
                expiry: description.expiry, bytes: source.reduce(0) { $0 + $1.size },
                files: source.map { .init(name: $0.name, size: $0.size, modified: $0.modified) },
                spans: number...number,
                isClosed: isLast, thumbprints: options.certificates.map(\.thumbprint.description).sorted())
            try note(part, on: barcode, run: request.run, at: now)
            if !isLast { try markFull(barcode, at: now) }
        }
    }

    /// Opens a set whose tapes are in the library: mounts the first one, and the others when they are asked for.
    /// - Parameter keyed: certificates of which one opens it, if it is encrypted.
    /// - Throws: 24042 if a part of it is on no known tape, 24050 if one is not in the library; what `OpenSet` throws.
    public func open(
        _ set: GUID, with keyed: [KeyedCertificate] = [], at now: Int64
    ) throws(StorageFault) -> LibraryReading {
        guard let found = knownSets(on: state.tapes.map(\.barcode)).first(where: { $0.entry.set == set.description })
        else {
            throw .library(
                .missing, "TAPE-NO-SET", "set \(set)", "no known tape holds it",
                "Recatalog the tapes it may be on")
        }
        guard found.isComplete else { throw incomplete(found) }
        let job = LibraryWriting(self, nil, nil, now)
        do throws(StorageFault) {
            let first = try inLibrary(found.barcodes)[0]
            let medium = ReturningTape(first, of: job)
            try confirm(first, is: try .of(medium), at: now)
            guard let entry = try TapeContents.of(medium).sets.first(where: { $0.set == set }) else {
                throw .library(
                    .missing, "TAPE-NO-SET", "set \(set)", "tape \(first) does not hold it any more",
                    "Recatalog the tape")
            }
            return LibraryReading(try OpenSet(entry, on: medium, with: keyed, supply: job), job)
        } catch {
            job.giveUp()
            throw error
        }
    }

    /// Of each tape and its copies one that is in the library.
    private func inLibrary(_ barcodes: [String]) throws(StorageFault) -> [String] {
        var chosen: [TapeEntry] = []
        for tape in barcodes.compactMap({ state.tape($0) }) {
            if let place = chosen.firstIndex(where: { $0.family == tape.family && $0.sequence == tape.sequence }) {
                if chosen[place].place == nil { chosen[place] = tape }
            } else {
                chosen.append(tape)
            }
        }
        if let absent = chosen.first(where: { $0.place == nil }) { throw .noTape(absent.barcode) }
        return chosen.map(\.barcode)
    }
}

/// A set that is being read from tapes of a library.
public final class LibraryReading {
    public let set: OpenSet
    private let job: LibraryWriting

    fileprivate init(_ set: OpenSet, _ job: LibraryWriting) { (self.set, self.job) = (set, job) }

    public var barcodes: [String] { job.barcodes }

    /// Brings the tapes back to their slots. The set cannot be read any more.
    public func end() throws(StorageFault) -> LibraryReport {
        try job.end()
        return job.report
    }
}

/// Mounts the tapes of one job. A job that writes has one tape at a time; one that reads keeps them while there are drives.
private final class LibraryWriting: TapeSupply {
    private struct Mounted {
        var barcode: String
        var drive: Int
        var medium: any TapeMedium
    }
    private let library: MediaLibrary
    /// Nil for a job that reads.
    private let request: SetRequest?
    private let guids: (any GUIDSource)?
    private let now: Int64
    private var mounted: [Mounted] = []
    private var reserved: [String] = []
    private(set) var report = LibraryReport()
    private(set) var barcodes: [String] = []
    /// Tapes that were chosen elsewhere and are not written yet.
    private var route: ArraySlice<String>?

    init(
        _ library: MediaLibrary, _ request: SetRequest?, _ guids: (any GUIDSource)?, _ now: Int64,
        route: [String]? = nil
    ) {
        (self.library, self.request, self.guids, self.now) = (library, request, guids, now)
        self.route = route.map { $0[...] }
    }

    func choose(for request: SetRequest) throws(StorageFault) -> SetPlacement {
        guard let barcode = route?.first, let tape = library.state.tape(barcode) else {
            if let route { throw .noTape(route.first ?? "after the last one that was chosen") }
            return try library.choose(for: request, at: now)
        }
        route?.removeFirst()
        return SetPlacement(barcode: barcode, isNew: tape.identity == nil, refused: [])
    }

    func mount(_ placement: SetPlacement) throws(StorageFault) -> any TapeMedium {
        let medium = try mount(placement.barcode)
        if placement.isNew {
            try library.surrender(placement.barcode, at: now)
        } else if let drive = mounted.last?.drive, let tape = library.state.tape(placement.barcode) {
            let motion = library.motion(of: tape.barcode, in: library.state.hardware.drives[drive - 1])
            report.duration += motion.locate(from: 0, to: tape.written)
        }
        return medium
    }

    func mount(_ barcode: String) throws(StorageFault) -> any TapeMedium {
        let hardware = library.state.hardware
        let generation = library.state.tape(barcode)?.facts?.generation
        // Of the free drives one that writes it, if it is to be written.
        let writing = hardware.drives.indices.first { drive in
            hardware.drives[drive].isEnabled && !hardware.drives[drive].needsCleaning
                && hardware.cartridge(in: .drive(drive + 1)) == nil
                && generation.map { LTOFacts.canWrite($0, in: hardware.drives[drive].generation) } == true
        }
        if !reserved.contains(barcode) {
            try library.reserve(barcode, at: now)
            reserved.append(barcode)
        }
        let loaded = try library.load(barcode, drive: request == nil ? nil : writing.map { $0 + 1 }, at: now)
        report.add(loaded.report)
        let medium: any TapeMedium
        do throws(StorageFault) {
            medium = try library.medium(inDrive: loaded.drive, writable: request != nil)
        } catch {
            report.add(try library.unload(drive: loaded.drive, at: now))
            throw error
        }
        mounted.append(Mounted(barcode: barcode, drive: loaded.drive, medium: medium))
        if !barcodes.contains(barcode) { barcodes.append(barcode) }
        return medium
    }

    func next(after label: TapeLabel) throws(StorageFault) -> any TapeMedium {
        guard let request else { return try nextToRead(after: label) }
        try dismountFirst()
        // A tape of its own: nothing may be appended to before the set goes on.
        var fresh = request
        (fresh.run, fresh.colocationSet, fresh.appendsInDrive) = (.min, nil, false)
        return try mount(try choose(for: fresh))
    }

    private func nextToRead(after label: TapeLabel) throws(StorageFault) -> any TapeMedium {
        let copies = library.state.tapes.filter {
            $0.family == label.family && $0.sequence == label.sequence + 1 && !$0.sets.isEmpty
        }
        guard let next = copies.first(where: { $0.place != nil }) ?? copies.first else {
            throw .noTape("\(label.sequence + 1) of the family of \(label.name)")
        }
        let tape = ReturningTape(next.barcode, of: self)
        try library.confirm(next.barcode, is: try .of(tape), at: now)
        return tape
    }

    /// The tape in a drive, into which it comes, if need be for one that was mounted before.
    fileprivate func medium(of barcode: String) throws(StorageFault) -> any TapeMedium {
        if let already = mounted.first(where: { $0.barcode == barcode }) { return already.medium }
        let hardware = library.state.hardware
        let isFree = hardware.drives.indices.contains {
            hardware.cartridge(in: .drive($0 + 1)) == nil && hardware.drives[$0].isEnabled
        }
        if !isFree { try dismountFirst() }
        return try mount(barcode)
    }

    /// Whether a tape that was given out is in a drive still.
    fileprivate func holds(_ medium: any TapeMedium) -> Bool { mounted.contains { $0.medium === medium } }

    private func dismountFirst() throws(StorageFault) {
        guard let first = mounted.first else { return }
        try library.finish(first.medium)
        mounted.removeFirst()
        // Where the tape stands: at the end of what was written. What was read ends there at the latest.
        let byte = try library.shell(of: first.barcode).written
        report.add(try library.unload(drive: first.drive, standingAt: byte, at: now))
    }

    func end() throws(StorageFault) {
        while !mounted.isEmpty { try dismountFirst() }
        while let barcode = reserved.last {
            try library.release(barcode, at: now)
            reserved.removeLast()
        }
    }

    /// As much of `end` as can be done after a failure, whose fault counts.
    func giveUp() {
        for tape in mounted {
            do throws(StorageFault) { try library.finish(tape.medium) } catch { report.refused.append(error) }
            do throws(StorageFault) { report.add(try library.unload(drive: tape.drive, at: now)) } catch {
                report.refused.append(error)
            }
        }
        for barcode in reserved {
            do throws(StorageFault) { try library.release(barcode, at: now) } catch { report.refused.append(error) }
        }
        (mounted, reserved) = ([], [])
    }
}

/// A tape that is read, and comes back into a drive when it is read again after it had to make room for another.
private final class ReturningTape: TapeMedium {
    private let barcode: String
    private let job: LibraryWriting
    private var medium: (any TapeMedium)?
    private(set) var position = TapePosition()

    init(_ barcode: String, of job: LibraryWriting) { (self.barcode, self.job) = (barcode, job) }

    var maximumRecord: Int { Cartridge.longestRecord }
    var room: Int64 { medium?.room ?? 0 }

    /// Does something with the tape in its drive, at the place where it was left.
    private func there<R>(_ body: (any TapeMedium) throws(StorageFault) -> R) throws(StorageFault) -> R {
        let tape: any TapeMedium
        if let medium, job.holds(medium) {
            tape = medium
        } else {
            tape = try job.medium(of: barcode)
            medium = tape
            if position != tape.position { try tape.locate(object: position.object, partition: position.partition) }
        }
        defer { position = tape.position }
        return try body(tape)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(StorageFault) -> TapeRead {
        try there { (tape) throws(StorageFault) in try tape.read(into: buffer) }
    }

    func write(_ record: UnsafeRawBufferPointer) throws(StorageFault) -> TapeWrite { throw isRead }
    func writeFilemarks(_ count: Int, immediate: Bool) throws(StorageFault) -> TapeWrite { throw isRead }
    func flush() throws(StorageFault) {}

    func rewind() throws(StorageFault) { try there { (tape) throws(StorageFault) in try tape.rewind() } }

    func locate(object: Int64, partition: Int) throws(StorageFault) {
        try there { (tape) throws(StorageFault) in try tape.locate(object: object, partition: partition) }
    }

    func locate(file: Int64, partition: Int) throws(StorageFault) {
        try there { (tape) throws(StorageFault) in try tape.locate(file: file, partition: partition) }
    }

    func locateEndOfData(partition: Int) throws(StorageFault) {
        try there { (tape) throws(StorageFault) in try tape.locateEndOfData(partition: partition) }
    }

    private var isRead: StorageFault {
        .library(
            .readOnly, "TAPE-WRITE-PROTECTED", "tape \(barcode)", "it was mounted to be read",
            "Write to it as a job that writes")
    }
}
