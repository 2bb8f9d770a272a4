internal import Protection
internal import Units

/// The keys of every mapping a scenario can hold, in one place for reader, JSON Schema and `explain`.
enum Tables {
    static let all: [Table] =
        [root, goals, tuning, domain, site, link] + serverTables + hostTables + machineTables + groupTables
        + [scriptLine, drill] + expectationTables
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
            Field("drills", .list(.record("drill")), "recoveries that dpmsim drill practises"),
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

    /// What may happen, to things of which kind, and the keys that say more of it; those in front are needed.
    static let scriptKinds: [(key: String, kind: String, needed: [String], also: [String], meaning: String)] = [
        ("crash", "host", [], [], "hosts that die without warning"),
        ("maintenance", "host", [], [], "hosts that are drained first"),
        ("restart", "host", [], [], "hosts that restart in an orderly way"),
        ("partition", "host", [], [], "hosts that run on, but that nobody reaches over the network"),
        ("agent", "host", ["state"], [], "hosts whose agent comes into another state"),
        ("link-outage", "link", [], [], "links that carry nothing"),
        ("slow-link", "link", ["rate"], [], "links that carry only so much"),
        ("server-outage", "DPM server", [], [], "DPM servers that crash, and restart after lasts"),
        ("database-loss", "DPM server", [], [], "DPM servers that lose their database, and rebuild it after lasts"),
        ("clock-change", "DPM server", ["by"], [], "DPM servers whose clock goes wrong"),
        ("vmm-outage", "VMM server", [], [], "VMM servers that do not answer"),
        ("vmm-helper-stopped", "VMM server", [], [], "VMM servers whose DPM-VMM Helper Service stops"),
        ("vmm-helper-port", "VMM server", ["port"], [], "VMM servers whose Helper Service listens on another port"),
        ("drive-failure", "tape drive", [], [], "tape drives that break"),
        ("robot-jam", "tape library", [], [], "libraries whose robot jams"),
        ("cartridge-missing", "cartridge", [], [], "cartridges, by bar code, that are not where they should be"),
        ("cartridge-damaged", "cartridge", [], [], "cartridges, by bar code, that cannot be written any more"),
        ("certificate-missing", "protection group", [], [], "groups whose certificate for tapes is gone"),
        ("certificate-expired", "protection group", [], [], "groups whose certificate for tapes has expired"),
        ("pool-volume-outage", "pool volume", [], [], "pool volumes that go missing"),
        ("volume-outage", "volume", [], [], "volumes of hosts and clusters that are lost"),
        ("volume-full", "volume", [], [], "volumes that something outside fills"),
        ("snapshots-full", "volume", [], [], "volumes on which differencing disks (AVHDX) cannot grow"),
        ("vss-failure", "machine", [], ["error"], "machines whose VSS writer fails"),
        ("integration-off", "machine", [], [], "machines whose backup integration service is off"),
        ("replication", "machine", ["state"], [], "replica machines whose replication comes into another state"),
        ("run-check", "machine", [], [], "machines whose replica an operator has checked"),
        ("run-backup", "machine", [], [], "machines that an operator backs up beside the schedule"),
        ("run-summary-manager", "DPM server", [], [], "DPM servers whose Summary Manager an operator starts"),
        (
            "stop-protection", "machine", [], ["data"],
            "machines whose protection an operator stops; it goes on after lasts"
        ),
        ("migration", "machine", ["to"], ["storage"], "machines that live-migrate"),
        ("recover", "machine", [], recoveryKeys, "machines that an operator recovers"),
        ("pool-rot", "machine", [], ["blocks"], "real machines of which blocks rot in the pool"),
        ("tape-rot", "cartridge", [], [], "cartridges, by bar code, that rot with what is on them"),
        ("torn-write", "DPM server", [], [], "DPM servers that lose their power in the middle of a write to the pool"),
        ("pool-full-disk", "DPM server", [], [], "DPM servers of which the disks under the pool take no more bytes"),
    ]
    /// What a recovery is asked to be, besides of which machine.
    static let recoveryKeys = [
        "to", "storage", "folder", "into", "as-of", "from", "disks", "volumes", "volume", "paths", "item-size",
        "throttle",
        "san", "e-mail",
    ]
    /// What a recovery is asked to be, besides where to.
    private static let recoveryFields = [
        Field(
            "folder", .text, default: RecoveryRequest.usualFolder, from: "the reader",
            "recover, to another host: the folder of its files on the volume, with \\ between names"),
        Field("into", .text, "recover: a network folder on the volume; nothing becomes a machine"),
        Field("as-of", .moment, "recover: the newest recovery point not younger; left out: the newest"),
        Field(
            "from", .choice(words(RecoveryRequest.Source.allCases)),
            "recover: where the recovery point lies; left out: as DPM offers"),
        Field("disks", .oneOrMany(.count(1...256)), "recover: only these of its disks, counted from 1"),
        Field("volumes", .oneOrMany(.count(1...256)), "recover: only these volumes in its disks"),
        Field("volume", .count(1...256), "recover, beside paths: the volume they lie on"),
        Field("paths", .oneOrMany(.text), "recover: only these files and folders, from the volume's root"),
        Field("item-size", .size, "recover: what volumes or paths take, where the machine's bytes are numbers"),
        Field("throttle", .record("throttle"), "recover: rates it may take"),
        Field("san", .bool, default: "no", from: "REC-5", "recover: by snapshots of the storage hardware"),
        Field("e-mail", .text, "recover: who is told when it is over"),
    ]
    static let drill = Table(
        "drill",
        [
            Field("name", .text, required: true, "its name"),
            Field("at", .moment, required: true, "when everything is asked for, at once"),
            Field("machines", .references("machine"), "the machines that are recovered"),
            Field("cluster", .references("cluster"), "instead: all machines of clusters"),
            Field("group", .references("protection group"), "instead: all members of groups"),
            Field("within", .duration, "all of it must be back so long after"),
            Field("oldest-point", .duration, "no recovery point may be older"),
            Field("to", .references("host"), "the new hosts, in turn; left out: the old place"),
            Field("storage", .references("volume"), "the volumes they write to, in turn"),
        ] + recoveryFields)
    static let scriptLine = Table(
        "script line",
        scriptKinds.map { Field($0.key, .references($0.kind), "\($0.meaning); exactly one such key a line") } + [
            Field("at", .moment, "when it happens"),
            Field("every", .distribution, "time to the first and between further ones, drawn for each object alone"),
            Field("when", .step, "the step of a job at which it happens, once"),
            Field("after", .moment, "beside when: jobs before this moment do not count"),
            Field("lasts", .distribution, "until it is repaired; left out: for good, or at once for a migration"),
            Field(
                "to", .references("host"),
                "migration, recover: the new hosts, in turn; a recovery without it is to the old place"),
            Field(
                "storage", .references("volume"),
                "migration: the new volumes, in turn, if storage moves too; recover: the volumes it writes to"),
            Field("rate", .rate, "slow-link: what it still carries"),
            Field("port", .count(1...65_535), "vmm-helper-port: where it listens; DPM asks on 6070"),
            Field("by", .offset, "clock-change: how far it goes wrong; more than 5 min and agents deny access"),
            Field(
                "error", .choice(["30111", "30112"]), default: "30112", from: "dpm-facts 7.3",
                "vss-failure: 30112 may be asked again an hour later, 30111 is a bad state of the writer"),
            Field(
                "state", .choice(words(AgentState.allCases) + words(ReplicationState.allCases)),
                "agent, replication: the state it comes into"),
            Field(
                "data", .choice(["keep", "delete"]), default: "keep", from: "GRP-1",
                "stop-protection: what becomes of replica and recovery points"),
            Field(
                "blocks", .count(1...10_000), default: "1", from: "the reader", "pool-rot: how many blocks, by chance"),
            Field("label", .text, "the name by which expectations speak of it"),
        ] + recoveryFields)
}
