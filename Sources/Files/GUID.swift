import CHost

/// A 16-byte identifier as Microsoft's formats store it: the first three fields little-endian.
public struct GUID: Hashable, Sendable, LosslessStringConvertible {
    /// As stored in VHDX, VMCX and our own files.
    public let bytes: [UInt8]

    public init(bytes: [UInt8]) {
        precondition(bytes.count == 16, "a GUID has 16 bytes")
        self.bytes = bytes
    }

    public static let zero = GUID(bytes: [UInt8](repeating: 0, count: 16))

    /// Where each byte of the text lies in the stored form.
    private static let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]

    /// Reads `2DC27766-F623-4200-9D64-115E9BFD4A08`, with or without braces.
    public init?(_ description: String) {
        let text =
            description.hasPrefix("{") && description.hasSuffix("}")
            ? description.dropFirst().dropLast() : description[...]
        let groups = text.split(separator: "-", omittingEmptySubsequences: false)
        guard groups.map(\.utf8.count) == [8, 4, 4, 4, 12] else { return nil }
        let digits = Array(groups.joined().utf8)
        var stored = [UInt8](repeating: 0, count: 16)
        for (index, place) in Self.order.enumerated() {
            let pair = digits[2 * index..<2 * index + 2]
            guard pair.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
                let byte = UInt8(String(decoding: pair, as: UTF8.self), radix: 16)
            else { return nil }
            stored[place] = byte
        }
        bytes = stored
    }

    public var description: String {
        let digits = Self.order.map { place in
            let text = String(bytes[place], radix: 16, uppercase: true)
            return text.utf8.count == 1 ? "0" + text : text
        }
        return [digits[0..<4], digits[4..<6], digits[6..<8], digits[8..<10], digits[10..<16]].map { $0.joined() }
            .joined(separator: "-")
    }
}

/// Where new identifiers come from: the system's chance in the program, a counter in tests and in a simulation.
public protocol GUIDSource: AnyObject, Sendable {
    func next() -> GUID
}

/// Version 4 identifiers from the system's random numbers.
public final class HostGUIDs: GUIDSource {
    public init() {}

    public func next() -> GUID {
        var bytes = [UInt8](repeating: 0, count: 16)
        let failed = bytes.withUnsafeMutableBytes { chost_random($0.baseAddress, 16) }
        precondition(failed == 0, "the system has no random numbers")
        bytes[7] = (bytes[7] & 0x0F) | 0x40
        bytes[8] = (bytes[8] & 0x3F) | 0x80
        return GUID(bytes: bytes)
    }
}
