import DiskImages
import Files

/// The files of one disk of a real machine: the image, its differencing disk while a snapshot is open, and what tracks its changes.
///
/// Files that a failure or a crash closed are opened anew when they are next needed, so that an act can be tried again.
final class MachineDisk {
    let name: String
    let size: Int64
    let format: ImageFormat
    let sectorSize: Int
    private let access: ImageAccess
    let hasRCT: Bool
    private var track: String
    private let identity: String
    /// What the guest writes to.
    private var leaf: String
    /// Of the leaf, while a snapshot is there, perhaps of a backup that is over.
    private var parent: String?
    private var image: DiskImage?
    private var tracker: ChangeTracker?
    private var tracked: TrackedDevice?
    /// What a snapshot holds still: the image beneath the differencing disk.
    private(set) var frozen: DiskImage?
    /// A merge was begun: nothing is written to the leaf before it is over.
    private var isMerging = false
    /// The backup that took the snapshot is over, or lost.
    private var isLeftover = false
    /// A differencing disk whose making failed, and that may be there all the same.
    private var stray: String?
    /// What was tracked is to be forgotten.
    private var forgetsTrack = false
    private var synchronizedTo: TrackPoint?
    private var taken: TrackPoint?
    /// It failed: what was written to it since it was flushed is to be written again.
    private(set) var mayHaveForgotten = false
    /// Blocks were written again since the last synchronization, so that not all of those that changed are others.
    private var hasRewritten = false
    /// Snapshots found where none should be, and merged.
    var leftovers = 0

    /// Takes over an image as it lies.
    init(
        _ name: String, image path: String, machine: String, hasRCT: Bool, by access: ImageAccess
    ) throws(StorageFault) {
        (self.name, self.access, self.hasRCT, leaf) = (name, access, hasRCT, path)
        track = path + ".track"
        identity = "\(machine) \(name)"
        let image = try DiskImage.open(path, by: access, access: .readWrite)
        (self.image, size) = (image, image.size)
        (format, sectorSize) = (image.format, image.sectorSize)
        _ = try opened()
    }

    /// The file the guest writes to.
    var path: String { leaf }

    /// What the guest writes to. Who fails to write to it says so (`failed`).
    var device: any BlockDevice {
        get throws(StorageFault) { try opened() }
    }

    private var hasSnapshot: Bool { parent != nil }

    /// Those that lie beside the image, wanted or not.
    var differencingDisks: Int {
        let isStray = stray.map { (try? access.files.kind(of: $0)) == .file } ?? false
        return (hasSnapshot ? 1 : 0) + (isStray ? 1 : 0)
    }

    private func opened() throws(StorageFault) -> TrackedDevice {
        if let tracked { return tracked }
        if isMerging { try merge() }
        let image =
            if let image { image } else { try DiskImage.open(leaf, by: access, access: .readWrite) }
        self.image = image
        let tracked = try TrackedDevice(image, try openedTracker())
        self.tracked = tracked
        return tracked
    }

    private func openedTracker() throws(StorageFault) -> ChangeTracker {
        if let tracker { return tracker }
        if forgetsTrack {
            if try access.files.kind(of: track) == .file { try access.files.remove(track) }
            forgetsTrack = false
        }
        let opened = try ChangeTracker.open(
            track, files: access.files, image: TrackedImage(size: size, identity: identity), guids: access.guids)
        tracker = opened
        return opened
    }

    func noteRewritten() { (mayHaveForgotten, hasRewritten) = (false, true) }

    /// A file that failed is opened anew before it is written to again.
    func failed() {
        mayHaveForgotten = true
        abandonTracker()
        try? letGo()
    }

    private func abandonTracker() {
        // After a failed flush nobody knows what the medium holds: the tracker has dropped its points then.
        if tracker?.points.isEmpty == true { synchronizedTo = nil }
        tracker?.abandon()
        tracker = nil
    }

    private func letGo() throws(StorageFault) {
        defer { (image, tracked) = (nil, nil) }
        do throws(StorageFault) { try image?.close() } catch {
            (synchronizedTo, mayHaveForgotten) = (nil, true)
            throw error
        }
    }

    /// - Parameter created: seconds since 2000-01-01, for formats that note it.
    func takeSnapshot(created: UInt32) throws(StorageFault) {
        if hasSnapshot {
            isLeftover = true
            try merge()
        }
        if let stray {
            for path in [stray, stray + ".unfinished"] where try access.files.kind(of: path) == .file {
                try access.files.remove(path)
            }
            self.stray = nil
        }
        let device = try opened()
        do throws(StorageFault) {
            // One that no synchronization came to use.
            if let taken, device.tracker.points.contains(taken) { try device.tracker.forget(taken.id) }
            taken = nil
            taken = try device.reference()
            try letGo()
        } catch {
            failed()
            throw error
        }
        let child = childName()
        do throws(StorageFault) {
            _ = try DiskImage.checkpoint(leaf, child: child, by: access, created: created)
        } catch {
            stray = child
            throw error
        }
        (parent, leaf) = (leaf, child)
        do throws(StorageFault) {
            frozen = try DiskImage.open(parent!, by: access)
            _ = try opened()
        } catch {
            failed()
            try? releaseSnapshot()
            throw error
        }
    }

    /// As Hyper-V names them: `<name>_<GUID>.avhdx`.
    private func childName() -> String {
        let dot = leaf.lastIndex(of: ".")!
        return "\(leaf[..<dot])_\(access.guids.next()).a\(leaf[leaf.index(after: dot)...])"
    }

    /// What the tracker knows to have changed since the last synchronization.
    var changes: TrackedChanges {
        guard let synchronizedTo else { return .unknown("it was never synchronized") }
        guard let tracker else { return .unknown("its tracker could not be opened") }
        guard case .ranges(let ranges, let isCoarse) = tracker.changes(since: synchronizedTo.id) else {
            return .unknown("its tracker does not know the last synchronization")
        }
        return .ranges(ranges, isCoarse: isCoarse || hasRewritten)
    }

    /// If it fails, the differencing disk stays, and is merged at the next snapshot.
    func releaseSnapshot() throws(StorageFault) {
        guard hasSnapshot else { return }
        do throws(StorageFault) { try merge() } catch {
            isLeftover = true
            throw error
        }
    }

    private func merge() throws(StorageFault) {
        guard let parent else { return }
        try? frozen?.close()
        frozen = nil
        try letGo()
        isMerging = true
        try ImageMerge(leaf, by: access).run()
        if isLeftover { leftovers += 1 }
        (isMerging, isLeftover) = (false, false)
        (leaf, self.parent) = (parent, nil)
    }

    /// The snapshot's state is what changes are reckoned from. If it fails, they are reckoned from where they were, which is more.
    func confirm() throws(StorageFault) {
        guard let taken else { return }
        try openedTracker().confirm(taken.id)
        synchronizedTo = taken
        (self.taken, hasRewritten) = (nil, false)
    }

    /// The image goes to another folder, as it is; a tracker that knew it does not know what happened on the way.
    func move(to folder: String) throws(StorageFault) {
        let target = folder + "/" + leaf[leaf.index(after: leaf.lastIndex(of: "/")!)...]
        // A second move to where it is already.
        guard target != leaf, parent == nil || target != parent else { return }
        if hasSnapshot {
            isLeftover = true
            try merge()
            return try move(to: folder)
        }
        abandonTracker()
        (synchronizedTo, taken, forgetsTrack) = (nil, nil, true)
        try letGo()
        if try access.files.kind(of: track) == .file { try access.files.remove(track) }
        try access.files.rename(leaf, to: target)
        let old = leaf[..<leaf.lastIndex(of: "/")!]
        (leaf, track) = (target, target + ".track")
        for folder in [folder, String(old)] { try access.files.syncFolder(folder) }
    }

    /// The host died: what was only in its memory is gone. The filter of before 2016 keeps its changes nowhere else.
    func crash() {
        try? frozen?.close()
        frozen = nil
        abandonTracker()
        try? letGo()
        if !hasRCT {
            (synchronizedTo, taken) = (nil, nil)
            forgetsTrack = true
        }
    }

    /// As if nothing had changed since the last synchronization; only a planted fault does that.
    func forgetChanges() throws(StorageFault) {
        guard synchronizedTo != nil else { return }
        let point = try opened().reference()
        try openedTracker().confirm(point.id)
        (synchronizedTo, taken) = (point, nil)
    }

    /// Every file is closed, also if one of them fails.
    func close() throws(StorageFault) {
        try? frozen?.close()
        frozen = nil
        tracker?.abandon()
        tracker = nil
        try letGo()
    }
}
