import Engine
import Files
import Protection
import Testing
import Units

@Suite("real machines that move") struct MoveTests {
    private func installation(_ script: String) -> RealInstallation {
        var installation = RealInstallation(
            machines:
                "name: vm, churn: 4 %, disks: [{size: 30 GB, used: 40 %}, {size: 20 GB, used: 50 %, format: vhd}]",
            extra: script)
        installation.volumes = ", {name: new, capacity: 2 TB}"
        return installation
    }

    @Test(
        "LIV-6 obeyed: storage that moved lies in the new volume's folder with the bytes it had, and a full check finds so"
    )
    func storageMoves() throws {
        let files = SimulatedDisk()
        let result = try installation(
            "script: [{migration: vm, to: hv-01, storage: hv-01/new, at: day 3 12:00}]"
        ).run(on: files)
        let names = try files.list("/real/machines/vm")
        #expect(names.count == 1 && names[0].hasPrefix("new-"), "\(names)")
        #expect(
            try files.list("/real/machines/vm/" + names[0])
                == ["disk0.vhdx", "disk0.vhdx.track", "disk1.vhd", "disk1.vhd.track"])
        let check = try #require(result.jobs.first { $0.kind == .consistencyCheck })
        #expect(check.status == .completed)
        // What the guest wrote since the last backup and no more.
        #expect(check.sent < Bytes.gigabytes(4))
        #expect(try result.plane.verify().filter { !$0.holds } == [])
        #expect(result.plane.faults.isEmpty, "\(result.plane.faults)")
        #expect(result.jobs.last { $0.kind == .expressFull }?.status == .completed)
    }

    @Test("storage that moves to and fro under backups, crashes and failures stays what it is", arguments: 1...2)
    func restless(seed: UInt64) throws {
        var installation = installation(
            """
            script:
              - {migration: vm, to: hv-01, storage: hv-01/new, every: exponential 20 h}
              - {migration: vm, to: hv-01, storage: hv-01/data, every: exponential 20 h}
              - {migration: vm, to: hv-01, storage: hv-01/new, when: express full.transfer of vm, after: day 2}
              - {crash: hv-01, every: exponential 40 h, lasts: 30 min}
            """)
        installation.seed = seed
        let result = try installation.run()
        #expect(try result.plane.verify().filter { !$0.holds } == [], "seed \(seed)")
        #expect(result.plane.faults.isEmpty, "seed \(seed): \(result.plane.faults)")
        for replica in result.outcome.replicas {
            let held = try result.plane.held(Ref(raw: replica.machine))
            #expect(held == replica.replica + replica.points, "seed \(seed)")
        }
    }
}
