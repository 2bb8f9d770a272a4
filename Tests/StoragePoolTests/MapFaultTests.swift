import Files
import Glibc
import StoragePool
import Testing
import Units

@Suite("faults of the disk under a map that stays open") struct MapFaultTests {
    /// The change that fails and the one that follows lie on different pages of the map.
    @Test("what could not be committed is not seen, and nothing is built on it", arguments: [true, false])
    func failedCommit(isForEver: Bool) throws {
        for call in 1...16 {
            let files = SimulatedDisk()
            let pool = try Pool.create(at: "/pool", on: files, guids: SequentialGUIDs(seed: 1), time: 0)
            let (small, large) = (Bytes.gibibytes(1), Bytes.gibibytes(2))
            _ = try pool.add("a", area: .legacy(replica: small, points: small, rules: .usual()), time: 0)
            files.fault = SimulatedDisk.Fault(
                call: files.writeCalls + call, onlyWrites: true, code: EIO, forEver: isForEver)
            try? pool.growArea("a", replica: large, at: 0)
            files.fault = nil
            let seen = try pool.area("a")
            #expect([small, large].contains(seen.replica.size))
            _ = try pool.add("b", time: 0)
            #expect(try pool.area("a") == seen, "call \(call)")
            #expect(try pool.check() == [], "call \(call)")
            try pool.close()
            let again = try Pool.open("/pool", on: files)
            #expect(try again.area("a") == seen, "call \(call)")
            #expect(try again.datasources().map { $0.name } == ["a", "b"], "call \(call)")
            #expect(try again.check() == [], "call \(call)")
        }
    }
}
