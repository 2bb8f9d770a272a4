import Jobs
import Kernel
import Protection
import Units

/// How tape backups are performed: from the replica, datasource after datasource. What comes next is decided by `TapeJob`.
extension RunState {
    // MARK: Becoming due

    mutating func tapeDue(group g: Int, goal: Int) {
        let group = world.groups[g]
        let goals = group.tapeGoals
        agenda.schedule(Event(.tapeDue, g, detail: goal), at: goals[goal].next(after: agenda.now, clock: clock))
        // Of several goals due at one moment, only the one kept longest is written (dpm-facts 4.1).
        let eve = SimTime(nanoseconds: agenda.now.nanoseconds - 1)
        let due = goals.indices.filter {
            goals[$0].next(after: eve, clock: clock) == agenda.now
                && world.offers(goals[$0], isShortTerm: group.isShortTerm($0), in: group)
        }
        guard let written = TapeGoal.merged(due.map { goals[$0] }), due.first(where: { goals[$0] == written }) == goal
        else { return }
        let members = group.members.filter { machines[$0].group == Ref(g) && machines[$0].goesToTape }
        for _ in 0..<written.copies { startTape(group: g, goal: goal, members: members, attempt: 0) }
    }

    private mutating func startTape(group g: Int, goal: Int, members: [Ref<Machine>], attempt: UInt8) {
        let group = world.groups[g]
        guard let options = group.tape else { return }
        let library = Int(options.library.index)
        var ready: [Ref<Machine>] = []
        let certificate = options.encryptionError
        let down: Int32 = serverUp[Int(group.server.index)] ? certificate : 976
        for member in members {
            let state = machines[member]
            if down != 0 {
                tapeFailed(member, group: g, error: down, attempt: attempt)
            } else if state.lastPoint == .never || state.replica == .missing {
                tapeFailed(member, group: g, error: 30126, attempt: attempt)
            } else {
                ready.append(member)
            }
        }
        let working = tape.drives[library].filter { tape.driveWorks[$0] }.count
        guard !ready.isEmpty else { return }
        let count = max(1, min(options.drives, working, ready.count))
        let expiry = clock.time(of: group.tapeGoals[goal].retention.end(from: clock.date(of: agenda.now)))
        tape.nextRun += 1
        for n in 0..<count {
            // Five sources on two drives: three on one tape, two on the other (dpm-facts 4.3).
            let mine = stride(from: n, to: ready.count, by: count).map { ready[$0] }
            tape.nextGeneration += 1
            var stream = TapeStream(
                group: Ref(g), goal: goal, library: options.library, queue: mine.reversed(), expiry: expiry,
                run: tape.nextRun, generation: tape.nextGeneration)
            stream.attempt = attempt
            let s = tape.add(stream)
            askDrive(s)
        }
    }

    private mutating func tapeFailed(_ member: Ref<Machine>, group g: Int, error: Int32, attempt: UInt8) {
        var record = tapeRecord(member, group: Ref(g))
        record.attempt = attempt
        record.status = .failed
        record.error = error
        record.ended = agenda.now
        note(record)
        raise(3311, .group, g, error: error)
    }

    private mutating func tapeRecord(_ member: Ref<Machine>, group: Ref<ProtectionGroup>) -> JobRecord {
        nextJobID += 1
        return JobRecord(
            id: nextJobID - 1, kind: .tapeBackup, machine: member.index, group: group.index,
            server: world.groups[group].server.index, due: agenda.now)
    }

    // MARK: Drive, cartridge, robot

    private mutating func askDrive(_ s: Int) {
        let library = Int(tape.streams[s]!.library.index)
        tape.streams[s]!.waitsForDrive = true
        tape.streams[s]!.partStarted = agenda.now
        tape.driveSlots[library].note(at: agenda.now)
        if tape.driveSlots[library].request(Int64(s)) { driveGranted(stream: s) }
    }

    mutating func driveGranted(stream s: Int) {
        let library = Int(tape.streams[s]!.library.index)
        tape.driveWait[library] += (agenda.now - tape.streams[s]!.partStarted).seconds
        tape.streams[s]!.waitsForDrive = false
        guard let drive = tape.drives[library].first(where: { tape.driveWorks[$0] && !tape.driveBusy[$0] }) else {
            preconditionFailure("a drive of library \(library) was granted, but none is free")
        }
        tape.driveBusy[drive] = true
        tape.streams[s]!.drive = Int32(drive)
        advanceStream(s, .driveGranted)
    }

    mutating func robotGranted(stream s: Int) {
        let stream = tape.streams[s]!
        let library = Int(stream.library.index)
        tape.robotWait[library] += (agenda.now - stream.partStarted).seconds
        tape.streams[s]!.waitsForRobot = false
        let move = world.libraries[stream.library].isStandalone ? tuning.operatorTapeChange : tuning.robotMove
        let eject = stream.robotEnds == .unloaded ? tape.motions[Int(stream.drive)].unloadTime : .zero
        tapeLater(s, stream.robotEnds, after: eject + move)
    }

    private mutating func askRobot(_ s: Int, for ending: TapeJob.Input) {
        let library = Int(tape.streams[s]!.library.index)
        tape.streams[s]!.robotEnds = ending
        tape.streams[s]!.waitsForRobot = true
        tape.streams[s]!.partStarted = agenda.now
        tape.robots[library].note(at: agenda.now)
        if tape.robots[library].request(Int64(s)) { robotGranted(stream: s) }
    }

    private mutating func freeRobot(_ s: Int) {
        tape.robots[Int(tape.streams[s]!.library.index)].note(at: agenda.now)
        if let next = tape.robots[Int(tape.streams[s]!.library.index)].release() { robotGranted(next) }
    }

    // MARK: Steps

    private mutating func tapeLater(_ s: Int, _ input: TapeJob.Input, after delay: SimDuration) {
        agenda.schedule(
            Event(.tapeStep, s, detail: Int(input.rawValue), argument: tape.streams[s]!.generation),
            at: agenda.now + delay)
    }

    mutating func tapeStep(stream s: Int, input: TapeJob.Input, generation: Int64) {
        guard let stream = tape.streams[s], stream.generation == generation else { return }
        if input == stream.robotEnds, input == .mounted || input == .unloaded { freeRobot(s) }
        advanceStream(s, input)
    }

    private mutating func advanceStream(_ s: Int, _ input: TapeJob.Input) {
        guard let act = tape.streams[s]!.steps.receive(input) else {
            preconditionFailure("a tape stream in \(tape.streams[s]!.steps.state) got \(input)")
        }
        perform(act, stream: s)
    }

    private mutating func perform(_ act: TapeJob.Act, stream s: Int) {
        let stream = tape.streams[s]!
        let motion = stream.drive >= 0 ? tape.motions[Int(stream.drive)] : nil
        switch act {
        case .requestDrive: askDrive(s)
        case .chooseCartridge: chooseCartridge(s)
        case .mount: askRobot(s, for: .mounted)
        case .load:
            let c = Int(stream.cartridge)
            // A drive optimises blank cartridges of its own generation only.
            let isNew =
                tape.mounts[c] == 0 && tape.cartridges[c].generation == world.drives[Int(stream.drive)].generation
            tape.mountCount += 1
            tape.mounts[c] += 1
            tapeLater(s, .loaded, after: motion!.loadTime + (isNew ? motion!.firstLoadTime : .zero))
        case .position:
            tapeLater(
                s, .positioned, after: motion!.locate(from: 0, to: tape.cartridges[Int(stream.cartridge)].written.count)
            )
        case .stream: writeSet(s)
        case .rewind:
            tapeLater(s, .rewound, after: motion!.rewind(from: tape.cartridges[Int(stream.cartridge)].written.count))
        case .unload:
            // The drive ejects, then the robot takes the cartridge home.
            releaseCartridge(s)
            askRobot(s, for: .unloaded)
        case .end: endStream(s)
        }
    }

    private mutating func chooseCartridge(_ s: Int) {
        let stream = tape.streams[s]!
        let group = world.groups[stream.group]
        let options = group.tape!
        let library = Int(stream.library.index)
        var request = TapeRequest(
            library: Int32(library), drive: world.drives[Int(stream.drive)].generation, group: stream.group.index,
            run: stream.run, isLongTerm: group.shortTermTape == nil || stream.goal > 0,
            isEncrypted: options.encoding == .encrypt, expiry: stream.expiry)
        if let set = options.colocationSet { request.colocationSet = Int32(colocationSets.firstIndex(of: set)!) }
        request.writePeriod = options.writePeriod
        request.expiryTolerance = options.expiryTolerance
        request.appendsInDrive = world.libraries[library].isStandalone
        var wanted = request
        // A set goes on at the beginning of a tape only, whatever it shares else.
        if stream.set >= 0 { (wanted.run, wanted.colocationSet, wanted.appendsInDrive) = (.min, -1, false) }
        guard let c = TapeChoice.pick(for: wanted, among: tape.cartridges, now: agenda.now) else {
            raise(3305, .library, library)
            return advanceStream(s, .noCartridge)
        }
        if tape.cartridges[c].state == .free || tape.cartridges[c].isExpired(at: agenda.now) {
            blank(c)
            tape.cartridges[c].group = stream.group.index
            tape.cartridges[c].colocationSet = request.colocationSet
            tape.cartridges[c].isEncrypted = request.isEncrypted
            tape.cartridges[c].isLongTerm = request.isLongTerm
            tape.cartridges[c].firstWritten = agenda.now
        }
        tape.cartridges[c].state = .active
        tape.cartridges[c].isReserved = true
        tape.cartridges[c].run = stream.run
        tape.streams[s]!.cartridge = Int32(c)
        warnOfFewTapes(library)
        advanceStream(s, .cartridgeChosen)
    }

    /// An expired tape is written from its beginning again; what it held is gone.
    private mutating func blank(_ c: Int) {
        books.tapeErased += tape.cartridges[c].written.count
        tape.cartridges[c].room += tape.cartridges[c].written
        tape.cartridges[c].written = .zero
        tape.cartridges[c].firstExpiry = nil
        tape.cartridges[c].lastExpiry = nil
        tape.cartridges[c].sets = 0
        tape.loseSets(on: Int32(c))
        plane.eraseTape(Ref(c))
    }

    private mutating func warnOfFewTapes(_ library: Int) {
        let usable = TapeChoice.freeCount(
            among: tape.shelves[library].map { tape.cartridges[$0] }, library: Int32(library), now: agenda.now)
        if usable <= tuning.freeTapeThreshold {
            raise(3305, .library, library)
        } else {
            resolve(3305, .library, library)
        }
    }

    // MARK: Sets

    /// Plain bytes per byte on tape.
    private func ratio(_ stream: TapeStream) -> Double {
        guard let member = stream.queue.last, world.groups[stream.group].tape!.encoding == .compress else { return 1 }
        return max(1, world.machines[member].compressibility.value)
    }

    /// Writes as much of the current set as the cartridge takes.
    private mutating func writeSet(_ s: Int) {
        var stream = tape.streams[s]!
        let member = stream.queue.last!
        // Its data may have been deleted while it waited for its turn.
        if stream.record == nil, machines[member].lastPoint == .never { return skipSet(s, error: 30126) }
        // Or what it is to be read from may be missing.
        if stream.record == nil, !poolVolumeUp[Int(machines[member].poolVolume)] {
            return skipSet(s, error: 31208)
        }
        if stream.record == nil {
            stream.record = tapeRecord(member, group: stream.group)
            stream.record!.attempt = stream.attempt
            stream.record!.started = agenda.now
            stream.record!.transferStarted = agenda.now
            stream.left = machines[member].chain.replica
            stream.record!.changed = Bytes(stream.left)
            stream.set = tape.addSet(
                TapeSet(
                    machine: member, point: machines[member].lastPoint, group: stream.group, expiry: stream.expiry,
                    isEncrypted: world.groups[stream.group].tape!.encoding == .encrypt,
                    consistency: machines[member].chain.newest?.consistency ?? machines[member].consistency))
            hold(member, machines[member].lastPoint)
        }
        let ratio = ratio(stream)
        let room = tape.cartridges[Int(stream.cartridge)].room.count
        stream.part = min(stream.left, Int64(Double(room) * ratio))
        stream.partStarted = agenda.now
        tape.streams[s] = stream
        guard stream.part > 0 else { return stream.left == 0 ? setWritten(stream: s) : advanceStream(s, .tapeFull) }
        let drive = Int(stream.drive)
        let route = fluid.routeID([topology.poolReads[Int(machines[member].poolVolume)], topology.drives[drive]])
        tape.streams[s]!.transfer = startTransfer(
            route, bytes: stream.part, cap: tape.motions[drive].streamCap(compressionRatio: ratio),
            owner: TransferOwner(.tape, s))
        if !watches.isEmpty { transferBegan(tape.streams[s]!.transfer!, of: stream.part, .tapeBackup, member) }
    }

    /// A datasource that has nothing to write is told, and the next one written.
    private mutating func skipSet(_ s: Int, error: Int32) {
        let stream = tape.streams[s]!
        tapeFailed(stream.queue.last!, group: Int(stream.group.index), error: error, attempt: stream.attempt)
        tape.streams[s]!.queue.removeLast()
        advanceStream(s, tape.streams[s]!.queue.isEmpty ? .lastSetWritten : .setWritten)
    }

    mutating func setWritten(stream s: Int) {
        var stream = tape.streams[s]!
        stream.transfer = nil
        let lag = account(&stream, plain: stream.part)
        let part = tapePart(stream, plain: stream.part, isLast: stream.left == stream.part)
        stream.left -= stream.part
        stream.part = 0
        tape.streams[s] = stream
        do throws(PlaneFault) { try plane.writeToTape(part) } catch { return breakStream(s, error: error.error) }
        var input = TapeJob.Input.tapeFull
        if stream.left == 0 {
            closeSet(s)
            input = tape.streams[s]!.queue.isEmpty ? .lastSetWritten : .setWritten
        }
        if lag > .zero { tapeLater(s, input, after: lag) } else { advanceStream(s, input) }
    }

    /// What has come onto the cartridge of the current set since its last part.
    private func tapePart(_ stream: TapeStream, plain: Int64, isLast: Bool) -> TapePart {
        let set = tape.sets[Int(stream.set)]
        return TapePart(
            set: stream.set, machine: set.machine, point: set.point, group: set.group,
            cartridge: Ref(raw: stream.cartridge),
            from: Bytes(machineBytes(stream) - stream.left), count: Bytes(plain), isLast: isLast, expiry: set.expiry)
    }

    /// Plain bytes of the whole of the current set.
    private func machineBytes(_ stream: TapeStream) -> Int64 { stream.record!.changed.count }

    /// Books `plain` bytes read from the pool as what they became on the cartridge.
    /// - Returns: how long the drive still writes: a buffer that could not cover its back-hitches held the input up.
    @discardableResult private mutating func account(_ stream: inout TapeStream, plain: Int64) -> SimDuration {
        let ratio = ratio(stream)
        let c = Int(stream.cartridge)
        let native = min(Int64((Double(plain) / ratio).rounded(.up)), tape.cartridges[c].room.count)
        if tape.sets[Int(stream.set)].parts.last?.cartridge != Int32(c) { tape.cartridges[c].sets += 1 }
        tape.sets[Int(stream.set)].parts.append(
            TapeSet.Part(cartridge: Int32(c), at: tape.cartridges[c].written.count, native: native, plain: plain))
        tape.cartridges[c].written += Bytes(native)
        tape.cartridges[c].room -= Bytes(native)
        tape.writtenOnce[c] = tape.writtenOnce[c] || native > 0
        tape.cartridges[c].lastWritten = agenda.now
        tape.cartridges[c].firstExpiry = min(tape.cartridges[c].firstExpiry ?? stream.expiry, stream.expiry)
        tape.cartridges[c].lastExpiry = max(tape.cartridges[c].lastExpiry ?? stream.expiry, stream.expiry)
        books.tapeRead += plain
        books.tapeWritten += native
        books.tapeSaved += plain - native
        stream.record!.sent += Bytes(plain)
        stream.record!.stored += Bytes(native)
        let span = (agenda.now - stream.partStarted).seconds
        guard span > 0, native > 0 else { return .zero }
        let drive = Int(stream.drive)
        let rate = Double(plain) / span
        let hitches = tape.motions[drive].backHitches(bytes: native, inputRate: rate / ratio)
        tape.backHitches += hitches
        if rate >= 0.98 * tape.motions[drive].streamCap(compressionRatio: ratio) { tape.driveBound[drive] += span }
        let arrived = Double(native) / span
        let written = tape.motions[drive].sustainedRate(inputRate: arrived)
        return hitches > 0 && written < arrived ? SimDuration(roundingUp: Double(native) / written - span) : .zero
    }

    private mutating func closeSet(_ s: Int) {
        var stream = tape.streams[s]!
        let member = stream.queue.removeLast()
        release(member, tape.sets[Int(stream.set)].point)
        if tape.sets[Int(stream.set)].state == .begun { tape.sets[Int(stream.set)].state = .whole }
        stream.set = -1
        stream.record!.status = .completed
        stream.record!.transferEnded = agenda.now
        stream.record!.ended = agenda.now
        note(stream.record!)
        stream.record = nil
        tape.streams[s] = stream
        resolve(3311, .group, Int(stream.group.index))
    }

    private mutating func releaseCartridge(_ s: Int) {
        let stream = tape.streams[s]!
        guard stream.cartridge >= 0 else { return }
        let c = Int(stream.cartridge)
        tape.cartridges[c].isReserved = false
        if tape.cartridges[c].room.count == 0 { tape.cartridges[c].state = .full }
        settle(c)
        tape.streams[s]!.cartridge = -1
        tapesChanged()
    }

    private mutating func endStream(_ s: Int) {
        releaseCartridge(s)
        let stream = tape.streams[s]!
        let library = Int(stream.library.index)
        let failed = stream.steps.state == .failed || stream.steps.state == .cancelled
        tape.streams[s] = nil
        tape.free.append(s)
        // What breaks after the last set is written loses nothing.
        if failed, !stream.queue.isEmpty {
            let error = stream.failure == 0 ? 24050 : stream.failure
            for (n, member) in stream.queue.reversed().enumerated() {
                var record =
                    n == 0
                    ? stream.record ?? tapeRecord(member, group: stream.group) : tapeRecord(member, group: stream.group)
                record.attempt = stream.attempt
                record.status = .failed
                record.error = error
                record.ended = agenda.now
                note(record)
            }
            raise(3311, .group, Int(stream.group.index), error: error)
            if Int(stream.attempt) < tuning.autoRerunAttempts, serverUp[Int(world.groups[stream.group].server.index)] {
                rerunTape(stream)
            }
        }
        if stream.drive >= 0 {
            tape.driveBusy[Int(stream.drive)] = false
            tape.driveSlots[library].note(at: agenda.now)
            if let next = tape.driveSlots[library].release() { driveGranted(next) }
        } else if stream.waitsForDrive {
            tape.driveSlots[library].withdraw(Int64(s))
        }
    }

    /// 3608: a rerun writes what is missing to a new tape.
    private mutating func rerunTape(_ stream: TapeStream) {
        tape.nextGeneration += 1
        tape.nextRun += 1
        var again = TapeStream(
            group: stream.group, goal: stream.goal, library: stream.library, queue: stream.queue, expiry: stream.expiry,
            run: tape.nextRun, generation: tape.nextGeneration)
        again.attempt = stream.attempt + 1
        let s = tape.add(again)
        agenda.schedule(Event(.tapeRerun, s, argument: again.generation), at: agenda.now + tuning.autoRerunDelay)
    }

    mutating func tapeRerun(stream s: Int, generation: Int64) {
        guard tape.streams[s]?.generation == generation else { return }
        askDrive(s)
    }

    // MARK: Faults

    mutating func breakStreams(error: Int32, incident i: Int, where touches: (RunState, TapeStream) -> Bool) {
        for s in tape.streams.indices {
            guard let stream = tape.streams[s], touches(self, stream), stream.failure == 0 else { continue }
            incidents[i].brokenJobs += 1
            breakStream(s, error: error)
        }
    }

    private mutating func breakStream(_ s: Int, error: Int32) {
        var stream = tape.streams[s]!
        stream.failure = error
        if let transfer = stream.transfer {
            stream.transfer = nil
            let moved = stopTransfer(transfer, of: stream.part)
            if moved > 0 { account(&stream, plain: moved) }
            plane.breakSet(tapePart(stream, plain: moved, isLast: false))
        } else if stream.set >= 0 {
            // Between two cartridges, or because its last part could not be written.
            plane.breakSet(tapePart(stream, plain: 0, isLast: false))
        }
        if stream.set >= 0 {
            tape.sets[Int(stream.set)].state = .broken
            release(tape.sets[Int(stream.set)].machine, tape.sets[Int(stream.set)].point)
            stream.set = -1
        }
        let library = Int(stream.library.index)
        if stream.waitsForRobot {
            tape.robots[library].withdraw(Int64(s))
            stream.waitsForRobot = false
        } else if stream.steps.state == .mounting || stream.steps.state == .unloading {
            tape.streams[s] = stream
            freeRobot(s)
        }
        tape.nextGeneration += 1
        stream.generation = tape.nextGeneration
        tape.streams[s] = stream
        if let act = tape.streams[s]!.steps.receive(.broke) { perform(act, stream: s) }
    }

    mutating func driveFailed(_ drive: Ref<TapeDrive>, incident i: Int) {
        let d = Int(drive.index)
        tape.driveWorks[d] = false
        raise(3303, .drive, d)
        breakStreams(error: 24019, incident: i) { _, stream in stream.drive == drive.index }
        changeDriveCount(Int(world.drives[drive].library.index))
    }

    mutating func driveRepaired(_ drive: Ref<TapeDrive>) {
        tape.driveWorks[Int(drive.index)] = true
        resolve(3303, .drive, Int(drive.index))
        changeDriveCount(Int(world.drives[drive].library.index))
    }

    private mutating func changeDriveCount(_ library: Int) {
        let working = tape.drives[library].filter { tape.driveWorks[$0] }.count
        tape.driveSlots[library].note(at: agenda.now)
        for next in tape.driveSlots[library].setCapacity(working) { driveGranted(next) }
    }

    /// What a cartridge is now that no job holds it.
    private mutating func settle(_ c: Int) {
        let cartridge = tape.cartridges[c]
        guard cartridge.group >= 0, !cartridge.isReserved, let options = world.groups[Int(cartridge.group)].tape else {
            return
        }
        let isStandalone = world.libraries[Int(cartridge.library)].isStandalone
        tape.cartridges[c].state = cartridge.settledState(
            at: agenda.now, appends: options.colocationSet != nil || isStandalone,
            writePeriod: options.colocationSet == nil ? nil : options.writePeriod)
    }

    mutating func expireTapes() {
        for c in tape.cartridges.indices { settle(c) }
        for library in world.libraries.indices where !tape.shelves[library].isEmpty { warnOfFewTapes(library) }
    }
}
