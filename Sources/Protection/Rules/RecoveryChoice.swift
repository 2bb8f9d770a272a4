public import Units

/// A recovery point that can be had, and where it lies.
public struct RecoveryPlace: Hashable, Sendable {
    public var source: RecoveryRequest.Source
    /// The moment it shows.
    public var at: SimTime
    public var consistency: Consistency
    /// The set on tape that holds it; -1 elsewhere.
    public var set: Int32
    /// Its cartridges in the order in which they are read, by bar code; empty elsewhere.
    public var tapes: [String]
    /// It is encrypted, to certificates of the group.
    public var isEncrypted: Bool

    public init(
        _ source: RecoveryRequest.Source, at: SimTime, consistency: Consistency, set: Int32 = -1, tapes: [String] = [],
        isEncrypted: Bool = false
    ) {
        (self.source, self.at, self.consistency, self.set) = (source, at, consistency, set)
        (self.tapes, self.isEncrypted) = (tapes, isEncrypted)
    }
}

/// Which recovery point a recovery is of.
public enum RecoveryChoice {
    /// Days of the calendar on which there are recovery points, each once, in order.
    /// - Rule: REC-1
    public static func days(of places: [RecoveryPlace], clock: CivilClock) -> [CivilDate] {
        var days: [CivilDate] = []
        for place in places.sorted(by: { $0.at < $1.at }) {
            let day = clock.date(of: place.at)
            if days.last != day { days.append(day) }
        }
        return days
    }

    /// The newest recovery point that is not younger than was asked for; of one that lies in several places the place DPM offers
    /// first: disk, secondary server, online, tape. Nil if there is none so old.
    /// - Rule: REC-1
    /// - Rule: REC-6
    public static func pick(for request: RecoveryRequest, among places: [RecoveryPlace]) -> RecoveryPlace? {
        let order = RecoveryRequest.Source.allCases
        let possible = places.filter {
            $0.at <= request.asOf ?? $0.at && (request.source ?? $0.source) == $0.source
        }
        return possible.min { a, b in
            let (left, right) = (order.firstIndex(of: a.source)!, order.firstIndex(of: b.source)!)
            // Of two sets of one moment the later one: the earlier may have been a copy that went offsite.
            return (b.at, left, b.set) < (a.at, right, a.set)
        }
    }
}

extension RecoveryRequest.Source {
    /// What the console calls the place.
    public var title: String {
        switch self {
        case .disk: "Disk"
        case .secondary: "Secondary DPM server"
        case .online: "Online"
        case .tape: "Tape"
        }
    }
}
