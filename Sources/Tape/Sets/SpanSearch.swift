import Files

extension SpanInput {
    /// Where the files' parts on this medium lie.
    var extents: [FileExtent] {
        if let known = knownExtents { return known }
        let sequence = UInt16(truncatingIfNeeded: head.label.sequence)
        // What the catalog says is counted from where the set was written.
        let shift = objects.lowerBound - entry.object
        var found: [FileExtent] = []
        for block in fileBlocks() where block.header.medium == sequence {
            guard var extent = FileExtent(block.osData), extent.span == entry.span else { continue }
            extent.object += shift
            if objects.contains(extent.object) { found.append(extent) }
        }
        if found.isEmpty, entry.isPlain {
            found = walk().compactMap { FileExtent($0.osData) }.map { $0.shifted(by: shift) }
        }
        knownExtents = found
        return found
    }

    func extent(of file: UInt32) -> FileExtent? {
        if extentByFile == nil {
            extentByFile = Dictionary(extents.map { ($0.file, $0) }, uniquingKeysWith: { first, _ in first })
        }
        return extentByFile?[file]
    }

    /// The first record that holds bytes of a file from `byte` on, found by halving: headers alone are read, and not
    /// trusted. Nil if there is none.
    func first(_ file: UInt32, holding byte: Int64) throws(StorageFault) -> Int64? {
        let buffer = Buffer(count: MTF.streamHeader + SealedHeader.count)
        /// Whether the record, or the next sealed one behind it, lies before what is wanted; nil if there is none up to
        /// `end`.
        func isBefore(_ object: Int64, _ end: Int64) throws(StorageFault) -> Bool? {
            var object = object
            while object < end {
                if let header = try self.header(at: object, buffer) {
                    if header.file == SealedHeader.directory { return header.flag == .more }
                    if header.file != file { return header.file < file }
                    return header.firstByte &+ header.plainLength <= UInt64(byte) && header.plainLength > 0
                }
                object += 1
            }
            return nil
        }
        var (low, high) = (objects.lowerBound, objects.upperBound)
        while low < high {
            let middle = low + (high - low) / 2
            if try isBefore(middle, high) ?? false { low = middle + 1 } else { high = middle }
        }
        // The record found, or blocks and damaged records in front of it.
        var object = low
        while object < objects.upperBound {
            if let header = try header(at: object, buffer),
                header.file != SealedHeader.directory || header.flag != .more
            {
                if header.file == file { return low }
                break
            }
            object += 1
        }
        // Out of order, or not here: then where the catalog says.
        return extent(of: file)?.object
    }

    private func header(at object: Int64, _ buffer: Buffer) throws(StorageFault) -> SealedHeader? {
        do throws(StorageFault) {
            try tape.locate(object: object, partition: 0)
            guard case .record(let count) = try tape.read(into: buffer.bytes) else { return nil }
            let bytes = UnsafeRawBufferPointer(buffer[0..<min(count, buffer.bytes.count)])
            guard let (_, header) = ReadSlot.sealed(bytes), header.span > 0 else { return nil }
            return header
        } catch {
            guard error.kind == .damaged else { throw error }
            return nil
        }
    }

    /// DPMC of a plain file's part.
    /// - Parameters:
    ///   - ends: whether the file ends on this medium.
    ///   - object: the record behind its data.
    func checks(of extent: FileExtent, ends: Bool, at object: Int64) throws(StorageFault) -> [UInt8]? {
        guard ends else { return trailer?.checks }
        do throws(StorageFault) {
            try tape.locate(object: object, partition: 0)
            // In the flat stream the record begins where the data end; only its rest by 4 matters here.
            let flat = flatEnd(of: extent)
            let reader = FlatReader(tape, position: flat)
            while let header = try reader.stream() {
                if header.id == .checks { return try reader.content(header, limit: RecordChecks.largest) }
                try reader.skip(Int64(header.length))
            }
            return nil
        } catch {
            guard error.kind == .damaged else { throw error }
            return nil
        }
    }

    /// The place of the byte behind a file's data, as far as alignment goes: data begin behind a block of a multiple of
    /// 4 bytes and a stream header.
    private func flatEnd(of extent: FileExtent) -> Int64 {
        Int64(MTF.flb) + Int64(MTF.streamHeader) + extent.size - extent.firstByte
    }
}
