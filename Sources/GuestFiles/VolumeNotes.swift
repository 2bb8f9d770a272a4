import CTSK
import DiskImages
import Files

/// The label of a volume, and whether its owner closed it, as NTFS, FAT and exFAT note them.
enum VolumeNotes {
    static func read(_ volume: SleuthVolume) throws(StorageFault) -> (label: String?, notes: [String]) {
        let first = try volume.device.bytes(512, at: 0)
        switch volume.kind {
        case .ntfs: return try readNTFS(volume)
        case .exfat: return (nil, first[106] & 2 != 0 ? [dirty] : [])
        default:
            // Bit 0 of a byte that DOS reserved; the label stands behind it if the byte between says so.
            let place = volume.kind == .fat32 ? 65 : 37
            let label = String(decoding: first[place + 6..<place + 17], as: UTF8.self)
            let trimmed = String(label.reversed().drop { $0 == " " || $0 == "\0" }.reversed())
            let hasLabel = first[place + 1] == 0x29 && !trimmed.isEmpty && trimmed != "NO NAME"
            return (hasLabel ? trimmed : nil, first[place] & 1 != 0 ? [dirty] : [])
        }
    }

    private static let dirty = "it was not closed cleanly"

    /// File 3 of NTFS, `$Volume`.
    private static func readNTFS(_ volume: SleuthVolume) throws(StorageFault) -> (label: String?, notes: [String]) {
        let name = "$Volume"
        guard let file = try volume.open(3, name) else { throw .guestDamaged(name, "it is deleted") }
        var (label, notes): (String?, [String]) = (nil, [])
        for attribute in try file.attributes(name) {
            if attribute.typeNumber == 0x60 {
                let bytes = try file.content(attribute, limit: 256, name)
                let units = (0..<bytes.count / 2).map { bytes.little(UInt16.self, at: 2 * $0) }
                label = units.isEmpty ? nil : String(decoding: units, as: UTF16.self)
            } else if attribute.typeNumber == 0x70 {
                let bytes = try file.content(attribute, limit: 256, name)
                if bytes.count >= 12, bytes.little(UInt16.self, at: 10) & 1 != 0 {
                    notes.append(dirty + "; its log ($LogFile) was not replayed, so changes made last may be missing")
                }
            }
        }
        return (label, notes)
    }
}
