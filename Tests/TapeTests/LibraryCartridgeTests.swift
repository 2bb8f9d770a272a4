import Files
import Protection
import Tape
import Testing
import Units

@Suite("A library with real cartridges")
struct LibraryCartridgeTests {
    private struct Site {
        let disk = SimulatedDisk()
        let guids = SequentialGUIDs(seed: 3)
        let store: CartridgeFiles
        let library: MediaLibrary

        init(_ tapes: [String], drives: [LibraryDrive] = [LibraryDrive(.lto9), LibraryDrive(.lto9)]) throws {
            store = CartridgeFiles(disk)
            library = try MediaLibrary.create(
                "lib1", LibraryHardware(slots: 10, ports: 2, drives: drives), at: "/lib", files: disk, store: store,
                guids: guids)
            _ = try library.add(tapes, guids: guids, at: 0)
            _ = try library.fastInventory(at: 0)
            _ = try library.detailedInventory(at: 0, identify: Paper.identify)
        }

        /// Begins a tape with a text and some records, as a job would.
        func write(_ barcode: String, _ identity: OnMediaIdentity, _ set: CatalogedSet, records: Int, at now: Int64)
            throws
        {
            let request = SetRequest(group: "gold", run: 1, drive: .lto9, expiry: set.expiry)
            let (drive, _) = try library.load(barcode, at: now)
            try library.reserve(barcode, at: now)
            try library.begin(barcode, as: identity, for: request, at: now)
            let medium = try library.medium(inDrive: drive, writable: true)
            _ = try medium.write(Array(Paper.text(identity, [set]).utf8))
            for _ in 0..<records { _ = try medium.write([UInt8](repeating: 7, count: 100_000)) }
            _ = try medium.writeFilemarks(1, immediate: false)
            try library.note(set, on: barcode, at: now)
            try library.finish(medium)
            try library.release(barcode, at: now)
            _ = try library.unload(drive: drive, at: now)
        }
    }

    private let set = CatalogedSet(set: "A", number: 1, name: "alpha", date: 0, expiry: 1_000, bytes: 300_000)

    @Test("a new cartridge has the room of its kind, and costs next to nothing")
    func new() throws {
        let site = try Site(["000001L9", "000002L8", "000003LA", "000004PA", "000005LZ", "CLN001L9"])
        let room = ["000001L9", "000002L8", "000005LZ"].map { site.library.state.tape($0)?.room }
        #expect(room == [17_995_000_000_000, 11_995_000_000_000, 17_995_000_000_000])
        let long = try site.store.shell(at: site.library.path(of: "000004PA"))
        #expect(long.room == 39_995_000_000_000 && long.loads == 0)
        #expect(try site.store.shell(at: site.library.path(of: "CLN001L9")).cleaningsLeft == 50)
        #expect(site.disk.used < 10 << 20)
        // LTO-9 drives cannot read the two of LTO-10, so they stay unknown.
        #expect(
            site.library.state.tapes.map(\.standing.status.title) == [
                "Free", "Free", "Unknown", "Unknown", "Free", "Cleaning",
            ])
    }

    @Test(
        "written, settled, recataloged after the loss of library.json, erased: all with what is really on the cartridge"
    )
    func course() throws {
        let site = try Site(["000001L9", "000002L9"])
        let library = site.library
        let identity = Paper.identity(1, library: library.state.identifier, owner: "gold")
        try site.write("000001L9", identity, set, records: 3, at: 1)
        let tape = try #require(library.state.tape("000001L9"))
        #expect(tape.written > 300_000 && tape.room == 17_995_000_000_000 - tape.written)
        // Read by the first inventory, and loaded by the job.
        #expect(try site.store.shell(at: library.path(of: "000001L9")).loads == 2)
        #expect(tape.standing.status == .active)
        #expect(tape.cartridge == (try site.store.shell(at: library.path(of: "000001L9")).identifier.description))
        // The computer dies, and only the cartridges are left.
        site.disk.powerCut(.all)
        try site.disk.makeFolder("/new")
        let again = try MediaLibrary.create(
            "lib1", library.state.hardware.emptied(), at: "/new", files: site.disk, store: site.store,
            guids: SequentialGUIDs(seed: 99))
        for name in try site.disk.list("/lib/cartridges") {
            try site.disk.rename("/lib/cartridges/\(name)", to: "/new/cartridges/\(name)")
        }
        _ = try again.importTapes(try again.shelf(), at: 2)
        _ = try again.detailedInventory(at: 2, identify: Paper.identify)
        #expect(again.state.tapes.map(\.standing.status) == [.imported, .blank])
        let (sets, _) = try again.recatalog(["000001L9"], at: 3, read: Paper.catalog)
        #expect(
            sets.map(\.entry) == [
                CatalogedSet(
                    set: "A", number: 1, name: "alpha", date: 1_000, expiry: 1_000, bytes: 300_000)
            ])
        #expect(again.state.tape("000001L9")?.written == tape.written)
        _ = try again.markFree(["000001L9"], at: 4)
        _ = try again.erase("000001L9", at: 5)
        #expect(again.state.tape("000001L9")?.written == 0)
        let (drive, _) = try again.load("000001L9", at: 6)
        let medium = try again.medium(inDrive: drive, writable: false)
        #expect(try medium.record() == nil)
        try again.finish(medium)
    }

    @Test("a tape that a program has open cannot be taken out of its drive, erased, or opened again")
    func busy() throws {
        let site = try Site(["000001L9"])
        let library = site.library
        _ = try library.load("000001L9", drive: 2, at: 1)
        let medium = try library.medium(inDrive: 2, writable: true)
        #expect(refusalID { _ = try library.medium(inDrive: 2, writable: true) } == "TAPE-BUSY")
        #expect(refusalID { _ = try library.unload(drive: 2, at: 1) } == "TAPE-REMOVAL-PREVENTED")
        #expect(refusalID { _ = try library.move(from: .drive(2), to: .slot(3), at: 1) } == "TAPE-REMOVAL-PREVENTED")
        #expect(refusalID { _ = try library.erase("000001L9", at: 1) } == "TAPE-24008")
        _ = try medium.write([1, 2, 3])
        try library.finish(medium)
        #expect(refusalID { _ = try medium.write([1, 2, 3]) } == "TAPE-NO-MEDIUM")
        _ = try library.unload(drive: 2, at: 1)
        #expect(library.state.tape("000001L9")?.written == 3)
        #expect(library.state.tape("000001L9")?.place == .slot(1))
        // Loaded by another program: the erase fails, what is on the tape has to be looked at again, and all else goes on.
        let other = try CartridgeFiles(site.disk).open(at: library.path(of: "000001L9"), writable: true)
        #expect(refusalID { _ = try library.erase("000001L9", at: 2) } == "TAPE-BUSY")
        #expect(refusalID { _ = try library.fastInventory(at: 2) } == nil)
        _ = try other.read(into: UnsafeMutableRawBufferPointer(start: nil, count: 0))
    }

    @Test(
        "the tab protects from writing and erasing, on the cartridge itself; a cartridge written once is never erased")
    func tabs() throws {
        let site = try Site(["000001L9", "000002LZ"])
        let library = site.library
        func out(_ barcode: String) throws {
            _ = try library.eject([barcode], at: 1)
            _ = try library.openPort(at: 1)
            _ = try library.takeOut([barcode], at: 1)
            _ = try library.closePort(at: 1)
        }
        try out("000001L9")
        _ = try library.setWriteProtected(true, "000001L9", at: 1)
        _ = try library.importTapes(["000001L9"], at: 1)
        #expect(refusalID { _ = try library.erase("000001L9", at: 1) } == "TAPE-30003")
        let (drive, _) = try library.load("000001L9", at: 1)
        let medium = try library.medium(inDrive: drive, writable: true)
        #expect(refusalID { _ = try medium.write([1]) } == "TAPE-WRITE-PROTECTED")
        try library.finish(medium)
        _ = try library.unload(drive: drive, at: 1)
        #expect(library.state.tape("000001L9")?.standing.status == .writeProtected)
        let request = SetRequest(group: "gold", run: 1, drive: .lto9, expiry: 9)
        #expect(try library.choose(for: request, at: 1).barcode == "000002LZ")
        #expect(refusalID { _ = try library.erase("000002LZ", at: 1) } == "TAPE-WORM")
    }

    @Test("a cleaning cartridge counts its uses itself, and a drive will not read it")
    func cleaning() throws {
        let site = try Site(["CLN001L9"])
        for left in [49, 48] {
            let report = try site.library.clean(drive: 1, at: 1)
            #expect(report.happened == ["drive-1 cleaned with CLN001L9, which has \(left) uses left"])
        }
        for _ in 0..<48 { _ = try site.library.clean(drive: 1, at: 1) }
        #expect(refusalID { _ = try site.library.clean(drive: 1, at: 1) } == "TAPE-25018")
        #expect(refusalID { _ = try site.store.clean(at: site.library.path(of: "CLN001L9")) } == "TAPE-25018")
    }

    @Test("a cartridge whose file is damaged or gone is named, and the rest of the library works")
    func damaged() throws {
        let site = try Site(["000001L9", "000002L9"])
        let path = site.library.path(of: "000001L9")
        for byte in [Int64(100), 4_196] { _ = site.disk.flip(path, byte: byte, mask: 0xFF) }
        #expect(refusalID { _ = try site.library.load("000001L9", at: 1) } == "TAPE-FORMAT")
        #expect(site.library.state.hardware.cartridge(in: .drive(1)) == nil)
        try site.disk.remove(path)
        #expect(refusalID { _ = try site.library.load("000001L9", at: 1) } == "TAPE-30002")
        #expect(try site.library.load("000002L9", at: 1).drive == 1)
    }

    @Test("a copy of the folder has the same data")
    func copied() throws {
        let site = try Site(["000001L9"])
        try site.write(
            "000001L9", Paper.identity(1, library: site.library.state.identifier), set, records: 20, at: 1)
        try site.library.copy(to: "/copy")
        let copy = try MediaLibrary(opening: "/copy", files: site.disk, store: site.store)
        let (drive, _) = try copy.load("000001L9", at: 2)
        let medium = try copy.medium(inDrive: drive, writable: false)
        #expect(try medium.record() != nil)
        for _ in 0..<20 { #expect(try medium.record() == [UInt8](repeating: 7, count: 100_000)) }
        #expect(try medium.record() == nil)
    }
}

extension LibraryHardware {
    /// The same library without its cartridges.
    fileprivate func emptied() -> LibraryHardware {
        var empty = self
        empty.contents = []
        return empty
    }
}
