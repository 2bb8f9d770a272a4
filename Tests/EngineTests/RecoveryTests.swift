import DiskImages
import Engine
import Files
import Jobs
import Protection
import Simulation
import StoragePool
import Testing
import Units

private let plain = "name: vm, size: 100 GB, used: 40 %, churn: 4 %, working-set: 15 %"

@Suite("recovery of real machines in their own place") struct OriginalRecoveryTests {
    /// Checks follow a recovery, as DPM has them after error 59.
    private static let checks =
        "script: [{at: day 4 13:00, run-check: vm}, {at: day 6 13:00, run-check: vm}, {at: day 6 16:00, run-check: vm}]"

    @Test(
        "REC-2 obeyed: the guest goes on from what was recovered, and all points before and after are what the disks held",
        arguments: [
            plain, plain + ", format: vhd", plain + ", growth: 400 %, compressibility: 3", plain + ", page-file: 3 GB",
            "name: vm, churn: 2 %, disks: [{size: 60 GB, used: 30 %}, {size: 90 GB, used: 50 %, format: vhd}]",
            "name: vm, size: 50 GB, used: 100 %, churn: 50 %, working-set: 100 %",
            "name: vm, size: 50 GB, used: 20 %, churn: 0 %",
        ])
    func goesOn(machine: String) throws {
        var installation = RealInstallation(machines: machine, extra: Self.checks)
        installation.days = 9
        let stepped = try SteppedRun(installation)
        stepped.advance(toHour: 84)
        let first = try #require(stepped.points.first)
        let used = stepped.plane.used(stepped.machine, at: first)
        let before = stepped.plane.used(stepped.machine, at: .start + .hours(84))
        let order = stepped.order(1, point: first)
        #expect(try stepped.plane.recoverable(order) == used)
        try stepped.plane.recover(order, at: stepped.run.now)
        #expect(stepped.plane.used(stepped.machine, at: stepped.run.now) == used)
        #expect(stepped.plane.used(stepped.machine, at: stepped.run.now - .minutes(1)) <= before)
        #expect(stepped.plane.used(stepped.machine, at: first) == used)
        // A point of before the first recovery, then, without a backup between, one of after it.
        stepped.advance(toHour: 132)
        let points = stepped.points
        #expect(points.contains { $0 < .start + .hours(84) } && points.contains { $0 > .start + .hours(84) })
        try stepped.plane.recover(stepped.order(2, point: try #require(points.first)), at: stepped.run.now)
        stepped.advance(toHour: 134)
        try stepped.plane.recover(stepped.order(3, point: try #require(points.last)), at: stepped.run.now)
        #expect(stepped.plane.recoveries.map(\.kind) == [.original, .original, .original])
        #expect(stepped.plane.recoveries.allSatisfy { $0.compared > 0 })
        try stepped.expectSound("\(machine)")
        let suffix = machine.contains("format: vhd}") ? ["vhdx", "vhd"] : [machine.contains("vhd") ? "vhd" : "vhdx"]
        let expected = suffix.enumerated().flatMap { ["disk\($0)-3.\($1)", "disk\($0)-3.\($1).track"] }
        #expect(try stepped.files.list("/real/machines/vm") == expected + ["vm.vmcx"])
    }

    @Test("some disks go back, the others keep what was written since")
    func someDisks() throws {
        var installation = RealInstallation(
            machines: "name: vm, churn: 2 %, disks: [{size: 60 GB, used: 30 %}, {size: 90 GB, used: 50 %}]",
            extra: Self.checks)
        installation.days = 7
        let stepped = try SteppedRun(installation)
        stepped.advance(toHour: 84)
        let point = try #require(stepped.points.first)
        let whole = try stepped.plane.recoverable(stepped.order(1, point: point))
        let part = try stepped.plane.recoverable(stepped.order(1, what: .disks([1]), point: point))
        #expect(part > .zero && part < whole)
        try stepped.plane.recover(stepped.order(1, what: .disks([1]), point: point), at: stepped.run.now)
        #expect(
            try stepped.files.list("/real/machines/vm").filter { $0.hasSuffix("x") } == [
                "disk0.vhdx", "disk1-1.vhdx", "vm.vmcx",
            ])
        try stepped.expectSound()
    }

    @Test(
        "a recovery in the middle of a backup leaves no differencing disk, and what that backup still asks is refused")
    func openSnapshot() throws {
        let stepped = try SteppedRun(RealInstallation(machines: plain, extra: Self.checks))
        stepped.advance(toHour: 84)
        let point = try #require(stepped.points.first)
        try stepped.plane.takeSnapshot(stepped.machine, at: stepped.run.now)
        try stepped.plane.recover(stepped.order(1, point: point), at: stepped.run.now)
        #expect(try stepped.files.list("/real/machines/vm").contains { $0.hasSuffix(".avhdx") } == false)
        #expect(throws: PlaneFault.self) {
            try stepped.plane.apply(.expressFull, stepped.machine, at: stepped.run.now)
        }
        #expect(throws: PlaneFault.self) { try stepped.plane.makePoint(stepped.machine, at: stepped.run.now) }
        stepped.plane.releaseSnapshot(stepped.machine, at: stepped.run.now)
        #expect(stepped.plane.recoveries.map(\.holds) == [true])
        _ = stepped.run.finish()
        #expect(try stepped.plane.verify().filter { !$0.holds } == [])
        #expect(stepped.plane.faults.allSatisfy { $0.cause.hasPrefix("ENGINE-SNAPSHOT") })
    }

    @Test(
        "a recovery that failed has changed nothing, whichever call failed, once or from then on",
        arguments: [false, true])
    func failures(forEver: Bool) throws {
        let installation = RealInstallation(
            machines:
                "name: vm, churn: 4 %, disks: [{size: 30 GB, used: 30 %}, {size: 20 GB, used: 50 %, format: vhd}]",
            extra: Self.checks)
        let disk = SimulatedDisk()
        let stepped = try SteppedRun(installation, on: disk)
        stepped.advance(toHour: 84)
        let points = stepped.points
        let point = try #require(points.first)
        let now = stepped.run.now
        // What is not there is noticed when the guest has written all it would have: of that the calls are not counted here.
        #expect(throws: PlaneFault.self) {
            try stepped.plane.recover(stepped.order(1, point: point + .hours(1)), at: now)
        }
        var (failed, done, call) = (0, 0, 1)
        var isReached = true
        while isReached {
            let before = try disk.list("/real/machines/vm")
            let used = stepped.plane.used(stepped.machine, at: now)
            let last = disk.calls + call
            disk.fault = SimulatedDisk.Fault(call: last, onlyWrites: false, code: 5, forEver: forEver)
            var isDone = false
            do throws(PlaneFault) {
                try stepped.plane.recover(stepped.order(Int32(call), point: point), at: now)
                isDone = true
            } catch { #expect(error.error == 104) }
            isReached = disk.calls >= last
            disk.fault = nil
            (done, failed) = isDone ? (done + 1, failed) : (done, failed + 1)
            #expect(stepped.plane.recoveries.count == done)
            if !isDone {
                #expect(stepped.plane.used(stepped.machine, at: now) == used)
                // Where nothing works any more, what was begun cannot be taken away either.
                let after = try disk.list("/real/machines/vm")
                #expect(forEver ? Set(after).isSuperset(of: before) : after == before, "call \(call)")
            }
            call += 1
        }
        #expect(failed > 60 && done > 0)
        let problems = stepped.plane.recoveries.flatMap(\.problems)
        #expect(problems.allSatisfy { $0.hasPrefix("FILE-IO") }, "only reading back can fail behind a recovery")
        #expect(stepped.plane.recoveries.last?.holds == true)
        _ = stepped.run.finish()
        #expect(try stepped.plane.verify().filter { !$0.holds } == [])
        #expect(try stepped.plane.check() == [])
        #expect(try disk.list("/real/machines/vm").count == 5)
    }

    @Test("a block that a recovery leaves out is found at once")
    func plantedBugIsFound() throws {
        let stepped = try SteppedRun(RealInstallation(machines: plain), planted: .skippedBlock)
        stepped.advance(toHour: 60)
        let point = try #require(stepped.points.first)
        try stepped.plane.recover(stepped.order(1, point: point), at: stepped.run.now)
        try stepped.plane.recover(stepped.order(2, to: SteppedRun.otherHost, point: point), at: stepped.run.now)
        #expect(stepped.plane.recoveries.map(\.holds) == [false, false])
        #expect(stepped.plane.recoveries.allSatisfy { $0.problems.count == 1 && $0.problems[0].contains("differs in") })
    }

    @Test("what is not there is refused with DPM's error, and is no fault beneath")
    func refusals() throws {
        let stepped = try SteppedRun(RealInstallation(machines: plain))
        stepped.advance(toHour: 60)
        let point = try #require(stepped.points.first)
        let orders = [
            stepped.order(1, point: point + .hours(1)), stepped.order(2, what: .disks([1]), point: point),
            stepped.order(3, what: .volumes([2]), to: SteppedRun.networkFolder, point: point),
        ]
        for order in orders {
            #expect(throws: PlaneFault.self) { _ = try stepped.plane.recoverable(order) }
            let fault = #expect(throws: PlaneFault.self) { try stepped.plane.recover(order, at: stepped.run.now) }
            #expect(fault?.error == 202, "\(String(describing: fault))")
        }
        let inside = stepped.order(4, what: .files(volume: 1, paths: ["/a"]), point: point)
        #expect(throws: PlaneFault.self) { try stepped.plane.recover(inside, at: stepped.run.now) }
        #expect(stepped.plane.faults.isEmpty)
        #expect(stepped.plane.recoveries.isEmpty)
        #expect(try stepped.files.list("/real/recovered") == [])
        #expect(try stepped.files.list("/real/machines/vm") == ["disk0.vhdx", "disk0.vhdx.track"])
    }

    @Test("recoveries at any time to any point keep every promise", arguments: 1...6)
    func anyRecoveries(seed: UInt64) throws {
        var state = seed
        func draw(_ count: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(count))
        }
        let kinds = [", page-file: 2 GB", ", growth: 300 %", ", format: vhd", ""]
        let extra = (3...9).map { "{at: day \($0) 19:00, run-check: vm}" }.joined(separator: ", ")
        var installation = RealInstallation(machines: plain + kinds[draw(kinds.count)], extra: "script: [\(extra)]")
        (installation.seed, installation.days) = (seed, 10)
        let stepped = try SteppedRun(installation)
        for day in 3..<9 where draw(3) > 0 {
            // Backups are at 20:00, checks before them at 19:00.
            stepped.advance(toHour: Int64(day * 24 - 24 + draw(18)))
            for again in 0...draw(2) {
                let points = stepped.points
                let order = stepped.order(
                    Int32(day * 10 + again), to: draw(4) == 0 ? SteppedRun.otherHost : .original,
                    point: points[draw(points.count)])
                try stepped.plane.recover(order, at: stepped.run.now)
            }
        }
        #expect(!stepped.plane.recoveries.isEmpty, "seed \(seed)")
        try stepped.expectSound("seed \(seed)")
    }
}
