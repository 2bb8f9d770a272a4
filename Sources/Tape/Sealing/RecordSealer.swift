public import Files
import Glibc

/// Seals and opens the records of one span: AES-256-GCM over header and content, or, without a key, XXH3 of them. One thread at
/// a time; keeps its cipher's state, so that a record costs only its own bytes.
///
/// Seal with rising counters only (those of records that are the last of something count apart). A span that is written again takes a new salt and prefix, and thereby a new sealer.
public final class RecordSealer {
    /// Nil for suite none.
    private let cipher: GCM?
    /// The prefix, then the place of counter and flag.
    private let nonce = UnsafeMutableRawBufferPointer.allocate(byteCount: 12, alignment: 4)
    /// By flag the least counter that has not been sealed: counter and flag make the nonce.
    private var next: [UInt64] = [0, 0, 0]

    /// - Parameters:
    ///   - key: nil for suite none.
    ///   - prefix: of the span's nonces, 7 bytes; what follows them is not looked at.
    /// - Throws: `TAPE-24074` for a prefix that is too short, or if OpenSSL has no AES.
    public init(_ key: RecordKey?, prefix: [UInt8]) throws(StorageFault) {
        cipher = key.map { GCM($0.secret) }
        nonce.initializeMemory(as: UInt8.self, repeating: 0)
        guard prefix.count >= 7 else { throw .engine("nonce", "its prefix has \(prefix.count) bytes") }
        nonce.copyBytes(from: prefix[..<7])
    }

    deinit { nonce.deallocate() }

    public var suite: SealedHeader.Suite { cipher == nil ? .none : .aes256gcm }

    /// Writes header (64), ciphertext and tag (16) at the beginning of `target`; returns their count, `80 + stored.count`.
    ///
    /// `stored` is what is left after compression. It may already lie at byte 64 of `target`. The header's suite and stored length
    /// are set here.
    /// - Throws: `TAPE-24074` if the header cannot be true, the room is too small, or a counter does not rise: a nonce used twice
    ///   gives the plain text away.
    public func seal(
        _ header: SealedHeader, _ stored: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) throws(StorageFault) -> Int {
        var header = header
        header.suite = suite
        guard let length = UInt32(exactly: stored.count) else { throw .refused(header, "it is too long") }
        header.storedLength = length
        if let fault = header.implausible { throw .refused(header, fault) }
        let count = SealedHeader.overhead + stored.count
        guard target.count >= count, let base = target.baseAddress else {
            throw .refused(header, "\(target.count) bytes of room are fewer than \(count)")
        }
        let flag = Int(header.flag.rawValue)
        guard UInt64(header.counter) >= next[flag] else {
            throw .refused(header, "its nonce may have been used already, record \(next[flag]) was to come")
        }
        next[flag] = UInt64(header.counter) + 1

        header.put(into: target)
        let content = base + SealedHeader.count
        let tag = content + stored.count
        guard let cipher else {
            if let from = stored.baseAddress, UnsafeRawPointer(content) != from { memmove(content, from, stored.count) }
            Self.checksum(UnsafeRawBufferPointer(start: base, count: SealedHeader.count + stored.count), into: tag)
            return count
        }
        setNonce(header)
        guard try cipher.seal(nonce: nonce.baseAddress!, facts: Self.facts(base), stored, into: content) else {
            throw .engine(header.place, "it could not be encrypted")
        }
        return count
    }

    /// Checks the sizes and the tag of a whole sealed record and decrypts it into `target`, which stays without any of the plain
    /// text if the tag does not hold. It may be the content's own place, which is lost with it then. What is written is
    /// `storedLength` bytes, still compressed.
    /// - Throws: `TAPE-RECORD-TAG`; `TAPE-24074` if `target` is too small.
    public func open(
        _ sealed: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) throws(StorageFault) -> SealedHeader {
        let header = try SealedHeader(sealed)
        let count = Int(header.storedLength)
        guard sealed.count == SealedHeader.overhead + count, let base = sealed.baseAddress else {
            throw .tag(
                header.place, "it has \(sealed.count) bytes where its header tells of \(SealedHeader.overhead + count)")
        }
        guard header.suite == suite else {
            throw .tag(header.place, "it is \(header.suite.words), where its span is \(suite.words)")
        }
        guard target.count >= count else { throw .refused(header, "\(target.count) bytes of room are too few") }
        guard let cipher else {
            try openPlain(header, base, count, into: target)
            return header
        }
        setNonce(header)
        let content = UnsafeRawBufferPointer(start: base + SealedHeader.count, count: count + SealedHeader.tagCount)
        let fits = try cipher.open(
            nonce: nonce.baseAddress!, facts: Self.facts(base), content, into: target.baseAddress)
        guard fits else {
            throw .tag(
                header.place, "its tag does not fit its bytes: they were changed, or it was sealed with another key")
        }
        return header
    }

    private func openPlain(
        _ header: SealedHeader, _ base: UnsafeRawPointer, _ count: Int, into target: UnsafeMutableRawBufferPointer
    ) throws(StorageFault) {
        var tag = (UInt64(0), UInt64(0))
        withUnsafeMutableBytes(of: &tag) { tag in
            Self.checksum(
                UnsafeRawBufferPointer(start: base, count: SealedHeader.count + count), into: tag.baseAddress!)
        }
        let fits = withUnsafeBytes(of: &tag) { tag in
            memcmp(tag.baseAddress!, base + SealedHeader.count + count, SealedHeader.tagCount) == 0
        }
        guard fits else { throw .tag(header.place, "its checksum does not fit its bytes: they were changed") }
        let content = base + SealedHeader.count
        if let to = target.baseAddress, UnsafeRawPointer(to) != content { memmove(to, content, count) }
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawPointer) {
        tag.storeBytes(of: XXH3.of(bytes, seed: 0).littleEndian, as: UInt64.self)
        tag.storeBytes(of: XXH3.of(bytes, seed: 1).littleEndian, toByteOffset: 8, as: UInt64.self)
    }

    /// The header, which the tag covers beside the content.
    private static func facts(_ record: UnsafeRawPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: record, count: SealedHeader.count)
    }

    private func setNonce(_ header: SealedHeader) {
        nonce.storeBytes(of: header.counter.bigEndian, toByteOffset: 7, as: UInt32.self)
        nonce[11] = header.flag.rawValue
    }
}

extension SealedHeader {
    /// How faults name the record.
    public var place: String { "record \(counter) of span \(span) of set \(set)" }
}

extension SealedHeader.Suite {
    var words: String { self == .none ? "not encrypted" : "encrypted" }
}

extension StorageFault {
    fileprivate static func refused(_ header: SealedHeader, _ cause: String) -> StorageFault {
        StorageFault(
            .badInput, "TAPE-24074", header.place, cause,
            action: "Report it: the program asked for a record that must not be written")
    }
}
