import DiskImages
import Engine
import Files
import Foundation
import GuestFiles
import Jobs
import Protection
import Simulation
import StoragePool
import Testing
import Units

@Suite("machines, disks, volumes and files that come back") struct RecoveredItemsTests {
    @Test(
        "REC-2, REC-3, REC-4 obeyed: all that a recovery point gives passes the checks of others, and equals what the disk held",
        arguments: [("ntfs", "vhdx"), ("fat32", "vhd"), ("ext4", "vhdx")])
    func everyKind(kind: String, format: String) throws {
        let scratch = try Scratch()
        var installation = RealInstallation(
            machines: "name: vm, size: 50 GB, used: 50 %, churn: 8 %, page-file: 4 GB, format: \(format), "
                + "guest-disk: \(kind)",
            extra: "script: [{at: day 3 13:00, run-check: vm}]")
        (installation.scale, installation.days) = (1_000, 5)
        let real = scratch.path + "/real"
        let stepped = try SteppedRun(installation, on: HostFiles(), in: real)
        stepped.advance(toHour: 60)
        let point = try #require(stepped.points.first)
        let (plane, now) = (stepped.plane, stepped.run.now)
        let names = kind == "ntfs" ? ["data.bin", "document-7.txt"] : ["data.bin", "Documents"]
        let orders = [
            stepped.order(1, to: SteppedRun.otherHost, point: point),
            stepped.order(2, to: SteppedRun.networkFolder, point: point),
            stepped.order(3, what: .disks([0]), to: SteppedRun.networkFolder, point: point),
            stepped.order(4, what: .volumes([1]), to: SteppedRun.networkFolder, point: point),
            stepped.order(
                5, what: .files(volume: 1, paths: names.map { "/" + $0 }), to: SteppedRun.networkFolder, point: point),
            stepped.order(6, what: .files(volume: 1, paths: ["/"]), to: SteppedRun.networkFolder, point: point),
            stepped.order(7, point: point),
        ]
        for order in orders {
            #expect(try plane.recoverable(order) > .zero)
            try plane.recover(order, at: now)
        }
        #expect(plane.recoveries.filter { !$0.holds } == [])
        #expect(
            plane.recoveries.map(\.kind) == [
                .host, .networkFolder, .networkFolder, .volumes, .files, .files, .original,
            ])
        #expect(plane.recoveries[4].files == (kind == "ntfs" ? 2 : 21))
        #expect(plane.recoveries[5].files >= 21)
        #expect(plane.faults.isEmpty, "\(plane.faults)")

        let pool = try Pool.open(real + "/pools/dpm-01", on: HostFiles(), writable: false)
        let number = try #require(pool.recoveryPoints(of: "vm").first?.number)
        let device = try pool.device(of: "vm", at: number)
        let wanted = try scratch.export(device, to: "expected.raw")
        let folder = real + "/recovered"
        #expect(
            try HostFiles().list(folder) == ["1-vm", "2-vm", "3-vm", "4-vm", "5-vm", "6-vm"])
        #expect(try HostFiles().list(folder + "/1-vm") == ["disk0.\(format)", "vm.vmcx"])
        #expect(try HostFiles().list(folder + "/3-vm") == ["disk0.\(format)"])
        let driver = format == "vhd" ? "vpc" : "vhdx"
        try plane.close()
        for image in ["recovered/1-vm/disk0", "recovered/2-vm/disk0", "recovered/3-vm/disk0", "machines/vm/disk0-7"] {
            let path = "\(real)/\(image).\(format)"
            // qemu-img has no check for VHD.
            if driver == "vhdx" { #expect(try scratch.complaint("qemu-img", "check", "-f", driver, path) == nil) }
            #expect(
                try scratch.complaint("qemu-img", "compare", "-f", "raw", "-F", driver, wanted, path) == nil, "\(image)"
            )
        }
        let facts = try #require(try GuestDisk(device).volumes().first)
        let volume = folder + "/4-vm/volume-1.raw"
        #expect(try scratch.check(kind, volume) == nil)
        let slice = try scratch.export(try SliceDevice(device, facts.range), to: "slice.raw")
        #expect(try scratch.complaint("cmp", slice, volume) == nil)

        let text = "Document 7 of vm.\n" + String(repeating: "All work and no play. ", count: 280)
        let document = "/5-vm/" + (kind == "ntfs" ? "" : "Documents/") + "document-7.txt"
        #expect(try String(contentsOfFile: folder + document, encoding: .utf8) == text)
        let guest = try GuestDisk(device).open(facts).entry(at: String(document.dropFirst(5)))
        let time = try FileManager.default.attributesOfItem(atPath: folder + document)[.modificationDate] as? Date
        #expect(guest.modified?.seconds == time.map { Int64($0.timeIntervalSince1970.rounded(.down)) })
        try expectConfigurations(real, format)
    }

    private func expectConfigurations(_ real: String, _ format: String) throws {
        func read(_ path: String) throws -> VMCXFile {
            try VMCXFile(bytes: [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))), name: path)
        }
        let other = try read(real + "/recovered/1-vm/vm.vmcx")
        let copy = try read(real + "/recovered/2-vm/vm.vmcx")
        let own = try read(real + "/machines/vm/vm.vmcx")
        #expect([other.name, copy.name, own.name] == ["vm", "vm", "vm"])
        #expect(other.disks.map(\.path) == ["\(real)/recovered/1-vm/disk0.\(format)"])
        #expect(copy.disks.map(\.path) == ["\(real)/machines/vm/disk0.\(format)"])
        #expect(own.disks.map(\.path) == ["\(real)/machines/vm/disk0-7.\(format)"])
        // Another machine on another host, the same one in its own place.
        #expect(own.id != nil && copy.id == own.id && other.id != own.id)
    }

    @Test(
        "PRC-5 obeyed: a guest with a file system goes on after a recovery, and its page file stays out of what travels",
        arguments: ["ntfs", "ext4"])
    func fileSystemsGoOn(kind: String) throws {
        let scratch = try Scratch()
        var installation = RealInstallation(
            machines: "name: vm, size: 50 GB, used: 50 %, churn: 8 %, page-file: 4 GB, guest-disk: \(kind)",
            extra: "script: [{at: day 3 13:00, run-check: vm}]")
        (installation.scale, installation.days) = (1_000, 5)
        let stepped = try SteppedRun(installation, on: HostFiles(), in: scratch.path + "/real")
        stepped.advance(toHour: 60)
        let point = try #require(stepped.points.first)
        let order = stepped.order(1, point: point)
        #expect(try stepped.plane.recoverable(order) == stepped.plane.used(stepped.machine, at: point))
        try stepped.plane.recover(order, at: stepped.run.now)
        try stepped.expectSound()
        #expect(stepped.points.last.map { $0 > stepped.plane.recoveries[0].at } == true)
        try stepped.plane.close()
    }

    @Test(
        "the image that a machine began as keeps every byte when its disk is recovered",
        arguments: ["vhdx", "vhd", "raw"])
    func imagesStay(format: String) throws {
        let scratch = try Scratch()
        let image = try scratch.image(format)
        let before = try Data(contentsOf: URL(fileURLWithPath: image))
        var installation = RealInstallation(
            machines: "name: vm, size: 16 MB, used: 2 MB, churn: 1 MB, working-set: 1.5 MB, image: \(image)",
            extra: "script: [{at: day 3 13:00, run-check: vm}]")
        installation.scale = 1
        let stepped = try SteppedRun(installation, on: HostFiles(), in: scratch.path + "/real")
        stepped.advance(toHour: 60)
        try stepped.plane.recover(
            stepped.order(1, point: try #require(stepped.points.first)), at: stepped.run.now)
        try stepped.expectSound("\(format)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: image)) == before)
        try stepped.plane.close()
    }

    @Test("before Windows Server 2016 the configuration is XML")
    func xml() throws {
        var installation = RealInstallation(machines: "name: vm, size: 50 GB, used: 20 %, churn: 1 %")
        installation.windows = "2012 R2"
        let disk = SimulatedDisk()
        let stepped = try SteppedRun(installation, on: disk)
        stepped.advance(toHour: 60)
        let point = try #require(stepped.points.first)
        try stepped.plane.recover(stepped.order(1, to: SteppedRun.otherHost, point: point), at: stepped.run.now)
        let text = String(decoding: try #require(disk.contents("/real/recovered/1-vm/vm.xml")), as: UTF8.self)
        #expect(text.contains("<name type=\"string\">vm</name>"))
        #expect(text.contains("<pathname type=\"string\">/real/recovered/1-vm/disk0.vhdx</pathname>"))
        let tags = text.matches(of: /<(\/?)([A-Za-z_][^ >]*)[^>]*>/).map { ($0.1.isEmpty, $0.2) }
        var open: [Substring] = []
        for (isOpening, name) in tags {
            if isOpening { open.append(name) } else { #expect(open.popLast() == name) }
        }
        #expect(open.isEmpty && tags.count > 20)
    }

    @Test("streams, holes and links of files come back as they were, and what is deleted or missing is an error")
    func streamsAndHoles() throws {
        let scratch = try Scratch()
        try Data(repeating: 7, count: 100_000).write(to: URL(fileURLWithPath: scratch.path + "/main"))
        try Data(repeating: 9, count: 70_000).write(to: URL(fileURLWithPath: scratch.path + "/aside"))
        for (kind, steps) in [
            (
                "ntfs",
                "truncate -s 16M image && mkntfs -F -Q -q -s 512 -c 4096 -p 0 -H 255 -S 63 image && "
                    + "ntfscp -f -q image main file && ntfscp -f -q -N extra image aside file"
            ),
            (
                "ext4",
                "mkdir tree && cp main tree/file && truncate -s 3M tree/hole && printf end >> tree/hole && "
                    + "ln -s file tree/link && cp main tree/gone && rm -f image && "
                    + "mke2fs -q -F -t ext4 -d tree image 16M && debugfs -w -R 'rm gone' image"
            ),
        ] {
            #expect(try scratch.complaint("sh", "-c", steps) == nil)
            var installation = RealInstallation(
                machines: "name: vm, size: 16 MB, used: 1 MB, churn: 0 %, image: \(scratch.path)/image")
            (installation.scale, installation.days) = (1, 4)
            let real = "\(scratch.path)/real-\(kind)"
            let stepped = try SteppedRun(installation, on: HostFiles(), in: real)
            stepped.advance(toHour: 60)
            let point = try #require(stepped.points.first)
            let names = kind == "ntfs" ? ["/file"] : ["/file", "/hole", "/link"]
            let order = stepped.order(
                1, what: .files(volume: 1, paths: names), to: SteppedRun.networkFolder, point: point)
            #expect(
                try stepped.plane.recoverable(order) == Bytes(kind == "ntfs" ? 170_000 : 100_000 + (3 << 20) + 3))
            try stepped.plane.recover(order, at: stepped.run.now)
            #expect(stepped.plane.recoveries.filter { !$0.holds } == [])
            let folder = real + "/recovered/1-vm"
            if kind == "ntfs" {
                #expect(try HostFiles().list(folder) == ["file", "file:extra"])
            } else {
                #expect(try HostFiles().list(folder) == ["file", "hole", "link"])
                #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/link") == "file")
                let hole = try HostFiles().open(folder + "/hole", .read)
                #expect(try hole.size() == (3 << 20) + 3)
                #expect(try hole.allocated() < 1 << 20)
            }
            for path in ["/gone", "/none/file", "/file/inside"] {
                let missing = stepped.order(
                    2, what: .files(volume: 1, paths: names + [path]), to: SteppedRun.networkFolder, point: point)
                #expect(throws: PlaneFault.self, "\(path)") { _ = try stepped.plane.recoverable(missing) }
                let fault = #expect(throws: PlaneFault.self) {
                    try stepped.plane.recover(missing, at: stepped.run.now)
                }
                #expect(fault?.error == 202, "\(path)")
            }
            let outside = stepped.order(
                3, what: .files(volume: 1, paths: ["/../file"]), to: SteppedRun.networkFolder, point: point)
            #expect(throws: PlaneFault.self) { try stepped.plane.recover(outside, at: stepped.run.now) }
            #expect(try HostFiles().list(real + "/recovered") == ["1-vm"])
            try stepped.plane.close()
        }
    }

    @Test("on a disk in memory files are refused with the reason, disks and volumes come back")
    func inMemory() throws {
        let disk = SimulatedDisk()
        let stepped = try SteppedRun(RealInstallation(machines: "name: vm, size: 50 GB, used: 20 %"), on: disk)
        stepped.advance(toHour: 60)
        let point = try #require(stepped.points.first)
        let files = stepped.order(
            1, what: .files(volume: 1, paths: ["/a"]), to: SteppedRun.networkFolder, point: point)
        let fault = #expect(throws: PlaneFault.self) { try stepped.plane.recover(files, at: stepped.run.now) }
        #expect(fault?.cause.contains("ENGINE-RECOVERY") == true)
        let volume = stepped.order(2, what: .volumes([1]), to: SteppedRun.networkFolder, point: point)
        try stepped.plane.recover(volume, at: stepped.run.now)
        #expect(stepped.plane.recoveries.map(\.holds) == [true])
        #expect(try disk.list("/real/recovered") == ["2-vm"])
    }
}
