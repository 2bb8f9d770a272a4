public import Files

/// One file of a disk image: a whole disk, or what changed since its parent. `DiskImage` puts layers together.
///
/// Reads may come from several threads at once; writes come from one thread at a time, but while others read.
public protocol ImageLayer: AnyObject, Sendable {
    var path: String { get }
    var format: ImageFormat { get }
    /// Bytes of the disk this layer describes.
    var size: Int64 { get }
    /// Of a logical sector, bytes.
    var sectorSize: Int { get }
    /// What children prove their linkage with: a VHDX's DataWriteGuid, a VHD's footer identifier; nil for raw files.
    var linkage: GUID? { get }
    /// The parent this layer needs, nil if it is a whole disk.
    var parent: ParentReference? { get }
    /// Where each part of `range` (inside the disk) is to be found: ascending, covering `range` without gaps.
    func runs(in range: Range<Int64>) throws(StorageFault) -> [LayerRun]
    /// Writes whole sectors, which are here from then on.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault)
    /// Fills from `here` runs only.
    func read(into buffer: UnsafeMutableRawBufferPointer, of run: LayerRun) throws(StorageFault)
    /// Makes whole sectors read as zeros, whatever the parent holds.
    func discard(_ range: Range<Int64>) throws(StorageFault)
    /// Returns when everything written so far survives a power cut.
    func flush() throws(StorageFault)
    /// Ends the use of the file: a layer open for writing is flushed and marked as cleanly closed.
    func close() throws(StorageFault)
}

/// A part of a disk and where its bytes are.
public struct LayerRun: Hashable, Sendable {
    public enum Place: Hashable, Sendable {
        /// In this layer's file, from this byte on.
        case here(Int64)
        case zero
        /// Wherever the parent has it; zeros beyond the parent's end or if there is none.
        case parent
    }
    public var range: Range<Int64>
    public var place: Place
    public init(_ range: Range<Int64>, _ place: Place) { (self.range, self.place) = (range, place) }
}

/// How a child names its parent.
public struct ParentReference: Hashable, Sendable {
    /// What the parent's `linkage` must be; one of them suffices.
    public var linkage: [GUID]
    /// As written in the child, by kind: `relative_path`, `absolute_win32_path`, `volume_path` (VHDX); `W2ru`, `W2ku`, `name` (VHD).
    public var paths: [String: String]
    public init(linkage: [GUID], paths: [String: String]) { (self.linkage, self.paths) = (linkage, paths) }
}

public enum ImageFormat: String, Hashable, Sendable, CaseIterable {
    case raw, vhd, vhdx
}

/// What a new image file is to be.
public struct NewImage: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// All space belongs to the file at once (VHD, VHDX); a raw file is sparse either way.
        case fixed
        /// Grows as it is written.
        case dynamic
        /// Holds what changed since its parent.
        case differencing(ParentReference)
    }
    public var format: ImageFormat
    public var kind: Kind
    /// Bytes.
    public var size: Int64
    /// Of a logical sector, bytes.
    public var sectorSize = 512
    /// Of a payload block, bytes; nil for the format's usual one (VHDX 32 MiB, children 2 MiB; VHD 2 MiB).
    public var blockSize: Int64?
    /// The disk's identity (SCSI page 83), which children keep; nil for a new one.
    public var diskID: GUID?

    public init(
        format: ImageFormat, kind: Kind = .dynamic, size: Int64, sectorSize: Int = 512, blockSize: Int64? = nil,
        diskID: GUID? = nil
    ) {
        (self.format, self.kind, self.size, self.sectorSize, self.blockSize, self.diskID) =
            (format, kind, size, sectorSize, blockSize, diskID)
    }
}

/// An image file that is being made. It is no image until `finish`: whatever happens before, nobody takes it for one.
public protocol ImageWriter: AnyObject, Sendable {
    /// The part of the disk written is whole sectors; each sector is written once at most; from several threads at once.
    /// Zeros need not be written, and zero blocks are not stored in dynamic images.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault)
    /// Everything is flushed, then the mark that makes the file an image, then that.
    func finish() throws(StorageFault)
    /// Removes the unfinished file.
    func abandon()
}

/// One structure of an image file, for `dump`: told also of damaged files, problems included.
public struct StructureDump: Sendable {
    public var name: String
    /// Where it lies in the file, bytes.
    public var place: Range<Int64>
    /// Name and value, in the order of the format.
    public var fields: [(name: String, value: String)]
    /// What is wrong with it; empty if nothing is.
    public var problems: [String]
    public init(_ name: String, _ place: Range<Int64>, fields: [(name: String, value: String)], problems: [String] = [])
    {
        (self.name, self.place, self.fields, self.problems) = (name, place, fields, problems)
    }
}
