import Files
import Protection
import Testing

@testable import Tape

@Suite("a library whose last program died")
struct LibraryDeathTests {
    /// As a new program finds it.
    private func reopened(_ paper: PaperLibrary) throws -> MediaLibrary {
        let disk = paper.disk.copy()
        disk.powerCut(.none)
        return try MediaLibrary(opening: "/lib", files: disk, store: PaperCartridges(disk))
    }

    @Test("a job's tape comes home and is released; one that was loaded to stay stays")
    func jobs() throws {
        let paper = try PaperLibrary.ready(["000001L8", "000002L8", "000003L8"])
        _ = try paper.library.load("000001L8", at: 1)
        try paper.library.reserve("000002L8", at: 1)
        let drive = try paper.library.load("000002L8", at: 1).drive
        try paper.library.preventRemoval(drive: drive, true, at: 1)
        try paper.library.reserve("000003L8", at: 1)
        let library = try reopened(paper)
        let report = try library.recover(at: 2)
        #expect(report.refused == [])
        #expect(
            report.happened == [
                "000002L8 moved from drive-2 to slot-2", "000002L8 released", "000003L8 released",
            ])
        #expect(library.state.tapes.map(\.place) == [.drive(1), .slot(2), .slot(3)])
        #expect(library.state.tapes.allSatisfy { !$0.standing.isReserved })
        #expect(try library.recover(at: 3) == LibraryReport())
    }

    @Test("a tape that was only read is told from one that was loaded to stay, and comes home")
    func reading() throws {
        let paper = try PaperLibrary.ready(["000001L8", "000002L8"])
        var found: MediaLibrary?
        try paper.library.mounted("000002L8", at: 1) { (_) throws(StorageFault) in
            #expect(refusalID { try paper.library.reserve("000002L8", at: 1) } == "TAPE-24051")
            found = try? reopened(paper)
        }
        #expect(paper.library.state.tape("000002L8")?.standing.isReserved == false)
        #expect(paper.library.state.tape("000002L8")?.place == .slot(2))
        let library = try #require(found)
        #expect(library.state.tape("000002L8")?.place == .drive(1))
        _ = try library.recover(at: 2)
        #expect(library.state.tape("000002L8")?.place == .slot(2))
        #expect(library.state.tape("000002L8")?.standing.isReserved == false)
    }

    @Test("what cannot be brought home stays reserved and is told; the rest is done")
    func stuck() throws {
        let paper = try PaperLibrary.ready(["000001L8", "000002L8"])
        for barcode in ["000001L8", "000002L8"] {
            try paper.library.reserve(barcode, at: 1)
            _ = try paper.library.load(barcode, at: 1)
        }
        let disk = paper.disk.copy()
        disk.powerCut(.none)
        try disk.rename("/lib/cartridges/000001L8.cart", to: "/lib/cartridges/elsewhere")
        let library = try MediaLibrary(opening: "/lib", files: disk, store: PaperCartridges(disk))
        let report = try library.recover(at: 2)
        #expect(report.refused.map(\.id) == ["TAPE-30002"])
        #expect(library.state.tape("000001L8")?.standing.isReserved == true)
        #expect(library.state.tape("000002L8")?.place == .slot(2))
        try disk.rename("/lib/cartridges/elsewhere", to: "/lib/cartridges/000001L8.cart")
        #expect(try library.recover(at: 3).refused == [])
        #expect(library.state.tape("000001L8")?.place == .slot(1))
    }
}
