import Files
import Testing

@testable import Tape

@Suite("no change of a tape's bytes goes unseen or does worse than harm its own set") struct SetsMutationTests {
    private static func mutate(_ objects: inout [MemoryTape.Object], _ chance: inout Chance) {
        let victim = Int.random(in: 0..<objects.count, using: &chance)
        let other = Int.random(in: 0..<objects.count, using: &chance)
        switch Int.random(in: 0..<9, using: &chance) {
        case 0: objects.remove(at: victim)
        case 1: objects.insert(objects[other], at: victim)
        case 2: objects.swapAt(victim, other)
        case 3: objects[victim] = objects[other]
        case 4: objects.removeSubrange(victim...)
        default:
            guard case .record(var bytes) = objects[victim] else { return }
            for _ in 0..<Int.random(in: 1...3, using: &chance) {
                // Half of the changes in the first bytes, where sizes and offsets are.
                let reach = Bool.random(using: &chance) ? min(256, bytes.count) : bytes.count
                let place = Int.random(in: 0..<reach, using: &chance)
                switch Int.random(in: 0..<4, using: &chance) {
                case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &chance)
                case 1: bytes[place] = [0, 0xFF, 0x7F, 0x80].randomElement(using: &chance) ?? 0
                case 2: bytes.removeSubrange(max(1, place)...)
                default: for at in place..<min(bytes.count, place + 8) { bytes[at] = 0xFF }
                }
                if bytes.count < 2 { break }
            }
            objects[victim] = .record(bytes)
        }
    }

    /// Mends the checksums of blocks and streams, so that changes go deeper.
    private static func mend(_ objects: inout [MemoryTape.Object]) {
        for (index, object) in objects.enumerated() {
            guard case .record(var bytes) = object, bytes.count >= 52 else { continue }
            let type = FourLetters(code: bytes.little(at: 0))
            if BlockContent.fixedSize(type) > 52 || type == .padding {
                bytes.putLittle(BlockHeader.sum(bytes), at: 50)
            } else if type == .sealed {
                let words = (0..<10).reduce(UInt16(0)) { $0 ^ bytes.little(UInt16.self, at: 2 * $1) }
                bytes.putLittle(words, at: 20)
            }
            objects[index] = .record(bytes)
        }
    }

    private let rounds = 60

    @Test("random changes", arguments: 0..<4)
    func randomChanges(kind: Int) throws {
        let bench = SetBench()
        let tape = try bench.tape()
        var chance = Chance(UInt64(kind))
        var files: [[MadeFile]] = []
        var receipts: [SetReceipt] = []
        for index in 0..<2 {
            files.append([
                MadeFile("a", [(.chance(1), 20_000), (.hole, 30_000), (.text(2), 9_001)]),
                MadeFile("b", [(.text(3), 100)]),
            ])
            receipts.append(
                try bench.write(
                    files[index], "set\(index)", on: tape,
                    SetBench.options(
                        kind % 2 == 0 ? nil : .default, encrypted: kind >= 2, record: 1 << 14, workers: 1)))
        }
        var restored = 0
        for _ in 0..<rounds {
            let copy = MemoryTape(copying: tape)
            var objects = copy.objects
            Self.mutate(&objects, &chance)
            if Bool.random(using: &chance) { Self.mend(&objects) }
            copy.isTampered = true
            copy.objects = objects
            guard let contents = try? TapeContents.of(copy) else { continue }
            let chain = try TapeContents.verifyChain(of: copy, newest: receipts[1].spans[0].chain)
            for (index, receipt) in receipts.enumerated() {
                guard let entry = contents.sets.first(where: { $0.set == receipt.set }),
                    let set = try? SetBench.open(entry, copy)
                else { continue }
                let verified = try set.verify(workers: 1)
                var options = RestoreOptions()
                options.workers = 1
                options.skipsDamaged = Bool.random(using: &chance)
                guard set.files.count == files[index].count else {
                    #expect(!verified.isWhole)
                    continue
                }
                for (place, file) in files[index].enumerated() {
                    let target = KeptTarget()
                    guard let report = try? set.read(place, to: target, options) else {
                        #expect(!verified.isWhole || !chain.faults.isEmpty)
                        continue
                    }
                    // What is given back is right, or said to be lost.
                    guard report.lost.isEmpty else {
                        #expect(!verified.isWhole)
                        continue
                    }
                    let isRight = try target.holds(file) && set.files[place].name == file.name
                    #expect(isRight || !verified.isWhole)
                    // Sealed records are never given back wrong, whatever else is damaged.
                    if kind >= 2 { #expect(try target.holds(file) || !verified.isWhole) }
                    if isRight { restored += 1 }
                }
            }
        }
        #expect(restored > rounds)
    }
}
