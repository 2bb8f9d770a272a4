public import Protection

/// What DPM knows of a tape. Times are seconds since 1970, GUIDs texts.
public struct TapeEntry: Codable, Hashable, Sendable {
    public var barcode: String
    /// Where it was at the last inventory or move; nil: not in the library.
    public var place: LibraryElement?
    public var standing: TapeStanding
    /// The cartridge's own identifier, once it was read.
    public var cartridge: String?
    /// Its on-media identifier, family and place in it, once it was read.
    public var identity: String?
    public var family: UInt32?
    public var sequence: Int?
    public var label: String?
    /// Protection group whose data it holds.
    public var owner: String?
    public var colocationSet: String?
    /// Identifier of the library that wrote it, if it was another one.
    public var writer: String?
    public var isLongTerm = false
    public var isEncrypted = false
    /// The run of a schedule that wrote it last.
    public var run: Int?
    public var firstWritten: Int64?
    public var lastWritten: Int64?
    public var identified: Int64?
    /// Native bytes on it, and left before early warning, when it was last looked at.
    public var written: Int64 = 0
    public var room: Int64
    /// By number on their family.
    public var sets: [CatalogedSet] = []

    init(barcode: String, place: LibraryElement?, standing: TapeStanding, room: Int64) {
        (self.barcode, self.place, self.standing, self.room) = (barcode, place, standing, room)
    }

    public var facts: LTOFacts? { BarcodeLabel(barcode)?.facts }
    /// How it is called: by its label, or its bar code.
    public var title: String { label.map { "\($0) (\(barcode))" } ?? barcode }

    /// Latest of its sets' expiries; nil if it has none or one never expires.
    public var lastExpiry: Int64? {
        guard !sets.isEmpty, sets.allSatisfy({ $0.expiry != nil }) else { return nil }
        return sets.compactMap(\.expiry).max()
    }

    /// Forgets what was on it.
    mutating func forget() {
        (identity, family, sequence, label, owner, colocationSet, writer) = (nil, nil, nil, nil, nil, nil, nil)
        (isLongTerm, isEncrypted, run, firstWritten, lastWritten) = (false, false, nil, nil, nil)
        (sets, written) = ([], 0)
    }
}

/// A set on a tape, or the part of it that lies there.
public struct CatalogedSet: Codable, Hashable, Sendable {
    /// Its GUID.
    public var set: String
    /// Number on its family, from 1.
    public var number: Int
    /// Nil where only the certificate would tell.
    public var name: String?
    public var datasource: String?
    public var machine: String?
    public var date: Int64
    public var expiry: Int64?
    /// Of the files of the whole set.
    public var bytes: Int64
    public var files: [FileEntry] = []
    /// Parts of it on this tape, from 1 and in order; the last part of all closes the set.
    public var firstSpan: Int
    public var lastSpan: Int
    public var isClosed: Bool
    /// SHA-1 thumbprints of the certificates that open it; empty if it is not encrypted.
    public var thumbprints: [String] = []

    public struct FileEntry: Codable, Hashable, Sendable {
        /// Opaque on an encrypted set that was read without its certificate.
        public var name: String
        public var size: Int64
        public var modified: Int64

        public init(name: String, size: Int64, modified: Int64) {
            (self.name, self.size, self.modified) = (name, size, modified)
        }
    }

    public init(
        set: String, number: Int, name: String? = nil, datasource: String? = nil, machine: String? = nil, date: Int64,
        expiry: Int64? = nil, bytes: Int64, files: [FileEntry] = [], spans: ClosedRange<Int> = 1...1,
        isClosed: Bool = true, thumbprints: [String] = []
    ) {
        (self.set, self.number, self.name, self.datasource) = (set, number, name, datasource)
        (self.machine, self.date, self.expiry, self.bytes, self.files) = (machine, date, expiry, bytes, files)
        (firstSpan, lastSpan, self.isClosed) = (spans.lowerBound, spans.upperBound, isClosed)
        self.thumbprints = thumbprints
    }
}
