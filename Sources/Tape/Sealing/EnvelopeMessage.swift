import COpenSSL
public import Files

extension SpanEnvelope {
    /// Bytes of what is in the CMS message: key 32, set 16, family u32, creation time i64, suite u16.
    static let contentCount = 62

    /// Closes `key` to all `certificates`: CMS AuthEnvelopedData with AES-256-GCM; RSA by OAEP with SHA-256, EC by ECDH with SHA-256
    /// and AES-256 key wrap. OpenSSL's own generator gives the message's key and padding.
    /// - Parameter created: Unix seconds.
    /// - Throws: `TAPE-24073` without certificates, `TAPE-24074` with OpenSSL's reason.
    public static func wrap(
        _ key: SetKey, set: GUID, family: UInt32, created: Int64, suite: SealedHeader.Suite = .aes256gcm,
        to certificates: [Certificate]
    ) throws(StorageFault) -> [UInt8] {
        guard !certificates.isEmpty else { throw .noCertificate("key envelope") }
        guard certificates.count <= mostRecipients else {
            throw .engine("key envelope", "\(certificates.count) certificates are more than \(mostRecipients)")
        }
        var content = [UInt8](repeating: 0, count: contentCount)
        defer { content.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        try key.secret.withBytes { (key) throws(StorageFault) in content.put(key, at: 0) }
        content.put(set.bytes, at: 32)
        content.putLittle(family, at: 48)
        content.putLittle(created, at: 52)
        content.putLittle(UInt16(suite.rawValue), at: 60)

        OpenSSL.forget()
        let object = "key envelope"
        let flags = UInt32(CMS_PARTIAL | CMS_BINARY)
        let message = try OpenSSL.need(
            CMS_encrypt(nil, nil, EVP_aes_256_gcm(), flags), object, "it could not be begun")
        defer { CMS_ContentInfo_free(message) }
        for certificate in certificates { try add(certificate, to: message) }
        let source = try OpenSSL.memory(content)
        defer { BIO_free(source) }
        try OpenSSL.check(CMS_final(message, source, nil, flags), object, "it could not be closed")
        let der = try OpenSSL.der(object) { i2d_CMS_ContentInfo(message, $0) }
        guard der.count <= largestMessage else {
            throw .engine(object, "\(der.count) bytes are more than one may have")
        }
        return der
    }

    private static func add(_ certificate: Certificate, to message: OpaquePointer) throws(StorageFault) {
        let parsed = try certificate.open()
        defer { X509_free(parsed) }
        let object = "certificate \(certificate.thumbprint)"
        let recipient = try OpenSSL.need(
            CMS_add1_recipient_cert(message, parsed, UInt32(CMS_KEY_PARAM)), object, "no envelope can be closed to it")
        let context = try OpenSSL.need(
            CMS_RecipientInfo_get0_pkey_ctx(recipient), object, "no envelope can be closed to it")
        switch certificate.key {
        case .rsa:
            try OpenSSL.check(
                EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), object, "OAEP could not be chosen")
            try OpenSSL.check(
                EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()), object, "SHA-256 could not be chosen")
            try OpenSSL.check(
                EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()), object, "SHA-256 could not be chosen")
        case .ec:
            try OpenSSL.check(
                EVP_PKEY_CTX_set_ecdh_kdf_md(context, EVP_sha256()), object, "SHA-256 could not be chosen")
        }
    }

    /// Puts the key in, closed to `certificates`, whose thumbprints are noted in the order given.
    public mutating func close(
        _ key: SetKey, created: Int64, to certificates: [Certificate]
    ) throws(StorageFault) {
        message = try Self.wrap(
            key, set: set, family: family, created: created, suite: suite, to: certificates)
        thumbprints = certificates.map(\.thumbprint)
    }

    /// The set's key, by the first certificate that opens the envelope.
    /// - Throws: `TAPE-24071` naming the thumbprints it was closed to if none of them is here, `TAPE-24078` if the private keys of
    ///   those here are missing, `TAPE-24075` if a right key does not open it or it belongs to another set.
    public func open(with keyed: [KeyedCertificate]) throws(StorageFault) -> SetKey {
        guard suite != .none else { throw .envelope("the set is not encrypted, it has no key", name) }
        defer { OpenSSL.forget() }
        guard let parsed = parse() else { throw .envelope("its CMS message cannot be read", name) }
        let isSealed = OBJ_obj2nid(CMS_get0_type(parsed)) == NID_id_smime_ct_authEnvelopedData
        var recipients: [KeyedCertificate] = []
        var fault: StorageFault?
        if isSealed {
            do throws(StorageFault) {
                for candidate in keyed where try Self.isRecipient(candidate.certificate, of: parsed) {
                    recipients.append(candidate)
                }
            } catch { fault = error }
        }
        CMS_ContentInfo_free(parsed)
        if let fault { throw fault }
        guard isSealed else { throw .envelope("its CMS message is not AuthEnvelopedData", name) }
        guard !recipients.isEmpty else { throw .noMatch(self) }
        let able = recipients.filter(\.hasKey)
        guard !able.isEmpty else { throw .noPrivateKey(recipients.map(\.certificate)) }
        for candidate in able {
            guard let content = try decrypt(with: candidate) else { continue }
            return try key(in: content)
        }
        throw .envelope("no private key opens it although its certificate is named in it", name)
    }

    /// How faults name it.
    var name: String { "key envelope of span \(span) of set \(set)" }

    private func parse() -> OpaquePointer? {
        message.withUnsafeBytes { bytes in
            OpenSSL.parse(bytes, { d2i_CMS_ContentInfo(nil, $0, $1) }, free: CMS_ContentInfo_free)
        }
    }

    private func key(in content: SecretBytes) throws(StorageFault) -> SetKey {
        guard content.count == Self.contentCount else {
            throw .envelope("\(content.count) bytes are in it, not \(Self.contentCount)", name)
        }
        return try content.withBytes { (bytes) throws(StorageFault) in try key(at: bytes) }
    }

    private func key(at bytes: UnsafeRawBufferPointer) throws(StorageFault) -> SetKey {
        guard bytes[32..<48].elementsEqual(set.bytes),
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 48, as: UInt32.self)) == family,
            UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 60, as: UInt16.self)) == UInt16(suite.rawValue)
        else { throw .envelope("the key in it belongs to another set", name) }
        return SetKey(secret: SecretBytes(copying: UnsafeRawBufferPointer(rebasing: bytes[..<SetKey.count])))
    }

    /// What is in the message; nil if this key does not open it. A failed try spoils OpenSSL's copy, so each reads it anew.
    private func decrypt(with keyed: KeyedCertificate) throws(StorageFault) -> SecretBytes? {
        let certificate = try keyed.certificate.open()
        defer { X509_free(certificate) }
        let key = try keyed.openKey()
        defer { EVP_PKEY_free(key) }
        guard let message = parse() else { return nil }
        defer { CMS_ContentInfo_free(message) }
        let target = try OpenSSL.memory()
        defer { BIO_free(target) }
        let opened = CMS_decrypt(message, key, certificate, nil, target, UInt32(CMS_BINARY))
        OpenSSL.forget()
        guard opened == 1 else { return nil }
        var start: UnsafeMutablePointer<UInt8>?
        let count = BIO_ctrl(target, BIO_CTRL_INFO, 0, &start)
        return SecretBytes(copying: UnsafeRawBufferPointer(start: start, count: max(0, count)))
    }

    private static func isRecipient(_ certificate: Certificate, of message: OpaquePointer) throws(StorageFault) -> Bool
    {
        let parsed = try certificate.open()
        defer { X509_free(parsed) }
        guard let recipients = CMS_get0_RecipientInfos(message) else { return false }
        for index in 0..<OPENSSL_sk_num(recipients) {
            guard let recipient = OPENSSL_sk_value(recipients, index).map(OpaquePointer.init) else { continue }
            switch CMS_RecipientInfo_type(recipient) {
            case CMS_RECIPINFO_TRANS:
                if CMS_RecipientInfo_ktri_cert_cmp(recipient, parsed) == 0 { return true }
            case CMS_RECIPINFO_AGREE:
                guard let keys = CMS_RecipientInfo_kari_get0_reks(recipient) else { continue }
                for index in 0..<OPENSSL_sk_num(keys) {
                    guard let key = OPENSSL_sk_value(keys, index).map(OpaquePointer.init) else { continue }
                    if CMS_RecipientEncryptedKey_cert_cmp(key, parsed) == 0 { return true }
                }
            default: continue
            }
        }
        return false
    }
}

extension SetKey {
    init(secret: SecretBytes) { self.secret = secret }
}

extension StorageFault {
    static func noCertificate(_ object: String) -> StorageFault {
        StorageFault(
            .missing, "TAPE-24073", object, "there is no certificate in DPMBackupStore to encrypt to",
            action: "Create a certificate or import one with its private key into DPMBackupStore")
    }

    static func noMatch(_ envelope: SpanEnvelope) -> StorageFault {
        let names = envelope.thumbprints.map(\.description).joined(separator: ", ")
        return StorageFault(
            .missing, "TAPE-24071", envelope.name, "no certificate here opens it; it was closed to \(names)",
            action: "Import one of these certificates with its private key into DPMRestoreStore")
    }
}
