import COpenSSL
public import Files
import Glibc

extension KeyedCertificate {
    /// Largest file of certificates that is read, bytes.
    static let largestFile = 1 << 20
    /// Most rounds of a password's derivation in a PKCS#12 file; one that asks for more would only keep the computer busy.
    static let mostRounds = 10_000_000

    /// Reads the text form: one certificate, those who issued it, and perhaps its private key (PKCS#8, PKCS#1 or SEC1; encrypted
    /// ones with `password`), in any order. With a key, the certificate is the one it belongs to; else the first.
    /// - Throws: `TAPE-CERTIFICATE`; `TAPE-PASSWORD` if the key does not open with the password, or needs one.
    public init(pem: [UInt8], password: String? = nil) throws(StorageFault) {
        guard pem.count <= Self.largestFile else {
            throw .certificate("the file has \(pem.count) bytes, more than 1 MiB")
        }
        let found = try Self.blocks(of: pem)
        guard !found.certificates.isEmpty else { throw .certificate("there is no certificate in the file") }
        guard found.keys <= 1 else { throw .certificate("there are \(found.keys) private keys in the file") }
        guard found.keys == 1 else {
            self.init(found.certificates[0], chain: Array(found.certificates.dropFirst()), key: nil)
            return
        }
        let memory = try OpenSSL.memory(pem)
        defer { BIO_free(memory) }
        let key = Self.withPassword(password) { PEM_read_bio_PrivateKey(memory, nil, Self.giver, $0) }
        OpenSSL.forget()
        guard let key else { throw .password("its private key", given: password != nil) }
        defer { EVP_PKEY_free(key) }
        try self.init(matching: found.certificates, key)
    }

    /// Reads a PKCS#12 (`.pfx`) file with an integrity check. Its ciphers are those of OpenSSL without its legacy provider: AES and
    /// triple DES, not RC2.
    /// - Throws: `TAPE-CERTIFICATE`, `TAPE-PASSWORD`.
    public init(pkcs12: [UInt8], password: String) throws(StorageFault) {
        guard pkcs12.count <= Self.largestFile else {
            throw .certificate("the file has \(pkcs12.count) bytes, more than 1 MiB")
        }
        defer { OpenSSL.forget() }
        let parsed = pkcs12.withUnsafeBytes { OpenSSL.parse($0, { d2i_PKCS12(nil, $0, $1) }, free: PKCS12_free) }
        guard let parsed else { throw .certificate("it is no PKCS#12 file") }
        defer { PKCS12_free(parsed) }
        guard PKCS12_mac_present(parsed) == 1 else { throw .certificate("the PKCS#12 file has no integrity check") }
        var rounds: UnsafePointer<ASN1_INTEGER>?
        PKCS12_get0_mac(nil, nil, nil, &rounds, parsed)
        let count = rounds.map { ASN1_INTEGER_get($0) } ?? 1
        guard (1...Self.mostRounds).contains(count) else {
            throw .certificate("the PKCS#12 file asks for \(count) rounds of its password")
        }
        guard PKCS12_verify_mac(parsed, password, Int32(password.utf8.count)) == 1 else {
            OpenSSL.forget()
            throw .password("the PKCS#12 file", given: true)
        }
        var (key, certificate, others): (OpaquePointer?, OpaquePointer?, OpaquePointer?)
        guard PKCS12_parse(parsed, password, &key, &certificate, &others) == 1 else {
            throw .certificate("the PKCS#12 file cannot be read; OpenSSL says: \(OpenSSL.reason())")
        }
        defer {
            EVP_PKEY_free(key)
            X509_free(certificate)
            if let others {
                while let other = OPENSSL_sk_pop(others) { X509_free(OpaquePointer(other)) }
                OPENSSL_sk_free(others)
            }
        }
        var certificates: [Certificate] = []
        var pointers: [OpaquePointer] = certificate.map { [$0] } ?? []
        for index in 0..<(others.map { OPENSSL_sk_num($0) } ?? 0) {
            if let other = OPENSSL_sk_value(others, index) { pointers.append(OpaquePointer(other)) }
        }
        for pointer in pointers {
            certificates.append(try Certificate(der: try OpenSSL.der("certificate") { i2d_X509(pointer, $0) }))
        }
        guard let first = certificates.first else { throw .certificate("there is no certificate in the file") }
        guard let key else {
            self.init(first, chain: Array(certificates.dropFirst()), key: nil)
            return
        }
        try self.init(matching: certificates, key)
    }

    /// Chooses the certificate that belongs to `key`; the others are its chain.
    private init(matching certificates: [Certificate], _ key: OpaquePointer) throws(StorageFault) {
        _ = try Certificate.kind(key)
        for (index, certificate) in certificates.enumerated() {
            let parsed = try certificate.open()
            let fits = X509_check_private_key(parsed, key)
            X509_free(parsed)
            OpenSSL.forget()
            guard fits == 1 else { continue }
            var chain = certificates
            chain.remove(at: index)
            self.init(certificate, chain: chain, key: try Self.secret(of: key))
            return
        }
        throw .certificate("the private key in the file belongs to none of its certificates")
    }

    /// The text form: the certificate, its chain, and its key if it is there and asked for, encrypted if a password is given
    /// (PKCS#8 with PBKDF2 and AES-256).
    public func pem(withKey: Bool, password: String? = nil) throws(StorageFault) -> [UInt8] {
        var bytes = try certificate.pem()
        for issuer in chain { bytes += try issuer.pem() }
        guard withKey else { return bytes }
        let key = try openKey()
        defer { EVP_PKEY_free(key) }
        let memory = try OpenSSL.memory()
        defer { BIO_free(memory) }
        let cipher = password == nil ? nil : EVP_aes_256_cbc()
        let written = Self.withPassword(password) {
            PEM_write_bio_PKCS8PrivateKey(memory, key, cipher, nil, 0, Self.giver, $0)
        }
        try OpenSSL.check(written, certificate.subject, "its private key could not be written")
        return bytes + OpenSSL.bytes(of: memory)
    }

    /// A PKCS#12 (`.pfx`) file with certificate, chain and key: AES-256 and HMAC-SHA256.
    /// - Throws: `TAPE-24078` without a private key, `TAPE-24074`.
    public func pkcs12(password: String) throws(StorageFault) -> [UInt8] {
        let key = try openKey()
        defer { EVP_PKEY_free(key) }
        let parsed = try certificate.open()
        defer { X509_free(parsed) }
        let others = try OpenSSL.need(OPENSSL_sk_new_null(), certificate.subject, "no memory for its chain")
        defer {
            while let other = OPENSSL_sk_pop(others) { X509_free(OpaquePointer(other)) }
            OPENSSL_sk_free(others)
        }
        for issuer in chain { OPENSSL_sk_push(others, UnsafeRawPointer(try issuer.open())) }
        let made = try OpenSSL.need(
            PKCS12_create(password, certificate.subject, key, parsed, others, 0, 0, 0, 0, 0), certificate.subject,
            "it could not be written as PKCS#12")
        defer { PKCS12_free(made) }
        return try OpenSSL.der(certificate.subject) { i2d_PKCS12(made, $0) }
    }

    /// The certificates of a text, and how many private keys are in it.
    private static func blocks(of pem: [UInt8]) throws(StorageFault) -> (certificates: [Certificate], keys: Int) {
        let memory = try OpenSSL.memory(pem)
        defer { BIO_free(memory) }
        var (certificates, keys): ([Certificate], Int) = ([], 0)
        while true {
            var (name, header): (UnsafeMutablePointer<CChar>?, UnsafeMutablePointer<CChar>?)
            var data: UnsafeMutablePointer<UInt8>?
            var count = 0
            guard PEM_read_bio(memory, &name, &header, &data, &count) == 1 else { break }
            defer {
                CRYPTO_free(name, #file, #line)
                CRYPTO_free(header, #file, #line)
                CRYPTO_clear_free(data, count, #file, #line)
            }
            let kind = name.map { String(cString: $0) } ?? ""
            if kind.hasSuffix("PRIVATE KEY") { keys += 1 }
            if kind == "ENCRYPTED PRIVATE KEY", let data {
                let rounds = Self.rounds(UnsafeRawBufferPointer(start: data, count: count))
                guard rounds <= mostRounds else {
                    throw .certificate("the private key asks for \(rounds) rounds of its password")
                }
            }
            guard kind == "CERTIFICATE" || kind == "X509 CERTIFICATE", let data else { continue }
            guard certificates.count < 32 else { throw .certificate("there are more than 32 certificates in the file") }
            certificates.append(try Certificate(der: Array(UnsafeBufferPointer(start: data, count: count))))
        }
        OpenSSL.forget()
        return (certificates, keys)
    }

    /// How often the password of an encrypted PKCS#8 key is hashed by PBKDF2; 0 if it is protected otherwise.
    private static func rounds(_ der: UnsafeRawBufferPointer) -> Int {
        defer { OpenSSL.forget() }
        guard let sealed = OpenSSL.parse(der, { d2i_X509_SIG(nil, $0, $1) }, free: X509_SIG_free) else { return 0 }
        defer { X509_SIG_free(sealed) }
        var algorithm: UnsafePointer<X509_ALGOR>?
        X509_SIG_get0(sealed, &algorithm, nil)
        guard var outer = sequence(of: algorithm) else { return 0 }
        guard let scheme = d2i_PBE2PARAM(nil, &outer.start, outer.count) else { return 0 }
        defer { PBE2PARAM_free(scheme) }
        guard OBJ_obj2nid(scheme.pointee.keyfunc?.pointee.algorithm) == NID_id_pbkdf2,
            var inner = sequence(of: scheme.pointee.keyfunc),
            let facts = d2i_PBKDF2PARAM(nil, &inner.start, inner.count)
        else { return 0 }
        defer { PBKDF2PARAM_free(facts) }
        // What does not fit counts as too many.
        let rounds = ASN1_INTEGER_get(facts.pointee.iter)
        return rounds < 0 ? .max : rounds
    }

    /// The DER of an algorithm's parameters, if they are a sequence.
    private static func sequence(of algorithm: UnsafePointer<X509_ALGOR>?) -> (
        start: UnsafePointer<UInt8>?, count: Int
    )? {
        guard let algorithm else { return nil }
        var kind: Int32 = 0
        var value: UnsafeRawPointer?
        X509_ALGOR_get0(nil, &kind, &value, algorithm)
        guard kind == V_ASN1_SEQUENCE, let value else { return nil }
        let text = value.assumingMemoryBound(to: ASN1_STRING.self)
        return (ASN1_STRING_get0_data(text), Int(ASN1_STRING_length(text)))
    }

    /// Gives OpenSSL the password that is passed along; without one it must not ask at the terminal.
    private static let giver:
        @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32 = {
            target, room, _, given in
            guard let target, let given else { return -1 }
            let count = strlen(given.assumingMemoryBound(to: CChar.self))
            guard count <= Int(room) else { return -1 }
            memcpy(target, given, count)
            return Int32(count)
        }

    private static func withPassword<Result>(_ password: String?, _ body: (UnsafeMutableRawPointer?) -> Result)
        -> Result
    {
        guard let password else { return body(nil) }
        var text = Array(password.utf8CString)
        defer { text.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        return text.withUnsafeMutableBytes { body($0.baseAddress) }
    }
}

extension StorageFault {
    static func password(_ what: String, given: Bool) -> StorageFault {
        StorageFault(
            .badInput, "TAPE-PASSWORD", "certificate",
            given ? "\(what) does not open with this password" : "\(what) cannot be read without a password",
            action: "Give the password it was protected with")
    }
}
