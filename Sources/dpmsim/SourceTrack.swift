import DiskImages
import Files
import Foundation

/// The track file beside an image, as a backup uses it.
struct SourceTrack {
    private let tracker: ChangeTracker
    private let taken: TrackPoint
    private let image: TrackedImage

    /// The point taken when it was opened.
    var point: String { taken.id.description }

    /// Opens the track file of a disk's image and takes a new point; nil if there is none and none is to be made. Nothing of a write
    /// that was made before the point can be lost afterwards: the image's files are flushed first.
    init?(of disk: SourceDisks.Disk, making: Bool) throws(StorageFault) {
        let files = HostFiles()
        let path = Self.path(disk.path)
        let isThere = try files.kind(of: path) == .file
        guard making || isThere else { return nil }
        image = try Self.identify(disk.image)
        tracker = try ChangeTracker.open(path, files: files, image: image, guids: HostGUIDs())
        do throws(StorageFault) {
            taken = try tracker.reference { () throws(StorageFault) in
                for layer in disk.image.layers {
                    let file = try files.open(layer.path, .read)
                    defer { file.close() }
                    try file.flush()
                }
            }
        } catch {
            tracker.abandon()
            throw error
        }
    }

    static func path(_ image: String) -> String { image + ".track" }

    /// What changed since a point of an earlier backup. Memory: 16 bytes a range.
    func changes(since point: String?) -> TrackedChanges {
        if case .fresh(let reason) = tracker.opening { return .unknown(reason) }
        guard let point, let id = GUID(point) else {
            return .unknown("the last backup was made without the track file")
        }
        return tracker.changes(since: id)
    }

    /// The backup has counted.
    func confirm() throws(StorageFault) {
        try tracker.confirm(taken.id)
        try tracker.close(image)
    }

    /// The backup has not counted: its point is forgotten, the older ones stay.
    func abandon() {
        do throws(StorageFault) {
            try tracker.forget(taken.id)
            try tracker.close(image)
        } catch {
            tracker.abandon()
        }
    }

    /// What an image is now: its files, by device and inode, and what every write to one of them changes.
    static func identify(_ image: DiskImage) throws(StorageFault) -> TrackedImage {
        var identity: [UInt8] = []
        var stamp: [UInt8] = []
        for layer in image.layers {
            var status = stat()
            guard stat(layer.path, &status) == 0 else { throw .host("ask the state of", layer.path, errno) }
            identity += Array("\(status.st_dev):\(status.st_ino) ".utf8)
            let (modified, changed) = (status.st_mtim, status.st_ctim)
            stamp += Array(
                "\(status.st_size):\(modified.tv_sec).\(modified.tv_nsec):\(changed.tv_sec).\(changed.tv_nsec) ".utf8)
        }
        return TrackedImage(
            size: image.size, linkage: image.layers[0].linkage, identity: brief(identity), stamp: brief(stamp))
    }

    /// A long chain's text by its checksum: a head has room for 1022 bytes.
    private static func brief(_ text: [UInt8]) -> String {
        text.count <= 512
            ? String(decoding: text, as: UTF8.self)
            : "xxh3 " + text.withUnsafeBytes { "\(XXH3.of($0)) \(XXH3.of($0, seed: 1)) of \(text.count)" }
    }
}
