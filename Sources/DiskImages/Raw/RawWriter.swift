public import Files

/// Disks that are a file's bytes and nothing else.
public enum Raw {
    /// Begins a sparse file of the image's size. Faults: `RAW-SECTOR`, `RAW-SIZE`, and `RAW-PARENT` for a differencing image.
    ///
    /// A raw file has no place for a mark, so an unfinished one looks like a finished one: write it under a temporary name and
    /// rename it after `finish`.
    public static func create(_ image: NewImage, file: any StoreFile) throws(StorageFault) -> RawWriter {
        try check(sectorSize: image.sectorSize, of: file.path)
        guard image.size > 0, image.size % Int64(image.sectorSize) == 0 else {
            throw wrongSize(image.size, image.sectorSize, file.path)
        }
        if case .differencing = image.kind {
            throw StorageFault(
                .badInput, "RAW-PARENT", file.path, "a raw image cannot have a parent",
                action: "Make the checkpoint as a VHDX or a VHD")
        }
        // Whatever was in the file would show between the blocks that are written.
        try file.truncate(to: 0)
        try file.truncate(to: image.size)
        return RawWriter(file: file, size: image.size, sectorSize: image.sectorSize)
    }
}

/// Writes a raw image that is sparse: pages of zeros stay holes.
public final class RawWriter: ImageWriter {
    private let file: any StoreFile
    private let size: Int64
    private let sectorSize: Int

    init(file: any StoreFile, size: Int64, sectorSize: Int) {
        (self.file, self.size, self.sectorSize) = (file, size, sectorSize)
    }

    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try NewDisk(path: file.path, size: size, sectorSize: sectorSize).check(offset, bytes.count)
        try file.writeSparse(bytes, at: offset)
    }

    public func finish() throws(StorageFault) {
        try file.truncate(to: size)
        try file.flush()
    }

    /// Empties the file and closes it; its name is the caller's, who gave the open file.
    public func abandon() {
        try? file.truncate(to: 0)
        file.close()
    }
}

/// What a write to a disk that is being made must keep to.
struct NewDisk {
    var path: String
    var size: Int64
    var sectorSize: Int

    func check(_ offset: Int64, _ count: Int) throws(StorageFault) {
        guard offset >= 0, offset <= size, Int64(count) <= size - offset else {
            throw StorageFault(
                .badInput, "DISK-RANGE", path,
                "\(count) bytes at \(offset) do not lie inside the new disk, which has \(size) bytes",
                action: "Write inside the disk")
        }
        guard offset % Int64(sectorSize) == 0, count % sectorSize == 0 else {
            throw StorageFault(
                .badInput, "DISK-SECTOR", path,
                "\(count) bytes at \(offset) are not whole sectors of \(sectorSize) bytes",
                action: "Write whole sectors")
        }
    }
}

extension StoreFile {
    /// Writes what is not zero, by pages of 4 KiB of `bytes`; the range must read as zeros before.
    func writeSparse(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        let page = 4096
        var start = 0
        while start < bytes.count {
            if UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + page, bytes.count)]).isZero {
                start += page
                continue
            }
            var end = min(start + page, bytes.count)
            while end < bytes.count {
                let next = min(end + page, bytes.count)
                if UnsafeRawBufferPointer(rebasing: bytes[end..<next]).isZero { break }
                end = next
            }
            try write(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), at: offset + Int64(start))
            start = end
        }
    }
}
