public import Protection

/// All that a library remembers: how it is built, which cartridge lies where, and what DPM knows of its tapes. The content of
/// `library.json`.
public struct LibraryState: Codable, Hashable, Sendable {
    /// Of the format; others are refused.
    public var version = 1
    /// What this library writes into on-media identifiers; a GUID.
    public var identifier: String
    public var name: String
    /// Counts the changes.
    public var change: Int64 = 0
    public var hardware: LibraryHardware
    /// What DPM knows, by bar code.
    public var tapes: [TapeEntry] = []
    /// Seconds since 1970 of the last inventory by bar codes.
    public var lastInventory: Int64?
    /// Begun with a cartridge's file; finished when the library is opened again.
    var pending: PendingErase?

    init(identifier: String, name: String, hardware: LibraryHardware) {
        (self.identifier, self.name, self.hardware) = (identifier, name, hardware)
    }

    public func tape(_ barcode: String) -> TapeEntry? { place(of: barcode).map { tapes[$0] } }

    func place(of barcode: String) -> Int? {
        var (low, high) = (0, tapes.count)
        while low < high {
            let middle = (low + high) / 2
            if tapes[middle].barcode < barcode { low = middle + 1 } else { high = middle }
        }
        return low < tapes.count && tapes[low].barcode == barcode ? low : nil
    }

    /// Adds a tape, or replaces the one with the same bar code.
    mutating func put(_ tape: TapeEntry) {
        if let place = place(of: tape.barcode) {
            tapes[place] = tape
        } else {
            tapes.insert(tape, at: tapes.firstIndex { $0.barcode > tape.barcode } ?? tapes.count)
        }
    }
}

/// An erase, which `library.json` and the cartridge's file have to agree about.
struct PendingErase: Codable, Hashable, Sendable {
    var barcode: String
    var long: Bool
}

/// A library as it is built and as it stands, whatever DPM believes.
public struct LibraryHardware: Codable, Hashable, Sendable {
    public var slots: Int
    public var ports: Int
    public var drives: [LibraryDrive]
    /// Reads bar codes; without, an inventory has to read the tapes.
    public var hasBarcodes = true
    /// Has an erase command.
    public var canErase = true
    /// Its door locks and unlocks only while the drives are empty.
    public var locksEmpty = false
    public var isEnabled = true
    public var isDoorLocked = true
    public var isDoorOpen = false
    /// When the I/E port was opened; nil while it is closed.
    public var portOpened: Int64?
    /// When the door was unlocked; nil while it is locked.
    public var doorUnlocked: Int64?
    /// What lies where, by element address.
    public var contents: [Occupant] = []

    public init(slots: Int, ports: Int, drives: [LibraryDrive]) {
        (self.slots, self.ports, self.drives) = (slots, ports, drives)
    }

    public struct Occupant: Codable, Hashable, Sendable {
        public var element: LibraryElement
        public var barcode: String
        /// Where it came from, if it is in a drive.
        public var home: LibraryElement?
    }

    public func cartridge(in element: LibraryElement) -> String? {
        contents.first { $0.element == element }?.barcode
    }

    public func element(of barcode: String) -> LibraryElement? { contents.first { $0.barcode == barcode }?.element }

    public func has(_ element: LibraryElement) -> Bool {
        switch element {
        case .port(let n): (1...max(1, ports)).contains(n) && ports > 0
        case .drive(let n): drives.indices.contains(n - 1)
        case .slot(let n): (1...max(1, slots)).contains(n) && slots > 0
        }
    }

    /// Every element, by address.
    public var elements: [LibraryElement] {
        (0..<ports).map { .port($0 + 1) } + drives.indices.map { .drive($0 + 1) } + (0..<slots).map { .slot($0 + 1) }
    }

    public func empty(where isMeant: (LibraryElement) -> Bool) -> [LibraryElement] {
        let taken = Set(contents.map(\.element))
        return elements.filter { isMeant($0) && !taken.contains($0) }
    }

    mutating func put(_ barcode: String, in element: LibraryElement, home: LibraryElement? = nil) {
        let occupant = Occupant(element: element, barcode: barcode, home: home)
        contents.insert(occupant, at: contents.firstIndex { $0.element > element } ?? contents.count)
    }

    mutating func take(from element: LibraryElement) -> Occupant? {
        contents.firstIndex { $0.element == element }.map { contents.remove(at: $0) }
    }
}

public struct LibraryDrive: Codable, Hashable, Sendable {
    public var generation: LTOGeneration
    public var isHalfHeight: Bool
    public var isEnabled = true
    public var needsCleaning = false
    /// Its cartridge may not be taken out (PREVENT ALLOW MEDIUM REMOVAL).
    public var isRemovalPrevented = false
    public var cleanings = 0

    public init(_ generation: LTOGeneration, isHalfHeight: Bool = false) {
        (self.generation, self.isHalfHeight) = (generation, isHalfHeight)
    }

    public var facts: LTOFacts { LTOFacts.of(generation, isHalfHeight: isHalfHeight) }

    private enum CodingKeys: String, CodingKey {
        case generation, isHalfHeight, isEnabled, needsCleaning, isRemovalPrevented, cleanings
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let number = try fields.decode(Int.self, forKey: .generation)
        guard let generation = LTOGeneration(rawValue: number) else {
            throw DecodingError.dataCorruptedError(
                forKey: .generation, in: fields, debugDescription: "there is no LTO-\(number)")
        }
        self.init(generation, isHalfHeight: try fields.decode(Bool.self, forKey: .isHalfHeight))
        isEnabled = try fields.decode(Bool.self, forKey: .isEnabled)
        needsCleaning = try fields.decode(Bool.self, forKey: .needsCleaning)
        isRemovalPrevented = try fields.decode(Bool.self, forKey: .isRemovalPrevented)
        cleanings = try fields.decode(Int.self, forKey: .cleanings)
    }

    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(generation.rawValue, forKey: .generation)
        try fields.encode(isHalfHeight, forKey: .isHalfHeight)
        try fields.encode(isEnabled, forKey: .isEnabled)
        try fields.encode(needsCleaning, forKey: .needsCleaning)
        try fields.encode(isRemovalPrevented, forKey: .isRemovalPrevented)
        try fields.encode(cleanings, forKey: .cleanings)
    }
}
