public import Units

/// What one DPM server is made for. Sources: dpm-facts 2.6; TB and GB in these are DPM's, powers of 1024.
public enum ServerLimits {
    /// Machines of 100 GB on average.
    /// - Rule: PRE-1
    public static let machines = 800
    /// Protected data, and as much backup storage again.
    /// - Rule: PRE-1
    public static let protectedData = Bytes(80 << 40)
    /// Pool of either kind.
    public static let pool = Bytes(120 << 40)
    /// Replicas on legacy storage, each with its two volumes.
    public static let legacyReplicas = 300
    /// Recovery points on disk of all datasources together.
    public static let recoveryPoints = 9_000
    /// Recovery points on disk of one datasource: 512 shadow copies less 64 that are reserved.
    public static let pointsPerDatasource = 448
    /// Datasources on one protected volume.
    public static let datasourcesPerVolume = 100
}

extension DiskGoal {
    /// Recovery points a week.
    public var pointsPerWeek: Int { schedule.times.count * schedule.weekdays.count }
    /// Recovery points kept when the retention range is full; rounded up.
    public var pointsKept: Int { (retentionDays * pointsPerWeek + 6) / 7 }
    /// When express fulls run, and recovery points with them: machines have no incrementals, so a synchronization frequency
    /// does not change it.
    /// - Rule: GRP-4
    public var expressFulls: WeeklySchedule { schedule }
}

extension World {
    /// What exceeds the guidance for a server; it works on, slower and unsupported.
    /// - Rule: PRE-1
    func limitWarnings(of s: Ref<DPMServer>) -> [Refusal] {
        let server = servers[s]
        let object = "DPM server \(server.name)"
        let own = groups.filter { $0.server == s }
        let members = own.reduce(0) { $0 + $1.members.count }
        let data = own.reduce(Bytes.zero) { $1.members.reduce($0) { $0 + machines[$1].protectedSize } }
        let onDisk = own.filter { $0.disk != nil }
        let points = onDisk.reduce(0) { $0 + $1.members.count * $1.disk!.pointsKept }
        let volumes = poolVolumes.filter { $0.server == s }
        let pool = volumes.reduce(Bytes.zero) { $0 + $1.capacity }
        var found: [Refusal] = []
        func note(_ id: Int, _ cause: String, _ action: String) {
            found.append(Refusal(id: id, rule: RuleID("PRE", 1), object: object, cause: cause, action: action))
        }
        if members > ServerLimits.machines {
            note(
                32582, "It protects \(members) machines; guidance is \(ServerLimits.machines)",
                "Add a DPM server and share the machines out")
        } else if volumes.contains(where: { $0.kind == .legacy }), members > ServerLimits.legacyReplicas {
            note(
                32582, "It protects \(members) machines on legacy storage; guidance is \(ServerLimits.legacyReplicas)",
                "Use Modern Backup Storage, or add a DPM server")
        }
        if data > ServerLimits.protectedData {
            note(
                32584, "It protects \(data.rounded) of disks; guidance is 80 TB of 1024 GB",
                "Add a DPM server and share the machines out")
        }
        if pool > ServerLimits.pool {
            note(
                32585, "Its storage pool has \(pool.rounded); guidance is 120 TB of 1024 GB",
                "Add a DPM server and share the storage out")
        }
        if points > ServerLimits.recoveryPoints {
            note(
                31220, "Its groups keep \(points) recovery points on disk; guidance is \(ServerLimits.recoveryPoints)",
                "Keep fewer days, make fewer recovery points a week, or add a DPM server")
        }
        return found
    }

    /// Why files and folders cannot be recovered out of whole machines on this server; whole machines can all the same.
    /// - Rule: PRE-2
    public func itemLevelRefusal(on server: Ref<DPMServer>) -> Refusal? {
        guard !servers[server].hasHyperVRole else { return nil }
        return Refusal(
            id: 958, rule: RuleID("PRE", 2), object: "DPM server \(servers[server].name)",
            cause: "Files and folders of machines cannot be browsed: it does not have the Hyper-V role",
            action: "Install the Hyper-V role on it, or recover the whole machine")
    }
}
