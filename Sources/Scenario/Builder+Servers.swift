internal import Protection
internal import Units

extension Builder {
    func buildServers() {
        for fields in records("vmm") {
            for name in names(fields, beside: world.vmmServers.count, "VMM servers")
            where vmmServers.declare(name, fields.spot, fields.path, report: report) {
                var vmm = VMMServer(name: name, domain: domain(fields))
                vmm.isAtLeast2012SP1 = !["2008", "2008 R2", "2012"].contains(fields.choice("version") ?? "2016")
                vmm.helperPort = fields.count("helper-port") ?? vmm.helperPort
                vmmFields.append((Ref(world.vmmServers.count), fields))
                world.vmmServers.append(vmm)
            }
        }
        for fields in records("vaults") {
            for name in names(fields, beside: world.vaults.count, "vaults")
            where vaults.declare(name, fields.spot, fields.path, report: report) {
                world.vaults.append(
                    Vault(name: name, rate: fields.rate("rate") ?? .gigabitsPerSecond(1), site: site(fields)))
            }
        }
        var primaries: [(Ref<DPMServer>, Item)] = []
        for fields in records("servers") {
            let names = names(fields, beside: world.servers.count, "DPM servers")
            for name in names where servers.declare(name, fields.spot, fields.path, report: report) {
                let ref = Ref<DPMServer>(world.servers.count)
                world.servers.append(server(name, fields))
                if let item = fields.item("primary") { primaries.append((ref, item)) }
                for pool in fields.records("pool") { addPool(pool, ref, name) }
                for library in fields.records("libraries") { addLibrary(library, ref) }
                for drive in fields.records("drives") { addDrive(drive, ref) }
            }
        }
        for (ref, item) in primaries {
            guard let primary = servers.one(item, report: report) else { continue }
            if primary == ref { report.problem(item, expected: "another DPM server", found: "the server itself") }
            world.servers[ref].primary = primary
        }
    }

    private func server(_ name: String, _ fields: Fields) -> DPMServer {
        var server = DPMServer(name: name, domain: domain(fields), site: site(fields))
        server.version = fields.choice("version", DPMVersion.self) ?? server.version
        server.windows = fields.choice("windows", WindowsVersion.self) ?? server.windows
        server.smtp = fields.has("smtp") ? fields.text("smtp") : nil
        server.hasHyperVRole = fields.bool("hyper-v") ?? true
        server.nic = fields.rate("nic") ?? server.nic
        server.parallelJobs = fields.count("parallel-jobs")
        server.knownVMMServers = fields.oneOrMany("vmm").map { vmmServers.many($0, report: report) } ?? []
        return server
    }

    private func addPool(_ fields: Fields, _ server: Ref<DPMServer>, _ owner: String) {
        let kind = fields.choice("kind", PoolVolume.Kind.self) ?? .modern
        let capacity = fields.size("capacity") ?? .terabytes(1)
        let read = fields.rate("read") ?? .gigabitsPerSecond(8)
        let write = fields.rate("write") ?? .gigabitsPerSecond(8)
        let names = names(fields, beside: world.poolVolumes.count, limit: 100_000, "pool volumes")
        for name in names.map({ "\(owner)/\($0)" })
        where poolVolumes.declare(name, fields.spot, fields.path, report: report) {
            world.poolVolumes.append(
                PoolVolume(name: name, server: server, kind: kind, capacity: capacity, readRate: read, writeRate: write)
            )
        }
    }

    private func generation(_ word: String?) -> LTOGeneration? { LTOGeneration.allCases.first { $0.name == word } }

    private func addLibrary(_ fields: Fields, _ server: Ref<DPMServer>) {
        let slots = fields.count("slots") ?? 1
        let robots = fields.count("robots") ?? 1
        let barcodes = fields.bool("barcodes") ?? true
        let driveFields = fields.record("drives")
        let count = driveFields?.count("count") ?? 1
        let generation = generation(driveFields?.choice("generation")) ?? .lto8
        let isHalfHeight = driveFields?.bool("half-height") ?? false
        let cartridgeFields = fields.record("cartridges")
        let cartridgeCount = cartridgeFields?.count("count") ?? 0
        let cartridgeGeneration = self.generation(cartridgeFields?.choice("generation")) ?? generation
        let prefix = cartridgeFields?.text("prefix")
        for name in names(fields, beside: world.libraries.count, "tape libraries")
        where libraries.declare(name, fields.spot, fields.path, report: report) {
            let ref = Ref<TapeLibrary>(world.libraries.count)
            var library = TapeLibrary(name: name, server: server, slots: slots)
            (library.robots, library.hasBarcodes) = (robots, barcodes)
            world.libraries.append(library)
            guard fits(count, beside: world.drives.count, limit: 100_000, "tape drives", fields) else { return }
            for number in 1...count { addDrive("\(name)/drive-\(number)", ref, generation, isHalfHeight, fields) }
            addCartridges(cartridgeCount, ref, cartridgeGeneration, prefix: prefix ?? barcodePrefix(name), fields)
        }
    }

    private func addDrive(_ fields: Fields, _ server: Ref<DPMServer>) {
        let generation = generation(fields.choice("generation")) ?? .lto8
        let isHalfHeight = fields.bool("half-height") ?? false
        let cartridges = fields.count("cartridges") ?? 1
        for name in names(fields, beside: world.libraries.count, "tape libraries")
        where libraries.declare(name, fields.spot, fields.path, report: report) {
            let ref = Ref<TapeLibrary>(world.libraries.count)
            var library = TapeLibrary(name: name, server: server, slots: 0)
            (library.isStandalone, library.robots, library.hasBarcodes) = (true, 0, false)
            world.libraries.append(library)
            addDrive("\(name)/drive-1", ref, generation, isHalfHeight, fields)
            addCartridges(cartridges, ref, generation, prefix: barcodePrefix(name), fields)
        }
    }

    private func addDrive(
        _ name: String, _ library: Ref<TapeLibrary>, _ generation: LTOGeneration, _ isHalfHeight: Bool, _ fields: Fields
    ) {
        guard drives.declare(name, fields.spot, fields.path, report: report) else { return }
        var drive = TapeDrive(name: name, library: library, generation: generation)
        drive.isHalfHeight = isHalfHeight
        world.drives.append(drive)
    }

    private func barcodePrefix(_ name: String) -> String {
        String(name.uppercased().filter { $0.isLetter || $0.isNumber }.prefix(3))
    }

    /// Barcodes are unique over all libraries: numbers go on where another library has the same prefix.
    private func addCartridges(
        _ count: Int, _ library: Ref<TapeLibrary>, _ generation: LTOGeneration, prefix: String, _ fields: Fields
    ) {
        guard fits(count, beside: world.cartridges.count, limit: 1_000_000, "cartridges", fields) else { return }
        world.cartridges.reserveCapacity(world.cartridges.count + count)
        let before = barcodesUsed[prefix] ?? 0
        barcodesUsed[prefix] = before + count
        for number in before..<before + count {
            let digits = String(number + 1)
            let padded = String(repeating: "0", count: max(0, 6 - prefix.count - digits.count)) + digits
            let barcode = "\(prefix)\(padded)\(LTOFacts.of(generation).barcodeSuffix)"
            world.cartridges.append(Cartridge(barcode: barcode, library: library, generation: generation))
        }
    }
}
