import Files

/// Where a tape ends and what its last trailer says: all that is needed to write on, or to list its sets. Needs no key.
struct TapeTail {
    let head: TapeHead
    /// Filemarks before the place where the next set begins.
    var files: Int64
    /// Record of the last ESET; 0 if there is none.
    var lastSetEnd: Int64 = 0
    /// MAP2 of the last ESET, or of the label on a medium that only continues a set; nil if it cannot be read.
    var map: [Block]?
    /// Chain of the seals; zeros if the last seal cannot be read.
    var chain: [UInt8]
    /// Number of the last set of the family.
    var number = 0
    /// Set if the medium ends in an EOTM: the tape file of the set that goes on.
    var continuing: Int64?
    /// Tape file of a set that has no trailer: an interrupted write, discarded by the next one.
    var unfinished: Int64?
    /// What could not be read on the way.
    var faults: [StorageFault] = []

    /// Largest MAP2 or FDD2 that is read, bytes.
    static let largestCatalog = 1 << 28

    static let brokenChain = [UInt8](repeating: 0, count: 32)

    init(of tape: any TapeMedium) throws(StorageFault) {
        head = try TapeHead.read(from: tape)
        chain = SealChain.start(tapeBlock: head.identity)
        try tape.locateEndOfData(partition: 0)
        files = tape.position.file
        // A tape whose label's filemark is missing: an interrupted label.
        guard files > 0 else {
            throw StorageFault(
                .damaged, "TAPE-NO-LABEL", "tape \(head.label.name)", "its label is not finished",
                action: "Write a label on it again")
        }
        try tape.locateEndOfData(partition: 0)
        let end = tape.position.object
        try tape.locate(file: files, partition: 0)
        if tape.position.object < end { unfinished = files }
        try look(at: tape)
    }

    private mutating func look(at tape: any TapeMedium) throws(StorageFault) {
        // Tape files at the end that are ended sets of no use, where nothing can be written over.
        var aborted: Int64 = 0
        while files - aborted > 1 {
            let last = files - aborted - 1
            do throws(StorageFault) {
                try tape.locate(file: last, partition: 0)
                let reader = FlatReader(tape)
                let object = tape.position.object
                guard let block = try reader.block() else { throw .mtf("tape file \(last)", "it is empty") }
                switch block.content {
                case .setEnd where block.header.attributes & BlockAttributes.aborted != 0:
                    aborted += 2
                    continue
                case .setEnd(let facts):
                    lastSetEnd = object
                    number = Int(facts.number)
                    try readTrailer(reader)
                    return
                case .tapeEnd(let facts):
                    // The set before it goes on elsewhere.
                    lastSetEnd = Int64(clamping: facts.lastSetEnd)
                    continuing = last - 1
                    try readTrailer(reader)
                    return
                default:
                    // Data without a trailer.
                    guard aborted == 0 else { throw .mtf("tape file \(last)", "a trailer should be there") }
                    unfinished = last
                    files = last
                    continue
                }
            } catch {
                faults.append(error)
                // Trailers lie in even tape files, data in odd ones.
                if last % 2 == 0 || aborted > 0 {
                    // A seal that was read stands, whatever is wrong with the catalog.
                    if chain == SealChain.start(tapeBlock: head.identity) { chain = Self.brokenChain }
                    number = max(number, Int(last / 2))
                    return
                }
                unfinished = last
                files = last
            }
        }
        // Only a label: on a medium that continues a set, its map tells of the sets before.
        map = []
        try readLabelMap(tape)
    }

    private mutating func readTrailer(_ reader: FlatReader) throws(StorageFault) {
        var catalog = TagHash()
        var found: [UInt8]?
        while let header = try reader.stream() {
            switch header.id {
            case .setMap:
                let content = try reader.content(header, limit: Self.largestCatalog)
                catalog.add(content)
                found = content
            case .fileDetail: catalog.add(try reader.content(header, limit: Self.largestCatalog))
            case .seal:
                let content = try reader.content(header, limit: SetSeal.largestEnvelope + 4096)
                let seal = try SetSeal(decoding: content)
                chain = SealChain.next(after: seal.chain, seal)
                number = max(number, Int(seal.number))
                guard let found else { return }
                guard seal.catalog == catalog.digest() else {
                    throw .seal("the catalog before it was changed", reader.place)
                }
                map = try Block.packed(found, at: "set map")
                return
            default: try reader.skip(Int64(header.length))
            }
        }
        throw .seal("it is missing", reader.place)
    }

    private mutating func readLabelMap(_ tape: any TapeMedium) throws(StorageFault) {
        try tape.rewind()
        let reader = FlatReader(tape)
        guard try reader.block() != nil else { return }
        while let header = try reader.stream() {
            guard header.id == .setMap else {
                try reader.skip(Int64(header.length))
                continue
            }
            let content = try reader.content(header, limit: Self.largestCatalog)
            map = try Block.packed(content, at: "set map")
            number =
                map?.reduce(0) { number, block in
                    guard case .setStart(let facts) = block.content else { return number }
                    return max(number, Int(facts.number))
                } ?? 0
        }
    }
}
