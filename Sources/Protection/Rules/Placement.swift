public import Units

extension World {
    /// The file server that holds files of this machine on an SMB share; nil if none does.
    public func fileServer(of machine: Machine) -> Ref<FileServer>? {
        for disk in machine.disks { if case .smb(let server) = volumes[disk.volume].kind { return server } }
        return nil
    }

    /// Why a machine's files lie where they cannot be protected from.
    /// - Rule: SCN-1
    /// - Rule: SCN-2
    /// - Rule: SCN-3
    /// - Rule: PRE-6 (whether the volume is deduplicated is never asked)
    /// - Rule: PRE-14
    func placementRefusal(_ m: Ref<Machine>, by server: DPMServer) -> Refusal? {
        let machine = machines[m]
        let object = "machine \(machine.name)"
        let host = hosts[machine.host]
        var (local, remote) = (false, false)
        for disk in machine.disks {
            let volume = volumes[disk.volume]
            switch volume.kind {
            case .local(let owner), .san(let owner), .nas(let owner):
                local = true
                // A SAN volume of one node may be handed to another with its machine.
                guard owner != machine.host, host.cluster == nil || hosts[owner].cluster != host.cluster else { break }
                return Refusal(
                    id: 0, rule: RuleID("SCN", 1), object: object,
                    cause:
                        "It runs on host \(host.name), but its disk is on volume \(volume.name) of host \(hosts[owner].name)",
                    action: "Put the disk on a volume its host reaches")
            case .csv(let cluster):
                local = true
                guard host.cluster != cluster else { break }
                return Refusal(
                    id: 0, rule: RuleID("SCN", 2), object: object,
                    cause: "It runs on host \(host.name), which is no node of cluster \(clusters[cluster].name) "
                        + "that owns volume \(volume.name)",
                    action: "Run it on a node of \(clusters[cluster].name), or move its disk")
            case .smb(let shares):
                remote = true
                if fileServers[shares].isAddressedByIP {
                    return Refusal(
                        id: 0, rule: RuleID("PRE", 14), object: object,
                        cause: "Its share on file server \(fileServers[shares].name) is addressed by IP address",
                        action: "Address the share by the file server's name")
                }
                if host.windows < .ws2012 || server.version < .dpm2012SP1 {
                    return Refusal(
                        id: 0, rule: RuleID("SCN", 3), object: object,
                        cause:
                            "Machines on SMB 3.0 shares need Windows Server 2012 and DPM 2012 SP1; host \(host.name) runs "
                            + "\(host.windows.rawValue) and DPM server \(server.name) is \(server.version.rawValue)",
                        action: "Upgrade what is older, or move the machine's files to storage of the host")
                }
            }
        }
        guard local, remote else { return nil }
        return Refusal(
            id: 0, rule: RuleID("PRE", 14), object: object,
            cause: "Part of it is on storage of its host and part on an SMB share",
            action: "Move all its files to the one or to the other")
    }

    /// Why a DPM server cannot protect machines on a host of this Windows release (support matrix, dpm-facts 5.14).
    /// - Rule: SCN-1
    /// - Rule: SCN-2
    func versionRefusal(_ m: Ref<Machine>, by server: DPMServer) -> Refusal? {
        let host = hosts[machines[m].host]
        let needed: DPMVersion =
            switch host.windows {
            case .ws2008R2: .dpm2010
            case .ws2012: .dpm2012SP1
            case .ws2012R2: .dpm2012R2
            case .ws2016: .dpm2016
            case .ws2019: .dpm2019
            }
        guard server.version < needed else { return nil }
        return Refusal(
            id: 104, rule: RuleID("SCN", host.cluster == nil ? 1 : 2), object: "machine \(machines[m].name)",
            cause: "Host \(host.name) runs Windows Server \(host.windows.rawValue), which DPM server \(server.name) "
                + "(\(server.version.rawValue)) does not know",
            action: "Upgrade the DPM server to \(needed.rawValue)")
    }

    /// Why a replica machine of Hyper-V Replica cannot be protected: both sides must be of 2012 R2 or later.
    /// - Rule: SCN-5
    /// - Rule: PRE-5
    func replicaMachineRefusal(_ m: Ref<Machine>, by server: DPMServer) -> Refusal? {
        guard machines[m].isReplicaMachine else { return nil }
        let host = hosts[machines[m].host]
        guard server.version < .dpm2012R2 || host.windows < .ws2012R2 else { return nil }
        return Refusal(
            id: 0, rule: RuleID("PRE", 5), object: "machine \(machines[m].name)",
            cause: "It is a replica machine, which needs DPM 2012 R2 and Hyper-V 2012 R2; DPM server \(server.name) is "
                + "\(server.version.rawValue) and host \(host.name) runs \(host.windows.rawValue)",
            action: "Upgrade what is older, or protect the machine at its primary site")
    }
}

extension Machine {
    /// A replica machine that has not taken over: it is off and waits.
    /// - Rule: REP-1
    public var isReplicaMachine: Bool { replication != nil && replication != .failedOver }
}
