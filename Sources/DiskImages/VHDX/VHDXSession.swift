import Files

/// The writing side of an open file: its headers, its log, and the space at its end.
///
/// Payload goes straight to its place. What makes it count — table entries, bits, metadata — goes through the log: flush, the entry,
/// flush, then the same in place. Each entry is its own tail, because the flush before it has made the last one's changes in place
/// durable. So a cut leaves either the old tables or an entry that is replayed, and payload that counts is on the medium.
struct VHDXSession: Sendable {
    /// Of an entry, 4 KiB sectors: their descriptors fill one sector, and two entries fit the smallest log.
    static let entryLimit = 126
    /// What one block's change may need at most: 64 KiB of bits at any place, two table entries.
    static let blockChange = 19
    /// Of blocks that wait for reuse; more are only given back to the file system.
    static let freeLimit = 65_536

    /// Which header counts: 0 or 1.
    private var slot: Int
    private(set) var header: VHDXHeader
    private let log: Range<Int64>
    private var logNext: Int64 = 0
    private var logSequence: UInt64 = 1
    /// Whether this session has its FileWriteGuid, and its DataWriteGuid.
    var fileBegun = false
    var dataBegun = false
    /// Where the next block goes, whole MiB.
    var end: Int64 = 0
    /// Blocks that nothing points to, and that read as zeros.
    var free: [Int64] = []
    /// Blocks that the tables on the medium may still point to.
    var pending: [Int64] = []
    /// What went wrong; nothing is written after it, since nobody knows what is on the medium.
    private(set) var fault: StorageFault?

    init(slot: Int, header: VHDXHeader, log: Range<Int64>) {
        (self.slot, self.header, self.log) = (slot, header, log)
    }

    /// A sequence that cannot count up any more is damage.
    func checkSequence(_ file: any StoreFile) throws(StorageFault) {
        guard header.sequence < .max - 1 << 32 else {
            throw VHDXContents.fault("VHDX-HEADER", file, VHDXProblem("its header's sequence is \(header.sequence)"))
        }
    }

    /// Runs what must not be left half-done; after a fault in it the session writes no more.
    mutating func critical<Value>(
        _ body: (inout VHDXSession) throws(StorageFault) -> Value
    ) throws(StorageFault) -> Value {
        if let fault { throw fault }
        do { return try body(&self) } catch {
            fault = error
            throw error
        }
    }

    // MARK: headers

    /// Makes `new` the header of the file: in the one that does not count, then in the other (MS-VHDX 2.2.2.1).
    mutating func write(_ new: VHDXHeader, _ file: any StoreFile) throws(StorageFault) {
        try critical { (session) throws(StorageFault) in
            var new = new
            for _ in 0..<2 {
                new.sequence = session.header.sequence + 1
                try file.write(new.encoded(), at: VHDXFormat.headerPlaces[1 - session.slot])
                try file.flush()
                (session.slot, session.header) = (1 - session.slot, new)
            }
        }
    }

    // MARK: log

    /// Puts sectors of the file in place so that a cut leaves all of them or none. Everything written before is on the medium first.
    mutating func commit(
        _ sectors: [(offset: Int64, bytes: [UInt8])], _ file: any StoreFile, _ guids: any GUIDSource
    ) throws(StorageFault) {
        precondition(sectors.count <= Self.entryLimit, "a change fits one entry of the log")
        try critical { (session) throws(StorageFault) in
            try file.flush()
            let isFirst = session.header.logGUID == .zero
            var header = session.header
            if isFirst { header.logGUID = guids.next() }
            let entry = VHDXLogEntry.encoded(
                place: session.logNext, sequence: session.logSequence, guid: header.logGUID,
                fileSize: try file.size(), sectors: sectors)
            try session.append(entry, file)
            try file.flush()
            // The log counts only once it has an entry: one that is to be replayed and empty is damage.
            if isFirst { try session.write(header, file) }
            for (offset, bytes) in sectors { try file.write(bytes, at: offset) }
        }
    }

    private mutating func append(_ entry: [UInt8], _ file: any StoreFile) throws(StorageFault) {
        let length = log.upperBound - log.lowerBound
        let first = Int(min(Int64(entry.count), length - logNext))
        try file.write(Array(entry[..<first]), at: log.lowerBound + logNext)
        if first < entry.count { try file.write(Array(entry[first...]), at: log.lowerBound) }
        logNext = (logNext + Int64(entry.count)) % length
        logSequence += 1
    }

    // MARK: space

    /// Room for so many bytes, whole MiB, which read as zeros.
    mutating func allocate(_ count: Int64, blockSize: Int64, _ file: any StoreFile) throws(StorageFault) -> Int64 {
        if count == blockSize, let block = free.popLast() { return block }
        guard end <= VHDXFormat.largestFile - count else {
            throw StorageFault(
                .outOfSpace, "VHDX-SPACE", file.path, "the file would be larger than a VHDX may be",
                action: "Convert the disk into a new file")
        }
        try file.truncate(to: end + count)
        defer { end += count }
        return end
    }

    /// Makes a range of the file read as zeros, giving its space back where the file system can.
    static func clear(_ range: Range<Int64>, _ file: any StoreFile) throws(StorageFault) {
        do { try file.punch(range) } catch {
            let zeros = [UInt8](repeating: 0, count: Int(min(range.upperBound - range.lowerBound, 1 << 20)))
            var at = range.lowerBound
            while at < range.upperBound {
                let count = Int(min(Int64(zeros.count), range.upperBound - at))
                try zeros.withBytes { (bytes) throws(StorageFault) in
                    try file.write(UnsafeRawBufferPointer(rebasing: bytes[..<count]), at: at)
                }
                at += Int64(count)
            }
        }
    }

    /// Gives back blocks that the log no longer points to.
    mutating func releasePending(blockSize: Int64, _ file: any StoreFile) throws(StorageFault) {
        while let block = pending.popLast() {
            try Self.clear(block..<block + blockSize, file)
            if free.count < Self.freeLimit { free.append(block) }
        }
    }
}
