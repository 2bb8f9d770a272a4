import Files

/// Finds out of what records and filemarks the flat file of a tape was made: goes from block to block and from stream to stream, reading no
/// data. Time: one small read for each block and stream.
final class FlatWalk {
    enum Piece: Hashable {
        /// A range of the file, in records of `length` bytes of which the last may be shorter.
        case records(Range<Int64>, length: Int64)
        case filemark
    }

    /// Bytes of a record of another program's tape.
    static let foreignRecord = 1 << 16
    static let softFilemark: FourLetters = "SFMB"
    /// What may begin a tape file, and what the one before it may have begun with.
    private static let order: [FourLetters: [FourLetters]] = [
        .setStart: [.tape, .setEnd], .setEnd: [.setStart], .tapeEnd: [.tape, .setStart, .setEnd],
    ]

    private let file: any StoreFile
    private let size: Int64
    private let longest: Int64
    private let emit: (Piece) throws(StorageFault) -> Void
    private(set) var isOwn = false
    var addressesHold = true
    private var flb = Int64(MTF.flb)
    /// What the tape file began with.
    private var part: FourLetters?
    /// The last block.
    private var type: FourLetters?
    /// Whether the set has plain files.
    private var isPlain = false
    /// In what records blocks are written.
    private var record: Int64
    /// Where the next record begins, and its number.
    private var start: Int64 = 0
    private var object: Int64 = 0

    init(
        _ file: any StoreFile, size: Int64, longest: Int, _ emit: @escaping (Piece) throws(StorageFault) -> Void
    ) {
        (self.file, self.size, self.longest, self.emit) = (file, size, Int64(longest), emit)
        record = Int64(min(Self.foreignRecord, longest))
    }

    /// - Throws: `TAPE-FLAT` for what is not well formed; what `emit` throws.
    func run() throws(StorageFault) {
        var at: Int64 = 0
        while at < size {
            let content = try isContinued(at) ? at : block(at)
            at = try streams(from: content)
            // Behind its directory a set's files begin in a record of their own.
            if isOwn, type == .directory { try flush(to: at) }
        }
        guard let part, part != .setStart else {
            throw malformed(at, part == nil ? "it is empty" : "it ends before the set does")
        }
        try flush(to: size)
        try put(.filemark)
    }

    private func malformed(_ at: Int64, _ cause: String) -> StorageFault {
        StorageFault(
            .badInput, "TAPE-FLAT", "\(file.path), byte \(at)", cause,
            action: "Check that it is a file of the Microsoft Tape Format (.bkf) and that it is whole")
    }

    // MARK: Records

    private func put(_ piece: Piece) throws(StorageFault) {
        if case .records(let range, let length) = piece {
            object += (range.upperBound - range.lowerBound + length - 1) / length
        } else {
            object += 1
        }
        try emit(piece)
    }

    /// What is before `end` and in no record yet goes into records of its own.
    private func flush(to end: Int64) throws(StorageFault) {
        if end > start { try put(.records(start..<end, length: record)) }
        start = end
    }

    // MARK: Blocks

    private func header(_ at: Int64) throws(StorageFault) -> BlockHeader? {
        guard at >= 0, size - at >= Int64(MTF.blockHeader) else { return nil }
        let bytes = try file.bytes(MTF.blockHeader, at: at)
        do throws(StorageFault) { return try BlockHeader(bytes, at: "") } catch { return nil }
    }

    private func stream(_ at: Int64) throws(StorageFault) -> StreamHeader? {
        guard at >= 0, size - at >= Int64(MTF.streamHeader) else { return nil }
        let bytes = try file.bytes(MTF.streamHeader, at: at)
        do throws(StorageFault) { return try StreamHeader(bytes, at: "") } catch { return nil }
    }

    /// Where a medium ends between two files of a set, the summary and padding of its span follow the padding of the last file.
    private func isContinued(_ at: Int64) throws(StorageFault) -> Bool {
        guard isOwn, part == .setStart, let stream = try stream(at) else { return false }
        return stream.id == .pad || stream.id == .sealed
    }

    /// Takes the block; returns where its streams begin.
    private func block(_ at: Int64) throws(StorageFault) -> Int64 {
        guard let header = try header(at) else { throw malformed(at, "no block with a true checksum lies there") }
        let end = at + Int64(header.firstEvent)
        guard end <= size else { throw malformed(at, "it ends within a block \(header.type)") }
        let block = try content(header, at)
        if let part {
            if let before = Self.order[header.type] {
                guard before.contains(part) else { throw malformed(at, "a block \(header.type) follows \(part)") }
                try flush(to: at)
                try put(.filemark)
                self.part = header.type
            }
            guard header.type != .tape, self.part != .tape || header.type == Self.softFilemark else {
                throw malformed(at, "a block \(header.type) lies where a set should begin")
            }
        } else {
            guard case .tape(let facts)? = block?.content else {
                throw malformed(at, "it does not begin with a TAPE block")
            }
            guard facts.flb >= 512, facts.flb % 512 == 0 else {
                throw malformed(at, "blocks on multiples of \(facts.flb) bytes are not to be")
            }
            flb = Int64(facts.flb)
            part = .tape
        }
        type = header.type
        if isOwn, let block { try note(block, at, end) }
        return end
    }

    /// The whole block where something in it matters.
    private func content(_ header: BlockHeader, _ at: Int64) throws(StorageFault) -> Block? {
        guard header.type == .tape || isOwn else { return nil }
        let bytes = try file.bytes(header.firstEvent, at: at)
        do throws(StorageFault) {
            return try Block(decoding: bytes, at: "")
        } catch { throw malformed(at, error.cause) }
    }

    private func note(_ block: Block, _ at: Int64, _ end: Int64) throws(StorageFault) {
        switch block.content {
        case .setStart(let facts):
            let clear: ClearFacts?
            do throws(StorageFault) { clear = try ClearFacts(osData: block.osData, at: "") } catch {
                throw malformed(at, error.cause)
            }
            guard let clear else { throw malformed(at, "a set of another program lies behind a label of this one") }
            guard clear.record <= longest else {
                throw malformed(at, "its records of \(clear.record) bytes are longer than \(longest)")
            }
            (record, isPlain) = (Int64(clear.record), clear.plain)
            if facts.object != UInt64(object) { addressesHold = false }
        case .setEnd(let facts): if facts.object != UInt64(object) { addressesHold = false }
        case .file: if !isPlain { try flush(to: end) }
        default: break
        }
    }

    // MARK: Streams

    /// Goes through the streams of a block; returns where the next block begins.
    private func streams(from begin: Int64) throws(StorageFault) -> Int64 {
        var at = begin
        while true {
            at = MTF.aligned(at)
            guard let header = try stream(at) else {
                if let next = try bareEnd(at) { return next }
                throw malformed(at, "no stream with a true checksum lies there")
            }
            let content = at + Int64(MTF.streamHeader)
            if header.id == .standardData, let end = try cutEnd(content, Int64(header.length)) {
                guard isOwn, type == .file else { return end }
                at = try plain(content..<content + max(0, end - content - Int64(MTF.streamHeader)) / record * record)
                guard at < content + Int64(header.length) else {
                    throw malformed(at, "the checks of a file are missing")
                }
                continue
            }
            guard Int64(header.length) <= size - content else {
                throw malformed(at, "it ends within a stream \(header.id)")
            }
            let end = content + Int64(header.length)
            if header.id == .pad {
                guard end % flb == 0 else { throw malformed(at, "a padding does not end on a multiple of \(flb)") }
                return end
            }
            try take(header.id, at, content..<end)
            at = end
        }
    }

    /// Where blocks of other programs have no streams: the next block, or the end.
    private func bareEnd(_ at: Int64) throws(StorageFault) -> Int64? {
        guard !isOwn, let type else { return nil }
        let next = (at + flb - 1) / flb * flb
        guard next <= size else { return nil }
        if next > at, type != Self.softFilemark {
            guard try file.bytes(Int(next - at), at: at).allSatisfy({ $0 == 0 }) else { return nil }
        }
        if next == size { return next }
        return try header(next) == nil ? nil : next
    }

    private func take(_ id: FourLetters, _ at: Int64, _ content: Range<Int64>) throws(StorageFault) {
        if id == .onMedia, type == .tape {
            guard flb == MTF.flb else { throw malformed(at, "its blocks lie on multiples of \(flb) bytes") }
            isOwn = true
            record = min(1 << 20, longest)
        }
        guard isOwn else { return }
        switch id {
        case .standardData where type == .file: _ = try plain(content)
        case .sealed where part == .setStart:
            let end = MTF.aligned(content.upperBound)
            guard end <= size, end - at <= longest else {
                throw malformed(at, "a sealed record of \(end - at) bytes is cut or longer than \(longest)")
            }
            try flush(to: at)
            try put(.records(at..<end, length: end - at))
            start = end
        case .seal: try flush(to: at)
        default: break
        }
    }

    /// The data of a plain file: what is before it and the data itself are in records of their own.
    private func plain(_ content: Range<Int64>) throws(StorageFault) -> Int64 {
        try flush(to: content.lowerBound)
        if !content.isEmpty { try put(.records(content, length: record)) }
        start = content.upperBound
        return start
    }

    // MARK: Data that go on on the next medium

    /// Where the medium's EOTM lies if a file's data go on behind it; nil if they end before.
    private func cutEnd(_ content: Int64, _ length: Int64) throws(StorageFault) -> Int64? {
        if length <= size - content {
            let behind = try stream(MTF.aligned(content + length))
            // Its checks follow a file of this program; the trailer may be longer than what is missing of the file.
            if behind != nil, !isOwn || type != .file || behind?.id == .checks { return nil }
        }
        guard let end = try mediumEnd(behind: content) else {
            throw malformed(content, "a file's data end neither where they should nor with the medium")
        }
        return end
    }

    /// The EOTM with whose streams the file ends.
    private func mediumEnd(behind from: Int64) throws(StorageFault) -> Int64? {
        let window = 1 << 20
        let buffer = Buffer(count: window)
        var candidates = 0
        // Windows and blocks are both counted from multiples of the block's size.
        let step = Int64(window) / flb * flb
        var low = size / step * step
        while low >= 0, low + step > from {
            let count = try file.read(into: buffer[0..<Int(min(step, size - low))], at: low)
            for offset in stride(from: Int64(0), to: Int64(count), by: Int(flb)).reversed() where low + offset >= from {
                guard offset + 4 <= count,
                    UInt32(littleEndian: buffer.bytes.loadUnaligned(fromByteOffset: Int(offset), as: UInt32.self))
                        == FourLetters.tapeEnd.code
                else { continue }
                if try endsFile(low + offset) { return low + offset }
                candidates += 1
                // Nobody has so many, unless to make a reader slow.
                if candidates == 64 { return nil }
            }
            low -= step
        }
        return nil
    }

    private func endsFile(_ block: Int64) throws(StorageFault) -> Bool {
        guard let header = try header(block), header.type == .tapeEnd else { return false }
        var at = block + Int64(header.firstEvent)
        for _ in 0..<4096 {
            at = MTF.aligned(at)
            guard let stream = try stream(at) else { return !isOwn && (at + flb - 1) / flb * flb == size }
            let content = at + Int64(MTF.streamHeader)
            guard Int64(stream.length) <= size - content else { return false }
            at = content + Int64(stream.length)
            if stream.id == .pad { return at == size }
        }
        return false
    }
}
