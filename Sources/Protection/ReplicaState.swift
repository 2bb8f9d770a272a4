/// State of a replica, with the console's strings. Source: dpm-facts 1.6.
public enum ReplicaState: UInt8, CaseIterable, Sendable, Hashable {
    case creationPending, creationInProgress, ok, inconsistent, checkInProgress, missing, inactive
    public var title: String {
        switch self {
        case .creationPending: "Replica creation pending"
        case .creationInProgress: "Replica creation in progress"
        case .ok: "OK"
        case .inconsistent: "Inconsistent"
        case .checkInProgress: "Consistency check in progress"
        case .missing: "Missing"
        case .inactive: "Inactive replica available"
        }
    }
}
