import BlockDeviceContract
import DiskImages
import Files
import Foundation
import GuestFiles
import Testing

/// A disk as sfdisk divides it.
struct DividedDisk: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var script: String
    var scheme: PartitionTable.Scheme

    static let all = [
        DividedDisk(
            testDescription: "GPT with three partitions, named",
            script: """
                label: gpt
                start=2048, size=20480, type=uefi, name="EFI system"
                size=32768, type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE, name="Microsoft reserved"
                size=40960, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, name="Basic data ☃"
                """, scheme: .gpt),
        DividedDisk(
            testDescription: "MBR with two primary partitions",
            script: "label: dos\nstart=2048, size=20480, type=7, bootable\nsize=40960, type=c\n", scheme: .mbr),
        DividedDisk(
            testDescription: "MBR with three logical partitions",
            script: """
                label: dos
                start=2048, size=20480, type=83
                size=90000, type=f
                5: size=10240, type=7
                6: size=20480, type=83
                7: size=30720, type=82
                """, scheme: .mbr),
    ]
}

private struct SfdiskAnswer: Decodable {
    struct Table: Decodable { var partitions: [Partition] }
    struct Partition: Decodable { var node: String, start: Int64, size: Int64, type: String, name: String? }
    var partitiontable: Table
}

@Suite("partition tables are read as sfdisk reads them") struct PartitionTableTests {
    @Test("every partition has sfdisk's place, type, number and name", arguments: DividedDisk.all)
    func equalsSfdisk(disk: DividedDisk) throws {
        let lab = try GuestLab()
        try lab.run("truncate", "-s", "64M", "a.raw")
        try lab.run("sfdisk", "-q", "a.raw", input: disk.script)
        let answer = try JSONDecoder().decode(SfdiskAnswer.self, from: lab.run("sfdisk", "-J", "a.raw"))
        let table = try PartitionTable(of: try lab.device("a.raw"))
        #expect(table.scheme == disk.scheme && table.notes == [])
        let wanted = answer.partitiontable.partitions.filter { !["5", "f"].contains($0.type) }
        #expect(table.partitions.map(\.range) == wanted.map { $0.start * 512..<($0.start + $0.size) * 512 })
        #expect(table.partitions.map(\.name) == wanted.map { $0.name ?? "" })
        #expect(table.partitions.map { "a.raw\($0.number)" } == wanted.map(\.node))
        #expect(
            table.partitions.map { Int($0.type.dropFirst(2), radix: 16).map { String($0, radix: 16) } ?? $0.type }
                == wanted.map(\.type))
    }

    @Test("a damaged GPT is read from its copy, and said to be; of two damaged copies none is believed")
    func damagedGPT() throws {
        let lab = try GuestLab()
        try lab.run("truncate", "-s", "64M", "a.raw")
        try lab.run("sfdisk", "-q", "a.raw", input: DividedDisk.all[0].script)
        let whole = try PartitionTable(of: try lab.device("a.raw"))
        for place: UInt64 in [512 + 40, 512 + 16, 1024 + 33, 512] {
            try lab.run("cp", "a.raw", "b.raw")
            try lab.patch("b.raw", at: place, [0x5A])
            let table = try PartitionTable(of: try lab.device("b.raw"))
            #expect(table.partitions == whole.partitions && table.notes.count == 1, "byte \(place)")
            try lab.patch("b.raw", at: 64 << 20 - 512 + 40, [0x5A])
            #expect(try fault { _ = try PartitionTable(of: try lab.device("b.raw")) }.id == "GUEST-TABLE")
        }
    }

    @Test("a partition that reaches over the disk's end is left out, and told")
    func outside() throws {
        let lab = try GuestLab()
        try lab.run("truncate", "-s", "64M", "a.raw")
        try lab.run("sfdisk", "-q", "a.raw", input: DividedDisk.all[1].script)
        try lab.run("truncate", "-s", "12M", "a.raw")
        let table = try PartitionTable(of: try lab.device("a.raw"))
        #expect(table.partitions.map(\.number) == [1] && table.notes.count == 1)
    }

    @Test("a chain of logical partitions that bites its tail ends")
    func loop() throws {
        let lab = try GuestLab()
        try lab.run("truncate", "-s", "64M", "a.raw")
        try lab.run("sfdisk", "-q", "a.raw", input: DividedDisk.all[2].script)
        let table = try PartitionTable(of: try lab.device("a.raw"))
        let first = try #require(table.partitions.first { $0.number == 5 })
        // The next link of the first link becomes the first.
        let link = UInt64(first.range.lowerBound) - 2048 * 512
        try lab.patch("a.raw", at: link + 446 + 16 + 8, [0, 0, 0, 0])
        let mended = try PartitionTable(of: try lab.device("a.raw"))
        #expect(
            mended.partitions.map(\.number) == [1, 5]
                && mended.notes == ["the chain of logical partitions does not end"])
    }

    @Test("tables of disks that others divided are read, and bytes changed in them never end the program")
    func foreignAndFuzzed() throws {
        let gpt = try PartitionTable(of: try GuestLab().device(try GuestLab.fixture("gpt.img")))
        #expect(gpt.scheme == .gpt && gpt.partitions.count == 5)
        let mbr = try PartitionTable(of: try GuestLab().device(try GuestLab.fixture("dos+bsd.img")))
        #expect(mbr.scheme == .mbr && mbr.partitions.map(\.number) == [1, 2])
        let lab = try GuestLab()
        for (index, disk) in DividedDisk.all.enumerated() {
            try lab.run("truncate", "-s", "64M", "\(index).raw")
            try lab.run("sfdisk", "-q", "\(index).raw", input: disk.script)
        }
        let contents = try (0..<3).map { Array(try lab.bytes("\($0).raw")[..<20_480]) }
        let fuzz = Fuzz("guest-partitions", cases: 2000)
        fuzz.run { random in
            var bytes = contents[random.below(3)]
            for _ in 0...random.below(6) {
                let at = [
                    446 + random.below(66), 512 + random.below(92), 1024 + random.below(400), random.below(20_480),
                ][
                    random.below(4)]
                bytes[at] = UInt8(truncatingIfNeeded: random.next())
            }
            let device = MemoryDevice(size: [64 << 20, 20_480, 4096][random.below(3)])
            try device.write(Array(bytes.prefix(Int(device.size))), at: 0)
            fuzz.attempt("read") { _ = try GuestDisk(device).volumes() }
        }
    }
}

@Suite("what a volume holds is told from its own bytes") struct VolumeKindTests {
    @Test(
        "file systems that others made are known",
        arguments: [
            ("exfat.img", VolumeKind.exfat), ("ntfs.img", .ntfs), ("ntfs-cloud.bin", .ntfs), ("ext2.img", .ext2),
            ("ext3.img", .ext3), ("fat.img", .fat12), ("fat16_noheads.img", .fat16), ("small-fat32.img", .fat32),
            ("xfs.img", .xfs), ("lvm2.img", .lvm), ("swap1.img", .swap), ("exfat4m.bin", .exfat), ("jbd.img", .unknown),
        ])
    func known(name: String, kind: VolumeKind) throws {
        let device = try GuestLab().device(try GuestLab.fixture(name))
        #expect(try VolumeKind(of: device) == kind)
        #expect(kind.isReadable == (kind.obstacle == nil))
    }

    @Test(
        "what cannot be read is named, not guessed at",
        arguments: [
            ("-FVE-FS-", 3, "", VolumeKind.bitlocker), ("ReFS\0\0\0\0", 3, "", .refs), ("_BHRfS_M", 65_600, "", .btrfs),
            ("", 0, "", .empty), ("hello", 0, "", .unknown), ("", 0, "0x42", .dynamicDisk),
            ("NTFS    ", 3, "AF9B60A0-1431-4F62-BC68-3311714A69AD", .dynamicDisk),
            ("", 0, "E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D", .storageSpace),
        ])
    func named(mark: String, place: Int, type: String, kind: VolumeKind) throws {
        let device = MemoryDevice(size: 1 << 20)
        var bytes = [UInt8](repeating: 0, count: 66_048)
        bytes.put(Array(mark.utf8), at: place)
        try device.write(bytes, at: 0)
        #expect(try VolumeKind(of: device, partitionType: type) == kind)
    }
}
