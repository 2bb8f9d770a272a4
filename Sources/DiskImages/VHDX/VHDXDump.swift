public import Files

extension VHDX {
    /// Each structure of a file as it is in the file (the log is not replayed), with what is wrong with it. Never fails: what cannot be
    /// read is a problem of its structure. Memory: 1 MiB, and a bit for each MiB of the file.
    public static func dump(_ file: any StoreFile) -> [StructureDump] {
        var dump = VHDXDump(file: file)
        dump.run()
        return dump.structures
    }
}

private struct VHDXDump {
    private static let entriesShown = 64

    let file: any StoreFile
    var structures: [StructureDump] = []
    private var fileSize: Int64 = 0

    init(file: any StoreFile) { self.file = file }

    mutating func run() {
        fileSize = (try? file.size()) ?? 0
        identifier()
        let header = headers()
        var log: Range<Int64>?
        if let header { log = dumpLog(header) }
        guard let places = regionTables(log ?? 0..<0) else { return }
        guard let geometry = metadata(places.metadata) else { return }
        bat(places.bat, geometry, [log, places.metadata, places.bat].compactMap(\.self))
    }

    /// Bytes of a structure; those behind the file's end are zeros and told.
    private func bytes(_ place: Range<Int64>, _ problems: inout [String]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: place.count)
        do {
            let count = try bytes.withMutableBytes { (buffer) throws(StorageFault) in
                try file.read(into: buffer, at: place.lowerBound)
            }
            if count < place.count { problems.append("the file ends at byte \(place.lowerBound + Int64(count))") }
        } catch { problems.append(error.cause) }
        return bytes
    }

    private func text(_ bytes: ArraySlice<UInt8>) -> String {
        let all = Array(bytes)
        let units = stride(from: 0, to: all.count - 1, by: 2).map { all.little(UInt16.self, at: $0) }
        return String(decoding: units.prefix { $0 != 0 }, as: UTF16.self)
    }

    // MARK: headers

    private mutating func identifier() {
        var problems: [String] = []
        let bytes = bytes(0..<520, &problems)
        if !VHDX.isVHDX(Array(bytes[..<8])) { problems.append("its signature is not vhdxfile") }
        structures.append(
            StructureDump(
                "file identifier", 0..<520, fields: [(name: "creator", value: text(bytes[8...]))], problems: problems))
    }

    private mutating func headers() -> VHDXHeader? {
        var valid: [VHDXHeader?] = []
        for (index, offset) in VHDXFormat.headerPlaces.enumerated() {
            let place = offset..<offset + Int64(VHDXHeader.size)
            var problems: [String] = []
            let bytes = bytes(place, &problems)
            var header: VHDXHeader?
            do { header = try VHDXHeader(bytes) } catch { problems.append(error.text) }
            valid.append(header)
            let shown = VHDXHeader(unchecked: bytes)
            structures.append(
                StructureDump(
                    "header \(index + 1)", place,
                    fields: [
                        (name: "sequence", value: "\(shown.sequence)"),
                        (name: "file write id", value: "\(shown.fileWriteGUID)"),
                        (name: "data write id", value: "\(shown.dataWriteGUID)"),
                        (name: "log id", value: "\(shown.logGUID)"),
                        (name: "log version", value: "\(shown.logVersion)"),
                        (name: "version", value: "\(bytes.little(UInt16.self, at: 66))"),
                        (name: "log length", value: "\(shown.logLength)"),
                        (name: "log offset", value: "\(shown.logOffset)"),
                    ], problems: problems))
        }
        do {
            let (slot, header) = try VHDXHeader.choose(valid[0], valid[1])
            let last = structures.count - 2 + slot
            structures[last].fields.append((name: "counts", value: "yes"))
            return header
        } catch {
            structures[structures.count - 1].problems.append(error.text)
            return nil
        }
    }

    // MARK: log

    private mutating func dumpLog(_ header: VHDXHeader) -> Range<Int64>? {
        let place: Range<Int64>
        do { place = try header.logPlace() } catch {
            structures.append(StructureDump("log", 0..<0, fields: [], problems: [error.text]))
            return nil
        }
        var fields = [(name: "to be replayed", value: header.logGUID == .zero ? "no" : "yes")]
        guard header.logGUID != .zero else {
            structures.append(StructureDump("log", place, fields: fields))
            return place
        }
        guard place.upperBound <= fileSize, Int64(header.logLength) <= VHDXFormat.largestLog else {
            let problem = "its \(header.logLength) bytes do not lie in the file, or are more than 64 MiB"
            structures.append(StructureDump("log", place, fields: fields, problems: [problem]))
            return place
        }
        var problems: [String] = []
        var entries: [VHDXLogEntry] = []
        var active: [VHDXLogEntry] = []
        var reader = VHDXLogReader(file: file, place: place, guid: header.logGUID)
        do throws(StorageFault) {
            entries = try reader.entries()
            active = try reader.active() ?? []
        } catch { problems.append(error.cause) }
        if active.isEmpty { problems.append("it has no valid sequence of entries") }
        fields.append((name: "valid entries", value: "\(entries.count)"))
        fields.append((name: "entries to be replayed", value: "\(active.count)"))
        if let head = active.last, head.flushedFileOffset > UInt64(fileSize) {
            problems.append("the file had \(head.flushedFileOffset) bytes when it was written, and has \(fileSize)")
        }
        structures.append(StructureDump("log", place, fields: fields, problems: problems))
        for entry in entries.prefix(Self.entriesShown) {
            let start = place.lowerBound + entry.place
            structures.append(
                StructureDump(
                    "log entry", start..<start + entry.length,
                    fields: [
                        (name: "sequence", value: "\(entry.sequence)"), (name: "tail", value: "\(entry.tail)"),
                        (name: "descriptors", value: "\(entry.descriptors)"),
                        (name: "flushed file offset", value: "\(entry.flushedFileOffset)"),
                        (name: "last file offset", value: "\(entry.lastFileOffset)"),
                        (name: "to be replayed", value: active.contains(entry) ? "yes" : "no"),
                    ]))
        }
        return place
    }

    // MARK: regions

    private mutating func regionTables(_ log: Range<Int64>) -> (bat: Range<Int64>, metadata: Range<Int64>)? {
        var places: (bat: Range<Int64>, metadata: Range<Int64>)?
        for (index, offset) in VHDXFormat.regionTablePlaces.enumerated() {
            let place = offset..<offset + Int64(VHDXFormat.regionTableSize)
            var problems: [String] = []
            var fields: [(name: String, value: String)] = []
            let bytes = bytes(place, &problems)
            do throws(VHDXProblem) {
                let table = try VHDXRegionTable(bytes)
                for region in table.regions.prefix(Self.entriesShown) {
                    let required = region.isRequired ? ", required" : ""
                    fields.append(
                        (name: name(of: region.guid), value: "\(region.length) bytes at \(region.offset)\(required)"))
                }
                let found = try table.places(log: log)
                if max(found.bat.upperBound, found.metadata.upperBound) > fileSize {
                    problems.append("its regions end behind the file's end at \(fileSize)")
                }
                if places == nil { places = found }
            } catch { problems.append(error.text) }
            structures.append(StructureDump("region table \(index + 1)", place, fields: fields, problems: problems))
        }
        return places
    }

    private func name(of region: GUID) -> String {
        switch region {
        case VHDXFormat.batRegion: "BAT"
        case VHDXFormat.metadataRegion: "metadata"
        default: region.description
        }
    }

    // MARK: metadata

    private mutating func metadata(_ region: Range<Int64>) -> VHDXGeometry? {
        let place = region.lowerBound..<region.lowerBound + Int64(VHDXFormat.metadataTableSize)
        var problems: [String] = []
        let bytes = bytes(place, &problems)
        let table: VHDXMetadataTable
        do { table = try VHDXMetadataTable(bytes) } catch {
            structures.append(StructureDump("metadata table", place, fields: [], problems: problems + [error.text]))
            return nil
        }
        do { _ = try table.known() } catch { problems.append(error.text) }
        structures.append(
            StructureDump(
                "metadata table", place, fields: [(name: "items", value: "\(table.items.count)")], problems: problems))
        var contents: [(guid: GUID, content: [UInt8])] = []
        for item in table.items.prefix(Self.entriesShown) { self.item(item, region, &contents) }
        do { return try VHDXMetadata(contents).geometry } catch {
            structures.append(StructureDump("disk", region, fields: [], problems: [error.text]))
            return nil
        }
    }

    private mutating func item(
        _ item: VHDXMetadataTable.Item, _ region: Range<Int64>, _ contents: inout [(guid: GUID, content: [UInt8])]
    ) {
        var problems: [String] = []
        var fields: [(name: String, value: String)] = [(name: "flags", value: "\(item.flags)")]
        let name = item.name ?? "item \(item.guid)"
        var place = region.lowerBound..<region.lowerBound
        do throws(VHDXProblem) {
            let inRegion = try VHDXMetadataTable.place(of: item, in: region.upperBound - region.lowerBound)
            place = region.lowerBound + inRegion.lowerBound..<region.lowerBound + inRegion.upperBound
            let content = bytes(place, &problems)
            if item.name != nil, !contents.contains(where: { $0.guid == item.guid }) {
                contents.append((item.guid, content))
            }
            fields += try Self.fields(of: item, content)
        } catch { problems.append(error.text) }
        structures.append(StructureDump(name, place, fields: fields, problems: problems))
    }

    private static func fields(
        of item: VHDXMetadataTable.Item, _ content: [UInt8]
    ) throws(VHDXProblem) -> [(name: String, value: String)] {
        switch (item.name == nil ? .zero : item.guid, content.count) {
        case (VHDXMetadata.fileParameters, 8...):
            let flags: UInt32 = content.little(at: 4)
            return [
                (name: "block size", value: "\(content.little(UInt32.self, at: 0))"),
                (name: "blocks stay allocated", value: flags & 1 != 0 ? "yes" : "no"),
                (name: "has a parent", value: flags & 2 != 0 ? "yes" : "no"),
            ]
        case (VHDXMetadata.diskSize, 8...):
            return [(name: "bytes", value: "\(content.little(UInt64.self, at: 0))")]
        case (VHDXMetadata.diskID, 16...): return [(name: "id", value: "\(content.vhdxGUID(at: 0))")]
        case (VHDXMetadata.logicalSector, 4...), (VHDXMetadata.physicalSector, 4...):
            return [(name: "bytes", value: "\(content.little(UInt32.self, at: 0))")]
        case (VHDXMetadata.parentLocator, _):
            return try VHDXLocator(content).entries.map { (name: $0.key, value: $0.value) }
        default: return [(name: "bytes", value: "\(content.count)")]
        }
    }

    // MARK: block allocation table

    private mutating func bat(_ region: Range<Int64>, _ geometry: VHDXGeometry, _ regions: [Range<Int64>]) {
        var summary = VHDXTableSummary(geometry: geometry, fileSize: fileSize, regions: regions)
        var problems: [String] = []
        let needed = geometry.entries * 8
        let held = min(needed, region.upperBound - region.lowerBound, max(0, fileSize - region.lowerBound)) / 8
        if held * 8 < needed {
            problems.append("it has \(held) of the \(geometry.entries) entries that its disk needs")
        }
        let step = VHDXFormat.mebibyte / 8
        var index: Int64 = 0
        while index < held, problems.count < 8 {
            let end = min(held, index + step)
            let page = bytes(region.lowerBound + index * 8..<region.lowerBound + end * 8, &problems)
            page.withUnsafeBytes { bytes in
                for number in index..<end {
                    let raw = bytes.loadUnaligned(fromByteOffset: Int(number - index) * 8, as: UInt64.self)
                    summary.add(VHDXEntry(raw: UInt64(littleEndian: raw)), index: number)
                }
            }
            index = end
        }
        structures.append(
            StructureDump("BAT", region, fields: summary.fields, problems: problems + summary.problems))
    }
}

/// Counts the entries of a block allocation table, and finds those that cannot be.
private struct VHDXTableSummary {
    private static let problemsShown = 16
    private let geometry: VHDXGeometry
    private let fileSize: Int64
    private let regions: [Range<Int64>]
    private var states = [Int64](repeating: 0, count: 8)
    private var bitmaps: Int64 = 0
    private var first: Int64?
    private var last: Int64?
    /// A bit for each MiB of the file that a block takes.
    private var taken: [UInt64]
    private var found: [String] = []
    private var foundCount = 0

    init(geometry: VHDXGeometry, fileSize: Int64, regions: [Range<Int64>]) {
        (self.geometry, self.fileSize, self.regions) = (geometry, min(fileSize, VHDXFormat.largestFile), regions)
        taken = [UInt64](repeating: 0, count: Int(self.fileSize / VHDXFormat.mebibyte / 64) + 1)
    }

    mutating func add(_ entry: VHDXEntry, index: Int64) {
        let block = geometry.block(ofIndex: index)
        if let block {
            guard block < geometry.blocks else {
                if entry.state != .notPresent { report("entry \(index), behind the disk's end, is not empty") }
                return
            }
            states[Int(entry.raw & 7)] += 1
            let partial = entry.state == .partiallyPresent
            if entry.state == .reserved || (partial && !geometry.differencing) {
                report("block \(block) has state \(entry.raw & 7), which has no meaning here")
            }
            guard entry.state == .fullyPresent || partial else { return }
            (first, last) = (first ?? block, block)
            let content = geometry.range(ofBlock: block)
            take(entry.offset, geometry.blockSize, content.upperBound - content.lowerBound, "block \(block)")
            return
        }
        guard entry.state != .notPresent else { return }
        let name = "the bitmap of chunk \(index / (geometry.chunkRatio + 1))"
        guard entry.state == .fullyPresent else { return report("\(name) has state \(entry.raw & 7)") }
        bitmaps += 1
        take(entry.offset, VHDXFormat.mebibyte, VHDXFormat.mebibyte, name)
    }

    private mutating func take(_ offset: Int64, _ count: Int64, _ needed: Int64, _ name: String) {
        let unit = VHDXFormat.mebibyte
        guard offset >= unit, offset <= fileSize, needed <= fileSize - offset else {
            return report("\(name) is at byte \(offset), outside the file")
        }
        if regions.contains(where: { $0.overlaps(offset..<offset + needed) }) {
            return report("\(name) at byte \(offset) overlaps a region")
        }
        var overlaps = false
        for mebibyte in Int(offset / unit)..<Int(min(fileSize, offset + count) / unit) {
            let bit = UInt64(1) << UInt64(mebibyte & 63)
            overlaps = overlaps || taken[mebibyte >> 6] & bit != 0
            taken[mebibyte >> 6] |= bit
        }
        if overlaps { report("\(name) at byte \(offset) overlaps another") }
    }

    private mutating func report(_ problem: @autoclosure () -> String) {
        foundCount += 1
        if found.count < Self.problemsShown { found.append(problem()) }
    }

    var problems: [String] {
        foundCount > found.count ? found + ["\(foundCount - found.count) more entries are wrong"] : found
    }

    var fields: [(name: String, value: String)] {
        let names = [
            "not present", "undefined", "zero", "unmapped", "reserved state 4", "unmapped (0.95)", "fully present",
            "partially present",
        ]
        var fields = [(name: "blocks", value: "\(geometry.blocks)"), (name: "entries", value: "\(geometry.entries)")]
        for (name, count) in zip(names, states) where count > 0 { fields.append((name: name, value: "\(count)")) }
        if geometry.differencing { fields.append((name: "sector bitmaps", value: "\(bitmaps)")) }
        if let first, let last { fields.append((name: "present", value: "blocks \(first) to \(last)")) }
        return fields
    }
}
