import Files

/// What every stream begins with: 22 bytes, the last two of them the XOR of the ten words before.
struct StreamHeader: Hashable, Sendable {
    enum Media {
        static let continues: UInt16 = 1 << 0
        static let variable: UInt16 = 1 << 1
        static let variableEnd: UInt16 = 1 << 2
        static let encrypted: UInt16 = 1 << 3
        static let compressed: UInt16 = 1 << 4
    }

    var id: FourLetters
    var system: UInt16 = 0
    var media: UInt16 = 0
    /// Bytes that follow the header, without what aligns the next one to 4.
    var length: UInt64
    var encryption: UInt16 = 0
    var compression: UInt16 = 0

    init(_ id: FourLetters, length: Int64, media: UInt16 = 0) {
        (self.id, self.length, self.media) = (id, UInt64(length), media)
    }

    /// - Throws: `TAPE-MTF` if there are fewer than 22 bytes, the checksum does not hold or the length is impossible.
    init(_ bytes: UnsafeRawBufferPointer, at place: String) throws(StorageFault) {
        guard bytes.count >= MTF.streamHeader else { throw .mtf(place, "a stream ends within its header") }
        var words: [UInt16] = []
        words.reserveCapacity(11)
        for index in 0..<11 {
            words.append(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)))
        }
        guard words[..<10].reduce(0, ^) == words[10] else {
            throw .mtf(place, "the checksum of a stream does not hold")
        }
        id = FourLetters(code: UInt32(words[0]) | UInt32(words[1]) << 16)
        guard id.isPrintable else { throw .mtf(place, "a stream has no type") }
        (system, media) = (words[2], words[3])
        length = (0..<4).reduce(0) { $0 | UInt64(words[4 + $1]) << (16 * $1) }
        (encryption, compression) = (words[8], words[9])
        guard length <= UInt64(Int64.max / 2) else { throw .mtf(place, "a stream \(id) is impossibly long") }
    }

    init(_ bytes: [UInt8], at place: String) throws(StorageFault) {
        self = try bytes.withBytes { (all) throws(StorageFault) in try StreamHeader(all, at: place) }
    }

    /// Writes its 22 bytes; `target` has room for them.
    func put(into target: UnsafeMutableRawBufferPointer) {
        let words: (UInt16, UInt16) = (UInt16(truncatingIfNeeded: id.code), UInt16(truncatingIfNeeded: id.code >> 16))
        var sum = words.0 ^ words.1 ^ system ^ media ^ encryption ^ compression
        func store(_ word: UInt16, _ index: Int) {
            target.storeBytes(of: word.littleEndian, toByteOffset: 2 * index, as: UInt16.self)
        }
        store(words.0, 0)
        store(words.1, 1)
        store(system, 2)
        store(media, 3)
        for index in 0..<4 {
            let word = UInt16(truncatingIfNeeded: length >> (16 * UInt64(index)))
            sum ^= word
            store(word, 4 + index)
        }
        store(encryption, 8)
        store(compression, 9)
        store(sum, 10)
    }

    var encoded: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: MTF.streamHeader)
        bytes.withUnsafeMutableBytes { put(into: $0) }
        return bytes
    }

    /// The padding stream that follows the flat position `at` (a multiple of 4) and ends on a multiple of 1024; at
    /// least its own header.
    static func pad(at position: Int64) -> [UInt8] {
        let flb = Int64(MTF.flb)
        let start = MTF.aligned(position)
        let end = (start + Int64(MTF.streamHeader) + flb - 1) / flb * flb
        let header = StreamHeader(.pad, length: end - start - Int64(MTF.streamHeader))
        return [UInt8](repeating: 0, count: Int(start - position)) + header.encoded
            + [UInt8](repeating: 0, count: Int(header.length))
    }
}
