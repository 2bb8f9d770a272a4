import Files

/// What all spans of a set have in common while it is written.
struct SetPlan {
    /// Bytes; far more than any file has, and far less than what sums of offsets could overflow with.
    static let largestFile: Int64 = 1 << 60

    static let mostFiles: UInt32 = 1 << 18

    let description: SetDescription
    let options: SetOptions
    /// On the family, from 1.
    let number: Int
    let files: [DirectoryText.File]
    /// File names as they stand on the medium.
    let names: [String]
    /// Nil: not encrypted.
    let key: SetKey?

    /// Largest content of a sealed record. A plain set's records are full.
    var chunk: Int { options.isPlain ? options.recordLength : options.recordLength - 4096 }

    init(
        _ files: [any SetFile], _ description: SetDescription, _ options: SetOptions, number: Int,
        guids: any GUIDSource, secrets: any SecretSource
    ) throws(StorageFault) {
        (self.description, self.options, self.number) = (description, options, number)
        // Half of what a reader takes of a catalog: files that go on on another medium stand in it more than once.
        let catalog = files.reduce(0) { $0 + 256 + 4 * $1.name.utf16.count }
        guard files.count <= Int(Self.mostFiles), catalog <= TapeTail.largestCatalog / 2 else {
            throw StorageFault(
                .badInput, "TAPE-TEXT", "set \(description.name)",
                "it has \(files.count) files, 262144 with names of at most 16 million characters together are allowed",
                action: "Write them as several sets")
        }
        var listed: [DirectoryText.File] = []
        var names: [String] = []
        for file in files {
            guard (0...Self.largestFile).contains(file.size), !file.name.isEmpty, file.name.utf16.count <= 1000 else {
                throw StorageFault(
                    .badInput, "TAPE-TEXT", "file \(file.name.prefix(100))",
                    "its name is empty or longer than 1000 characters, or its size is impossible",
                    action: "Give it another name")
            }
            listed.append(.init(name: file.name, size: file.size, modified: file.modified))
            names.append(options.isEncrypted ? guids.next().description : file.name)
        }
        (self.files, self.names) = (listed, names)
        key = options.isEncrypted ? try SetKey(from: secrets) : nil
    }

    func setStart(_ span: UInt32, at object: Int64) -> Block {
        let opaque = description.set.description
        let isHidden = options.isEncrypted
        var attributes = BlockAttributes.fileDetail
        if isHidden { attributes |= BlockAttributes.encryption }
        if options.compression != nil { attributes |= BlockAttributes.compression }
        if span > 1 { attributes |= BlockAttributes.continuation }
        return Block(
            .setStart(
                .init(
                    number: UInt16(truncatingIfNeeded: number), name: isHidden ? opaque : description.name,
                    description: isHidden ? "" : description.description, user: isHidden ? "" : description.user,
                    object: UInt64(object), date: description.date)),
            attributes: attributes, osData: ClearFacts(description, options, span: span, files: files.count).osData)
    }

    func volume(_ span: UInt32) -> Block {
        let opaque = description.set.description
        let isHidden = options.isEncrypted
        return Block(
            .volume(
                .init(
                    device: isHidden ? opaque : "dpmsim:", volume: isHidden ? "" : description.datasource,
                    machine: isHidden ? "" : description.machine, date: description.date)),
            attributes: span > 1 ? BlockAttributes.continuation : 0)
    }

    func directory(_ span: UInt32) -> Block {
        Block(
            .directory(
                .init(
                    modified: description.date, created: description.date, backedUp: description.date,
                    accessed: description.date)), attributes: span > 1 ? BlockAttributes.continuation : 0)
    }

    func file(_ index: Int, _ extent: FileExtent, continues: Bool) -> Block {
        let file = files[index]
        var block = Block(
            .file(
                .init(
                    modified: file.modified, created: file.modified, backedUp: description.date,
                    accessed: file.modified, id: UInt32(index) + 1, name: names[index])),
            attributes: continues ? BlockAttributes.continuation : 0, osData: extent.encoded)
        block.header.displayableSize = UInt64(file.size)
        return block
    }
}
