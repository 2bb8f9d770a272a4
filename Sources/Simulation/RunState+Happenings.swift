import Jobs
import Kernel
import Protection
import Units

/// Failures, returns and migrations of the script, and what they do to machines and jobs.
extension RunState {
    mutating func happens(line n: Int) {
        let line = setting.script[n]
        var lasts: SimDuration?
        if case .step = line.timing { forgetWatch(line: n) }
        if let distribution = line.lasts { lasts = scriptStreams[n].draw(distribution) }
        begin(line.happening, line: n)
        if lineIncident[n] >= 0 { breakRecoveries(incident: Int(lineIncident[n])) }
        if let lasts {
            if agenda.now + lasts <= horizon { agenda.schedule(Event(.repaired, n), at: agenda.now + lasts) }
        } else if case .random(let distribution) = line.timing {
            again(n, distribution)
        }
    }

    mutating func repaired(line n: Int) {
        let line = setting.script[n]
        finish(line.happening, line: n)
        if lineIncident[n] >= 0 { incidents[Int(lineIncident[n])].ended = agenda.now }
        if case .random(let distribution) = line.timing { again(n, distribution) }
    }

    private mutating func again(_ n: Int, _ distribution: TimeDistribution) {
        let delay = scriptStreams[n].draw(distribution)
        // A process that draws zero for ever would hold the clock still.
        let at = agenda.now + max(delay, .seconds(1))
        if at <= horizon { agenda.schedule(Event(.happening, n), at: at) }
    }

    mutating func incident(_ title: String, _ object: String, line n: Int) -> Int {
        incidents.append(IncidentRecord(at: agenda.now, title: title, object: object))
        incidents[incidents.count - 1].line = Int32(n)
        lineIncident[n] = Int32(incidents.count - 1)
        return incidents.count - 1
    }

    private mutating func begin(_ happening: Happening, line n: Int) {
        switch happening {
        case .nodeCrash(let host):
            guard hostUp[Int(host.index)] else { return }
            crash(host, incident: incident("Node crash", world.hosts[host].name, line: n))
        case .maintenance(let host):
            guard hostUp[Int(host.index)] else { return }
            drain(host, incident: incident("Maintenance", world.hosts[host].name, line: n))
        case .nodeRestart(let host):
            guard hostUp[Int(host.index)] else { return }
            let i = incident("Node restart", world.hosts[host].name, line: n)
            drain(host, incident: i)
            restartBitLocker(host, incident: i)
        case .linkOutage(let link):
            linkUp[Int(link.index)] = false
            let i = incident("Link outage", world.links[link].name, line: n)
            fluid.setCapacity(topology.links[Int(link.index)], to: 0, at: nowSeconds)
            fluidChanged = true
            breakJobs(incident: i, error: 41) { state, job in
                !state.linksUp(
                    from: state.world.hosts[job.host].site, to: state.world.servers[Int(job.record.server)].site)
            }
            breakCopies(error: 41, incident: i) { state, copy in !state.copyCanRun(copy) }
        case .serverOutage(let server):
            serverEnds(server, incident: incident("DPM server outage", world.servers[server].name, line: n))
        case .databaseLoss(let server):
            guard !databaseLost[Int(server.index)] else { return }
            databaseLost[Int(server.index)] = true
            serverEnds(server, incident: incident("Database lost", world.servers[server].name, line: n))
        case .tornWrite(let server):
            let i = incident("Power cut in a pool write", world.servers[server].name, line: n)
            // What is under way in the pool is torn before its jobs hear of it.
            if serverUp[Int(server.index)] {
                plane.tearPool(server, chance: scriptStreams[n].nextUInt64(), at: agenda.now)
            }
            serverEnds(server, incident: i)
        case .driveFailure(let drive):
            driveFailed(drive, incident: incident("Drive failure", world.drives[drive].name, line: n))
        case .robotJam(let library):
            _ = incident("Robot jam", world.libraries[library].name, line: n)
            tape.robots[Int(library.index)].note(at: agenda.now)
            _ = tape.robots[Int(library.index)].setCapacity(0)
            raise(3301, .library, Int(library.index))
        case .poolVolumeOutage(let volume):
            volumeLost(volume, incident: incident("Pool volume missing", world.poolVolumes[volume].name, line: n))
        case .volumeFull(let volume):
            _ = incident("Volume full", world.volumes[volume].name, line: n)
            volumeFull[Int(volume.index)] = true
        case .migration(let machine, let host, let storage): migrate(machine, to: host, storage: storage, line: n)
        case .recover(let request): recover(request, line: n)
        case .slowLink, .partition, .vmmOutage, .helperStopped, .helperPort, .agent, .vssFailure, .integrationOff,
            .volumeOutage, .snapshotsFull, .cartridgeMissing, .cartridgeDamaged, .certificateMissing,
            .certificateExpired, .replication, .clockChange, .runCheck, .runBackup, .runSummaryManager,
            .stopProtection, .poolRot, .tapeRot, .poolDisksFull:
            beginFault(happening, line: n)
        }
    }

    private mutating func finish(_ happening: Happening, line n: Int) {
        switch happening {
        case .nodeCrash(let host), .maintenance(let host), .nodeRestart(let host):
            hostUp[Int(host.index)] = true
            resolve(3122, .host, Int(host.index))
            for m in machines.indices where machines[m].host == host && world.machines[m].power == .running {
                machines[m].isRunning = true
            }
        case .linkOutage(let link):
            linkUp[Int(link.index)] = true
            let rate = Double(linkRate[Int(link.index)].bytesPerSecond) * tuning.wireEfficiency.value
            fluid.setCapacity(topology.links[Int(link.index)], to: rate, at: nowSeconds)
            fluidChanged = true
        case .serverOutage(let server), .tornWrite(let server):
            serverUp[Int(server.index)] = !databaseLost[Int(server.index)]
            setServerRate(Int(server.index))
        case .databaseLoss(let server): rebuildDatabase(server, line: n)
        case .driveFailure(let drive): driveRepaired(drive)
        case .robotJam(let library):
            resolve(3301, .library, Int(library.index))
            tape.robots[Int(library.index)].note(at: agenda.now)
            for stream in tape.robots[Int(library.index)].setCapacity(world.libraries[library].robots) {
                robotGranted(stream)
            }
        case .poolVolumeOutage(let volume): volumeBack(volume)
        case .volumeFull(let volume): volumeFull[Int(volume.index)] = false
        case .migration, .recover: break
        case .slowLink, .partition, .vmmOutage, .helperStopped, .helperPort, .agent, .vssFailure, .integrationOff,
            .volumeOutage, .snapshotsFull, .cartridgeMissing, .cartridgeDamaged, .certificateMissing,
            .certificateExpired, .replication, .clockChange, .runCheck, .runBackup, .runSummaryManager,
            .stopProtection, .poolRot, .tapeRot, .poolDisksFull:
            finishFault(happening, line: n)
        }
    }

    /// The DPM server is gone, with all that it was doing.
    private mutating func serverEnds(_ server: Ref<DPMServer>, incident i: Int) {
        serverUp[Int(server.index)] = false
        setServerRate(Int(server.index))
        breakJobs(incident: i, error: 910) { _, job in job.record.server == server.index }
        breakCopies(error: 910, incident: i) { state, copy in !state.copyCanRun(copy) }
        breakStreams(error: 910, incident: i) { state, stream in
            state.world.libraries[stream.library].server == server
        }
    }

    // MARK: Nodes

    /// PRE-11: the node dies; its jobs break, its machines lose their tracking and start elsewhere.
    private mutating func crash(_ host: Ref<Host>, incident i: Int) {
        hostUp[Int(host.index)] = false
        raise(3122, .host, Int(host.index))
        breakJobs(incident: i, error: 30155) { _, job in job.host == host }
        for m in machines.indices where machines[m].host == host {
            let wasRunning = machines[m].isRunning
            machines[m].isRunning = false
            plane.crash(Ref(m), at: agenda.now)
            incidents[i].machines += 1
            guard wasRunning, machines[m].group != nil else { continue }
            lose(m, .crash, incident: i)
        }
        if world.hosts[host].cluster != nil {
            agenda.schedule(Event(.failover, Int(host.index)), at: agenda.now + tuning.failoverDelay)
        }
    }

    /// What an event does to change tracking, and the check that follows where it is lost.
    mutating func lose(_ m: Int, _ event: TrackingEvent, incident i: Int) {
        let consequence = world.consequence(of: event, for: Ref(m), on: machines[m].host)
        guard consequence.check != .none else { return }
        machines[m].checkKind = consequence.check
        if machines[m].replica == .ok {
            machines[m].incident = Int32(i)
            let isFailover = event == .crash && world.hosts[machines[m].host].cluster != nil
            becomesInconsistent(
                m, error: consequence.error, delay: isFailover ? tuning.failoverCheckDelay : tuning.autoCheckDelay)
        }
    }

    mutating func failover(host h: Int) {
        let host = Ref<Host>(h)
        guard !hostUp[h], let cluster = world.hosts[h].cluster else { return }
        for m in machines.indices where machines[m].host == host {
            guard let target = emptiestNode(of: cluster, butNot: host) else { return }
            relocate(m, to: target)
            machines[m].isRunning = world.machines[m].power == .running
        }
    }

    /// The node with the fewest machines of those that are up; the first of equals.
    private func emptiestNode(of cluster: Ref<Cluster>, butNot host: Ref<Host>) -> Ref<Host>? {
        let nodes = world.clusters[cluster].nodes.filter { hostUp[Int($0.index)] && $0 != host }
        return nodes.min { (machineCount[Int($0.index)], $0.index) < (machineCount[Int($1.index)], $1.index) }
    }

    private mutating func relocate(_ m: Int, to host: Ref<Host>) {
        machineCount[Int(machines[m].host.index)] -= 1
        machineCount[Int(host.index)] += 1
        machines[m].host = host
        machines[m].route = -1
        ledger.note(MachineMove(at: agenda.now, machine: Int32(m), host: host.index))
    }

    /// LIV-1: drained machines move inside the cluster and keep their tracking; on a stand-alone host they are shut down.
    private mutating func drain(_ host: Ref<Host>, incident i: Int) {
        hostUp[Int(host.index)] = false
        breakJobs(incident: i, error: 32620) { _, job in job.host == host }
        for m in machines.indices where machines[m].host == host {
            incidents[i].machines += 1
            if let cluster = world.hosts[host].cluster, let target = emptiestNode(of: cluster, butNot: host) {
                relocate(m, to: target)
            } else {
                machines[m].isRunning = false
            }
        }
    }

    /// PRE-12: a restart of a node whose CSV is BitLocker-encrypted.
    private mutating func restartBitLocker(_ host: Ref<Host>, incident i: Int) {
        for m in machines.indices
        where world.machines[m].host == host && world.restartEvent(for: Ref(m)) == .bitLockerRestart {
            lose(m, .bitLockerRestart, incident: i)
        }
    }

    mutating func breakJobs(incident i: Int, error: Int32, where touches: (RunState, ActiveJob) -> Bool) {
        for j in jobs.indices {
            guard let job = jobs[j], touches(self, job), canEnd(j) else { continue }
            incidents[i].brokenJobs += 1
            breakJob(j, error: error)
        }
    }

    // MARK: Pool volumes

    private mutating func volumeLost(_ volume: Ref<PoolVolume>, incident i: Int) {
        let v = Int(volume.index)
        poolVolumeUp[v] = false
        raise(world.poolVolumes[volume].kind == .modern ? 33518 : 3120, .poolVolume, v)
        breakJobs(incident: i, error: 31208) { state, job in state.machines[job.machine].poolVolume == volume.index }
        breakStreams(error: 31208, incident: i) { state, stream in
            stream.set >= 0 && state.machines[state.tape.sets[Int(stream.set)].machine].poolVolume == volume.index
        }
        for m in machines.indices where machines[m].poolVolume == volume.index {
            incidents[i].machines += 1
            if machines[m].replica == .ok || machines[m].replica == .inconsistent {
                become(m, .missing)
                machines[m].incident = Int32(i)
            }
        }
    }

    private mutating func volumeBack(_ volume: Ref<PoolVolume>) {
        let v = Int(volume.index)
        poolVolumeUp[v] = true
        resolve(world.poolVolumes[volume].kind == .modern ? 33518 : 3120, .poolVolume, v)
        for m in machines.indices where machines[m].poolVolume == volume.index && machines[m].replica == .missing {
            become(m, .ok)
            machines[m].checkKind = .heavy
            becomesInconsistent(m, error: 62, delay: tuning.autoCheckDelay)
        }
    }

    // MARK: Live migration

    private mutating func migrate(_ machine: Ref<Machine>, to host: Ref<Host>, storage: Ref<Volume>?, line n: Int) {
        let m = Int(machine.index)
        let from = machines[m].host
        let i = incident("Live migration", "\(world.machines[m].name) to \(world.hosts[host].name)", line: n)
        incidents[i].machines = 1
        incidents[i].ended = agenda.now
        // A machine that is being put back does not run, so it cannot move.
        guard hostUp[Int(host.index)], hostUp[Int(from.index)],
            machines[m].recovery < 0 || !recoveries[Int(machines[m].recovery)]!.isInPlace
        else { return }
        let job = machines[m].job
        if job >= 0 {
            incidents[i].brokenJobs += 1
            breakJob(Int(job), error: 32620)
        }
        let sameCluster = world.hosts[from].cluster != nil && world.hosts[from].cluster == world.hosts[host].cluster
        relocate(m, to: host)
        if let g = machines[m].group {
            let notice = world.moveNotice(of: machine, from: from, to: host, by: world.groups[g].server)
            let server = Int(world.groups[g].server.index)
            switch notice {
            case .clusterAware: break
            case .throughVMM:
                machines[m].waitsForSummary = !SummaryManager.follows(addedAt: .start, lastRun: lastSummary[server])
                machines[m].moveError = machines[m].waitsForSummary ? 33402 : 0
            case .unnoticed(let refusal):
                machines[m].moveError = Int32(refusal.id)
                if refusal.id == 33402 { raise(33402, .machine, m) } else { raise(33400, .server, server) }
            }
        }
        if host == world.machines[m].host {
            machines[m].moveError = 0
            resolve(33402, .machine, m)
            machines[m].waitsForSummary = false
        }
        var record = JobRecord(
            id: nextJobID, kind: .migration, machine: machine.index, group: machines[m].group?.index ?? -1, server: -1,
            due: agenda.now)
        nextJobID += 1
        record.started = agenda.now
        record.ended = agenda.now
        record.status = .completed
        if let storage, storage != machines[m].volume {
            let used = plane.used(machine, at: agenda.now)
            let span = tuning.migrationRate.bytesPerSecond > 0 ? tuning.migrationRate.duration(of: used) : .zero
            record.ended = agenda.now + span
            let was = Int(machines[m].volume.index)
            volumeRoom[was] += used.count
            volumeRoom[Int(storage.index)] = max(0, volumeRoom[Int(storage.index)] - used.count)
            machines[m].volume = storage
            machines[m].incident = Int32(i)
            agenda.schedule(Event(.migrationEnd, m), at: record.ended)
        } else if machines[m].group != nil {
            lose(m, sameCluster ? .moveInCluster : .moveBetweenHosts, incident: i)
        }
        noteUnlessBeyond(record)
    }

    /// LIV-6: the storage moved too, so a full check comes first.
    mutating func migrationEnded(machine m: Int) {
        plane.moveStorage(Ref(m), to: machines[m].volume, at: agenda.now)
        let i = Int(machines[m].incident)
        guard machines[m].group != nil, i >= 0 else { return }
        lose(m, .storageMove, incident: i)
    }
}
