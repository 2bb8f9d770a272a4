import Files
import Foundation
import Glibc
import StoragePool
import Testing

@Suite("a pool and faults") struct FaultTests {
    /// Between failing calls; 1 fails at every call and is for by hand, in a release build.
    private static let stride = ProcessInfo.processInfo.environment["POOL_FAULT_STRIDE"].flatMap(Int.init)
    private static let kinds: Set<StorageFault.Kind> = [.device, .outOfSpace]

    /// The n-th call of a story fails, once or with all later ones; then the disk is well again.
    private func fail(_ story: PoolStory, code: Int32, forEver: Bool, stride: Int, from first: Int) throws -> (
        problems: [String], faults: Int
    ) {
        let (base, before) = try CutRuns.past(story)
        var after = before
        let healthy = base.copy()
        let pool = try Pool.open(PoolStory.path, on: healthy)
        try story.story(pool, &after)
        try pool.close()
        var look = Look()
        var (call, faults, ended) = (first, 0, false)
        while !ended, look.problems.count < 20 {
            let disk = base.copy()
            disk.fault = SimulatedDisk.Fault(call: call, onlyWrites: false, code: code, forEver: forEver)
            let name = "\(story.name), call \(call), \(code == EIO ? "EIO" : "ENOSPC")\(forEver ? " for ever" : "")"
            var told = before
            var open: Pool?
            do {
                let pool = try Pool.open(PoolStory.path, on: disk)
                open = pool
                try story.story(pool, &told)
                ended = disk.calls < call
            } catch {
                if let fault = error as? StorageFault, Self.kinds.contains(fault.kind) {
                    faults += 1
                } else {
                    look.problems.append("\(name): \(error)")
                }
            }
            disk.fault = nil
            let allowed = [told] + after.steps[told.steps.count...].prefix(1)
            // The same program goes on, if it can; whatever it acknowledges then must survive a power cut.
            if let open, !ended {
                look.look(at: disk.copy(), name, allowed: allowed)
                goOnWithTheSame(open, disk, name, allowed, &look)
            } else {
                look.look(at: disk, name, allowed: allowed)
            }
            call += stride
        }
        return (look.problems, faults)
    }

    private func goOnWithTheSame(
        _ pool: Pool, _ disk: SimulatedDisk, _ name: String, _ allowed: [Holdings], _ look: inout Look
    ) {
        do {
            var found = allowed.first { $0.difference(pool, look.scratch) == nil }
            guard found != nil else {
                look.problems.append(
                    "\(name), same program: \(allowed.map { $0.difference(pool, look.scratch) ?? "" })")
                return
            }
            for machine in found!.machines.keys.sorted() where found!.machines[machine]?.disks.isEmpty == false {
                found!.machines[machine]?.write("a", 6 * 4096..<11 * 4096, seed: 815)
                try found!.backUp(pool, machine, byList: false)
            }
            try pool.close()
            disk.powerCut(.all)
            look.look(at: disk, name + ", went on, then cut", allowed: [found!])
        } catch { look.problems.append("\(name), same program: \(error)") }
    }

    @Test(
        "a failing call is told, nothing completed is lost, and the work can be done again",
        arguments: PoolStory.all, [(EIO, false), (EIO, true), (ENOSPC, false), (ENOSPC, true)])
    func failingCalls(story: PoolStory, fault: (code: Int32, forEver: Bool)) throws {
        let result = try fail(
            story, code: fault.code, forEver: fault.forEver, stride: Self.stride ?? 1_201,
            from: Self.stride ?? (fault.forEver ? 151 : 63))
        #expect(result.problems == [])
        if Self.stride != nil { print("\(story.name): \(result.faults) faults") }
    }
}
