import Protection
import Testing
import Units

@testable import Reports

@Suite struct ChartTests {
    private static let valueTicks: [(ValueAxis.Unit, Double, [String])] = [
        (ValueAxis.Unit.bytes, 3.9e12, ["0", "1 TB", "2 TB", "3 TB", "4 TB"]),
        (.count, 3, ["0", "1", "2", "3"]), (.count, 0, ["0", "1"]),
        (.duration, 7_200, ["0", "30 min", "1 h", "1 h 30 min", "2 h"]),
        (.share, 1, ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]), (.bytes, .infinity, ["0", "1 B"]),
    ]
    @Test("Ticks are round in the axis's own unit", arguments: valueTicks)
    func values(unit: ValueAxis.Unit, upTo: Double, labels: [String]) {
        #expect(ValueAxis(unit, upTo: upTo).ticks.map(\.label) == labels)
    }

    private static let timeTicks: [(Int64, [String])] = [
        (6, ["20:00", "21:00", "22:00", "23:00", "6 Jan", "01:00", "02:00"]),
        (24 * 4, ["6 Jan", "7 Jan", "8 Jan", "9 Jan"]), (24 * 28, ["12 Jan", "19 Jan", "26 Jan", "2 Feb"]),
        (24 * 365, ["Feb", "Apr", "Jun", "Aug", "Oct", "Dec"]), (0, ["5 Jan"]),
    ]
    @Test("The axis of time is marked by hours, days, weeks or months", arguments: timeTicks)
    func times(hours: Int64, labels: [String]) {
        let clock = CivilClock(startDate: CivilDate(year: 2026, month: 1, day: 5)!)
        let from = SimTime.start + .hours(20)
        #expect(TimeAxis(clock, from: from, to: from + .hours(hours)).ticks.map(\.label) == labels)
    }

    @Test("Stacked areas stand on each other, and steps hold until the next")
    func stacked() {
        let clock = CivilClock(startDate: CivilDate(year: 2026, month: 1, day: 5)!)
        let times = [SimTime.start, .start + .days(1)]
        let chart = TimeChart(
            title: "t", description: "d", clock: clock, unit: .count, from: .start, to: .start + .days(2),
            series: [
                .init(name: "a", colour: 1, points: [(times[0], 1), (times[1], 2)]),
                .init(name: "b", colour: 2, points: [(times[0], 1), (times[1], 2)]),
            ], isStacked: true, isStepped: true)
        let svg = chart.svg().text
        // Plot from x 62 to 744 and y 230 (0) to 12 (4): one is 54.5 high, a day 341 wide.
        #expect(svg.contains("M62 175.5L403 175.5L403 121L744 121"))
        #expect(svg.contains("M62 121L403 121L403 12L744 12"))
    }

    @Test("A year of points becomes no longer path than can be seen")
    func thinned() {
        let clock = CivilClock(startDate: CivilDate(year: 2026, month: 1, day: 5)!)
        let points = (0..<100_000).map { (at: SimTime.start + .minutes(Int64($0)), value: 5.0) }
        let chart = TimeChart(
            title: "t", description: "d", clock: clock, unit: .count, from: .start, to: points.last!.at,
            series: [.init(name: "a", colour: 1, points: points)])
        #expect(chart.svg().bytes.count < 60_000)
    }

    @Test(
        "Shades of the heat map",
        arguments: [(0, 0), (0.01, 0), (0.02, 1), (0.55, 5), (1, 9), (7, 9), (.nan, 0)] as [(Double, Int)])
    func shades(share: Double, shade: Int) { #expect(HeatMap.shade(share) == shade) }

    @Test("The worst night of 800 machines stays below 300 kB")
    func gantt() throws {
        let facts = SyntheticMonth(machines: 800, hosts: 16, days: 8).facts
        let night = try #require(facts.worstNight)
        let chart = Gantt(
            title: "t", description: "d", clock: facts.clock, from: night.from, to: night.to, closes: nil,
            sections: night.sections)
        #expect(chart.svg().bytes.count < 300_000)
        for section in night.sections {
            for lane in section.lanes {
                for (a, b) in zip(lane, lane.dropFirst()) { #expect(a.ended <= b.started) }
            }
        }
    }

    @Test(
        "Shares are never rounded into all or nothing",
        arguments: [
            (1, "100 %"), (0.9999, "> 99.9 %"), (0.0001, "< 0.1 %"), (0, "0 %"), (0.5, "50 %"), (0.123, "12.3 %"),
        ]
            as [(Double, String)])
    func shares(share: Double, text: String) {
        #expect(percent(share) == text)
        #expect(percent(nil) == "–")
    }
}
