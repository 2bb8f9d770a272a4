/// The four letters that name a block or stream of the Microsoft Tape Format.
struct FourLetters: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// As stored, read little-endian.
    let code: UInt32

    init(code: UInt32) { self.code = code }

    init(stringLiteral text: StaticString) {
        precondition(text.utf8CodeUnitCount == 4, "a type has four letters")
        code = (0..<4).reduce(0) { $0 | UInt32(text.utf8Start[$1]) << (8 * $1) }
    }

    var isPrintable: Bool { (0..<4).allSatisfy { (0x20..<0x7F).contains(UInt8(truncatingIfNeeded: code >> (8 * $0))) } }

    var description: String {
        guard isPrintable else { return "0x" + String(code, radix: 16) }
        return String(decoding: (0..<4).map { UInt8(truncatingIfNeeded: code >> (8 * $0)) }, as: UTF8.self)
    }
}

extension FourLetters {
    static let tape: FourLetters = "TAPE"
    static let setStart: FourLetters = "SSET"
    static let volume: FourLetters = "VOLB"
    static let directory: FourLetters = "DIRB"
    static let file: FourLetters = "FILE"
    static let corrupt: FourLetters = "CFIL"
    static let padding: FourLetters = "ESPB"
    static let setEnd: FourLetters = "ESET"
    static let tapeEnd: FourLetters = "EOTM"
}

extension FourLetters {
    static let standardData: FourLetters = "STAN"
    static let pad: FourLetters = "SPAD"
    static let sparse: FourLetters = "SPAR"
    static let setMap: FourLetters = "MAP2"
    static let fileDetail: FourLetters = "FDD2"
    /// JSON on the medium itself, in TAPE.
    static let onMedia: FourLetters = "DPMO"
    /// Key envelope and identity of a span.
    static let envelope: FourLetters = "DPMK"
    /// Sealed records.
    static let sealed: FourLetters = "DPME"
    /// Seal of a span.
    static let seal: FourLetters = "DPMS"
    /// Checksums of a plain file's records.
    static let checks: FourLetters = "DPMC"
}

/// Facts of the format as it is written here.
enum MTF {
    /// Format logical block: every block starts on a multiple of it, bytes.
    static let flb = 1024
    static let blockHeader = 52
    static let streamHeader = 22
    /// Streams begin on multiples of it.
    static let alignment = 4

    static func aligned(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }
    static func aligned(_ count: Int64) -> Int64 {
        (count + Int64(alignment) - 1) / Int64(alignment) * Int64(alignment)
    }
}
