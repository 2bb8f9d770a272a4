public import DiskImages
public import Files
import GRDB

/// What of a pool is to be shown.
public enum DumpSelection: Hashable, Sendable {
    /// The pool, its volumes, segments, datasources and what waits to be done.
    case summary
    /// A datasource: disks with their sizes, states, lists of changed leaves.
    case datasource(String)
    /// A leaf of a disk, all its versions with each entry; `number` counts leaves of 192 blocks.
    case leaf(datasource: String, disk: String, number: Int64)
    /// A segment: its header and the blocks in it, by place.
    case segment(Int64)
}

extension Pool {
    /// Shows structures as they are, without changing anything. Places are offsets in segments where that makes sense, else empty.
    public func dump(_ selection: DumpSelection) throws(StorageFault) -> [StructureDump] {
        switch selection {
        case .summary: try parts.map.read { try dumpSummary($0) }
        case .datasource(let name): try dump(datasource: name)
        case .leaf(let name, let disk, let number): try dump(leaf: number, of: disk, name)
        case .segment(let number): try dump(segment: number)
        }
    }

    /// A row of the map, all its columns.
    private func structure(_ name: String, _ row: Row) -> StructureDump {
        StructureDump(
            name, 0..<0, fields: row.map { column, value in (name: column, value: Self.text(value)) })
    }

    private static func text(_ value: DatabaseValue) -> String {
        switch value.storage {
        case .null: "-"
        case .int64(let number): String(number)
        case .double(let number): String(number)
        case .string(let text): text
        case .blob(let bytes): "\(bytes.count) bytes"
        }
    }

    private func dumpSummary(_ db: Database) throws -> [StructureDump] {
        var structures = try db.rows("SELECT * FROM pool").map { structure("pool", $0) }
        for (table, order) in [
            ("volume", "number"), ("area", "id"), ("datasource", "name"), ("session", "datasource"),
            ("segment", "number"),
            ("freed", "id"), ("damaged", "location"),
        ] {
            structures += try db.rows("SELECT * FROM \(table) ORDER BY \(order) LIMIT 1000").map {
                structure(table, $0)
            }
        }
        return structures
    }

    private func dump(datasource name: String) throws(StorageFault) -> [StructureDump] {
        let datasource = try datasource(name)
        return try parts.map.read { db in
            var structures = try db.rows("SELECT * FROM datasource WHERE id = ?", datasource.id).map {
                structure("datasource", $0)
            }
            structures += try db.rows("SELECT * FROM state WHERE datasource = ? ORDER BY epoch", datasource.id).map {
                structure("state", $0)
            }
            for disk in try db.rows("SELECT * FROM disk WHERE datasource = ? ORDER BY id", datasource.id) {
                let id: Int64 = disk["id"]
                structures.append(structure("disk", disk))
                structures += try db.rows("SELECT epoch, bytes FROM size WHERE disk = ? ORDER BY epoch", id).map {
                    structure("size", $0)
                }
                for row in try db.rows("SELECT DISTINCT epoch FROM change WHERE disk = ? ORDER BY epoch", id) {
                    let epoch: Int64 = row[0]
                    let leaves = try db.changedLeaves(disk: id, epochs: epoch...epoch)
                    let named = leaves.prefix(32).map { String($0) }.joined(separator: " ")
                    structures.append(
                        StructureDump(
                            "change", 0..<0,
                            fields: [
                                ("disk", String(id)), ("epoch", String(epoch)), ("leaves", String(leaves.count)),
                                ("numbers", named + (leaves.count > 32 ? " …" : "")),
                            ]))
                }
            }
            return structures
        }
    }

    private func dump(leaf number: Int64, of disk: String, _ name: String) throws(StorageFault) -> [StructureDump] {
        let datasource = try datasource(name)
        guard number >= 0, number < LeafKey.leafLimit else {
            throw .pool(.badInput, "LEAF", "leaf \(number)", "no disk has such a leaf", "Choose a number from 0")
        }
        return try parts.map.read { db in
            let disks = try db.rows(
                "SELECT id FROM disk WHERE datasource = ? AND name = ? ORDER BY id", datasource.id, disk
            ).map { $0[0] as Int64 }
            guard !disks.isEmpty else { throw StorageFault.noDisk(disk, datasource.head, name) }
            var structures: [StructureDump] = []
            for id in disks {
                let first = LeafKey(disk: id, leaf: number, epoch: 0)
                let last = LeafKey(disk: id, leaf: number, epoch: LeafKey.epochLimit - 1)
                for version in try db.leaves(in: first.id...last.id, limit: 1_000) {
                    structures += entries(of: version)
                }
            }
            return structures
        }
    }

    private func entries(of version: LeafVersion) -> [StructureDump] {
        let head = StructureDump(
            "leaf", 0..<0,
            fields: [
                ("disk", String(version.key.disk)), ("number", String(version.key.leaf)),
                ("epoch", String(version.key.epoch)), ("blocks", String(version.leaf.occupied)),
                ("stored", String(version.leaf.stored)),
            ])
        return [head]
            + (0..<Leaf.count).filter { !version.leaf[$0].location.isNone }.map { index in
                entry(
                    version.leaf[index], disk: version.key.disk,
                    block: version.key.leaf * Int64(Leaf.count) + Int64(index))
            }
    }

    private func entry(_ entry: BlockEntry, disk: Int64, block: Int64) -> StructureDump {
        let location = entry.location
        return StructureDump(
            "block", location.range,
            fields: [
                ("disk", String(disk)), ("block", String(block)), ("segment", String(location.segment)),
                ("length", String(location.length)), ("zstd", location.isCompressed ? "yes" : "no"),
                ("shared", location.isShared ? "yes" : "no"),
                ("content", "xxh3 " + String(entry.contentSum, radix: 16)),
                ("stored", location.isCompressed ? "crc32c " + String(entry.storedSum, radix: 16) : "as it is"),
            ], problems: location.unknownFlags == 0 ? [] : ["it has flags nobody has given a meaning"])
    }

    private func dump(segment number: Int64) throws(StorageFault) -> [StructureDump] {
        let row = try parts.map.read { db in
            try db.rows("SELECT * FROM segment WHERE number = ?", number).first.map { structure("segment", $0) }
        }
        guard var segment = row else {
            throw .pool(
                .badInput, "NO-SEGMENT", "segment \(number)", "the pool has none of that number",
                "Choose one that the summary lists")
        }
        let file = try parts.files.open(parts.segments.path(of: number), .read)
        defer { file.close() }
        let header = Layout.segmentHeader(pool: id, number: number, size: parts.segments.size)
        segment.place = 0..<(try file.size())
        segment.fields.append(("allocated", String(try file.allocated())))
        var there = [UInt8](repeating: 0, count: header.count)
        _ = try there.withMutableBytes { (buffer) throws(StorageFault) in try file.read(into: buffer, at: 0) }
        if there != header { segment.problems.append("its header is damaged") }
        var blocks: [StructureDump] = []
        var seen: Set<UInt64> = []
        var next: Int64 = 0
        while true {
            let from = next
            let versions = try parts.map.read { try $0.leaves(in: from...Int64.max, limit: 256) }
            for version in versions {
                for index in 0..<Leaf.count {
                    let found = version.leaf[index]
                    guard !found.location.isNone, found.location.segment == number,
                        seen.insert(found.location.bits).inserted
                    else { continue }
                    blocks.append(
                        entry(
                            found, disk: version.key.disk, block: version.key.leaf * Int64(Leaf.count) + Int64(index)))
                }
            }
            guard let last = versions.last?.key.id, versions.count == 256 else { break }
            next = last + 1
        }
        return [segment] + blocks.sorted { $0.place.lowerBound < $1.place.lowerBound }
    }
}
