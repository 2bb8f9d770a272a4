import DiskImages
import Engine
import Files
import Foundation
import Glibc
import Protection
import StoragePool
import Testing
import Units

/// A way in which calls to a file system fail.
private struct Trouble: CustomTestStringConvertible, Sendable {
    var code: Int32
    var forEver: Bool
    var testDescription: String { (code == EIO ? "EIO" : "ENOSPC") + (forEver ? " for ever" : " once") }
    /// Nobody is told that a disk is full who only reads.
    var onlyWrites: Bool { code == ENOSPC }

    func counted(_ files: SimulatedDisk) -> Int { onlyWrites ? files.writeCalls : files.calls }
    func fault(_ call: Int) -> SimulatedDisk.Fault {
        SimulatedDisk.Fault(call: call, onlyWrites: onlyWrites, code: code, forEver: forEver)
    }
    static let all = [EIO, ENOSPC].flatMap { code in [false, true].map { Trouble(code: code, forEver: $0) } }
}

/// Every call of a run in turn is too much for a suite: so many lie between two that are tried. 1 tries all.
private let stride = ProcessInfo.processInfo.environment["ENGINE_FAULT_STRIDE"].flatMap { Int($0) }

@Suite("faults of the disks under real machines") struct FaultLoopTests {
    /// Two disks, an express full each evening, points that expire, a crash in a backup that leaves a snapshot behind.
    private var installation: RealInstallation {
        var installation = RealInstallation(
            machines:
                "name: vm, churn: 8 %, disks: [{size: 20 GB, used: 40 %}, {size: 10 GB, used: 40 %, format: vhd}]",
            days: 6, extra: "script: [{crash: hv-01, when: express full.transfer of vm, after: day 2, lasts: 30 min}]")
        installation.retention = 2
        return installation
    }

    @Test(
        "whichever call fails: jobs fail with an id, alerts rise, no differencing disk is lost, all points are true, backups go on",
        arguments: Trouble.all)
    private func everyCall(trouble: Trouble) throws {
        let quiet = SimulatedDisk()
        var before = 0
        let expected = try installation.run(on: quiet) { before = trouble.counted(quiet) }
        let calls = trouble.counted(quiet) - before
        #expect(expected.plane.leftovers == 2, "the crash left no snapshot behind")
        let step = stride ?? max(1, calls / 10)
        for call in Swift.stride(from: 1 + step / 2, through: calls, by: step) {
            let files = SimulatedDisk()
            let result = try installation.run(on: files) { files.fault = trouble.fault(trouble.counted(files) + call) }
            files.fault = nil
            try prove(result, files, trouble, "\(trouble.testDescription), call \(call) of \(calls)")
        }
    }

    private func prove(
        _ result: RealInstallation.Result, _ files: SimulatedDisk, _ trouble: Trouble, _ place: String
    ) throws {
        let plane = result.plane
        let failed = result.jobs.filter { $0.status == .failed }
        #expect(failed.allSatisfy { $0.error != 0 }, "\(place)")
        for job in failed where job.kind == .expressFull || job.kind == .consistencyCheck {
            // An express full that the replica's state refuses raises nothing beside the alert of the replica.
            let alerts: [Int32] = job.kind == .expressFull ? [3106, 3115] : [3106]
            #expect(
                result.alerts.contains { alerts.contains($0.id) && $0.raised <= job.ended },
                "\(place): \(job.kind) \(job.error)")
        }
        #expect(!result.outcome.audit.contains { !$0.holds }, "\(place): \(result.outcome.audit)")
        try plane.finishDeleting()
        let verdicts = try plane.verify()
        #expect(verdicts.filter { !$0.holds } == [], "\(place)")
        #expect(verdicts.map(\.at) == result.outcome.points.map(\.at), "\(place)")
        #expect(try plane.check() == [], "\(place)")
        for replica in result.outcome.replicas {
            #expect(
                try plane.held(Ref(raw: replica.machine)) == replica.replica + replica.points,
                "\(place): \(plane.faults)")
        }
        let names = try files.list("/real/machines/vm")
        let differencing = names.filter { $0.hasSuffix(".avhdx") || $0.hasSuffix(".avhd") }
        #expect(differencing.count == plane.differencingDisks, "\(place): \(names)")
        let last = try #require(result.jobs.last { $0.kind == .expressFull }, "\(place)")
        if !trouble.forEver, plane.faults.allSatisfy({ $0.at < last.due }) {
            #expect(plane.differencingDisks == 0, "\(place): \(names) \(plane.faults)")
            #expect(last.status == .completed, "\(place): \(plane.faults)")
        }
        try plane.close()
        if try files.kind(of: "/real/pools/dpm-01") == .folder {
            #expect(try Pool.open("/real/pools/dpm-01", on: files).check() == [], "\(place): opened again")
        }
    }

    @Test("closing closes everything and tells the first fault", arguments: Trouble.all)
    private func closing(trouble: Trouble) throws {
        var installation = installation
        installation.extra = "script: [{run-check: vm, at: day 6 23:59}]"
        let quiet = SimulatedDisk()
        let result = try installation.run(on: quiet)
        #expect(result.plane.differencingDisks == 2, "no check was under way at the end")
        var before = trouble.counted(quiet)
        try result.plane.close()
        let calls = trouble.counted(quiet) - before
        #expect(calls > 0)
        for call in 1...max(1, calls) {
            let files = SimulatedDisk()
            let plane = try installation.run(on: files).plane
            before = trouble.counted(files)
            files.fault = trouble.fault(before + call)
            do throws(StorageFault) { try plane.close() } catch {
                #expect(error.kind == (trouble.code == EIO ? .device : .outOfSpace), "call \(call)")
            }
            files.fault = nil
            #expect(try Pool.open("/real/pools/dpm-01", on: files).check() == [], "call \(call)")
            let leaves = try files.list("/real/machines/vm").filter { $0.hasSuffix(".avhdx") || $0.hasSuffix(".avhd") }
            #expect(leaves.count == 2)
            for leaf in leaves {
                let access = ImageAccess(files, guids: SequentialGUIDs(seed: 9))
                #expect(throws: Never.self, "call \(call)") {
                    try DiskImage.open("/real/machines/vm/" + leaf, by: access, access: .readWrite).close()
                }
            }
        }
    }

    @Test("what cannot be made leaves nothing behind", arguments: Trouble.all)
    private func making(trouble: Trouble) throws {
        let quiet = SimulatedDisk()
        var calls = 0
        _ = try installation.run(on: quiet) { calls = trouble.counted(quiet) }
        for call in Swift.stride(from: 1, through: calls, by: stride ?? max(1, calls / 14)) where !trouble.forEver {
            let files = SimulatedDisk()
            files.fault = trouble.fault(call)
            #expect(throws: StorageFault.self, "call \(call)") { _ = try installation.run(on: files) }
            #expect(files.paths == [], "call \(call)")
        }
        let files = SimulatedDisk()
        files.fault = trouble.fault(1)
        #expect(throws: StorageFault.self) { _ = try installation.run(on: files) }
    }
}
