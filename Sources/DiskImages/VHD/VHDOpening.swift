public import Files

/// What is found in a VHD file when it is opened, checked.
struct VHDOpening {
    let file: any StoreFile
    private(set) var footer: VHDFooter
    let kind: VHDKind
    let size: Int64
    private(set) var complaints: [String]
    /// Whether both footers are there and equal.
    private(set) var footersGood: Bool
    /// Where the footer at the end is or ought to be.
    private(set) var end: Int64
    private let endOffset: Int64?
    private(set) var headerOffset: Int64 = 0
    private(set) var header: VHDHeader?
    private(set) var blockSize: Int64
    private(set) var bitmapSize: Int64 = 0
    private(set) var table: [UInt32] = []
    private(set) var parent: ParentReference?

    init(file: any StoreFile, trusting: Bool) throws(StorageFault) {
        self.file = file
        let footers = try VHDFooters(file)
        let chosen = try footers.choose(trusting: trusting)
        (footer, complaints, footersGood) = (chosen.footer, chosen.complaints, chosen.bothGood)
        guard footer.version >> 16 == 1 else {
            throw StorageFault(
                .badInput, "VHD-VERSION", file.path,
                "the footer has version 0x\(String(footer.version, radix: 16)), not 1.0",
                action: "Convert the disk with the program that made it")
        }
        guard let kind = footer.kind else {
            throw StorageFault(
                .badInput, "VHD-KIND", file.path, "it is neither a fixed, nor a dynamic, nor a differencing disk",
                action: "Convert the disk with the program that made it")
        }
        self.kind = kind
        guard let size = footer.size, size > 0, size % 512 == 0, size <= VHD.largest else {
            throw StorageFault(
                .damaged, "VHD-SIZE", file.path,
                "the footer's size of \(footer.currentSize) bytes is none a VHD can have (whole sectors, at most 2040 GiB)",
                action: "Restore the file from a copy; dump shows its structures")
        }
        (self.size, blockSize, end, endOffset) = (size, size, footers.endOffset ?? 0, footers.endOffset)
        if kind == .fixed {
            guard size <= end else {
                throw StorageFault(
                    .damaged, "VHD-SHORT", file.path,
                    "a fixed disk of \(size) bytes lies in a file with room for \(end)",
                    action: "Restore the file from a copy; it was cut off")
            }
            return
        }
        try readHeader(fileSize: footers.fileSize, trusting: trusting)
        for sector in table where sector != VHD.absent { end = max(end, Int64(sector) * 512 + bitmapSize + blockSize) }
        for (_, range) in fixedStructures() { end = max(end, range.upperBound) }
        end = end.roundedUp(to: 512).value
    }

    private mutating func readHeader(fileSize: Int64, trusting: Bool) throws(StorageFault) {
        guard let offset = Int64(exactly: footer.dataOffset), offset >= 512, offset <= fileSize - 1024,
            offset % 512 == 0
        else {
            throw damage("VHD-HEADER", "the footer places the header at byte \(footer.dataOffset), outside the file")
        }
        let header = VHDHeader(bytes: try file.bytes(VHD.headerSize, at: offset))
        guard header.hasCookie else { throw damage("VHD-HEADER", "there is no header at byte \(offset)") }
        if header.checksum != header.rightChecksum {
            let text = VHD.wrongChecksum("header", header.checksum, header.rightChecksum)
            guard trusting else { throw VHD.distrust(text, file.path) }
            complaints.append(text)
        }
        guard header.version >> 16 == 1 else {
            throw damage("VHD-HEADER", "the header has version 0x\(String(header.version, radix: 16)), not 1.0")
        }
        blockSize = Int64(header.blockSize)
        guard blockSize >= 512, blockSize <= VHD.largestBlock, blockSize & (blockSize - 1) == 0 else {
            throw damage(
                "VHD-BLOCK", "blocks of \(blockSize) bytes are not a power of two from 512 bytes to 256 MiB")
        }
        bitmapSize = VHD.bitmapSize(blockSize: blockSize)
        let blocks = (size + blockSize - 1) / blockSize
        guard blocks <= Int64(header.blocks), blocks <= VHD.mostBlocks else {
            throw damage(
                "VHD-TABLE",
                "the disk has \(blocks) blocks, the table room for \(header.blocks) (and \(VHD.mostBlocks) are the limit)"
            )
        }
        guard let tableOffset = Int64(exactly: header.tableOffset), tableOffset >= 512, tableOffset <= fileSize,
            blocks * 4 <= fileSize - tableOffset
        else { throw damage("VHD-TABLE", "the block table at byte \(header.tableOffset) does not lie inside the file") }
        let bytes = try file.bytes(Int(blocks) * 4, at: tableOffset)
        table = bytes.withUnsafeBytes { bytes in
            (0..<Int(blocks)).map { UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) }
        }
        (self.header, headerOffset) = (header, offset)
        if kind == .differencing { parent = reference(header, fileSize) }
    }

    /// Paths that cannot be read are left out: they are hints, the identifier is the proof.
    private mutating func reference(_ header: VHDHeader, _ fileSize: Int64) -> ParentReference {
        var paths: [String: String] = [:]
        if !header.parentName.isEmpty { paths["name"] = header.parentName }
        for locator in header.locators where ["W2ru", "W2ku"].contains(locator.code) {
            do throws(StorageFault) {
                let path = try VHD.path(of: locator, in: file, fileSize)
                if !path.isEmpty { paths[locator.code] = path }
            } catch {
                complaints.append("the parent's path of kind \(locator.code) cannot be read: \(error.cause)")
            }
        }
        return ParentReference(linkage: [header.parentUUID], paths: paths)
    }

    /// What else lies in the file than footers and blocks.
    private func fixedStructures() -> [(name: String, range: Range<Int64>)] {
        guard let header else { return [] }
        let tableOffset = Int64(header.tableOffset)
        let paths = header.locators.compactMap { locator -> (name: String, range: Range<Int64>)? in
            guard let offset = Int64(exactly: locator.offset), offset <= Int64.max / 2, locator.length > 0 else {
                return nil
            }
            return ("parent's path \(locator.code)", offset..<offset + Int64(locator.length))
        }
        return [
            ("header", headerOffset..<headerOffset + Int64(VHD.headerSize)),
            ("block table", tableOffset..<tableOffset + Int64(header.blocks) * 4),
        ] + paths
    }

    /// Before a file is changed, everything in it must have a place of its own: what is hostile or broken would be made worse.
    /// O(blocks × log blocks).
    func checkForWriting() throws(StorageFault) {
        guard kind != .fixed else { return }
        let fileSize = try file.size()
        let others = fixedStructures()
        // Blocks by their number, the others by numbers below zero.
        var places = others.indices.map { (owner: $0 - others.count, range: others[$0].range) }
        for (block, sector) in table.enumerated() where sector != VHD.absent {
            let start = Int64(sector) * 512
            places.append((block, start..<start + bitmapSize + blockSize))
        }
        places.sort { ($0.range.lowerBound, $0.owner) < ($1.range.lowerBound, $1.owner) }
        func name(_ owner: Int) -> String {
            owner >= 0
                ? "block \(owner)" : owner < -others.count ? "copy of the footer" : others[owner + others.count].name
        }
        var before = (owner: -others.count - 1, end: Int64(512))
        for place in places {
            guard place.range.lowerBound >= before.end else {
                throw damage("VHD-OVERLAP", "the \(name(place.owner)) lies over the \(name(before.owner))")
            }
            guard place.range.upperBound <= fileSize else {
                throw damage("VHD-TABLE", "the \(name(place.owner)) goes beyond the end of the file")
            }
            before = (place.owner, place.range.upperBound)
        }
        if let endOffset, before.end > endOffset {
            throw damage("VHD-OVERLAP", "the \(name(before.owner)) lies over the footer at the end")
        }
    }

    private func damage(_ id: String, _ cause: String) -> StorageFault {
        StorageFault(
            .damaged, id, file.path, cause, action: "Restore the file from a copy; dump shows its structures")
    }
}

/// The footers of a file as they are.
struct VHDFooters {
    let path: String
    let fileSize: Int64
    /// The last 512 bytes (or 511, in files of very old programs) if they look like a footer.
    private(set) var atEnd: VHDFooter?
    private(set) var endOffset: Int64?
    /// The first 512 bytes if they look like a footer.
    private(set) var copy: VHDFooter?

    init(_ file: any StoreFile) throws(StorageFault) {
        path = file.path
        fileSize = try file.size()
        for length in [512, 511] as [Int64] where fileSize >= length && atEnd == nil {
            let bytes = try file.bytes(Int(length), at: fileSize - length)
            let footer = VHDFooter(bytes: bytes + [UInt8](repeating: 0, count: 512 - bytes.count))
            if footer.hasCookie { (atEnd, endOffset) = (footer, fileSize - length) }
        }
        if fileSize >= 1024, endOffset != 0 {
            let footer = VHDFooter(bytes: try file.bytes(512, at: 0))
            if footer.hasCookie { copy = footer }
        }
    }

    /// The footer to go by: the one at the end, the copy if that one is bad.
    func choose(trusting: Bool) throws(StorageFault) -> (footer: VHDFooter, complaints: [String], bothGood: Bool) {
        guard atEnd != nil || copy != nil else {
            throw StorageFault(
                .badInput, "VHD-FOOTER", path, "there is no VHD footer, neither at the end nor a copy at the beginning",
                action: "Check the format; a raw disk has none, a VHD that was cut off has lost it")
        }
        // A fixed disk has no copy: what lies at its beginning is the guest's.
        let spare = atEnd?.kind == .fixed ? nil : copy.flatMap { $0.kind == .fixed ? nil : $0 }
        var complaints: [String] = []
        if let atEnd {
            if atEnd.checksum == atEnd.rightChecksum {
                let alone = atEnd.kind == .fixed
                if !alone, spare != atEnd {
                    complaints.append("the copy of the footer at the beginning differs from it")
                }
                return (atEnd, complaints, (alone || spare == atEnd) && endOffset == fileSize - 512)
            }
            complaints.append(VHD.wrongChecksum("footer at the end", atEnd.checksum, atEnd.rightChecksum))
        } else {
            complaints.append("there is no footer at the end")
        }
        if let spare {
            if spare.checksum == spare.rightChecksum { return (spare, complaints, false) }
            complaints.append(VHD.wrongChecksum("copy of the footer", spare.checksum, spare.rightChecksum))
        }
        guard trusting, let footer = atEnd ?? spare else {
            throw VHD.distrust(complaints.joined(separator: "; "), path)
        }
        return (footer, complaints, false)
    }
}

extension VHD {
    /// Whether the file has a VHD footer, good or bad, at its end (511 bytes long too) or a copy at its beginning.
    public static func isVHD(_ file: any StoreFile) throws(StorageFault) -> Bool {
        let footers = try VHDFooters(file)
        return footers.atEnd != nil || footers.copy.map { $0.kind != .fixed } ?? false
    }

    static func wrongChecksum(_ what: String, _ stored: UInt32, _ right: UInt32) -> String {
        "the checksum of the \(what) is 0x\(String(stored, radix: 16)), its bytes give 0x\(String(right, radix: 16))"
    }

    static func distrust(_ cause: String, _ path: String) -> StorageFault {
        StorageFault(
            .damaged, "VHD-CHECKSUM", path, cause,
            action: "Restore the file from a copy, or ask for it to be opened in spite of its checksums")
    }

    /// The text a locator points to; at most `longestLocator` bytes are read.
    static func path(of locator: VHDHeader.Locator, in file: any StoreFile, _ fileSize: Int64) throws(StorageFault)
        -> String
    {
        guard locator.length <= longestLocator, let offset = Int64(exactly: locator.offset), offset <= fileSize,
            Int64(locator.length) <= fileSize - offset
        else {
            throw StorageFault(
                .damaged, "VHD-LOCATOR", file.path,
                "it is said to have \(locator.length) bytes at \(locator.offset), outside the file or beyond reason",
                action: "Name the parent anew")
        }
        return littleText(try file.bytes(Int(locator.length), at: offset))
    }
}
