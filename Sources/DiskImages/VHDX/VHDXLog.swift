import Files

/// A valid entry of the log (MS-VHDX 2.3.1); its content stays in the file.
struct VHDXLogEntry: Equatable, Sendable {
    /// In the log, bytes from its beginning; an entry may wrap round the end.
    var place: Int64
    var length: Int64
    /// Where the oldest entry is that is still needed when this one is the newest.
    var tail: Int64
    var sequence: UInt64
    var descriptors: Int
    /// What of the file was on the medium when the entry was written; a shorter file was cut off.
    var flushedFileOffset: UInt64
    /// How long the file must be at least after the replay.
    var lastFileOffset: UInt64
}

/// What an entry changes in the file.
enum VHDXLogOperation: Sendable {
    case data(at: Int64, [UInt8])
    case zero(Range<Int64>)
}

/// Reads a log. Memory: one window of 256 KiB, and 56 bytes for each entry.
struct VHDXLogReader {
    private static let window = 256 << 10
    let file: any StoreFile
    /// In the file.
    let place: Range<Int64>
    let guid: GUID
    private var window: [UInt8] = []
    private var windowStart: Int64 = -1

    init(file: any StoreFile, place: Range<Int64>, guid: GUID) {
        (self.file, self.place, self.guid) = (file, place, guid)
    }

    private var length: Int64 { place.upperBound - place.lowerBound }

    /// The 4 KiB at a place of the log, which goes on at its beginning.
    private mutating func sector(_ at: Int64) throws(StorageFault) -> [UInt8] {
        let at = at % length
        let start = at / Int64(Self.window) * Int64(Self.window)
        if start != windowStart {
            window = try file.bytes(Int(min(Int64(Self.window), length - start)), at: place.lowerBound + start)
            windowStart = start
        }
        let inWindow = Int(at - start)
        return Array(window[inWindow..<inWindow + VHDXFormat.logSector])
    }

    /// The entry at a place of the log, nil if there is no valid one. Every sector of an entry begins with another signature than
    /// an entry does, so entries never overlap and looking at all places takes time in proportion to the log.
    mutating func entry(at place: Int64) throws(StorageFault) -> VHDXLogEntry? {
        let header = try sector(place)
        guard header.vhdxSignature(at: 0) == "loge" else { return nil }
        let unit = Int64(VHDXFormat.logSector)
        let entry = VHDXLogEntry(
            place: place, length: Int64(header.little(UInt32.self, at: 8)),
            tail: Int64(header.little(UInt32.self, at: 12)),
            sequence: header.little(at: 16), descriptors: Int(header.little(UInt32.self, at: 24)),
            flushedFileOffset: header.little(at: 48), lastFileOffset: header.little(at: 56))
        guard entry.length > 0, entry.length % unit == 0, entry.length <= length, entry.sequence > 0,
            entry.sequence < .max, entry.tail % unit == 0, entry.tail < length, header.vhdxGUID(at: 32) == guid
        else { return nil }
        let sectors = Int(entry.length / unit)
        let described = Self.descriptorSectors(entry.descriptors)
        guard described <= sectors else { return nil }
        var crc = Self.checksum(ofHeader: header)
        var data = 0
        for index in 0..<sectors {
            let bytes = index == 0 ? header : try sector(place + Int64(index) * unit)
            if index > 0 { crc = bytes.withUnsafeBytes { CRC32C.of($0, continuing: crc) } }
            if index < described {
                for at in Self.descriptorPlaces(in: index, of: entry.descriptors) {
                    switch bytes.vhdxSignature(at: at) {
                    case "desc": data += 1
                    case "zero": break
                    default: return nil
                    }
                    guard bytes.little(UInt64.self, at: at + 24) == entry.sequence,
                        bytes.little(UInt64.self, at: at + 16) % UInt64(unit) == 0
                    else { return nil }
                }
            } else if index < described + data {
                let high = UInt64(bytes.little(UInt32.self, at: 4)) << 32
                guard bytes.vhdxSignature(at: 0) == "data",
                    high | UInt64(bytes.little(UInt32.self, at: 4092)) == entry.sequence
                else { return nil }
            } else if bytes.vhdxSignature(at: 0) == "loge" {
                return nil
            }
        }
        guard described + data <= sectors, crc == header.little(UInt32.self, at: 4) else { return nil }
        return entry
    }

    /// All valid entries by place.
    mutating func entries() throws(StorageFault) -> [VHDXLogEntry] {
        var entries: [VHDXLogEntry] = []
        var at: Int64 = 0
        while at < length {
            let entry = try entry(at: at)
            if let entry { entries.append(entry) }
            at += entry?.length ?? Int64(VHDXFormat.logSector)
        }
        return entries
    }

    /// The entries to apply, in order: from the tail to the head of the sequence with the highest number (disk-formats.md 1.2).
    mutating func active() throws(StorageFault) -> [VHDXLogEntry]? {
        let entries = try entries()
        let byPlace = Dictionary(uniqueKeysWithValues: entries.map { ($0.place, $0) })
        func next(_ entry: VHDXLogEntry) -> VHDXLogEntry? {
            byPlace[(entry.place + entry.length) % length].flatMap { $0.sequence == entry.sequence + 1 ? $0 : nil }
        }
        let followers = Set(entries.compactMap { next($0)?.place })
        var best: [VHDXLogEntry]?
        for first in entries where !followers.contains(first.place) {
            var run = [first]
            while let entry = next(run[run.count - 1]) { run.append(entry) }
            let head = run[run.count - 1]
            guard head.sequence > best?.last?.sequence ?? 0,
                let tail = run.firstIndex(where: { $0.place == head.tail })
            else { continue }
            best = Array(run[tail...])
        }
        return best
    }

    /// What a valid entry changes, one operation at a time.
    mutating func forEachOperation(
        of entry: VHDXLogEntry, _ body: (VHDXLogOperation) throws(StorageFault) -> Void
    ) throws(StorageFault) {
        let unit = Int64(VHDXFormat.logSector)
        let described = Self.descriptorSectors(entry.descriptors)
        var next = entry.place + Int64(described) * unit
        for index in 0..<described {
            let bytes = try sector(entry.place + Int64(index) * unit)
            for place in Self.descriptorPlaces(in: index, of: entry.descriptors) {
                let (low, target): (UInt64, UInt64) = (bytes.little(at: place + 8), bytes.little(at: place + 16))
                let (end, overflow) = target.addingReportingOverflow(
                    bytes.vhdxSignature(at: place) == "desc" ? UInt64(unit) : low)
                // A log that writes the headers or itself would destroy what it is replayed by.
                guard !overflow, end <= UInt64(VHDXFormat.largestFile),
                    target >= UInt64(VHDXFormat.regionTablePlaces[0]),
                    !(Int64(target)..<Int64(end)).overlaps(self.place)
                else {
                    throw StorageFault(
                        .damaged, "VHDX-LOG", file.path,
                        "its log entry \(entry.sequence) changes byte \(target), which no log may change",
                        action: "Restore the file from a copy")
                }
                if bytes.vhdxSignature(at: place) == "zero" {
                    if low > 0 { try body(.zero(Int64(target)..<Int64(end))) }
                    continue
                }
                // The first 8 and the last 4 bytes are in the descriptor: the sequence stands in their place.
                var data = try sector(next)
                next += unit
                data.put(bytes[place + 8..<place + 16], at: 0)
                data.put(bytes[place + 4..<place + 8], at: 4092)
                try body(.data(at: Int64(target), data))
            }
        }
    }

    /// How many sectors the header and so many descriptors take.
    static func descriptorSectors(_ count: Int) -> Int {
        (64 + 32 * count + VHDXFormat.logSector - 1) / VHDXFormat.logSector
    }

    private static func descriptorPlaces(in sector: Int, of count: Int) -> StrideTo<Int> {
        let first = sector == 0 ? 64 : 0
        let end = min(VHDXFormat.logSector, 64 + 32 * count - sector * VHDXFormat.logSector)
        return stride(from: first, to: max(first, end), by: 32)
    }

    private static func checksum(ofHeader bytes: [UInt8]) -> UInt32 { CRC32C.of(bytes, zeroing: 4) }
}

extension VHDXLogEntry {
    /// An entry's bytes. Being its own tail, it says that nothing before it is needed any more.
    static func encoded(
        place: Int64, sequence: UInt64, guid: GUID, fileSize: Int64, sectors: [(offset: Int64, bytes: [UInt8])]
    ) -> [UInt8] {
        let unit = VHDXFormat.logSector
        let described = VHDXLogReader.descriptorSectors(sectors.count)
        var entry = [UInt8](repeating: 0, count: (described + sectors.count) * unit)
        entry.put("loge".utf8, at: 0)
        entry.putLittle(UInt32(entry.count), at: 8)
        entry.putLittle(UInt32(place), at: 12)
        entry.putLittle(sequence, at: 16)
        entry.putLittle(UInt32(sectors.count), at: 24)
        entry.put(guid.bytes, at: 32)
        // Both are whole MiB (MS-VHDX 2.3.1.1): what is flushed for sure, and what all of the file fits in.
        entry.putLittle(fileSize / VHDXFormat.mebibyte * VHDXFormat.mebibyte, at: 48)
        entry.putLittle(VHDXFormat.roundedUp(fileSize), at: 56)
        for (index, (offset, bytes)) in sectors.enumerated() {
            let at = 64 + 32 * index
            entry.put("desc".utf8, at: at)
            entry.put(bytes[4092...], at: at + 4)
            entry.put(bytes[..<8], at: at + 8)
            entry.putLittle(offset, at: at + 16)
            entry.putLittle(sequence, at: at + 24)
            let data = (described + index) * unit
            entry.put("data".utf8, at: data)
            entry.putLittle(UInt32(sequence >> 32), at: data + 4)
            entry.put(bytes[8..<4092], at: data + 8)
            entry.putLittle(UInt32(truncatingIfNeeded: sequence), at: data + 4092)
        }
        entry.vhdxSeal()
        return entry
    }
}
