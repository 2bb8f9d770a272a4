import DiskImages
import Engine
import Files
import Protection
import Testing
import Units

private let plain = "name: vm, size: 100 GB, used: 40 %, churn: 4 %, working-set: 15 %"

@Suite("real machines in a run") struct RealRunTests {
    @Test(
        "PRC-3 obeyed: every recovery point is what the disks held at its time",
        arguments: [
            plain,
            plain + ", format: vhd",
            plain + ", growth: 400 %, compressibility: 3",
            plain + ", page-file: 3 GB",
            "name: vm, churn: 2 %, disks: [{size: 60 GB, used: 30 %}, {size: 90 GB, used: 50 %, format: vhd}]",
            "name: vm, size: 50 GB, used: 100 %, churn: 50 %, working-set: 100 %",
            "name: vm, size: 50 GB, used: 20 %, churn: 0 %",
        ])
    func pointsAreTrue(machine: String) throws {
        let result = try RealInstallation(machines: machine).run()
        let verdicts = try result.plane.verify()
        #expect(verdicts.filter { !$0.holds } == [])
        let points = result.outcome.points.map(\.at)
        #expect(verdicts.map(\.at) == points)
        #expect(verdicts.count >= 3)
        #expect(result.plane.faults.isEmpty, "\(result.plane.faults)")
        #expect(!result.outcome.audit.contains { !$0.holds })
    }

    @Test("PRC-3 broken: one changed byte in the pool is named with machine and point, never read as data")
    func rotIsFound() throws {
        let files = SimulatedDisk()
        let result = try RealInstallation(machines: plain).run(on: files)
        let segment = "/real/pools/dpm-01/segments/0000000.seg"
        let file = try files.open(segment, .readWrite)
        var byte = try file.bytes(1, at: 1 << 20)
        byte[0] ^= 4
        try file.write(byte, at: 1 << 20)
        let broken = try result.plane.verify().filter { !$0.holds }
        #expect(!broken.isEmpty)
        #expect(broken.allSatisfy { $0.machine == "vm" && $0.problems.count == 1 })
    }

    @Test(
        "PRC-6 obeyed: after a crash of the host a check mends what tracking lost, and all points are true",
        arguments: [("2016", "rct"), ("2012 R2", "the filter")])
    func crashes(windows: String, tracking: String) throws {
        var installation = RealInstallation(
            machines: plain + "\n" + plain.replacing("vm", with: "other"),
            extra: """
                script:
                  - {at: day 2 20:01, crash: hv-01, lasts: 2 h}
                  - {at: day 4 03:00, crash: hv-01, lasts: 1 h}
                """)
        installation.windows = windows
        let result = try installation.run()
        #expect(result.jobs.contains { $0.kind == .expressFull && $0.error == 30155 }, "no job was hit by the crash")
        #expect(result.jobs.contains { $0.kind == .consistencyCheck && $0.status == .completed })
        #expect(try result.plane.verify().filter { !$0.holds } == [], "\(tracking)")
        #expect(result.plane.faults.isEmpty, "\(result.plane.faults)")
        for replica in result.outcome.replicas {
            let held = try result.plane.held(Ref(raw: replica.machine))
            #expect(held == replica.replica + replica.points)
        }
    }

    @Test("what the books say of replica and points is what the pool holds", arguments: 1...6)
    func booksAreTrue(seed: UInt64) throws {
        var installation = RealInstallation(
            machines: plain + ", page-file: 2 GB\n" + plain.replacing("vm", with: "grows") + ", growth: 300 %",
            extra: "script: [{every: exponential 30 h, crash: hv-01, lasts: 1 h}]")
        installation.seed = seed
        installation.days = 8
        let result = try installation.run()
        #expect(result.outcome.replicas.count == 2)
        for replica in result.outcome.replicas {
            let held = try result.plane.held(Ref(raw: replica.machine))
            #expect(held == replica.replica + replica.points, "seed \(seed)")
        }
        #expect(try result.plane.verify().filter { !$0.holds } == [], "seed \(seed)")
    }

    @Test("a run with real machines is the same run in every process: equal traces, equal pools")
    func repeats() throws {
        let installation = RealInstallation(machines: plain + ", page-file: 1 GB, compressibility: 2")
        let (first, second) = (try installation.run(), try installation.run())
        #expect(first.outcome.traceHash == second.outcome.traceHash)
        #expect(first.jobs == second.jobs)
        #expect(first.outcome.replicas == second.outcome.replicas)
    }

    @Test("VSS-5 obeyed: no differencing disk is left when the synchronizations are over")
    func snapshotsGo() throws {
        let files = SimulatedDisk()
        _ = try RealInstallation(
            machines: plain, extra: "script: [{at: day 3 20:01, crash: hv-01, lasts: 2 h}]"
        ).run(on: files)
        #expect(try files.list("/real/machines/vm") == ["disk0.vhdx", "disk0.vhdx.track"])
    }

    @Test("a machine whose name would lead elsewhere has its files where all are")
    func names() throws {
        let files = SimulatedDisk()
        let result = try RealInstallation(machines: plain.replacing("vm", with: "\"..\""), days: 2).run(on: files)
        #expect(try files.list("/real") == ["machines", "pools"])
        #expect(try files.list("/real/machines") == ["0"])
        #expect(try result.plane.verify().filter { !$0.holds } == [])
    }

    @Test("a folder that holds something is refused, and keeps it")
    func folderInUse() throws {
        let files = SimulatedDisk()
        try files.makeFolder("/real")
        let file = try files.open("/real/mine", .create)
        try file.write([1, 2, 3], at: 0)
        #expect(throws: StorageFault.self) { _ = try RealInstallation(machines: plain).run(on: files) }
        #expect(try files.list("/real") == ["mine"])
    }
}
