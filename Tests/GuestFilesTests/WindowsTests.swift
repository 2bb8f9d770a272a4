import DiskImages
import Files
import Foundation
import GuestFiles
import Testing

@Suite("NTFS keeps its peculiarities") struct WindowsTests {
    @Test(
        "compressed and sparse contents, streams, hard links and times come out as they went in; what is deleted does not",
        .enabled(if: GuestLab.canMount))
    func peculiarities() throws {
        let lab = try GuestLab()
        try lab.makeNTFS("n")
        try lab.write(GuestLab.noise(200_000, seed: 5), to: "noise")
        try lab.inside(
            "n",
            """
            mkdir dir cdir; echo main > dir/a.txt; echo stream > dir/a.txt:s1; cp ../noise dir/a.txt:big; echo d > dir:ds
            truncate -s 10M sparse; printf x | dd of=sparse bs=1 seek=5000000 conv=notrunc status=none
            ln dir/a.txt hard.txt
            setfattr -h -v 0x00000800 -n system.ntfs_attrib_be cdir
            yes compress | head -c 3000000 > cdir/c.txt; cat ../noise >> cdir/c.txt; cp cdir/c.txt ../c.txt
            echo gone > gone.txt; rm gone.txt
            touch -d '2001-02-03 04:05:06.789' dir/a.txt
            """)
        let volume = try lab.volume("n")
        #expect(try volume.open("/cdir/c.txt").streams.first?.isCompressed == true)
        #expect(try volume.open("/sparse").streams.first?.isSparse == true)
        #expect(try volume.open("/dir/a.txt").streams.map(\.name) == ["", "big", "s1"])
        #expect(try fault { _ = try volume.entry(at: "gone.txt") }.id == "GUEST-MISSING")
        let facts = try lab.recover(volume, "/dir", "/cdir", "/sparse", "/hard.txt")
        #expect(facts.files == 4 && facts.folders == 2 && facts.leftOut == [])
        try lab.run("cmp", "c.txt", "out/cdir/c.txt")
        #expect(try lab.text("ntfscat n cdir/c.txt | cmp - out/cdir/c.txt && echo equal") == "equal")
        try lab.run("cmp", "noise", "out/dir/a.txt:big")
        #expect(try lab.text("cat out/dir/a.txt:s1 out/dir:ds") == "stream\nd")
        #expect(try lab.text("stat -c '%.9Y %h' out/hard.txt") == "981173106.789000000 2")
        #expect(try lab.text("ntfscat n sparse | cmp - out/sparse && echo equal") == "equal")
        #expect(try Int(lab.text("du -k out/sparse | cut -f1")) ?? 999 <= 64)
        try lab.recover(volume, "/dir", to: "bare") { $0.keepsStreams = false }
        #expect(lab.names("bare") == ["dir", "dir/a.txt"])
    }

    @Test("a folder of many names is whole: as many as fls finds, in order")
    func manyNames() throws {
        let lab = try GuestLab()
        for number in 0..<3000 { try lab.write([1], to: "tree/many/file with a long name, number \(number)") }
        try lab.makeNTFS("n")
        let names = try lab.volume("n").list("/many").map(\.name)
        #expect(
            names.count == 3000 && names == names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) })
        let theirs = try lab.text("fls -u -F n $(ifind -n many n) | cut -f2- | sort")
        #expect(names.sorted() == theirs.split(separator: "\n").map(String.init).sorted())
    }

    @Test(
        "links of Windows come out as links, reparse points of other filters never as zeros",
        .enabled(if: GuestLab.canMount))
    func reparsePoints() throws {
        let lab = try GuestLab()
        try lab.makeNTFS("n")
        let link = { (substitute: String, print: String, isRelative: Bool) -> String in
            let (first, second) = (Array(substitute.utf16), Array(print.utf16))
            let units = first + second
            func two(_ value: Int) -> [UInt8] { [UInt8(value & 0xFF), UInt8(value >> 8)] }
            let body =
                two(0) + two(first.count * 2) + two(first.count * 2) + two(second.count * 2)
                + [isRelative ? 1 : 0, 0, 0, 0] + units.flatMap { two(Int($0)) }
            let bytes = [0x0C, 0, 0, 0xA0] + two(body.count) + [0, 0] + body
            return "0x" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        try lab.inside(
            "n",
            """
            touch rel abs wof dedup other
            for f in wof dedup other; do truncate -s 100000 $f; done
            setfattr -n system.ntfs_reparse_data -v \(link("Users\\Ann\\d1.txt", "Users\\Ann\\d1.txt", true)) rel
            setfattr -n system.ntfs_reparse_data -v \(link("\\??\\C:\\Windows", "C:\\Windows", false)) abs
            setfattr -n system.ntfs_reparse_data -v 0x17000080080000000100000000000000 wof
            setfattr -n system.ntfs_reparse_data -v 0x13000080080000000100000000000000 dedup
            setfattr -n system.ntfs_reparse_data -v 0x99000080080000000100000000000000 other
            """)
        let volume = try lab.volume("n")
        let rel = try volume.entry(at: "rel")
        #expect(rel.kind == .link && rel.target == "Users\\Ann\\d1.txt" && rel.isTargetRelative)
        try lab.recover(volume, "/rel", "/abs", "/Users")
        #expect(try lab.text("cat out/rel") == "document 1")
        #expect(try lab.text("readlink out/abs") == "C:\\Windows")
        for name in ["wof", "dedup", "other"] {
            #expect(try fault { try lab.recover(volume, "/" + name, to: "none") }.id == "GUEST-ELSEWHERE", "\(name)")
            #expect(try volume.entry(at: name).obstacle != nil && lab.names("none") == [])
        }
    }

    @Test("a placeholder whose content is in the cloud is an error, one that is here is not")
    func cloud() throws {
        let lab = try GuestLab()
        let path = try GuestLab.fixture("ntfs-cloud.bin")
        let volume = try lab.volume(path)
        #expect(try volume.entry(at: "/OneDrive/created-online.txt").obstacle?.contains("cloud") == true)
        #expect(try fault { try lab.recover(volume, "/OneDrive") }.id == "GUEST-ELSEWHERE")
        #expect(lab.names("out") == [])
        let facts = try lab.recover(volume, "/OneDrive") { $0.skipsUnreadable = true }
        #expect(
            facts.leftOut.map(\.path) == ["/OneDrive/created-online.txt"]
                && !lab.names("out").contains("OneDrive/created-online.txt"))
        let kept = try volume.entry(at: "/OneDrive/always-keep-on-device.txt")
        #expect(kept.obstacle == nil && kept.size > 0)
        #expect(
            try lab.text("icat \(path) \(kept.number) | cmp - out/OneDrive/always-keep-on-device.txt && echo equal")
                == "equal")
    }
}

@Suite("page files are found by their clusters, and only page files") struct PageFileTests {
    /// What istat tells of a file's clusters, as bytes of a disk whose volume begins at 1 MiB.
    private func istat(_ lab: GuestLab, _ volume: String, _ number: UInt64) throws -> [Range<Int64>] {
        let text = try lab.text("istat", volume, "\(number)")
        let attribute = try #require(text.components(separatedBy: "$DATA (128-").last)
        let clusters = attribute.split(separator: "\n").dropFirst().flatMap { $0.split(separator: " ") }
            .prefix { Int64($0) != nil }.compactMap { Int64($0) }
        return clusters.sorted().reduce(into: []) { ranges, cluster in
            let start = cluster * 4096 + (1 << 20)
            if let last = ranges.last, last.upperBound == start {
                ranges[ranges.count - 1] = last.lowerBound..<start + 4096
            } else {
                ranges.append(start..<start + 4096)
            }
        }
    }

    @Test("their ranges are the clusters that istat tells, and hold their bytes; a fragmented one too")
    func ranges() throws {
        let lab = try GuestLab()
        try lab.makeNTFS("n", megabytes: 48)
        try lab.write(GuestLab.noise(8 << 20, seed: 6), to: "page")
        try lab.write(GuestLab.noise(5 << 20, seed: 7), to: "hiber")
        try lab.run("ntfscp", "-f", "n", "hiber", "hiberfil.sys")
        try lab.run("ntfscp", "-f", "n", "page", "pagefile.sys")
        try lab.makeDisk("disk.raw", of: "n", scheme: "gpt")
        let device = try lab.device("disk.raw")
        let found = try PageFiles(of: try GuestDisk(device))
        #expect(found.files.map(\.name) == ["hiberfil.sys", "pagefile.sys"] && found.refusals == [])
        let volume = try lab.volume("disk.raw")
        for (file, source) in zip(found.files, ["hiber", "page"]) {
            #expect(file.ranges == (try istat(lab, "n", try volume.entry(at: file.name).number)))
            var bytes: [UInt8] = []
            for range in file.ranges { bytes += try device.bytes(range.count, at: range.lowerBound) }
            #expect(bytes == (try lab.bytes(source)))
        }
        #expect(found.ranges.reduce(0) { $0 + $1.count } == 13 << 20)
    }

    @Test(
        "a deleted one is not excluded; one of another name, too large, encrypted, resident or hibernated into is refused, and said",
        .enabled(if: GuestLab.canMount))
    func refusals() throws {
        let lab = try GuestLab()
        let cases: [(script: String, name: String, reason: String?)] = [
            ("head -c 4000000 /dev/urandom > swapfile.sys; rm swapfile.sys", "swapfile.sys", nil),
            ("head -c 4000000 /dev/urandom > pagefile.sys; ln pagefile.sys other", "pagefile.sys", "another name"),
            ("head -c 30000000 /dev/urandom > pagefile.sys", "pagefile.sys", "more than half"),
            ("echo small > swapfile.sys", "swapfile.sys", "among the metadata"),
            ("mkdir pagefile.sys", "pagefile.sys", "no file"),
            ("(printf hibr; head -c 4000000 /dev/urandom) > hiberfil.sys", "hiberfil.sys", "hibernated"),
            (
                "mkdir c; setfattr -h -v 0x00000800 -n system.ntfs_attrib_be c; yes | head -c 4000000 > c/x; mv c/x pagefile.sys",
                "pagefile.sys", "compressed"
            ),
        ]
        for (index, one) in cases.enumerated() {
            try lab.makeNTFS("n\(index)", megabytes: 48)
            try lab.inside("n\(index)", one.script)
            if one.reason == nil {
                // The trap: the name is still there for those who look for deleted ones.
                #expect(try lab.text("fls n\(index)").contains("swapfile.sys"))
            }
            let found = try PageFiles(of: try GuestDisk(try lab.device("n\(index)")))
            #expect(found.files == [] && found.ranges == [])
            #expect(found.refusals.count == (one.reason == nil ? 0 : 1), "\(one.script): \(found.refusals)")
            if let reason = one.reason {
                #expect(found.refusals.first?.reason.contains(reason) == true, "\(found.refusals)")
                #expect(found.refusals.first?.name == one.name)
            }
        }
    }
}
