import Files
import Foundation

/// A folder of one test, gone with it.
final class Scratch: Sendable {
    let folder: String
    let files = HostFiles()

    init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("dpmsim-images-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        folder = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func path(_ name: String) -> String { folder + "/" + name }

    /// Names of what is in the folder, sorted.
    var names: [String] { (try? files.list(folder)) ?? [] }

    /// A raw file of `size` bytes, a hole but for `content`.
    func raw(_ name: String, size: Int64, content: [UInt8] = []) throws -> String {
        let file = try files.open(path(name), .create)
        defer { file.close() }
        try file.truncate(to: size)
        try file.write(content, at: 0)
        return path(name)
    }
}
