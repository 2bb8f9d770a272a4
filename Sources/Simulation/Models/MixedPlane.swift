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

    func moveStorage(_ machine: Ref<Machine>, to volume: Ref<Volume>, at time: SimTime) {
        plane(machine).moveStorage(machine, to: volume, at: time)
    }

    func prune(_ machine: Ref<Machine>, points: [SimTime]) { plane(machine).prune(machine, points: points) }

    func deleteData(_ machine: Ref<Machine>) { plane(machine).deleteData(machine) }

    func copyPoint(
        _ machine: Ref<Machine>, at point: SimTime, since: SimTime, to copy: CopyPlace
    ) throws(PlaneFault) {
        try plane(machine).copyPoint(machine, at: point, since: since, to: copy)
    }

    func pruneCopies(_ machine: Ref<Machine>, points: [SimTime], in copy: CopyPlace) {
        plane(machine).pruneCopies(machine, points: points, in: copy)
    }

    func rotPool(_ machine: Ref<Machine>, blocks: Int, chance: UInt64, at time: SimTime) {
        plane(machine).rotPool(machine, blocks: blocks, chance: chance, at: time)
    }

    func rotTape(_ cartridge: Ref<Cartridge>) { real.rotTape(cartridge) }

    func scrub(_ server: Ref<DPMServer>, at time: SimTime) -> [PoolDamage] { real.scrub(server, at: time) }

    func tearPool(_ server: Ref<DPMServer>, chance: UInt64, at time: SimTime) {
        real.tearPool(server, chance: chance, at: time)
    }

    func setPoolDisksFull(_ server: Ref<DPMServer>, _ isFull: Bool, at time: SimTime) {
        real.setPoolDisksFull(server, isFull, at: time)
    }

    func writeToTape(_ part: TapePart) throws(PlaneFault) { try plane(part.machine).writeToTape(part) }

    func breakSet(_ part: TapePart) { plane(part.machine).breakSet(part) }

    func eraseTape(_ cartridge: Ref<Cartridge>) { real.eraseTape(cartridge) }

    func rebuild(_ server: Ref<DPMServer>, at time: SimTime) -> RebuiltDatabase { real.rebuild(server, at: time) }

    func recover(_ order: RecoveryOrder, at time: SimTime) throws(PlaneFault) {
        try plane(order.request.machine).recover(order, at: time)
    }
}
