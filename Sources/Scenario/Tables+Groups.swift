internal import Protection
internal import Units

extension Tables {
    private static let frequencies = words(BackupFrequency.allCases)
    static let weekdayWords = Weekday.allCases.map(\.short)
    private static let options = TapeOptions(library: Ref(0))
    private static let tapeFields: [Field] = [
        Field("frequency", .choice(frequencies), required: true, "how often"),
        Field("retention", .retention, required: true, "how long it is kept"),
        Field("time", .timeOfDay, default: "08:00", from: "dpm-facts 4.1", "when it starts"),
        Field("weekday", .choice(weekdayWords), default: "Sat", from: "dpm-facts 4.1", "of weekly and rarer backups"),
    ]

    static let groupTables = [
        Table(
            "group",
            [
                Field("name", .pattern, required: true, "its name"),
                Field("server", .reference("DPM server"), "the DPM server that protects it; left out: the first one"),
                Field(
                    "members", .either([.references("machine"), .record("members")]), required: true,
                    "its machines: all, names, wildcards, or by cluster and host"),
                Field("disk", .record("disk goal"), "short-term protection to disk"),
                Field("short-term-tape", .record("tape goal"), "short-term protection to tape"),
                Field("long-term-tape", .oneOrMany(.record("tape goal")), "long-term protection to tape"),
                Field("tape", .record("tape options"), "where and how tapes are written"),
                Field("online", .record("online goal"), "protection to a cloud vault"),
                Field("volumes", .references("pool volume"), "pool volumes of its replicas; left out: DPM chooses"),
                Field(
                    "colocated", .bool, default: "no", from: "GRP-2", "members share a replica volume (legacy storage)"),
                Field(
                    "auto-grow", .bool, default: "yes", from: "dpm-facts 2.5",
                    "replica volumes grow by themselves (legacy storage)"),
                Field(
                    "replica-creation", .either([.choice(["now"]), .record("replica creation")]), default: "now",
                    from: "GRP-9", "when and how replicas are made"),
                Field(
                    "automatic-checks", .bool, default: "yes", from: "GRP-10",
                    "a consistency check follows when a replica is inconsistent"),
                Field("scheduled-check", .window, "daily consistency check"),
                Field("window", .window, "backups may start and run only inside it"),
                Field("throttle", .record("throttle"), "rates its transfers may take"),
                Field("wire-compression", .bool, default: "no", from: "dpm-facts 3.9", "compress on the wire"),
                Field(
                    "stagger", .duration, default: "0 s", from: "the model", "start of each member after the one before"
                ),
            ]),
        Table(
            "members",
            [
                Field("machines", .references("machine"), "by name or wildcard"),
                Field("clusters", .references("cluster"), "all that run on these clusters at the start"),
                Field("hosts", .references("host"), "all that run on these hosts at the start"),
                Field("except", .references("machine"), "but not these"),
            ]),
        Table(
            "disk goal",
            [
                Field("retention", .retention, required: true, "retention range, in days or weeks"),
                Field("times", .oneOrMany(.timeOfDay), required: true, "times of recovery points"),
                Field("weekdays", .oneOrMany(.choice(weekdayWords)), "left out: every day"),
                Field(
                    "synchronization", .either([.choice(["before recovery point"]), .duration]),
                    default: "before recovery point", from: "GRP-4",
                    "or a time between synchronizations, such as 15 min"),
            ]),
        Table(
            "tape goal",
            tapeFields + [
                Field("copies", .count(1...7), default: "1", from: "GRP-7", "tapes written alike")
            ]),
        Table(
            "tape options",
            [
                Field("library", .reference("tape library"), required: true, "the library or stand-alone drive"),
                Field(
                    "drives", .count(1...1_000), default: "\(options.drives)", from: "the model", "drives used at once"),
                Field(
                    "encoding", .choice(words(TapeOptions.Encoding.allCases)), default: options.encoding.rawValue,
                    from: "GRP-7", "plain, compressed or encrypted"),
                Field(
                    "certificate", .bool, default: "yes", from: "dpm-facts 4.7",
                    "a certificate for encryption is in the backup store"),
                Field("colocation", .text, "the protection group set that shares tapes; left out: no colocation"),
                Field(
                    "write-period", .duration, default: "\(options.writePeriod)", from: "dpm-facts 4.4",
                    "how long a shared tape takes further backups"),
                Field(
                    "expiry-tolerance", .duration, default: "\(options.expiryTolerance)", from: "dpm-facts 4.4",
                    "how far apart expiry dates on a tape may lie"),
            ]),
        Table(
            "online goal",
            [
                Field("vault", .reference("vault"), required: true, "where to"),
                Field("frequency", .choice(frequencies), default: "daily", from: "GRP-3", "how often"),
                Field("retention", .retention, required: true, "how long it is kept"),
                Field("time", .timeOfDay, default: "12:00", from: "the model", "when it starts"),
                Field(
                    "weekday", .choice(weekdayWords), default: "Sun", from: "the model", "of weekly and rarer backups"),
            ]),
        Table(
            "replica creation",
            [
                Field("at", .moment, "over the network, at this time"),
                Field("manual", .moment, "from removable media, loaded at this time"),
            ]),
        Table(
            "throttle",
            [
                Field("work-rate", .rate, required: true, "in work hours"),
                Field("other-rate", .rate, required: true, "in all others"),
                Field("work-hours", .window, default: "09:00 .. 18:00", from: "dpm-facts 3.9", "work hours"),
                Field("work-days", .oneOrMany(.choice(weekdayWords)), "left out: Mon to Fri"),
            ]),
    ]
}
