import Files
import Foundation
import StoragePool
import Testing

@Suite("a pool against a plain model") struct ModelTests {
    @Test("whatever is done, every recovery point is what was protected, also after opening it again", arguments: 1...4)
    func agreesWithTheModel(seed: Int) throws {
        let model = try PoolModel(path: "/pool", files: SimulatedDisk(), seed: UInt64(seed))
        for step in 1...(ProcessInfo.processInfo.environment["DPMSIM_STEPS"].flatMap(Int.init) ?? 40) {
            do { try model.step() } catch {
                Issue.record("seed \(seed), step \(step): \(error); \(model.log.suffix(8))")
                return
            }
            if step % 10 == 0 {
                let found = try model.differences() + model.pool.check().map(\.description)
                #expect(found == [], "seed \(seed), step \(step): \(model.log.suffix(12))")
                if !found.isEmpty { return }
            }
        }
        #expect(try model.pool.scrub().damage == [])
        for name in model.machines.keys.sorted() { try model.pool.remove(name) }
        let space = try model.pool.space()
        #expect(
            space.volumes.allSatisfy { $0.live == 0 && $0.segments == 0 } && space.pending == 0,
            "seed \(seed): \(space)")
    }
}
