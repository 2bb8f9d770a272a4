#if canImport(FoundationEssentials)
    private import FoundationEssentials
#else
    private import Foundation
#endif

/// Where the reader gets files from; tests give them from memory.
public protocol FileSource: Sendable {
    /// The whole file's bytes.
    /// - Throws: `UnreadableFile` with the cause in words.
    func bytes(of path: String) throws -> [UInt8]
}

/// A file could not be read.
public struct UnreadableFile: Error, Hashable, Sendable {
    public var cause: String
    public init(cause: String) { self.cause = cause }
}

/// The files of this computer.
public struct DiskFiles: FileSource {
    public init() {}
    /// Larger files are refused before they are read.
    static let limit = 256_000_000

    public func bytes(of path: String) throws -> [UInt8] {
        let manager = FileManager.default
        var isDirectory = false
        guard manager.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw UnreadableFile(cause: "no such file")
        }
        guard !isDirectory else { throw UnreadableFile(cause: "a folder") }
        let attributes = try? manager.attributesOfItem(atPath: path)
        // A device could go on for ever. A link's own attributes do not tell what it leads to.
        if let type = attributes?[.type] as? FileAttributeType, type != .typeRegular, type != .typeSymbolicLink {
            throw UnreadableFile(cause: "not a plain file")
        }
        if let size = attributes?[.size] as? Int, size > DiskFiles.limit {
            throw UnreadableFile(cause: "a file of \(size) bytes")
        }
        guard let data = manager.contents(atPath: path) else {
            throw UnreadableFile(cause: "a file that may not be read")
        }
        return Array(data)
    }
}

/// Files by path, given as text.
public struct MemoryFiles: FileSource {
    private let contents: [String: [UInt8]]
    public init(_ texts: [String: String]) { contents = texts.mapValues { Array($0.utf8) } }
    public init(bytes: [String: [UInt8]]) { contents = bytes }
    public func bytes(of path: String) throws -> [UInt8] {
        guard let found = contents[path] else { throw UnreadableFile(cause: "no such file") }
        return found
    }
}
