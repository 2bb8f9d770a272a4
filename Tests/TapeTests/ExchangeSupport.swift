import Files
import Foundation
import Tape
import Testing

/// A folder of this computer for files that programs nobody here wrote shall look at.
final class ExchangeFolder {
    struct Failed: Error, CustomStringConvertible { let description: String }
    let url: URL
    private let files = HostFiles()

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("dpmsim-exchange-\(getpid())-\(UUID())")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appendingPathComponent(name).path }
    func file(_ name: String) throws -> any StoreFile { try files.open(path(name), .createOrOpen) }

    /// Runs a program in it; returns what it prints. It has to succeed.
    @discardableResult func run(_ arguments: String...) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["TZ=UTC", "LC_ALL=C.UTF-8"] + arguments
        process.currentDirectoryURL = url
        let pipe = Pipe()
        (process.standardOutput, process.standardError) = (pipe, pipe)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: output, as: UTF8.self)
        guard process.terminationStatus == 0 else { throw Failed(description: "\(arguments): \(text)") }
        return text
    }
}

/// What tests of exported files need again and again.
struct ExchangeBench {
    let disk = SimulatedDisk()

    func file(_ name: String = "/exported") throws -> any StoreFile { try disk.open(name, .createOrOpen) }

    func file(_ name: String = "/given", of bytes: [UInt8]) throws -> any StoreFile {
        let file = try file(name)
        try file.truncate(to: 0)
        try file.write(bytes, at: 0)
        return file
    }

    static func bytes(of file: any StoreFile) throws -> [UInt8] { try file.bytes(Int(file.size()), at: 0) }

    /// The id of the fault something ends with; empty if it does not.
    static func id(_ body: () throws -> Void) -> String {
        do { try body() } catch { return (error as? StorageFault)?.id ?? "\(error)" }
        return ""
    }

    /// A tape with something on it that must not be touched.
    static func used() throws -> MemoryTape {
        let tape = MemoryTape()
        _ = try tape.write([1, 2, 3, 4])
        _ = try tape.writeFilemarks(1, immediate: true)
        return tape
    }
}
