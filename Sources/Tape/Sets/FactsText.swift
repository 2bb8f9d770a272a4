import Files
import Foundation

/// JSON with sorted keys, of the small structures that lie on tape.
enum FactsText {
    /// Larger texts are not read.
    static let largest = 1 << 28

    static func encoded(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Structures of texts and numbers always encode.
        return (try? encoder.encode(value)).map { [UInt8]($0) } ?? []
    }

    /// - Throws: `TAPE-MTF` for what is no such text.
    static func decoded<Value: Decodable>(
        _ type: Value.Type, _ bytes: some Collection<UInt8>, at place: String
    ) throws(StorageFault) -> Value {
        guard bytes.count <= largest, let value = try? JSONDecoder().decode(type, from: Data(bytes)) else {
            throw .mtf(place, "its facts cannot be read")
        }
        return value
    }
}

/// What a set's SSET says in the clear, behind "DPMD" in the place of the system's data.
struct ClearFacts: Codable, Hashable, Sendable {
    var set: String
    var span: UInt32
    /// Bytes of a full record on tape.
    var record: Int
    var encrypted: Bool
    var compressed: Bool
    var plain: Bool
    var files: Int
    var date: Int64
    var expiry: Int64?
    var datasource: String?

    static let magic = Array("DPMD".utf8)
    var osData: [UInt8] { Self.magic + FactsText.encoded(self) }

    /// Nil for a set of another program.
    init?(osData: [UInt8], at place: String) throws(StorageFault) {
        guard osData.starts(with: Self.magic) else { return nil }
        self = try FactsText.decoded(ClearFacts.self, osData.dropFirst(4), at: place)
        guard GUID(set) != nil, span > 0, record >= 1 << 14, record <= 1 << 20, record % 4096 == 0 else {
            throw .mtf(place, "its facts cannot be true")
        }
    }

    init(_ description: SetDescription, _ options: SetOptions, span: UInt32, files: Int) {
        set = description.set.description
        (self.span, record) = (span, options.recordLength)
        (encrypted, compressed, plain) = (options.isEncrypted, options.compression != nil, options.isPlain)
        self.files = files
        (date, expiry) = (description.date, description.expiry)
        datasource = options.isEncrypted ? nil : description.datasource
    }
}

/// The directory of a set, in its first sealed records.
struct DirectoryText: Codable, Hashable, Sendable {
    struct File: Codable, Hashable, Sendable {
        var name: String
        var size: Int64
        var modified: Int64
    }
    var set: String
    var name: String
    var description: String
    var datasource: String
    var machine: String
    var user: String
    var date: Int64
    var expiry: Int64?
    var files: [File]

    init(_ description: SetDescription, _ files: [File]) {
        set = description.set.description
        (name, self.description, datasource) = (description.name, description.description, description.datasource)
        (machine, user, date, expiry) = (description.machine, description.user, description.date, description.expiry)
        self.files = files
    }
}

/// What stands in a FILE block in the place of the system's data: where this medium's part of the file lies. 48 bytes.
struct FileExtent: Hashable, Sendable {
    static let count = 48
    static let magic: UInt32 = 0x464D_5044

    /// In the set, from 0.
    var file: UInt32
    var span: UInt32
    /// Of its first sealed record in the span.
    var counter: UInt32
    /// The tape record in which its data begin.
    var object: Int64
    /// The byte of the file this part begins with.
    var firstByte: Int64
    var size: Int64
    var modified: Int64

    var encoded: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.count)
        bytes.putLittle(Self.magic, at: 0)
        bytes.putLittle(file, at: 4)
        bytes.putLittle(span, at: 8)
        bytes.putLittle(counter, at: 12)
        bytes.putLittle(object, at: 16)
        bytes.putLittle(firstByte, at: 24)
        bytes.putLittle(size, at: 32)
        bytes.putLittle(modified, at: 40)
        return bytes
    }

    init(file: UInt32, span: UInt32, counter: UInt32, object: Int64, firstByte: Int64, size: Int64, modified: Int64) {
        (self.file, self.span, self.counter, self.object) = (file, span, counter, object)
        (self.firstByte, self.size, self.modified) = (firstByte, size, modified)
    }

    func shifted(by count: Int64) -> FileExtent {
        var moved = self
        moved.object += count
        return moved
    }

    /// Nil for what no writer writes.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.count, bytes.little(UInt32.self, at: 0) == Self.magic else { return nil }
        file = bytes.little(at: 4)
        span = bytes.little(at: 8)
        counter = bytes.little(at: 12)
        object = bytes.little(at: 16)
        firstByte = bytes.little(at: 24)
        size = bytes.little(at: 32)
        modified = bytes.little(at: 40)
        guard (0..<1 << 60).contains(object), firstByte >= 0, (firstByte...SetPlan.largestFile).contains(size),
            span > 0
        else { return nil }
    }
}
