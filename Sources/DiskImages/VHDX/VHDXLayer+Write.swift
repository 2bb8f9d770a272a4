public import Files
import Synchronization

extension VHDXLayer {
    /// The first write after opening gives the file a new DataWriteGuid: children that name the old one no longer open.
    /// Memory: nothing that grows with `bytes`. What was written is durable after `flush`.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try change(offset, Int64(bytes.count)) { (session, block, part) throws(StorageFault) in
            let start = Int(part.lowerBound - offset)
            let content = UnsafeRawBufferPointer(rebasing: bytes[start..<start + part.count])
            try self.write(content, block, part, &session)
        }
    }

    /// Whole blocks lose their space: in a differencing file they are zero, in a dynamic one unmapped. Parts of blocks, and blocks of a
    /// fixed file, become holes that read as zeros.
    public func discard(_ range: Range<Int64>) throws(StorageFault) {
        try change(range.lowerBound, range.upperBound - range.lowerBound) {
            (session, block, part) throws(StorageFault) in
            try self.discard(block, part, &session)
        }
    }

    public func flush() throws(StorageFault) {
        guard writable else { return }
        try checkOpen()
        try session.withLock { (session) throws(StorageFault) in try self.commit(&session) }
    }

    /// A layer open for writing is flushed, and its log marked as done. The file is closed also after a fault.
    public func close() throws(StorageFault) {
        guard !closed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        defer { file.close() }
        guard writable else { return }
        try session.withLock { (session) throws(StorageFault) in
            try self.commit(&session)
            guard session.header.logGUID != .zero else { return }
            // What the last entry changed must be in place for good before the log stops counting.
            try session.critical { (_) throws(StorageFault) in try file.flush() }
            var header = session.header
            header.logGUID = .zero
            try session.write(header, file)
        }
    }

    /// Gives the data a new identity (DataWriteGuid), as before the file takes in what a child holds; the first write does so by itself.
    public func renewDataWriteGUID() throws(StorageFault) {
        try checkWritable()
        try session.withLock { (session) throws(StorageFault) in
            session.dataBegun = false
            try self.begin(&session, data: true)
        }
    }

    // MARK: frame

    private func checkWritable() throws(StorageFault) {
        try checkOpen()
        guard writable else {
            throw StorageFault(
                .readOnly, "DISK-READONLY", path, "it is open for reading only", action: "Open it for writing")
        }
    }

    /// Runs a change of the file's structure: nothing else is changed meanwhile, and what came before is committed.
    func restructure(_ body: (inout VHDXSession) throws(StorageFault) -> Void) throws(StorageFault) {
        try checkWritable()
        try session.withLock { (session) throws(StorageFault) in
            try self.begin(&session, data: false)
            try self.commit(&session)
            try body(&session)
        }
    }

    /// Calls `body` for each block's part of a range of whole sectors.
    private func change(
        _ offset: Int64, _ count: Int64,
        _ body: (inout VHDXSession, _ block: Int64, _ part: Range<Int64>) throws(StorageFault) -> Void
    ) throws(StorageFault) {
        try checkWritable()
        let sector = Int64(sectorSize)
        guard offset >= 0, count >= 0, offset % sector == 0, count % sector == 0 else {
            throw StorageFault(
                .badInput, "DISK-SECTOR", path, "\(count) bytes at \(offset) are not whole sectors of \(sector) bytes",
                action: "Write whole sectors")
        }
        try session.withLock { (session) throws(StorageFault) in
            let (end, overflow) = offset.addingReportingOverflow(count)
            let range = offset..<(overflow ? .max : end)
            try self.shared.withLock { (shared) throws(StorageFault) in try shared.checkInside(range, self.path) }
            guard !range.isEmpty else { return }
            try self.begin(&session, data: true)
            var at = range.lowerBound
            while at < range.upperBound {
                let block = at / self.blockSize
                let part = at..<min(range.upperBound, (block + 1) * self.blockSize)
                try self.makeRoom(&session)
                try body(&session, block, part)
                at = part.upperBound
            }
        }
    }

    /// New identifiers of the file, and of its data, before the first change of each (disk-formats.md 1.2, "Write rules").
    func begin(_ session: inout VHDXSession, data: Bool) throws(StorageFault) {
        if let fault = session.fault { throw fault }
        guard !session.fileBegun || (data && !session.dataBegun) else { return }
        var header = session.header
        if !session.fileBegun { header.fileWriteGUID = guids.next() }
        if data, !session.dataBegun { header.dataWriteGUID = guids.next() }
        try session.write(header, file)
        session.fileBegun = true
        guard data else { return }
        session.dataBegun = true
        shared.withLock { $0.dataWriteGUID = header.dataWriteGUID }
    }

    /// Commits early, so that all changes of a block go into one entry of the log.
    private func makeRoom(_ session: inout VHDXSession) throws(StorageFault) {
        if let fault = session.fault { throw fault }
        let changed = shared.withLock { $0.tables.dirtySectors }
        if changed > VHDXSession.entryLimit - VHDXSession.blockChange || session.pending.count >= VHDXSession.freeLimit
        {
            try commit(&session)
        }
    }

    /// Makes everything written so far durable.
    func commit(_ session: inout VHDXSession) throws(StorageFault) {
        let changes = shared.withLock { $0.tables.changes() }
        if changes.isEmpty {
            try session.critical { (_) throws(StorageFault) in try file.flush() }
        } else {
            try session.commit(changes, file, guids)
            shared.withLock { $0.tables.markWritten() }
        }
        try session.critical { (session) throws(StorageFault) in
            try session.releasePending(blockSize: blockSize, file)
        }
    }

    // MARK: one block

    private func write(
        _ bytes: UnsafeRawBufferPointer, _ block: Int64, _ part: Range<Int64>, _ session: inout VHDXSession
    ) throws(StorageFault) {
        let (entry, whole, isDifferencing) = try look(at: block, part)
        let inBlock = part.lowerBound - block * blockSize
        switch entry.state {
        case .fullyPresent:
            try file.write(bytes, at: try place(of: entry, block) + inBlock)
        case .partiallyPresent:
            try file.write(bytes, at: try place(of: entry, block) + inBlock)
            try mark(block, part, here: entry)
        case .notPresent where isDifferencing:
            if bytes.isZero {
                try discard(block, part, &session)
            } else {
                let offset = try newBlock(&session)
                try fill(offset, inBlock, bytes, &session)
                try take(block, part, at: offset, whole: whole, &session)
            }
        default:
            // It reads as zeros now, and a new block is zeros around what is written.
            guard !bytes.isZero else { return }
            let offset = try newBlock(&session)
            try fill(offset, inBlock, bytes, &session)
            try shared.withLock { (shared) throws(StorageFault) in
                try shared.tables.setEntry(ofBlock: block, VHDXEntry(.fullyPresent, at: offset))
            }
        }
    }

    func discard(_ block: Int64, _ part: Range<Int64>, _ session: inout VHDXSession) throws(StorageFault) {
        let (entry, whole, isDifferencing) = try look(at: block, part)
        let start = block * blockSize
        switch entry.state {
        case .fullyPresent, .partiallyPresent:
            let offset = try place(of: entry, block)
            if whole, !isFixed {
                try shared.withLock { (shared) throws(StorageFault) in
                    try shared.tables.setEntry(ofBlock: block, VHDXEntry(isDifferencing ? .zero : .unmapped))
                }
                session.pending.append(offset)
            } else {
                try VHDXSession.clear(offset + part.lowerBound - start..<offset + part.upperBound - start, file)
                if entry.state == .partiallyPresent { try mark(block, part, here: entry) }
            }
        case .notPresent where isDifferencing:
            if whole {
                try shared.withLock { (shared) throws(StorageFault) in
                    try shared.tables.setEntry(ofBlock: block, VHDXEntry(.zero))
                }
            } else {
                try take(block, part, at: try newBlock(&session), whole: false, &session)
            }
        default: break
        }
    }

    /// A block's entry, and whether `part` is all of it.
    private func look(
        at block: Int64, _ part: Range<Int64>
    ) throws(StorageFault) -> (entry: VHDXEntry, whole: Bool, isDifferencing: Bool) {
        try shared.withLock { (shared) throws(StorageFault) in
            let geometry = shared.tables.geometry
            return (
                try shared.checkedEntry(block, path), part == geometry.range(ofBlock: block), geometry.differencing
            )
        }
    }

    private func place(of entry: VHDXEntry, _ block: Int64) throws(StorageFault) -> Int64 {
        try shared.withLock { (shared) throws(StorageFault) in try shared.place(of: entry, block: block, path) }
    }

    private func newBlock(_ session: inout VHDXSession) throws(StorageFault) -> Int64 {
        let offset = try session.allocate(blockSize, blockSize: blockSize, file)
        let end = session.end
        shared.withLock { $0.fileSize = end }
        return offset
    }

    /// Writes into a new block; one that could not be filled is cleared and used again.
    private func fill(
        _ offset: Int64, _ inBlock: Int64, _ bytes: UnsafeRawBufferPointer, _ session: inout VHDXSession
    ) throws(StorageFault) {
        do { try file.write(bytes, at: offset + inBlock) } catch {
            session.pending.append(offset)
            throw error
        }
    }

    private func sectors(of block: Int64, _ part: Range<Int64>) -> Range<Int> {
        let start = block * blockSize
        return Int(part.lowerBound - start) / sectorSize..<Int(part.upperBound - start) / sectorSize
    }

    /// Sets the bits of a partially present block, which is fully present when all of them are set.
    private func mark(_ block: Int64, _ part: Range<Int64>, here entry: VHDXEntry) throws(StorageFault) {
        try shared.withLock { (shared) throws(StorageFault) in
            let bitmap = try shared.bitmap(ofBlock: block, path)
            try shared.tables.setBits(of: block, bitmap: bitmap, sectors(of: block, part))
            let all = sectors(of: block, shared.tables.geometry.range(ofBlock: block))
            if try shared.tables.allHere(of: block, bitmap: bitmap, all) {
                try shared.tables.setEntry(ofBlock: block, VHDXEntry(.fullyPresent, at: entry.offset))
            }
        }
    }

    /// Lets a filled block stand for what was the parent's.
    private func take(
        _ block: Int64, _ part: Range<Int64>, at offset: Int64, whole: Bool, _ session: inout VHDXSession
    ) throws(StorageFault) {
        guard !whole else {
            try shared.withLock { (shared) throws(StorageFault) in
                try shared.tables.setEntry(ofBlock: block, VHDXEntry(.fullyPresent, at: offset))
            }
            return
        }
        do { try makeBitmap(block, &session) } catch {
            session.pending.append(offset)
            throw error
        }
        try shared.withLock { (shared) throws(StorageFault) in
            let bitmap = try shared.bitmap(ofBlock: block, path)
            // Bits of a block that was not partially present may be anything.
            let all = 0..<Int(blockSize) / sectorSize
            try shared.tables.setBits(of: block, bitmap: bitmap, all, here: false)
            try shared.tables.setBits(of: block, bitmap: bitmap, sectors(of: block, part))
            try shared.tables.setEntry(ofBlock: block, VHDXEntry(.partiallyPresent, at: offset))
        }
    }

    /// Makes sure that the bitmap of a block's chunk is there.
    private func makeBitmap(_ block: Int64, _ session: inout VHDXSession) throws(StorageFault) {
        let index = try shared.withLock { (shared) throws(StorageFault) -> Int64? in
            let geometry = shared.tables.geometry
            let index = geometry.index(ofBitmap: block / geometry.chunkRatio)
            return try shared.tables.entry(index).state == .fullyPresent ? nil : index
        }
        guard let index else { return }
        // A block size of 1 MiB equals a bitmap's, so a free block may serve as well: it reads as zeros.
        let offset = try session.allocate(VHDXFormat.mebibyte, blockSize: blockSize, file)
        let end = session.end
        try shared.withLock { (shared) throws(StorageFault) in
            shared.fileSize = end
            try shared.tables.setEntry(index, VHDXEntry(.fullyPresent, at: offset))
        }
    }
}
