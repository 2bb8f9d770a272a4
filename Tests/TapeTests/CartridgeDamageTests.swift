import Files
import Tape
import Testing

@Suite("a damaged cartridge") struct CartridgeDamageTests {
    private static let path = CartridgeLab.path

    /// Two partitions: short and long records, zeros, filemarks, and enough runs for full nodes of the index.
    static func made() throws -> (SimulatedDisk, TapeContent) {
        let disk = SimulatedDisk()
        try CartridgeLab.folder(disk)
        let tape = WatchedTape(disk)
        try tape.create(CartridgeLab.design(partitions: 2))
        try tape.write(1000, 300, 300, -300, 40_000)
        try tape.mark(immediate: true)
        try tape.writeUnlike(270)
        try tape.write(200, 500)
        try tape.mark(immediate: true)
        try tape.mark(immediate: false)
        try tape.tape.setAttribute(0x0806, Array("TEST01L9".utf8))
        try tape.locate(0, 1)
        try tape.write(700, 800)
        try tape.unload()
        disk.powerCut(.none)
        return (disk, tape.content)
    }

    /// Reads every object of a tape; what is not as it should be, and is no named fault of that object, is wrong.
    private func readings(_ tape: Cartridge, _ content: TapeContent, _ reader: TapeReader) -> (
        wrong: [String], faults: [StorageFault]
    ) {
        var wrong: [String] = []
        var faults: [StorageFault] = []
        for (partition, objects) in content.enumerated() {
            if tape.end(of: partition).objects != Int64(objects.count) {
                wrong.append("partition \(partition) ends at \(tape.end(of: partition))")
                continue
            }
            do { try tape.locate(object: 0, partition: partition) } catch {
                faults.append(error)
                continue
            }
            while tape.position.object < Int64(objects.count) {
                let number = Int(tape.position.object)
                do {
                    if let text = try reader.next(tape, objects[number]) {
                        wrong.append("object \(number): \(text)")
                    }
                } catch {
                    guard let fault = error as? StorageFault else {
                        wrong.append("\(error)")
                        break
                    }
                    faults.append(fault)
                    if tape.position.object <= Int64(number) { wrong.append("stays at object \(number)") }
                }
                let files = objects[..<Int(tape.position.object)].count { $0 == .filemark }
                if tape.position.file != Int64(files) { wrong.append("behind \(number): \(tape.position)") }
            }
        }
        return (wrong, faults)
    }

    @Test("a flipped byte is never returned as data; it is found and named, or lies where nothing is")
    func everyByte() throws {
        let (base, content) = try Self.made()
        let bytes = try #require(base.contents(Self.path))
        let reader = TapeReader()
        // Beside the data, the places of structures: labels, attributes, tails, headers, nodes.
        var places = Set(stride(from: 0, to: 8192, by: 37))
        for (place, count) in [(8192, 200), (8192 + 32_768, 900), (434_176, 200), (434_176 + 32_768, 900)] {
            places.formUnion(stride(from: place, to: place + count, by: 29))
        }
        places.formUnion(stride(from: 1 << 20, to: bytes.count, by: 101))
        places.formUnion((1 << 20)..<(1 << 20) + 40)
        var (harmless, named) = (0, 0)
        for place in places.sorted() {
            let disk = base.copy()
            disk.flip(Self.path, byte: Int64(place), mask: UInt8(1 << (place % 8)))
            let tape = try Cartridge.open(Self.path, on: disk)
            let (wrong, faults) = readings(tape, content, reader)
            #expect(wrong == [], "byte \(place)")
            #expect(faults.count <= 1, "byte \(place)")
            #expect(
                faults.allSatisfy { $0.id == "TAPE-RECORD-DAMAGED" && $0.object.contains("object ") }, "byte \(place)")
            // What opening finds and reading passes over is found by the check as well.
            tape.abandon()
            let found = try CartridgeCheck.run(Self.path, on: disk, records: true)
            #expect(faults.isEmpty || !found.isEmpty, "byte \(place)")
            #expect(tape.findings.allSatisfy { found.contains($0) }, "byte \(place)")
            if found.isEmpty { harmless += 1 } else { named += 1 }
            if place < 1 << 20 || !found.isEmpty { continue }
            // Only what fills up to the next multiple of 32 is nobody's.
            #expect(bytes[place] == 0, "byte \(place)")
        }
        #expect(named > 400 && harmless < named / 2)
    }

    @Test("what is broken by its own structures is told, and the rest is read", arguments: [false, true])
    func damage(beneath: Bool) throws {
        let (disk, content) = try Self.made()
        let reader = TapeReader()
        try CartridgeDamage.flip(Self.path, on: disk, object: 4, byte: 777, mask: 0x10, beneathChecksum: beneath)
        let found = try CartridgeCheck.run(Self.path, on: disk, records: true)
        #expect(found.count == (beneath ? 0 : 1))
        #expect(found.allSatisfy { $0.object == "object 4 of partition 0" })
        let tape = try Cartridge.open(Self.path, on: disk)
        try tape.locate(object: 4, partition: 0)
        if beneath {
            var expected = content[0][4].bytes
            expected[777] ^= 0x10
            #expect(try tape.record() == expected)
        } else {
            #expect(throws: StorageFault.self) { try tape.record() }
        }
        #expect(tape.position == TapePosition(object: 5))
        #expect(try reader.next(tape, content[0][5]) == nil)
        #expect(tape.counters.readErrorsUncorrected == (beneath ? 0 : 1))
    }

    @Test("objects are cut off, dropped, doubled and exchanged above the container, which finds nothing wrong")
    func rebuilt() throws {
        let (base, content) = try Self.made()
        let reader = TapeReader()
        func expect(_ name: String, _ change: (inout [TapeObject]) -> Void, _ damage: (SimulatedDisk) throws -> Void)
            throws
        {
            let disk = base.copy()
            try damage(disk)
            var expected = content
            change(&expected[0])
            #expect(try CartridgeCheck.run(Self.path, on: disk, records: true) == [], "\(name)")
            let tape = try Cartridge.open(Self.path, on: disk)
            #expect(reader.difference(tape, expected) == nil, "\(name)")
            #expect(try tape.attribute(0x0806)?.text == "TEST01L9", "\(name)")
            #expect(tape.identity.guid == SequentialGUIDs(seed: 7).next(), "\(name)")
        }
        try expect("cut", { $0.removeSubrange(7...) }) { try CartridgeDamage.cut(Self.path, on: $0, after: 6) }
        try expect("drop", { $0.remove(at: 1) }) { try CartridgeDamage.drop(Self.path, on: $0, object: 1) }
        try expect("drop a filemark", { $0.remove(at: 5) }) { try CartridgeDamage.drop(Self.path, on: $0, object: 5) }
        try expect("double", { $0.insert($0[4], at: 4) }) { try CartridgeDamage.double(Self.path, on: $0, object: 4) }
        try expect("swap", { $0.swapAt(0, 277) }) { try CartridgeDamage.swap(Self.path, on: $0, 277, 0) }
    }

    @Test("either label is enough, and unloading writes the other anew", arguments: [0, 1])
    func zappedLabel(slot: Int) throws {
        let (disk, content) = try Self.made()
        try CartridgeDamage.zapLabel(Self.path, on: disk, slot: slot)
        #expect(try CartridgeCheck.run(Self.path, on: disk).map(\.object) == ["label \(slot)"])
        let tape = try Cartridge.open(Self.path, on: disk)
        #expect(tape.findings.count == 1)
        #expect(TapeReader().difference(tape, content) == nil)
        try tape.unload()
        #expect(try CartridgeCheck.run(Self.path, on: disk, records: true) == [])
    }

    @Test("without a label it is refused, and a search still finds records and nodes")
    func noLabel() throws {
        let (disk, content) = try Self.made()
        let dump = try CartridgeDump.of(Self.path, on: disk, .search)
        for slot in 0...1 { try CartridgeDamage.zapLabel(Self.path, on: disk, slot: slot) }
        #expect(throws: StorageFault.self) { try Cartridge.open(Self.path, on: disk) }
        #expect(try CartridgeCheck.run(Self.path, on: disk).count == 2)
        let blind = try CartridgeDump.of(Self.path, on: disk, .search)
        let stored = content.joined().count { if case .record = $0 { true } else { false } }
        #expect(dump.count { $0.name == "record" } == stored)
        #expect(dump.count { $0.name == "index node" } == 2)
        #expect(blind.count { $0.name == "record" } == stored)
        #expect((dump + blind).allSatisfy { $0.problems.isEmpty })
        let summary = try CartridgeDump.of(Self.path, on: disk)
        #expect(summary.filter { $0.name.hasPrefix("label") }.allSatisfy { $0.problems == ["there is no label"] })
    }

    @Test("a dump shows what there is")
    func dump() throws {
        let (disk, content) = try Self.made()
        try CartridgeDamage.flip(Self.path, on: disk, object: 1)
        let summary = try CartridgeDump.of(Self.path, on: disk)
        #expect(summary.filter { $0.name.hasPrefix("label") }.map { $0.fields[4].value } == ["TEST01L9", "TEST01L9"])
        #expect(summary.allSatisfy { $0.problems.isEmpty })
        let index = try CartridgeDump.of(Self.path, on: disk, .index(partition: 0))
        #expect(index.count { $0.name == "index node" } == 1)
        #expect(index.count { $0.name == "run of filemarks" } == 2)
        let objects = try CartridgeDump.of(Self.path, on: disk, .objects(partition: 0, 0..<Int64.max))
        #expect(objects.count == content[0].count)
        #expect(objects.indices.filter { !objects[$0].problems.isEmpty } == [1])
        #expect(objects[4].fields.contains { $0.name == "length" && $0.value == "40000" })
    }

    @Test("a damaged node is read from its other copy; without both its objects are named and passed over")
    func damagedNode() throws {
        let (disk, content) = try Self.made()
        let node = try #require(
            CartridgeDump.of(Self.path, on: disk, .index(partition: 0)).first { $0.name == "index node" })
        disk.flip(Self.path, byte: node.place.lowerBound + 5000, mask: 4)
        var tape = try Cartridge.open(Self.path, on: disk)
        #expect(TapeReader().difference(tape, content) == nil)
        #expect(tape.counters.readErrorsCorrected == 1)
        tape.abandon()
        let found = try CartridgeCheck.run(Self.path, on: disk)
        #expect(found.count == 1 && found[0].object.contains("copy 0"))
        disk.flip(Self.path, byte: node.place.upperBound - 5000, mask: 4)
        tape = try Cartridge.open(Self.path, on: disk)
        let (wrong, faults) = readings(tape, content, TapeReader())
        #expect(wrong == [])
        #expect(faults.map(\.id) == ["TAPE-INDEX-DAMAGED"])
        #expect(faults[0].object.contains("objects 0 to "))
    }

    @Test("a file that was cut off is opened, told, and read as far as it goes")
    func shortFile() throws {
        let (disk, content) = try Self.made()
        let bytes = try #require(disk.contents(Self.path))
        disk.setContents(Self.path, Array(bytes.prefix(bytes.count - 1200)))
        let tape = try Cartridge.open(Self.path, on: disk)
        #expect(tape.findings.map(\.object) == ["the file"])
        let (wrong, faults) = readings(tape, content, TapeReader())
        #expect(wrong == [])
        #expect(faults.map(\.id) == ["TAPE-RECORD-DAMAGED", "TAPE-RECORD-DAMAGED"])
    }
}
