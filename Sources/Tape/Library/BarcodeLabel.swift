public import Protection

/// What the bar code label on a cartridge says of it: 6 characters and a suffix for its kind, or CLN for a cleaning cartridge.
public struct BarcodeLabel: Hashable, Sendable {
    public enum Kind: String, CaseIterable, Hashable, Sendable { case data, worm, cleaning }

    public let barcode: String
    public let kind: Kind
    /// Of its generation and length.
    public let facts: LTOFacts

    /// Nil if the text is no bar code of an LTO cartridge: 4 to 32 capital letters and digits, the last two of them L5 to LA or
    /// PA, LV to LZ for cartridges that are written once (LTO-5 to LTO-9). A cleaning cartridge's suffix may be CU or L1 too,
    /// which all drives take.
    public init?(_ barcode: String) {
        let letters = Array(barcode.utf8)
        guard (4...32).contains(letters.count),
            letters.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) })
        else { return nil }
        let suffix = String(barcode.suffix(2))
        self.barcode = barcode
        let once = ["LV", "LW", "LX", "LY", "LZ"].firstIndex(of: suffix)
        if barcode.hasPrefix("CLN") {
            let own = LTOFacts.cartridges.first { $0.barcodeSuffix == suffix }
            guard own != nil || ["CU", "L1"].contains(suffix) else { return nil }
            (kind, facts) = (.cleaning, own ?? LTOFacts.of(.lto5))
        } else if let once {
            (kind, facts) = (.worm, LTOFacts.cartridges[once])
        } else if let facts = LTOFacts.cartridges.first(where: { $0.barcodeSuffix == suffix }) {
            (kind, self.facts) = (.data, facts)
        } else {
            return nil
        }
    }

    /// Whether a drive takes it, to read at least.
    public func fits(_ drive: LTOGeneration) -> Bool {
        kind == .cleaning || LTOFacts.canRead(facts.generation, in: drive)
    }
}
