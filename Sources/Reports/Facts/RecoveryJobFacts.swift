import Protection
public import Units

/// The recoveries of a run, in the order they ended.
public struct RecoveryJobFacts: Sendable {
    public struct Row: Sendable {
        public let machine: String
        public let asked: SimTime
        /// The recovery point; nil where none was found.
        public let point: SimTime?
        /// How old it was when it was asked for: what is lost by going back to it.
        public let age: SimDuration?
        public let source: String
        public let tapes: [String]
        public let what: String
        public let destination: String
        public let hasCompleted: Bool
        /// A DPM error id, 0 for none.
        public let error: Int32
        public let cause: String
        /// From the request until it was over; nil where it had not ended.
        public let duration: SimDuration?
        public let bytes: Bytes
        public let remarks: [String]
    }
    public let rows: [Row]
    public var failed: Int { rows.count { !$0.hasCompleted } }
    /// Of those that completed, the time of the longest.
    public var longest: SimDuration? { rows.filter(\.hasCompleted).compactMap(\.duration).max() }

    init(_ records: [RecoveryRecord], _ world: World) {
        rows = records.map { record in
            Row(
                machine: RunFacts.name(record.machine, world), asked: record.asked,
                point: record.point == .never ? nil : record.point, age: record.age, source: record.source.title,
                tapes: record.tapes, what: record.what, destination: record.destination,
                hasCompleted: record.status == .completed, error: record.error, cause: record.cause,
                duration: record.duration, bytes: record.bytes, remarks: record.remarks)
        }
    }
}
