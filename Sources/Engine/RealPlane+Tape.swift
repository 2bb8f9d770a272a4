import Files
public import Jobs
public import Protection
import StoragePool
public import Units

/// What tape backups ask of real machines.
extension RealPlane {
    public func writeToTape(_ part: TapePart) throws(PlaneFault) {
        guard part.isLast else { return tapes.keep(part) }
        try reported(part.machine, part.point) { () throws(StorageFault) in
            try tapes.write(part, try disks(of: part), facts(of: part))
        }
    }

    public func breakSet(_ part: TapePart) {
        do throws(StorageFault) {
            try tapes.leave(part, try disks(of: part), facts(of: part))
        } catch { note(part.machine, part.point, error) }
    }

    public func eraseTape(_ cartridge: Ref<Cartridge>) {
        do throws(StorageFault) { try tapes.erase(cartridge) } catch {
            faults.append(
                (tapes.barcode(cartridge), SimTime.start + .seconds(tapes.now - seconds(.start)), error.description))
        }
    }

    /// The machine's disks as the recovery point has them.
    private func disks(of part: TapePart) throws(StorageFault) -> [PointFile] {
        let real = expected(part.machine).real
        guard let point = real.points.last(where: { $0.at == part.point }) else {
            throw StorageFault(
                .missing, "ENGINE-NO-POINT", real.name, "its recovery point is not there any more",
                action: "Make one, and write it to tape")
        }
        let pool = try pool(of: part.machine)
        var disks: [PointFile] = []
        for disk in real.disks {
            disks.append(
                try PointFile(
                    try pool.device(of: real.name, at: point.number, disk: disk.name), name: disk.name,
                    modified: seconds(part.point)))
        }
        return disks
    }

    private func facts(of part: TapePart) -> RealTapes.Facts {
        RealTapes.Facts(
            name: "\(world.machines[part.machine].name) \(clock.text(part.point)) (set \(part.set))",
            scale: scale(part.machine), time: seconds(part.point),
            expiry: part.expiry == .never ? nil : seconds(part.expiry))
    }
}
