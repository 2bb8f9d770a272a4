public import Units

/// A moment that an expectation names.
public enum ExpectedMoment: Sendable, Hashable {
    case at(SimTime)
    case end
    /// So long after each coming true of the script's lines with that label.
    case after(SimDuration, label: String)
}

/// One thing a tester expects of a run: of whom, what, and when. It decides nothing of the run itself.
public struct Expectation: Sendable, Hashable {
    /// Whom it is about. Of several objects each is judged alone.
    public enum Subject: Sendable, Hashable {
        case run
        case machines([Ref<Machine>])
        case hosts([Ref<Host>])
        case groups([Ref<ProtectionGroup>])
        case servers([Ref<DPMServer>])
        case libraries([Ref<TapeLibrary>])
        case poolVolumes([Ref<PoolVolume>])
        case links([Ref<Link>])
    }

    /// Which jobs are looked at; what is nil or empty lets all pass.
    public struct JobFilter: Sendable, Hashable {
        /// Empty: any kind.
        public var kinds: [JobKind] = []
        public var status: JobStatus?
        public var error: Int32?
        public init() {}
    }

    /// What of the jobs is looked at.
    public enum JobFigure: Sendable, Hashable {
        case count
        /// From due to end; of the jobs in ascending order the one at this share of them (nearest rank), 0 to 100.
        case duration(percentile: Double)
        /// Sums over the jobs.
        case changed, sent, stored
        /// The longest pause of a machine for one job.
        case downtime
    }

    /// What of a labelled line's coming true is looked at: sums, and of how long it lasted the longest.
    public enum IncidentFigure: String, CaseIterable, Sendable {
        case count, machines, brokenJobs = "broken jobs", checks, checked, lasts
    }

    /// What is expected.
    public enum Quantity: Sendable, Hashable {
        // What is so at a moment.
        case replica(ReplicaState)
        case runsOn(Ref<Host>)
        case alertOpen(id: Int32, Bool)
        /// Bytes in use on the pool volume, or parts of a billion of its size; known every six hours.
        case used(Bound)
        case cartridges(CartridgeState, Bound)
        /// Since the state that the machine's newest recovery point on disk holds.
        case pointAge(Bound)

        // What happens in a span.
        case alertsRaised(id: Int32, Bound)
        case jobs(JobFilter, JobFigure, Bound)
        case missed(error: Int32?, Bound)

        // What is so in the end.
        case points(Bound)
        /// Of real machines: recovery points that were read back, by what was found.
        case readBack(PointCheckRecord.Finding, Bound)
        case consistency(Consistency)
        case mounts(Bound)
        case refused(RuleID, error: Int?, Bound)
        case warned(RuleID, error: Int?, Bound)
        case incident(label: String, IncidentFigure, Bound)
        /// Bytes over a link, or over the network interface of a host or DPM server.
        case carried(Bound)

        /// Whether it can be so at one moment and not at another, can only be counted over a span, or is known in the end.
        public var kind: Kind {
            switch self {
            case .replica, .runsOn, .alertOpen, .used, .cartridges, .pointAge: .level
            case .alertsRaised, .jobs, .missed: .tally
            case .points, .readBack, .consistency, .mounts, .refused, .warned, .incident, .carried: .final
            }
        }
        public enum Kind: Sendable { case level, tally, final }
    }

    /// When it is expected.
    public enum Scope: Sendable, Hashable {
        /// Levels at the end, tallies over the whole run.
        case unspecified
        case at(ExpectedMoment)
        case always(from: ExpectedMoment, to: ExpectedMoment)
        case never(from: ExpectedMoment, to: ExpectedMoment)
        case eventually(from: ExpectedMoment, to: ExpectedMoment)
        /// At some moment not later than this after each coming true of the label, or after the start.
        case within(SimDuration, of: String?)
        /// Tallies over this span.
        case during(from: ExpectedMoment, to: ExpectedMoment)
    }

    public var subject: Subject
    public var quantity: Quantity
    public var scope: Scope
    /// One object of the subject is enough.
    public var isOfAny = false
    /// Why it is expected, in the tester's words; may be empty.
    public var note = ""
    /// Where it is written: file and line.
    public var place = ""

    public init(_ subject: Subject, _ quantity: Quantity, _ scope: Scope = .unspecified) {
        (self.subject, self.quantity, self.scope) = (subject, quantity, scope)
    }
}

extension Expectation {
    /// The expectation as a sentence.
    public func sentence(in setting: Setting) -> String {
        let whom = Expectation.names(subject, setting.world)
        let who = whom.isEmpty ? "" : (isOfAny ? "any of " : "") + whom + ": "
        let when = Expectation.text(scope, setting.clock)
        return who + Expectation.text(quantity, setting.world) + (when.isEmpty ? "" : ", " + when)
    }

    private static func names(_ subject: Subject, _ world: World) -> String {
        func list(_ noun: String, _ names: [String]) -> String {
            names.count > 3
                ? "\(names.count) \(noun)s from \(names[0]) to \(names[names.count - 1])"
                : noun + " " + names.joined(separator: ", ")
        }
        return switch subject {
        case .run: ""
        case .machines(let refs): list("machine", refs.map { world.machines[$0].name })
        case .hosts(let refs): list("host", refs.map { world.hosts[$0].name })
        case .groups(let refs): list("protection group", refs.map { world.groups[$0].name })
        case .servers(let refs): list("DPM server", refs.map { world.servers[$0].name })
        case .libraries(let refs): list("library", refs.map { world.libraries[$0].name })
        case .poolVolumes(let refs): list("pool volume", refs.map { world.poolVolumes[$0].name })
        case .links(let refs): list("link", refs.map { world.links[$0].name })
        }
    }

    private static func text(_ quantity: Quantity, _ world: World) -> String {
        switch quantity {
        case .replica(let state): "replica \(state.title)"
        case .runsOn(let host): "runs on \(world.hosts[host].name)"
        case .alertOpen(let id, let isOpen): "alert \(id) \(isOpen ? "open" : "not open")"
        case .used(let bound): "used \(bound)"
        case .cartridges(let state, let bound): "cartridges \(state.title): \(bound)"
        case .pointAge(let bound): "age of the newest recovery point \(bound)"
        case .alertsRaised(let id, let bound): "alert \(id) raised \(bound) times"
        case .jobs(let filter, let figure, let bound): "\(text(filter)): \(text(figure)) \(bound)"
        case .missed(let error, let bound): "missed recovery points\(error.map { " with \($0)" } ?? ""): \(bound)"
        case .points(let bound): "recovery points kept: \(bound)"
        case .readBack(.verified, let bound): "recovery points read back and true: \(bound)"
        case .readBack(.differs, let bound): "recovery points read back and other than the disks were: \(bound)"
        case .readBack(.damaged, let bound): "recovery points with blocks that rotted: \(bound)"
        case .consistency(let consistency): "recovery points \(consistency.title)"
        case .mounts(let bound): "tape mounts: \(bound)"
        case .refused(let rule, let id, let bound):
            "refused by \(rule)\(id.map { " with \($0)" } ?? ""): \(bound) times"
        case .warned(let rule, let id, let bound): "warned by \(rule)\(id.map { " with \($0)" } ?? ""): \(bound) times"
        case .incident(let label, let figure, let bound): "incident \(label): \(figure.rawValue) \(bound)"
        case .carried(let bound): "carried \(bound)"
        }
    }

    private static func text(_ filter: JobFilter) -> String {
        var words = filter.kinds.isEmpty ? "all jobs" : filter.kinds.map(\.title).joined(separator: ", ") + " jobs"
        if let status = filter.status { words += " \(status.title.lowercased())" }
        if let error = filter.error { words += " with \(error)" }
        return words
    }

    private static func text(_ figure: JobFigure) -> String {
        switch figure {
        case .count: "count"
        case .duration(let share) where share >= 100: "duration at most"
        case .duration(let share): "duration at \(SimplePercent.text(share))"
        case .changed: "changed"
        case .sent: "sent"
        case .stored: "stored"
        case .downtime: "downtime"
        }
    }

    private static func text(_ scope: Scope, _ clock: CivilClock) -> String {
        func span(_ from: ExpectedMoment, _ to: ExpectedMoment) -> String {
            from == .at(.start) && to == .end ? "" : " from \(text(from, clock)) to \(text(to, clock))"
        }
        return switch scope {
        case .unspecified: ""
        case .at(let moment): "at \(text(moment, clock))"
        case .always(let from, let to): "always" + span(from, to)
        case .never(let from, let to): "never" + span(from, to)
        case .eventually(let from, let to): "at some time" + span(from, to)
        case .within(let span, let label): "within \(span) of \(label ?? "the start")"
        case .during(let from, let to): "during the time" + span(from, to)
        }
    }

    static func text(_ moment: ExpectedMoment, _ clock: CivilClock) -> String {
        switch moment {
        case .at(let time): clock.text(time)
        case .end: "the end"
        case .after(let span, let label): span == .zero ? label : "\(span) after \(label)"
        }
    }
}

/// A percentile as text: `95 %`, `99.9 %`.
enum SimplePercent {
    static func text(_ share: Double) -> String {
        let tenths = Int64((share * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10) %" : "\(tenths / 10).\(tenths % 10) %"
    }
}

extension Consistency {
    /// The word for it.
    public var title: String {
        switch self {
        case .application: "application-consistent"
        case .fileSystem: "file-system-consistent"
        case .crash: "crash-consistent"
        }
    }
}
