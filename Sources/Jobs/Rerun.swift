public import Units

/// Whether and when a failed job runs again by itself (dpm-facts 3.6).
public struct RerunPolicy: Hashable, Sendable {
    public let attempts: Int
    public let delay: SimDuration

    public init(attempts: Int, delay: SimDuration) { (self.attempts, self.delay) = (attempts, delay) }

    /// Nil where a rerun cannot help: attempts are used up, the configuration forbids the backup, or only a check mends it.
    public func delay(afterAttempt attempt: Int, error: Int32) -> SimDuration? {
        attempt < attempts && RerunPolicy.isTransient(error) ? delay : nil
    }

    /// Errors that may be gone an hour later (dpm-facts 7): peers away or restarting, an operation interrupted, VSS busy,
    /// a machine on the move, space that grows or that pruning frees. Lost tracking is not among them: a check mends it.
    public static func isTransient(_ error: Int32) -> Bool {
        switch error {
        case 41, 42, 43, 52, 53, 56, 60, 65, 998, 999, 30187, 33400, 33401: true
        case 904...917, 30087, 30160: true
        case 207, 210, 211, 215, 30012, 30111, 30112, 30115, 30116, 30169, 30218, 32612, 32620: true
        case 58, 213, 214, 30077, 30195, 30226, 33511, 33515: true
        case 30155, 30159, 30221: true
        default: false
        }
    }
}
