public import Files

/// Verifies a cartridge's file.
public enum CartridgeCheck {
    /// Findings above this number are not told.
    public static let findingLimit = 1_000

    /// Verifies every structure: both labels and what they point to, both copies of each index node, that the index is without gaps
    /// and nothing in the file overlaps; with `records`, every record's header and checksum too. Changes nothing.
    /// - Parameter progress: native bytes looked at, and all there are.
    /// - Throws: `TAPE-BUSY` if the cartridge is loaded, and what the file throws. What is damaged is a finding.
    /// - Complexity: the index is read once; a few MiB are held.
    public static func run(
        _ path: String, on files: any FileSystem, records: Bool = false,
        progress: ((_ done: Int64, _ total: Int64) -> Void)? = nil
    ) throws(StorageFault) -> [CartridgeFinding] {
        let file = try files.open(path, .read)
        defer { file.close() }
        guard try file.lock(exclusive: false, wait: false) else { throw .cartridgeBusy(path) }
        var (commit, findings) = try CartridgeFile(file).newest()
        guard let commit else { return findings }
        var stored: [Range<Int64>] = []
        let total = commit.indexes.reduce(0) { $0 + $1.end.native }
        var before: Int64 = 0
        for (partition, index) in commit.indexes.enumerated() {
            var checker = Checker(
                file: file, seed: CartridgeRecord.seed(commit.label.identity.guid), partition: partition, index: index)
            try checker.run(records: records) { progress?(before + $0, total) }
            findings += checker.findings
            stored += checker.stored
            before += index.end.native
        }
        stored.sort { ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound) }
        for (one, next) in zip(stored, stored.dropFirst()) where one.upperBound > next.lowerBound {
            findings.append(
                CartridgeFinding(
                    "bytes \(next.lowerBound) to \(min(one.upperBound, next.upperBound))",
                    "two partitions have stored something there", action: CartridgeFile.restore))
        }
        return Array(findings.prefix(findingLimit))
    }

    private struct Checker {
        let file: any StoreFile
        let seed: UInt32
        let partition: Int
        let index: CartridgeIndex
        var findings: [CartridgeFinding] = []
        /// What it has stored in the file, in order; neighbours as one.
        var stored: [Range<Int64>] = []
        private var mark = CartridgeMark()

        init(file: any StoreFile, seed: UInt32, partition: Int, index: CartridgeIndex) {
            (self.file, self.seed, self.partition, self.index) = (file, seed, partition, index)
        }

        private mutating func note(_ object: String, _ cause: String, _ action: String) {
            if findings.count < findingLimit { findings.append(CartridgeFinding(object, cause, action: action)) }
        }

        mutating func run(records: Bool, progress: (Int64) -> Void) throws(StorageFault) {
            let walk = CartridgeWalk(file: file, seed: seed, partition: partition, index: index)
            let reader = CartridgeRecords(file, seed: seed)
            try walk.go { (step) throws(StorageFault) in
                switch step {
                case .run(let run):
                    follow(run)
                    if run.kind == .data {
                        take(run.offset..<run.storedEnd(run.count), "object \(run.object)")
                        if records { try look(at: run, reader) }
                    }
                    progress(run.end.native)
                case .node(let run, let level, let problems):
                    for (copy, problem) in problems.enumerated() where problem != nil {
                        note(
                            name(run, level, copy), problem ?? "",
                            "Nothing is lost, its other copy is sound; copy the tape before that is damaged too")
                    }
                    take(run.offset..<run.offset + CartridgeNode.room, "index node at byte \(run.offset)")
                case .lost(let run, let level, let problems):
                    for (copy, problem) in problems.enumerated() {
                        note(name(run, level, copy), problem ?? "", CartridgeFile.restore)
                    }
                    note(
                        "objects \(run.object) to \(run.object + run.count - 1) of partition \(partition)",
                        "they cannot be found, both copies of their index node are damaged", CartridgeFile.restore)
                    mark = CartridgeMark(object: run.object + run.count, file: -1, native: -1)
                }
                return findings.count < findingLimit
            }
        }

        private func name(_ run: CartridgeRun, _ level: Int, _ copy: Int) -> String {
            let place = run.offset + Int64(copy * CartridgeNode.size)
            return "index node of level \(level), copy \(copy), at byte \(place), partition \(partition)"
        }

        private mutating func follow(_ run: CartridgeRun) {
            // Behind a lost node only the number of objects is known.
            let isNext =
                mark.file < 0 ? run.object == mark.object : run.start == mark
            if !isNext {
                note(
                    "object \(run.object) of partition \(partition)", "its run does not follow the one before",
                    CartridgeFile.restore)
            }
            mark = run.end
        }

        private mutating func take(_ range: Range<Int64>, _ what: String) {
            if let last = stored.last, range.lowerBound < last.upperBound {
                note(what, "it overlaps what lies before it, up to byte \(last.upperBound)", CartridgeFile.restore)
            }
            if let last = stored.last, last.upperBound == range.lowerBound {
                stored[stored.count - 1] = last.lowerBound..<range.upperBound
            } else {
                stored.append(range)
            }
        }

        private mutating func look(at run: CartridgeRun, _ reader: CartridgeRecords) throws(StorageFault) {
            for object in run.object..<run.object + run.count {
                if let problem = try reader.look(at: object, of: run, partition: partition).problem {
                    note(
                        "object \(object) of partition \(partition)", problem,
                        "Restore what it held from another copy")
                }
                if findings.count >= findingLimit { return }
            }
        }
    }
}
