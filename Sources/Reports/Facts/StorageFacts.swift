public import Protection
public import Units

/// What the pool holds when the run ends, by group and by machine.
public struct StorageFacts: Sendable {
    public struct GroupRow: Sendable {
        public let name: String
        public internal(set) var machines = 0
        public internal(set) var replica = Bytes.zero
        public internal(set) var points = Bytes.zero
        public internal(set) var pointCount = 0
        /// Replicas that are not in order.
        public internal(set) var troubled = 0
        public var total: Bytes { replica + points }
    }
    public struct MachineRow: Sendable {
        public let name: String
        public let group: String
        public let state: ReplicaState
        /// Virtual size of what is protected.
        public let size: Bytes
        public let replica: Bytes
        public let points: Bytes
        public let pointCount: Int
        public var total: Bytes { replica + points }
    }
    /// In the scenario's order.
    public let groups: [GroupRow]
    /// The largest first.
    public let machines: [MachineRow]
    public let total: GroupRow

    init(_ world: World, _ replicas: [ReplicaRecord]) {
        var groups = world.groups.map { GroupRow(name: $0.name) }
        var total = GroupRow(name: "All")
        for replica in replicas {
            total.take(replica)
            if groups.indices.contains(Int(replica.group)) { groups[Int(replica.group)].take(replica) }
        }
        (self.groups, self.total) = (groups, total)
        machines = replicas.map { replica in
            let group = Int(replica.group)
            let machine = Int(replica.machine)
            return MachineRow(
                name: RunFacts.name(replica.machine, world),
                group: world.groups.indices.contains(group) ? world.groups[group].name : "–", state: replica.state,
                size: world.machines.indices.contains(machine) ? world.machines[machine].protectedSize : .zero,
                replica: replica.replica, points: replica.points, pointCount: Int(replica.pointCount))
        }
        .enumerated().sorted { a, b in
            a.element.total != b.element.total ? a.element.total > b.element.total : a.offset < b.offset
        }
        .map(\.element)
    }
}

extension StorageFacts.GroupRow {
    mutating func take(_ replica: ReplicaRecord) {
        machines += 1
        self.replica += replica.replica
        points += replica.points
        pointCount += Int(replica.pointCount)
        if replica.state != .ok { troubled += 1 }
    }
}
