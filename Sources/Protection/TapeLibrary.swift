public import Units

/// A tape library with a robot, or a stand-alone drive.
public struct TapeLibrary: Sendable, Hashable {
    public var name: String
    public var server: Ref<DPMServer>
    /// No robot and no slots: a person changes the cartridge.
    public var isStandalone = false
    public var slots: Int
    public var robots = 1
    public var hasBarcodes = true
    public init(name: String, server: Ref<DPMServer>, slots: Int) {
        (self.name, self.server, self.slots) = (name, server, slots)
    }
}

public struct TapeDrive: Sendable, Hashable {
    public var name: String
    public var library: Ref<TapeLibrary>
    public var generation: LTOGeneration
    public var isHalfHeight = false
    public init(name: String, library: Ref<TapeLibrary>, generation: LTOGeneration) {
        (self.name, self.library, self.generation) = (name, library, generation)
    }
}

/// A cartridge as the scenario starts: blank, in a slot of its library or on the shelf beside it.
public struct Cartridge: Sendable, Hashable {
    public var barcode: String
    public var library: Ref<TapeLibrary>
    public var generation: LTOGeneration
    public init(barcode: String, library: Ref<TapeLibrary>, generation: LTOGeneration) {
        (self.barcode, self.library, self.generation) = (barcode, library, generation)
    }
}

/// A generation of Linear Tape-Open.
public enum LTOGeneration: Int, CaseIterable, Sendable, Comparable {
    case lto5 = 5, lto6, lto7, lto8, lto9, lto10
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    /// `LTO-8`.
    public var name: String { "LTO-\(rawValue)" }
}
