import Files
import Jobs
import Protection
import Synchronization
import Tape
import Units

/// The tape libraries of a run with real machines: cartridges in files, with the bar codes they have in the scenario.
///
/// Which cartridge a set comes onto, and where it goes on on the next one, is decided by who gives its parts. A set is written when its
/// last part comes, or, when it breaks, as far as it came: nobody can look in between.
final class RealTapes {
    private let world: World
    private let seed: UInt64
    private let folder: String
    private let files: any FileSystem
    private let began: Int64
    private let planted: PlantedBug?
    private var libraries: [Int32: MediaLibrary] = [:]
    /// Parts of sets that have not come to their end, by set.
    private var begun: [Int32: [TapePart]] = [:]
    /// The latest moment anybody told of, seconds since 1970.
    private(set) var now: Int64
    /// Databases that were lost, so that each library that is made anew is another one.
    private var losses: UInt64 = 0

    /// - Parameters:
    ///   - folder: where each library has a folder; made when the first one is.
    ///   - began: the run's start, seconds since 1970.
    init(world: World, seed: UInt64, folder: String, files: any FileSystem, began: Int64, planted: PlantedBug?) {
        (self.world, self.seed, self.folder, self.files) = (world, seed, folder, files)
        (self.began, self.planted, now) = (began, planted, began)
    }

    // MARK: Libraries

    /// Libraries that were used, in the order of the scenario.
    var used: [(library: Ref<TapeLibrary>, media: MediaLibrary)] {
        libraries.sorted { $0.key < $1.key }.map { (Ref(raw: $0.key), $0.value) }
    }

    /// Ends the use of all libraries.
    func close() { libraries = [:] }

    func path(of library: Ref<TapeLibrary>) -> String {
        folder + "/" + RealPlane.fileName(world.libraries[library].name, Int(library.index))
    }

    func stores(of library: Ref<TapeLibrary>) -> CertificateStores {
        CertificateStores(
            folder: path(of: library) + "/certificates", on: files, secrets: secrets(UInt64(library.index)))
    }

    /// Cartridges of a library, by their place in the world.
    private func shelf(_ library: Ref<TapeLibrary>) -> [Int] {
        world.cartridges.indices.filter { world.cartridges[$0].library == library }
    }

    /// What stands on a cartridge's label. A scenario's bar code need not be one that LTO knows.
    func barcode(_ cartridge: Ref<Protection.Cartridge>) -> String {
        let own = world.cartridges[cartridge]
        if BarcodeLabel(own.barcode)?.kind == .data { return own.barcode }
        let digits = String(cartridge.index + 1)
        return String(repeating: "0", count: max(0, 6 - digits.count)) + digits
            + LTOFacts.of(own.generation).barcodeSuffix
    }

    /// Identifiers that are the same in every run; `salt` keeps apart what asks for them.
    private func guids(_ salt: UInt64) -> SequentialGUIDs { SequentialGUIDs(seed: mixed(salt)) }
    /// Keys that are the same in every run: what is on these tapes is no secret.
    private func secrets(_ salt: UInt64) -> SeededSecrets { SeededSecrets(seed: mixed(salt)) }
    private func mixed(_ salt: UInt64) -> UInt64 { seed ^ ((salt &+ 1) &* 0x9E37_79B9_7F4A_7C15) }

    private func salt(_ set: Int32) -> UInt64 { 1 << 32 | UInt64(set) }

    /// Names a set for ever: by its number alone, so that it need not be remembered.
    func identifier(of set: Int32) -> GUID { guids(salt(set)).next() }

    func isLibrary(_ library: Ref<TapeLibrary>, of server: Ref<DPMServer>) -> Bool {
        world.libraries[library].server == server
    }

    /// Forgets a library, and whatever was being written; its cartridges stay.
    func withoutMemory(_ library: Ref<TapeLibrary>, at time: Int64) throws(StorageFault) -> MediaLibrary {
        now = max(now, time)
        begun = begun.filter { world.groups[$0.value[0].group].tape?.library != library }
        libraries[library.index] = nil
        try files.remove(path(of: library) + "/library.json")
        losses += 1
        let media = try create(library)
        libraries[library.index] = media
        return media
    }

    private func create(_ library: Ref<TapeLibrary>) throws(StorageFault) -> MediaLibrary {
        try MediaLibrary.create(
            world.libraries[library].name, hardware(library), at: path(of: library), files: files,
            store: CartridgeFiles(files), guids: guids(2 << 32 | losses << 16 | UInt64(library.index)))
    }

    private func media(_ library: Ref<TapeLibrary>) throws(StorageFault) -> MediaLibrary {
        if let media = libraries[library.index] { return media }
        try files.makeFolder(folder)
        let path = path(of: library)
        let media = try create(library)
        let barcodes = shelf(library).map { barcode(Ref($0)) }
        _ = try media.add(barcodes, guids: guids(UInt64(library.index)), at: now)
        _ = try media.fastInventory(at: now, identify: TapeFinding.of)
        _ = try media.detailedInventory(at: now, identify: TapeFinding.of)
        try files.makeFolder(path + "/certificates")
        let stores = stores(of: library)
        try stores.prepare()
        if world.groups.contains(where: { $0.tape?.library == library && $0.tape?.encoding == .encrypt }) {
            try stores.create(
                "DPM tape \(world.libraries[library].name.prefix(40))", key: .p256, from: began - 86_400,
                until: began + 100 * 365 * 86_400)
        }
        libraries[library.index] = media
        return media
    }

    /// As built, with a slot for each cartridge: operators do not carry any here.
    private func hardware(_ library: Ref<TapeLibrary>) -> LibraryHardware {
        let drives = world.drives.filter { $0.library == library }.map {
            LibraryDrive($0.generation, isHalfHeight: $0.isHalfHeight)
        }
        return LibraryHardware(
            slots: max(world.libraries[library].slots, shelf(library).count), ports: 4, drives: drives)
    }

    // MARK: Sets

    /// A part that is not the last one.
    func keep(_ part: TapePart) { begun[part.set, default: []].append(part) }

    /// What is known of a set besides its bytes.
    struct Facts {
        /// For people, and unique.
        var name: String
        /// Bytes of a part that one byte of the disks stands for.
        var scale: Int64
        /// Of the recovery point, and of the set's end; seconds since 1970, nil for never.
        var time: Int64
        var expiry: Int64?
    }

    /// Writes a set whose last part has come.
    /// - Throws: `ENGINE-TAPE-ERASED` if what came before has been written over meanwhile.
    func write(_ last: TapePart, _ disks: [PointFile], _ facts: Facts) throws(StorageFault) {
        let parts = (begun.removeValue(forKey: last.set) ?? []) + [last]
        guard parts[0].from == .zero else {
            throw StorageFault(
                .missing, "ENGINE-TAPE-ERASED", "set \(last.set)", "a cartridge it began on has been written over",
                action: "Write it again")
        }
        var disks = disks
        if planted == .lostTapePart, let end = disks.popLast() { disks.append(end.withoutEnd) }
        try write(parts, disks, facts, ends: Array(ends(of: parts, disks, facts).dropLast()), nil)
    }

    /// Writes what came of a set that will not be ended, and leaves it as it is.
    func leave(_ last: TapePart, _ disks: [PointFile], _ facts: Facts) throws(StorageFault) {
        let parts = (begun.removeValue(forKey: last.set) ?? []) + (last.count > .zero ? [last] : [])
        guard let first = parts.first, first.from == .zero else { return }
        let end = SetBreak(after: parts.count, total: disks.reduce(0) { $0 + $1.size }, set: last.set)
        do throws(StorageFault) {
            try write(parts, disks, facts, ends: ends(of: parts, disks, facts), end)
        } catch {
            guard error.id == SetBreak.id else { throw error }
        }
    }

    /// Plain bytes, holes included, with which each part ends.
    private func ends(of parts: [TapePart], _ disks: [PointFile], _ facts: Facts) -> [Int64] {
        parts.map { PointFile.place(in: disks, behind: ($0.from + $0.count).count / facts.scale) }
    }

    private func write(
        _ parts: [TapePart], _ disks: [PointFile], _ facts: Facts, ends: [Int64], _ end: SetBreak?
    ) throws(StorageFault) {
        let (number, group) = (parts[0].set, world.groups[parts[0].group])
        guard let tape = group.tape, let drive = world.drives.first(where: { $0.library == tape.library }) else {
            return
        }
        now = max(now, facts.time)
        let media = try media(tape.library)
        var options = SetOptions()
        options.mediaEnds = ends
        switch tape.encoding {
        case .plain: break
        case .compress: options.compression = .fast
        case .encrypt: options.certificates = try stores(of: tape.library).encryptors(at: now)
        }
        // A block of the disks a record, so that a set goes on on the next cartridge where it should to the block.
        options.recordLength = BlockContent.size + (options.isPlain ? 0 : 4096)
        if let end {
            options.progress = { end.reach($0) }
            options.confirm = { () throws(StorageFault) in try end.ask() }
        }
        let machine = world.machines[parts[0].machine].name
        _ = try media.write(
            disks,
            SetDescription(
                set: identifier(of: number), name: facts.name, datasource: machine, machine: machine,
                date: facts.time, expiry: facts.expiry),
            options,
            for: SetRequest(
                group: group.name, run: Int(number), drive: drive.generation, isLongTerm: group.shortTermTape == nil,
                isEncrypted: options.isEncrypted, expiry: facts.expiry, colocationSet: tape.colocationSet),
            route: parts.map { barcode($0.cartridge) }, label: "DPM - \(group.name)",
            guids: guids(salt(number) | 1 << 40), secrets: secrets(salt(number)), at: now)
    }

    /// A cartridge is written from its beginning again.
    func erase(_ cartridge: Ref<Protection.Cartridge>) throws(StorageFault) {
        for set in begun.keys.sorted() { begun[set]!.removeAll { $0.cartridge == cartridge } }
        let barcode = barcode(cartridge)
        guard let media = libraries[world.cartridges[cartridge].library.index], let tape = media.state.tape(barcode),
            tape.identity != nil || tape.written > 0
        else { return }
        if tape.standing.use != .free { _ = try media.markFree([barcode], byForce: true, at: now) }
        _ = try media.erase(barcode, at: now)
    }

    /// Opens a set for reading; to be ended by the caller.
    func open(_ set: Int32, in library: Ref<TapeLibrary>) throws(StorageFault) -> LibraryReading {
        guard let media = libraries[library.index] else {
            throw StorageFault(
                .missing, "ENGINE-NO-SET", "set \(set)",
                "nothing was written in library \(world.libraries[library].name)",
                action: "Choose another source")
        }
        return try media.open(identifier(of: set), with: try stores(of: library).openers(), at: now)
    }

    /// All sets of which a library knows a part.
    func listed(in media: MediaLibrary) -> [RecatalogedSet] { media.knownSets(on: media.state.tapes.map(\.barcode)) }
}

/// Ends a set before it is whole.
private final class SetBreak: Sendable {
    static let id = "ENGINE-SET-BROKEN"
    private let after: Int
    private let total: Int64
    private let set: Int32
    private let state = Mutex((asked: 0, done: Int64(0)))

    /// - Parameters:
    ///   - after: the end of which medium it is.
    ///   - total: bytes of the whole set, all of which must never be there.
    init(after: Int, total: Int64, set: Int32) { (self.after, self.total, self.set) = (after, total, set) }

    func reach(_ done: Int64) { state.withLock { $0.done = done } }

    /// Before each end of a medium, and of the set.
    func ask() throws(StorageFault) {
        let isOver = state.withLock { state in
            state.asked += 1
            return state.asked >= after || state.done >= total
        }
        guard isOver else { return }
        throw StorageFault(
            .device, Self.id, "set \(set)", "its drive or its server failed", action: "Write it to tape again")
    }
}
