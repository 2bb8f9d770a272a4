public import Files

/// What is known while a file is read: how far it has come, and what is missing.
final class RestoreProgress {
    let file: Int
    let range: Range<Int64>
    let skips: Bool
    let place: String
    /// The next byte to come.
    var expected: Int64
    /// The next record's number; nil where it is not known.
    var counter: UInt32?
    var lost: [LostRange] = []
    /// Why the bytes from `expected` on may be missing.
    var fault: StorageFault?

    init(_ file: Int, _ range: Range<Int64>, skips: Bool, place: String) {
        (self.file, self.range, self.skips, self.place) = (file, range, skips, place)
        expected = range.lowerBound
    }

    var isDone: Bool { expected >= range.upperBound }

    func describe(_ fault: StorageFault, object: Int64?, _ bytes: Range<Int64>? = nil) -> StorageFault {
        let from = bytes ?? expected..<range.upperBound
        let record = object.map { "record \($0), " } ?? ""
        return StorageFault(
            fault.kind, fault.id, "\(record)\(place), bytes \(from.lowerBound)..<\(from.upperBound)",
            fault.object.isEmpty ? fault.cause : "\(fault.object): \(fault.cause)", action: fault.action)
    }

    /// Notes that something is wrong from here on; throws unless damage is skipped.
    func meet(_ found: StorageFault, object: Int64?) throws(StorageFault) {
        let named = describe(found, object: object)
        guard skips else { throw named }
        if fault == nil { fault = found }
    }

    /// Takes bytes that are there.
    func take(_ bytes: Range<Int64>, object: Int64) throws(StorageFault) {
        if bytes.lowerBound > expected { try lose(to: min(bytes.lowerBound, range.upperBound), object: object) }
        expected = max(expected, bytes.upperBound)
        if bytes.upperBound > range.lowerBound { fault = nil }
    }

    /// The bytes up to `end` are not to be had.
    func lose(to end: Int64, object: Int64?) throws(StorageFault) {
        guard end > expected else { return }
        let cause = fault ?? .order("bytes of it are missing", "a file")
        let named = describe(cause, object: object, expected..<end)
        guard skips else { throw named }
        lost.append(LostRange(range: expected..<end, fault: named))
        expected = end
    }
}

extension StorageFault {
    static func order(_ cause: String, _ object: String) -> StorageFault {
        StorageFault(
            .damaged, "TAPE-RECORD-ORDER", object, cause,
            action: "Restore from another copy of the set; what other records hold can still be read")
    }
}

extension OpenSet {
    /// Reads a file, or part of it, into a target; the target keeps its holes.
    /// - Parameters:
    ///   - index: in `files`.
    ///   - range: nil for all of it. Bytes keep their places: the target sees the file's own offsets.
    /// - Returns: what was lost, if damage was to be skipped.
    /// - Throws: `TAPE-RECORD-TAG` and `TAPE-RECORD-DAMAGED` for a changed record, `TAPE-RECORD-ORDER` for one that is
    ///   missing, repeated or out of its place, `TAPE-SET-TRUNCATED`, `TAPE-SPAN-MISSING`, `TAPE-SPAN-WRONG`; each with
    ///   record, set, file and bytes. What the target throws.
    public func read(
        _ index: Int, _ range: Range<Int64>? = nil, to target: any SetTarget,
        _ options: RestoreOptions = RestoreOptions()
    ) throws(StorageFault) -> RestoreReport {
        guard files.indices.contains(index) else {
            throw StorageFault(
                .badInput, "TAPE-NO-FILE", "file \(index) of set \(entry.set)", "it has \(files.count) files",
                action: "Choose one of them")
        }
        let file = files[index]
        let wanted = (range ?? 0..<file.size).clamped(to: 0..<file.size)
        try target.prepare(size: file.size)
        let progress = RestoreProgress(
            index, wanted, skips: options.skipsDamaged, place: "file \(index) of set \(entry.set)")
        let workers = max(1, options.workers ?? Workers.count())
        var current: SpanInput? = spans[0]
        while let span = current, !progress.isDone {
            if entry.isPlain {
                try readPlain(span, progress, target, workers)
            } else {
                try readSealed(span, progress, target, workers)
            }
            if progress.isDone { break }
            do throws(StorageFault) {
                current = try nextSpan(after: span)
            } catch {
                try progress.meet(error, object: nil)
                current = nil
            }
            progress.counter = nil
        }
        if !progress.isDone {
            if progress.fault == nil {
                try progress.meet(
                    spans[spans.count - 1].truncated("it ends before the file does"), object: nil)
            }
            try progress.lose(to: wanted.upperBound, object: nil)
        }
        let lost = progress.lost.reduce(Int64(0)) { $0 + $1.range.upperBound - $1.range.lowerBound }
        return RestoreReport(bytes: wanted.upperBound - wanted.lowerBound - lost, lost: progress.lost)
    }

    private func readSealed(
        _ span: SpanInput, _ progress: RestoreProgress, _ target: any SetTarget, _ workers: Int
    ) throws(StorageFault) {
        guard let keys = span.keys else { return }
        let wanted = UInt32(progress.file)
        let start = try span.first(wanted, holding: progress.expected)
        guard let start else { return }
        let range = progress.range
        let size = files[progress.file].size
        // The file's records end with blocks and a record of another file. One of the two alone may be astray.
        var (isInFile, metBlocks) = (false, false)
        try SpanPass(
            span: span, keys: keys, workers: workers, wanted: range.upperBound - progress.expected
        ).run(
            start..<span.objects.upperBound,
            deliver: { (file, first, bytes, count) throws(StorageFault) in
                guard file == wanted, let bytes, first >= 0, first <= size - count else { return }
                let part = (first..<first + count).clamped(to: range)
                guard !part.isEmpty else { return }
                try target.write(
                    UnsafeRawBufferPointer(
                        rebasing: bytes[Int(part.lowerBound - first)..<Int(part.upperBound - first)]),
                    at: part.lowerBound)
            },
            more: { slot in
                switch slot.kind {
                case .blocks:
                    if isInFile { metBlocks = true }
                    return .go
                case .sealed:
                    guard let header = slot.header else { return .go }
                    guard header.file == wanted else {
                        return metBlocks && header.file > wanted && header.file != SealedHeader.directory ? .stop : .go
                    }
                    isInFile = true
                    return header.firstByte &+ header.plainLength >= UInt64(range.upperBound) ? .stop : .go
                default: return .go
                }
            },
            collect: { (slot) throws(StorageFault) in
                if let fault = slot.fault {
                    try progress.meet(fault, object: slot.object)
                    return .go
                }
                guard let header = slot.header else { return .go }
                if header.flag != .more { return .stop }
                try self.order(header, slot, progress, file: wanted)
                return progress.isDone ? .stop : .go
            })
    }

    /// Holds an authentic record against what should come.
    private func order(
        _ header: SealedHeader, _ slot: ReadSlot, _ progress: RestoreProgress, file: UInt32
    ) throws(StorageFault) {
        if let counter = progress.counter, header.counter != counter, progress.fault == nil {
            let cause =
                header.counter < counter
                ? "record number \(header.counter) comes again where \(counter) should"
                : "records \(counter)..<\(header.counter) of the span are not there or elsewhere"
            try progress.meet(.order(cause, ""), object: slot.object)
        }
        progress.counter = max(progress.counter ?? 0, header.counter &+ 1)
        guard header.file == file else {
            try progress.meet(.order("a record of file \(header.file) lies in it", ""), object: slot.object)
            return
        }
        let first = Int64(header.firstByte)
        let end = first + Int64(header.plainLength)
        guard end <= files[progress.file].size else {
            try progress.meet(.order("it ends beyond the file", ""), object: slot.object)
            return
        }
        guard first <= progress.expected || progress.fault != nil || progress.skips else {
            throw progress.describe(
                .order("bytes \(progress.expected)..<\(first) are not there", ""), object: slot.object)
        }
        try progress.take(first..<end, object: slot.object)
    }

    private func readPlain(
        _ span: SpanInput, _ progress: RestoreProgress, _ target: any SetTarget, _ workers: Int
    ) throws(StorageFault) {
        guard let keys = span.keys, let extent = extent(of: progress.file, in: span) else { return }
        let record = Int64(entry.recordLength)
        let size = files[progress.file].size
        // A span that goes on ends with one record of padding.
        let room = max(0, span.objects.upperBound - extent.object - 1)
        let records = min((size - extent.firstByte + record - 1) / record, room)
        let end = min(size, extent.firstByte + records * record)
        guard progress.expected < end, progress.expected >= extent.firstByte else { return }
        let skipped = (progress.expected - extent.firstByte) / record
        let last = (min(progress.range.upperBound, end) - extent.firstByte + record - 1) / record
        let isWhole = skipped == 0 && last == records
        let range = progress.range
        var checks = RecordChecks()
        var damaged = false
        try SpanPass(
            span: span, keys: keys, workers: workers, wanted: range.upperBound - progress.expected
        ).run(
            extent.object + skipped..<extent.object + last, plain: extent.firstByte + skipped * record,
            deliver: { (_, first, bytes, count) throws(StorageFault) in
                let part = (first..<first + count).clamped(to: range)
                guard let bytes, !part.isEmpty else { return }
                try target.write(
                    UnsafeRawBufferPointer(
                        rebasing: bytes[Int(part.lowerBound - first)..<Int(part.upperBound - first)]),
                    at: part.lowerBound)
            },
            more: { _ in .go },
            collect: { (slot) throws(StorageFault) in
                guard case .plain(let first) = slot.kind, slot.fault == nil else {
                    damaged = true
                    if let fault = slot.fault { try progress.meet(fault, object: slot.object) }
                    return .go
                }
                let length = min(record, size - first)
                guard Int64(slot.count) == length else {
                    damaged = true
                    try progress.meet(
                        .order("a record of \(slot.count) bytes lies where \(length) should", ""), object: slot.object)
                    return progress.skips ? .go : .stop
                }
                var tag = (slot.tag.0.littleEndian, slot.tag.1.littleEndian)
                withUnsafeBytes(of: &tag) { checks.add($0) }
                try progress.take(first..<first + length, object: slot.object)
                return .go
            })
        if progress.expected < min(range.upperBound, end), damaged {
            try progress.lose(to: min(range.upperBound, end), object: nil)
        }
        guard isWhole, !damaged else { return }
        try compare(checks, span, extent, ends: end == size, progress)
    }

    /// Holds what was read of a plain file against the checks behind it.
    func compare(
        _ checks: RecordChecks, _ span: SpanInput, _ extent: FileExtent, ends: Bool, _ progress: RestoreProgress
    ) throws(StorageFault) {
        let object = extent.object + Int64(checks.records)
        guard let written = try span.checks(of: extent, ends: ends, at: object) else {
            try progress.meet(
                StorageFault.order("the checks behind its data cannot be read, so that they are not proved", ""),
                object: object)
            return
        }
        let record = Int64(entry.recordLength)
        for run in checks.differences(from: written) {
            let bytes =
                extent.firstByte + run.lowerBound
                * record..<min(
                    extent.firstByte + run.upperBound * record, files[progress.file].size)
            let fault = progress.describe(
                .tag("", "it is not what was written: its checksum differs"), object: extent.object + run.lowerBound,
                bytes)
            guard progress.skips else { throw fault }
            progress.lost.append(LostRange(range: bytes, fault: fault))
        }
    }

    func extent(of file: Int, in span: SpanInput) -> FileExtent? {
        span.extent(of: UInt32(file))
    }
}
