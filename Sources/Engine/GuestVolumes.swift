import DiskImages
import Files
import GuestFiles

/// The volumes in all disks of a machine, counted from 1 as a recovery names them.
struct GuestVolumes {
    /// Where a volume is.
    struct Location {
        var disk: Int
        var facts: VolumeFacts
    }

    let machine: String
    private let all: [Location]

    /// Faults: those of reading; `GUEST-TABLE`.
    init(of disks: [any BlockDevice], machine: String) throws(StorageFault) {
        self.machine = machine
        var all: [Location] = []
        for (index, disk) in disks.enumerated() {
            for facts in try GuestDisk(disk).volumes() { all.append(Location(disk: index, facts: facts)) }
        }
        self.all = all
    }

    /// Faults: `ENGINE-ITEM` if there is none of that number.
    func volume(_ number: Int) throws(StorageFault) -> Location {
        guard 1...max(1, all.count) ~= number, !all.isEmpty else {
            throw StorageFault(
                .missing, "ENGINE-ITEM", "volume \(number) of machine \(machine)",
                "its disks had \(all.count) volume\(all.count == 1 ? "" : "s") at that recovery point",
                action: "Name a volume from 1 to \(all.count), or recover its disks")
        }
        return all[number - 1]
    }

    /// A path in the form of GuestFiles. Windows separates names by backslashes, which are parts of names elsewhere.
    static func path(_ text: String, on facts: VolumeFacts) -> String {
        facts.kind.isExt ? text : text.replacing("\\", with: "/")
    }

    /// What all that is at `paths` holds, bytes, alternate streams included.
    /// Faults: those of reading; `GUEST-MISSING` and others of GuestFiles.
    static func bytes(of paths: [String], in volume: GuestVolume) throws(StorageFault) -> Int64 {
        var sum: Int64 = 0
        for path in paths {
            let first = try volume.entry(at: path)
            sum += try size(first, volume, path)
            guard first.kind == .folder else { continue }
            try volume.walk(first, path) { (place, entry) throws(StorageFault) in
                sum += try size(entry, volume, place)
                return true
            }
        }
        return sum
    }

    private static func size(
        _ entry: GuestEntry, _ volume: GuestVolume, _ path: String
    ) throws(StorageFault) -> Int64 {
        guard entry.kind == .file || (entry.kind == .folder && !entry.nameBytes.isEmpty) else { return 0 }
        guard volume.facts.kind == .ntfs else { return entry.size }
        return try volume.open(entry, path).streams.reduce(0) { $0 + $1.size }
    }
}
