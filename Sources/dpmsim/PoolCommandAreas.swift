import ArgumentParser
import Protection
import StoragePool
import Units

/// Which storage a datasource is put into.
struct AreaOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Legacy storage: the size of its replica volume. Without it, Modern Backup Storage.", valueName: "bytes"))
    var replicaVolume: ByteCount?
    @Option(help: ArgumentHelp("Legacy storage: the size of its recovery point volume.", valueName: "bytes"))
    var pointVolume: ByteCount?
    @Flag(help: "Legacy storage: the volumes do not grow by themselves.") var noAutogrow = false
    @Flag(help: "Legacy storage: other datasources may share the volumes. Decided now or never (31251).")
    var colocation = false
    @Option(help: ArgumentHelp("Legacy storage: the area whose volumes it shares.", valueName: "area"))
    var colocateWith: String?

    func validate() throws {
        if (replicaVolume == nil) != (pointVolume == nil) {
            throw ValidationError("Legacy storage needs --replica-volume and --point-volume.")
        }
        if colocateWith != nil, replicaVolume != nil {
            throw ValidationError("--colocate-with takes the area's volumes: leave the sizes out.")
        }
        if noAutogrow || colocation, replicaVolume == nil {
            throw ValidationError("--no-autogrow and --colocation go with --replica-volume and --point-volume.")
        }
    }

    var choice: AreaChoice {
        if let colocateWith { return .colocated(with: colocateWith) }
        guard let replicaVolume, let pointVolume else { return .modern }
        return .legacy(
            replica: Bytes(replicaVolume.count), points: Bytes(pointVolume.count), autogrow: !noAutogrow,
            colocation: colocation, rules: AreaRules(Tuning()))
    }
}

extension AreaRules {
    /// DPM's habits, as Protection has them.
    init(_ tuning: Tuning) {
        self.init(
            threshold: tuning.poolThreshold.wholePercent, growthStep: tuning.autoGrowMinimum,
            growthPercent: tuning.autoGrowShare.wholePercent,
            growthPause: tuning.autoGrowQuiet.nanoseconds / 1_000_000_000,
            overhead: AllocationFormula.pointVolumeReserve)
    }
}

extension Fraction {
    fileprivate var wholePercent: Int64 { partsPerBillion / 10_000_000 }
}

/// `dpmsim pool areas`: legacy volumes, how full they are, and what an operator should know.
struct PoolAreas: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "areas",
        abstract: "List legacy volumes with their use, and what of the pool's space needs attention.",
        discussion: "Exit status 1 if anything needs attention.")

    @OptionGroup var options: PoolOptions

    private struct AreaFact: Encodable {
        var name: String, datasources: [String]
        var replicaSize: Int64, replicaUsed: Int64, pointsSize: Int64, pointsUsed: Int64
        var autogrow: Bool, colocation: Bool
    }
    private struct AlertFact: Encodable {
        var id: Int, object: String, cause: String, action: String
    }
    private struct Fact: Encodable {
        var areas: [AreaFact], alerts: [AlertFact]
    }

    func run() throws {
        try options.look { pool in
            let areas = try pool.areas()
            let alerts = try pool.alerts(
                at: WallClock.secondsSince1970, volumeThreshold: Tuning().poolThreshold.wholePercent)
            let lines =
                areas.map { area in
                    "\(area.name) (\(area.datasources.joined(separator: ", "))): replica volume \(area.replica.used.rounded) of "
                        + "\(area.replica.size.rounded), recovery point volume \(area.points.used.rounded) of "
                        + "\(area.points.size.rounded), grows by itself: \(area.autogrow ? "yes" : "no")"
                } + alerts.map { "\($0.id) \($0.object): \($0.cause). \($0.action)." }
            try options.tell(
                Fact(
                    areas: areas.map { area in
                        AreaFact(
                            name: area.name, datasources: area.datasources, replicaSize: area.replica.size.count,
                            replicaUsed: area.replica.used.count, pointsSize: area.points.size.count,
                            pointsUsed: area.points.used.count, autogrow: area.autogrow,
                            colocation: area.allowsColocation)
                    },
                    alerts: alerts.map { AlertFact(id: $0.id, object: $0.object, cause: $0.cause, action: $0.action) }),
                lines.isEmpty ? ["No legacy volumes, and nothing needs attention."] : lines)
            if !alerts.isEmpty { throw Ending.expectationFailed }
        }
    }
}

/// `dpmsim pool grow`: larger legacy volumes.
struct PoolGrow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grow", abstract: "Make the volumes of a legacy area larger.")

    @OptionGroup var options: PoolOptions
    @Argument(help: "The area, named for its first datasource.") var area: String
    @Option(help: ArgumentHelp("The replica volume's new size.", valueName: "bytes")) var replicaVolume: ByteCount?
    @Option(help: ArgumentHelp("The recovery point volume's new size.", valueName: "bytes")) var pointVolume: ByteCount?

    func validate() throws {
        if replicaVolume == nil, pointVolume == nil {
            throw ValidationError("Name --replica-volume, --point-volume or both.")
        }
    }

    func run() throws {
        try options.write { pool in
            try pool.growArea(
                area, replica: replicaVolume.map { Bytes($0.count) }, points: pointVolume.map { Bytes($0.count) },
                at: WallClock.secondsSince1970)
            try options.tell(["area": area], ["\(area): its volumes are larger now."])
        }
    }
}

/// `dpmsim pool shrink`: a smaller recovery point volume.
struct PoolShrink: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shrink", abstract: "Make the recovery point volume of a legacy area smaller.",
        discussion: "A replica volume never shrinks.")

    @OptionGroup var options: PoolOptions
    @Argument(help: "The area, named for its first datasource.") var area: String
    @Option(help: ArgumentHelp("The recovery point volume's new size.", valueName: "bytes")) var pointVolume: ByteCount

    func run() throws {
        try options.write { pool in
            try pool.shrinkArea(area, points: Bytes(pointVolume.count), at: WallClock.secondsSince1970)
            try options.tell(["area": area], ["\(area): its recovery point volume is smaller now."])
        }
    }
}
