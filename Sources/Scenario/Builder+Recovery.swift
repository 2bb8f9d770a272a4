internal import Protection
internal import Units

extension Builder {
    /// What a line `recover:` asks for, machine by machine.
    func recoveries(_ items: [Item], _ fields: Fields) -> [Happening] {
        if fields.has("lasts"), let item = fields.item("lasts") {
            report.problem(item, expected: "no lasts beside recover: it takes the time it takes")
        }
        return requests(for: machines.many(items, report: report), fields).map { .recover($0) }
    }

    /// What the keys beside it say of each machine's recovery; hosts and volumes are taken in turn.
    func requests(for members: [Ref<Machine>], _ fields: Fields) -> [RecoveryRequest] {
        let hosts = fields.oneOrMany("to").map { self.hosts.many($0, report: report) } ?? []
        let scopes = hosts.first.map { self.scopes(of: $0) } ?? []
        let volumes = fields.oneOrMany("storage").map { self.volumes.many($0, scopes: scopes, report: report) } ?? []
        guard let what = selection(fields), fits(hosts, volumes, fields) else { return [] }
        var asked = RecoveryRequest(Ref(0), what: what)
        asked.asOf = fields.has("as-of") ? fields.moment("as-of", clock: setting.clock) : nil
        asked.source = fields.choice("from").flatMap { RecoveryRequest.Source(rawValue: $0) }
        asked.itemBytes = fields.has("item-size") ? fields.size("item-size") : nil
        asked.throttle = fields.record("throttle").flatMap(throttle)
        asked.usesSAN = fields.bool("san") ?? false
        asked.notifies = fields.has("e-mail") ? fields.text("e-mail") ?? "" : ""
        let folder = fields.has("folder") ? fields.text("folder") ?? "" : RecoveryRequest.usualFolder
        let into = fields.has("into") ? fields.text("into") : nil
        return members.enumerated().map { index, machine in
            var request = asked
            request.machine = machine
            if !hosts.isEmpty {
                let host = hosts[index % hosts.count]
                let volume = volumes[index % volumes.count]
                request.to =
                    into.map { .networkFolder(host, volume: volume, folder: $0) }
                    ?? .host(host, volume: volume, folder: folder)
            }
            return request
        }
    }

    /// What of the machine: all of it, disks, volumes, or files and folders.
    private func selection(_ fields: Fields) -> RecoveryRequest.Selection? {
        let keys = ["disks", "volumes", "paths"].filter(fields.has)
        guard keys.count <= 1 else {
            report.problem(
                fields.spot, fields.path, expected: "at most one of disks, volumes and paths",
                found: keys.joined(separator: " and "))
            return nil
        }
        if fields.has("volume") != fields.has("paths") {
            report.problem(
                fields.spot, fields.path, expected: "volume and paths together",
                found: fields.has("volume") ? "volume alone" : "paths alone")
            return nil
        }
        func numbers(_ key: String) -> [Int]? {
            let found = (fields.oneOrMany(key) ?? []).compactMap { item -> Int? in
                guard let text = item.text, let number = Int(text), (1...256).contains(number) else {
                    report.problem(item, expected: Shape.count(1...256).expected)
                    return nil
                }
                return number
            }
            return found.isEmpty ? nil : found
        }
        switch keys.first {
        case "disks": return numbers("disks").map { .disks($0.map { $0 - 1 }) }
        case "volumes": return numbers("volumes").map { .volumes($0) }
        case "paths":
            let paths = (fields.oneOrMany("paths") ?? []).compactMap { report.text($0) }
            guard let volume = fields.count("volume"), !paths.isEmpty else { return nil }
            return .files(volume: volume, paths: paths)
        default: return .machine
        }
    }

    /// Another place is a host and a volume; what needs one has one.
    private func fits(_ hosts: [Ref<Host>], _ volumes: [Ref<Volume>], _ fields: Fields) -> Bool {
        func wrong(_ expected: String, _ found: String) -> Bool {
            report.problem(fields.spot, fields.path, expected: expected, found: found)
            return false
        }
        if fields.has("to") != fields.has("storage") {
            return wrong("to and storage together", fields.has("to") ? "to alone" : "storage alone")
        }
        if fields.has("to"), hosts.isEmpty || volumes.isEmpty { return false }
        for key in ["into", "folder"] where fields.has(key) && !fields.has("to") {
            return wrong("\(key) only beside to and storage", "it without")
        }
        if fields.has("into"), fields.has("folder") { return wrong("one of into and folder", "both") }
        return true
    }
}
