import Units

/// Share in use by hour of the day and day of the week, in ten shades.
struct HeatMap {
    let title: String
    let description: String
    /// 168 shares from Monday 00:00.
    let hourly: [Double]

    func svg() -> Markup {
        let frame = Frame(width: 420, height: 132, left: 34, right: 6, top: 4, bottom: 16)
        let cell = (x: (frame.plotRight - frame.left) / 24, y: (frame.plotBottom - frame.top) / 7)
        var shades = [String](repeating: "", count: 10)
        let cells = hourly.prefix(168).map(HeatMap.shade)
        var hour = 0
        while hour < cells.count {
            // Hours of one shade that follow each other on a day are one box.
            var end = hour + 1
            while end < cells.count, end % 24 != 0, cells[end] == cells[hour] { end += 1 }
            let (x, y) = (frame.left + Double(hour % 24) * cell.x, frame.top + Double(hour / 24) * cell.y)
            let width = place(Double(end - hour) * cell.x - 0.6)
            shades[cells[hour]] += "M\(place(x)) \(place(y))h\(width)v\(place(cell.y - 1))h-\(width)z"
            hour = end
        }
        return frame.draw(title: title, description: description) { out in
            for (shade, path) in shades.enumerated() where !path.isEmpty {
                out.element("path", ["class": "q\(shade)", "d": path]) {
                    $0.element(
                        "title",
                        text: shade == 0 ? "idle" : "\(shade == 1 ? 2 : shade * 10) to \(shade * 10 + 10) % in use")
                }
            }
            for day in Weekday.allCases {
                frame.label(
                    day.short, frame.left - 5, frame.top + (Double(day.rawValue) + 0.72) * cell.y, "end", &out)
            }
            for hour in stride(from: 0, through: 21, by: 3) {
                frame.label("\(hour)", frame.left + (Double(hour) + 0.5) * cell.x, frame.height - 3, "middle", &out)
            }
        }
    }

    /// Zero below two hundredths, which nobody would call in use; nine for nine tenths and more.
    static func shade(_ share: Double) -> Int {
        guard share >= 0.02, share.isFinite else { return 0 }
        return min(9, max(1, Int(share * 10)))
    }
}
