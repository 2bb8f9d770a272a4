import Jobs
import Kernel
import Protection
import Units

/// What an alert concerns, with the number of the object.
enum AlertSubject: UInt8 { case machine, host, server, poolVolume, library, drive, group, run }

/// The alerts that are active now, found by id and object.
struct OpenAlerts {
    struct Key: Hashable {
        let id: Int32
        let subject: AlertSubject
        let index: Int32
    }
    private var places: [Key: Int] = [:]
    private(set) var records: [AlertRecord?] = []
    private var free: [Int] = []

    func isOpen(_ key: Key) -> Bool { places[key] != nil }

    mutating func open(_ key: Key, _ record: AlertRecord) {
        if let place = free.popLast() {
            records[place] = record
            places[key] = place
        } else {
            places[key] = records.count
            records.append(record)
        }
    }

    mutating func close(_ key: Key) -> AlertRecord? {
        guard let place = places.removeValue(forKey: key) else { return nil }
        defer { records[place] = nil }
        free.append(place)
        return records[place]
    }
}

extension RunState {
    /// Raises an alert unless it is active already.
    mutating func raise(_ id: Int32, _ subject: AlertSubject, _ index: Int, error: Int32 = 0) {
        let key = OpenAlerts.Key(id: id, subject: subject, index: Int32(index))
        guard !alerts.isOpen(key) else { return }
        guard let kind = AlertKind(rawValue: id) else { preconditionFailure("no alert \(id)") }
        let cause = error == 0 ? kind.title : "\(kind.title) (\(error): \(FailureText.of(error)))"
        alerts.open(
            key,
            AlertRecord(
                id: id, severity: kind.severity, object: name(of: subject, index), cause: cause, raised: agenda.now))
    }

    /// Most alerts clear themselves when their cause goes (dpm-facts 1.5).
    mutating func resolve(_ id: Int32, _ subject: AlertSubject, _ index: Int) {
        guard var record = alerts.close(OpenAlerts.Key(id: id, subject: subject, index: Int32(index))) else { return }
        record.resolved = agenda.now
        ledger.note(record)
    }

    func name(of subject: AlertSubject, _ index: Int) -> String {
        switch subject {
        case .machine: "machine \(world.machines[index].name)"
        case .host: "host \(world.hosts[index].name)"
        case .server: "DPM server \(world.servers[index].name)"
        case .poolVolume: "pool volume \(world.poolVolumes[index].name)"
        case .library: "library \(world.libraries[index].name)"
        case .drive: "drive \(world.drives[index].name)"
        case .group: "protection group \(world.groups[index].name)"
        case .run: "this run"
        }
    }
}
