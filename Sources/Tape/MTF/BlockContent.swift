/// What blocks say beyond their header. Texts are without a terminating NUL. Dates are seconds since 1970, UTC.
enum BlockContent: Hashable, Sendable {
    case tape(TapeFacts)
    case setStart(SetStartFacts)
    case volume(VolumeFacts)
    case directory(DirectoryFacts)
    case file(FileFacts)
    case corrupt(CorruptFacts)
    case padding
    case setEnd(SetEndFacts)
    case tapeEnd(TapeEndFacts)
    /// A type this program does not know; readers must pass over it.
    case unknown

    struct TapeFacts: Hashable, Sendable {
        var family: UInt32
        var sequence: UInt16
        var catalogType: UInt16 = 2
        var name = ""
        var label = ""
        var software = ""
        var flb = UInt16(MTF.flb)
        var vendor: UInt16 = 0
        var date: Int64?
    }

    struct SetStartFacts: Hashable, Sendable {
        /// 2 is a normal backup (bit 2).
        var attributes: UInt32 = 1 << 2
        var compression: UInt16 = 0
        var vendor: UInt16 = 0
        var number: UInt16
        var name = ""
        var description = ""
        var user = ""
        /// The record the set starts in, counted from the beginning of the partition.
        var object: UInt64 = 0
        var date: Int64?
        var softwareMajor: UInt8 = 1
        var softwareMinor: UInt8 = 0
        /// Quarters of an hour from UTC.
        var timeZone: Int8 = 0
        var minor: UInt8 = 0
        var catalogVersion: UInt8 = 2
    }

    struct VolumeFacts: Hashable, Sendable {
        var attributes: UInt32 = 0
        var device = ""
        var volume = ""
        var machine = ""
        var date: Int64?
    }

    struct DirectoryFacts: Hashable, Sendable {
        var attributes: UInt32 = 0
        var modified: Int64?
        var created: Int64?
        var backedUp: Int64?
        var accessed: Int64?
        var id: UInt32 = 1
        /// Parts separated and ended by NUL, as stored; the root is one NUL.
        var name = "\0"
    }

    struct FileFacts: Hashable, Sendable {
        var attributes: UInt32 = 0
        var modified: Int64?
        var created: Int64?
        var backedUp: Int64?
        var accessed: Int64?
        var directory: UInt32 = 1
        var id: UInt32
        var name: String
    }

    struct CorruptFacts: Hashable, Sendable {
        var attributes: UInt32 = 0
        var streamOffset: UInt64 = 0
        var stream: UInt16 = 0
    }

    struct SetEndFacts: Hashable, Sendable {
        var attributes: UInt32 = 0
        var corrupt: UInt32 = 0
        /// The record this block lies in, counted from the beginning of the partition.
        var object: UInt64 = 0
        var detailSequence: UInt16 = 1
        var number: UInt16
        var date: Int64?
    }

    struct TapeEndFacts: Hashable, Sendable {
        /// The record of the last ESET; 0 if there is none.
        var lastSetEnd: UInt64 = 0
    }

    var type: FourLetters? {
        switch self {
        case .tape: .tape
        case .setStart: .setStart
        case .volume: .volume
        case .directory: .directory
        case .file: .file
        case .corrupt: .corrupt
        case .padding: .padding
        case .setEnd: .setEnd
        case .tapeEnd: .tapeEnd
        case .unknown: nil
        }
    }

    /// Bytes before the block's texts.
    static func fixedSize(_ type: FourLetters) -> Int {
        switch type {
        case .tape: 94
        case .setStart: 98
        case .volume: 73
        case .directory: 84
        case .file: 88
        case .corrupt: 74
        case .setEnd: 85
        case .tapeEnd: 60
        default: MTF.blockHeader
        }
    }
}
