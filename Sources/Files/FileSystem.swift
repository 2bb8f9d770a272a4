/// Files and folders, as narrow as a store needs them. The host's (`HostFiles`), or a simulated disk that loses what was not
/// flushed (`SimulatedDisk`). Paths are `/`-separated. Calls may come from any thread.
///
/// Durability, which every store relies on and the simulated disk takes at its word: bytes survive a power cut once `flush` of
/// their file has returned; a created, removed or renamed name once `syncFolder` of its folder has returned.
public protocol FileSystem: AnyObject, Sendable {
    func open(_ path: String, _ access: FileAccess) throws(StorageFault) -> any StoreFile
    func remove(_ path: String) throws(StorageFault)
    /// Replaces `target` if it exists, at once: it is the old file or the new one, also after a power cut.
    func rename(_ path: String, to target: String) throws(StorageFault)
    /// Makes one folder whose parent exists; nothing happens if it is there.
    func makeFolder(_ path: String) throws(StorageFault)
    func removeFolder(_ path: String) throws(StorageFault)
    /// The names in a folder, sorted.
    func list(_ folder: String) throws(StorageFault) -> [String]
    func kind(of path: String) throws(StorageFault) -> EntryKind
    func syncFolder(_ path: String) throws(StorageFault)
    /// Bytes of the file system that holds `path`.
    func space(at path: String) throws(StorageFault) -> (total: Int64, free: Int64)
    /// Whether other programs of this computer see these files under the same paths, so that SQLite may open them itself.
    var isHost: Bool { get }
}

public enum EntryKind: Hashable, Sendable { case none, file, folder, other }

public enum FileAccess: Hashable, Sendable {
    case read
    case readWrite
    /// Makes the file; `FILE-EXISTS` if there is one.
    case create
    case createOrOpen
}

/// An open file. Calls may come from several threads at once; overlapping writes are the caller's affair.
public protocol StoreFile: AnyObject, Sendable {
    var path: String { get }
    func size() throws(StorageFault) -> Int64
    /// Fills `buffer` from `offset` on; returns how many bytes there were, fewer than asked only at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) -> Int
    /// Writes all of `bytes`, growing the file as needed.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault)
    func truncate(to size: Int64) throws(StorageFault)
    /// Gives the space of `range` back; it then reads as zeros.
    func punch(_ range: Range<Int64>) throws(StorageFault)
    /// Reserves the space of `range`, which keeps its content; the file keeps its size.
    func reserve(_ range: Range<Int64>) throws(StorageFault)
    /// Returns when everything written so far survives a power cut. After a failure nothing may be assumed of what was written
    /// since the last success, and a later success proves nothing about it.
    func flush() throws(StorageFault)
    /// A hint to begin writing `range` to the medium.
    func writeSoon(_ range: Range<Int64>)
    /// The first run of data at or after `offset`, nil if there is none. What lies between runs reads as zeros.
    func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>?
    /// Space taken on the medium, bytes.
    func allocated() throws(StorageFault) -> Int64
    /// An advisory lock that ends with the file's closing or the process. False if somebody else holds it and `wait` is false.
    func lock(exclusive: Bool, wait: Bool) throws(StorageFault) -> Bool
    func unlock() throws(StorageFault)
    /// Nothing may be called after it. Happens by itself when the last reference goes.
    func close()
}

extension StoreFile {
    /// `count` bytes at `offset`; a file that ends before is damaged.
    public func bytes(_ count: Int, at offset: Int64) throws(StorageFault) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let read = try bytes.withMutableBytes { (buffer) throws(StorageFault) in
            try self.read(into: buffer, at: offset)
        }
        guard read == count else { throw endsEarly(at: offset + Int64(read)) }
        return bytes
    }

    /// Fills `buffer` wholly; a file that ends before is damaged.
    public func readFully(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        let read = try read(into: buffer, at: offset)
        guard read == buffer.count else { throw endsEarly(at: offset + Int64(read)) }
    }

    public func write(_ bytes: [UInt8], at offset: Int64) throws(StorageFault) {
        try bytes.withBytes { (buffer) throws(StorageFault) in try write(buffer, at: offset) }
    }

    private func endsEarly(at offset: Int64) -> StorageFault {
        StorageFault(
            .damaged, "FILE-SHORT", path, "the file ends at byte \(offset), before what is to be read from it",
            action: "Restore the file from a copy; it was cut off")
    }
}
