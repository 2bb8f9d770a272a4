import Foundation
import Testing

/// A program running beside the test: a server, or one that is to be killed.
final class Running {
    let process = Process()
    private let output = Pipe()
    private var rest = Data()

    /// Runs our program in a folder.
    init(_ arguments: [String], in folder: URL) throws {
        process.executableURL = URL(fileURLWithPath: Program.path)
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    /// The next line it prints; waits for it, and is nil when there is no more.
    func line() -> String? {
        while true {
            if let end = rest.firstIndex(of: 10) {
                defer { rest = Data(rest[rest.index(after: end)...]) }
                return String(decoding: rest[..<end], as: UTF8.self)
            }
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { return nil }
            rest += more
        }
    }

    func end(by signal: Int32) -> Int32 {
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        return process.terminationStatus
    }
}

/// A program of others, found in the path.
enum Tool {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Its output; a failure if it ends with another status than 0.
    @discardableResult
    static func run(_ words: String...) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(description: "\(words.joined(separator: " ")): \(process.terminationStatus) \(text)")
        }
        return text
    }

    static func works(_ words: [String]) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}

/// A folder with images in it that qemu-img made, and pools.
struct PoolFolder: Sendable {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    func path(_ name: String) -> String { scratch.path(name) }

    /// Runs `dpmsim` with these words in the folder.
    @discardableResult
    func run(_ text: String, status: Int32 = 0) throws -> Program.Result {
        let result = try Program.run(text.split(separator: " ").map(String.init), in: scratch.folder)
        #expect(result.status == status, "\(text): \(result.output)\(result.errors)")
        return result
    }

    /// Begins to run `dpmsim` with these words in the folder.
    func start(_ text: String) throws -> Running {
        try Running(text.split(separator: " ").map(String.init), in: scratch.folder)
    }

    func json(_ text: String, status: Int32 = 0) throws -> Any {
        let result = try run(text + " --json", status: status)
        return try JSONSerialization.jsonObject(with: Data(result.output.utf8), options: .fragmentsAllowed)
    }

    func facts(_ text: String, status: Int32 = 0) throws -> [String: Any] {
        try #require(try json(text, status: status) as? [String: Any])
    }

    /// An image as qemu-img makes it, with some content.
    func make(_ name: String, format: String, megabytes: Int = 48, write: String...) throws {
        try Tool.run("qemu-img", "create", "-q", "-f", format, path(name), "\(megabytes)M")
        for command in write { try self.write(name, format: format, command) }
    }

    /// Lets qemu-io do something to an image, `write -P 1 0 64k` for instance.
    func write(_ name: String, format: String, _ command: String) throws {
        try Tool.run("qemu-io", "-f", format, "-c", command, path(name))
    }

    /// Whether qemu-img finds two disks equal.
    func areEqual(_ left: String, _ right: String) -> Bool {
        Tool.works(["qemu-img", "compare", path(left), path(right)])
    }

    func copy(_ name: String, to target: String) throws {
        try FileManager.default.copyItem(atPath: path(name), toPath: path(target))
    }

    /// Numbers of the recovery points.
    func points(_ name: String) throws -> [Int] {
        let points = try facts("pool points POOL \(name)")["points"] as? [[String: Any]]
        return try #require(points).compactMap { $0["number"] as? Int }
    }
}
