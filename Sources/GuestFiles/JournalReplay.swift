import CTSK
import DiskImages
import Files

/// What the journal of an ext volume holds that is not in its place yet: blocks, and where in the journal each one's newest content lies.
///
/// Source of the format: Linux' fs/jbd2 as documented in the kernel's ext4 pages ("Journal (jbd2)"). All numbers are big-endian.
struct JournalReplay: Sendable {
    struct Copy: Hashable, Sendable {
        /// Bytes of the volume.
        var place: Int64
        /// Its first four bytes were the journal's own mark, and are zero in the journal.
        var isEscaped: Bool
    }
    static let mark: [UInt8] = [0xC0, 0x3B, 0x39, 0x98]
    /// Of the volume, bytes.
    let blockSize: Int64
    /// By number of the volume's block.
    private(set) var blocks: [Int64: Copy] = [:]
    private(set) var transactions = 0
    private var hasFastCommits = false

    var note: String {
        let text =
            "it was not closed cleanly; \(blocks.count) blocks of \(transactions) transactions were read from its journal"
        return hasFastCommits ? text + ", its fast commits were not" : text
    }

    /// Reads the whole journal.
    ///
    /// Faults: `GUEST-DAMAGED`, `GUEST-ELSEWHERE` if the journal is on another device, those of reading.
    init(of volume: SleuthVolume, _ superblock: ExtSuperblock) throws(StorageFault) {
        blockSize = superblock.blockSize
        guard superblock.hasJournal, superblock.journalInode != 0, superblock.journalDevice == 0 else {
            throw .guestElsewhere("the journal", "it lies on another device")
        }
        let number = UInt64(superblock.journalInode)
        guard let opened = try volume.open(number, "the journal") else {
            throw .guestDamaged("the journal", "its file is deleted")
        }
        let entry = GuestEntry(nameBytes: [], kind: .file, number: number, size: opened.meta.size)
        let file = try GuestFile(opened, entry: entry, path: "the journal")
        guard let runs = try file.runs(of: 0), runs.allSatisfy({ $0.place != nil }) else {
            throw .guestDamaged("the journal", "it has holes")
        }
        let log = try JournalLog(volume.device, runs, blockSize, blockCount: superblock.blockCount)
        guard log.start != 0 else { return }
        hasFastCommits = log.hasFastCommits
        let end = try log.scan { (_, _, _) throws(StorageFault) in }
        var revoked: [Int64: UInt32] = [:]
        try log.scan(upTo: end) { (_, sequence, event) throws(StorageFault) in
            if case .revoke(let block) = event { revoked[block] = sequence }
        }
        let oldest = log.sequence
        try log.scan(upTo: end) { (log, sequence, event) throws(StorageFault) in
            guard case .data(let tag, let place) = event else { return }
            // A block revoked in this transaction or a later one was freed, and may hold something else by now.
            if let last = revoked[tag.block], last &- oldest >= sequence &- oldest { return }
            try log.check(tag, at: place, sequence)
            blocks[tag.block] = Copy(place: place, isEscaped: tag.isEscaped)
        }
        transactions = Int(end &- oldest)
    }
}

/// The blocks of a journal in order.
private struct JournalLog {
    struct Tag {
        var block: Int64
        var flags: UInt32
        var checksum: UInt32
        var isEscaped: Bool { flags & 1 != 0 }
    }
    enum Event {
        case data(Tag, place: Int64)
        case revoke(Int64)
    }

    private let device: any BlockDevice
    private let runs: [DataRun]
    private let size: Int64
    private let blockCount: Int64
    private let first: Int64
    private let last: Int64
    private let features: UInt32
    private let seed: UInt32
    /// The block that the log begins in; 0 if there is nothing to replay.
    let start: Int64
    /// Of the transaction it begins with.
    let sequence: UInt32

    var hasFastCommits: Bool { features & 0x20 != 0 }
    private var has64Bits: Bool { features & 0x2 != 0 }
    private var hasChecksums: Bool { features & 0x18 != 0 }
    private var isVersion3: Bool { features & 0x10 != 0 }

    init(_ device: any BlockDevice, _ runs: [DataRun], _ size: Int64, blockCount: Int64) throws(StorageFault) {
        (self.device, self.runs, self.size, self.blockCount) = (device, runs, size, blockCount)
        let length = (runs.last?.range.upperBound ?? 0) / size
        guard length > 2 else { throw .guestDamaged("the journal", "it has \(length) blocks") }
        guard let place = Self.place(0, runs, size) else { throw .guestDamaged("the journal", "it has no first block") }
        let head = try device.bytes(Int(size), at: place)
        let kind = head.big(UInt32.self, at: 4)
        guard head.starts(with: JournalReplay.mark), kind == 3 || kind == 4 else {
            throw .guestDamaged("the journal", "it does not begin as one does")
        }
        guard Int64(head.big(UInt32.self, at: 12)) == size else {
            throw .guestDamaged("the journal", "its blocks are not the volume's")
        }
        features = kind == 4 ? head.big(at: 40) : 0
        guard features & ~UInt32(0x3F) == 0 else {
            throw .guestDamaged("the journal", "it has features that are not known here (\(features))")
        }
        var end = min(Int64(head.big(UInt32.self, at: 16)), length)
        if features & 0x20 != 0 {
            let fast = Int64(head.big(UInt32.self, at: 84))
            end -= fast > 0 ? fast : 256
        }
        (first, last) = (Int64(head.big(UInt32.self, at: 20)), end)
        (sequence, start) = (head.big(at: 24), Int64(head.big(UInt32.self, at: 28)))
        guard first > 0, first < last, start == 0 || (first..<last).contains(start) else {
            throw .guestDamaged("the journal", "its log does not lie inside it")
        }
        seed = CRC32C.of(Array(head[48..<64]))
        // The head's own sum does not begin with the identifier that is in it.
        var bare = Array(head[0..<1024])
        bare.putBig(UInt32(0), at: 252)
        guard !hasChecksums || ~CRC32C.of(bare) == head.big(UInt32.self, at: 252) else {
            throw .guestDamaged("the journal", "the checksum of its head is wrong")
        }
    }

    private static func place(_ block: Int64, _ runs: [DataRun], _ size: Int64) -> Int64? {
        var (low, high) = (0, runs.count)
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].range.upperBound <= block * size { low = middle + 1 } else { high = middle }
        }
        guard low < runs.count, runs[low].range.contains(block * size), let place = runs[low].place else { return nil }
        return place + block * size - runs[low].range.lowerBound
    }

    private func place(_ block: Int64) throws(StorageFault) -> Int64 {
        guard let place = Self.place(block, runs, size) else {
            throw .guestDamaged("the journal", "its block \(block) is nowhere")
        }
        return place
    }

    private func next(_ block: Int64) -> Int64 { block + 1 >= last ? first : block + 1 }

    /// Goes through committed transactions, or those before `limit`, and returns the number of the first that is not.
    @discardableResult
    func scan(
        upTo limit: UInt32? = nil, _ body: (JournalLog, UInt32, Event) throws(StorageFault) -> Void
    ) throws(StorageFault) -> UInt32 {
        var (block, current) = (start, sequence)
        var seen: Int64 = 0
        while current != limit, seen < last - first {
            let place = try place(block)
            let bytes = try device.bytes(Int(size), at: place)
            guard bytes.starts(with: JournalReplay.mark), bytes.big(UInt32.self, at: 8) == current else { break }
            (block, seen) = (next(block), seen + 1)
            switch bytes.big(UInt32.self, at: 4) {
            case 1:
                if hasChecksums, !isWhole(bytes) {
                    if limit == nil { return current }
                    throw .guestDamaged("the journal", "the checksum of a descriptor is wrong")
                }
                for tag in try tags(bytes) {
                    if limit != nil { try body(self, current, .data(tag, place: try self.place(block))) }
                    (block, seen) = (next(block), seen + 1)
                    guard seen <= last - first else { return current }
                }
            case 2:
                if hasChecksums, sum(bytes[...], zeroing: 16) != bytes.big(UInt32.self, at: 16) { return current }
                current &+= 1
            case 5:
                if hasChecksums, !isWhole(bytes) {
                    if limit == nil { return current }
                    throw .guestDamaged("the journal", "the checksum of a list of revoked blocks is wrong")
                }
                if limit != nil { try revoked(bytes, current, body) }
            default: return current
            }
        }
        return current
    }

    private func tags(_ bytes: [UInt8]) throws(StorageFault) -> [Tag] {
        // Version 2 of the checksums made the tag longer by two bytes that nobody uses.
        let width = isVersion3 ? 16 : (has64Bits ? 12 : 8) + (features & 0x8 != 0 ? 2 : 0)
        let end = bytes.count - (hasChecksums ? 4 : 0)
        var tags: [Tag] = []
        var at = 12
        while at + width <= end {
            let low = Int64(bytes.big(UInt32.self, at: at))
            let flags = isVersion3 ? bytes.big(UInt32.self, at: at + 4) : UInt32(bytes.big(UInt16.self, at: at + 6))
            let high = has64Bits ? Int64(bytes.big(UInt32.self, at: at + 8)) : 0
            let sum =
                isVersion3 ? bytes.big(UInt32.self, at: at + 12) : UInt32(bytes.big(UInt16.self, at: at + 4))
            let block = high << 32 | low
            guard high < 1 << 31, block < blockCount else {
                throw .guestDamaged("the journal", "it has a copy of block \(block), which the volume does not have")
            }
            tags.append(Tag(block: block, flags: flags, checksum: sum))
            at += width + (flags & 2 != 0 ? 0 : 16)
            if flags & 8 != 0 { return tags }
        }
        return tags
    }

    private func revoked(
        _ bytes: [UInt8], _ sequence: UInt32, _ body: (JournalLog, UInt32, Event) throws(StorageFault) -> Void
    ) throws(StorageFault) {
        let (width, end) = (has64Bits ? 8 : 4, Int(bytes.big(UInt32.self, at: 12)))
        guard end >= 16, end <= bytes.count - (hasChecksums ? 4 : 0) else {
            throw .guestDamaged("the journal", "a list of revoked blocks does not hold together")
        }
        for at in stride(from: 16, to: end - width + 1, by: width) {
            let block =
                has64Bits
                ? Int64(truncatingIfNeeded: bytes.big(UInt64.self, at: at)) : Int64(bytes.big(UInt32.self, at: at))
            try body(self, sequence, .revoke(block))
        }
    }

    /// Refuses a copy that is not the one that was written.
    func check(_ tag: Tag, at place: Int64, _ sequence: UInt32) throws(StorageFault) {
        guard hasChecksums else { return }
        let bytes = try device.bytes(Int(size), at: place)
        let number = withUnsafeBytes(of: sequence.bigEndian) { CRC32C.of($0, continuing: seed) }
        let sum = ~bytes.withUnsafeBytes { CRC32C.of($0, continuing: number) }
        guard isVersion3 ? sum == tag.checksum : sum & 0xFFFF == tag.checksum else {
            throw .guestDamaged("the journal", "the checksum of its copy of block \(tag.block) is wrong")
        }
    }

    /// Whether a descriptor or list has the checksum in its last four bytes.
    private func isWhole(_ bytes: [UInt8]) -> Bool {
        sum(bytes[...], zeroing: bytes.count - 4) == bytes.big(UInt32.self, at: bytes.count - 4)
    }

    private func sum(_ bytes: ArraySlice<UInt8>, zeroing field: Int) -> UInt32 {
        var bytes = Array(bytes)
        bytes.putBig(UInt32(0), at: field)
        return ~bytes.withUnsafeBytes { CRC32C.of($0, continuing: seed) }
    }
}
