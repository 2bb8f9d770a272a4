import Files
import Foundation
import StoragePool
import Testing

@Suite("a pool against a plain model") struct ModelTests {
    @Test("whatever is done, every recovery point is what was protected, also after opening it again", arguments: 1...8)
    func agreesWithTheModel(seed: Int) throws {
        let model = try PoolModel(path: "/pool", files: SimulatedDisk(), seed: UInt64(seed))
        for step in 1...(ProcessInfo.processInfo.environment["DPMSIM_STEPS"].flatMap(Int.init) ?? 120) {
            do { try model.step() } catch {
                Issue.record("seed \(seed), step \(step): \(error); \(model.log.suffix(8))")
                return
            }
            if step % 10 == 0 {
                let found = try model.differences()
                #expect(found == [], "seed \(seed), step \(step): \(model.log.suffix(12))")
                if !found.isEmpty { return }
            }
        }
    }
}
