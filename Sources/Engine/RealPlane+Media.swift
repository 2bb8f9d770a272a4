public import Files
public import Jobs
public import Protection
import StoragePool
public import Units

/// A place in a pool where bytes were turned into others.
struct RottenPlace {
    var machine: Ref<Machine>
    var path: String
    var offset: Int64
    /// What is there now: as long as it is, the place has not been used again.
    var bytes: [UInt8]
}

/// Disks under the pools that do not keep what was written to them.
extension RealPlane {
    /// Never in page files: nobody would miss what is in them.
    public func rotPool(_ machine: Ref<Machine>, blocks: Int, chance: UInt64, at time: SimTime) {
        attempt(machine, time) { () throws(StorageFault) in
            let (real, pool) = (machines[machine.index]!, try pool(of: machine))
            guard try pool.datasources().contains(where: { $0.name == real.name }) else { return }
            let spared = Set(real.places.prefix(real.pageFile)).union(real.excluded)
            var places = try pool.places(of: real.name).filter { place in
                let disk = real.disks.firstIndex { $0.name == place.disk } ?? 0
                let block = place.block.lowerBound / Int64(BlockContent.size)
                return !spared.contains(RealMachine.Place(disk: disk, block: block))
                    && !rotten.contains { $0.path == place.path && place.range.contains($0.offset) }
            }
            for n in 0..<min(blocks, places.count) {
                let draw = mixed(chance &+ UInt64(n))
                let place = places.remove(at: Int(draw % UInt64(places.count)))
                let file = try files.open(place.path, .readWrite)
                defer { file.close() }
                let length = min(16, Int(place.range.upperBound - place.range.lowerBound))
                let room = UInt64(place.range.upperBound - place.range.lowerBound) - UInt64(length) + 1
                let offset = place.range.lowerBound + Int64(mixed(draw) % room)
                var bytes = try file.bytes(length, at: offset)
                bytes[0] ^= 1 << UInt8(draw >> 61)
                try file.write(bytes, at: offset)
                try file.flush()
                rotten.append(RottenPlace(machine: machine, path: place.path, offset: offset, bytes: bytes))
            }
        }
    }

    public func scrub(_ server: Ref<DPMServer>, at time: SimTime) -> [PoolDamage] {
        let protected = realMachines.filter { self.server[Int($0.index)] == server.index }
        guard let first = protected.first else { return [] }
        var found: [PoolDamage] = []
        attempt(first, time) { () throws(StorageFault) in
            let damage = try pool(of: first).scrub(workers: 1).damage
            for machine in protected {
                let real = machines[machine.index]!
                let own = damage.filter { $0.datasource == real.name }
                guard !own.isEmpty else { continue }
                let numbers = Set(own.flatMap(\.points))
                found.append(
                    PoolDamage(
                        machine: machine, isInReplica: own.contains { $0.isReplica },
                        points: real.points.filter { numbers.contains($0.number) }.map(\.at)))
            }
        }
        return found
    }

    /// What the script let rot in the pool of a machine and is still seen by somebody.
    func rottenPlaces(_ machine: Ref<Machine>) throws(StorageFault) -> [StoredPlace] {
        let own = rotten.filter { $0.machine == machine }
        let (real, pool) = (machines[machine.index]!, try pool(of: machine))
        guard !own.isEmpty, try pool.datasources().contains(where: { $0.name == real.name }) else { return [] }
        var found: [StoredPlace] = []
        for place in try pool.places(of: real.name) {
            for rot in own where rot.path == place.path && place.range.contains(rot.offset) {
                let file = try files.open(rot.path, .read)
                defer { file.close() }
                if try file.bytes(rot.bytes.count, at: rot.offset) == rot.bytes { found.append(place) }
            }
        }
        return found
    }

    /// Rot that the script asked for and the pool's own scrub does not find: nothing may be here.
    public func undetectedRot() throws(StorageFault) -> [String] {
        var missed: [String] = []
        for machine in realMachines {
            let places = try rottenPlaces(machine)
            guard !places.isEmpty else { continue }
            let real = machines[machine.index]!
            let found = try pool(of: machine).scrub(workers: 1).damage.filter { $0.datasource == real.name }
            for place in places
            where !found.contains(where: { $0.disk == place.disk && $0.range.overlaps(place.block) }) {
                missed.append(
                    "\(real.name): rot in \(place.disk), bytes \(place.block.lowerBound) to \(place.block.upperBound), "
                        + "is not found by the pool")
            }
        }
        return missed
    }

    func isAskedFor(_ machine: Ref<Machine>, _ fault: StorageFault) -> Bool {
        switch fault.kind {
        case .outOfSpace: poolFiles[server[Int(machine.index)]] != nil
        case .damaged: rotten.contains { $0.machine == machine }
        case .badInput, .missing, .readOnly, .permission, .busy, .device: false
        }
    }

    public func tearPool(_ server: Ref<DPMServer>, chance: UInt64, at time: SimTime) {
        let protected = realMachines.filter { self.server[Int($0.index)] == server.index }
        guard let first = protected.first, pools[server.index] != nil else { return }
        // What its backups had written by now is in the middle of being written.
        let writing = protected.first { machines[$0.index]!.snapshot != nil } ?? first
        attempt(writing, time) { () throws(StorageFault) in
            let failing = FailingFiles(files, .cut(after: Int(chance % 12)))
            try reopen(server, on: failing)
            if let snapshot = machines[writing.index]!.snapshot {
                do throws(StorageFault) { try store(.expressFull, writing, at: snapshot.at) } catch {}
            }
            try reopen(server, on: files)
        }
    }

    public func setPoolDisksFull(_ server: Ref<DPMServer>, _ isFull: Bool, at time: SimTime) {
        poolFiles[server.index] = isFull ? FailingFiles(files, .full) : nil
        guard let first = realMachines.first(where: { self.server[Int($0.index)] == server.index }),
            pools[server.index] != nil
        else { return }
        attempt(first, time) { () throws(StorageFault) in try reopen(server, on: poolFiles[server.index] ?? files) }
    }

    /// Whoever had the pool open is gone; it is opened as it lies, and recovers by itself.
    func reopen(_ server: Ref<DPMServer>, on files: any FileSystem) throws(StorageFault) {
        try? pools[server.index]?.close()
        pools[server.index] = nil
        pools[server.index] = try Pool.open(poolPath(server.index), on: files)
    }
}
