import DiskImages
import Files
import GuestFiles
public import Jobs
public import Protection
public import Units

/// What recoveries ask of real machines.
extension RealPlane {
    public func emptied(_ machine: Ref<Machine>, at time: SimTime) -> Bytes {
        let real = machines[machine.index]!
        guard real.epochs.count > 1, let before = real.replicaAt else { return .zero }
        let (replica, now) = (history(machine, at: before), history(machine, at: time))
        let count = real.places.indices.count {
            $0 >= real.pageFile && replica.isUsed($0, real.writes) && !now.isUsed($0, real.writes)
        }
        return Bytes(Int64(count) * Int64(BlockContent.size) * scale(machine))
    }

    public func recoverable(_ order: RecoveryOrder) throws(PlaneFault) -> Bytes {
        let machine = order.request.machine
        do throws(StorageFault) {
            let real = machines[machine.index]!
            if order.source == .disk { _ = try RecoverySource.point(order, of: real) }
            let bytes: Int64
            switch order.request.what {
            case .machine, .disks:
                bytes = try disks(of: order).reduce(0) { $0 + usedBytes(machine, at: order.point, disk: $1) }
            case .volumes(let numbers):
                bytes = try volumes(numbers, of: expectedDisks(machine, at: order.point), real.name).reduce(0) {
                    $0 + usedBytes(machine, at: order.point, disk: $1.location.disk, in: $1.location.facts.range)
                }
            case .files(let number, let paths):
                bytes = try fileBytes(number, paths, of: expectedDisks(machine, at: order.point), real.name)
            }
            return Bytes(bytes * scale(machine))
        } catch { throw refused(order, order.point, error) }
    }

    public func recover(_ order: RecoveryOrder, at time: SimTime) throws(PlaneFault) {
        let source = RecoverySource(self, order)
        defer { source.end() }
        do throws(StorageFault) {
            guard !recoveries.contains(where: { $0.number == order.number }) else {
                throw StorageFault(
                    .badInput, "ENGINE-RECOVERY", "recovery \(order.number)", "another one has that number",
                    action: "Give each its own")
            }
            try live(order.request.machine, until: time)
            try files.makeFolder(folder + "/recovered")
            switch (order.request.to, order.request.what) {
            case (.original, .machine), (.original, .disks): try recoverOriginal(order, source, at: time)
            case (.original, _):
                throw StorageFault(
                    .badInput, "ENGINE-RECOVERY", "machine \(world.machines[order.request.machine].name)",
                    "volumes and files of its disks cannot go back into it from outside",
                    action: "Recover them to a network folder")
            case (_, .machine), (_, .disks): try recoverDisks(order, source, at: time)
            case (_, .volumes(let numbers)): try recoverVolumes(numbers, order, source, at: time)
            case (_, .files(let volume, let paths)): try recoverFiles(volume, paths, order, source, at: time)
            }
        } catch { throw refused(order, time, error) }
    }

    /// Recovery points on disk, the oldest first.
    public func points(of machine: Ref<Machine>) -> [SimTime] { machines[machine.index]!.points.map(\.at) }

    /// What is not there was asked for in vain; anything else is a fault beneath.
    private func refused(_ order: RecoveryOrder, _ time: SimTime, _ fault: StorageFault) -> PlaneFault {
        let answer = PlaneFault(fault)
        if fault.kind != .badInput, answer.error != 202 { note(order.request.machine, time, fault) }
        return answer
    }

    // MARK: What must come out

    /// The machine's disks as a recovery point has them: page files as they were when everything travelled last (PRC-5).
    private func expectedDisks(_ machine: Ref<Machine>, at point: SimTime) -> [ExpectedDisk] {
        let content = content(machine, at: point)
        return content.real.disks.indices.map { ExpectedDisk(content, disk: $0) }
    }

    /// Numbers of the disks that an order names; pass-through disks are none of a real machine's.
    private func disks(of order: RecoveryOrder) throws(StorageFault) -> [Int] {
        let machine = world.machines[order.request.machine]
        let numbers = machine.disks.indices.filter { machine.disks[$0].format != .passThrough }
        guard case .disks(let asked) = order.request.what else { return Array(numbers.indices) }
        var found: [Int] = []
        for place in asked {
            guard let number = numbers.firstIndex(of: place) else {
                throw StorageFault(
                    .missing, "ENGINE-ITEM", "disk \(place) of machine \(machine.name)",
                    "no disk of that place is in its recovery points", action: "Name another disk")
            }
            if !found.contains(number) { found.append(number) }
        }
        return found.sorted()
    }

    /// Bytes of blocks in use, of a disk or of a range of it. Counted by what the guest did: holes of files differ from computer to computer.
    private func usedBytes(
        _ machine: Ref<Machine>, at point: SimTime, disk: Int, in range: Range<Int64>? = nil
    ) -> Int64 {
        let real = machines[machine.index]!
        let history = history(machine, at: point)
        let unit = Int64(BlockContent.size)
        let range = range ?? 0..<real.disks[disk].size
        let used = real.places.indices.filter { history.isUsed($0, real.writes) }.map { real.places[$0] }
        return (used + real.imageBlocks).reduce(0) { sum, place in
            guard place.disk == disk else { return sum }
            let part = (place.block * unit..<(place.block + 1) * unit).clamped(to: range)
            return sum + part.upperBound - part.lowerBound
        }
    }

    private func volumes(
        _ numbers: [Int], of disks: [any BlockDevice], _ name: String
    ) throws(StorageFault) -> [(location: GuestVolumes.Location, slice: any BlockDevice)] {
        let all = try GuestVolumes(of: disks, machine: name)
        var found: [(location: GuestVolumes.Location, slice: any BlockDevice)] = []
        for number in numbers {
            let location = try all.volume(number)
            found.append((location, try SliceDevice(disks[location.disk], location.facts.range)))
        }
        return found
    }

    private func fileBytes(
        _ number: Int, _ paths: [String], of disks: [any BlockDevice], _ name: String
    ) throws(StorageFault) -> Int64 {
        let location = try GuestVolumes(of: disks, machine: name).volume(number)
        return try GuestVolumes.bytes(
            of: paths.map { GuestVolumes.path($0, on: location.facts) },
            in: try GuestDisk(disks[location.disk]).open(location.facts))
    }

    // MARK: The machine's own place

    /// - Rule: REC-2
    private func recoverOriginal(
        _ order: RecoveryOrder, _ source: RecoverySource, at time: SimTime
    ) throws(StorageFault) {
        let machine = order.request.machine
        let real = machines[machine.index]!
        let numbers = try disks(of: order)
        let expected = expectedDisks(machine, at: order.point)
        let past = content(machine, at: order.point).versions
        let pastGrowth = history(machine, at: order.point).grown
        let replica = real.replicaAt.map { history(machine, at: $0) }
        let work = OriginalRecovery(real: real, number: order.number, access: access, created: created(time))
        let disks = try work.make(try source.devices(numbers))
        do throws(StorageFault) {
            try writeConfiguration(machine, of: disks.map(\.path), to: real.home)
        } catch {
            work.abandon(disks)
            throw error
        }
        let replaced = numbers.map { real.disks[$0] }
        var next = real.history
        next.recover(
            real.writes, to: past, where: { numbers.contains(real.places[$0].disk) },
            grown: numbers.count == disks.count ? pastGrowth : nil, replica: replica)
        for (number, disk) in real.disks.enumerated() where !numbers.contains(number) {
            do throws(StorageFault) { try disk.releaseSnapshot() } catch { note(machine, time, error) }
        }
        real.recovered(next, disks: disks, at: time, grownBefore: progress(machine, at: time).grown)
        work.clear(replaced: replaced, keeping: disks)
        var verdict = verdict(order, .original, time)
        for number in numbers {
            do throws(StorageFault) {
                verdict.compare(try disks[number].device, with: expected[number])
            } catch { verdict.problems.append(error.description) }
        }
        recoveries.append(verdict)
    }

    private func verdict(_ order: RecoveryOrder, _ kind: RecoveryVerdict.Kind, _ time: SimTime) -> RecoveryVerdict {
        RecoveryVerdict(
            number: order.number, machine: world.machines[order.request.machine].name, point: order.point, at: time,
            kind: kind)
    }

    /// Its file has its name when it is whole, and replaces that of before then.
    private func writeConfiguration(
        _ machine: Ref<Machine>, of disks: [String], to folder: String, id: GUID? = nil
    ) throws(StorageFault) {
        let noun = world.machines[machine]
        let own = SequentialGUIDs(seed: 0x766D_0000 + UInt64(machine.index)).next()
        let configuration = MachineConfiguration(
            machine: noun, id: id ?? own, host: world.hosts[noun.host].windows, disks: disks)
        let path = folder + "/" + Self.fileName(noun.name, Int(machine.index)) + "." + configuration.suffix
        let bytes = try configuration.encoded()
        let file = try files.open(path + ".unfinished", .createOrOpen)
        do throws(StorageFault) {
            defer { file.close() }
            try file.truncate(to: 0)
            try file.write(bytes, at: 0)
            try file.flush()
        } catch {
            try? files.remove(path + ".unfinished")
            throw error
        }
        do throws(StorageFault) { try files.rename(path + ".unfinished", to: path) } catch {
            try? files.remove(path + ".unfinished")
            throw error
        }
    }

    // MARK: Other places

    /// Where what a recovery makes comes to lie.
    func recoveryFolder(_ order: RecoveryOrder) -> String {
        let machine = order.request.machine
        return "\(folder)/recovered/\(order.number)-"
            + Self.fileName(world.machines[machine].name, Int(machine.index))
    }

    /// Fills a folder that gets its name when all of it is whole.
    private func fillFolder(
        _ order: RecoveryOrder, _ body: (_ folder: String) throws(StorageFault) -> Void
    ) throws(StorageFault) {
        let folder = recoveryFolder(order)
        let staging = folder + ".unfinished"
        do throws(StorageFault) {
            // What a recovery left behind that could not even clear up.
            if try files.kind(of: staging) == .folder { Self.empty(staging, files) }
            try files.makeFolder(staging)
            try body(staging)
            try files.rename(staging, to: folder)
        } catch {
            Self.empty(staging, files)
            try? files.removeFolder(staging)
            throw error
        }
    }

    private func write(
        _ device: any BlockDevice, to path: String, as format: ImageFormat, _ time: SimTime
    ) throws(StorageFault) {
        let image = NewImage(
            format: format, size: device.size, sectorSize: device.sectorSize, blockSize: format == .raw ? nil : 2 << 20)
        try ImageConversion(device, to: path, as: image).run(on: files, guids: access.guids, created: created(time))
    }

    /// - Rule: REC-3, REC-4
    private func recoverDisks(
        _ order: RecoveryOrder, _ source: RecoverySource, at time: SimTime
    ) throws(StorageFault) {
        let machine = order.request.machine
        let real = machines[machine.index]!
        let numbers = try disks(of: order)
        let devices = try source.devices(numbers)
        let folder = recoveryFolder(order)
        let names = real.disks.map { "\($0.name).\($0.format)" }
        var verdict = verdict(order, .networkFolder, time)
        try fillFolder(order) { (staging) throws(StorageFault) in
            for number in numbers {
                try write(devices[number]!, to: staging + "/" + names[number], as: real.disks[number].format, time)
            }
            guard case .machine = order.request.what else { return }
            if case .host = order.request.to {
                try writeConfiguration(
                    machine, of: names.map { folder + "/" + $0 }, to: staging, id: access.guids.next())
            } else {
                // A copy of the files, with what they said.
                try writeConfiguration(machine, of: real.disks.map(\.path), to: staging)
            }
        }
        if case .host = order.request.to { verdict.kind = .host }
        let expected = expectedDisks(machine, at: order.point)
        for number in numbers { verdict.compare(folder + "/" + names[number], nil, with: expected[number], access) }
        recoveries.append(verdict)
    }

    /// - Rule: REC-4
    private func recoverVolumes(
        _ numbers: [Int], _ order: RecoveryOrder, _ source: RecoverySource, at time: SimTime
    ) throws(StorageFault) {
        let real = machines[order.request.machine.index]!
        let expected = try volumes(
            numbers, of: expectedDisks(order.request.machine, at: order.point), real.name)
        let devices = try source.devices(Array(Set(expected.map(\.location.disk))).sorted())
        let folder = recoveryFolder(order)
        try fillFolder(order) { (staging) throws(StorageFault) in
            for (number, found) in zip(numbers, expected) {
                let slice = try SliceDevice(devices[found.location.disk]!, found.location.facts.range)
                try write(slice, to: "\(staging)/volume-\(number).raw", as: .raw, time)
            }
        }
        var verdict = verdict(order, .volumes, time)
        for (number, found) in zip(numbers, expected) {
            verdict.compare("\(folder)/volume-\(number).raw", .raw, with: found.slice, access)
        }
        recoveries.append(verdict)
    }

    /// - Rule: REC-4
    private func recoverFiles(
        _ number: Int, _ paths: [String], _ order: RecoveryOrder, _ source: RecoverySource, at time: SimTime
    ) throws(StorageFault) {
        guard files.isHost else {
            throw StorageFault(
                .badInput, "ENGINE-RECOVERY", folder, "single files are only written to a folder of this computer",
                action: "Run the scenario with its data in a folder")
        }
        let real = machines[order.request.machine.index]!
        let expected = expectedDisks(order.request.machine, at: order.point)
        let place = try GuestVolumes(of: expected, machine: real.name).volume(number)
        let paths = paths.map { GuestVolumes.path($0, on: place.facts) }
        let device = try source.devices([place.disk])[place.disk]!
        let folder = recoveryFolder(order)
        try fillFolder(order) { (staging) throws(StorageFault) in
            let volume = try GuestDisk(device).open(place.facts)
            _ = try FileRecovery(volume, into: staging, staging: ".unfinished").run(paths)
        }
        var verdict = verdict(order, .files, time)
        do throws(StorageFault) {
            verdict.compare(folder, with: try GuestDisk(expected[place.disk]).open(place.facts), paths, on: files)
        } catch { verdict.problems.append(error.description) }
        recoveries.append(verdict)
    }
}
