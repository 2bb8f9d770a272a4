import Files
import Foundation
import Protection
import Tape
import Testing
import Units

@Suite("A library's folder")
struct LibraryFileTests {
    @Test("it can be moved and copied, and is the same library there: nothing in it says where it is")
    func moved() throws {
        let paper = try PaperLibrary.ready(["000001L8", "000002L8"])
        let state = paper.library.state
        try paper.disk.makeFolder("/else")
        try paper.library.copy(to: "/else/copy")
        #expect(refusalID { try paper.library.copy(to: "/else/copy") } == "TAPE-LIBRARY-EXISTS")
        let copy = try MediaLibrary(opening: "/else/copy", files: paper.disk, store: paper.store)
        #expect(copy.state == state)
        #expect(
            try paper.store.sheet(at: copy.path(of: "000002L8"))
                == paper.store.sheet(at: paper.library.path(of: "000002L8")))
        _ = try copy.load("000001L8", at: 1)
        #expect(paper.library.state.hardware.cartridge(in: .drive(1)) == nil)
        let text = String(decoding: paper.disk.contents("/else/copy/library.json")!, as: UTF8.self)
        #expect(!text.contains("/lib") && !text.contains("/else"))
        // Moved as a whole.
        paper.disk.powerCut(.none)
        try paper.disk.rename("/else/copy", to: "/moved")
        let moved = try MediaLibrary(opening: "/moved", files: paper.disk, store: paper.store)
        #expect(moved.state.hardware.cartridge(in: .drive(1)) == "000001L8")
    }

    @Test("one program changes it, others look")
    func locked() throws {
        let paper = try PaperLibrary.ready(["000001L8"])
        #expect(
            refusalID { _ = try MediaLibrary(opening: "/lib", files: paper.disk, store: paper.store) }
                == "TAPE-LIBRARY-BUSY")
        let other = try MediaLibrary(opening: "/lib", files: paper.disk, store: paper.store, writable: false)
        #expect(other.state == paper.library.state)
        #expect(refusalID { _ = try other.load("000001L8", at: 0) } == "TAPE-LIBRARY-READ-ONLY")
        #expect(
            refusalID { _ = try MediaLibrary(opening: "/none", files: paper.disk, store: paper.store) }
                == "TAPE-NO-LIBRARY")
        #expect(
            refusalID {
                _ = try MediaLibrary(opening: "/none", files: paper.disk, store: paper.store, writable: false)
            } == "TAPE-NO-LIBRARY")
        #expect(refusalID { _ = try PaperLibrary(on: paper.disk) } == "TAPE-LIBRARY-EXISTS")
    }

    /// The file of a library with one tape, as JSON whose fields can be changed.
    private func json() throws -> [String: Any] {
        let paper = try PaperLibrary.ready(["000001L8"])
        let data = Data(paper.disk.contents("/lib/library.json")!)
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    private func opened(_ json: Any) throws -> StorageFault? {
        let disk = SimulatedDisk()
        try disk.makeFolder("/lib")
        disk.setContents("/lib/library.json", [UInt8](try JSONSerialization.data(withJSONObject: json)))
        do {
            _ = try MediaLibrary(opening: "/lib", files: disk, store: PaperCartridges(disk))
            return nil
        } catch { return error }
    }

    @Test("what is in the file is looked at before it is believed")
    func suspicion() throws {
        #expect(try opened(json()) == nil)
        func changed(_ change: (inout [String: Any]) -> Void) throws -> String? {
            var json = try json()
            change(&json)
            return try opened(json).map { "\($0.id) \($0.cause)" }
        }
        func hardware(_ change: (inout [String: Any]) -> Void) throws -> String? {
            try changed {
                var hardware = $0["hardware"] as! [String: Any]
                change(&hardware)
                $0["hardware"] = hardware
            }
        }
        func tape(_ change: (inout [String: Any]) -> Void) throws -> String? {
            try changed {
                var tape = ($0["tapes"] as! [[String: Any]])[0]
                change(&tape)
                $0["tapes"] = [tape]
            }
        }
        let damaged = "TAPE-LIBRARY-DAMAGED "
        #expect(try changed { $0["version"] = 2 } == "TAPE-LIBRARY-VERSION it has version 2, known is 1")
        #expect(try changed { $0["name"] = nil } == damaged + "it is not the JSON of a library: name is missing")
        #expect(
            try changed { $0["tapes"] = 3 } == damaged
                + "it is not the JSON of a library: tapes is not what it should be")
        #expect(
            try hardware { $0["slots"] = 1_000_000_000 } == damaged
                + "it has more slots, ports or drives than there are addresses")
        #expect(
            try hardware { $0["slots"] = -1 } == damaged + "it has more slots, ports or drives than there are addresses"
        )
        #expect(try hardware { $0["slots"] = 0 } == damaged + "slot-1 does not exist")
        #expect(
            try hardware { $0["contents"] = [["element": "slot-1", "barcode": "../../etc"]] } == damaged
                + "../../etc is no bar code")
        let twice = [["element": "slot-1", "barcode": "000001L8"], ["element": "slot-2", "barcode": "000001L8"]]
        #expect(try hardware { $0["contents"] = twice } == damaged + "000001L8 is in two places")
        let two = [["element": "slot-1", "barcode": "000001L8"], ["element": "slot-1", "barcode": "000002L8"]]
        #expect(try hardware { $0["contents"] = two } == damaged + "slot-1 holds two cartridges")
        #expect(
            try hardware { $0["contents"] = [["element": "shelf-1", "barcode": "000001L8"]] }
                == damaged + "it is not the JSON of a library: hardware.contents.0.element is not what it should be")
        #expect(try hardware { $0["drives"] = [["generation": 3]] }?.contains("generation") == true)
        #expect(try tape { $0["barcode"] = "x" } == damaged + "x is no bar code")
        #expect(try tape { $0["room"] = -5 } == damaged + "000001L8 has a size below zero")
        #expect(
            try tape { $0["standing"] = ["content": "own", "use": "active", "flags": ["shiny"]] }?.contains("standing")
                == true)
        let set: [String: Any] = [
            "set": "A", "number": 1, "date": 0, "bytes": 1, "files": [Any](), "firstSpan": 3, "lastSpan": 1,
            "isClosed": true, "thumbprints": [Any](),
        ]
        #expect(try tape { $0["sets"] = [set] } == damaged + "set A on 000001L8 has sizes that cannot be")
        #expect(
            try changed { $0["tapes"] = Array(repeating: ($0["tapes"] as! [Any])[0], count: 2) }?.contains("twice")
                == true)
        #expect(try opened([1, 2])?.id == "TAPE-LIBRARY-DAMAGED")
    }

    @Test("a torn file is damaged, whatever its length")
    func torn() throws {
        let paper = try PaperLibrary.ready(["000001L8"])
        let bytes = paper.disk.contents("/lib/library.json")!
        for length in stride(from: 0, to: bytes.count - 2, by: 37) {
            let disk = SimulatedDisk()
            try disk.makeFolder("/lib")
            disk.setContents("/lib/library.json", Array(bytes.prefix(length)))
            #expect(
                refusalID { _ = try MediaLibrary(opening: "/lib", files: disk, store: PaperCartridges(disk)) }
                    == "TAPE-LIBRARY-DAMAGED")
        }
    }

    @Test("on the computer's own files it is the same")
    func host() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("library-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let files = HostFiles()
        let store = PaperCartridges(files)
        let guids = SequentialGUIDs(seed: 1)
        do {
            let library = try MediaLibrary.create(
                "lib1", LibraryHardware(slots: 4, ports: 1, drives: [LibraryDrive(.lto9, isHalfHeight: true)]),
                at: folder,
                files: files, store: store, guids: guids)
            _ = try library.add(["000001L9"], guids: guids, at: 1)
            _ = try library.fastInventory(at: 1)
            _ = try library.load("000001L9", at: 2)
            try library.copy(to: folder + "/copy")
        }
        for path in [folder, folder + "/copy"] {
            let again = try MediaLibrary(opening: path, files: files, store: store)
            #expect(again.state.hardware.cartridge(in: .drive(1)) == "000001L9")
            #expect(try again.shelf() == [])
        }
    }
}
