import DiskImages
public import Files
import GRDB
import Synchronization

extension Pool {
    /// Brings the replica of a datasource to what its disks hold: the initial replica the first time, an express full or a
    /// consistency check later. All of it happens or nothing does.
    ///
    /// Disks of the replica that are not among `sources` are gone from the new state on; others that were not there are new.
    /// - Parameters:
    ///   - kind: a consistency check reads and compares everything, whatever the lists of changes say, and tells where the
    ///     replica differed; `initialReplica` is read back and verified before it counts.
    ///   - time: of the state, seconds since 1970.
    ///   - recoveryPoint: whether the new state is kept as a recovery point; else only as the replica, until the next.
    public func synchronize(
        _ name: String, _ sources: [DiskSource], kind: SynchronizationKind = .expressFull, at time: Int64,
        recoveryPoint: Bool = true, label: String = "", verifying: Bool = true, workers: Int = Workers.count(),
        progress: ProgressReport? = nil
    ) throws(StorageFault) -> SynchronizationFacts {
        try checkWritable()
        guard !sources.isEmpty, Set(sources.map { $0.name }).count == sources.count else {
            throw .pool(
                .badInput, "DISKS", "datasource \(name)", "it needs disks with different names",
                "Name each disk of the datasource once")
        }
        let datasource = try datasource(name)
        let isFirst = datasource.head == 0
        let kind = isFirst ? .initialReplica : kind == .initialReplica ? .consistencyCheck : kind
        var sources = sources
        if kind != .expressFull { for index in sources.indices { sources[index].changes = .everything } }
        let session = try Session(pool: parts, datasource: datasource, sources: sources, kind: kind)
        let facts = try perform(
            session, verifying: isFirst && verifying, at: time, recoveryPoint: recoveryPoint, label: label,
            workers: workers, progress: progress)
        try? reclaimIfNeeded()
        return facts
    }

    private func perform(
        _ session: Session, verifying: Bool, at time: Int64, recoveryPoint: Bool, label: String, workers: Int,
        progress: ProgressReport?
    ) throws(StorageFault) -> SynchronizationFacts {
        defer { session.end() }
        let facts: SynchronizationFacts
        do throws(StorageFault) {
            try transfer(session, workers: workers, progress: progress)
            let verified = verifying ? try verify(session, workers: workers) : 0
            facts = try session.commit(at: time, recoveryPoint: recoveryPoint, label: label, verified: verified)
        } catch {
            try? session.abandon()
            Areas.noteRefusal(error, of: session.datasource, at: time, parts)
            throw error
        }
        // The new state is there, whatever comes of what it replaces: that is tried again by the next that opens the pool.
        try? removeUnwantedStates(session.datasource.name)
        return facts
    }

    private func transfer(_ session: Session, workers: Int, progress: ProgressReport?) throws(StorageFault) {
        let found = try parts.map.read { db in
            try db.rows("SELECT location, disk, leaf, place FROM damaged").map { row in
                (
                    bits: UInt64(bitPattern: row[0] as Int64), disk: row[1] as Int64,
                    block: (row[2] as Int64) * Int64(Leaf.count) + (row[3] as Int64)
                )
            }
        }
        // What a scrub found damaged is read again also where nothing changed.
        let disks = session.disks.map { disk in
            var disk = disk
            if case .ranges(let ranges) = disk.changes {
                let own = found.filter { $0.disk == disk.id }
                disk.changes = .ranges(ranges + own.map { $0.block * parts.block..<($0.block + 1) * parts.block })
            }
            return disk
        }
        let damaged = Set(found.map { $0.bits })
        let context = WorkContext(
            block: Int(parts.block), disks: disks, appender: session.appender,
            compression: session.datasource.compression,
            sharing: session.datasource.sharesBlocks
                ? Sharing(map: parts.map, segments: parts.segments, block: Int(parts.block)) : nil,
            damaged: damaged, recordsDifferences: session.kind == .consistencyCheck)
        let feed = try LeafFeed(
            disks: disks, block: parts.block, epoch: session.datasource.head, map: parts.map)
        let done = Mutex<Int64>(0)
        let span = parts.block * Int64(Leaf.count)
        try Workers.run(workers) { (_, halt) throws(StorageFault) in
            let worker = BlockWorker(context)
            while !halt.isRaised, let work = try feed.next() {
                let result = try worker.process(work)
                try session.take(result)
                guard let progress else { continue }
                // Of a whole disk the place is what counts, of a list of changes the bytes.
                let place: Int64 =
                    if case .everything = context.disks[work.disk].changes {
                        context.disks[..<work.disk].reduce(0) { $0 + $1.device.size } + (work.leaf + 1) * span
                    } else { -result.read }
                let now = done.withLock { done in
                    done = place < 0 ? done - place : max(done, place)
                    return done
                }
                progress(min(now, feed.total), feed.total)
            }
            worker.finish()
        }
    }

    /// Reads back all that a session stored and compares it with its checksums; returns bytes.
    private func verify(_ session: Session, workers: Int) throws(StorageFault) -> Int64 {
        try session.drain()
        let verified = Mutex<Int64>(0)
        let epoch = session.epoch
        for disk in session.disks {
            let next = Mutex<Int64>(0)
            try Workers.run(workers) { (_, halt) throws(StorageFault) in
                let reader = BlockReader(segments: self.parts.segments, block: Int(self.parts.block))
                while !halt.isRaised {
                    let leaves = try next.withLock { (next) throws(StorageFault) -> [LeafVersion] in
                        let from = next
                        let versions = try self.parts.map.read { db in
                            let first = LeafKey(disk: disk.id, leaf: from, epoch: 0).id
                            let last = LeafKey(disk: disk.id, leaf: LeafKey.leafLimit - 1, epoch: epoch).id
                            return try db.leaves(in: first...last, limit: 16)
                        }
                        next = (versions.last?.key.leaf ?? from) + 1
                        return versions
                    }
                    if leaves.isEmpty { break }
                    for version in leaves {
                        let entries = (0..<Leaf.count).map { version.leaf[$0] }.filter { !$0.location.isNone }
                        do throws(BadBlock) { try reader.verify(entries) } catch {
                            throw error.fault
                                ?? .pool(
                                    .damaged, "VERIFY", "disk \(disk.name)",
                                    "what was stored of its replica is not what was read back",
                                    "Check the disk under the pool, then make the replica again")
                        }
                        let bytes = entries.reduce(0) { $0 + Int64($1.location.length) }
                        verified.withLock { $0 += bytes }
                    }
                }
            }
        }
        return verified.withLock { $0 }
    }
}
