import COpenSSL
public import Files
import Glibc

/// Seals and opens the records of one span: AES-256-GCM over header and content, or, without a key, XXH3 of them. One thread at
/// a time; keeps its cipher's state, so that a record costs only its own bytes.
///
/// Seal with rising counters only. A span that is written again takes a new salt and prefix, and thereby a new sealer.
public final class RecordSealer {
    private let key: RecordKey?
    /// The prefix, then the place of counter and flag.
    private let nonce = UnsafeMutableRawBufferPointer.allocate(byteCount: 12, alignment: 4)
    private var encryptor: OpaquePointer?
    private var decryptor: OpaquePointer?
    /// The least counter that has not been sealed.
    private var next: UInt64 = 0

    /// - Parameters:
    ///   - key: nil for suite none.
    ///   - prefix: of the span's nonces, 7 bytes; what follows them is not looked at.
    /// - Throws: `TAPE-24074` for a prefix that is too short, or if OpenSSL has no AES.
    public init(_ key: RecordKey?, prefix: [UInt8]) throws(StorageFault) {
        self.key = key
        nonce.initializeMemory(as: UInt8.self, repeating: 0)
        guard prefix.count >= 7 else { throw .engine("nonce", "its prefix has \(prefix.count) bytes") }
        nonce.copyBytes(from: prefix[..<7])
    }

    deinit {
        EVP_CIPHER_CTX_free(encryptor)
        EVP_CIPHER_CTX_free(decryptor)
        nonce.deallocate()
    }

    public var suite: SealedHeader.Suite { key == nil ? .none : .aes256gcm }

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
        guard UInt64(header.counter) >= next else {
            throw .refused(header, "its nonce may have been used already, record \(next) was to come")
        }
        next = UInt64(header.counter) + 1

        header.put(into: target)
        let content = base + SealedHeader.count
        let tag = content + stored.count
        guard let key else {
            if let from = stored.baseAddress, UnsafeRawPointer(content) != from { memmove(content, from, stored.count) }
            Self.checksum(UnsafeRawBufferPointer(start: base, count: SealedHeader.count + stored.count), into: tag)
            return count
        }
        let context = try context(&encryptor, key, encrypts: 1)
        setNonce(header)
        var written: Int32 = 0
        guard EVP_EncryptInit_ex(context, nil, nil, nil, nonce.bindMemory(to: UInt8.self).baseAddress) > 0,
            EVP_EncryptUpdate(context, nil, &written, bytes(base), Int32(SealedHeader.count)) > 0,
            stored.isEmpty
                || EVP_EncryptUpdate(context, bytes(content), &written, bytes(stored.baseAddress!), Int32(stored.count))
                    > 0,
            EVP_EncryptFinal_ex(context, bytes(tag), &written) > 0,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(SealedHeader.tagCount), tag) > 0
        else { throw .engine(header.place, "it could not be encrypted") }
        return count
    }

    /// Checks the sizes and the tag of a whole sealed record and decrypts it into `target`, which stays without any of the plain
    /// text if the tag does not hold. What is written is `storedLength` bytes, still compressed.
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
        let content = base + SealedHeader.count
        guard let key else {
            try openPlain(header, base, count, into: target)
            return header
        }
        let context = try context(&decryptor, key, encrypts: 0)
        setNonce(header)
        var written: Int32 = 0
        guard EVP_DecryptInit_ex(context, nil, nil, nil, nonce.bindMemory(to: UInt8.self).baseAddress) > 0,
            EVP_DecryptUpdate(context, nil, &written, bytes(base), Int32(SealedHeader.count)) > 0,
            count == 0
                || EVP_DecryptUpdate(context, bytes(target.baseAddress!), &written, bytes(content), Int32(count)) > 0,
            EVP_CIPHER_CTX_ctrl(
                context, EVP_CTRL_AEAD_SET_TAG, Int32(SealedHeader.tagCount),
                UnsafeMutableRawPointer(mutating: content + count)) > 0
        else {
            if count > 0 { OPENSSL_cleanse(target.baseAddress, count) }
            throw .engine(header.place, "it could not be decrypted")
        }
        // Final writes nothing in this mode, but wants a place.
        var rest: UInt8 = 0
        guard EVP_DecryptFinal_ex(context, &rest, &written) > 0 else {
            if count > 0 { OPENSSL_cleanse(target.baseAddress, count) }
            OpenSSL.forget()
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
        if count > 0 { memmove(target.baseAddress!, base + SealedHeader.count, count) }
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawPointer) {
        tag.storeBytes(of: XXH3.of(bytes, seed: 0).littleEndian, as: UInt64.self)
        tag.storeBytes(of: XXH3.of(bytes, seed: 1).littleEndian, toByteOffset: 8, as: UInt64.self)
    }

    /// The cipher's state with the key in it, made when first needed.
    private func context(
        _ kept: inout OpaquePointer?, _ key: RecordKey, encrypts: Int32
    ) throws(StorageFault) -> OpaquePointer {
        if let kept { return kept }
        let context = try OpenSSL.need(EVP_CIPHER_CTX_new(), "AES-256-GCM", "no memory for it")
        guard EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nil, key.secret.base, nil, encrypts) > 0 else {
            EVP_CIPHER_CTX_free(context)
            throw .engine("AES-256-GCM", "it could not be started")
        }
        kept = context
        return context
    }

    private func setNonce(_ header: SealedHeader) {
        nonce.storeBytes(of: header.counter.bigEndian, toByteOffset: 7, as: UInt32.self)
        nonce[11] = header.flag.rawValue
    }

    private func bytes(_ pointer: UnsafeRawPointer) -> UnsafePointer<UInt8> {
        pointer.assumingMemoryBound(to: UInt8.self)
    }

    private func bytes(_ pointer: UnsafeMutableRawPointer) -> UnsafeMutablePointer<UInt8> {
        pointer.assumingMemoryBound(to: UInt8.self)
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
