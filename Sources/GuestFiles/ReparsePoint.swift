import Files

/// What NTFS says at a name that stands for something else, or whose content is kept elsewhere.
struct ReparsePoint: Hashable, Sendable {
    enum Meaning: Hashable, Sendable {
        /// A symbolic link or junction: the target as Windows shows it, and whether it counts from the link's folder.
        case link(target: String, isRelative: Bool)
        /// The content is never in the file's data.
        case elsewhere(String)
        /// The content is in the file's data if that is all there; a sparse one was taken away.
        case perhapsElsewhere(String)
        /// Not a file's content: a socket, an alias of an application.
        case harmless
    }
    var tag: UInt32
    var meaning: Meaning

    /// nil if there are too few bytes for a tag. Source of the tags: [MS-FSCC] 2.1.2.1.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 8 else { return nil }
        tag = bytes.little(at: 0)
        switch tag {
        case 0xA000_000C, 0xA000_0003: meaning = Self.windowsLink(bytes, hasFlags: tag == 0xA000_000C)
        case 0xA000_001D:
            let target = String(decoding: bytes.dropFirst(12), as: UTF8.self)
            meaning = .link(target: target, isRelative: !target.hasPrefix("/"))
        case 0x8000_0017: meaning = .elsewhere("it is compressed by the Windows overlay filter (WOF)")
        case 0x8000_0013: meaning = .elsewhere("it is deduplicated")
        case 0x8000_0007: meaning = .elsewhere("it is kept in the single instance store")
        case 0xC000_0004, 0x8000_0006: meaning = .perhapsElsewhere("it was moved to other storage")
        case 0x8000_001E: meaning = .perhapsElsewhere("it was tiered by Azure File Sync")
        case 0x9000_001C: meaning = .perhapsElsewhere("it is a placeholder of a projected file system")
        case 0x8000_0023, 0x8000_001B: meaning = .harmless
        case let tag where tag & 0xFFFF_0FFF == 0x9000_001A:
            meaning = .perhapsElsewhere("it is a placeholder, its content is in the cloud")
        default: meaning = .perhapsElsewhere("another program's filter may keep it elsewhere")
        }
    }

    private static func windowsLink(_ bytes: [UInt8], hasFlags: Bool) -> Meaning {
        let text = hasFlags ? 20 : 16
        guard bytes.count >= text else { return .perhapsElsewhere("it is a link that does not hold together") }
        let name = { (field: Int) -> String? in
            let (place, count) = (
                Int(bytes.little(UInt16.self, at: field)), Int(bytes.little(UInt16.self, at: field + 2))
            )
            guard text + place + count <= bytes.count else { return nil }
            let units = (0..<count / 2).map { bytes.little(UInt16.self, at: text + place + 2 * $0) }
            return String(decoding: units, as: UTF16.self)
        }
        guard let substitute = name(8), let print = name(12) else {
            return .perhapsElsewhere("it is a link that does not hold together")
        }
        let isRelative = hasFlags && bytes[16] & 1 != 0
        let plain = substitute.hasPrefix("\\??\\") ? String(substitute.dropFirst(4)) : substitute
        return .link(target: print.isEmpty ? plain : print, isRelative: isRelative)
    }
}
