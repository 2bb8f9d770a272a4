public import Units

/// Everything that is known of a finished run, by which expectations are judged.
public struct RunStory: Sendable {
    /// Jobs in the order they ended.
    public var jobs: [JobRecord]
    public var alerts: [AlertRecord]
    public var missed: [MissedPoint]
    public var incidents: [IncidentRecord]
    /// In the order they came.
    public var replicaChanges: [ReplicaChange]
    public var moves: [MachineMove]
    /// Ascending in time.
    public var poolLevels: [Level]
    public var tapeLevels: [Level]
    public var outcome: RunOutcome
    public init(
        jobs: [JobRecord], alerts: [AlertRecord], missed: [MissedPoint], incidents: [IncidentRecord],
        replicaChanges: [ReplicaChange], moves: [MachineMove], poolLevels: [Level], tapeLevels: [Level],
        outcome: RunOutcome
    ) {
        (self.jobs, self.alerts, self.missed, self.incidents) = (jobs, alerts, missed, incidents)
        (self.replicaChanges, self.moves) = (replicaChanges, moves)
        (self.poolLevels, self.tapeLevels, self.outcome) = (poolLevels, tapeLevels, outcome)
    }
}

/// What came of an expectation.
public struct ExpectationVerdict: Sendable, Hashable {
    public let expectation: Expectation
    /// The expectation as a sentence.
    public let expected: String
    public let held: Bool
    /// What was seen, in one sentence.
    public let seen: String
    /// The moment that decided; nil where none did.
    public let at: SimTime?
    /// What happened around that moment, a line each, in time's order; empty where the expectation held.
    public let trace: [String]
}

/// Judges expectations by the story of a run. A pure function: same setting and story, same verdicts.
public struct ExpectationJudge {
    let setting: Setting
    let story: RunStory
    var world: World { setting.world }
    var end: SimTime { story.outcome.finishedAt }

    public init(_ setting: Setting, _ story: RunStory) { (self.setting, self.story) = (setting, story) }

    /// A verdict for each expectation of the setting, in its order.
    public func verdicts() -> [ExpectationVerdict] { setting.expectations.map(verdict) }

    /// One object of a subject; `nil` places mean the whole run.
    enum Object: Hashable {
        case run
        case machine(Int32), host(Int32), group(Int32), server(Int32), library(Int32), poolVolume(Int32), link(Int32)
    }

    /// What one object showed.
    struct Finding {
        var holds: Bool
        var seen: String
        var at: SimTime?
    }

    /// What came of one expectation; of several objects the first that decides is told, and how many are like it.
    public func verdict(_ expectation: Expectation) -> ExpectationVerdict {
        let objects = ExpectationJudge.objects(of: expectation.subject)
        let findings = objects.map { ($0, finding(expectation, $0)) }
        let good = findings.filter { $0.1.holds }
        let held = expectation.isOfAny ? !good.isEmpty : good.count == findings.count && !findings.isEmpty
        let telling = held ? (good.first ?? findings.first) : findings.first { !$0.1.holds }
        var seen = telling.map { told($0.0, $0.1) } ?? "nothing it names"
        if findings.count > 1 {
            let other = held ? findings.count - 1 : findings.count - good.count - 1
            if !held, expectation.isOfAny {
                seen += "; none of \(findings.count) differs"
            } else if other > 0 {
                seen += held ? "; likewise \(good.count - 1) more" : "; and \(other) more of \(findings.count) fail"
            }
        }
        let trace = held ? [] : telling.map { StoryTrace(setting, story).lines(around: $0.1.at ?? end, of: $0.0) } ?? []
        return ExpectationVerdict(
            expectation: expectation, expected: expectation.sentence(in: setting), held: held, seen: seen,
            at: telling?.1.at, trace: trace)
    }

    private func told(_ object: Object, _ finding: Finding) -> String {
        let name = self.name(of: object)
        let when = finding.at.map { " (\(setting.clock.text($0)))" } ?? ""
        return (name.isEmpty ? "" : name + ": ") + finding.seen + when
    }

    static func objects(of subject: Expectation.Subject) -> [Object] {
        switch subject {
        case .run: [.run]
        case .machines(let refs): refs.map { .machine($0.index) }
        case .hosts(let refs): refs.map { .host($0.index) }
        case .groups(let refs): refs.map { .group($0.index) }
        case .servers(let refs): refs.map { .server($0.index) }
        case .libraries(let refs): refs.map { .library($0.index) }
        case .poolVolumes(let refs): refs.map { .poolVolume($0.index) }
        case .links(let refs): refs.map { .link($0.index) }
        }
    }

    func name(of object: Object) -> String {
        switch object {
        case .run: ""
        case .machine(let n): "machine \(world.machines[Int(n)].name)"
        case .host(let n): "host \(world.hosts[Int(n)].name)"
        case .group(let n): "protection group \(world.groups[Int(n)].name)"
        case .server(let n): "DPM server \(world.servers[Int(n)].name)"
        case .library(let n): "library \(world.libraries[Int(n)].name)"
        case .poolVolume(let n): "pool volume \(world.poolVolumes[Int(n)].name)"
        case .link(let n): "link \(world.links[Int(n)].name)"
        }
    }

    private func finding(_ expectation: Expectation, _ object: Object) -> Finding {
        switch expectation.quantity.kind {
        case .level: levelFinding(course(of: expectation.quantity, object), expectation.scope)
        case .tally: tallyFinding(expectation.quantity, expectation.scope, object)
        case .final: finalFinding(expectation.quantity, object)
        }
    }
}

// MARK: Time

extension ExpectationJudge {
    /// When the script's lines with a label came true, ascending.
    func occurrences(of label: String) -> [SimTime] {
        story.incidents.filter { $0.line >= 0 && setting.script[Int($0.line)].label == label }.map(\.at).sorted()
    }

    /// The moments that are meant: several where a label came true several times; none where it never did.
    func times(of moment: ExpectedMoment) -> [SimTime] {
        switch moment {
        case .at(let time): [time]
        case .end: [end]
        case .after(let span, let label): occurrences(of: label).map { $0 + span }
        }
    }

    /// The spans from each `from` to the first `to` not before it.
    func spans(_ from: ExpectedMoment, _ to: ExpectedMoment) -> [(from: SimTime, to: SimTime)] {
        let ends = times(of: to)
        return times(of: from).map { start in (start, ends.first { $0 >= start } ?? end) }
    }

    static func unhappened(_ label: String) -> Finding {
        Finding(holds: false, seen: "\(label) never came true", at: nil)
    }

    /// The label that a scope waits for in vain, if there is one.
    func missingLabel(_ scope: Expectation.Scope) -> String? {
        func label(_ moment: ExpectedMoment) -> String? {
            if case .after(_, let label) = moment, occurrences(of: label).isEmpty { label } else { nil }
        }
        return switch scope {
        case .unspecified: nil
        case .at(let moment): label(moment)
        case .always(let from, let to), .never(let from, let to), .eventually(let from, let to),
            .during(let from, let to):
            label(from) ?? label(to)
        case .within(_, let name): name.flatMap { occurrences(of: $0).isEmpty ? $0 : nil }
        }
    }

    /// The spans a tally is taken over.
    func spans(_ scope: Expectation.Scope) -> [(from: SimTime, to: SimTime)] {
        switch scope {
        case .during(let from, let to), .always(let from, let to), .never(let from, let to),
            .eventually(let from, let to):
            spans(from, to)
        case .within(let span, let label):
            label.map { occurrences(of: $0).map { ($0, min($0 + span, end)) } } ?? [(.start, min(.start + span, end))]
        case .at(let moment): times(of: moment).map { (.start, $0) }
        case .unspecified: [(.start, end)]
        }
    }
}
