import Files
import Foundation
import Glibc
import StoragePool
import Testing

@Suite("making pools and volumes, interrupted") struct CreationTests {
    /// Between failing calls and cuts; 1 is for by hand.
    private static let stride = ProcessInfo.processInfo.environment["POOL_FAULT_STRIDE"].flatMap(Int.init) ?? 6

    private func create(_ disk: SimulatedDisk) throws -> Pool {
        try Pool.create(
            at: PoolStory.path, on: disk, options: PoolStory.options, guids: SequentialGUIDs(seed: 1), time: 1)
    }

    /// A disk on which the pool's folder is a pool, is nothing, or says that it was left unfinished and may be removed.
    private func problem(_ disk: SimulatedDisk, _ name: String) -> String? {
        do {
            if try disk.kind(of: PoolStory.path + "/dpmsim-pool") == .none {
                do { try create(disk).close() } catch let fault as StorageFault where fault.id == "POOL-UNFINISHED" {
                    return nil
                }
            }
            let pool = try Pool.open(PoolStory.path, on: disk)
            var holdings = Holdings()
            try holdings.add(pool, "vm")
            let findings = try pool.check()
            try pool.close()
            return findings.isEmpty ? nil : "\(name): \(findings)"
        } catch { return "\(name): \(error)" }
    }

    @Test(
        "a pool whose creation fails is not there, or told to be unfinished", arguments: [EIO, ENOSPC], [false, true])
    func failingCalls(code: Int32, forEver: Bool) throws {
        var (call, ended) = (1, false)
        var problems: [String] = []
        while !ended, problems.count < 5 {
            let disk = SimulatedDisk()
            disk.fault = SimulatedDisk.Fault(call: call, onlyWrites: false, code: code, forEver: forEver)
            do {
                try create(disk).close()
                ended = disk.calls < call
            } catch {
                let fault = try #require(error as? StorageFault)
                if fault.kind != .device, fault.kind != .outOfSpace { problems.append("call \(call): \(fault)") }
            }
            disk.fault = nil
            if let problem = problem(disk, "call \(call)") { problems.append(problem) }
            call += Self.stride
        }
        #expect(problems == [])
        #expect(call > 50)
    }

    @Test("a pool whose creation is cut by the power is there, is not, or told to be unfinished")
    func cuts() throws {
        var (call, ended) = (1, false)
        var problems: [String] = []
        while !ended, problems.count < 5 {
            let disk = SimulatedDisk()
            disk.cutAt = call
            do {
                try create(disk).close()
                ended = true
            } catch { #expect(disk.isCut, "\(error)") }
            for loss in [.none, .all, .torn(seed: UInt64(call))] as [SimulatedDisk.Loss] {
                let cut = disk.copy()
                cut.powerCut(loss)
                if let problem = problem(cut, "write \(call), \(loss)") { problems.append(problem) }
            }
            call += Self.stride
        }
        #expect(problems == [])
        #expect(call > 20)
    }

    @Test("a volume whose adding failed is added to the same folder again", arguments: [EIO, ENOSPC], [false, true])
    func failingVolume(code: Int32, forEver: Bool) throws {
        let base = SimulatedDisk()
        try create(base).close()
        var (call, ended, problems) = (1, false, [String]())
        while !ended, problems.count < 5 {
            let disk = base.copy()
            let pool = try Pool.open(PoolStory.path, on: disk)
            let before = disk.calls
            disk.fault = SimulatedDisk.Fault(call: before + call, onlyWrites: false, code: code, forEver: forEver)
            var added = true
            do {
                try pool.addVolume("second", time: 2)
                ended = disk.calls < before + call
            } catch { added = false }
            disk.fault = nil
            do {
                let isThere = try pool.space().volumes.contains { $0.path == "second" }
                if added != isThere { problems.append("call \(call): added \(added), there \(isThere)") }
                if !isThere { try pool.addVolume("second", time: 3) }
                #expect(try pool.space().volumes.count == 2)
                #expect(try pool.check() == [])
                try pool.close()
            } catch { problems.append("call \(call): \(error)") }
            call += Self.stride
        }
        #expect(problems == [])
        #expect(call > 10)
    }

    @Test("a folder with anything of somebody else's in it is not taken for what an interrupted program left")
    func foreign() throws {
        let disk = SimulatedDisk()
        try disk.makeFolder(PoolStory.path)
        disk.setContents(PoolStory.path + "/map.db", [1, 2, 3])
        disk.setContents(PoolStory.path + "/letter", [1, 2, 3])
        let fault = #expect(throws: StorageFault.self) { try create(disk) }
        #expect(fault?.id == "POOL-NOT-EMPTY")
        try disk.remove(PoolStory.path + "/letter")
        #expect(#expect(throws: StorageFault.self) { try create(disk) }?.id == "POOL-UNFINISHED")
    }
}
