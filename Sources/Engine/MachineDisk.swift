import DiskImages
import Files

/// The files of one disk of a real machine: the image, its differencing disk while a snapshot is open, and what tracks its changes.
final class MachineDisk {
    let name: String
    let size: Int64
    private let access: ImageAccess
    private let track: String
    private let identity: String
    private var leaf: String
    private var image: DiskImage
    private var tracker: ChangeTracker
    private var tracked: TrackedDevice
    /// What a snapshot holds still: the image beneath the differencing disk.
    private(set) var frozen: DiskImage?
    /// A snapshot is there, perhaps of a backup that is over.
    private var hasSnapshot = false
    private var synchronizedTo: TrackPoint?
    private var taken: TrackPoint?
    /// Snapshots found where none should be.
    var leftovers = 0

    /// Takes over an image as it lies.
    init(
        _ name: String, image path: String, machine: String, hasRCT: Bool, by access: ImageAccess
    ) throws(StorageFault) {
        (self.name, self.access, leaf) = (name, access, path)
        self.hasRCT = hasRCT
        track = path + ".track"
        identity = "\(machine) \(name)"
        image = try DiskImage.open(path, by: access, access: .readWrite)
        size = image.size
        tracker = try ChangeTracker.open(
            track, files: access.files, image: TrackedImage(size: image.size, identity: identity), guids: access.guids)
        tracked = try TrackedDevice(image, tracker)
    }

    let hasRCT: Bool
    var format: ImageFormat { image.format }
    var sectorSize: Int { image.sectorSize }
    /// The file the guest writes to.
    var path: String { leaf }

    /// What the guest writes to.
    var device: any BlockDevice { tracked }
    /// - Parameter created: seconds since 2000-01-01, for formats that note it.
    func takeSnapshot(created: UInt32) throws(StorageFault) {
        if hasSnapshot {
            leftovers += 1
            try merge()
        }
        // One that no synchronization came to use.
        if let taken { try tracker.forget(taken.id) }
        taken = nil
        taken = try tracked.reference()
        try image.close()
        let child: String
        do throws(StorageFault) {
            child = try DiskImage.checkpoint(leaf, by: access, created: created)
        } catch {
            try use(leaf)
            throw error
        }
        frozen = try DiskImage.open(leaf, by: access)
        hasSnapshot = true
        try use(child)
    }

    private func use(_ path: String) throws(StorageFault) {
        image = try DiskImage.open(path, by: access, access: .readWrite)
        leaf = path
        tracked = try TrackedDevice(image, tracker)
    }

    /// What the tracker knows to have changed since the last synchronization.
    var changes: TrackedChanges {
        guard let synchronizedTo else { return .unknown("it was never synchronized") }
        return tracker.changes(since: synchronizedTo.id)
    }

    func releaseSnapshot() throws(StorageFault) {
        guard hasSnapshot else { return }
        try merge()
    }

    private func merge() throws(StorageFault) {
        try frozen?.close()
        frozen = nil
        try image.close()
        let parent = try ImageMerge(leaf, by: access).run()
        hasSnapshot = false
        try use(parent)
    }

    /// The snapshot's state is what changes are reckoned from.
    func confirm() throws(StorageFault) {
        guard let taken else { return }
        try tracker.confirm(taken.id)
        synchronizedTo = taken
        self.taken = nil
    }

    /// The host died: what was only in its memory is gone. The filter of before 2016 keeps its changes nowhere else.
    func crash() throws(StorageFault) {
        try frozen?.close()
        frozen = nil
        try image.close()
        tracker.abandon()
        if !hasRCT {
            try access.files.remove(track)
            (synchronizedTo, taken) = (nil, nil)
        }
        tracker = try ChangeTracker.open(
            track, files: access.files, image: TrackedImage(size: size, identity: identity), guids: access.guids)
        try use(leaf)
    }

    /// As if nothing had changed since the last synchronization; only a planted fault does that.
    func forgetChanges() throws(StorageFault) {
        guard synchronizedTo != nil else { return }
        let point = try tracked.reference()
        try tracker.confirm(point.id)
        (synchronizedTo, taken) = (point, nil)
    }

    func close() throws(StorageFault) {
        try frozen?.close()
        frozen = nil
        try image.close()
        tracker.abandon()
    }
}
