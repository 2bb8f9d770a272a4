public import Units

/// What the last page of the Recovery wizard says before anything begins, line by line.
public struct RecoverySummary: Hashable, Sendable {
    public struct Line: Hashable, Sendable {
        public var title: String
        public var text: String
    }
    public var lines: [Line]
}

extension World {
    /// The summary of a recovery that is allowed.
    /// - Rule: REC-7
    /// - Parameter bytes: what it writes.
    public func recoverySummary(
        _ request: RecoveryRequest, _ place: RecoveryPlace, bytes: Bytes, from host: Ref<Host>, clock: CivilClock
    ) -> RecoverySummary {
        var lines: [RecoverySummary.Line] = []
        func line(_ title: String, _ text: String) { lines.append(RecoverySummary.Line(title: title, text: text)) }
        line("Machine", machines[request.machine].name)
        line("Recovery point", "\(clock.text(place.at)), \(place.consistency.title)")
        line("Location", place.source.title + (place.tapes.isEmpty ? "" : ": " + place.tapes.joined(separator: ", ")))
        line("Items", "\(request.what.title), \(bytes.rounded)")
        line("Destination", title(of: request.to))
        if let throttle = request.throttle {
            line(
                "Network bandwidth",
                "\(throttle.workRate) in work hours \(throttle.workHours), \(throttle.otherRate) otherwise")
        }
        if request.usesSAN { line("SAN recovery", "snapshots of the storage hardware") }
        if !request.notifies.isEmpty { line("E-mail", request.notifies) }
        for text in consequences(of: request, from: host) { line("Then", text) }
        return RecoverySummary(lines: lines)
    }

    private func consequences(of request: RecoveryRequest, from host: Ref<Host>) -> [String] {
        switch request.to {
        case .original:
            return [
                "The machine's present disks are deleted, and its jobs cancelled",
                "Its replica is inconsistent until a consistency check",
                isHighlyAvailable(after: request, from: host) ? "The machine is highly available, as before" : nil,
            ].compactMap { $0 }
        case .host(let target, _, _):
            return [
                "Check the configuration, and connect the network adapter",
                hosts[target].cluster == nil ? nil : "The machine is not highly available until it is made so by hand",
            ].compactMap { $0 }
        case .networkFolder: return []
        }
    }

    /// The volume's own name, without its owner's: what a path has.
    public func folderName(of volume: Ref<Volume>) -> String {
        volumes[volume].name.split(separator: "/").last.map(String.init) ?? volumes[volume].name
    }

    /// `host hv-02, volume data, folder restored`.
    public func title(of destination: RecoveryRequest.Destination) -> String {
        switch destination {
        case .original: "original instance"
        case .host(let host, let volume, let folder):
            "host \(hosts[host].name), volume \(folderName(of: volume)), folder \(folder)"
        case .networkFolder(let host, let volume, let folder):
            "folder \\\\\(hosts[host].name)\\\(folderName(of: volume))\\\(folder)"
        }
    }
}

extension RecoveryRequest.Selection {
    /// `whole machine`, `disks 1 and 2`, `3 files and folders of volume 2`.
    public var title: String {
        func list(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ", ") }
        switch self {
        case .machine: return "whole machine"
        case .disks(let places): return (places.count == 1 ? "disk " : "disks ") + list(places.map { $0 + 1 })
        case .volumes(let numbers): return (numbers.count == 1 ? "volume " : "volumes ") + list(numbers)
        case .files(let volume, let paths):
            return paths.count == 1
                ? "\(paths[0]) of volume \(volume)" : "\(paths.count) files and folders of volume \(volume)"
        }
    }
}
