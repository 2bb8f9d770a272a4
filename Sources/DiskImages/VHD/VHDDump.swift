public import Files

extension VHD {
    /// Every structure of a VHD, sound or not, with what is wrong with each; blocks are told up to the first 64 troubles. Never fails:
    /// what cannot be read is a problem of its structure. Reads the footers, the header, the parent's paths and the block table (by
    /// pieces of 64 KiB, 64 MiB at most).
    public static func dump(_ file: any StoreFile) -> [StructureDump] {
        do throws(StorageFault) {
            let footers = try VHDFooters(file)
            var dumps: [StructureDump] = []
            if let copy = footers.copy { dumps.append(dump(copy, "copy of the footer", 0..<512)) }
            if let footer = footers.atEnd, let offset = footers.endOffset {
                var dump = dump(footer, "footer", offset..<footers.fileSize)
                if let copy = footers.copy, footer.kind != .fixed, copy != footer {
                    dump.problems.append("it differs from the copy at the beginning")
                }
                dumps.append(dump)
            } else {
                let end = max(0, footers.fileSize - 512)..<footers.fileSize
                dumps.append(
                    StructureDump("footer", end, fields: [], problems: ["there is none at the end of the file"]))
            }
            let sound = [footers.atEnd, footers.copy].compactMap { $0 }.first { $0.checksum == $0.rightChecksum }
            guard let footer = sound ?? footers.atEnd ?? footers.copy, footer.kind != .fixed else { return dumps }
            return dumps + dumpHeader(file, footer, footers.fileSize)
        } catch {
            return [StructureDump("file", 0..<0, fields: [], problems: [error.description])]
        }
    }

    private static func hex(_ value: some FixedWidthInteger) -> String { "0x" + String(value, radix: 16) }

    private static func dump(_ footer: VHDFooter, _ name: String, _ place: Range<Int64>) -> StructureDump {
        let bytes = footer.bytes
        var problems: [String] = []
        if footer.checksum != footer.rightChecksum {
            problems.append(wrongChecksum(name, footer.checksum, footer.rightChecksum))
        }
        if footer.kind == nil { problems.append("its type is none of 2 (fixed), 3 (dynamic), 4 (differencing)") }
        if footer.version != 0x0001_0000 { problems.append("its version is not 1.0") }
        let size = footer.size
        if size.map({ $0 <= 0 || $0 % 512 != 0 || $0 > largest }) ?? true {
            problems.append("its size is none a VHD can have")
        }
        if place.upperBound - place.lowerBound == 511 {
            problems.append("it has 511 bytes, as very old programs write it")
        }
        let kinds: [VHDKind: String] = [.fixed: "fixed", .dynamic: "dynamic", .differencing: "differencing"]
        return StructureDump(
            name, place,
            fields: [
                ("cookie", code(bytes[0..<8])), ("features", hex(bytes.big(UInt32.self, at: 8))),
                ("version", hex(footer.version)), ("data offset", hex(footer.dataOffset)),
                ("created", "\(footer.created) s after 2000-01-01 UTC"), ("creator", footer.creator),
                ("creator version", hex(bytes.big(UInt32.self, at: 32))), ("creator host", code(bytes[36..<40])),
                ("original size", "\(bytes.big(UInt64.self, at: 40))"), ("current size", "\(footer.currentSize)"),
                ("geometry", "\(bytes.big(UInt16.self, at: 56)) × \(bytes[58]) × \(bytes[59])"),
                (
                    "size of the disk",
                    size.map { "\($0), by \(footer.goesByGeometry ? "geometry" : "current size")" } ?? "?"
                ),
                ("type", "\(bytes.big(UInt32.self, at: 60))" + (footer.kind.map { " " + kinds[$0]! } ?? "")),
                ("checksum", hex(footer.checksum)), ("identifier", footer.uuid.description),
                ("saved state", "\(bytes[84])"),
            ], problems: problems)
    }

    private static func dumpHeader(_ file: any StoreFile, _ footer: VHDFooter, _ fileSize: Int64) -> [StructureDump] {
        let offset = Int64(clamping: footer.dataOffset)
        let place = offset..<offset.addingReportingOverflow(1024).partialValue.clamped(above: offset)
        let header: VHDHeader
        do throws(StorageFault) {
            guard offset <= fileSize - 1024 else {
                return [StructureDump("header", place, fields: [], problems: ["the footer places it outside the file"])]
            }
            header = VHDHeader(bytes: try file.bytes(headerSize, at: offset))
        } catch {
            return [StructureDump("header", place, fields: [], problems: [error.description])]
        }
        var problems: [String] = []
        if !header.hasCookie { problems.append("it does not begin with cxsparse") }
        if header.checksum != header.rightChecksum {
            problems.append(wrongChecksum("header", header.checksum, header.rightChecksum))
        }
        let blockSize = Int64(header.blockSize)
        let isSize = blockSize >= 512 && blockSize <= largestBlock && blockSize & (blockSize - 1) == 0
        if !isSize { problems.append("its block size is no power of two from 512 bytes to 256 MiB") }
        var dumps = [
            StructureDump(
                "header", place,
                fields: [
                    ("cookie", code(header.bytes[0..<8])), ("data offset", hex(header.bytes.big(UInt64.self, at: 8))),
                    ("table offset", hex(header.tableOffset)), ("version", hex(header.version)),
                    ("blocks", "\(header.blocks)"), ("block size", "\(blockSize)"), ("checksum", hex(header.checksum)),
                    ("parent identifier", header.parentUUID.description),
                    ("parent time", "\(header.bytes.big(UInt32.self, at: 56)) s after 2000-01-01 UTC"),
                    ("parent name", header.parentName),
                ], problems: problems)
        ]
        for locator in header.locators { dumps.append(dump(locator, file, fileSize)) }
        if isSize { dumps.append(dumpTable(file, footer, header, fileSize)) }
        return dumps
    }

    private static func dump(
        _ locator: VHDHeader.Locator, _ file: any StoreFile, _ fileSize: Int64
    ) -> StructureDump {
        let offset = Int64(clamping: locator.offset)
        var fields = [
            (name: "code", value: locator.code), ("space", "\(locator.space)"), ("length", "\(locator.length)"),
            ("offset", hex(locator.offset)),
        ]
        var problems: [String] = []
        do throws(StorageFault) {
            let path = try path(of: locator, in: file, fileSize)
            if ["W2ru", "W2ku"].contains(locator.code) { fields.append(("path", path)) }
        } catch {
            problems.append(error.cause)
        }
        let end = offset.addingReportingOverflow(Int64(locator.length)).partialValue.clamped(above: offset)
        return StructureDump("parent's path", offset..<end, fields: fields, problems: problems)
    }

    private static func dumpTable(
        _ file: any StoreFile, _ footer: VHDFooter, _ header: VHDHeader, _ fileSize: Int64
    ) -> StructureDump {
        let start = Int64(clamping: header.tableOffset)
        let blockSize = Int64(header.blockSize)
        let needed = ((footer.size ?? 0).clamped(above: 0).roundedUp(to: blockSize).value / blockSize)
        let blocks = min(needed, Int64(header.blocks), mostBlocks)
        let end = start.addingReportingOverflow(blocks * 4).partialValue.clamped(above: start)
        var problems: [String] = []
        if needed > blocks { problems.append("the disk has \(needed) blocks, the table room for \(header.blocks)") }
        guard start <= fileSize, end <= fileSize else {
            problems.append("it does not lie inside the file")
            return StructureDump("block table", start..<end, fields: [], problems: problems)
        }
        let length = bitmapSize(blockSize: blockSize) + blockSize
        var used: [(start: Int64, block: Int64)] = []
        var more = 0
        func tell(_ problem: String) {
            if problems.count < 64 { problems.append(problem) } else { more += 1 }
        }
        for piece in stride(from: Int64(0), to: blocks, by: 16_384) {
            let count = min(16_384, blocks - piece)
            do throws(StorageFault) {
                let bytes = try file.bytes(Int(count) * 4, at: start + piece * 4)
                for index in 0..<Int(count) {
                    let sector: UInt32 = bytes.big(at: 4 * index)
                    if sector != absent { used.append((Int64(sector) * 512, piece + Int64(index))) }
                }
            } catch {
                tell(error.description)
                break
            }
        }
        used.sort { $0 < $1 }
        for (index, place) in used.enumerated() {
            if place.start + length > fileSize { tell("block \(place.block) goes beyond the end of the file") }
            if index > 0, used[index - 1].start + length > place.start {
                tell("block \(place.block) lies over block \(used[index - 1].block)")
            }
        }
        if more > 0 { problems.append("and \(more) more") }
        return StructureDump(
            "block table", start..<end,
            fields: [
                ("blocks of the disk", "\(needed)"), ("blocks here", "\(used.count)"),
                ("first block at", used.first.map { hex($0.start) } ?? "none"),
                ("last block at", used.last.map { hex($0.start) } ?? "none"),
            ], problems: problems)
    }
}

extension Int64 {
    fileprivate func clamped(above least: Int64) -> Int64 { Swift.max(self, least) }
}
