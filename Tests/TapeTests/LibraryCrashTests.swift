import Files
import Glibc
import Protection
import Tape
import Testing
import Units

/// A thing done to a library.
private struct Step: Sendable {
    let name: String
    let act: @Sendable (MediaLibrary, any CartridgeStore, any GUIDSource) throws -> Void
    init(_ name: String, _ act: @escaping @Sendable (MediaLibrary, any CartridgeStore, any GUIDSource) throws -> Void) {
        (self.name, self.act) = (name, act)
    }
}

private let request = SetRequest(group: "gold", run: 1, drive: .lto8, expiry: 100)

/// A day in the life of a library, in which each kind of change happens.
private let story = [
    Step("add") { library, _, guids in _ = try library.add(["000001L8", "000002L8", "CLN001L8"], guids: guids, at: 1) },
    Step("fast inventory") { library, _, _ in _ = try library.fastInventory(at: 2) },
    Step("detailed inventory") { library, _, _ in
        _ = try library.detailedInventory(at: 3, identify: Paper.identify)
    },
    Step("reserve") { library, _, _ in try library.reserve("000001L8", at: 4) },
    Step("load") { library, _, _ in _ = try library.load("000001L8", at: 5) },
    Step("begin") { library, _, _ in
        let identity = Paper.identity(1, library: library.state.identifier)
        try library.begin("000001L8", as: identity, for: request, at: 6)
    },
    Step("write") { library, store, _ in
        let text = Paper.text(Paper.identity(1, library: library.state.identifier))
        if let paper = store as? PaperCartridges {
            return try paper.write(text, at: library.path(of: "000001L8"))
        }
        let medium = try library.medium(inDrive: 1, writable: true)
        _ = try medium.write(Array(text.utf8))
        _ = try medium.writeFilemarks(1, immediate: false)
        try library.finish(medium)
    },
    Step("note") { library, _, _ in
        try library.note(CatalogedSet(set: "A", number: 1, date: 6, expiry: 100, bytes: 9), on: "000001L8", at: 6)
    },
    Step("unload") { library, _, _ in _ = try library.unload(drive: 1, at: 7) },
    Step("release") { library, _, _ in try library.release("000001L8", at: 8) },
    Step("clean") { library, _, _ in _ = try library.clean(drive: 2, at: 9) },
    Step("eject") { library, _, _ in _ = try library.eject(["000002L8"], at: 10) },
    Step("open port") { library, _, _ in _ = try library.openPort(at: 11) },
    Step("take out") { library, _, _ in _ = try library.takeOut(["000002L8"], at: 12) },
    Step("close port") { library, _, _ in _ = try library.closePort(at: 13) },
    Step("relabel") { library, _, _ in _ = try library.relabel("000002L8", as: "000003L8", at: 14) },
    Step("settle") { library, _, _ in _ = try library.settle(at: 200) { _ in (false, nil) } },
    Step("erase") { library, _, _ in _ = try library.erase("000001L8", at: 201) },
]

@Suite("A library whose computer dies")
struct LibraryCrashTests {
    /// All that DPM and the cartridges say, without what counts changes.
    private struct View: Hashable {
        var state: LibraryState
        var sheets: [String]
    }

    private func view(_ disk: SimulatedDisk) throws -> View {
        let (library, store) = try open(disk)
        var state = library.state
        state.change = 0
        let names = try disk.list("/lib/cartridges").filter { $0.hasSuffix(".cart") }
        return View(
            state: state,
            sheets: try names.map {
                var shell = try store.shell(at: "/lib/cartridges/" + $0)
                shell.loads = 0
                return "\($0) \(shell)"
            })
    }

    private func open(_ disk: SimulatedDisk) throws -> (MediaLibrary, any CartridgeStore) {
        let store: any CartridgeStore = disk.paths.contains("paper") ? PaperCartridges(disk) : CartridgeFiles(disk)
        return (try MediaLibrary(opening: "/lib", files: disk, store: store), store)
    }

    /// A disk with a new library, whose cartridges are real ones or paper.
    private func made(onPaper: Bool) throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        _ = try PaperLibrary(on: disk)
        if onPaper { disk.setContents("paper", []) }
        disk.powerCut(.none)
        return disk
    }

    @Test(
        "the power goes at any write of any operation: the library is as before it or as after it, and goes on",
        arguments: [false, true])
    func cuts(_ onPaper: Bool) throws {
        let disk = try made(onPaper: onPaper)
        var tried = 0
        for step in story {
            let before = try view(disk)
            let after = disk.copy()
            do {
                let (library, store) = try open(after)
                // An identifier is drawn as often as in the runs that are cut.
                try step.act(library, store, SequentialGUIDs(seed: 9))
            }
            let goal = try view(after)
            #expect(goal != before, "\(step.name)")
            var call = 1
            while true {
                let losses: [SimulatedDisk.Loss] =
                    [.none, .all] + (0..<6).map { .torn(seed: UInt64(call * 10 + $0)) }
                var isOver = false
                for loss in losses {
                    let copy = disk.copy()
                    let (library, store) = try open(copy)
                    copy.cutAt = copy.writeCalls + call
                    let done = refusalID { try step.act(library, store, SequentialGUIDs(seed: 9)) } == nil
                    guard copy.isCut else {
                        #expect(done, "\(step.name)")
                        // What was said to be done stays done.
                        copy.powerCut(.all)
                        #expect(try view(copy) == goal, "\(step.name)")
                        isOver = true
                        break
                    }
                    copy.powerCut(loss)
                    var found = try view(copy)
                    // New cartridges lie beside the library until it knows them; a use of the cleaning tape may be lost.
                    if step.name == "add" || step.name == "clean" {
                        #expect(
                            found.state == before.state || found.state == goal.state, "\(step.name) \(call) \(loss)")
                        found.sheets = []
                    } else if step.name == "relabel" {
                        #expect([before.sheets, goal.sheets].contains(found.sheets), "\(step.name) \(call) \(loss)")
                    } else {
                        #expect([before, goal].contains(found), "\(step.name) \(call) \(loss)")
                    }
                    // It goes on: what was not done can be done.
                    if found == before, step.name != "add" {
                        do {
                            let (again, store) = try open(copy)
                            try step.act(again, store, SequentialGUIDs(seed: 9))
                        }
                        #expect(try view(copy).state == goal.state, "\(step.name) \(call) \(loss)")
                    }
                    tried += 1
                }
                if isOver { break }
                call += 1
            }
            let (library, store) = try open(disk)
            try step.act(library, store, SequentialGUIDs(seed: 9))
        }
        #expect(tried > 700)
    }

    @Test(
        "the n-th write fails, once or for ever: the operation says so, and the library is as before or after",
        arguments: [EIO, ENOSPC], [false, true])
    func failures(_ code: Int32, _ forEver: Bool) throws {
        let disk = try made(onPaper: code == EIO)
        var failed = 0
        for step in story {
            let before = try view(disk).state
            let after = disk.copy()
            do {
                let (library, store) = try open(after)
                try step.act(library, store, SequentialGUIDs(seed: 9))
            }
            let goal = try view(after).state
            var call = 1
            while true {
                let copy = disk.copy()
                let (library, store) = try open(copy)
                copy.fault = SimulatedDisk.Fault(
                    call: copy.writeCalls + call, onlyWrites: true, code: code, forEver: forEver)
                let id = refusalID { try step.act(library, store, SequentialGUIDs(seed: 9)) }
                if id == nil { break }
                failed += 1
                copy.fault = nil
                // The same program may go on: it believes what is on the disk. What took place though its end failed is not to
                // be done twice with these.
                if !["add", "relabel", "clean"].contains(step.name) {
                    let again = refusalID { try step.act(library, store, SequentialGUIDs(seed: 9)) }
                    var state = library.state
                    state.change = 0
                    #expect(state == goal || (again != nil && state == before), "\(step.name) \(call) \(again ?? "")")
                }
                copy.powerCut(.none)
                let found = try view(copy).state
                #expect(found == before || found == goal, "\(step.name) \(call)")
                call += 1
            }
            let (library, store) = try open(disk)
            try step.act(library, store, SequentialGUIDs(seed: 9))
        }
        #expect(failed > 80)
    }

    @Test("the making of a library is cut at any write: it is there, or can be made again")
    func creation() throws {
        var call = 1
        while true {
            let disk = SimulatedDisk()
            disk.cutAt = call
            let done = refusalID { _ = try PaperLibrary(on: disk) } == nil
            if !disk.isCut {
                #expect(done)
                break
            }
            for loss in [SimulatedDisk.Loss.none, .all, .torn(seed: 1), .torn(seed: 2), .torn(seed: 3)] {
                let copy = disk.copy()
                copy.powerCut(loss)
                let id = refusalID { _ = try PaperLibrary(on: copy) }
                #expect(id == nil || id == "TAPE-LIBRARY-EXISTS", "\(call) \(loss)")
                copy.powerCut(.none)
                _ = try MediaLibrary(opening: "/lib", files: copy, store: PaperCartridges(copy))
            }
            call += 1
        }
        #expect(call > 8)
    }
}
