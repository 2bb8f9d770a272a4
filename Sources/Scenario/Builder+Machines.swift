internal import Protection
internal import Units

/// What an entry says of each of its machines, before they are placed.
struct MachineAttributes {
    struct Disk {
        var format: VirtualDisk.Format
        var size: Bytes
        var used: Bytes
        var volume: Item?
    }
    var disks: [Disk] = []
    /// All but name, host and disks.
    var machine: Machine
    var hasRCT: Bool?
}

extension Builder {
    /// Four on IDE and 64 on each of four SCSI controllers.
    private static let diskLimit = 260
    static let machineLimit = NamePattern.limit

    func buildMachines() {
        for document in documents {
            for item in document.list("machines") {
                guard var fields = Fields(item, "machine", report: report) else { continue }
                addTemplates(to: &fields)
                let names = fields.names()
                guard fits(names.count, beside: world.machines.count, limit: Builder.machineLimit, "machines", fields),
                    let attributes = attributes(fields), let seat = seat(fields)
                else { continue }
                world.machines.reserveCapacity(world.machines.count + names.count)
                for name in names { addMachine(name, attributes, seat, fields) }
            }
        }
    }

    /// Nil if the disks cannot be made out; whatever is wrong is reported.
    func attributes(_ fields: Fields, disks given: [MachineAttributes.Disk]? = nil) -> MachineAttributes? {
        let disks = given ?? disks(fields)
        guard disks.count <= Builder.diskLimit else {
            report.problem(
                fields.spot, fields.path, expected: "at most \(Builder.diskLimit) disks, as Hyper-V allows",
                found: "\(disks.count)")
            return nil
        }
        let used = disks.reduce(Bytes.zero) { $1.format == .passThrough ? $0 : $0 + $1.used }
        var machine = Machine(name: "", host: Ref(0), disks: [], churn: churn(fields, used: used))
        machine.level = fields.choice("level", Machine.Level.self) ?? .host
        machine.power = fields.choice("power", Machine.Power.self) ?? .running
        machine.guest = fields.choice("guest", GuestSystem.self) ?? .windows2016
        machine.fileSystems =
            fields.choices("file-systems").map { $0.compactMap { GuestFileSystem(rawValue: $0.word) } }
            ?? (machine.guest == .linux ? [.ext4] : [.ntfs])
        machine.backupIntegration = fields.bool("backup-integration") ?? true
        machine.integrationMatches = fields.bool("integration-matches") ?? true
        machine.dynamicDisks = fields.bool("dynamic-disks") ?? false
        machine.shadowStorageOnItself = fields.bool("shadow-storage-on-itself") ?? true
        machine.resourceGroupOnline = fields.bool("resource-group-online") ?? true
        machine.scsiController = fields.bool("scsi-controller") ?? true
        machine.pageFile = fields.size("page-file", zero: true) ?? .zero
        if machine.pageFile > used, let item = fields.item("page-file"), !disks.isEmpty {
            report.problem(item, expected: "at most what the machine has used, \(used)")
        }
        machine.growthPerYear = fields.share("growth") ?? .zero
        if let ratio = fields.number("compressibility") {
            machine.compressibility = Fraction(partsPerBillion: Int64((ratio * 1e9).rounded()))
        }
        machine.replication = fields.has("replication") ? fields.choice("replication", ReplicationState.self) : nil
        machine.real = realData(fields, disks)
        let hasRCT = fields.bool("rct")
        guard !disks.isEmpty else { return nil }
        return MachineAttributes(disks: disks, machine: machine, hasRCT: hasRCT)
    }

    /// Nil for a machine whose bytes are numbers.
    private func realData(_ fields: Fields, _ disks: [MachineAttributes.Disk]) -> RealData? {
        let isReal = fields.choice("data") == "real"
        var real = RealData()
        if let item = fields.item("image"), let name = report.text(item) {
            if !isReal {
                report.problem(item, expected: "data: real beside it", found: "a machine whose bytes are numbers")
            }
            real.image = Documents.join(item.spot.file, name)
        }
        if let item = fields.item("guest-disk") {
            real.fileSystem = fields.choice("guest-disk", GuestFileSystem.self)
            if !isReal {
                report.problem(item, expected: "data: real beside it", found: "a machine whose bytes are numbers")
            }
            if real.image != nil { report.problem(item, expected: "either image or guest-disk", found: "both") }
        }
        if let scale = fields.number("scale") {
            if !isReal, scale != 1, let item = fields.item("scale") {
                report.problem(item, expected: "data: real beside it", found: "a machine whose bytes are numbers")
            }
            if scale.rounded() != scale, let item = fields.item("scale") {
                report.problem(item, expected: "a whole number")
            }
            real.scale = Int64(scale.rounded())
        }
        guard isReal else { return nil }
        for disk in disks where disk.format != .passThrough && disk.size.count / real.scale > RealData.largestDisk {
            report.problem(
                fields.spot, fields.path, expected: "real disks of \(Bytes(RealData.largestDisk)) at most, or a scale",
                found: "\(disk.size) at a scale of \(real.scale)")
        }
        return real
    }

    private func disks(_ fields: Fields) -> [MachineAttributes.Disk] {
        if let list = fields.layerIndex(of: "disks"), list <= fields.layerIndex(of: "size") ?? .max {
            if list == fields.layerIndex(of: "size"), let item = fields.item("size") {
                report.problem(item, expected: "either size or disks", found: "both")
            }
            let records = fields.records("disks")
            if records.isEmpty, let item = fields.item("disks"), item.elements?.isEmpty == true {
                report.problem(item, expected: "at least one disk", found: "an empty list")
            }
            return records.compactMap { disk($0, volume: $0.item("volume")) }
        }
        guard fields.has("size") else {
            report.problem(
                fields.spot, fields.path, expected: "the key size, \(Bytes.expected), or the key disks", found: "none")
            return []
        }
        return disk(fields, volume: nil).map { [$0] } ?? []
    }

    /// One disk, from a mapping or a row that has size, used and format.
    func disk(_ fields: Fields, volume: Item?) -> MachineAttributes.Disk? {
        let format = fields.choice("format", VirtualDisk.Format.self) ?? .vhdx
        let amount = fields.amount("used")
        guard let size = fields.size("size"), let amount else { return nil }
        let (most, shown) = format == .vhd ? (Bytes.gibibytes(2_040), "2040 GiB") : (Bytes.gibibytes(65_536), "64 TiB")
        if format != .passThrough, size > most, let item = fields.item("size") {
            report.problem(item, expected: "at most \(shown), the largest a \(format.rawValue) can be")
        }
        let used = amount.of(size)
        if used > size, let item = fields.item("used") {
            report.problem(item, expected: "at most the disk's size, \(size)")
            return nil
        }
        return MachineAttributes.Disk(format: format, size: size, used: used, volume: volume)
    }

    private func churn(_ fields: Fields, used: Bytes) -> Churn {
        let perDay = fields.amount("churn")?.of(used) ?? .zero
        let workingSet = fields.amount("working-set")?.of(used) ?? .zero
        var churn = Churn(perDay: perDay, workingSet: workingSet)
        if used > .zero, let item = fields.item("working-set") {
            if workingSet > used { report.problem(item, expected: "at most what the machine has used, \(used)") }
            if workingSet == .zero, perDay > .zero {
                report.problem(item, expected: "more than nothing, as the machine writes \(perDay) a day")
            }
        }
        if perDay > Report.largestSize, let item = fields.item("churn") {
            report.problem(item, expected: "at most \(Report.largestSize) a day")
        }
        if let item = fields.item("profile"), let name = report.text(item) {
            if let weights = profiles.known[name] {
                (churn.hours, churn.weekdays) = (weights.hours, weights.weekdays)
            } else {
                report.problem(
                    item, expected: "the name of a profile",
                    hint: suggestion(for: name, among: profiles.names, kind: "profile"))
            }
        }
        churn.variation = fields.number("variation") ?? 0
        return churn
    }

    func addMachine(_ name: String, _ attributes: MachineAttributes, _ seat: Seat, _ fields: Fields) {
        guard let (host, volume) = place(seat, fields) else { return }
        let size = attributes.disks.reduce(Bytes.zero) { $0 + $1.size }
        guard totalSize + size <= .terabytes(1_000_000) else {
            report.problem(
                fields.spot, fields.path, expected: "machines of \(Bytes.terabytes(1_000_000)) together at most",
                found: "more")
            return
        }
        guard machines.declare(name, fields.spot, fields.path, report: report) else { return }
        totalSize += size
        var machine = attributes.machine
        machine.name = name
        machine.host = host
        machine.hasRCT = attributes.hasRCT ?? (world.hosts[host].windows >= .ws2016)
        let scopes = scopes(of: host)
        machine.disks = attributes.disks.map { disk in
            let own = disk.volume.flatMap { volumes.one($0, scopes: scopes, report: report) }
            return VirtualDisk(format: disk.format, volume: own ?? volume, size: disk.size, used: disk.used)
        }
        world.machines.append(machine)
    }
}
