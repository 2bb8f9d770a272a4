import Files

/// An attribute of the medium's memory (SPC-5, 7.4; READ ATTRIBUTE and WRITE ATTRIBUTE).
public struct CartridgeAttribute: Sendable, Hashable {
    public enum Format: UInt8, Sendable { case binary = 0, ascii = 1, text = 2 }
    public var id: UInt16
    public var format: Format
    public var value: [UInt8]
    public var isReadOnly: Bool

    public init(id: UInt16, format: Format, value: [UInt8], isReadOnly: Bool) {
        (self.id, self.format, self.value, self.isReadOnly) = (id, format, value, isReadOnly)
    }

    /// Its value as people read it: text trimmed, numbers decimal, anything else in hex.
    public var text: String {
        switch format {
        case .ascii, .text:
            var name = value[...]
            while let last = name.last, last == 0x20 || last == 0 { name.removeLast() }
            return String(decoding: name, as: UTF8.self)
        case .binary:
            if value.count <= 8 { return String(value.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) }
            return value.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
    }
}

/// Which attributes a host may write, with their lengths. Source: tape-format.md 3.3 and 3.6, SPC-5 table 440.
enum CartridgeAttributeRule {
    struct Rule {
        var format: CartridgeAttribute.Format
        var longest: Int
        /// Whether each partition has one of its own.
        var isOfPartition = false
    }
    static let ids: [UInt16] = Array(0x0800...0x080C) + [0x1623]

    static func rule(_ id: UInt16) -> Rule? {
        switch id {
        case 0x0800: Rule(format: .ascii, longest: 8)  // application vendor
        case 0x0801: Rule(format: .ascii, longest: 32)  // application name
        case 0x0802: Rule(format: .ascii, longest: 8)  // application version
        case 0x0803: Rule(format: .text, longest: 160)  // user medium text label
        case 0x0804: Rule(format: .ascii, longest: 12)  // date and time last written
        case 0x0805: Rule(format: .binary, longest: 1)  // text localization
        case 0x0806: Rule(format: .ascii, longest: 32)  // barcode
        case 0x0807: Rule(format: .text, longest: 80)  // owning host
        case 0x0808: Rule(format: .text, longest: 160)  // media pool
        case 0x0809: Rule(format: .ascii, longest: 16, isOfPartition: true)  // partition label
        case 0x080A: Rule(format: .binary, longest: 1)  // load and unload at a partition
        case 0x080B: Rule(format: .ascii, longest: 16)  // application format version
        case 0x080C: Rule(format: .binary, longest: 1023, isOfPartition: true)  // volume coherency
        case 0x1623: Rule(format: .binary, longest: 1)  // volume lock state
        default: nil
        }
    }
}

/// Who loads a cartridge: kept in attributes 020A to 020D, newest first.
public struct CartridgeDrive: Sendable, Hashable {
    /// Up to 8 ASCII characters.
    public var vendor: String
    /// Up to 32 ASCII characters.
    public var serial: String

    public init(vendor: String, serial: String) { (self.vendor, self.serial) = (vendor, serial) }

    /// 40 bytes, padded with spaces.
    var bytes: [UInt8] { Self.padded(vendor, 8) + Self.padded(serial, 32) }

    static func padded(_ text: String, _ count: Int) -> [UInt8] {
        let ascii = text.utf8.map { 0x20..<0x7F ~= $0 ? $0 : 0x3F }.prefix(count)
        return ascii + [UInt8](repeating: 0x20, count: count - ascii.count)
    }
}

/// What of the attributes is stored: those of the host by partition, and the last drives.
struct CartridgeMemory: Hashable {
    struct Key: Hashable, Comparable {
        var partition: UInt8
        var id: UInt16
        static func < (a: Key, b: Key) -> Bool { (a.partition, a.id) < (b.partition, b.id) }
    }
    static let magic: UInt32 = 0x4D41_5444  // DTAM
    static let headerSize = 16
    static let drives = 4

    var host: [Key: [UInt8]] = [:]
    /// 40 bytes each, newest first.
    var lastDrives: [[UInt8]] = []

    func encoded(seed: UInt32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.headerSize)
        func add(_ partition: UInt8, _ id: UInt16, _ value: [UInt8]) {
            var head = [UInt8](repeating: 0, count: 6)
            head.putLittle(id, at: 0)
            head[2] = partition
            head.putLittle(UInt16(value.count), at: 4)
            bytes += head + value
        }
        for (index, drive) in lastDrives.enumerated() { add(0, 0x020A + UInt16(index), drive) }
        for key in host.keys.sorted() { add(key.partition, key.id, host[key] ?? []) }
        bytes.putLittle(Self.magic, at: 0)
        bytes.putLittle(CartridgeLayout.version, at: 4)
        bytes.putLittle(UInt16(host.count + lastDrives.count), at: 6)
        bytes.putLittle(Self.checksum(bytes, seed: seed), at: 12)
        return bytes
    }

    private static func checksum(_ bytes: [UInt8], seed: UInt32) -> UInt32 {
        bytes.withUnsafeBytes { all in
            CRC32C.of(
                UnsafeRawBufferPointer(rebasing: all[headerSize...]),
                continuing: CRC32C.of(UnsafeRawBufferPointer(rebasing: all[..<12]), continuing: seed))
        }
    }

    static func decoded(_ bytes: [UInt8], seed: UInt32) -> (memory: CartridgeMemory?, problem: String?) {
        guard bytes.count >= headerSize, bytes.little(UInt32.self, at: 0) == magic else {
            return (nil, "there is no block of attributes")
        }
        guard bytes.little(UInt32.self, at: 12) == checksum(bytes, seed: seed) else {
            return (nil, "its checksum is wrong")
        }
        guard bytes.little(UInt16.self, at: 4) == CartridgeLayout.version else {
            return (nil, "its version is not known")
        }
        var memory = CartridgeMemory()
        var at = headerSize
        for _ in 0..<Int(bytes.little(UInt16.self, at: 6)) {
            guard at + 6 <= bytes.count else { return (nil, "it ends inside an attribute") }
            let id = bytes.little(UInt16.self, at: at)
            let key = Key(partition: bytes[at + 2], id: id)
            let count = Int(bytes.little(UInt16.self, at: at + 4))
            at += 6
            guard at + count <= bytes.count else { return (nil, "it ends inside an attribute") }
            let value = Array(bytes[at..<at + count])
            at += count
            if Int(id) == 0x020A + memory.lastDrives.count, count == 40, memory.lastDrives.count < drives {
                memory.lastDrives.append(value)
            } else if let rule = CartridgeAttributeRule.rule(id), 1...rule.longest ~= count, memory.host[key] == nil,
                Int(key.partition) < (rule.isOfPartition ? CartridgeLayout.maximumPartitions : 1)
            {
                memory.host[key] = value
            } else {
                return (nil, "it has an attribute \(String(id, radix: 16)) that makes no sense")
            }
        }
        return at == bytes.count ? (memory, nil) : (nil, "it is longer than its attributes")
    }
}
