import Files

/// Goes through the files of a set, finds what is zeros, and fills slots with the rest. Runs on a thread of its own.
struct SourceReader: Sendable {
    /// Zeros are found in units of it, on multiples of it from a read's beginning.
    private static let granule = 1 << 16

    let files: [any SetFile]
    let ring: Ring<WriteSlot>
    /// Most bytes of a record.
    let chunk: Int
    /// Only whole records become zeros, so that a record's place follows from its byte.
    let isPlain: Bool

    func run() {
        do throws(StorageFault) {
            for (index, file) in files.enumerated() {
                guard try read(file, index) else { return }
            }
            ring.close()
        } catch {
            ring.halt(error)
        }
    }

    /// False if all has been ended.
    private func read(_ file: any SetFile, _ index: Int) throws(StorageFault) -> Bool {
        let size = file.size
        var isFirst = true
        var zeros = Int64(0)..<Int64(0)
        var at: Int64 = 0
        var data = Int64(0)..<Int64(0)
        var slot: WriteSlot?
        while at < size {
            if at >= data.upperBound {
                data = try file.dataRange(from: at) ?? size..<size
                guard data.upperBound > at else { throw fault(file, at) }
            }
            if data.lowerBound > at {
                let to = grid(min(data.lowerBound, size), size)
                if to > at {
                    zeros = zeros.lowerBound..<to
                    at = to
                    guard at < size else { break }
                    continue
                }
            }
            if slot == nil {
                guard let vacant = ring.vacant() else { return false }
                slot = vacant
            }
            guard let current = slot else { return false }
            let end = try end(of: file, from: at, &data, size)
            let count = Int(end - at)
            try file.read(into: current.input[0..<count], at: at)
            current.pieces.removeAll(keepingCapacity: true)
            split(current, at, count, &zeros, size)
            at = end
            // Nothing but zeros: the slot serves for the next read.
            if current.pieces.isEmpty { continue }
            current.file = index
            current.pieceCount = current.pieces.count
            current.startsFile = isFirst
            isFirst = false
            slot = nil
            ring.publish()
        }
        guard zeros.upperBound > zeros.lowerBound || isFirst else { return true }
        if slot == nil { slot = ring.vacant() }
        guard let last = slot else { return false }
        last.pieces.removeAll(keepingCapacity: true)
        last.pieces.append(
            Piece(first: zeros.lowerBound, length: zeros.upperBound - zeros.lowerBound, place: nil, endsFile: true))
        last.file = index
        last.pieceCount = 1
        last.startsFile = isFirst
        ring.publish()
        return true
    }

    private func grid(_ offset: Int64, _ size: Int64) -> Int64 {
        isPlain && offset < size ? offset / Int64(chunk) * Int64(chunk) : offset
    }

    /// How far to read at once: a record, less if a hole worth a record of its own begins within.
    private func end(
        of file: any SetFile, from at: Int64, _ data: inout Range<Int64>, _ size: Int64
    ) throws(StorageFault) -> Int64 {
        let end = min(size, at + Int64(chunk))
        guard !isPlain else { return end }
        while data.upperBound < end {
            let from = max(data.upperBound, at + 1)
            guard let next = try file.dataRange(from: from) else { return from }
            guard next.upperBound > from else { throw fault(file, from) }
            if next.lowerBound - from >= Int64(Self.granule) { return from }
            data = data.lowerBound..<next.upperBound
        }
        return end
    }

    private func fault(_ file: any SetFile, _ at: Int64) -> StorageFault {
        StorageFault(
            .badInput, "TAPE-SOURCE", file.name, "it tells of no data beyond \(at), where there is more",
            action: "Check the image and run the job again")
    }

    /// Cuts what was read into runs of zeros and of data. Zeros at the end are left in `zeros`, to grow with what follows.
    private func split(_ slot: WriteSlot, _ at: Int64, _ count: Int, _ zeros: inout Range<Int64>, _ size: Int64) {
        let granule = isPlain ? chunk : Self.granule
        var from = 0
        // Beginning of data not yet in a piece.
        var begun: Int?
        func finish(_ to: Int, _ zeros: Range<Int64>) {
            guard let start = begun else { return }
            if zeros.upperBound > zeros.lowerBound {
                slot.pieces.append(
                    Piece(
                        first: zeros.lowerBound, length: zeros.upperBound - zeros.lowerBound, place: nil,
                        endsFile: false))
            }
            let end = at + Int64(to)
            slot.pieces.append(
                Piece(first: at + Int64(start), length: Int64(to - start), place: start, endsFile: end == size))
            begun = nil
        }
        while from < count {
            let to = min(count, from + granule)
            if UnsafeRawBufferPointer(slot.input[from..<to]).isZero {
                // The zeros before the data, which are now over, go first.
                if begun != nil {
                    finish(from, zeros)
                    zeros = at + Int64(from)..<at + Int64(to)
                } else {
                    let start = zeros.upperBound > zeros.lowerBound ? zeros.lowerBound : at + Int64(from)
                    zeros = start..<at + Int64(to)
                }
            } else if begun == nil {
                begun = from
            }
            from = to
        }
        if begun != nil {
            finish(count, zeros)
            zeros = at + Int64(count)..<at + Int64(count)
        }
    }
}
