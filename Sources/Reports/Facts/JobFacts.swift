import Catalog
public import Protection
public import Units

/// How many jobs of a kind ended how, and what they carried.
public struct JobCount: Sendable {
    public let kind: JobKind
    public internal(set) var total = 0
    public internal(set) var completed = 0
    public internal(set) var failed = 0
    public internal(set) var cancelled = 0
    /// Not ended at the horizon.
    public internal(set) var open = 0
    public internal(set) var reruns = 0
    /// Changed at the source, sent on the wire, newly stored.
    public internal(set) var changed = Bytes.zero
    public internal(set) var sent = Bytes.zero
    public internal(set) var stored = Bytes.zero
    /// Machines' pauses together (VSS-2), and the longest.
    public internal(set) var downtime = SimDuration.zero
    public internal(set) var longestDowntime = SimDuration.zero

    /// The kinds that occurred, in the order of `JobKind`.
    static func all(_ jobs: JobTable, _ open: [JobRecord]) -> [JobCount] {
        var counts = JobKind.allCases.map { JobCount(kind: $0) }
        jobs.forEach { counts[Int($0.kind.rawValue)].take($0) }
        for job in open { counts[Int(job.kind.rawValue)].take(job) }
        return counts.filter { $0.total > 0 }
    }

    private init(kind: JobKind) { self.kind = kind }

    private mutating func take(_ job: JobRecord) {
        total += 1
        switch job.status {
        case .completed: completed += 1
        case .failed: failed += 1
        case .cancelled: cancelled += 1
        case .waiting, .running: open += 1
        }
        if job.attempt > 0 { reruns += 1 }
        changed += job.changed
        sent += job.sent
        stored += job.stored
        downtime += job.downtime
        longestDowntime = max(longestDowntime, job.downtime)
    }
}

/// How long completed jobs of a kind took, by exact percentile (nearest rank).
public struct DurationFacts: Sendable {
    /// The shares reported.
    public static let shares = [0.5, 0.9, 0.95, 0.99, 1]
    /// What part of a job: waiting from due to start, working from start to end, or all of it.
    public enum Part: String, CaseIterable, Sendable { case waiting, working, total }

    public let kind: JobKind
    public let count: Int
    /// For each part, a duration per share of `shares`.
    public let waiting: [SimDuration]
    public let working: [SimDuration]
    public let total: [SimDuration]
    /// The total at each whole percentile from 1 to 100.
    public let curve: [SimDuration]

    public subscript(part: Part) -> [SimDuration] {
        switch part {
        case .waiting: waiting
        case .working: working
        case .total: total
        }
    }

    /// The kinds of which a job completed, in the order of `JobKind`.
    static func all(_ jobs: JobTable) -> [DurationFacts] {
        var waiting = [[Int64]](repeating: [], count: JobKind.allCases.count)
        var working = waiting
        var total = waiting
        jobs.forEach { job in
            guard job.status == .completed, job.ended != .never else { return }
            let kind = Int(job.kind.rawValue)
            let started = job.started == .never ? job.due : job.started
            waiting[kind].append((started - job.due).nanoseconds)
            working[kind].append((job.ended - started).nanoseconds)
            total[kind].append((job.ended - job.due).nanoseconds)
        }
        return JobKind.allCases.compactMap { kind in
            let index = Int(kind.rawValue)
            guard !total[index].isEmpty else { return nil }
            return DurationFacts(
                kind: kind, count: total[index].count, waiting: ranks(&waiting[index]), working: ranks(&working[index]),
                total: ranks(&total[index]),
                curve: (1...100).map {
                    SimDuration(nanoseconds: nearestRank(Double($0) / 100, of: total[index]) ?? 0)
                })
        }
    }

    private static func ranks(_ values: inout [Int64]) -> [SimDuration] {
        values.sort()
        return shares.map { SimDuration(nanoseconds: nearestRank($0, of: values) ?? 0) }
    }
}
