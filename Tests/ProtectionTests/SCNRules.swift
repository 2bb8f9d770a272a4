import Protection
import Testing
import Units

@Suite("SCN: where protected machines live")
struct SCNRules {
    @Test("SCN-1 obeyed: a host with an agent protects its machines")
    func scn1obeyed() {
        let found = findings()
        #expect(found == [])
    }

    @Test("SCN-1 broken: a stand-alone host without an agent")
    func scn1broken() {
        let found = findings { $0.hosts[.h1].agent = .absent }
        #expect(
            found == [
                "error 45 (SCN-1) host h1: No protection agent is installed on it. Install the agent.",
                "error 45 (SCN-1) machine alpha: Its host h1 has no protection agent. Install the agent.",
                "error 45 (SCN-1) machine gamma: Its host h1 has no protection agent. Install the agent.",
            ])
    }

    @Test("SCN-1 broken: a disabled agent")
    func scn1broken2() {
        let found = findings { $0.hosts[.h1].agent = .disabled }
        #expect(
            found == [
                "error 30186 (SCN-1) host h1: Its protection agent was disabled by an administrator. Enable the "
                    + "agent."
            ])
    }

    @Test("SCN-1 broken: a host not restarted after the agent came")
    func scn1broken3() {
        let found = findings { $0.hosts[.h1].agent = .restartPending }
        #expect(
            found == [
                "error 48 (SCN-1) host h1: It was not restarted after the protection agent was installed. "
                    + "Restart it, then run a consistency check."
            ])
    }

    @Test("SCN-1 broken: a disk on a volume of another host")
    func scn1broken4() {
        let found = findings { $0.machines[.alpha].disks[0].volume = .local2 }
        #expect(
            found == [
                "error (SCN-1) machine alpha: It runs on host h1, but its disk is on volume local2 of host h2. "
                    + "Put the disk on a volume its host reaches."
            ])
    }

    @Test("SCN-1 broken: a host newer than the DPM server knows")
    func scn1broken5() {
        let found = findings { $0.hosts[.h1].windows = .ws2019 }
        #expect(
            found == [
                "error 104 (SCN-1) machine alpha: Host h1 runs Windows Server 2019, which DPM server dpm1 (2016) "
                    + "does not know. Upgrade the DPM server to 2019.",
                "error 104 (SCN-1) machine gamma: Host h1 runs Windows Server 2019, which DPM server dpm1 (2016) "
                    + "does not know. Upgrade the DPM server to 2019.",
            ])
    }

    @Test("SCN-1 obeyed: a host without protected machines needs no agent")
    func scn1obeyed2() {
        let found = findings { $0.hosts[.h2].agent = .absent }
        #expect(found == [])
    }

    @Test("SCN-2 obeyed: every node with an agent protects machines on a CSV")
    func scn2obeyed() {
        let found = findings { $0.machines[.beta].host = .n2 }
        #expect(found == [])
    }

    @Test("SCN-2 broken: one node of a cluster without an agent")
    func scn2broken() {
        let found = findings { $0.hosts[.n2].agent = .absent }
        #expect(
            found == [
                "error 45 (SCN-2) host n2: No protection agent is installed on it, and every node of cluster c1 "
                    + "needs one. Install the agent."
            ])
    }

    @Test("SCN-2 broken: no node of a cluster with an agent")
    func scn2broken2() {
        let found = findings {
            $0.hosts[.n1].agent = .absent
            $0.hosts[.n2].agent = .absent
        }
        #expect(
            found == [
                "error 45 (SCN-2) host n1: No protection agent is installed on it, and every node of cluster c1 "
                    + "needs one. Install the agent.",
                "error 45 (SCN-2) host n2: No protection agent is installed on it, and every node of cluster c1 "
                    + "needs one. Install the agent.",
                "error 45 (SCN-2) machine beta: No node of cluster c1 has a protection agent. Install the agent "
                    + "on every node.",
            ])
    }

    @Test("SCN-2 broken: agents of different versions")
    func scn2broken3() {
        let found = findings { $0.hosts[.n2].agent = .incompatible }
        #expect(
            found == [
                "error 30230 (SCN-2) host n2: Its protection agent is not of the same version as on the other "
                    + "nodes. Upgrade the agent."
            ])
    }

    @Test("SCN-2 broken: a disk on the CSV of a cluster the host is no node of")
    func scn2broken4() {
        let found = findings { $0.machines[.alpha].disks[0].volume = .csv1 }
        #expect(
            found == [
                "error (SCN-2) machine alpha: It runs on host h1, which is no node of cluster c1 that owns "
                    + "volume csv1. Run it on a node of c1, or move its disk."
            ])
    }

    @Test("SCN-3 broken: a file server without an agent")
    func scn3broken() {
        let found = findings { $0.fileServers[.fs1].nodesWithAgent = 0 }
        #expect(
            found == [
                "error 45 (SCN-3) file server fs1: No protection agent is installed on it. Install the agent."
            ])
    }

    @Test("SCN-3 broken: one node of a file server without an agent")
    func scn3broken2() {
        let found = findings {
            $0.fileServers[.fs1].nodes = 3
            $0.fileServers[.fs1].nodesWithAgent = 2
        }
        #expect(
            found == [
                "error 45 (SCN-3) file server fs1: Only 2 of its 3 nodes have a protection agent. Install the "
                    + "agent on every node."
            ])
    }

    @Test("SCN-3 broken: a host older than SMB 3.0")
    func scn3broken3() {
        let found = findings { $0.hosts[.h1].windows = .ws2008R2 }
        #expect(
            found == [
                "error (SCN-3) machine gamma: Machines on SMB 3.0 shares need Windows Server 2012 and DPM 2012 "
                    + "SP1; host h1 runs 2008 R2 and DPM server dpm1 is 2016. Upgrade what is older, or move the "
                    + "machine's files to storage of the host."
            ])
    }

    @Test("SCN-3 obeyed: a share that holds no protected machine is not asked")
    func scn3obeyed() {
        let found = findings {
            $0.groups[.gold].members = [.alpha]
            $0.fileServers[.fs1].nodesWithAgent = 0
        }
        #expect(found == [])
    }

    @Test("SCN-5 obeyed: a replica machine on 2012 R2")
    func scn5obeyed() {
        let found = findings {
            $0.machines[.alpha].replication = .normal
            $0.hosts[.h1].windows = .ws2012R2
        }
        #expect(found == [])
    }

    @Test("SCN-5 broken: a replica machine on an older host")
    func scn5broken() {
        let found = findings {
            $0.machines[.alpha].replication = .normal
            $0.hosts[.h1].windows = .ws2012
        }
        #expect(
            found == [
                "error (PRE-5) machine alpha: It is a replica machine, which needs DPM 2012 R2 and Hyper-V 2012 "
                    + "R2; DPM server dpm1 is 2016 and host h1 runs 2012. Upgrade what is older, or protect the "
                    + "machine at its primary site."
            ])
    }
}
