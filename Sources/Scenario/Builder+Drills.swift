internal import Protection
internal import Units

extension Builder {
    func buildDrills() {
        var names = Names<Drill>("drill")
        for fields in records("drills") {
            let keys = ["machines", "cluster", "group"].filter(fields.has)
            guard keys.count == 1, let key = keys.first else {
                report.problem(
                    fields.spot, fields.path, expected: "one of machines, cluster and group",
                    found: keys.isEmpty ? "none" : keys.joined(separator: " and "))
                continue
            }
            guard let name = fields.text("name"), let at = fields.moment("at", clock: setting.clock) else { continue }
            _ = names.declare(name, fields.spot, fields.path, report: report)
            let items = fields.oneOrMany(key) ?? []
            let members: [Ref<Machine>] =
                switch key {
                case "machines": machines.many(items, report: report)
                case "cluster": clusters.many(items, report: report).flatMap(machines(of:))
                default: groups.many(items, report: report).flatMap { world.groups[$0].members }
                }
            var drill = Drill(name: name, at: at, requests: requests(for: members, fields))
            drill.goal = fields.has("within") ? fields.duration("within") : nil
            drill.oldestPoint = fields.has("oldest-point") ? fields.duration("oldest-point") : nil
            guard !drill.requests.isEmpty else { continue }
            setting.drills.append(drill)
        }
    }

    /// Machines that are on a node of the cluster when the scenario starts.
    private func machines(of cluster: Ref<Cluster>) -> [Ref<Machine>] {
        world.machines.indices.map { Ref($0) }.filter { world.hosts[world.machines[$0].host].cluster == cluster }
    }
}
