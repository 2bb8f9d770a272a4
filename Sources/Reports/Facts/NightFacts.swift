import Catalog
public import Protection
public import Units

/// The jobs of the worst night, for its Gantt chart.
public struct NightFacts: Sendable {
    public struct Bar: Sendable {
        public let kind: JobKind
        public let status: JobStatus
        public let machine: String
        public let due: SimTime
        /// Start, transfer and end; cut off at the horizon where a job had not come so far.
        public let started: SimTime
        public let transferStarted: SimTime
        public let ended: SimTime
        public let sent: Bytes
    }
    /// Jobs under one heading, none in a lane overlapping the next.
    public struct Lanes: Sendable {
        public let title: String
        public let lanes: [[Bar]]
    }
    public let night: WindowFacts.Night
    /// Whether the night is a window asked for, or merely noon to noon.
    public let hasWindow: Bool
    /// What is shown: from the night's opening until its last backup ended, or its window closed.
    public let from: SimTime
    public let to: SimTime
    public let sections: [Lanes]
    public let jobs: Int
    /// Express fulls running, and due but waiting, at each moment one of the two changed.
    public let load: [(at: SimTime, running: Int, waiting: Int)]

    /// Whether backups went on after what is shown.
    public let isCut: Bool
    /// Most that is shown: of a backup that hangs for weeks, its first two days say enough.
    static let longest = SimDuration.hours(48)
    /// Headings of the chart; with more hosts than this, clusters stand for their nodes.
    static let mostSections = 40

    init?(_ window: WindowFacts, _ setting: Setting, _ jobs: JobTable, _ outcome: RunOutcome) {
        guard let worst = window.worst else { return nil }
        let night = window.nights[worst]
        self.night = night
        hasWindow = window.window != nil
        let last = hasWindow ? max(night.closes, night.lastEnd) : max(night.lastEnd, night.opens)
        let (from, to) = (night.opens, min(last, night.opens + NightFacts.longest))
        isCut = to < last
        (self.from, self.to) = (from, to)
        var bars: [(section: Int, bar: Bar)] = []
        var changes: [(at: SimTime, running: Int, waiting: Int)] = []
        let headings = Headings(setting.world)
        func take(_ job: JobRecord) {
            let ended = job.ended == .never ? outcome.finishedAt : job.ended
            if job.kind == .expressFull, job.due < to, ended > from {
                let start = job.started == .never ? ended : job.started
                changes += [(job.due, 0, 1), (start, 1, -1), (ended, -1, 0)]
            }
            guard job.started != .never, job.started < to, ended > from, job.kind != .migration else { return }
            let bar = Bar(
                kind: job.kind, status: job.status, machine: RunFacts.name(job.machine, setting.world), due: job.due,
                started: job.started, transferStarted: min(job.transferStarted, ended), ended: ended, sent: job.sent)
            bars.append((headings.section(of: job), bar))
        }
        jobs.forEach(take)
        outcome.open.forEach(take)
        self.jobs = bars.count
        sections = NightFacts.pack(bars, headings.titles)
        load = NightFacts.accumulate(changes)
    }

    private static func pack(_ bars: [(section: Int, bar: Bar)], _ titles: [String]) -> [Lanes] {
        let order = bars.indices.sorted { a, b in
            let (left, right) = (bars[a], bars[b])
            if left.section != right.section { return left.section < right.section }
            return left.bar.started != right.bar.started ? left.bar.started < right.bar.started : a < b
        }
        var sections: [(section: Int, lanes: [[Bar]])] = []
        for index in order {
            let (section, bar) = bars[index]
            if sections.last?.section != section { sections.append((section, [])) }
            let last = sections.count - 1
            if let lane = sections[last].lanes.firstIndex(where: { $0.last!.ended <= bar.started }) {
                sections[last].lanes[lane].append(bar)
            } else {
                sections[last].lanes.append([bar])
            }
        }
        return sections.map { Lanes(title: titles[$0.section], lanes: $0.lanes) }
    }

    private static func accumulate(_ changes: [(at: SimTime, running: Int, waiting: Int)])
        -> [(at: SimTime, running: Int, waiting: Int)]
    {
        var load: [(at: SimTime, running: Int, waiting: Int)] = []
        var (running, waiting) = (0, 0)
        for change in changes.sorted(by: { $0.at < $1.at }) {
            running += change.running
            waiting += change.waiting
            if load.last?.at == change.at { load.removeLast() }
            load.append((change.at, running, waiting))
        }
        return load
    }
}

extension NightFacts {
    /// The load averaged over equal slices of what is shown: hundreds of short backups would only blacken a chart.
    func load(inSlices count: Int) -> [(at: SimTime, running: Double, waiting: Double)] {
        let span = (to - from).nanoseconds
        guard span >= Int64(count), count > 0 else { return [] }
        let length = span / Int64(count)
        var slices = (0..<count).map {
            (at: from + SimDuration(nanoseconds: length * Int64($0)), running: 0.0, waiting: 0.0)
        }
        for (index, level) in load.enumerated() {
            let begin = max(level.at, from)
            let end = min(index + 1 < load.count ? load[index + 1].at : to, to)
            guard begin < end, level.running + level.waiting > 0 else { continue }
            var slice = min(count - 1, Int((begin - from).nanoseconds / length))
            var time = begin
            while time < end {
                // The last slice takes what is left over by the division.
                let stop = slice == count - 1 ? end : min(end, slices[slice + 1].at)
                let part = Double((stop - time).nanoseconds) / Double(length)
                slices[slice].running += part * Double(level.running)
                slices[slice].waiting += part * Double(level.waiting)
                (time, slice) = (stop, min(count - 1, slice + 1))
            }
        }
        return slices
    }
}

/// Under which heading a job is drawn: its machine's host or cluster for work on hosts, else its kind.
private struct Headings {
    let titles: [String]
    private let ofMachine: [Int]
    private let firstKind: Int

    init(_ world: World) {
        let byCluster = world.hosts.count > NightFacts.mostSections
        // Hosts of one cluster share a heading where there are too many; what stands alone shares one, too.
        var titles: [String] = byCluster ? world.clusters.map(\.name) + ["stand-alone hosts"] : world.hosts.map(\.name)
        ofMachine = world.machines.map { machine in
            guard byCluster else { return Int(machine.host.index) }
            return world.hosts[machine.host].cluster.map { Int($0.index) } ?? world.clusters.count
        }
        firstKind = titles.count
        titles += JobKind.allCases.map(\.title)
        self.titles = titles
    }

    func section(of job: JobRecord) -> Int {
        switch job.kind {
        case .expressFull, .replicaCreation, .consistencyCheck, .migration, .diskRecovery, .tapeRecovery:
            ofMachine.indices.contains(Int(job.machine))
                ? ofMachine[Int(job.machine)] : firstKind + Int(job.kind.rawValue)
        case .tapeBackup, .onlineBackup, .secondarySynchronization, .pruning, .summary, .inventory:
            firstKind + Int(job.kind.rawValue)
        }
    }
}
