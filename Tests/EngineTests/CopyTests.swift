import Engine
import Files
import Protection
import Testing
import Units

@Suite("copies of real machines") struct CopyTests {
    private func installation(_ script: String = "") -> RealInstallation {
        var installation = RealInstallation(
            machines: """
                name: vm, size: 60 GB, used: 40 %, churn: 6 %, working-set: 30 %, page-file: 2 GB
                name: two, churn: 5 %, disks: [{size: 30 GB, used: 30 %}, {size: 20 GB, used: 50 %, format: vhd}]
                """,
            days: 8, extra: script)
        installation.servers = "\n  - {name: dpm-02, primary: dpm-01, pool: [{name: pool-02, capacity: 4 TB}]}"
        installation.vaults = "vaults: [{name: azure, rate: 1 Gbit/s}]"
        installation.group = "\n    online: {vault: azure, retention: 7 days}"
        installation.groups = """

              - {name: copies, server: dpm-02, members: all, disk: {retention: 2 d, times: "23:00"}}
            """
        return installation
    }

    @Test(
        "secondary server's and online copies hold what the disks were at their points' times, and expire by themselves"
    )
    func copiesAreTrue() throws {
        let files = SimulatedDisk()
        let result = try installation().run(on: files)
        #expect(result.plane.faults.isEmpty, "\(result.plane.faults)")
        let verdicts = try result.plane.verify()
        #expect(verdicts.filter { !$0.holds } == [])
        for source in [RecoveryRequest.Source.secondary, .online] {
            let own = verdicts.filter { $0.source == source }
            #expect(Set(own.map(\.machine)) == ["vm", "two"], "\(source)")
            #expect(own.allSatisfy { $0.compared > 0 })
        }
        let kept = verdicts.filter { $0.source == .secondary && $0.machine == "vm" }.map(\.at)
        #expect(kept.allSatisfy { $0 > .start + .days(4) }, "expired copies stayed: \(kept)")
        #expect(try result.plane.check() == [])
        #expect(try files.list("/real/pools") == ["dpm-01", "dpm-02"])
        #expect(try files.list("/real/vaults") == ["azure"])
    }

    @Test("copies go on after crashes and failed jobs, and are true")
    func troubledCopies() throws {
        let result = try installation(
            "script: [{every: exponential 30 h, crash: hv-01, lasts: 1 h}, {every: exponential 40 h, server-outage: dpm-02, lasts: 3 h}]"
        ).run()
        let verdicts = try result.plane.verify()
        #expect(verdicts.filter { !$0.holds } == [])
        #expect(verdicts.contains { $0.source == .secondary } && verdicts.contains { $0.source == .online })
        #expect(!result.outcome.audit.contains { !$0.holds })
    }
}
