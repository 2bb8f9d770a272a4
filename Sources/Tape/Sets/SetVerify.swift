public import Files

/// What a verification found.
public struct SetVerification: Sendable {
    /// Bytes of files proved, holes included.
    public var bytes: Int64 = 0
    public var records: Int64 = 0
    public var spans = 0
    /// In the order met; the first thousand.
    public var faults: [StorageFault] = []
    public var isWhole: Bool { faults.isEmpty }

    mutating func note(_ fault: StorageFault) { if faults.count < 1000 { faults.append(fault) } }
}

extension OpenSet {
    /// Reads the whole set and proves it: every tag, number and length, that every byte of every file is there once,
    /// the last record and the seal of each span, the order of spans. Nothing is restored.
    /// - Throws: only what makes a medium unreadable at all; everything else is in the result.
    public func verify(workers: Int? = nil) throws(StorageFault) -> SetVerification {
        var result = SetVerification()
        for fault in faults { result.note(fault) }
        let workers = max(1, workers ?? Workers.count())
        var covered = [Int64](repeating: 0, count: files.count)
        var before = [UInt8](repeating: 0, count: 32)
        var current: SpanInput? = spans[0]
        var isFirst = true
        if entry.span != 1 {
            result.note(spans[0].missing("spans 1...\(entry.span - 1) are not here"))
            before = spans[0].envelope?.before ?? before
        }
        while let span = current {
            result.spans += 1
            let counted: SpanTotals?
            if !isFirst, let given = span.envelope?.before, given != before {
                result.note(span.wrong("it does not follow the span before it: it is from another run"))
                before = given
            }
            isFirst = false
            if entry.isPlain {
                counted = try verifyPlain(span, &covered, &result, workers)
            } else {
                counted = try verifySealed(span, before, &covered, &result, workers)
            }
            verifySeal(span, counted, &result)
            before = counted?.tags ?? span.trailer?.seal?.tags ?? before
            do throws(StorageFault) {
                current = try nextSpan(after: span)
            } catch {
                result.note(error)
                current = nil
            }
        }
        for (index, file) in files.enumerated() where covered[index] != file.size {
            result.note(
                StorageFault(
                    .damaged, "TAPE-SET-TRUNCATED",
                    "file \(index) of set \(entry.set), bytes \(covered[index])..<\(file.size)",
                    "they are not on the tape as they were written",
                    action: "Restore what is there, or from another copy of the set"))
        }
        result.bytes = covered.reduce(0, +)
        return result
    }

    /// Returns nil if a record is damaged.
    private func verifySealed(
        _ span: SpanInput, _ before: [UInt8], _ covered: inout [Int64], _ result: inout SetVerification, _ workers: Int
    ) throws(StorageFault) -> SpanTotals? {
        guard let keys = span.keys else { return nil }
        var sequence = SpanSequence(set: entry.set, span: span.entry.span, before: before)
        var state = SealedTally(next: 0, covered: covered)
        let name = span.name
        try SpanPass(span: span, keys: keys, workers: workers).run(
            span.objects, deliver: nil, more: { _ in .go },
            collect: { (slot) throws(StorageFault) in
                if let fault = slot.fault {
                    state.isBroken = true
                    state.faults.append(fault.placed("record \(slot.object), \(name)"))
                    return .go
                }
                guard let header = slot.header, case .sealed(let range) = slot.kind else {
                    if !slot.holdsBlocks {
                        state.faults.append(
                            .mtf("record \(slot.object), \(name)", "it holds neither blocks nor records"))
                    }
                    return .go
                }
                state.records += 1
                state.take(header, object: slot.object, name)
                let summary = sequence.summary
                let tag = UnsafeRawBufferPointer(
                    slot.input[range.upperBound - SealedHeader.tagCount..<range.upperBound])
                do throws(StorageFault) {
                    try sequence.accept(header, tag: tag)
                    if header.flag != .more {
                        try sequence.finish(try SpanSummary(decoding: slot.plainBytes), expected: summary)
                        state.isEnded = true
                    }
                } catch {
                    // What is wrong with its order was noted already.
                    state.isBroken = true
                    if state.faults.isEmpty { state.faults.append(error.placed("record \(slot.object), \(name)")) }
                }
                return .go
            })
        if !state.isEnded {
            if state.faults.isEmpty {
                state.faults.append(
                    span.truncated("its last record is missing: it ends after \(state.records) records"))
            }
            state.isBroken = true
        }
        for fault in state.faults { result.note(fault) }
        result.records += state.records
        covered = state.covered
        return state.isBroken
            ? nil : SpanTotals(tags: sequence.tags.digest(), records: sequence.records, plain: sequence.plainBytes)
    }

    private func verifyPlain(
        _ span: SpanInput, _ covered: inout [Int64], _ result: inout SetVerification, _ workers: Int
    ) throws(StorageFault) -> SpanTotals? {
        guard let keys = span.keys else { return nil }
        var tags = TagHash()
        var (records, bytes): (Int64, UInt64) = (0, 0)
        var isBroken = false
        for extent in span.extents.sorted(by: { $0.file < $1.file }) where Int(extent.file) < files.count {
            let index = Int(extent.file)
            let progress = RestoreProgress(
                index, 0..<files[index].size, skips: true, place: "file \(index) of set \(entry.set)")
            progress.expected = extent.firstByte
            let record = Int64(entry.recordLength)
            let room = max(0, span.objects.upperBound - extent.object - 1)
            let count = min((extent.size - extent.firstByte + record - 1) / record, room)
            var checks = RecordChecks()
            var isClean = true
            try SpanPass(span: span, keys: keys, workers: workers).run(
                extent.object..<extent.object + count, plain: extent.firstByte, deliver: nil, more: { _ in .go },
                collect: { (slot) throws(StorageFault) in
                    guard case .plain(let first) = slot.kind, slot.fault == nil,
                        Int64(slot.count) == min(record, extent.size - first)
                    else {
                        isClean = false
                        try progress.meet(
                            slot.fault ?? .order("a record of \(slot.count) bytes lies where another should", ""),
                            object: slot.object)
                        return .go
                    }
                    var tag = (slot.tag.0.littleEndian, slot.tag.1.littleEndian)
                    withUnsafeBytes(of: &tag) { bytes in
                        checks.add(bytes)
                        tags.add(bytes)
                    }
                    try progress.take(first..<first + Int64(slot.count), object: slot.object)
                    return .go
                })
            records += count
            let end = min(extent.size, extent.firstByte + count * record)
            bytes += UInt64(end - extent.firstByte)
            if isClean {
                try compare(checks, span, extent, ends: end == extent.size, progress)
            } else {
                try progress.lose(to: end, object: nil)
            }
            if !progress.lost.isEmpty || !isClean || progress.fault != nil { isBroken = true }
            for lost in progress.lost { result.note(lost.fault) }
            if let fault = progress.fault { result.note(progress.describe(fault, object: nil, extent.firstByte..<end)) }
            if covered[index] == extent.firstByte { covered[index] = end }
        }
        result.records += records
        return isBroken
            ? nil : SpanTotals(tags: tags.digest(), records: UInt32(truncatingIfNeeded: records), plain: bytes)
    }

    private func verifySeal(_ span: SpanInput, _ counted: SpanTotals?, _ result: inout SetVerification) {
        func wrong(_ cause: String) { result.note(.seal(cause, span.name)) }
        guard let trailer = span.trailer else {
            if !span.faults.contains(where: { $0.id == "TAPE-SET-TRUNCATED" }) {
                result.note(span.truncated("its trailer cannot be read"))
            }
            return
        }
        guard let seal = trailer.seal else { return wrong("it is missing or cannot be read") }
        if seal.isLastSpan != trailer.isSetEnd { wrong("it is not the seal of this trailer") }
        if seal.tape != TagHash.of(span.head.identity) { wrong("it was made for another tape: the label was changed") }
        if seal.catalog != TagHash.of(trailer.map + (trailer.details ?? [])) { wrong("the catalog was changed") }
        if trailer.isSetEnd, let setStart = span.setStart, let map = try? Block.packed(trailer.map, at: span.name),
            !map.contains(where: { $0.content == setStart.content && $0.osData == setStart.osData })
        {
            wrong("its SSET differs from the copy in the catalog")
        }
        if let counted, seal.records != counted.records || seal.plainBytes != counted.plain {
            wrong(
                "it tells of \(seal.records) records with \(seal.plainBytes) bytes, there are \(counted.records) "
                    + "with \(counted.plain)"
            )
        }
        if let counted, seal.tags != counted.tags { wrong("it was made over other records") }
        if let key {
            do throws(StorageFault) { try seal.verify(with: key) } catch { result.note(error) }
        }
    }
}

/// What a span's records add up to.
private struct SpanTotals {
    var tags: [UInt8]
    var records: UInt32
    var plain: UInt64
}

/// What is known of a span's sealed records while they are gone through.
private struct SealedTally {
    var next: UInt32
    var covered: [Int64]
    var records: Int64 = 0
    var faults: [StorageFault] = []
    var isBroken = false
    var isEnded = false

    init(next: UInt32, covered: [Int64]) { (self.next, self.covered) = (next, covered) }

    mutating func take(_ header: SealedHeader, object: Int64, _ name: String) {
        let place = "record \(object), \(name)"
        if header.counter < next {
            faults.append(.order("record number \(header.counter) comes again, or late", place))
        } else if header.counter > next, !isBroken {
            faults.append(.order("records number \(next)..<\(header.counter) are missing or elsewhere", place))
        }
        if header.counter != next { isBroken = true }
        next = max(next, header.counter &+ 1)
        guard header.flag == .more, header.file != SealedHeader.directory else { return }
        guard let file = Int(exactly: header.file), covered.indices.contains(file) else {
            faults.append(.order("it is of file \(header.file), which the set does not have", place))
            return
        }
        // A gap is told at the end, by what is covered.
        if Int64(clamping: header.firstByte) == covered[file] {
            covered[file] += Int64(clamping: header.plainLength)
        }
    }
}

extension StorageFault {
    func placed(_ place: String) -> StorageFault {
        StorageFault(kind, id, place, "\(object): \(cause)", action: action)
    }
}

extension SpanInput {
    func missing(_ cause: String) -> StorageFault {
        StorageFault(
            .missing, "TAPE-SPAN-MISSING", name, cause, action: "Load the cartridges before it")
    }
}

/// What verifying a medium's structures found, without reading the sets through.
public struct TapeVerification: Sendable {
    public var seals: [SetSeal]
    /// After the last seal.
    public var chain: [UInt8]
    public var faults: [StorageFault]
}

extension TapeContents {
    /// Holds the seals of a medium against each other and against what is known of it: a set taken out, put in or
    /// replaced, and a medium turned back to an earlier state, break the chain. Two locates a set; needs no key.
    /// - Parameter newest: chain value of the library's catalog; nil if it is not known.
    public static func verifyChain(
        of tape: any TapeMedium, newest: [UInt8]? = nil
    ) throws(StorageFault) -> TapeVerification {
        let contents = try TapeContents.of(tape)
        let head = try TapeHead.read(from: tape)
        var seals: [SetSeal] = []
        var faults: [StorageFault] = contents.faults
        try tape.locateEndOfData(partition: 0)
        let files = tape.position.file
        var file: Int64 = 2
        while file < files {
            do throws(StorageFault) {
                try tape.locate(file: file, partition: 0)
                let reader = FlatReader(tape)
                guard let block = try reader.block(), block.type == .setEnd || block.type == .tapeEnd else {
                    throw .chain("tape file \(file)", "the trailer of a set should be there")
                }
                guard block.header.attributes & BlockAttributes.aborted == 0 || block.type == .tapeEnd else {
                    file += 2
                    continue
                }
                var found: SetSeal?
                while let header = try reader.stream() {
                    guard header.id == .seal else {
                        try reader.skip(Int64(header.length))
                        continue
                    }
                    found = try SetSeal(decoding: try reader.content(header, limit: SetSeal.largestEnvelope + 4096))
                }
                guard let found else { throw .seal("it is missing", "tape file \(file)") }
                seals.append(found)
            } catch { faults.append(error) }
            file += 2
        }
        var chain = SealChain.start(tapeBlock: head.identity)
        do throws(StorageFault) {
            chain = try SealChain.check(seals, tapeBlock: head.identity, newest: newest)
        } catch {
            faults.append(error)
            if let last = seals.last { chain = SealChain.next(after: last.chain, last) }
        }
        // A set without a trailer at the end is an interrupted write, not a theft.
        return TapeVerification(seals: seals, chain: chain, faults: faults)
    }
}
