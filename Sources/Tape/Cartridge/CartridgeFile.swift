import Files

/// Reads the structures of a cartridge's file, whoever wants them: opening, check and dump.
struct CartridgeFile {
    let file: any StoreFile
    let size: Int64

    init(_ file: any StoreFile) throws(StorageFault) {
        self.file = file
        size = try file.size()
    }

    /// All that a commit left: a label with what it points to.
    struct Commit {
        var slot: Int
        var label: CartridgeLabel
        var memory: CartridgeMemory
        var indexes: [CartridgeIndex]
    }

    static func labelName(_ slot: Int) -> String { "label \(slot)" }

    func label(_ slot: Int) throws(StorageFault) -> (label: CartridgeLabel?, problem: String?) {
        let bytes: [UInt8]
        do throws(StorageFault) {
            bytes = try file.bytes(CartridgeLayout.labelSize, at: CartridgeLayout.label(slot))
        } catch {
            guard error.isOfMedium else { throw error }
            return (nil, error.cause)
        }
        return CartridgeLabel.decoded(bytes, slot: slot)
    }

    /// The bytes of a piece, if they are those that were written.
    func bytes(of piece: CartridgePiece) throws(StorageFault) -> (bytes: [UInt8]?, problem: String?) {
        guard piece.length > 0 else { return ([], nil) }
        do throws(StorageFault) {
            let bytes = try file.bytes(piece.length, at: piece.offset)
            return CRC32C.of(bytes) == piece.crc ? (bytes, nil) : (nil, "its checksum is not the one in the label")
        } catch {
            guard error.isOfMedium else { throw error }
            return (nil, error.cause)
        }
    }

    func memory(of label: CartridgeLabel) throws(StorageFault) -> (memory: CartridgeMemory?, problem: String?) {
        let (bytes, problem) = try bytes(of: label.attributes)
        guard let bytes else { return (nil, problem) }
        return CartridgeMemory.decoded(bytes, seed: CartridgeRecord.seed(label.identity.guid))
    }

    func index(of partition: Int, _ label: CartridgeLabel) throws(StorageFault) -> (
        index: CartridgeIndex?, problem: String?
    ) {
        let said = label.partitions[partition]
        let (bytes, problem) = try bytes(of: said.tail)
        guard let bytes else { return (nil, problem) }
        let decoded = CartridgeTail.decoded(
            bytes, partition: partition, seed: CartridgeRecord.seed(label.identity.guid), end: said.end,
            limit: said.storedEnd)
        guard let levels = decoded.levels else { return (nil, decoded.problem) }
        return (CartridgeIndex(levels: levels, end: said.end, storedEnd: said.storedEnd), nil)
    }

    /// What a label points to, or what of it is damaged.
    func commit(_ label: CartridgeLabel, _ slot: Int) throws(StorageFault) -> (
        commit: Commit?, problems: [(object: String, cause: String)]
    ) {
        var problems: [(object: String, cause: String)] = []
        let (memory, problem) = try memory(of: label)
        if let problem { problems.append(("attributes of label \(slot)", problem)) }
        var indexes: [CartridgeIndex] = []
        for partition in label.partitions.indices {
            let (index, problem) = try index(of: partition, label)
            if let index { indexes.append(index) }
            if let problem { problems.append(("index tail of partition \(partition), label \(slot)", problem)) }
        }
        guard problems.isEmpty, let memory else { return (nil, problems) }
        return (Commit(slot: slot, label: label, memory: memory, indexes: indexes), [])
    }

    /// The newest commit that is sound, and what was found on the way to it.
    func newest() throws(StorageFault) -> (commit: Commit?, findings: [CartridgeFinding]) {
        var found: [(slot: Int, label: CartridgeLabel)] = []
        var bad: [(object: String, cause: String)] = []
        for slot in 0..<2 {
            let (label, problem) = try label(slot)
            if let label { found.append((slot, label)) }
            if let problem { bad.append((Self.labelName(slot), problem)) }
        }
        if found.count == 2, found[0].label.identity.guid != found[1].label.identity.guid {
            return (nil, [CartridgeFinding("labels", "they are of two cartridges", action: Self.restore)])
        }
        found.sort { $0.label.generation > $1.label.generation }
        var newest: Commit?
        for (slot, label) in found {
            let (commit, problems) = try commit(label, slot)
            bad += problems
            if newest == nil { newest = commit }
        }
        guard let newest else {
            return (nil, bad.map { CartridgeFinding($0.object, $0.cause, action: Self.restore) })
        }
        // The file cannot tell a copy from a newer label, nor one that was torn from one that rotted.
        let action =
            "Nothing acknowledged is lost if the cartridge had been unloaded, or if the power went while it was loaded; otherwise what was written since the last unload may be. The next unload writes it anew"
        var findings = bad.map { CartridgeFinding($0.object, $0.cause, action: action) }
        if newest.label.storedEnd > CartridgeLayout.rounded(max(size, CartridgeLayout.dataStart)) {
            findings.append(
                CartridgeFinding(
                    "the file", "it ends at byte \(size), what is on the tape at byte \(newest.label.storedEnd)",
                    action: Self.restore))
        }
        return (newest, findings)
    }

    static let restore = "Restore the file from a copy"
}
