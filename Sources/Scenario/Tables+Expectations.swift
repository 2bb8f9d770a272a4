internal import Protection
internal import Units

/// The words of `expect:`: of whom, what, held against what, when.
extension Tables {
    static let replicaWords: [(word: String, state: ReplicaState)] = [
        ("pending", .creationPending), ("being created", .creationInProgress), ("ok", .ok),
        ("inconsistent", .inconsistent), ("being checked", .checkInProgress), ("missing", .missing),
        ("inactive", .inactive),
    ]
    static let jobWords: [(word: String, kind: JobKind)] = [
        ("replica creation", .replicaCreation), ("express full", .expressFull),
        ("consistency check", .consistencyCheck), ("tape backup", .tapeBackup), ("online backup", .onlineBackup),
        ("secondary synchronization", .secondarySynchronization), ("pruning", .pruning),
        ("summary manager", .summary), ("library inventory", .inventory), ("live migration", .migration),
        ("disk recovery", .diskRecovery), ("tape recovery", .tapeRecovery),
    ]
    static let jobKinds = jobWords.map(\.word) + ["all"]
    static let jobStatusWords: [(word: String, status: JobStatus)] = [
        ("completed", .completed), ("failed", .failed), ("cancelled", .cancelled), ("waiting", .waiting),
        ("running", .running),
    ]
    static let consistencyWords: [(word: String, consistency: Consistency)] = [
        ("application", .application), ("file-system", .fileSystem), ("crash", .crash),
    ]
    static let cartridgeWords: [(word: String, state: CartridgeState)] = [
        ("free", .free), ("active", .active), ("full", .full), ("offsite ready", .offsiteReady), ("expired", .expired),
        ("suspect", .suspect),
    ]

    /// Whom it is about.
    static let subjectKeys: [(key: String, kind: String)] = [
        ("machine", "machine"), ("host", "host"), ("group", "protection group"), ("server", "DPM server"),
        ("library", "tape library"), ("pool", "pool volume"), ("link", "link"),
    ]

    /// What is expected: the key, whom it may be said of (nothing: also of the whole run), and the keys beside it.
    struct ExpectedQuantity: Sendable {
        let key: String
        let subjects: Set<String>
        let needsSubject: Bool
        let kind: Expectation.Quantity.Kind
        let beside: [String]
    }
    static let quantities: [ExpectedQuantity] = [
        quantity("replica", of: ["machine", "group", "server", "host"], .level),
        quantity("runs-on", of: ["machine"], needed: true, .level),
        quantity("alert", of: ["machine", "host", "group", "server", "library", "pool"], .level, ["open"]),
        quantity("used", of: ["pool", "server"], .level),
        quantity("cartridges", of: ["library"], .level, ["count"]),
        quantity("point-age", of: ["machine", "group", "server", "host"], .level),
        quantity(
            "jobs", of: ["machine", "host", "group", "server"], .tally,
            ["status", "error", "count", "duration", "changed", "sent", "stored", "downtime"]),
        quantity("missed", of: ["machine", "host", "group", "server"], .tally, ["error"]),
        quantity("points", of: ["machine", "host", "group", "server", "pool"], .final),
        quantity("verified", of: ["machine", "host", "group", "server"], .final),
        quantity("differing", of: ["machine", "host", "group", "server"], .final),
        quantity("damaged", of: ["machine", "host", "group", "server"], .final),
        quantity("consistency", of: ["machine", "host", "group", "server"], .final),
        quantity("mounts", of: ["library"], .final),
        quantity("refused", of: ["machine", "host", "group", "server"], .final, ["error", "count"]),
        quantity("warned", of: ["machine", "host", "group", "server"], .final, ["error", "count"]),
        quantity(
            "incident", of: [], .final, ["count", "machines", "broken-jobs", "checks", "checked", "lasts"]),
        quantity("carried", of: ["link", "host", "server"], needed: true, .final),
    ]
    private static func quantity(
        _ key: String, of subjects: Set<String>, needed: Bool = false, _ kind: Expectation.Quantity.Kind,
        _ beside: [String] = []
    ) -> ExpectedQuantity {
        ExpectedQuantity(key: key, subjects: subjects, needsSubject: needed, kind: kind, beside: beside)
    }

    static let scopeKeys = ["at", "always", "never", "eventually", "within", "during"]

    static let expectationTables = [
        Table(
            "expectation",
            subjectKeys.map {
                Field($0.key, .references($0.kind), "whom it is about; of several, each is judged alone")
            } + [
                Field("any", .bool, default: "no", from: "the reader", "one of several objects is enough"),
                Field("replica", .choice(replicaWords.map(\.word)), "state of the replica; of many machines, of all"),
                Field("runs-on", .reference("host"), "where the machine runs"),
                Field("alert", .count(1...99_999), "DPM's id of an alert, raised: or open: beside it"),
                Field("raised", .bound(.count), "how often the alert was raised; left out: at least once"),
                Field("open", .bool, "whether the alert is open"),
                Field("used", .bound(.shareOrSize), "of the pool volume; known every six hours"),
                Field("cartridges", .choice(cartridgeWords.map(\.word)), "cartridges in this state, with count:"),
                Field("point-age", .bound(.time), "age of the newest recovery point on disk"),
                Field("jobs", .oneOrMany(.choice(jobKinds)), "jobs of this kind, with what is looked at beside it"),
                Field("status", .choice(jobStatusWords.map(\.word)), "only jobs that ended so"),
                Field("error", .count(0...99_999), "only those with this error"),
                Field("count", .bound(.count), "how many"),
                Field(
                    "duration", .either([.bound(.time), .record("percentile")]),
                    "from due to end; of all jobs, or at a percentile"),
                Field("changed", .bound(.size), "bytes changed at the source, summed over the jobs"),
                Field("sent", .bound(.size), "bytes on the wire, summed over the jobs"),
                Field("stored", .bound(.size), "bytes newly stored, summed over the jobs"),
                Field("downtime", .bound(.time), "longest pause of a machine for a job"),
                Field("missed", .bound(.count), "recovery points that were not made when due"),
                Field("points", .bound(.count), "recovery points kept on disk in the end"),
                Field("verified", .bound(.count), "recovery points of real machines, read back and true"),
                Field("differing", .bound(.count), "recovery points of real machines, read back and not true"),
                Field("damaged", .bound(.count), "recovery points of real machines with blocks that rotted"),
                Field(
                    "consistency", .choice(consistencyWords.map(\.word)),
                    "of all recovery points kept on disk in the end"),
                Field("mounts", .bound(.count), "tapes mounted"),
                Field("refused", .text, "a rule that refuses something of the scenario, such as PRE-3"),
                Field("warned", .text, "a rule that warns of something of the scenario, such as PRE-1"),
                Field("incident", .text, "the label of a line of the script, with what is looked at beside it"),
                Field("machines", .bound(.count), "machines the incident touched"),
                Field("broken-jobs", .bound(.count), "jobs it broke"),
                Field("checks", .bound(.count), "consistency checks it caused"),
                Field("checked", .bound(.size), "bytes these checks read"),
                Field("lasts", .bound(.time), "how long it lasted at most"),
                Field("carried", .bound(.size), "bytes over the link, or the network interface of host or DPM server"),
                Field("at", .point, "at this moment"),
                Field("always", .either([.bool, .period]), "at all times, or from one moment to another"),
                Field("never", .either([.bool, .period]), "at no time, or not from one moment to another"),
                Field("eventually", .either([.bool, .period]), "at some time, or between two moments"),
                Field("within", .deadline, "at the latest so long after a label of the script came true"),
                Field("during", .period, "counted from one moment to another"),
                Field("note", .text, "why it is expected"),
            ]),
        Table(
            "percentile",
            [
                Field("percentile", .number(0...100), required: true, "share of the jobs, in percent"),
                Field("below", .duration, "less than this"),
                Field("above", .duration, "more than this"),
                Field("at-most", .duration, "not more than this"),
                Field("at-least", .duration, "not less than this"),
            ]),
    ]
}
