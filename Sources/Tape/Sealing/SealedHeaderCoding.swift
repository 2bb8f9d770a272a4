public import Files

extension SealedHeader {
    /// "DPMR".
    static let magic: UInt32 = 0x524D_5044
    static let version: UInt8 = 1
    /// Bytes behind the content of a sealed record.
    public static let tagCount = 16
    /// What a sealed record has besides its content, bytes.
    public static let overhead = count + tagCount
    /// Largest plain and largest stored content of a record, bytes.
    public static let largestContent = (1 << 20) - 4096

    /// Reads a header and checks that its fields can be true; whether they are, its tag says.
    /// - Throws: `TAPE-RECORD-TAG` if it is none, or of a version or kind unknown here.
    public init(_ bytes: UnsafeRawBufferPointer) throws(StorageFault) {
        guard bytes.count >= Self.count else { throw .header("it has \(bytes.count) bytes, fewer than \(Self.count)") }
        func little<T: FixedWidthInteger>(_ type: T.Type, _ offset: Int) -> T {
            T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
        }
        guard little(UInt32.self, 0) == Self.magic else { throw .header("it does not begin with DPMR") }
        guard bytes[4] == Self.version else { throw .header("version \(bytes[4]) is not known") }
        guard let suite = Suite(rawValue: bytes[5]) else { throw .header("suite \(bytes[5]) is not known") }
        guard let compression = Compression(rawValue: bytes[6]) else {
            throw .header("compression \(bytes[6]) is not known")
        }
        guard let flag = Flag(rawValue: bytes[7]) else { throw .header("flag \(bytes[7]) is not known") }
        self.init(
            set: GUID(bytes: [UInt8](bytes[8..<24])), span: little(UInt32.self, 24), counter: little(UInt32.self, 28))
        (self.suite, self.compression, self.flag) = (suite, compression, flag)
        firstByte = little(UInt64.self, 32)
        plainLength = little(UInt64.self, 40)
        storedLength = little(UInt32.self, 48)
        file = little(UInt32.self, 52)
        before = little(UInt64.self, 56)
        if let fault = implausible { throw .header(fault) }
    }

    /// Writes the 64 bytes.
    /// - Precondition: there is room for them.
    public func put(into target: UnsafeMutableRawBufferPointer) {
        precondition(target.count >= Self.count, "a header needs 64 bytes")
        func put(_ value: some FixedWidthInteger, _ offset: Int) {
            target.storeBytes(of: value.littleEndian, toByteOffset: offset, as: type(of: value))
        }
        put(Self.magic, 0)
        put(Self.version, 4)
        put(suite.rawValue, 5)
        put(compression.rawValue, 6)
        put(flag.rawValue, 7)
        UnsafeMutableRawBufferPointer(rebasing: target[8..<24]).copyBytes(from: set.bytes)
        put(span, 24)
        put(counter, 28)
        put(firstByte, 32)
        put(plainLength, 40)
        put(storedLength, 48)
        put(file, 52)
        put(before, 56)
    }

    /// Why no writer writes such a header; nil if one may.
    var implausible: String? {
        if span == 0 { return "span 0 does not exist" }
        if storedLength > Self.largestContent { return "\(storedLength) stored bytes are more than a record holds" }
        if before != 0, counter != 0 || span == 1 { return "record \(counter) of span \(span) follows no other span" }
        if firstByte.addingReportingOverflow(plainLength).overflow { return "its bytes end beyond any file" }
        switch compression {
        case .zeros: return storedLength == 0 ? nil : "a run of zeros stores \(storedLength) bytes"
        case .stored: return plainLength == storedLength ? nil : "\(plainLength) bytes are stored as \(storedLength)"
        case .zstd:
            if plainLength > Self.largestContent { return "\(plainLength) plain bytes are more than a record holds" }
            return storedLength > 0 ? nil : "compressed content is empty"
        }
    }
}

extension StorageFault {
    static func header(_ cause: String) -> StorageFault { .tag("sealed record", "its header is wrong: \(cause)") }

    static func tag(_ object: String, _ cause: String) -> StorageFault {
        StorageFault(
            .damaged, "TAPE-RECORD-TAG", object, cause,
            action: "Restore from another copy of the set; what other records hold can still be read")
    }
}
