import Protection
import Testing
import Units

extension LIVRules {
    /// Why the move of alpha from h1 to h2 is not noticed; nil if it is.
    func unnoticed(_ change: (inout World) -> Void) -> String? {
        let changed = world {
            $0.connectVMM()
            change(&$0)
        }
        guard case .unnoticed(let refusal) = changed.moveNotice(of: .alpha, from: .h1, to: .h2, by: .dpm1) else {
            return nil
        }
        return refusal.description
    }

    @Test("LIV-1 obeyed: a move inside the cluster is noticed without VMM")
    func inCluster() { #expect(world().moveNotice(of: .beta, from: .n1, to: .n2, by: .dpm1) == .clusterAware) }

    @Test("LIV-2 obeyed: the owner is the first group of a primary server, wherever the machine is")
    func owner() {
        let moved = world { $0.machines[.beta].host = .h2 }
        #expect(moved.owner(of: .beta) == .gold)
        #expect(world { $0.groups[.gold].members = [] }.owner(of: .beta) == nil)
    }

    @Test("LIV-3 obeyed: a move between hosts, and out of a cluster, is noticed through VMM")
    func throughVMM() {
        let connected = world { $0.connectVMM() }
        #expect(connected.moveNotice(of: .alpha, from: .h1, to: .h2, by: .dpm1) == .throughVMM)
        #expect(connected.moveNotice(of: .beta, from: .n1, to: .h2, by: .dpm1) == .throughVMM)
    }

    @Test("LIV-4 broken: each thing that is missing is named")
    func missing() {
        #expect(
            unnoticed { $0.vmmServers[0].isUp = false }
                == "error 33400 (LIV-4) machine alpha: VMM server vmm1 does not answer. Start the VMM server.")
        #expect(
            unnoticed { $0.vmmServers[0].hosts = [.h1] }
                == "error 33402 (LIV-4) machine alpha: Host h2 is in no cloud of a VMM server that DPM server dpm1 knows. "
                + "Add the host to a VMM cloud.")
        #expect(
            unnoticed { $0.vmmServers[0].isAtLeast2012SP1 = false }
                == "error 33401 (LIV-4) machine alpha: VMM server vmm1 is older than 2012 SP1. Upgrade VMM to 2012 SP1 or later."
        )
        #expect(
            unnoticed { $0.hosts[.h2].domain = .away }
                == "error 33401 (LIV-4) machine alpha: DPM, VMM and hosts must be in one domain: DPM server dpm1 is in corp, "
                + "host h2 in away. Bring them into one domain.")
    }

    @Test("LIV-7 broken: a stopped Helper Service leaves the move unnoticed")
    func helperStopped() {
        #expect(
            unnoticed { $0.vmmServers[0].helperRuns = false }
                == "error 33399 (LIV-7) machine alpha: The DPM-VMM Helper Service of vmm1 is stopped. Start the DPM-VMM Helper "
                + "Service.")
    }

    @Test("LIV-8 broken: without Set-DPMGlobalProperty nothing is known of VMM, and moves between hosts go unnoticed")
    func notConnected() {
        #expect(
            unnoticed { $0.servers[.dpm1].knownVMMServers = [] }
                == "error 33402 (LIV-8) machine alpha: DPM server dpm1 is not connected to VMM, so its move between hosts goes "
                + "unnoticed. Connect the server with Set-DPMGlobalProperty -knownvmmservers.")
        let apart = world {
            $0.connectVMM(); $0.servers[.dpm1].knownVMMServers = []
        }
        #expect(apart.knownVMMServer(of: .dpm1) == "")
        #expect(apart.vmmIdentifier(of: .alpha, on: .h1, by: .dpm1) == nil)
    }

    @Test("LIV-8 obeyed: KnownVMMServer names the server, and machines on its hosts have a VMMIdentifier")
    func connected() {
        let connected = world { $0.connectVMM() }
        #expect(connected.knownVMMServer(of: .dpm1) == "vmm1")
        #expect(connected.vmmIdentifier(of: .alpha, on: .h2, by: .dpm1) == "vmm1/alpha")
        let outside = world {
            $0.connectVMM(); $0.vmmServers[0].hosts = [.h2]
        }
        #expect(outside.vmmIdentifier(of: .alpha, on: .h1, by: .dpm1) == nil)
    }

    @Test("LIV-4 broken: the backup fails as unreachable on a new host without an agent")
    func unreachable() {
        let refusal = world { $0.hosts[.h2].agent = .absent }.backupObstacle(for: .alpha, on: .h2)
        #expect(
            refusal?.description
                == "error 41 (LIV-4) machine alpha: It moved to host h2, whose agent is unreachable: none is installed. Install "
                + "the agent on h2 and attach it to the DPM server.")
    }

    @Test("LIV-6 obeyed: a storage move brings a full check, with RCT or without", arguments: [true, false])
    func storageMove(_ hasRCT: Bool) {
        #expect(TrackingEvent.storageMove.consequence(hasRCT: hasRCT) == (true, .heavy, 30135))
    }

    @Test("LIV-7 broken: another port of the helper service leaves the move unnoticed")
    func port() {
        #expect(
            unnoticed { $0.vmmServers[0].helperPort = 6080 }
                == "error 33399 (LIV-7) machine alpha: The DPM-VMM Helper Service of vmm1 listens on port 6080, and DPM asks on "
                + "6070. Set DpmVmmHelperServicePort to 6080, or the service back to 6070.")
    }

    @Test("LIV-9 obeyed: a run of the Summary Manager that began after the machine was added enables its migration")
    func summary() {
        let run = (began: SimTime.start + .hours(24), ended: SimTime.start + .hours(25))
        #expect(SummaryManager.follows(addedAt: .start + .hours(20), lastRun: run))
        #expect(SummaryManager.duration(machines: 800, Tuning()) == .minutes(20))
    }

    @Test("LIV-9 broken: before its first run nothing is followed")
    func noSummary() {
        let run = (began: SimTime.start + .hours(24), ended: SimTime.start + .hours(25))
        #expect(!SummaryManager.follows(addedAt: .start + .hours(20), lastRun: nil))
        #expect(!SummaryManager.follows(addedAt: .start + .hours(26), lastRun: run))
    }
}

extension LIVRules {
    @Test(
        "SCN-4 obeyed: moves inside, between and out of clusters, several in any order, are noticed when VMM is connected"
    )
    func everyMove() {
        let connected = world { $0.connectVMM() }
        let hosts: [Ref<Host>] = [.h1, .n1, .n2, .h2]
        for from in hosts {
            for to in hosts where to != from {
                let inside = [from, to].allSatisfy { $0 == .n1 || $0 == .n2 }
                let notice = connected.moveNotice(of: .beta, from: from, to: to, by: .dpm1)
                #expect(notice == (inside ? .clusterAware : .throughVMM))
            }
        }
    }

    @Test("SCN-4 and LIV-3 broken: without VMM only moves inside the cluster are noticed")
    func withoutVMM() {
        guard case .unnoticed = world().moveNotice(of: .beta, from: .n1, to: .h2, by: .dpm1) else {
            Issue.record("a move out of the cluster was noticed without VMM")
            return
        }
    }

    @Test("LIV-1 broken: a node of another cluster is not inside")
    func otherCluster() {
        let two = world {
            $0.clusters.append(Cluster(name: "c2", domain: .corp))
            $0.clusters[1].nodes = [.h2]
            $0.hosts[.h2].cluster = Ref(1)
        }
        #expect(two.moveNotice(of: .beta, from: .n1, to: .h2, by: .dpm1) != .clusterAware)
    }

    @Test("LIV-4 and LIV-7 obeyed: with everything in place the move is noticed, and the new host backs up")
    func complete() {
        #expect(unnoticed { _ in } == nil)
        #expect(world { $0.connectVMM() }.backupObstacle(for: .alpha, on: .h2) == nil)
    }

    @Test("LIV-6 broken: a move without its storage needs no check")
    func noStorageMove() { #expect(TrackingEvent.moveBetweenHosts.consequence(hasRCT: false).check == .none) }
}
