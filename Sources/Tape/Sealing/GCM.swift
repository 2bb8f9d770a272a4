import COpenSSL
import Files

/// AES-256-GCM with 12-byte nonces and 16-byte tags. Keeps its cipher's state with the key in it, so that a message costs only its
/// own bytes. One thread at a time.
final class GCM {
    static let nonceCount = 12
    static let tagCount = 16
    private let key: SecretBytes
    private var encryptor: OpaquePointer?
    private var decryptor: OpaquePointer?

    /// - Precondition: 32 bytes of key.
    init(_ key: SecretBytes) {
        precondition(key.count == 32, "AES-256 has 32-byte keys")
        self.key = key
    }

    deinit {
        EVP_CIPHER_CTX_free(encryptor)
        EVP_CIPHER_CTX_free(decryptor)
    }

    /// Encrypts `plain` to `target`, which may be the same memory, and writes the tag behind it.
    /// - Returns: false if OpenSSL failed.
    func seal(
        nonce: UnsafeRawPointer, facts: UnsafeRawBufferPointer, _ plain: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawPointer
    ) throws(StorageFault) -> Bool {
        let context = try context(&encryptor, encrypts: 1)
        var written: Int32 = 0
        let tag = target + plain.count
        return EVP_EncryptInit_ex(context, nil, nil, nil, bytes(nonce)) > 0
            && (facts.isEmpty
                || EVP_EncryptUpdate(context, nil, &written, bytes(facts.baseAddress!), Int32(facts.count)) > 0)
            && (plain.isEmpty
                || EVP_EncryptUpdate(context, bytes(target), &written, bytes(plain.baseAddress!), Int32(plain.count))
                    > 0)
            && EVP_EncryptFinal_ex(context, bytes(tag), &written) > 0
            && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagCount), tag) > 0
    }

    /// Decrypts `sealed`, whose tag follows it, to `target`. If the tag does not fit nothing of the plain text is left there.
    /// - Returns: whether the tag fits.
    func open(
        nonce: UnsafeRawPointer, facts: UnsafeRawBufferPointer, _ sealed: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawPointer?
    ) throws(StorageFault) -> Bool {
        let context = try context(&decryptor, encrypts: 0)
        let count = sealed.count - Self.tagCount
        precondition(count >= 0 && (count == 0 || target != nil), "there is a tag, and room for the rest")
        let base = sealed.baseAddress!
        // Final writes nothing in this mode, but wants a place.
        var (written, rest): (Int32, UInt8) = (0, 0)
        let fits =
            EVP_DecryptInit_ex(context, nil, nil, nil, bytes(nonce)) > 0
            && (facts.isEmpty
                || EVP_DecryptUpdate(context, nil, &written, bytes(facts.baseAddress!), Int32(facts.count)) > 0)
            && (count == 0 || EVP_DecryptUpdate(context, bytes(target!), &written, bytes(base), Int32(count)) > 0)
            && EVP_CIPHER_CTX_ctrl(
                context, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagCount), UnsafeMutableRawPointer(mutating: base + count))
                > 0
            && EVP_DecryptFinal_ex(context, &rest, &written) > 0
        if !fits {
            if count > 0 { OPENSSL_cleanse(target, count) }
            OpenSSL.forget()
        }
        return fits
    }

    /// The cipher's state with the key in it, made when first needed.
    private func context(_ kept: inout OpaquePointer?, encrypts: Int32) throws(StorageFault) -> OpaquePointer {
        if let kept { return kept }
        let context = try OpenSSL.need(EVP_CIPHER_CTX_new(), "AES-256-GCM", "no memory for it")
        let begun = try key.withBytes { (key) throws(StorageFault) in
            EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nil, bytes(key.baseAddress!), nil, encrypts)
        }
        guard begun > 0 else {
            EVP_CIPHER_CTX_free(context)
            throw .engine("AES-256-GCM", "it could not be started")
        }
        kept = context
        return context
    }

    private func bytes(_ pointer: UnsafeRawPointer) -> UnsafePointer<UInt8> {
        pointer.assumingMemoryBound(to: UInt8.self)
    }

    private func bytes(_ pointer: UnsafeMutableRawPointer) -> UnsafeMutablePointer<UInt8> {
        pointer.assumingMemoryBound(to: UInt8.self)
    }
}
