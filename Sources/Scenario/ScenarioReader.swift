public import Protection
internal import Units

/// Reads scenario files.
public enum ScenarioReader {
    /// The scenario in the file at `path` with all it includes.
    ///
    /// - Returns: the setting, or nil and every problem found, in the order of files and lines; and each value in force
    ///   with its origin, in the order of reading.
    public static func read(
        path: String, files: any FileSource = DiskFiles()
    ) -> (setting: Setting?, problems: [Problem], explained: [Provenance]) {
        let report = Report()
        let documents = Documents(main: path, source: files, report: report)
        var setting: Setting?
        // Where a file could not be read at all, names that it would have given are not missed one by one.
        if !documents.roots.isEmpty, report.problems.isEmpty {
            let builder = Builder(documents, source: files, report: report)
            setting = builder.build()
        }
        let problems = report.sorted(files: documents.files)
        return (problems.isEmpty ? setting : nil, problems, report.explained)
    }
}

/// What is known so far of the world that the files describe. One pass, kinds in the order in which they refer to others.
final class Builder {
    let report: Report
    let source: any FileSource
    /// One for each file, in reading order.
    let documents: [Fields]
    /// All files' keys together, the main file's first.
    let whole: Fields
    var setting: Setting
    var world = World()

    var domains = Names<Domain>("domain")
    var sites = Names<Site>("site")
    var links = Names<Link>("link")
    var servers = Names<DPMServer>("DPM server")
    var poolVolumes = Names<PoolVolume>("pool volume")
    var libraries = Names<TapeLibrary>("tape library")
    var drives = Names<TapeDrive>("tape drive")
    var vaults = Names<Vault>("vault")
    var vmmServers = Names<VMMServer>("VMM server")
    var hosts = Names<Host>("host")
    var clusters = Names<Cluster>("cluster")
    var fileServers = Names<FileServer>("file server")
    var volumes = Names<Volume>("volume")
    var machines = Names<Machine>("machine")
    var groups = Names<ProtectionGroup>("protection group")

    /// VMM servers' hosts are known later.
    var vmmFields: [(Ref<VMMServer>, Fields)] = []
    /// Cartridges numbered so far under each prefix of barcodes.
    var barcodesUsed: [String: Int] = [:]
    var templates = Templates()
    var profiles = Profiles()
    var volumesOfHost: [Ref<Host>: [Ref<Volume>]] = [:]
    var volumesOfCluster: [Ref<Cluster>: [Ref<Volume>]] = [:]
    /// Machines placed so far, for taking turns.
    var turnsOfHost: [Ref<Host>: Int] = [:]
    var turnsOfCluster: [Ref<Cluster>: Int] = [:]
    /// Sum of all disks, so that no sum overflows later.
    var totalSize = Bytes.zero

    /// Something went over its limit: no use in going through what else there is of it.
    private var isFull = false

    static let hostLimit = 100_000
    static let volumeLimit = 1_000_000

    init(_ documents: Documents, source: any FileSource, report: Report) {
        (self.source, self.report) = (source, report)
        self.documents = documents.roots.compactMap { Fields($0, "scenario", report: report) }
        let main = documents.roots.last!
        whole = Fields(
            report: report, table: Tables.root, path: "", spot: main.spot,
            layers: self.documents.reversed().map { $0.layers[0] })
        setting = Setting(name: "", clock: CivilClock(startDate: CivilDate(daysSince1970: 0)))
    }

    func build() -> Setting {
        setting.name = whole.text("name") ?? ""
        if let date = whole.date("start") { setting.clock = CivilClock(startDate: date) }
        if let duration = whole.duration("duration", zero: false) { setting.duration = duration }
        setting.seed = UInt64(whole.count("seed") ?? 1)
        buildGoals()
        buildTuning()
        buildPlaces()
        buildServers()
        buildComputers()
        readProfilesAndTemplates()
        buildMachines()
        buildInventories()
        buildGroups()
        buildScript()
        buildDrills()
        setting.world = world
        buildExpectations()
        return setting
    }

    func records(_ key: String) -> [Fields] { documents.flatMap { $0.records(key) } }

    /// The keys of a mapping that several files may write in part, the main file's first.
    private func merged(_ key: String, _ table: Table) -> Fields {
        let found = whole.layers.compactMap { $0[key] }
        return Fields(
            report: report, table: table, path: key, spot: found.first?.spot ?? whole.spot,
            layers: found.compactMap { Fields.layer($0, table, report: report) })
    }

    private func buildGoals() {
        let fields = merged("goals", Tables.goals)
        setting.goals.window = fields.window("window")
        if let share = fields.share("window-share", atMost: .one) { setting.goals.windowShare = share }
        setting.goals.recoveryPointAge = fields.duration("recovery-point-age", zero: false)
        if let share = fields.share("pool-share", atMost: .one) { setting.goals.poolShare = share }
        setting.goals.cartridges = fields.count("cartridges")
    }

    private func buildTuning() {
        let fields = merged("tuning", Tables.tuning)
        for parameter in Tuning.parameters {
            switch parameter.place {
            case .count(let path): if let value = fields.count(parameter.key) { setting.tuning[keyPath: path] = value }
            case .duration(let path):
                if let value = fields.duration(parameter.key) { setting.tuning[keyPath: path] = value }
            case .fraction(let path):
                if let value = fields.share(parameter.key) { setting.tuning[keyPath: path] = value }
            case .bytes(let path):
                if let value = fields.size(parameter.key, zero: true) { setting.tuning[keyPath: path] = value }
            case .rate(let path): if let value = fields.rate(parameter.key) { setting.tuning[keyPath: path] = value }
            }
        }
    }

    /// The names of an entry, if they fit beside the `count` there are.
    func names(_ fields: Fields, beside count: Int, limit: Int = 10_000, _ kind: String) -> [String] {
        if isFull { return [] }
        let names = fields.names()
        return fits(names.count, beside: count, limit: limit, kind, fields) ? names : []
    }

    /// Whether `more` things fit beside `count`; reported if not.
    func fits(_ more: Int, beside count: Int, limit: Int, _ kind: String, _ fields: Fields) -> Bool {
        let (sum, overflow) = count.addingReportingOverflow(more)
        if !overflow, sum <= limit { return true }
        isFull = true
        report.problem(
            fields.spot, fields.path, expected: "at most \(limit) \(kind)", found: overflow ? "more" : "\(sum)")
        return false
    }
}
