import DiskImages
import Files
import Foundation
import GuestFiles
import Testing

/// How the volume and its journal are made.
struct JournalCase: Sendable, CustomTestStringConvertible {
    var options: String
    /// Of debugfs' command that opens the journal.
    var journal: String
    var testDescription: String { "\(options) jo \(journal)" }

    static let all = [
        JournalCase(options: "-b 1024", journal: ""), JournalCase(options: "-b 4096", journal: "-c"),
        JournalCase(options: "-b 4096 -O ^64bit", journal: "-c"),
        JournalCase(options: "-b 1024 -O ^64bit,^metadata_csum", journal: ""),
        JournalCase(options: "-b 1024 -O ^64bit,^metadata_csum", journal: "-c"),
        JournalCase(options: "-b 2048 -O ^extent,^64bit", journal: "-c"),
    ]
}

@Suite("journals of ext are replayed in reading") struct JournalTests {
    /// Makes `a`, a volume whose newest files stand in the journal alone, and `wanted`, the same as e2fsck mends it.
    private func makeCrashed(_ lab: GuestLab, _ how: JournalCase) throws {
        try lab.makeExt("a", options: how.options)
        try lab.run("cp", "a", "b")
        try lab.write(GuestLab.noise(3000, seed: 4), to: "new")
        try lab.run(
            "debugfs", "-w", "-f", "/dev/stdin", "b", input: (1...50).map { "write new Users/Ann/g\($0)\n" }.joined())
        let (old, new) = (try lab.bytes("a"), try lab.bytes("b"))
        let block = 1024 << Int(old.little(UInt32.self, at: 1024 + 24))
        let changed = (0..<old.count / block).filter { number in
            old[number * block..<(number + 1) * block] != new[number * block..<(number + 1) * block]
        }
        // Two transactions and one that was never committed; the third says that what the second wrote to a block counts no more.
        let (one, two) = (changed.prefix(changed.count / 2), changed.dropFirst(changed.count / 2))
        for (name, blocks) in [("one", one), ("two", two)] {
            try lab.write(blocks.flatMap { new[$0 * block..<($0 + 1) * block] }, to: name)
        }
        try lab.write([UInt8](repeating: 0xEE, count: block), to: "wrong")
        let list = { (blocks: ArraySlice<Int>) in blocks.map(String.init).joined(separator: ",") }
        let free = new.count / block - 3
        try lab.run(
            "debugfs", "-w", "-f", "/dev/stdin", "a",
            input: """
                jo \(how.journal)
                jw -b \(list(one)) one
                jw -b \(free) wrong
                jw -b \(list(two)) two
                jw -r \(free)
                jc
                """)
        try lab.run("cp", "a", "wanted")
        try lab.run("e2fsck", "-fy", "wanted", allowing: [0, 1])
    }

    private func files(_ volume: GuestVolume) throws -> [String] {
        var found: [String] = []
        try volume.walk(try volume.entry(at: "/"), "/") { (path, entry) throws(StorageFault) in
            found.append("\(path) \(entry.number) \(entry.size)")
            return true
        }
        return found
    }

    @Test("names, sizes and contents are those after e2fsck, and the image stays as it is", arguments: JournalCase.all)
    func equalsE2fsck(how: JournalCase) throws {
        let lab = try GuestLab()
        try makeCrashed(lab, how)
        let before = try lab.text("sha256sum a")
        let (ours, theirs) = (try lab.volume("a"), try lab.volume("wanted"))
        #expect(ours.notes.contains { $0.contains("read from its journal") } && theirs.notes == [])
        #expect(try files(ours) == files(theirs))
        #expect(try files(ours).filter { $0.contains("/g") }.count == 50)
        try lab.recover(ours, "/Users", "/Windows")
        try lab.recover(theirs, "/Users", "/Windows", to: "theirs")
        try lab.run("diff", "-r", "out", "theirs")
        #expect(try lab.bytes("out/Users/Ann/g50") == GuestLab.noise(3000, seed: 4))
        #expect(try lab.text("sha256sum a") == before)
    }

    @Test("a journal whose copies are damaged is not replayed, and that is told")
    func damaged() throws {
        let lab = try GuestLab()
        try makeCrashed(lab, JournalCase.all[1])
        let mark = Data([0xC0, 0x3B, 0x39, 0x98, 0, 0, 0, 1, 0, 0, 0, 1])
        let first = try #require(Data(try lab.bytes("a")).range(of: mark))
        // A byte of the first copy, behind the descriptor.
        try lab.patch("a", at: UInt64(first.lowerBound) + 4096 + 1500, [0x77])
        let volume = try lab.volume("a")
        #expect(volume.notes.contains { $0.contains("was not replayed") && $0.contains("checksum") })
        #expect(try files(volume).filter { $0.contains("/g") } == [])
    }
}
