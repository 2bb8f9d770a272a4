public import Files
public import Protection
import Units

/// A tape library in a folder that can be copied, moved and looked into: `library.json`, replaced as a whole by each operation, and
/// the cartridges as `cartridges/BARCODE.cart`. Cartridges that lie nowhere in the library lie on the shelf beside it.
///
/// One program at a time changes it; any number look. Every operation takes place wholly or not at all, whenever the power
/// goes, and says how long hardware would take. Operations that wait for an operator (door, I/E port) are two calls. Times are
/// seconds since 1970. One thread at a time.
public final class MediaLibrary {
    public private(set) var state: LibraryState
    public let folder: String
    let files: any FileSystem
    let store: any CartridgeStore
    let times: RobotTimes
    private let file: LibraryFile
    private let lock: (any StoreFile)?
    /// A change failed on the way to the disk: what stands there decides.
    private var isStale = false
    /// Why the last erase that was begun could not be finished.
    var interrupted: StorageFault?

    /// Makes a library in a folder, which is made too if its parent is there.
    /// - Throws: `TAPE-LIBRARY-EXISTS`; `TAPE-LIBRARY` for sizes that no library has.
    public static func create(
        _ name: String, _ hardware: LibraryHardware, at folder: String, files: any FileSystem,
        store: any CartridgeStore, guids: any GUIDSource, times: RobotTimes = RobotTimes()
    ) throws(StorageFault) -> MediaLibrary {
        let state = LibraryState(identifier: guids.next().description, name: name, hardware: hardware)
        if let problem = LibraryCheck.problem(in: state) {
            throw .library(.badInput, "TAPE-LIBRARY", "library \(name)", problem, "Choose other sizes")
        }
        guard !hardware.drives.isEmpty else {
            throw .library(.badInput, "TAPE-LIBRARY", "library \(name)", "it has no drive", "Give it one at least")
        }
        try files.makeFolder(folder)
        guard try files.kind(of: folder + "/library.json") == .none else {
            throw .library(
                .badInput, "TAPE-LIBRARY-EXISTS", folder, "there is a library in it",
                "Open it, or choose another folder")
        }
        try files.makeFolder(folder + "/cartridges")
        try LibraryFile(folder: folder, files: files).replace(by: state)
        try files.syncFolder(
            folder.lastIndex(of: "/").map { $0 == folder.startIndex ? "/" : String(folder[..<$0]) } ?? ".")
        return try MediaLibrary(opening: folder, files: files, store: store, times: times)
    }

    /// Opens a library; if it may be changed, what was interrupted is finished first.
    /// - Throws: `TAPE-NO-LIBRARY`, `TAPE-LIBRARY-DAMAGED`, `TAPE-LIBRARY-BUSY`.
    public init(
        opening folder: String, files: any FileSystem, store: any CartridgeStore, times: RobotTimes = RobotTimes(),
        writable: Bool = true
    ) throws(StorageFault) {
        (self.folder, self.files, self.store, self.times) = (folder, files, store, times)
        file = LibraryFile(folder: folder, files: files)
        guard writable else {
            lock = nil
            state = try file.read()
            return
        }
        guard try files.kind(of: file.path) == .file else {
            lock = nil
            state = try file.read()
            return
        }
        let lock = try files.open(folder + "/lock", .createOrOpen)
        guard try lock.lock(exclusive: true, wait: false) else {
            throw .library(
                .busy, "TAPE-LIBRARY-BUSY", folder, "another program works on the library", "Wait until it ends")
        }
        self.lock = lock
        state = try file.read()
        try finishPending()
    }

    /// Path of a cartridge's file.
    public func path(of barcode: String) -> String { "\(folder)/cartridges/\(barcode).cart" }

    /// Bar codes of the cartridges that lie beside the library, sorted.
    public func shelf() throws(StorageFault) -> [String] {
        let inside = Set(state.hardware.contents.map(\.barcode))
        return try files.list(folder + "/cartridges").filter { $0.hasSuffix(".cart") }.map { String($0.dropLast(5)) }
            .filter { !inside.contains($0) && BarcodeLabel($0) != nil }
    }

    /// Copies the whole library to a folder whose parent is there, sparse stretches included.
    /// - Throws: `TAPE-LIBRARY-EXISTS`.
    public func copy(to target: String) throws(StorageFault) {
        try refresh()
        try files.makeFolder(target)
        guard try files.kind(of: target + "/library.json") == .none else {
            throw .library(
                .badInput, "TAPE-LIBRARY-EXISTS", target, "there is a library in it", "Choose another folder")
        }
        try files.makeFolder(target + "/cartridges")
        for name in try files.list(folder + "/cartridges") where name.hasSuffix(".cart") {
            try copyFile("\(folder)/cartridges/\(name)", to: "\(target)/cartridges/\(name)")
        }
        try files.syncFolder(target + "/cartridges")
        // Last, so that a copy that was cut short is none.
        try LibraryFile(folder: target, files: files).replace(by: state)
    }

    private func copyFile(_ path: String, to target: String) throws(StorageFault) {
        let source = try files.open(path, .read)
        defer { source.close() }
        if try files.kind(of: target) == .file { try files.remove(target) }
        let copy = try files.open(target, .create)
        defer { copy.close() }
        try copy.truncate(to: try source.size())
        var offset: Int64 = 0
        while let run = try source.dataRange(from: offset) {
            offset = run.lowerBound
            while offset < run.upperBound {
                let count = Int(min(1 << 20, run.upperBound - offset))
                try copy.write(try source.bytes(count, at: offset), at: offset)
                offset += Int64(count)
            }
        }
        try copy.flush()
    }

    // MARK: Changes

    private func refresh() throws(StorageFault) {
        guard isStale else { return }
        state = try file.read()
        isStale = false
    }

    /// Runs an operation on a copy of the state, and makes it the state when it is on disk.
    func change(
        at now: Int64, _ body: (inout LibraryState, inout LibraryReport) throws(StorageFault) -> Void
    ) throws(StorageFault) -> LibraryReport {
        guard lock != nil else {
            throw .library(
                .readOnly, "TAPE-LIBRARY-READ-ONLY", folder, "the library was opened to look at it only",
                "Open it for changes")
        }
        try refresh()
        if state.pending != nil { try finishPending() }
        var (next, report) = (state, LibraryReport())
        closeWhatIsDue(&next, &report, at: now)
        try body(&next, &report)
        try commit(next)
        return report
    }

    func commit(_ new: LibraryState) throws(StorageFault) {
        guard new != state else { return }
        var next = new
        next.change = state.change + 1
        isStale = true
        try file.replace(by: next)
        (state, isStale) = (next, false)
    }

    /// An erase changes a cartridge's file and the state: what was begun is done again, which does no harm.
    private func finishPending() throws(StorageFault) {
        guard let pending = state.pending else { return }
        var next = state
        next.pending = nil
        let path = path(of: pending.barcode)
        var fault: StorageFault?
        do throws(StorageFault) { try store.erase(at: path, long: pending.long) } catch { fault = error }
        if var tape = next.tape(pending.barcode) {
            if fault == nil {
                try erased(&tape)
            } else {
                // What is left of it an inventory will tell.
                let standing = tape.standing
                tape.forget()
                tape.standing = TapeStanding()
                (tape.standing.isInLibrary, tape.standing.isDecommissioned) = (
                    standing.isInLibrary, standing.isDecommissioned
                )
            }
            next.put(tape)
        }
        try commit(next)
        interrupted = fault
    }

    func erased(_ tape: inout TapeEntry) throws(StorageFault) {
        tape.forget()
        let (place, isReserved, isOff) = (
            tape.standing.isInLibrary, tape.standing.isReserved, tape.standing.isDecommissioned
        )
        tape.standing = TapeStanding(content: .blank)
        (tape.standing.isInLibrary, tape.standing.isReserved) = (place, isReserved)
        tape.standing.isDecommissioned = isOff
        if try files.kind(of: path(of: tape.barcode)) == .file {
            let shell = try store.shell(at: path(of: tape.barcode))
            (tape.written, tape.room) = (shell.written, shell.room)
            tape.standing.isWriteProtected = shell.isWriteProtected
        }
    }

    /// How a cartridge moves in a drive.
    func motion(of barcode: String, in drive: LibraryDrive) -> TapeMotion {
        guard let facts = BarcodeLabel(barcode)?.facts, facts.densityCode != drive.facts.densityCode else {
            return TapeMotion(drive.facts)
        }
        return TapeMotion(facts)
    }

    func shell(of barcode: String) throws(StorageFault) -> CartridgeShell {
        guard try files.kind(of: path(of: barcode)) == .file else {
            throw .library(
                .missing, "TAPE-30002", "tape \(barcode)", "the cartridge's file is not in the library's folder",
                "Put the file back, or run an inventory")
        }
        return try store.shell(at: path(of: barcode))
    }
}

extension TapeEntry {
    /// Lets something happen to it, or throws DPM's refusal.
    mutating func take(_ event: TapeEvent) throws(StorageFault) {
        do throws(Refusal) { standing = try standing.after(event, tape: title) } catch { throw StorageFault(error) }
    }
}
