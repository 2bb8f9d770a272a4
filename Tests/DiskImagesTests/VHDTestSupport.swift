import DiskImages
import Files
import Foundation
import Testing

/// What the tests of raw, VHD and VMCX files share.
enum Probe {}

extension Probe {
    /// A folder of its own for one test, removed with its owner.
    final class Folder {
        let path: String

        init() throws {
            path = FileManager.default.temporaryDirectory.appendingPathComponent("dpmsim-\(UUID().uuidString)").path
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func callAsFunction(_ name: String) -> String { path + "/" + name }
    }

    /// A file of Tools/fixtures.
    static func fixture(_ name: String, from file: String = #filePath) throws -> String {
        let package = URL(fileURLWithPath: file).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let path = package.appendingPathComponent(".build/fixtures/\(name)").path
        try #require(FileManager.default.fileExists(atPath: path), "\(path) is not there: run Tools/fixtures")
        return path
    }

    /// Runs a program and returns its exit code and what it said; a program that is not there fails the test.
    static func run(_ program: String, _ arguments: [String]) throws -> (code: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(process.terminationStatus != 127, "\(program) is not installed: run Tools/test")
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    /// Runs a program that must end well.
    @discardableResult
    static func must(_ program: String, _ arguments: [String], _ location: SourceLocation = #_sourceLocation) throws
        -> String
    {
        let (code, output) = try run(program, arguments)
        #expect(code == 0, "\(program) \(arguments.joined(separator: " ")): \(output)", sourceLocation: location)
        return output
    }

    /// Numbers that look random and are the same in every run of a seed (SplitMix64).
    struct Numbers: RandomNumberGenerator {
        var state: UInt64
        init(seed: UInt64) { state = seed }

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }

        /// Below `bound`.
        mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

        mutating func bytes(_ count: Int) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: count)
            bytes.withUnsafeMutableBytes { buffer in
                for index in stride(from: 0, to: count - count % 8, by: 8) {
                    buffer.storeBytes(of: next(), toByteOffset: index, as: UInt64.self)
                }
            }
            return bytes
        }
    }

    /// Reads a whole part of a disk through its layers, the topmost first.
    static func content(of layers: [any ImageLayer], _ range: Range<Int64>) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        guard let top = layers.first else { return bytes }
        let inside = range.clamped(to: 0..<top.size)
        var cursor = inside.lowerBound
        for run in try top.runs(in: inside) {
            // The contract of `runs`: no gaps, nothing empty.
            try #require(run.range.lowerBound == cursor && !run.range.isEmpty)
            cursor = run.range.upperBound
            let start = Int(run.range.lowerBound - range.lowerBound)
            switch run.place {
            case .here:
                try bytes.withUnsafeMutableBytes { buffer in
                    let part = UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + run.range.count])
                    try top.read(into: part, of: run)
                }
            case .zero: break
            case .parent:
                let below = try content(of: Array(layers.dropFirst()), run.range)
                bytes.replaceSubrange(start..<start + below.count, with: below)
            }
        }
        try #require(cursor == inside.upperBound)
        return bytes
    }

    /// Writes a disk's content to a sparse raw file.
    static func exportRaw(_ layers: [any ImageLayer], to path: String) throws {
        let file = try HostFiles().open(path, .create)
        let size = layers[0].size
        let writer = try Raw.create(NewImage(format: .raw, size: size), file: file)
        let step: Int64 = 64 << 20
        for start in stride(from: 0, to: size, by: Int(step)) {
            let part = start..<min(size, start + step)
            let runs = try layers[0].runs(in: part)
            if layers.count == 1, runs.allSatisfy({ if case .here = $0.place { false } else { true } }) { continue }
            for run in runs {
                if layers.count == 1, run.place == .zero { continue }
                let bytes = try content(of: layers, run.range)
                try bytes.withUnsafeBytes { try writer.write($0, at: run.range.lowerBound) }
            }
        }
        try writer.finish()
    }
}
