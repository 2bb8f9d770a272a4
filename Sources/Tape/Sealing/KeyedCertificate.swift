import COpenSSL
public import Files

/// A certificate with its private key, as a store keeps it; the key may be missing, then it opens nothing.
public struct KeyedCertificate: Sendable {
    public let certificate: Certificate
    /// Those who issued it, if they came along.
    public let chain: [Certificate]
    /// PKCS#8, DER.
    let key: SecretBytes?

    public var hasKey: Bool { key != nil }

    init(_ certificate: Certificate, chain: [Certificate] = [], key: SecretBytes?) {
        (self.certificate, self.chain, self.key) = (certificate, chain, key)
    }

    /// The certificate without its key.
    public init(withoutKey certificate: Certificate) { self.init(certificate, key: nil) }

    /// The key as OpenSSL holds it; free it with `EVP_PKEY_free`.
    /// - Throws: `TAPE-24078` if there is none.
    func openKey() throws(StorageFault) -> OpaquePointer {
        guard let key else { throw .noPrivateKey([certificate]) }
        let parsed = try key.withBytes { (key) throws(StorageFault) in
            OpenSSL.parse(key, { d2i_PKCS8_PRIV_KEY_INFO(nil, $0, $1) }, free: PKCS8_PRIV_KEY_INFO_free)
        }
        let holder = try OpenSSL.need(parsed, certificate.subject, "its private key could not be read")
        defer { PKCS8_PRIV_KEY_INFO_free(holder) }
        return try OpenSSL.need(
            EVP_PKCS82PKEY(holder), certificate.subject, "its private key could not be read")
    }

    /// A key's PKCS#8 form.
    static func secret(of key: OpaquePointer) throws(StorageFault) -> SecretBytes {
        let holder = try OpenSSL.need(EVP_PKEY2PKCS8(key), "private key", "it could not be encoded")
        defer { PKCS8_PRIV_KEY_INFO_free(holder) }
        let count = i2d_PKCS8_PRIV_KEY_INFO(holder, nil)
        try OpenSSL.check(count, "private key", "it could not be encoded")
        return try SecretBytes(count: Int(count)) { (target) throws(StorageFault) in
            var place = target.bindMemory(to: UInt8.self).baseAddress
            try OpenSSL.check(i2d_PKCS8_PRIV_KEY_INFO(holder, &place), "private key", "it could not be encoded")
        }
    }

    public enum NewKey: String, Hashable, Sendable, CaseIterable {
        case rsa3072 = "RSA-3072"
        case p256 = "P-256"
    }

    /// A new certificate that signs itself, with a new key of OpenSSL's own generator; its serial number comes from `secrets`.
    /// - Parameters:
    ///   - name: its common name, 1 to 64 characters.
    ///   - from: Unix seconds, as is `until`, which is later.
    /// - Throws: `TAPE-CERTIFICATE` for values out of range; `TAPE-24074`.
    public static func selfSigned(
        _ name: String, key kind: NewKey, from: Int64, until: Int64, secrets: any SecretSource
    ) throws(StorageFault) -> KeyedCertificate {
        guard (1...64).contains(name.unicodeScalars.count), !name.unicodeScalars.contains(where: { $0.value < 32 })
        else {
            throw .certificate("a name has 1 to 64 characters", name)
        }
        // Years up to 9999: no later date can be written into a certificate.
        guard from < until, from >= 0, until <= 253_402_300_799 else {
            throw .certificate("it cannot be valid from \(from) until \(until)", name)
        }
        let key = try newKey(kind)
        defer { EVP_PKEY_free(key) }
        let certificate = try OpenSSL.need(X509_new(), name, "no memory for it")
        defer { X509_free(certificate) }
        try OpenSSL.check(X509_set_version(certificate, 2), name, "its version could not be set")
        // Positive and not beginning with zero, as RFC 5280 wants it.
        var serial = try secrets.bytes(16)
        serial[0] = serial[0] & 0x3F | 0x40
        let number = BN_bin2bn(serial, Int32(serial.count), nil)
        defer { BN_free(number) }
        _ = try OpenSSL.need(
            BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)), name, "its serial number could not be set")
        _ = try OpenSSL.need(
            ASN1_TIME_set(X509_getm_notBefore(certificate), Int(from)), name, "its date could not be set")
        _ = try OpenSSL.need(
            ASN1_TIME_set(X509_getm_notAfter(certificate), Int(until)), name, "its date could not be set")
        let subject = X509_get_subject_name(certificate)
        let text = Array(name.utf8)
        try OpenSSL.check(
            X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_FLAG, text, Int32(text.count), -1, 0), name,
            "its name could not be set")
        try OpenSSL.check(X509_set_issuer_name(certificate, subject), name, "its issuer could not be set")
        try OpenSSL.check(X509_set_pubkey(certificate, key), name, "its key could not be set")
        let usage = kind == .rsa3072 ? "critical,keyEncipherment" : "critical,keyAgreement"
        let extensions = [
            (NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, usage), (NID_subject_key_identifier, "hash"),
        ]
        for (kind, value) in extensions { try add(kind, value, to: certificate, name) }
        try OpenSSL.check(X509_sign(certificate, key, EVP_sha256()), name, "it could not be signed")
        let der = try OpenSSL.der(name) { i2d_X509(certificate, $0) }
        return KeyedCertificate(try Certificate(der: der), key: try secret(of: key))
    }

    private static func add(
        _ kind: Int32, _ value: String, to certificate: OpaquePointer, _ name: String
    ) throws(StorageFault) {
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, certificate, certificate, nil, nil, 0)
        let made = try OpenSSL.need(
            X509V3_EXT_conf_nid(nil, &context, kind, value), name, "an extension could not be made")
        defer { X509_EXTENSION_free(made) }
        try OpenSSL.check(X509_add_ext(certificate, made, -1), name, "an extension could not be added")
    }

    private static func newKey(_ kind: NewKey) throws(StorageFault) -> OpaquePointer {
        let name = kind.rawValue
        let context = try OpenSSL.need(
            EVP_PKEY_CTX_new_id(kind == .rsa3072 ? EVP_PKEY_RSA : EVP_PKEY_EC, nil), name, "no memory for a key")
        defer { EVP_PKEY_CTX_free(context) }
        try OpenSSL.check(EVP_PKEY_keygen_init(context), name, "a key could not be begun")
        let set =
            kind == .rsa3072
            ? EVP_PKEY_CTX_set_rsa_keygen_bits(context, 3072)
            : EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1)
        try OpenSSL.check(set, name, "its size could not be set")
        var key: OpaquePointer?
        try OpenSSL.check(EVP_PKEY_keygen(context, &key), name, "a key could not be made")
        return try OpenSSL.need(key, name, "a key could not be made")
    }
}

extension StorageFault {
    static func noPrivateKey(_ certificates: [Certificate]) -> StorageFault {
        let names = certificates.map(\.thumbprint.description).joined(separator: ", ")
        return StorageFault(
            .missing, "TAPE-24078", "certificate \(names)", "its private key is not in the store",
            action: "Import the certificate together with its private key")
    }
}
