import Files

/// A tape record on its way to a file. One thread has it at a time.
final class ReadSlot: @unchecked Sendable {
    enum Kind {
        /// A record with a sealed one in it.
        case sealed(Range<Int>)
        /// Bytes of a plain file from this offset on.
        case plain(Int64)
        /// Blocks and streams.
        case blocks
        case damaged
    }
    /// As read; where it was encrypted, opened in its place.
    let input: Buffer
    /// What an opened record holds that is no part of a file.
    var plainBytes: [UInt8] = []
    var kind = Kind.blocks
    var object: Int64 = 0
    var count = 0
    /// As read; after the work on it only if the tag holds.
    var header: SealedHeader?
    var tag = (UInt64(0), UInt64(0))
    var fault: StorageFault?

    init(maximum: Int) {
        input = Buffer(count: maximum)
    }
}

/// Opens records and hands out what is in them. One a thread.
final class RecordOpener {
    /// What a record holds; nil for zeros, of which `count` were meant.
    typealias Delivery =
        @Sendable (
            _ file: UInt32, _ first: Int64, _ bytes: UnsafeRawBufferPointer?, _ count: Int64
        ) throws(StorageFault) -> Void

    private let keys: SpanKeys
    private let sealer: RecordSealer
    private let decompressor = ZstdDecompressor()
    private let scratch = Buffer(count: SealedHeader.largestContent)
    private let deliver: Delivery?

    init(_ keys: SpanKeys, _ deliver: Delivery?) throws(StorageFault) {
        (self.keys, self.deliver) = (keys, deliver)
        sealer = try RecordSealer(keys.key, prefix: keys.prefix)
    }

    /// - Throws: what `deliver` throws. What is wrong with the record is noted in the slot.
    func work(on slot: ReadSlot) throws(StorageFault) {
        switch slot.kind {
        case .blocks, .damaged: return
        case .plain(let first):
            let bytes = UnsafeRawBufferPointer(slot.input[0..<slot.count])
            slot.tag = PieceSealer.tag(bytes)
            try deliver?(0, first, bytes.isZero ? nil : bytes, Int64(bytes.count))
        case .sealed(let range):
            let (header, plain): (SealedHeader, UnsafeRawBufferPointer?)
            do throws(StorageFault) {
                (header, plain) = try open(slot.input[range])
            } catch {
                slot.fault = error
                slot.header = nil
                return
            }
            slot.header = header
            // Directory and last record are looked at by whoever collects.
            guard header.flag == .more, header.file != SealedHeader.directory else {
                slot.plainBytes = plain.map { [UInt8]($0) } ?? []
                return
            }
            try deliver?(header.file, Int64(header.firstByte), plain, Int64(header.plainLength))
        }
    }

    private func open(
        _ record: UnsafeMutableRawBufferPointer
    ) throws(StorageFault) -> (SealedHeader, UnsafeRawBufferPointer?) {
        let sealed = UnsafeRawBufferPointer(record)
        let head = try SealedHeader(sealed)
        guard head.set == keys.set, head.span == keys.span else {
            throw StorageFault(
                .damaged, "TAPE-SPAN-WRONG", head.place, "it is not of span \(keys.span) of set \(keys.set)",
                action: "Load the cartridge that belongs to the set, or restore from another copy")
        }
        guard head.firstByte <= UInt64(SetPlan.largestFile), head.plainLength <= UInt64(SetPlan.largestFile) else {
            throw .header("its bytes lie beyond any file")
        }
        // In its place: a second megabyte would only push the first one out of the processor's cache.
        let content = UnsafeMutableRawBufferPointer(rebasing: record[SealedHeader.count...])
        let header = try sealer.open(sealed, into: content)
        let stored = UnsafeRawBufferPointer(rebasing: content[..<Int(header.storedLength)])
        switch header.compression {
        case .zeros: return (header, nil)
        case .stored: return (header, stored)
        case .zstd:
            let plain = scratch[0..<Int(header.plainLength)]
            guard decompressor.decompress(stored, into: plain) else {
                throw .tag(header.place, "it does not decompress to \(header.plainLength) bytes")
            }
            return (header, UnsafeRawBufferPointer(plain))
        }
    }
}

extension ReadSlot {
    /// Finds out what kind of record the input's first `count` bytes are on a set of sealed records.
    func sort() {
        kind = .blocks
        header = nil
        fault = nil
        let bytes = UnsafeRawBufferPointer(input[0..<count])
        guard let (sealed, header) = Self.sealed(bytes) else { return }
        kind = .sealed(sealed)
        self.header = header
    }

    /// Whether the record begins with a block, or with a stream of one.
    var holdsBlocks: Bool {
        let head = [UInt8](input.bytes.prefix(min(count, MTF.blockHeader)))
        return (try? BlockHeader(head, at: "")) != nil
            || (try? StreamHeader(Array(head.prefix(MTF.streamHeader)), at: "")) != nil
    }

    /// Where in a tape record the sealed record lies, and its header, not yet authenticated; nil if there is none.
    /// `bytes` may be the beginning of the record only.
    static func sealed(_ bytes: UnsafeRawBufferPointer) -> (Range<Int>, SealedHeader)? {
        guard bytes.count >= MTF.streamHeader + SealedHeader.count,
            bytes.loadUnaligned(as: UInt32.self) == FourLetters.sealed.code.littleEndian
        else { return nil }
        let body = UnsafeRawBufferPointer(rebasing: bytes[MTF.streamHeader...])
        guard let header = try? SealedHeader(body) else { return (MTF.streamHeader..<bytes.count, SealedHeader.none) }
        let end = min(bytes.count, MTF.streamHeader + SealedHeader.overhead + Int(header.storedLength))
        return (MTF.streamHeader..<end, header)
    }
}

extension SealedHeader {
    /// Stands for a header that cannot be read.
    static let none = SealedHeader(set: .zero, span: 0, counter: 0)
}
