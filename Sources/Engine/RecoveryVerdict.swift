import DiskImages
import Files
import GuestFiles
public import Units

/// What came of holding a recovery against what the machine's disks held at its recovery point.
public struct RecoveryVerdict: Hashable, Sendable {
    /// What was recovered, and where to.
    public enum Kind: String, CaseIterable, Hashable, Sendable {
        case original, host, networkFolder = "network-folder", volumes, files
    }
    /// Within the run.
    public var number: Int32
    public var machine: String
    /// The recovery point.
    public var point: SimTime
    /// When it was done.
    public var at: SimTime
    public var kind: Kind
    /// Bytes compared.
    public var compared: Int64 = 0
    /// Files compared, of those that were asked for one by one.
    public var files = 0
    /// What differs, at most a few; empty if nothing does.
    public var problems: [String] = []
    public var holds: Bool { problems.isEmpty }
}

extension RecoveryVerdict {
    private static let problemLimit = 5

    private mutating func note(_ problem: String) {
        if problems.count < Self.problemLimit { problems.append(problem) }
    }

    /// Holds a disk or a volume that was recovered against what it must be.
    mutating func compare(_ found: any BlockDevice, with wanted: any BlockDevice) {
        do throws(StorageFault) {
            let result = try ImageComparison(found, wanted).run()
            compared += result.compared
            if !result.sizesEqual { note("\(found.name) has \(found.size) bytes, not \(wanted.size)") }
            for range in result.firstDifferences {
                note("\(found.name) differs in the \(range.upperBound - range.lowerBound) bytes at \(range.lowerBound)")
            }
        } catch { note(error.description) }
    }

    /// Holds an image file against what it must be; `format` nil: by its content.
    mutating func compare(
        _ path: String, _ format: ImageFormat?, with wanted: any BlockDevice, _ access: ImageAccess
    ) {
        do throws(StorageFault) {
            let image = try DiskImage.open(path, by: access, format: format)
            compare(image, with: wanted)
            try image.close()
        } catch { note(error.description) }
    }

    /// Holds what lies in a folder against what a volume must have had at `paths`.
    mutating func compare(_ folder: String, with volume: GuestVolume, _ paths: [String], on files: any FileSystem) {
        do throws(StorageFault) {
            var names: Set<String> = []
            for path in paths {
                let entry = try volume.entry(at: path)
                let name = entry.nameBytes.isEmpty ? "volume-\(volume.facts.number)" : entry.name
                names.formUnion(try compare(entry, path, with: folder, as: name, volume, files))
            }
            try compareNames(in: folder, names, files)
        } catch { note(error.description) }
    }

    /// Returns the names that it has in the folder.
    private mutating func compare(
        _ entry: GuestEntry, _ path: String, with folder: String, as name: String, _ volume: GuestVolume,
        _ files: any FileSystem
    ) throws(StorageFault) -> [String] {
        var names = [name]
        let place = folder + "/" + name
        if entry.kind == .file || (entry.kind == .folder && volume.facts.kind == .ntfs && !entry.nameBytes.isEmpty) {
            let file = try volume.open(entry, path)
            for (index, stream) in file.streams.enumerated() {
                if !stream.name.isEmpty { names.append("\(name):\(stream.name)") }
                try compare(file, index, with: folder + "/" + (names.last ?? name), files)
            }
            if entry.kind == .file { self.files += 1 }
        }
        guard entry.kind == .folder else { return names }
        var inside: Set<String> = []
        for child in try volume.list(entry, path) {
            // A name that is no text has another one in messages and here, so that its file cannot be found by it.
            guard Array(child.name.utf8) == child.nameBytes else { return names }
            let below = (path == "/" ? "" : path) + "/" + child.name
            inside.formUnion(try compare(child, below, with: place, as: child.name, volume, files))
        }
        try compareNames(in: place, inside, files)
        return names
    }

    private mutating func compareNames(
        in folder: String, _ names: Set<String>, _ files: any FileSystem
    ) throws(StorageFault) {
        let found = Set(try files.list(folder))
        for name in names.subtracting(found).sorted() { note("\(folder) lacks \(name)") }
        for name in found.subtracting(names).sorted() { note("\(folder) has \(name), which was not asked for") }
    }

    private mutating func compare(
        _ file: GuestFile, _ stream: Int, with path: String, _ files: any FileSystem
    ) throws(StorageFault) {
        let found = try files.open(path, .read)
        defer { found.close() }
        let (size, wanted) = (try found.size(), file.streams[stream].size)
        guard size == wanted else { return note("\(path) has \(size) bytes, not \(wanted)") }
        let (left, right) = (Buffer(count: 1 << 20), Buffer(count: 1 << 20))
        var at: Int64 = 0
        while at < size {
            let count = Int(min(1 << 20, size - at))
            let (ours, theirs) = (left[0..<count], right[0..<count])
            try found.readFully(into: ours, at: at)
            try file.read(stream, into: theirs, at: at)
            compared += Int64(count)
            guard ours.hasSameBytes(as: theirs) else {
                return note("\(path) differs in the \(count) bytes at \(at)")
            }
            at += Int64(count)
        }
    }
}
