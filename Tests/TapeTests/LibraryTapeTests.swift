import Files
import Protection
import Tape
import Testing
import Units

@Suite("A library: tapes are chosen, written, expire, and are freed, erased, cleaned with")
struct LibraryTapeTests {
    private static let day: Int64 = 86_400

    private func request(
        _ group: String = "gold", run: Int = 1, _ change: (inout SetRequest) -> Void = { _ in }
    ) -> SetRequest {
        var request = SetRequest(group: group, run: run, drive: .lto8, expiry: 30 * Self.day)
        change(&request)
        return request
    }

    private func set(_ name: String, expiry: Int64? = 30 * day) -> CatalogedSet {
        CatalogedSet(set: name, number: 1, name: name, date: 0, expiry: expiry, bytes: 1_000)
    }

    /// Chooses, writes, and returns the tape.
    private func back(_ name: String, _ request: SetRequest, into paper: PaperLibrary, at now: Int64) throws -> String {
        let placement = try paper.library.choose(for: request, at: now)
        try paper.write(
            set(name, expiry: request.expiry), on: placement.barcode, request, number: Int(now) + 1, at: now)
        return placement.barcode
    }

    @Test("members of a run share a tape, another run takes a fresh one, and each refused tape has its reason")
    func choices() throws {
        let paper = try PaperLibrary.ready(["000001L8", "000002L8", "000003L8", "CLN001L8"])
        #expect(try back("A", request(), into: paper, at: 1) == "000001L8")
        #expect(try back("B", request(), into: paper, at: 2) == "000001L8")
        #expect(try back("C", request(run: 2), into: paper, at: 3) == "000002L8")
        let third = try paper.library.choose(for: request("silver", run: 3), at: 4)
        #expect(third.barcode == "000003L8" && third.isNew)
        #expect(
            third.refused.map { "\($0.barcode): \($0.reason)" } == [
                "000001L8: belongs to another backup, and the group does not share tapes",
                "000002L8: belongs to another backup, and the group does not share tapes", "CLN001L8: a cleaning tape",
            ])
        let sets = paper.library.state.tape("000001L8")?.sets.map(\.set)
        #expect(sets == ["A", "B"])
    }

    @Test("never suspect, decommissioned, unknown, imported, taken out or reserved ones; without any, 24050 says why")
    func never() throws {
        let paper = try PaperLibrary(tapes: [
            "000001L8", "000002L8", "000003L8", "000004L8", "000005L8", "000006L9", "000007L8", "000008L8",
        ])
        let library = paper.library
        try paper.store.write(Paper.text(Paper.identity(3, library: "far")), at: library.path(of: "000003L8"))
        try paper.store.write("else", at: library.path(of: "000008L8"))
        for tape in ["000002L8", "000003L8", "000004L8", "000005L8", "000007L8", "000008L8"] {
            _ = try library.detailedInventory([tape], at: 0, identify: Paper.identify)
        }
        _ = try library.decommission(["000004L8"], at: 0)
        try library.reserve("000005L8", at: 0)
        _ = try library.eject(["000007L8"], at: 0)
        _ = try library.openPort(at: 0)
        _ = try library.takeOut(["000007L8"], at: 0)
        _ = try library.setWriteProtected(true, "000007L8", at: 0)
        _ = try library.closePort(at: 0)
        // Only one may be written.
        #expect(try library.choose(for: request(), at: 0).barcode == "000002L8")
        _ = try library.decommission(["000002L8"], at: 0)
        let error = try #require(throws: StorageFault.self) { _ = try library.choose(for: request(), at: 0) }
        #expect(error.id == "TAPE-24050")
        #expect(
            error.cause
                == "no tape in it can be written for gold (000001L8: not identified; 000002L8: decommissioned; "
                + "000003L8: another server's; 000004L8: decommissioned; 000005L8: in use by another job; "
                + "000006L9: not identified; 000007L8: not in the library; 000008L8: not recognized, has to be erased first)"
        )
    }

    @Test("groups of one set share tapes while the write period lasts and expiries are near")
    func colocation() throws {
        let paper = try PaperLibrary.ready(["000001L8", "000002L8", "000003L8"])
        func shared(_ group: String, run: Int, expiry: Int64 = 30) -> SetRequest {
            request(group, run: run) {
                ($0.colocationSet, $0.writePeriod, $0.expiryTolerance) = ("weekly", 7 * Self.day, 5 * Self.day)
                $0.expiry = expiry * Self.day
            }
        }
        #expect(try back("A", shared("gold", run: 1), into: paper, at: 1) == "000001L8")
        #expect(try back("B", shared("silver", run: 2), into: paper, at: Self.day) == "000001L8")
        #expect(try back("C", shared("bronze", run: 3, expiry: 60), into: paper, at: Self.day) == "000002L8")
        #expect(try back("D", shared("gold", run: 4), into: paper, at: 8 * Self.day) == "000003L8")
    }

    @Test("a set that never expires keeps its tape for ever")
    func forEver() throws {
        let paper = try PaperLibrary.ready(["000001L8"])
        _ = try back("A", request { $0.expiry = nil }, into: paper, at: 1)
        _ = try paper.library.settle(at: 8_000_000_000) { _ in (false, nil) }
        #expect(paper.status("000001L8") == .offsiteReady)
        #expect(refusalID { _ = try paper.library.choose(for: request(run: 2), at: 8_000_000_000) } == "TAPE-24050")
    }

    @Test("tapes settle: offsite ready, offline, overdue, expired, written anew")
    func life() throws {
        let paper = try PaperLibrary.ready(["000001L8"])
        let library = paper.library
        _ = try back("A", request(), into: paper, at: 1)
        #expect(paper.status("000001L8") == .active)
        #expect(try library.settle(at: 2) { _ in (false, nil) }.happened == ["000001L8 is offsite ready"])
        #expect(refusalID { try library.note(set("B"), on: "000001L8", at: 2) } == "TAPE-24008")
        _ = try library.eject(["000001L8"], at: 3)
        _ = try library.openPort(at: 3)
        _ = try library.takeOut(["000001L8"], at: 3)
        _ = try library.closePort(at: 3)
        #expect(paper.status("000001L8") == .offline)
        _ = try library.settle(at: 30 * Self.day) { _ in (false, nil) }
        #expect(paper.status("000001L8") == .overdue)
        _ = try library.importTapes(["000001L8"], at: 31 * Self.day)
        #expect(paper.status("000001L8") == .expired)
        let placement = try library.choose(for: request(run: 2) { $0.expiry = 60 * Self.day }, at: 31 * Self.day)
        #expect(placement.barcode == "000001L8" && placement.isNew)
        let identity = library.state.tape("000001L8")?.identity
        #expect(
            try back("C", request(run: 2) { $0.expiry = 60 * Self.day }, into: paper, at: 31 * Self.day) == "000001L8")
        #expect(library.state.tape("000001L8")?.sets.map(\.set) == ["C"])
        #expect(library.state.tape("000001L8")?.identity != identity)
    }

    @Test("tapes are freed when their group is not protected any more, and some of several as far as they can be")
    func freeing() throws {
        let paper = try PaperLibrary.ready(["000001L8", "000002L8", "000003L8"])
        let library = paper.library
        _ = try back("A", request("gold", run: 1), into: paper, at: 1)
        _ = try back("B", request("silver", run: 2), into: paper, at: 2)
        #expect(refusalID { _ = try library.markFree(["000001L8", "000002L8"], at: 3) } == "TAPE-31116")
        let some = try library.markFree(["000001L8", "000002L8", "000003L8"], at: 3)
        #expect(some.refused.map(\.id) == ["TAPE-31129"])
        #expect(some.refused[0].object == "2 of 3 tapes")
        #expect(some.notices == [.freeKeepsContent])
        _ = try library.stopProtection(of: "gold", deletesData: false, at: 4)
        #expect(refusalID { _ = try library.markFree(["000001L8"], at: 4) } == "TAPE-33341")
        _ = try library.stopProtection(of: "gold", deletesData: true, at: 4)
        #expect(paper.status("000001L8") == .expired)
        _ = try library.markFree(["000001L8"], at: 4)
        #expect(paper.status("000001L8") == .free && library.state.tape("000001L8")?.sets == [])
        _ = try library.markFree(["000002L8"], byForce: true, at: 4)
        #expect(paper.status("000002L8") == .free)
        #expect(refusalID { _ = try library.recatalog(["000002L8"], at: 4, read: Paper.catalog) } == "TAPE-31145")
        // What it holds is still there.
        _ = try library.markNotFree(["000002L8"], at: 4)
        let found = try library.recatalog(["000002L8"], at: 4, read: Paper.catalog)
        #expect(found.sets.map(\.entry.set) == ["B"])
        #expect(paper.status("000002L8") == .archived)
    }

    @Test("a tape is erased when nothing on it is protected; a quick erase is seconds, a long one hours")
    func erasing() throws {
        let paper = try PaperLibrary.ready(["000001L8", "000002L8", "000003LY", "CLN001L8"])
        let library = paper.library
        _ = try back("A", request { $0.erasesWhenExpired = true }, into: paper, at: 1)
        #expect(refusalID { _ = try library.erase("000001L8", at: 2) } == "TAPE-31120")
        #expect(refusalID { _ = try library.erase("CLN001L8", at: 2) } == "TAPE-24054")
        #expect(refusalID { _ = try library.erase("000003LY", at: 2) } == "TAPE-WORM")
        _ = try library.settle(at: 31 * Self.day) { _ in (false, nil) }
        // It has to be erased first: neither chosen nor freed.
        _ = try library.stopProtection(of: "gold", deletesData: false, at: 31 * Self.day)
        #expect(refusalID { _ = try library.markFree(["000001L8"], at: 31 * Self.day) } == "TAPE-31131")
        #expect(
            try library.choose(for: request(run: 2) { $0.expiry = nil }, at: 31 * Self.day).barcode == "000002L8")
        let report = try library.erase("000001L8", at: 31 * Self.day)
        #expect(report.notices == [.eraseLosesData])
        #expect(report.duration == .seconds(30 + 24 + 15))
        #expect(paper.status("000001L8") == .blank)
        #expect(try paper.store.sheet(at: library.path(of: "000001L8")).text == "")
        #expect(try library.erase("000001L8", long: true, at: 32 * Self.day).duration > .hours(9))
        #expect(library.state.tape("000001L8")?.sets == [])
    }

    @Test("a library without the command skips an erase; a tab stops it")
    func notErased() throws {
        let paper = try PaperLibrary(tapes: ["000001L8"]) { $0.canErase = false }
        #expect(refusalID { _ = try paper.library.erase("000001L8", at: 2) } == "TAPE-24029")
        let other = try PaperLibrary.ready(["000001L8"])
        _ = try other.library.eject(["000001L8"], at: 0)
        #expect(
            refusalID { _ = try other.library.setWriteProtected(true, "000001L8", at: 0) } == "TAPE-CARTRIDGE-INSIDE")
        _ = try other.library.openPort(at: 0)
        _ = try other.library.takeOut(["000001L8"], at: 0)
        _ = try other.library.setWriteProtected(true, "000001L8", at: 0)
        _ = try other.library.closePort(at: 0)
        _ = try other.library.importTapes(["000001L8"], at: 0)
        #expect(refusalID { _ = try other.library.erase("000001L8", at: 0) } == "TAPE-30003")
    }

    @Test("a drive that asks for it is cleaned, 50 times with one tape")
    func cleaning() throws {
        let paper = try PaperLibrary(tapes: ["000001L8"])
        let library = paper.library
        #expect(refusalID { _ = try library.clean(drive: 1, at: 0) } == "TAPE-31114")
        _ = try library.add(["CLN001L8"], guids: paper.guids, at: 0)
        #expect(refusalID { _ = try library.clean(drive: 1, at: 0) } == "TAPE-31114")
        _ = try library.fastInventory(at: 0)
        _ = try library.askForCleaning(drive: 1, at: 0)
        let report = try library.clean(drive: 1, at: 0)
        #expect(report.duration == .seconds(15 + 180 + 15))
        #expect(report.notices == [.driveCleaned])
        #expect(report.happened == ["drive-1 cleaned with CLN001L8, which has 49 uses left"])
        #expect(library.state.hardware.drives[0].needsCleaning == false)
        for _ in 1..<50 { _ = try library.clean(drive: 2, at: 0) }
        #expect(refusalID { _ = try library.clean(drive: 2, at: 0) } == "TAPE-25018")
        #expect(library.state.hardware.drives.map(\.cleanings) == [1, 49])
        _ = try library.load("000001L8", at: 0)
        #expect(refusalID { _ = try library.clean(drive: 1, at: 0) } == "TAPE-24053")
    }

    @Test("only a cleaning tape is marked as one")
    func marks() throws {
        let paper = try PaperLibrary(tapes: ["000001L8", "CLN001L8"])
        #expect(refusalID { _ = try paper.library.markCleaner(["000001L8"], at: 0) } == "TAPE-24007")
        _ = try paper.library.markCleaner(["CLN001L8"], false, at: 0)
        #expect(paper.status("CLN001L8") == .unknown)
        _ = try paper.library.markCleaner(["CLN001L8"], at: 0)
        #expect(paper.status("CLN001L8") == .cleaner)
    }
}
