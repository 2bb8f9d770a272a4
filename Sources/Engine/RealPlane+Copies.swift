import DiskImages
import Files
public import Jobs
public import Protection
import StoragePool
public import Units

/// A machine's copy at one place.
struct CopyKey: Hashable {
    var machine: Ref<Machine>
    var place: CopyPlace
}

/// Copies outside the machine's own DPM server: on a secondary server, in its pool; in a vault, in a pool of the vault's.
extension RealPlane {
    public func copyPoint(
        _ machine: Ref<Machine>, at point: SimTime, since: SimTime, to copy: CopyPlace
    ) throws(PlaneFault) {
        try reported(machine, point) { () throws(StorageFault) in
            let real = machines[machine.index]!
            guard let number = real.points.first(where: { $0.at == point })?.number else {
                throw missing(real.name, point)
            }
            let (source, target) = (try pool(of: machine), try pool(of: copy))
            let key = CopyKey(machine: machine, place: copy)
            if try target.datasources().contains(where: { $0.name == real.name }) {
                try removeUnknownCopies(key, real.name, target)
            } else {
                _ = try target.add(real.name, time: seconds(point))
            }
            // The number that a point had counts in its pool also when it has been pruned.
            let before = sourceNumbers[key]
            var sources: [DiskSource] = []
            for disk in real.disks {
                let changes: DiskSource.Changes =
                    if since != .never, let before {
                        .ranges(try source.changes(of: real.name, disk: disk.name, after: before, upTo: number))
                    } else { .everything }
                let device = try source.device(of: real.name, at: number, disk: disk.name)
                sources.append(DiskSource(name: disk.name, device: device, changes: changes))
            }
            let facts = try target.synchronize(
                real.name, sources, at: seconds(point), recoveryPoint: true, label: clock.text(point))
            copies[key, default: []].append((point, facts.point))
            sourceNumbers[key] = number
        }
    }

    public func pruneCopies(_ machine: Ref<Machine>, points: [SimTime], in copy: CopyPlace) {
        let key = CopyKey(machine: machine, place: copy)
        for time in points {
            guard let index = copies[key]?.firstIndex(where: { $0.at == time }) else { continue }
            let number = copies[key]!.remove(at: index).number
            attempt(machine, time) { () throws(StorageFault) in
                try pool(of: copy).prune(machines[machine.index]!.name, point: number)
            }
        }
    }

    /// Whose deletion failed, or whose making failed after they were there.
    private func removeUnknownCopies(_ key: CopyKey, _ name: String, _ pool: Pool) throws(StorageFault) {
        let known = Set((copies[key] ?? []).map(\.number))
        for point in try pool.recoveryPoints(of: name) where !known.contains(point.number) {
            try pool.prune(name, point: point.number)
        }
    }

    func pool(of copy: CopyPlace) throws(StorageFault) -> Pool {
        switch copy {
        case .secondary(let server): return try pool(of: server.index)
        case .online(let vault):
            if let pool = vaults[vault.index] { return pool }
            try files.makeFolder(folder + "/vaults")
            let name = Self.fileName(world.vaults[vault].name, Int(vault.index))
            let pool = try openOrCreate(folder + "/vaults/" + name, on: files)
            vaults[vault.index] = pool
            return pool
        }
    }

    /// A disk of a copy as of a recovery point; `source` is secondary or online.
    func copyDevice(
        _ machine: Ref<Machine>, at point: SimTime, source: RecoveryRequest.Source, disk: String
    ) throws(StorageFault) -> any BlockDevice {
        for key in copyKeys where key.machine == machine && key.place.source == source {
            guard let number = copies[key]!.first(where: { $0.at == point })?.number else { continue }
            return try pool(of: key.place).device(of: machines[machine.index]!.name, at: number, disk: disk)
        }
        throw missing(machines[machine.index]!.name, point)
    }

    /// In the order of machines, and of each the secondary server's copy first.
    var copyKeys: [CopyKey] {
        copies.keys.sorted { ($0.machine.index, $0.place.order) < ($1.machine.index, $1.place.order) }
    }

    private func missing(_ name: String, _ point: SimTime) -> StorageFault {
        StorageFault(
            .missing, "ENGINE-POINT", name, "it has no recovery point of \(clock.text(point)) there",
            action: "Choose another recovery point")
    }
}

extension CopyPlace {
    var source: RecoveryRequest.Source {
        switch self {
        case .secondary: .secondary
        case .online: .online
        }
    }

    fileprivate var order: Int64 {
        switch self {
        case .secondary(let server): Int64(server.index)
        case .online(let vault): 1 << 32 + Int64(vault.index)
        }
    }
}
