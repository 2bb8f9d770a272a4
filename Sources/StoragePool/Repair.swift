import DiskImages
public import Files
import GRDB

/// What a repair did.
public struct RepairFacts: Hashable, Sendable {
    /// Files whose structures were written anew, and how many pages of the map.
    public var structures: [String] = []
    public var mapPages = 0
    /// Blocks stored anew from a source that still has them.
    public var mended: [Damage] = []
    /// Blocks nobody has any more. The replica's are stored anew by the next synchronization, as they are then.
    public var lost: [Damage] = []
    /// What a repair cannot mend.
    public var findings: [Finding] = []
}

extension Pool {
    /// Mends what can be mended: the map from its other copy, identities and headers from the map, damaged blocks from sources that
    /// hold the same content still. What cannot be mended is named; nothing that can be read is lost by it.
    /// - Parameter sources: the disks of datasources, by name; those not named are not mended.
    public func repair(
        sources: [String: [DiskSource]], workers: Int = Workers.count(), progress: ProgressReport? = nil
    ) throws(StorageFault) -> RepairFacts {
        try checkWritable()
        var facts = RepairFacts()
        facts.structures = try Structures.mend(parts)
        let scrub = try scrub(workers: workers, progress: progress)
        facts.mapPages = scrub.mapPagesMended
        facts.findings = scrub.findings.filter { !$0.action.hasPrefix("It was mended") }
        for name in Set(scrub.damage.map { $0.datasource }).sorted() {
            let damage = scrub.damage.filter { $0.datasource == name }
            let known = try datasource(name)
            let lock = try parts.locks.datasource(known.id, name: name)
            defer { lock.close() }
            let (mended, lost) = try mend(damage, from: sources[name] ?? [])
            facts.mended += mended
            facts.lost += lost
        }
        if !facts.mended.isEmpty { try Reclaiming.run(parts) }
        return facts
    }

    /// Another copy of the map for one that is gone; before the pool can be opened for writing.
    public static func restoreMapCopy(at path: String, on files: any FileSystem) throws(StorageFault) {
        let (map, mirror) = (Layout.map(path), Layout.mirror(path))
        switch (try files.kind(of: map), try files.kind(of: mirror)) {
        case (.file, .none): try MapFile.copy(map, to: mirror, on: files)
        case (.none, .file): try MapFile.copy(mirror, to: map, on: files)
        case (.file, .file): return
        default:
            throw .pool(
                .badInput, "NOT-POOL", path, "there is no pool in this folder", "Check the path")
        }
    }

    /// Stores blocks anew whose content a source still has at the same place. One transaction for all, after the data is durable.
    private func mend(
        _ damage: [Damage], from sources: [DiskSource]
    ) throws(StorageFault) -> (mended: [Damage], lost: [Damage]) {
        var mended: [(damage: Damage, entry: BlockEntry)] = []
        var lost: [Damage] = []
        let parts = parts
        let appender = SegmentAppender(segments: parts.segments, map: parts.map) { () throws(StorageFault) in
            try Session.cleanUpInterrupted(parts)
        }
        var isCommitted = false
        defer { appender.release(committed: isCommitted) }
        let buffer = Buffer(count: Int(parts.block))
        for item in damage {
            guard let source = sources.first(where: { $0.name == item.disk }),
                try read(item, from: source, into: buffer)
            else {
                lost.append(item)
                continue
            }
            let extent = try appender.extent(parts.block, least: parts.block)
            try extent.file.write(UnsafeRawBufferPointer(buffer.bytes), at: extent.next)
            appender.stored(parts.block, in: extent.segment)
            let location = Location(
                segment: extent.segment, offset: extent.next, length: Int(parts.block), compressed: false,
                shared: item.place.entry.location.isShared)
            mended.append(
                (item, BlockEntry(location: location, contentSum: item.place.entry.contentSum, storedSum: 0)))
        }
        guard !mended.isEmpty else { return ([], lost) }
        try appender.flush()
        let segments = appender.all
        // A commit that is told to have failed may have happened: from here on nothing is cut off but by the next owner.
        isCommitted = true
        try parts.map.write { db in
            for segment in segments {
                try db.run(
                    "UPDATE segment SET tail = ?, live = live + ? WHERE number = ?", segment.tail, segment.live,
                    segment.number)
            }
            for (item, entry) in mended { try replace(item.place, by: entry, db) }
        }
        return (mended.map { $0.damage }, lost)
    }

    /// Whether the source holds what was stored; it is in the buffer then.
    private func read(_ damage: Damage, from source: DiskSource, into buffer: Buffer) throws(StorageFault) -> Bool {
        let start = damage.range.lowerBound
        let count = Int(max(0, min(parts.block, source.device.size - start)))
        guard count > 0 else { return false }
        try source.device.read(into: buffer[0..<count], at: start)
        buffer[count..<Int(parts.block)].initializeMemory(as: UInt8.self, repeating: 0)
        return XXH3.of(UnsafeRawBufferPointer(buffer.bytes)) == damage.place.entry.contentSum
    }

    /// Puts an entry in the place of another in all versions that have it, and frees what it replaces.
    private func replace(_ place: DamagePlace, by entry: BlockEntry, _ db: Database) throws {
        let old = place.entry.location
        let isShared = old.isShared
        let range =
            isShared
            ? 0...Int64.max
            : LeafKey(disk: place.disk, leaf: place.leaf, epoch: 0)
                .id...LeafKey(
                    disk: place.disk, leaf: place.leaf, epoch: LeafKey.epochLimit - 1
                ).id
        // Another damaged use of the same shared block has put a new one in its place already.
        if isShared, try db.integer("SELECT 1 FROM share WHERE location = ?", Int64(bitPattern: old.bits)) == nil {
            try db.run(
                "UPDATE segment SET live = live - ? WHERE number = ?", entry.location.span, entry.location.segment)
            try db.run(
                "INSERT INTO freed(segment, start, length) VALUES(?, ?, ?)", entry.location.segment,
                entry.location.offset,
                entry.location.span)
            return
        }
        var next = range.lowerBound
        while true {
            let versions = try db.leaves(in: next...range.upperBound, limit: 256)
            for version in versions {
                var version = version
                let before = version.leaf
                for index in 0..<Leaf.count where version.leaf[index].location == old { version.leaf[index] = entry }
                guard version.leaf != before else { continue }
                try db.update(version)
                try adjust(version, from: before, db)
            }
            guard versions.count == 256, let last = versions.last?.key.id, last < range.upperBound else { break }
            next = last + 1
        }
        if isShared {
            try db.run(
                "UPDATE share SET location = ?, stored = ? WHERE location = ?", Int64(bitPattern: entry.location.bits),
                Int64(entry.storedSum), Int64(bitPattern: old.bits))
        }
        try db.free(old)
    }

    /// Keeps what is counted right when a version's blocks take more or less space than before.
    private func adjust(_ version: LeafVersion, from before: Leaf, _ db: Database) throws {
        let delta = version.leaf.stored - before.stored
        guard delta != 0,
            let disk = try db.rows("SELECT datasource, born, died FROM disk WHERE id = ?", version.key.disk).first
        else { return }
        let datasource: Int64 = disk["datasource"]
        let older = try db.leaf(disk: version.key.disk, number: version.key.leaf, asOf: version.key.epoch - 1)
        var born: Int64 = 0
        for index in 0..<Leaf.count {
            // The older version has been put right already, so a block both have is born once.
            let (was, now) = (before[index].location, version.leaf[index].location)
            if was != now, older?.leaf[index].location != now { born += now.span - was.span }
        }
        try db.run("UPDATE datasource SET stored = stored + ? WHERE id = ?", born, datasource)
        let next =
            try db.integer(
                "SELECT min(id) FROM leaf WHERE id > ? AND id <= ?", version.key.id,
                version.key.first + LeafKey.epochLimit - 1
            ).map { LeafKey(id: $0).epoch } ?? LeafKey.epochLimit
        let died: Int64 = disk["died"] ?? LeafKey.epochLimit
        try db.run(
            "UPDATE state SET stored = stored + ? WHERE datasource = ? AND epoch >= ? AND epoch < ?", delta, datasource,
            version.key.epoch, min(next, died))
    }
}
