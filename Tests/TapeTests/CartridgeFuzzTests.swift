import Files
import Foundation
import Tape
import Testing

/// Changes cartridges as somebody would who knows the format and makes the checksums right.
private struct Forger {
    let seed: UInt32
    var chance: TapeChance

    init(_ guid: GUID, seed: UInt64) {
        self.seed = CRC32C.of(guid.bytes)
        chance = TapeChance(seed: seed)
    }

    private func checksum(_ bytes: ArraySlice<UInt8>, _ start: UInt32) -> UInt32 {
        Array(bytes).withUnsafeBytes { CRC32C.of($0, continuing: start) }
    }

    /// Puts a number of a kind that parsers stumble over somewhere in a range.
    private mutating func disturb(_ bytes: inout [UInt8], _ range: Range<Int>) {
        for _ in 0..<Int.random(in: 1...3, using: &chance) {
            let place = Int.random(in: range, using: &chance)
            switch Int.random(in: 0..<5, using: &chance) {
            case 0: bytes[place] ^= UInt8.random(in: 1...255, using: &chance)
            case 1: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &chance)!
            case 2 where place + 8 <= range.upperBound:
                let odd: [Int64] = [0, 1, -1, .max, .min, 1 << 60, 1 << 59, 1 << 32, 256, 255, 1 << 20, 12_352]
                bytes.putLittle(odd.randomElement(using: &chance)!, at: place / 8 * 8)
            case 3 where place + 4 <= range.upperBound:
                let odd: [UInt32] = [0, 1, .max, 1 << 31, 1 << 20, 1 << 24, 2 << 24 | 1, 12_352 | 4 << 24, 256]
                bytes.putLittle(odd.randomElement(using: &chance)!, at: place / 4 * 4)
            default:
                let other = Int.random(in: range, using: &chance)
                bytes.swapAt(place, other)
            }
        }
    }

    /// A cartridge file with some structure changed and sealed again.
    mutating func forge(_ file: [UInt8]) -> [UInt8] {
        var bytes = file
        for slot in 0..<2 where Int.random(in: 0..<4, using: &chance) > 0 {
            var label = Array(bytes[slot * 4096..<(slot + 1) * 4096])
            let target = Int.random(in: 0..<5, using: &chance)
            if target == 0 { disturb(&label, 8..<400) }
            // Where the tail of a partition, or the attributes lie, as the label says.
            for (at, kind) in [(296, 1), (360, 1), (112, 2)] where kind == target {
                let place = label.little(Int64.self, at: at)
                let count = Int(label.little(UInt32.self, at: at + 8))
                guard count > 16, place > 0, Int(place) + count <= bytes.count else { continue }
                var piece = Array(bytes[Int(place)..<Int(place) + count])
                if kind == 1 {
                    disturb(&piece, 0..<piece.count)
                    let crc = checksum(piece[64...], checksum(piece[..<60], seed))
                    piece.putLittle(crc, at: 60)
                } else {
                    disturb(&piece, 0..<piece.count)
                    let crc = checksum(piece[16...], checksum(piece[..<12], seed))
                    piece.putLittle(crc, at: 12)
                }
                bytes.replaceSubrange(Int(place)..<Int(place) + count, with: piece)
                label.putLittle(CRC32C.of(piece), at: at + 12)
            }
            if target == 3 { forgeNode(&bytes, &label) }
            if target == 4 { forgeRecord(&bytes) }
            label.putLittle(CRC32C.of(label, zeroing: 4092), at: 4092)
            bytes.replaceSubrange(slot * 4096..<(slot + 1) * 4096, with: label)
        }
        return bytes
    }

    /// Changes the first full node and what points to it.
    private mutating func forgeNode(_ bytes: inout [UInt8], _ label: inout [UInt8]) {
        let tailAt = Int(label.little(Int64.self, at: 296))
        let count = Int(label.little(UInt32.self, at: 304))
        guard count > 64 + 48, tailAt > 0, tailAt + count <= bytes.count else { return }
        var tail = Array(bytes[tailAt..<tailAt + count])
        let entry = count - 48
        let offset = Int(tail.little(Int64.self, at: entry + 24))
        guard tail[entry + 43] == 4, offset > 0, offset + 2 * 12_352 <= bytes.count else { return }
        var node = Array(bytes[offset..<offset + 12_352])
        disturb(&node, 0..<node.count)
        let crc = checksum(node[64...], checksum(node[..<60], seed))
        node.putLittle(crc, at: 60)
        bytes.replaceSubrange(offset..<offset + 2 * 12_352, with: node + node)
        tail.putLittle(crc, at: entry + 44)
        tail.putLittle(checksum(tail[64...], checksum(tail[..<60], seed)), at: 60)
        bytes.replaceSubrange(tailAt..<tailAt + count, with: tail)
        label.putLittle(CRC32C.of(tail), at: 308)
    }

    private mutating func forgeRecord(_ bytes: inout [UInt8]) {
        let place = 1 << 20
        var header = Array(bytes[place..<place + 32])
        disturb(&header, 0..<32)
        header.putLittle(checksum(header[..<28], seed), at: 28)
        bytes.replaceSubrange(place..<place + 32, with: header)
    }
}

@Suite("a forged cartridge") struct CartridgeFuzzTests {
    private static let count = ProcessInfo.processInfo.environment["TAPE_FUZZ"].flatMap(Int.init) ?? 1_200

    @Test("never crashes who opens, checks, dumps, reads or appends to it")
    func forged() throws {
        let (base, _) = try CartridgeDamageTests.made()
        let path = CartridgeLab.path
        let file = try #require(base.contents(path))
        let buffer = Buffer(count: 4096)
        var (opened, refused, faults) = (0, 0, 0)
        for seed in 0..<Self.count {
            var forger = Forger(SequentialGUIDs(seed: 7).next(), seed: UInt64(seed))
            let disk = base.copy()
            disk.setContents(path, forger.forge(file))
            do {
                _ = try CartridgeCheck.run(path, on: disk, records: true)
                for selection in [CartridgeSelection.summary, .index(partition: 0), .objects(partition: 0, 0..<300)] {
                    _ = try CartridgeDump.of(path, on: disk, selection, limit: 300)
                }
                if seed % 16 == 0 { _ = try CartridgeDump.of(path, on: disk, .search, limit: 300) }
            } catch { #expect(error.id == "TAPE-FORMAT" || error.id == "TAPE-NO-PARTITION", "seed \(seed)") }
            do {
                let tape = try Cartridge.open(path, on: disk)
                opened += 1
                faults += use(tape, buffer)
                tape.abandon()
            } catch {
                #expect(error.id == "TAPE-FORMAT", "seed \(seed)")
                refused += 1
            }
        }
        #expect(opened > Self.count / 4 && refused > 0 && faults > 0)
        if Self.count > 2_000 { print("\(opened) opened, \(refused) refused, \(faults) faults while used") }
    }

    /// Reads, searches and appends; how many faults there were.
    private func use(_ tape: Cartridge, _ buffer: Buffer) -> Int {
        var faults = 0
        func attempt(_ body: () throws -> Void) { do { try body() } catch { faults += 1 } }
        let end = tape.end(of: 0)
        for step in 0..<400 where tape.position.object < end.objects {
            let before = tape.position.object
            attempt { _ = try tape.read(into: buffer.bytes) }
            if tape.position.object <= before { break }
            if step == 20 { attempt { try tape.locate(object: end.objects / 2, partition: 0) } }
        }
        attempt { try tape.locate(file: end.files, partition: 0) }
        attempt { try tape.locate(byte: end.bytes / 3) }
        attempt { _ = try tape.place() }
        attempt { _ = try tape.space(records: -5) }
        attempt { _ = try tape.space(filemarks: -1) }
        attempt { _ = try tape.attributeIDs() }
        attempt { try tape.locate(object: end.objects / 3, partition: 0) }
        attempt { _ = try tape.write([1, 2, 3]) }
        attempt { try tape.flush() }
        return faults
    }
}
