import Files
import GRDB
import Synchronization

/// The segment files of a pool: opened once, shared by all who read.
final class Segments: Sendable {
    struct Volume: Sendable {
        var number: Int64
        var path: String
        var isPresent: Bool
    }

    private struct State {
        var volumes: [Int64: Volume] = [:]
        var open: [Int64: any StoreFile] = [:]
        /// Oldest first; files beyond the limit are closed when their last user lets go.
        var order: [Int64] = []
    }

    private static let openLimit = 256
    let files: any FileSystem
    let pool: GUID
    let size: Int64
    private let map: Map
    private let state: Mutex<State>

    init(files: any FileSystem, pool: GUID, size: Int64, map: Map, volumes: [Volume]) {
        (self.files, self.pool, self.size, self.map) = (files, pool, size, map)
        state = Mutex(State(volumes: Dictionary(uniqueKeysWithValues: volumes.map { ($0.number, $0) })))
    }

    var volumes: [Volume] { state.withLock { $0.volumes.values.sorted { $0.number < $1.number } } }

    func add(_ volume: Volume) { state.withLock { $0.volumes[volume.number] = volume } }

    /// The path of a segment; throws if its volume is not there or the map does not know it.
    func path(of number: Int64) throws(StorageFault) -> String {
        let volume = try map.read { try $0.integer("SELECT volume FROM segment WHERE number = ?", number) }
        guard let volume, let known = state.withLock({ $0.volumes[volume] }) else {
            throw .pool(
                .damaged, "SEGMENT", "segment \(number)", "the map does not know it", "Run the pool's check")
        }
        guard known.isPresent else {
            throw .pool(
                .missing, "VOLUME", "volume \(known.number) at \(known.path)", "it is missing",
                "Mount it again; what lies on the other volumes can be read meanwhile")
        }
        return Layout.segment(known.path, number)
    }

    /// A segment for reading.
    func file(_ number: Int64) throws(StorageFault) -> any StoreFile {
        if let file = state.withLock({ $0.open[number] }) { return file }
        let file = try files.open(path(of: number), .read)
        return state.withLock { state in
            if let other = state.open[number] { return other }
            state.open[number] = file
            state.order.append(number)
            if state.order.count > Self.openLimit { state.open[state.order.removeFirst()] = nil }
            return file
        }
    }

    /// Forgets an open file, because the segment is gone.
    func forget(_ number: Int64) {
        state.withLock { state in
            state.open[number] = nil
            state.order.removeAll { $0 == number }
        }
    }
}

/// Where a synchronization stores new blocks: segments that are its own until it ends. Workers take extents of it.
///
/// A segment is claimed by a lock on its file, which ends with the process; what an interrupted owner left behind its committed
/// tail is cut off by the next.
final class SegmentAppender: Sendable {
    struct Claimed: Sendable {
        let number: Int64
        let file: any StoreFile
        /// Where the committed part ends.
        let committed: Int64
        var tail: Int64
        /// Bytes of blocks stored, whole units.
        var live: Int64
    }

    /// A part of a segment one worker fills.
    struct Extent: Sendable {
        var segment: Int64
        var file: any StoreFile
        var next: Int64
        var end: Int64
    }

    private let segments: Segments
    private let map: Map
    private let claimed = Mutex<[Claimed]>([])

    /// Called before what somebody left behind a committed tail is cut off: the map may still speak of it.
    private let beforeCutting: @Sendable () throws(StorageFault) -> Void

    init(segments: Segments, map: Map, beforeCutting: @escaping @Sendable () throws(StorageFault) -> Void) {
        (self.segments, self.map, self.beforeCutting) = (segments, map, beforeCutting)
    }

    var segmentSize: Int64 { segments.size }

    /// What has been claimed so far, in the order of claiming.
    var all: [Claimed] { claimed.withLock { $0 } }

    /// An extent in one segment: of `wanted` bytes if segments are large enough for that, of `least` at any rate. Whole units.
    func extent(_ wanted: Int64, least: Int64) throws(StorageFault) -> Extent {
        let count = max(least, min(wanted, segments.size / 8 / Location.unit * Location.unit))
        while true {
            let found = claimed.withLock { claimed -> Extent? in
                guard var last = claimed.last, last.tail + count <= segments.size else { return nil }
                let extent = Extent(segment: last.number, file: last.file, next: last.tail, end: last.tail + count)
                last.tail += count
                claimed[claimed.count - 1] = last
                return extent
            }
            if let found { return found }
            try claim(room: count)
        }
    }

    /// Counts stored blocks, for the map.
    func stored(_ bytes: Int64, in segment: Int64) {
        claimed.withLock { claimed in
            guard let index = claimed.lastIndex(where: { $0.number == segment }) else { return }
            claimed[index].live += bytes
        }
    }

    /// Gives back what an extent did not need, if nothing was taken behind it.
    func giveBack(_ extent: Extent) {
        claimed.withLock { claimed in
            guard let index = claimed.lastIndex(where: { $0.number == extent.segment }),
                claimed[index].tail == extent.end
            else { return }
            claimed[index].tail = extent.next
        }
    }

    /// Makes everything stored so far durable.
    func flush() throws(StorageFault) {
        for segment in all { try segment.file.flush() }
    }

    /// Ends the claims; what was not committed is cut off if that can be done, else by the next owner.
    func release(committed: Bool) {
        let segments = claimed.withLock { claimed in
            defer { claimed = [] }
            return claimed
        }
        for segment in segments {
            if !committed {
                try? segment.file.truncate(to: segment.committed)
                try? segment.file.flush()
            }
            try? segment.file.unlock()
            segment.file.close()
        }
    }

    /// Claims a segment with room: one begun earlier that nobody writes now, or a new one on the volume with most space.
    private func claim(room: Int64) throws(StorageFault) {
        try claimed.withLock { (claimed) throws(StorageFault) -> Void in
            if let last = claimed.last, last.tail + room <= segments.size { return }
            let limit = segments.size - room
            let begun = try map.read { db in
                try db.rows("SELECT number, volume, tail FROM segment WHERE tail <= ? ORDER BY number", limit).map {
                    ($0[0] as Int64, $0[1] as Int64, $0[2] as Int64)
                }
            }
            let present = Set(segments.volumes.filter { $0.isPresent }.map { $0.number })
            for (number, volume, tail) in begun
            where present.contains(volume) && !claimed.contains(where: { $0.number == number }) {
                guard let file = try lockedSegment(number, tail: tail) else { continue }
                claimed.append(Claimed(number: number, file: file, committed: tail, tail: tail, live: 0))
                return
            }
            while true {
                if let segment = try newSegment() {
                    claimed.append(segment)
                    return
                }
            }
        }
    }

    /// The file of a segment begun earlier, locked and cut off at its tail; nil if somebody else has it or it is lost.
    private func lockedSegment(_ number: Int64, tail: Int64) throws(StorageFault) -> (any StoreFile)? {
        let path = try segments.path(of: number)
        // Nothing was ever committed to it: its maker may have ended before the file was there.
        let isFresh = tail == Location.unit
        let kind = try segments.files.kind(of: path)
        guard isFresh || kind == .file else { return nil }
        let file = try segments.files.open(path, isFresh ? .createOrOpen : .readWrite)
        guard try file.lock(exclusive: true, wait: false) else { return nil }
        // Its last owner may have ended between the question and the lock.
        let now = try map.read { try $0.integer("SELECT tail FROM segment WHERE number = ?", number) }
        guard now == tail else { return nil }
        if try file.size() > tail {
            try beforeCutting()
            try file.truncate(to: tail)
        }
        if isFresh { try begin(file, number) }
        return file
    }

    /// Cuts off what lies behind the committed tails of segments nobody writes. Nothing in the map may speak of it any more.
    /// O(segments); for after an interruption.
    static func cutOff(_ pool: PoolParts) throws(StorageFault) {
        let all = try pool.map.read { try $0.rows("SELECT number FROM segment ORDER BY number").map { $0[0] as Int64 } }
        for number in all {
            let path: String
            do throws(StorageFault) { path = try pool.segments.path(of: number) } catch { continue }
            guard try pool.files.kind(of: path) == .file else { continue }
            let file = try pool.files.open(path, .readWrite)
            defer { file.close() }
            guard try file.size() > Location.unit, try file.lock(exclusive: true, wait: false),
                let tail = try pool.map.read({ try $0.integer("SELECT tail FROM segment WHERE number = ?", number) }),
                try file.size() > tail
            else { continue }
            try file.truncate(to: tail)
            // Else it could come back, and nobody would know.
            try file.flush()
        }
    }

    private func begin(_ file: any StoreFile, _ number: Int64) throws(StorageFault) {
        try file.truncate(to: 0)
        try file.write(Layout.segmentHeader(pool: segments.pool, number: number, size: segments.size), at: 0)
        let folder = file.path.prefix(upTo: file.path.lastIndex(of: "/") ?? file.path.startIndex)
        try segments.files.syncFolder(String(folder))
    }

    /// Nil if somebody else claimed it at the same moment.
    private func newSegment() throws(StorageFault) -> Claimed? {
        var best: (volume: Segments.Volume, free: Int64)?
        for volume in segments.volumes where volume.isPresent {
            let free = try segments.files.space(at: volume.path).free
            if best == nil || free > best!.free { best = (volume, free) }
        }
        guard let volume = best?.volume else {
            throw .pool(.missing, "VOLUME", "pool", "none of its volumes is there", "Mount its volumes")
        }
        let number = try map.write { db -> Int64 in
            let number =
                try db.integer(
                    """
                    SELECT CASE WHEN NOT EXISTS(SELECT 1 FROM segment WHERE number = 0) THEN 0
                    ELSE (SELECT min(number) + 1 FROM segment s
                          WHERE NOT EXISTS(SELECT 1 FROM segment t WHERE t.number = s.number + 1)) END
                    """) ?? 0
            guard number < Location.segmentLimit else {
                throw StorageFault.pool(
                    .outOfSpace, "SEGMENTS", "pool", "it has \(Location.segmentLimit) segments, the most there can be",
                    "Prune recovery points, or begin another pool")
            }
            try db.run("INSERT INTO segment VALUES(?, ?, ?, 0)", number, volume.number, Location.unit)
            return number
        }
        // The row comes first: a crash in between leaves a segment that is made when it is claimed again, never a stray file.
        let file = try segments.files.open(Layout.segment(volume.path, number), .createOrOpen)
        guard try file.lock(exclusive: true, wait: false) else { return nil }
        try begin(file, number)
        return Claimed(number: number, file: file, committed: Location.unit, tail: Location.unit, live: 0)
    }
}
