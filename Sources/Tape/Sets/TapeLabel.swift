public import Files

/// What a medium says of itself: its TAPE block with the stream DPMO.
public struct TapeLabel: Hashable, Sendable {
    /// On-media identifier.
    public var id: GUID
    /// Media of one family continue each other's sets.
    public var family: UInt32
    /// Within the family, from 1; at most 65 535.
    public var sequence: Int
    /// At most 1000 characters.
    public var name: String
    /// "free", or who owns it.
    public var pool: String
    public var library: String
    /// What wrote it.
    public var software: String
    /// Seconds since 1970.
    public var date: Int64

    public init(
        id: GUID, family: UInt32, sequence: Int = 1, name: String, pool: String = "free", library: String = "",
        software: String = "dpmsim", date: Int64
    ) {
        (self.id, self.family, self.sequence, self.name) = (id, family, sequence, name)
        (self.pool, self.library, self.software, self.date) = (pool, library, software, date)
    }

    /// Formats a medium: writes label and filemark at its beginning, durably. All that was on it is gone.
    /// - Throws: `TAPE-TEXT` for texts that are too long; what the medium throws.
    public func write(to tape: any TapeMedium) throws(StorageFault) {
        _ = try write(to: tape, map: [])
    }

    /// Reads the label of a medium. It stands behind the label's record then.
    /// - Throws: `TAPE-NO-LABEL` for a blank medium, `TAPE-FOREIGN` for one of another program, `TAPE-MTF` for a
    ///   damaged one.
    public static func read(from tape: any TapeMedium) throws(StorageFault) -> TapeLabel {
        try TapeHead.read(from: tape).label
    }
}

/// The label with what it is known by.
struct TapeHead: Sendable {
    var label: TapeLabel
    /// TAPE block and DPMO stream as they lie on the medium: seals are bound to them, their chain begins with them.
    var identity: [UInt8]
    var block: Block

    static func read(from tape: any TapeMedium) throws(StorageFault) -> TapeHead {
        try tape.rewind()
        let reader = FlatReader(tape)
        guard try reader.hasMore() else {
            throw StorageFault(
                .missing, "TAPE-NO-LABEL", "tape", "nothing is written on it", action: "Write a label on it first")
        }
        guard let block = try reader.block(), case .tape(let facts) = block.content else {
            throw StorageFault(
                .badInput, "TAPE-FOREIGN", "tape", "it does not begin with a TAPE block",
                action: "Erase it if nobody needs what is on it")
        }
        while let header = try reader.stream() {
            guard header.id == .onMedia else {
                try reader.skip(Int64(header.length))
                continue
            }
            let content = try reader.content(header, limit: 1 << 20)
            let text = try FactsText.decoded(OnMediaText.self, content, at: "label")
            guard let id = GUID(text.id), text.family == facts.family, text.sequence == facts.sequence else {
                throw .mtf("label", "its TAPE block and its identifier are of different media")
            }
            let label = TapeLabel(
                id: id, family: facts.family, sequence: Int(facts.sequence), name: text.label, pool: text.pool,
                library: text.library, software: text.software, date: text.date)
            return TapeHead(label: label, identity: try block.encoded() + header.encoded + content, block: block)
        }
        throw StorageFault(
            .badInput, "TAPE-FOREIGN", "tape \(facts.label)",
            "it was written by \(facts.software), which leaves no identifier",
            action: "Erase it if nobody needs what is on it")
    }
}

private struct OnMediaText: Codable {
    var id: String
    var family: UInt32
    var sequence: UInt16
    var label: String
    var pool: String
    var library: String
    var software: String
    var date: Int64
}

extension TapeLabel {
    /// - Parameter map: the sets of the family so far, on a medium that continues one.
    func write(to tape: any TapeMedium, map: [Block]) throws(StorageFault) -> TapeHead {
        guard name.utf16.count <= 1000, let number = UInt16(exactly: sequence), number > 0 else {
            throw StorageFault(
                .badInput, "TAPE-TEXT", "label \(name)",
                "it is longer than 1000 characters or its number is not in 1...65535",
                action: "Shorten it, or begin a new family")
        }
        let text = OnMediaText(
            id: id.description, family: family, sequence: number, label: name, pool: pool, library: library,
            software: software, date: date)
        let block = Block(
            .tape(.init(family: family, sequence: number, name: name, label: name, software: software, date: date)),
            attributes: BlockAttributes.setMap | BlockAttributes.fileDetailAllowed
                | (sequence > 1 ? BlockAttributes.continuation : 0))
        let content = FactsText.encoded(text)
        let header = StreamHeader(.onMedia, length: Int64(content.count))
        let identity = try block.encoded() + header.encoded + content
        var bytes = identity
        if !map.isEmpty {
            let packed = try Block.packing(map)
            bytes += [UInt8](repeating: 0, count: MTF.aligned(bytes.count) - bytes.count)
            bytes += StreamHeader(.setMap, length: Int64(packed.count)).encoded + packed
        }
        bytes += StreamHeader.pad(at: Int64(bytes.count))
        try tape.rewind()
        var from = 0
        while from < bytes.count {
            let end = min(bytes.count, from + min(1 << 20, tape.maximumRecord))
            _ = try tape.write(Array(bytes[from..<end]))
            from = end
        }
        _ = try tape.writeFilemarks(1, immediate: false)
        return TapeHead(label: self, identity: identity, block: block)
    }
}
