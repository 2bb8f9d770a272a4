public import Files

/// What changed since a point.
public enum TrackedChanges: Hashable, Sendable {
    /// Ascending, not touching each other: every block whose content may be another than at the point, perhaps more. Coarse ones
    /// come from after a crash.
    case ranges([Range<Int64>], isCoarse: Bool)
    /// Nobody can say, so everything is to be compared; why, one sentence without a full stop.
    case unknown(String)
}

/// Remembers which blocks of an image changed since reference points, in a file beside it; right also after a crash, then
/// coarser, never fewer (storage.md 10.11, disk-formats.md 1.4). Use it through `TrackedDevice`.
///
/// A coarse map is written and flushed before the first write since a point into a region reaches the image. A fine map is kept
/// in memory and saved at `save` and `close`; the first write thereafter takes the mark of a clean end away, durably, first.
///
/// A backup: `reference()` gives R2; `changes(since: R1)` is copied; `confirm(R2)` forgets R1 and what is older. After a failure
/// `forget(R2)`, or nothing at all: the changes since R1 are still there.
public final class ChangeTracker: Sendable {
    /// How the file was found.
    public enum Opening: Hashable, Sendable {
        /// No point of before is known; why.
        case fresh(String)
        case afterCleanEnd, afterCrash
    }

    struct Interval: Sendable {
        var point: TrackHead.Point
        /// What changed from its point to the next, or until now.
        var fine: FineMap
    }

    struct State: Sendable {
        var head: TrackHead
        /// Oldest first; the last one is going on.
        var intervals: [Interval] = []
        /// Regions whose bit in the coarse map of the last interval survives a power cut: a subset of what its fine map touches.
        var durable: [Bool] = []
        /// Whether the head in the file may say something else than must hold while writes go on.
        var isHeadStale = true
        /// Calls between `begin` and `end`.
        var writers = 0
        /// Somebody changes points, or waits for the writers to end to do so.
        var isExclusive = false
        /// Somebody writes coarse sectors.
        var isCommitting = false
        /// Sectors of the coarse map that the next commit is to write.
        var wanted: Set<Int> = []
        /// Why no point can be trusted until the image is opened anew.
        var distrust: String?
        var isClosed = false

        /// Whether a write to these regions may go on.
        func isReady(_ regions: Range<Int>) -> Bool {
            if isHeadStale { return false }
            return intervals.isEmpty || !durable[regions].contains(false)
        }

        mutating func insert(_ range: Range<Int64>) {
            if !intervals.isEmpty { intervals[intervals.count - 1].fine.insert(range) }
        }
    }

    public let path: String
    public let opening: Opening
    /// Of the disk, bytes.
    public let size: Int64
    /// Of a block, bytes: what changed is told in whole ones.
    public let granularity: Int64
    /// Of a region, bytes: what is told in whole ones after a crash.
    public let regionSize: Int64
    let geometry: TrackGeometry
    let file: any StoreFile
    let guids: any GUIDSource
    let state: Monitor<State>

    init(
        _ file: any StoreFile, _ guids: any GUIDSource, _ opening: Opening, _ state: State
    ) {
        (self.file, self.guids, self.opening, path) = (file, guids, opening, file.path)
        geometry = state.head.geometry
        (size, granularity, regionSize) = (geometry.size, geometry.granularity, geometry.regionSize)
        self.state = Monitor(state)
    }

    // MARK: Writes

    /// Goes before each write to the image: when it returns, the write is recorded so that a power cut cannot take it away. Then
    /// `end` must follow. If it throws, nothing may be written. O(regions of the range), without input or output unless a region
    /// is written for the first time since the last point.
    public func begin(_ range: Range<Int64>) throws(StorageFault) {
        let regions = geometry.regions(range)
        var isFirst = true
        while true {
            enum Step { case go, closed, wait, lead([Int], TrackHead?) }
            let step: Step = state.when(
                { !$0.isExclusive && (isFirst || !$0.isCommitting || $0.isReady(regions)) },
                { state in
                    if state.isClosed { return .closed }
                    state.insert(range)
                    if state.isReady(regions) {
                        state.writers += 1
                        return .go
                    }
                    if !state.intervals.isEmpty {
                        for region in regions where !state.durable[region] {
                            state.wanted.insert(region / TrackSector.regions)
                        }
                    }
                    // One writes for all who came meanwhile.
                    if state.isCommitting { return .wait }
                    state.isCommitting = true
                    let sectors = state.wanted.sorted()
                    state.wanted = []
                    return .lead(sectors, state.isHeadStale ? state.head : nil)
                })
            isFirst = false
            switch step {
            case .go: return
            case .closed: throw closed()
            case .wait: continue
            case .lead(let sectors, let head): try commit(sectors, head)
            }
        }
    }

    /// Ends what `begin` began, once the write has returned or failed.
    public func end() {
        let isAwaited = state.withLock { state in
            state.writers -= 1
            return state.isExclusive && state.writers == 0
        }
        if isAwaited { state.wake() }
    }

    /// Makes the coarse sectors durable, and the head if it is stale; `isCommitting` is ours.
    private func commit(_ sectors: [Int], _ head: TrackHead?) throws(StorageFault) {
        defer {
            state.withLock { $0.isCommitting = false }
            state.wake()
        }
        if var head {
            head.isClean = false
            try write(head)
        }
        // Taken when the head is in the file and not before, so that what came meanwhile goes along.
        let (bytes, marked) = state.withLock { state in
            let map = state.intervals.last
            return (
                sectors.map { number in map.map { encoded($0, number) } ?? [] },
                sectors.map { number in self.regions(ofSector: number).filter { map?.fine.touches($0) ?? false } }
            )
        }
        guard !sectors.isEmpty else { return }
        let slot = state.withLock { $0.intervals.last.map { $0.point.slot } }
        guard let slot else { return }
        try write(sectors, bytes, slot)
        try file.flush()
        state.withLock { state in
            for regions in marked { for region in regions { state.durable[region] = true } }
        }
    }

    func regions(ofSector number: Int) -> Range<Int> {
        let first = number * TrackSector.regions
        return first..<max(first, min(first + TrackSector.regions, geometry.regionCount))
    }

    func encoded(_ interval: Interval, _ number: Int) -> [UInt8] {
        TrackSector.encoded(
            interval: interval.point.interval, number: number, { interval.fine.touches($0) }, geometry: geometry)
    }

    /// Writes sectors of a slot, neighbours together.
    func write(_ sectors: [Int], _ bytes: [[UInt8]], _ slot: Int) throws(StorageFault) {
        let place = state.withLock { $0.head.place(ofSlot: slot) }
        var index = 0
        while index < sectors.count {
            let first = index
            var run = bytes[index]
            index += 1
            while index < sectors.count, sectors[index] == sectors[index - 1] + 1 {
                run += bytes[index]
                index += 1
            }
            try file.write(run, at: place + Int64(sectors[first] * TrackSector.length))
        }
    }

    /// Writes both copies of a head, each durably. Whatever happens, the numbers given out are not given again.
    func write(_ head: TrackHead) throws(StorageFault) {
        var head = head
        head.sequence = state.withLock { state in
            state.isHeadStale = true
            state.head.sequence += 1
            return state.head.sequence
        }
        let bytes = head.encoded()
        for copy in 0..<2 {
            try file.write(bytes, at: Int64(copy * TrackHead.length))
            try file.flush()
        }
        state.withLock { state in
            let next = state.head.nextInterval
            state.head = head
            state.head.nextInterval = max(next, head.nextInterval)
            state.isHeadStale = head.isClean
        }
    }

    // MARK: Answers

    /// Oldest first.
    public var points: [TrackPoint] { state.withLock { $0.intervals.map { TrackPoint(id: $0.point.id) } } }

    /// What changed since a point inside `range`, nil for the whole disk. The answer takes 16 bytes of memory a range: 8 GiB if
    /// every other block of 64 TiB changed, so ask for parts of a large disk.
    public func changes(since id: GUID, in range: Range<Int64>? = nil) -> TrackedChanges {
        state.withLock { state in
            if let distrust = state.distrust { return .unknown(distrust) }
            guard let first = state.intervals.firstIndex(where: { $0.point.id == id }) else {
                if case .fresh(let reason) = opening { return .unknown(reason) }
                return .unknown("the point \(id) is not known")
            }
            let intervals = state.intervals[first...]
            let part = (range ?? 0..<size).clamped(to: 0..<size)
            let ranges = FineMap.ranges(intervals.map(\.fine), in: part)
            return .ranges(ranges, isCoarse: intervals.contains { $0.point.isCoarse })
        }
    }

    func closed() -> StorageFault {
        StorageFault(
            .badInput, "TRACK-CLOSED", path, "the track file is closed",
            action: "Open the image and its tracker anew")
    }
}
