public import Files

extension Cartridge {
    /// Bytes of data after which the system is asked to begin writing them out.
    private static let writeOut: Int64 = 8 << 20

    public var room: Int64 {
        guard indexes.indices ~= at.partition, let here = try? mark() else { return 0 }
        return max(0, identity.partitions[at.partition] - identity.reserve - here.native)
    }

    public func write(_ record: UnsafeRawBufferPointer) throws(StorageFault) -> TapeWrite {
        try checkLength(record.count)
        try prepare(native: Int64(record.count))
        let isZero = record.isZero
        let run = try place(kind: isZero ? .zeros : .data, count: 1, length: record.count)
        if !isZero {
            do throws(StorageFault) {
                try store(record, run)
            } catch {
                counters.writeErrorsUncorrected += 1
                throw error
            }
        }
        return append(run)
    }

    public func writeFilemarks(_ count: Int, immediate: Bool) throws(StorageFault) -> TapeWrite {
        // The limit is SCSI's, and keeps the number of objects far from absurd.
        guard 0...0xFF_FFFF ~= count else {
            throw .cartridge(
                .badInput, "FILEMARKS", path, "\(count) filemarks were asked for", "Ask for 0 to \(0xFF_FFFF)")
        }
        var result = TapeWrite.done
        if count > 0 {
            try prepare(native: 0)
            result = append(try place(kind: .filemark, count: Int64(count), length: 0))
        } else {
            try checkData()
        }
        if !immediate { try flush() }
        return result
    }

    /// Appends `count` records of zeros, each of `length` bytes, as so many writes would, in the time of one.
    /// - Throws: as `write`; `TAPE-END-OF-MEDIUM` if not all of them fit, and nothing is written then.
    public func writeZeros(_ count: Int64, length: Int) throws(StorageFault) -> TapeWrite {
        try checkLength(length)
        guard 1...identity.capacity ~= count else {
            throw .cartridge(
                .badInput, "RECORD-COUNT", path, "\(count) records were asked for",
                "Ask for at least one, and no more than the cartridge has bytes")
        }
        let (native, overflow) = count.multipliedReportingOverflow(by: Int64(length))
        try prepare(native: overflow ? CartridgeLayout.absurd : min(native, CartridgeLayout.absurd))
        return append(try place(kind: .zeros, count: count, length: length))
    }

    private func checkLength(_ length: Int) throws(StorageFault) {
        guard 1...CartridgeLayout.longestRecord ~= length else {
            throw .cartridge(
                .badInput, "RECORD-LENGTH", path,
                "a record has 1 to \(CartridgeLayout.longestRecord) bytes, not \(length)", "Cut it into shorter ones")
        }
    }

    /// Discards everything behind the head in its partition, durably.
    /// - Throws: `TAPE-WORM` if that is something, and as `flush`.
    public func erase() throws(StorageFault) {
        try checkWritable()
        try discardWhatFollows()
        try flush()
    }

    /// Empties the cartridge and divides it anew, durably. The head stands at the beginning of partition 0 then.
    /// - Parameter partitions: native bytes of 1 to 4 partitions, together no more than its capacity.
    /// - Throws: `TAPE-DESIGN` for a division that cannot be, `TAPE-WORM` if there are data, and as `flush`.
    public func format(partitions: [Int64]) throws(StorageFault) {
        try rewind()
        try checkWritable()
        var design = CartridgeDesign(barcode: identity.barcode, capacity: 1, reserve: identity.reserve)
        design.partitions = partitions
        let capacity = identity.capacity
        let problem = design.problem ?? (partitions.reduce(0, +) > capacity ? "it has \(capacity) bytes only" : nil)
        if let problem { throw .cartridge(.badInput, "DESIGN", path, problem, "Divide it otherwise") }
        if identity.kind == .worm, indexes.contains(where: { $0.end.object > 0 }) {
            throw .cartridge(
                .readOnly, "WORM", path, "it is written once, and there are data", "Take another cartridge")
        }
        let old = (label, indexes, labelled, isChanged)
        label.identity.partitions = partitions
        label.partitions = partitions.map { _ in CartridgeLabel.Partition() }
        indexes = partitions.map { _ in CartridgeIndex() }
        labelled = partitions.map { _ in 0 }
        isChanged = true
        memory.host = memory.host.filter { Int($0.key.partition) < partitions.count }
        do throws(StorageFault) {
            try commit(isLoaded: true)
        } catch {
            // Which of the two the medium has is not known, so nothing may be built on either.
            (label, indexes, labelled, isChanged) = old
            isUnsafe = true
            throw error
        }
        identity = label.identity
        nodes = partitions.indices.map { CartridgeNodes(file, seed: seed, partition: $0) }
        epoch &+= 1
        run = nil
        try file.truncate(to: CartridgeLayout.dataStart)
    }

    func checkWritable() throws(StorageFault) {
        try checkData()
        try checkSafety()
        if isWriteProtected {
            throw .cartridge(
                .readOnly, "WRITE-PROTECTED", path, "its tab protects it from writing", "Set the tab to writing")
        }
        if identity.kind == .worm, at.object < indexes[at.partition].end.object {
            throw .cartridge(
                .readOnly, "WORM", path,
                "it is written once, and object \(at.object) of partition \(at.partition) is there",
                "Write behind the end of data")
        }
    }

    /// Makes the head stand at the end of data with room for so many native bytes.
    private func prepare(native: Int64) throws(StorageFault) {
        try checkWritable()
        let here = try mark()
        guard here.native + native <= identity.partitions[at.partition] else {
            throw .cartridge(
                .outOfSpace, "END-OF-MEDIUM", path,
                "\(native) bytes do not fit behind byte \(here.native) of partition \(at.partition)",
                "Continue on another cartridge")
        }
        try settle()
        if !isTrimmed {
            // Not if a label was damaged: what lies behind may be what the other one spoke of.
            if findings.isEmpty, try file.size() > storedEnd { try file.truncate(to: storedEnd) }
            isTrimmed = true
        }
        try discardWhatFollows()
    }

    /// Ends the data where the head stands. That is durable before anything else takes the space: a power cut finds the old tape or
    /// the shorter one.
    private func discardWhatFollows() throws(StorageFault) {
        let partition = at.partition
        let old = indexes[partition]
        guard at.object < old.end.object else { return }
        let before = storedEnd
        indexes[partition] = try old.cut(to: at.object, nodes[partition])
        let wasChanged = isChanged
        isChanged = true
        if at.object < labelled[partition] {
            do throws(StorageFault) {
                try commit(isLoaded: true)
            } catch {
                (indexes[partition], isChanged) = (old, wasChanged)
                throw error
            }
        }
        // Records written from now on into the same space are not to be taken for the old ones.
        epoch &+= 1
        run = nil
        let kept = indexes[partition].storedEnd
        let gaps = storedEnd > kept ? gaps(old, from: at.object, in: partition) : []
        nodes[partition].forget()
        if storedEnd < before { try file.truncate(to: storedEnd) }
        for gap in gaps { try file.punch(gap) }
    }

    /// The space of what was discarded, between what other partitions have stored.
    private func gaps(_ old: CartridgeIndex, from object: Int64, in partition: Int) -> [Range<Int64>] {
        var gaps: [Range<Int64>] = []
        var next = object
        // Where the index is damaged the space is not given back; nothing else depends on it.
        while next < old.end.object, let run = try? old.find(next, by: .object, nodes[partition]) {
            let start = run.storedEnd(next - run.object)
            let end = min(run.storedEnd(run.count), storedEnd)
            if run.kind == .data, start < end {
                if let last = gaps.last, last.upperBound == start {
                    gaps[gaps.count - 1] = last.lowerBound..<end
                } else {
                    gaps.append(start..<end)
                }
            }
            next = run.object + run.count
        }
        return gaps
    }

    /// The run that new objects will be, with room for it in the index and its place in the file.
    private func place(kind: CartridgeRun.Kind, count: Int64, length: Int) throws(StorageFault) -> CartridgeRun {
        let partition = at.partition
        let end = indexes[partition].end
        var run = CartridgeRun(
            object: end.object, file: end.file, native: end.native, offset: storedEnd, count: count, length: length,
            kind: kind, stamp: epoch)
        if !indexes[partition].takes(run) {
            try makeRoom(level: 0, in: partition)
            run.offset = storedEnd
        }
        return run
    }

    /// Sees to it that a level takes one more run. Nodes that fill up are written first, so that whatever fails leaves a sound index.
    private func makeRoom(level: Int, in partition: Int) throws(StorageFault) {
        guard indexes[partition].levels[level].count == CartridgeNode.fanout else { return }
        if level + 1 == indexes[partition].levels.count {
            guard level + 1 < CartridgeNode.maximumLevels else {
                throw .cartridge(
                    .outOfSpace, "INDEX-FULL", path, "its index has no more room", "Continue on another cartridge")
            }
            indexes[partition].levels.append([])
        }
        try makeRoom(level: level + 1, in: partition)
        let runs = indexes[partition].levels[level]
        let offset = storedEnd
        let (bytes, crc) = CartridgeNode.encoded(runs, level: level, partition: partition, seed: seed)
        try file.write(bytes, at: offset)
        let start = runs[0].start
        let last = runs[runs.count - 1]
        indexes[partition].levels[level + 1].append(
            CartridgeRun(
                object: start.object, file: start.file, native: start.native, offset: offset,
                count: last.object + last.count - start.object, length: CartridgeNode.size, kind: .node, stamp: crc))
        indexes[partition].levels[level].removeAll(keepingCapacity: true)
        indexes[partition].storedEnd = offset + CartridgeNode.room
    }

    private func store(_ record: UnsafeRawBufferPointer, _ run: CartridgeRun) throws(StorageFault) {
        let header = CartridgeRecord(
            partition: at.partition, object: run.object, epoch: run.stamp, length: record.count,
            dataCRC: CRC32C.of(record))
        let head = scratch[0..<CartridgeRecord.headerSize]
        header.put(into: head, seed: seed)
        if record.count <= Self.shortRecord {
            let whole = scratch[0..<CartridgeRecord.headerSize + record.count]
            UnsafeMutableRawBufferPointer(rebasing: whole[CartridgeRecord.headerSize...]).copyMemory(from: record)
            try file.write(UnsafeRawBufferPointer(whole), at: run.offset)
        } else {
            try file.write(UnsafeRawBufferPointer(head), at: run.offset)
            try file.write(record, at: run.offset + Int64(CartridgeRecord.headerSize))
        }
        let end = run.offset + CartridgeLayout.stride(record.count)
        let (before, after) = (run.offset / Self.writeOut, end / Self.writeOut)
        if before != after { file.writeSoon((after - 1) * Self.writeOut..<after * Self.writeOut) }
    }

    private func append(_ run: CartridgeRun) -> TapeWrite {
        let partition = at.partition
        indexes[partition].append(run)
        isChanged = true
        self.run = nil
        counters.bytesWritten += run.count * Int64(run.length)
        counters.bytesWrittenThisLoad += run.count * Int64(run.length)
        let end = indexes[partition].end
        (at.object, at.file) = (end.object, end.file)
        return end.native > identity.partitions[partition] - identity.reserve ? .earlyWarning : .done
    }
}
