import Files
import Tape
import Testing

import enum Protection.LTOGeneration

@Suite("a cartridge") struct CartridgeTests {
    private static let path = CartridgeLab.path

    private func id(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch { return (error as? StorageFault)?.id ?? "\(error)" }
    }

    @Test("gives back what was written, after loading it again")
    func roundTrip() throws {
        let (disk, tape) = try CartridgeLab.made()
        #expect(try tape.write(CartridgeLab.bytes(1, 5000)) == .done)
        #expect(try tape.write([UInt8](repeating: 0, count: 70_000)) == .done)
        #expect(try tape.writeFilemarks(1, immediate: true) == .done)
        #expect(try tape.write(CartridgeLab.bytes(2, 100_000)) == .done)
        try tape.unload()
        let again = try Cartridge.open(Self.path, on: disk)
        #expect(again.findings == [])
        #expect(try again.record() == CartridgeLab.bytes(1, 5000))
        #expect(try again.record() == [UInt8](repeating: 0, count: 70_000))
        #expect(try again.record() == nil)
        #expect(try again.record() == CartridgeLab.bytes(2, 100_000))
        #expect(again.position == TapePosition(partition: 0, object: 4, file: 1))
        #expect(try again.record() == nil)
    }

    @Test("a record longer than the buffer is cut, and still verified")
    func shortBuffer() throws {
        let (disk, tape) = try CartridgeLab.made()
        let long = CartridgeLab.bytes(3, 50_000)
        _ = try tape.write(long)
        _ = try tape.write(long)
        try tape.flush()
        try tape.rewind()
        let buffer = Buffer(count: 100)
        #expect(try tape.read(into: buffer.bytes) == .record(length: 50_000))
        #expect(Array(buffer.bytes) == Array(long.prefix(100)))
        disk.flip(Self.path, byte: 1 << 20 | 100_000, mask: 1)
        #expect(id { _ = try tape.read(into: buffer.bytes) } == "TAPE-RECORD-DAMAGED")
        #expect(tape.position.object == 2)
    }

    @Test("takes records up to 1 MiB and no longer, none that is empty")
    func lengths() throws {
        let (_, tape) = try CartridgeLab.made()
        for count in [1, 16 << 10, (16 << 10) + 1, 1 << 20] {
            #expect(try tape.write(CartridgeLab.bytes(count, count)) == .done)
        }
        #expect(id { _ = try tape.write([]) } == "TAPE-RECORD-LENGTH")
        #expect(id { _ = try tape.write([UInt8](repeating: 1, count: 1 << 20 + 1)) } == "TAPE-RECORD-LENGTH")
        #expect(id { _ = try tape.writeFilemarks(-1, immediate: true) } == "TAPE-FILEMARKS")
        try tape.rewind()
        for count in [1, 16 << 10, (16 << 10) + 1, 1 << 20] {
            #expect(try tape.record() == CartridgeLab.bytes(count, count))
        }
    }

    @Test("is what its generation is", arguments: LTOGeneration.allCases)
    func generation(generation: LTOGeneration) throws {
        let disk = SimulatedDisk()
        try CartridgeLab.folder(disk)
        let tape = try CartridgeLab.make(on: disk, CartridgeDesign(barcode: "ABC001L9", generation))
        #expect(tape.identity.generation == generation)
        #expect(tape.room == tape.identity.capacity - 5_000_000_000)
        #expect(try tape.attribute(0x0001)?.text == "\(tape.identity.capacity >> 20)")
        #expect(try tape.attribute(0x0405)?.value == [tape.identity.density])
        #expect(tape.identity.density >= 0x58)
    }

    @Test("an empty one of 40 TB takes a few KiB")
    func sparse() throws {
        let disk = SimulatedDisk()
        try CartridgeLab.folder(disk)
        let design = CartridgeDesign(barcode: "BIG001PA", capacity: 40_000_000_000_000, reserve: 5_000_000_000)
        let tape = try CartridgeLab.make(on: disk, design)
        try tape.unload()
        #expect(disk.used <= 16 << 10)
    }

    @Test("warns before its end, and then ends, losing nothing")
    func endOfMedium() throws {
        let disk = SimulatedDisk()
        try CartridgeLab.folder(disk)
        let tape = try CartridgeLab.make(
            on: disk, CartridgeDesign(barcode: "SMALL", capacity: 10_000, reserve: 3_000))
        #expect(tape.room == 7_000)
        #expect(try tape.write(CartridgeLab.bytes(1, 7_000)) == .done)
        #expect(tape.room == 0)
        // Zeros count as much as data.
        #expect(try tape.write([UInt8](repeating: 0, count: 1_000)) == .earlyWarning)
        #expect(try tape.writeFilemarks(1, immediate: false) == .earlyWarning)
        #expect(id { _ = try tape.write(CartridgeLab.bytes(2, 2_001)) } == "TAPE-END-OF-MEDIUM")
        #expect(tape.position == TapePosition(object: 3, file: 1))
        #expect(try tape.write(CartridgeLab.bytes(3, 2_000)) == .earlyWarning)
        // Overwriting too is refused before anything is discarded.
        try tape.locate(object: 1, partition: 0)
        #expect(id { _ = try tape.write(CartridgeLab.bytes(4, 3_001)) } == "TAPE-END-OF-MEDIUM")
        #expect(tape.end(of: 0).objects == 4)
        #expect(tape.room == 0)
        #expect(Sense.of(StorageFault(.outOfSpace, "TAPE-END-OF-MEDIUM", "", "", action: ""))?.description == "D/0/2")
    }

    @Test("a WORM cartridge takes more behind its data, and nothing else")
    func worm() throws {
        let (disk, tape) = try CartridgeLab.made(CartridgeLab.design(kind: .worm))
        _ = try tape.write(CartridgeLab.bytes(1, 100))
        _ = try tape.write(CartridgeLab.bytes(2, 100))
        try tape.locate(object: 1, partition: 0)
        #expect(id { _ = try tape.write(CartridgeLab.bytes(3, 10)) } == "TAPE-WORM")
        #expect(id { _ = try tape.writeFilemarks(1, immediate: false) } == "TAPE-WORM")
        #expect(id { try tape.erase() } == "TAPE-WORM")
        #expect(id { try tape.format(partitions: [1 << 20]) } == "TAPE-WORM")
        #expect(try tape.attribute(0x0408)?.value == [0x80])
        try tape.unload()
        let again = try Cartridge.open(Self.path, on: disk)
        try again.locateEndOfData(partition: 0)
        #expect(try again.write(CartridgeLab.bytes(3, 10)) == .done)
        #expect(again.end(of: 0).objects == 3)
    }

    @Test("its tab protects it until it is set back")
    func tab() throws {
        let (disk, tape) = try CartridgeLab.made()
        _ = try tape.write(CartridgeLab.bytes(1, 100))
        try tape.setWriteProtected(true)
        try tape.unload()
        let again = try Cartridge.open(Self.path, on: disk)
        #expect(again.isWriteProtected)
        try again.locateEndOfData(partition: 0)
        for fault in [
            id { _ = try again.write(CartridgeLab.bytes(2, 10)) }, id { try again.erase() },
            id { try again.setAttribute(0x0806, [0x41]) }, id { try again.format(partitions: [1 << 21]) },
        ] { #expect(fault == "TAPE-WRITE-PROTECTED") }
        try again.setWriteProtected(false)
        try again.locateEndOfData(partition: 0)
        #expect(try again.write(CartridgeLab.bytes(2, 10)) == .done)
    }

    @Test("a cleaning cartridge cleans so many times, and holds nothing")
    func cleaning() throws {
        let disk = SimulatedDisk()
        try CartridgeLab.folder(disk)
        var design = CartridgeDesign(barcode: "CLN001L9", .lto9, kind: .cleaning)
        design.cleaningUses = 2
        var tape = try CartridgeLab.make(on: disk, design)
        #expect(id { _ = try tape.write([1]) } == "TAPE-CLEANING")
        #expect(id { _ = try tape.record() } == "TAPE-CLEANING")
        #expect(try tape.clean() == 1)
        try tape.unload()
        tape = try Cartridge.open(Self.path, on: disk)
        #expect(try tape.clean() == 0)
        #expect(id { _ = try tape.clean() } == "TAPE-CLEANING-EXPIRED")
        #expect(try tape.attribute(0x0408)?.value == [0x01])
    }

    @Test("is loaded by one at a time")
    func lock() throws {
        let (disk, tape) = try CartridgeLab.made()
        #expect(id { _ = try Cartridge.open(Self.path, on: disk) } == "TAPE-BUSY")
        #expect(id { _ = try CartridgeCheck.run(Self.path, on: disk) } == "TAPE-BUSY")
        #expect(id { _ = try CartridgeDump.of(Self.path, on: disk) } == "TAPE-BUSY")
        #expect(id { try CartridgeDamage.zapLabel(Self.path, on: disk, slot: 0) } == "TAPE-BUSY")
        try tape.unload()
        #expect(id { try tape.flush() } == "TAPE-NO-MEDIUM")
        #expect(id { _ = try tape.record() } == "TAPE-NO-MEDIUM")
        #expect(id { try Cartridge.open(Self.path, on: disk).unload() } == nil)
        #expect(id { _ = try CartridgeLab.make(on: disk) } == "FILE-EXISTS")
    }

    @Test("a file that cannot be written is read")
    func readOnly() throws {
        let (disk, made) = try CartridgeLab.made()
        _ = try made.write(CartridgeLab.bytes(1, 100))
        try made.unload()
        let tape = try Cartridge.open(
            Self.path, on: ReadOnlyTapeFiles(disk), in: CartridgeDrive(vendor: "DPMSIM", serial: "1"))
        #expect(tape.isReadOnly)
        #expect(try tape.record() == CartridgeLab.bytes(1, 100))
        #expect(id { _ = try tape.write([1]) } == "TAPE-WRITE-PROTECTED")
        #expect(id { try tape.setWriteProtected(true) } == "TAPE-WRITE-PROTECTED")
        try tape.unload()
    }

    @Test("counts loads, bytes and errors, and remembers the last four drives")
    func counters() throws {
        let (disk, made) = try CartridgeLab.made()
        try made.unload()
        for load in 1...5 {
            let tape = try Cartridge.open(
                Self.path, on: disk, in: CartridgeDrive(vendor: "IBM", serial: "DRIVE\(load)"))
            try tape.locateEndOfData(partition: 0)
            _ = try tape.write(CartridgeLab.bytes(load, 3 << 18))
            try tape.rewind()
            _ = try tape.record()
            tape.countErrors(writesCorrected: 2, readsUncorrected: 1)
            try tape.unload()
        }
        let tape = try Cartridge.open(Self.path, on: disk)
        #expect(tape.counters.loads == 5)
        #expect(tape.counters.bytesWritten == 15 << 18)
        #expect(tape.counters.bytesWrittenThisLoad == 3 << 18)
        #expect(tape.counters.bytesRead == 15 << 18)
        #expect(tape.counters.writeErrorsCorrected == 10 && tape.counters.readErrorsUncorrected == 5)
        let drives = try (0x020A...0x020D).map { try tape.attribute(UInt16($0))?.text }
        #expect(drives == ["IBM     DRIVE5", "IBM     DRIVE4", "IBM     DRIVE3", "IBM     DRIVE2"])
        let texts = try [0x0003, 0x0220, 0x0222, 0x0000].map { try tape.attribute(UInt16($0))?.text }
        #expect(texts == ["5", "3", "0", "1020"])
        #expect(try tape.attribute(0x0009)?.text == "5")
    }

    @Test(
        "attributes of the host are kept; those that are none are refused",
        arguments: [
            (0x0800, "DPMSIM", nil), (0x0806, "ABC001L9", nil), (0x0808, "Pool", nil), (0x080B, "1", nil),
            (0x0800, "too long to fit", "TAPE-ATTRIBUTE"), (0x0806, "Ä", "TAPE-ATTRIBUTE"),
            (0x0003, "1", "TAPE-ATTRIBUTE"), (0x0401, "1", "TAPE-ATTRIBUTE"), (0x1234, "1", "TAPE-ATTRIBUTE"),
        ] as [(UInt16, String, String?)])
    func attributes(number: UInt16, text: String, fault: String?) throws {
        let (disk, tape) = try CartridgeLab.made(CartridgeLab.design(partitions: 2))
        let before = try tape.attribute(number)
        #expect(id { try tape.setAttribute(number, Array(text.utf8)) } == fault)
        try tape.setAttribute(0x080C, [1, 2, 3], partition: 1)
        try tape.unload()
        let again = try Cartridge.open(Self.path, on: disk)
        #expect(try again.attribute(number)?.text == (fault == nil ? text : before?.text))
        #expect(try again.attribute(0x080C, partition: 1)?.value == [1, 2, 3])
        #expect(try again.attribute(0x080C) == nil)
        #expect(try again.attributeIDs(partition: 1).contains(0x080C))
        try again.setAttribute(number < 0x0800 || fault != nil ? 0x0806 : number, [])
        #expect(try again.attribute(fault == nil ? number : 0x0806) == nil)
    }

    @Test("objects lie on wraps as bytes do, one partition behind the other")
    func places() throws {
        let (_, tape) = try CartridgeLab.made(CartridgeLab.design(capacity: 1 << 23, partitions: 2))
        for _ in 0..<3 { _ = try tape.write([UInt8](repeating: 0, count: 1 << 20)) }
        _ = try tape.writeFilemarks(1, immediate: true)
        #expect(try tape.place(of: 0) == CartridgePlace(byte: 0, wrap: 0))
        #expect(try tape.place(of: 2) == CartridgePlace(byte: 2 << 20, wrap: 1))
        #expect(try tape.place() == CartridgePlace(byte: 3 << 20, wrap: 1))
        #expect(try tape.place(of: 0, partition: 1) == CartridgePlace(byte: 1 << 22, wrap: 2))
        #expect(id { _ = try tape.place(of: 5) } == "TAPE-NO-OBJECT")
        #expect(id { _ = try tape.place(of: 0, partition: 2) } == "TAPE-NO-PARTITION")
    }

    @Test("a search beyond the end of data leaves the tape there")
    func beyond() throws {
        let (_, tape) = try CartridgeLab.made()
        for _ in 0..<3 { _ = try tape.write([1, 2, 3]) }
        _ = try tape.writeFilemarks(2, immediate: true)
        for search in [
            { try tape.locate(object: 6, partition: 0) }, { try tape.locate(file: 3, partition: 0) },
            { try tape.locate(byte: 10, partition: 0) },
        ] as [() throws -> Void] {
            try tape.rewind()
            #expect(id(search) == "TAPE-NO-OBJECT")
            #expect(tape.position == TapePosition(object: 5, file: 2))
        }
        #expect(id { try tape.locate(object: -1, partition: 0) } == "TAPE-NO-OBJECT")
        #expect(tape.position == TapePosition())
    }

    @Test(
        "what cannot be made is refused",
        arguments: [
            CartridgeDesign(barcode: "", capacity: 1 << 20, reserve: 0),
            CartridgeDesign(barcode: String(repeating: "A", count: 33), capacity: 1 << 20, reserve: 0),
            CartridgeDesign(barcode: "A", capacity: 0, reserve: 0),
            CartridgeDesign(barcode: "A", capacity: 100, reserve: 101),
            CartridgeDesign(barcode: "A", capacity: 100, reserve: 1, wraps: 0),
        ])
    func refused(design: CartridgeDesign) throws {
        let disk = SimulatedDisk()
        try CartridgeLab.folder(disk)
        #expect(id { _ = try CartridgeLab.make(on: disk, design) } == "TAPE-DESIGN")
        #expect(disk.paths == [])
    }
}

/// Files of a volume that is mounted read-only.
private final class ReadOnlyTapeFiles: FileSystem {
    private let base: any FileSystem
    init(_ base: any FileSystem) { self.base = base }
    var isHost: Bool { false }
    func open(_ path: String, _ access: FileAccess) throws(StorageFault) -> any StoreFile {
        guard access == .read else { throw .host("open", path, 30) }
        return try base.open(path, .read)
    }
    func remove(_ path: String) throws(StorageFault) { throw .host("remove", path, 30) }
    func rename(_ path: String, to target: String) throws(StorageFault) { throw .host("rename", path, 30) }
    func makeFolder(_ path: String) throws(StorageFault) { throw .host("make", path, 30) }
    func removeFolder(_ path: String) throws(StorageFault) { throw .host("remove", path, 30) }
    func list(_ folder: String) throws(StorageFault) -> [String] { try base.list(folder) }
    func kind(of path: String) throws(StorageFault) -> EntryKind { try base.kind(of: path) }
    func syncFolder(_ path: String) throws(StorageFault) {}
    func space(at path: String) throws(StorageFault) -> (total: Int64, free: Int64) { try base.space(at: path) }
}
