import Files
import Testing

@testable import Tape

/// A tape with three sets, and what is on it.
private struct Prey {
    let bench = SetBench()
    let tape: MemoryTape
    let files: [[MadeFile]]
    let receipts: [SetReceipt]
    static let record = 1 << 14

    init(_ compression: SetCompression?, encrypted: Bool) throws {
        tape = try bench.tape()
        var chance = Chance(3)
        var files: [[MadeFile]] = []
        var receipts: [SetReceipt] = []
        for index in 0..<3 {
            let made = [
                MadeFile("a\(index)", [(.chance(UInt64(index)), 100_000), (.hole, 200_000), (.text(5), 60_001)]),
                MadeFile.drawn("b\(index)", 50_000, &chance),
            ]
            files.append(made)
            receipts.append(
                try bench.write(
                    made, "set\(index)", on: tape,
                    SetBench.options(compression, encrypted: encrypted, record: Self.record)))
        }
        (self.files, self.receipts) = (files, receipts)
    }

    /// The records of a set's data that hold files' bytes.
    func dataObjects(_ set: Int) -> [Int] {
        let span = receipts[set].spans[0]
        var found: [Int] = []
        for object in Int(span.start.object)..<Int(span.end.object) {
            guard case .record(let bytes) = tape.objects[object] else {
                if case .zeros = tape.objects[object] { found.append(object) }
                continue
            }
            let header = bytes.withUnsafeBytes { ReadSlot.sealed($0)?.1 }
            if let header {
                if header.file != SealedHeader.directory { found.append(object) }
            } else if bytes.count == Self.record || bytes.count == 60_001 % Self.record {
                found.append(object)
            }
        }
        return found
    }

    func tampered(_ change: (inout [MemoryTape.Object]) -> Void) -> MemoryTape {
        let copy = MemoryTape(copying: tape)
        var objects = copy.objects
        change(&objects)
        copy.isTampered = true
        copy.objects = objects
        return copy
    }

    /// What a verification of everything finds: ids by set, and of the chain.
    func verify(_ tape: MemoryTape) throws -> (sets: [[String]], chain: [String], restored: [Bool]) {
        let contents = try TapeContents.of(tape)
        var sets: [[String]] = []
        var restored: [Bool] = []
        for index in 0..<3 {
            guard let entry = contents.sets.first(where: { $0.set == receipts[index].set }) else {
                sets.append(["gone"])
                restored.append(false)
                continue
            }
            do {
                let set = try SetBench.open(entry, tape)
                sets.append(try set.verify(workers: 2).faults.map(\.id))
                restored.append((try? SetBench.restores(set, files[index])) ?? false)
            } catch {
                sets.append([error.id])
                restored.append(false)
            }
        }
        let chain = try TapeContents.verifyChain(of: tape, newest: receipts[2].spans[0].chain)
        return (sets, chain.faults.map(\.id), restored)
    }
}

private let kinds: [(compression: SetCompression?, encrypted: Bool)] = [
    (nil, false), (.default, false), (nil, true), (.default, true),
]

@Suite("tampering is seen and named") struct SetsTamperTests {
    @Test("an untouched tape is whole", arguments: 0..<kinds.count)
    func untouchedIsWhole(kind: Int) throws {
        let prey = try Prey(kinds[kind].compression, encrypted: kinds[kind].encrypted)
        let found = try prey.verify(prey.tape)
        #expect(found.sets == [[], [], []] && found.chain == [] && found.restored == [true, true, true])
    }

    @Test(
        "a record flipped, cut, dropped, repeated or moved is named; the other sets restore", arguments: 0..<kinds.count
    )
    func recordsAreGuarded(kind: Int) throws {
        let prey = try Prey(kinds[kind].compression, encrypted: kinds[kind].encrypted)
        let data = prey.dataObjects(1)
        #expect(data.count >= 5)
        // Not the one that stands for the hole: on a plain set its repetition changes nothing that is read.
        let victim = data[2]
        func flip(_ object: MemoryTape.Object, _ place: Int) -> MemoryTape.Object {
            guard case .record(var bytes) = object else { return .record([1]) }
            bytes[place % bytes.count] ^= 0x10
            return .record(bytes)
        }
        let isPlain = kind == 0
        let changes: [(name: String, ids: Set<String>, change: (inout [MemoryTape.Object]) -> Void)] = [
            ("flipped content", ["TAPE-RECORD-TAG"], { $0[victim] = flip($0[victim], 400) }),
            ("flipped tag", ["TAPE-RECORD-TAG"], { $0[victim] = flip($0[victim], 9_000_000) }),
            ("flipped header", ["TAPE-RECORD-TAG"], { $0[victim] = flip($0[victim], 22 + 34) }),
            (
                "cut", ["TAPE-RECORD-TAG", "TAPE-RECORD-ORDER"],
                {
                    guard case .record(let bytes) = $0[victim] else { return }
                    $0[victim] = .record([UInt8](bytes.dropLast(8)))
                }
            ),
            ("dropped", ["TAPE-RECORD-ORDER", "TAPE-RECORD-TAG"], { $0.remove(at: victim) }),
            ("repeated", ["TAPE-RECORD-ORDER", "TAPE-RECORD-TAG"], { $0.insert($0[victim], at: victim) }),
            ("reordered", ["TAPE-RECORD-ORDER", "TAPE-RECORD-TAG"], { $0.swapAt(victim, victim + 1) }),
            (
                "taken from another set", ["TAPE-SPAN-WRONG", "TAPE-RECORD-TAG"],
                { $0[victim] = $0[prey.dataObjects(0)[2]] }
            ),
        ]
        for (name, ids, change) in changes {
            // A plain record has no header, and its bytes lie where the header would.
            let found = try prey.verify(prey.tampered(change))
            #expect(!found.sets[1].isEmpty && ids.contains(found.sets[1][0]), "\(name): \(found.sets[1])")
            #expect(found.sets[0].isEmpty && found.sets[2].isEmpty, "\(name)")
            #expect(found.restored == [true, false, true], "\(name), plain \(isPlain)")
        }
    }

    @Test("a set without its last record or its end is no whole set")
    func truncationIsSeen() throws {
        for kind in kinds.indices {
            let prey = try Prey(kinds[kind].compression, encrypted: kinds[kind].encrypted)
            let span = prey.receipts[2].spans[0]
            // The tape ends within the last set.
            let cut = prey.tampered { $0.removeSubrange((prey.dataObjects(2)[3])...) }
            let found = try prey.verify(cut)
            #expect(found.sets[0].isEmpty && found.sets[1].isEmpty)
            #expect(found.restored == [true, true, false])
            #expect(found.sets[2].contains("TAPE-SET-TRUNCATED"))
            #expect(found.chain.contains("TAPE-CHAIN"))
            let contents = try TapeContents.of(cut)
            #expect(contents.sets.map(\.state) == [.whole, .whole, .unfinished])
            #expect(contents.sets[2].object == span.start.object)
        }
    }

    @Test(
        "a set taken out, a set put in its place, an older state of the tape break the chain",
        arguments: 0..<kinds.count)
    func deletedSetsAreSeen(kind: Int) throws {
        let prey = try Prey(kinds[kind].compression, encrypted: kinds[kind].encrypted)
        let (first, second, third) = (
            prey.receipts[0].spans[0], prey.receipts[1].spans[0], prey.receipts[2].spans[0]
        )
        let taken = prey.tampered { $0.removeSubrange(Int(second.start.object)..<Int(second.end.object)) }
        #expect(try TapeContents.verifyChain(of: taken).faults.map(\.id) == ["TAPE-CHAIN"])
        let replaced = prey.tampered {
            $0.replaceSubrange(
                Int(second.start.object)..<Int(second.end.object),
                with: prey.tape.objects[Int(first.start.object)..<Int(first.end.object)])
        }
        #expect(try TapeContents.verifyChain(of: replaced).faults.map(\.id) == ["TAPE-CHAIN"])
        let older = prey.tampered { $0.removeSubrange(Int(third.start.object)...) }
        #expect(try TapeContents.verifyChain(of: older).faults == [])
        #expect(try TapeContents.verifyChain(of: older, newest: third.chain).faults.map(\.id) == ["TAPE-CHAIN"])
    }

    @Test("what is behind a damaged record can be had, with a list of what is lost", arguments: 0..<kinds.count)
    func restCanBeHad(kind: Int) throws {
        let prey = try Prey(kinds[kind].compression, encrypted: kinds[kind].encrypted)
        let victim = prey.dataObjects(1)[1]
        for unreadable in [false, true] {
            let tape = prey.tampered {
                guard !unreadable, case .record(var bytes) = $0[victim] else { return }
                bytes[bytes.count / 2] ^= 1
                $0[victim] = .record(bytes)
            }
            if unreadable { tape.damaged = [victim] }
            let entry = try #require(try TapeContents.of(tape).sets.first { $0.set == prey.receipts[1].set })
            let set = try SetBench.open(entry, tape)
            let file = prey.files[1][0]
            let id = unreadable ? "TAPE-RECORD-DAMAGED" : "TAPE-RECORD-TAG"
            do {
                _ = try set.read(0, to: KeptTarget())
                Issue.record("damage was not told")
            } catch {
                #expect(error.id == id)
                #expect(error.object.contains("record \(victim), file 0 of set \(entry.set), bytes"))
            }
            var options = RestoreOptions()
            options.skipsDamaged = true
            let target = KeptTarget()
            let report = try set.read(0, to: target, options)
            let lost = try #require(report.lost.first)
            #expect(report.lost.count == 1 && lost.fault.id == id)
            #expect(lost.range.count <= Prey.record && report.bytes == file.size - Int64(lost.range.count))
            for part in [0..<lost.range.lowerBound, lost.range.upperBound..<file.size] {
                #expect(target.bytes(part) == (try file.bytes(part)))
            }
        }
    }

    @Test("loss of two of the three envelopes harms nothing, loss of all is 24075", arguments: [false, true])
    func envelopesAreThree(compressed: Bool) throws {
        let prey = try Prey(compressed ? .default : nil, encrypted: true)
        let span = prey.receipts[1].spans[0]
        // Where the three lie: the record of SSET, of ESET, of the seal.
        let start = Int(span.start.object)
        let seal = Int(span.end.object) - 2
        let places = [start, seal - 1, seal]
        func spoil(_ spoiled: [Int]) -> MemoryTape {
            prey.tampered { objects in
                for place in spoiled {
                    guard case .record(var bytes) = objects[place] else { continue }
                    let letters = Array("DPMK".utf8)
                    for at in 0..<bytes.count - 4 where Array(bytes[at..<at + 4]) == letters && bytes[at + 4] == 1 {
                        bytes[at + 120] ^= 0xFF
                    }
                    objects[place] = .record(bytes)
                }
            }
        }
        for kept in places {
            let tape = spoil(places.filter { $0 != kept })
            let entry = try #require(try TapeContents.of(tape).sets.first { $0.set == prey.receipts[1].set })
            #expect(try SetBench.restores(SetBench.open(entry, tape), prey.files[1]))
        }
        let tape = spoil(places)
        let entry = try #require(try TapeContents.of(tape).sets.first { $0.set == prey.receipts[1].set })
        do {
            _ = try SetBench.open(entry, tape)
            Issue.record("a set without an envelope was opened")
        } catch { #expect(error.id == "TAPE-24075") }
        // Nobody's certificate: the thumbprints are named, and nothing of the names is in the clear.
        do {
            _ = try OpenSet(entry, on: prey.tape)
            Issue.record("a set was opened without a certificate")
        } catch {
            #expect(error.id == "TAPE-24071" && error.cause.contains(SetBench.keyed.certificate.thumbprint.description))
        }
        let clear = prey.tape.objects.contains { object in
            guard case .record(let bytes) = object else { return false }
            return ["a1", "set1", "host", "operator"].contains { text in
                let wide = text.utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
                return bytes.firstRange(of: wide) != nil
                    || (text.count > 2 && bytes.firstRange(of: Array(text.utf8)) != nil)
            }
        }
        #expect(!clear)
    }
}
