import Files
import Foundation
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

    private static let environment = ProcessInfo.processInfo.environment
    /// Changes of each test, shared by its kinds of set.
    private static let cases = environment["DPMSIM_TAMPER_CASES"].flatMap(Int.init) ?? 240
    private static let seed = environment["DPMSIM_FUZZ_SEED"].flatMap(UInt64.init) ?? 1

    /// What was met in the changes of a kind.
    private struct Tally {
        var rounds = 0, refused = 0, sets = 0, restored = 0, faulty = 0, intact = 0

        func tell(_ name: String, _ kind: Int) {
            guard SetsMutationTests.cases > 1000 else { return }
            print(
                "tamper \(name) \(kind): seed \(SetsMutationTests.seed), \(rounds) mutations, \(refused) tapes refused, \(sets) sets opened, "
                    + "\(faulty) of them found damaged, \(restored) files right, \(intact) untouched sets restored")
        }
    }

    /// Two sets of a kind: plain, compressed, encrypted, both.
    private struct Pair {
        var files: [[MadeFile]] = []
        var receipts: [SetReceipt] = []
        /// The tape's state before the first set, after it, and after the second.
        var borders: [Int] = []

        init<Tape: TapeMedium>(_ kind: Int, on tape: Tape, border: (Tape) throws -> Int) throws {
            let bench = SetBench()
            try SetBench.label().write(to: tape)
            borders.append(try border(tape))
            for index in 0..<2 {
                files.append([
                    MadeFile("a", [(.chance(1), 20_000), (.hole, 30_000), (.text(2), 9_001)]),
                    MadeFile("b", [(.text(3), 100)]),
                ])
                let writer = SetWriter(tape, supply: nil, guids: bench.guids, secrets: bench.secrets)
                receipts.append(
                    try writer.write(
                        files[index], bench.describe("set\(index)"),
                        SetBench.options(
                            kind % 2 == 0 ? nil : .default, encrypted: kind >= 2, record: 1 << 14, workers: 1)))
                borders.append(try border(tape))
            }
        }
    }

    /// Lists, verifies and restores what a changed tape holds: what is given back without a fault is right, what is missing is told, and sets
    /// that were not touched are all there.
    private func check(
        _ tape: any TapeMedium, _ pair: Pair, intact: [Bool], _ chance: inout Chance, _ tally: inout Tally,
        _ note: String
    ) throws {
        tally.rounds += 1
        let contents: TapeContents
        do { contents = try TapeContents.of(tape) } catch {
            tally.refused += 1
            #expect(
                error.id.hasPrefix("TAPE-") && !error.cause.isEmpty && !intact.contains(true), "\(note): \(error)")
            return
        }
        let chain = try TapeContents.verifyChain(of: tape, newest: pair.receipts[1].spans[0].chain)
        for (index, receipt) in pair.receipts.enumerated() {
            guard let entry = contents.sets.first(where: { $0.set == receipt.set }) else {
                #expect(!chain.faults.isEmpty && !intact[index], "\(note): set \(index) is gone unseen")
                continue
            }
            let set: OpenSet
            do { set = try OpenSet(entry, on: tape, with: [SetBench.keyed], supply: nil) } catch {
                #expect(!intact[index], "\(note): set \(index): \(error)")
                continue
            }
            tally.sets += 1
            let verified = try set.verify(workers: 1)
            if !verified.isWhole { tally.faulty += 1 }
            var options = RestoreOptions()
            options.workers = 1
            options.skipsDamaged = Bool.random(using: &chance)
            guard set.files.count == pair.files[index].count else {
                #expect(!verified.isWhole && !intact[index], "\(note): set \(index)")
                continue
            }
            var isRight = true
            for (place, file) in pair.files[index].enumerated() {
                let target = KeptTarget()
                guard let report = try? set.read(place, to: target, options) else {
                    isRight = false
                    #expect(!verified.isWhole || !chain.faults.isEmpty, "\(note): set \(index), file \(place)")
                    continue
                }
                // What is given back is right, or said to be lost.
                guard report.lost.isEmpty else {
                    isRight = false
                    #expect(!verified.isWhole, "\(note): set \(index), file \(place)")
                    continue
                }
                let isSame = try target.holds(file) && set.files[place].name == file.name
                if isSame { tally.restored += 1 } else { isRight = false }
                #expect(isSame || !verified.isWhole, "\(note): set \(index), file \(place)")
            }
            if intact[index] {
                tally.intact += 1
                #expect(isRight, "\(note): set \(index) was not touched")
            }
        }
    }

    /// Runs `body` for a kind's share of the changes.
    private func rounds(_ name: String, _ kind: Int, _ body: (inout Chance, inout Tally, String) throws -> Void)
        rethrows -> Tally
    {
        var tally = Tally()
        for round in 0..<max(1, Self.cases / 4) {
            var chance = Chance(Self.seed << 40 ^ UInt64(kind) << 32 ^ UInt64(round))
            try body(&chance, &tally, "\(name) \(kind), round \(round)")
        }
        tally.tell(name, kind)
        return tally
    }

    @Test("random changes of records", arguments: 0..<4)
    func randomChanges(kind: Int) throws {
        let tape = MemoryTape()
        let pair = try Pair(kind, on: tape) { $0.objects.count }
        let tally = try rounds("records", kind) { chance, tally, note in
            let copy = MemoryTape(copying: tape)
            var objects = copy.objects
            Self.mutate(&objects, &chance)
            if Bool.random(using: &chance) { Self.mend(&objects) }
            copy.isTampered = true
            copy.objects = objects
            func isSame(_ range: Range<Int>) -> Bool {
                range.upperBound <= objects.count && objects[range] == tape.objects[range]
            }
            let hasLabel = isSame(0..<pair.borders[0])
            let intact = (0..<2).map { hasLabel && isSame(pair.borders[$0]..<pair.borders[$0 + 1]) }
            try check(copy, pair, intact: intact, &chance, &tally, note)
        }
        #expect(tally.restored > tally.rounds && tally.intact > 0)
    }

    @Test("random changes of a cartridge's file", arguments: 0..<4)
    func fileChanges(kind: Int) throws {
        let disk = SimulatedDisk()
        let path = "/t.cart"
        let cartridge = try Cartridge.create(
            at: path, on: disk, CartridgeDesign(barcode: "TEST01L8", capacity: 1 << 28, reserve: 1 << 20),
            guids: SequentialGUIDs(seed: 1), time: 0)
        let pair = try Pair(kind, on: cartridge) { cartridge in
            try cartridge.flush()
            return Int(try disk.open(path, .read).size())
        }
        try cartridge.unload()
        let whole = try #require(disk.contents(path))
        // Where there is something, in pieces of 32 bytes.
        let pieces = stride(from: 0, to: whole.count, by: 32).filter { at in
            whole[at..<min(whole.count, at + 32)].contains { $0 != 0 }
        }
        let tally = try rounds("file", kind) { chance, tally, note in
            var bytes = whole
            var touched: [Int] = []
            for _ in 0..<[1, 1, 1, 2, 4].randomElement(using: &chance)! {
                // Half of the changes in labels, tails and attributes.
                let head = pieces.prefix { $0 < 1 << 20 }
                let piece = (Bool.random(using: &chance) ? head : pieces[...]).randomElement(using: &chance)!
                let at = min(bytes.count - 1, piece + Int.random(in: 0..<32, using: &chance))
                switch Int.random(in: 0..<7, using: &chance) {
                case 0...2: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &chance)
                case 3: for place in at..<min(bytes.count, at + 8) { bytes[place] = 0xFF }
                case 4:
                    let other = pieces.randomElement(using: &chance)!
                    for place in 0..<32 where max(piece, other) + place < bytes.count {
                        bytes.swapAt(piece + place, other + place)
                    }
                    touched.append(other)
                case 5:
                    let count = min(1 << Int.random(in: 5..<15, using: &chance), bytes.count - piece)
                    for place in piece..<piece + count { bytes[place] = 0 }
                    touched += [piece + count / 2, piece + count - 1]
                default:
                    guard piece >= 1 << 20, Int.random(in: 0..<4, using: &chance) == 0 else { continue }
                    bytes.removeSubrange(piece...)
                    touched.append(whole.count)
                    break
                }
                touched.append(at)
                if bytes.count < whole.count { break }
            }
            let copy = disk.copy()
            copy.setContents(path, bytes)
            let tape: Cartridge
            do { tape = try Cartridge.open(path, on: copy) } catch {
                tally.rounds += 1
                tally.refused += 1
                let fault = error as? StorageFault
                #expect(fault?.id.hasPrefix("TAPE-") == true && fault?.cause.isEmpty == false, "\(note): \(error)")
                return
            }
            defer { tape.abandon() }
            // Only in the records of one set: the other one is untouched.
            let intact = (0..<2).map { set in
                touched.allSatisfy { (pair.borders[1 - set]..<pair.borders[2 - set]).contains($0) }
            }
            try check(tape, pair, intact: intact, &chance, &tally, note)
        }
        #expect(tally.restored > tally.rounds / 2 && tally.intact > 0)
    }
}
