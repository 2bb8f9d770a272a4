import Units

/// What happened around a moment, for people who ask why an expectation failed.
struct StoryTrace {
    private let setting: Setting
    private let story: RunStory
    init(_ setting: Setting, _ story: RunStory) { (self.setting, self.story) = (setting, story) }

    /// Lines before and after the moment that are shown.
    static let before = 8
    static let after = 4

    /// The records nearest the moment that concern the object, incidents in any case, in time's order; a mark stands where
    /// the moment lies.
    func lines(around moment: SimTime, of object: ExpectationJudge.Object) -> [String] {
        let judge = ExpectationJudge(setting, story)
        let machines = object == .run ? nil : Set(judge.machines(of: object))
        let names = judge.alertNames(of: object)
        let world = setting.world
        var entries: [(at: SimTime, order: Int, text: String)] = []
        func add(_ at: SimTime, _ text: @autoclosure () -> String) {
            guard at != .never else { return }
            entries.append((at, entries.count, text()))
        }
        for incident in story.incidents {
            add(incident.at, "\(incident.title): \(incident.object)")
            if let ended = incident.ended, ended != incident.at {
                add(ended, "\(incident.title) over: \(incident.object)")
            }
        }
        for alert in story.alerts where object == .run || names.contains(alert.object) {
            add(alert.raised, "alert \(alert.id) raised, \(alert.object): \(alert.cause)")
            if let resolved = alert.resolved { add(resolved, "alert \(alert.id) resolved, \(alert.object)") }
        }
        func isOurs(_ machine: Int32) -> Bool { machines?.contains(machine) ?? true }
        for change in story.replicaChanges where isOurs(change.machine) {
            add(change.at, "replica of \(world.machines[Int(change.machine)].name): \(change.state.title)")
        }
        for move in story.moves where isOurs(move.machine) {
            add(move.at, "\(world.machines[Int(move.machine)].name) runs on \(world.hosts[Int(move.host)].name)")
        }
        for job in story.jobs where job.machine >= 0 ? isOurs(job.machine) : machines == nil {
            let whose = job.machine >= 0 ? " of \(world.machines[Int(job.machine)].name)" : ""
            let error = job.error == 0 ? "" : " with \(job.error)"
            add(job.ended, "\(job.kind.title)\(whose) \(job.status.title.lowercased())\(error)")
        }
        for point in story.missed where isOurs(point.machine) {
            add(point.due, "recovery point of \(world.machines[Int(point.machine)].name) missed: \(point.cause)")
        }
        entries.sort { ($0.at, $0.order) < ($1.at, $1.order) }
        let next = entries.firstIndex { $0.at > moment } ?? entries.count
        let shown = entries[max(0, next - StoryTrace.before)..<min(entries.count, next + StoryTrace.after)]
        var lines = shown.map { "\(setting.clock.text($0.at))  \($0.text)" }
        lines.insert("\(setting.clock.text(moment))  <- here", at: min(next, StoryTrace.before))
        return lines
    }
}
