import DiskImages
import Files
import Foundation
import StoragePool

/// The images of a datasource, open for reading, each as a disk with a name.
struct SourceDisks {
    struct Disk {
        var name: String
        /// Absolute.
        var path: String
        var image: DiskImage
    }
    var list: [Disk] = []

    /// Opens all of them or none. Nobody else may write them meanwhile (`IMAGE-BUSY`).
    init(images: [(name: String, path: String)]) throws(StorageFault) {
        let access = ImageAccess(HostFiles(), guids: HostGUIDs())
        do throws(StorageFault) {
            for (name, path) in images {
                if let twin = list.first(where: { $0.name == name }) {
                    throw .poolInput(
                        "DISK-NAMES", "disk \(name)",
                        "\(twin.path) and \(absolute(path)) would both be the disk of this name",
                        "Give each disk a name with --disk-name")
                }
                let image = try DiskImage.open(absolute(path), by: access)
                list.append(Disk(name: name, path: absolute(path), image: image))
            }
        } catch {
            close()
            throw error
        }
    }

    var paths: [SourcePath] { list.map { SourcePath(disk: $0.name, path: $0.path) } }

    func close() { for disk in list { try? disk.image.close() } }
}

/// A disk of which nothing is read any more once Control-C was pressed: what reads it ends as after any other fault.
final class StoppableDevice: BlockDevice {
    private let base: any BlockDevice
    init(_ base: any BlockDevice) { self.base = base }
    var name: String { base.name }
    var size: Int64 { base.size }
    var sectorSize: Int { base.sectorSize }

    private func check() throws(StorageFault) {
        guard Interrupt.isAsked else { return }
        throw StorageFault(.busy, "IMAGE-STOPPED", name, "it was stopped as asked", action: "Start it again")
    }
    func allocatedRanges(in range: Range<Int64>) throws(StorageFault) -> [Range<Int64>] {
        try check()
        return try base.allocatedRanges(in: range)
    }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try check()
        try base.read(into: buffer, at: offset)
    }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) { throw refuseWrite() }
    func discard(_ range: Range<Int64>) throws(StorageFault) { throw refuseWrite() }
    func flush() throws(StorageFault) {}
}

/// One synchronization of a datasource: what is known of its disks' changes, and the track files' part in it.
///
/// The order is what makes it right. A track file gets a new point before the image is read; the pool learns of that point after the
/// backup has counted; only then are older points forgotten. A backup of which the tracker knows nothing takes the pool's point away
/// first. Cut off anywhere, the pool's point is one of before, and more than enough is read the next time.
struct SourceWork {
    /// What of a disk is to be read.
    enum Choice {
        /// Everything; a track file that is there is used to begin a new reckoning.
        case everything
        /// Everything, and changes are tracked from now on.
        case trackedAll
        /// What the track file says, everything where it cannot say; a track file is made if there is none.
        case tracked
        /// The same where there is a track file, else everything.
        case usual
        /// These ranges, by disk.
        case ranges([String: [Range<Int64>]])
    }

    let pool: Pool
    let name: String
    let disks: SourceDisks
    /// What should be known, in sentences.
    var notes: [String] = []
    private var sources: [DiskSource] = []
    private var tracks: [(disk: String, track: SourceTrack)] = []

    init(pool: Pool, name: String, disks: SourceDisks) { (self.pool, self.name, self.disks) = (pool, name, disks) }

    mutating func prepare(_ choice: Choice) throws(StorageFault) {
        for disk in disks.list {
            var changes = DiskSource.Changes.everything
            switch choice {
            case .ranges(let ranges):
                changes = .ranges(ranges[disk.name] ?? [])
                try pool.setTrackPoint(of: name, disk: disk.name, nil)
            case .everything, .trackedAll:
                try begin(disk, makingTrack: { if case .trackedAll = choice { true } else { false } }())
                try pool.setTrackPoint(of: name, disk: disk.name, nil)
            case .tracked, .usual:
                let isAsked = if case .tracked = choice { true } else { false }
                let track = try begin(disk, makingTrack: isAsked)
                switch track?.changes(since: try pool.trackPoint(of: name, disk: disk.name)) {
                case .ranges(let ranges, let isCoarse):
                    changes = .ranges(ranges)
                    if isCoarse {
                        notes.append(
                            "\(disk.name): changes are known by and large only, as the program that wrote them was cut off"
                        )
                    }
                case .unknown(let reason):
                    notes.append("\(disk.name) is compared as a whole: \(reason)")
                    try pool.setTrackPoint(of: name, disk: disk.name, nil)
                case nil: try pool.setTrackPoint(of: name, disk: disk.name, nil)
                }
            }
            sources.append(DiskSource(name: disk.name, device: StoppableDevice(disk.image), changes: changes))
        }
    }

    /// Takes a new point of the disk's tracker, if it has one.
    @discardableResult
    private mutating func begin(_ disk: SourceDisks.Disk, makingTrack: Bool) throws(StorageFault) -> SourceTrack? {
        guard let track = try SourceTrack(of: disk, making: makingTrack) else { return nil }
        tracks.append((disk.name, track))
        return track
    }

    func synchronize(
        _ kind: SynchronizationKind, recoveryPoint: Bool = true, label: String = "", verifying: Bool = true
    ) throws(StorageFault) -> SynchronizationFacts {
        let progress = ByteProgress()
        defer { progress.clear() }
        let show = progress.callback
        do throws(StorageFault) {
            return try pool.synchronize(
                name, sources, kind: kind, at: WallClock.secondsSince1970, recoveryPoint: recoveryPoint, label: label,
                verifying: verifying, progress: { _ = show($0, $1) })
        } catch {
            for (_, track) in tracks { track.abandon() }
            throw error
        }
    }

    /// Tells the pool and the track files that the backup has counted.
    func finish() throws(StorageFault) {
        for (disk, track) in tracks {
            try pool.setTrackPoint(of: name, disk: disk, track.point)
            try track.confirm()
        }
    }
}
