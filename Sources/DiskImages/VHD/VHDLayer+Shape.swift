public import Files
import Synchronization

// Changes of what a VHD is rather than what it holds. The footer is one sector, which a disk writes whole; the header is two, so it is
// rewritten only while the footer at the end points to a spare of the new one.
extension VHDLayer {
    /// Names another parent for a differencing VHD; its blocks stay. `VHD-PARENT` if it is not one, or the reference has no identifier.
    public func setParent(_ parent: ParentReference) throws(StorageFault) {
        guard writable else { throw refuseWrite() }
        guard kind == .differencing else {
            throw StorageFault(
                .badInput, "VHD-PARENT", path, "it is a whole disk and has no parent",
                action: "Name the parent of a differencing file")
        }
        let named = try VHDParent(parent, childPath: path)
        try flush()
        try changeShape { (state) throws(StorageFault) in
            guard var header = state.header else { return }
            let place = state.end
            let paths = header.setParent(named, pathsAt: place)
            try file.write(paths, at: place)
            try replaceHeader(&state, header, spareAt: place + Int64(paths.count))
            state.parent = ParentReference(
                linkage: [named.uuid],
                paths: Dictionary(
                    [("name", named.name)].filter { !$0.1.isEmpty } + named.locators.map { ($0.code, $0.path) }
                ) { first, _ in first })
        }
    }

    /// A larger disk ends in zeros (in a differencing file in what the parent has there); a smaller one loses its end.
    /// Faults: `VHD-SIZE`, `VHD-TABLE`.
    public func resize(to size: Int64) throws(StorageFault) {
        guard writable else { throw refuseWrite() }
        try VHD.check(size: size, path: path)
        let old = self.size
        guard size != old else { return }
        guard kind == .fixed || (size + blockSize - 1) / blockSize <= VHD.mostBlocks else {
            throw StorageFault(
                .badInput, "VHD-TABLE", path, "its blocks of \(blockSize) bytes would be too many",
                action: "Convert the disk to one with larger blocks")
        }
        try begin()
        try flush()
        if kind == .fixed, size > old { try file.reserveIfPossible(old..<size + Int64(VHD.footerSize)) }
        try changeShape { (state) throws(StorageFault) in
            switch (kind == .fixed, size > old) {
            case (true, true): try growFixed(&state, size)
            case (true, false): try shrinkFixed(&state, size)
            case (false, true): try growBlocks(&state, size)
            case (false, false): try shrinkBlocks(&state, size)
            }
        }
    }

    /// What `body` leaves half done would not be known: nothing is written after a failure.
    private func changeShape(_ body: (inout State) throws(StorageFault) -> Void) throws(StorageFault) {
        try flushing.withLock { _ throws(StorageFault) in
            try state.withLock { (state) throws(StorageFault) in
                if let failure = state.failure { throw failure }
                do throws(StorageFault) {
                    try mend(&state, state.footer)
                    try body(&state)
                } catch {
                    state.failure = error
                    throw error
                }
            }
        }
    }

    /// The disk's new end is only spoken of when the footer that lay there has become zeros.
    private func growFixed(_ state: inout State, _ size: Int64) throws(StorageFault) {
        // Where the footer was, zeros come between the two footers, which may not overlap.
        let place = max(size, state.end + Int64(VHD.footerSize))
        try file.write(state.footer.bytes, at: place)
        try file.flush()
        try file.writeZeros(state.size..<state.end + Int64(VHD.footerSize))
        try file.flush()
        state.end = place
        state.footer.setSize(size)
        try file.write(state.footer.bytes, at: place)
        try file.flush()
        (state.size, state.end) = (size, place)
    }

    private func shrinkFixed(_ state: inout State, _ size: Int64) throws(StorageFault) {
        state.footer.setSize(size)
        try file.write(state.footer.bytes, at: state.end)
        try file.flush()
        try file.write(state.footer.bytes, at: size)
        try file.flush()
        try file.truncate(to: size + Int64(VHD.footerSize))
        try file.flush()
        (state.size, state.end) = (size, size)
    }

    private func growBlocks(_ state: inout State, _ size: Int64) throws(StorageFault) {
        guard var header = state.header else { return }
        let blocks = Int((size + blockSize - 1) / blockSize)
        try emptyTail(&state, state.size)
        var table = state.table + [UInt32](repeating: VHD.absent, count: blocks - state.table.count)
        let bytes = VHD.paddedTable(table)
        if Int64(bytes.count) <= tableRoom(state, header) {
            try file.write(bytes, at: Int64(header.tableOffset))
            try file.flush()
            if blocks > header.blocks {
                header.setTable(at: Int64(header.tableOffset), blocks: UInt32(blocks))
                try replaceHeader(&state, header, spareAt: state.end)
            }
        } else {
            let place = state.end
            try file.write(bytes, at: place)
            header.setTable(at: place, blocks: UInt32(blocks))
            try replaceHeader(&state, header, spareAt: place + Int64(bytes.count))
        }
        swap(&state.table, &table)
        try setSize(&state, size)
    }

    private func shrinkBlocks(_ state: inout State, _ size: Int64) throws(StorageFault) {
        try setSize(&state, size)
        let blocks = Int((size + blockSize - 1) / blockSize)
        guard let header = state.header else { return }
        let freed = state.table[blocks...].filter { $0 != VHD.absent }
        state.bitmaps.forget(from: blocks)
        let stored = state.table.count
        state.table.removeLast(stored - blocks)
        if !freed.isEmpty {
            let bytes = VHD.paddedTable(state.table + [UInt32](repeating: VHD.absent, count: stored - blocks))
            try file.write(bytes, at: Int64(header.tableOffset))
            try file.flush()
            for sector in freed {
                let start = Int64(sector) * 512
                try file.makeZero(start..<start + bitmapSize + blockSize)
            }
        }
        try emptyTail(&state, size)
    }

    /// What lies in the last block behind the disk's end must not show when the disk grows again.
    private func emptyTail(_ state: inout State, _ size: Int64) throws(StorageFault) {
        let block = Int(size / blockSize)
        let inBlock = size % blockSize
        guard inBlock > 0, block < state.table.count, state.table[block] != VHD.absent else { return }
        let bitmap = Int64(state.table[block]) * 512
        var bits = try state.bitmaps.bits(of: block, at: bitmap, file)
        bits.set(Int(inBlock / 512)..<Int(blockSize / 512), false)
        try file.makeZero(bitmap + bitmapSize + inBlock..<bitmap + bitmapSize + blockSize)
        try file.write(bits.stored, at: bitmap)
        try file.flush()
        state.bitmaps.put(bits, of: block, changed: false)
    }

    /// How many bytes from the table's beginning belong to nothing else.
    private func tableRoom(_ state: borrowing State, _ header: VHDHeader) -> Int64 {
        let start = Int64(header.tableOffset)
        var next = state.end
        for sector in state.table where sector != VHD.absent {
            if Int64(sector) * 512 > start { next = min(next, Int64(sector) * 512) }
        }
        for locator in header.locators {
            if let offset = Int64(exactly: locator.offset), offset > start { next = min(next, offset) }
        }
        if headerOffset > start { next = min(next, headerOffset) }
        // Between the structures there may be some that are not known here: only what rounding the table up leaves is its own.
        return min(next - start, (Int64(header.blocks) * 4).roundedUp(to: 512).value)
    }

    private func setSize(_ state: inout State, _ size: Int64) throws(StorageFault) {
        var footer = state.footer
        footer.setSize(size)
        try mend(&state, footer)
        state.size = size
    }

    /// Puts a new header in the old one's place. At every moment one footer points to a good one: first the new one is written as a
    /// spare behind everything, then the footer at the end points to it while the old place is written, then back.
    private func replaceHeader(_ state: inout State, _ header: VHDHeader, spareAt spare: Int64) throws(StorageFault) {
        let end = spare + Int64(VHD.headerSize)
        try file.write(header.bytes, at: spare)
        try file.write(state.footer.bytes, at: end)
        try file.flush()
        var pointing = state.footer
        pointing.setDataOffset(spare)
        try file.write(pointing.bytes, at: end)
        try file.flush()
        try file.write(header.bytes, at: headerOffset)
        try file.flush()
        try file.write(state.footer.bytes, at: end)
        try file.flush()
        (state.header, state.end) = (header, end)
    }
}

extension VHD {
    static func paddedTable(_ table: [UInt32]) -> [UInt8] {
        let bytes = tableBytes(table)
        return bytes + [UInt8](repeating: 0xFF, count: (512 - bytes.count % 512) % 512)
    }
}
