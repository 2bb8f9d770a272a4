internal import Protection
internal import Units

extension Tables {
    private static let server = DPMServer(name: "", domain: Ref(0), site: Ref(0))
    private static let library = TapeLibrary(name: "", server: Ref(0), slots: 0)
    private static let generations = LTOGeneration.allCases.map(\.name)
    private static let cartridgeCount = Field(
        "count", .count(0...100_000), required: true, "how many, blank at the start")

    static let serverTables = [
        Table(
            "server",
            [Field("name", .pattern, required: true, "its name, or a pattern")] + whereabouts + [
                Field(
                    "version", .choice(words(DPMVersion.allCases)), default: server.version.rawValue,
                    from: "dpm-facts 0.3", "release of DPM"),
                Field(
                    "windows", .choice(words(WindowsVersion.allCases)), default: server.windows.rawValue,
                    from: "dpm-facts 0.3", "release of Windows Server"),
                Field(
                    "smtp", .text, "the SMTP server it hands its e-mail to, host or host:port; left out: it sends none"),
                Field("hyper-v", .bool, default: "yes", from: "PRE-2", "has the Hyper-V role, for item-level recovery"),
                Field("nic", .rate, default: "\(server.nic)", from: "the model", "line rate of its network interface"),
                Field(
                    "parallel-jobs", .count(1...10_000), "disk jobs at once; left out: tuning.parallel-jobs-per-server"),
                Field("primary", .reference("DPM server"), "the server whose replicas this one protects"),
                Field("vmm", .references("VMM server"), "VMM servers it is connected to"),
                Field("pool", .list(.record("pool volume")), "disks and volumes of its storage pool"),
                Field("libraries", .list(.record("library")), "tape libraries"),
                Field("drives", .list(.record("stand-alone drive")), "tape drives without a library"),
            ]),
        Table(
            "pool volume",
            [
                Field("name", .pattern, required: true, "its name, or a pattern; in full SERVER/NAME"),
                Field(
                    "kind", .choice(words(PoolVolume.Kind.allCases)), default: "modern", from: "dpm-facts 1.2",
                    "modern: a ReFS volume; legacy: a pool disk"),
                Field("capacity", .size, required: true, "its size"),
                Field(
                    "read", .rate, default: "1 GB/s", from: "the model: an array of nearline disks",
                    "sequential read rate"),
                Field("write", .rate, default: "800 MB/s", from: "the model: an array of nearline disks", "write rate"),
            ]),
        Table(
            "library",
            [
                Field("name", .pattern, required: true, "its name"),
                Field("slots", .count(1...100_000), required: true, "slots for cartridges"),
                Field(
                    "robots", .count(1...64), default: "\(library.robots)", from: "the model",
                    "robots that move at once"),
                Field(
                    "barcodes", .bool, default: "yes", from: "the model",
                    "cartridges have barcodes, so an inventory is fast"),
                Field("drives", .record("drives"), required: true, "its tape drives, named LIBRARY/drive-1 and so on"),
                Field(
                    "cartridges", .record("cartridges"),
                    "its cartridges; what finds no slot lies on the shelf beside it"),
            ]),
        Table(
            "drives",
            [
                Field("count", .count(1...1_000), default: "1", from: "the model", "how many"),
                Field("generation", .choice(generations), required: true, "generation of Linear Tape-Open"),
                Field("half-height", .bool, default: "no", from: "tape-hardware 3", "slower, half the height"),
            ]),
        Table(
            "cartridges",
            [
                cartridgeCount,
                Field("generation", .choice(generations), "left out: that of the drives"),
                Field("prefix", .text, "what barcodes begin with; left out: three letters of the library's name"),
            ]),
        Table(
            "stand-alone drive",
            [
                Field("name", .pattern, required: true, "its name"),
                Field("generation", .choice(generations), required: true, "generation of Linear Tape-Open"),
                Field("half-height", .bool, default: "no", from: "tape-hardware 3", "slower, half the height"),
                Field(
                    "cartridges", .count(0...100_000), default: "1", from: "the model",
                    "cartridges beside it, changed by a person"),
            ]),
        Table(
            "vault",
            [
                Field("name", .pattern, required: true, "its name"),
                Field("site", .reference("site"), "where it is reached; left out: the first site"),
                Field("rate", .rate, required: true, "what the service takes in"),
            ]),
        Table(
            "vmm server",
            [
                Field("name", .pattern, required: true, "its name"),
                Field("domain", .reference("domain"), "its domain; left out: the first one"),
                Field(
                    "version", .choice(["2008", "2008 R2", "2012", "2012 SP1", "2012 R2", "2016", "2019"]),
                    default: "2016", from: "LIV-4", "release of VMM"),
                Field("hosts", .references("host"), "hosts in its clouds"),
                Field("clusters", .references("cluster"), "clusters whose nodes are in its clouds"),
                Field(
                    "helper-port", .count(1...65_535), default: "6070", from: "LIV-7",
                    "port of the DPM-VMM Helper Service"),
            ]),
    ]

    private static let host = Host(name: "", domain: Ref(0), site: Ref(0))
    private static let fileServer = FileServer(name: "", domain: Ref(0), site: Ref(0))
    private static let hostFields: [Field] = [
        Field(
            "windows", .choice(words(WindowsVersion.allCases)), default: host.windows.rawValue, from: "dpm-facts 0.3",
            "release of Windows Server"),
        Field("nic", .rate, default: "\(host.nic)", from: "the model", "line rate of its network interface"),
        Field(
            "backup-rate", .rate, default: "\(host.backupRate)", from: "the model",
            "what its processors read, checksum and send for backups"),
        Field(
            "agent", .choice(words(AgentState.allCases)), default: host.agent.rawValue, from: "SCN-1",
            "state of the protection agent"),
        Field(
            "authentication", .choice(words(Authentication.allCases)), default: host.authentication.rawValue,
            from: "PRE-3", "how it authenticates"),
        Field(
            "parallel-backups", .count(1...1_000),
            "machines backed up at once; left out: tuning.parallel-backups-per-host"),
    ]
    private static let volumeFields: [Field] = [
        Field("name", .pattern, required: true, "its name, or a pattern; in full OWNER/NAME"),
        Field("capacity", .size, required: true, "its size"),
        Field("read", .rate, default: "1 GB/s", from: "the model: an array of disks", "sequential read rate"),
        Field("write", .rate, default: "800 MB/s", from: "the model: an array of disks", "write rate"),
        Field(
            "vss", .choice(words(Volume.VSSProvider.allCases)), default: "software", from: "PRE-10",
            "who takes the snapshot"),
        Field("bitlocker", .bool, default: "no", from: "PRE-12", "encrypted with BitLocker"),
        Field("deduplicated", .bool, default: "no", from: "PRE-6", "deduplicated by Windows Server"),
    ]

    static let hostTables = [
        Table(
            "host",
            [Field("name", .pattern, required: true, "its name, or a pattern")] + whereabouts + hostFields + [
                Field("volumes", .list(.record("host volume")), "volumes that hold machines")
            ]),
        Table(
            "host volume",
            volumeFields + [
                Field("kind", .choice(["local", "san", "nas"]), default: "local", from: "SCN-1", "where its disks are")
            ]),
        Table(
            "cluster",
            [
                Field("name", .pattern, required: true, "its name"),
                Field("nodes", .oneOrMany(.pattern), required: true, "names of its nodes, or patterns"),
            ] + whereabouts + hostFields + [
                Field("volumes", .list(.record("cluster volume")), "its Cluster Shared Volumes")
            ]),
        Table("cluster volume", volumeFields),
        Table(
            "file server",
            [Field("name", .pattern, required: true, "its name, or a pattern")] + whereabouts + [
                Field("nodes", .count(1...64), default: "1", from: "the model", "nodes, if it is a cluster"),
                Field("nodes-with-agent", .count(0...64), "nodes that have the agent; left out: all"),
                Field(
                    "nic", .rate, default: "\(fileServer.nic)", from: "the model", "line rate of its network interface"),
                Field(
                    "vss-agent-service", .bool, default: "yes", from: "PRE-13",
                    "File Server VSS Agent Service is installed"),
                Field("auto-mount", .bool, default: "yes", from: "PRE-13", "auto-mount is on"),
                Field("tcp-chimney", .bool, default: "no", from: "PRE-13", "TCP Chimney is on"),
                Field(
                    "share-rights", .bool, default: "yes", from: "SCN-3",
                    "hosts' machine accounts have full rights on the share"),
                Field("folder-rights", .bool, default: "yes", from: "SCN-3", "and on the folder"),
                Field("addressed-by-ip", .bool, default: "no", from: "PRE-14", "the share is addressed by IP address"),
                Field("volumes", .list(.record("share")), "volumes its shares lie on"),
            ]),
        Table("share", volumeFields),
    ]
}
