import COpenSSL
public import Files

/// The stream `DPMS`: what a span of a set is, sealed with the set's key and chained to the seals before it on the tape.
public struct SetSeal: Hashable, Sendable {
    static let magic: UInt32 = 0x534D_5044
    static let version: UInt16 = 1
    /// Bytes the HMAC covers.
    static let sealed = 180
    /// Bytes before the embedded envelope's length.
    static let fixed = 212
    static let largestEnvelope = SpanEnvelope.largestMessage + 4096

    /// Of a seal's flags, bit 0.
    public var isEncrypted: Bool
    /// Bit 1: the set ends with this span.
    public var isLastSpan: Bool
    public var set: GUID
    /// The set's number on its tape, from 1.
    public var number: UInt32
    public var span: UInt32
    public var records: UInt32
    public var storedBytes: UInt64
    public var plainBytes: UInt64
    /// SHA-256 of the tags of all records of the span.
    public var tags = [UInt8](repeating: 0, count: 32)
    /// SHA-256 of the tape's TAPE block.
    public var tape = [UInt8](repeating: 0, count: 32)
    /// SHA-256 of the set's MAP2 and FDD2.
    public var catalog = [UInt8](repeating: 0, count: 32)
    /// The tape's chain value before this seal.
    public var chain = [UInt8](repeating: 0, count: 32)
    /// HMAC-SHA256 of all of these; zeros if not encrypted.
    public var authenticator = [UInt8](repeating: 0, count: 32)
    /// The span's `DPMK`, encoded; may be empty.
    public var envelope: [UInt8] = []

    public init(
        set: GUID, number: UInt32, span: UInt32, records: UInt32, storedBytes: UInt64, plainBytes: UInt64,
        isEncrypted: Bool, isLastSpan: Bool
    ) {
        (self.set, self.number, self.span, self.records) = (set, number, span, records)
        (self.storedBytes, self.plainBytes) = (storedBytes, plainBytes)
        (self.isEncrypted, self.isLastSpan) = (isEncrypted, isLastSpan)
    }

    /// What the HMAC covers.
    public var authenticated: [UInt8] { Array(chainInput[..<Self.sealed]) }

    /// The seal without the embedded envelope: what the chain goes over.
    public var chainInput: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.fixed)
        bytes.putLittle(Self.magic, at: 0)
        bytes.putLittle(Self.version, at: 4)
        bytes.putLittle(UInt16(isEncrypted ? 1 : 0) | (isLastSpan ? 2 : 0), at: 6)
        bytes.put(set.bytes, at: 8)
        bytes.putLittle(number, at: 24)
        bytes.putLittle(span, at: 28)
        bytes.putLittle(records, at: 32)
        bytes.putLittle(storedBytes, at: 36)
        bytes.putLittle(plainBytes, at: 44)
        for (place, part) in [(52, tags), (84, tape), (116, catalog), (148, chain), (180, authenticator)] {
            precondition(part.count == 32, "digests have 32 bytes")
            bytes.put(part, at: place)
        }
        return bytes
    }

    public func encoded() -> [UInt8] {
        precondition(envelope.count <= Self.largestEnvelope, "an envelope is at most 256 KiB")
        var bytes = chainInput + [UInt8](repeating: 0, count: 4) + envelope + [UInt8](repeating: 0, count: 4)
        bytes.putLittle(UInt32(envelope.count), at: Self.fixed)
        bytes.putLittle(CRC32C.of(Array(bytes.dropLast(4))), at: bytes.count - 4)
        return bytes
    }

    /// Reads one; bytes may follow it, as in a padded tape record.
    /// - Throws: `TAPE-SEAL`.
    public init(decoding bytes: [UInt8]) throws(StorageFault) {
        guard bytes.count >= Self.fixed + 8 else { throw .seal("it has only \(bytes.count) bytes") }
        guard bytes.little(UInt32.self, at: 0) == Self.magic else { throw .seal("it does not begin with DPMS") }
        let version = bytes.little(UInt16.self, at: 4)
        guard version == Self.version else { throw .seal("version \(version) is not known") }
        let length = Int(bytes.little(UInt32.self, at: Self.fixed))
        guard length <= Self.largestEnvelope, bytes.count - Self.fixed - 8 >= length else {
            throw .seal("an envelope of \(length) bytes does not fit into it")
        }
        let end = Self.fixed + 4 + length
        guard CRC32C.of(Array(bytes[..<end])) == bytes.little(at: end) else {
            throw .seal("its checksum does not fit its bytes")
        }
        let flags = bytes.little(UInt16.self, at: 6)
        guard flags & ~3 == 0 else { throw .seal("flags \(flags) are not known") }
        self.init(
            set: GUID(bytes: Array(bytes[8..<24])), number: bytes.little(at: 24), span: bytes.little(at: 28),
            records: bytes.little(at: 32), storedBytes: bytes.little(at: 36), plainBytes: bytes.little(at: 44),
            isEncrypted: flags & 1 != 0, isLastSpan: flags & 2 != 0)
        tags = Array(bytes[52..<84])
        tape = Array(bytes[84..<116])
        catalog = Array(bytes[116..<148])
        chain = Array(bytes[148..<180])
        authenticator = Array(bytes[180..<212])
        envelope = Array(bytes[(Self.fixed + 4)..<end])
        guard span > 0 else { throw .seal("span 0 does not exist") }
    }

    /// Sets the HMAC, after everything else has been set.
    public mutating func authenticate(with key: SetKey) throws(StorageFault) {
        authenticator = try key.authenticate(authenticated)
    }

    /// Holds the HMAC against the set's key.
    /// - Throws: `TAPE-SEAL` if it was not made with this key over these facts.
    public func verify(with key: SetKey) throws(StorageFault) {
        let expected = try key.authenticate(authenticated)
        guard isEncrypted, CRYPTO_memcmp(expected, authenticator, expected.count) == 0 else {
            throw .seal("it was not made with the set's key: it was changed or is from elsewhere", name)
        }
    }

    var name: String { "seal of span \(span) of set \(set)" }
}

/// The chain of seals on a tape, by which one sees that a set was taken out, put in or replaced.
public enum SealChain {
    /// Before the first seal: SHA-256 of the TAPE block.
    public static func start(tapeBlock: [UInt8]) -> [UInt8] { TagHash.of(tapeBlock) }

    /// After `seal`: SHA-256 of the value before and of the seal without its envelope.
    public static func next(after value: [UInt8], _ seal: SetSeal) -> [UInt8] { TagHash.of(value + seal.chainInput) }

    /// Holds the seals of a tape, in their order, against each other.
    /// - Parameter newest: the chain value the catalog keeps for the tape; nil if it is not known.
    /// - Returns: the chain value after the last seal.
    /// - Throws: `TAPE-CHAIN` naming the first seal that does not follow from those before.
    @discardableResult public static func check(
        _ seals: [SetSeal], tapeBlock: [UInt8], newest: [UInt8]? = nil
    ) throws(StorageFault) -> [UInt8] {
        var value = start(tapeBlock: tapeBlock)
        var known = newest == nil || newest == value
        for seal in seals {
            guard seal.tape == TagHash.of(tapeBlock) else {
                throw .chain(seal.name, "it was made for another tape")
            }
            guard seal.chain == value else {
                throw .chain(
                    seal.name, "it does not follow the set before it: a set in front of it is missing or was changed")
            }
            value = next(after: value, seal)
            if newest == value { known = true }
        }
        guard known else {
            throw .chain("last seal", "the tape is older than the catalog knows it: its newest sets are missing")
        }
        return value
    }
}

extension StorageFault {
    static func seal(_ cause: String, _ object: String = "seal") -> StorageFault {
        StorageFault(
            .damaged, "TAPE-SEAL", object, cause,
            action: "Verify the set; what its records hold can still be restored if they are whole")
    }

    static func chain(_ object: String, _ cause: String) -> StorageFault {
        StorageFault(
            .damaged, "TAPE-CHAIN", object, cause,
            action: "Find out who had the tape; the sets that are on it can still be restored")
    }
}
