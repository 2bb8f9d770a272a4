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
    /// Whether it matters what can be made smaller.
    let compresses: Bool

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
            Piece(first: zeros.lowerBound, length: zeros.upperBound - zeros.lowerBound, endsFile: true))
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

    /// Cuts what was read into runs of zeros, of data, and of data that look like chance. Zeros at the end are left in
    /// `zeros`, to grow with what follows.
    private func split(_ slot: WriteSlot, _ at: Int64, _ count: Int, _ zeros: inout Range<Int64>, _ size: Int64) {
        let granule = isPlain ? chunk : Self.granule
        var from = 0
        while from < count {
            let kind = kind(of: slot, from, granule, count)
            var to = min(count, from + granule)
            while to < count, self.kind(of: slot, to, granule, count) == kind { to = min(count, to + granule) }
            let place = at + Int64(from)..<at + Int64(to)
            if kind == .zeros {
                zeros = zeros.isEmpty ? place : zeros.lowerBound..<place.upperBound
            } else {
                if !zeros.isEmpty {
                    slot.pieces.append(
                        Piece(first: zeros.lowerBound, length: zeros.upperBound - zeros.lowerBound, endsFile: false))
                }
                zeros = place.upperBound..<place.upperBound
                // A short run is not worth a record of its own.
                if let last = slot.pieces.last, let start = last.place, last.first + last.length == place.lowerBound,
                    last.isDense == (kind == .dense) || to - from < 2 * granule || Int(last.length) < 2 * granule
                {
                    let index = slot.pieces.count - 1
                    // Of two runs made one the longer says what it is tried as; what can be smaller is always tried.
                    slot.pieces[index].length += Int64(to - from)
                    slot.pieces[index].isDense = last.isDense && kind == .dense
                    slot.pieces[index].place = start
                    slot.pieces[index].endsFile = place.upperBound == size
                } else {
                    slot.pieces.append(
                        Piece(
                            first: place.lowerBound, length: Int64(to - from), place: from, isDense: kind == .dense,
                            endsFile: place.upperBound == size))
                }
            }
            from = to
        }
    }

    private enum Kind { case zeros, dense, other }

    private func kind(of slot: WriteSlot, _ from: Int, _ granule: Int, _ count: Int) -> Kind {
        let bytes = UnsafeRawBufferPointer(slot.input[from..<min(count, from + granule)])
        if bytes.isZero { return .zeros }
        return compresses && Incompressible.looks(bytes) ? .dense : .other
    }
}
