import COpenSSL
public import Files

/// The 32-byte key of a set, from which the keys of its spans and of its seals are derived. It lies on tape only inside envelopes.
public struct SetKey: Sendable {
    /// Bytes of the key.
    public static let count = 32
    let secret: SecretBytes

    /// A new key.
    public init(from secrets: any SecretSource) throws(StorageFault) {
        secret = try SecretBytes(count: Self.count) { (buffer) throws(StorageFault) in try secrets.fill(buffer) }
    }

    /// A known key: of an opened envelope, or of a test.
    /// - Precondition: 32 bytes.
    public init(bytes: [UInt8]) {
        precondition(bytes.count == Self.count, "a set key has 32 bytes")
        secret = SecretBytes(copying: bytes)
    }

    /// The AES-256 key of one span: HKDF-SHA256 with the span's salt, and what the key is for as `info`.
    public func recordKey(salt: [UInt8], set: GUID, family: UInt32, span: UInt32) throws(StorageFault) -> RecordKey {
        var info = Array("dpm-tape-1".utf8) + set.bytes
        for number in [family, span] { info += (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
        return RecordKey(secret: try HKDF.sha256(key: secret, salt: salt, info: info, count: 32))
    }

    /// HMAC-SHA256 of a seal's bytes, 32 bytes.
    public func authenticate(_ seal: [UInt8]) throws(StorageFault) -> [UInt8] {
        let key = try HKDF.sha256(key: secret, salt: [], info: Array("dpm-tape-1 seal".utf8), count: 32)
        var tag = [UInt8](repeating: 0, count: 32)
        var count = 0
        let made = try key.withBytes { (key) throws(StorageFault) in
            EVP_Q_mac(
                nil, "HMAC", nil, "SHA256", nil, key.baseAddress, key.count, seal, seal.count, &tag, tag.count, &count)
                != nil
        }
        guard made, count == tag.count else { throw .engine("seal", "its HMAC could not be computed") }
        return tag
    }
}

/// The AES-256 key of the records of one span.
public struct RecordKey: Sendable {
    let secret: SecretBytes
}

/// The extract-and-expand key derivation of RFC 5869.
enum HKDF {
    static func sha256(
        key: SecretBytes, salt: [UInt8], info: [UInt8], count: Int
    ) throws(StorageFault) -> SecretBytes {
        let algorithm = try OpenSSL.need(EVP_KDF_fetch(nil, "HKDF", nil), "HKDF", "it is not to be had")
        defer { EVP_KDF_free(algorithm) }
        let context = try OpenSSL.need(EVP_KDF_CTX_new(algorithm), "HKDF", "no memory for it")
        defer { EVP_KDF_CTX_free(context) }
        return try SecretBytes(count: count) { (target) throws(StorageFault) in
            var (salt, info, digest) = (salt, info, Array("SHA256\0".utf8))
            let result = try key.withBytes { (key) throws(StorageFault) in
                salt.withUnsafeMutableBytes { salt in
                    info.withUnsafeMutableBytes { info in
                        digest.withUnsafeMutableBytes { digest in derive(context, key, salt, info, digest, target) }
                    }
                }
            }
            try OpenSSL.check(result, "HKDF", "a key could not be derived")
        }
    }

    private static func derive(
        _ context: OpaquePointer, _ key: UnsafeRawBufferPointer, _ salt: UnsafeMutableRawBufferPointer,
        _ info: UnsafeMutableRawBufferPointer, _ digest: UnsafeMutableRawBufferPointer,
        _ target: UnsafeMutableRawBufferPointer
    ) -> Int32 {
        // A parameter keeps the pointer to its name, so the name must stay where it is.
        func name(_ text: StaticString) -> UnsafePointer<CChar> {
            UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
        }
        // An empty salt is left out: HKDF then takes zeros.
        var parameters = [
            OSSL_PARAM_construct_utf8_string(name("digest"), digest.bindMemory(to: CChar.self).baseAddress, 0),
            OSSL_PARAM_construct_octet_string(
                name("key"), UnsafeMutableRawPointer(mutating: key.baseAddress), key.count),
            OSSL_PARAM_construct_octet_string(name("info"), info.baseAddress, info.count),
        ]
        if !salt.isEmpty {
            parameters.append(OSSL_PARAM_construct_octet_string(name("salt"), salt.baseAddress, salt.count))
        }
        parameters.append(OSSL_PARAM_construct_end())
        return EVP_KDF_derive(context, target.bindMemory(to: UInt8.self).baseAddress, target.count, parameters)
    }
}
