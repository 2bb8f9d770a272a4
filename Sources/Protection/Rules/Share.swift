public import Units

extension World {
    /// What an SMB file server lacks for backups of the machines on its shares, each in its own words; empty if nothing.
    /// - Rule: SCN-3
    /// - Rule: PRE-13
    public func shareRefusals(of server: Ref<FileServer>) -> [Refusal] {
        let shares = fileServers[server]
        let object = "file server \(shares.name)"
        let rule = RuleID("PRE", 13)
        var found: [Refusal] = []
        if shares.nodesWithAgent < shares.nodes {
            found.append(
                Refusal(
                    id: 45, rule: RuleID("SCN", 3), object: object,
                    cause: shares.nodes == 1
                        ? "No protection agent is installed on it"
                        : "Only \(shares.nodesWithAgent) of its \(shares.nodes) nodes have a protection agent",
                    action: shares.nodes == 1 ? "Install the agent" : "Install the agent on every node"))
        }
        if !shares.shareRights || !shares.folderRights {
            let missing =
                shares.shareRights ? "the folder" : shares.folderRights ? "the share" : "the share and the folder"
            found.append(
                Refusal(
                    id: 42, rule: rule, object: object,
                    cause: "The Hyper-V host's machine account lacks full rights on \(missing)",
                    action: "Give the machine account of every host full control on share and folder"))
        }
        if !shares.hasVSSAgentService {
            found.append(
                Refusal(
                    id: 30114, rule: rule, object: object,
                    cause:
                        "The File Server VSS Agent Service is not installed, so nothing can take a snapshot of its shares",
                    action: "Add the role service File Server VSS Agent Service"))
        }
        if !shares.autoMount {
            found.append(
                Refusal(
                    id: 30111, rule: rule, object: object,
                    cause: "Auto-mount is off, so snapshots get no volume name (0x800423F4)",
                    action: "Turn it on with mountvol /E"))
        }
        if shares.tcpChimney {
            found.append(
                Refusal(
                    id: 911, rule: rule, object: object,
                    cause: "TCP Chimney offload is on, so transfers stall without an error until their time is up",
                    action: "Turn it off with netsh int tcp set global chimney=disabled"))
        }
        return found
    }

    /// Why nothing can be recovered to this host: a computer that uses remote SMB shares takes no recovery.
    /// - Rule: PRE-14
    public func recoveryRefusal(to host: Ref<Host>) -> Refusal? {
        guard machines.contains(where: { $0.host == host && fileServer(of: $0) != nil }) else { return nil }
        return Refusal(
            id: 0, rule: RuleID("PRE", 14), object: "host \(hosts[host].name)",
            cause: "It uses remote SMB shares, and recovery to such a computer is not supported",
            action: "Recover to a host with its own storage")
    }
}

/// The longest path whose machine can still be mounted after a recovery to another location is one character shorter.
public let recoveryPathLimit = 260

/// What is reported when a recovery to another location writes paths that are too long; nil if all are short enough. The
/// recovery itself is done.
/// - Rule: PRE-15
public func longPathWarning(machine: String, componentPaths: [String]) -> Refusal? {
    guard let path = componentPaths.first(where: { $0.utf16.count >= recoveryPathLimit }) else { return nil }
    return Refusal(
        id: 104, rule: RuleID("PRE", 15), object: "machine \(machine)",
        cause:
            "It was recovered, but cannot be mounted: a path has \(path.utf16.count) characters and must have fewer than "
            + "\(recoveryPathLimit) (\(path))",
        action: "Recover it again to a shorter path")
}
