import Jobs
import Protection
import Units

/// The data plane of machines whose bytes are numbers.
final class ModelledPlane: DataPlane {
    private let models: [ChangeModel]
    /// Plain bytes per byte on the wire; one where the group does not compress.
    private let wireRatios: [Double]
    /// Bytes used at the start on each disk of each machine; nothing of pass-through disks.
    private let sizes: [[Int64]]

    init(world: World, seed: UInt64, clock: CivilClock, compressesOnWire: [Bool]) {
        models = world.machines.enumerated().map { ChangeModel($1, number: $0, seed: seed, clock: clock) }
        sizes = world.machines.map { $0.disks.map { $0.format == .passThrough ? 0 : $0.used.count } }
        wireRatios = world.machines.enumerated().map { compressesOnWire[$0] ? max(1, $1.compressibility.value) : 1 }
    }

    func full(_ machine: Ref<Machine>, at time: SimTime) -> TransferFacts {
        let used = models[Int(machine.index)].used(at: time)
        return facts(machine, changed: used, stored: used, read: used)
    }

    /// - Rule: PRC-2
    func changes(_ machine: Ref<Machine>, since: SimTime, until: SimTime) -> TransferFacts {
        let model = models[Int(machine.index)]
        let grown = model.used(at: until) - model.used(at: since)
        let overwritten = Int64(model.overwritten(from: since, to: until))
        let paged = Int64(Double(overwritten) * model.pageFileShare)
        let changed = overwritten + grown
        return facts(machine, changed: changed, stored: changed - paged, read: changed)
    }

    func check(_ machine: Ref<Machine>, kind: CheckKind, since: SimTime, until: SimTime) -> TransferFacts {
        var facts = changes(machine, since: since, until: until)
        switch kind {
        case .heavy: facts.read = Bytes(models[Int(machine.index)].used(at: until))
        case .rct, .none: break
        }
        return facts
    }

    func used(_ machine: Ref<Machine>, at time: SimTime) -> Bytes { Bytes(models[Int(machine.index)].used(at: time)) }

    func written(_ machine: Ref<Machine>, from: SimTime, to: SimTime) -> Bytes {
        Bytes(Int64(models[Int(machine.index)].written(from: from, to: to)))
    }

    func superseded(_ machine: Ref<Machine>, since: SimTime, until: SimTime) -> Bytes {
        let model = models[Int(machine.index)]
        let overwritten = Int64(model.overwritten(from: since, to: until))
        return Bytes(overwritten - Int64(Double(overwritten) * model.pageFileShare))
    }

    func recoverable(_ order: RecoveryOrder) -> Bytes {
        let request = order.request
        let all = used(request.machine, at: order.point)
        switch request.what {
        case .machine: return all
        case .disks(let places):
            // Each disk in proportion: the model does not say which of them grew.
            let disks = sizes[Int(request.machine.index)]
            let whole = disks.reduce(0, +)
            let chosen = places.reduce(0) { $0 + (disks.indices.contains($1) ? disks[$1] : 0) }
            return whole == 0 ? .zero : Bytes(Int64(Double(all.count) * Double(chosen) / Double(whole)))
        case .volumes, .files: return min(request.itemBytes ?? all, all)
        }
    }

    private func facts(_ machine: Ref<Machine>, changed: Int64, stored: Int64, read: Int64) -> TransferFacts {
        let ratio = wireRatios[Int(machine.index)]
        let sent = ratio > 1 ? Int64((Double(stored) / ratio).rounded(.up)) : stored
        return TransferFacts(changed: Bytes(changed), sent: Bytes(sent), stored: Bytes(stored), read: Bytes(read))
    }
}
