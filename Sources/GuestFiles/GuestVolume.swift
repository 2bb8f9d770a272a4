import CTSK
import DiskImages
public import Files

/// A volume of a guest whose files can be read. For one thread at a time.
///
/// What is read was written by somebody who may wish harm: libtsk, which does much of the reading, can hang or crash on it. Foreign disks are
/// for a process of its own (`SupervisedWork`).
public final class GuestVolume {
    /// Folders within folders at most.
    public static let deepest = 256

    public let facts: VolumeFacts
    /// What should be known of it, in sentences without a full stop: that it was not closed cleanly, for instance.
    public private(set) var notes: [String] = []
    /// The volume's own bytes, with its journal replayed.
    let device: any BlockDevice
    let sleuth: SleuthVolume

    /// Bytes of a cluster or block.
    public var clusterSize: Int64 { sleuth.blockSize }
    /// The name its owner gave it; nil if there is none.
    public private(set) var label: String?

    init(_ device: any BlockDevice, facts: VolumeFacts) throws(StorageFault) {
        self.facts = facts
        let opened = try SleuthVolume(device, kind: facts.kind)
        guard facts.kind.isExt else {
            (sleuth, self.device) = (opened, device)
            (label, notes) = try VolumeNotes.read(opened)
            return
        }
        guard let block = ExtSuperblock(try device.bytes(1024, at: ExtSuperblock.place)) else {
            throw .guestDamaged(device.name, "its superblock does not hold together")
        }
        label = block.label.isEmpty ? nil : block.label
        if block.hasEncryption { notes.append("files that it encrypts are recovered as they lie there, encrypted") }
        guard block.needsRecovery else {
            (sleuth, self.device) = (opened, device)
            if block.state & 1 == 0 { notes.append("it was not closed cleanly, and has no journal") }
            return
        }
        var replayed: JournalReplay?
        do throws(StorageFault) {
            replayed = try JournalReplay(of: opened, block)
        } catch {
            notes.append("its journal was not replayed, files written last may be missing: \(error.cause)")
        }
        if let replayed {
            notes.append(replayed.note)
            self.device = ReplayedDevice(device, replayed)
            sleuth = try SleuthVolume(self.device, kind: facts.kind)
        } else {
            (sleuth, self.device) = (opened, device)
        }
    }

    private var root: GuestEntry {
        GuestEntry(nameBytes: [], kind: .folder, number: sleuth.root, size: 0)
    }

    /// What is at a path: `/`-separated, from the root, without `..`. Letters' case does not matter where the guest ignores it.
    ///
    /// Faults: `GUEST-MISSING`, `GUEST-PATH`, `GUEST-DAMAGED`, those of reading.
    public func entry(at path: String) throws(StorageFault) -> GuestEntry {
        var entry = root
        var place = ""
        for part in path.split(separator: "/") where part != "." {
            guard part != ".." else {
                throw StorageFault(
                    .badInput, "GUEST-PATH", path, "a path inside a guest's volume has no ..",
                    action: "Name the file from the volume's root")
            }
            guard entry.kind == .folder else { throw .guestMissing(path, "\(place) is no folder") }
            guard let name = match(part, try names(in: entry, place)) else {
                throw .guestMissing(path, "there is no \(part) in \(place.isEmpty ? "/" : place)")
            }
            place += "/" + part
            guard let next = try describe(name, place) else { throw .guestMissing(path, "\(place) is deleted") }
            entry = next
        }
        return entry
    }

    /// What is in the folder at `path`, by name.
    public func list(_ path: String) throws(StorageFault) -> [GuestEntry] {
        let folder = try entry(at: path)
        guard folder.kind == .folder else { return [folder] }
        return try list(folder, path)
    }

    /// What is in a folder, by name; `path` is for messages.
    public func list(_ folder: GuestEntry, _ path: String) throws(StorageFault) -> [GuestEntry] {
        var entries: [GuestEntry] = []
        for name in try names(in: folder, path) {
            if let entry = try describe(name, path + "/" + String(decoding: name.bytes, as: UTF8.self)) {
                entries.append(entry)
            }
        }
        return entries
    }

    /// Calls `body` with everything below a folder, folders before what is in them, names in order; links are not followed. Where `body`
    /// says false, a folder is not entered. With `skipping`, folders that are damaged are told to it and left out.
    ///
    /// Faults: those of `list` and of `body`; `GUEST-DEPTH` where folders lie deeper than can be, or within themselves.
    public func walk(
        _ folder: GuestEntry, _ path: String, skipping: ((StorageFault) -> Void)? = nil,
        body: (String, GuestEntry) throws(StorageFault) -> Bool
    ) throws(StorageFault) {
        try walk(folder, path, within: [folder.number], skipping, body)
    }

    private func walk(
        _ folder: GuestEntry, _ path: String, within: Set<UInt64>, _ skipping: ((StorageFault) -> Void)?,
        _ body: (String, GuestEntry) throws(StorageFault) -> Bool
    ) throws(StorageFault) {
        let entries: [GuestEntry]
        do throws(StorageFault) {
            entries = try list(folder, path)
        } catch {
            guard let skipping, error.id.hasPrefix("GUEST-") else { throw error }
            return skipping(error)
        }
        for entry in entries {
            let place = (path == "/" ? "" : path) + "/" + entry.name
            guard try body(place, entry), entry.kind == .folder else { continue }
            guard within.count < Self.deepest, !within.contains(entry.number) else {
                let fault = StorageFault(
                    .damaged, "GUEST-DEPTH", place, "it lies within itself, or more than \(Self.deepest) folders deep",
                    action: "Name a folder further down, or try another recovery point")
                guard let skipping else { throw fault }
                skipping(fault)
                continue
            }
            try walk(entry, place, within: within.union([entry.number]), skipping, body)
        }
    }

    /// The file or folder at `path`, open.
    public func open(_ path: String) throws(StorageFault) -> GuestFile { try open(try entry(at: path), path) }

    /// What `entry` stands for, open; `path` is for messages.
    public func open(_ entry: GuestEntry, _ path: String) throws(StorageFault) -> GuestFile {
        guard let file = try sleuth.open(entry.number, sequence: entry.sequence, path) else {
            throw .guestMissing(path, "it is deleted")
        }
        return try GuestFile(file, entry: entry, path: path)
    }

    private func names(in folder: GuestEntry, _ path: String) throws(StorageFault) -> [SleuthVolume.Name] {
        var names = try sleuth.names(in: folder.number, path.isEmpty ? "/" : path)
        // The first sixteen files of NTFS are the file system itself.
        if facts.kind == .ntfs { names.removeAll { $0.number < 16 } }
        names.sort { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        return names
    }

    private func match(_ part: Substring, _ names: [SleuthVolume.Name]) -> SleuthVolume.Name? {
        let bytes = Array(part.utf8)
        if let exact = names.first(where: { $0.bytes == bytes }) { return exact }
        let wanted = folded(String(part))
        return names.first { name in
            let text = String(decoding: name.bytes, as: UTF8.self)
            return facts.kind.ignoresCase ? folded(text) == wanted : Array(text.utf8) == bytes
        }
    }

    /// Each scalar in upper case if that is one scalar, as Windows compares; never two spellings of one letter as equal.
    private func folded(_ text: String) -> [UInt32] {
        text.unicodeScalars.map { scalar in
            let upper = scalar.properties.uppercaseMapping.unicodeScalars
            return upper.count == 1 ? upper[upper.startIndex].value : scalar.value
        }
    }

    /// All that is known of a name; nil if what it stood for is gone.
    private func describe(_ name: SleuthVolume.Name, _ path: String) throws(StorageFault) -> GuestEntry? {
        guard let file = try sleuth.open(name.number, sequence: name.sequence, path) else { return nil }
        let meta = file.meta
        let kind: GuestEntry.Kind =
            switch meta.type {
            case TSK_FS_META_TYPE_REG: .file
            case TSK_FS_META_TYPE_DIR: .folder
            case TSK_FS_META_TYPE_LNK: .link
            default: .other
            }
        var entry = GuestEntry(
            nameBytes: name.bytes, kind: kind, number: name.number, size: kind == .file ? meta.size : 0)
        entry.sequence = name.sequence
        entry.modified = time(meta.mtime, meta.mtime_nano)
        entry.accessed = time(meta.atime, meta.atime_nano)
        entry.changed = time(meta.ctime, meta.ctime_nano)
        entry.created = time(meta.crtime, meta.crtime_nano)
        if facts.kind.isExt {
            entry.mode = UInt16(truncatingIfNeeded: meta.mode.rawValue & 0o7777)
            (entry.owner, entry.group) = (meta.uid, meta.gid)
            if kind == .link {
                entry.target = meta.link.map { String(cString: $0) }
                entry.isTargetRelative = entry.target?.hasPrefix("/") == false
            }
        }
        if facts.kind == .ntfs { try describeNTFS(file, &entry, path) }
        return entry
    }

    private func time(_ seconds: Int, _ nanoseconds: UInt32) -> GuestTime? {
        seconds == 0 && nanoseconds == 0
            ? nil : GuestTime(seconds: Int64(seconds), nanoseconds: Int32(min(nanoseconds, 999_999_999)))
    }

    private func describeNTFS(_ file: SleuthFile, _ entry: inout GuestEntry, _ path: String) throws(StorageFault) {
        let attributes = try file.attributes(path)
        let data = attributes.first { $0.typeNumber == 0x80 && $0.name.isEmpty }
        if entry.kind == .file { entry.size = data?.pointee.size ?? 0 }
        if let standard = attributes.first(where: { $0.typeNumber == 0x10 }) {
            let bytes = try file.content(standard, limit: 4096, path)
            if bytes.count >= 36 { entry.attributes = bytes.little(at: 32) }
        }
        if data?.has(TSK_FS_ATTR_ENC) == true { entry.obstacle = "it is encrypted by the guest (EFS)" }
        guard let reparse = attributes.first(where: { $0.typeNumber == 0xC0 }) else { return }
        guard let point = ReparsePoint(try file.content(reparse, limit: 65_536, path)) else {
            throw .guestDamaged(path, "its reparse point does not hold together")
        }
        switch point.meaning {
        case .link(let target, let isRelative):
            (entry.kind, entry.size, entry.target, entry.isTargetRelative) = (.link, 0, target, isRelative)
        case .elsewhere(let why): entry.obstacle = why
        case .perhapsElsewhere(let why):
            let isWhole = data.map { !$0.has(TSK_FS_ATTR_SPARSE) } ?? true
            if entry.kind == .file, !isWhole { entry.obstacle = why }
        case .harmless: break
        }
    }
}
