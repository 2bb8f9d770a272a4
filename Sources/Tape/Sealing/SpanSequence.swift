public import Files

/// Holds the records of one span, as they come, against what must come: nothing dropped, repeated, reordered, cut off or brought
/// from elsewhere. The tags have been checked before.
public struct SpanSequence: Sendable {
    public let set: GUID
    public let span: UInt32
    /// Tag hash of the span before, 32 bytes; zeros in span 1.
    public let before: [UInt8]
    public private(set) var records: UInt32 = 0
    public private(set) var plainBytes: UInt64 = 0
    public private(set) var tags = TagHash()
    /// Flag of the last record; nil before it has come.
    public private(set) var ended: SealedHeader.Flag?

    public init(set: GUID, span: UInt32, before: [UInt8]) {
        precondition(before.count == 32, "a tag hash has 32 bytes")
        (self.set, self.span, self.before) = (set, span, before)
    }

    /// The first 8 bytes of `before` as record 0 carries them.
    public var binding: UInt64 { span == 1 ? 0 : before.little(UInt64.self, at: 0) }

    /// What the span's last record is to hold: of all records before it.
    public var summary: SpanSummary { SpanSummary(tags: tags.digest(), records: records, plainBytes: plainBytes) }

    /// Takes the next record.
    /// - Throws: `TAPE-RECORD-ORDER` for a record that does not come next, `TAPE-SPAN-WRONG` for one of another set, span or run.
    public mutating func accept(_ header: SealedHeader, tag: UnsafeRawBufferPointer) throws(StorageFault) {
        guard header.set == set else { throw fault("TAPE-SPAN-WRONG", "set \(set) expected, found set \(header.set)") }
        guard header.span == span else {
            throw fault("TAPE-SPAN-WRONG", "span \(span) expected, found span \(header.span)")
        }
        guard ended == nil else { throw fault("TAPE-RECORD-ORDER", "record \(header.counter) follows the last one") }
        guard header.counter == records else {
            throw fault("TAPE-RECORD-ORDER", "record \(records) expected, found record \(header.counter)")
        }
        if records == 0, header.before != binding {
            throw fault(
                "TAPE-SPAN-WRONG",
                "span \(span) is from another run: it does not follow the span \(span - 1) read before")
        }
        tags.add(tag)
        if header.flag != .more {
            ended = header.flag
        } else {
            plainBytes = plainBytes.addingReportingOverflow(header.plainLength).partialValue
        }
        records += 1
    }

    /// Checks the content of the last record, taken with `summary` before that record was accepted.
    /// - Throws: `TAPE-RECORD-ORDER`; `TAPE-SET-TRUNCATED` if that record has not come.
    public func finish(_ found: SpanSummary, expected: SpanSummary) throws(StorageFault) {
        guard ended != nil else {
            throw fault("TAPE-SET-TRUNCATED", "it ends after record \(records), before its last one")
        }
        guard found == expected else {
            throw fault("TAPE-RECORD-ORDER", "its last record tells of other records than were read")
        }
    }

    /// When nothing more comes.
    /// - Throws: `TAPE-SET-TRUNCATED` if the last record is missing.
    public func end() throws(StorageFault) {
        guard ended != nil else {
            throw fault("TAPE-SET-TRUNCATED", "it ends after \(records) records, before its last one")
        }
    }

    private func fault(_ id: String, _ cause: String) -> StorageFault {
        StorageFault(
            .damaged, id, "span \(span) of set \(set)", cause,
            action: "Load the cartridge that belongs to it, or restore from another copy")
    }
}

/// Content of the last record of a span: 44 bytes, little-endian.
public struct SpanSummary: Hashable, Sendable {
    public static let count = 44
    /// SHA-256 of the tags of all records before.
    public var tags: [UInt8]
    public var records: UInt32
    public var plainBytes: UInt64

    public init(tags: [UInt8], records: UInt32, plainBytes: UInt64) {
        precondition(tags.count == 32, "a tag hash has 32 bytes")
        (self.tags, self.records, self.plainBytes) = (tags, records, plainBytes)
    }

    public func encoded() -> [UInt8] {
        var bytes = tags + [UInt8](repeating: 0, count: 12)
        bytes.putLittle(records, at: 32)
        bytes.putLittle(plainBytes, at: 36)
        return bytes
    }

    /// - Throws: `TAPE-RECORD-ORDER` for another length than 44.
    public init(decoding bytes: [UInt8]) throws(StorageFault) {
        guard bytes.count == Self.count else {
            throw StorageFault(
                .damaged, "TAPE-RECORD-ORDER", "last record of a span",
                "it has \(bytes.count) bytes, not \(Self.count)",
                action: "Restore from another copy")
        }
        tags = Array(bytes[..<32])
        records = bytes.little(at: 32)
        plainBytes = bytes.little(at: 36)
    }
}
