public import Files

/// Writes sets behind what is on a medium, and on further media when it is full.
///
/// One thread reads the files, others compress and seal, the calling one writes. Memory: two records for each of (2 x
/// workers + 2) slots, besides zstd's contexts and the catalogs. A set that is not finished, for whatever reason, never
/// has an ESET: it is not listed as a whole one, and the next set is written over it.
public final class SetWriter {
    /// The medium that was written last.
    public private(set) var tape: any TapeMedium
    private let supply: (any TapeSupply)?
    private let guids: any GUIDSource
    private let secrets: any SecretSource

    /// - Parameter supply: nil if a set must not go on on another medium.
    public init(
        _ tape: any TapeMedium, supply: (any TapeSupply)? = nil, guids: any GUIDSource, secrets: any SecretSource
    ) {
        (self.tape, self.supply, self.guids, self.secrets) = (tape, supply, guids, secrets)
    }

    /// Writes a set; durable on return.
    /// - Throws: what files and media throw; `TAPE-FULL` if the medium's last set goes on elsewhere or there is no room
    ///   left; `TAPE-TEXT`, `TAPE-RECORD-LENGTH` for bad input; `TAPE-24073...24078` for certificates. The medium stays
    ///   appendable.
    public func write(
        _ files: [any SetFile], _ description: SetDescription, _ options: SetOptions = SetOptions()
    ) throws(StorageFault) -> SetReceipt {
        try description.check()
        try options.check()
        let tail = try TapeTail(of: tape)
        do throws(StorageFault) {
            return try write(files, description, options, behind: tail)
        } catch {
            guard error.id == "TAPE-WORM", tail.unfinished != nil else { throw error }
            // What an interrupted write left cannot be written over there, only be marked as no set.
            try closeRemains()
            return try write(files, description, options, behind: try TapeTail(of: tape))
        }
    }

    private func write(
        _ files: [any SetFile], _ description: SetDescription, _ options: SetOptions, behind tail: TapeTail
    ) throws(StorageFault) -> SetReceipt {
        guard tail.continuing == nil else { throw full(tail.head, "its last set goes on on the next medium") }
        guard tail.number < Int(UInt16.max) else { throw full(tail.head, "its family has 65535 sets") }
        try tape.locate(file: tail.files, partition: 0)
        guard tape.room > 0 else { throw full(tail.head, "there is no room behind its last set") }
        let plan = try SetPlan(
            files, description, options, number: tail.number + 1, guids: guids, secrets: secrets)
        // A map that cannot be read is made anew from the sets themselves.
        let map = tail.map ?? SetWalk(of: tape, tail: tail).map
        try tape.locate(file: tail.files, partition: 0)
        let run = try SetRun(plan, files, on: tape, tail: tail, map: map, supply, guids, secrets)
        defer { tape = run.output.tape }
        return try run.write()
    }

    /// Ends data without a trailer by an ESET that says so, so that trailers stay in even tape files.
    private func closeRemains() throws(StorageFault) {
        try tape.locateEndOfData(partition: 0)
        let (object, file) = (tape.position.object, tape.position.file)
        try tape.locate(file: file, partition: 0)
        let isOpen = tape.position.object < object
        try tape.locateEndOfData(partition: 0)
        if isOpen { _ = try tape.writeFilemarks(1, immediate: true) }
        // Data lie in odd tape files: a trailer is due if the next one is even.
        if (file + (isOpen ? 1 : 0)) % 2 == 0 {
            let end = try Block(
                .setEnd(.init(object: UInt64(tape.position.object), number: 0)), attributes: BlockAttributes.aborted
            ).encoded()
            _ = try tape.write(end + StreamHeader.pad(at: Int64(end.count)))
            _ = try tape.writeFilemarks(1, immediate: false)
        }
    }

    private func full(_ head: TapeHead, _ cause: String) -> StorageFault {
        StorageFault(
            .outOfSpace, "TAPE-FULL", "tape \(head.label.name)", cause, action: "Write to another cartridge")
    }
}

/// One set on its way to tape.
private final class SetRun {
    private let plan: SetPlan
    private let files: [any SetFile]
    private let supply: (any TapeSupply)?
    private let guids: any GUIDSource
    private let secrets: any SecretSource
    private(set) var output: SpanOutput
    private var map: [Block]
    private var details: [Block] = []
    private var receipts: [SpanReceipt] = []
    private var lastSetEnd: Int64
    private let ring: Ring<WriteSlot>
    private var counter: SpanCounter?
    /// Seals again what was sealed for a medium that then was full.
    private let again: PieceSealer
    private var done: Int64 = 0
    /// Of `done` what lies on earlier media.
    private var doneBefore: Int64 = 0
    private var mediaEnds: ArraySlice<Int64>

    init(
        _ plan: SetPlan, _ files: [any SetFile], on tape: any TapeMedium, tail: TapeTail, map: [Block],
        _ supply: (any TapeSupply)?, _ guids: any GUIDSource, _ secrets: any SecretSource
    ) throws(StorageFault) {
        (self.plan, self.files, self.supply, self.guids, self.secrets) = (plan, files, supply, guids, secrets)
        self.map = map
        mediaEnds = plan.options.mediaEnds[...]
        lastSetEnd = tail.lastSetEnd
        output = try SpanOutput(
            plan, on: tape, head: tail.head, span: 1, before: [UInt8](repeating: 0, count: 32), chain: tail.chain,
            secrets: secrets)
        let workers = plan.options.workers ?? Workers.count()
        let chunk = plan.chunk
        let isPlain = plan.options.isPlain
        ring = Ring((0..<2 * max(1, workers) + 2).map { _ in WriteSlot(chunk: chunk, isPlain: isPlain) })
        again = PieceSealer(plan.options)
    }

    func write() throws(StorageFault) -> SetReceipt {
        try output.begin()
        let counter = SpanCounter(output.keys, next: output.counter)
        self.counter = counter
        let (ring, options) = (ring, plan.options)
        let source = SourceReader(
            files: files, ring: ring, chunk: plan.chunk, isPlain: plan.options.isPlain,
            compresses: options.compression != nil)
        var threads = [OwnThread { source.run() }]
        for _ in 0..<max(1, options.workers ?? Workers.count()) {
            threads.append(
                OwnThread {
                    let sealer = PieceSealer(options)
                    while let (slot, number) = ring.take({ counter.number($0) }) {
                        do throws(StorageFault) {
                            try sealer.work(on: slot)
                            ring.finish(number)
                        } catch {
                            ring.halt(error)
                        }
                    }
                })
        }
        defer { for thread in threads { thread.join() } }
        do throws(StorageFault) {
            while let slot = try ring.collect() {
                try put(slot)
                ring.release()
            }
            try options.confirm?()
            try output.endSet(map: map, details: details)
        } catch {
            ring.halt(error)
            throw error
        }
        receipts.append(output.receipt)
        return SetReceipt(set: plan.description.set, number: plan.number, names: plan.names, spans: receipts)
    }

    private func put(_ slot: WriteSlot) throws(StorageFault) {
        if slot.startsFile {
            if isAtEnd(before: slot.pieces.first?.length ?? 0, at: done) { try goOn(in: nil, at: 0) }
            try output.beginFile(slot.file, firstByte: 0, continues: false)
        }
        for index in slot.pieces.indices {
            let piece = slot.pieces[index]
            if plan.options.isPlain {
                try putPlain(slot, piece)
            } else {
                if isAtEnd(before: piece.length, at: done) { try goOn(in: slot.file, at: piece.first) }
                if slot.keys !== output.keys {
                    slot.keys = output.keys
                    for later in index..<slot.pieces.count {
                        slot.pieces[later].counter = output.counter + UInt32(later - index)
                    }
                    try again.work(on: slot, from: index)
                }
                try output.writeSealed(UnsafeRawBufferPointer(slot.output[slot.pieces[index].record]))
            }
            done += piece.length
            if piece.endsFile { output.endFile() }
        }
        plan.options.progress?(done)
    }

    private func putPlain(_ slot: WriteSlot, _ piece: Piece) throws(StorageFault) {
        var at: Int64 = 0
        while at < piece.length {
            let count = Int(min(piece.length - at, Int64(plan.options.recordLength)))
            if isAtEnd(before: Int64(count), at: done + at) { try goOn(in: slot.file, at: piece.first + at) }
            let bytes = piece.place.map { UnsafeRawBufferPointer(slot.input[$0 + Int(at)..<$0 + Int(at) + count]) }
            try output.writePlain(bytes, count: count, tag: piece.place == nil ? nil : piece.tag)
            at += Int64(count)
        }
    }

    /// Whether the medium is to be ended before a record of so many bytes, `place` plain bytes being done.
    private func isAtEnd(before length: Int64, at place: Int64) -> Bool {
        if output.isNear { return true }
        guard let end = mediaEnds.first, place > doneBefore, place + length > end else { return false }
        mediaEnds.removeFirst()
        doneBefore = place
        return true
    }

    /// Ends the medium and begins the next one.
    /// - Parameter file: in which the set goes on; nil between files.
    private func goOn(in file: Int?, at firstByte: Int64) throws(StorageFault) {
        let label = output.head.label
        guard let supply else {
            throw StorageFault(
                .outOfSpace, "TAPE-FULL", "tape \(label.name)",
                "the set does not fit on it and must not go on elsewhere",
                action: "Write it to another cartridge")
        }
        try plan.options.confirm?()
        try output.endMedium(lastSetEnd: lastSetEnd)
        receipts.append(output.receipt)
        map += output.mapBlocks
        details += output.details
        let tape = try supply.next(after: label)
        var next = label
        next.sequence += 1
        next.id = guids.next()
        next.date = plan.description.date
        let head = try next.write(to: tape, map: map)
        lastSetEnd = 0
        output = try SpanOutput(
            plan, on: tape, head: head, span: output.span + 1, before: output.tagHash,
            chain: SealChain.start(tapeBlock: head.identity), secrets: secrets)
        try output.begin()
        if output.isNear {
            throw StorageFault(
                .outOfSpace, "TAPE-FULL", "tape \(label.name)", "the cartridge after it has no room for a set",
                action: "Use larger cartridges")
        }
        if let counter {
            // What was numbered for the old span is numbered again when its turn comes.
            let (keys, first) = (output.keys, output.counter)
            ring.restart { slots in
                var pieces = 0
                for (index, slot) in slots.enumerated() {
                    pieces += index == 0 ? slot.pieces.count { $0.first >= firstByte } : slot.pieceCount
                }
                counter.keys = keys
                counter.next = first + UInt32(pieces)
            }
        }
        if let file { try output.beginFile(file, firstByte: firstByte, continues: true) }
    }
}
