import Engine
import Files
import Protection
import Testing
import Units

private let plain = "name: vm, size: 60 GB, used: 40 %, churn: 6 %, working-set: 30 %"

@Suite("disks under the pool that do not keep what was written") struct MediaFaultTests {
    private func booksHold(_ result: RealInstallation.Result) throws {
        for replica in result.outcome.replicas {
            let held = try result.plane.held(Ref(raw: replica.machine))
            #expect(held == replica.replica + replica.points)
        }
        #expect(!result.outcome.audit.contains { !$0.holds }, "\(result.outcome.audit.filter { !$0.holds })")
        #expect(try result.plane.check() == [])
        #expect(result.plane.faults.isEmpty, "\(result.plane.faults)")
    }

    @Test(
        "rot is found in the night, told by 3129, mended by a check where the source has the block, and never read as data",
        arguments: 1...2)
    func rot(seed: UInt64) throws {
        var installation = RealInstallation(
            machines: plain + ", page-file: 2 GB\n" + plain.replacing("vm", with: "other"),
            extra: "script: [{pool-rot: vm, blocks: 20, at: day 3 12:00}]")
        (installation.seed, installation.retention) = (seed, 6)
        let result = try installation.run()
        let vm = result.setting.world.machines.firstIndex { $0.name == "vm" }!
        #expect(result.alerts.contains { $0.id == 3129 }, "seed \(seed)")
        #expect(result.alerts.contains { $0.id == 3106 }, "seed \(seed)")
        #expect(
            result.jobs.contains { $0.kind == .consistencyCheck && $0.status == .completed && $0.machine == vm },
            "seed \(seed)")
        #expect(result.outcome.replicas.allSatisfy { $0.state == .ok }, "seed \(seed)")
        let verdicts = try result.plane.verify()
        #expect(verdicts.filter { !$0.holds } == [], "seed \(seed)")
        let damaged = verdicts.filter { !$0.damaged.isEmpty }
        #expect(!damaged.isEmpty && damaged.allSatisfy { $0.machine == "vm" }, "seed \(seed)")
        let newest = try #require(verdicts.last { $0.machine == "vm" })
        #expect(newest.damaged.isEmpty, "seed \(seed): the check did not mend what the source still had")
        #expect(try result.plane.undetectedRot() == [], "seed \(seed)")
        try booksHold(result)
    }

    @Test("a check by hand mends rot that nobody has found yet")
    func checkMends() throws {
        let result = try RealInstallation(
            machines: plain, days: 3,
            extra: "script: [{pool-rot: vm, blocks: 8, at: day 2 12:00}, {run-check: vm, at: day 2 13:00}]"
        ).run()
        let newest = try #require(try result.plane.verify().last)
        #expect(newest.damaged.isEmpty && newest.holds)
        #expect(!result.alerts.contains { $0.id == 3106 }, "the replica was in order when the night came")
        try booksHold(result)
    }

    @Test("where nothing is protected yet nothing rots")
    func nothingRots() throws {
        let result = try RealInstallation(
            machines: plain, days: 2, extra: "script: [{pool-rot: vm, blocks: 8, at: day 1 00:00}]"
        ).run()
        #expect(try result.plane.verify().allSatisfy { $0.holds && $0.damaged.isEmpty })
        #expect(!result.alerts.contains { $0.id == 3129 })
        try booksHold(result)
    }

    @Test(
        "a power cut in the middle of a pool write leaves all or nothing: 910, points true, backups go on",
        arguments: 1...3)
    func tornWrites(seed: UInt64) throws {
        var installation = RealInstallation(
            machines: plain,
            extra: """
                script:
                  - {torn-write: dpm-01, when: express full.transfer of vm, after: day 2, lasts: 20 min}
                  - {torn-write: dpm-01, at: day 4 12:00, lasts: 1 h}
                """)
        installation.seed = seed
        let result = try installation.run()
        #expect(result.jobs.contains { $0.status == .failed && $0.error == 910 }, "seed \(seed)")
        #expect(result.jobs.last { $0.kind == .expressFull }?.status == .completed, "seed \(seed)")
        #expect(try result.plane.verify().filter { !$0.holds } == [], "seed \(seed)")
        try booksHold(result)
    }

    @Test("on full disks backups fail with 33511 and nothing is lost; when there is room they go on")
    func fullDisks() throws {
        let result = try RealInstallation(
            machines: plain + ", growth: 300 %",
            extra: "script: [{pool-full-disk: dpm-01, at: day 3 12:00, lasts: 1 d}]"
        ).run()
        let failed = result.jobs.filter { $0.status == .failed && $0.kind == .expressFull }
        #expect(!failed.isEmpty && failed.allSatisfy { $0.error == 33511 }, "\(failed)")
        #expect(result.alerts.contains { $0.id == 33515 && $0.resolved != .never })
        #expect(result.jobs.last { $0.kind == .expressFull }?.status == .completed)
        #expect(try result.plane.verify().filter { !$0.holds } == [])
        try booksHold(result)
    }
}
