import DiskImages
import Files
import Jobs
import Protection
import StoragePool
import Units

/// A machine whose guest really writes into its disks.
///
/// Writing is put off until somebody looks: what a guest would have written by then is written then, in its order. Nobody can tell.
final class RealMachine {
    /// Where a place of `GuestWrites` lies.
    struct Place: Hashable {
        var disk: Int
        var block: Int64
    }

    let name: String
    /// The folder its files lie in.
    let home: String
    private(set) var disks: [MachineDisk]
    let places: [Place]
    let writes: GuestWrites
    let content: BlockContent
    /// The first places of the working set are a page file (PRC-5).
    let pageFile: Int
    /// Page files are looked for in the disks' file systems, rather than known.
    let hasFileSystem: Bool
    /// Blocks of the image it began as that are not zeros.
    let imageBlocks: [Place]
    /// What its disks held before the guest wrote; nil where all was zeros.
    let origins: [DiskImage?]
    private(set) var history: GuestHistory
    /// From the start of the run, and from each recovery of its disks on.
    private(set) var epochs: [GuestEpoch]
    /// Places of each disk that were written since it was flushed: where that fails, the system forgets them.
    private var unflushed: [Set<Int>]

    /// The snapshot that is open, and what is to travel of it.
    struct Snapshot {
        var at: SimTime
        var history: GuestHistory
        var blocks: [Place]?
        /// Everything travels, page file too.
        var isWhole = false
        /// Blocks that need not travel, for they lie wholly in page files.
        var excluded: Set<Place> = []
        /// Blocks that travel because the pool's own are damaged.
        var mended: [Place] = []
    }
    var snapshot: Snapshot?
    /// Where its disks are still to be moved to.
    var movesTo: Ref<Volume>?
    /// Blocks that were left out of the last synchronization that ended well.
    private(set) var excluded: Set<Place> = []
    /// Moments at which the replica became equal to the disk, page file included.
    private(set) var wholeAt: [SimTime] = []
    /// Of which moment the replica is; nil before the first.
    private(set) var replicaAt: SimTime?
    /// Places that a recovery emptied, while the replica may hold something there.
    private(set) var vacated: Set<Place> = []
    /// Blocks that were stored anew because the pool's own were damaged.
    private var mendings: [(at: SimTime, place: Place)] = []
    /// Number in the pool of each recovery point.
    private(set) var points: [(at: SimTime, number: Int64)] = []

    init(
        name: String, home: String, disks: [MachineDisk], places: [Place], writes: GuestWrites, content: BlockContent,
        pageFile: Int,
        hasFileSystem: Bool, imageBlocks: [Place], origins: [DiskImage?]
    ) {
        (self.home, self.hasFileSystem) = (home, hasFileSystem)
        (self.name, self.disks, self.places, self.writes, self.content) = (name, disks, places, writes, content)
        (self.pageFile, self.imageBlocks, self.origins) = (pageFile, imageBlocks, origins)
        history = GuestHistory(writes)
        unflushed = disks.map { _ in [] }
        epochs = [GuestEpoch(since: .start, start: history, grownBefore: 0)]
    }

    /// The epoch that a moment lies in; that of a recovery is the later one.
    func epoch(at time: SimTime) -> (index: Int, epoch: GuestEpoch) {
        let index = epochs.lastIndex { $0.since <= time } ?? 0
        return (index, epochs[index])
    }

    /// Blocks in use, bytes of the files.
    func used(_ history: GuestHistory) -> Int64 {
        Int64(history.usedPlaces + imageBlocks.count) * Int64(BlockContent.size)
    }

    /// Lets the guest write into its disks up to a moment.
    func live(overwrites: Int64, grown: Int64) throws(StorageFault) {
        let buffer = Buffer(count: BlockContent.size)
        for (index, disk) in disks.enumerated() where disk.mayHaveForgotten {
            for place in unflushed[index].sorted() { try put(place, history.versions[place], buffer) }
            disk.noteRewritten()
        }
        try history.advance(writes, overwrites: overwrites, grown: grown) {
            (place, version) throws(StorageFault) in try put(place, version, buffer)
        }
    }

    /// Writes what the guest begins with.
    func begin() throws(StorageFault) {
        guard writes.firstVersion > 0 else { return }
        let buffer = Buffer(count: BlockContent.size)
        for place in 0..<writes.initial { try put(place, UInt64(writes.firstVersion), buffer) }
    }

    private func put(_ place: Int, _ version: UInt64, _ buffer: Buffer) throws(StorageFault) {
        let bytes = buffer[0..<BlockContent.size]
        content.fill(bytes, block: Int64(place), version: version)
        let disk = disks[places[place].disk]
        do throws(StorageFault) {
            try disk.device.write(UnsafeRawBufferPointer(bytes), at: places[place].block * Int64(BlockContent.size))
        } catch {
            disk.failed()
            throw error
        }
        unflushed[places[place].disk].insert(place)
    }

    /// From now on its disks hold what was recovered: the guest goes on from there.
    func recovered(_ history: GuestHistory, disks: [MachineDisk], at time: SimTime, grownBefore: Int64) {
        for place in places.indices where self.history.isUsed(place, writes) && !history.isUsed(place, writes) {
            vacated.insert(places[place])
        }
        (self.history, self.disks, snapshot) = (history, disks, nil)
        unflushed = disks.map { _ in [] }
        epochs.append(GuestEpoch(since: time, start: history, grownBefore: grownBefore))
    }

    func noteReplica(at time: SimTime?) { (replicaAt, vacated) = (time, []) }
    /// All disks hold durably what was written to them.
    func noteFlushed() { for index in unflushed.indices { unflushed[index] = [] } }
    func noteExcluded(_ places: Set<Place>) { excluded = places }
    func noteMended(_ places: [Place], at time: SimTime) { mendings += places.map { (time, $0) } }
    /// Each once, in no order.
    func mended(since: SimTime, until: SimTime) -> Set<Place> {
        var found = Set(mendings.filter { $0.at > since && $0.at <= until }.map(\.place))
        if let snapshot, snapshot.at == until { found.formUnion(snapshot.mended) }
        return found
    }
    func noteWhole(at time: SimTime) { wholeAt.append(time) }
    func notePoint(at time: SimTime, number: Int64) { points.append((time, number)) }
    func removePoints() { points = [] }
    func removePoint(at time: SimTime) -> Int64? {
        guard let index = points.firstIndex(where: { $0.at == time }) else { return nil }
        return points.remove(at: index).number
    }
}
