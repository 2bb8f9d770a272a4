import Files
public import Protection
public import Units

/// Storage that moves: each volume has a folder of its own in the machine's.
extension RealPlane {
    /// Not under a snapshot: then when it is given back.
    public func moveStorage(_ machine: Ref<Machine>, to volume: Ref<Volume>, at time: SimTime) {
        let real = machines[machine.index]!
        real.movesTo = volume
        if real.snapshot == nil { moveDisks(machine, at: time) }
    }

    /// Does what a move still has to do; what fails is tried again at the next snapshot.
    func moveDisks(_ machine: Ref<Machine>, at time: SimTime) {
        let real = machines[machine.index]!
        guard let volume = real.movesTo else { return }
        attempt(machine, time) { () throws(StorageFault) in
            let home = folder + "/machines/" + Self.fileName(real.name, Int(machine.index))
            // Volumes are named with their host or cluster before them.
            let name = world.volumes[volume].name.split(separator: "/").last ?? ""
            let target = "\(home)/\(name)-\(volume.index)"
            try files.makeFolder(target)
            for disk in real.disks { try disk.move(to: target) }
            real.movesTo = nil
        }
    }
}
