public import Files
public import Protection
import Synchronization
import Tape
import Units

/// What came of holding the tapes of a run against what the simulation says is on them.
public struct TapeVerdict: Hashable, Sendable {
    /// Whole sets that were read back, and bytes of their disks.
    public var sets = 0
    public var compared: Int64 = 0
    /// What differs, set by set; empty if nothing does.
    public var problems: [String] = []
}

extension RealPlane {
    /// Reads every whole set of a real machine back from its cartridges, decrypted and decompressed, and compares it with what the
    /// machine's disks held at its recovery point; and what the libraries list with `records`.
    public func verifyTapes(_ records: [TapeSetRecord]) throws(StorageFault) -> TapeVerdict {
        var verdict = TapeVerdict()
        let ours = records.filter { isReal(Ref(raw: $0.machine)) }
        for (library, media) in tapes.used {
            let listed = tapes.listed(in: media)
            var known: Set<String> = []
            for record in ours where world.groups[Int(record.group)].tape?.library == library {
                let id = tapes.identifier(of: record.number).description
                known.insert(id)
                let found = listed.first { $0.entry.set == id }
                let isWhole = found?.isComplete == true
                // What rots on tape rots in the run's books only: the real set is still there, and is not read.
                if isWhole != (record.state == .whole || record.state == .damaged) {
                    verdict.problems.append(
                        "set \(record.number) is \(record.state), but its cartridges list it as "
                            + (found == nil ? "nothing" : isWhole ? "whole" : "incomplete"))
                } else if record.state == .whole {
                    let cartridges = record.cartridges.map { tapes.barcode(Ref(raw: $0)) }
                    if let found, found.barcodes != cartridges {
                        verdict.problems.append(
                            "set \(record.number) lies on \(found.barcodes.joined(separator: ", ")), not on "
                                + cartridges.joined(separator: ", "))
                    }
                    try verify(record, in: library, &verdict)
                }
            }
            for found in listed where !known.contains(found.entry.set) {
                verdict.problems.append("set \(found.entry.name ?? found.entry.set) is on tape, and nobody wrote it")
            }
        }
        for record in ours where record.state == .whole {
            guard let library = world.groups[Int(record.group)].tape?.library,
                !tapes.used.contains(where: { $0.library == library })
            else { continue }
            verdict.problems.append("set \(record.number) is whole, but nothing was ever written in its library")
        }
        return verdict
    }

    private func verify(
        _ record: TapeSetRecord, in library: Ref<TapeLibrary>, _ verdict: inout TapeVerdict
    ) throws(StorageFault) {
        let content = content(Ref(raw: record.machine), at: record.point)
        let comparison = SetComparison(content)
        do throws(StorageFault) {
            let reading = try tapes.open(record.number, in: library)
            do throws(StorageFault) {
                try comparison.read(reading.set)
            } catch {
                _ = try reading.end()
                throw error
            }
            _ = try reading.end()
        } catch { comparison.note(error.description) }
        verdict.sets += 1
        verdict.compared += comparison.compared
        for problem in comparison.problems {
            verdict.problems.append("set \(record.number) of \(content.real.name): \(problem)")
        }
    }

    /// Writes the disks of a set on tape as raw images into a folder, which is made if its parent is there.
    /// - Returns: their paths, in the order of the machine's disks.
    /// - Throws: `ENGINE-NO-SET`; what reading the tapes throws. Nothing stays then.
    public func restoreSet(_ set: Int32, into folder: String) throws(StorageFault) -> [String] {
        let id = tapes.identifier(of: set).description
        guard
            let library = tapes.used.first(where: { (_, media) in
                tapes.listed(in: media).contains { $0.entry.set == id }
            })?.library
        else {
            throw StorageFault(
                .missing, "ENGINE-NO-SET", "set \(set)", "no tape of the run holds it", action: "Choose another source")
        }
        let reading = try tapes.open(set, in: library)
        let isThere = try files.kind(of: folder) == .folder
        var made: [String] = []
        do throws(StorageFault) {
            try files.makeFolder(folder)
            for (index, file) in reading.set.files.enumerated() {
                let path = "\(folder)/\(file.name).img"
                let image = try files.open(path, .create)
                made.append(path)
                defer { image.close() }
                _ = try reading.set.read(index, to: StoredSetTarget(image))
                try image.flush()
            }
            _ = try reading.end()
            return made
        } catch {
            _ = try? reading.end()
            for path in made { try? files.remove(path) }
            if !isThere { try? files.removeFolder(folder) }
            throw error
        }
    }
}

/// A set as it is read, against what it has to hold. Threads that bring its bytes take turns.
private final class SetComparison {
    private let content: DiskContent
    private(set) var compared: Int64 = 0
    private(set) var problems: [String] = []
    private static let problemLimit = 5

    init(_ content: DiskContent) { self.content = content }

    func note(_ problem: String) { if problems.count < Self.problemLimit { problems.append(problem) } }

    func read(_ set: OpenSet) throws(StorageFault) {
        let disks = content.real.disks
        guard set.files.map(\.name) == disks.map(\.name), set.files.map(\.size) == disks.map(\.size) else {
            return note("its files are \(set.files.map(\.name).joined(separator: ", "))")
        }
        for index in disks.indices {
            let target = ComparedDisk(content, index, limit: Self.problemLimit)
            _ = try set.read(index, to: target)
            for problem in try target.end() { note(problem) }
            compared += disks[index].size
        }
    }
}

/// A disk that is not written but compared. One thread at a time, by its lock.
private final class ComparedDisk: SetTarget, @unchecked Sendable {
    private let content: DiskContent
    private let disk: Int
    private let limit: Int
    private let wanted = Buffer(count: BlockContent.size)
    private let lock = Mutex(())
    private var came: [Range<Int64>] = []
    private var problems: [String] = []

    init(_ content: DiskContent, _ disk: Int, limit: Int) {
        (self.content, self.disk, self.limit) = (content, disk, limit)
    }

    func prepare(size: Int64) throws(StorageFault) {}

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try lock.withLock { _ throws(StorageFault) in
            came.append(offset..<offset + Int64(bytes.count))
            try compare(came[came.count - 1], with: bytes)
        }
    }

    /// What never came has to be zeros.
    func end() throws(StorageFault) -> [String] {
        var at: Int64 = 0
        let size = content.real.disks[disk].size
        for range in came.sorted(by: { $0.lowerBound < $1.lowerBound }) + [size..<size] {
            if range.lowerBound > at { try compare(at..<range.lowerBound, with: nil) }
            at = max(at, range.upperBound)
        }
        return problems
    }

    /// - Parameter bytes: of the range; nil for zeros.
    private func compare(_ range: Range<Int64>, with bytes: UnsafeRawBufferPointer?) throws(StorageFault) {
        let unit = Int64(BlockContent.size)
        var at = range.lowerBound
        while at < range.upperBound {
            let block = at / unit
            let end = min(range.upperBound, (block + 1) * unit)
            let ours = wanted[0..<content.count(disk, block)]
            try content.fill(ours, disk, block)
            let part = UnsafeRawBufferPointer(rebasing: ours[Int(at - block * unit)..<Int(end - block * unit)])
            let isEqual =
                bytes.map {
                    part.hasSameBytes(
                        as:
                            UnsafeRawBufferPointer(
                                rebasing: $0[Int(at - range.lowerBound)..<Int(end - range.lowerBound)]))
                } ?? part.isZero
            if !isEqual, problems.count < limit {
                problems.append("\(content.real.disks[disk].name) differs in the \(end - at) bytes at \(at)")
            }
            at = end
        }
    }
}
