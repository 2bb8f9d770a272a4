import Files

/// The files of a pool and what stands at their beginning. The folder's README has the picture.
enum Layout {
    static let version: UInt32 = 1
    static func map(_ folder: String) -> String { folder + "/map.db" }
    static func mirror(_ folder: String) -> String { folder + "/map-mirror.db" }
    static func reserve(_ folder: String) -> String { folder + "/reserve" }
    static func locks(_ folder: String) -> String { folder + "/locks" }
    static func segments(_ folder: String) -> String { folder + "/segments" }
    static func identity(_ folder: String) -> String { folder + "/dpmsim-pool" }
    /// Where an identity file is written before it takes its place.
    static func newIdentity(_ folder: String) -> String { identity(folder) + ".new" }
    static func segment(_ folder: String, _ number: Int64) -> String {
        let digits = String(number)
        return segments(folder) + "/" + String(repeating: "0", count: max(0, 7 - digits.count)) + digits + ".seg"
    }
    static let reserveSize: Int64 = 8 << 20

    /// Whether an interrupted creation left this folder: the identity file comes last, and before it there are no segments.
    static func isUnfinishedPool(_ folder: String, on files: any FileSystem) throws(StorageFault) -> Bool {
        let names = try files.list(folder).map { folder + "/" + $0 }
        let own = [map(folder), mirror(folder), reserve(folder), locks(folder), segments(folder), newIdentity(folder)]
        let isOwn = { (name: String) in
            own.contains(name) || name.hasPrefix(map(folder)) || name.hasPrefix(mirror(folder))
        }
        guard !names.isEmpty, names.allSatisfy(isOwn) else { return false }
        guard names.contains(segments(folder)) else { return true }
        return try files.list(segments(folder)).isEmpty
    }

    /// The first unit of a segment: magic, version, pool, number, size, CRC-32C of all before it.
    static func segmentHeader(pool: GUID, number: Int64, size: Int64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(Location.unit))
        bytes.put(Array("dpmsegmt".utf8), at: 0)
        bytes.putLittle(version, at: 8)
        bytes.put(pool.bytes, at: 16)
        bytes.putLittle(number, at: 32)
        bytes.putLittle(size, at: 40)
        bytes.putLittle(CRC32C.of(Array(bytes[..<4092])), at: 4092)
        return bytes
    }

    /// What tells a pool's folder: text with a CRC-32C, so that a person can read it.
    static func identityText(pool: GUID, volume: Int64) -> [UInt8] {
        let text = "dpmsim storage pool, version \(version)\npool \(pool)\nvolume \(volume)\n"
        return Array((text + "crc32c \(String(CRC32C.of(Array(text.utf8)), radix: 16))\n").utf8)
    }

    /// Reads a folder's identity file; nil if there is none.
    static func readIdentity(_ folder: String, on files: any FileSystem) throws(StorageFault) -> (
        pool: GUID, volume: Int64
    )? {
        guard try files.kind(of: identity(folder)) == .file else { return nil }
        let file = try files.open(identity(folder), .read)
        let size = try file.size()
        let damaged = StorageFault.pool(
            .damaged, "IDENTITY", identity(folder), "the file that tells which pool this folder belongs to is damaged",
            "Run the pool's repair, which writes it anew")
        guard size > 0, size < 4096 else { throw damaged }
        let bytes = try file.bytes(Int(size), at: 0)
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard lines.count == 4, let pool = GUID(String(lines[1].dropFirst(5))),
            let volume = Int64(lines[2].dropFirst(7)),
            bytes == identityText(pool: pool, volume: volume)
        else { throw damaged }
        return (pool, volume)
    }
}
