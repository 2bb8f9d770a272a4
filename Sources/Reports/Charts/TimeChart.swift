import Units

/// Quantities over civil time: lines, or areas stacked on each other; levels hold until the next where they are steps.
struct TimeChart {
    struct Series {
        let name: String
        /// Number of the colour, from 1 to 8.
        let colour: Int
        let points: [(at: SimTime, value: Double)]
    }
    /// A horizontal line with its name: a capacity, a goal.
    struct Limit {
        let name: String
        let value: Double
        let isDashed: Bool
    }
    /// A vertical line with its name: the day something happened.
    struct Mark {
        let name: String
        let at: SimTime
    }
    let title: String
    let description: String
    let clock: CivilClock
    let unit: ValueAxis.Unit
    var from: SimTime
    var to: SimTime
    /// The same moments in each where they are stacked.
    var series: [Series]
    var isStacked = false
    var isStepped = false
    var limits: [Limit] = []
    var marks: [Mark] = []
    var height = 260.0

    func svg() -> Markup {
        let frame = Frame(height: height)
        let layers = isStacked ? stacked() : series.map { $0.points.map { (at: $0.at, low: 0.0, high: $0.value) } }
        let greatest = layers.joined().map(\.high).max() ?? 0
        let axis = ValueAxis(unit, upTo: max(greatest, limits.map(\.value).max() ?? 0))
        let x = Scale(low: from.seconds, high: to.seconds, from: frame.left, to: frame.plotRight)
        let y = Scale(low: 0, high: axis.high, from: frame.plotBottom, to: frame.top)
        return frame.draw(title: title, description: description) { out in
            frame.grid(axis, y, &out)
            for (line, layer) in zip(series, layers) {
                let top = path(layer.map { ($0.at, $0.high) }, x, y)
                if !top.isEmpty {
                    let floor =
                        isStacked
                        ? path(layer.map { ($0.at, $0.low) }, x, y).reversed()
                        : [(top[top.count - 1].0, y(0)), (top[0].0, y(0))]
                    out.element(
                        "path", ["class": "area f\(line.colour)", "d": TimeChart.drawn(top + floor) + "Z"],
                        { $0.element("title", text: line.name) })
                    out.empty("path", ["class": "line s\(line.colour)", "d": TimeChart.drawn(top)], svg: true)
                }
            }
            frame.times(TimeAxis(clock, from: from, to: to), x, &out)
            for (index, limit) in limits.enumerated() {
                let at = y(limit.value)
                frame.line(limit.isDashed ? "limit dashed" : "limit", frame.left, at, frame.plotRight, at, &out)
                // Names at both ends in turn, so that two lines close together can be told apart.
                let isLeft = index % 2 == 1
                let above = at - 5 > frame.top + 8
                frame.label(
                    limit.name, isLeft ? frame.left + 6 : frame.plotRight - 4, at + (above ? -5 : 13),
                    isLeft ? "start" : "end", &out, kind: "a halo")
            }
            for mark in marks {
                let at = x(mark.at.seconds)
                frame.line("mark", at, frame.top, at, frame.plotBottom, &out)
                let isRight = at > frame.width / 2
                frame.label(
                    mark.name, at + (isRight ? -5 : 5), frame.plotBottom - 8, isRight ? "end" : "start", &out,
                    kind: "a halo")
            }
        }
    }

    private func stacked() -> [[(at: SimTime, low: Double, high: Double)]] {
        var floor = [Double](repeating: 0, count: series.first?.points.count ?? 0)
        return series.map { line in
            line.points.enumerated().map { index, point in
                let low = floor[index]
                floor[index] += point.value
                return (point.at, low, floor[index])
            }
        }
    }

    private func path(_ points: [(SimTime, Double)], _ x: Scale, _ y: Scale) -> [(Double, Double)] {
        var out: [(Double, Double)] = []
        for (index, point) in points.enumerated() {
            let place = (x(point.0.seconds), y(point.1))
            if isStepped, let last = out.last, last.1 != place.1 { out.append((place.0, last.1)) }
            // What moves by less than half a unit cannot be seen.
            if let last = out.last, index < points.count - 1, abs(place.0 - last.0) < 0.5, abs(place.1 - last.1) < 0.5 {
                continue
            }
            out.append(place)
        }
        if isStepped, let last = out.last, last.0 < x(to.seconds) { out.append((x(to.seconds), last.1)) }
        return out
    }

    static func drawn(_ points: [(Double, Double)]) -> String {
        var text = ""
        for (index, point) in points.enumerated() {
            text += index == 0 ? "M" : "L"
            text += place(point.0)
            text += " "
            text += place(point.1)
        }
        return text
    }
}
