public import Units

/// What the page "Review disk allocation" shows for a group, and which volume each member gets.
/// - Rule: GRP-8
public struct AllocationReview: Sendable, Hashable {
    /// One member's part.
    public struct Member: Sendable, Hashable {
        public var machine: Ref<Machine>
        public var dataSize: Bytes
        /// Size of its replica: on legacy storage of the volume made for it, which includes room to grow.
        public var replica: Bytes
        /// Room for its recovery points; on legacy storage the size of the volume made for them.
        public var points: Bytes
        /// Nil if no volume can take it.
        public var volume: Ref<PoolVolume>?
        public var provisioned: Bytes { replica + points }
    }
    /// A pool volume before and after.
    public struct Volume: Sendable, Hashable {
        public var volume: Ref<PoolVolume>
        public var total: Bytes
        /// Not promised to any group, this one included; zero where more is promised than there is.
        public var free: Bytes
    }
    public var members: [Member]
    public var totalData: Bytes
    /// What should be there for the whole retention range.
    public var toProvision: Bytes
    /// How much of that the chosen volumes lack: what DPM would like to have added.
    public var underProvisioned: Bytes
    public var volumes: [Volume]
    /// Promised bytes of every pool volume of the world after this group, to hand to the review of the next.
    public var promised: [Bytes]
    /// Members that no volume can take.
    public var refusals: [Refusal]
    public var poolTotal: Bytes { volumes.reduce(.zero) { $0 + $1.total } }
    public var poolFree: Bytes { volumes.reduce(.zero) { $0 + $1.free } }
}

/// The sizes DPM proposes. Source: dpm-facts 2.2 and 2.3.
/// - Rule: GRP-8
public enum AllocationFormula {
    /// Share of the data that changes from one recovery point to the next.
    public static let changePerPoint = Fraction.percent(3)
    /// What DPM keeps of a legacy recovery point volume for its own needs: 600 MB of 2^20 (dpm-facts 2.2).
    public static let pointVolumeReserve = Bytes(600 << 20)

    /// Legacy: 1.5 times the data; and 2 % of it for each day of retention, and 1600 MB.
    public static func legacy(_ data: Bytes, retentionDays: Int, _ tuning: Tuning) -> (replica: Bytes, points: Bytes) {
        (
            data.scaled(by: tuning.legacyReplicaFactor),
            data.scaled(by: tuning.legacyPointShare) * Int64(retentionDays) + tuning.legacyPointMinimum
        )
    }

    /// Modern Backup Storage: data x (1 + 3 % x recovery points kept) x 1.05. Nothing of it is reserved.
    public static func modern(_ data: Bytes, pointsKept: Int) -> (replica: Bytes, points: Bytes) {
        let replica = data.scaled(by: .percent(105))
        return (replica, replica.scaled(by: changePerPoint) * Int64(pointsKept))
    }
}

extension World {
    /// Computes the review of a group (nothing is allocated to one without protection to disk), and chooses for each member, in their order, the allowed volume with most room that is not
    /// promised; ties go to the first. Volumes the group names are the only ones allowed.
    /// - Rule: GRP-8
    /// - Rule: GRP-2
    /// - Parameters:
    ///   - machineSizes: data of each member in the group's order; nil: what its guest has written.
    ///   - promised: bytes of each pool volume of the world that are promised already; nil: none.
    public func reviewDiskAllocation(
        of g: Ref<ProtectionGroup>, machineSizes: [Bytes]? = nil, promised: [Bytes]? = nil, tuning: Tuning = Tuning()
    ) -> AllocationReview {
        let group = groups[g]
        var promised = promised ?? Array(repeating: .zero, count: poolVolumes.count)
        let allowed =
            group.volumes.isEmpty
            ? poolVolumes.indices.filter { poolVolumes[$0].server == group.server }
            : group.volumes.map { Int($0.index) }
        var review = AllocationReview(
            members: [], totalData: .zero, toProvision: .zero, underProvisioned: .zero, volumes: [], promised: [],
            refusals: [])
        // Straight to tape there is no replica.
        guard let disk = group.disk else {
            review.members = group.members.map {
                .init(machine: $0, dataSize: .zero, replica: .zero, points: .zero, volume: nil)
            }
            review.promised = promised
            return review
        }
        // Colocated members share one pair of volumes, so they go together and pay the constant part once.
        var shared: Int?
        for (place, machine) in group.members.enumerated() {
            let data = machineSizes?[place] ?? machines[machine].usedSize
            let chosen = shared ?? roomiest(of: allowed, promised)
            let isLegacy = chosen.map { poolVolumes[$0].kind == .legacy } ?? false
            var size =
                isLegacy
                ? AllocationFormula.legacy(data, retentionDays: disk.retentionDays, tuning)
                : AllocationFormula.modern(data, pointsKept: disk.pointsKept)
            if shared != nil { size.points = size.points - min(size.points, tuning.legacyPointMinimum) }
            var member = AllocationReview.Member(
                machine: machine, dataSize: data, replica: size.replica, points: size.points, volume: nil)
            review.totalData += data
            review.toProvision += member.provisioned
            if let chosen {
                let room = poolVolumes[chosen].capacity - min(poolVolumes[chosen].capacity, promised[chosen])
                // A legacy volume is made at once; a modern one fills as data come, and must take the data at least.
                if isLegacy ? member.provisioned <= room : data <= poolVolumes[chosen].capacity {
                    member.volume = Ref(chosen)
                    promised[chosen] += member.provisioned
                    if group.isColocated, isLegacy { shared = chosen }
                    if member.provisioned > room { review.underProvisioned += member.provisioned - room }
                } else {
                    review.underProvisioned += member.provisioned - min(member.provisioned, room)
                }
            } else {
                review.underProvisioned += member.provisioned
            }
            if member.volume == nil { review.refusals.append(allocationRefusal(member, on: chosen, in: group)) }
            review.members.append(member)
        }
        review.volumes = allowed.map {
            let total = poolVolumes[$0].capacity
            return .init(volume: Ref($0), total: total, free: total - min(total, promised[$0]))
        }
        review.promised = promised
        return review
    }

    /// The volume with most bytes not promised; where all is promised, the one that is least overdrawn.
    private func roomiest(of allowed: [Int], _ promised: [Bytes]) -> Int? {
        var best: (place: Int, room: Int64)?
        for place in allowed {
            let room = poolVolumes[place].capacity.count - promised[place].count
            if best == nil || room > best!.room { best = (place, room) }
        }
        return best?.place
    }

    private func allocationRefusal(
        _ member: AllocationReview.Member, on volume: Int?, in group: ProtectionGroup
    ) -> Refusal {
        let object = "machine \(machines[member.machine].name)"
        let rule = RuleID("GRP", 8)
        guard let volume else {
            return Refusal(
                id: 33510, rule: rule, object: object,
                cause: "DPM server \(servers[group.server].name) has no volume for its replica",
                action: "Add a volume to the pool")
        }
        let name = poolVolumes[volume].name
        if poolVolumes[volume].kind == .legacy {
            return Refusal(
                id: 171, rule: rule, object: object,
                cause:
                    "Its replica and recovery point volumes need \(member.provisioned.rounded), more than pool disk \(name) has "
                    + "left", action: "Add a disk to the pool")
        }
        return Refusal(
            id: 33511, rule: rule, object: object,
            cause:
                "Its \(member.dataSize.rounded) do not fit pool volume \(name) of \(poolVolumes[volume].capacity.rounded)",
            action: "Choose a larger volume")
    }
}
