public import Files
import Protection

/// Jobs on whole tapes.
extension MediaLibrary {
    /// Mounts a tape for reading, and brings it back afterwards unless it was in a drive before.
    /// - Throws: 24051 for a tape a job has; what `load`, opening the cartridge and `body` throw.
    public func mounted(
        _ barcode: String, at now: Int64, _ body: (any TapeMedium) throws(StorageFault) -> Void
    ) throws(StorageFault) {
        try mounted(barcode, writable: false, at: now, body)
    }

    private func mounted(
        _ barcode: String, writable: Bool, at now: Int64, _ body: (any TapeMedium) throws(StorageFault) -> Void
    ) throws(StorageFault) {
        var number: Int
        var isOurs = false
        if case .drive(let there) = state.tape(barcode)?.place {
            number = there
        } else {
            // So that whoever comes after a death knows whose it was, and brings it home.
            try reserve(barcode, at: now)
            do throws(StorageFault) { number = try load(barcode, at: now).drive } catch {
                try release(barcode, at: now)
                throw error
            }
            isOurs = true
        }
        var fault: StorageFault?
        do throws(StorageFault) {
            let medium = try medium(inDrive: number, writable: writable)
            do throws(StorageFault) { try body(medium) } catch { fault = error }
            // What was written before the fault is the tape's content now, so it is kept like any other.
            do throws(StorageFault) { try finish(medium) } catch { fault = fault ?? error }
        } catch { fault = error }
        if isOurs {
            do throws(StorageFault) { _ = try unload(drive: number, at: now) } catch { fault = fault ?? error }
            do throws(StorageFault) { try release(barcode, at: now) } catch { fault = fault ?? error }
        }
        if let fault { throw fault }
    }

    /// Lets a free tape be written by somebody else; it is unknown afterwards, until it is identified.
    /// - Throws: 24008 for a tape that is not free.
    public func writeForeign(
        _ barcode: String, at now: Int64, _ body: (any TapeMedium) throws(StorageFault) -> Void
    ) throws(StorageFault) {
        try mustBeFree(barcode)
        var fault: StorageFault?
        do throws(StorageFault) { try mounted(barcode, writable: true, at: now, body) } catch { fault = error }
        // Also after a fault: nobody knows what is on it then.
        _ = try change(at: now) { (state, _) throws(StorageFault) in
            guard var tape = state.tape(barcode) else { throw .noTape(barcode) }
            let standing = tape.standing
            tape.forget()
            tape.standing = TapeStanding()
            (tape.standing.isInLibrary, tape.standing.isWriteProtected) = (
                standing.isInLibrary, standing.isWriteProtected
            )
            try update(&tape)
            state.put(tape)
        }
        if let fault { throw fault }
    }

    /// Copies all records and filemarks of a tape to a free one, which then holds the same sets under the same identity. Needs two
    /// drives and no certificate.
    /// - Parameter step: called before each record; what it throws ends the copy.
    /// - Throws: 24008 for a target that is not free; `TAPE-END-OF-MEDIUM` if it is too short. The target is unknown after a fault.
    public func copyTape(
        _ source: String, to target: String, at now: Int64, step: () throws(StorageFault) -> Void
    ) throws(StorageFault) -> TapeFacts {
        guard source != target, let original = state.tape(source) else { throw .noTape(source) }
        try mustBeFree(target)
        var facts = TapeFacts()
        try mounted(source, at: now) { (from) throws(StorageFault) in
            try writeForeign(target, at: now) { (to) throws(StorageFault) in
                facts = try Self.copy(from, to, step)
            }
        }
        _ = try change(at: now) { (state, report) throws(StorageFault) in
            guard var tape = state.tape(target) else { throw .noTape(target) }
            let (room, written) = (tape.room, tape.written)
            let (place, cartridge, isProtected) = (tape.place, tape.cartridge, tape.standing.isWriteProtected)
            tape = original
            (tape.barcode, tape.place, tape.cartridge) = (target, place, cartridge)
            (tape.room, tape.written, tape.identified) = (room, written, now)
            (tape.standing.isInLibrary, tape.standing.isReserved) = (true, false)
            tape.standing.isWriteProtected = isProtected
            // Nothing is appended to a copy: it would no longer be one.
            if tape.standing.use == .active { try tape.take(.finished) }
            state.put(tape)
        }
        return facts
    }

    private static func copy(
        _ source: any TapeMedium, _ target: any TapeMedium, _ step: () throws(StorageFault) -> Void
    ) throws(StorageFault) -> TapeFacts {
        var facts = TapeFacts()
        let buffer = Buffer(count: source.maximumRecord)
        try source.locate(object: 0, partition: 0)
        try target.locate(object: 0, partition: 0)
        while true {
            try step()
            switch try source.read(into: buffer[0..<buffer.bytes.count]) {
            case .endOfData:
                try target.flush()
                return facts
            case .filemark:
                facts.filemarks += 1
                _ = try target.writeFilemarks(1, immediate: true)
            case .record(let length):
                facts.records += 1
                facts.bytes += Int64(length)
                _ = try target.write(UnsafeRawBufferPointer(buffer[0..<length]))
            }
        }
    }

    private func mustBeFree(_ barcode: String) throws(StorageFault) {
        guard let tape = state.tape(barcode) else { throw .noTape(barcode) }
        guard tape.standing.use == .free, [.blank, .own].contains(tape.standing.content) else {
            throw .library(
                .badInput, "TAPE-24008", "tape \(tape.title)",
                "it is not free but \(tape.standing.status.title.lowercased())",
                "Choose a free tape, or mark it as free")
        }
    }
}

/// What went over from one tape to another, or to a file.
public struct TapeFacts: Hashable, Sendable {
    public var records: Int64 = 0
    public var filemarks: Int64 = 0
    /// In records.
    public var bytes: Int64 = 0

    public init() {}
}
