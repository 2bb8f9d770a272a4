public import Files
import Synchronization

// How a live file is changed so that a power cut at any moment leaves a valid one. The footers at both ends are made equal first, so
// the copy at 0 carries the file while a new block grows over the footer at the end. Table entries and bitmaps are kept in memory
// until `flush`, which writes them only after the data they speak of is safe. So what was never flushed may be there or not, sector
// by sector, but nothing else ever shows.
extension VHDLayer {
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        guard writable else { throw refuseWrite() }
        try checkWhole(offset, Int64(bytes.count), of: size)
        guard !bytes.isEmpty else { return }
        try begin()
        if kind == .fixed { return try file.write(bytes, at: offset) }
        try eachBlock(offset..<offset + Int64(bytes.count)) { (block, part, sectors) throws(StorageFault) in
            let place = try place(of: block)
            let from = Int(part.lowerBound - offset)
            let piece = UnsafeRawBufferPointer(rebasing: bytes[from..<from + part.count])
            let target = place.data + part.lowerBound - Int64(block) * blockSize
            do throws(StorageFault) {
                try file.write(piece, at: target)
                try settle(block, place, sectors, present: true)
            } catch {
                giveUp(place)
                throw error
            }
        }
    }

    /// In a dynamic file sectors become absent and their space is given back; in a differencing file, which has no state for zeros,
    /// they become zeros that hide the parent's.
    public func discard(_ range: Range<Int64>) throws(StorageFault) {
        guard writable else { throw refuseWrite() }
        try checkWhole(range.lowerBound, range.upperBound - range.lowerBound, of: size)
        guard !range.isEmpty else { return }
        try begin()
        if kind == .fixed { return try file.makeZero(range) }
        try eachBlock(range) { (block, part, sectors) throws(StorageFault) in
            let isThere = state.withLock { $0.table[block] != VHD.absent }
            guard kind == .differencing || isThere else { return }
            let place = try place(of: block)
            do throws(StorageFault) {
                let start = place.data + part.lowerBound - Int64(block) * blockSize
                // What a new block holds lies behind the end of the file until now: zeros already.
                if !place.isNew { try file.makeZero(start..<start + Int64(part.count)) }
                try settle(block, place, sectors, present: kind == .differencing)
            } catch {
                giveUp(place)
                throw error
            }
        }
    }

    /// Data, then what makes them findable, then that: two flushes, one if only data of blocks that were there changed.
    public func flush() throws(StorageFault) {
        guard writable else { return }
        try flushing.withLock { _ throws(StorageFault) in
            let (bitmaps, entries) = try state.withLock { (state) throws(StorageFault) in
                if let failure = state.failure { throw failure }
                return (takeBitmaps(&state), takeTable(&state))
            }
            do throws(StorageFault) {
                try file.flush()
                guard !bitmaps.isEmpty || !entries.isEmpty else { return }
                for (bytes, offset) in bitmaps + entries { try file.write(bytes, at: offset) }
                try file.flush()
                state.withLock { $0.bitmaps.written() }
            } catch {
                state.withLock { $0.failure = error }
                throw error
            }
        }
    }

    public func close() throws(StorageFault) {
        defer { file.close() }
        try flush()
    }

    /// A block's place, and whether it is one that the table does not have yet.
    private struct Place {
        var data: Int64
        var isNew: Bool
    }

    private func eachBlock(
        _ range: Range<Int64>,
        _ body: (_ block: Int, _ part: Range<Int64>, _ sectors: Range<Int>) throws(StorageFault) -> Void
    ) throws(StorageFault) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let block = offset / blockSize
            let start = block * blockSize
            let end = min(range.upperBound, start + blockSize)
            try body(Int(block), offset..<end, Int((offset - start) / 512)..<Int((end - start) / 512))
            offset = end
            if state.withLock({ $0.bitmaps.isCrowded }) { try flush() }
        }
    }

    /// Before the first change of the disk in a session: good footers, with a new identifier. Children prove their linkage with it, so
    /// those of the disk as it was are cut off, as a VHDX cuts them off by its DataWriteGuid.
    func begin() throws(StorageFault) {
        try state.withLock { (state) throws(StorageFault) in
            if let failure = state.failure { throw failure }
            guard !state.changed else { return }
            var footer = state.footer
            footer.setUUID(guids.next())
            try mend(&state, footer)
            state.changed = true
        }
    }

    /// Makes both footers `footer`, each while the other one is good, and cuts off what an interrupted change left behind the end.
    func mend(_ state: inout State, _ footer: VHDFooter) throws(StorageFault) {
        let known = state.footer
        if kind != .fixed, !state.footersGood {
            if try file.bytes(512, at: 0) != known.bytes {
                // The one at the end is the good one.
                try file.write(known.bytes, at: 0)
                try file.flush()
            }
            try file.truncate(to: state.end)
            try file.write(known.bytes, at: state.end)
            try file.flush()
        }
        if footer != known || kind == .fixed {
            try file.write(footer.bytes, at: state.end)
            if kind == .fixed { try file.truncate(to: state.end + Int64(VHD.footerSize)) }
            try file.flush()
        }
        if footer != known, kind != .fixed {
            try file.write(footer.bytes, at: 0)
            try file.flush()
        }
        state.footersGood = true
        state.footer = footer
    }

    /// Where a block's data are; an absent one gets a place behind the last, with its footer behind it.
    private func place(of block: Int) throws(StorageFault) -> Place {
        try state.withLock { (state) throws(StorageFault) in
            if let failure = state.failure { throw failure }
            guard state.table[block] == VHD.absent else {
                return Place(data: try dataOffset(of: block, state), isNew: false)
            }
            if !state.footersGood { try mend(&state, state.footer) }
            // The data begin on a page, which the host's disk writes whole.
            let data = (state.end + bitmapSize).roundedUp(to: 4096).value
            _ = try VHD.entry(data - bitmapSize, path: path)
            state.footersGood = false
            try file.write(state.footer.bytes, at: data + blockSize)
            return Place(data: data, isNew: true)
        }
    }

    /// After the data: the sectors' bits, and a new block's entry, all in memory.
    private func settle(_ block: Int, _ place: Place, _ sectors: Range<Int>, present: Bool) throws(StorageFault) {
        try state.withLock { (state) throws(StorageFault) in
            let bitmapOffset = place.data - bitmapSize
            guard place.isNew else {
                var bits = try state.bitmaps.bits(of: block, at: bitmapOffset, file)
                guard !bits.all(sectors, are: present) else { return }
                bits.set(sectors, present)
                state.bitmaps.put(bits, of: block, changed: true)
                return
            }
            // In a dynamic file all is zeros but what was written, and some readers never ask the bitmap.
            var bits = kind == .dynamic ? VHDBits(full: Int(bitmapSize)) : VHDBits(empty: Int(bitmapSize))
            bits.set(sectors, true)
            try file.write(bits.stored, at: bitmapOffset)
            state.bitmaps.put(bits, of: block, changed: false)
            state.table[block] = UInt32(bitmapOffset / 512)
            state.dirtyTable.insert(block / 128)
            state.end = place.data + blockSize
            state.footersGood = true
        }
    }

    /// A block that could not be written leaves no trace: `mend` cuts the file off where it was, now or before the next change.
    private func giveUp(_ place: Place) {
        guard place.isNew else { return }
        state.withLock { state in
            do throws(StorageFault) { try mend(&state, state.footer) } catch { state.footersGood = false }
        }
    }

    private func takeBitmaps(_ state: inout State) -> [(bytes: [UInt8], offset: Int64)] {
        let table = state.table
        return state.bitmaps.takeDirty().map { ($0.bits.stored, Int64(table[$0.block]) * 512) }
    }

    private func takeTable(_ state: inout State) -> [(bytes: [UInt8], offset: Int64)] {
        guard let header = state.header else { return [] }
        defer { state.dirtyTable = [] }
        return state.dirtyTable.sorted().map { sector in
            let entries = state.table[sector * 128..<min(sector * 128 + 128, state.table.count)]
            return (VHD.tableBytes(entries), Int64(header.tableOffset) + Int64(sector) * 512)
        }
    }
}

extension VHD {
    static func tableBytes(_ entries: some Collection<UInt32>) -> [UInt8] {
        entries.flatMap { entry in (0..<4).map { UInt8(truncatingIfNeeded: entry >> (24 - 8 * $0)) } }
    }
}
