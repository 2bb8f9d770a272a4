public import Files

/// The stream `DPMK`: what one needs, besides a private key, to open the records of a span. It is not secret.
public struct SpanEnvelope: Hashable, Sendable {
    static let magic: UInt32 = 0x4B4D_5044
    static let version: UInt16 = 1
    /// Bytes before the thumbprints.
    static let fixed = 106
    /// Most recipients of one envelope.
    public static let mostRecipients = 64
    /// Largest CMS structure, bytes.
    public static let largestMessage = 1 << 18

    public var suite: SealedHeader.Suite
    public var set: GUID
    public var family: UInt32
    /// From 1.
    public var span: UInt32
    /// 32 random bytes from which, with the set's key, the span's key follows.
    public var salt: [UInt8]
    /// First 7 bytes of each nonce of the span.
    public var prefix: [UInt8]
    /// Tag hash of the span before, 32 bytes; zeros in span 1.
    public var before: [UInt8]
    /// Certificates any of which opens it.
    public var thumbprints: [Thumbprint] = []
    /// DER of the CMS AuthEnvelopedData with the set's key; empty for suite none.
    public var message: [UInt8] = []

    /// A span's facts with a new salt and prefix, as yet without the key.
    public init(
        set: GUID, family: UInt32, span: UInt32, before: [UInt8] = [UInt8](repeating: 0, count: 32),
        suite: SealedHeader.Suite, secrets: any SecretSource
    ) throws(StorageFault) {
        precondition(before.count == 32 && span > 0, "a tag hash has 32 bytes, spans count from 1")
        (self.set, self.family, self.span, self.before, self.suite) = (set, family, span, before, suite)
        salt = try secrets.bytes(32)
        prefix = try secrets.bytes(7)
    }

    public func encoded() -> [UInt8] {
        precondition(salt.count == 32 && prefix.count == 7 && before.count == 32, "salt, prefix and hash are whole")
        precondition(thumbprints.count <= Self.mostRecipients && message.count <= Self.largestMessage)
        var bytes = [UInt8](repeating: 0, count: Self.fixed + Thumbprint.count * thumbprints.count + 8 + message.count)
        bytes.putLittle(Self.magic, at: 0)
        bytes.putLittle(Self.version, at: 4)
        bytes.putLittle(UInt16(suite.rawValue), at: 6)
        bytes.put(set.bytes, at: 8)
        bytes.putLittle(family, at: 24)
        bytes.putLittle(span, at: 28)
        bytes.put(salt, at: 32)
        bytes.put(prefix, at: 64)
        bytes.put(before, at: 72)
        bytes.putLittle(UInt16(thumbprints.count), at: 104)
        var place = Self.fixed
        for thumbprint in thumbprints {
            bytes.put(thumbprint.bytes, at: place)
            place += Thumbprint.count
        }
        bytes.putLittle(UInt32(message.count), at: place)
        bytes.put(message, at: place + 4)
        bytes.putLittle(CRC32C.of(Array(bytes.dropLast(4))), at: bytes.count - 4)
        return bytes
    }

    /// Reads one; bytes may follow it, as in a padded tape record.
    /// - Throws: `TAPE-24075` if it is damaged, or no envelope.
    public init(decoding bytes: [UInt8]) throws(StorageFault) {
        guard bytes.count >= Self.fixed + 8 else { throw .envelope("it has only \(bytes.count) bytes") }
        guard bytes.little(UInt32.self, at: 0) == Self.magic else { throw .envelope("it does not begin with DPMK") }
        let version = bytes.little(UInt16.self, at: 4)
        guard version == Self.version else { throw .envelope("version \(version) is not known") }
        let recipients = Int(bytes.little(UInt16.self, at: 104))
        guard recipients <= Self.mostRecipients else { throw .envelope("it tells of \(recipients) certificates") }
        let place = Self.fixed + Thumbprint.count * recipients
        guard bytes.count >= place + 8 else { throw .envelope("it ends within its list of certificates") }
        let length = Int(bytes.little(UInt32.self, at: place))
        guard length <= Self.largestMessage, bytes.count - place - 8 >= length else {
            throw .envelope("\(length) bytes of keys do not fit into it")
        }
        let end = place + 4 + length
        guard CRC32C.of(Array(bytes[..<end])) == bytes.little(at: end) else {
            throw .envelope("its checksum does not fit its bytes")
        }
        guard let code = UInt8(exactly: bytes.little(UInt16.self, at: 6)),
            let suite = SealedHeader.Suite(rawValue: code)
        else { throw .envelope("suite \(bytes.little(UInt16.self, at: 6)) is not known") }
        guard (suite == .none) == (length == 0), bytes[71] == 0 else {
            throw .envelope("its fields contradict each other")
        }
        self.suite = suite
        set = GUID(bytes: Array(bytes[8..<24]))
        family = bytes.little(at: 24)
        span = bytes.little(at: 28)
        salt = Array(bytes[32..<64])
        prefix = Array(bytes[64..<71])
        before = Array(bytes[72..<104])
        thumbprints = (0..<recipients).map { index in
            let start = Self.fixed + Thumbprint.count * index
            return Thumbprint(bytes: Array(bytes[start..<start + Thumbprint.count]))
        }
        message = Array(bytes[(place + 4)..<end])
        guard span > 0 else { throw .envelope("span 0 does not exist") }
    }

    /// How many bytes its encoded form has.
    public var encodedCount: Int { Self.fixed + Thumbprint.count * thumbprints.count + 8 + message.count }
}

extension StorageFault {
    /// A key envelope on the tape that cannot be used any more.
    static func envelope(_ cause: String, _ object: String = "key envelope") -> StorageFault {
        StorageFault(
            .damaged, "TAPE-24075", object, cause,
            action:
                "Read another of the set's three envelopes; if all are damaged, restore from another copy of the set")
    }
}
