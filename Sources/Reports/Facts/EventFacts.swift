public import Protection
public import Units

/// Recovery points that were not made, by cause.
public struct MissedFacts: Sendable {
    public struct Row: Sendable {
        public let error: Int32
        public let cause: String
        public internal(set) var count = 0
        public internal(set) var machines = 0
        public internal(set) var first: SimTime
        public internal(set) var last: SimTime
    }
    /// The most frequent cause first.
    public let rows: [Row]
    public let total: Int
    /// Machines that missed any.
    public let machines: Int

    init(_ points: [MissedPoint]) {
        struct Key: Hashable {
            var error: Int32
            var cause: String
        }
        var places: [Key: Int] = [:]
        var rows: [Row] = []
        var seen: [Set<Int32>] = []
        for point in points {
            let key = Key(error: point.error, cause: point.cause)
            let index = places[key] ?? rows.count
            if index == rows.count {
                places[key] = index
                rows.append(Row(error: point.error, cause: point.cause, first: point.due, last: point.due))
                seen.append([])
            }
            rows[index].count += 1
            rows[index].first = min(rows[index].first, point.due)
            rows[index].last = max(rows[index].last, point.due)
            if seen[index].insert(point.machine).inserted { rows[index].machines += 1 }
        }
        self.rows = rows.enumerated().sorted { a, b in
            a.element.count != b.element.count ? a.element.count > b.element.count : a.offset < b.offset
        }
        .map(\.element)
        total = points.count
        machines = seen.reduce(into: Set<Int32>()) { $0.formUnion($1) }.count
    }
}

/// What failures and migrations cost.
public struct IncidentFacts: Sendable {
    /// All incidents of one title.
    public struct Row: Sendable {
        public let title: String
        public internal(set) var count = 0
        /// Machines touched, counted once an incident.
        public internal(set) var machines = 0
        public internal(set) var brokenJobs = 0
        public internal(set) var checks = 0
        public internal(set) var checkedBytes = Bytes.zero
        /// From begin to end, or to the end of the run, of those that last.
        public internal(set) var lasted = SimDuration.zero
        public internal(set) var open = 0
    }
    /// In the order of their first occurrence.
    public let rows: [Row]
    public let total: Row
    /// All of them, in time's order.
    public let list: [IncidentRecord]

    init(_ incidents: [IncidentRecord], finishedAt: SimTime) {
        list = incidents.enumerated().sorted { a, b in
            a.element.at != b.element.at ? a.element.at < b.element.at : a.offset < b.offset
        }
        .map(\.element)
        var rows: [Row] = []
        var total = Row(title: "All")
        var places: [String: Int] = [:]
        for incident in list {
            let index = places[incident.title] ?? rows.count
            if index == rows.count {
                places[incident.title] = index
                rows.append(Row(title: incident.title))
            }
            rows[index].take(incident, finishedAt)
            total.take(incident, finishedAt)
        }
        (self.rows, self.total) = (rows, total)
    }
}

extension IncidentFacts.Row {
    mutating func take(_ incident: IncidentRecord, _ finishedAt: SimTime) {
        count += 1
        machines += incident.machines
        brokenJobs += incident.brokenJobs
        checks += incident.checks
        checkedBytes += incident.checkedBytes
        if let ended = incident.ended {
            lasted += ended - incident.at
        } else {
            open += 1
            lasted += finishedAt - incident.at
        }
    }
}

/// Alerts of one number.
public struct AlertFacts: Sendable {
    public let id: Int32
    public let severity: Severity
    /// The cause of the first.
    public let cause: String
    public internal(set) var count = 0
    /// Objects concerned.
    public internal(set) var objects = 0
    public internal(set) var openAtEnd = 0
    /// From rise until resolved, or the end of the run; the longest.
    public internal(set) var longest = SimDuration.zero
    public internal(set) var first: SimTime

    /// Critical first, then the most frequent.
    static func all(_ alerts: [AlertRecord], finishedAt: SimTime) -> [AlertFacts] {
        struct Key: Hashable {
            var id: Int32
            var severity: Severity
        }
        var rows: [AlertFacts] = []
        var places: [Key: Int] = [:]
        var seen: [Set<String>] = []
        for alert in alerts {
            let key = Key(id: alert.id, severity: alert.severity)
            let index = places[key] ?? rows.count
            if index == rows.count {
                places[key] = index
                rows.append(
                    AlertFacts(id: alert.id, severity: alert.severity, cause: alert.cause, first: alert.raised))
                seen.append([])
            }
            rows[index].count += 1
            if seen[index].insert(alert.object).inserted { rows[index].objects += 1 }
            if alert.resolved == nil { rows[index].openAtEnd += 1 }
            rows[index].longest = max(rows[index].longest, (alert.resolved ?? finishedAt) - alert.raised)
            rows[index].first = min(rows[index].first, alert.raised)
        }
        return rows.sorted { a, b in
            if a.severity != b.severity { return a.severity.rawValue < b.severity.rawValue }
            return a.count != b.count ? a.count > b.count : a.id < b.id
        }
    }
}
