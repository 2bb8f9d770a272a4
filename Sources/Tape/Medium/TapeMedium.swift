public import Files

/// Where a tape stands, as SSC's READ POSITION says it.
public struct TapePosition: Hashable, Sendable {
    public var partition: Int
    /// Records and filemarks before it in its partition.
    public var object: Int64
    /// Filemarks before it in its partition.
    public var file: Int64

    public init(partition: Int = 0, object: Int64 = 0, file: Int64 = 0) {
        (self.partition, self.object, self.file) = (partition, object, file)
    }
}

/// What a read met. The tape then stands behind it, except at the end of data.
public enum TapeRead: Hashable, Sendable {
    /// A record of this many bytes; as many as fit are in the buffer.
    case record(length: Int)
    case filemark
    case endOfData
}

/// How a write ended. What was to be written has been written in both cases.
public enum TapeWrite: Hashable, Sendable {
    case done
    /// The end of the medium is near: finish what has been begun.
    case earlyWarning
}

/// A medium of records and filemarks with one head, as a drive shows a loaded cartridge. One thread at a time.
///
/// Writing discards all that follows in the partition. What is written survives a power cut once `flush` or `writeFilemarks` with
/// `immediate: false` has returned.
public protocol TapeMedium: AnyObject {
    /// Largest record, bytes.
    var maximumRecord: Int { get }
    var position: TapePosition { get }
    /// Native bytes left until early warning, in the partition the tape stands in.
    var room: Int64 { get }

    /// Reads the next object. A record longer than `buffer` is cut, its `length` says how long it was.
    /// - Throws: `TAPE-RECORD-DAMAGED` with the tape standing behind the damaged record, so that the next can be read.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(StorageFault) -> TapeRead
    /// - Throws: `TAPE-END-OF-MEDIUM` if there is no room at all; nothing is written then.
    func write(_ record: UnsafeRawBufferPointer) throws(StorageFault) -> TapeWrite
    func writeFilemarks(_ count: Int, immediate: Bool) throws(StorageFault) -> TapeWrite
    func flush() throws(StorageFault)

    func rewind() throws(StorageFault)
    /// - Throws: `TAPE-NO-OBJECT` beyond the end of data, where the tape then stands.
    func locate(object: Int64, partition: Int) throws(StorageFault)
    /// To just behind the `file`-th filemark; 0 is the beginning of the partition.
    func locate(file: Int64, partition: Int) throws(StorageFault)
    func locateEndOfData(partition: Int) throws(StorageFault)
}

extension TapeMedium {
    public func write(_ record: [UInt8]) throws(StorageFault) -> TapeWrite {
        try record.withBytes { (bytes) throws(StorageFault) in try write(bytes) }
    }

    /// The next object, a record as bytes of its own; nil for a filemark or the end of data.
    public func record() throws(StorageFault) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: maximumRecord)
        let met = try bytes.withMutableBytes { (buffer) throws(StorageFault) in try read(into: buffer) }
        guard case .record(let length) = met else { return nil }
        return [UInt8](bytes.prefix(length))
    }
}
