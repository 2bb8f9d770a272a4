import CTSK
import DiskImages
public import Files

/// A stretch of a file and where its bytes lie.
public struct DataRun: Hashable, Sendable {
    /// Bytes of the file.
    public var range: Range<Int64>
    /// Where they begin on the volume, bytes; nil for a hole, which reads as zeros.
    public var place: Int64?
}

/// One content of a file: its data, or an alternate stream of NTFS.
public struct GuestStream: Hashable, Sendable {
    /// Empty for the file's data itself.
    public var name: String
    /// Bytes.
    public var size: Int64
    /// How the volume keeps it.
    public var isResident: Bool
    public var isCompressed: Bool
    public var isEncrypted: Bool
    public var isSparse: Bool
}

/// An open file of a guest's volume. For one thread at a time, and only as long as its volume is open.
public final class GuestFile {
    public let entry: GuestEntry
    /// Its data first, then alternate streams by name. A folder of NTFS can have streams, and no data.
    public let streams: [GuestStream]

    let file: SleuthFile
    private let path: String
    private let attributes: [UnsafePointer<TSK_FS_ATTR>]

    init(_ file: SleuthFile, entry: GuestEntry, path: String) throws(StorageFault) {
        (self.file, self.entry, self.path) = (file, entry, path)
        let isNTFS = file.volume.kind == .ntfs
        var found: [(GuestStream, UnsafePointer<TSK_FS_ATTR>)] = []
        if isNTFS {
            for attribute in try file.attributes(path) where attribute.typeNumber == 0x80 {
                found.append((GuestStream(attribute), attribute))
            }
        } else if entry.kind == .file, let attribute = tsk_fs_file_attr_get(file.handle) {
            var stream = GuestStream(attribute)
            stream.name = ""
            found = [(stream, attribute)]
        }
        try file.volume.image.checkReads()
        found.sort { ($0.0.name.isEmpty ? 0 : 1, $0.0.name) < ($1.0.name.isEmpty ? 0 : 1, $1.0.name) }
        streams = found.map(\.0)
        attributes = found.map(\.1)
        for stream in streams where stream.size < 0 {
            throw .guestDamaged(path, "it has \(stream.size) bytes")
        }
        if !isNTFS, entry.kind == .file, entry.size != streams.first?.size ?? 0 {
            throw .guestDamaged(
                path,
                "it has \(entry.size) bytes, of which \(streams.first?.size ?? 0) can be found (of kept-in-place data of ext4 only 60 can)"
            )
        }
    }

    /// Which of `streams` has this name; nil if none.
    public func stream(_ name: String) -> Int? { streams.firstIndex { $0.name == name } }

    /// Where the bytes of a stream lie on the volume, in order and without gaps up to its size; nil if they lie nowhere as they are,
    /// for they are compressed, encrypted, or kept among the metadata.
    ///
    /// Faults: `GUEST-DAMAGED` if runs contradict each other or the volume.
    public func runs(of stream: Int) throws(StorageFault) -> [DataRun]? {
        let size = streams[stream].size
        if size == 0 { return [] }
        guard let clusters = try clusters(of: stream) else { return nil }
        let written = attributes[stream].pointee.nrd.initsize
        guard written >= 0 else { throw .guestDamaged(path, "\(written) bytes of it were written") }
        var runs: [DataRun] = []
        for run in clusters where run.range.lowerBound < size {
            add(run.range.clamped(to: 0..<size), run.place, written: written, to: &runs)
        }
        let next = runs.last?.range.upperBound ?? 0
        guard next >= min(size, written) || file.volume.kind.isExt else {
            throw .guestDamaged(path, "where its content from byte \(next) on lies is not noted")
        }
        if next < size { add(next..<size, nil, written: written, to: &runs) }
        return runs
    }

    /// The whole clusters that a stream has, in order and without gaps, written to or not; nil as for `runs`.
    func clusters(of stream: Int) throws(StorageFault) -> [DataRun]? {
        let (attribute, facts) = (attributes[stream], streams[stream])
        guard attribute.has(TSK_FS_ATTR_NONRES), !facts.isCompressed, !facts.isEncrypted,
            attribute.pointee.nrd.skiplen == 0
        else { return nil }
        let (block, volume) = (file.volume.blockSize, file.volume.device.size)
        var runs: [DataRun] = []
        var next: Int64 = 0
        var link = attribute.pointee.nrd.run
        while let run = link?.pointee {
            link = run.next
            // libtsk ends a list with an empty run at times.
            if run.len == 0 { continue }
            let (most, count) = (UInt64(Int64.max / block), UInt64(run.len))
            guard run.offset <= most, count <= most - run.offset, Int64(run.offset) * block == next else {
                throw .guestDamaged(path, "the run at byte \(next) of its content does not follow the one before")
            }
            let kind = run.flags.rawValue
            // What ext has no block for is a hole; elsewhere libtsk did not find where it is.
            let isUnknown = kind & TSK_FS_ATTR_RUN_FLAG_FILLER.rawValue != 0
            guard !isUnknown || file.volume.kind.isExt else {
                throw .guestDamaged(path, "where its content from byte \(next) on lies is not known any more")
            }
            guard kind & TSK_FS_ATTR_RUN_FLAG_ENCRYPTED.rawValue == 0 else { return nil }
            let range = next..<next + Int64(count) * block
            let isHole = isUnknown || kind & TSK_FS_ATTR_RUN_FLAG_SPARSE.rawValue != 0
            if !isHole {
                guard run.addr <= UInt64(volume / block), count <= UInt64(volume / block) - run.addr else {
                    throw .guestDamaged(path, "its content from byte \(next) on lies outside the volume")
                }
            }
            runs.append(DataRun(range: range, place: isHole ? nil : Int64(run.addr) * block))
            next = range.upperBound
        }
        return runs
    }

    /// Appends a run; what was allocated but never written reads as zeros.
    private func add(_ range: Range<Int64>, _ place: Int64?, written: Int64, to runs: inout [DataRun]) {
        let end = min(range.upperBound, max(range.lowerBound, written))
        let parts: [(Range<Int64>, Int64?)] = [(range.lowerBound..<end, place), (end..<range.upperBound, nil)]
        for (part, place) in parts where !part.isEmpty {
            if let last = runs.last, let before = last.place, let place, before + Int64(last.range.count) == place {
                runs[runs.count - 1].range = last.range.lowerBound..<part.upperBound
            } else if let last = runs.last, last.place == nil, place == nil {
                runs[runs.count - 1].range = last.range.lowerBound..<part.upperBound
            } else {
                runs.append(DataRun(range: part, place: place))
            }
        }
    }

    /// Fills `buffer` with a stream's bytes from `offset` on; the whole of it lies inside the stream.
    ///
    /// Faults: those of reading; `GUEST-ELSEWHERE` if the content is not on the volume, or encrypted; `GUEST-DAMAGED`.
    public func read(_ stream: Int, into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try checkContent(of: stream)
        guard offset >= 0, Int64(buffer.count) <= streams[stream].size - offset else {
            throw StorageFault(
                .badInput, "GUEST-RANGE", path,
                "\(buffer.count) bytes at \(offset) do not lie inside it, it has \(streams[stream].size)",
                action: "Ask for a range inside the file")
        }
        var done = 0
        while done < buffer.count {
            let count = tsk_fs_attr_read(
                attributes[stream], offset + Int64(done),
                (buffer.baseAddress! + done).assumingMemoryBound(to: CChar.self), buffer.count - done,
                TSK_FS_FILE_READ_FLAG_NONE)
            guard count > 0 else {
                throw file.volume.image.fault(path, "its content cannot be read at byte \(offset + Int64(done))")
            }
            done += count
        }
        try file.volume.image.checkReads()
    }

    /// Refuses what would read as zeros or as ciphertext though the file has content.
    public func checkContent(of stream: Int) throws(StorageFault) {
        if stream == 0, streams[stream].name.isEmpty, let obstacle = entry.obstacle {
            throw .guestElsewhere(path, obstacle)
        }
        if streams[stream].isEncrypted {
            throw .guestElsewhere(path, "it is encrypted by the guest (EFS); only the guest has the key")
        }
    }
}

extension GuestStream {
    fileprivate init(_ attribute: UnsafePointer<TSK_FS_ATTR>) {
        name = attribute.name
        size = attribute.pointee.size
        isResident = !attribute.has(TSK_FS_ATTR_NONRES)
        isCompressed = attribute.has(TSK_FS_ATTR_COMP)
        isEncrypted = attribute.has(TSK_FS_ATTR_ENC)
        isSparse = attribute.has(TSK_FS_ATTR_SPARSE)
    }
}
