import Jobs
import Kernel
import Protection
import Units

/// Faults that change what is so for a while; what follows from it is decided by the rules, asked as ever.
extension RunState {
    // MARK: Network and computers

    mutating func linkCarries(_ link: Ref<Link>, _ rate: ByteRate) {
        let full = Double(rate.bytesPerSecond) * tuning.wireEfficiency.value
        linkRate[Int(link.index)] = rate
        guard linkUp[Int(link.index)] else { return }
        fluid.setCapacity(topology.links[Int(link.index)], to: full, at: nowSeconds)
        fluidChanged = true
    }

    mutating func partition(_ host: Ref<Host>, incident i: Int) {
        hostReachable[Int(host.index)] = false
        raise(3122, .host, Int(host.index))
        breakJobs(incident: i, error: 41) { _, job in job.host == host }
        incidents[i].machines = machines.count { $0.host == host }
    }

    mutating func reconnect(_ host: Ref<Host>) {
        hostReachable[Int(host.index)] = true
        if hostUp[Int(host.index)] { resolve(3122, .host, Int(host.index)) }
    }

    mutating func setAgent(_ host: Ref<Host>, _ state: AgentState, incident i: Int) {
        world.hosts[Int(host.index)].agent = state
        let h = Int(host.index)
        if state == .ok {
            resolve(3121, .host, h)
            return resolve(3122, .host, h)
        }
        raise(state == .incompatible ? 3121 : 3122, .host, h)
        let error = world.agentRefusal(of: host).map { Int32($0.id) } ?? 41
        breakJobs(incident: i, error: error) { _, job in job.host == host }
        incidents[i].machines = machines.count { $0.host == host }
    }

    /// Kerberos refuses tickets from a clock that is wrong by more than five minutes (dpm-facts 7.1: 12, 42).
    static let clockTolerance = SimDuration.minutes(5)

    mutating func clockGoesWrong(_ server: Ref<DPMServer>, by span: SimDuration, incident i: Int) {
        guard abs(span.nanoseconds) > RunState.clockTolerance.nanoseconds else { return }
        clockWrong[Int(server.index)] = true
        breakJobs(incident: i, error: 42) { _, job in job.record.server == server.index }
    }

    /// Whether DPM server and host can talk at all.
    func isReachable(_ host: Ref<Host>, from server: Int) -> Bool {
        let (a, b) = (world.hosts[host].site, world.servers[server].site)
        return hostUp[Int(host.index)] && hostReachable[Int(host.index)] && topology.way(from: a, to: b) != nil
            && linksUp(from: a, to: b)
    }

    /// What outside of DPM speaks against a backup now; 0 for nothing.
    func outsideFault(_ job: ActiveJob) -> Int32 {
        if clockWrong[Int(job.record.server)] { return 42 }
        // 0x80070490: a failed disk in the set of volumes (dpm-facts 5.6).
        if volumeLost[Int(job.volume.index)] { return 104 }
        return machines[job.machine].vssError
    }

    // MARK: Machines

    /// The machine is configured otherwise: how it is backed up from now on.
    mutating func reconfigure(_ m: Int) {
        let decision = world.snapshotDecision(for: Ref(m), on: machines[m].host)
        (machines[m].mode, machines[m].consistency) = (decision.mode, decision.consistency)
    }

    mutating func setReplication(_ machine: Ref<Machine>, _ state: ReplicationState?, incident i: Int?) {
        let m = Int(machine.index)
        world.machines[m].replication = state
        reconfigure(m)
        machines[m].isRunning = world.machines[m].power == .running && !world.machines[m].isReplicaMachine
        guard let i else { return }
        incidents[i].machines = 1
        guard let refusal = world.machines[m].replicationRefusal, machines[m].job >= 0 else { return }
        incidents[i].brokenJobs += 1
        breakJob(Int(machines[m].job), error: Int32(refusal.id))
    }

    mutating func vssFails(_ machine: Ref<Machine>, _ error: Int32, incident i: Int) {
        let m = Int(machine.index)
        machines[m].vssError = error
        incidents[i].machines = 1
        let j = Int(machines[m].job)
        // The writer takes part until the snapshot is taken; what is read from it afterwards it has no part in.
        guard j >= 0, jobs[j]!.steps.state == .snapshotting else { return }
        incidents[i].brokenJobs += 1
        breakJob(j, error: error)
    }

    // MARK: Source volumes

    /// The volume is lost: what ran on it stops, what was backed up from it breaks.
    mutating func sourceLost(_ volume: Ref<Volume>, incident i: Int) {
        volumeLost[Int(volume.index)] = true
        breakJobs(incident: i, error: 104) { _, job in job.volume == volume }
        incidents[i].machines = machines.count { $0.volume == volume }
        for m in machines.indices where machines[m].volume == volume {
            let wasRunning = machines[m].isRunning
            machines[m].isRunning = false
            if wasRunning, machines[m].group != nil { lose(m, .crash, incident: i) }
        }
    }

    mutating func sourceBack(_ volume: Ref<Volume>) {
        volumeLost[Int(volume.index)] = false
        for m in machines.indices
        where machines[m].volume == volume && hostUp[Int(machines[m].host.index)]
            && world.machines[m].power == .running
        {
            machines[m].isRunning = true
        }
    }

    /// VSS-5, PRE-8: differencing disks cannot grow, so Windows deletes the snapshots that use them.
    mutating func snapshotsLost(on volume: Ref<Volume>, incident i: Int) {
        volumeFull[Int(volume.index)] = true
        breakJobs(incident: i, error: 30116) { _, job in job.volume == volume && job.differencing > .zero }
    }

    // MARK: VMM

    /// Something about a VMM server is otherwise. What moved unnoticed because of it is found once nothing speaks against it.
    mutating func vmmChanged(_ vmm: Ref<VMMServer>) {
        for m in machines.indices where machines[m].moveError == 33399 || machines[m].moveError == 33400 {
            guard let g = machines[m].group else { continue }
            let server = world.groups[g].server
            guard world.servers[server].knownVMMServers.contains(vmm) else { continue }
            let notice = world.moveNotice(
                of: Ref(m), from: world.machines[m].host, to: machines[m].host, by: server)
            if case .unnoticed(let refusal) = notice {
                machines[m].moveError = Int32(refusal.id)
            } else {
                machines[m].moveError = 0
            }
        }
        for s in world.servers.indices where world.servers[s].knownVMMServers.contains(vmm) {
            let isAway =
                !world.vmmServers[vmm].isUp || !world.vmmServers[vmm].helperRuns
                || world.vmmServers[vmm].helperPort != setting.world.vmmServers[vmm].helperPort
            if !isAway { resolve(33400, .server, s) }
        }
    }

    // MARK: Tapes

    mutating func cartridgeGone(_ cartridge: Ref<Cartridge>, incident i: Int) {
        let c = Int(cartridge.index)
        tape.cartridges[c].isInLibrary = false
        breakStreams(error: 24050, incident: i) { _, stream in stream.cartridge == cartridge.index }
    }

    mutating func cartridgeFails(_ cartridge: Ref<Cartridge>, incident i: Int) {
        let c = Int(cartridge.index)
        tape.cartridges[c].state = .suspect
        breakStreams(error: 30101, incident: i) { _, stream in stream.cartridge == cartridge.index }
    }

    mutating func certificateChanged(_ group: Ref<ProtectionGroup>, has: Bool, isExpired: Bool, incident i: Int?) {
        let g = Int(group.index)
        guard world.groups[g].tape != nil else { return }
        world.groups[g].tape!.hasCertificate = has
        world.groups[g].tape!.isCertificateExpired = isExpired
        let server = Int(world.groups[g].server.index)
        if isExpired { raise(24059, .server, server) } else { resolve(24059, .server, server) }
        guard let i else { return }
        // 24060: the certificate changed while the job ran.
        breakStreams(error: 24060, incident: i) { state, stream in
            stream.group == group && state.world.groups[group].tape?.encoding == .encrypt
        }
    }
}
