import DiskImages
import Files
import Foundation
import GuestFiles
import Testing

@Suite("recovery stays inside its folder and leaves nothing half done") struct RecoveryTests {
    @Test(
        "a name that leads elsewhere is refused, and nothing is written anywhere",
        arguments: ["../evil", "/tmp/ev", "a/b/c/d", "..\0xxxx"])
    func escapes(name: String) throws {
        let lab = try GuestLab()
        try lab.write([1], to: "tree/sub/AAAAAAA")
        try lab.write([2], to: "tree/sub/fine")
        try lab.run("truncate", "-s", "16M", "e")
        try lab.run("mke2fs", "-q", "-F", "-t", "ext4", "-d", "tree", "e")
        let at = try #require(Data(try lab.bytes("e")).range(of: Data("AAAAAAA".utf8)))
        try lab.patch("e", at: UInt64(at.lowerBound), Array(name.utf8))
        let volume = try lab.volume("e")
        let before = lab.names("").filter { !$0.hasPrefix("out") }
        let facts = try? lab.recover(volume, "/sub") { $0.skipsUnreadable = true }
        #expect(lab.names("").filter { !$0.hasPrefix("out") } == before)
        #expect(!FileManager.default.fileExists(atPath: "/tmp/ev"))
        if name.hasPrefix("..\0") { return }
        #expect(facts?.leftOut.map(\.fault.id) == ["GUEST-NAME"] && lab.names("out") == ["sub", "sub/fine"])
        #expect(try fault { try lab.recover(volume, "/sub", to: "strict") }.id == "GUEST-NAME")
        #expect(lab.names("strict") == [])
    }

    @Test("a link that lies in the folder is not written through; what is there is not replaced unasked")
    func links() throws {
        let lab = try GuestLab()
        try lab.makeExt("e")
        let volume = try lab.volume("e")
        try lab.write([9], to: "outside")
        _ = try lab.makeFolder("out")
        try lab.run("ln", "-s", "../outside", "out/hello.txt")
        #expect(try fault { try lab.recover(volume, "/hello.txt") }.id == "GUEST-EXISTS")
        try lab.recover(volume, "/hello.txt") { $0.replaces = true }
        #expect(try lab.bytes("outside") == [9] && lab.text("cat out/hello.txt") == "hello")
        _ = try lab.makeFolder("out/Users")
        #expect(try fault { try lab.recover(volume, "/Users") { $0.replaces = true } }.id == "GUEST-EXISTS")
        #expect(try fault { try lab.recover(volume, "/hello.txt", "/HELLO.TXT", to: "two") }.id == "GUEST-MISSING")
        #expect(try fault { try lab.recover(volume, "/hello.txt", "hello.txt", to: "two") }.id == "GUEST-EXISTS")
        #expect(lab.names("two") == [])
    }

    @Test("a recovery that is stopped leaves nothing, at whichever step")
    func stopped() throws {
        let lab = try GuestLab()
        try lab.makeExt("e")
        let volume = try lab.volume("e")
        let target = try lab.makeFolder("out")
        for limit in [0, 1, 20, 60, 75] {
            let steps = Steps(limit)
            let recovery = FileRecovery(volume, into: target, staging: ".unfinished")
            #expect(
                try fault { _ = try recovery.run(["/Users", "/Windows"]) { _, _ in steps.next() } }.id
                    == "IMAGE-STOPPED")
            #expect(lab.names("out") == [], "stopped at step \(limit)")
        }
    }

    @Test("bytes that the disk fails to give are its error, and nothing stays")
    func failingDisk() throws {
        let lab = try GuestLab()
        try lab.makeExt("e")
        let whole = try lab.device("e")
        let run = try #require(try lab.volume("e").open("/Windows/System32/some.bin").runs(of: 0)?.first?.place)
        let device = BrokenDevice(whole, from: run + 100_000)
        let disk = try GuestDisk(device)
        let volume = try disk.open(try disk.volumes()[0])
        #expect(try fault { try lab.recover(volume, "/Windows") }.id == "TEST-BROKEN")
        #expect(lab.names("out") == [])
        try lab.recover(volume, "/hello.txt")
    }
}

/// So many steps, then no more.
private final class Steps: @unchecked Sendable {
    private let lock = NSLock()
    private var left: Int
    init(_ count: Int) { left = count }
    func next() -> Bool {
        lock.withLock {
            left -= 1
            return left >= 0
        }
    }
}

/// A disk of which one byte cannot be read.
private final class BrokenDevice: BlockDevice {
    private let base: any BlockDevice
    private let broken: Int64
    init(_ base: any BlockDevice, from broken: Int64) { (self.base, self.broken) = (base, broken) }
    var name: String { base.name }
    var size: Int64 { base.size }
    var sectorSize: Int { base.sectorSize }
    func allocatedRanges(in range: Range<Int64>) throws(StorageFault) -> [Range<Int64>] {
        try base.allocatedRanges(in: range)
    }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        guard !(offset..<offset + Int64(buffer.count)).contains(broken) else {
            throw StorageFault(.device, "TEST-BROKEN", name, "a byte cannot be read", action: "Do nothing")
        }
        try base.read(into: buffer, at: offset)
    }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) { throw refuseWrite() }
    func discard(_ range: Range<Int64>) throws(StorageFault) { throw refuseWrite() }
    func flush() throws(StorageFault) {}
}

@Suite("supervised work ends, whatever it does") struct SupervisedWorkTests {
    @Test(
        "a program that is silent, spins, crashes or is stopped is an error; others give their status",
        arguments: [
            ("sleep 60", "GUEST-LIMIT"), ("exec sleep 60 3>&-", "GUEST-LIMIT"),
            ("while :; do echo 0 0 >&3; sleep 0.2; done & sleep 1; kill -SEGV $$", "GUEST-CRASH"),
            ("ulimit -c 0; kill -ABRT $$", "GUEST-CRASH"), ("ulimit -St 1; while :; do :; done", "GUEST-LIMIT"),
            ("kill -INT $$", "IMAGE-STOPPED"), ("echo 5 10 >&3; exit 7", ""),
        ])
    func ends(script: String, id: String) throws {
        let work = SupervisedWork(
            program: "/bin/bash", arguments: ["-c", script],
            limits: .init(cpuSeconds: 5, silentSeconds: 2, memory: 1 << 30), object: "the disk")
        if id.isEmpty {
            var last: Int64 = 0
            func tell(_ done: Int64) -> Bool {
                last = done
                return true
            }
            #expect(try work.run { done, _ in tell(done) } == 7 && last == 5)
        } else {
            let fault = try fault { _ = try work.run { _, _ in true } }
            #expect(fault.id == id && fault.object == "the disk")
        }
    }

    @Test("who is told of progress can end the program")
    func stopped() throws {
        let work = SupervisedWork(
            program: "/bin/bash", arguments: ["-c", "while :; do echo 1 2 >&3; done"], limits: .init(), object: "x")
        var count = 0
        let fault = try fault {
            _ = try work.run { _, _ in
                count += 1
                return count < 10
            }
        }
        #expect(fault.id == "IMAGE-STOPPED" && count == 10)
    }
}
