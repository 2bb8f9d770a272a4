public import Files

/// What a set is of, as whoever writes it says. All of it but identifier and dates is hidden on an encrypted set.
public struct SetDescription: Hashable, Sendable {
    /// Identifies the set for ever; also what keys are bound to.
    public var set: GUID
    /// At most 1000 characters, as every text here.
    public var name: String
    public var description: String
    /// Which datasource it is a recovery point of; free text.
    public var datasource: String
    public var machine: String
    public var user: String
    /// The recovery point, seconds since 1970.
    public var date: Int64
    /// When the cartridge may be written over, seconds since 1970; nil for never.
    public var expiry: Int64?

    public init(
        set: GUID, name: String, description: String = "", datasource: String = "", machine: String = "",
        user: String = "", date: Int64, expiry: Int64? = nil
    ) {
        (self.set, self.name, self.description, self.datasource) = (set, name, description, datasource)
        (self.machine, self.user, self.date, self.expiry) = (machine, user, date, expiry)
    }

    /// - Throws: `TAPE-TEXT` for texts that are too long.
    func check() throws(StorageFault) {
        for (what, text) in [
            ("name", name), ("description", description), ("datasource", datasource), ("machine", machine),
            ("user", user),
        ] where text.utf16.count > 1000 {
            throw StorageFault(
                .badInput, "TAPE-TEXT", "set \(set)",
                "its \(what) has \(text.utf16.count) characters, 1000 are allowed",
                action: "Shorten it")
        }
    }
}

/// How hard zstd tries. Measured on two cores: fast about 1.3 times as quick as default for a fifth more bytes, strong
/// about half as quick for a twentieth fewer (tape-format.md, section 5).
public enum SetCompression: String, CaseIterable, Hashable, Sendable {
    case fast, `default`, strong

    var level: Int32 {
        switch self {
        case .fast: -3
        case .default: 1
        case .strong: 3
        }
    }
}

/// How a set is written.
public struct SetOptions: Sendable {
    /// Bytes of a record on tape, 16 KiB to 1 MiB, a multiple of 4 KiB.
    public var recordLength = 1 << 20
    /// Nil: as it is.
    public var compression: SetCompression?
    /// Certificates whose keys shall open the set; empty for a set that is not encrypted.
    public var certificates: [Certificate] = []
    /// Threads that compress and seal; nil for one a processor, at most 8.
    public var workers: Int?
    /// Asked before each medium is ended and before the set is: what it throws ends the set. For
    /// `CertificateStores.confirm`, so that a certificate that changed while the job ran fails it.
    public var confirm: (@Sendable () throws(StorageFault) -> Void)?
    /// Plain bytes of the set, holes included, at which a medium is ended though there is room on it, ascending: the set goes on on
    /// the next one before the record that would pass them. At least one record lies on each medium.
    public var mediaEnds: [Int64] = []
    /// Now and then called with the plain bytes done so far, holes included, on the writing thread.
    public var progress: (@Sendable (Int64) -> Void)?

    public init() {}

    public var isEncrypted: Bool { !certificates.isEmpty }
    /// Whether files become standard data streams, which other programs can read.
    public var isPlain: Bool { certificates.isEmpty && compression == nil }

    func check() throws(StorageFault) {
        guard (1 << 14...1 << 20).contains(recordLength), recordLength % 4096 == 0 else {
            throw StorageFault(
                .badInput, "TAPE-RECORD-LENGTH", "record length \(recordLength)",
                "it is not a multiple of 4096 between 16384 and 1048576", action: "Choose another one, 1048576 at best")
        }
    }
}

/// What one medium holds of a set.
public struct SpanReceipt: Hashable, Sendable {
    /// The medium.
    public var tape: TapeLabel
    /// From 1.
    public var span: UInt32
    /// The record of its SSET, and behind its last filemark.
    public var start: TapePosition
    public var end: TapePosition
    public var records: UInt32
    /// Bytes of files, holes included, and of records on tape.
    public var plainBytes: UInt64
    public var storedBytes: UInt64
    public var tagHash: [UInt8]
    /// To be kept: the newest one shows that no later set was taken from the medium, and the medium not turned back.
    public var chain: [UInt8]
}

/// What was written.
public struct SetReceipt: Hashable, Sendable {
    public var set: GUID
    /// Number of the set on its medium family, from 1.
    public var number: Int
    /// Opaque names of the files on an encrypted set, their own names otherwise; in their order.
    public var names: [String]
    public var spans: [SpanReceipt]
}
