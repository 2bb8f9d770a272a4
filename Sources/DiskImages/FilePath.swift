/// Paths as text, `/`-separated, and what Windows makes of them.
enum FilePath {
    static func name(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    static func folder(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func join(_ folder: String, _ name: String) -> String {
        if folder == "." { return name }
        return folder.hasSuffix("/") ? folder + name : folder + "/" + name
    }

    /// The name without what follows its last dot, and that in lower case.
    static func stemAndExtension(_ path: String) -> (stem: String, suffix: String) {
        let name = name(path)
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return (name, "") }
        return (String(name[..<dot]), name[name.index(after: dot)...].lowercased())
    }

    /// The same place without `.`, `x/..` and doubled slashes, so that equal texts are equal places (links apart).
    static func normal(_ path: String) -> String {
        let isAbsolute = path.hasPrefix("/")
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == "..", let last = parts.last, last != ".." {
                parts.removeLast()
            } else if part != ".." || !isAbsolute {
                parts.append(part)
            }
        }
        let text = parts.joined(separator: "/")
        return isAbsolute ? "/" + text : (text.isEmpty ? "." : text)
    }

    /// `target` as seen from `folder`; nil if only one of them is absolute or the way leads through an unknown folder.
    static func relative(_ target: String, from folder: String) -> String? {
        let (target, folder) = (normal(target), normal(folder))
        guard target.hasPrefix("/") == folder.hasPrefix("/") else { return nil }
        var (to, from) = (target.split(separator: "/")[...], folder.split(separator: "/").filter { $0 != "." }[...])
        while let first = to.first, first == from.first, to.count > 1 {
            (to, from) = (to.dropFirst(), from.dropFirst())
        }
        guard !from.contains("..") else { return nil }
        return (from.map { _ in ".." } + to.map(String.init)).joined(separator: "/")
    }

    /// A path out of a locator in our form, and whether it begins at a root: `.\a\b.vhdx` is (`a/b.vhdx`, false),
    /// `C:\VMs\b.vhdx` and `\\?\Volume{…}\VMs\b.vhdx` are (`VMs/b.vhdx`, true): which root, Windows alone knows.
    static func fromWindows(_ text: String) -> (path: String, isRooted: Bool) {
        var parts = text.split(whereSeparator: { $0 == "\\" || $0 == "/" }).map(String.init)
        var isRooted = text.hasPrefix("\\") || text.hasPrefix("/")
        if text.hasPrefix("\\\\?\\"), parts.count > 1 {
            parts.removeFirst()
            if parts[0].uppercased().hasPrefix("VOLUME{") { parts.removeFirst() }
        } else if text.hasPrefix("\\\\"), parts.count > 2 {
            parts.removeFirst(2)
        }
        if let first = parts.first, first.utf8.count == 2, first.hasSuffix(":") {
            parts.removeFirst()
            isRooted = true
        }
        return (normal(parts.joined(separator: "/")), isRooted)
    }

    /// A path in the form Windows reads.
    static func toWindows(_ path: String) -> String { path.replacing("/", with: "\\") }
}
