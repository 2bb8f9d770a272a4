import Files
import Protection
import Tape
import Testing
import Units

@Suite("A library: inventories, and what they find")
struct LibraryInventoryTests {
    private let home = "own"

    /// A library that was filled, with a text on each of its tapes.
    private func filled(_ texts: [String: (MediaLibrary) -> String]) throws -> PaperLibrary {
        let paper = try PaperLibrary(tapes: texts.keys.sorted())
        for (barcode, text) in texts.sorted(by: { $0.key < $1.key }) {
            try paper.store.write(text(paper.library), at: paper.library.path(of: barcode))
        }
        return paper
    }

    @Test(
        "by bar codes a library knows what lies where, and not what is on it; cleaning tapes it knows by their labels")
    func fast() throws {
        let paper = try PaperLibrary(slots: 24, ports: 0, drives: [LibraryDrive(.lto8)])
        _ = try paper.library.add(["000001L8", "CLN001L8", "000002L8"], guids: paper.guids, at: 0)
        #expect(paper.library.state.tapes.isEmpty)
        #expect(refusalID { _ = try paper.library.load("000001L8", at: 0) } == "TAPE-24050")
        let report = try paper.library.fastInventory(at: 77)
        #expect(report.duration == .milliseconds(25 * 2_200))
        #expect(paper.library.state.tapes.map(\.barcode) == ["000001L8", "000002L8", "CLN001L8"])
        #expect(paper.status("000001L8") == .unknown && paper.status("CLN001L8") == .cleaner)
        #expect(paper.library.state.lastInventory == 77)
        #expect(try paper.library.fastInventory(at: 78).happened == [])
    }

    @Test("read, a tape is free, own, another server's or not recognized")
    func detailed() throws {
        let paper = try filled([
            "000001L8": { _ in "" },
            "000002L8": { Paper.text(Paper.identity(2, library: $0.state.identifier)) },
            "000003L8": { _ in Paper.text(Paper.identity(3, library: "elsewhere", label: "silver 1")) },
            "000004L8": { _ in "tar archive" },
        ])
        let report = try paper.library.detailedInventory(at: 5, identify: Paper.identify)
        // Robot, load, unload, robot for each.
        #expect(report.duration == .seconds((15 + 15 + 24 + 15) * 4))
        #expect(
            report.happened == [
                "000001L8 is free", "000002L8 is gold 1", "000003L8 is another server's silver 1",
                "000004L8 is unrecognized: another program wrote it",
            ])
        #expect(
            ["000001L8", "000002L8", "000003L8", "000004L8"].map(paper.status) == [
                .blank, .offsiteReady, .imported, .unrecognized,
            ])
        #expect(paper.library.state.tape("000003L8")?.writer == "elsewhere")
        #expect(paper.library.state.tape("000002L8")?.identified == 5)
        // Known ones are left out.
        let again = try paper.library.detailedInventory(
            ["000002L8", "000003L8", "000004L8"], at: 6, identify: Paper.identify)
        #expect(again.refused.map(\.id) == ["TAPE-24033", "TAPE-24033"])
        #expect(again.duration == .seconds(69))
    }

    @Test("cleaning tapes, tapes in use and tapes that are not there are not read")
    func left() throws {
        let paper = try PaperLibrary(tapes: ["000001L8", "CLN001L8"])
        try paper.library.reserve("000001L8", at: 0)
        let report = try paper.library.detailedInventory(["000001L8", "CLN001L8"], at: 0, identify: Paper.identify)
        #expect(report.refused.map(\.id) == ["TAPE-24008", "TAPE-24054"])
        #expect(report.duration == .zero)
        #expect(
            refusalID { _ = try paper.library.detailedInventory(["000007L8"], at: 0, identify: Paper.identify) }
                == "TAPE-24050")
    }

    @Test("a tape that cannot be read stays unknown, and does not keep the others from being read")
    func unreadable() throws {
        let paper = try PaperLibrary(tapes: ["000001L8", "000002L8"])
        _ = paper.disk.flip(paper.library.path(of: "000001L8"), byte: 0, mask: 0x80)
        let report = try paper.library.detailedInventory(at: 0, identify: Paper.identify)
        #expect(report.refused.map(\.id) == ["TAPE-25101"])
        #expect(paper.status("000001L8") == .unknown && paper.status("000002L8") == .blank)
        #expect(
            refusalID { _ = try paper.library.detailedInventory(at: 0, identify: Paper.identify) } == "TAPE-25101")
    }

    @Test("without a bar code reader the fast inventory reads the tapes, 20 s a slot to find them")
    func blind() throws {
        let paper = try PaperLibrary(slots: 4, ports: 0, drives: [LibraryDrive(.lto8)]) { $0.hasBarcodes = false }
        _ = try paper.library.add(["000001L8"], guids: paper.guids, at: 0)
        #expect(refusalID { _ = try paper.library.fastInventory(at: 0) } == "TAPE-25011")
        let report = try paper.library.fastInventory(at: 0, identify: Paper.identify)
        #expect(report.duration == .seconds(20 * 5 + 69))
        #expect(paper.status("000001L8") == .blank)
    }

    @Test("two tapes that say they are the same: the second one is suspect, until it has another bar code")
    func suspect() throws {
        let text: (MediaLibrary) -> String = { Paper.text(Paper.identity(1, library: $0.state.identifier)) }
        let paper = try filled(["000001L8": text, "000002L8": text])
        let report = try paper.library.detailedInventory(at: 0, identify: Paper.identify)
        #expect(report.happened.last == "000002L8 is suspect: it says it is tape 000001L8")
        #expect(paper.status("000001L8") == .offsiteReady && paper.status("000002L8") == .suspect)
        for call: (MediaLibrary) throws -> Void in [
            { _ = try $0.load("000002L8", at: 0) }, { _ = try $0.erase("000002L8", at: 0) },
            { _ = try $0.markFree(["000002L8"], at: 0) }, { try $0.reserve("000002L8", at: 0) },
            { _ = try $0.recatalog(["000002L8"], at: 0, read: Paper.catalog) },
        ] { #expect(refusalID { try call(paper.library) } == "TAPE-31151") }
        // Out, relabelled, in again: unknown, and read anew. Meanwhile the other one has left.
        _ = try paper.library.eject(["000001L8", "000002L8"], at: 0)
        _ = try paper.library.openPort(at: 0)
        _ = try paper.library.takeOut(["000001L8", "000002L8"], at: 0)
        _ = try paper.library.closePort(at: 0)
        _ = try paper.library.relabel("000002L8", as: "000009L8", at: 0)
        _ = try paper.library.importTapes(["000009L8"], at: 0)
        #expect(paper.status("000009L8") == .unknown)
        let found = try paper.library.detailedInventory(["000009L8"], at: 0, identify: Paper.identify)
        #expect(found.notices == [.replaceBarcode])
        #expect(found.happened == ["000009L8 was 000001L8"])
        #expect(paper.status("000009L8") == .offsiteReady)
        #expect(paper.library.state.tape("000001L8") == nil)
    }

    @Test("a job that mounts another tape than it expects makes it suspect")
    func unexpected() throws {
        let paper = try PaperLibrary.ready(["000001L8"])
        let request = SetRequest(group: "gold", run: 1, drive: .lto8, expiry: 9_000)
        try paper.write(
            CatalogedSet(set: "A", number: 1, date: 1, expiry: 9_000, bytes: 5), on: "000001L8", request, number: 1,
            at: 1)
        let own = TapeFinding.identity(Paper.identity(1, library: paper.library.state.identifier))
        try paper.library.confirm("000001L8", is: own, at: 2)
        #expect(paper.status("000001L8") == .active)
        let other = TapeFinding.identity(Paper.identity(2, library: paper.library.state.identifier))
        #expect(refusalID { try paper.library.confirm("000001L8", is: other, at: 2) } == "TAPE-24061")
        #expect(paper.status("000001L8") == .suspect)
        let blank = try PaperLibrary.ready(["000001L8"])
        try blank.library.confirm("000001L8", is: .blank, at: 2)
        #expect(blank.status("000001L8") == .blank)
    }

    @Test("a tape somebody put in another one's place is not loaded")
    func swapped() throws {
        let paper = try PaperLibrary.ready(["000001L8", "000002L8"])
        _ = try paper.library.unlockDoor(at: 0)
        _ = try paper.library.setDoor(open: true, at: 0)
        _ = try paper.library.placeByHand("000001L8", in: nil, at: 0)
        _ = try paper.library.placeByHand("000002L8", in: 1, at: 0)
        _ = try paper.library.setDoor(open: false, at: 0)
        _ = try paper.library.lockDoor(at: 0)
        #expect(refusalID { _ = try paper.library.load("000001L8", at: 0) } == "TAPE-24061")
        #expect(paper.library.state.hardware.cartridge(in: .drive(1)) == nil)
    }
}
