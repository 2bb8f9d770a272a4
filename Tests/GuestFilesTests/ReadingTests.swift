import DiskImages
import Files
import Foundation
import GuestFiles
import Testing

/// How a volume is made and packed.
struct PackedVolume: Sendable, CustomTestStringConvertible {
    var kind: VolumeKind
    var scheme: String?
    var format: String
    var testDescription: String { "\(kind.rawValue), \(scheme ?? "no table"), \(format)" }

    static let all = [
        PackedVolume(kind: .ntfs, scheme: "gpt", format: "vhdx"), PackedVolume(kind: .ntfs, scheme: nil, format: "raw"),
        PackedVolume(kind: .fat32, scheme: "dos", format: "vpc"),
        PackedVolume(kind: .fat16, scheme: "dos", format: "raw"),
        PackedVolume(kind: .fat12, scheme: nil, format: "raw"),
        PackedVolume(kind: .ext4, scheme: "gpt", format: "vhdx"),
    ]
}

@Suite("files are what they are for others") struct ReadingTests {
    /// Path and number of every file that `fls` finds not deleted, without what belongs to the file system.
    private func sleuth(_ lab: GuestLab, _ volume: String) throws -> [String] {
        let lines = try lab.text("fls -r -p -u -F", volume).split(separator: "\n")
        return lines.compactMap { line in
            guard line.hasPrefix("r/r"), let colon = line.firstIndex(of: ":") else { return nil }
            let number = line[..<colon].dropFirst(4).prefix { $0.isNumber }
            let path = line[line.index(after: colon)...].drop { $0 == "\t" }
            return path.hasPrefix("$") || path.contains("Volume Label") ? nil : "/\(path) \(number)"
        }.sorted()
    }

    @Test(
        "names and contents of all files equal those of fls and icat, and those that were put in",
        arguments: PackedVolume.all)
    func equalsSleuthKit(packed: PackedVolume) throws {
        let lab = try GuestLab()
        switch packed.kind {
        case .ntfs: try lab.makeNTFS("volume")
        case .fat32: try lab.makeFAT("volume", bits: 32, megabytes: 64)
        case .fat16: try lab.makeFAT("volume", bits: 16, megabytes: 32)
        case .fat12: try lab.makeFAT("volume", bits: 12, megabytes: 8)
        default: try lab.makeExt("volume")
        }
        var image = "volume"
        if let scheme = packed.scheme {
            try lab.makeDisk("disk.raw", of: "volume", scheme: scheme)
            image = "disk.raw"
        }
        if packed.format != "raw" {
            let name = packed.format == "vhdx" ? "disk.vhdx" : "disk.vhd"
            let options = packed.format == "vhdx" ? "block_size=1M" : "force_size=on"
            try lab.run("qemu-img", "convert", "-f", "raw", "-O", packed.format, "-o", options, image, name)
            image = name
        }
        let volume = try lab.volume(image)
        #expect(volume.facts.kind == packed.kind)
        #expect(volume.label == (packed.kind == .ntfs ? "WINVOL" : packed.kind == .ext4 ? "EXTVOL" : "FATVOL"))
        #expect(volume.facts.range.lowerBound == (packed.scheme == nil ? 0 : 1 << 20))
        var found: [String] = []
        try volume.walk(try volume.entry(at: "/"), "/") { (path, entry) throws(StorageFault) in
            if entry.kind == .file { found.append("\(path) \(entry.number)") }
            return true
        }
        #expect(found.sorted() == (try sleuth(lab, "volume")))
        try lab.recover(volume, "/Users", "/Windows", "/hello.txt")
        try lab.run("diff", "-r", "tree", "out")
        for name in ["Windows/System32/some.bin", "hello.txt"] {
            let number = try volume.entry(at: name).number
            #expect(try lab.text("icat volume \(number) | cmp - out/\(name) && echo equal") == "equal")
        }
        #expect(lab.names("").filter { $0.contains("unfinished") } == [])
    }

    @Test("exFAT as Windows wrote it is read")
    func exfat() throws {
        let lab = try GuestLab()
        let path = try GuestLab.fixture("exfat.bin")
        let volume = try lab.volume(path)
        try lab.recover(volume, "/cat.jpg", "/directory")
        for name in ["cat.jpg", "directory/putty.exe"] {
            let number = try volume.entry(at: name).number
            #expect(try lab.text("icat \(path) \(number) | cmp - out/\(name) && echo equal") == "equal")
        }
        #expect(try volume.list("/").allSatisfy { !$0.name.hasPrefix("$") })
        #expect(
            try GuestLab().volume(try GuestLab.fixture("exfat4m.bin")).list("/").map(\.name) == ["file.txt", "subdir"])
    }

    @Test(
        "letters' case does not matter where the guest ignores it, and does elsewhere; paths that cannot be are refused"
    )
    func paths() throws {
        let lab = try GuestLab()
        try lab.makeNTFS("n")
        try lab.makeExt("e")
        let (ntfs, ext) = (try lab.volume("n"), try lab.volume("e"))
        #expect(try ntfs.entry(at: "/WINDOWS//system32/./SOME.bin").name == "some.bin")
        #expect(try ntfs.entry(at: "users/ann/GRÜßE ☃.BIN").name == "Grüße ☃.bin")
        for (path, id) in [
            ("/HELLO.TXT", "GUEST-MISSING"), ("/hello.txt/x", "GUEST-MISSING"), ("/Windows/../hello.txt", "GUEST-PATH"),
            ("/none", "GUEST-MISSING"),
        ] {
            #expect(try fault { _ = try ext.entry(at: path) }.id == id, "\(path)")
        }
    }

    @Test("FAT's times are those that mdir tells, ext's those that debugfs tells")
    func times() throws {
        let lab = try GuestLab()
        try lab.makeTree()
        try lab.run("touch", "-d", "2003-04-05 06:07:08", "tree/hello.txt")
        try lab.run("truncate", "-s", "8M", "f")
        try lab.run("mkfs.fat", "-F", "12", "f")
        try lab.run("mcopy", "-m", "-i", "f", "tree/hello.txt", "::")
        let listed = try lab.text("mdir -i f ::hello.txt")
        #expect(listed.contains("2003-04-05   6:07"))
        #expect(try lab.volume("f").entry(at: "hello.txt").modified == GuestTime(seconds: 1_049_522_828))
        try lab.makeExt("e")
        let entry = try lab.volume("e").entry(at: "hello.txt")
        #expect(entry.modified == GuestTime(seconds: 1_049_522_828) && entry.mode == 0o644)
        try lab.recover(try lab.volume("e"), "/hello.txt")
        #expect(try lab.text("stat -c '%.9Y %a' out/hello.txt") == "1049522828.000000000 644")
    }
}

@Suite("ext keeps its peculiarities") struct ExtTests {
    @Test("holes and space that was never written read as zeros and take none; links and odd names stay what they are")
    func peculiarities() throws {
        let lab = try GuestLab()
        // Old bytes lie wherever nothing was written.
        try lab.write([UInt8](repeating: 0x53, count: 16 << 20), to: "e")
        try lab.write(Array("kept".utf8), to: "small")
        try lab.run("mke2fs", "-q", "-F", "-t", "ext4", "-E", "nodiscard", "e")
        try lab.run(
            "debugfs", "-w", "-f", "/dev/stdin", "e",
            input: """
                write small pre
                fallocate pre 4 40
                set_inode_field pre size 100000
                write small tail
                set_inode_field tail size 9000000
                symlink way ../../etc/passwd
                mkdir odd
                write small odd/AAAA
                mknod pipe p
                write small gone
                rm gone
                """)
        let at = try #require(Data(try lab.bytes("e")).range(of: Data("AAAA".utf8)))
        try lab.patch("e", at: UInt64(at.lowerBound), [0x67, 0x72, 0xFC, 0xDF])
        let volume = try lab.volume("e")
        try lab.recover(volume, "/pre", "/tail", "/way", "/odd")
        let pre = try lab.bytes("out/pre")
        #expect(
            pre.count == 100_000 && pre.prefix(4) == Array("kept".utf8)[...] && pre.dropFirst(4).allSatisfy { $0 == 0 })
        #expect(try lab.bytes("out/tail").count == 9_000_000)
        #expect(try Int(lab.text("du -k out/tail | cut -f1")) ?? 99 <= 8)
        #expect(try lab.text("readlink out/way") == "../../etc/passwd")
        #expect(try lab.text("ls out/odd | od -An -tx1") == " 67 72 fc df 0a")
        #expect(!(try volume.list("/").map(\.name).contains("gone")))
        #expect(try fault { try lab.recover(volume, "/pipe", to: "other") }.id == "GUEST-SPECIAL")
        #expect(lab.names("other") == [])
    }

    @Test("small files kept in the inode are whole, or refused", arguments: [20, 60, 61, 100, 150, 1000])
    func inline(size: Int) throws {
        let lab = try GuestLab()
        try lab.write(GuestLab.noise(size, seed: 3), to: "tree/f")
        try lab.run("truncate", "-s", "16M", "e")
        try lab.run("mke2fs", "-q", "-F", "-t", "ext4", "-I", "256", "-O", "inline_data", "-d", "tree", "e")
        let volume = try lab.volume("e")
        do {
            try lab.recover(volume, "/f")
            #expect(try lab.bytes("out/f") == GuestLab.noise(size, seed: 3))
        } catch let fault as StorageFault {
            #expect(fault.id == "GUEST-DAMAGED" && lab.names("out") == [])
        }
    }
}
