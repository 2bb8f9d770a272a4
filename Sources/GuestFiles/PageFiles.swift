import CTSK
public import Files

/// Where a Windows disk keeps memory rather than files: contents that nobody needs back.
///
/// Only what certainly is such a file counts: `pagefile.sys`, `hiberfil.sys`, `swapfile.sys` in the root of an NTFS volume, not deleted, with
/// clusters of its own that lie inside the volume, not compressed or encrypted, of no other name, not larger than half of the volume.
/// A wrong answer would lose data, so everything else is refused, and said.
public struct PageFiles: Hashable, Sendable {
    /// A file whose clusters need not be kept.
    public struct File: Hashable, Sendable {
        public var volume: Int
        public var name: String
        /// Bytes of the disk, ascending; whole clusters.
        public var ranges: [Range<Int64>]
    }
    /// A file or volume that was looked at and not taken.
    public struct Refusal: Hashable, Sendable {
        public var volume: Int
        /// Empty if the whole volume is meant.
        public var name: String
        /// A sentence without a full stop.
        public var reason: String
    }
    public static let names = ["hiberfil.sys", "pagefile.sys", "swapfile.sys"]

    public private(set) var files: [File] = []
    public private(set) var refusals: [Refusal] = []

    /// Bytes of the disk that need not be kept: ascending, disjoint, not touching.
    public var ranges: [Range<Int64>] {
        files.flatMap(\.ranges).sorted { $0.lowerBound < $1.lowerBound }.reduce(into: []) { all, range in
            if let last = all.last, last.upperBound >= range.lowerBound {
                all[all.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                all.append(range)
            }
        }
    }

    /// Looks at every NTFS volume of the disk. Look at the same snapshot that is transferred.
    ///
    /// Faults: those of reading; what is wrong with a volume is a refusal, not a fault.
    public init(of disk: GuestDisk) throws(StorageFault) {
        for facts in try disk.volumes() where facts.kind == .ntfs {
            do throws(StorageFault) {
                let volume = try disk.open(facts)
                for name in Self.names { try look(name, in: volume) }
            } catch {
                guard error.id.hasPrefix("GUEST-") else { throw error }
                refusals.append(Refusal(volume: facts.number, name: "", reason: error.cause))
            }
        }
    }

    private mutating func look(_ name: String, in volume: GuestVolume) throws(StorageFault) {
        let number = volume.facts.number
        do throws(StorageFault) {
            guard let ranges = try Self.ranges(name, in: volume) else { return }
            files.append(File(volume: number, name: name, ranges: ranges))
        } catch {
            guard error.id.hasPrefix("GUEST-") else { throw error }
            refusals.append(Refusal(volume: number, name: name, reason: error.cause))
        }
    }

    /// nil if there is no such file.
    private static func ranges(_ name: String, in volume: GuestVolume) throws(StorageFault) -> [Range<Int64>]? {
        let entry: GuestEntry
        do throws(StorageFault) {
            entry = try volume.entry(at: name)
        } catch {
            if error.id == "GUEST-MISSING" { return nil }
            throw error
        }
        let refused = { (reason: String) in StorageFault.guestElsewhere(name, reason) }
        guard entry.kind == .file else { throw refused("it is no file") }
        if let obstacle = entry.obstacle { throw refused(obstacle) }
        let file = try volume.open(entry, name)
        guard file.file.meta.nlink <= 1 else { throw refused("it has another name too") }
        guard let stream = file.stream("") else { throw refused("it has no content") }
        let facts = file.streams[stream]
        if facts.isEncrypted { throw refused("it is encrypted") }
        if facts.isResident { throw refused("its content lies among the metadata") }
        guard let clusters = try file.clusters(of: stream) else { throw refused("it is compressed") }
        let (start, length) = (volume.facts.range.lowerBound, Int64(volume.facts.range.count))
        var ranges: [Range<Int64>] = []
        var taken: Int64 = 0
        for run in clusters {
            guard let place = run.place else { continue }
            taken += Int64(run.range.count)
            guard taken <= length / 2 else { throw refused("it takes more than half of its volume") }
            ranges.append(start + place..<start + place + Int64(run.range.count))
        }
        guard facts.size <= length / 2 else { throw refused("it takes more than half of its volume") }
        if name == "hiberfil.sys", facts.size >= 4 {
            let buffer = Buffer(count: 4)
            try file.read(stream, into: buffer.bytes, at: 0)
            if String(decoding: buffer.bytes, as: UTF8.self).lowercased() == "hibr" {
                throw refused("the machine is hibernated: its memory is in this file")
            }
        }
        ranges.sort { $0.lowerBound < $1.lowerBound }
        for (one, next) in zip(ranges, ranges.dropFirst()) where one.upperBound > next.lowerBound {
            throw refused("two of its runs lie on each other")
        }
        return ranges
    }
}
