public import DiskImages
public import Files
import Synchronization

/// Takes files and folders out of a guest's volume into a folder of this computer.
///
/// All is made in a folder of its own beside its later place, and gets its name there when it is whole. Kept: names, contents, holes, hard
/// links, times of change and access, permissions of ext, links, and alternate streams as files `NAME:STREAM`. Zeros take no space.
public struct FileRecovery {
    /// What was recovered.
    public struct Facts: Hashable, Sendable {
        public var files = 0
        public var folders = 0
        public var links = 0
        public var streams = 0
        /// Of contents, holes included.
        public var bytes: Int64 = 0
        /// What could not be read and was left out, or has no place here: path and cause.
        public var leftOut: [LeftOut] = []
    }
    /// What stayed behind.
    public struct LeftOut: Hashable, Sendable {
        public var path: String
        public var fault: StorageFault
    }

    public let volume: GuestVolume
    /// The folder that everything comes to lie in.
    public let target: String
    /// A name in it that nothing has yet, for the time until all is whole.
    public let staging: String
    /// Files of the same name are replaced; folders never are.
    public var replaces = false
    /// Files that cannot be read are left out and told of; without it nothing is recovered then.
    public var skipsUnreadable = false
    public var keepsStreams = true

    public init(_ volume: GuestVolume, into target: String, staging: String) {
        (self.volume, self.target, self.staging) = (volume, target, staging)
    }

    /// Removes what a recovery that was cut off left.
    public static func clear(target: String, staging: String) { RecoveryFolder.removeTree(target + "/" + staging) }

    /// Recovers what is at `paths`, each under its own name.
    ///
    /// Faults: those of the volume, of the folder, `GUEST-NAME`, `GUEST-EXISTS`, `GUEST-ELSEWHERE`, `IMAGE-STOPPED`; nothing of what is
    /// not whole stays then, and of several paths none unless all are whole.
    public func run(_ paths: [String], progress: ImageProgress? = nil) throws(StorageFault) -> Facts {
        let folder = try RecoveryFolder(target)
        var work = RecoveryWork(recovery: self, progress: progress)
        var items: [RecoveryWork.Item] = []
        for path in paths {
            let entry = try volume.entry(at: path)
            let name = entry.nameBytes.isEmpty ? Array("volume-\(volume.facts.number)".utf8) : entry.nameBytes
            guard !items.contains(where: { $0.name == name }) else {
                throw StorageFault(
                    .badInput, "GUEST-EXISTS", path, "something else of the same name is to be recovered with it",
                    action: "Recover the two one after the other, into two folders")
            }
            if try folder.exists(name), !replaces || entry.kind == .folder {
                throw StorageFault(
                    .badInput, "GUEST-EXISTS", folder.place(name), "something of that name exists already",
                    action: entry.kind == .folder
                        ? "Choose another folder; a folder is never replaced" : "Choose another folder, or say --force")
            }
            items.append(try work.plan(entry, name, path))
        }
        defer { Self.clear(target: target, staging: staging) }
        let stage = try folder.makeFolder(Array(staging.utf8))
        for item in items { try work.recover(item, into: stage) }
        for item in items where try stage.exists(item.name) {
            try stage.move(item.name, to: folder, replacing: replaces)
            for stream in work.streamNames[item.name] ?? [] {
                try stage.move(stream, to: folder, replacing: replaces)
            }
        }
        return work.facts
    }
}

/// One recovery on its way.
private struct RecoveryWork {
    /// What is to be recovered, with all that is below it.
    struct Item {
        var entry: GuestEntry
        var name: [UInt8]
        var path: String
        var children: [Item] = []
    }
    /// Of a piece that is read and written at once, bytes.
    private static let piece: Int64 = 1 << 20

    let recovery: FileRecovery
    let progress: ImageProgress?
    var facts = FileRecovery.Facts()
    /// Streams of the items themselves, which lie beside them.
    var streamNames: [[UInt8]: [[UInt8]]] = [:]
    private var total: Int64 = 0
    private let done = Counter()
    /// Where a file of several names was put first.
    private var firstNames: [UInt64: (folder: RecoveryFolder, name: [UInt8])] = [:]

    init(recovery: FileRecovery, progress: ImageProgress?) { (self.recovery, self.progress) = (recovery, progress) }

    mutating func plan(_ entry: GuestEntry, _ name: [UInt8], _ path: String, within: Set<UInt64> = [])
        throws(StorageFault)
        -> Item
    {
        var item = Item(entry: entry, name: name, path: path)
        total += entry.size
        try tell()
        guard entry.kind == .folder else { return item }
        guard within.count < GuestVolume.deepest, !within.contains(entry.number) else {
            throw .guestDamaged(path, "it lies within itself, or more than \(GuestVolume.deepest) folders deep")
        }
        do throws(StorageFault) {
            for child in try recovery.volume.list(entry, path) {
                item.children.append(
                    try plan(
                        child, child.nameBytes, (path == "/" ? "" : path) + "/" + child.name,
                        within: within.union([entry.number])))
            }
        } catch {
            try leaveOut(path, error)
        }
        return item
    }

    mutating func recover(_ item: Item, into folder: RecoveryFolder, isTop: Bool = true) throws(StorageFault) {
        do throws(StorageFault) {
            switch item.entry.kind {
            case .folder:
                let own = try folder.makeFolder(item.name)
                for child in item.children { try recover(child, into: own, isTop: false) }
                try own.finish(as: item.entry)
                facts.folders += 1
            case .file: try recoverFile(item, into: folder)
            case .link:
                try folder.makeLink(item.name, to: linkText(item.entry), of: item.entry)
                facts.links += 1
            case .other:
                throw StorageFault(
                    .badInput, "GUEST-SPECIAL", item.path, "it is a device, a pipe or a socket, and has no content",
                    action: "Recover what is beside it, or say --skip-unreadable")
            }
            if recovery.keepsStreams, recovery.volume.facts.kind == .ntfs, item.entry.kind != .link {
                let names = try recoverStreams(item, into: folder)
                if isTop { streamNames[item.name] = names }
            }
        } catch {
            // What has the name already is another one, and whole.
            if error.id != "GUEST-TWICE" { folder.remove(item.name) }
            try leaveOut(item.path, error)
        }
        try tell()
    }

    /// A Windows link that counts from its folder works here too; any other keeps the guest's own words.
    private func linkText(_ entry: GuestEntry) -> String {
        let target = entry.target ?? ""
        return recovery.volume.facts.kind == .ntfs && entry.isTargetRelative
            ? target.replacing("\\", with: "/") : target
    }

    private mutating func recoverFile(_ item: Item, into folder: RecoveryFolder) throws(StorageFault) {
        if let first = firstNames[item.entry.number] {
            try folder.makeName(item.name, of: first.name, in: first.folder)
            facts.files += 1
            return
        }
        let file = try recovery.volume.open(item.entry, item.path)
        let target = try folder.makeFile(item.name)
        if let stream = file.stream("") {
            try copy(stream, of: file, to: target)
            facts.bytes += file.streams[stream].size
        } else if let obstacle = item.entry.obstacle {
            throw .guestElsewhere(item.path, obstacle)
        }
        try target.finish(as: item.entry)
        if !recovery.volume.facts.kind.isFAT, recovery.volume.facts.kind != .exfat {
            firstNames[item.entry.number] = (folder, item.name)
        }
        facts.files += 1
    }

    /// Streams beside the main content; what of them is left out is told.
    private mutating func recoverStreams(_ item: Item, into folder: RecoveryFolder) throws(StorageFault) -> [[UInt8]] {
        let file = try recovery.volume.open(item.entry, item.path)
        var names: [[UInt8]] = []
        for (index, stream) in file.streams.enumerated() where !stream.name.isEmpty {
            let name = item.name + [UInt8(ascii: ":")] + Array(stream.name.utf8)
            do throws(StorageFault) {
                let target = try folder.makeFile(name)
                try copy(index, of: file, to: target)
                try target.finish(as: item.entry)
            } catch {
                if error.id != "GUEST-TWICE" { folder.remove(name) }
                try leaveOut(item.path + ":" + stream.name, error)
                continue
            }
            names.append(name)
            facts.streams += 1
            facts.bytes += stream.size
        }
        return names
    }

    /// A stop is a stop, and a disk that is full stays full: only what the guest's volume lacks can be left out.
    private mutating func leaveOut(_ path: String, _ fault: StorageFault) throws(StorageFault) {
        guard recovery.skipsUnreadable, fault.id.hasPrefix("GUEST-") else { throw fault }
        facts.leftOut.append(FileRecovery.LeftOut(path: path, fault: fault))
    }

    private func tell() throws(StorageFault) { try tell(adding: 0) }

    private func tell(adding bytes: Int64) throws(StorageFault) { try Self.tell(progress, done.add(bytes), total) }

    private static func tell(_ progress: ImageProgress?, _ done: Int64, _ total: Int64) throws(StorageFault) {
        guard progress?(done, total) ?? true else {
            throw StorageFault(
                .busy, "IMAGE-STOPPED", "the recovery", "it was stopped as asked", action: "Start it again")
        }
    }

    private func copy(_ stream: Int, of file: GuestFile, to target: RecoveryFile) throws(StorageFault) {
        try file.checkContent(of: stream)
        let size = file.streams[stream].size
        try target.resize(to: size)
        guard let runs = try file.runs(of: stream) else { return try copyInOrder(stream, of: file, to: target) }
        var pieces: [(range: Range<Int64>, place: Int64)] = []
        for run in runs {
            guard let place = run.place else {
                try tell(adding: Int64(run.range.count))
                continue
            }
            for start in stride(from: run.range.lowerBound, to: run.range.upperBound, by: Int(Self.piece)) {
                pieces.append(
                    (start..<min(run.range.upperBound, start + Self.piece), place + start - run.range.lowerBound))
            }
        }
        let (device, progress, done, total, list) = (recovery.volume.device, progress, done, total, pieces)
        let cursor = Cursor()
        try Workers.run(list.count < 4 ? 1 : Workers.count(limit: 4)) { (_, halt) throws(StorageFault) in
            let buffer = Buffer(count: Int(min(Self.piece, size)))
            while !halt.isRaised, let index = cursor.next(below: list.count) {
                let (range, place) = list[index]
                let part = buffer[0..<range.count]
                try device.read(into: part, at: place)
                try Self.write(UnsafeRawBufferPointer(part), at: range.lowerBound, to: target)
                try Self.tell(progress, done.add(Int64(range.count)), total)
            }
        }
    }

    /// What libtsk must put together: compressed contents, and those kept among the metadata.
    private func copyInOrder(_ stream: Int, of file: GuestFile, to target: RecoveryFile) throws(StorageFault) {
        let size = file.streams[stream].size
        let buffer = Buffer(count: Int(min(Self.piece, size)))
        var at: Int64 = 0
        while at < size {
            let part = buffer[0..<Int(min(Self.piece, size - at))]
            try file.read(stream, into: part, at: at)
            try Self.write(UnsafeRawBufferPointer(part), at: at, to: target)
            at += Int64(part.count)
            try tell(adding: Int64(part.count))
        }
    }

    /// Zeros are left to be a hole.
    private static func write(
        _ bytes: UnsafeRawBufferPointer, at offset: Int64, to target: RecoveryFile
    ) throws(StorageFault) {
        let grain = 65_536
        var start = 0
        while start < bytes.count {
            var end = start
            while end < bytes.count {
                let part = UnsafeRawBufferPointer(rebasing: bytes[end..<min(bytes.count, end + grain)])
                if part.isZero { break }
                end += part.count
            }
            if end > start {
                try target.write(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), at: offset + Int64(start))
            }
            start = min(bytes.count, end + grain)
        }
    }
}

/// Bytes done, counted by several threads.
private final class Counter: Sendable {
    private let value = Atomic<Int64>(0)
    /// The sum after it.
    func add(_ bytes: Int64) -> Int64 { value.add(bytes, ordering: .relaxed).newValue }
}

/// The next of so many pieces, handed out once each.
private final class Cursor: Sendable {
    private let value = Atomic<Int>(0)
    func next(below count: Int) -> Int? {
        let index = value.add(1, ordering: .relaxed).oldValue
        return index < count ? index : nil
    }
}
