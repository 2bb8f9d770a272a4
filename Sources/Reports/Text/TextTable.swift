/// Rows as aligned text for a terminal: numbers to the right, headings above, two blanks between columns.
public struct TextTable: Sendable {
    public enum Alignment: Sendable { case left, right }
    private var headings: [String]
    private let alignments: [Alignment]
    private var rows: [[String]] = []

    /// - Parameter columns: headings with the side their values keep to.
    public init(_ columns: [(heading: String, alignment: Alignment)]) {
        headings = columns.map(\.heading)
        alignments = columns.map(\.alignment)
    }

    /// Adds a row; missing values are blank, more than there are columns are left out.
    public mutating func add(_ values: [String]) {
        let shown = values.prefix(headings.count).map { TextTable.oneLine($0) }
        rows.append(shown + Array(repeating: "", count: headings.count - shown.count))
    }

    /// The lines, without trailing blanks. Columns wider than `widest` characters are cut with an ellipsis.
    public func lines(indent: Int = 0, widest: Int = 48) -> [String] {
        let all = ([headings] + rows).map { row in row.map { TextTable.cut($0, widest) } }
        let widths = headings.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            var line = String(repeating: " ", count: indent)
            for (column, value) in row.enumerated() {
                let blanks = String(repeating: " ", count: widths[column] - value.count)
                if column > 0 { line += "  " }
                line += alignments[column] == .right ? blanks + value : value + blanks
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }
    }

    /// Control characters would move the cursor or colour what follows: they become blanks.
    static func oneLine(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
        var line = ""
        for scalar in text.unicodeScalars {
            line.unicodeScalars.append(scalar.properties.generalCategory == .control ? " " : scalar)
        }
        return line
    }

    private static func cut(_ text: String, _ width: Int) -> String {
        text.count <= width ? text : text.prefix(max(0, width - 1)) + "…"
    }
}
