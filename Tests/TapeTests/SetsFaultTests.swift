import Files
import Tape
import Testing

/// A story told to a cartridge: label, a set, a set over two cartridges. Which sets were acknowledged is kept.
private final class CartridgeStoryOfSets: TapeSupply {
    static let paths = ["/tapes/SETS01L9.cart", "/tapes/SETS02L9.cart"]
    let disk: SimulatedDisk
    let bench = SetBench()
    private(set) var done: [(receipt: SetReceipt, files: [MadeFile])] = []
    private(set) var labelled = false

    init(on disk: SimulatedDisk) { self.disk = disk }

    /// Two cartridges, empty. Made before the power may go.
    static func prepare() throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        try CartridgeLab.folder(disk)
        for path in paths {
            var design = CartridgeDesign(barcode: "SETS01L9", capacity: 450_000, reserve: 1 << 18)
            design.partitions = [450_000]
            _ = try Cartridge.create(
                at: path, on: disk, design, guids: SequentialGUIDs(seed: 7), time: 1_700_000_000)
        }
        return disk
    }

    func next(after label: TapeLabel) throws(StorageFault) -> any TapeMedium {
        guard label.sequence < Self.paths.count else {
            throw StorageFault(.missing, "TEST-NO-TAPE", "supply", "there are no more", action: "Nothing")
        }
        return try Cartridge.open(Self.paths[label.sequence], on: disk)
    }

    static func files(_ seed: UInt64, _ size: Int64) -> [MadeFile] {
        [
            MadeFile("disk", [(.chance(seed), size), (.hole, 20_000), (.text(1), 3000)]),
            MadeFile("little", [(.text(2), 77)]),
        ]
    }

    func tell(encrypted: Bool) throws {
        let tape = try Cartridge.open(Self.paths[0], on: disk)
        try SetBench.label().write(to: tape)
        labelled = true
        let writer = SetWriter(tape, supply: self, guids: bench.guids, secrets: bench.secrets)
        for (index, size) in [20_000, 40_000, 150_000].enumerated() {
            let files = Self.files(UInt64(index), Int64(size))
            let receipt = try writer.write(
                files, bench.describe("set\(index)"),
                SetBench.options(encrypted ? .default : nil, encrypted: encrypted, record: 1 << 14, workers: 1))
            done.append((receipt, files))
        }
        if let cartridge = writer.tape as? Cartridge { try cartridge.unload() }
    }

    /// What is wrong after whatever happened. The disk works again.
    func problems() -> [String] {
        var problems: [String] = []
        do {
            let tape = try Cartridge.open(Self.paths[0], on: disk)
            guard labelled else {
                // Refused with a reason, or labelled anew.
                _ = try? TapeContents.of(tape)
                try SetBench.label().write(to: tape)
                return try TapeContents.of(tape).sets.isEmpty ? [] : ["a new label left sets"]
            }
            let contents = try TapeContents.of(tape)
            let whole = contents.sets.filter { $0.state == .whole }
            for (receipt, files) in done {
                guard let entry = contents.sets.first(where: { $0.set == receipt.set }) else {
                    problems.append("set \(receipt.number) is gone")
                    continue
                }
                let set = try OpenSet(entry, on: tape, with: [SetBench.keyed], supply: self)
                if !(try SetBench.restores(set, files)) { problems.append("set \(receipt.number) is not restored") }
                let verified = try set.verify(workers: 1)
                if !verified.isWhole { problems.append("set \(receipt.number): \(verified.faults)") }
            }
            // What was not acknowledged may be whole all the same, but then truly.
            for entry in whole where !done.contains(where: { $0.receipt.set == entry.set }) {
                let set = try OpenSet(entry, on: tape, with: [SetBench.keyed], supply: self)
                if !(try set.verify(workers: 1).isWhole) {
                    problems.append("set \(entry.number) looks whole and is not")
                }
            }
            // Appendable, or refused with a reason.
            let writer = SetWriter(tape, supply: nil, guids: SequentialGUIDs(seed: 99), secrets: bench.secrets)
            let files = [MadeFile("after", [(.text(9), 500)])]
            do {
                let receipt = try writer.write(
                    files,
                    SetDescription(
                        set: GUID(bytes: [UInt8](repeating: 9, count: 16)), name: "after", date: 1_700_000_000),
                    SetBench.options(nil, encrypted: false, record: 1 << 14, workers: 1))
                let now = try TapeContents.of(tape)
                guard let entry = now.sets.last, entry.set == receipt.set else {
                    return problems + ["what was appended is not listed"]
                }
                if !(try SetBench.restores(try OpenSet(entry, on: tape), files)) {
                    problems.append("what was appended is not restored")
                }
                if now.sets.count != whole.count + 1 { problems.append("appending left \(now.sets.map(\.state))") }
                if try !TapeContents.verifyChain(of: tape).faults.isEmpty { problems.append("the chain is broken") }
            } catch let fault as StorageFault where ["TAPE-FULL", "TAPE-END-OF-MEDIUM"].contains(fault.id) {
                if done.count < 2 { problems.append("\(fault)") }
            }
        } catch {
            problems.append("\(error)")
        }
        return problems
    }
}

@Suite("sets and what may go wrong") struct SetsFaultTests {
    @Test("wherever the power goes, completed sets restore and the tape goes on", arguments: [false, true])
    func everyCut(encrypted: Bool) throws {
        let start = try CartridgeStoryOfSets.prepare()
        let probe = CartridgeStoryOfSets(on: start.copy())
        try probe.tell(encrypted: encrypted)
        #expect(probe.done.map(\.receipt.spans.count) == [1, 1, 2])
        #expect(probe.problems() == [])
        let calls = probe.disk.calls
        var cuts = 0
        for cut in stride(from: start.calls + 1, through: calls, by: 3) {
            for loss in [SimulatedDisk.Loss.all, .torn(seed: UInt64(cut))] {
                let story = CartridgeStoryOfSets(on: start.copy())
                story.disk.cutAt = cut
                _ = try? story.tell(encrypted: encrypted)
                guard story.disk.isCut else { continue }
                story.disk.powerCut(loss)
                let problems = story.problems()
                #expect(problems == [], "cut \(cut), \(loss)")
                cuts += 1
                if !problems.isEmpty { return }
            }
        }
        #expect(cuts > 30)
    }

    @Test("the n-th write failing, once or for ever, harms no completed set", arguments: [false, true])
    func everyFault(forEver: Bool) throws {
        let start = try CartridgeStoryOfSets.prepare()
        let probe = CartridgeStoryOfSets(on: start.copy())
        try probe.tell(encrypted: true)
        let writes = probe.disk.writeCalls
        for call in stride(from: 1, through: writes, by: 4) {
            let story = CartridgeStoryOfSets(on: start.copy())
            story.disk.fault = SimulatedDisk.Fault(
                call: call, onlyWrites: true, code: call % 2 == 0 ? 28 : 5, forEver: forEver)
            _ = try? story.tell(encrypted: true)
            story.disk.fault = nil
            let problems = story.problems()
            #expect(problems == [], "write \(call)")
            if !problems.isEmpty { return }
        }
    }

    @Test("a source that fails ends the set; the next one is written over it", arguments: [false, true])
    func sourcesFail(encrypted: Bool) throws {
        let bench = SetBench()
        let tape = try bench.tape()
        let good = [MadeFile("good", [(.chance(1), 300_000)])]
        let options = SetBench.options(encrypted ? .fast : nil, encrypted: encrypted, record: 1 << 14)
        try bench.write(good, "first", on: tape, options)
        var bad = MadeFile("bad", [(.chance(2), 900_000)])
        bad.failsAt = 500_000
        do {
            try bench.write([bad], "second", on: tape, options)
            Issue.record("a failing source went unnoticed")
        } catch { #expect((error as? StorageFault)?.id == "TEST-SOURCE") }
        var contents = try TapeContents.of(tape)
        #expect(contents.sets.map(\.state) == [.whole, .unfinished])
        #expect(contents.sets[1].name == (encrypted ? contents.sets[1].set.description : "second"))
        #expect(!(try SetBench.open(contents.sets[1], tape).verify(workers: 1).isWhole))
        try bench.write(good, "third", on: tape, options)
        contents = try TapeContents.of(tape)
        #expect(contents.sets.map(\.state) == [.whole, .whole] && contents.sets.map(\.number) == [1, 2])
        for entry in contents.sets { #expect(try SetBench.restores(SetBench.open(entry, tape), good)) }
        #expect(try TapeContents.verifyChain(of: tape).faults == [])
    }

    @Test("a drive that fails at its n-th call leaves an appendable tape")
    func drivesFail() throws {
        for calls in stride(from: 0, through: 120, by: 3) {
            let bench = SetBench()
            let tape = try bench.tape()
            let files = [MadeFile("a", [(.chance(1), 200_000)])]
            let options = SetBench.options(.default, encrypted: true, record: 1 << 14, workers: 1)
            try bench.write(files, "first", on: tape, options)
            tape.callsLeft = calls
            _ = try? bench.write(files, "second", on: tape, options)
            tape.callsLeft = nil
            try bench.write(files, "third", on: tape, options)
            let contents = try TapeContents.of(tape)
            #expect(contents.sets.allSatisfy { $0.state == .whole } && contents.sets.count >= 2)
            for entry in contents.sets { #expect(try SetBench.restores(SetBench.open(entry, tape), files)) }
        }
    }

    @Test("a set is appended behind one whose key is lost or whose trailer is damaged", arguments: [false, true])
    func appendingNeedsNoKey(damaged: Bool) throws {
        let bench = SetBench()
        let tape = try bench.tape()
        let files = [MadeFile("a", [(.chance(1), 100_000)])]
        let receipt = try bench.write(files, "first", on: tape, SetBench.options(.default, encrypted: true))
        if damaged { tape.damaged = [Int(receipt.spans[0].end.object) - 3, Int(receipt.spans[0].end.object) - 2] }
        let writer = SetWriter(tape, guids: bench.guids, secrets: bench.secrets)
        let second = try writer.write(files, bench.describe("second"))
        #expect(second.number == 2)
        let contents = try TapeContents.of(tape)
        #expect(contents.sets.map(\.number) == [1, 2])
        #expect(try SetBench.restores(OpenSet(contents.sets[1], on: tape), files))
        // The first set is whole but for its trailer: its key still lies at its beginning.
        #expect(try SetBench.restores(SetBench.open(contents.sets[0], tape), files))
        let chain = try TapeContents.verifyChain(of: tape)
        #expect(chain.faults.isEmpty == !damaged)
    }

    @Test("without a key a set tells of sizes, dates and who can open it", arguments: [false, true])
    func outlines(encrypted: Bool) throws {
        let bench = SetBench()
        let tape = try bench.tape()
        let files = [MadeFile("a", [(.chance(1), 100_000)]), MadeFile("b", [(.hole, 1 << 40)])]
        let receipt = try bench.write(files, on: tape, SetBench.options(.default, encrypted: encrypted))
        let outline = try SetOutline.of(try #require(try TapeContents.of(tape).sets.first), on: tape)
        #expect(outline.files.map(\.size) == files.map(\.size) && outline.files.map(\.name) == receipt.names)
        #expect(outline.files.map(\.modified) == files.map(\.modified) && outline.faults == [])
        #expect(outline.envelopes == 3)
        #expect(outline.thumbprints == (encrypted ? [SetBench.keyed.certificate.thumbprint] : []))
        #expect(receipt.names == files.map(\.name) || encrypted)
    }

    @Test("a certificate that changed while the job ran fails it and leaves no whole set")
    func certificatesAreConfirmed() throws {
        let bench = SetBench()
        let tape = try bench.tape()
        var options = SetBench.options(nil, encrypted: true)
        options.confirm = { () throws(StorageFault) in
            throw StorageFault(.busy, "TAPE-24060", "certificate", "it changed", action: "Run the job again")
        }
        do {
            try bench.write([MadeFile("a", [(.chance(1), 1000)])], on: tape, options)
            Issue.record("it was written all the same")
        } catch { #expect((error as? StorageFault)?.id == "TAPE-24060") }
        #expect(try TapeContents.of(tape).sets.allSatisfy { $0.state == .unfinished })
    }

    @Test("a WORM tape goes on behind an interrupted set", arguments: [100_000, 300_000, 2_000_000])
    func wormGoesOn(failsAt: Int64) throws {
        let bench = SetBench()
        let (_, tape) = try CartridgeLab.made(CartridgeLab.design(kind: .worm))
        try SetBench.label().write(to: tape)
        let files = [MadeFile("a", [(.chance(1), 400_000)])]
        let writer = SetWriter(tape, guids: bench.guids, secrets: bench.secrets)
        let options = SetBench.options(.default, encrypted: true, record: 1 << 14)
        var sets: [GUID] = []
        for round in 0..<3 {
            sets.append(try writer.write(files, bench.describe("good"), options).set)
            var bad = files
            bad[0].failsAt = failsAt
            if round < 2 { _ = try? writer.write(bad, bench.describe("bad"), options) }
            if failsAt > 400_000, round < 2 { sets.append(try #require(try TapeContents.of(tape).sets.last).set) }
        }
        let contents = try TapeContents.of(tape)
        #expect(contents.sets.map(\.set) == sets && contents.sets.allSatisfy { $0.state == .whole })
        for entry in contents.sets {
            let set = try OpenSet(entry, on: tape, with: [SetBench.keyed])
            #expect(try SetBench.restores(set, files))
            #expect(try set.verify(workers: 1).faults == [])
        }
        #expect(try TapeContents.verifyChain(of: tape).faults == [])
    }

    @Test("a tape without room, a foreign one and a blank one are refused with a reason")
    func refusals() throws {
        let bench = SetBench()
        let files = [MadeFile("a", [(.chance(1), 100_000)])]
        func id(_ tape: MemoryTape, _ options: SetOptions = SetOptions()) -> String {
            do { try bench.write(files, on: tape, options) } catch { return (error as? StorageFault)?.id ?? "" }
            return ""
        }
        #expect(id(MemoryTape()) == "TAPE-NO-LABEL")
        let foreign = MemoryTape()
        _ = try foreign.write([UInt8](repeating: 7, count: 2048))
        #expect(["TAPE-FOREIGN", "TAPE-MTF"].contains(id(foreign)))
        let full = try bench.tape(capacity: 40_000, reserve: 39_000)
        #expect(id(full) == "TAPE-FULL")
        var options = SetOptions()
        options.recordLength = 5000
        #expect(id(try bench.tape(), options) == "TAPE-RECORD-LENGTH")
        let small = try bench.tape(capacity: 150_000, reserve: 100_000)
        options.recordLength = 1 << 14
        #expect(id(small, options) == "TAPE-FULL")
        #expect(try TapeContents.of(small).sets.allSatisfy { $0.state == .unfinished })
    }
}
