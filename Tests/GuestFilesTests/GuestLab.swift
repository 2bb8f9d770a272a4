import DiskImages
import Files
import Foundation
import GuestFiles
import Testing

/// A folder of one test, gone with it, and images in it that public programs make.
final class GuestLab: Sendable {
    struct Failure: Error, CustomStringConvertible { var description: String }

    let folder: String
    init() throws {
        folder =
            FileManager.default.temporaryDirectory.appendingPathComponent("dpmsim-guest-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func path(_ name: String) -> String { folder + "/" + name }

    /// What a program prints; a failure if it ends with another status than 0.
    @discardableResult
    func run(_ words: String..., input: String? = nil, allowing: Set<Int32> = [0]) throws -> Data {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        // Of tools that speak in the user's tongue and time.
        process.environment = ProcessInfo.processInfo.environment.merging(["LC_ALL": "C.UTF-8", "TZ": "UTC"]) { $1 }
        let output = Pipe()
        let errors = path("errors-\(UUID().uuidString)")
        _ = FileManager.default.createFile(atPath: errors, contents: nil)
        process.standardOutput = output
        process.standardError = FileHandle(forWritingAtPath: errors)
        if let input {
            try input.write(toFile: errors + ".in", atomically: false, encoding: .utf8)
            process.standardInput = FileHandle(forReadingAtPath: errors + ".in")
        } else {
            process.standardInput = FileHandle.nullDevice
        }
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard allowing.contains(process.terminationStatus) else {
            let text = (try? String(contentsOfFile: errors, encoding: .utf8)) ?? ""
            throw Failure(description: "\(words.joined(separator: " ")): \(process.terminationStatus) \(text)")
        }
        try? FileManager.default.removeItem(atPath: errors)
        try? FileManager.default.removeItem(atPath: errors + ".in")
        return data
    }

    /// The same as text, without the line's end.
    func text(_ words: String...) throws -> String {
        String(decoding: try run("sh", "-c", words.joined(separator: " ")), as: UTF8.self)
            .trimmingCharacters(in: .newlines)
    }

    func bytes(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path(name)))) }

    func write(_ bytes: [UInt8], to name: String) throws {
        try FileManager.default.createDirectory(
            atPath: (path(name) as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
    }

    /// Puts bytes at a place of a file.
    func patch(_ name: String, at offset: UInt64, _ bytes: [UInt8]) throws {
        let file = try #require(FileHandle(forUpdatingAtPath: path(name)))
        try file.seek(toOffset: offset)
        try file.write(contentsOf: Data(bytes))
        try file.close()
    }

    /// Names in a folder and below it, sorted.
    func names(_ folder: String) -> [String] {
        ((try? FileManager.default.subpathsOfDirectory(atPath: path(folder))) ?? []).sorted()
    }

    func makeFolder(_ name: String) throws -> String {
        try FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: true)
        return path(name)
    }

    /// A small tree of files, `tree`.
    func makeTree() throws {
        try write(Array("hello\n".utf8), to: "tree/hello.txt")
        try write(Self.noise(300_000, seed: 1), to: "tree/Windows/System32/some.bin")
        for number in 1...30 { try write(Array("document \(number)".utf8), to: "tree/Users/Ann/d\(number).txt") }
        try write(Self.noise(5000, seed: 2), to: "tree/Users/Ann/Grüße ☃.bin")
    }

    /// An ext4 volume with the tree in it.
    func makeExt(_ name: String, megabytes: Int = 32, options: String = "") throws {
        if !FileManager.default.fileExists(atPath: path("tree")) { try makeTree() }
        try run("truncate", "-s", "\(megabytes)M", name)
        try run("sh", "-c", "mke2fs -q -F -t ext4 -L EXTVOL \(options) -d tree \(name) 2>&1")
    }

    /// A FAT volume of so many bits with the tree in it.
    func makeFAT(_ name: String, bits: Int, megabytes: Int) throws {
        if !FileManager.default.fileExists(atPath: path("tree")) { try makeTree() }
        try run("truncate", "-s", "\(megabytes)M", name)
        try run("mkfs.fat", "-F", "\(bits)", "-n", "FATVOL", name)
        try run("mcopy", "-i", name, "-s", "tree/Users", "tree/Windows", "tree/hello.txt", "::")
    }

    /// An NTFS volume with the tree in it.
    func makeNTFS(_ name: String, megabytes: Int = 64) throws {
        if !FileManager.default.fileExists(atPath: path("tree")) { try makeTree() }
        try run("truncate", "-s", "\(megabytes)M", name)
        try run(
            "mkntfs", "-F", "-Q", "-q", "-L", "WINVOL", "-s", "512", "-c", "4096", "-p", "2048", "-H", "255", "-S",
            "63", name)
        try run("wimcapture", "tree", "t.wim", "--compress=none")
        try run("wimapply", "t.wim", "1", name)
    }

    /// Lets a shell work in an NTFS volume that ntfs-3g shows as a folder.
    func inside(_ name: String, _ script: String) throws {
        _ = try makeFolder("mounted")
        // ntfs-3g goes on in the background, and would hold whatever it was given: Foundation waits for that to be closed.
        let mount = "exec ntfs-3g -o compression,streams_interface=windows \(name) mounted >output 2>&1"
        let close = "for f in $(ls /proc/$BASHPID/fd); do [ $f -le 2 ] || eval \"exec $f>&-\"; done"
        try run(
            "bash", "-ec",
            "(\(close); \(mount)); trap 'cd /; umount '\"$PWD\"'/mounted' EXIT; cd mounted; \(script)")
    }

    /// A disk with one partition from 1 MiB on that holds the volume.
    func makeDisk(_ disk: String, of volume: String, scheme: String) throws {
        let size = try Int(text("stat -c %s", volume)) ?? 0
        try run("truncate", "-s", "\(size + (2 << 20))", disk)
        try run(
            "sfdisk", "-q", disk,
            input:
                "label: \(scheme)\nstart=2048, size=\(size / 512), type=\(scheme == "gpt" ? "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7" : "7")\n"
        )
        try run("dd", "if=\(volume)", "of=\(disk)", "bs=1M", "seek=1", "conv=notrunc,sparse", "status=none")
    }

    func device(_ name: String) throws -> DiskImage {
        let path = name.hasPrefix("/") ? name : path(name)
        let known = path.hasSuffix(".vhdx") || path.hasSuffix(".vhd")
        return try DiskImage.open(
            path, by: ImageAccess(HostFiles(), guids: HostGUIDs()), format: known ? nil : .raw)
    }

    /// The first volume with files of an image.
    func volume(_ name: String) throws -> GuestVolume {
        let disk = try GuestDisk(try device(name))
        return try disk.open(try #require(try disk.volumes().first { $0.kind.isReadable }))
    }

    /// Recovers paths into a new folder, `out`.
    @discardableResult
    func recover(
        _ volume: GuestVolume, _ paths: String..., to folder: String = "out",
        with options: (inout FileRecovery) -> Void = { _ in }
    ) throws -> FileRecovery.Facts {
        var recovery = FileRecovery(volume, into: try makeFolder(folder), staging: ".unfinished")
        options(&recovery)
        return try recovery.run(paths)
    }

    /// Bytes that no run of a compressor makes smaller, and no two seeds have in common.
    static func noise(_ count: Int, seed: UInt64) -> [UInt8] {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
    }

    /// A file of Tools/fixtures.
    static func fixture(_ name: String, from file: String = #filePath) throws -> String {
        let package = URL(fileURLWithPath: file).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let path = package.appendingPathComponent(".build/fixtures/\(name)").path
        try #require(FileManager.default.fileExists(atPath: path), "\(path) is not there: run Tools/fixtures")
        return path
    }

    /// Whether this user may mount through FUSE: ntfs-3g writes what no other free program can.
    static let canMount =
        access("/dev/fuse", R_OK | W_OK) == 0 && geteuid() == 0
        && FileManager.default.fileExists(atPath: "/usr/bin/ntfs-3g")
}

/// The fault that `body` ends with.
func fault(of body: () throws -> Void) throws -> StorageFault {
    do { try body() } catch let fault as StorageFault { return fault }
    throw GuestLab.Failure(description: "there was no fault")
}
