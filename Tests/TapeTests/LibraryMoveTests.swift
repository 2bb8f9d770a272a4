import Files
import Protection
import Tape
import Testing
import Units

@Suite("A library: elements, robot, drives")
struct LibraryMoveTests {
    @Test("elements have addresses and names of their own, and both lead back to them")
    func elements() {
        let all =
            (1...128).map { LibraryElement.port($0) } + (1...256).map { .drive($0) } + (1...2_000).map { .slot($0) }
        #expect(Set(all.map(\.address)).count == all.count)
        #expect(!all.map(\.address).contains(LibraryElement.robotAddress))
        for element in all {
            #expect(LibraryElement(address: element.address) == element)
            #expect(LibraryElement(element.description) == element)
        }
        for text in ["slot-0", "slot-01", "slot", "slot--1", "drive-257", "shelf-1", "port-129", "", "slot-32001"] {
            #expect(LibraryElement(text) == nil, "\(text)")
        }
        #expect(LibraryElement(address: 1) == nil && LibraryElement(address: 0x0F) == nil)
    }

    @Test(
        "a bar code says what a cartridge is",
        arguments: [
            ("000001L5", BarcodeLabel.Kind.data, 1.5), ("ABC123L6", .data, 2.5), ("000001L7", .data, 6),
            ("000001L8", .data, 12), ("000001L9", .data, 18), ("000001LA", .data, 30), ("000001PA", .data, 40),
            ("000001LY", .worm, 12), ("000001LZ", .worm, 18), ("CLN001L8", .cleaning, 12), ("CLNU01CU", .cleaning, 1.5),
        ])
    func labels(_ barcode: String, _ kind: BarcodeLabel.Kind, _ terabytes: Double) throws {
        let label = try #require(BarcodeLabel(barcode))
        #expect(label.kind == kind)
        #expect(label.facts.capacity.count == Int64(terabytes * 1e12))
    }

    @Test(
        "what is no bar code is refused",
        arguments: ["", "L8", "000001l8", "000001L4", "000001", "0000 1L8", "../../L8", "00/001L8", "ÄÖÜ001L8"])
    func noLabels(_ barcode: String) throws {
        #expect(BarcodeLabel(barcode) == nil)
        let paper = try PaperLibrary()
        #expect(refusalID { _ = try paper.library.add([barcode], guids: paper.guids, at: 0) } == "TAPE-BARCODE")
        #expect(paper.library.state.hardware.contents.isEmpty)
    }

    @Test("a cartridge is loaded, and brought home; both take what the table says")
    func loads() throws {
        let paper = try PaperLibrary.ready(["000001L8", "000002L8"])
        let (drive, report) = try paper.library.load("000002L8", at: 1)
        #expect(drive == 1)
        // Robot 15 s, load 15 s.
        #expect(report.duration == .seconds(30))
        #expect(report.happened == ["000002L8 moved from slot-2 to drive-1"])
        #expect(paper.library.state.hardware.cartridge(in: .drive(1)) == "000002L8")
        #expect(paper.library.state.tape("000002L8")?.place == .drive(1))
        // Rewind from the middle of the tape, unload 24 s, robot 15 s.
        let motion = TapeMotion(LTOFacts.of(.lto8))
        let back = try paper.library.unload(drive: 1, standingAt: 6_000_000_000_000, at: 2)
        #expect(back.duration == motion.rewind(from: 6_000_000_000_000) + .seconds(39))
        #expect(paper.library.state.tape("000002L8")?.place == .slot(2))
        #expect(try paper.library.load("000001L8", drive: 2, at: 3).drive == 2)
    }

    @Test("the first load of a blank LTO-9 cartridge takes 40 minutes more, the second does not")
    func first() throws {
        let paper = try PaperLibrary(drives: [LibraryDrive(.lto9)], tapes: ["000001L9", "000002L8"])
        #expect(try paper.library.load("000001L9", at: 1).report.duration == .seconds(15 + 17) + .minutes(40))
        _ = try paper.library.unload(drive: 1, at: 2)
        try paper.store.write("x", at: paper.library.path(of: "000001L9"))
        #expect(try paper.library.load("000001L9", at: 3).report.duration == .seconds(32))
        _ = try paper.library.unload(drive: 1, at: 4)
        #expect(try paper.library.load("000002L8", at: 5).report.duration == .seconds(32))
    }

    @Test("drives take what they can read, and are filled one after the other")
    func drives() throws {
        let paper = try PaperLibrary(
            drives: [LibraryDrive(.lto7), LibraryDrive(.lto9)],
            tapes: ["000001L9", "000002L5", "000003L8", "000004LA", "CLN001L9"])
        #expect(try paper.library.load("000001L9", at: 0).drive == 2)
        #expect(refusalID { _ = try paper.library.load("000003L8", at: 0) } == "TAPE-24053")
        #expect(refusalID { _ = try paper.library.load("000003L8", drive: 2, at: 0) } == "TAPE-24021")
        #expect(refusalID { _ = try paper.library.load("000004LA", at: 0) } == "TAPE-30004")
        #expect(refusalID { _ = try paper.library.load("000002L5", drive: 3, at: 0) } == "TAPE-NO-ELEMENT")
        #expect(refusalID { _ = try paper.library.load("CLN001L9", at: 0) } == "TAPE-24054")
        #expect(refusalID { _ = try paper.library.load("000009L9", at: 0) } == "TAPE-24050")
        #expect(refusalID { _ = try paper.library.load("000001L9", at: 0) } == "TAPE-24008")
        #expect(try paper.library.load("000002L5", at: 0).drive == 1)
        // An LTO-7 drive reads LTO-5 and does not write it.
        _ = try paper.library.medium(inDrive: 1, writable: false)
        #expect(refusalID { _ = try paper.library.medium(inDrive: 1, writable: true) } == "TAPE-30004")
        _ = try paper.library.medium(inDrive: 2, writable: true)
        _ = try paper.library.unload(drive: 2, at: 0)
        #expect(refusalID { _ = try paper.library.medium(inDrive: 2, writable: true) } == "TAPE-NO-MEDIUM")
    }

    @Test(
        "the robot's faults have a sense, as a changer's would",
        arguments: [
            (LibraryElement.slot(9), LibraryElement.drive(1), "TAPE-NO-ELEMENT", Sense(0x5, 0x21, 0x01)),
            (.slot(1), .drive(3), "TAPE-NO-ELEMENT", Sense(0x5, 0x21, 0x01)),
            (.slot(3), .drive(1), "TAPE-SOURCE-EMPTY", Sense(0x5, 0x3B, 0x0E)),
            (.slot(1), .slot(2), "TAPE-DESTINATION-FULL", Sense(0x5, 0x3B, 0x0D)),
            (.slot(2), .drive(1), "TAPE-INCOMPATIBLE", Sense(0x3, 0x30, 0x02)),
            (.drive(2), .slot(3), "TAPE-REMOVAL-PREVENTED", Sense(0x5, 0x53, 0x02)),
        ])
    func senses(_ from: LibraryElement, _ to: LibraryElement, _ id: String, _ sense: Sense) throws {
        let paper = try PaperLibrary(tapes: ["000001L8", "000002L9", "000003L8"])
        _ = try paper.library.load("000003L8", drive: 2, at: 0)
        try paper.library.preventRemoval(drive: 2, true, at: 0)
        let before = paper.library.state
        let error = try #require(throws: StorageFault.self) { _ = try paper.library.move(from: from, to: to, at: 0) }
        #expect(error.id == id)
        #expect(Sense.of(error) == sense)
        #expect(paper.library.state == before)
    }

    @Test("what the robot moves without DPM is where DPM finds it")
    func moves() throws {
        let paper = try PaperLibrary.ready(["000001L8"])
        let moved = try paper.library.move(from: .slot(1), to: .drive(2), at: 0)
        #expect(moved.duration == .seconds(30))
        #expect(paper.library.state.tape("000001L8")?.place == .drive(2))
        try paper.library.preventRemoval(drive: 2, true, at: 0)
        #expect(refusalID { _ = try paper.library.unload(drive: 2, at: 0) } == "TAPE-REMOVAL-PREVENTED")
        try paper.library.preventRemoval(drive: 2, false, at: 0)
        // Home is the slot it came from.
        #expect(try paper.library.unload(drive: 2, at: 0).happened == ["000001L8 moved from drive-2 to slot-1"])
        #expect(try paper.library.move("000001L8", toSlot: 5, at: 0).duration == .seconds(15))
        #expect(refusalID { _ = try paper.library.move("000001L8", toSlot: 5, at: 0) } == "TAPE-24021")
        #expect(refusalID { _ = try paper.library.move("000001L8", toSlot: 50, at: 0) } == "TAPE-25010")
        #expect(refusalID { _ = try paper.library.unload(drive: 2, at: 0) } == "TAPE-SOURCE-EMPTY")
    }

    @Test("a cartridge whose slot was taken goes to a free one; in a full library it stays")
    func homeless() throws {
        let paper = try PaperLibrary(slots: 2, tapes: ["000001L8", "000002L8"])
        _ = try paper.library.load("000001L8", at: 0)
        _ = try paper.library.move("000002L8", toSlot: 1, at: 0)
        _ = try paper.library.unload(drive: 1, at: 0)
        #expect(paper.library.state.tape("000001L8")?.place == .slot(2))
        _ = try paper.library.load("000001L8", at: 0)
        _ = try paper.library.add(["000003L8"], guids: paper.guids, at: 0)
        #expect(refusalID { _ = try paper.library.unload(drive: 1, at: 0) } == "TAPE-24011")
        #expect(refusalID { _ = try paper.library.add(["000004L8"], guids: paper.guids, at: 0) } == "TAPE-24011")
    }

    @Test("a drive that wants cleaning, and one that is disabled, take nothing")
    func unusable() throws {
        let paper = try PaperLibrary(drives: [LibraryDrive(.lto8), LibraryDrive(.lto8)], tapes: ["000001L8"]) {
            $0.drives[1].isEnabled = false
        }
        #expect(refusalID { _ = try paper.library.load("000001L8", drive: 2, at: 0) } == "TAPE-24052")
        _ = try paper.library.askForCleaning(drive: 1, at: 0)
        #expect(refusalID { _ = try paper.library.load("000001L8", at: 0) } == "TAPE-24055")
        #expect(refusalID { _ = try PaperLibrary(tapes: ["000001L8"]) { $0.isEnabled = false } } == "TAPE-24056")
        #expect(refusalID { _ = try PaperLibrary(drives: []) } == "TAPE-LIBRARY")
        #expect(refusalID { _ = try PaperLibrary(slots: 40_000) } == "TAPE-LIBRARY")
    }
}
