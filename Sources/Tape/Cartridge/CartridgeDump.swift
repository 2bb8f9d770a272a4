public import Files
import Protection

/// A structure of a cartridge's file, for people to read.
public struct CartridgeStructure: Sendable {
    public var name: String
    /// Where it lies in the file, bytes; empty for what is only counted.
    public var place: Range<Int64>
    /// Name and value, in the order of the format.
    public var fields: [(name: String, value: String)]
    /// What is wrong with it; empty if nothing is.
    public var problems: [String]

    public init(
        _ name: String, _ place: Range<Int64>, fields: [(name: String, value: String)], problems: [String] = []
    ) { (self.name, self.place, self.fields, self.problems) = (name, place, fields, problems) }
}

/// What of a cartridge is to be shown.
public enum CartridgeSelection: Hashable, Sendable {
    /// Labels, attributes and index tails of both slots.
    case summary
    /// The index nodes of a partition with the runs in them.
    case index(partition: Int)
    /// Objects of a partition, stored records with their headers.
    case objects(partition: Int, Range<Int64>)
    /// Records and index nodes found by looking at every place where one may begin, without help of labels and index.
    case search
}

/// Shows the structures of a cartridge's file as they are, also of damaged ones, without changing anything.
public enum CartridgeDump {
    /// - Parameter limit: structures that are shown at most.
    /// - Throws: `TAPE-BUSY` if the cartridge is loaded, `TAPE-FORMAT` if the index is asked for and no label is sound, and what the
    ///   file throws.
    public static func of(
        _ path: String, on files: any FileSystem, _ selection: CartridgeSelection = .summary, limit: Int = 10_000
    ) throws(StorageFault) -> [CartridgeStructure] {
        let file = try files.open(path, .read)
        defer { file.close() }
        guard try file.lock(exclusive: false, wait: false) else { throw .cartridgeBusy(path) }
        let reader = try CartridgeFile(file)
        switch selection {
        case .summary: return try summary(reader)
        case .index(let partition):
            let commit = try commit(reader, partition, path)
            return try index(reader, commit, partition, limit)
        case .objects(let partition, let range):
            let commit = try commit(reader, partition, path)
            return try objects(reader, commit, partition, range, limit)
        case .search: return try CartridgeSearch(reader, limit: limit).run()
        }
    }

    private static func commit(
        _ reader: CartridgeFile, _ partition: Int, _ path: String
    ) throws(StorageFault) -> CartridgeFile.Commit {
        let (commit, findings) = try reader.newest()
        guard let commit else {
            throw .cartridgeFormat(path, "no label is sound: \(findings.first?.cause ?? "there is none")")
        }
        guard commit.indexes.indices ~= partition else {
            throw .cartridge(
                .badInput, "NO-PARTITION", path, "there is no partition \(partition)", "Choose one from 0 on")
        }
        return commit
    }

    // MARK: Labels

    private static func summary(_ reader: CartridgeFile) throws(StorageFault) -> [CartridgeStructure] {
        let allocated = try reader.file.allocated()
        var structures = [
            CartridgeStructure(
                "file", 0..<reader.size, fields: [("size", "\(reader.size)"), ("allocated", "\(allocated)")])
        ]
        for slot in 0..<2 {
            let place = CartridgeLayout.label(slot)..<CartridgeLayout.label(slot + 1)
            let (label, problem) = try reader.label(slot)
            structures.append(
                CartridgeStructure(
                    "label \(slot)", place, fields: label.map(fields(of:)) ?? [], problems: problem.map { [$0] } ?? []))
            guard let label else { continue }
            for (number, partition) in label.partitions.enumerated() {
                structures.append(
                    CartridgeStructure(
                        "partition \(number) of label \(slot)", 0..<0,
                        fields: [
                            ("capacity", "\(label.identity.partitions[number])"),
                            ("objects", "\(partition.end.object)"), ("filemarks", "\(partition.end.file)"),
                            ("native bytes", "\(partition.end.native)"), ("end in the file", "\(partition.storedEnd)"),
                        ]))
                let (index, problem) = try reader.index(of: number, label)
                let counts = index?.levels.map { "\($0.count)" }.joined(separator: ", ") ?? "-"
                structures.append(
                    CartridgeStructure(
                        "index tail of partition \(number), label \(slot)", partition.tail.range,
                        fields: [("crc32c", hex(partition.tail.crc)), ("entries by level", counts)],
                        problems: problem.map { [$0] } ?? []))
            }
            let (memory, trouble) = try reader.memory(of: label)
            var values: [(name: String, value: String)] = []
            if let memory {
                for (index, drive) in memory.lastDrives.enumerated() {
                    values.append(("drive \(index)", String(decoding: drive, as: UTF8.self)))
                }
                for key in memory.host.keys.sorted() {
                    guard let value = memory.host[key], let rule = CartridgeAttributeRule.rule(key.id) else { continue }
                    let attribute = CartridgeAttribute(
                        id: key.id, format: rule.format, value: value, isReadOnly: false)
                    let name = String(key.id, radix: 16, uppercase: true)
                    values.append(
                        ("\(String(repeating: "0", count: 4 - name.count))\(name), \(key.partition)", attribute.text))
                }
            }
            structures.append(
                CartridgeStructure(
                    "attributes of label \(slot)", label.attributes.range, fields: values,
                    problems: trouble.map { [$0] } ?? []))
        }
        return structures
    }

    private static func fields(of label: CartridgeLabel) -> [(name: String, value: String)] {
        let identity = label.identity
        let counters = label.counters
        return [
            ("generation", "\(label.generation)"), ("written while loaded", label.isLoaded ? "yes" : "no"),
            ("write-protected", label.isWriteProtected ? "yes" : "no"), ("guid", "\(identity.guid)"),
            ("barcode", identity.barcode), ("kind", identity.kind.name),
            ("LTO generation", identity.generation?.name ?? "none"), ("density", hex(UInt32(identity.density))),
            ("created", "\(identity.created)"), ("capacity", "\(identity.capacity)"),
            ("reserve", "\(identity.reserve)"),
            ("wraps", "\(identity.wraps)"), ("length", "\(identity.length)"), ("epoch", "\(label.epoch)"),
            ("change reference", "\(label.changeReference)"), ("loads", "\(counters.loads)"),
            ("bytes written", "\(counters.bytesWritten)"), ("bytes read", "\(counters.bytesRead)"),
            ("write errors", "\(counters.writeErrorsCorrected) corrected, \(counters.writeErrorsUncorrected) not"),
            ("read errors", "\(counters.readErrorsCorrected) corrected, \(counters.readErrorsUncorrected) not"),
            ("cleaning uses left", "\(counters.cleaningUsesLeft)"),
        ]
    }

    static func hex(_ value: UInt32) -> String { "0x" + String(value, radix: 16) }

    // MARK: Index and objects

    private static func index(
        _ reader: CartridgeFile, _ commit: CartridgeFile.Commit, _ partition: Int, _ limit: Int
    ) throws(StorageFault) -> [CartridgeStructure] {
        var structures: [CartridgeStructure] = []
        let walk = CartridgeWalk(
            file: reader.file, seed: CartridgeRecord.seed(commit.label.identity.guid), partition: partition,
            index: commit.indexes[partition])
        try walk.go { (step) throws(StorageFault) in
            switch step {
            case .run(let run): structures.append(structure(run))
            case .node(let run, let level, let problems), .lost(let run, let level, let problems):
                structures.append(
                    CartridgeStructure(
                        "index node", run.offset..<run.offset + CartridgeNode.room,
                        fields: [
                            ("level", "\(level)"), ("objects", "\(run.object) to \(run.object + run.count - 1)"),
                            ("first filemark", "\(run.file)"), ("first native byte", "\(run.native)"),
                            ("crc32c", hex(run.stamp)),
                        ],
                        problems: problems.enumerated().compactMap { copy, text in text.map { "copy \(copy): \($0)" } })
                )
            }
            return structures.count < limit
        }
        return structures
    }

    private static func structure(_ run: CartridgeRun) -> CartridgeStructure {
        let kind = ["", "data", "zeros", "filemarks"][Int(min(run.kind.rawValue, 3))]
        return CartridgeStructure(
            "run of \(kind)", run.kind == .data ? run.offset..<run.storedEnd(run.count) : 0..<0,
            fields: [
                ("objects", "\(run.object) to \(run.object + run.count - 1)"), ("filemarks before", "\(run.file)"),
                ("native byte", "\(run.native)"), ("record length", "\(run.length)"), ("epoch", "\(run.stamp)"),
            ])
    }

    private static func objects(
        _ reader: CartridgeFile, _ commit: CartridgeFile.Commit, _ partition: Int, _ range: Range<Int64>, _ limit: Int
    ) throws(StorageFault) -> [CartridgeStructure] {
        let seed = CartridgeRecord.seed(commit.label.identity.guid)
        let index = commit.indexes[partition]
        let nodes = CartridgeNodes(reader.file, seed: seed, partition: partition)
        let records = CartridgeRecords(reader.file, seed: seed)
        var structures: [CartridgeStructure] = []
        var object = max(0, range.lowerBound)
        while object < min(range.upperBound, index.end.object), structures.count < limit {
            var run: CartridgeRun?
            do throws(StorageFault) {
                run = try index.find(object, by: .object, nodes)
            } catch {
                guard error.id == "TAPE-INDEX-DAMAGED", let lost = nodes.lost, lost.upperBound > object else {
                    throw error
                }
                structures.append(
                    CartridgeStructure(
                        "objects \(object) to \(lost.upperBound - 1)", 0..<0, fields: [], problems: [error.cause]))
                object = lost.upperBound
                continue
            }
            guard let run else { break }
            let name = "object \(object)"
            if run.kind == .data {
                let place = run.storedEnd(object - run.object)
                let (header, problem) = try records.look(at: object, of: run, partition: partition)
                structures.append(
                    CartridgeStructure(
                        name, place..<place + CartridgeLayout.stride(run.length),
                        fields: [
                            ("kind", "record"), ("length", "\(run.length)"),
                            ("native byte", "\(run.native + (object - run.object) * Int64(run.length))"),
                            ("epoch", "\(run.stamp)"), ("crc32c", header.map { hex($0.dataCRC) } ?? "-"),
                        ], problems: problem.map { [$0] } ?? []))
            } else {
                let kind = run.kind == .zeros ? "record of zeros" : "filemark"
                structures.append(
                    CartridgeStructure(name, 0..<0, fields: [("kind", kind), ("length", "\(run.length)")]))
            }
            object += 1
        }
        return structures
    }
}
