import Jobs
import Kernel
import Protection
import Units

/// What a fault changes, to tell faults apart that overlap.
private struct FaultTarget: Hashable {
    enum Part: UInt8 {
        case linkRate, network, vmm, helper, helperPort, agent, writer, integration, volume, snapshots, cartridge,
            certificate,
            replication, clock, protection, poolDisks
    }
    var part: Part
    var index: Int32
    init(_ part: Part, _ index: Int32) { (self.part, self.index) = (part, index) }

    init?(_ happening: Happening) {
        switch happening {
        case .slowLink(let link, _): self.init(.linkRate, link.index)
        case .partition(let host): self.init(.network, host.index)
        case .vmmOutage(let vmm): self.init(.vmm, vmm.index)
        case .helperStopped(let vmm): self.init(.helper, vmm.index)
        case .helperPort(let vmm, _): self.init(.helperPort, vmm.index)
        case .agent(let host, _): self.init(.agent, host.index)
        case .vssFailure(let machine, _): self.init(.writer, machine.index)
        case .integrationOff(let machine): self.init(.integration, machine.index)
        case .volumeOutage(let volume): self.init(.volume, volume.index)
        case .snapshotsFull(let volume): self.init(.snapshots, volume.index)
        case .cartridgeMissing(let cartridge): self.init(.cartridge, cartridge.index)
        case .certificateMissing(let group), .certificateExpired(let group): self.init(.certificate, group.index)
        case .replication(let machine, _): self.init(.replication, machine.index)
        case .clockChange(let server, _): self.init(.clock, server.index)
        case .stopProtection(let machine, _): self.init(.protection, machine.index)
        case .poolDisksFull(let server): self.init(.poolDisks, server.index)
        case .poolRot, .tapeRot, .tornWrite, .cartridgeDamaged, .runCheck, .runBackup, .runSummaryManager, .nodeCrash,
            .maintenance, .nodeRestart,
            .linkOutage, .serverOutage, .driveFailure, .robotJam, .poolVolumeOutage, .volumeFull, .migration,
            .databaseLoss, .recover:
            return nil
        }
    }
}

/// How lines of the script with faults begin and end.
extension RunState {
    mutating func beginFault(_ happening: Happening, line n: Int) {
        if case .stopProtection(let machine, _) = happening, machines[machine].job >= 0,
            !canEnd(Int(machines[machine].job))
        {
            // A job that gives back its snapshot is let through.
            agenda.schedule(Event(.happening, n), at: agenda.now + .seconds(1))
            return
        }
        let (title, object) = faultTitle(happening)
        let i = incident(title, object, line: n)
        if FaultTarget(happening) != nil { activeFaults.append(Int32(n)) }
        applyFault(happening, incident: i)
    }

    /// Puts back what the scenario says; what another fault still makes of it comes after.
    mutating func finishFault(_ happening: Happening, line n: Int) {
        activeFaults.removeAll { $0 == n }
        restore(happening)
        guard let target = FaultTarget(happening) else { return }
        for other in activeFaults {
            let still = setting.script[Int(other)].happening
            if FaultTarget(still) == target { applyFault(still, incident: Int(lineIncident[Int(other)])) }
        }
    }

    private func faultTitle(_ happening: Happening) -> (title: String, object: String) {
        switch happening {
        case .slowLink(let link, _): ("Slow link", world.links[link].name)
        case .partition(let host): ("Partition", world.hosts[host].name)
        case .vmmOutage(let vmm): ("VMM outage", world.vmmServers[vmm].name)
        case .helperStopped(let vmm): ("VMM Helper Service stopped", world.vmmServers[vmm].name)
        case .helperPort(let vmm, let port): ("VMM Helper Service on port \(port)", world.vmmServers[vmm].name)
        case .agent(let host, let state): ("Agent \(state.rawValue)", world.hosts[host].name)
        case .vssFailure(let machine, _): ("VSS writer failure", world.machines[machine].name)
        case .integrationOff(let machine): ("Integration service off", world.machines[machine].name)
        case .volumeOutage(let volume): ("Volume lost", world.volumes[volume].name)
        case .snapshotsFull(let volume): ("Differencing disks cannot grow", world.volumes[volume].name)
        case .cartridgeMissing(let cartridge): ("Cartridge missing", world.cartridges[cartridge].barcode)
        case .cartridgeDamaged(let cartridge): ("Cartridge damaged", world.cartridges[cartridge].barcode)
        case .certificateMissing(let group): ("Certificate missing", world.groups[group].name)
        case .certificateExpired(let group): ("Certificate expired", world.groups[group].name)
        case .replication(let machine, let state): ("Replication \(state.rawValue)", world.machines[machine].name)
        case .clockChange(let server, _): ("Clock change", world.servers[server].name)
        case .runCheck(let machine): ("Check by hand", world.machines[machine].name)
        case .runBackup(let machine): ("Backup by hand", world.machines[machine].name)
        case .runSummaryManager(let server): ("Summary Manager by hand", world.servers[server].name)
        case .stopProtection(let machine, true): ("Protection stopped, data deleted", world.machines[machine].name)
        case .stopProtection(let machine, false): ("Protection stopped, data kept", world.machines[machine].name)
        case .poolRot(let machine, _): ("Bit rot in the pool", world.machines[machine].name)
        case .tapeRot(let cartridge): ("Bit rot on tape", world.cartridges[cartridge].barcode)
        case .poolDisksFull(let server): ("Pool disks full", world.servers[server].name)
        case .nodeCrash, .maintenance, .nodeRestart, .linkOutage, .serverOutage, .driveFailure, .robotJam,
            .poolVolumeOutage, .volumeFull, .migration, .databaseLoss, .recover, .tornWrite:
            preconditionFailure("\(happening) is begun elsewhere")
        }
    }

    private mutating func applyFault(_ happening: Happening, incident i: Int) {
        switch happening {
        case .slowLink(let link, let rate): linkCarries(link, rate)
        case .partition(let host): partition(host, incident: i)
        case .vmmOutage(let vmm): world.vmmServers[Int(vmm.index)].isUp = false
        case .helperStopped(let vmm): world.vmmServers[Int(vmm.index)].helperRuns = false
        case .helperPort(let vmm, let port): world.vmmServers[Int(vmm.index)].helperPort = port
        case .agent(let host, let state): setAgent(host, state, incident: i)
        case .vssFailure(let machine, let error): vssFails(machine, error, incident: i)
        case .integrationOff(let machine):
            incidents[i].machines = 1
            world.machines[Int(machine.index)].backupIntegration = false
            reconfigure(Int(machine.index))
        case .volumeOutage(let volume): sourceLost(volume, incident: i)
        case .snapshotsFull(let volume): snapshotsLost(on: volume, incident: i)
        case .cartridgeMissing(let cartridge): cartridgeGone(cartridge, incident: i)
        case .cartridgeDamaged(let cartridge): cartridgeFails(cartridge, incident: i)
        case .certificateMissing(let group): certificateChanged(group, has: false, isExpired: false, incident: i)
        case .certificateExpired(let group): certificateChanged(group, has: true, isExpired: true, incident: i)
        case .replication(let machine, let state): setReplication(machine, state, incident: i)
        case .clockChange(let server, let span): clockGoesWrong(server, by: span, incident: i)
        case .runCheck(let machine): checkByHand(machine, incident: i)
        case .runBackup(let machine):
            jobDue(Int(machine.index), purpose: .expressFull, attempt: 0, due: agenda.now)
        case .runSummaryManager(let server): runSummary(server: Int(server.index))
        case .stopProtection(let machine, let deletesData):
            stopProtection(machine, deletesData: deletesData, incident: i)
        case .poolRot(let machine, let blocks): poolRots(machine, blocks: blocks, incident: i)
        case .tapeRot(let cartridge): tapeRots(cartridge)
        case .poolDisksFull(let server): setPoolDisksFull(server, true)
        case .nodeCrash, .maintenance, .nodeRestart, .linkOutage, .serverOutage, .driveFailure, .robotJam,
            .poolVolumeOutage, .volumeFull, .migration, .databaseLoss, .recover, .tornWrite:
            preconditionFailure("\(happening) is begun elsewhere")
        }
    }

    private mutating func restore(_ happening: Happening) {
        switch happening {
        case .slowLink(let link, _): linkCarries(link, setting.world.links[link].rate)
        case .partition(let host): reconnect(host)
        case .vmmOutage(let vmm):
            world.vmmServers[Int(vmm.index)].isUp = true
            vmmChanged(vmm)
        case .helperStopped(let vmm):
            world.vmmServers[Int(vmm.index)].helperRuns = true
            vmmChanged(vmm)
        case .helperPort(let vmm, _):
            world.vmmServers[Int(vmm.index)].helperPort = setting.world.vmmServers[vmm].helperPort
            vmmChanged(vmm)
        case .agent(let host, _):
            world.hosts[Int(host.index)].agent = setting.world.hosts[host].agent
            resolve(3121, .host, Int(host.index))
            if hostUp[Int(host.index)] { resolve(3122, .host, Int(host.index)) }
        case .vssFailure(let machine, _): machines[machine].vssError = 0
        case .integrationOff(let machine):
            world.machines[Int(machine.index)].backupIntegration = setting.world.machines[machine].backupIntegration
            reconfigure(Int(machine.index))
        case .volumeOutage(let volume): sourceBack(volume)
        case .snapshotsFull(let volume): volumeFull[Int(volume.index)] = false
        case .cartridgeMissing(let cartridge):
            tape.cartridges[Int(cartridge.index)].isInLibrary = true
            tapesChanged()
        // What is damaged stays damaged.
        case .cartridgeDamaged, .poolRot, .tapeRot: break
        case .poolDisksFull(let server): setPoolDisksFull(server, false)
        case .certificateMissing(let group), .certificateExpired(let group):
            let certificate = setting.world.groups[group].tape?.hasCertificate ?? true
            certificateChanged(group, has: certificate, isExpired: false, incident: nil)
        case .replication(let machine, _):
            setReplication(machine, setting.world.machines[machine].replication, incident: nil)
        case .clockChange(let server, _): clockWrong[Int(server.index)] = false
        case .runCheck, .runBackup, .runSummaryManager: break
        case .stopProtection(let machine, _): resumeProtection(machine)
        case .nodeCrash, .maintenance, .nodeRestart, .linkOutage, .serverOutage, .driveFailure, .robotJam,
            .poolVolumeOutage, .volumeFull, .migration, .databaseLoss, .recover, .tornWrite:
            preconditionFailure("\(happening) is finished elsewhere")
        }
    }
}
