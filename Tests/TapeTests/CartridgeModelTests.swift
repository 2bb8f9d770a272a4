import Files
import Foundation
import Tape
import Testing

/// A cartridge and a plain list that should always agree with it.
private final class CartridgeModel {
    let disk = SimulatedDisk()
    var tape: Cartridge
    var content: TapeContent
    var durable: TapeContent
    var at = TapePosition()
    var chance: TapeChance
    var number = 0
    let reader = TapeReader()
    var log: [String] = []

    init(seed: UInt64) throws {
        chance = TapeChance(seed: seed)
        let partitions = Int.random(in: 1...3, using: &chance)
        try CartridgeLab.folder(disk)
        tape = try CartridgeLab.make(on: disk, CartridgeLab.design(partitions: partitions))
        content = Array(repeating: [], count: partitions)
        durable = content
    }

    var objects: [TapeObject] { content[at.partition] }

    private func stand(_ object: Int, _ partition: Int? = nil) {
        if let partition { at.partition = partition }
        at.object = Int64(object)
        at.file = Int64(objects[..<object].count { $0 == .filemark })
    }

    private func add(_ new: [TapeObject]) throws {
        if at.object < Int64(durable[at.partition].count), at.object < Int64(objects.count) {
            // The shorter tape is made durable, with all else that was written.
            content[at.partition].removeSubrange(Int(at.object)...)
            durable = content
        } else {
            content[at.partition].removeSubrange(Int(at.object)...)
        }
        content[at.partition] += new
        for object in new {
            if object == .filemark {
                _ = try tape.writeFilemarks(1, immediate: true)
            } else {
                _ = try tape.write(object.bytes)
            }
        }
        stand(objects.count)
    }

    private func record() -> TapeObject {
        number += 1
        let count = [512, 512, 512, 700, 3000, 20_000, 1].randomElement(using: &chance)!
        return Int.random(in: 0..<4, using: &chance) == 0 ? .zeros(count) : .record(number, count: count)
    }

    func step() throws -> String? {
        switch Int.random(in: 0..<17, using: &chance) {
        case 0...2:
            let new = (0..<Int.random(in: 1...5, using: &chance)).map { _ in record() }
            log.append("write \(new.count) at \(at)")
            try add(new)
        case 3:
            // Enough unlike runs to fill nodes of the index.
            let new = (0..<Int.random(in: 100...700, using: &chance)).map { TapeObject.zeros(1 + $0 % 3) }
            log.append("write \(new.count) zeros at \(at)")
            try add(new)
        case 4:
            log.append("filemark at \(at)")
            try add(Array(repeating: .filemark, count: Int.random(in: 1...3, using: &chance)))
        case 5, 6:
            let partition = Int.random(in: content.indices, using: &chance)
            let object = Int.random(in: 0...content[partition].count, using: &chance)
            log.append("locate object \(object) of \(partition)")
            try tape.locate(object: Int64(object), partition: partition)
            stand(object, partition)
        case 7: return try locateFile()
        case 8: return try locateByte()
        case 9: return try spaceRecords()
        case 10: return try spaceFilemarks()
        case 11, 12:
            for _ in 0..<10 where at.object < Int64(objects.count) {
                if let text = try reader.next(tape, objects[Int(at.object)]) { return text }
                stand(Int(at.object) + 1)
            }
        case 13:
            log.append("flush")
            try tape.flush()
            durable = content
        case 14:
            log.append("unload and load")
            try tape.unload()
            durable = content
            try load()
        case 15:
            log.append("abandon and load")
            tape.abandon()
            content = durable
            try load()
        default:
            let partition = Int.random(in: content.indices, using: &chance)
            log.append("end of \(partition)")
            try tape.locateEndOfData(partition: partition)
            stand(content[partition].count, partition)
        }
        return tape.position == at ? nil : "stands at \(tape.position), not \(at)"
    }

    private func load() throws {
        tape = try Cartridge.open(CartridgeLab.path, on: disk)
        at = TapePosition()
    }

    private func locateFile() throws -> String? {
        let marks = objects.indices.filter { objects[$0] == .filemark }
        let file = Int.random(in: 0...marks.count, using: &chance)
        log.append("locate file \(file)")
        try tape.locate(file: Int64(file), partition: at.partition)
        stand(file == 0 ? 0 : marks[file - 1] + 1)
        return tape.position == at ? nil : "stands at \(tape.position), not \(at)"
    }

    private func locateByte() throws -> String? {
        let total = objects.reduce(0) { $0 + $1.native }
        let byte = Int64.random(in: 0...total, using: &chance)
        log.append("locate byte \(byte)")
        try tape.locate(byte: byte, partition: at.partition)
        var (native, object): (Int64, Int) = (0, 0)
        while object < objects.count, byte < total, native + objects[object].native <= byte {
            native += objects[object].native
            object += 1
        }
        stand(byte == total ? objects.count : object)
        let place = try tape.place()
        let before = (Int64(1 << 30) / Int64(content.count)) * Int64(at.partition)
        if place.byte != before + (byte == total ? total : native) { return "\(place) at byte \(native)" }
        return tape.position == at ? nil : "stands at \(tape.position), not \(at)"
    }

    private func spaceRecords() throws -> String? {
        let count = Int.random(in: -30...30, using: &chance)
        log.append("space \(count) records from \(at)")
        var (left, object) = (abs(count), Int(at.object))
        var stop = CartridgeSpace.Stop.none
        while left > 0 {
            if count > 0 {
                guard object < objects.count else {
                    stop = .endOfData
                    break
                }
                object += 1
                if objects[object - 1] == .filemark { stop = .filemark }
            } else {
                guard object > 0 else {
                    stop = .beginning
                    break
                }
                object -= 1
                if objects[object] == .filemark { stop = .filemark }
            }
            if stop != .none { break }
            left -= 1
        }
        let found = try tape.space(records: Int64(count))
        stand(object)
        let expected = CartridgeSpace(residual: Int64(left), stop: stop)
        return found == expected && tape.position == at
            ? nil : "\(found) at \(tape.position), not \(expected) at \(at)"
    }

    private func spaceFilemarks() throws -> String? {
        let count = Int.random(in: -6...6, using: &chance)
        log.append("space \(count) filemarks from \(at)")
        var (left, object) = (abs(count), Int(at.object))
        while left > 0, count > 0 ? object < objects.count : object > 0 {
            object += count > 0 ? 1 : -1
            if objects[count > 0 ? object - 1 : object] == .filemark { left -= 1 }
        }
        let found = try tape.space(filemarks: Int64(count))
        stand(object)
        let expected = CartridgeSpace(
            residual: Int64(left), stop: left == 0 ? .none : count > 0 ? .endOfData : .beginning)
        return found == expected && tape.position == at
            ? nil : "\(found) at \(tape.position), not \(expected) at \(at)"
    }
}

@Suite("a cartridge against a plain list") struct CartridgeModelTests {
    private static let steps = ProcessInfo.processInfo.environment["TAPE_STEPS"].flatMap(Int.init) ?? 250

    @Test("agrees with it whatever is done, after loading it again too", arguments: 1...6)
    func agrees(seed: Int) throws {
        let model = try CartridgeModel(seed: UInt64(seed))
        for step in 1...Self.steps {
            do {
                if let text = try model.step() {
                    Issue.record("seed \(seed), step \(step): \(text); \(model.log.suffix(6))")
                    return
                }
            } catch {
                Issue.record("seed \(seed), step \(step): \(error); \(model.log.suffix(6))")
                return
            }
        }
        #expect(model.reader.difference(model.tape, model.content) == nil, "seed \(seed)")
        try model.tape.unload()
        let again = try Cartridge.open(CartridgeLab.path, on: model.disk)
        #expect(model.reader.difference(again, model.content) == nil, "seed \(seed)")
        #expect(again.findings == [])
    }
}
