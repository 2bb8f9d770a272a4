import Units

/// What is counted over a span, and what is known in the end.
extension ExpectationJudge {
    func tallyFinding(_ quantity: Expectation.Quantity, _ scope: Expectation.Scope, _ object: Object) -> Finding {
        if let label = missingLabel(scope) { return ExpectationJudge.unhappened(label) }
        var result = Finding(holds: false, seen: "there was no such time", at: nil)
        for span in spans(scope) {
            result = tally(quantity, span, object)
            if !result.holds { return result }
        }
        return result
    }

    private func tally(
        _ quantity: Expectation.Quantity, _ span: (from: SimTime, to: SimTime), _ object: Object
    ) -> Finding {
        switch quantity {
        case .alertsRaised(let id, let bound):
            let names = alertNames(of: object)
            let times = story.alerts.filter {
                $0.id == id && concerns($0, object, names: names) && span.from <= $0.raised && $0.raised <= span.to
            }.map(\.raised).sorted()
            return counted(times, bound, "raised %")
        case .missed(let error, let bound):
            let machines = object == .run ? nil : Set(machines(of: object))
            let times = story.missed.filter {
                (machines?.contains($0.machine) ?? true) && (error == nil || $0.error == error)
                    && span.from <= $0.due && $0.due <= span.to
            }.map(\.due).sorted()
            return counted(times, bound, "missed %")
        case .jobs(let filter, let figure, let bound): return jobs(filter, figure, bound, span, object)
        case .replica, .runsOn, .alertOpen, .used, .cartridges, .pointAge, .points, .readBack, .consistency, .mounts,
            .refused,
            .warned, .incident, .carried:
            preconditionFailure("\(quantity) is not counted over a span")
        }
    }

    /// The moment that broke it: the first that was too many, or else the last there was.
    private func counted(_ times: [SimTime], _ bound: Bound, _ words: String) -> Finding {
        let holds = bound.holds(Int64(times.count))
        let tooMany = times.indices.first { !bound.holds(Int64($0 + 1)) && bound.holds(Int64($0)) }
        return Finding(
            holds: holds, seen: words.replacing("%", with: "\(times.count) times"),
            at: holds ? nil : tooMany.map { times[$0] } ?? times.last)
    }

    private func belongs(_ job: JobRecord, _ object: Object, _ machines: Set<Int32>) -> Bool {
        switch object {
        case .run: true
        case .server(let n): job.server == n
        case .group(let n): job.group == n
        case .machine, .host, .poolVolume: machines.contains(job.machine)
        case .library, .link: false
        }
    }

    private func jobs(
        _ filter: Expectation.JobFilter, _ figure: Expectation.JobFigure, _ bound: Bound,
        _ span: (from: SimTime, to: SimTime), _ object: Object
    ) -> Finding {
        let machines = Set(machines(of: object))
        func isWanted(_ job: JobRecord) -> Bool {
            (filter.kinds.isEmpty || filter.kinds.contains(job.kind))
                && (filter.status == nil || job.status == filter.status)
                && (filter.error == nil || job.error == filter.error) && belongs(job, object, machines)
        }
        var found = story.jobs.filter { isWanted($0) && span.from <= $0.ended && $0.ended <= span.to }
        // What has not ended belongs to the end.
        if span.to == end { found += story.outcome.open.filter(isWanted) }
        guard !found.isEmpty || figure == .count else {
            return Finding(holds: false, seen: "there was no such job", at: nil)
        }
        switch figure {
        case .count: return counted(found.map { min($0.ended, end) }, bound, "%").plainCount
        case .duration(let percentile):
            let sorted = found.sorted { (($0.ended - $0.due), $0.id) < (($1.ended - $1.due), $1.id) }
            let rank = min(max(Int((percentile / 100 * Double(sorted.count)).rounded(.up)), 1), sorted.count)
            let job = sorted[rank - 1]
            let span = (job.ended == .never ? end : job.ended) - job.due
            return Finding(
                holds: bound.holds(span.nanoseconds), seen: "\(bound.text(span.nanoseconds)) of \(found.count) jobs",
                at: job.ended == .never ? end : job.ended)
        case .changed, .sent, .stored:
            let sum = found.reduce(Int64(0)) {
                $0 + (figure == .changed ? $1.changed : figure == .sent ? $1.sent : $1.stored).count
            }
            return Finding(
                holds: bound.holds(sum), seen: "\(bound.text(sum)) by \(found.count) jobs",
                at: found.last.map { min($0.ended, end) })
        case .downtime:
            let longest = found.max { ($0.downtime, $1.id) < ($1.downtime, $0.id) }!
            return Finding(
                holds: bound.holds(longest.downtime.nanoseconds), seen: bound.text(longest.downtime.nanoseconds),
                at: min(longest.ended, end))
        }
    }

    // MARK: In the end

    func finalFinding(_ quantity: Expectation.Quantity, _ object: Object) -> Finding {
        switch quantity {
        case .points(let bound):
            let machines = Set(machines(of: object))
            let count = story.outcome.points.filter { machines.contains($0.machine) }.count
            return Finding(holds: bound.holds(Int64(count)), seen: "\(count) kept", at: end)
        case .readBack(let wanted, let bound):
            let machines = Set(machines(of: object))
            let found = story.outcome.pointChecks.filter { machines.contains($0.machine) }
            let count = found.count { $0.finding == wanted }
            return Finding(holds: bound.holds(Int64(count)), seen: "\(count) of \(found.count) read back", at: end)
        case .consistency(let consistency):
            let machines = Set(machines(of: object))
            let points = story.outcome.points.filter { machines.contains($0.machine) }
            guard let other = points.first(where: { $0.consistency != consistency }) ?? points.first else {
                return Finding(holds: false, seen: "there is no recovery point", at: end)
            }
            return Finding(holds: other.consistency == consistency, seen: other.consistency.title, at: other.at)
        case .mounts(let bound):
            var mounts = story.outcome.tapeMounts
            if case .library(let n) = object {
                mounts = story.outcome.cartridges.filter { $0.library == n }.reduce(0) { $0 + Int($1.mounts) }
            }
            return Finding(holds: bound.holds(Int64(mounts)), seen: "\(mounts)", at: nil)
        case .refused(let rule, let id, let bound): return refusals(story.outcome.refusals, rule, id, bound, object)
        case .warned(let rule, let id, let bound): return refusals(world.warnings(), rule, id, bound, object)
        case .incident(let label, let figure, let bound): return incident(label, figure, bound)
        case .carried(let bound): return carried(bound, object)
        case .replica, .runsOn, .alertOpen, .used, .cartridges, .pointAge, .alertsRaised, .jobs, .missed:
            preconditionFailure("\(quantity) is not of the end alone")
        }
    }

    private func refusals(
        _ all: [Refusal], _ rule: RuleID, _ id: Int?, _ bound: Bound, _ object: Object
    ) -> Finding {
        let name = name(of: object)
        let found = all.filter {
            $0.rule == rule && (id == nil || $0.id == id) && (object == .run || $0.object.hasPrefix(name))
        }
        let first = found.first.map { ": \($0)" } ?? (all.isEmpty ? "" : "; the first of others: \(all[0])")
        return Finding(holds: bound.holds(Int64(found.count)), seen: "\(found.count) times\(first)", at: nil)
    }

    /// Sums over the coming true of the label; how long it lasts is the longest.
    private func incident(_ label: String, _ figure: Expectation.IncidentFigure, _ bound: Bound) -> Finding {
        let found = story.incidents.filter { $0.line >= 0 && setting.script[Int($0.line)].label == label }
        guard !found.isEmpty || figure == .count else { return ExpectationJudge.unhappened(label) }
        let value: Int64 =
            switch figure {
            case .count: Int64(found.count)
            case .machines: Int64(found.reduce(0) { $0 + $1.machines })
            case .brokenJobs: Int64(found.reduce(0) { $0 + $1.brokenJobs })
            case .checks: Int64(found.reduce(0) { $0 + $1.checks })
            case .checked: found.reduce(0) { $0 + $1.checkedBytes.count }
            case .lasts: found.reduce(0) { max($0, (($1.ended ?? end) - $1.at).nanoseconds) }
            }
        return Finding(holds: bound.holds(value), seen: bound.text(value), at: found.first?.at)
    }

    private func carried(_ bound: Bound, _ object: Object) -> Finding {
        let wanted: (kind: ResourceRecord.Kind, name: String)? =
            switch object {
            case .link(let n): (.link, world.links[Int(n)].name)
            case .host(let n): (.hostNIC, world.hosts[Int(n)].name)
            case .server(let n): (.serverNIC, world.servers[Int(n)].name)
            case .run, .machine, .group, .library, .poolVolume: nil
            }
        guard let wanted,
            let record = story.outcome.resources.first(where: { $0.kind == wanted.kind && $0.name == wanted.name })
        else { return Finding(holds: false, seen: "nothing that carries", at: nil) }
        let bytes = Int64(record.carried.rounded())
        return Finding(holds: bound.holds(bytes), seen: bound.text(bytes), at: nil)
    }
}

extension ExpectationJudge.Finding {
    /// `3 times` of jobs reads better as `3`.
    fileprivate var plainCount: ExpectationJudge.Finding {
        ExpectationJudge.Finding(holds: holds, seen: seen.replacing(" times", with: ""), at: at)
    }
}
