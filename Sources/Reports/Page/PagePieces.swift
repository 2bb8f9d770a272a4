/// Pieces that several sections of the page are made of.
enum PagePieces {
    /// A section with its heading, and links to the numbers behind it.
    static func section(
        _ title: String, id: String, data: [String] = [], _ out: inout Markup, _ content: (inout Markup) -> Void
    ) {
        out.element("section", ["id": id, "aria-labelledby": "h-\(id)"]) { section in
            section.element("h2", ["id": "h-\(id)"], text: title)
            content(&section)
            guard !data.isEmpty else { return }
            section.element("p", ["class": "data"]) { line in
                line.add("Numbers: ")
                for (index, name) in data.enumerated() {
                    if index > 0 { line.add(", ") }
                    line.element("a", ["href": "data/\(name).csv"], text: "\(name).csv")
                }
            }
        }
    }

    /// A chart that scrolls sideways where it has no room, with its legend.
    static func plot(_ chart: Markup, legend: [(name: String, colour: String)] = [], title: String, _ out: inout Markup)
    {
        out.element("figure") { figure in
            figure.element("figcaption") { caption in
                caption.element("strong", text: title)
                guard !legend.isEmpty else { return }
                caption.element("span", ["class": "legend"]) { list in
                    for entry in legend {
                        list.element("span") { item in
                            item.element("i", ["class": entry.colour]) { _ in }
                            item.add(entry.name)
                        }
                    }
                }
            }
            figure.element("div", ["class": "scroll", "tabindex": "0", "role": "group", "aria-label": title]) {
                $0.add(chart)
            }
        }
    }

    struct Column {
        let title: String
        let isNumber: Bool
        init(_ title: String, number: Bool = true) { (self.title, isNumber) = (title, number) }
    }

    /// A table; a row's last value may be a bar.
    static func table(
        _ caption: String, _ columns: [Column], _ rows: [[String]], bars: [[Double]] = [], _ out: inout Markup
    ) {
        out.element("div", ["class": "scroll", "tabindex": "0", "role": "group", "aria-label": caption]) { box in
            box.element("table") { table in
                table.element("caption", text: caption)
                table.element("thead") { head in
                    head.element("tr") { row in
                        for column in columns {
                            row.element(
                                "th", ["scope": "col", "class": column.isNumber ? "n" : "t"], text: column.title)
                        }
                        if !bars.isEmpty { row.element("th", ["class": "bar"]) { _ in } }
                    }
                }
                table.element("tbody") { body in
                    for (index, values) in rows.enumerated() {
                        body.element("tr") { row in
                            for (column, value) in zip(columns, values) {
                                row.element("td", ["class": column.isNumber ? "n" : "t"], text: value)
                            }
                            if bars.indices.contains(index) { bar(bars[index], &row) }
                        }
                    }
                }
            }
        }
    }

    /// Parts of one, side by side, each in its colour.
    private static func bar(_ parts: [Double], _ out: inout Markup) {
        out.element("td", ["class": "bar"]) { cell in
            cell.element(
                "svg", ["viewBox": "0 0 100 10", "preserveAspectRatio": "none", "aria-hidden": "true"]
            ) { svg in
                var x = 0.0
                for (index, part) in parts.enumerated() {
                    let width = min(max(0, part), 1) * 100
                    svg.empty(
                        "rect",
                        [
                            "class": "f\(index == 0 ? 1 : 3)", "x": place(x), "y": "0", "width": place(width),
                            "height": "10",
                        ], svg: true)
                    x += width
                }
            }
        }
    }

    /// Part of the content, folded away until it is asked for.
    static func folded(_ title: String, _ out: inout Markup, _ content: (inout Markup) -> Void) {
        out.element("details") { details in
            details.element("summary", text: title)
            content(&details)
        }
    }

    static func note(_ text: String, _ out: inout Markup) { out.element("p", ["class": "note"], text: text) }
}
