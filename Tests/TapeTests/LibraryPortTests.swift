import Files
import Protection
import Tape
import Testing
import Units

@Suite("A library: I/E port, door, bar codes")
struct LibraryPortTests {
    /// A library with room, and three of its tapes on the shelf.
    private func shelved(slots: Int = 4, ports: Int = 2) throws -> PaperLibrary {
        let paper = try PaperLibrary.ready(["000001L8", "000002L8", "000003L8"], slots: slots, ports: ports)
        for tape in ["000001L8", "000002L8", "000003L8"] {
            _ = try paper.library.eject([tape], at: 0)
            _ = try paper.library.openPort(at: 0)
            _ = try paper.library.takeOut([tape], at: 0)
            _ = try paper.library.closePort(at: 0)
        }
        return paper
    }

    @Test("tapes leave through the port, and are offline on the shelf")
    func leave() throws {
        let paper = try PaperLibrary.ready(["000001L8", "000002L8"])
        let report = try paper.library.eject(["000001L8", "000002L8"], at: 0)
        #expect(report.notices == [.movesToPort, .movedToPort])
        #expect(report.duration == .seconds(30))
        #expect(paper.library.state.hardware.cartridge(in: .port(2)) == "000002L8")
        #expect(refusalID { _ = try paper.library.takeOut(["000001L8"], at: 0) } == "TAPE-PORT-CLOSED")
        #expect(try paper.library.openPort(at: 0).notices == [.portOpen])
        _ = try paper.library.takeOut(["000001L8"], at: 0)
        #expect(try paper.library.shelf() == ["000001L8"])
        #expect(paper.library.state.tape("000001L8")?.standing.obstacle == .offline)
        // What nobody took stays where DPM put it.
        #expect(try paper.library.closePort(at: 0).happened == [])
        #expect(paper.library.state.tape("000002L8")?.place == .port(2))
        #expect(refusalID { _ = try paper.library.load("000001L8", at: 0) } == "TAPE-24050")
        #expect(try paper.library.load("000002L8", at: 0).drive == 1)
    }

    @Test("tapes come through the port into free slots, and their bar codes are read")
    func come() throws {
        let paper = try shelved()
        #expect(try paper.library.shelf() == ["000001L8", "000002L8", "000003L8"])
        _ = try paper.library.openPort(at: 0)
        #expect(
            refusalID { _ = try paper.library.insert(["000001L8", "000002L8", "000003L8"], at: 0) } == "TAPE-24012")
        #expect(refusalID { _ = try paper.library.insert(["000009L8"], at: 0) } == "TAPE-30002")
        _ = try paper.library.insert(["000001L8", "000002L8"], at: 0)
        #expect(refusalID { _ = try paper.library.insert(["000001L8"], at: 0) } == "TAPE-24012")
        #expect(refusalID { _ = try paper.library.openPort(at: 0) } == "TAPE-24036")
        #expect(refusalID { _ = try paper.library.load("000001L8", at: 0) } == "TAPE-25123")
        #expect(refusalID { _ = try paper.library.fastInventory(at: 0) } == "TAPE-25123")
        let report = try paper.library.closePort(at: 0)
        #expect(
            report.happened == [
                "000001L8 moved from port-1 to slot-1", "000001L8 is back, in slot-1",
                "000002L8 moved from port-2 to slot-2", "000002L8 is back, in slot-2",
            ])
        #expect(report.duration == .milliseconds(2 * 15_000 + 2 * 2_200))
        // It was identified before it left.
        #expect(paper.status("000001L8") == .blank)
        #expect(try paper.library.importTapes(["000003L8"], at: 0).notices == [.portOpen])
        #expect(paper.library.state.tape("000003L8")?.place == .slot(3))
    }

    @Test("an import takes as many turns as the port needs, or none")
    func turns() throws {
        let paper = try shelved(ports: 1)
        #expect(
            refusalID { _ = try paper.library.importTapes(["000001L8", "000009L8"], at: 0) } == "TAPE-30002")
        #expect(paper.library.state.hardware.contents.isEmpty)
        let report = try paper.library.importTapes(["000003L8", "000001L8", "000002L8"], at: 0)
        #expect(report.duration == .milliseconds(3 * 17_200))
        #expect(paper.library.state.hardware.contents.map(\.barcode) == ["000003L8", "000001L8", "000002L8"])
        #expect(try paper.library.shelf() == [])
    }

    @Test("without enough free slots the tapes stay in the port, and the action fails")
    func full() throws {
        let paper = try shelved(slots: 3)
        _ = try paper.library.add(["000004L8", "000005L8"], guids: paper.guids, at: 0)
        #expect(refusalID { _ = try paper.library.importTapes(["000001L8", "000002L8"], at: 0) } == "TAPE-24011")
        _ = try paper.library.openPort(at: 0)
        _ = try paper.library.insert(["000001L8", "000002L8"], at: 0)
        let report = try paper.library.closePort(at: 0)
        #expect(report.refused.map(\.id) == ["TAPE-24011"])
        #expect(paper.library.state.hardware.cartridge(in: .port(1)) == "000001L8")
        #expect(paper.library.state.hardware.portOpened == nil)
        // Room was made: opened and closed again, they go in.
        _ = try paper.library.fastInventory(at: 0)
        #expect(paper.library.state.tape("000001L8")?.place == .port(1))
    }

    @Test("the port closes by itself after ten minutes, whatever is done next")
    func patience() throws {
        let paper = try shelved()
        _ = try paper.library.openPort(at: 1_000)
        _ = try paper.library.insert(["000001L8"], at: 1_100)
        #expect(refusalID { _ = try paper.library.fastInventory(at: 1_599) } == "TAPE-25123")
        let report = try paper.library.fastInventory(at: 1_600)
        #expect(report.happened.first == "000001L8 moved from port-1 to slot-1")
        #expect(try paper.library.load("000001L8", at: 1_600).drive == 1)
    }

    @Test("a library without a port says so, and one with too little room moves nothing")
    func portless() throws {
        let paper = try PaperLibrary.ready(["000001L8", "000002L8", "000003L8"], ports: 0)
        #expect(refusalID { _ = try paper.library.openPort(at: 0) } == "TAPE-24025")
        #expect(refusalID { _ = try paper.library.eject(["000001L8"], at: 0) } == "TAPE-24025")
        #expect(refusalID { _ = try paper.library.importTapes(["000001L8"], at: 0) } == "TAPE-24025")
        let small = try PaperLibrary.ready(["000001L8", "000002L8", "000003L8"], ports: 2)
        #expect(
            refusalID { _ = try small.library.eject(["000001L8", "000002L8", "000003L8"], at: 0) } == "TAPE-23045")
        #expect(small.library.state.hardware.empty(where: \.isPort).count == 2)
        try small.library.reserve("000001L8", at: 0)
        #expect(refusalID { _ = try small.library.eject(["000001L8"], at: 0) } == "TAPE-24008")
        try small.library.release("000001L8", at: 0)
        #expect(refusalID { _ = try small.library.eject(["000001L8"], at: 0) } == nil)
    }

    @Test("the door unlocks and locks, and what works depends on it")
    func door() throws {
        let paper = try PaperLibrary.ready(["000001L8", "000002L8"])
        try paper.library.reserve("000001L8", at: 0)
        #expect(refusalID { _ = try paper.library.lockDoor(at: 0) } == "TAPE-31141")
        #expect(refusalID { _ = try paper.library.setDoor(open: true, at: 0) } == "TAPE-DOOR-LOCKED")
        let report = try paper.library.unlockDoor(at: 0)
        #expect(report.notices == [.doorUnlocked])
        #expect(report.happened == ["the job that used 000001L8 was cancelled"])
        #expect(refusalID { _ = try paper.library.unlockDoor(at: 0) } == "TAPE-31139")
        #expect(refusalID { _ = try paper.library.load("000001L8", at: 0) } == "TAPE-25014")
        #expect(refusalID { _ = try paper.library.placeByHand("000001L8", in: nil, at: 0) } == "TAPE-DOOR-LOCKED")
        _ = try paper.library.setDoor(open: true, at: 0)
        #expect(refusalID { _ = try paper.library.lockDoor(at: 0) } == "TAPE-31107")
        _ = try paper.library.placeByHand("000001L8", in: nil, at: 0)
        _ = try paper.library.placeByHand("000002L8", in: 7, at: 0)
        _ = try paper.library.setDoor(open: false, at: 0)
        #expect(try paper.library.lockDoor(at: 0).notices == [.doorLocked])
        // DPM still believes what it knew.
        #expect(refusalID { _ = try paper.library.load("000001L8", at: 0) } == "TAPE-24022")
        #expect(refusalID { _ = try paper.library.load("000002L8", at: 0) } == "TAPE-24027")
        #expect(
            try paper.library.fastInventory(at: 0).happened == [
                "000001L8 is no longer in the library", "000002L8 found in slot-7",
            ])
        #expect(try paper.library.load("000002L8", at: 0).drive == 1)
    }

    @Test("an unlocked door locks itself after a while, unless it is open")
    func forgotten() throws {
        let paper = try PaperLibrary.ready(["000001L8"])
        _ = try paper.library.unlockDoor(at: 0)
        #expect(refusalID { _ = try paper.library.fastInventory(at: 599) } == "TAPE-25014")
        #expect(refusalID { _ = try paper.library.fastInventory(at: 600) } == nil)
        _ = try paper.library.unlockDoor(at: 700)
        _ = try paper.library.setDoor(open: true, at: 700)
        #expect(refusalID { _ = try paper.library.fastInventory(at: 9_000) } == "TAPE-25014")
    }

    @Test("a library that locks with empty drives only says which drive is full")
    func locksEmpty() throws {
        let paper = try PaperLibrary(tapes: ["000001L8"]) { $0.locksEmpty = true }
        _ = try paper.library.load("000001L8", at: 0)
        #expect(refusalID { _ = try paper.library.unlockDoor(at: 0) } == "TAPE-25108")
        _ = try paper.library.unload(drive: 1, at: 0)
        #expect(refusalID { _ = try paper.library.unlockDoor(at: 0) } == nil)
    }

    @Test("libraries and drives are taken out of use and back, and a rescan needs peace")
    func service() throws {
        let paper = try PaperLibrary.ready(["000001L8"])
        let library = paper.library
        #expect(try library.setEnabled(false, at: 0).notices == [.libraryDisabled])
        #expect(refusalID { _ = try library.load("000001L8", at: 0) } == "TAPE-24056")
        #expect(refusalID { _ = try library.rescan(at: 0) } == "TAPE-24056")
        #expect(try library.setEnabled(true, at: 0).notices == [])
        #expect(try library.setEnabled(false, drive: 1, at: 0).notices == [.driveDisabled])
        #expect(try library.load("000001L8", at: 0).drive == 2)
        #expect(refusalID { _ = try library.setEnabled(false, drive: 2, at: 0) } == "TAPE-31110")
        _ = try library.unload(drive: 2, at: 0)
        #expect(try library.setEnabled(false, drive: 2, at: 0).notices == [.onlyDriveDisabled])
        #expect(refusalID { _ = try library.load("000001L8", at: 0) } == "TAPE-24055")
        #expect(refusalID { _ = try library.rescan(at: 0) } == "TAPE-25124")
        #expect(try library.setEnabled(true, drive: 1, at: 0).notices == [.driveEnabled])
        #expect(refusalID { _ = try library.setEnabled(true, drive: 3, at: 0) } == "TAPE-NO-ELEMENT")
        try library.reserve("000001L8", at: 0)
        #expect(refusalID { _ = try library.rescan(at: 0) } == "TAPE-23044")
        try library.release("000001L8", at: 0)
        #expect(try library.rescan(at: 0).notices == [.rescanned])
        _ = try library.openPort(at: 0)
        #expect(refusalID { _ = try library.eject(["000001L8"], at: 0) } == "TAPE-24034")
    }

    @Test("each bar code is there once")
    func duplicates() throws {
        let paper = try PaperLibrary.ready(["000001L8"])
        #expect(refusalID { _ = try paper.library.add(["000001L8"], guids: paper.guids, at: 0) } == "TAPE-24039")
        #expect(
            refusalID { _ = try paper.library.add(["000002L8", "000002L8"], guids: paper.guids, at: 0) } == "TAPE-24039"
        )
        let shelved = try shelved()
        #expect(
            refusalID { _ = try shelved.library.add(["000002L8"], guids: shelved.guids, at: 0) }
                == "TAPE-CARTRIDGE-EXISTS")
        #expect(refusalID { _ = try shelved.library.relabel("000001L8", as: "000002L8", at: 0) } == "TAPE-24039")
        #expect(refusalID { _ = try shelved.library.relabel("000001L8", as: "000004L9", at: 0) } == "TAPE-30004")
        #expect(refusalID { _ = try shelved.library.relabel("000009L8", as: "000004L8", at: 0) } == "TAPE-30002")
        #expect(
            refusalID { _ = try paper.library.relabel("000001L8", as: "000004L8", at: 0) } == "TAPE-CARTRIDGE-INSIDE")
        _ = try shelved.library.relabel("000001L8", as: "000004L8", at: 0)
        #expect(try shelved.library.shelf() == ["000002L8", "000003L8", "000004L8"])
    }
}
