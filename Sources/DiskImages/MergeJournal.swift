import Files

/// What is written down of a merge while it lasts, in `<child>.merge` beside the child: which two files, how far it is, and the
/// identifiers the parent may have by now. With it child and parent still prove that they belong together, though the parent was
/// written to, and a merge that was cut off goes on where it was.
///
/// A text file of lines, each with its CRC-32C before it; only appended to, so that a torn last line is one that was not written.
struct MergeJournal {
    static let suffix = ".merge"

    /// Files by name, as texts; the linkage of the child, and of the parent when the merge began.
    private(set) var childLinkage: GUID
    private(set) var parentLinkage: GUID
    /// The parent as seen from the child's folder, so that both can be moved together; or its whole path.
    private let parentPlace: String
    /// One for each time the parent was opened for writing: identifiers it gave itself then are of these families.
    private(set) var sessions: [GUID] = []
    /// Everything of the child below this byte is in the parent.
    private(set) var copied: Int64 = 0
    /// The parent's linkage when all of the child was in it and nothing was to be written to it any more.
    private(set) var merged: GUID?

    let path: String
    var parentPath: String {
        parentPlace.hasPrefix("/") ? parentPlace : FilePath.normal(FilePath.join(FilePath.folder(path), parentPlace))
    }
    /// Of its valid lines, bytes.
    private var end: Int64 = 0

    static func path(of child: String) -> String { child + suffix }

    /// The journal of a merge of `child` that has begun and not ended; nil if there is none, or none that got as far as changing anything.
    static func open(of child: String, on files: any FileSystem) throws(StorageFault) -> MergeJournal? {
        let path = path(of: child)
        guard try files.kind(of: path) == .file else { return nil }
        let file = try files.open(path, .read)
        defer { file.close() }
        let size = try file.size()
        // A line for each 64 MiB of a disk of 64 TiB, and some.
        guard size <= 128 << 20 else { throw damaged(path, "it has \(size) bytes") }
        return try MergeJournal(path, try file.bytes(Int(size), at: 0))
    }

    private init?(_ path: String, _ bytes: [UInt8]) throws(StorageFault) {
        var facts: [String: [String]] = [:]
        var sessions: [GUID] = []
        var end = 0
        for line in bytes.split(separator: 10, omittingEmptySubsequences: false).dropLast() {
            guard let words = Self.words(Array(line)) else { break }
            end += line.count + 1
            if words[0] == "session", let guid = GUID(words[1]) { sessions.append(guid) }
            facts[words[0]] = words
        }
        guard let head = facts["merge"], let child = facts["child"].flatMap({ GUID($0[1]) }),
            let parent = facts["parent"], let parentLinkage = GUID(parent[1]), parent.count == 3
        else { return nil }
        guard head[1] == "1" else { throw Self.damaged(path, "it is of version \(head[1]), which is newer") }
        (self.path, self.end, self.sessions) = (path, Int64(end), sessions)
        (childLinkage, self.parentLinkage, parentPlace) = (child, parentLinkage, parent[2])
        copied = facts["copied"].flatMap { Int64($0[1]) } ?? 0
        merged = facts["merged"].flatMap { GUID($0[1]) }
    }

    /// Begins a journal, durably.
    init(
        of child: any ImageLayer, into parent: any ImageLayer, on files: any FileSystem
    ) throws(StorageFault) {
        path = Self.path(of: child.path)
        (childLinkage, parentLinkage) = (child.linkage ?? .zero, parent.linkage ?? .zero)
        parentPlace = FilePath.relative(parent.path, from: FilePath.folder(path)) ?? parent.path
        guard !parentPlace.contains("\n") else {
            throw StorageFault(
                .badInput, "IMAGE-MERGE", parent.path, "its path has a line break in it", action: "Rename it")
        }
        let file = try files.open(path, .createOrOpen)
        defer { file.close() }
        try file.truncate(to: 0)
        try append("merge 1", to: file)
        try append("child \(childLinkage)", to: file)
        try append("parent \(parentLinkage) \(parentPath)", to: file)
        try file.flush()
        try files.syncFolder(FilePath.folder(path))
    }

    mutating func begin(session: GUID, on files: any FileSystem) throws(StorageFault) {
        try note("session \(session)", on: files)
        sessions.append(session)
    }

    mutating func note(copied: Int64, on files: any FileSystem) throws(StorageFault) {
        try note("copied \(copied)", on: files)
        self.copied = copied
    }

    mutating func note(merged: GUID, on files: any FileSystem) throws(StorageFault) {
        try note("merged \(merged)", on: files)
        self.merged = merged
    }

    private mutating func note(_ text: String, on files: any FileSystem) throws(StorageFault) {
        let file = try files.open(path, .readWrite)
        defer { file.close() }
        if try file.size() != end { try file.truncate(to: end) }
        try append(text, to: file)
        try file.flush()
    }

    private mutating func append(_ text: String, to file: any StoreFile) throws(StorageFault) {
        let line = Array("\(CRC32C.of(Array(text.utf8))) \(text)\n".utf8)
        try file.write(line, at: end)
        end += Int64(line.count)
    }

    /// The words behind a line's checksum, if that is right; the third holds all the rest.
    private static func words(_ line: [UInt8]) -> [String]? {
        guard let space = line.firstIndex(of: 32), let sum = UInt32(String(decoding: line[..<space], as: UTF8.self)),
            CRC32C.of(Array(line[(space + 1)...])) == sum
        else { return nil }
        let words = String(decoding: line[(space + 1)...], as: UTF8.self).split(separator: " ", maxSplits: 2)
        return words.count < 2 ? nil : words.map(String.init)
    }

    private static func damaged(_ path: String, _ cause: String) -> StorageFault {
        StorageFault(
            .damaged, "IMAGE-JOURNAL", path, "\(cause): it is no journal of a merge that is known here",
            action: "Move it away if it is not of this program; else use the program that wrote it")
    }

    // MARK: proof

    /// Whether a merge that was cut off explains that the parent is not what the child was made on: the same child, unchanged, the
    /// same parent, written to by nobody but the merge.
    static func vouches(
        for parent: any ImageLayer, under child: any ImageLayer, on files: any FileSystem
    ) throws(StorageFault) -> Bool {
        guard let journal = try open(of: child.path, on: files), let linkage = parent.linkage,
            let reference = child.parent
        else { return false }
        return journal.childLinkage == child.linkage && reference.linkage.contains(journal.parentLinkage)
            && journal.sessions.contains { MergeGUIDs.isFamily($0, linkage) }
    }

    /// Refuses what must not be written to: a file that is being merged, or merged into, other than by the merge of `own`.
    static func refusePending(
        _ path: String, except own: String? = nil, on files: any FileSystem
    ) throws(StorageFault) {
        let folder = FilePath.folder(path)
        for name in try files.list(folder) where name.hasSuffix(suffix) {
            let child = String(FilePath.join(folder, name).dropLast(suffix.count))
            guard own.map({ FilePath.normal($0) != FilePath.normal(child) }) ?? true,
                let journal = try open(of: child, on: files)
            else { continue }
            if [child, journal.parentPath].map(FilePath.normal).contains(FilePath.normal(path)) {
                throw StorageFault(
                    .busy, "IMAGE-MERGE", path, "a merge of \(child) into \(journal.parentPath) was not finished",
                    action: "Merge \(child) again, which goes on where it was cut off")
            }
        }
    }
}

/// Identifiers for a parent while it is merged into: all those of a session have their first 14 bytes in common, so that each can
/// be told before it is given.
final class MergeGUIDs: GUIDSource {
    private let base: GUID
    private let counter = SequentialGUIDs(seed: 0)

    init(_ base: GUID) { self.base = base }

    func next() -> GUID {
        let number: UInt16 = counter.next().bytes.little(at: 0)
        var bytes = base.bytes
        bytes.putBig(bytes.big(UInt16.self, at: 14) ^ number, at: 14)
        return GUID(bytes: bytes)
    }

    static func isFamily(_ base: GUID, _ other: GUID) -> Bool { base.bytes.prefix(14) == other.bytes.prefix(14) }
}
