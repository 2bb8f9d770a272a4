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

    /// Errors that may be gone an hour later: peers away, VSS busy, machine moving, space that grows.
    public static func isTransient(_ error: Int32) -> Bool {
        switch error {
        case 41, 42, 43, 58, 60, 65, 214, 910, 30111, 30112, 30115, 30155, 30159, 30169, 30221, 32612, 32620, 33400,
            33401, 33511,
            33515:
            true
        default: false
        }
    }
}
