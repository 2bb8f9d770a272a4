import Foundation

/// A text file of the repository, by its path from the root.
struct SourceFile: Sendable, CustomStringConvertible {
    let path: String
    let text: String
    /// The text without comments and the insides of strings, if it is Swift.
    let code: String
    init(path: String, text: String) {
        (self.path, self.text) = (path, text)
        code = path.hasSuffix(".swift") ? SwiftCode.only(text) : ""
    }
    var description: String { path }
    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    /// `Kernel` for `Sources/Kernel/Agenda.swift`.
    var module: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }
}

/// The repository these tests were built from.
enum Tree {
    static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Names at the top level, sorted.
    static let topLevel: [String] =
        ((try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []).sorted()

    /// Patterns of `.gitignore`, one a line.
    static let ignored: [String] = text(of: ".gitignore").split(separator: "\n").map(String.init)

    static let swiftSources = files(under: "Sources").filter { $0.path.hasSuffix(".swift") }
    static let swiftTests = files(under: "Tests").filter { $0.path.hasSuffix(".swift") }
    /// Folders under `Sources`, sorted.
    static let modules: [String] =
        ((try? FileManager.default.contentsOfDirectory(atPath: root.path + "/Sources")) ?? [])
        .filter { !$0.hasPrefix(".") }.sorted()
    /// Every text file that is kept: all but what `.gitignore` names.
    static let kept: [SourceFile] = topLevel.filter { $0 != ".git" && !isIgnored($0, by: ignored) }.flatMap {
        files(under: $0)
    }

    static func text(of path: String) -> String {
        (try? String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)) ?? ""
    }

    /// The text files in a folder and below it, or the file itself; sorted by path.
    static func files(under path: String) -> [SourceFile] {
        var isFolder: ObjCBool = false
        let full = root.appendingPathComponent(path).path
        guard FileManager.default.fileExists(atPath: full, isDirectory: &isFolder) else { return [] }
        guard isFolder.boolValue else {
            return (try? String(contentsOfFile: full, encoding: .utf8)).map { [SourceFile(path: path, text: $0)] } ?? []
        }
        let names = (FileManager.default.enumerator(atPath: full)?.allObjects as? [String]) ?? []
        return names.sorted().filter { name in
            !name.split(separator: "/").contains { isIgnored(String($0), by: ignored) }
        }
        .compactMap { name in
            (try? String(contentsOfFile: full + "/" + name, encoding: .utf8)).map {
                SourceFile(path: path + "/" + name, text: $0)
            }
        }
    }

    /// Whether a name is matched by a pattern of `.gitignore`; a leading or trailing slash does not count.
    static func isIgnored(_ name: String, by patterns: [String]) -> Bool {
        patterns.contains { fnmatch($0.trimmingCharacters(in: CharacterSet(charactersIn: "/")), name, 0) == 0 }
    }
}
