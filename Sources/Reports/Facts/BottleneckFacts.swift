public import Protection
import Units

/// What held jobs back, ranked.
public struct BottleneckFacts: Sendable {
    public struct Row: Sendable {
        public let name: String
        public let kind: ResourceRecord.Kind
        /// Bytes a second, or slots.
        public let capacity: Double
        /// Job-seconds it held jobs back, and its share of all such.
        public let boundSeconds: Double
        public let share: Double?
        /// Share of its capacity used over the whole run; nil where use was not measured (queues for slots).
        public let utilisation: Double?
        /// Share in use per hour of the week from Monday 00:00; 168 values, or none.
        public let hourly: [Double]
        /// The greatest of these; nil without any.
        public let busiest: Double?
    }
    /// All resources of one kind together.
    public struct KindRow: Sendable {
        public let kind: ResourceRecord.Kind
        public let count: Int
        public let boundSeconds: Double
        public let share: Double?
        /// The one of them that held back most.
        public let worst: String
    }
    /// The one that held back most first.
    public let rows: [Row]
    public let kinds: [KindRow]
    public let boundSeconds: Double

    init(_ outcome: RunOutcome) {
        let total = outcome.resources.reduce(0.0) { $0 + max(0, $1.boundSeconds) }
        let span = outcome.finishedAt.seconds
        let all = outcome.resources.map { record in
            Row(
                name: record.name, kind: record.kind, capacity: record.capacity,
                boundSeconds: max(0, record.boundSeconds), share: Reports.share(max(0, record.boundSeconds), of: total),
                utilisation: record.carried == 0 && record.boundSeconds > 0
                    ? nil : Reports.share(record.carried, of: record.capacity * span), hourly: record.hourly,
                busiest: record.hourly.max())
        }
        // A stable order: of equals, the one listed first.
        let order = all.indices.sorted { a, b in
            let (left, right) = (all[a], all[b])
            if left.boundSeconds != right.boundSeconds { return left.boundSeconds > right.boundSeconds }
            let (x, y) = (left.busiest ?? left.utilisation ?? 0, right.busiest ?? right.utilisation ?? 0)
            return x != y ? x > y : a < b
        }
        rows = order.map { all[$0] }
        let ranked = rows
        kinds = ResourceRecord.Kind.allCases.compactMap { kind -> KindRow? in
            let mine = ranked.filter { $0.kind == kind }
            guard let worst = mine.first else { return nil }
            let bound = mine.reduce(0.0) { $0 + $1.boundSeconds }
            return KindRow(
                kind: kind, count: mine.count, boundSeconds: bound, share: Reports.share(bound, of: total),
                worst: worst.name)
        }
        .sorted { $0.boundSeconds > $1.boundSeconds }
        boundSeconds = total
    }

    /// The kind that held jobs back most, if anything did.
    public var first: KindRow? { kinds.first.flatMap { $0.boundSeconds > 0 ? $0 : nil } }
}

extension ResourceRecord.Kind {
    /// What a planner can change where this is the bottleneck.
    public var remedy: String {
        switch self {
        case .sourceVolume:
            "Spread the machines over more or faster volumes, or start their groups at different times"
        case .hostNIC: "Give the hosts a faster backup network, or spread the machines over more hosts"
        case .hostCPU: "Spread the machines over more hosts, or start their groups at different times"
        case .fileServerNIC: "Give the file server a faster network, or spread the shares over more servers"
        case .link: "Raise the link's rate, place a DPM server on the machines' side, or compress on the wire"
        case .serverNIC: "Give the DPM server a faster network, or add a second DPM server"
        case .poolVolume: "Give the pool faster disks or more volumes, or add a second DPM server"
        case .tapeDrive: "Use faster drives, or compress, so that less is written"
        case .vault: "Protect fewer machines online, less often, or raise the vault's rate"
        case .hostSlots: "Allow more backups at once per host, or spread the machines over more hosts"
        case .csvClaim: "Use a hardware VSS provider, or spread the machines over more Cluster Shared Volumes"
        case .serverSlots: "Allow more jobs at once on the DPM server if its pool has room, or add a second server"
        case .drivePool: "Add tape drives, or spread the tape backups over more days"
        case .robot: "Colocate groups on shared tapes so that fewer are mounted, or add a robot"
        case .stream: "Start more backups at once: one backup alone cannot use the network"
        case .throttle: "Raise the group's throttle, or leave it off outside working hours"
        }
    }

    /// Whether its capacity counts slots, not bytes a second.
    public var countsSlots: Bool {
        switch self {
        case .hostSlots, .csvClaim, .serverSlots, .drivePool, .robot: true
        case .sourceVolume, .hostNIC, .hostCPU, .fileServerNIC, .link, .serverNIC, .poolVolume, .tapeDrive, .vault,
            .stream, .throttle:
            false
        }
    }
}
