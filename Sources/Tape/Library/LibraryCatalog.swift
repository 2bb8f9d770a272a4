public import Files

extension OnMediaIdentity {
    public init(_ label: TapeLabel) {
        self.init(
            identifier: label.id, family: label.family, sequence: label.sequence, label: label.name,
            owner: label.pool == "free" ? nil : label.pool, library: label.library)
    }
}

extension TapeFinding {
    /// Reads the label of a tape in Microsoft Tape Format.
    /// - Throws: what the drive throws; what is damaged or foreign is a finding.
    public static func of(_ medium: any TapeMedium) throws(StorageFault) -> TapeFinding {
        do throws(StorageFault) {
            return .identity(OnMediaIdentity(try TapeLabel.read(from: medium)))
        } catch {
            if error.id == "TAPE-NO-LABEL" { return .blank }
            if error.kind == .damaged || error.id == "TAPE-FOREIGN" { return .unrecognized(error.cause) }
            throw error
        }
    }
}

extension TapeCatalog {
    /// Reads the catalog of a tape in Microsoft Tape Format: what its structures in the clear tell, and with the certificates
    /// what the directories of encrypted sets tell. Data are not read.
    public static func of(
        _ medium: any TapeMedium, with keyed: [KeyedCertificate] = []
    ) throws(StorageFault) -> TapeCatalog {
        let contents = try TapeContents.of(medium)
        let head = try TapeHead.read(from: medium)
        var sets: [CatalogedSet] = []
        // Sets of other programs, or that were never finished, cannot be restored.
        for entry in contents.sets where entry.set != .zero && entry.state != .unfinished {
            sets.append(try set(entry, on: medium, head, keyed))
        }
        return TapeCatalog(identity: OnMediaIdentity(contents.label), sets: sets)
    }

    private static func set(
        _ entry: SetEntry, on medium: any TapeMedium, _ head: TapeHead, _ keyed: [KeyedCertificate]
    ) throws(StorageFault) -> CatalogedSet {
        let span = Int(entry.span)
        var found = CatalogedSet(
            set: entry.set.description, number: entry.number, date: entry.date ?? 0, expiry: entry.expiry, bytes: 0,
            spans: span...span, isClosed: entry.state == .whole)
        if entry.isEncrypted {
            let input = try SpanInput(entry, on: medium, head: head)
            let thumbprints = input.envelopes.first { !$0.thumbprints.isEmpty }?.thumbprints ?? []
            found.thumbprints = thumbprints.map(\.description)
            found.describeFiles(input.fileBlocks())
        } else {
            (found.name, found.datasource, found.machine) = (entry.name, entry.datasource, entry.machine)
        }
        do throws(StorageFault) {
            let open = try OpenSet(entry, on: medium, with: keyed)
            if !open.description.name.isEmpty {
                (found.name, found.datasource) = (open.description.name, open.description.datasource)
                found.machine = open.description.machine
            }
            if !open.files.isEmpty {
                found.files = open.files.map { .init(name: $0.name, size: $0.size, modified: $0.modified) }
            }
        } catch {
            // Without the certificate, or with a damaged envelope, the clear part stands.
            guard error.kind != .device else { throw error }
        }
        found.bytes = found.files.reduce(0) { $0 &+ max(0, $1.size) }
        return found
    }
}

extension CatalogedSet {
    /// Sizes and opaque names from the blocks in the clear.
    fileprivate mutating func describeFiles(_ blocks: [Block]) {
        // A file that goes on has a block on each tape.
        var seen: [Int64: FileEntry] = [:]
        for block in blocks {
            guard case .file(let facts) = block.content, let extent = FileExtent(block.osData) else { continue }
            seen[Int64(extent.file)] = FileEntry(name: facts.name, size: extent.size, modified: extent.modified)
        }
        files = seen.sorted { $0.key < $1.key }.map(\.value)
    }
}
