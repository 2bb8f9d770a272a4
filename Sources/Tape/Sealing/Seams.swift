public import Files

/// Where random bytes of keys, salts and nonces come from. Tests give a seeded one, programs OpenSSL's.
public protocol SecretSource: AnyObject, Sendable {
    func fill(_ buffer: UnsafeMutableRawBufferPointer) throws(StorageFault)
}

/// The first 64 bytes of a sealed record, all of which the tag covers. Layout: FORMAT.md.
public struct SealedHeader: Hashable, Sendable {
    public static let count = 64
    public static let directory: UInt32 = .max
    public enum Suite: UInt8, Sendable { case none = 0, aes256gcm = 1 }
    public enum Compression: UInt8, Sendable { case stored = 0, zstd = 1, zeros = 2 }
    public enum Flag: UInt8, Sendable { case more = 0, lastOfSet = 1, lastOfSpan = 2 }

    public var suite = Suite.none
    public var compression = Compression.stored
    public var flag = Flag.more
    public var set: GUID
    public var span: UInt32
    public var counter: UInt32
    public var firstByte: UInt64 = 0
    public var plainLength: UInt64 = 0
    public var storedLength: UInt32 = 0
    public var file: UInt32 = 0
    /// First 8 bytes of the tag hash of the span before; in counter 0 only.
    public var before: UInt64 = 0

    public init(set: GUID, span: UInt32, counter: UInt32) {
        (self.set, self.span, self.counter) = (set, span, counter)
    }
}
