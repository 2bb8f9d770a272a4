import Units

/// Durations by percentile on a logarithmic axis, a line per kind of job.
struct PercentileChart {
    struct Series {
        let name: String
        let colour: Int
        /// A duration at each whole percentile from 1 to 100.
        let values: [SimDuration]
    }
    let title: String
    let description: String
    let series: [Series]

    // Round durations a logarithmic axis may be marked at.
    private static let marks: [Double] = [
        1, 10, 60, 300, 900, 3_600, 10_800, 28_800, 86_400, 259_200, 864_000, 8_640_000,
    ]

    func svg() -> Markup {
        let frame = Frame(height: 260)
        let all = series.flatMap(\.values).map { max(1, $0.seconds) }
        let low = PercentileChart.marks.last { $0 <= all.min() ?? 1 } ?? 1
        let high = PercentileChart.marks.first { $0 >= all.max() ?? 60 } ?? PercentileChart.marks.last!
        let x = Scale(low: 0, high: 100, from: frame.left, to: frame.plotRight)
        let y = Scale(
            low: logarithm(low), high: logarithm(max(high, low * 2)), from: frame.plotBottom, to: frame.top)
        return frame.draw(title: title, description: description) { out in
            for mark in PercentileChart.marks where mark >= low && mark <= high {
                frame.line("g", frame.left, y(logarithm(mark)), frame.plotRight, y(logarithm(mark)), &out)
                frame.label(
                    mark < 60 ? "\(Int(mark)) s" : SimDuration(roundingUp: mark).rounded, frame.left - 6,
                    y(logarithm(mark)) + 4, "end", &out)
            }
            frame.line("k", frame.left, frame.plotBottom, frame.plotRight, frame.plotBottom, &out)
            for tick in [10, 25, 50, 75, 90, 95, 99] {
                let at = x(Double(tick))
                frame.line("k", at, frame.plotBottom, at, frame.plotBottom + 4, &out)
                // 99 would touch 95.
                if tick != 95 { frame.label("\(tick) %", at, frame.plotBottom + 17, "middle", &out) }
            }
            for line in series {
                let points = line.values.enumerated().map {
                    (x(Double($0.offset + 1)), y(logarithm(max(1, $0.element.seconds))))
                }
                out.element("path", ["class": "line thick s\(line.colour)", "d": TimeChart.drawn(points)]) {
                    $0.element("title", text: line.name)
                }
            }
        }
    }

    // Base two by repeated squaring of the mantissa: exact enough for a tenth of a unit, and the same everywhere.
    private func logarithm(_ value: Double) -> Double {
        var mantissa = value.significand
        var result = Double(value.exponent)
        var bit = 0.5
        for _ in 0..<20 {
            mantissa *= mantissa
            if mantissa >= 2 {
                mantissa /= 2
                result += bit
            }
            bit /= 2
        }
        return result
    }
}
