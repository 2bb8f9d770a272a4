internal import Protection
internal import Units

extension Builder {
    func buildPlaces() {
        var domainFields: [(Ref<Domain>, Fields)] = []
        for fields in records("domains") {
            for name in names(fields, beside: world.domains.count, "domains")
            where domains.declare(name, fields.spot, fields.path, report: report) {
                var domain = Domain(name: name)
                domain.isWorkgroup = fields.bool("workgroup") ?? false
                domainFields.append((Ref(world.domains.count), fields))
                world.domains.append(domain)
            }
        }
        if world.domains.isEmpty {
            world.domains.append(Domain(name: "corp"))
            _ = domains.declare("corp", whole.spot, "domains", report: report)
            report.note("domains[0].name", "corp", .default(name: "scenario.domains", source: "the reader"))
        }
        for (ref, fields) in domainFields {
            world.domains[ref].parent = fields.item("parent").flatMap { domains.one($0, report: report) }
            world.domains[ref].trusts = fields.oneOrMany("trusts").map { domains.many($0, report: report) } ?? []
        }
        refuseCircles(domainFields)

        for document in documents {
            for item in document.list("sites") {
                let fields: Fields?
                if item.text != nil {
                    fields = Fields(
                        report: report, table: Tables.site, path: item.path, spot: item.spot, layers: [["name": item]])
                } else {
                    fields = Fields(item, "site", report: report)
                }
                guard let fields else { continue }
                for name in names(fields, beside: world.sites.count, "sites")
                where sites.declare(name, fields.spot, fields.path, report: report) {
                    world.sites.append(Site(name: name))
                }
            }
        }
        if world.sites.isEmpty {
            world.sites.append(Site(name: "main"))
            _ = sites.declare("main", whole.spot, "sites", report: report)
            report.note("sites[0].name", "main", .default(name: "scenario.sites", source: "the reader"))
        }

        for fields in records("links") {
            let ends = fields.oneOrMany("between").map { sites.many($0, report: report) }
            let rate = fields.rate("rate")
            if let ends, ends.count != 2, let item = fields.item("between"), item.elements?.count != 2 {
                report.problem(item, expected: "two different sites", hint: "Write between: [main, branch]")
            } else if let ends, ends.count == 1, let item = fields.item("between") {
                report.problem(item, expected: "two different sites", found: "the same one twice")
            }
            for name in names(fields, beside: world.links.count, "links")
            where links.declare(name, fields.spot, fields.path, report: report) {
                guard let ends, ends.count == 2, let rate else {
                    world.links.append(Link(name: name, between: Ref(0), and: Ref(0), rate: .gigabitsPerSecond(1)))
                    continue
                }
                world.links.append(Link(name: name, between: ends[0], and: ends[1], rate: rate))
            }
        }
    }

    /// A domain cannot be its own ancestor.
    private func refuseCircles(_ declared: [(Ref<Domain>, Fields)]) {
        for (ref, fields) in declared {
            var steps = 0
            var at = world.domains[ref].parent
            while let parent = at, parent != ref, steps <= world.domains.count {
                (at, steps) = (world.domains[parent].parent, steps + 1)
            }
            if at == ref, let item = fields.item("parent") {
                report.problem(item, expected: "a parent that is not its own descendant")
            }
        }
    }

    /// The domain under `domain`, or the first one.
    func domain(_ fields: Fields) -> Ref<Domain> {
        guard let item = fields.item("domain") else {
            noteFirst("domain", world.domains[0].name, fields)
            return Ref(0)
        }
        return domains.one(item, report: report) ?? Ref(0)
    }

    /// The site under `site`, or the first one.
    func site(_ fields: Fields) -> Ref<Site> {
        guard let item = fields.item("site") else {
            noteFirst("site", world.sites[0].name, fields)
            return Ref(0)
        }
        return sites.one(item, report: report) ?? Ref(0)
    }

    private func noteFirst(_ key: String, _ name: String, _ fields: Fields) {
        report.note(fields.path(key), name, .default(name: "\(fields.table.name).\(key)", source: "the first \(key)"))
    }
}
