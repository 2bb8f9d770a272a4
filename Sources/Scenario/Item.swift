internal import Yams

/// One value of a scenario with its place: a YAML node, a cell of an inventory, or a default's text.
struct Item {
    enum Content {
        case scalar(String)
        case sequence([Node])
        case mapping([(key: Node, value: Node)])
        case nothing
    }
    var content: Content
    var spot: Spot
    var path: String

    init(text: String, spot: Spot, path: String) { (content, self.spot, self.path) = (.scalar(text), spot, path) }

    init(_ node: Node, file: String, path: String) {
        switch node {
        case .scalar(let scalar):
            let isNull = scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
            content = isNull ? .nothing : .scalar(scalar.string)
        case .sequence(let sequence): content = .sequence(Array(sequence))
        case .mapping(let mapping): content = .mapping(mapping.map { (key: $0.key, value: $0.value) })
        case .alias: content = .nothing
        }
        spot = Spot(file: file, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
        self.path = path
    }

    var text: String? { if case .scalar(let text) = content { text } else { nil } }

    /// As `explain` prints it: a text, or a list of texts; nil for what is explained key by key.
    var noted: String? {
        guard case .sequence(let nodes) = content else { return text }
        let texts = nodes.compactMap { $0.scalar?.string }
        return texts.count == nodes.count ? "[\(texts.joined(separator: ", "))]" : nil
    }

    /// As messages quote it.
    var shown: String {
        switch content {
        case .scalar(let text): quoted(text)
        case .sequence(let nodes): "a list of \(nodes.count)"
        case .mapping(let pairs): "a mapping of \(pairs.count) keys"
        case .nothing: "nothing"
        }
    }

    func child(_ node: Node, _ suffix: String) -> Item { Item(node, file: spot.file, path: path + suffix) }

    /// The elements of a list; nil if it is none.
    var elements: [Item]? {
        guard case .sequence(let nodes) = content else { return nil }
        return nodes.enumerated().map { child($1, "[\($0)]") }
    }
}

/// `'text'`, cut short and without control characters.
func quoted(_ text: String) -> String {
    var shown = ""
    for scalar in text.unicodeScalars.prefix(60) {
        if scalar.value < 32 || scalar.value == 127 {
            shown += "\\u{\(String(scalar.value, radix: 16))}"
        } else {
            shown.unicodeScalars.append(scalar)
        }
    }
    return "'\(shown)'" + (text.unicodeScalars.count > 60 ? " and so on" : "")
}
