/// A place in a library that can hold a cartridge, with its SCSI element address (SMC-3). Numbers count from 1.
public enum LibraryElement: Hashable, Sendable, Comparable, LosslessStringConvertible {
    /// Insert and eject: reached by the operator while the port is open, by the robot while it is closed.
    case port(Int)
    case drive(Int)
    case slot(Int)

    /// Of the robot itself, which holds nothing for longer than a move.
    public static let robotAddress = 0x0001
    static let mostPorts = 128
    static let mostDrives = 256
    static let mostSlots = 32_000
    private static let (firstPort, firstDrive, firstSlot) = (0x0010, 0x0100, 0x0400)

    public var address: Int {
        switch self {
        case .port(let n): Self.firstPort + n - 1
        case .drive(let n): Self.firstDrive + n - 1
        case .slot(let n): Self.firstSlot + n - 1
        }
    }

    /// Nil for the robot's and for addresses that no library has.
    public init?(address: Int) {
        switch address {
        case Self.firstPort..<Self.firstPort + Self.mostPorts: self = .port(address - Self.firstPort + 1)
        case Self.firstDrive..<Self.firstDrive + Self.mostDrives: self = .drive(address - Self.firstDrive + 1)
        case Self.firstSlot..<Self.firstSlot + Self.mostSlots: self = .slot(address - Self.firstSlot + 1)
        default: return nil
        }
    }

    /// `slot-12`.
    public var description: String {
        switch self {
        case .port(let n): "port-\(n)"
        case .drive(let n): "drive-\(n)"
        case .slot(let n): "slot-\(n)"
        }
    }

    public init?(_ description: String) {
        let parts = description.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let number = Int(parts[1]), number >= 1, String(number) == parts[1] else { return nil }
        switch parts[0] {
        case "port" where number <= Self.mostPorts: self = .port(number)
        case "drive" where number <= Self.mostDrives: self = .drive(number)
        case "slot" where number <= Self.mostSlots: self = .slot(number)
        default: return nil
        }
    }

    public var isDrive: Bool { if case .drive = self { true } else { false } }
    public var isSlot: Bool { if case .slot = self { true } else { false } }
    public var isPort: Bool { if case .port = self { true } else { false } }

    public static func < (a: Self, b: Self) -> Bool { a.address < b.address }
}

extension LibraryElement: Codable {
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let element = LibraryElement(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "\(text) is no element"))
        }
        self = element
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
