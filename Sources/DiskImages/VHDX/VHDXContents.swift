import Files

/// What a VHDX file holds, read and checked when it is opened: the header that counts, the log, the regions, the metadata.
struct VHDXContents {
    var source: VHDXSource
    /// Which of the two headers counts: 0 or 1.
    let slot: Int
    let header: VHDXHeader
    let log: Range<Int64>
    let bat: Range<Int64>
    let metadataRegion: Range<Int64>
    let metadata: VHDXMetadata
    let parent: ParentReference?

    init(_ file: any StoreFile) throws(StorageFault) {
        let size = try file.size()
        guard size >= VHDXFormat.mebibyte else {
            throw Self.fault("VHDX-SHORT", file, VHDXProblem("the file has \(size) bytes, too few for a VHDX"))
        }
        guard VHDX.isVHDX(try file.bytes(8, at: 0)) else {
            throw StorageFault(
                .badInput, "VHDX-IDENT", file.path, "it is not a VHDX: it does not begin with vhdxfile",
                action: "Name the right file; one whose making was interrupted has to be made again")
        }
        let log: Range<Int64>
        (slot, header, log) = try Self.header(file, size)
        self.log = log
        var source = VHDXSource(file: file)
        if header.logGUID != .zero { source.overlay = try Self.replayed(file, header, log, size) }

        let fileSize = source.overlay?.fileSize ?? size
        (bat, metadataRegion) = try Self.regions(source, log, fileSize)
        metadata = try Self.metadata(source, metadataRegion)
        let needed = metadata.geometry.entries * 8
        guard needed <= bat.upperBound - bat.lowerBound else {
            let problem = VHDXProblem("the BAT's region has no room for the \(needed) bytes that its disk needs")
            throw Self.fault("VHDX-REGION", file, problem)
        }
        do { parent = try metadata.locator?.reference() } catch {
            throw Self.fault("VHDX-LOCATOR", file, error)
        }
        self.source = source
    }

    func fileSize() throws(StorageFault) -> Int64 {
        if let overlay = source.overlay { return overlay.fileSize }
        return try source.file.size()
    }

    static func fault(_ id: String, _ file: any StoreFile, _ problem: VHDXProblem) -> StorageFault {
        StorageFault(
            .damaged, id, file.path, problem.text,
            action: "Restore the file from a copy; image dump shows each of its structures")
    }

    private static func header(
        _ file: any StoreFile, _ size: Int64
    ) throws(StorageFault) -> (slot: Int, VHDXHeader, log: Range<Int64>) {
        var headers: [VHDXHeader?] = []
        var problems: [String] = []
        for (index, place) in VHDXFormat.headerPlaces.enumerated() {
            let bytes = try file.bytes(VHDXHeader.size, at: place)
            do { headers.append(try VHDXHeader(bytes)) } catch {
                headers.append(nil)
                problems.append("header \(index + 1): \(error.text)")
            }
        }
        do throws(VHDXProblem) {
            let (slot, header) = try VHDXHeader.choose(headers[0], headers[1])
            guard header.logVersion == 0 || header.logGUID == .zero else {
                throw VHDXProblem("its log has version \(header.logVersion); this program knows version 0")
            }
            let log = try header.logPlace()
            guard log.upperBound <= size else {
                throw VHDXProblem("its log ends at byte \(log.upperBound), behind the file's end at \(size)")
            }
            return (slot, header, log)
        } catch {
            let all = problems.isEmpty ? error.text : error.text + "; " + problems.joined(separator: "; ")
            throw fault("VHDX-HEADER", file, VHDXProblem(all))
        }
    }

    private static func replayed(
        _ file: any StoreFile, _ header: VHDXHeader, _ log: Range<Int64>, _ size: Int64
    ) throws(StorageFault) -> VHDXOverlay {
        guard Int64(header.logLength) <= VHDXFormat.largestLog else {
            let problem = VHDXProblem("its log has \(header.logLength) bytes; this program replays 64 MiB at most")
            throw fault("VHDX-LOG", file, problem)
        }
        var reader = VHDXLogReader(file: file, place: log, guid: header.logGUID)
        guard let active = try reader.active(), let head = active.last else {
            let problem = VHDXProblem("its log is to be replayed, but has no valid sequence of entries")
            throw fault("VHDX-LOG", file, problem)
        }
        guard head.flushedFileOffset <= UInt64(size) else {
            let problem = VHDXProblem(
                "the file has \(size) bytes, but had \(head.flushedFileOffset) when its log was written; it was cut off"
            )
            throw fault("VHDX-SHORT", file, problem)
        }
        return try VHDXOverlay(&reader, active, fileSize: size)
    }

    /// The second region table counts if the first is bad.
    private static func regions(
        _ source: VHDXSource, _ log: Range<Int64>, _ fileSize: Int64
    ) throws(StorageFault) -> (bat: Range<Int64>, metadata: Range<Int64>) {
        var problems: [String] = []
        for (index, place) in VHDXFormat.regionTablePlaces.enumerated() {
            let bytes = try source.bytes(VHDXFormat.regionTableSize, at: place)
            let table: VHDXRegionTable
            do { table = try VHDXRegionTable(bytes) } catch {
                problems.append("region table \(index + 1): \(error.text)")
                continue
            }
            do throws(VHDXProblem) {
                let places = try table.places(log: log)
                guard max(places.bat.upperBound, places.metadata.upperBound) <= fileSize else {
                    throw VHDXProblem("its regions end behind the file's end at \(fileSize)")
                }
                return places
            } catch { throw fault("VHDX-REGION", source.file, error) }
        }
        throw fault("VHDX-REGION", source.file, VHDXProblem(problems.joined(separator: "; ")))
    }

    private static func metadata(_ source: VHDXSource, _ region: Range<Int64>) throws(StorageFault) -> VHDXMetadata {
        let file = source.file
        let table = try source.bytes(VHDXFormat.metadataTableSize, at: region.lowerBound)
        let places = try checked("VHDX-METADATA", file) { () throws(VHDXProblem) in
            try VHDXMetadataTable(table).known().map { (item) throws(VHDXProblem) in
                (item.guid, try VHDXMetadataTable.place(of: item, in: region.upperBound - region.lowerBound))
            }
        }
        var contents: [(guid: GUID, content: [UInt8])] = []
        for (guid, place) in places {
            contents.append((guid, try source.bytes(place.count, at: region.lowerBound + place.lowerBound)))
        }
        return try checked("VHDX-METADATA", file) { () throws(VHDXProblem) in try VHDXMetadata(contents) }
    }

    /// Tells a problem of the file's bytes as a fault.
    static func checked<Value>(
        _ id: String, _ file: any StoreFile, _ body: () throws(VHDXProblem) -> Value
    ) throws(StorageFault) -> Value {
        do { return try body() } catch { throw fault(id, file, error) }
    }

    /// Does in the file what the log says, and marks the log as done.
    mutating func replay(_ session: inout VHDXSession, _ guids: any GUIDSource) throws(StorageFault) {
        guard let overlay = source.overlay else { return }
        let file = source.file
        if try file.size() < overlay.fileSize { try file.truncate(to: overlay.fileSize) }
        var reader = VHDXLogReader(file: file, place: log, guid: header.logGUID)
        for entry in try reader.active() ?? [] {
            try reader.forEachOperation(of: entry) { (operation) throws(StorageFault) in
                switch operation {
                case .data(let at, let bytes): try file.write(bytes, at: at)
                case .zero(let range): try VHDXSession.clear(range.clamped(to: 0..<overlay.fileSize), file)
                }
            }
        }
        try file.flush()
        var header = header
        (header.fileWriteGUID, header.logGUID) = (guids.next(), .zero)
        try session.write(header, file)
        session.fileBegun = true
        source.overlay = nil
    }
}
