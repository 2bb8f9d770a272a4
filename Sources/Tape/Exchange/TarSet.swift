public import Files

/// Sets as tar archives (POSIX ustar; pax where that has no room). Names, sizes, times and contents go there and back; what else a set says of itself
/// does not.
public enum TarSet {
    /// What went over.
    public struct Facts: Hashable, Sendable {
        public var files = 0
        /// Of the files, holes included.
        public var bytes: Int64 = 0
        /// Of the archive.
        public var size: Int64 = 0
        /// By file; empty unless damage was to be skipped. It reads as zeros.
        public var lost: [Int: [LostRange]] = [:]
    }

    /// Bytes that archives are a multiple of.
    private static let unit: Int64 = 10_240

    /// Writes the files of a set to a file, whose content is replaced. Holes stay holes in it, so that it takes no more than the data.
    /// - Throws: `TAPE-TAR` for a name that would leave the folder it is extracted to; what reading the set throws. The file is empty then.
    public static func export(
        _ set: OpenSet, to file: any StoreFile, _ options: RestoreOptions = RestoreOptions()
    ) throws(StorageFault) -> Facts {
        for entry in set.files {
            do throws(TarCause) {
                try TarSource.check(entry.name)
            } catch { throw refused("file \(entry.name) of set \(set.entry.set)", error.text) }
        }
        try file.truncate(to: 0)
        do throws(StorageFault) {
            var facts = Facts()
            for (index, entry) in set.files.enumerated() {
                let header = TarHeader.encoded(entry.name, size: entry.size, modified: entry.modified)
                try file.write(header, at: facts.size)
                facts.size += Int64(header.count)
                let report = try set.read(
                    index, to: TarTarget(file: file, base: facts.size, size: entry.size), options)
                if !report.lost.isEmpty { facts.lost[index] = report.lost }
                facts.size += TarHeader.padded(entry.size)
                facts.files += 1
                facts.bytes += entry.size
            }
            facts.size = (facts.size + 1024 + unit - 1) / unit * unit
            try file.truncate(to: facts.size)
            try file.flush()
            return facts
        } catch {
            try? file.truncate(to: 0)
            throw error
        }
    }

    static func refused(_ object: String, _ cause: String) -> StorageFault {
        StorageFault(
            .badInput, "TAPE-TAR", object, cause,
            action: "Check that it is a whole tar archive of files and folders only")
    }
}

/// Where in an archive a file's data lie.
private struct TarTarget: SetTarget {
    let file: any StoreFile
    let base: Int64
    let size: Int64

    /// The archive was emptied; what is never written is a hole.
    func prepare(size: Int64) throws(StorageFault) {}

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        guard offset >= 0, Int64(bytes.count) <= size - offset, !bytes.isZero else { return }
        try file.write(bytes, at: base + offset)
    }
}
