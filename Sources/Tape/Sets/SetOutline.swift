public import Files

/// What can be known of a set without a key and without reading it through: for a catalogue that is built anew from
/// cartridges.
public struct SetOutline: Sendable {
    public var entry: SetEntry
    /// Of all spans if the set ends on this medium, of none if it goes on on another and is not plain. Names are opaque
    /// on an encrypted set.
    public var files: [SetFileEntry]
    /// Certificates any of which opens the set; empty if it is not encrypted.
    public var thumbprints: [Thumbprint]
    /// Of the three key envelopes those that are whole.
    public var envelopes: Int
    /// Plain and stored bytes of this span, as its seal says; nil without a seal.
    public var plainBytes: UInt64?
    public var storedBytes: UInt64?
    public var faults: [StorageFault]

    /// Three locates, whatever the set's size.
    /// - Throws: what a medium throws that cannot be read at all; damage is in `faults`.
    public static func of(_ entry: SetEntry, on tape: any TapeMedium) throws(StorageFault) -> SetOutline {
        let span = try SpanInput(entry, on: tape, head: try TapeHead.read(from: tape))
        var files: [SetFileEntry] = []
        for block in span.fileBlocks() {
            guard case .file(let facts) = block.content, let extent = FileExtent(block.osData),
                extent.file < SetPlan.mostFiles
            else { continue }
            while files.count <= Int(extent.file) { files.append(SetFileEntry(name: "", size: 0, modified: 0)) }
            files[Int(extent.file)] = SetFileEntry(name: facts.name, size: extent.size, modified: extent.modified)
        }
        let seal = span.trailer?.seal
        return SetOutline(
            entry: entry, files: files, thumbprints: span.envelope?.thumbprints ?? [],
            envelopes: span.envelopes.count, plainBytes: seal?.plainBytes, storedBytes: seal?.storedBytes,
            faults: span.faults)
    }
}
