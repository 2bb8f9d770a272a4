public import Units

/// How things stand when a recovery is asked for, as far as the configuration does not say.
public struct RecoverySituation: Hashable, Sendable {
    /// The recovery point that was found; nil if there is none so old.
    public var place: RecoveryPlace?
    /// The DPM server that recovers.
    public var server: Ref<DPMServer>
    public var serverIsUp = true
    /// Where the machine is now.
    public var host: Ref<Host>
    public var volume: Ref<Volume>
    /// The computer the recovery writes to is up, and the DPM server reaches it.
    public var targetIsReachable = true
    /// The volume the recovery writes to is not lost.
    public var volumeIsThere = true
    /// Bytes the recovery writes, and bytes that are free where it writes.
    public var bytes = Bytes.zero
    public var room = Bytes.zero
    /// Another recovery of the same machine runs.
    public var isBusy = false
    /// Library and a drive that reads the tapes work; the certificate is there.
    public var libraryWorks = true
    public var hasCertificate = true

    public init(server: Ref<DPMServer>, host: Ref<Host>, volume: Ref<Volume>) {
        (self.server, self.host, self.volume) = (server, host, volume)
    }
}

extension World {
    /// Why a recovery cannot be done as asked; nil if it can. The ids are those of dpm-facts 6 and 7.
    /// - Rule: REC-1
    public func recoveryRefusal(_ request: RecoveryRequest, _ situation: RecoverySituation) -> Refusal? {
        let object = "machine \(machines[request.machine].name)"
        func refuse(_ id: Int, _ cause: String, _ action: String) -> Refusal {
            Refusal(id: id, rule: RuleID("REC", 1), object: object, cause: cause, action: action)
        }
        guard situation.serverIsUp else {
            return refuse(976, "The DPM server is down", "Start it, and recover again")
        }
        guard let place = situation.place else {
            let source = request.source.map { " in the place asked for (\($0.title.lowercased()))" } ?? ""
            return refuse(
                202, "It has no recovery point as old as asked for" + source, "Choose another day of the calendar")
        }
        if situation.isBusy {
            return refuse(98, "Another recovery of it is running", "Wait until that ends, or cancel it")
        }
        return itemRefusal(request, place, situation) ?? sourceRefusal(request, place, situation)
            ?? destinationRefusal(request, situation) ?? optionRefusal(request, situation)
    }

    /// Why what was chosen cannot be brought back, or not to there.
    /// - Rule: REC-4
    private func itemRefusal(
        _ request: RecoveryRequest, _ place: RecoveryPlace, _ situation: RecoverySituation
    ) -> Refusal? {
        let machine = machines[request.machine]
        func refuse(_ id: Int, _ cause: String, _ action: String) -> Refusal {
            Refusal(
                id: id, rule: RuleID("REC", 4), object: "machine \(machine.name)", cause: cause, action: action)
        }
        switch request.what {
        case .machine:
            guard machine.level.recovers.contains(.wholeMachine) else {
                return refuse(
                    0, "It is protected by the agent in it, which does not back up the machine itself",
                    "Recover files and folders")
            }
            return nil
        case .disks(let places):
            if places.isEmpty || places.contains(where: { !machine.disks.indices.contains($0) }) {
                return refuse(
                    0, "It has not the disks that were asked for", "Choose from its \(machine.disks.count) disks")
            }
            if places.contains(where: { machine.disks[$0].format == .passThrough }) {
                return refuse(0, "A pass-through disk is in no recovery point", "Recover it from a backup in the guest")
            }
        case .volumes(let numbers):
            if numbers.isEmpty { return refuse(0, "No volume was chosen", "Choose one") }
        case .files(_, let paths):
            if paths.isEmpty { return refuse(0, "No file or folder was chosen", "Choose one") }
        }
        guard case .networkFolder = request.to else {
            return refuse(
                0, "Parts of a machine are recovered to a network folder only", "Choose a folder, or the whole machine")
        }
        guard request.what.isItemLevel else { return nil }
        if place.source == .tape {
            return refuse(
                1001, "Volumes, files and folders are not recovered out of a machine on tape",
                "Recover the machine or its disks from tape to a folder, and take the files from there")
        }
        return itemLevelRefusal(on: situation.server)
    }

    /// Why the recovery point cannot be read where it lies.
    /// - Rule: REC-6
    private func sourceRefusal(
        _ request: RecoveryRequest, _ place: RecoveryPlace, _ situation: RecoverySituation
    ) -> Refusal? {
        func refuse(_ id: Int, _ cause: String, _ action: String) -> Refusal {
            Refusal(
                id: id, rule: RuleID("REC", 6), object: "machine \(machines[request.machine].name)", cause: cause,
                action: action)
        }
        switch place.source {
        case .disk, .online: return nil
        case .secondary:
            guard request.to == .original else { return nil }
            return refuse(
                31213, "The secondary DPM server recovers nothing to the original place",
                "Recover to another host, or switch protection to the secondary server first")
        case .tape:
            if !situation.libraryWorks {
                return refuse(
                    235, "No library is online that reads its tapes (\(place.tapes.joined(separator: ", ")))",
                    "Bring the library and a drive online")
            }
            if place.isEncrypted, !situation.hasCertificate {
                return refuse(
                    24071, "Its tapes are encrypted, and the certificate is not on the DPM server",
                    "Import the certificate with its key")
            }
            return nil
        }
    }

    /// Why the recovery cannot write to where it is asked to.
    private func destinationRefusal(_ request: RecoveryRequest, _ situation: RecoverySituation) -> Refusal? {
        switch request.to {
        case .original: originalRefusal(request.machine, situation)
        case .host(let host, let volume, let folder):
            hostRefusal(request.machine, host, volume, folder, situation)
        case .networkFolder(let host, let volume, let folder):
            folderRefusal(host, volume, folder) ?? roomRefusal(host, volume, situation, rule: 4)
        }
    }

    /// Where it was: on the cluster its resource group must still be there.
    /// - Rule: REC-2
    private func originalRefusal(_ m: Ref<Machine>, _ situation: RecoverySituation) -> Refusal? {
        let machine = machines[m]
        func refuse(_ id: Int, _ cause: String, _ action: String) -> Refusal {
            Refusal(
                id: id, rule: RuleID("REC", 2), object: "machine \(machine.name)", cause: cause, action: action)
        }
        if !situation.targetIsReachable || agentRefusal(of: situation.host) != nil {
            return refuse(
                31200, "The agent on its host \(hosts[situation.host].name) cannot be reached to begin",
                "Bring host and agent back, or recover to another host")
        }
        if !situation.volumeIsThere {
            return refuse(
                104, "Volume \(volumes[situation.volume].name), where it was, is lost",
                "Bring the volume back, or recover to another host")
        }
        if hosts[situation.host].cluster != nil, !machine.resourceGroupOnline {
            return refuse(
                32579, "Its cluster resource group is not there or not online",
                "Recover to another location, and make the machine highly available by hand")
        }
        return nil
    }

    /// Any host with Hyper-V, whatever its processor; what it takes is an agent and a place for the files.
    /// - Rule: REC-3
    private func hostRefusal(
        _ m: Ref<Machine>, _ host: Ref<Host>, _ volume: Ref<Volume>, _ folder: String, _ situation: RecoverySituation
    ) -> Refusal? {
        func refuse(_ id: Int, _ cause: String, _ action: String) -> Refusal {
            Refusal(
                id: id, rule: RuleID("REC", 3), object: "host \(hosts[host].name)", cause: cause, action: action)
        }
        if !situation.targetIsReachable || agentRefusal(of: host) != nil {
            return refuse(31200, "Its agent cannot be reached to begin", "Bring host and agent back")
        }
        if let refusal = recoveryRefusal(to: host) { return refusal }
        if let fault = volumeFault(host, volume) {
            return refuse(hosts[host].cluster == nil ? 31074 : 32613, fault.cause, fault.action)
        }
        return folderNameRefusal(folder, rule: 3) ?? roomRefusal(host, volume, situation, rule: 3)
    }

    /// A folder on a volume of a computer that is protected too; the guest needs no agent.
    /// - Rule: REC-4
    private func folderRefusal(_ host: Ref<Host>, _ volume: Ref<Volume>, _ folder: String) -> Refusal? {
        if agentRefusal(of: host) != nil {
            return Refusal(
                id: 31074, rule: RuleID("REC", 4), object: "host \(hosts[host].name)",
                cause: "It is not protected: its agent is absent or does not answer", action: "Choose another computer")
        }
        if let fault = volumeFault(host, volume) {
            return Refusal(
                id: 247, rule: RuleID("REC", 4), object: "host \(hosts[host].name)", cause: fault.cause,
                action: fault.action)
        }
        return folderNameRefusal(folder, rule: 4)
    }

    /// A host writes to its own volumes, and a node to those of its cluster.
    private func volumeFault(_ host: Ref<Host>, _ volume: Ref<Volume>) -> (cause: String, action: String)? {
        let name = volumes[volume].name
        switch volumes[volume].kind {
        case .local(let owner), .san(let owner), .nas(let owner):
            return owner == host
                ? nil : ("Volume \(name) is not one of its own", "Choose a volume of \(hosts[host].name)")
        case .csv(let cluster):
            return hosts[host].cluster == cluster
                ? nil
                : (
                    "Volume \(name) is not under ClusterStorage of its cluster",
                    "Choose a path ClusterStorage\\VolumeN of the cluster"
                )
        case .smb:
            return ("Volume \(name) is a remote share", "Choose a volume of \(hosts[host].name)")
        }
    }

    private func folderNameRefusal(_ folder: String, rule: Int) -> Refusal? {
        let parts = folder.split(separator: "\\", omittingEmptySubsequences: false)
        let isWrong = parts.contains {
            $0.isEmpty || $0.allSatisfy { $0 == "." } || $0.contains { "<>:\"/|?*".contains($0) || $0.isNewline }
        }
        guard isWrong else { return nil }
        return Refusal(
            id: 247, rule: RuleID("REC", rule), object: "folder \(folder)",
            cause: "It is not a path of folders below a volume", action: "Write names with \\ between them")
    }

    private func roomRefusal(
        _ host: Ref<Host>, _ volume: Ref<Volume>, _ situation: RecoverySituation, rule: Int
    ) -> Refusal? {
        if !situation.volumeIsThere {
            return Refusal(
                id: 104, rule: RuleID("REC", rule), object: "volume \(volumes[volume].name)", cause: "It is lost",
                action: "Bring it back, or choose another volume of \(hosts[host].name)")
        }
        guard situation.bytes > situation.room else { return nil }
        return Refusal(
            id: 57, rule: RuleID("REC", rule), object: "volume \(volumes[volume].name)",
            cause: "It has \(situation.room.rounded) free, and \(situation.bytes.rounded) are to be recovered",
            action: "Free space on it, or choose another volume of \(hosts[host].name)")
    }

    /// What the options page of the wizard does not take.
    /// - Rule: REC-5
    private func optionRefusal(_ request: RecoveryRequest, _ situation: RecoverySituation) -> Refusal? {
        func refuse(_ id: Int, _ cause: String, _ action: String) -> Refusal {
            Refusal(
                id: id, rule: RuleID("REC", 5), object: "recovery of machine \(machines[request.machine].name)",
                cause: cause, action: action)
        }
        if let throttle = request.throttle,
            let rate = [throttle.workRate, throttle.otherRate].first(where: { !Throttle.bounds.contains($0) })
        {
            return refuse(140, "Its throttle of \(rate) is outside 1 to 10 000 Mbit/s", "Choose a rate in that range")
        }
        if request.what.isItemLevel, request.usesSAN || !request.notifies.isEmpty {
            return refuse(
                0, "Recovery of volumes, files and folders has neither SAN recovery nor e-mail",
                "Leave these options out")
        }
        if request.usesSAN {
            let target: Ref<Volume> =
                switch request.to {
                case .original: situation.volume
                case .host(_, let volume, _), .networkFolder(_, let volume, _): volume
                }
            if volumes[target].vssProvider != .hardware {
                return refuse(
                    24083, "No snapshot of storage hardware can be mounted on volume \(volumes[target].name)",
                    "Mount it first on storage with a hardware provider, or recover over the network")
            }
        }
        if !request.notifies.isEmpty {
            guard request.notifies.contains("@") else {
                return refuse(245, "\(request.notifies) is not an e-mail address", "Give the address of a person")
            }
            guard servers[situation.server].smtp != nil else {
                return refuse(
                    219, "DPM server \(servers[situation.server].name) has no SMTP server to send e-mail by",
                    "Set its SMTP server, or leave the e-mail out")
            }
        }
        return nil
    }

    /// Whether a machine is highly available once it is recovered: at its old place as it was, elsewhere never by itself.
    /// - Rule: REC-2
    /// - Rule: REC-3
    public func isHighlyAvailable(after request: RecoveryRequest, from host: Ref<Host>) -> Bool {
        switch request.to {
        case .original: hosts[host].cluster != nil
        case .host, .networkFolder: false
        }
    }
}

extension Throttle {
    /// What DPM takes as a rate: 1 to 10 000 Mbit/s (dpm-facts 3.9).
    public static let bounds = ByteRate(bytesPerSecond: 125_000)...ByteRate(bytesPerSecond: 1_250_000_000)
}
