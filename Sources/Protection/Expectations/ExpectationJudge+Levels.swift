import Units

/// Something that is so or not, from the start on: what it is from each moment, ascending, the first at the start.
struct Course {
    struct Step {
        var at: SimTime
        var holds: Bool
        var seen: String
    }
    var steps: [Step]

    init(_ holds: Bool, _ seen: String) { steps = [Step(at: .start, holds: holds, seen: seen)] }

    mutating func turn(at time: SimTime, _ holds: Bool, _ seen: String) {
        if steps[steps.count - 1].at >= time {
            steps[steps.count - 1].holds = holds
            steps[steps.count - 1].seen = seen
        } else {
            steps.append(Step(at: time, holds: holds, seen: seen))
        }
    }

    /// The place of the step that is in force at a moment.
    func place(at time: SimTime) -> Int {
        var (low, high) = (0, steps.count - 1)
        while low < high {
            let middle = (low + high + 1) / 2
            if steps[middle].at <= time { low = middle } else { high = middle - 1 }
        }
        return low
    }

    /// The steps in force in a span, its ends included.
    func steps(from: SimTime, to: SimTime) -> ArraySlice<Step> {
        steps[place(at: from)...max(place(at: from), place(at: to))]
    }
}

extension ExpectationJudge {
    func levelFinding(_ course: Course, _ scope: Expectation.Scope) -> Finding {
        if let label = missingLabel(scope) { return ExpectationJudge.unhappened(label) }
        switch scope {
        case .unspecified: return found(course, at: [end])
        case .at(let moment): return found(course, at: times(of: moment))
        case .always(let from, let to):
            for span in spans(from, to) {
                if let step = course.steps(from: span.from, to: span.to).first(where: { !$0.holds }) {
                    return Finding(holds: false, seen: step.seen, at: max(step.at, span.from))
                }
            }
            return Finding(holds: true, seen: "always", at: nil)
        case .never(let from, let to):
            for span in spans(from, to) {
                if let step = course.steps(from: span.from, to: span.to).first(where: \.holds) {
                    return Finding(holds: false, seen: step.seen, at: max(step.at, span.from))
                }
            }
            return Finding(holds: true, seen: "never", at: nil)
        case .eventually, .within, .during: return foundOnce(course, in: spans(scope))
        }
    }

    private func found(_ course: Course, at times: [SimTime]) -> Finding {
        for time in times {
            let step = course.steps[course.place(at: time)]
            guard time <= end else { return Finding(holds: false, seen: "the run had ended before", at: end) }
            if !step.holds { return Finding(holds: false, seen: step.seen, at: time) }
        }
        let last = times.last.map { course.steps[course.place(at: $0)].seen } ?? ""
        return Finding(holds: !times.isEmpty, seen: last, at: times.last)
    }

    /// In every span at least once.
    private func foundOnce(_ course: Course, in spans: [(from: SimTime, to: SimTime)]) -> Finding {
        var found = Finding(holds: false, seen: "there was no such time", at: nil)
        for span in spans {
            let steps = course.steps(from: span.from, to: span.to)
            guard let step = steps.first(where: \.holds) else {
                return Finding(
                    holds: false, seen: "\(steps[steps.endIndex - 1].seen) to the end of that time", at: span.to)
            }
            found = Finding(holds: true, seen: step.seen, at: max(step.at, span.from))
        }
        return found
    }

    // MARK: Courses

    func course(of quantity: Expectation.Quantity, _ object: Object) -> Course {
        switch quantity {
        case .replica(let state): replicaCourse(state, object)
        case .runsOn(let host): hostCourse(host, object)
        case .alertOpen(let id, let isOpen): alertCourse(id, isOpen, object)
        case .used(let bound): usedCourse(bound, object)
        case .cartridges(let state, let bound): cartridgeCourse(state, bound, object)
        case .pointAge(let bound): ageCourse(bound, object)
        case .alertsRaised, .jobs, .missed, .points, .readBack, .consistency, .mounts, .refused, .warned, .incident,
            .carried:
            preconditionFailure("\(quantity) has no course")
        }
    }

    /// The machines an object stands for.
    func machines(of object: Object) -> [Int32] {
        switch object {
        case .machine(let n): [n]
        case .group(let n): world.groups[Int(n)].members.map(\.index)
        case .server(let n): world.groups.filter { $0.server.index == n }.flatMap { $0.members.map(\.index) }
        case .host(let n): world.machines.indices.filter { world.machines[$0].host.index == n }.map { Int32($0) }
        case .poolVolume(let n): story.outcome.replicas.filter { $0.volume == n }.map(\.machine)
        case .run: story.outcome.replicas.map(\.machine)
        case .library, .link: []
        }
    }

    /// Of several machines all must be in the state.
    private func replicaCourse(_ state: ReplicaState, _ object: Object) -> Course {
        let protected = Set(story.outcome.replicas.map(\.machine))
        let machines = Set(machines(of: object)).intersection(protected)
        guard !machines.isEmpty else { return Course(false, "not protected in this run") }
        var states: [Int32: ReplicaState] = [:]
        var others = state == .creationPending ? 0 : machines.count
        func seen(_ change: ReplicaChange) -> String {
            machines.count == 1
                ? change.state.title : "\(others) of \(machines.count) are not \(state.title)"
        }
        var course = Course(others == 0, ReplicaState.creationPending.title)
        for change in story.replicaChanges where machines.contains(change.machine) {
            let before = states[change.machine] ?? .creationPending
            if before == state, change.state != state { others += 1 }
            if before != state, change.state == state { others -= 1 }
            states[change.machine] = change.state
            course.turn(at: change.at, others == 0, seen(change))
        }
        return course
    }

    private func hostCourse(_ host: Ref<Host>, _ object: Object) -> Course {
        guard case .machine(let m) = object else { return Course(false, "no machine") }
        let first = world.machines[Int(m)].host
        var course = Course(first == host, "on \(world.hosts[first].name)")
        for move in story.moves where move.machine == m {
            course.turn(at: move.at, move.host == host.index, "on \(world.hosts[Int(move.host)].name)")
        }
        return course
    }

    /// Whether an alert concerns an object: a group's alerts are its own and its machines'.
    func concerns(_ alert: AlertRecord, _ object: Object, names: Set<String>) -> Bool {
        object == .run || names.contains(alert.object)
    }

    func alertNames(of object: Object) -> Set<String> {
        var names: Set<String> = [name(of: object)]
        if case .group(let n) = object {
            for member in world.groups[Int(n)].members { names.insert("machine \(world.machines[member].name)") }
        }
        if case .library(let n) = object {
            for drive in world.drives where drive.library.index == n { names.insert("drive \(drive.name)") }
        }
        return names
    }

    private func alertCourse(_ id: Int32, _ isOpen: Bool, _ object: Object) -> Course {
        let names = alertNames(of: object)
        var turns: [(at: SimTime, change: Int)] = []
        for alert in story.alerts where alert.id == id && concerns(alert, object, names: names) {
            turns.append((alert.raised, 1))
            if let resolved = alert.resolved { turns.append((resolved, -1)) }
        }
        turns.sort { ($0.at, $0.change) < ($1.at, $1.change) }
        var open = 0
        var course = Course(!isOpen, "alert \(id) is not open")
        for turn in turns {
            open += turn.change
            course.turn(at: turn.at, (open > 0) == isOpen, open > 0 ? "alert \(id) is open" : "alert \(id) is not open")
        }
        return course
    }

    private func usedCourse(_ bound: Bound, _ object: Object) -> Course {
        let volumes: [Int]
        switch object {
        case .poolVolume(let n): volumes = [Int(n)]
        case .server(let n): volumes = world.poolVolumes.indices.filter { world.poolVolumes[$0].server.index == n }
        case .run, .machine, .host, .group, .library, .link: volumes = Array(world.poolVolumes.indices)
        }
        let size = volumes.reduce(Int64(0)) { $0 + world.poolVolumes[$1].capacity.count }
        var course = Course(bound.holds(0), bound.text(0))
        for level in story.poolLevels {
            let used = volumes.reduce(Int64(0)) { $0 + level.values[$1] }
            let figure = bound.measure == .share ? Int64(Double(used) / Double(max(1, size)) * 1e9) : used
            course.turn(at: level.at, bound.holds(figure), bound.text(figure))
        }
        return course
    }

    private func cartridgeCourse(_ state: CartridgeState, _ bound: Bound, _ object: Object) -> Course {
        var course = Course(bound.holds(0), "0")
        for level in story.tapeLevels {
            let count = level.values[Int(state.rawValue)]
            course.turn(at: level.at, bound.holds(count), "\(count)")
        }
        // The last level is older than the end.
        let last = story.outcome.cartridges.filter { record in
            if case .library(let n) = object { return record.state == state && record.library == n }
            return record.state == state
        }.count
        course.turn(at: end, bound.holds(Int64(last)), "\(last)")
        return course
    }

    /// Ages grow until the next point: of a bound from above, the moment it is overstepped.
    private func ageCourse(_ bound: Bound, _ object: Object) -> Course {
        let ofInterest = Set(machines(of: object))
        var newest: [Int32: SimTime] = [:]
        for machine in ofInterest { newest[machine] = .start }
        let limit = SimDuration(nanoseconds: bound.value)
        var points: [(seen: SimTime, of: SimTime, machine: Int32)] = []
        for job in story.jobs
        where ofInterest.contains(job.machine) && job.status == .completed
            && (job.kind == .expressFull || job.kind == .replicaCreation)
        {
            points.append((job.ended, job.transferStarted, job.machine))
        }
        var turns: [(at: SimTime, late: Int)] = []
        for machine in ofInterest.sorted() {
            var since = SimTime.start
            var isLate = false
            for point in points where point.machine == machine {
                if since + limit < point.seen, !isLate {
                    turns.append((since + limit, 1))
                    isLate = true
                }
                since = point.of
                if isLate, point.seen - since <= limit {
                    turns.append((point.seen, -1))
                    isLate = false
                }
            }
            if !isLate, since + limit < end { turns.append((since + limit, 1)) }
        }
        turns.sort { ($0.at, $0.late) < ($1.at, $1.late) }
        var late = 0
        var course = Course(true, "not older than \(limit)")
        for turn in turns {
            late += turn.late
            course.turn(
                at: turn.at, late == 0, late == 0 ? "not older than \(limit)" : "a point was older than \(limit)")
        }
        return course
    }
}
