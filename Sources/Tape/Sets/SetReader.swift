public import Files

/// A file of an opened set.
public struct SetFileEntry: Hashable, Sendable {
    /// Opaque if the set's directory could not be read.
    public var name: String
    public var size: Int64
    public var modified: Int64
}

/// Bytes of a file that could not be had, and why.
public struct LostRange: Hashable, Sendable {
    public var range: Range<Int64>
    public var fault: StorageFault
}

/// How a file is read.
public struct RestoreOptions: Sendable {
    /// Go on behind what is damaged; what is lost is reported rather than thrown.
    public var skipsDamaged = false
    /// Threads that decrypt and decompress; nil for one a processor, at most 8.
    public var workers: Int?

    public init() {}
}

/// What came of reading a file.
public struct RestoreReport: Sendable {
    /// Bytes had, holes included.
    public var bytes: Int64 = 0
    /// In their order; empty unless damage was to be skipped.
    public var lost: [LostRange] = []
}

/// A set opened for reading. One thread at a time. What a set goes on on is asked for when it is needed.
///
/// Nothing reaches a target that was not written so: tags are checked before, on encrypted sets with the set's key. On
/// plain sets the checks of a file's records come behind its data; damage is told when the file has been read.
public final class OpenSet {
    public let entry: SetEntry
    /// As written; hidden texts are empty if the directory could not be read.
    public private(set) var description: SetDescription
    public private(set) var files: [SetFileEntry] = []
    /// Damage met while it was opened that did not prevent it.
    public private(set) var faults: [StorageFault] = []
    let supply: (any TapeSupply)?
    let key: SetKey?
    /// From the span it was opened at.
    var spans: [SpanInput]

    /// Opens a set at a span that a medium holds: the first one, or a later one if the media before it are lost.
    /// - Parameters:
    ///   - entry: from `TapeContents`.
    ///   - keyed: certificates with private keys, of which one must open an encrypted set. Any of the span's three
    ///     envelopes serves.
    ///   - supply: gives the further media of the family.
    /// - Throws: `TAPE-24071` naming the thumbprints that would open it, `TAPE-24078`, `TAPE-24075` if all envelopes
    ///   are damaged; `TAPE-FOREIGN` for a set of another program.
    public init(
        _ entry: SetEntry, on tape: any TapeMedium, with keyed: [KeyedCertificate] = [],
        supply: (any TapeSupply)? = nil
    ) throws(StorageFault) {
        guard entry.set != .zero else {
            throw StorageFault(
                .badInput, "TAPE-FOREIGN", "set \(entry.number)", "another program wrote it",
                action: "Read it with that program")
        }
        let head = try TapeHead.read(from: tape)
        let span = try SpanInput(entry, on: tape, head: head)
        (self.entry, self.supply) = (entry, supply)
        key = entry.isEncrypted ? try span.openEnvelope(with: keyed) : nil
        try span.unlock(key)
        spans = [span]
        description = SetDescription(
            set: entry.set, name: entry.isEncrypted ? "" : entry.name, description: entry.description,
            datasource: entry.datasource, machine: entry.machine, user: entry.user, date: entry.date ?? 0,
            expiry: entry.expiry)
        faults = span.faults
        do throws(StorageFault) {
            if entry.isPlain { try readPlainFiles(span) } else { try readDirectory(span) }
        } catch {
            faults.append(error)
            listFromBlocks(span)
        }
    }

    private func readDirectory(_ span: SpanInput) throws(StorageFault) {
        guard let keys = span.keys else { return }
        var text: [UInt8] = []
        var fault: StorageFault?
        var isWhole = false
        try SpanPass(span: span, keys: keys, workers: 1).run(
            span.objects, deliver: nil,
            more: { slot in slot.header.map { $0.file != SealedHeader.directory } ?? false ? .stop : .go },
            collect: { (slot) throws(StorageFault) in
                if let found = slot.fault {
                    fault = found
                    return .stop
                }
                guard let header = slot.header else {
                    // The blocks behind the directory.
                    guard !text.isEmpty else { return .go }
                    isWhole = true
                    return .stop
                }
                guard header.file == SealedHeader.directory, header.flag == .more,
                    header.firstByte == UInt64(text.count), header.plainLength <= UInt64(SealedHeader.largestContent),
                    text.count <= FactsText.largest
                else {
                    isWhole = true
                    return .stop
                }
                text += slot.plainBytes
                return .go
            })
        if let fault { throw fault }
        guard isWhole || !text.isEmpty else { throw span.truncated("its directory is missing") }
        let directory = try FactsText.decoded(DirectoryText.self, text, at: "directory of \(span.name)")
        guard directory.set == entry.set.description,
            directory.files.allSatisfy({ (0...SetPlan.largestFile).contains($0.size) })
        else {
            throw span.wrong("its directory is of set \(directory.set)")
        }
        files = directory.files.map { SetFileEntry(name: $0.name, size: $0.size, modified: $0.modified) }
        description = SetDescription(
            set: entry.set, name: directory.name, description: directory.description,
            datasource: directory.datasource, machine: directory.machine, user: directory.user, date: directory.date,
            expiry: directory.expiry)
    }

    /// Names and sizes of a plain set's files stand in FILE blocks, those of later spans in the last FDD2.
    private func readPlainFiles(_ span: SpanInput) throws(StorageFault) {
        var current = span
        while true {
            listFromBlocks(current)
            if files.count >= entry.files { return }
            guard let next = try nextSpan(after: current) else { return }
            current = next
        }
    }

    private func listFromBlocks(_ span: SpanInput) {
        for block in span.fileBlocks() {
            guard case .file(let facts) = block.content, let extent = FileExtent(block.osData),
                extent.file < SetPlan.mostFiles
            else { continue }
            while files.count <= Int(extent.file) { files.append(SetFileEntry(name: "", size: 0, modified: 0)) }
            files[Int(extent.file)] = SetFileEntry(name: facts.name, size: extent.size, modified: extent.modified)
        }
    }

    // MARK: Spans

    /// The span behind one; nil if the set ends with it.
    /// - Throws: `TAPE-SPAN-MISSING`, `TAPE-SPAN-WRONG`.
    func nextSpan(after span: SpanInput) throws(StorageFault) -> SpanInput? {
        if let index = spans.firstIndex(where: { $0 === span }), index + 1 < spans.count { return spans[index + 1] }
        if let trailer = span.trailer {
            guard !trailer.isSetEnd else { return nil }
        } else if span.entry.state != .continues {
            return nil
        }
        let number = span.entry.span + 1
        guard let supply else { throw missing(number, "no further cartridge is given") }
        let tape: any TapeMedium
        do throws(StorageFault) {
            tape = try supply.next(after: span.head.label)
        } catch { throw missing(number, "\(error.cause) (\(error.id))") }
        let next = try find(number, on: tape, after: span)
        try next.unlock(key)
        faults += next.faults
        spans.append(next)
        return next
    }

    private func missing(_ number: UInt32, _ cause: String) -> StorageFault {
        StorageFault(
            .missing, "TAPE-SPAN-MISSING", "span \(number) of set \(entry.set)", cause,
            action: "Load the next cartridge of the family")
    }

    private func find(
        _ number: UInt32, on tape: any TapeMedium, after span: SpanInput
    ) throws(StorageFault) -> SpanInput {
        let head = try TapeHead.read(from: tape)
        let label = span.head.label
        func wrong(_ cause: String) -> StorageFault {
            StorageFault(
                .damaged, "TAPE-SPAN-WRONG", "span \(number) of set \(entry.set)", cause,
                action: "Load the cartridge of the family that was written after it")
        }
        guard head.label.family == label.family, head.label.sequence == label.sequence + 1 else {
            throw wrong(
                "cartridge \(label.sequence + 1) of family \(label.family) expected, found \(head.label.sequence) of "
                    + "\(head.label.family)")
        }
        try tape.locate(file: 1, partition: 0)
        let reader = FlatReader(tape)
        guard let block = try reader.block() else { throw missing(number, "the cartridge has no set") }
        guard block.type == .setStart else { throw wrong("its first set does not begin with SSET") }
        let continues = span.trailer == nil
        let found = try SetEntry(
            block, volume: nil, sequence: head.label.sequence, tapeFile: 1, state: .whole)
        guard found.set == entry.set, found.span == number else {
            throw wrong("span \(number) expected, found span \(found.span) of set \(found.set)")
        }
        let next = try SpanInput(found, on: tape, head: head)
        let expected = span.trailer?.seal?.tags
        if !continues, let expected, let before = next.envelope?.before, before != expected {
            throw wrong("it does not follow the span \(number - 1) that was read: it is from another run")
        }
        return next
    }
}
