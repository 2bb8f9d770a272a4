import DiskImages
import Engine
import Files
import Protection
import StoragePool
import Tape
import Testing
import Units

private let plain = "name: vm, size: 100 GB, used: 40 %, churn: 4 %, working-set: 15 %"
private let two = "name: two, churn: 2 %, disks: [{size: 60 GB, used: 30 %}, {size: 90 GB, used: 50 %, format: vhd}]"
private let large = "name: large, size: 2 TB, used: 90 %, churn: 1 %, working-set: 10 %"
private let lto8 = "slots: 20, drives: {count: 2, generation: LTO-8}, cartridges: {count: 12}"
private let lto5 = "slots: 20, drives: {count: 1, generation: LTO-5}, cartridges: {count: 12}"
private let daily = "frequency: daily, retention: 1 weeks, time: \"23:00\""

@Suite("tapes of real machines") struct RealTapeTests {
    private func installation(
        _ machines: String, _ options: String, library: String = lto8, goal: String = daily, extra: String = ""
    ) -> RealInstallation {
        var installation = RealInstallation(machines: machines, extra: extra)
        (installation.library, installation.tape) = (library, "\(goal)|\(options)")
        return installation
    }

    /// 2 TB do not fit on an LTO-5 cartridge of 1.5 TB.
    private func spanning(_ options: String, extra: String = "") -> RealInstallation {
        var installation = installation(large, options, library: lto5, extra: extra)
        (installation.scale, installation.capacity, installation.days) = (100_000, "20 TB", 3)
        return installation
    }

    @Test(
        "every whole set comes back from its cartridges as the disks were, however it is written",
        arguments: [
            "encoding: plain", "encoding: compress", "encoding: encrypt", "encoding: compress, colocation: all",
            "drives: 2, encoding: encrypt, colocation: all, expiry-tolerance: 10 d",
        ])
    func setsAreTrue(options: String) throws {
        let result = try installation(
            "\(plain)\n\(two)\nname: small, size: 20 GB, used: 20 %, page-file: 1 GB", options
        ).run()
        let verdict = try result.plane.verifyTapes(result.outcome.tapeSets)
        #expect(verdict.problems == [])
        #expect(verdict.sets == result.outcome.tapeSets.count { $0.state == .whole })
        #expect(verdict.sets >= 15)
        #expect(result.plane.faults.isEmpty, "\(result.plane.faults)")
    }

    @Test(
        "a set that is too large for a cartridge goes on on the next one, where the run said",
        arguments: ["encoding: plain", "encoding: compress", "encoding: encrypt"])
    func spans(options: String) throws {
        let files = SimulatedDisk()
        let result = try spanning(options).run(on: files)
        let verdict = try result.plane.verifyTapes(result.outcome.tapeSets)
        #expect(verdict.problems == [])
        #expect(result.outcome.tapeSets.contains { $0.state == .whole && $0.cartridges.count == 2 })
        #expect(result.plane.faults.isEmpty, "\(result.plane.faults)")
        try result.plane.close()
        // 1.495 TB of 1.8 TB lie on the first one.
        let library = try MediaLibrary(
            opening: "/real/tapes/lib-01", files: files, store: CartridgeFiles(files), writable: false)
        let first = try #require(library.state.tapes.map(\.written).first { $0 > 0 })
        #expect(abs(first - 14_950_000) < 200_000, "\(first)")
    }

    @Test(
        "a set that is broken off is on tape as far as it came, and nowhere listed as whole",
        arguments: [
            "server-outage: dpm-01, lasts: 30 min", "drive-failure: lib-01/drive-1, lasts: 2 h",
        ], ["tape backup.transfer of large at 40 %", "tape backup.transfer of large at 95 %"])
    func broken(trouble: String, moment: String) throws {
        let files = SimulatedDisk()
        let result = try spanning("encoding: encrypt", extra: "script: [{\(trouble), when: \(moment)}]").run(on: files)
        let sets = result.outcome.tapeSets
        #expect(sets.contains { $0.state == .broken && $0.plain > .zero })
        #expect(sets.contains { $0.state == .whole })
        let verdict = try result.plane.verifyTapes(sets)
        #expect(verdict.problems == [])
        #expect(verdict.sets == sets.count { $0.state == .whole })
        #expect(result.plane.faults.isEmpty, "\(result.plane.faults)")
    }

    @Test("a set without its last part is found out by reading it back")
    func lostPart() throws {
        var planted = installation(plain, "encoding: compress")
        planted.planted = .lostTapePart
        let result = try planted.run()
        let verdict = try result.plane.verifyTapes(result.outcome.tapeSets)
        #expect(!verdict.problems.isEmpty)
        #expect(verdict.problems.allSatisfy { $0.contains("differs") }, "\(verdict.problems)")
    }

    @Test("a byte that rots on a cartridge is told, with the set it belongs to")
    func rot() throws {
        let files = SimulatedDisk()
        let result = try installation(plain, "encoding: plain").run(on: files)
        let file = try files.open("/real/tapes/lib-01/cartridges/LIB001L8.cart", .readWrite)
        let middle = try file.size() / 2
        var byte = try file.bytes(1, at: middle)
        byte[0] ^= 4
        try file.write(byte, at: middle)
        let verdict = try result.plane.verifyTapes(result.outcome.tapeSets)
        #expect(verdict.problems.count == 1)
        #expect(verdict.problems.first?.contains("of vm: ") == true, "\(verdict.problems)")
    }

    @Test("a cartridge whose sets have expired is erased and written again; what it held is gone")
    func overwritten() throws {
        var installation = installation(
            plain, "encoding: compress",
            library: "slots: 4, drives: {count: 1, generation: LTO-8}, cartridges: {count: 9}")
        installation.days = 14
        let result = try installation.run()
        let sets = result.outcome.tapeSets
        #expect(sets.contains { $0.state == .overwritten })
        let verdict = try result.plane.verifyTapes(sets)
        #expect(verdict.problems == [])
        #expect(verdict.sets == sets.count { $0.state == .whole })
        #expect(result.plane.faults.isEmpty, "\(result.plane.faults)")
    }

    @Test("the disks of a set are restored as images, in the machine's order; of a set that is none nothing is made")
    func restores() throws {
        let files = SimulatedDisk()
        let result = try installation(two, "encoding: encrypt").run(on: files)
        let set = try #require(result.outcome.tapeSets.last { $0.state == .whole })
        let paths = try result.plane.restoreSet(set.number, into: "/restored")
        #expect(paths == ["/restored/disk0.img", "/restored/disk1.img"])
        let error = #expect(throws: StorageFault.self) { _ = try result.plane.restoreSet(99, into: "/other") }
        #expect(error?.id == "ENGINE-NO-SET")
        #expect(try files.kind(of: "/other") == .none)
        try result.plane.close()

        let pool = try Pool.open("/real/pools/dpm-01", on: files, writable: false)
        let time = Int64(result.setting.clock.startDate.daysSince1970) * 86_400 + set.point.nanoseconds / 1_000_000_000
        let point = try #require(try pool.recoveryPoints(of: "two").first { $0.time == time })
        for (index, path) in paths.enumerated() {
            let device = try pool.device(of: "two", at: point.number, disk: "disk\(index)")
            let image = try files.open(path, .read)
            #expect(try image.size() == device.size)
            #expect(try image.bytes(Int(device.size), at: 0) == device.bytes(Int(device.size), at: 0))
        }
    }

    @Test("a run that encrypts its tapes is the same run in every process, though the keys are not")
    func repeats() throws {
        let installation = installation("\(plain)\n\(two)", "encoding: encrypt, colocation: all")
        let (first, second) = (try installation.run(), try installation.run())
        #expect(first.outcome.traceHash == second.outcome.traceHash)
        #expect(first.outcome.tapeSets == second.outcome.tapeSets)
        #expect(first.jobs == second.jobs)
    }
}
