import Jobs
import Kernel
import Protection
import Units

extension RunState {
    /// Interns the resources a machine's backups cross: source volume, file server, host, links, DPM server, pool volume.
    mutating func findRoutes(_ m: Int) {
        let state = machines[m]
        let group = state.group!
        let host = Int(state.host.index)
        let server = world.groups[group].server
        var route = [topology.sourceVolumes[Int(state.volume.index)], topology.hostCPUs[host], topology.hostNICs[host]]
        if case .smb(let fileServer) = world.volumes[state.volume].kind {
            route.append(topology.fileServerNICs[Int(fileServer.index)])
        }
        for link in topology.way(from: world.hosts[state.host].site, to: world.servers[server].site) ?? [] {
            route.append(topology.links[link])
        }
        if let throttle = topology.throttles.first(where: {
            $0.group == group && $0.host == world.machines[Ref(m)].host
        }) {
            route.append(throttle.resource)
        }
        route.append(topology.serverNICs[Int(server.index)])
        route.append(topology.poolWrites[Int(state.poolVolume)])
        machines[m].route = fluid.routeID(route)
        machines[m].checkRoute = fluid.routeID([
            topology.sourceVolumes[Int(state.volume.index)], topology.hostCPUs[host],
            topology.poolReads[Int(state.poolVolume)],
        ])
    }

    /// Whether every link on the way is up.
    func linksUp(from a: Ref<Site>, to b: Ref<Site>) -> Bool {
        guard let way = topology.way(from: a, to: b) else { return false }
        return way.allSatisfy { linkUp[$0] }
    }

    /// Moves a throttle to the rate of this hour and asks for the next change.
    mutating func throttleChange(group g: Int) {
        guard let throttle = world.groups[g].throttle else { return }
        let rate = throttle.rate(at: agenda.now, clock: clock)
        for entry in topology.throttles where entry.group == Ref(g) {
            fluid.setCapacity(entry.resource, to: Double(rate.bytesPerSecond), at: nowSeconds)
        }
        fluidChanged = true
        agenda.schedule(
            Event(.throttleChange, g), at: throttle.nextChange(after: agenda.now, clock: clock), rank: .release)
    }
}
