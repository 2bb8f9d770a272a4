import COpenSSL
public import Files
import Glibc

/// The SHA-1 of a certificate, 20 bytes, by which Windows and DPM name it. A name, not a proof.
public struct Thumbprint: Hashable, Sendable, Comparable, LosslessStringConvertible {
    public static let count = 20
    public let bytes: [UInt8]

    /// - Precondition: 20 bytes.
    public init(bytes: [UInt8]) {
        precondition(bytes.count == Self.count, "a thumbprint has 20 bytes")
        self.bytes = bytes
    }

    /// Reads 40 hexadecimal digits of either case; blanks and colons between them are left out.
    public init?(_ description: String) {
        let digits = description.filter { $0 != " " && $0 != ":" }.utf8.map { $0 }
        guard digits.count == 2 * Self.count else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            let pair = String(decoding: digits[index..<index + 2], as: UTF8.self)
            guard pair.allSatisfy({ $0.isASCII && $0.isHexDigit }), let byte = UInt8(pair, radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        self.bytes = bytes
    }

    /// 40 hexadecimal digits, upper case.
    public var description: String {
        let digits = Array("0123456789ABCDEF".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    public static func < (left: Self, right: Self) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }
}

/// An X.509 certificate to whose key envelopes can be closed: RSA of 2048 to 16384 bits, or EC on P-256, P-384 or P-521.
public struct Certificate: Hashable, Sendable {
    public enum KeyKind: Hashable, Sendable, CustomStringConvertible {
        case rsa(bits: Int)
        /// OpenSSL's name of the curve.
        case ec(curve: String)

        public var description: String {
            switch self {
            case .rsa(let bits): "RSA-\(bits)"
            case .ec(let curve): "EC \(curve)"
            }
        }
    }
    /// Largest one that is read, bytes of DER.
    static let largest = 65_536
    private static let curves = ["prime256v1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"]

    public let der: [UInt8]
    /// As RFC 2253 writes names: `CN=DPM tape,O=Contoso`.
    public let subject: String
    public let issuer: String
    /// Hexadecimal digits, upper case.
    public let serial: String
    public let thumbprint: Thumbprint
    /// Unix seconds; valid from then on.
    public let notBefore: Int64
    /// Unix seconds; valid up to and including then.
    public let notAfter: Int64
    public let key: KeyKind

    /// - Throws: `TAPE-CERTIFICATE` if it is no certificate, or its key is of a kind no envelope can be closed to.
    public init(der: [UInt8]) throws(StorageFault) {
        guard der.count <= Self.largest else {
            throw .certificate("it has \(der.count) bytes, more than \(Self.largest)")
        }
        let parsed = der.withUnsafeBytes { OpenSSL.parse($0, { d2i_X509(nil, $0, $1) }, free: X509_free) }
        guard let parsed else {
            OpenSSL.forget()
            throw .certificate("it is no X.509 certificate")
        }
        defer { X509_free(parsed) }
        self.der = der
        subject = try Self.name(X509_get_subject_name(parsed))
        issuer = try Self.name(X509_get_issuer_name(parsed))
        serial = try Self.text { i2a_ASN1_INTEGER($0, X509_get0_serialNumber(parsed)) > 0 }
        notBefore = try Self.seconds(X509_get0_notBefore(parsed))
        notAfter = try Self.seconds(X509_get0_notAfter(parsed))
        key = try Self.kind(X509_get0_pubkey(parsed))
        var hash = [UInt8](repeating: 0, count: Thumbprint.count)
        try OpenSSL.check(
            EVP_Digest(der, der.count, &hash, nil, EVP_sha1(), nil), subject, "its thumbprint could not be computed")
        thumbprint = Thumbprint(bytes: hash)
    }

    public func isValid(at now: Int64) -> Bool { notBefore <= now && now <= notAfter }

    /// The text form between BEGIN and END, of exactly these bytes: OpenSSL would write some foreign certificates otherwise than they
    /// were read, and their thumbprints would change.
    public func pem() throws(StorageFault) -> [UInt8] {
        let memory = try OpenSSL.memory()
        defer { BIO_free(memory) }
        let count = PEM_write_bio(memory, "CERTIFICATE", "", der, der.count)
        try OpenSSL.check(count, subject, "it could not be written as PEM")
        return OpenSSL.bytes(of: memory)
    }

    /// As OpenSSL holds it; free it with `X509_free`.
    func open() throws(StorageFault) -> OpaquePointer {
        let parsed = der.withUnsafeBytes { OpenSSL.parse($0, { d2i_X509(nil, $0, $1) }, free: X509_free) }
        return try OpenSSL.need(parsed, subject, "it could not be read")
    }

    /// - Throws: `TAPE-CERTIFICATE` for a key that is too weak, too long or of another kind.
    static func kind(_ key: OpaquePointer?) throws(StorageFault) -> KeyKind {
        defer { OpenSSL.forget() }
        guard let key else { throw .certificate("its public key cannot be read") }
        switch EVP_PKEY_get_base_id(key) {
        case EVP_PKEY_RSA:
            let bits = Int(EVP_PKEY_get_bits(key))
            guard (2048...16_384).contains(bits) else { throw .certificate("an RSA key of \(bits) bits is not taken") }
            return .rsa(bits: bits)
        case EVP_PKEY_EC:
            var name = [CChar](repeating: 0, count: 64)
            var count = 0
            guard EVP_PKEY_get_group_name(key, &name, name.count, &count) > 0 else {
                throw .certificate("its key lies on a curve without a name")
            }
            let curve = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            guard let known = curves[curve] else { throw .certificate("a key on the curve \(curve) is not taken") }
            return .ec(curve: known)
        default: throw .certificate("its key is neither RSA nor EC")
        }
    }

    private static func name(_ name: OpaquePointer?) throws(StorageFault) -> String {
        // XN_FLAG_RFC2253, which Swift does not see, but without ASN1_STRFLGS_ESC_MSB, which would write each byte beyond ASCII in
        // hexadecimal.
        let flags = UInt(
            ASN1_STRFLGS_ESC_2253 | ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_UTF8_CONVERT | ASN1_STRFLGS_DUMP_UNKNOWN
                | ASN1_STRFLGS_DUMP_DER | XN_FLAG_SEP_COMMA_PLUS | XN_FLAG_DN_REV | XN_FLAG_DUMP_UNKNOWN_FIELDS)
        return try text { X509_NAME_print_ex($0, name, 0, flags) >= 0 }
    }

    private static func text(_ write: (OpaquePointer) -> Bool) throws(StorageFault) -> String {
        let memory = try OpenSSL.memory()
        defer { BIO_free(memory) }
        guard write(memory) else {
            OpenSSL.forget()
            throw .certificate("a name or number in it cannot be read")
        }
        return String(decoding: OpenSSL.bytes(of: memory), as: UTF8.self)
    }

    private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) throws(StorageFault) -> Int64 {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) > 0 else {
            OpenSSL.forget()
            throw .certificate("a date in it cannot be read")
        }
        return Int64(timegm(&parts))
    }
}

extension StorageFault {
    static func certificate(_ cause: String, _ object: String = "certificate") -> StorageFault {
        StorageFault(
            .badInput, "TAPE-CERTIFICATE", object, cause,
            action: "Give an X.509 certificate with an RSA key of at least 2048 bits or an EC key, as PEM or PKCS#12")
    }
}
