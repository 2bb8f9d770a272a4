import Foundation
import Testing

/// A command on a pool that cannot be done, and what is said.
struct RefusedPool: Hashable, Sendable, CustomTestStringConvertible {
    var arguments: String
    var status: Int32
    var says: String
    var testDescription: String { arguments }

    init(_ arguments: String, _ status: Int32, _ says: String) {
        (self.arguments, self.status, self.says) = (arguments, status, says)
    }

    /// In a folder with POOL, which protects `one` (a.raw, 8 MiB) and `two` (a.raw, b.vhdx) at one recovery point each.
    static let all: [RefusedPool] = [
        RefusedPool("pool frobnicate", 64, "Usage:"),
        RefusedPool("pool create POOL", 2, "POOL-NOT-EMPTY"),
        RefusedPool("pool create a.raw", 2, "POOL-NOT-FOLDER"),
        RefusedPool("pool create none/new", 2, "FILE-MISSING"),
        RefusedPool("pool create new --block 5000", 2, "POOL-BLOCK"),
        RefusedPool("pool create new --block 8KiB", 2, "POOL-BLOCK"),
        RefusedPool("pool create new --block much", 64, "Usage:"),
        RefusedPool("pool create new --segment 5GiB", 2, "POOL-SEGMENT-SIZE"),
        RefusedPool("pool add POOL POOL", 2, "POOL-NOT-EMPTY"),
        RefusedPool("pool add POOL a.raw", 2, "POOL-NOT-FOLDER"),
        RefusedPool("pool protect POOL new a.raw --replica-volume 1GiB", 64, "--point-volume"),
        RefusedPool("pool protect POOL new a.raw --no-autogrow", 64, "--replica-volume"),
        RefusedPool("pool protect POOL new a.raw --replica-volume 1GiB --point-volume 1MiB", 2, "POOL-160"),
        RefusedPool("pool protect POOL new a.raw --replica-volume 9PB --point-volume 1GiB", 3, "POOL-171"),
        RefusedPool("pool protect POOL new a.raw --colocate-with none", 2, "POOL-NO-AREA"),
        RefusedPool("pool grow POOL none --replica-volume 1GiB", 2, "POOL-NO-AREA"),
        RefusedPool("pool grow POOL none", 64, "--replica-volume"),
        RefusedPool("pool shrink POOL none --point-volume 1GiB", 2, "POOL-NO-AREA"),
        RefusedPool("pool dump POOL none", 2, "POOL-NO-DATASOURCE"),
        RefusedPool("pool dump POOL --segment 99", 2, "POOL-NO-SEGMENT"),
        RefusedPool("pool dump POOL --leaf 1", 64, "--disk"),
        RefusedPool("pool points none", 2, "POOL-NOT-POOL"),
        RefusedPool("pool points .", 2, "POOL-NOT-POOL"),
        RefusedPool("pool points a.raw", 2, "POOL-NOT-POOL"),
        RefusedPool("pool points POOL nobody", 2, "POOL-NO-DATASOURCE"),
        RefusedPool("pool disks POOL one --point 9", 2, "POOL-NO-POINT"),
        RefusedPool("pool protect POOL one a.raw", 2, "POOL-PROTECTED"),
        RefusedPool("pool protect POOL three", 64, "Usage:"),
        RefusedPool("pool protect POOL a/b a.raw", 2, "POOL-NAME"),
        RefusedPool("pool protect POOL three none.raw", 2, "FILE-MISSING"),
        RefusedPool("pool protect POOL three broken.vhdx", 3, "IMAGE-FORMAT"),
        RefusedPool("pool protect POOL three a.raw a.raw", 2, "POOL-DISK-NAMES"),
        RefusedPool("pool protect POOL three a.raw b.vhdx --disk-name c", 2, "POOL-DISK-NAMES"),
        RefusedPool("pool protect POOL three a.raw --zstd 40", 2, "POOL-LEVEL"),
        RefusedPool("pool protect POOL three a.raw --zstd 0", 2, "POOL-LEVEL"),
        RefusedPool("pool backup POOL nobody", 2, "POOL-NO-DATASOURCE"),
        RefusedPool("pool backup POOL two a.raw", 2, "POOL-DISK-MISSING"),
        RefusedPool("pool backup POOL two --without c.raw", 2, "POOL-NO-DISK"),
        RefusedPool("pool backup POOL one none.raw", 2, "FILE-MISSING"),
        RefusedPool("pool backup POOL one --scan --tracked", 64, "choose one of"),
        RefusedPool("pool backup POOL one --no-changes --changes good.txt", 64, "choose one of"),
        RefusedPool("pool backup POOL one --no-point --label x", 64, "--label"),
        RefusedPool("pool backup POOL one --changes none.txt", 2, "FILE-MISSING"),
        RefusedPool("pool backup POOL one --changes words.txt", 2, "words.txt:2"),
        RefusedPool("pool backup POOL one --changes outside.txt", 2, "outside.txt:1"),
        RefusedPool("pool backup POOL one --changes negative.txt", 2, "negative.txt:3"),
        RefusedPool("pool backup POOL one --changes huge.txt", 2, "huge.txt:1"),
        RefusedPool("pool backup POOL one --changes foreign.txt", 2, "foreign.txt:1"),
        RefusedPool("pool backup POOL two --changes good.txt", 2, "good.txt:1"),
        RefusedPool("pool consistency-check POOL one --label x", 64, "--label"),
        RefusedPool("pool consistency-check POOL nobody", 2, "POOL-NO-DATASOURCE"),
        RefusedPool("pool restore POOL one", 64, "Usage:"),
        RefusedPool("pool restore POOL one --point 0 --to new.raw", 64, "--point"),
        RefusedPool("pool restore POOL one --point 9 --to new.raw", 2, "POOL-NO-POINT"),
        RefusedPool("pool restore POOL nobody --to new.raw", 2, "POOL-NO-DATASOURCE"),
        RefusedPool("pool restore POOL one --disk c.raw --to new.raw", 2, "POOL-NO-DISK"),
        RefusedPool("pool restore POOL one --to a.raw", 2, "IMAGE-EXISTS"),
        RefusedPool("pool restore POOL one --to new.disk", 2, "IMAGE-FORMAT"),
        RefusedPool("pool restore POOL one --to none/new.raw", 2, "FILE-MISSING"),
        RefusedPool("pool restore POOL two --to a.raw", 2, "FILE-"),
        RefusedPool("pool restore POOL two --to .", 2, "IMAGE-EXISTS"),
        RefusedPool("pool cat POOL two", 2, "POOL-NO-DISK"),
        RefusedPool("pool cat POOL one --offset 8MiB --length 1", 2, "DISK-RANGE"),
        RefusedPool("pool cat POOL one --offset 9MiB", 2, "DISK-RANGE"),
        RefusedPool("pool nbd POOL one --port 70000", 64, "no port"),
        RefusedPool("pool nbd POOL one --port 1 --socket s", 64, "choose"),
        RefusedPool("pool nbd POOL one --socket none/s", 3, "NBD-LISTEN"),
        RefusedPool("pool prune POOL one", 64, "say which"),
        RefusedPool("pool prune POOL one --keep 0", 64, "--keep"),
        RefusedPool("pool prune POOL one --point 1 --point 9", 2, "POOL-NO-POINT"),
        RefusedPool("pool remove POOL nobody", 2, "POOL-NO-DATASOURCE"),
        RefusedPool("pool scrub POOL --rate 0MB/s", 64, "--rate"),
        RefusedPool("pool repair POOL --source a.raw", 2, "POOL-SOURCE"),
        RefusedPool("pool repair POOL --source one=none.raw", 2, "FILE-MISSING"),
        RefusedPool("image serve none.raw", 2, "FILE-MISSING"),
        RefusedPool("image serve a.raw --track --read-only", 64, "--track"),
        RefusedPool("image write a.raw --offset 9MiB --from b.vhdx", 2, "DISK-RANGE"),
        RefusedPool("image write a.raw --offset 0 --from none.raw", 2, "FILE-MISSING"),
    ]
}

@Suite("what cannot be done with a pool is told, and changes nothing") struct PoolRefusalTests {
    /// One folder for all cases: nothing of it changes.
    private static let folder = Result {
        let folder = try PoolFolder()
        try Data(count: 8 << 20).write(to: URL(fileURLWithPath: folder.path("a.raw")))
        try folder.write("a.raw", format: "raw", "write -P 7 1M 1M")
        try folder.run("image create b.vhdx 4MiB")
        try Data(count: 4096).write(to: URL(fileURLWithPath: folder.path("broken.vhdx")))
        let lists = [
            "good.txt": "0 4096\n", "words.txt": "0 4096\nmany bytes\n", "outside.txt": "8388608 1\n",
            "negative.txt": "0 1\n\n-5 4096\n", "huge.txt": "1 9223372036854775807\n", "foreign.txt": "c.raw 0 1\n",
        ]
        for (name, text) in lists { _ = try folder.scratch.write(text, to: name) }
        try folder.run("pool create POOL")
        try folder.run("pool protect POOL one a.raw")
        try folder.run("pool protect POOL two a.raw b.vhdx")
        return folder
    }

    /// All files but those of the pool that locks and journals come and go in.
    private func state(_ folder: PoolFolder) throws -> [String: Int] {
        var sizes: [String: Int] = [:]
        for name in folder.scratch.names where !name.hasPrefix("POOL/locks") && !name.hasSuffix("-journal") {
            sizes[name] = try FileManager.default.attributesOfItem(atPath: folder.path(name))[.size] as? Int
        }
        return sizes
    }

    @Test("a refused command says why, with its status")
    func refused() throws {
        let folder = try Self.folder.get()
        let before = try state(folder)
        for refused in RefusedPool.all {
            let result = try folder.run(refused.arguments, status: refused.status)
            #expect(result.errors.contains(refused.says), "\(refused): \(result.errors)")
            #expect(result.output.isEmpty, "\(refused)")
            #expect(try state(folder) == before, "\(refused)")
        }
        #expect(try folder.points("one") == [1])
        #expect(try folder.points("two") == [1])
        try folder.run("pool check POOL")
    }

    @Test("a reader that goes away or has no room ends what is written to it")
    func fullOutput() throws {
        let folder = try Self.folder.get()
        let words = [
            "sh", "-c", "\"$0\" pool cat \"$1\" one > /dev/full; test $? = 3", Program.path, folder.path("POOL"),
        ]
        #expect(Tool.works(words))
    }

    @Test(
        "a pool on a full or a read-only volume stays as it was",
        .enabled(if: Tool.works(["unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=1m none /mnt"])))
    func fullAndReadOnly() throws {
        let folder = try Self.folder.get()
        let other = try PoolFolder()
        try other.make("large.raw", format: "raw", megabytes: 40, write: "write -P 3 0 40M")
        let script = """
            set -e
            mount -t tmpfs -o size=24m none /mnt
            "$0" pool create /mnt/pool > /dev/null
            "$0" pool protect /mnt/pool small "$1/a.raw" > /dev/null
            set +e
            said=$("$0" pool protect /mnt/pool large "$2/large.raw" 2>&1)
            test $? = 3 || exit 11
            case "$said" in *POOL-SPACE*|*FILE-SPACE*) ;; *) echo "$said"; exit 12;; esac
            "$0" pool check /mnt/pool || exit 13
            "$0" pool backup /mnt/pool small --scan || exit 14
            mount -o remount,ro /mnt || exit 15
            "$0" pool points /mnt/pool small || exit 16
            "$0" pool cat /mnt/pool small | cmp - "$1/a.raw" || exit 17
            "$0" pool backup /mnt/pool small --scan
            test $? = 3 || exit 18
            """
        try Tool.run("unshare", "-rm", "sh", "-c", script, Program.path, folder.path(""), other.path(""))
    }
}
