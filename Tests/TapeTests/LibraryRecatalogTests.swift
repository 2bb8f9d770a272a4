import Files
import Protection
import Tape
import Testing
import Units

@Suite("A library: what a lost server had is found again from its tapes")
struct LibraryRecatalogTests {
    /// Part of a set. Its name is known, or only the certificate that would tell.
    private static func part(
        _ set: String, _ number: Int, _ spans: ClosedRange<Int> = 1...1, closed: Bool = true, name: Bool = true
    ) -> CatalogedSet {
        CatalogedSet(
            set: set, number: number, name: name ? "backup of \(set)" : nil, date: 1_000, expiry: 5_000_000,
            bytes: 1_000, spans: spans, isClosed: closed, thumbprints: name ? [] : ["AB12"])
    }

    /// A library that knows nothing yet of three tapes of one family, as another server wrote them: A on the first, B on all three,
    /// C on the third.
    private func found(_ barcodes: [String] = ["000001L8", "000002L8", "000003L8"]) throws -> PaperLibrary {
        let paper = try PaperLibrary(tapes: barcodes + ["000009L8"])
        let sets: [String: [CatalogedSet]] = [
            "000001L8": [Self.part("A", 1), Self.part("B", 2, closed: false)],
            "000002L8": [Self.part("B", 2, 2...2, closed: false)],
            "000003L8": [Self.part("B", 2, 3...3), Self.part("C", 3, name: false)],
        ]
        for barcode in barcodes {
            let number = Int(barcode.prefix(6))!
            let identity = Paper.identity(number, library: "lost", family: 1, sequence: number, label: "old \(number)")
            try paper.store.write(Paper.text(identity, sets[barcode]!), at: paper.library.path(of: barcode))
        }
        return paper
    }

    @Test("all tapes of a family give all sets, in order, with or without the certificate")
    func all() throws {
        let paper = try found()
        _ = try paper.library.detailedInventory(at: 1, identify: Paper.identify)
        let (sets, report) = try paper.library.recatalog(
            ["000002L8", "000003L8", "000001L8"], at: 2, read: Paper.catalog)
        #expect(sets.map(\.entry.set) == ["A", "B", "C"])
        #expect(sets.map(\.barcodes) == [["000001L8"], ["000001L8", "000002L8", "000003L8"], ["000003L8"]])
        #expect(sets.allSatisfy { $0.isComplete })
        #expect(sets.map(\.entry.name) == ["backup of A", "backup of B", nil])
        #expect(sets[2].entry.thumbprints == ["AB12"])
        #expect(sets[1].entry.firstSpan == 1 && sets[1].entry.lastSpan == 3)
        #expect(report.notices == [.recatalogsImported])
        #expect(report.refused.isEmpty)
        #expect(paper.status("000001L8") == .archived)
        #expect(paper.library.state.tape("000003L8")?.isEncrypted == true)
        // Mount, read the end of the tape, dismount, thrice.
        #expect(report.duration > .seconds(3 * 69) && report.duration < .seconds(3 * 320))
    }

    @Test("what is split needs all its tapes: those that are there count, the others are named")
    func split() throws {
        let paper = try found()
        _ = try paper.library.detailedInventory(at: 1, identify: Paper.identify)
        #expect(refusalID { _ = try paper.library.recatalog(["000002L8"], at: 2, read: Paper.catalog) } == "TAPE-24042")
        let (some, _) = try paper.library.recatalog(["000003L8"], at: 3, read: Paper.catalog)
        // C is whole; B lacks its first part, the second having been read before.
        #expect(some.map(\.entry.set) == ["B", "C"])
        #expect(some.map(\.missing) == [[1], []])
        #expect(some.map(\.isComplete) == [false, true])
        let (rest, _) = try paper.library.recatalog(["000001L8"], at: 4, read: Paper.catalog)
        #expect(rest.map(\.isComplete) == [true, true])
        #expect(paper.library.knownSets(on: ["000003L8"]).map(\.entry.set) == ["B", "C"])
        // The beginning without the end is open.
        let begun = try found(["000001L8"])
        _ = try begun.library.detailedInventory(at: 1, identify: Paper.identify)
        let (sets, _) = try begun.library.recatalog(["000001L8"], at: 2, read: Paper.catalog)
        #expect(sets.map(\.isOpen) == [false, true])
    }

    @Test("tapes that cannot be recataloged are left out, each with its number")
    func refused() throws {
        let paper = try found()
        let library = paper.library
        #expect(refusalID { _ = try library.recatalog(["000001L8"], at: 1, read: Paper.catalog) } == "TAPE-24031")
        _ = try library.add(["000008L8", "CLN001L8"], guids: paper.guids, at: 1)
        #expect(refusalID { _ = try library.recatalog(["000008L8"], at: 1, read: Paper.catalog) } == "TAPE-24040")
        #expect(refusalID { _ = try library.recatalog(["000007L8"], at: 1, read: Paper.catalog) } == "TAPE-24050")
        _ = try library.fastInventory(at: 1)
        for tape in ["000001L8", "000009L8"] {
            _ = try library.detailedInventory([tape], at: 1, identify: Paper.identify)
        }
        let (sets, report) = try library.recatalog(
            ["000001L8", "000002L8", "000009L8", "CLN001L8"], at: 2, read: Paper.catalog)
        #expect(sets.map(\.entry.set) == ["A", "B"])
        #expect(report.refused.map(\.id) == ["TAPE-24031", "TAPE-24041", "TAPE-24054"])
    }

    @Test("a torn catalog is 30008; a tape that changed since it was identified 30002; neither changes what is known")
    func damaged() throws {
        let paper = try found()
        _ = try paper.library.detailedInventory(at: 1, identify: Paper.identify)
        let before = paper.library.state
        let torn: CatalogReading = { (_) throws(StorageFault) in
            throw StorageFault(.damaged, "TAPE-RECORD-DAMAGED", "x", "torn", action: "y")
        }
        #expect(refusalID { _ = try paper.library.recatalog(["000001L8"], at: 2, read: torn) } == "TAPE-30008")
        try paper.store.write(Paper.text(Paper.identity(77, library: "lost")), at: paper.library.path(of: "000001L8"))
        #expect(refusalID { _ = try paper.library.recatalog(["000001L8"], at: 2, read: Paper.catalog) } == "TAPE-30002")
        #expect(paper.library.state == before)
    }

    @Test("sets that have expired leave an expired tape, which may be written")
    func expired() throws {
        let paper = try found(["000001L8"])
        _ = try paper.library.detailedInventory(at: 1, identify: Paper.identify)
        _ = try paper.library.recatalog(["000001L8"], at: 6_000_000, read: Paper.catalog)
        #expect(paper.library.state.tape("000001L8")?.standing.use == .expired)
    }

    @Test("a server that is lost with its library.json: a new one is made around the cartridges, and knows all again")
    func lost() throws {
        let paper = try PaperLibrary.ready(["000001L8"])
        let request = SetRequest(group: "gold", run: 1, drive: .lto8, expiry: 9_000_000)
        try paper.write(Self.part("A", 1), on: "000001L8", request, number: 1, at: 1)
        // Only the cartridge's file survives, in the folder of a new library.
        let disk = SimulatedDisk()
        let again = try PaperLibrary(on: disk)
        disk.setContents(again.library.path(of: "000001L8"), paper.disk.contents(paper.library.path(of: "000001L8"))!)
        #expect(try again.library.shelf() == ["000001L8"])
        _ = try again.library.importTapes(["000001L8"], at: 2)
        _ = try again.library.detailedInventory(at: 2, identify: Paper.identify)
        // Written by a library with the same seed, hence the same identifier: its own tape.
        #expect(again.library.state.tape("000001L8")?.owner == "gold")
        let (sets, _) = try again.library.recatalog(["000001L8"], at: 3, read: Paper.catalog)
        #expect(sets.map(\.entry.name) == ["backup of A"])
    }
}
