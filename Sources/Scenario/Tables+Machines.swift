internal import Protection
internal import Units

extension Tables {
    static let machineKeys: [Field] = [
        Field("template", .reference("template"), "the template whose attributes it takes over"),
        Field("cluster", .reference("cluster"), "placed round robin over the cluster's nodes and volumes"),
        Field("host", .references("host"), "placed on these hosts, round robin"),
        Field(
            "volume", .references("volume"),
            "its disks lie there, round robin; left out: volumes of its cluster or host"),
        Field("size", .size, "virtual size of its disk, if it has but one"),
        Field(
            "used", .amount, default: "100 %", from: "the careful assumption: the whole disk",
            "blocks the guest has written"),
        Field(
            "format", .choice(words(VirtualDisk.Format.allCases)), default: "vhdx", from: "the model",
            "form of its disk"),
        Field("disks", .list(.record("disk")), "its disks, in place of size, used and format"),
        Field(
            "level", .choice(words(Machine.Level.allCases)), default: "host", from: "LVL-1",
            "where the agent sits that protects it"),
        Field("power", .choice(words(Machine.Power.allCases)), default: "running", from: "the model", "its state"),
        Field(
            "guest", .choice(words(GuestSystem.allCases)), default: "windows-2016", from: "the model",
            "its operating system"),
        Field(
            "file-systems", .oneOrMany(.choice(words(GuestFileSystem.allCases))),
            "in its guest; left out: ntfs, or ext4 on linux"),
        Field("backup-integration", .bool, default: "yes", from: "VSS-1", "the backup integration service is on"),
        Field(
            "integration-matches", .bool, default: "yes", from: "PRE-7",
            "integration components are of the host's version"),
        Field("dynamic-disks", .bool, default: "no", from: "VSS-1", "the guest has dynamic disks"),
        Field(
            "shadow-storage-on-itself", .bool, default: "yes", from: "VSS-1",
            "each volume's shadow storage is assigned to itself"),
        Field("resource-group-online", .bool, default: "yes", from: "VSS-1", "its cluster resource group is online"),
        Field("scsi-controller", .bool, default: "yes", from: "PRE-9", "it has a SCSI controller"),
        Field("rct", .bool, "the hypervisor tracks its changes; left out: on hosts of 2016 and later (dpm-facts 5.5)"),
        Field(
            "page-file", .size, default: "0 B", from: "the model",
            "blocks of page files, left out of transfers of changes"),
        Field(
            "churn", .amount, default: "2 %", from: "dpm-facts 2.2: 2 % a day is DPM's implied churn",
            "written each day, of used or as a size"),
        Field(
            "working-set", .amount, default: "10 %", from: "inferred",
            "the blocks most writes fall on, of used or as a size"),
        Field(
            "profile", .reference("profile"), default: "flat", from: "the model",
            "when it writes: flat, office, server, night-batch or one of profiles"),
        Field(
            "variation", .number(0...10), default: "0", from: "the model",
            "coefficient of variation of one day's writes"),
        Field("growth", .share, default: "0 %", from: "the model", "yearly growth of used bytes"),
        Field(
            "compressibility", .number(1...1_000), default: "1", from: "the model", "plain size over compressed size"),
        Field(
            "data", .choice(["modelled", "real"]), default: "modelled", from: "the model",
            "where its bytes are: numbers, or files that are really written, backed up and recovered"),
        Field("image", .text, "of a real machine: the image its first disk begins as, relative to this file"),
        Field(
            "guest-disk", .choice(words(RealData.fileSystems)),
            "of a real machine: its first disk gets a partition with this file system, with files and a page file in it"
        ),
        Field(
            "scale", .number(1...1_000_000), default: "1", from: "the model",
            "of a real machine: bytes that one byte of its files stands for"),
        Field(
            "replication", .choice(words(ReplicationState.allCases)),
            "a replica machine of Hyper-V Replica, in this state"),
    ]

    static let machineTables = [
        Table(
            "machine",
            [Field("name", .pattern, required: true, "its name, or a pattern such as web-{001..400}")] + machineKeys),
        Table("template", machineKeys),
        Table(
            "disk",
            [
                Field("size", .size, required: true, "its virtual size"),
                Field(
                    "used", .amount, default: "100 %", from: "the careful assumption: the whole disk",
                    "blocks the guest has written"),
                Field(
                    "format", .choice(words(VirtualDisk.Format.allCases)), default: "vhdx", from: "the model",
                    "its form"),
                Field("volume", .reference("volume"), "where it lies; left out: where the machine does"),
            ]),
        Table(
            "profile",
            [
                Field("hours", .list(.number(0...1_000_000)), "24 weights from midnight; left out: all the same"),
                Field("weekdays", .list(.number(0...1_000_000)), "7 weights from Monday; left out: all the same"),
            ]),
        Table(
            "inventory",
            [
                Field("file", .text, required: true, "the CSV file, relative to this one"),
                Field("separator", .choice(["comma", "semicolon", "tab"]), "left out: found out from the first line"),
                Field(
                    "rows", .choice(["machines", "disks"]), default: "machines", from: "RVTools: vInfo and vDisk",
                    "what a row is; rows of disks with the same name make one machine"),
                Field("columns", .record("columns"), "which column holds what; left out: by the columns' usual names"),
                Field("template", .reference("template"), "attributes of all its machines that no column gives"),
                Field("defaults", .record("template"), "the same, written here; they win over the template"),
            ]),
        Table(
            "columns",
            [Field("name", column, "the machine's name")]
                + machineKeys.filter { $0.key != "disks" }.map {
                    Field($0.key, column, $0.meaning)
                }),
        Table(
            "column",
            [
                Field("column", .text, required: true, "its name in the first line"),
                Field("unit", .choice(unitWords), "unit of its numbers"),
            ]),
    ]

    private static let column = Shape.either([.text, .record("column")])
    static let unitWords = ["B", "kB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB", "PiB", "%"]

    /// Columns as `Get-VM`, `Get-VHD` and RVTools (vInfo, vDisk) name them, in lower case.
    static let usualColumns: [String: [String]] = [
        "name": ["name", "vm", "vmname", "machine"],
        "host": ["host", "computername", "vmhost", "hostname"],
        "cluster": ["cluster", "clustername"],
        "volume": ["volume", "datastore"],
        "size": ["size", "capacity mib", "provisioned mib", "total disk capacity mib", "sizegb", "capacitygb"],
        "used": ["used", "in use mib", "usedgb", "filesizegb"],
        "format": ["format", "vhdformat"],
        "guest": ["guest", "os according to the configuration file", "os according to the vmware tools", "os"],
        "power": ["power", "powerstate", "state"],
        "churn": ["churn", "churnperday"],
        "working-set": ["workingset", "working set", "working-set"],
        "profile": ["profile"], "growth": ["growth"], "compressibility": ["compressibility"],
        "template": ["template"], "page-file": ["page-file", "pagefile"], "variation": ["variation"],
        "dynamic-disks": ["dynamic-disks", "dynamicdisks"], "file-systems": ["file-systems", "filesystems"],
    ]
}
