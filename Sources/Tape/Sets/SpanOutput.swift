import Files

/// Writes one span of a set onto one medium: blocks, records, trailer. Its flat position counts from the SSET.
final class SpanOutput {
    let tape: any TapeMedium
    let head: TapeHead
    let plan: SetPlan
    let keys: SpanKeys
    let envelope: SpanEnvelope
    let start: TapePosition
    private(set) var sequence: SpanSequence
    /// The medium's end is near.
    private(set) var isNear = false
    private(set) var stored: UInt64 = 0
    /// Copies for MAP2 and FDD2.
    private(set) var mapBlocks: [Block] = []
    private(set) var details: [Block] = []
    private(set) var chain: [UInt8]
    /// Of the set's directory, which is no file.
    private var directoryBytes: UInt64 = 0
    private var flat: Int64 = 0
    private var pending: [UInt8] = []
    private var controlID: UInt32 = 0
    private let sealer: PieceSealer
    private let scratch: Buffer
    private var checks = RecordChecks()
    private var plain = PlainTally()
    /// Zeros as long as a record, for a plain set.
    private let zeros: Buffer
    private let zeroTag: (UInt64, UInt64)

    private struct PlainTally {
        var tags = TagHash()
        var records: UInt32 = 0
        var bytes: UInt64 = 0
    }

    /// - Parameter before: tag hash of the span before, zeros in span 1.
    init(
        _ plan: SetPlan, on tape: any TapeMedium, head: TapeHead, span: UInt32, before: [UInt8], chain: [UInt8],
        secrets: any SecretSource
    ) throws(StorageFault) {
        (self.tape, self.head, self.plan, self.chain) = (tape, head, plan, chain)
        let set = plan.description.set
        guard plan.options.recordLength <= tape.maximumRecord else {
            throw StorageFault(
                .badInput, "TAPE-RECORD-LENGTH", "record length \(plan.options.recordLength)",
                "the drive takes at most \(tape.maximumRecord)", action: "Choose a shorter one")
        }
        start = tape.position
        sequence = SpanSequence(set: set, span: span, before: before)
        var envelope = try SpanEnvelope(
            set: set, family: head.label.family, span: span, before: before,
            suite: plan.key == nil ? .none : .aes256gcm, secrets: secrets)
        var recordKey: RecordKey?
        if let key = plan.key {
            try envelope.close(key, created: plan.description.date, to: plan.options.certificates)
            recordKey = try key.recordKey(salt: envelope.salt, set: set, family: head.label.family, span: span)
        }
        self.envelope = envelope
        keys = SpanKeys(set: set, span: span, key: recordKey, prefix: envelope.prefix, binding: sequence.binding)
        sealer = PieceSealer(plan.options)
        scratch = Buffer(count: (plan.options.isPlain ? 0 : plan.chunk) + WriteSlot.overhead)
        zeros = Buffer(count: plan.options.isPlain ? plan.chunk : 1)
        zeroTag = PieceSealer.tag(UnsafeRawBufferPointer(zeros.bytes))
    }

    var span: UInt32 { keys.span }
    /// Number of the next sealed record.
    var counter: UInt32 { sequence.records }

    // MARK: Blocks

    private func append(_ bytes: [UInt8]) {
        pending += bytes
        flat += Int64(bytes.count)
    }

    private func append(_ block: Block) throws(StorageFault) {
        var block = block
        block.header.logicalAddress = UInt64(flat / Int64(MTF.flb))
        block.header.controlID = controlID
        controlID += 1
        append(try block.encoded())
    }

    private func appendPad() { append(StreamHeader.pad(at: flat)) }

    private func appendStream(_ id: FourLetters, _ content: [UInt8]) {
        append([UInt8](repeating: 0, count: Int(MTF.aligned(flat) - flat)))
        append(StreamHeader(id, length: Int64(content.count)).encoded + content)
    }

    /// Writes what is pending as records.
    private func flushBlocks() throws(StorageFault) {
        let record = plan.options.recordLength
        var from = 0
        while from < pending.count {
            let end = min(pending.count, from + record)
            try note(try tape.write(Array(pending[from..<end])))
            from = end
        }
        pending.removeAll(keepingCapacity: true)
    }

    private func note(_ result: TapeWrite) throws(StorageFault) { if result == .earlyWarning { isNear = true } }

    private func copy(_ block: Block) -> Block {
        var copy = block
        copy.header.medium = UInt16(truncatingIfNeeded: head.label.sequence)
        return copy
    }

    /// SSET, VOLB, DIRB, and on a set of sealed records its directory.
    func begin() throws(StorageFault) {
        let setStart = plan.setStart(span, at: start.object)
        try append(setStart)
        appendStream(.envelope, envelope.encoded())
        appendPad()
        let volume = plan.volume(span)
        try append(volume)
        appendPad()
        let directory = plan.directory(span)
        try append(directory)
        mapBlocks = [copy(setStart), copy(volume)]
        details = [copy(volume), copy(directory)]
        if !plan.options.isPlain {
            let text = FactsText.encoded(DirectoryText(plan.description, plan.files))
            var from = 0
            while from < text.count {
                let to = min(text.count, from + plan.chunk)
                try writeDirectory(text, from..<to, of: text.count)
                from = to
            }
        }
        appendPad()
        try flushBlocks()
    }

    private func writeDirectory(_ text: [UInt8], _ part: Range<Int>, of total: Int) throws(StorageFault) {
        var header = keys.header(counter)
        header.file = SealedHeader.directory
        header.firstByte = UInt64(part.lowerBound)
        header.plainLength = UInt64(part.count)
        directoryBytes += UInt64(part.count)
        try writeOwn(header, Array(text[part]), endsStream: part.upperBound == total)
    }

    private func writeOwn(_ header: SealedHeader, _ content: [UInt8], endsStream: Bool) throws(StorageFault) {
        let range = try content.withBytes { (bytes) throws(StorageFault) in
            try sealer.seal(header, bytes, endsStream: endsStream, with: keys, into: scratch, at: 0)
        }
        try writeSealed(UnsafeRawBufferPointer(scratch[range]))
    }

    /// - Parameter firstByte: where this medium's part of the file begins.
    func beginFile(_ index: Int, firstByte: Int64, continues: Bool) throws(StorageFault) {
        let size = plan.files[index].size
        var extent = FileExtent(
            file: UInt32(index), span: span, counter: counter, object: 0, firstByte: firstByte, size: size,
            modified: plan.files[index].modified)
        // Its length does not depend on the object.
        let length = try plan.file(index, extent, continues: continues).encoded().count
        let blocks = pending.count + length + (plan.options.isPlain ? MTF.streamHeader : 0)
        let record = plan.options.recordLength
        extent.object = tape.position.object + Int64((blocks + record - 1) / record)
        var block = plan.file(index, extent, continues: continues)
        block.header.logicalAddress = UInt64(flat / Int64(MTF.flb))
        try append(block)
        details.append(copy(block))
        if plan.options.isPlain {
            append(
                StreamHeader(
                    .standardData, length: size - firstByte, media: continues ? StreamHeader.Media.continues : 0
                ).encoded)
            checks = RecordChecks()
        }
        try flushBlocks()
    }

    func endFile() {
        if plan.options.isPlain { appendStream(.checks, checks.encoded) }
        appendPad()
    }

    // MARK: Records

    /// A whole record made by a `PieceSealer` for this span and its next number.
    func writeSealed(_ record: UnsafeRawBufferPointer) throws(StorageFault) {
        try flushBlocks()
        let body = UnsafeRawBufferPointer(rebasing: record[MTF.streamHeader...])
        let header = try SealedHeader(body)
        let tag = SealedHeader.count + Int(header.storedLength)
        try sequence.accept(header, tag: UnsafeRawBufferPointer(rebasing: body[tag..<tag + SealedHeader.tagCount]))
        try note(try tape.write(record))
        flat += Int64(record.count)
        stored += UInt64(record.count)
    }

    /// A record of a plain file; zeros if there are no bytes.
    func writePlain(
        _ bytes: UnsafeRawBufferPointer?, count: Int, tag: (UInt64, UInt64)?
    ) throws(StorageFault) {
        let record = bytes ?? UnsafeRawBufferPointer(zeros[0..<count])
        var tag = tag ?? (count == zeros.bytes.count ? zeroTag : PieceSealer.tag(record))
        tag = (tag.0.littleEndian, tag.1.littleEndian)
        withUnsafeBytes(of: &tag) { bytes in
            plain.tags.add(bytes)
            checks.add(bytes)
        }
        plain.records += 1
        plain.bytes += UInt64(count)
        try note(try tape.write(record))
        flat += Int64(count)
        stored += UInt64(count)
    }

    // MARK: Trailer

    private(set) var tagHash: [UInt8] = []

    /// Ends the data, behind which a filemark, trailer and filemark follow.
    private func endData(_ flag: SealedHeader.Flag) throws(StorageFault) {
        if flag == .lastOfSet {
            try append(Block(.padding))
        } else if plan.options.isPlain {
            // The file's stream goes on on the next medium; its padding will stand there.
            append([UInt8](repeating: 0, count: Int(MTF.aligned(flat) - flat)))
        }
        if plan.options.isPlain {
            tagHash = plain.tags.digest()
        } else {
            var header = keys.header(counter)
            header.file = SealedHeader.directory
            header.flag = flag
            let content = sequence.summary.encoded()
            header.plainLength = UInt64(content.count)
            try writeOwn(header, content, endsStream: true)
            tagHash = sequence.tags.digest()
        }
        appendPad()
        try flushBlocks()
        try note(try tape.writeFilemarks(1, immediate: true))
        flat = 0
        controlID = 0
    }

    private func seal(isLast: Bool, catalog: [UInt8]) throws(StorageFault) -> SetSeal {
        var seal = SetSeal(
            set: plan.description.set, number: UInt32(plan.number), span: span,
            records: plan.options.isPlain ? plain.records : sequence.records, storedBytes: stored,
            plainBytes: plan.options.isPlain ? plain.bytes : sequence.plainBytes, isEncrypted: plan.key != nil,
            isLastSpan: isLast)
        seal.tags = tagHash
        seal.tape = TagHash.of(head.identity)
        seal.catalog = TagHash.of(catalog)
        seal.chain = chain
        seal.envelope = envelope.encoded()
        if let key = plan.key { try seal.authenticate(with: key) }
        return seal
    }

    private func writeSeal(isLast: Bool, catalog: [UInt8]) throws(StorageFault) {
        try flushBlocks()
        let seal = try seal(isLast: isLast, catalog: catalog)
        appendStream(.seal, seal.encoded())
        appendPad()
        try flushBlocks()
        _ = try tape.writeFilemarks(1, immediate: false)
        chain = SealChain.next(after: chain, seal)
    }

    /// Ends the set.
    /// - Parameters:
    ///   - map: of all sets before it and of its own spans before this one.
    ///   - details: of its spans before this one.
    func endSet(map: [Block], details earlier: [Block]) throws(StorageFault) {
        try endData(.lastOfSet)
        let end = copy(
            Block(
                .setEnd(
                    .init(
                        object: UInt64(tape.position.object), number: UInt16(truncatingIfNeeded: plan.number),
                        date: plan.description.date))))
        let packedMap = try Block.packing(map + mapBlocks + [end])
        let packedDetails = try Block.packing(earlier + details)
        try append(end)
        appendStream(.setMap, packedMap)
        appendStream(.fileDetail, packedDetails)
        appendStream(.envelope, envelope.encoded())
        append([UInt8](repeating: 0, count: Int(MTF.aligned(flat) - flat)))
        mapBlocks.append(end)
        try writeSeal(isLast: true, catalog: packedMap + packedDetails)
    }

    /// Ends the medium; the set goes on on the next one.
    /// - Parameter lastSetEnd: the record of the last ESET on it, 0 if there is none.
    func endMedium(lastSetEnd: Int64) throws(StorageFault) {
        try endData(.lastOfSpan)
        try append(
            Block(
                .tapeEnd(.init(lastSetEnd: UInt64(lastSetEnd))),
                attributes: lastSetEnd == 0 ? BlockAttributes.noSetEnd : 0))
        if plan.options.isPlain { appendStream(.checks, checks.encoded) }
        appendStream(.envelope, envelope.encoded())
        append([UInt8](repeating: 0, count: Int(MTF.aligned(flat) - flat)))
        try writeSeal(isLast: false, catalog: [])
    }

    var receipt: SpanReceipt {
        SpanReceipt(
            tape: head.label, span: span, start: start, end: tape.position,
            records: plan.options.isPlain ? plain.records : sequence.records,
            plainBytes: plan.options.isPlain ? plain.bytes : sequence.plainBytes - directoryBytes, storedBytes: stored,
            tagHash: tagHash, chain: chain)
    }
}
