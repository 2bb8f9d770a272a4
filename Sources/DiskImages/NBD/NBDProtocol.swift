import Files

/// The numbers of the NBD protocol and its messages as bytes (the protocol's document `proto.md`, fixed newstyle). All of it is
/// pure: nothing here reads or writes a socket. Integers on the wire are big-endian.
enum NBD {
    static let passwordMagic: UInt64 = 0x4E42_444D_4147_4943  // "NBDMAGIC"
    static let optionMagic: UInt64 = 0x4948_4156_454F_5054  // "IHAVEOPT"
    static let optionReplyMagic: UInt64 = 0x0003_E889_0455_65A9
    static let requestMagic: UInt32 = 0x2560_9513
    static let simpleReplyMagic: UInt32 = 0x6744_6698
    static let chunkMagic: UInt32 = 0x668E_33EF

    /// Of one read or write, bytes; told to clients as the greatest block size.
    static let maximumTransfer = 32 << 20
    /// Of the data of one option, bytes; a client that announces more is cut off.
    static let maximumOption = 64 << 10
    /// Of a name or an error message, bytes.
    static let maximumString = 4096
    /// The identifier of the one metadata context there is.
    static let allocationContext: UInt32 = 1
    static let allocationContextName = "base:allocation"

    enum HandshakeFlag {
        static let fixedNewstyle: UInt16 = 1
        static let noZeroes: UInt16 = 2
    }

    enum Option {
        static let exportName: UInt32 = 1
        static let abort: UInt32 = 2
        static let list: UInt32 = 3
        static let info: UInt32 = 6
        static let go: UInt32 = 7
        static let structuredReply: UInt32 = 8
        static let listMetaContext: UInt32 = 9
        static let setMetaContext: UInt32 = 10
    }

    enum Reply {
        static let ack: UInt32 = 1
        static let server: UInt32 = 2
        static let info: UInt32 = 3
        static let metaContext: UInt32 = 4
        static let unsupported: UInt32 = 1 << 31 | 1
        static let invalid: UInt32 = 1 << 31 | 3
        static let unknown: UInt32 = 1 << 31 | 6
    }

    enum Info {
        static let export: UInt16 = 0
        static let name: UInt16 = 1
        static let description: UInt16 = 2
        static let blockSize: UInt16 = 3
    }

    enum ExportFlag {
        static let hasFlags: UInt16 = 1 << 0
        static let readOnly: UInt16 = 1 << 1
        static let sendFlush: UInt16 = 1 << 2
        static let sendFUA: UInt16 = 1 << 3
        static let sendTrim: UInt16 = 1 << 5
        static let sendWriteZeroes: UInt16 = 1 << 6
        static let sendDF: UInt16 = 1 << 7
        static let multipleConnections: UInt16 = 1 << 8
        static let sendCache: UInt16 = 1 << 10
    }

    enum Command: UInt16 {
        case read = 0
        case write = 1
        case disconnect = 2
        case flush = 3
        case trim = 4
        case cache = 5
        case writeZeroes = 6
        case blockStatus = 7
    }

    enum CommandFlag {
        static let fua: UInt16 = 1 << 0
        static let noHole: UInt16 = 1 << 1
        static let dontFragment: UInt16 = 1 << 2
        static let requestOne: UInt16 = 1 << 3
    }

    enum ErrorCode: UInt32 {
        case permission = 1
        case inputOutput = 5
        case invalid = 22
        case noSpace = 28
    }

    enum Chunk {
        static let none: UInt16 = 0
        static let offsetData: UInt16 = 1
        static let offsetHole: UInt16 = 2
        static let blockStatus: UInt16 = 5
        static let error: UInt16 = 1 << 15 | 1
        static let errorOffset: UInt16 = 1 << 15 | 2
        /// The flag of the last chunk of a reply.
        static let done: UInt16 = 1
    }

    enum State {
        static let hole: UInt32 = 1
        static let zero: UInt32 = 2
    }
}

/// A request of a client, 28 bytes on the wire.
struct NBDRequest: Hashable, Sendable {
    static let length = 28
    var flags: UInt16
    /// As sent; see `NBD.Command`.
    var type: UInt16
    /// Chosen by the client, given back in the replies.
    var cookie: UInt64
    var offset: UInt64
    var count: UInt32

    var command: NBD.Command? { NBD.Command(rawValue: type) }

    /// Nil if the magic is wrong: nothing that follows can be understood then.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.length, bytes.big(UInt32.self, at: 0) == NBD.requestMagic else { return nil }
        flags = bytes.big(at: 4)
        type = bytes.big(at: 6)
        cookie = bytes.big(at: 8)
        offset = bytes.big(at: 16)
        count = bytes.big(at: 24)
    }

    func has(_ flag: UInt16) -> Bool { flags & flag != 0 }

    /// The range asked for if it lies inside a disk of `size` bytes.
    func range(within size: Int64) -> Range<Int64>? {
        guard let start = Int64(exactly: offset), start <= size, Int64(count) <= size - start else { return nil }
        return start..<start + Int64(count)
    }

    /// The flags that mean something with this request; another one makes it invalid.
    var allowedFlags: UInt16 {
        switch command {
        case .read: NBD.CommandFlag.fua | NBD.CommandFlag.dontFragment
        case .write, .trim, .flush, .cache: NBD.CommandFlag.fua
        case .writeZeroes: NBD.CommandFlag.fua | NBD.CommandFlag.noHole
        case .blockStatus: NBD.CommandFlag.fua | NBD.CommandFlag.requestOne
        case .disconnect, nil: .max
        }
    }
}

/// One stretch of a disk in a block status reply.
struct NBDExtent: Hashable, Sendable {
    var length: UInt32
    var flags: UInt32
}

/// Messages of the server, as bytes.
enum NBDMessage {
    static func greeting() -> [UInt8] {
        var out: [UInt8] = []
        out.appendBig(NBD.passwordMagic)
        out.appendBig(NBD.optionMagic)
        out.appendBig(NBD.HandshakeFlag.fixedNewstyle | NBD.HandshakeFlag.noZeroes)
        return out
    }

    static func optionReply(_ option: UInt32, _ type: UInt32, _ data: [UInt8] = []) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(20 + data.count)
        out.appendBig(NBD.optionReplyMagic)
        out.appendBig(option)
        out.appendBig(type)
        out.appendBig(UInt32(data.count))
        out += data
        return out
    }

    static func simpleReply(_ cookie: UInt64, _ error: NBD.ErrorCode? = nil) -> [UInt8] {
        var out: [UInt8] = []
        out.appendBig(NBD.simpleReplyMagic)
        out.appendBig(error?.rawValue ?? 0)
        out.appendBig(cookie)
        return out
    }

    /// The head of a chunk whose `payload` bytes follow.
    static func chunk(_ type: UInt16, _ cookie: UInt64, done: Bool, payload: Int) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(32)
        out.appendBig(NBD.chunkMagic)
        out.appendBig(done ? NBD.Chunk.done : 0)
        out.appendBig(type)
        out.appendBig(cookie)
        out.appendBig(UInt32(payload))
        return out
    }

    /// The head of a data chunk whose `count` bytes follow.
    static func data(_ cookie: UInt64, at offset: Int64, count: Int, done: Bool) -> [UInt8] {
        var out = chunk(NBD.Chunk.offsetData, cookie, done: done, payload: 8 + count)
        out.appendBig(UInt64(offset))
        return out
    }

    static func hole(_ cookie: UInt64, _ range: Range<Int64>, done: Bool) -> [UInt8] {
        var out = chunk(NBD.Chunk.offsetHole, cookie, done: done, payload: 12)
        out.appendBig(UInt64(range.lowerBound))
        out.appendBig(UInt32(range.upperBound - range.lowerBound))
        return out
    }

    static func blockStatus(_ cookie: UInt64, _ extents: [NBDExtent]) -> [UInt8] {
        var out = chunk(NBD.Chunk.blockStatus, cookie, done: true, payload: 4 + 8 * extents.count)
        out.appendBig(NBD.allocationContext)
        for extent in extents {
            out.appendBig(extent.length)
            out.appendBig(extent.flags)
        }
        return out
    }

    /// The end of a reply that failed, wholly or from `offset` on.
    static func error(_ cookie: UInt64, _ code: NBD.ErrorCode, _ text: String, at offset: Int64? = nil) -> [UInt8] {
        let message = bounded(text)
        let type = offset == nil ? NBD.Chunk.error : NBD.Chunk.errorOffset
        var out = chunk(type, cookie, done: true, payload: 6 + message.count + (offset == nil ? 0 : 8))
        out.appendBig(code.rawValue)
        out.appendBig(UInt16(message.count))
        out += message
        if let offset { out.appendBig(UInt64(offset)) }
        return out
    }

    /// A text as the protocol allows it: whole characters, at most 4096 bytes, no zero byte.
    static func bounded(_ text: String) -> [UInt8] {
        var out: [UInt8] = []
        for character in text where character != "\0" {
            let bytes = Array(character.utf8)
            guard out.count + bytes.count <= NBD.maximumString else { break }
            out += bytes
        }
        return out
    }
}

extension NBD.ErrorCode {
    /// What a client is told of a fault.
    init(_ fault: StorageFault) {
        self =
            switch fault.kind {
            case .badInput: .invalid
            case .outOfSpace: .noSpace
            case .readOnly, .permission: .permission
            case .damaged, .missing, .busy, .device: .inputOutput
            }
    }
}

extension [UInt8] {
    mutating func appendBig<T: FixedWidthInteger>(_ value: T) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}

/// Reads a message from front to back; nil as soon as it is too short.
struct NBDFields {
    private var rest: ArraySlice<UInt8>
    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func next<T: FixedWidthInteger>(_ type: T.Type = T.self) -> T? {
        guard let bytes = bytes(T.bitWidth / 8) else { return nil }
        return bytes.reduce(0) { $0 << 8 | T(truncatingIfNeeded: $1) }
    }

    /// Valid UTF-8 of `count` bytes, at most 4096.
    mutating func string(_ count: UInt32) -> String? {
        guard count <= NBD.maximumString, let bytes = bytes(Int(count)) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    private mutating func bytes(_ count: Int) -> ArraySlice<UInt8>? {
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}
