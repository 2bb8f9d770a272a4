import Files

/// One span of a set on a loaded medium: where its records lie, what its trailer says. Everything damaged in it is
/// told, not fatal.
final class SpanInput {
    let tape: any TapeMedium
    let head: TapeHead
    let entry: SetEntry
    /// Tape file of its data; the trailer lies in the next one.
    let file: Int64
    /// Records of the data, SSET first, up to the filemark.
    let objects: Range<Int64>
    /// Whether a filemark ends the data.
    let isClosed: Bool
    private(set) var envelopes: [SpanEnvelope] = []
    private(set) var trailer: Trailer?
    /// Its SSET.
    private(set) var setStart: Block?
    /// What could not be read of SSET and trailer.
    private(set) var faults: [StorageFault] = []
    var knownExtents: [FileExtent]?
    var extentByFile: [UInt32: FileExtent]?
    /// Set by `unlock`.
    private(set) var keys: SpanKeys?

    struct Trailer {
        var isSetEnd = false
        var map: [UInt8] = []
        var details: [UInt8]?
        var seal: SetSeal?
        /// DPMC of a plain file that goes on on the next medium.
        var checks: [UInt8]?
    }

    init(_ entry: SetEntry, on tape: any TapeMedium, head: TapeHead) throws(StorageFault) {
        (self.tape, self.head, self.entry) = (tape, head, entry)
        let start = try Self.start(of: entry, on: tape)
        file = start.file
        var end: Int64
        var closed = true
        do throws(StorageFault) {
            try tape.locate(file: file + 1, partition: 0)
            end = tape.position.object - 1
        } catch {
            try tape.locateEndOfData(partition: 0)
            end = tape.position.object
            closed = false
        }
        objects = start.object..<max(start.object, end)
        isClosed = closed
        do throws(StorageFault) {
            try readStart()
        } catch { faults.append(error) }
        do throws(StorageFault) {
            try readTrailer()
        } catch { faults.append(error) }
    }

    /// Where the set really begins: by its tape file, if it is there, so that records lost or added before it do no
    /// harm; otherwise where it says itself.
    private static func start(of entry: SetEntry, on tape: any TapeMedium) throws(StorageFault) -> TapePosition {
        var first: TapePosition?
        for place in 0..<2 {
            do throws(StorageFault) {
                if place == 0 {
                    try tape.locate(file: entry.tapeFile, partition: 0)
                } else {
                    try tape.locate(object: entry.object, partition: 0)
                }
                let start = tape.position
                if first == nil { first = start }
                let reader = FlatReader(tape)
                if let block = try reader.block(), block.type == .setStart,
                    let clear = try ClearFacts(osData: block.osData, at: reader.place),
                    clear.set == entry.set.description, clear.span == entry.span
                {
                    return start
                }
            } catch {
                guard error.kind == .damaged || error.kind == .missing else { throw error }
            }
        }
        // Its beginning cannot be read; the rest may be.
        if let first { return first }
        throw StorageFault(
            .missing, "TAPE-NO-SET", "set \(entry.set)", "it does not begin where the catalog says",
            action: "List the cartridge's sets again")
    }

    private func add(envelope bytes: [UInt8]) {
        do throws(StorageFault) {
            let envelope = try SpanEnvelope(decoding: bytes)
            guard envelope.set == entry.set, envelope.span == entry.span else {
                throw wrong("a key envelope on it is of span \(envelope.span) of set \(envelope.set)")
            }
            envelopes.append(envelope)
        } catch { faults.append(error) }
    }

    private func readStart() throws(StorageFault) {
        try tape.locate(object: objects.lowerBound, partition: 0)
        let reader = FlatReader(tape)
        guard let block = try reader.block(), block.type == .setStart else {
            throw .mtf("record \(objects.lowerBound)", "no set begins there")
        }
        guard let clear = try ClearFacts(osData: block.osData, at: reader.place), clear.set == entry.set.description,
            clear.span == entry.span
        else { throw wrong("another set begins at record \(objects.lowerBound)") }
        setStart = block
        while let header = try reader.stream() {
            if header.id == .envelope {
                add(envelope: try reader.content(header, limit: SetSeal.largestEnvelope))
            } else {
                try reader.skip(Int64(header.length))
            }
        }
    }

    private func readTrailer() throws(StorageFault) {
        guard isClosed else { throw truncated("its data are not ended by a filemark") }
        try tape.locate(file: file + 1, partition: 0)
        let reader = FlatReader(tape)
        guard let block = try reader.block() else { throw truncated("it has no trailer") }
        var found = Trailer()
        switch block.type {
        case .setEnd: found.isSetEnd = true
        case .tapeEnd: break
        default: throw truncated("where its trailer should be is a block \(block.type)")
        }
        trailer = found
        defer { trailer = found }
        while let header = try reader.stream() {
            switch header.id {
            case .setMap: found.map = try reader.content(header, limit: TapeTail.largestCatalog)
            case .fileDetail: found.details = try reader.content(header, limit: TapeTail.largestCatalog)
            case .checks: found.checks = try reader.content(header, limit: RecordChecks.largest)
            case .envelope: add(envelope: try reader.content(header, limit: SetSeal.largestEnvelope))
            case .seal:
                let seal = try SetSeal(decoding: try reader.content(header, limit: SetSeal.largestEnvelope + 4096))
                guard seal.set == entry.set, seal.span == entry.span else {
                    throw wrong("its seal is of span \(seal.span) of set \(seal.set)")
                }
                found.seal = seal
                if !seal.envelope.isEmpty { add(envelope: seal.envelope) }
            default: try reader.skip(Int64(header.length))
            }
        }
    }

    var name: String { "span \(entry.span) of set \(entry.set) on tape \(head.label.name) \(head.label.sequence)" }

    func wrong(_ cause: String) -> StorageFault {
        StorageFault(
            .damaged, "TAPE-SPAN-WRONG", name, cause,
            action: "Load the cartridge that belongs to the set, or restore from another copy")
    }

    func truncated(_ cause: String) -> StorageFault {
        StorageFault(
            .damaged, "TAPE-SET-TRUNCATED", name, cause,
            action: "Restore what is there, or from another copy of the set")
    }

    /// Of the three copies the first that is whole.
    var envelope: SpanEnvelope? { envelopes.first }

    /// The set's key by any of the envelopes.
    /// - Throws: `TAPE-24071`, `TAPE-24078`; `TAPE-24075` if no envelope is whole.
    func openEnvelope(with keyed: [KeyedCertificate]) throws(StorageFault) -> SetKey {
        var first: StorageFault?
        for envelope in envelopes {
            do throws(StorageFault) {
                return try envelope.open(with: keyed)
            } catch {
                if first == nil || first?.id == "TAPE-24075" { first = error }
            }
        }
        throw first ?? .envelope("none of its three copies is whole", name)
    }

    /// Derives the span's own key.
    /// - Parameter key: nil for a set that is not encrypted.
    func unlock(_ key: SetKey?) throws(StorageFault) {
        guard entry.isEncrypted else {
            let before = envelope?.before ?? [UInt8](repeating: 0, count: 32)
            keys = SpanKeys(
                set: entry.set, span: entry.span, key: nil, prefix: [UInt8](repeating: 0, count: 7),
                binding: entry.span == 1 ? 0 : before.little(at: 0))
            return
        }
        guard let envelope else { throw .envelope("none of its three copies is whole", name) }
        let recordKey = try key?.recordKey(
            salt: envelope.salt, set: entry.set, family: envelope.family, span: entry.span)
        guard let recordKey else { return }
        keys = SpanKeys(
            set: entry.set, span: entry.span, key: recordKey, prefix: envelope.prefix,
            binding: entry.span == 1 ? 0 : envelope.before.little(at: 0))
    }

    /// Copies of the span's FILE blocks: from FDD2, whose digest the seal holds, or by walking a plain set's data.
    func fileBlocks() -> [Block] {
        if let details = trailer?.details, let seal = trailer?.seal,
            seal.catalog == TagHash.of((trailer?.map ?? []) + details),
            let blocks = try? Block.packed(details, at: name)
        {
            return blocks.filter { $0.type == .file }
        }
        return entry.isPlain ? walk() : []
    }

    /// FILE blocks of a plain set's span, found by going from file to file.
    func walk() -> [Block] {
        var found: [Block] = []
        var object = objects.lowerBound
        var flat: Int64 = 0
        // Blocks tell of places as they were when the set was written.
        let shift = objects.lowerBound - entry.object
        do throws(StorageFault) {
            while object < objects.upperBound {
                try tape.locate(object: object, partition: 0)
                let reader = FlatReader(tape, position: flat)
                // Behind a file's data: its checks and padding.
                if flat > 0 { try skipStreams(reader) }
                var next: Int64?
                while next == nil {
                    guard var block = try reader.block(), block.type != .padding else { return found }
                    block.header.medium = UInt16(truncatingIfNeeded: head.label.sequence)
                    guard block.type == .file, let extent = FileExtent(block.osData) else {
                        try skipStreams(reader)
                        continue
                    }
                    found.append(block)
                    let record = Int64(entry.recordLength)
                    let bytes = extent.size - extent.firstByte
                    next = extent.object + shift + (bytes + record - 1) / record
                    flat = reader.position + Int64(MTF.streamHeader) + bytes
                }
                guard let next, next > object else { return found }
                object = next
            }
        } catch { faults.append(error) }
        return found
    }

    private func skipStreams(_ reader: FlatReader) throws(StorageFault) {
        while let stream = try reader.stream() { try reader.skip(Int64(stream.length)) }
    }
}
