import Files

/// What the records of a span are sealed with.
final class SpanKeys: Sendable {
    let set: GUID
    let span: UInt32
    /// Nil: not encrypted.
    let key: RecordKey?
    let prefix: [UInt8]
    /// First 8 bytes of the tag hash of the span before.
    let binding: UInt64

    init(set: GUID, span: UInt32, key: RecordKey?, prefix: [UInt8], binding: UInt64) {
        (self.set, self.span, self.key, self.prefix, self.binding) = (set, span, key, prefix, binding)
    }

    func header(_ counter: UInt32) -> SealedHeader {
        var header = SealedHeader(set: set, span: span, counter: counter)
        header.before = counter == 0 ? binding : 0
        return header
    }
}

/// A run of a file's bytes that becomes one record, or, being zeros on a plain set, several.
struct Piece {
    var first: Int64
    var length: Int64
    /// Where in the slot's input it lies; nil for zeros.
    var place: Int?
    /// It looks like chance: not worth compressing.
    var isDense = false
    var endsFile: Bool
    var counter: UInt32 = 0
    /// The finished tape record in the slot's output.
    var record = 0..<0
    /// On a plain set: XXH3 of the bytes with the seeds 0 and 1.
    var tag = (UInt64(0), UInt64(0))
}

/// A record's bytes on their way from file to tape. One thread has it at a time.
final class WriteSlot: @unchecked Sendable {
    let input: Buffer
    let output: Buffer
    var file = 0
    var startsFile = false
    var pieces: [Piece] = []
    /// Their number when it was filled; looked at while a worker has the slot.
    var pieceCount = 0
    var keys: SpanKeys?

    /// Bytes besides the content that the records of one slot may take.
    static let overhead = 8192
    static let mostPieces = 34

    init(chunk: Int, isPlain: Bool) {
        input = Buffer(count: chunk)
        output = Buffer(count: isPlain ? 0 : chunk + Self.overhead)
        pieces.reserveCapacity(Self.mostPieces)
    }
}

/// Which span records are sealed for, and the next one's number. Guarded by the ring.
final class SpanCounter: @unchecked Sendable {
    var keys: SpanKeys
    var next: UInt32

    init(_ keys: SpanKeys, next: UInt32) { (self.keys, self.next) = (keys, next) }

    func number(_ slot: WriteSlot) {
        slot.keys = keys
        for index in slot.pieces.indices {
            slot.pieces[index].counter = next
            next &+= 1
        }
    }
}

/// Makes records of pieces: compresses, seals. One a thread.
final class PieceSealer {
    /// What a record needs before its content, with the content on a multiple of 64.
    private static let front = MTF.streamHeader + SealedHeader.count
    private let isPlain: Bool
    private let compressor: ZstdCompressor?
    private var keys: SpanKeys?
    private var sealer: RecordSealer?

    init(_ options: SetOptions) {
        isPlain = options.isPlain
        compressor = options.compression.map { ZstdCompressor(level: $0.level) }
    }

    func work(on slot: WriteSlot, from first: Int = 0) throws(StorageFault) {
        if isPlain {
            for index in first..<slot.pieces.count {
                guard let place = slot.pieces[index].place else { continue }
                let bytes = UnsafeRawBufferPointer(slot.input[place..<place + Int(slot.pieces[index].length)])
                slot.pieces[index].tag = Self.tag(bytes)
            }
            return
        }
        guard let keys = slot.keys else { return }
        var used = 0
        for index in first..<slot.pieces.count {
            let piece = slot.pieces[index]
            var header = keys.header(piece.counter)
            header.file = UInt32(slot.file)
            header.firstByte = UInt64(piece.first)
            header.plainLength = UInt64(piece.length)
            let content = piece.place.map { UnsafeRawBufferPointer(slot.input[$0..<$0 + Int(piece.length)]) }
            slot.pieces[index].record = try seal(
                header, content, isDense: piece.isDense, endsStream: piece.endsFile, with: keys, into: slot.output,
                at: used)
            used = slot.pieces[index].record.upperBound
        }
    }

    static func tag(_ bytes: UnsafeRawBufferPointer) -> (UInt64, UInt64) {
        (XXH3.of(bytes, seed: 0), XXH3.of(bytes, seed: 1))
    }

    /// A whole tape record: stream header, sealed record, padding.
    /// - Parameter content: nil for zeros.
    /// - Returns: where in `buffer` it lies, behind `used`.
    func seal(
        _ header: SealedHeader, _ content: UnsafeRawBufferPointer?, isDense: Bool = false, endsStream: Bool,
        with keys: SpanKeys, into buffer: Buffer, at used: Int
    ) throws(StorageFault) -> Range<Int> {
        if self.keys !== keys {
            sealer = try RecordSealer(keys.key, prefix: keys.prefix)
            self.keys = keys
        }
        guard let sealer else { return 0..<0 }
        var header = header
        let start = (used + Self.front + 63) / 64 * 64 - Self.front
        let target = buffer[start + MTF.streamHeader..<buffer.bytes.count]
        let count: Int
        if let content, !content.isEmpty {
            let room = UnsafeMutableRawBufferPointer(
                rebasing: target[SealedHeader.count..<SealedHeader.count + content.count])
            if let compressor, !isDense, content.count > 64,
                let size = compressor.compress(content, into: room), size < content.count - content.count / 32
            {
                header.compression = .zstd
                count = try sealer.seal(
                    header, UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<size]), into: target)
            } else {
                header.compression = .stored
                count = try sealer.seal(header, content, into: target)
            }
        } else {
            header.compression = .zeros
            count = try sealer.seal(header, UnsafeRawBufferPointer(start: nil, count: 0), into: target)
        }
        var stream = StreamHeader(.sealed, length: Int64(count), media: StreamHeader.Media.variable)
        if keys.key != nil { stream.media |= StreamHeader.Media.encrypted }
        if header.compression == .zstd { stream.media |= StreamHeader.Media.compressed }
        if endsStream { stream.media |= StreamHeader.Media.variableEnd }
        stream.put(into: buffer[start..<start + MTF.streamHeader])
        let end = start + MTF.streamHeader + count
        // The record's length counts from its beginning in the flat stream, which is a multiple of 4.
        let padded = start + MTF.aligned(MTF.streamHeader + count)
        for index in end..<padded { buffer.bytes[index] = 0 }
        return start..<padded
    }
}
