import DiskImages
import Engine
import Files
import Foundation
import GuestFiles
import Protection
import StoragePool
import Testing
import Units

@Suite("disks that guests have") struct GuestDiskTests {
    /// What a checker of the file system's own says; empty if it finds nothing.
    private func check(_ kind: String, _ volume: String) throws -> String {
        let command: [String: [String]] = [
            "ntfs": ["/usr/bin/ntfsfix", "-n", volume], "fat32": ["/usr/sbin/fsck.fat", "-n", volume],
            "ext4": ["/usr/sbin/e2fsck", "-fn", volume],
        ]
        let words = try #require(command[kind])
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(words.first))
        process.arguments = Array(words.dropFirst())
        let output = Pipe()
        (process.standardOutput, process.standardError) = (output, output)
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return process.terminationStatus == 0 ? "" : text
    }

    @Test(
        "every recovery point is what the disk held, and its file system's own checker finds nothing wrong with it",
        arguments: ["ntfs", "fat32", "ext4"])
    func pointsHaveSoundFileSystems(kind: String) throws {
        let scratch = try Scratch()
        var installation = RealInstallation(
            machines: "name: vm, size: 50 GB, used: 50 %, churn: 8 %, page-file: 4 GB, guest-disk: \(kind)")
        (installation.scale, installation.days) = (1_000, 4)
        let result = try installation.run(on: HostFiles(), in: scratch.path + "/real")
        let verdicts = try result.plane.verify()
        #expect(verdicts.filter { !$0.holds } == [])
        #expect(verdicts.count >= 3)
        #expect(result.plane.faults.isEmpty, "\(result.plane.faults)")
        try result.plane.close()

        let pool = try Pool.open(scratch.path + "/real/pools/dpm-01", on: HostFiles(), writable: false)
        for point in try pool.recoveryPoints(of: "vm") {
            let device = try pool.device(of: "vm", at: point.number)
            let facts = try #require(try GuestDisk(device).volumes().first)
            let volume = scratch.path + "/volume-\(point.number)"
            let slice = try SliceDevice(device, facts.range)
            try ImageConversion(slice, to: volume, as: NewImage(format: .raw, size: slice.size)).run(
                on: HostFiles(), guids: SequentialGUIDs(seed: 1), created: 0)
            #expect(try check(kind, volume) == "", "point \(point.number)")
        }
    }

    @Test("PRC-5 obeyed: what travels of a guest with NTFS is what changed outside of its page file")
    func pageFilesStay() throws {
        let scratch = try Scratch()
        var sent: [Int64] = []
        for (name, pageFile) in [("with", "12 GB"), ("without", "0 B")] {
            var installation = RealInstallation(
                machines: "name: vm, size: 50 GB, used: 60 %, churn: 8 %, page-file: \(pageFile), guest-disk: ntfs")
            (installation.scale, installation.days) = (1_000, 4)
            let result = try installation.run(on: HostFiles(), in: "\(scratch.path)/\(name)")
            #expect(try result.plane.verify().filter { !$0.holds } == [])
            let fulls = result.jobs.filter { $0.kind == .expressFull && $0.status == .completed }
            let (changed, moved) = (fulls.reduce(0) { $0 + $1.changed.count }, fulls.reduce(0) { $0 + $1.sent.count })
            #expect(pageFile == "0 B" ? moved == changed : moved < changed / 4)
            sent.append(moved)
        }
        #expect(sent[0] < sent[1] / 4)
    }

    @Test("PRC-5 broken: a disk without a file system has no page file to leave out but the one that is modelled")
    func noPageFile() throws {
        let result = try RealInstallation(machines: "name: vm, size: 50 GB, used: 60 %, churn: 8 %").run()
        let fulls = result.jobs.filter { $0.kind == .expressFull && $0.status == .completed }
        #expect(!fulls.isEmpty)
        #expect(fulls.allSatisfy { $0.sent == $0.changed })
    }

    @Test(
        "a machine that begins as an image writes to a child of it; the image keeps every byte",
        arguments: ["vhdx", "vhd", "raw"])
    func imagesStay(format: String) throws {
        let scratch = try Scratch()
        let image = try scratch.image(format)
        let before = try Data(contentsOf: URL(fileURLWithPath: image))
        var installation = RealInstallation(
            machines: "name: vm, size: 16 MB, used: 2 MB, churn: 1 MB, working-set: 1.5 MB, image: \(image)")
        installation.scale = 1
        let result = try installation.run(on: HostFiles(), in: scratch.path + "/real")
        #expect(try result.plane.verify().filter { !$0.holds } == [])
        #expect(result.jobs.contains { $0.kind == .expressFull && $0.changed > .zero })
        #expect(try Data(contentsOf: URL(fileURLWithPath: image)) == before)
    }

    @Test(
        "what cannot be made is refused with its cause, and nothing is left",
        arguments: [
            ("name: vm, size: 5 GB, used: 1 GB, guest-disk: ntfs", "ENGINE-GUEST"),
            ("name: vm, size: 5 GB, used: 1 GB, image: /nowhere/disk.vhdx", "FILE-"),
        ])
    func refusals(machine: String, id: String) throws {
        let scratch = try Scratch()
        let error = #expect(throws: StorageFault.self) {
            _ = try RealInstallation(machines: machine).run(on: HostFiles(), in: scratch.path + "/real")
        }
        #expect(error?.id.hasPrefix(id) == true, "\(String(describing: error))")
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == [])
    }
}
