import Kernel
import Protection
import Units

/// How many distinct blocks a modelled machine changes in a span of time.
///
/// Writes fall evenly on a working set of W bytes: of w bytes written, W (1 - exp(-w/W)) are distinct blocks (each block is
/// missed with probability exp(-w/W), the Poisson limit of throwing blocks at random). So a second express full an hour
/// later is not half of one two hours later, and `unique` obeys unique(a, c) <= unique(a, b) + unique(b, c). Growth adds
/// blocks that were never there, in proportion to time.
struct ChangeModel {
    private let perDay: Double
    private let workingSet: Double
    private let variation: Double
    private let sigma: Double
    /// Share of a day's writes done by each full hour: 25 values from 0 to 1.
    private let hours: [Double]
    private let weekdays: [Double]
    private let stream: RandomStream
    private let firstWeekday: Int
    private let used: Int64
    private let growthPerDay: Double
    /// What the virtual disks still take.
    private let room: Int64
    /// Page-file blocks inside the working set.
    private let pageFile: Double

    init(_ machine: Machine, number: Int, seed: UInt64, clock: CivilClock) {
        let churn = machine.churn
        perDay = Double(churn.perDay.count)
        used = machine.usedSize.count
        workingSet = Double(min(churn.workingSet.count, used))
        variation = churn.variation
        sigma = portableLog(1 + variation * variation).squareRoot()
        let sum = churn.hours.reduce(0, +)
        var before = [0.0]
        for weight in churn.hours { before.append(before.last! + (sum > 0 ? weight / sum : 1 / 24)) }
        before[24] = 1
        hours = before
        let mean = churn.weekdays.reduce(0, +) / 7
        weekdays = churn.weekdays.map { mean > 0 ? $0 / mean : 1 }
        stream = RandomStream(seed: seed, name: "churn", entity: Int32(number))
        firstWeekday = clock.startDate.weekday.rawValue
        room = max(0, machine.protectedSize.count - used)
        growthPerDay = Double(used) * machine.growthPerYear.value / 365.25
        pageFile = min(Double(machine.pageFile.count), workingSet)
    }

    private static let day: Int64 = 86_400_000_000_000

    /// Bytes in use at `time`: what there was, and what grew since the start, until the disks are full.
    func used(at time: SimTime) -> Int64 {
        let grown = growthPerDay * (Double(max(0, time.nanoseconds)) / Double(ChangeModel.day))
        return used + (grown < Double(room) ? Int64(grown) : room)
    }

    /// Bytes written in a span, a block as often as it is written.
    func written(from: SimTime, to: SimTime) -> Double {
        guard to > from, perDay > 0 else { return 0 }
        let (first, last) = (floorDay(from.nanoseconds), floorDay(to.nanoseconds))
        if first == last { return factor(first) * (share(to, first) - share(from, first)) * perDay }
        var days = factor(first) * (1 - share(from, first))
        var day = first + 1
        while day < last {
            days += factor(day)
            day += 1
        }
        let end = share(to, last)
        if end > 0 { days += factor(last) * end }
        return days * perDay
    }

    /// Bytes of distinct blocks that existed at `from` and were overwritten by `to`.
    func overwritten(from: SimTime, to: SimTime) -> Double {
        guard workingSet > 0 else { return 0 }
        let x = written(from: from, to: to) / workingSet
        // Of 1 - exp(-x) little would be left for a small x; four terms of the series are exact to the last bit there.
        if x < 1e-4 { return workingSet * x * (1 - x / 2 * (1 - x / 3 * (1 - x / 4))) }
        return workingSet * (1 - portableExp(-x))
    }

    /// The share of those that is page file (PRC-5).
    var pageFileShare: Double { workingSet > 0 ? pageFile / workingSet : 0 }

    private func floorDay(_ n: Int64) -> Int64 { n >= 0 ? n / ChangeModel.day : (n + 1) / ChangeModel.day - 1 }

    /// Share of day `day`'s writes done by `time`.
    private func share(_ time: SimTime, _ day: Int64) -> Double {
        let hour = Double(time.nanoseconds - day * ChangeModel.day) / 3_600_000_000_000
        let whole = min(23, Int(hour))
        return hours[whole] + (hours[whole + 1] - hours[whole]) * (hour - Double(whole))
    }

    /// How heavy a day is against the average: its weekday, times a lognormal variate of mean one drawn for the day.
    private func factor(_ day: Int64) -> Double {
        let weekday = weekdays[Int(((day + Int64(firstWeekday)) % 7 + 7) % 7)]
        guard variation > 0 else { return weekday }
        let z = normalQuantile(stream.draw(at: UInt64(bitPattern: day &+ 1_000_000)))
        return weekday * portableExp(sigma * z - sigma * sigma / 2)
    }
}
