import Protection
import Testing
import Units

/// A made-up run of two machines over four days: alpha's replica is made in the first hour and breaks for two hours on day 2.
private struct MadeUpRun {
    var setting = Setting(name: "made up", clock: CivilClock(startDate: CivilDate(year: 2026, month: 1, day: 5)!))
    var story: RunStory

    static func hour(_ n: Int64) -> SimTime { .start + .hours(n) }

    init() {
        setting.duration = .days(4)
        setting.world = SmallWorld.base
        var line = ScriptLine(.nodeCrash(.h1), .at(Self.hour(30)), lasts: nil)
        line.label = "crash"
        var other = ScriptLine(.nodeCrash(.h2), .at(Self.hour(200)), lasts: nil)
        other.label = "unhappened"
        setting.script = [line, other]
        var outcome = RunOutcome(
            end: .horizon, finishedAt: Self.hour(96), eventCount: 1, transferCount: 1, traceHash: "0")
        for machine: Int32 in [0, 1] {
            outcome.replicas.append(
                ReplicaRecord(
                    machine: machine, group: 0, volume: 0, state: .ok, replica: .gigabytes(1), points: .zero,
                    pointCount: 2))
            for hour: Int64 in [44, 68] {
                outcome.points.append(
                    RecoveryPointRecord(
                        machine: machine, at: Self.hour(hour), consistency: machine == 0 ? .application : .crash,
                        unique: .zero))
            }
        }
        outcome.refusals = [Refusal(id: 270, rule: RuleID("PRE", 3), object: "host h2", cause: "c", action: "a")]
        story = RunStory(
            jobs: [], alerts: [], missed: [], incidents: [], replicaChanges: [], moves: [], poolLevels: [],
            tapeLevels: [], outcome: outcome)
        for machine: Int32 in [0, 1] {
            story.replicaChanges.append(ReplicaChange(at: Self.hour(1), machine: machine, state: .ok))
        }
        story.replicaChanges += [
            ReplicaChange(at: Self.hour(30), machine: 0, state: .inconsistent),
            ReplicaChange(at: Self.hour(32), machine: 0, state: .ok),
        ]
        var alert = AlertRecord(
            id: 3106, severity: .critical, object: "machine alpha", cause: "it broke", raised: Self.hour(30))
        alert.resolved = Self.hour(32)
        story.alerts = [alert]
        var incident = IncidentRecord(at: Self.hour(30), title: "Node crash", object: "h1")
        (incident.line, incident.machines, incident.brokenJobs, incident.checks) = (0, 1, 2, 1)
        (incident.checkedBytes, incident.ended) = (.gigabytes(3), Self.hour(33))
        story.incidents = [incident]
        story.moves = [MachineMove(at: Self.hour(31), machine: 0, host: Ref<Host>.h2.index)]
        story.missed = [MissedPoint(machine: 0, due: Self.hour(31), error: 109, cause: "inconsistent")]
        addJobs()
        story.poolLevels = [
            Level(at: .start, values: [0]), Level(at: Self.hour(48), values: [500_000_000_000]),
            Level(at: Self.hour(72), values: [900_000_000_000]),
        ]
    }

    /// Express fulls of 10, 20, 30 and 40 minutes, and one that failed.
    private mutating func addJobs() {
        var number: Int32 = 0
        func job(_ machine: Int32, _ due: Int64, _ minutes: Int64, _ status: JobStatus, error: Int32 = 0) -> JobRecord {
            var record = JobRecord(
                id: number, kind: .expressFull, machine: machine, group: 0, server: 0, due: Self.hour(due))
            number += 1
            record.status = status
            record.error = error
            record.transferStarted = Self.hour(due)
            record.ended = Self.hour(due) + .minutes(minutes)
            record.sent = .gigabytes(minutes)
            record.downtime = .seconds(machine == 0 ? 0 : 30)
            return record
        }
        story.jobs = [
            job(0, 20, 10, .completed), job(1, 20, 20, .completed), job(0, 31, 5, .failed, error: 109),
            job(0, 44, 30, .completed), job(1, 44, 40, .completed),
        ]
    }

    func verdict(
        _ subject: Expected.Subject, _ quantity: Expected.Quantity, _ scope: Expected.Scope = .unspecified,
        any: Bool = false
    ) -> ExpectationVerdict {
        var expectation = Expected(subject, quantity, scope)
        expectation.isOfAny = any
        return ExpectationJudge(setting, story).verdict(expectation)
    }
}

// swift-testing has an Expectation of its own.
private typealias Expected = Protection.Expectation
private typealias Case = (subject: Expected.Subject, quantity: Expected.Quantity, scope: Expected.Scope)
private let alpha = Expected.Subject.machines([.alpha])
private let beta = Expected.Subject.machines([.beta])
private let both = Expected.Subject.machines([.alpha, .beta])
private func at(_ hour: Int64) -> ExpectedMoment { .at(MadeUpRun.hour(hour)) }
private func count(_ relation: Bound.Relation, _ n: Int64) -> Bound { Bound(relation, n, .count) }
private func time(_ relation: Bound.Relation, _ span: SimDuration) -> Bound { Bound(relation, span.nanoseconds, .time) }
private func size(_ relation: Bound.Relation, _ gigabytes: Int64) -> Bound {
    Bound(relation, Bytes.gigabytes(gigabytes).count, .bytes)
}
private func jobs(
    _ figure: Expected.JobFigure, _ bound: Bound, status: JobStatus? = nil, error: Int32? = nil
) -> Expected.Quantity {
    var filter = Expected.JobFilter()
    (filter.kinds, filter.status, filter.error) = ([.expressFull], status, error)
    return .jobs(filter, figure, bound)
}

@Suite("expectations are judged by what happened") struct ExpectationTests {
    private static let whole = (from: ExpectedMoment.at(.start), to: ExpectedMoment.end)

    /// Pairs that differ in one thing: the first holds, the second does not.
    private static let pairs: [(Case, Case)] = [
        // A state at a moment: the moment of the change counts as after it.
        ((alpha, .replica(.ok), .at(at(29))), (alpha, .replica(.ok), .at(at(30)))),
        ((alpha, .replica(.inconsistent), .at(at(31))), (alpha, .replica(.inconsistent), .at(at(32)))),
        ((both, .replica(.ok), .unspecified), (both, .replica(.inconsistent), .unspecified)),
        (
            (alpha, .replica(.ok), .at(.after(.hours(2), label: "crash"))),
            (alpha, .replica(.ok), .at(.after(.hours(1), label: "crash")))
        ),
        // Always, never, eventually, and spans of time.
        ((beta, .replica(.ok), .always(from: at(1), to: .end)), (alpha, .replica(.ok), .always(from: at(1), to: .end))),
        (
            (alpha, .replica(.ok), .always(from: at(32), to: .end)),
            (alpha, .replica(.ok), .always(from: at(31), to: .end))
        ),
        (
            (beta, .replica(.inconsistent), .never(from: whole.from, to: whole.to)),
            (alpha, .replica(.inconsistent), .never(from: whole.from, to: whole.to))
        ),
        (
            (alpha, .replica(.inconsistent), .eventually(from: at(20), to: at(30))),
            (alpha, .replica(.inconsistent), .eventually(from: at(20), to: at(29)))
        ),
        // Within a time of a label, and of the start.
        (
            (alpha, .replica(.ok), .within(.hours(2), of: "crash")),
            (alpha, .replica(.ok), .within(.minutes(119), of: "crash"))
        ),
        ((both, .replica(.ok), .within(.hours(1), of: nil)), (both, .replica(.ok), .within(.minutes(59), of: nil))),
        // A label that never came true fails what hangs on it, whatever it is.
        (
            (alpha, .replica(.ok), .within(.hours(60), of: "crash")),
            (alpha, .replica(.ok), .within(.hours(60), of: "unhappened"))
        ),
        (
            (alpha, .alertsRaised(id: 3106, count(.exactly, 1)), .within(.hours(1), of: "crash")),
            (alpha, .alertsRaised(id: 3106, count(.exactly, 0)), .within(.hours(1), of: "unhappened"))
        ),
        // Alerts.
        ((alpha, .alertOpen(id: 3106, true), .at(at(31))), (beta, .alertOpen(id: 3106, true), .at(at(31)))),
        ((alpha, .alertOpen(id: 3106, false), .at(at(32))), (alpha, .alertOpen(id: 3106, false), .at(at(31)))),
        (
            (.groups([.gold]), .alertsRaised(id: 3106, count(.exactly, 1)), .unspecified),
            (.groups([.gold]), .alertsRaised(id: 3104, count(.exactly, 1)), .unspecified)
        ),
        (
            (.run, .alertsRaised(id: 3106, count(.atLeast, 1)), .during(from: at(30), to: at(40))),
            (.run, .alertsRaised(id: 3106, count(.atLeast, 1)), .during(from: at(31), to: at(40)))
        ),
        // Where a machine runs.
        ((alpha, .runsOn(.h2), .unspecified), (alpha, .runsOn(.h2), .always(from: whole.from, to: whole.to))),
        // Jobs: how many, how long, how much.
        (
            (.run, jobs(.count, count(.exactly, 5)), .unspecified),
            (.run, jobs(.count, count(.exactly, 4)), .unspecified)
        ),
        (
            (alpha, jobs(.count, count(.exactly, 1), status: .failed, error: 109), .unspecified),
            (beta, jobs(.count, count(.exactly, 1), status: .failed, error: 109), .unspecified)
        ),
        (
            (.run, jobs(.count, count(.exactly, 2)), .during(from: at(40), to: at(45))),
            (.run, jobs(.count, count(.exactly, 2)), .during(from: at(45), to: at(50)))
        ),
        (
            (.run, jobs(.duration(percentile: 100), time(.below, .minutes(41))), .unspecified),
            (.run, jobs(.duration(percentile: 100), time(.below, .minutes(40))), .unspecified)
        ),
        // Nearest rank: of five jobs 60 % is the third, and a little more is the fourth.
        (
            (.run, jobs(.duration(percentile: 60), time(.exactly, .minutes(20))), .unspecified),
            (.run, jobs(.duration(percentile: 61), time(.exactly, .minutes(20))), .unspecified)
        ),
        ((alpha, jobs(.sent, size(.exactly, 45)), .unspecified), (beta, jobs(.sent, size(.exactly, 45)), .unspecified)),
        (
            (alpha, jobs(.downtime, time(.exactly, .zero)), .unspecified),
            (beta, jobs(.downtime, time(.exactly, .zero)), .unspecified)
        ),
        (
            (alpha, .missed(error: 109, count(.exactly, 1)), .unspecified),
            (alpha, .missed(error: 41, count(.exactly, 1)), .unspecified)
        ),
        // Pool: the size of the small world's only volume.
        (
            (.run, .used(size(.atMost, 900)), .always(from: whole.from, to: whole.to)),
            (.run, .used(size(.below, 900)), .always(from: whole.from, to: whole.to))
        ),
        ((.run, .used(size(.exactly, 500)), .at(at(50))), (.run, .used(size(.exactly, 500)), .at(at(80)))),
        // Age of points: from hour 44 on nothing comes, so at hour 64 the newest is twenty hours old.
        (
            (beta, .pointAge(time(.below, .hours(25))), .always(from: at(20), to: at(68))),
            (beta, .pointAge(time(.below, .hours(23))), .always(from: at(20), to: at(68)))
        ),
        (
            (alpha, .pointAge(time(.below, .hours(20))), .at(at(63))),
            (alpha, .pointAge(time(.below, .hours(20))), .at(at(65)))
        ),
        // In the end.
        ((both, .points(count(.exactly, 2)), .unspecified), (both, .points(count(.above, 2)), .unspecified)),
        ((alpha, .consistency(.application), .unspecified), (beta, .consistency(.application), .unspecified)),
        (
            (.run, .refused(RuleID("PRE", 3), error: 270, count(.exactly, 1)), .unspecified),
            (.run, .refused(RuleID("PRE", 3), error: 271, count(.exactly, 1)), .unspecified)
        ),
        (
            (.hosts([.h2]), .refused(RuleID("PRE", 3), error: nil, count(.atLeast, 1)), .unspecified),
            (.hosts([.h1]), .refused(RuleID("PRE", 3), error: nil, count(.atLeast, 1)), .unspecified)
        ),
        (
            (.run, .incident(label: "crash", .checked, size(.exactly, 3)), .unspecified),
            (.run, .incident(label: "unhappened", .checked, size(.below, 3)), .unspecified)
        ),
        (
            (.run, .incident(label: "crash", .lasts, time(.exactly, .hours(3))), .unspecified),
            (.run, .incident(label: "crash", .lasts, time(.below, .hours(3))), .unspecified)
        ),
    ]

    @Test("of two expectations that differ in one thing the first holds and the second fails", arguments: pairs.indices)
    func eitherSide(n: Int) {
        let (good, bad) = Self.pairs[n]
        let run = MadeUpRun()
        let held = run.verdict(good.subject, good.quantity, good.scope)
        #expect(held.held, "\(held.expected): \(held.seen)")
        #expect(held.trace.isEmpty)
        let failed = run.verdict(bad.subject, bad.quantity, bad.scope)
        #expect(!failed.held, "\(failed.expected): \(failed.seen)")
        #expect(!failed.seen.isEmpty && !failed.trace.isEmpty)
    }

    @Test("a moment after the end of the run proves nothing")
    func afterTheEnd() {
        let verdict = MadeUpRun().verdict(alpha, .replica(.ok), .at(at(97)))
        #expect(!verdict.held && verdict.seen.contains("had ended"))
    }

    @Test("jobs that never ran are no proof that they were quick")
    func noJobs() {
        var run = MadeUpRun()
        run.story.jobs = []
        #expect(!run.verdict(.run, jobs(.duration(percentile: 95), time(.below, .hours(1)))).held)
        #expect(!run.verdict(.run, jobs(.sent, size(.below, 1))).held)
        #expect(run.verdict(.run, jobs(.count, count(.exactly, 0))).held)
    }

    @Test("each of several objects must hold, unless any is enough")
    func eachOrAny() {
        let run = MadeUpRun()
        let each = run.verdict(both, .consistency(.crash))
        #expect(!each.held && each.seen.hasPrefix("machine alpha"))
        #expect(run.verdict(both, .consistency(.crash), any: true).held)
        #expect(!run.verdict(both, .consistency(.fileSystem), any: true).held)
    }

    @Test("a failure names what was expected, what was seen, when, and what happened around it")
    func evidence() {
        let verdict = MadeUpRun().verdict(alpha, .replica(.ok), .always(from: at(2), to: .end))
        #expect(
            verdict.expected
                == "machine alpha: replica OK, always from Mon 2026-01-05 02:00:00 to the end")
        #expect(verdict.seen == "machine alpha: Inconsistent (Tue 2026-01-06 06:00:00)")
        #expect(verdict.at == MadeUpRun.hour(30))
        #expect(verdict.trace.contains("Tue 2026-01-06 06:00:00  Node crash: h1"))
        #expect(verdict.trace.contains("Tue 2026-01-06 06:00:00  replica of alpha: Inconsistent"))
        #expect(verdict.trace.contains { $0.hasSuffix("<- here") })
        #expect(!verdict.trace.contains { $0.contains("beta") })
        let times = verdict.trace.map { String($0.dropFirst(4).prefix(19)) }
        #expect(times == times.sorted())
    }

    @Test(
        "a bound holds at its edge as its words say",
        arguments: [
            (Bound.Relation.atLeast, [false, true, true]), (.atMost, [true, true, false]),
            (.above, [false, false, true]), (.below, [true, false, false]), (.exactly, [false, true, false]),
        ])
    func edges(relation: Bound.Relation, holds: [Bool]) {
        let bound = Bound(relation, 5, .count)
        #expect([4, 5, 6].map { bound.holds($0) } == holds)
    }

    @Test("a bound from one figure to another includes both")
    func between() {
        let bound = Bound(from: 2, to: 4, .count)
        #expect([1, 2, 3, 4, 5].map { bound.holds($0) } == [false, true, true, true, false])
    }
}
