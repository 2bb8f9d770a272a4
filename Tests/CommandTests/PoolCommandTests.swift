import Foundation
import Testing

@Suite("a pool's commands, run as people run them") struct PoolCommandTests {
    private let folder: PoolFolder
    init() throws { folder = try PoolFolder() }

    @Test("legacy volumes are shared, listed, grown and shrunk; a backup that does not fit changes nothing")
    func legacyVolumes() throws {
        try folder.make("a.raw", format: "raw", write: "write -P 17 1M 6M")
        try folder.run("pool create POOL")
        try folder.run(
            "pool protect POOL vm a.raw --replica-volume 8MiB --point-volume 601MiB --no-autogrow --colocation")
        #expect(
            try folder.run("pool protect POOL other a.raw --colocate-with vm", status: 3).errors.contains("POOL-58"))
        try folder.write("a.raw", format: "raw", "write -P 18 1M 2M")
        #expect(try folder.run("pool backup POOL vm", status: 3).errors.contains("POOL-30195"))
        #expect(try folder.points("vm") == [1])
        try folder.run("pool grow POOL vm --replica-volume 16MiB --point-volume 700MiB")
        try folder.run("pool backup POOL vm")
        try folder.run("pool protect POOL other a.raw --colocate-with vm")
        try folder.run("pool shrink POOL vm --point-volume 650MiB")
        // 600 MiB of a recovery point volume are DPM's own: this one is fuller than its threshold now.
        let facts = try folder.facts("pool areas POOL", status: 1)
        #expect((facts["alerts"] as? [[String: Any]])?.map { $0["id"] as? Int } == [3169])
        let area = try #require((facts["areas"] as? [[String: Any]])?.first)
        #expect(area["datasources"] as? [String] == ["other", "vm"])
        #expect(area["replicaUsed"] as? Int == 12 << 20)
        #expect(area["pointsUsed"] as? Int == 2 << 20)
        #expect(area["pointsSize"] as? Int == 650 << 20)
        try folder.run("pool check POOL")
    }

    @Test(
        "a datasource is protected, backed up, restored, pruned and removed", arguments: ["", " --zstd 1", " --share"])
    func wholeLife(kind: String) throws {
        try folder.make("a.raw", format: "raw", write: "write -P 17 1M 6M", "write -P 3 40M 3M")
        try folder.make("b.vhdx", format: "vhdx", write: "write -P 5 2M 9M")
        try folder.make("c.vhd", format: "vpc", write: "write -P 9 5M 1M")
        try folder.run("pool create POOL")
        try folder.run("pool add POOL second/")
        let first = try folder.facts("pool protect POOL vm a.raw b.vhdx c.vhd --label first" + kind)
        #expect(first["point"] as? Int == 1)
        #expect(first["disks"] as? [String] == ["a.raw", "b.vhdx", "c.vhd"])
        #expect(first["verified"] as? Int ?? 0 > 0)
        let images = [("a.raw", "raw"), ("b.vhdx", "vhdx"), ("c.vhd", "vpc")]
        for (name, _) in images { try folder.copy(name, to: "1-" + name) }
        // Changed, overwritten, zeroed.
        for (name, format) in images {
            try folder.write(name, format: format, "write -P 77 3M 128k")
            try folder.write(name, format: format, "write -z 2M 64k")
        }
        let second = try folder.facts("pool backup POOL vm --label second")
        #expect(second["point"] as? Int == 2)
        #expect(second["changed"] as? Int ?? 0 >= 3 * (128 << 10))
        for (name, _) in images { try folder.copy(name, to: "2-" + name) }
        try folder.run("pool backup POOL vm --no-changes")
        #expect(try folder.points("vm") == [1, 2, 3])
        for point in [1, 2] {
            try folder.run("pool restore POOL vm --point \(point) --to out\(point)/")
            for (name, _) in images { #expect(folder.areEqual("out\(point)/\(name)", "\(point)-\(name)")) }
        }
        // Into other formats.
        try folder.run("pool restore POOL vm --point 1 --to raw/ --format raw")
        #expect(folder.areEqual("raw/b.raw", "1-b.vhdx"))
        // qemu-img takes a fixed VHD for a raw disk.
        try folder.run("pool restore POOL vm --disk b.vhdx --to new.vhd --fixed")
        try folder.run("image compare new.vhd 2-b.vhdx")
        try folder.run("pool restore POOL vm --point 1 --disk b.vhdx --to new.vhd --force")
        #expect(folder.areEqual("new.vhd", "1-b.vhdx"))

        #expect(try folder.facts("pool scrub POOL")["damage"] as? [Int] == [])
        try folder.run("pool check POOL")
        let pruned = try folder.facts("pool prune POOL vm --point 1")
        #expect(pruned["kept"] as? [Int] == [2, 3])
        #expect(pruned["freed"] as? Int ?? 0 > 0)
        try folder.run("pool prune POOL vm --keep 1")
        #expect(try folder.points("vm") == [3])
        try folder.run("pool restore POOL vm --to out3/")
        for (name, _) in images { #expect(folder.areEqual("out3/\(name)", "2-\(name)")) }
        try folder.run("pool check POOL")
        try folder.run("pool remove POOL vm")
        let stat = try folder.facts("pool stat POOL")
        #expect((stat["datasources"] as? [Any])?.isEmpty == true)
        let volumes = try #require(stat["volumes"] as? [[String: Any]])
        #expect(volumes.compactMap { $0["live"] as? Int } == [0, 0])
        try folder.run("pool check POOL")
    }

    @Test("a list of changes is what is read, and a disk that grew is read where it grew")
    func changes() throws {
        try folder.make("a.raw", format: "raw", write: "write -P 1 0 4M")
        try folder.make("b.raw", format: "raw", write: "write -P 2 0 4M")
        try folder.run("pool create POOL")
        try folder.run("pool protect POOL vm a.raw b.raw --no-verify")
        try folder.write("a.raw", format: "raw", "write -P 3 1M 64k")
        try folder.write("b.raw", format: "raw", "write -P 4 2M 4k")
        _ = try folder.scratch.write(
            "# disk offset length\na.raw 1048576 65536\n\nb.raw 2097152 4096\n", to: "list.txt")
        let facts = try folder.facts("pool backup POOL vm --changes list.txt")
        #expect(facts["read"] as? Int == 131_072 && facts["changed"] as? Int == 131_072)
        try Tool.run("qemu-img", "resize", "-q", "-f", "raw", folder.path("a.raw"), "64M")
        try folder.write("a.raw", format: "raw", "write -P 5 60M 1M")
        try folder.run("pool backup POOL vm --no-changes")
        try folder.run("pool restore POOL vm --to out/")
        #expect(folder.areEqual("out/a.raw", "a.raw") && folder.areEqual("out/b.raw", "b.raw"))
        try folder.run("pool consistency-check POOL vm")
        // A disk goes, and comes back under another name.
        try folder.run("pool backup POOL vm a.raw --without b.raw")
        let disks = try #require(try folder.json("pool disks POOL vm") as? [[String: Any]])
        #expect(disks.compactMap { $0["name"] as? String } == ["a.raw"])
        try folder.run("pool backup POOL vm a.raw b.raw --disk-name a.raw --disk-name data")
        try folder.run("pool restore POOL vm --disk data --to data.raw")
        #expect(folder.areEqual("data.raw", "b.raw"))
    }

    @Test("a consistency check finds and mends what a list of changes left out, and ends with 1")
    func consistency() throws {
        try folder.make("a.raw", format: "raw", write: "write -P 1 0 4M")
        try folder.run("pool create POOL --block 16KiB")
        try folder.run("pool protect POOL vm a.raw")
        try folder.run("pool consistency-check POOL vm")
        try folder.write("a.raw", format: "raw", "write -P 3 1M 16k")
        try folder.run("pool backup POOL vm --no-changes")
        let facts = try folder.facts("pool consistency-check POOL vm", status: 1)
        let differences = try #require(facts["differences"] as? [[String: Any]])
        #expect(differences.map { $0["start"] as? Int } == [1 << 20])
        #expect(differences.map { $0["length"] as? Int } == [16 << 10])
        try folder.run("pool consistency-check POOL vm --point --label after")
        #expect(try folder.points("vm").count == 3)
        try folder.run("pool restore POOL vm --to r.raw")
        #expect(folder.areEqual("r.raw", "a.raw"))
    }

    @Test(
        "tracked writes alone are read by the next backup, also after the writer was killed",
        arguments: ["raw", "vpc", "vhdx"])
    func tracked(format: String) throws {
        let image = ["raw": "a.raw", "vpc": "a.vhd", "vhdx": "a.vhdx"][format]!
        try folder.make(image, format: format, megabytes: 300, write: "write -P 1 0 20M", "write -P 2 200M 4M")
        try folder.run("pool create POOL")
        try folder.run("pool protect POOL vm \(image) --tracked")
        try Data(repeating: 7, count: 100_000).write(to: URL(fileURLWithPath: folder.path("bytes.bin")))
        let written = try folder.facts("image write \(image) --offset 5000001 --from bytes.bin")
        #expect(written["isTracked"] as? Bool == true)
        #expect(try folder.facts("pool backup POOL vm")["read"] as? Int == 131_072)
        #expect(try folder.facts("pool backup POOL vm")["read"] as? Int == 0)

        for signal in [SIGKILL, SIGINT] {
            let server = try folder.start("image serve \(image) --socket s.sock")
            let uri = try #require(server.line())
            try Tool.run("qemu-io", "-f", "raw", "-c", "write -P \(signal) 201M 1M", "-c", "flush", uri)
            #expect(try folder.run("pool backup POOL vm", status: 3).errors.contains("IMAGE-BUSY"))
            #expect(server.end(by: signal) == (signal == SIGKILL ? SIGKILL : 0))
            let facts = try folder.facts("pool backup POOL vm")
            let read = try #require(facts["read"] as? Int)
            // After a crash regions are read, not the whole disk.
            #expect(signal == SIGKILL ? read >= 1 << 20 && read < 20 << 20 : read == 1 << 20, "\(facts)")
            try folder.run("pool restore POOL vm --to r.raw --force")
            try folder.run("image compare r.raw \(image)")
        }
        // Who writes without telling is noticed.
        try folder.write(image, format: format, "write -P 99 10M 64k")
        let facts = try folder.facts("pool backup POOL vm --tracked")
        #expect((facts["notes"] as? [String])?.first?.contains("tracked") == true, "\(facts)")
        #expect(try folder.facts("pool backup POOL vm")["read"] as? Int == 0)
        try folder.run("pool restore POOL vm --to r.raw --force")
        try folder.run("image compare r.raw \(image)")
        try folder.run("pool consistency-check POOL vm")
    }

    @Test("a backup that the track file did not see makes the next one compare everything")
    func mixedChoices() throws {
        try folder.make("a.raw", format: "raw", write: "write -P 1 0 4M")
        try folder.run("pool create POOL")
        try folder.run("pool protect POOL vm a.raw --tracked")
        // Another image as the same disk, then the first again.
        try folder.copy("a.raw", to: "other.raw")
        try folder.write("other.raw", format: "raw", "write -P 8 3M 64k")
        try folder.run("pool backup POOL vm other.raw")
        let facts = try folder.facts("pool backup POOL vm a.raw")
        #expect(facts["changed"] as? Int == 65_536, "\(facts)")
        try folder.run("pool restore POOL vm --to r.raw")
        #expect(folder.areEqual("r.raw", "a.raw"))
        #expect(try folder.facts("pool backup POOL vm")["read"] as? Int == 0)
    }

    @Test("the disks of a recovery point are read by others over NBD, and it cannot be pruned meanwhile")
    func exported() throws {
        try folder.make("a.raw", format: "raw", write: "write -P 17 1M 6M")
        try folder.make("b.vhdx", format: "vhdx", write: "write -P 5 2M 9M")
        try folder.run("pool create POOL")
        try folder.run("pool protect POOL vm a.raw b.vhdx")
        try folder.run("pool backup POOL vm")
        for address in ["--socket s.sock", ""] {
            let server = try folder.start("pool nbd POOL vm --point 1 " + address)
            let (a, b) = (try #require(server.line()), try #require(server.line()))
            #expect(Tool.works(["qemu-img", "compare", "-f", "raw", a, folder.path("a.raw")]))
            try Tool.run("nbdcopy", b, folder.path("copy.raw"))
            #expect(folder.areEqual("copy.raw", "b.vhdx"))
            #expect(!Tool.works(["qemu-io", "-f", "raw", "-c", "write 0 64k", a]))
            #expect(try folder.run("pool prune POOL vm --point 1", status: 3).errors.contains("POOL-POINT-BUSY"))
            #expect(server.end(by: SIGTERM) == 0)
        }
        try folder.run("pool prune POOL vm --point 1")
        let bytes = try folder.run("pool cat POOL vm --disk a.raw --offset 1048575 --length 3")
        #expect(Array(bytes.output.utf8) == [0, 17, 17])
    }

    @Test("two programs at once protect, back up and remove two datasources of one pool")
    func together() throws {
        try folder.make("a.raw", format: "raw", write: "write -P 17 0 16M")
        try folder.make("b.raw", format: "raw", write: "write -P 18 0 16M")
        try folder.run("pool create POOL")
        for _ in 0..<2 {
            let both = try ["a", "b"].map { try folder.start("pool protect POOL \($0) \($0).raw") }
            for one in both { one.process.waitUntilExit() }
            #expect(both.map { $0.process.terminationStatus } == [0, 0])
            let backups = try ["a", "b"].map { try folder.start("pool backup POOL \($0) --scan") }
            for one in backups { one.process.waitUntilExit() }
            #expect(backups.map { $0.process.terminationStatus } == [0, 0])
            try folder.run("pool check POOL")
            for name in ["a", "b"] {
                try folder.run("pool restore POOL \(name) --to r.raw --force")
                #expect(folder.areEqual("r.raw", "\(name).raw"))
            }
            let ends = try ["a", "b"].map { try folder.start("pool remove POOL \($0)") }
            for one in ends { one.process.waitUntilExit() }
            #expect(ends.map { $0.process.terminationStatus } == [0, 0])
        }
        try folder.run("pool check POOL")
    }

    @Test("a backup that is killed has not happened, and the next one is whole")
    func killed() throws {
        try folder.make("a.raw", format: "raw", megabytes: 64, write: "write -P 17 0 48M")
        try folder.run("pool create POOL --segment 8MiB")
        try folder.run("pool protect POOL vm a.raw")
        try folder.copy("a.raw", to: "before.raw")
        try folder.write("a.raw", format: "raw", "write -P 18 0 48M")
        var kills = 0
        for segments in [7, 9] {
            let count = try folder.points("vm").count
            let backup = try folder.start("pool backup POOL vm --scan")
            // As soon as so many segments are there, it is under way.
            while backup.process.isRunning, segmentFiles() < segments {}
            kill(backup.process.processIdentifier, SIGKILL)
            backup.process.waitUntilExit()
            guard backup.process.terminationReason == .uncaughtSignal else { break }
            kills += 1
            #expect(try folder.points("vm").count == count)
            try folder.run("pool restore POOL vm --to r.raw --force")
            #expect(folder.areEqual("r.raw", "before.raw"))
        }
        #expect(kills > 0)
        try folder.run("pool check POOL")
        try folder.run("pool backup POOL vm --scan")
        try folder.run("pool restore POOL vm --to r.raw --force")
        #expect(folder.areEqual("r.raw", "a.raw"))
        try folder.run("pool restore POOL vm --point 1 --to r.raw --force")
        #expect(folder.areEqual("r.raw", "before.raw"))
        try folder.run("pool check POOL")
        // The same with the first copy: nothing is protected, and the name is free.
        let protect = try folder.start("pool protect POOL second a.raw")
        let known = segmentFiles()
        while protect.process.isRunning, segmentFiles() < known + 2 {}
        kill(protect.process.processIdentifier, SIGKILL)
        protect.process.waitUntilExit()
        if protect.process.terminationReason == .uncaughtSignal {
            try folder.run("pool protect POOL second a.raw")
        }
        try folder.run("pool restore POOL second --to r.raw --force")
        #expect(folder.areEqual("r.raw", "a.raw"))
        try folder.run("pool check POOL")
    }

    private func segmentFiles() -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: folder.path("POOL/segments")).count) ?? 0
    }

    @Test("Control-C ends the first copy so that nothing of it is there, unless it was done already")
    func stopped() throws {
        try folder.make("a.raw", format: "raw", megabytes: 64, write: "write -P 17 0 48M")
        try folder.run("pool create POOL --segment 8MiB")
        let protect = try folder.start("pool protect POOL vm a.raw")
        while protect.process.isRunning, segmentFiles() < 1 {}
        let status = protect.end(by: SIGINT)
        let points = try #require(try folder.json("pool points POOL") as? [[String: Any]])
        #expect(status == 130 && points.isEmpty || status == 0 && points.count == 1, "\(status) \(points)")
        try folder.run("pool check POOL")
    }

    @Test("what rotted is found by scrub, told by restore, and mended by repair from the machine's disk")
    func rot() throws {
        try folder.make("a.raw", format: "raw", write: "write -P 17 1M 6M")
        try folder.run("pool create POOL")
        try folder.run("pool protect POOL vm a.raw")
        let segments = folder.path("POOL/segments")
        let file = try #require(try FileManager.default.contentsOfDirectory(atPath: segments).sorted().first)
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: segments + "/" + file))
        try handle.seek(toOffset: 1_000_000)
        try handle.write(contentsOf: Data([0xFF]))
        try handle.close()
        let damage = try #require(try folder.facts("pool scrub POOL", status: 1)["damage"] as? [[String: Any]])
        #expect(damage.count == 1 && damage.first?["points"] as? [Int] == [1])
        #expect(try folder.run("pool restore POOL vm --to r.raw", status: 3).errors.contains("POOL-DAMAGED"))
        #expect(folder.scratch.names.filter { $0.hasPrefix("r.raw") } == [])
        let facts = try folder.facts("pool repair POOL --source vm=a.raw")
        #expect((facts["mended"] as? [Any])?.count == 1 && (facts["lost"] as? [Any])?.isEmpty == true)
        try folder.run("pool restore POOL vm --to r.raw")
        #expect(folder.areEqual("r.raw", "a.raw"))
        try folder.run("pool scrub POOL --rate 1GB/s --resume")
        try folder.run("pool check POOL")
    }
}
