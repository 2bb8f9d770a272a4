internal import Protection
internal import Units

/// The keys of every mapping a scenario can hold, in one place for reader, JSON Schema and `explain`.
enum Tables {
    static let all: [Table] =
        [root, goals, tuning, domain, site, link] + serverTables + hostTables + machineTables + groupTables
        + [scriptLine] + expectationTables
    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    static func named(_ name: String) -> Table {
        guard let table = byName[name] else { preconditionFailure("no table named \(name)") }
        return table
    }

    static let root = Table(
        "scenario",
        [
            Field("include", .oneOrMany(.text), "files read before this one, relative to it; what this one says wins"),
            Field("name", .text, default: "scenario", from: "the reader", "title of the scenario"),
            Field(
                "start", .date, default: "2026-01-05", from: "a Monday",
                "first day; simulated time zero is its midnight"),
            Field("duration", .duration, default: "28 d", from: "four weeks of schedules", "how long to simulate"),
            Field("seed", .count(0...Int.max), default: "1", from: "the reader", "seed of all chance"),
            Field("goals", .record("goals"), "what the planner wants to hold"),
            Field("tuning", .record("tuning"), "constants of the cost models and of DPM's habits"),
            Field("domains", .list(.record("domain")), "domains and workgroups; left out: one domain, corp"),
            Field("sites", .list(.either([.record("site"), .pattern])), "places; left out: one site, main"),
            Field("links", .list(.record("link")), "network links between sites"),
            Field("servers", .list(.record("server")), "DPM servers"),
            Field("vmm", .list(.record("vmm server")), "Virtual Machine Manager servers"),
            Field("vaults", .list(.record("vault")), "cloud vaults"),
            Field("hosts", .list(.record("host")), "stand-alone Hyper-V hosts"),
            Field("clusters", .list(.record("cluster")), "failover clusters"),
            Field("file-servers", .list(.record("file server")), "SMB 3.0 file servers"),
            Field("profiles", .named("profile"), "hours and weekdays of writing, for machines' profile"),
            Field("templates", .named("template"), "machine attributes written once, for machines' template"),
            Field("machines", .list(.record("machine")), "virtual machines"),
            Field("inventory", .oneOrMany(.record("inventory")), "virtual machines from CSV files"),
            Field("groups", .list(.record("group")), "protection groups"),
            Field("script", .list(.record("script line")), "migrations, failures and maintenance"),
            Field("expect", .list(.record("expectation")), "what a run of it must show; dpmsim test judges it"),
        ])

    static let goals = Table(
        "goals",
        [
            Field("window", .window, "backups should begin and end inside it"),
            Field(
                "window-share", .share, default: "\(Goals().windowShare)", from: "the reader",
                "share of backups that must end inside the window"),
            Field("recovery-point-age", .duration, "the newest recovery point of a machine should never be older"),
            Field(
                "pool-share", .share, default: "\(Goals().poolShare)", from: "dpm-facts 11.3",
                "the fullest the pool may get"),
            Field("cartridges", .count(0...1_000_000), "cartridges in use at once"),
        ])

    static let tuning = Table(
        "tuning",
        Tuning.parameters.map { parameter in
            let defaults = Tuning()
            let (shape, text): (Shape, String) =
                switch parameter.place {
                case .count(let path): (.count(0...1_000_000), "\(defaults[keyPath: path])")
                case .duration(let path): (.duration, "\(defaults[keyPath: path])")
                case .fraction(let path): (.share, "\(defaults[keyPath: path])")
                case .bytes(let path): (.size, "\(defaults[keyPath: path])")
                case .rate(let path): (.rate, "\(defaults[keyPath: path])")
                }
            return Field(parameter.key, shape, default: text, from: parameter.source, parameter.meaning)
        })

    static let domain = Table(
        "domain",
        [
            Field("name", .pattern, required: true, "its name"),
            Field("workgroup", .bool, default: "no", from: "the reader", "a workgroup, not a domain"),
            Field("parent", .reference("domain"), "the domain it is a child of"),
            Field("trusts", .references("domain"), "domains with a two-way trust"),
        ])

    static let site = Table("site", [Field("name", .pattern, required: true, "its name")])

    static let link = Table(
        "link",
        [
            Field("name", .pattern, required: true, "its name"),
            Field("between", .references("site"), required: true, "the two sites it joins"),
            Field("rate", .rate, required: true, "shared by all that crosses it, either way"),
        ])

    /// Keys that every computer has.
    static let whereabouts = [
        Field("domain", .reference("domain"), "its domain; left out: the first one"),
        Field("site", .reference("site"), "its site; left out: the first one"),
    ]
    static func words<T: RawRepresentable<String>>(_ cases: [T]) -> [String] { cases.map(\.rawValue) }

    static let scriptKinds: [(key: String, kind: String, meaning: String)] = [
        ("crash", "host", "hosts that die without warning"),
        ("maintenance", "host", "hosts that are drained first"),
        ("restart", "host", "hosts that restart in an orderly way"),
        ("link-outage", "link", "links that carry nothing"),
        ("server-outage", "DPM server", "DPM servers that stand still"),
        ("drive-failure", "tape drive", "tape drives that break"),
        ("robot-jam", "tape library", "libraries whose robot jams"),
        ("pool-volume-outage", "pool volume", "pool volumes that go missing"),
        ("volume-full", "volume", "volumes that something outside fills"),
        ("migration", "machine", "machines that live-migrate"),
    ]
    static let scriptLine = Table(
        "script line",
        scriptKinds.map { Field($0.key, .references($0.kind), "\($0.meaning); exactly one such key a line") } + [
            Field("at", .moment, "when it happens"),
            Field("every", .distribution, "time to the first and between further ones, drawn for each object alone"),
            Field("lasts", .distribution, "until it is repaired; left out: for good, or at once for a migration"),
            Field("to", .references("host"), "migration: the new hosts, in turn"),
            Field("storage", .references("volume"), "migration: the new volumes, in turn, if storage moves too"),
            Field("label", .text, "the name by which expectations speak of it"),
        ])
}
