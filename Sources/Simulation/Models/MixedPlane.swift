import Jobs
import Protection
import Units

/// Asks for each machine the plane that has its bytes.
final class MixedPlane: DataPlane {
    private let modelled: ModelledPlane
    private let real: any LivingPlane
    private let isReal: [Bool]

    init(_ modelled: ModelledPlane, real: any LivingPlane, world: World) {
        (self.modelled, self.real) = (modelled, real)
        isReal = world.machines.map { $0.real != nil }
        real.follow(modelled)
    }

    private func plane(_ machine: Ref<Machine>) -> any DataPlane { isReal[Int(machine.index)] ? real : modelled }

    func full(_ machine: Ref<Machine>, at time: SimTime) -> TransferFacts { plane(machine).full(machine, at: time) }

    func changes(_ machine: Ref<Machine>, since: SimTime, until: SimTime) -> TransferFacts {
        plane(machine).changes(machine, since: since, until: until)
    }

    func check(_ machine: Ref<Machine>, kind: CheckKind, since: SimTime, until: SimTime) -> TransferFacts {
        plane(machine).check(machine, kind: kind, since: since, until: until)
    }

    func used(_ machine: Ref<Machine>, at time: SimTime) -> Bytes { plane(machine).used(machine, at: time) }

    func written(_ machine: Ref<Machine>, from: SimTime, to: SimTime) -> Bytes {
        plane(machine).written(machine, from: from, to: to)
    }

    func superseded(_ machine: Ref<Machine>, since: SimTime, until: SimTime) -> Bytes {
        plane(machine).superseded(machine, since: since, until: until)
    }

    func emptied(_ machine: Ref<Machine>, at time: SimTime) -> Bytes { plane(machine).emptied(machine, at: time) }

    func recoverable(_ order: RecoveryOrder) throws(PlaneFault) -> Bytes {
        try plane(order.request.machine).recoverable(order)
    }

    func takeSnapshot(_ machine: Ref<Machine>, at time: SimTime) throws(PlaneFault) {
        try plane(machine).takeSnapshot(machine, at: time)
    }

    func apply(_ purpose: DiskJob.Purpose, _ machine: Ref<Machine>, at snapshot: SimTime) throws(PlaneFault) {
        try plane(machine).apply(purpose, machine, at: snapshot)
    }

    func makePoint(_ machine: Ref<Machine>, at snapshot: SimTime) throws(PlaneFault) {
        try plane(machine).makePoint(machine, at: snapshot)
    }

    func releaseSnapshot(_ machine: Ref<Machine>, at time: SimTime) {
        plane(machine).releaseSnapshot(machine, at: time)
    }

    func synchronized(_ machine: Ref<Machine>, at snapshot: SimTime) {
        plane(machine).synchronized(machine, at: snapshot)
    }

    func crash(_ machine: Ref<Machine>, at time: SimTime) { plane(machine).crash(machine, at: time) }

    func prune(_ machine: Ref<Machine>, points: [SimTime]) { plane(machine).prune(machine, points: points) }

    func deleteData(_ machine: Ref<Machine>) { plane(machine).deleteData(machine) }

    func writeToTape(_ part: TapePart) throws(PlaneFault) { try plane(part.machine).writeToTape(part) }

    func breakSet(_ part: TapePart) { plane(part.machine).breakSet(part) }

    func eraseTape(_ cartridge: Ref<Cartridge>) { real.eraseTape(cartridge) }

    func rebuild(_ server: Ref<DPMServer>, at time: SimTime) -> RebuiltDatabase { real.rebuild(server, at: time) }

    func recover(_ order: RecoveryOrder, at time: SimTime) throws(PlaneFault) {
        try plane(order.request.machine).recover(order, at: time)
    }
}
