import Protection
import Testing
import Units

@Suite("PRE: prerequisites and limits")
struct PRERules {
    @Test("PRE-1 obeyed: a server within its limits")
    func pre1obeyed() {
        let found = findings()
        #expect(found == [])
    }

    @Test("PRE-1 broken: more machines than guidance")
    func pre1broken() {
        let found = findings {
            $0.groups[.gold].members = []
            $0.machines = (0..<801).map { SmallWorld.machine("m\($0)", .n1, .csv1) }
            $0.groups[.gold].members = (0..<801).map { Ref($0) }
        }
        #expect(
            found == [
                "error 32582 (PRE-1) DPM server dpm1: It protects 801 machines; guidance is 800. Add a DPM "
                    + "server and share the machines out.",
                "error 31220 (PRE-1) DPM server dpm1: Its groups keep 11214 recovery points on disk; guidance is "
                    + "9000. Keep fewer days, make fewer recovery points a week, or add a DPM server.",
            ])
    }

    @Test("PRE-1 broken: more data than guidance")
    func pre1broken2() {
        let found = findings { $0.machines[.beta].disks[0].size = .terabytes(90) }
        #expect(
            found == [
                "error 32584 (PRE-1) DPM server dpm1: It protects 90.2 TB of disks; guidance is 80 TB of 1024 "
                    + "GB. Add a DPM server and share the machines out."
            ])
    }

    @Test("PRE-1 broken: a pool of more than 120 TB")
    func pre1broken3() {
        let found = findings { $0.poolVolumes[0].capacity = .terabytes(150) }
        #expect(
            found == [
                "error 32585 (PRE-1) DPM server dpm1: Its storage pool has 150 TB; guidance is 120 TB of 1024 "
                    + "GB. Add a DPM server and share the storage out."
            ])
    }

    @Test("PRE-1 broken: too many machines on a volume of a host without RCT")
    func pre1broken4() {
        let found = findings {
            $0.servers[.dpm1].version = .dpm2012R2
            for i in 0..<4 { $0.hosts[i].windows = .ws2012R2 }
            $0.machines = (0..<101).map { SmallWorld.machine("m\($0)", .h1, .local1) }
            $0.groups[.gold].members = (0..<101).map { Ref($0) }
        }
        #expect(
            found == [
                "error 30130 (PRE-1) volume local1: It holds 101 protected machines without tracking by the "
                    + "hypervisor; the agent tracks 100. Spread the machines over more volumes."
            ])
    }

    @Test("PRE-3 obeyed: a trusted domain")
    func pre3obeyed() {
        let found = findings {
            $0.hosts[.h1].domain = .away
            $0.domains[.away].trusts = [.corp]
        }
        #expect(found == [])
    }

    @Test("PRE-3 obeyed: a child domain")
    func pre3obeyed2() {
        let found = findings {
            $0.hosts[.h1].domain = .away
            $0.domains[.away].parent = .corp
        }
        #expect(found == [])
    }

    @Test("PRE-3 obeyed: a workgroup host by NTLM")
    func pre3obeyed3() {
        let found = findings {
            $0.hosts[.h1].domain = .away
            $0.domains[.away].isWorkgroup = true
            $0.hosts[.h1].authentication = .ntlm
        }
        #expect(found == [])
    }

    @Test("PRE-3 obeyed: an untrusted cluster by certificate")
    func pre3obeyed4() {
        let found = findings {
            for h in [Ref<Host>.n1, .n2] {
                $0.hosts[h].domain = .away
                $0.hosts[h].authentication = .certificate
            }
        }
        #expect(found == [])
    }

    @Test("PRE-3 broken: an untrusted host")
    func pre3broken() {
        let found = findings { $0.hosts[.h1].domain = .away }
        #expect(
            found == [
                "error 270 (PRE-3) machine alpha: Its host h1 cannot be authenticated. It is in domain away, "
                    + "which DPM server dpm1 in domain corp has no trust with. Set its authentication to ntlm or "
                    + "certificate, or let the domains trust each other.",
                "error 270 (PRE-3) machine gamma: Its host h1 cannot be authenticated. It is in domain away, "
                    + "which DPM server dpm1 in domain corp has no trust with. Set its authentication to ntlm or "
                    + "certificate, or let the domains trust each other.",
            ])
    }

    @Test("PRE-3 broken: a workgroup host")
    func pre3broken2() {
        let found = findings {
            $0.hosts[.h1].domain = .away
            $0.domains[.away].isWorkgroup = true
        }
        #expect(
            found == [
                "error 270 (PRE-3) machine alpha: Its host h1 cannot be authenticated. It is in workgroup away, "
                    + "which DPM server dpm1 in domain corp has no trust with. Set its authentication to ntlm or "
                    + "certificate, or let the domains trust each other.",
                "error 270 (PRE-3) machine gamma: Its host h1 cannot be authenticated. It is in workgroup away, "
                    + "which DPM server dpm1 in domain corp has no trust with. Set its authentication to ntlm or "
                    + "certificate, or let the domains trust each other.",
            ])
    }

    @Test("PRE-3 broken: an untrusted cluster by NTLM")
    func pre3broken3() {
        let found = findings {
            $0.hosts[.n1].domain = .away
            $0.hosts[.n1].authentication = .ntlm
        }
        #expect(
            found == [
                "error 270 (PRE-3) machine beta: Its host n1 cannot be authenticated. It is in domain away, "
                    + "which DPM server dpm1 in domain corp has no trust with, and nodes of clusters are authenticated "
                    + "by certificate only. Set its authentication to certificate, or let the domains trust each other."
            ])
    }

    @Test("PRE-4 obeyed: secondary protection of a cluster that one server protects")
    func pre4obeyed() {
        let found = findings { $0.addServer("dpm2", primary: .dpm1, members: [.beta]) }
        #expect(found == [])
    }

    @Test("PRE-4 obeyed: a stand-alone host protected by a primary and a secondary")
    func pre4obeyed2() {
        let found = findings { $0.addServer("dpm2", primary: .dpm1, members: [.alpha]) }
        #expect(found == [])
    }

    @Test("PRE-4 broken: secondary protection of a cluster that two servers share")
    func pre4broken() {
        let found = findings {
            $0.machines.append(SmallWorld.machine("delta", .n2, .csv1))
            $0.addServer("dpm2", primary: nil, members: [Ref(3)])
            $0.addServer("dpm3", primary: .dpm1, members: [.beta])
        }
        #expect(
            found == [
                "error (PRE-4) machine beta: Cluster c1 is shared by DPM servers dpm1, dpm2, and a cluster "
                    + "shared by several cannot have secondary protection. Protect the whole cluster with one DPM "
                    + "server, or do without secondary protection."
            ])
    }

    @Test("PRE-4 broken: secondary protection of what the primary does not protect")
    func pre4broken2() {
        let found = findings {
            $0.groups[.gold].members = [.alpha]
            $0.addServer("dpm2", primary: .dpm1, members: [.beta])
        }
        #expect(
            found == [
                "error 31206 (PRE-4) machine beta: Primary server dpm1 does not protect it, so secondary server "
                    + "dpm2 cannot. Protect it with dpm1 first."
            ])
    }

    @Test("PRE-4 broken: a secondary of another version")
    func pre4broken3() {
        let found = findings {
            $0.addServer("dpm2", primary: .dpm1, members: [.beta])
            $0.servers[1].version = .dpm2019
        }
        #expect(
            found == [
                "error 31242 (PRE-4) DPM server dpm2: It is of version 2019 and its primary dpm1 of 2016; they "
                    + "must match. Upgrade the older one."
            ])
    }

    @Test("PRE-5 broken: a replica machine on an older DPM server")
    func pre5broken() {
        let found = findings {
            $0.machines[.alpha].replication = .normal
            for i in 0..<4 { $0.hosts[i].windows = .ws2012 }
            $0.servers[.dpm1].version = .dpm2012SP1
        }
        #expect(
            found == [
                "error (PRE-5) machine alpha: It is a replica machine, which needs DPM 2012 R2 and Hyper-V 2012 "
                    + "R2; DPM server dpm1 is 2012 SP1 and host h1 runs 2012. Upgrade what is older, or protect the "
                    + "machine at its primary site."
            ])
    }

    @Test("PRE-6 obeyed: a deduplicated volume")
    func pre6obeyed() {
        let found = findings { for i in 0..<4 { $0.volumes[i].isDeduplicated = true } }
        #expect(found == [])
    }

    @Test("PRE-7 broken: integration components of another version")
    func pre7broken() {
        let found = findings { $0.machines[.beta].integrationMatches = false }
        #expect(
            found == [
                "error 30112 (PRE-7) machine beta: Its integration components are not of the version of host n1, "
                    + "so online backups may fail. Update the integration components in the guest."
            ])
    }

    @Test("PRE-13 broken: auto-mount is off")
    func pre13broken() {
        let found = findings { $0.fileServers[.fs1].autoMount = false }
        #expect(
            found == [
                "error 30111 (PRE-13) file server fs1: Auto-mount is off, so snapshots get no volume name "
                    + "(0x800423F4). Turn it on with mountvol /E."
            ])
    }

    @Test("PRE-5 obeyed: a replica machine on DPM and Hyper-V of 2012 R2")
    func pre5obeyed() {
        let found = findings {
            $0.machines[.alpha].replication = .normal
            for i in 0..<4 { $0.hosts[i].windows = .ws2012R2 }
            $0.servers[.dpm1].version = .dpm2012R2
        }
        #expect(found == [])
    }

    @Test("PRE-13 broken: TCP Chimney is on")
    func pre13broken2() {
        let found = findings { $0.fileServers[.fs1].tcpChimney = true }
        #expect(
            found == [
                "error 911 (PRE-13) file server fs1: TCP Chimney offload is on, so transfers stall without an "
                    + "error until their time is up. Turn it off with netsh int tcp set global chimney=disabled."
            ])
    }

    @Test("PRE-13 broken: no File Server VSS Agent Service")
    func pre13broken3() {
        let found = findings { $0.fileServers[.fs1].hasVSSAgentService = false }
        #expect(
            found == [
                "error 30114 (PRE-13) file server fs1: The File Server VSS Agent Service is not installed, so "
                    + "nothing can take a snapshot of its shares. Add the role service File Server VSS Agent Service."
            ])
    }

    @Test("PRE-13 broken: no rights on the share")
    func pre13broken4() {
        let found = findings { $0.fileServers[.fs1].shareRights = false }
        #expect(
            found == [
                "error 42 (PRE-13) file server fs1: The Hyper-V host's machine account lacks full rights on the "
                    + "share. Give the machine account of every host full control on share and folder."
            ])
    }

    @Test("PRE-13 broken: no rights on share and folder, and no auto-mount")
    func pre13broken5() {
        let found = findings {
            $0.fileServers[.fs1].shareRights = false
            $0.fileServers[.fs1].folderRights = false
            $0.fileServers[.fs1].autoMount = false
        }
        #expect(
            found == [
                "error 42 (PRE-13) file server fs1: The Hyper-V host's machine account lacks full rights on the "
                    + "share and the folder. Give the machine account of every host full control on share and folder.",
                "error 30111 (PRE-13) file server fs1: Auto-mount is off, so snapshots get no volume name "
                    + "(0x800423F4). Turn it on with mountvol /E.",
            ])
    }

    @Test("PRE-14 broken: part local and part remote")
    func pre14broken() {
        let found = findings {
            $0.machines[.gamma].disks.append(SmallWorld.machine("x", .h1, .local1).disks[0])
        }
        #expect(
            found == [
                "error (PRE-14) machine gamma: Part of it is on storage of its host and part on an SMB share. "
                    + "Move all its files to the one or to the other."
            ])
    }

    @Test("PRE-14 broken: a share by IP address")
    func pre14broken2() {
        let found = findings { $0.fileServers[.fs1].isAddressedByIP = true }
        #expect(
            found == [
                "error (PRE-14) machine gamma: Its share on file server fs1 is addressed by IP address. Address "
                    + "the share by the file server's name."
            ])
    }

    @Test("PRE-7 obeyed: a guest-level machine has no integration components to match")
    func pre7obeyed() {
        let found = findings {
            $0.machines[.beta].integrationMatches = false
            $0.machines[.beta].level = .guest
        }
        #expect(found == [])
    }

    @Test("PRE-13 obeyed: a file server with all it needs on every node")
    func pre13obeyed() {
        let found = findings {
            $0.fileServers[.fs1].nodes = 2
            $0.fileServers[.fs1].nodesWithAgent = 2
        }
        #expect(found == [])
    }

    @Test("PRE-14 obeyed: all disks of a machine on one share")
    func pre14obeyed() {
        let found = findings { $0.machines[.gamma].disks.append($0.machines[.gamma].disks[0]) }
        #expect(found == [])
    }
}
