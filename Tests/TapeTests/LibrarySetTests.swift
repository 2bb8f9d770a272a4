import Files
import Protection
import Tape
import Testing
import Units

@Suite("Sets on the tapes of a library")
struct LibrarySetTests {
    /// A library with small cartridges, so that sets go on.
    private final class Site {
        let disk: SimulatedDisk
        let guids: SequentialGUIDs
        let secrets = SeededSecrets(seed: 5)
        let store: CartridgeFiles
        let library: MediaLibrary
        private var count = 0

        init(
            _ tapes: [String], room: Int64 = 4_000_000, drives: Int = 2, seed: UInt64 = 11,
            disk: SimulatedDisk = SimulatedDisk(), folder: String = "/lib"
        ) throws {
            self.disk = disk
            guids = SequentialGUIDs(seed: seed)
            store = CartridgeFiles(disk)
            library = try MediaLibrary.create(
                "lib1",
                LibraryHardware(slots: 10, ports: 3, drives: Array(repeating: LibraryDrive(.lto8), count: drives)),
                at: folder, files: disk, store: store, guids: guids)
            for tape in tapes { try shelve(tape, room: room) }
            try adopt()
        }

        private func shelve(_ tape: String, room: Int64) throws {
            var design = CartridgeDesign(barcode: tape, capacity: room + (1 << 19), reserve: 1 << 19)
            design.generation = .lto8
            try Cartridge.create(at: library.path(of: tape), on: disk, design, guids: guids, time: 0).unload()
        }

        func add(_ tape: String) throws {
            try shelve(tape, room: 4_000_000)
            try adopt()
        }

        /// A library that is there.
        init(at folder: String, on disk: SimulatedDisk, seed: UInt64 = 600) throws {
            self.disk = disk
            guids = SequentialGUIDs(seed: seed)
            store = CartridgeFiles(disk)
            library = try MediaLibrary(opening: folder, files: disk, store: store)
        }

        /// Takes in what lies on the shelf.
        func adopt() throws {
            _ = try library.importTapes(try library.shelf(), at: 0)
            _ = try library.detailedInventory(at: 0, identify: TapeFinding.of)
        }

        func request(_ group: String = "gold", run: Int = 1, expiry: Int64? = 5_000_000_000) -> SetRequest {
            SetRequest(group: group, run: run, drive: .lto8, expiry: expiry)
        }

        func write(
            _ files: [MadeFile], _ request: SetRequest, encrypted: Bool = false, at now: Int64 = 1_700_000_000
        ) throws -> (SetDescription, LibraryReceipt) {
            count += 1
            let description = SetDescription(
                set: guids.next(), name: "set \(count)", datasource: "machine \(count)", machine: "host", date: now,
                expiry: request.expiry)
            let options = SetBench.options(encrypted ? .default : nil, encrypted: encrypted, record: 1 << 16)
            return (
                description,
                try library.write(
                    files, description, options, for: request,
                    label: "DPM - \(request.group) - long-term tape \(count)",
                    guids: guids, secrets: secrets, at: now)
            )
        }

        func carryAway(_ barcode: String) throws {
            _ = try library.eject([barcode], at: 2)
            _ = try library.openPort(at: 2)
            _ = try library.takeOut([barcode], at: 2)
            _ = try library.closePort(at: 2)
        }

        func restores(_ set: GUID, _ files: [MadeFile], at now: Int64 = 1_700_000_001) throws -> Bool {
            let reading = try library.open(set, with: [SetBench.keyed], at: now)
            let isWhole = try SetBench.restores(reading.set, files)
            _ = try reading.end()
            return isWhole
        }

        var isTidy: Bool {
            library.state.tapes.allSatisfy { !$0.standing.isReserved && $0.place?.isSlot == true }
        }
    }

    private func files(_ seed: UInt64, _ size: Int64 = 400_000) -> [MadeFile] {
        [
            MadeFile("disk", [(.chance(seed), size)]), MadeFile("hole", [(.hole, 1_000_000)]),
            MadeFile("conf", [(.text(seed), 3_000)]),
        ]
    }

    @Test(
        "members of a run go on one tape, a large set over several, all come back, on one drive as on three",
        arguments: [1, 3])
    func course(_ drives: Int) throws {
        let tapes = (1...5).map { "00000\($0)L8" }
        let site = try Site(tapes, drives: drives)
        #expect(site.library.state.tapes.map(\.standing.status) == Array(repeating: .blank, count: 5))
        let small = files(1)
        let (first, one) = try site.write(small, site.request())
        #expect(one.barcodes == ["000001L8"] && one.placement.isNew)
        #expect(one.report.happened.first == "000001L8 moved from slot-1 to drive-1")
        let more = files(2)
        let (second, two) = try site.write(more, site.request(), encrypted: true)
        #expect(two.barcodes == ["000001L8"] && !two.placement.isNew && two.receipt.number == 2)
        let large = files(3, 9_000_000)
        let (third, three) = try site.write(large, site.request(run: 2), encrypted: true)
        #expect(three.barcodes.count >= 3 && three.barcodes == Array(tapes[1..<1 + three.barcodes.count]))
        #expect(site.isTidy)
        #expect(site.library.state.tape("000002L8")?.standing.status == .full)
        #expect(site.library.state.tape(three.barcodes.last!)?.standing.status == .active)
        #expect(site.library.state.tape("000002L8")?.family == site.library.state.tape("000003L8")?.family)
        #expect(try site.restores(first.set, small))
        #expect(try site.restores(second.set, more))
        #expect(try site.restores(third.set, large))
        #expect(site.isTidy)
    }

    @Test("a set goes to the tapes that were chosen for it, in their order; without a further one it is none")
    func route() throws {
        let site = try Site(["000001L8", "000002L8", "000003L8", "000004L8"])
        func write(_ seed: UInt64, _ route: [String], ends: [Int64]) throws -> (GUID, [MadeFile], LibraryReceipt) {
            let files = self.files(seed)
            let description = SetDescription(
                set: site.guids.next(), name: "set \(seed)", date: 1_700_000_000, expiry: 5_000_000_000)
            var options = SetBench.options(nil, encrypted: true, record: 1 << 16)
            options.mediaEnds = ends
            let receipt = try site.library.write(
                files, description, options, for: site.request(run: Int(seed)), route: route, label: "routed",
                guids: site.guids, secrets: site.secrets, at: 1_700_000_000)
            return (description.set, files, receipt)
        }
        let (first, files, receipt) = try write(1, ["000003L8", "000001L8"], ends: [200_000])
        #expect(receipt.barcodes == ["000003L8", "000001L8"])
        // Behind it, on the tape it ended on.
        let (second, more, behind) = try write(2, ["000001L8"], ends: [])
        #expect(behind.barcodes == ["000001L8"] && !behind.placement.isNew)
        #expect(try site.restores(first, files) && site.restores(second, more))
        let error = #expect(throws: StorageFault.self) { _ = try write(3, ["000004L8"], ends: [200_000]) }
        #expect(error?.id == "TAPE-24050")
        #expect(site.library.knownSets(on: site.library.state.tapes.map(\.barcode)).count == 2)
        #expect(site.library.state.tapes.allSatisfy { $0.place?.isSlot == true && !$0.standing.isReserved })
    }

    @Test("a set that finds no further tape is not listed, its tapes are home, and the sets before it come back")
    func noTape() throws {
        let site = try Site(["000001L8", "000002L8"])
        let small = files(1)
        let (first, _) = try site.write(small, site.request())
        #expect(refusalID { _ = try site.write(files(2, 9_000_000), site.request()) } == "TAPE-24050")
        #expect(site.isTidy)
        #expect(site.library.state.tape("000001L8")?.sets.map(\.set) == [first.set.description])
        #expect(site.library.state.tape("000002L8")?.standing.status == .blank)
        let again = files(3)
        let (second, receipt) = try site.write(again, site.request())
        // As DPM does: after a failure a new tape (3608).
        #expect(receipt.barcodes == ["000002L8"])
        #expect(try site.restores(first.set, small) && site.restores(second.set, again))
    }

    @Test("a lost server is found again from its cartridges: names with the certificate, sizes and thumbprints without")
    func recatalog() throws {
        let site = try Site((1...5).map { "00000\($0)L8" }, drives: 3)
        let (plainFiles, sealedFiles) = (files(1), files(2, 6_000_000))
        let (plain, _) = try site.write(plainFiles, site.request())
        let (sealed, over) = try site.write(sealedFiles, site.request(run: 2), encrypted: true)
        #expect(over.barcodes.count > 1)
        for isKnown in [false, true] {
            let disk = site.disk.copy()
            disk.powerCut(.none)
            let again = try Site([], drives: 3, seed: 500, disk: disk, folder: "/again")
            for name in try disk.list("/lib/cartridges") {
                try disk.rename("/lib/cartridges/\(name)", to: "/again/cartridges/\(name)")
            }
            try again.adopt()
            let library = again.library
            #expect(library.state.tape("000001L8")?.standing.status == .imported)
            let written = library.state.tapes.filter { $0.standing.content == .imported }.map(\.barcode)
            let (sets, report) = try library.recatalog(written, at: 1) { (medium) throws(StorageFault) in
                try TapeCatalog.of(medium, with: isKnown ? [SetBench.keyed] : [])
            }
            #expect(report.refused == [] && report.notices == [.recatalogsImported])
            let found = try #require(sets.first { $0.entry.set == sealed.set.description })
            #expect(sets.count == 2 && sets.allSatisfy { $0.isComplete })
            #expect(found.barcodes == over.barcodes)
            #expect(found.entry.name == (isKnown ? sealed.name : nil))
            #expect(found.entry.thumbprints == [SetBench.keyed.certificate.thumbprint.description])
            #expect(found.entry.expiry == sealed.expiry && found.entry.date == sealed.date)
            let clear = try #require(sets.first { $0.entry.set == plain.set.description })
            #expect(clear.entry.name == plain.name && clear.entry.thumbprints == [])
            #expect(clear.entry.files.map(\.name) == plainFiles.map(\.name))
            #expect(clear.entry.bytes == plainFiles.reduce(0) { $0 + $1.size })
            if isKnown { #expect(found.entry.files.map(\.name) == sealedFiles.map(\.name)) }
            #expect(found.entry.bytes == sealedFiles.reduce(0) { $0 + $1.size })
            // And it restores.
            #expect(try again.restores(plain.set, plainFiles))
            #expect(try again.restores(sealed.set, sealedFiles))
            #expect(refusalID { _ = try library.open(sealed.set, at: 2) } == "TAPE-24071")
            #expect(again.isTidy)
        }
    }

    @Test("of a tape and its copy one in the library is enough to restore from, whichever; with neither it is 24050")
    func copyStandsIn() throws {
        let content = files(2, 6_000_000)
        for absent in [[0], [1], [0, 1]] {
            let site = try Site((1...6).map { "00000\($0)L8" })
            let (sealed, over) = try site.write(content, site.request(), encrypted: true)
            for place in [0, 1] {
                let pair = [over.barcodes[place], "00000\(5 + place)L8"]
                _ = try site.library.copyTape(pair[0], to: pair[1], at: 1) { () throws(StorageFault) in }
                let out = absent.contains(place) ? pair[0] : pair[1]
                try site.carryAway(out)
            }
            #expect(try site.restores(sealed.set, content))
            let held = absent.contains(1) ? "000006L8" : over.barcodes[1]
            try site.carryAway(held)
            #expect(refusalID { _ = try site.library.open(sealed.set, with: [SetBench.keyed], at: 3) } == "TAPE-24050")
        }
    }

    @Test("without its last tape a set is 24042; a cartridge that was exchanged is 24061 and suspect")
    func missing() throws {
        let site = try Site((1...4).map { "00000\($0)L8" })
        let (sealed, over) = try site.write(files(2, 6_000_000), site.request(), encrypted: true)
        let disk = site.disk.copy()
        disk.powerCut(.none)
        let again = try Site([], seed: 500, disk: disk, folder: "/again")
        try disk.rename("/lib/cartridges/000001L8.cart", to: "/again/cartridges/000001L8.cart")
        try again.adopt()
        #expect(
            refusalID {
                _ = try again.library.recatalog(["000001L8"], at: 1) { (medium) throws(StorageFault) in
                    try TapeCatalog.of(medium)
                }
            } == "TAPE-24042")
        #expect(refusalID { _ = try again.library.open(sealed.set, at: 1) } == "TAPE-24042")
        // Two cartridges change their labels while nobody looks.
        let paths = [over.barcodes[0], "000004L8"].map { site.library.path(of: $0) }
        try site.disk.rename(paths[0], to: "/lib/x")
        try site.disk.rename(paths[1], to: paths[0])
        try site.disk.rename("/lib/x", to: paths[1])
        #expect(refusalID { _ = try site.library.open(sealed.set, with: [SetBench.keyed], at: 1) } == "TAPE-24061")
        #expect(site.library.state.tape(over.barcodes[0])?.standing.status == .suspect)
        #expect(site.isTidy)
    }

    @Test(
        "a program that dies while it writes a set: the sets before are whole, that one is whole or not listed, and all goes on"
    )
    func died() throws {
        let site = try Site(["000001L8", "000002L8"])
        let (small, more, last) = (files(1, 200_000), files(2, 200_000), files(3, 200_000))
        let (first, _) = try site.write(small, site.request())
        var call = 1
        var cuts = 0
        while true {
            let disk = site.disk.copy()
            disk.powerCut(.none)
            let dying = try Site(at: "/lib", on: disk)
            disk.cutAt = disk.writeCalls + call
            let id = refusalID { _ = try dying.write(more, dying.request()) }
            guard disk.isCut else {
                #expect(id == nil)
                break
            }
            cuts += 1
            disk.powerCut([.none, .all, .torn(seed: UInt64(call))][cuts % 3])
            let again = try Site(at: "/lib", on: disk, seed: 900)
            _ = try again.library.recover(at: 1_700_000_001)
            #expect(again.isTidy, "\(call)")
            #expect(try again.restores(first.set, small), "\(call)")
            for listed in again.library.state.tapes.flatMap(\.sets) where listed.set != first.set.description {
                #expect(try again.restores(try #require(GUID(listed.set)), more), "\(call)")
            }
            let (third, _) = try again.write(last, again.request())
            #expect(try again.restores(third.set, last), "\(call)")
            call += 5
        }
        #expect(cuts > 5)
    }

    @Test(
        "a program that dies while it begins an expired tape: no set is listed that is gone, no tape suspect, the next job writes"
    )
    func diedOnExpired() throws {
        let site = try Site(["000001L8", "000002L8"], drives: 1)
        let (old, new) = (files(1, 200_000), files(2, 200_000))
        let (kept, _) = try site.write(old, site.request())
        _ = try site.write(old, site.request(run: 2, expiry: 1_699_999_999), at: 1_600_000_000)
        #expect(site.library.state.tape("000002L8")?.sets.count == 1)
        var call = 1
        while true {
            let disk = site.disk.copy()
            disk.powerCut(.none)
            let dying = try Site(at: "/lib", on: disk)
            disk.cutAt = disk.writeCalls + call
            let id = refusalID {
                let (_, receipt) = try dying.write(new, dying.request(run: 3))
                #expect(receipt.barcodes == ["000002L8"] && receipt.placement.isNew)
            }
            guard disk.isCut else {
                #expect(id == nil)
                break
            }
            disk.powerCut([.none, .all, .torn(seed: UInt64(call))][call % 3])
            let again = try Site(at: "/lib", on: disk, seed: 900)
            _ = try again.library.recover(at: 1_700_000_001)
            #expect(again.isTidy)
            for listed in again.library.state.tapes.flatMap(\.sets) {
                let content = listed.expiry == 5_000_000_000 && listed.set != kept.set.description ? new : old
                #expect(try again.restores(try #require(GUID(listed.set)), content), "\(call)")
            }
            try again.add("000003L8")
            let (next, _) = try again.write(new, again.request(run: 4), at: 1_800_000_000)
            #expect(try again.restores(next.set, new) && again.restores(kept.set, old), "\(call)")
            #expect(again.library.state.tapes.allSatisfy { $0.standing.status != .suspect }, "\(call)")
            #expect(again.isTidy)
            call += 2
        }
        #expect(call > 20)
    }

    @Test("what is on a tape is told: nothing, a label, another program's records, damage")
    func findings() throws {
        let blank = MemoryTape()
        #expect(try TapeFinding.of(blank) == .blank)
        let foreign = MemoryTape()
        _ = try foreign.write([UInt8](repeating: 65, count: 2_048))
        guard case .unrecognized = try TapeFinding.of(foreign) else {
            Issue.record("a foreign tape is \(try TapeFinding.of(foreign))")
            return
        }
        let own = MemoryTape()
        try SetBench.label().write(to: own)
        #expect(try TapeFinding.of(own) == .identity(OnMediaIdentity(SetBench.label())))
    }
}
