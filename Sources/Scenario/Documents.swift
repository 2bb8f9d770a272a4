internal import Yams

/// A scenario's main file and all it includes, in reading order: what is included comes before the file that includes it.
struct Documents {
    private(set) var roots: [Item] = []
    private(set) var files: [String] = []
    private var open: [String] = []
    private let source: any FileSource
    private let report: Report
    static let limit = 100

    init(main path: String, source: any FileSource, report: Report) {
        (self.source, self.report) = (source, report)
        add(normal(path), askedAt: nil)
    }

    private mutating func add(_ path: String, askedAt item: Item?) {
        if open.contains(path) {
            report.problem(
                item!, expected: "a file that does not include itself",
                found: (open.drop { $0 != path } + [path]).joined(separator: " > "))
            return
        }
        if files.contains(path) { return }
        guard files.count < Documents.limit else {
            if let item { report.problem(item, expected: "at most \(Documents.limit) files") }
            return
        }
        let bytes: [UInt8]
        do { bytes = try source.bytes(of: path) } catch {
            let cause = (error as? UnreadableFile)?.cause ?? "\(error)"
            let spot = item?.spot ?? Spot(file: path, line: 1, column: 1)
            report.problem(
                spot, item?.path ?? "", expected: "a scenario file", found: "\(cause): \(quoted(path))",
                hint: "Names of files are relative to the file that has them")
            return
        }
        files.append(path)
        guard let node = YAMLText.root(bytes, file: path, report: report) else { return }
        let root = Item(node, file: path, path: "")
        guard case .mapping(let pairs) = root.content else {
            report.problem(
                root, expected: "a mapping of keys to values", hint: "Begin with name: and the keys that follow")
            return
        }
        open.append(path)
        for (key, value) in pairs where key.string == "include" {
            let asked = root.child(value, "include")
            for one in asked.elements ?? [asked] {
                guard let name = report.text(one) else { continue }
                add(Documents.join(path, name), askedAt: one)
            }
        }
        open.removeLast()
        roots.append(root)
    }

    private func normal(_ path: String) -> String { Documents.join("", path) }

    /// `name` as seen from the file `path`, with `.` and `..` worked out.
    static func join(_ path: String, _ name: String) -> String {
        if name.hasPrefix("/") { return name }
        var parts = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().map(String.init)
        for part in name.split(separator: "/").map(String.init) {
            switch part {
            case ".": continue
            case ".." where !parts.isEmpty && parts.last != ".." && parts.last != "": parts.removeLast()
            default: parts.append(part)
            }
        }
        return parts.joined(separator: "/")
    }
}
