import Files
import Foundation
import Glibc
import Tape
import Testing

@Suite("a cartridge and failing calls") struct CartridgeFaultTests {
    /// Between calls that fail for ever; 1 takes each in turn and is for by hand.
    private static let stride = ProcessInfo.processInfo.environment["TAPE_FAULT_STRIDE"].flatMap(Int.init) ?? 3
    private static let kinds: Set<StorageFault.Kind> = [.device, .outOfSpace, .damaged]

    /// The n-th call of a story fails, once or with all later ones; then the disk is well again.
    private func problems(_ story: CartridgeStory, code: Int32, forEver: Bool) throws -> [String] {
        let (base, before) = try CartridgeCutRuns.past(story)
        let runs = CartridgeCutRuns(story)
        var problems: [String] = []
        var (call, ended) = (1, false)
        while !ended, problems.count < 10 {
            let disk = base.copy()
            disk.fault = SimulatedDisk.Fault(call: call, onlyWrites: false, code: code, forEver: forEver)
            let watched = WatchedTape(disk, after: before)
            let name = "\(story.name), call \(call)\(forEver ? " and all later" : "")"
            do {
                try story.story(watched)
                ended = disk.calls < call
            } catch {
                if let fault = error as? StorageFault, Self.kinds.contains(fault.kind) {
                    // The error is told, with what to do.
                    if fault.action.isEmpty { problems.append("\(name): \(fault)") }
                } else {
                    problems.append("\(name): \(error)")
                }
            }
            disk.fault = nil
            if !ended, let tape = watched.tape {
                if let text = goOn(tape, watched, runs, disk) { problems.append("\(name), same program: \(text)") }
                tape.abandon()
            }
            watched.tape = nil
            for loss in [SimulatedDisk.Loss.all, .torn(seed: UInt64(call))] {
                let cut = disk.copy()
                cut.powerCut(loss)
                if let text = runs.look(cut, watched) { problems.append("\(name), \(loss): \(text)") }
            }
            call += forEver ? Self.stride : 1
        }
        return problems
    }

    /// The same program goes on: it is refused, or what is acknowledged then survives a power cut.
    private func goOn(
        _ tape: Cartridge, _ watched: WatchedTape, _ runs: CartridgeCutRuns, _ disk: SimulatedDisk
    ) -> String? {
        let end: Int64
        do {
            try tape.locateEndOfData(partition: 0)
            end = tape.position.object
            _ = try tape.write(CartridgeLab.bytes(4711, 1500))
            try tape.flush()
        } catch {
            guard ["TAPE-UNSAFE", "TAPE-NO-MEDIUM", "TAPE-WRITE-PROTECTED", "TAPE-WORM"].contains(error.id) else {
                return "\(error)"
            }
            return nil
        }
        let cut = disk.copy()
        cut.powerCut(.all)
        do {
            let again = try Cartridge.open(CartridgeLab.path, on: cut)
            try again.locate(object: end, partition: 0)
            if try again.record() != CartridgeLab.bytes(4711, 1500) { return "what was acknowledged is not there" }
            try again.unload()
            if tape.identity.kind == .worm {
                watched.later = watched.present.map { [$0[0] + [.record(4711, count: 1500)]] }
                return nil
            }
            // It is off the tape again, so that the rest can be held against the story.
            watched.later = watched.present
            try tape.locate(object: end, partition: 0)
            try tape.erase()
        } catch {
            return "\(error)"
        }
        return nil
    }

    @Test(
        "a failing call is told, nothing acknowledged is lost, and the tape goes on",
        arguments: CartridgeStory.all, [(EIO, false), (EIO, true), (ENOSPC, false), (ENOSPC, true)])
    func failingCalls(story: CartridgeStory, fault: (code: Int32, forEver: Bool)) throws {
        #expect(try problems(story, code: fault.code, forEver: fault.forEver) == [])
    }
}
