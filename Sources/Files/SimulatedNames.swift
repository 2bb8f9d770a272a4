/// The names on a simulated disk: those a program sees, those that are durable, and the steps between. Paths are normal: no `/` at
/// the ends, no `.`; the disk itself is the empty path.
struct SimulatedNames: Sendable {
    enum Node: Hashable, Sendable {
        case folder
        case file(Int)
    }

    private enum Step {
        case set(String, Node)
        case remove(String)
        case rename(String, String, Node)

        var paths: [String] {
            switch self {
            case .set(let path, _), .remove(let path): [path]
            case .rename(let path, let target, _): [path, target]
            }
        }
    }

    private(set) var now: [String: Node] = [:]
    private var durable: [String: Node] = [:]
    private var steps: [Step] = []

    static func normal(_ path: String) -> String {
        path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }

    func hasFolder(_ path: String) -> Bool { path.isEmpty || now[path] == .folder }

    func children(of folder: String) -> [String] {
        now.keys.filter { Self.folder(of: $0) == folder && !$0.isEmpty }
            .map { String($0.dropFirst(folder.isEmpty ? 0 : folder.count + 1)) }.sorted()
    }

    mutating func set(_ path: String, _ node: Node) { take(.set(path, node)) }
    mutating func remove(_ path: String) { take(.remove(path)) }
    mutating func rename(_ path: String, to target: String) {
        guard let node = now[path], path != target else { return }
        take(.rename(path, target, node))
    }

    private mutating func take(_ step: Step) {
        steps.append(step)
        Self.apply(step, to: &now)
    }

    private static func apply(_ step: Step, to names: inout [String: Node]) {
        switch step {
        case .set(let path, let node): names[path] = node
        case .remove(let path): names[path] = nil
        case .rename(let path, let target, let node):
            names[path] = nil
            names[target] = node
            guard node == .folder else { return }
            for inner in names.keys.filter({ $0.hasPrefix(path + "/") }).sorted() {
                names[target + inner.dropFirst(path.count)] = names.removeValue(forKey: inner)
            }
        }
    }

    /// Makes the steps in a folder durable, and earlier ones elsewhere that they follow from.
    mutating func sync(_ folder: String) {
        var paths: Set<String> = []
        var left: [Step] = []
        var due: [Step] = []
        for step in steps.reversed() {
            let inFolder = step.paths.contains { Self.folder(of: $0) == folder }
            if inFolder || step.paths.contains(where: { paths.contains($0) }) {
                paths.formUnion(step.paths)
                due.append(step)
            } else {
                left.append(step)
            }
        }
        for step in due.reversed() { Self.apply(step, to: &durable) }
        steps = left.reversed()
    }

    mutating func cut(keeping fate: SimulatedFate, _ chance: inout SplitMix) {
        switch fate {
        case .kept: break
        case .lost: now = durable
        case .torn:
            now = durable
            var lost: Set<String> = []
            for step in steps {
                let follows = step.paths.contains { lost.contains($0) }
                if follows || Bool.random(using: &chance) {
                    lost.formUnion(step.paths)
                } else {
                    Self.apply(step, to: &now)
                }
            }
        }
        // What was in a folder that is gone is gone.
        while true {
            let orphans = now.keys.filter { !hasFolder(Self.folder(of: $0)) }
            if orphans.isEmpty { break }
            for path in orphans { now[path] = nil }
        }
        steps = []
        durable = now
    }

    /// Every file that a program sees, or that may come back.
    var files: Set<Int> {
        var files: Set<Int> = []
        for node in Array(now.values) + Array(durable.values) { if case .file(let id) = node { files.insert(id) } }
        for step in steps {
            switch step {
            case .set(_, .file(let id)), .rename(_, _, .file(let id)): files.insert(id)
            default: break
            }
        }
        return files
    }
}
