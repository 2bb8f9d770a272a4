import Files
import Tape
import Testing

@Suite("a cartridge") struct CartridgeTests {
    @Test("gives back what was written, after loading it again")
    func roundTrip() throws {
        let (disk, tape) = try CartridgeLab.made()
        #expect(try tape.write(CartridgeLab.bytes(1, 5000)) == .done)
        #expect(try tape.write([UInt8](repeating: 0, count: 70_000)) == .done)
        #expect(try tape.writeFilemarks(1, immediate: true) == .done)
        #expect(try tape.write(CartridgeLab.bytes(2, 100_000)) == .done)
        try tape.unload()
        let again = try Cartridge.open(CartridgeLab.path, on: disk)
        #expect(again.findings == [])
        #expect(try again.record() == CartridgeLab.bytes(1, 5000))
        #expect(try again.record() == [UInt8](repeating: 0, count: 70_000))
        #expect(try again.record() == nil)
        #expect(try again.record() == CartridgeLab.bytes(2, 100_000))
        #expect(again.position == TapePosition(partition: 0, object: 4, file: 1))
    }
}
