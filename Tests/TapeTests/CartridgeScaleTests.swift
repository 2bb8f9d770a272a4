import Files
import Foundation
import Tape
import Testing

@Suite("a cartridge of very many records") struct CartridgeScaleTests {
    /// Runs of records of one length, each an entry of the index; ten million are for by hand, in a release build.
    private static let runs =
        ProcessInfo.processInfo.environment["TAPE_RUNS"].flatMap(Int.init).map { max(100_000, $0) } ?? 200_000

    /// A folder of its own, and its end.
    private func inFolder(_ body: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "/tape-scale-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    @Test("appended in bulk, runs of zeros make the same index as one by one")
    func bulk() throws {
        let (oneDisk, one) = try CartridgeLab.made()
        let (manyDisk, many) = try CartridgeLab.made()
        for round in 0..<300 {
            let length = 500 + round % 7
            for _ in 0..<round % 4 + 1 { _ = try one.write([UInt8](repeating: 0, count: length)) }
            _ = try many.writeZeros(Int64(round % 4 + 1), length: length)
        }
        try one.unload()
        try many.unload()
        #expect(oneDisk.contents(CartridgeLab.path) == manyDisk.contents(CartridgeLab.path))
    }

    @Test("100 million sparse records of mixed lengths are opened and located without reading the index")
    func huge() throws {
        let runs = Self.runs
        let perRun = Int64(100_000_000 / runs)
        try inFolder { folder in
            let files = HostFiles()
            let path = folder + "/HUGE01PA.cart"
            let design = CartridgeDesign(
                barcode: "HUGE01PA", capacity: 40_000_000_000_000, reserve: 5_000_000_000, wraps: 472)
            var tape = try Cartridge.create(at: path, on: files, design, guids: SequentialGUIDs(seed: 1), time: 0)
            for run in 0..<runs { _ = try tape.writeZeros(perRun, length: 390_000 + 512 * (run * 7 % 11)) }
            _ = try tape.write([UInt8](repeating: 5, count: 1000))
            try tape.unload()
            tape = try Cartridge.open(path, on: files)
            let end = tape.end(of: 0)
            #expect(end.objects == perRun * Int64(runs) + 1)
            #expect(tape.nodeReads == 0)
            #expect(end.bytes > 39_000_000_000_000 && tape.room >= 0)
            let levels = tape.indexLevels(of: 0)
            #expect(levels == 3)
            var chance = TapeChance(seed: 4)
            for _ in 0..<300 {
                let before = tape.nodeReads
                try tape.locate(object: .random(in: 0..<end.objects, using: &chance), partition: 0)
                #expect(tape.nodeReads - before <= levels)
            }
            for _ in 0..<300 {
                let byte = Int64.random(in: 0..<end.bytes, using: &chance)
                let before = tape.nodeReads
                try tape.locate(byte: byte)
                #expect(tape.nodeReads - before <= levels)
                let place = try tape.place().byte
                #expect(place <= byte && byte - place < 400_000)
            }
            try tape.locate(object: end.objects - 1, partition: 0)
            #expect(try tape.record() == [UInt8](repeating: 5, count: 1000))
            let file = try files.open(path, .read)
            // Two copies of 48 bytes and their share of a node's header.
            #expect(try file.allocated() < Int64(runs) * 100 + (1 << 20))
            tape.abandon()
        }
    }

    @Test("a record of 1 MiB is stored with its 32 bytes of header and nothing else")
    func stored() throws {
        let (disk, tape) = try CartridgeLab.made()
        let data = CartridgeLab.bytes(1, 1 << 20)
        for _ in 0..<5 { _ = try tape.write(data) }
        let calls = disk.writeCalls
        _ = try tape.write(data)
        #expect(disk.writeCalls == calls + 2)
        try tape.unload()
        let expected = 7 * (1 << 20) + 6 * 32
        #expect(disk.contents(CartridgeLab.path)?.count == expected)
    }
}
