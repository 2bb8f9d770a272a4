import Units

/// The ground of a chart: margins, grid, axes and labels. Sizes are in units of the view box.
struct Frame {
    var width = 760.0
    var height = 280.0
    var left = 62.0
    var right = 16.0
    var top = 12.0
    var bottom = 30.0

    var plotRight: Double { width - right }
    var plotBottom: Double { height - bottom }

    /// The `svg` element, with what a reader of the screen says about it.
    func draw(title: String, description: String, _ content: (inout Markup) -> Void) -> Markup {
        var out = Markup()
        out.element(
            "svg",
            [
                "class": "chart", "role": "img", "viewBox": "0 0 \(place(width)) \(place(height))", "aria-label": title,
            ]
        ) { svg in
            svg.element("title", text: title)
            svg.element("desc", text: description)
            content(&svg)
        }
        return out
    }

    /// Horizontal lines of the grid with their values to the left.
    func grid(_ axis: ValueAxis, _ y: Scale, _ out: inout Markup) {
        for tick in axis.ticks {
            line("g", left, y(tick.value), plotRight, y(tick.value), &out)
            label(tick.label, left - 6, y(tick.value) + 4, "end", &out)
        }
    }

    /// Marks of civil time below.
    func times(_ axis: TimeAxis, _ x: Scale, _ out: inout Markup) {
        line("k", left, plotBottom, plotRight, plotBottom, &out)
        for tick in axis.ticks {
            let at = x(tick.at.seconds)
            line("k", at, plotBottom, at, plotBottom + 4, &out)
            label(tick.label, at, plotBottom + 17, at > plotRight - 12 ? "end" : "middle", &out)
        }
    }

    func line(_ kind: String, _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ out: inout Markup) {
        out.empty(
            "line", ["class": kind, "x1": place(x1), "y1": place(y1), "x2": place(x2), "y2": place(y2)], svg: true)
    }

    func label(
        _ text: String, _ x: Double, _ y: Double, _ anchor: String, _ out: inout Markup, kind: String = "a"
    ) {
        out.element("text", ["class": kind, "x": place(x), "y": place(y), "text-anchor": anchor], text: text)
    }
}
