import Protection
import Units

/// Jobs as bars along time, in lanes under headings; the part before the transfer is paler.
struct Gantt {
    let title: String
    let description: String
    let clock: CivilClock
    let from: SimTime
    let to: SimTime
    /// Where the window closes, if it does before the end.
    let closes: SimTime?
    let sections: [NightFacts.Lanes]

    /// Bars that carry a name to be shown on hovering; above this many they are drawn without.
    static let mostNamed = 1_200
    /// Lanes drawn; a chart higher than that says nothing.
    static let mostLanes = 240

    static func colour(_ kind: JobKind) -> Int {
        switch kind {
        case .expressFull: 1
        case .replicaCreation: 5
        case .consistencyCheck: 2
        case .tapeBackup, .tapeRecovery: 3
        case .onlineBackup, .secondarySynchronization, .diskRecovery: 4
        case .pruning, .summary, .inventory, .migration: 6
        }
    }

    func svg() -> Markup {
        let bars = sections.reduce(0) { $0 + $1.lanes.reduce(0) { $0 + $1.count } }
        let shown = cut()
        let lanes = shown.reduce(0) { $0 + $1.lanes.count }
        let lane = lanes > 80 ? 6.0 : 8.0
        let gap = 8.0
        var frame = Frame(left: 116)
        frame.height = frame.top + frame.bottom + shown.reduce(0) { $0 + max(12, Double($1.lanes.count) * lane) + gap }
        let x = Scale(low: from.seconds, high: to.seconds, from: frame.left, to: frame.plotRight)
        let chart = frame
        return frame.draw(title: title, description: description) { out in
            let axis = TimeAxis(clock, from: from, to: to)
            for tick in axis.ticks {
                chart.line("g", x(tick.at.seconds), chart.top, x(tick.at.seconds), chart.plotBottom, &out)
            }
            var y = chart.top
            var paths: [String: String] = [:]
            for section in shown {
                let height = max(12, Double(section.lanes.count) * lane)
                chart.label(Gantt.short(section.title), chart.left - 6, y + min(height / 2 + 4, 14), "end", &out)
                for (index, jobs) in section.lanes.enumerated() {
                    for bar in jobs {
                        draw(bar, x, y + Double(index) * lane, lane - 1.5, named: bars <= Gantt.mostNamed, &paths, &out)
                    }
                }
                y += height + gap
            }
            for kind in paths.keys.sorted() { out.empty("path", ["class": kind, "d": paths[kind]!], svg: true) }
            if let closes {
                chart.line("limit", x(closes.seconds), chart.top, x(closes.seconds), chart.plotBottom, &out)
            }
            chart.times(axis, x, &out)
        }
    }

    private func draw(
        _ bar: NightFacts.Bar, _ x: Scale, _ y: Double, _ height: Double, named: Bool, _ paths: inout [String: String],
        _ out: inout Markup
    ) {
        let colour = bar.status == .failed || bar.status == .cancelled ? "fx" : "f\(Gantt.colour(bar.kind))"
        let (left, middle, right) = (x(bar.started.seconds), x(bar.transferStarted.seconds), x(bar.ended.seconds))
        func box(_ from: Double, _ to: Double) -> String {
            let width = place(max(0.7, to - from))
            return "M\(place(from)) \(place(y))h\(width)v\(place(height))h-\(width)z"
        }
        if middle - left >= 0.7 { paths["pale \(colour)", default: ""] += box(left, min(middle, right)) }
        guard right > middle || middle - left < 0.7 else { return }
        guard named else {
            paths[colour, default: ""] += box(middle, right)
            return
        }
        out.element("path", ["class": colour, "d": box(middle, right)]) {
            $0.element(
                "title",
                text: "\(bar.machine): \(bar.kind.title), \(clock.minute(bar.started).suffix(5))–"
                    + "\(clock.minute(bar.ended).suffix(5)), \(bar.sent.rounded)")
        }
    }

    // The first lanes of each section in turn, until there are enough.
    private func cut() -> [NightFacts.Lanes] {
        var room = Gantt.mostLanes
        return sections.compactMap { section in
            let lanes = Array(section.lanes.prefix(room))
            room -= lanes.count
            return lanes.isEmpty ? nil : NightFacts.Lanes(title: section.title, lanes: lanes)
        }
    }

    private static func short(_ title: String) -> String { title.count <= 18 ? title : title.prefix(17) + "…" }
}
