import Protection
import Units

/// The answer to one of the planner's questions.
public struct Verdict: Sendable {
    public enum Question: String, CaseIterable, Sendable {
        case window = "Backup window", recovery = "Recovery points", pool = "Storage pool", tapes = "Tapes"
    }
    public enum Answer: String, CaseIterable, Sendable {
        case met, missed
        /// No goal was set: the figures stand for themselves.
        case noGoal = "no goal"
        /// Nothing happened that would decide it.
        case undecided
    }
    public let question: Question
    public let answer: Answer
    /// One sentence with the figure that decides.
    public let headline: String
    /// Figures behind it, by name.
    public let figures: [(name: String, value: String)]
    /// What to do; empty where nothing needs doing.
    public let advice: String
}

extension Verdict {
    init(_ facts: WindowFacts, _ setting: Setting, _ bottlenecks: BottleneckFacts) {
        let clock = setting.clock
        question = .window
        let worst = facts.worst.map { facts.nights[$0] }
        var figures: [(name: String, value: String)] = [
            ("Backups due", grouped(facts.due)), ("Ended inside", grouped(facts.inside)),
            ("Ended late", grouped(facts.late)), ("Failed for good", grouped(facts.failed)),
        ]
        if let worst {
            figures.append(("Worst night", clock.day(worst.day)))
            figures.append(("Last end in it", clock.minute(worst.lastEnd)))
        }
        if facts.outsideSchedule > 0 { figures.append(("Due outside any window", grouped(facts.outsideSchedule))) }
        self.figures = figures
        guard let window = facts.window else {
            answer = .noGoal
            headline =
                worst.map {
                    "No window is asked for; on the busiest night, \(clock.day($0.day)), the last backup ended "
                        + clock.minute($0.lastEnd)
                } ?? "No window is asked for, and no backup ran"
            advice = ""
            return
        }
        guard let share = facts.share, let worst else {
            answer = .undecided
            headline = "No backup was due inside the window"
            advice = facts.outsideSchedule > 0 ? "Set the groups' schedules inside the window" : ""
            return
        }
        answer = share >= facts.goal.value ? .met : .missed
        headline =
            "\(percent(share)) of backups ended inside \(window.start) + \(window.duration) (goal \(facts.goal)); "
            + (worst.lateness > .zero
                ? "at worst \(worst.lateness.rounded) late"
                : "at worst \((worst.closes - worst.lastEnd).rounded) to spare")
        if answer == .met {
            advice = ""
        } else if facts.failed > facts.late {
            advice = "Most of these backups failed: see the missed recovery points by cause"
        } else {
            advice =
                bottlenecks.first.map { "\($0.kind.remedy) (the bottleneck is \($0.worst), \($0.kind.rawValue))" } ?? ""
        }
    }

    init(_ facts: RecoveryFacts, _ setting: Setting) {
        question = .recovery
        var figures: [(name: String, value: String)] = [
            ("Machines protected to disk", grouped(facts.rows.count)),
            ("Without any point", grouped(facts.withoutPoint)),
            ("Oldest newest point", facts.oldest?.rounded ?? "–"),
            ("Machine-days without a point", "\(grouped(facts.machineDaysWithout)) (\(percent(facts.shareWithout)))"),
        ]
        if facts.objective != nil { figures.insert(("Over the objective", grouped(facts.overObjective)), at: 2) }
        self.figures = figures
        let without =
            facts.withoutPoint > 0 ? "; \(counted(facts.withoutPoint, "machine")) never had a recovery point" : ""
        guard !facts.rows.isEmpty else {
            (answer, headline, advice) = (.undecided, "No machine is protected to disk", "")
            return
        }
        guard let objective = facts.objective else {
            answer = .noGoal
            headline =
                (facts.oldest.map { "No objective is set; the oldest newest point was \($0.rounded) old" }
                    ?? "No objective is set") + without
            advice = ""
            return
        }
        answer = facts.overObjective == 0 && facts.withoutPoint == 0 ? .met : .missed
        let worst = facts.rows.first { $0.oldest != nil }
        headline =
            (facts.overObjective == 0
                ? "Every machine's newest point was at most \(facts.oldest?.rounded ?? "–") old (goal \(objective))"
                : "\(counted(facts.overObjective, "machine")) of \(grouped(facts.rows.count)) had no point newer than "
                    + "\(objective) at some time; at worst \(facts.oldest?.rounded ?? "–")"
                    + (worst.map { " (\($0.name))" } ?? "")) + without
        advice =
            answer == .met ? "" : "See the missed recovery points by cause; a schedule twice as dense halves the age"
    }

    init(_ facts: PoolFacts, _ setting: Setting) {
        let clock = setting.clock
        question = .pool
        let fullest = facts.volumes.max { ($0.peakShare ?? 0) < ($1.peakShare ?? 0) }
        let forecast =
            switch facts.forecast {
            case .tooShort: "the run is too short to say (\(facts.warmUpDays) days of retention come first)"
            case .steady: "not within ten years"
            case .full(let days):
                days == 0
                    ? "at the end of the run"
                    : "in \(grouped(days)) days after the run"
                        + (facts.days.last.map { ", \(clock.day($0.day + days))" } ?? "")
            }
        figures = [
            ("Capacity", facts.capacity.rounded), ("Peak use", "\(facts.peak.rounded) (\(percent(facts.peakShare)))"),
            ("At the end", "\(facts.atEnd.rounded) (\(percent(facts.endShare)))"),
            ("Fullest volume", fullest.map { "\($0.name), \(percent($0.peakShare))" } ?? "–"),
            ("Over the goal", facts.overGoalAt.map { clock.minute($0) } ?? "never"),
            ("A volume full", facts.fullAt.map { clock.minute($0) } ?? "never"), ("Full by forecast", forecast),
        ]
        guard facts.capacity > .zero else {
            (answer, headline, advice) = (.undecided, "There is no storage pool", "")
            return
        }
        let isOver = (facts.peakShare ?? 0) > facts.goal.value
        answer = isOver || facts.fullAt != nil ? .missed : .met
        let when =
            if let full = facts.fullAt {
                "a volume is full on \(clock.day(clock.dayIndex(of: full)))"
            } else if case .full(let days) = facts.forecast, let last = facts.days.last {
                "full by forecast on \(clock.day(last.day + days))"
            } else if case .steady = facts.forecast { "not full within ten years" } else {
                "too short a run for a forecast"
            }
        headline = "At most \(percent(facts.peakShare)) of \(facts.capacity.rounded) used (goal \(facts.goal)); \(when)"
        if answer == .met {
            advice = ""
        } else if isOver {
            let wanted = Double(facts.peak.count) / max(facts.goal.value, 1e-9) - Double(facts.capacity.count)
            let room = Bytes(Int64(max(0, min(wanted, 9e18)))).rounded
            advice = "Add \(room) to the pool for the goal at this peak, or keep points for fewer days"
        } else {
            advice = "Move machines from \(fullest?.name ?? "the fullest volume") to volumes with room"
        }
    }

    init(_ facts: TapeFacts, _ setting: Setting) {
        question = .tapes
        figures = [
            ("Cartridges", grouped(facts.total)), ("Allowed in use", grouped(facts.limit)),
            ("Peak in use", grouped(facts.peak)), ("Fewest free", grouped(facts.fewestFree)),
            ("Free at the end", grouped(facts.freeAtEnd)), ("Ever written", grouped(facts.cartridgesWritten)),
            ("Mounts", grouped(facts.mounts)), ("Tape jobs failed", grouped(facts.failedJobs)),
        ]
        guard facts.isUsed else {
            (answer, headline, advice) = (.undecided, "There are no tapes", "")
            return
        }
        let ranOut = facts.total > 0 && facts.fewestFree == 0
        answer = facts.peak > facts.limit || ranOut ? .missed : .met
        headline =
            "At most \(grouped(facts.peak)) of \(grouped(facts.limit)) cartridges in use; "
            + (ranOut ? "at times none was free" : "never fewer than \(grouped(facts.fewestFree)) free")
        advice =
            answer == .met
            ? "" : "Add cartridges, colocate groups on shared tapes, compress, or keep tapes for less time"
    }
}

extension CivilClock {
    /// `Tue 2026-01-06` for a day counted from the start.
    func day(_ index: Int) -> String {
        let date = startDate.adding(days: index)
        return "\(date.weekday.short) \(date)"
    }
    /// `Tue 2026-01-06 20:15`.
    func minute(_ time: SimTime) -> String { String(text(time).dropLast(3)) }
}
