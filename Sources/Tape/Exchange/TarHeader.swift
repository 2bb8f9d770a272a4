import Files

/// The 512-byte headers of tar and the texts that extend them. Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Interchange Format"; GNU tar's manual,
/// "Basic Tar Format".
struct TarHeader: Hashable {
    static let count = 512
    static let largestOctal: Int64 = 1 << 33

    enum Kind: UInt8 {
        case file = 0x30
        case hardLink = 0x31
        case symbolicLink = 0x32
        case characters = 0x33
        case blocks = 0x34
        case folder = 0x35
        case pipe = 0x36
        case contiguous = 0x37
        /// pax, for all that follows.
        case global = 0x67
        /// pax, for the next one.
        case extended = 0x78
        /// GNU: name or link of the next one.
        case longName = 0x4C
        case longLink = 0x4B
    }

    var name: [UInt8]
    var size: Int64
    var modified: Int64
    /// As it stands there.
    var type: UInt8
    var kind: Kind? { type == 0 ? .file : Kind(rawValue: type) }

    static func padded(_ size: Int64) -> Int64 { (size + 511) / 512 * 512 }

    // MARK: Writing

    /// The headers of a file: one, or three if pax must tell what the first has no room for.
    static func encoded(_ name: String, size: Int64, modified: Int64) -> [UInt8] {
        let bytes = Array(name.utf8)
        var texts: [UInt8] = []
        var place = bytes.allSatisfy({ (0x20..<0x7F).contains($0) }) ? split(bytes) : nil
        if place == nil {
            texts += record("path", bytes)
            place = ([], shortened(bytes))
        }
        let isLarge = size >= largestOctal
        if isLarge { texts += record("size", Array(String(size).utf8)) }
        let isOdd = !(0..<largestOctal).contains(modified)
        if isOdd { texts += record("mtime", Array(String(modified).utf8)) }
        var headers: [UInt8] = []
        if !texts.isEmpty {
            headers += block(([], Array("PaxHeaders/".utf8) + shortened(bytes, 88)), Int64(texts.count), 0, .extended)
            headers += texts
            headers += [UInt8](repeating: 0, count: Int(padded(Int64(texts.count))) - texts.count)
        }
        return headers + block(place ?? ([], []), isLarge ? 0 : size, isOdd ? 0 : modified, .file)
    }

    private static func shortened(_ name: [UInt8], _ count: Int = 99) -> [UInt8] {
        // Only old programs look at it.
        let short = name.prefix(count).map { (0x20..<0x7F).contains($0) ? $0 : 0x5F }
        return short.last == 0x2F ? short.dropLast() + [0x5F] : short
    }

    /// Prefix and name, parted at a slash that is stored nowhere; nil if they do not fit.
    private static func split(_ name: [UInt8]) -> (prefix: [UInt8], name: [UInt8])? {
        if name.count <= 100 { return ([], name) }
        for slash in name.indices where name[slash] == 0x2F {
            guard slash <= 155 else { return nil }
            if slash > 0, name.count - slash - 1 <= 100, name.count - slash > 1 {
                return (Array(name[..<slash]), Array(name[(slash + 1)...]))
            }
        }
        return nil
    }

    /// "length key=value", the length being that of all of it.
    private static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let rest = Array(" \(key)=".utf8) + value + [0x0A]
        var count = rest.count
        while String(count).utf8.count + rest.count != count { count = String(count).utf8.count + rest.count }
        return Array(String(count).utf8) + rest
    }

    private static func block(
        _ place: (prefix: [UInt8], name: [UInt8]), _ size: Int64, _ modified: Int64, _ kind: Kind
    ) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        func octal(_ value: Int64, _ digits: Int, _ at: Int) {
            let text = Array(String(value, radix: 8).utf8)
            bytes.put([UInt8](repeating: 0x30, count: digits - text.count) + text, at: at)
        }
        bytes.put(place.name, at: 0)
        octal(0o644, 7, 100)
        octal(0, 7, 108)
        octal(0, 7, 116)
        octal(size, 11, 124)
        octal(modified, 11, 136)
        bytes[156] = kind.rawValue
        bytes.put(Array("ustar\0".utf8) + [0x30, 0x30], at: 257)
        octal(0, 7, 329)
        octal(0, 7, 337)
        bytes.put(place.prefix, at: 345)
        bytes.put([UInt8](repeating: 0x20, count: 8), at: 148)
        octal(Int64(bytes.reduce(0) { $0 + Int($1) }), 6, 148)
        bytes[154] = 0
        return bytes
    }

    // MARK: Reading

    /// - Throws: the cause, if the checksum does not hold or a number is none.
    init(_ bytes: [UInt8]) throws(TarCause) {
        let sum = try Self.number(bytes[148..<156], "its checksum")
        let rest = bytes[..<148] + [UInt8](repeating: 0x20, count: 8) + bytes[156...]
        // Some old programs add signed bytes.
        guard
            rest.reduce(0, { $0 + Int64($1) }) == sum || rest.reduce(0, { $0 + Int64(Int8(bitPattern: $1)) }) == sum
        else { throw TarCause("the checksum of a header does not hold") }
        size = try Self.number(bytes[124..<136], "a size")
        modified = try Self.number(bytes[136..<148], "a time")
        guard size >= 0 else { throw TarCause("a size is negative") }
        // As many as pax' eighteen digits tell.
        guard (-1 << 60...1 << 60).contains(modified) else { throw TarCause("a time is impossible") }
        type = bytes[156]
        name = Array(bytes[..<100].prefix { $0 != 0 })
        let prefix = bytes[345..<500].prefix { $0 != 0 }
        // GNU's own header has other things in the prefix' place.
        if bytes[257..<263].elementsEqual(Array("ustar\0".utf8)), !prefix.isEmpty { name = prefix + [0x2F] + name }
    }

    /// Octal digits between blanks, or GNU's binary with the first bit set.
    private static func number(_ field: ArraySlice<UInt8>, _ what: String) throws(TarCause) -> Int64 {
        guard let first = field.first else { return 0 }
        if first & 0x80 != 0 {
            var value: Int64 = first & 0x40 != 0 ? -1 : 0
            for (index, byte) in field.enumerated() {
                let byte = index == 0 ? (first & 0x40 != 0 ? byte : byte & 0x7F) : byte
                guard value.multipliedReportingOverflow(by: 256).overflow == false else {
                    throw TarCause("\(what) is impossibly large")
                }
                value = value << 8 | Int64(byte)
            }
            return value
        }
        let digits = field.drop { $0 == 0x20 }.prefix { $0 != 0x20 && $0 != 0 }
        var value: Int64 = 0
        for digit in digits {
            guard (0x30..<0x38).contains(digit), value < 1 << 59 else { throw TarCause("\(what) is no octal number") }
            value = value << 3 | Int64(digit - 0x30)
        }
        return value
    }
}

/// Why an archive is refused.
struct TarCause: Error {
    let text: String
    init(_ text: String) { self.text = text }
}

/// What pax' extended headers say.
struct TarTexts: Hashable {
    var values: [String: [UInt8]] = [:]

    /// Adds the records of an extended header; an empty value takes one back.
    mutating func add(_ bytes: [UInt8]) throws(TarCause) {
        var at = 0
        while at < bytes.count {
            // What pads some programs' texts.
            if bytes[at...].allSatisfy({ $0 == 0 }) { return }
            guard let blank = bytes[at...].firstIndex(of: 0x20), let count = Self.decimal(bytes[at..<blank]),
                count > 0, count <= Int64(bytes.count - at)
            else { throw TarCause("an extended header is malformed") }
            let end = at + Int(count)
            guard blank + 1 < end, bytes[end - 1] == 0x0A,
                let equals = bytes[(blank + 1)..<(end - 1)].firstIndex(of: 0x3D)
            else { throw TarCause("an extended header is malformed") }
            let key = String(decoding: bytes[(blank + 1)..<equals], as: UTF8.self)
            values[key] = equals + 1 < end - 1 ? Array(bytes[(equals + 1)..<(end - 1)]) : nil
            at = end
        }
    }

    static func decimal(_ bytes: some Collection<UInt8>) -> Int64? {
        guard !bytes.isEmpty, bytes.count <= 18, bytes.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return bytes.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }

    func number(_ key: String) throws(TarCause) -> Int64? {
        guard let bytes = values[key] else { return nil }
        guard let number = Self.decimal(bytes) else { throw TarCause("\(key) is no number") }
        return number
    }

    /// Whole seconds, those before 1970 too.
    func time(_ key: String) throws(TarCause) -> Int64? {
        guard let bytes = values[key] else { return nil }
        let isNegative = bytes.first == 0x2D
        let parts = bytes.dropFirst(isNegative ? 1 : 0).split(
            separator: 0x2E, maxSplits: 1, omittingEmptySubsequences: false)
        guard let seconds = parts.first.flatMap({ Self.decimal($0) }),
            parts.count < 2 || parts[1].allSatisfy({ (0x30...0x39).contains($0) })
        else { throw TarCause("\(key) is no time") }
        guard isNegative else { return seconds }
        return parts.count == 2 && parts[1].contains { $0 != 0x30 } ? -seconds - 1 : -seconds
    }
}
