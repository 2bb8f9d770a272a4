import Files
import Foundation
import StoragePool
import Testing

@Suite("a pool and bit rot") struct RotTests {
    /// Between flipped bytes; small ones are for by hand, in a release build.
    private static let stride = ProcessInfo.processInfo.environment["POOL_ROT_STRIDE"].flatMap(Int.init)

    /// A small pool: two machines, plain and compressed, with three points each.
    private static func made() throws -> (SimulatedDisk, Holdings) {
        try CutRuns.past(
            PoolStory(
                name: "rot",
                past: { pool, holdings in
                    for (name, level) in [("plain", nil), ("zstd", 1)] as [(String, Int?)] {
                        try holdings.add(pool, name, compression: level)
                        holdings.machines[name]?.disks = ["a": SparseDisk(size: 9 * 16_384 + 512)]
                        holdings.machines[name]?.write("a", 0..<60_000, seed: 1, kind: 1)
                        holdings.machines[name]?.write("a", 140_000..<150_000, seed: 2, kind: 1)
                        try holdings.backUp(pool, name)
                        for seed in 3...4 as ClosedRange<UInt64> {
                            holdings.machines[name]?.write(
                                "a", Int64(seed) * 8192..<Int64(seed) * 8192 + 20_000, seed: seed, kind: 1)
                            try holdings.backUp(pool, name)
                        }
                    }
                }, story: { _, _ in }))
    }

    /// What a flipped byte did.
    private struct Outcome {
        var wrong: [String] = []
        /// Found by the check or the scrub, or told by the opening.
        var isFound = false
        var isNamed = false
        var isMended = false
    }

    private func flip(_ path: String, _ byte: Int, _ base: SimulatedDisk, _ holdings: Holdings) -> Outcome {
        var outcome = Outcome()
        let disk = base.copy()
        disk.flip(path, byte: Int64(byte), mask: UInt8(1 << (byte % 8)))
        let buffer = Buffer(count: 1 << 18)
        do {
            let pool = try Pool.open(PoolStory.path, on: disk)
            defer { try? pool.close() }
            outcome.wrong = readings(pool, holdings, buffer)
            let findings = try pool.check()
            let scrub = try pool.scrub(workers: 1)
            outcome.isFound = !findings.isEmpty || !scrub.damage.isEmpty || !scrub.findings.isEmpty
            // A segment's damage is named by what sees it, other files' by their path.
            outcome.isNamed =
                findings.contains { $0.object.hasSuffix(path) } || scrub.findings.contains { $0.object.hasSuffix(path) }
                || scrub.damage.contains { holdings.machines[$0.datasource] != nil && !$0.points.isEmpty }
            let facts = try pool.repair(
                sources: holdings.machines.mapValues { machine in
                    machine.disks.map { DiskSource(name: $0.key, device: $0.value.device($0.key)) }
                }, workers: 1)
            let after = try pool.scrub(workers: 1)
            let isSound = try pool.check().isEmpty && after.findings.isEmpty
            // What only older points hold and the machine no longer has is lost, and told.
            let left = after.damage.allSatisfy { !$0.isReplica }
            outcome.isMended = isSound && left && facts.lost.allSatisfy { !$0.isReplica }
            outcome.wrong += readings(pool, holdings, buffer).map { "repaired: \($0)" }
            if !newestIsRight(pool, holdings, buffer) { outcome.wrong.append("the newest state is not right") }
        } catch {
            // An opening that refuses names the file.
            outcome.isFound = true
            outcome.isNamed = "\(error)".contains(path)
        }
        return outcome
    }

    /// Reads every state; wrong data is told, an error is not.
    private func readings(_ pool: Pool, _ holdings: Holdings, _ buffer: Buffer) -> [String] {
        var wrong: [String] = []
        for (name, machine) in holdings.machines.sorted(by: { $0.key < $1.key }) {
            for (point, disks) in machine.points.sorted(by: { $0.key < $1.key }) {
                for (disk, content) in disks {
                    do {
                        let device = try pool.device(of: name, at: point, disk: disk)
                        if let difference = try content.difference(from: device, buffer) {
                            wrong.append("\(name) \(point): \(difference)")
                        }
                    } catch { if !(error is StorageFault) { wrong.append("\(error)") } }
                }
            }
        }
        return wrong
    }

    private func newestIsRight(_ pool: Pool, _ holdings: Holdings, _ buffer: Buffer) -> Bool {
        holdings.machines.allSatisfy { name, machine in
            guard let replica = machine.replica else { return true }
            return machine.replicaDisks.allSatisfy { disk, content in
                guard let device = try? pool.device(of: name, at: replica, disk: disk) else { return false }
                return (try? content.difference(from: device, buffer)) == .some(nil)
            }
        }
    }

    @Test(
        "a flipped byte of any file is never returned as data, and is found, named and mended, or lies where nothing is"
    )
    func everyFile() throws {
        let (base, holdings) = try Self.made()
        var flips = 0
        var harmless: [String: Int] = [:]
        for path in base.paths {
            let count = base.contents(path)!.count
            let stride = Self.stride ?? (path.hasSuffix("dpmsim-pool") ? 13 : path.contains("map") ? 9_001 : 4_099)
            for byte in Swift.stride(from: path.contains("map") ? 11 : 0, to: count, by: stride) {
                let outcome = flip(path, byte, base, holdings)
                flips += 1
                #expect(outcome.wrong == [], "\(path) \(byte)")
                if outcome.isFound {
                    #expect(outcome.isNamed, "\(path) \(byte)")
                    #expect(outcome.isMended, "\(path) \(byte)")
                } else {
                    harmless[path, default: 0] += 1
                    // Nothing of an identity is unused; of a segment what fills a unit up behind a compressed block.
                    #expect(!path.hasSuffix("dpmsim-pool"), "\(path) \(byte)")
                    #expect(!path.hasSuffix(".seg") || byte >= 4096, "\(path) \(byte)")
                }
            }
        }
        #expect(flips > 60)
        if Self.stride != nil { print("\(flips) flips, harmless: \(harmless.sorted { $0.key < $1.key })") }
    }
}
