import Files
public import Jobs
public import Protection
import StoragePool
public import Units

/// What a DPM server without its database finds again.
extension RealPlane {
    /// Forgets which recovery points and sets there are, and takes them from the pool's own map and from the cartridges.
    public func rebuild(_ server: Ref<DPMServer>, at time: SimTime) -> RebuiltDatabase {
        var found = RebuiltDatabase()
        let machines = realMachines.filter { isProtected($0, by: server) }
        for machine in machines {
            expected(machine).real.removePoints()
            found.points[machine] = []
        }
        do throws(StorageFault) {
            try reopen(server, on: poolFiles[server.index] ?? files)
        } catch {
            for machine in machines { note(machine, time, error) }
            return found
        }
        for machine in machines {
            do throws(StorageFault) { found.points[machine] = try refind(machine) } catch { note(machine, time, error) }
        }
        for (library, fault) in tapes.rebuild(server, at: seconds(time), finding: &found.sets) {
            faults.append((world.libraries[library].name, time, fault.description))
        }
        if planted == .forgottenSet, let first = found.sets.min() { found.sets.remove(first) }
        return found
    }

    private func refind(_ machine: Ref<Machine>) throws(StorageFault) -> [SimTime] {
        let real = expected(machine).real
        let pool = try pool(of: machine)
        guard try pool.datasources().contains(where: { $0.name == real.name }) else { return [] }
        for point in try pool.recoveryPoints(of: real.name) {
            guard let time = PointLabel.time(point.label, seconds: point.time - seconds(.start)) else { continue }
            real.notePoint(at: time, number: point.number)
        }
        if planted == .forgottenPoint, let oldest = real.points.first { _ = real.removePoint(at: oldest.at) }
        return real.points.map(\.at)
    }
}
