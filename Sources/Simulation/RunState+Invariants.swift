import Jobs
import Kernel
import Protection
import Units

extension RunState {
    /// What must hold after every event; stops the program where it does not.
    func checkInvariants() {
        for v in world.poolVolumes.indices {
            precondition(
                pool.used(of: v) + pool.free(of: v) == world.poolVolumes[v].capacity.count && pool.free(of: v) >= 0,
                "pool volume \(world.poolVolumes[v].name): used and free do not add up to its size")
        }
        var stored: Int64 = 0
        for state in machines {
            state.chain.checkInvariants()
            if state.poolVolume >= 0 { stored += state.chain.used }
            precondition(
                state.job < 0 || jobs[Int(state.job)] != nil, "a machine names a job that has ended")
        }
        for copy in copies where copy.poolVolume >= 0 { stored += copy.chain.used }
        precondition(
            stored == world.poolVolumes.indices.reduce(0) { $0 + pool.stored(of: $1) },
            "the chains hold \(stored) bytes, the pool says otherwise")
        var kept: Int64 = 0
        for (c, cartridge) in tape.cartridges.enumerated() {
            kept += cartridge.written.count
            precondition(
                cartridge.written.count + cartridge.room.count + tuning.tapeEarlyWarning.count
                    == LTOFacts.of(cartridge.generation).capacity.count,
                "cartridge \(world.cartridges[c].barcode): written and room do not add up to its capacity")
        }
        precondition(
            kept == books.tapeWritten - books.tapeErased, "cartridges hold \(kept) bytes, the books say otherwise")
        var inDrive: Set<Int32> = []
        for stream in tape.streams {
            guard let stream, stream.cartridge >= 0 else { continue }
            precondition(inDrive.insert(stream.cartridge).inserted, "a cartridge is in two drives")
        }
        for recovery in recoveries {
            guard let recovery, recovery.cartridge >= 0 else { continue }
            precondition(inDrive.insert(recovery.cartridge).inserted, "a cartridge is in two drives, or wanted by two")
        }
        for (h, slots) in recoverySlots.enumerated() {
            let holders = recoveries.count { $0.map { $0.holdsSlot && Int($0.host.index) == h } == true }
            precondition(
                slots.inUse == holders,
                "host \(world.hosts[h].name): \(slots.inUse) recovery slots in use, \(holders) held")
        }
        for (h, slots) in hostSlots.enumerated() {
            let holders = jobs.reduce(0) {
                $0 + ($1.map { $0.holdsHostSlot && Int($0.host.index) == h } == true ? 1 : 0)
            }
            precondition(
                slots.inUse == holders, "host \(world.hosts[h].name): \(slots.inUse) slots in use, \(holders) held")
        }
        precondition(
            fluid.activeCount <= jobs.count + copies.count + tape.streams.count + recoveries.count,
            "transfers without owners")
    }
}
