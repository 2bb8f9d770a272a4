public import Files

/// One file of a set to be written: a disk, a configuration, anything that has a size and bytes. Calls come from one
/// thread at a time, not always the same.
public protocol SetFile: Sendable {
    /// As it shall be found again; `/` separates folders.
    var name: String { get }
    /// Bytes.
    var size: Int64 { get }
    /// Seconds since 1970.
    var modified: Int64 { get }
    /// The first run of data at or after `offset`, nil if there is none. What lies between runs reads as zeros.
    func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>?
    /// Fills `buffer` from `offset` on; the range lies within the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault)
}

/// Where a restored file goes. Writes come from several threads, never two to the same place.
public protocol SetTarget: Sendable {
    /// Called once before the first write. What is never written shall read as zeros.
    func prepare(size: Int64) throws(StorageFault)
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault)
}

/// The further cartridges of a family.
public protocol TapeSupply: AnyObject {
    /// The cartridge on which a set goes on that fills `label`'s, loaded: to be overwritten when a set is written, the
    /// one with the next sequence number when a set is read.
    /// - Throws: if there is none; the set then ends.
    func next(after label: TapeLabel) throws(StorageFault) -> any TapeMedium
}

/// A file of a file system as a source; holes stay holes.
public struct StoredSetFile: SetFile {
    public let name: String
    public let size: Int64
    public let modified: Int64
    private let file: any StoreFile

    /// - Throws: what asking the file for its size throws.
    public init(_ file: any StoreFile, name: String, modified: Int64) throws(StorageFault) {
        (self.file, self.name, self.modified) = (file, name, modified)
        size = try file.size()
    }

    public func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>? {
        guard let found = try file.dataRange(from: offset), found.lowerBound < size else { return nil }
        return found.clamped(to: 0..<size)
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try file.readFully(into: buffer, at: offset)
    }
}

/// A file of a file system as a target. The caller flushes it.
public struct StoredSetTarget: SetTarget {
    private let file: any StoreFile

    public init(_ file: any StoreFile) { self.file = file }

    public func prepare(size: Int64) throws(StorageFault) {
        try file.truncate(to: 0)
        try file.truncate(to: size)
    }

    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try file.write(bytes, at: offset)
    }
}
