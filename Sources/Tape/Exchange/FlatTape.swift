public import Files

/// Flat files of the Microsoft Tape Format (`.bkf`): the records of a tape one behind the other, without filemarks, as NTBackup and its
/// friends write them to disk. One file a tape: a family's media each have their own TAPE and EOTM blocks and record numbers, which one joined file would
/// falsify.
///
/// Filemarks come back from the order of blocks, records from how sets are written here, so that a tape goes there and back as it was, to
/// the record number. Tapes of other programs come back in records of 64 KiB.
public enum FlatTape {
    /// What went over.
    public struct Facts: Hashable, Sendable {
        public var records: Int64 = 0
        public var filemarks: Int64 = 0
        /// In records.
        public var bytes: Int64 = 0
        /// Records of a set without an end, which were left out: the next set would have been written over them.
        public var omitted: Int64 = 0
        /// Whether it was written by this program. Others' records are cut anew.
        public var isOwn = false
        /// Whether all sets and their ends lie at the records that they say themselves.
        public var addressesHold = true
    }

    /// Writes partition 0 of a tape to a file, whose content is replaced. Stretches of zeros become holes. The tape stands at its end of data afterwards.
    /// - Throws: `TAPE-FOREIGN` if it does not begin with a TAPE block; what tape and file throw.
    public static func export(_ tape: any TapeMedium, to file: any StoreFile) throws(StorageFault) -> Facts {
        let buffer = Buffer(count: tape.maximumRecord)
        var facts = Facts()
        // As far as the last trailer that a filemark follows.
        var kept = facts
        // Of the tape file the tape stands in; nil at its beginning.
        var type: FourLetters?
        try file.truncate(to: 0)
        try tape.locate(object: 0, partition: 0)
        reading: while true {
            switch try tape.read(into: buffer.bytes) {
            case .endOfData: break reading
            case .filemark:
                facts.filemarks += 1
                if let type, [.tape, .setEnd, .tapeEnd].contains(type) { kept = facts }
                type = nil
            case .record(let length):
                guard length <= buffer.bytes.count else {
                    throw StorageFault(
                        .damaged, "TAPE-RECORD-LENGTH", "record \(tape.position.object - 1)",
                        "it has \(length) bytes, the drive takes \(buffer.bytes.count)", action: "Use another drive")
                }
                let record = UnsafeRawBufferPointer(buffer[0..<length])
                if type == nil {
                    type = FourLetters(
                        code: length < 4 ? 0 : UInt32(littleEndian: record.loadUnaligned(as: UInt32.self)))
                    guard facts.records > 0 || type == .tape else { throw foreign() }
                }
                if !record.isZero { try file.write(record, at: facts.bytes) }
                facts.records += 1
                facts.bytes += Int64(length)
            }
        }
        guard kept.records > 0 else { throw foreign() }
        try file.truncate(to: kept.bytes)
        try file.flush()
        kept.omitted = facts.records - kept.records
        // Whoever wrote it; nothing is refused here.
        let walk = FlatWalk(file, size: kept.bytes, longest: tape.maximumRecord) { (_) throws(StorageFault) in }
        do throws(StorageFault) { try walk.run() } catch { walk.addressesHold = false }
        (kept.isOwn, kept.addressesHold) = (walk.isOwn, walk.addressesHold)
        return kept
    }

    /// Writes what a file holds onto a tape, from its beginning, after the whole file proved to be well formed.
    /// - Throws: `TAPE-FLAT` if it is not, or if the drive does not take its records; nothing is written then. What tape and file throw.
    public static func restore(_ file: any StoreFile, to tape: any TapeMedium) throws(StorageFault) -> Facts {
        let size = try file.size()
        let longest = tape.maximumRecord
        try FlatWalk(file, size: size, longest: longest) { (_) throws(StorageFault) in }.run()
        let buffer = Buffer(count: longest)
        var facts = Facts()
        try tape.locate(object: 0, partition: 0)
        let walk = FlatWalk(file, size: size, longest: longest) { (piece) throws(StorageFault) in
            guard case .records(let range, let length) = piece else {
                facts.filemarks += 1
                _ = try tape.writeFilemarks(1, immediate: true)
                return
            }
            var at = range.lowerBound
            while at < range.upperBound {
                let count = Int(min(length, range.upperBound - at))
                try file.readFully(into: buffer[0..<count], at: at)
                _ = try tape.write(UnsafeRawBufferPointer(buffer[0..<count]))
                facts.records += 1
                facts.bytes += Int64(count)
                at += Int64(count)
            }
        }
        try walk.run()
        try tape.flush()
        (facts.isOwn, facts.addressesHold) = (walk.isOwn, walk.addressesHold)
        return facts
    }

    private static func foreign() -> StorageFault {
        StorageFault(
            .badInput, "TAPE-FOREIGN", "tape", "it does not begin with a finished TAPE block",
            action: "Export it as a SIMH tape image (.tap), which takes every tape")
    }
}
