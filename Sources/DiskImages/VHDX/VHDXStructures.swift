import Files

/// Places and limits of the format (disk-formats.md 1.2, MS-VHDX 2.2). Integers are little-endian.
enum VHDXFormat {
    static let mebibyte: Int64 = 1 << 20
    /// Of the log and of everything the log writes, bytes.
    static let logSector = 4096
    static let identifier = Array("vhdxfile".utf8)
    static let creator = "dpmsim"
    static let headerPlaces: [Int64] = [64 << 10, 128 << 10]
    static let regionTablePlaces: [Int64] = [192 << 10, 256 << 10]
    static let regionTableSize = 64 << 10
    static let metadataTableSize = 64 << 10
    /// Of a virtual disk, bytes (MS-VHDX 1.1).
    static let largestDisk: Int64 = 64 << 40
    /// Of the file; the format names no limit, but no disk of 64 TiB needs this much.
    static let largestFile: Int64 = 128 << 40
    /// Of a log that is replayed; programs write logs of 1 MiB. Bounds the memory of a replay.
    static let largestLog: Int64 = 64 << 20
    /// Of one metadata item (MS-VHDX 2.6.1.2), bytes.
    static let largestItem = 1 << 20

    /// To whole MiB.
    static func roundedUp(_ size: Int64) -> Int64 { (size + mebibyte - 1) / mebibyte * mebibyte }

    static let batRegion = GUID("2DC27766-F623-4200-9D64-115E9BFD4A08")!
    static let metadataRegion = GUID("8B7CA206-4790-4B9A-B8FE-575F050F886E")!
}

/// What is wrong with a structure: one sentence without a full stop. Becomes a `StorageFault` or a line of a dump.
struct VHDXProblem: Error {
    let text: String
    init(_ text: String) { self.text = text }
}

extension [UInt8] {
    func vhdxGUID(at offset: Int) -> GUID { GUID(bytes: Array(self[offset..<offset + 16])) }

    /// The four characters of a signature; anything else as dots.
    func vhdxSignature(at offset: Int) -> String {
        String(
            decoding: self[offset..<offset + 4].map { (0x20..<0x7F).contains($0) ? $0 : UInt8(ascii: ".") },
            as: UTF8.self)
    }

    /// Checks the signature and the checksum that stands behind it.
    func vhdxCheck(_ signature: String) throws(VHDXProblem) {
        guard vhdxSignature(at: 0) == signature else {
            throw VHDXProblem("its signature is not \(signature)")
        }
        let (stored, computed) = (little(UInt32.self, at: 4), CRC32C.of(self, zeroing: 4))
        guard stored == computed else {
            throw VHDXProblem("its checksum is \(vhdxHex(stored)), but its bytes give \(vhdxHex(computed))")
        }
    }

    mutating func vhdxSeal() { putLittle(CRC32C.of(self, zeroing: 4), at: 4) }
}

func vhdxHex(_ value: UInt32) -> String {
    let text = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: 8 - text.utf8.count) + text
}

/// An integer of the file as a signed one; values that no file reaches are a problem.
func vhdxOffset(_ value: UInt64, _ what: String) throws(VHDXProblem) -> Int64 {
    guard value <= UInt64(VHDXFormat.largestFile) else { throw VHDXProblem("\(what) \(value) is beyond any file") }
    return Int64(value)
}

/// One of the two headers (MS-VHDX 2.2.2).
struct VHDXHeader: Equatable, Sendable {
    static let size = 4096
    var sequence: UInt64
    var fileWriteGUID: GUID
    var dataWriteGUID: GUID
    /// Zero if there is nothing to replay.
    var logGUID: GUID
    var logVersion: UInt16 = 0
    var logOffset: UInt64
    var logLength: UInt32

    init(
        sequence: UInt64, fileWriteGUID: GUID, dataWriteGUID: GUID, logGUID: GUID, logOffset: UInt64, logLength: UInt32
    ) {
        (self.sequence, self.fileWriteGUID, self.dataWriteGUID) = (sequence, fileWriteGUID, dataWriteGUID)
        (self.logGUID, self.logOffset, self.logLength) = (logGUID, logOffset, logLength)
    }

    /// Reads 4 KiB.
    init(_ bytes: [UInt8]) throws(VHDXProblem) {
        try bytes.vhdxCheck("head")
        let version: UInt16 = bytes.little(at: 66)
        guard version == 1 else { throw VHDXProblem("its version is \(version); this program knows version 1") }
        self.init(unchecked: bytes)
    }

    /// The fields whatever they are, for a dump.
    init(unchecked bytes: [UInt8]) {
        self.init(
            sequence: bytes.little(at: 8), fileWriteGUID: bytes.vhdxGUID(at: 16),
            dataWriteGUID: bytes.vhdxGUID(at: 32), logGUID: bytes.vhdxGUID(at: 48),
            logOffset: bytes.little(at: 72), logLength: bytes.little(at: 68))
        logVersion = bytes.little(at: 64)
    }

    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.size)
        bytes.put("head".utf8, at: 0)
        bytes.putLittle(sequence, at: 8)
        bytes.put(fileWriteGUID.bytes, at: 16)
        bytes.put(dataWriteGUID.bytes, at: 32)
        bytes.put(logGUID.bytes, at: 48)
        bytes.putLittle(logVersion, at: 64)
        bytes.putLittle(UInt16(1), at: 66)
        bytes.putLittle(logLength, at: 68)
        bytes.putLittle(logOffset, at: 72)
        bytes.vhdxSeal()
        return bytes
    }

    /// Where the log is, checked for alignment and size.
    func logPlace() throws(VHDXProblem) -> Range<Int64> {
        let offset = try vhdxOffset(logOffset, "its log's offset")
        let unit = VHDXFormat.mebibyte
        guard offset >= unit, offset % unit == 0, logLength > 0, Int64(logLength) % unit == 0 else {
            throw VHDXProblem("its log (\(logLength) bytes at \(logOffset)) is not whole MiB behind the headers")
        }
        return offset..<offset + Int64(logLength)
    }

    /// The current one of two (disk-formats.md 1.2, "Which header"): of the valid ones that with the higher sequence.
    static func choose(_ first: VHDXHeader?, _ second: VHDXHeader?) throws(VHDXProblem) -> (slot: Int, VHDXHeader) {
        switch (first, second) {
        case (let first?, let second?):
            // Disk2vhd writes two equal ones; two that differ leave no way to choose.
            if first.sequence == second.sequence, first != second {
                throw VHDXProblem("both headers have sequence \(first.sequence), but they differ")
            }
            return second.sequence > first.sequence ? (1, second) : (0, first)
        case (let first?, nil): return (0, first)
        case (nil, let second?): return (1, second)
        case (nil, nil): throw VHDXProblem("neither header is valid")
        }
    }
}

/// A region of the file (MS-VHDX 2.2.3.2).
struct VHDXRegion: Equatable, Sendable {
    var guid: GUID
    var offset: UInt64
    var length: UInt32
    var flags: UInt32
    var isRequired: Bool { flags & 1 != 0 }

    /// Where it is, checked for alignment.
    func place() throws(VHDXProblem) -> Range<Int64> {
        let start = try vhdxOffset(offset, "region \(guid) begins at")
        let unit = VHDXFormat.mebibyte
        guard start >= unit, start % unit == 0, length > 0, Int64(length) % unit == 0 else {
            throw VHDXProblem("region \(guid) (\(length) bytes at \(offset)) is not whole MiB behind the headers")
        }
        return start..<start + Int64(length)
    }
}

/// Where the regions are; the file has two copies (MS-VHDX 2.2.3).
struct VHDXRegionTable: Equatable, Sendable {
    static let largestCount = 2047
    var regions: [VHDXRegion]

    init(regions: [VHDXRegion]) { self.regions = regions }

    /// Reads 64 KiB.
    init(_ bytes: [UInt8]) throws(VHDXProblem) {
        try bytes.vhdxCheck("regi")
        let count: UInt32 = bytes.little(at: 8)
        guard count <= Self.largestCount else { throw VHDXProblem("it claims \(count) regions; 2047 is the most") }
        regions = (0..<Int(count)).map { index in
            let at = 16 + 32 * index
            return VHDXRegion(
                guid: bytes.vhdxGUID(at: at), offset: bytes.little(at: at + 16), length: bytes.little(at: at + 24),
                flags: bytes.little(at: at + 28))
        }
    }

    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: VHDXFormat.regionTableSize)
        bytes.put("regi".utf8, at: 0)
        bytes.putLittle(UInt32(regions.count), at: 8)
        for (index, region) in regions.enumerated() {
            let at = 16 + 32 * index
            bytes.put(region.guid.bytes, at: at)
            bytes.putLittle(region.offset, at: at + 16)
            bytes.putLittle(region.length, at: at + 24)
            bytes.putLittle(region.flags, at: at + 28)
        }
        bytes.vhdxSeal()
        return bytes
    }

    /// The places of the block allocation table and the metadata. Refuses unknown required regions, doubles, and overlaps.
    func places(log: Range<Int64>) throws(VHDXProblem) -> (bat: Range<Int64>, metadata: Range<Int64>) {
        for region in regions where region.isRequired {
            guard region.guid == VHDXFormat.batRegion || region.guid == VHDXFormat.metadataRegion else {
                throw VHDXProblem("region \(region.guid) is required, and this program does not know it")
            }
        }
        func only(_ guid: GUID, _ name: String) throws(VHDXProblem) -> Range<Int64> {
            let found = regions.filter { $0.guid == guid }
            guard found.count == 1 else { throw VHDXProblem("it names \(found.count) \(name) regions instead of one") }
            return try found[0].place()
        }
        let bat = try only(VHDXFormat.batRegion, "BAT")
        let metadata = try only(VHDXFormat.metadataRegion, "metadata")
        guard !bat.overlaps(metadata), !bat.overlaps(log), !metadata.overlaps(log) else {
            throw VHDXProblem("BAT, metadata and log overlap")
        }
        return (bat, metadata)
    }
}

/// An entry of the block allocation table (MS-VHDX 2.5.1): bits 0–2 state, bits 20–63 place in MiB.
struct VHDXEntry: Equatable, Sendable {
    enum State: UInt8, CaseIterable, Sendable {
        case notPresent = 0
        case undefined, zero, unmapped, reserved
        /// How version 0.95 of the format said unmapped.
        case oldUnmapped
        case fullyPresent, partiallyPresent
    }
    var raw: UInt64

    init(raw: UInt64) { self.raw = raw }
    init(_ state: State, at offset: Int64 = 0) { raw = UInt64(state.rawValue) | UInt64(offset) }

    var state: State { State(rawValue: UInt8(raw & 7))! }
    /// In the file, bytes; not checked, negative for values that no file reaches.
    var offset: Int64 { Int64(bitPattern: raw & ~0xF_FFFF) }
}

/// How a disk's blocks are numbered in the table (MS-VHDX 2.5): `chunkRatio` payload entries, then one of a sector bitmap.
struct VHDXGeometry: Equatable, Sendable {
    /// Bytes.
    var size: Int64
    /// Bytes; a power of two from 1 MiB to 256 MiB.
    var blockSize: Int64
    /// 512 or 4096.
    var sectorSize: Int64
    var differencing: Bool

    /// Payload blocks that share a sector bitmap.
    var chunkRatio: Int64 { (1 << 23) * sectorSize / blockSize }
    var blocks: Int64 { (size + blockSize - 1) / blockSize }
    var chunks: Int64 { (blocks + chunkRatio - 1) / chunkRatio }
    var entries: Int64 { differencing ? chunks * (chunkRatio + 1) : blocks + (blocks - 1) / chunkRatio }
    func index(ofBlock block: Int64) -> Int64 { block + block / chunkRatio }
    func index(ofBitmap chunk: Int64) -> Int64 { (chunk + 1) * (chunkRatio + 1) - 1 }
    /// Nil for a bitmap's entry.
    func block(ofIndex index: Int64) -> Int64? {
        index % (chunkRatio + 1) == chunkRatio ? nil : index - index / (chunkRatio + 1)
    }
    /// The part of the disk that a block holds; the last may be cut short.
    func range(ofBlock block: Int64) -> Range<Int64> { block * blockSize..<min(size, (block + 1) * blockSize) }
    /// Where in its chunk's bitmap a block's bits begin, bytes.
    func bits(ofBlock block: Int64) -> Int64 { block % chunkRatio * (blockSize / sectorSize / 8) }
    /// Of a region that holds the table, whole MiB.
    var tableLength: Int64 {
        max(VHDXFormat.mebibyte, VHDXFormat.roundedUp(entries * 8))
    }

    func problem() -> VHDXProblem? {
        let unit = VHDXFormat.mebibyte
        guard blockSize >= unit, blockSize <= 256 * unit, blockSize & (blockSize - 1) == 0 else {
            return VHDXProblem("the block size of \(blockSize) bytes is not a power of two from 1 MiB to 256 MiB")
        }
        guard sectorSize == 512 || sectorSize == 4096 else {
            return VHDXProblem("the logical sector of \(sectorSize) bytes is neither 512 nor 4096")
        }
        guard size > 0, size <= VHDXFormat.largestDisk, size % sectorSize == 0 else {
            return VHDXProblem("the disk of \(size) bytes is not whole sectors up to 64 TiB")
        }
        return nil
    }
}
