import Foundation

/// The built program, run in a process of its own.
enum Program {
    struct Result {
        var status: Int32
        var output: String
        var errors: String
    }

    /// Beside the test bundle, where the build puts it.
    static let path: String = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let folders = [own, CommandLine.arguments[0], Bundle.main.bundlePath].map {
            URL(fileURLWithPath: $0).deletingLastPathComponent()
        }
        let candidates = folders.map { $0.appendingPathComponent("dpmsim").path }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) } ?? candidates[0]
    }()

    static let repository = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// Runs the program in a folder and waits for its end.
    static func run(_ arguments: [String], in place: URL = repository) throws -> Result {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.currentDirectoryURL = place
        let folder = try Scratch()
        // Files, not pipes: a pipe that nobody empties would stop the program.
        let (output, errors) = (folder.path("output"), folder.path("errors"))
        for file in [output, errors] { _ = FileManager.default.createFile(atPath: file, contents: nil) }
        process.standardOutput = FileHandle(forWritingAtPath: output)
        process.standardError = FileHandle(forWritingAtPath: errors)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus, output: try String(contentsOfFile: output, encoding: .utf8),
            errors: try String(contentsOfFile: errors, encoding: .utf8))
    }
}

/// A folder of one test, gone with it.
final class Scratch: Sendable {
    let folder: URL
    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("dpmsim-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(at: folder) }
    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
    /// Names of all files in the folder and below it, hidden ones too, sorted.
    var names: [String] { ((try? FileManager.default.subpathsOfDirectory(atPath: folder.path)) ?? []).sorted() }
    func write(_ text: String, to name: String) throws -> String {
        try FileManager.default.createDirectory(
            at: folder.appendingPathComponent(name).deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(toFile: path(name), atomically: false, encoding: .utf8)
        return path(name)
    }
}
