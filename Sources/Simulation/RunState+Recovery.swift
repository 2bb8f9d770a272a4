import Jobs
import Kernel
import Protection
import Units

/// How recoveries are performed. Whether one may be, the rules say; what comes next, `RecoveryJob`.
extension RunState {
    // MARK: Being asked for

    /// Where recovery points of a machine lie that could be read now.
    func recoveryPlaces(of machine: Ref<Machine>) -> [RecoveryPlace] {
        let state = machines[machine]
        var places: [RecoveryPlace] = []
        if state.group != nil, state.poolVolume >= 0, poolVolumeUp[Int(state.poolVolume)], !state.isDeleted {
            places += state.chain.points.map { RecoveryPlace(.disk, at: $0.at, consistency: $0.consistency) }
        }
        for copy in copies where copy.machine == machine {
            let source: RecoveryRequest.Source = copy.kind == .online ? .online : .secondary
            if copy.poolVolume >= 0, !poolVolumeUp[Int(copy.poolVolume)] { continue }
            places += copy.chain.points.map { RecoveryPlace(source, at: $0.at, consistency: $0.consistency) }
        }
        for (number, set) in tape.sets.enumerated()
        where set.machine == machine && set.state == .whole && set.expiry > agenda.now {
            places.append(
                RecoveryPlace(
                    .tape, at: set.point, consistency: set.consistency, set: Int32(number),
                    tapes: set.cartridges.map { world.cartridges[Int($0)].barcode }, isEncrypted: set.isEncrypted))
        }
        return places
    }

    /// The DPM server that has the recovery point, or would have it.
    private func recoveryServer(_ machine: Ref<Machine>, _ place: RecoveryPlace?) -> Ref<DPMServer>? {
        switch place?.source {
        case .tape: return world.libraries[library(ofSet: place!.set)].server
        case .secondary:
            if let copy = copies.first(where: { $0.machine == machine && $0.kind == .secondary }) {
                return world.groups[copy.group].server
            }
        case .disk, .online, nil: break
        }
        let group =
            machines[machine].group
            ?? world.groups.indices.lazy.map { Ref($0) }.first {
                world.groups[$0].members.contains(machine)
            }
        return group.map { world.groups[$0].server } ?? (world.servers.isEmpty ? nil : Ref(0))
    }

    private func library(ofSet number: Int32) -> Ref<TapeLibrary> {
        world.cartridges[Int(tape.sets[Int(number)].parts[0].cartridge)].library
    }

    mutating func recover(_ request: RecoveryRequest, line n: Int) {
        let machine = request.machine
        let i = incident("Recovery", world.machines[machine].name, line: n)
        incidents[i].machines = 1
        let place = RecoveryChoice.pick(for: request, among: recoveryPlaces(of: machine))
        guard let server = recoveryServer(machine, place) else { return }
        let kind: JobKind = place?.source == .tape ? .tapeRecovery : .diskRecovery
        var record = JobRecord(
            id: nextJobID, kind: kind, machine: machine.index, group: machines[machine].group?.index ?? -1,
            server: server.index, due: agenda.now)
        nextJobID += 1
        var report = RecoveryRecord(
            job: record.id, machine: machine.index, server: server.index, asked: agenda.now, what: request.what.title,
            destination: world.title(of: request.to))
        report.line = Int32(n)
        if let place { (report.point, report.source, report.tapes) = (place.at, place.source, place.tapes) }
        var situation = recoverySituation(request, place, server)
        var bytes = Bytes.zero
        var refusal = world.recoveryRefusal(request, situation)
        var order: RecoveryOrder?
        if refusal == nil, let place {
            order = RecoveryOrder(
                request, point: place.at, source: place.source, set: place.set, number: Int32(recoveries.count))
            do throws(PlaneFault) {
                bytes = try plane.recoverable(order!)
                situation.bytes = bytes
                refusal = world.recoveryRefusal(request, situation)
            } catch {
                refusal = Refusal(
                    id: Int(error.error), rule: RuleID("REC", 1), object: "machine \(world.machines[machine].name)",
                    cause: error.cause, action: "Choose what is in the recovery point")
            }
        }
        guard refusal == nil, let order else {
            (record.error, report.error) = (Int32(refusal!.id), Int32(refusal!.id))
            (record.status, report.status) = (.failed, .failed)
            (record.ended, report.ended) = (agenda.now, agenda.now)
            report.cause = refusal!.cause
            note(record)
            ledger.note(report)
            incidents[i].ended = agenda.now
            return raise(3111, .machine, Int(machine.index), error: record.error)
        }
        report.summary =
            world.recoverySummary(request, place!, bytes: bytes, from: machines[machine].host, clock: clock).lines
        let (host, volume) = target(of: request)
        let copy = copies.firstIndex {
            $0.machine == machine
                && (order.source == .online && $0.kind == .online
                    || order.source == .secondary && $0.kind == .secondary)
        }
        let r = recoveries.count
        recoveries.append(
            ActiveRecovery(
                order: order, server: Int(server.index), host: host, volume: volume, bytes: bytes.count,
                copy: copy ?? -1, line: n, incident: i, steps: RecoveryJob(isFromTape: order.source == .tape),
                record: record, report: report))
        raise(3109, .machine, Int(machine.index))
        if order.source == .disk { hold(machine, order.point) }
        if !isInPlace(r) {
            let room = min(bytes.count, volumeRoom[Int(volume.index)])
            recoveries[r]!.room = room
            volumeRoom[Int(volume.index)] -= room
        }
        machines[machine].recovery = Int32(r)
        let h = Int(host.index)
        recoverySlots[h].note(at: agenda.now)
        recoveries[r]!.waitsForSlot = true
        if recoverySlots[h].request(Int64(r)) { recoverySlotGranted(r) } else { raise(3186, .host, h) }
    }

    private func isInPlace(_ r: Int) -> Bool { recoveries[r]!.isInPlace }

    private func target(of request: RecoveryRequest) -> (Ref<Host>, Ref<Volume>) {
        switch request.to {
        case .original: (machines[request.machine].host, machines[request.machine].volume)
        case .host(let host, let volume, _), .networkFolder(let host, let volume, _): (host, volume)
        }
    }

    private func recoverySituation(
        _ request: RecoveryRequest, _ place: RecoveryPlace?, _ server: Ref<DPMServer>
    ) -> RecoverySituation {
        let machine = request.machine
        let (host, volume) = target(of: request)
        var situation = RecoverySituation(
            server: server, host: machines[machine].host, volume: machines[machine].volume)
        situation.place = place
        situation.serverIsUp = serverUp[Int(server.index)]
        situation.targetIsReachable = isReachable(host, from: Int(server.index)) && !clockWrong[Int(server.index)]
        situation.volumeIsThere = !volumeLost[Int(volume.index)]
        situation.room = volumeFull[Int(volume.index)] ? .zero : Bytes(volumeRoom[Int(volume.index)])
        situation.isBusy = machines[machine].recovery >= 0
        if let place, place.set >= 0 {
            let set = tape.sets[Int(place.set)]
            let drives = tape.drives[Int(library(ofSet: place.set).index)].filter { tape.driveWorks[$0] }
            situation.libraryWorks = set.parts.allSatisfy { part in
                drives.contains { canRead(part.cartridge, in: $0) }
            }
            situation.hasCertificate = world.groups[set.group].tape?.hasCertificate ?? false
        }
        return situation
    }

    func canRead(_ cartridge: Int32, in drive: Int) -> Bool {
        LTOFacts.canRead(world.cartridges[Int(cartridge)].generation, in: world.drives[drive].generation)
    }

    // MARK: Steps

    mutating func recoverySlotGranted(_ r: Int) {
        recoveries[r]!.waitsForSlot = false
        recoveries[r]!.holdsSlot = true
        recoveries[r]!.record.started = agenda.now
        recoveries[r]!.report.began = agenda.now
        advanceRecovery(r, .admitted)
    }

    mutating func recoveryStep(_ r: Int, input: RecoveryJob.Input, step id: Int64) {
        guard let recovery = recoveries[r], recovery.awaited == id else { return }
        switch input {
        case .prepared where recovery.isInPlace && machines[recovery.machine].job >= 0:
            // What it cancelled is still giving back its snapshot.
            return recoveryLater(r, .prepared, after: .seconds(1))
        case .registered:
            do throws(PlaneFault) { try plane.recover(recovery.order, at: agenda.now) } catch {
                recoveries[r]!.report.cause = error.cause
                return breakRecovery(r, error: error.error)
            }
        case .mounted, .unloaded: freeRobot(ofRecovery: r)
        default: break
        }
        advanceRecovery(r, input)
    }

    mutating func recoveryLater(_ r: Int, _ input: RecoveryJob.Input, after delay: SimDuration) {
        nextStep += 1
        recoveries[r]!.awaited = nextStep
        agenda.schedule(
            Event(.recoveryStep, r, detail: Int(input.rawValue), argument: nextStep), at: agenda.now + delay)
    }

    mutating func advanceRecovery(_ r: Int, _ input: RecoveryJob.Input) {
        guard let act = recoveries[r]!.steps.receive(input) else {
            preconditionFailure("a recovery in \(recoveries[r]!.steps.state) got \(input)")
        }
        perform(act, recovery: r)
    }

    private mutating func perform(_ act: RecoveryJob.Act, recovery r: Int) {
        switch act {
        case .prepare: prepare(r)
        case .requestTape: requestTape(r)
        case .mount: mountForRecovery(r)
        case .load: loadForRecovery(r)
        case .position: positionForRecovery(r)
        case .copy: copy(r)
        case .rewind: rewindAfterRecovery(r)
        case .unload: unloadAfterRecovery(r)
        case .register:
            let isMachine = recoveries[r]!.order.request.what == .machine
            let isFolder = if case .networkFolder = recoveries[r]!.order.request.to { true } else { false }
            recoveryLater(r, .registered, after: isMachine && !isFolder ? tuning.machineRegistration : .zero)
        case .end: endRecovery(r)
        }
    }

    /// 250: what backs up the machine is cancelled; until the recovery is over nothing else does.
    private mutating func prepare(_ r: Int) {
        let recovery = recoveries[r]!
        if recovery.isInPlace {
            let m = Int(recovery.machine.index)
            let j = Int(machines[m].job)
            if j >= 0, canEnd(j) {
                incidents[recovery.incident].brokenJobs += 1
                cancelJob(j, error: 250)
            }
        }
        recoveryLater(r, .prepared, after: tuning.recoveryPrepare)
    }

    private mutating func copy(_ r: Int) {
        let recovery = recoveries[r]!
        if recovery.record.transferStarted == .never {
            recoveries[r]!.record.transferStarted = agenda.now
            if recovery.isInPlace { goesInPlace(r) }
        }
        let bytes =
            recovery.order.source == .tape
            ? tape.sets[Int(recovery.order.set)].parts[recovery.part].plain : recovery.bytes
        guard bytes > 0 else { return recovered(r) }
        var cap = Double(tuning.streamRate.bytesPerSecond)
        if recovery.drive >= 0 {
            let set = tape.sets[Int(recovery.order.set)]
            let part = set.parts[recovery.part]
            let ratio = part.native > 0 ? Double(part.plain) / Double(part.native) : 1
            cap = tape.motions[Int(recovery.drive)].streamCap(compressionRatio: ratio)
        }
        if let throttle = recovery.order.request.throttle { recoveryThrottleChange(r, throttle) }
        recoveries[r]!.transfer = startTransfer(
            recoveryRoute(r), bytes: bytes, cap: cap, owner: TransferOwner(.recovery, r))
        if !watches.isEmpty {
            transferBegan(recoveries[r]!.transfer!, of: bytes, recovery.record.kind, recovery.machine)
        }
    }

    /// REC-2: the machine stops, and its replica differs on purpose from what it will be (59).
    private mutating func goesInPlace(_ r: Int) {
        let m = Int(recoveries[r]!.machine.index)
        machines[m].isRunning = false
        machines[m].checkKind = .heavy
        guard machines[m].replica == .ok else { return }
        machines[m].incident = Int32(recoveries[r]!.incident)
        become(m, .inconsistent)
        machines[m].inconsistentSince = agenda.now
        raise(3106, .machine, m, error: 59)
    }

    /// From where the recovery point lies to the volume it is written to.
    private mutating func recoveryRoute(_ r: Int) -> Int32 {
        let recovery = recoveries[r]!
        let request = recovery.order.request
        let server = world.servers[recovery.server]
        var route: [ResourceID] = []
        switch recovery.order.source {
        case .disk: route.append(topology.poolReads[Int(machines[recovery.machine].poolVolume)])
        case .secondary: route.append(topology.poolReads[Int(copies[recovery.copy].poolVolume)])
        case .online:
            let vault = world.groups[copies[recovery.copy].group].online!.vault
            route.append(topology.vaults[Int(vault.index)])
            for link in topology.way(from: world.vaults[vault].site, to: server.site) ?? [] {
                route.append(topology.links[link])
            }
        case .tape: route.append(topology.drives[Int(recovery.drive)])
        }
        // REC-5: snapshots of the storage hardware are mounted; nothing crosses the network.
        if !request.usesSAN {
            route.append(topology.serverNICs[recovery.server])
            if let throttle = topology.recoveryThrottles[recovery.line] { route.append(throttle) }
            for link in topology.way(from: server.site, to: world.hosts[recovery.host].site) ?? [] {
                if !route.contains(topology.links[link]) { route.append(topology.links[link]) }
            }
            route.append(topology.hostNICs[Int(recovery.host.index)])
            if case .smb(let fileServer) = world.volumes[recovery.volume].kind {
                route.append(topology.fileServerNICs[Int(fileServer.index)])
            }
        }
        route.append(topology.volumeWrites[Int(recovery.volume.index)])
        return fluid.routeID(route)
    }

    /// REC-5: the rate of this hour, until the next change.
    private mutating func recoveryThrottleChange(_ r: Int, _ throttle: Throttle) {
        guard let resource = topology.recoveryThrottles[recoveries[r]!.line] else { return }
        let rate = throttle.rate(at: agenda.now, clock: clock)
        fluid.setCapacity(resource, to: Double(rate.bytesPerSecond), at: nowSeconds)
        fluidChanged = true
        agenda.schedule(
            Event(.recoveryThrottle, r), at: throttle.nextChange(after: agenda.now, clock: clock), rank: .release)
    }

    mutating func recoveryThrottleChange(_ r: Int) {
        guard let recovery = recoveries[r], recovery.transfer != nil, let throttle = recovery.order.request.throttle
        else { return }
        recoveryThrottleChange(r, throttle)
    }

    /// The transfer is over: all of it, or what one cartridge had.
    mutating func recovered(_ r: Int) {
        recoveries[r]!.transfer = nil
        let recovery = recoveries[r]!
        guard recovery.order.source == .tape else {
            bookRecovered(r, recovery.bytes)
            recoveries[r]!.record.transferEnded = agenda.now
            return advanceRecovery(r, .copied)
        }
        let set = tape.sets[Int(recovery.order.set)]
        bookRecovered(r, set.parts[recovery.part].plain)
        let isLast = recovery.part + 1 == set.parts.count
        if isLast { recoveries[r]!.record.transferEnded = agenda.now }
        advanceRecovery(r, isLast ? .copied : .partCopied)
    }

    private mutating func bookRecovered(_ r: Int, _ bytes: Int64) {
        recoveries[r]!.moved += bytes
        recoveries[r]!.record.sent += Bytes(bytes)
        if !recoveries[r]!.order.request.usesSAN { books.recovered += bytes }
    }

    // MARK: Ends

    /// Breaks what can no longer go on, after something happened.
    mutating func breakRecoveries(incident i: Int) {
        for r in recoveries.indices {
            guard let recovery = recoveries[r], recovery.failure == 0 else { continue }
            let error = recoveryFault(recovery)
            guard error != 0 else { continue }
            incidents[i].brokenJobs += 1
            breakRecovery(r, error: error)
        }
    }

    /// What now keeps a recovery from going on; 0 for nothing.
    private func recoveryFault(_ recovery: ActiveRecovery) -> Int32 {
        if !serverUp[recovery.server] { return 910 }
        if clockWrong[recovery.server] { return 42 }
        if !isReachable(recovery.host, from: recovery.server) { return 41 }
        if let refusal = world.agentRefusal(of: recovery.host) { return Int32(refusal.id) }
        if volumeLost[Int(recovery.volume.index)] { return 104 }
        let hasCopied = recovery.record.transferEnded != .never
        switch recovery.order.source {
        case .disk:
            let volume = machines[recovery.machine].poolVolume
            if !hasCopied, volume >= 0, !poolVolumeUp[Int(volume)] { return 31208 }
        case .secondary:
            if !hasCopied, !poolVolumeUp[Int(copies[recovery.copy].poolVolume)] { return 31208 }
        case .online:
            let vault = world.groups[copies[recovery.copy].group].online!.vault
            let isUp = linksUp(from: world.vaults[vault].site, to: world.servers[recovery.server].site)
            if !hasCopied, !isUp { return 41 }
        case .tape:
            if hasCopied { return 0 }
            if recovery.drive >= 0, !tape.driveWorks[Int(recovery.drive)] { return 24019 }
            if tape.sets[Int(recovery.order.set)].state != .whole { return 24082 }
            if recovery.cartridge >= 0, recovery.drive >= 0 {
                let cartridge = tape.cartridges[Int(recovery.cartridge)]
                if !cartridge.isInLibrary { return 24050 }
                if cartridge.state == .suspect { return 30108 }
            }
        }
        return 0
    }

    mutating func breakRecovery(_ r: Int, error: Int32) {
        recoveries[r]!.failure = error
        if let transfer = recoveries[r]!.transfer {
            recoveries[r]!.transfer = nil
            let recovery = recoveries[r]!
            let total =
                recovery.order.source == .tape
                ? tape.sets[Int(recovery.order.set)].parts[recovery.part].plain : recovery.bytes
            bookRecovered(r, stopTransfer(transfer, of: total))
        }
        leaveTapeLines(r)
        recoveries[r]!.awaited = -1
        if let act = recoveries[r]!.steps.receive(.broke) { perform(act, recovery: r) }
    }

    private mutating func endRecovery(_ r: Int) {
        giveUpDrive(r)
        var recovery = recoveries[r]!
        let m = Int(recovery.machine.index)
        let hasCompleted = recovery.steps.state == .completed
        (recovery.record.ended, recovery.report.ended) = (agenda.now, agenda.now)
        recovery.record.status = hasCompleted ? .completed : .failed
        recovery.record.error = recovery.failure
        recovery.report.status = recovery.record.status
        recovery.report.error = recovery.failure
        recovery.report.bytes = hasCompleted ? Bytes(recovery.bytes) : .zero
        if recovery.failure != 0, recovery.report.cause.isEmpty {
            recovery.report.cause = FailureText.of(recovery.failure)
        }
        if hasCompleted {
            recovery.report.remarks = remarks(recovery, &recovery.report)
            recovery.record.error = recovery.report.error
        }
        note(recovery.record)
        ledger.note(recovery.report)
        incidents[recovery.incident].ended = agenda.now
        if !hasCompleted { volumeRoom[Int(recovery.volume.index)] += recovery.room }
        recoveries[r] = nil
        machines[m].recovery = -1
        leaveRecoverySlot(r, recovery)
        resolve(3109, .machine, m)
        if hasCompleted {
            resolve(3111, .machine, m)
            raise(3112, .machine, m)
            if case .host = recovery.order.request.to { raise(3182, .machine, m) }
        } else {
            raise(3111, .machine, m, error: recovery.failure)
        }
        if recovery.isInPlace, recovery.record.transferStarted != .never { isBackInPlace(m) }
        // Last, since data whose deletion waited for it may go now.
        if recovery.order.source == .disk { release(recovery.machine, recovery.order.point) }
    }

    private mutating func leaveRecoverySlot(_ r: Int, _ recovery: ActiveRecovery) {
        let h = Int(recovery.host.index)
        recoverySlots[h].note(at: agenda.now)
        if recovery.waitsForSlot { recoverySlots[h].withdraw(Int64(r)) }
        if recovery.holdsSlot, let next = recoverySlots[h].release() { recoverySlotGranted(Int(next)) }
        if recoverySlots[h].waitingCount == 0 { resolve(3186, .host, h) }
    }

    /// It runs again, as what it has become or, after a failure, as it was; a check follows in both cases.
    private mutating func isBackInPlace(_ m: Int) {
        machines[m].isRunning =
            world.machines[m].power == .running && hostUp[Int(machines[m].host.index)]
            && !volumeLost[Int(machines[m].volume.index)]
        guard machines[m].replica == .inconsistent, let g = machines[m].group, world.groups[g].automaticChecks else {
            return
        }
        scheduleCheck(m, after: tuning.autoCheckDelay)
    }

    /// What the operator is to know or do (REC-2, REC-3, REC-5, PRE-15).
    private func remarks(_ recovery: ActiveRecovery, _ report: inout RecoveryRecord) -> [String] {
        let request = recovery.order.request
        let machine = world.machines[recovery.machine]
        report.isHighlyAvailable =
            request.what == .machine && world.isHighlyAvailable(after: request, from: recovery.host)
        var remarks: [String] = []
        switch request.to {
        case .original: remarks.append("A consistency check of the replica follows (59)")
        case .host(let host, let volume, let folder):
            remarks.append("Check the configuration, and connect the network adapter (3182)")
            if world.hosts[host].cluster != nil {
                remarks.append("It is not highly available until it is made so by hand")
            }
            let paths = machine.disks.indices.map {
                "C:\\\(world.folderName(of: volume))\\\(folder)\\\(machine.name)\\Virtual Hard Disks\\disk\($0).vhdx"
            }
            if let warning = longPathWarning(machine: machine.name, componentPaths: paths) {
                remarks.append("\(warning.cause) (\(warning.id))")
                report.error = Int32(warning.id)
            }
        case .networkFolder: break
        }
        if !request.notifies.isEmpty { remarks.append("E-mail to \(request.notifies)") }
        return remarks
    }
}
