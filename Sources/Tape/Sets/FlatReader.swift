import Files

/// Reads the flat byte stream of one tape file, from where the tape stands to the next filemark: blocks and streams,
/// across records.
final class FlatReader {
    private let tape: any TapeMedium
    private let buffer: Buffer
    private var unread = 0..<0
    /// Bytes of the tape file before the next one.
    private(set) var position: Int64
    private var isAtEnd = false
    /// The record in which the next byte lies, if any of it was read.
    private(set) var object: Int64

    /// - Parameter position: where in the flat stream of its tape file the next record begins.
    init(_ tape: any TapeMedium, position: Int64 = 0) {
        (self.tape, self.position) = (tape, position)
        buffer = Buffer(count: tape.maximumRecord)
        object = tape.position.object
    }

    var place: String { "record \(object)" }

    /// Whether there is another byte. Reads the next record if need be.
    func hasMore() throws(StorageFault) -> Bool {
        while unread.isEmpty, !isAtEnd {
            object = tape.position.object
            switch try tape.read(into: buffer.bytes) {
            case .record(let length):
                guard length <= buffer.bytes.count else { throw .mtf(place, "a record of \(length) bytes is too long") }
                unread = 0..<length
            case .filemark, .endOfData: isAtEnd = true
            }
        }
        return !unread.isEmpty
    }

    /// The next `count` bytes; nil if the tape file ends before.
    func bytes(_ count: Int) throws(StorageFault) -> [UInt8]? {
        var taken: [UInt8] = []
        taken.reserveCapacity(min(count, 1 << 20))
        while taken.count < count {
            guard try hasMore() else { return nil }
            let step = min(count - taken.count, unread.count)
            taken.append(contentsOf: buffer.bytes[unread.lowerBound..<unread.lowerBound + step])
            unread = unread.lowerBound + step..<unread.upperBound
            position += Int64(step)
        }
        return taken
    }

    func skip(_ count: Int64) throws(StorageFault) {
        var left = count
        while left > 0 {
            guard try hasMore() else { throw .mtf(place, "the tape file ends \(left) bytes early") }
            let step = min(left, Int64(unread.count))
            unread = unread.lowerBound + Int(step)..<unread.upperBound
            position += step
            left -= step
        }
    }

    /// The next block; nil at the end of the tape file. The stream stands on a multiple of 1024 then.
    func block() throws(StorageFault) -> Block? {
        let flb = Int64(MTF.flb)
        try skip((flb - position % flb) % flb)
        guard try hasMore() else { return nil }
        guard var bytes = try bytes(MTF.blockHeader) else { throw .mtf(place, "a block ends within its header") }
        let header = try BlockHeader(bytes, at: place)
        guard let rest = try self.bytes(header.firstEvent - bytes.count) else {
            throw .mtf(place, "a block \(header.type) is cut")
        }
        bytes += rest
        return try Block(decoding: bytes, at: place)
    }

    /// The header of the next stream of the block; nil after its padding, which is taken.
    func stream() throws(StorageFault) -> StreamHeader? {
        try align()
        guard let bytes = try bytes(MTF.streamHeader) else { throw .mtf(place, "a block's streams have no end") }
        let header = try StreamHeader(bytes, at: place)
        guard header.id == .pad else { return header }
        try skip(Int64(header.length))
        return nil
    }

    func align() throws(StorageFault) { try skip(MTF.aligned(position) - position) }

    /// The content of a stream whose header was just taken.
    /// - Throws: `TAPE-MTF` if it is longer than `limit`, before memory is taken, or cut.
    func content(_ header: StreamHeader, limit: Int) throws(StorageFault) -> [UInt8] {
        guard header.length <= UInt64(limit) else {
            throw .mtf(place, "a stream \(header.id) of \(header.length) bytes is longer than \(limit)")
        }
        guard let content = try bytes(Int(header.length)) else { throw .mtf(place, "a stream \(header.id) is cut") }
        return content
    }
}
